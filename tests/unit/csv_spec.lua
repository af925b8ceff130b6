-- CSV text to rows and back.
local neap = require "neap"
local csv = neap.csv

local function fault(f, ...)
  local _, e = neap.try(f, ...)
  return type(e) == "table" and e.kind .. ": " .. e.message or e
end

-- Runs f with the path of a file that holds the text, and removes it.
local function with_file(text, f)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local ok, e = pcall(f, path)
  os.remove(path)
  if not ok then error(e, 0) end
end

local function content(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

describe("csv.parse", function()
  it("keys rows by the header", function()
    assert.same({ { name = "Ada", age = "36" }, { name = "Bob", age = "7" } }, csv.parse "name,age\nAda,36\nBob,7\n")
  end)

  it("gives lists without a header, and takes a header from the caller", function()
    assert.same({ { "a", "b" }, { "1", "" } }, csv.parse("a,b\n1,\n", { header = false }))
    assert.same({ { x = "a", y = "b" } }, csv.parse("a,b", { header = { "x", "y" } }))
  end)

  it("reads quotes, doubled quotes, delimiters and lines inside quotes", function()
    assert.same({ { "a,b", 'say "hi"', "two\nlines" } }, csv.parse('"a,b","say ""hi""","two\nlines"\n', { header = false }))
  end)

  it("keeps blanks and tells an empty field from an empty text", function()
    assert.same({ { a = " x ", c = "" } }, csv.parse 'a,b,c\n x ,,""\n')
  end)

  it("takes CRLF, CR, a byte order mark, blank lines and a missing last line end", function()
    for _, text in ipairs { "a,b\r\n1,2\r\n", "a,b\r1,2\r", "\xEF\xBB\xBFa,b\n1,2", "\n\na,b\n\n1,2\n\n" } do
      assert.same({ { a = "1", b = "2" } }, csv.parse(text), text)
    end
  end)

  it("takes other delimiters and quotes", function()
    assert.same({ { "a;b", "c" } }, csv.parse("'a;b';c", { header = false, delimiter = ";", quote = "'" }))
  end)

  it("gives nothing for an empty text", function()
    assert.same({}, csv.parse "")
    assert.same({}, csv.parse "a,b\n")
  end)

  it("names the line of a fault", function()
    for text, line in pairs {
      ['a,b\n1,2\nx"y,3\n'] = "line 3", ['a,b\r\n\r\n1,2\r\n1\r\n'] = "line 4", ["a\n\"x\ny\"\n1,2\n"] = "line 4",
      ['a,b\n1,"2\n3\n'] = "line 2", ['a\n"x\ny"z\n'] = "line 3",
    } do
      local message = fault(csv.parse, text)
      assert.truthy(message:find("validation", 1, true) and message:find(line .. " ", 1, true), message)
    end
  end)

  it("refuses a header with a column twice", function()
    assert.truthy(fault(csv.parse, "a,a\n1,2"):find '^validation.*"a" twice')
  end)

  it("names a wrong option and the nearest right one", function()
    assert.truthy(fault(csv.parse, "a", { delimeter = ";" }):find "did you mean delimiter")
    assert.truthy(fault(csv.parse, "a", { delimiter = ";;" }):find "^usage")
    assert.truthy(fault(csv.parse, "a", { header = 1 }):find "^usage")
  end)

  it("reads texts longer than its chunks", function()
    local lines = { "id,text" }
    for i = 1, 5000 do lines[#lines + 1] = ('%d,"%s"'):format(i, ("x"):rep(i % 50)) end
    lines[#lines + 1] = '5001,"' .. ("long "):rep(20000) .. '"'
    local rows = csv.parse(table.concat(lines, "\n"))
    assert.equal(5001, #rows)
    assert.equal(100000, #rows[5001].text)
    for i = 1, 5000 do assert.equal(i % 50, #rows[i].text) end
  end)
end)

describe("csv.read", function()
  it("iterates over a file", function()
    with_file("a,b\n1,2\n3,4\n", function(path)
      local seen = {}
      for row in csv.read(path) do seen[#seen + 1] = row.a .. row.b end
      assert.same({ "12", "34" }, seen)
    end)
  end)

  it("gives the rows before a fault, then raises", function()
    with_file('a\n1\n2\nx"\n', function(path)
      local seen = 0
      local _, e = pcall(function() for _ in csv.read(path) do seen = seen + 1 end end)
      assert.equal(2, seen)
      assert.truthy(e.message:find "line 4")
    end)
  end)

  it("reads an open file and leaves it open", function()
    with_file("a\n1\n", function(path)
      local file <close> = assert(io.open(path))
      for row in csv.read(file) do assert.equal("1", row.a) end
      assert.equal("file", io.type(file))
      file:close()
      assert.truthy(fault(csv.read, file):find "^usage.*closed")
    end)
  end)

  it("raises not_found for a file that is not there", function()
    assert.truthy(fault(csv.read, "/nowhere/at.csv"):find "^not_found: /nowhere/at.csv")
  end)

  it("holds a chunk of the file and no more", function()
    local line = ("x"):rep(99) .. "\n"
    with_file("a\n" .. line:rep(20000), function(path)
      collectgarbage()
      local before, most, n = collectgarbage "count", 0, 0
      for _ in csv.read(path) do
        n = n + 1
        if n % 1000 == 0 then
          collectgarbage()
          most = math.max(most, collectgarbage "count" - before)
        end
      end
      assert.equal(20000, n)
      assert.is_true(most < 500, most)
    end)
  end)
end)

describe("csv.encode", function()
  it("writes lists and keyed rows", function()
    assert.equal("1,x\n2,y\n", csv.encode { { 1, "x" }, { 2, "y" } })
    assert.equal("a,b\n1,2\n3,\n", csv.encode { { b = 2, a = 1 }, { a = 3 } })
    assert.equal("b,a\n2,1\n", csv.encode({ { a = 1, b = 2 } }, { header = { "b", "a" } }))
    assert.equal("1,2\n", csv.encode({ { a = 1, b = 2 } }, { header = false }))
  end)

  it("writes every value so that it reads back", function()
    local row = { true, 1, 0.1, neap.decimal "1.10", neap.date "2015-07-20", neap.null, "", 'a "b"', "x,y", "l\nm", { 1, 2 } }
    assert.equal('true,1,0.1,1.10,2015-07-20,,"","a ""b""","x,y","l\nm","[1,2]"\n', csv.encode { row })
  end)

  it("refuses a key that is no column", function()
    assert.truthy(fault(csv.encode, { { a = 1 }, { a = 1, b = 2 } }):find '^validation.*"b"')
  end)

  it("refuses what is no value", function()
    assert.truthy(fault(csv.encode, { { print } }):find "^validation")
    assert.truthy(fault(csv.encode, { { 0 / 0 } }):find "^validation")
    assert.truthy(fault(csv.encode, { 5 }):find "^usage")
  end)

  it("gives back what was parsed", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    math.randomseed(seed)
    local parts = { "a", ",", '"', "\n", "\r", " ", "é", "" }
    for _ = 1, 300 do
      local rows = {}
      for i = 1, math.random(5) do
        rows[i] = {}
        for j = 1, 3 do
          local text = {}
          for k = 1, math.random(0, 4) do text[k] = parts[math.random(#parts)] end
          rows[i][j] = table.concat(text)
        end
      end
      assert.same(rows, csv.parse(csv.encode(rows), { header = false }), "seed " .. seed)
    end
  end)
end)

describe("csv.writer", function()
  it("writes rows to a file as they come", function()
    with_file("", function(path)
      do
        local writer <close> = csv.writer(path, { header = { "id", "name" } })
        writer:write({ id = 1, name = "Ada" }):write({ id = 2 }, { id = 3, name = "x,y" })
      end
      assert.equal('id,name\n1,Ada\n2,\n3,"x,y"\n', content(path))
    end)
  end)

  it("takes the columns from the first row", function()
    with_file("", function(path)
      local writer = csv.writer(path, { delimiter = ";" })
      writer:write { b = 2, a = 1 }
      writer:write { a = 3 }
      writer:close()
      assert.equal("a;b\n1;2\n3;\n", content(path))
      assert.truthy(fault(writer.write, writer, { a = 1 }):find "^usage.*closed")
    end)
  end)
end)
