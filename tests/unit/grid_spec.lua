local grid = require "neap.grid"
local neap = require "neap"

local PLAIN = { more = "…", dash = "-" }

--- What grid.write writes for rows, as lines.
local function lines_of(names, rows, style)
  local parts, i = {}, 0
  local function next_row()
    i = i + 1
    return rows[i]
  end
  grid.write(names, next_row, style or PLAIN, function(...) parts[#parts + 1] = table.concat { ... } end)
  local lines = {}
  for line in table.concat(parts):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

local function narrow(columns)
  return { columns = columns, more = "…", dash = "-" }
end

describe("grid.width", function()
  it("counts columns of a terminal, not bytes or characters", function()
    assert.equal(5, grid.width "Tides")
    assert.equal(6, grid.width "größer")
    assert.equal(4, grid.width "東京")
    assert.equal(1, grid.width "e\u{301}")
    assert.equal(2, grid.width "🌊")
  end)
end)

describe("grid.write", function()
  it("puts columns below each other, numbers to the right, and says how many rows there were", function()
    assert.same({
      "name    points",
      "------  ------",
      "Ada          7",
      "größer    12.5",
      "東京         3",
      "(3 rows)",
    }, lines_of({ "name", "points" }, { { "Ada", 7 }, { "größer", 12.5 }, { "東京", neap.decimal "3" } }))
  end)

  it("sets an absent value apart from texts that look like it or like nothing", function()
    assert.same({ "a", "------", "NULL", '"NULL"', '""', '" x"', "null", "(5 rows)" },
      lines_of({ "a" }, { { nil }, { "NULL" }, { "" }, { " x" }, { neap.null } }))
  end)

  it("writes what a terminal would obey as escapes", function()
    assert.same({ "a", "---------", "\\x1b[2J", "b\\nc", "\\u{9b}1m", "\\u{202e}x", "\\xff\\x00", "(5 rows)" },
      lines_of({ "a" }, { { "\27[2J" }, { "b\nc" }, { "\u{9b}1m" }, { "\u{202e}x" }, { "\xff\0" } }))
    assert.equal("a\\x1b", lines_of({ "a\27" }, {})[1])
  end)

  it("writes lists and maps as JSON", function()
    assert.equal('{"a":[1,2]}', lines_of({ "j" }, { { { a = { 1, 2 } } } })[3])
  end)

  it("makes the widest texts narrower until a line fits", function()
    local lines = lines_of({ "id", "text", "more" }, { { 1, ("x"):rep(50), "short" }, { 2, "東京東京東京東京東京", "y" } },
      narrow(30))
    assert.same({
      "id  text                 more",
      "--  -------------------  -----",
      " 1  xxxxxxxxxxxxxxxxxx…  short",
      " 2  東京東京東京東京東…  y",
      "(2 rows)",
    }, lines)
  end)

  it("leaves out columns that do not fit, and names them", function()
    local lines = lines_of({ "a", "b", "c" }, { { ("x"):rep(20), ("y"):rep(20), ("z"):rep(20) } }, narrow(20))
    assert.equal("xxxxxxxx…  yyyyyyyy…", lines[3])
    assert.equal("(1 row; not shown: c)", lines[4])
  end)

  it("never cuts a number", function()
    assert.equal("12345678901234567  xxxx…", lines_of({ "n", "t" }, { { 12345678901234567, ("x"):rep(30) } },
      narrow(27))[3]:gsub("x+…", "xxxx…"))
  end)

  it("cuts nothing where there is no terminal", function()
    assert.equal(("x"):rep(500), lines_of({ "a" }, { { ("x"):rep(500) } })[3])
  end)

  it("has a head and no rows where there is none", function()
    assert.same({ "id  name", "--  ----", "(0 rows)" }, lines_of({ "id", "name" }, {}))
  end)

  it("writes each row before it asks for the one after the next, once it knows how wide they are", function()
    local asked, written, most = 0, 0, 0
    local function next_row()
      asked = asked + 1
      most = math.max(most, asked - written)
      return asked <= 10000 and { asked } or nil
    end
    assert.equal(10000, grid.write({ "n" }, next_row, PLAIN, function(text)
      if text:find "%d" then written = written + 1 end
    end))
    assert.is_true(most <= 201, most)
  end)

  it("uses colours only where they are wanted", function()
    local bold = lines_of({ "a" }, { { nil } }, { color = true, more = "…", dash = "-" })
    assert.same({ "\27[1ma\27[0m", "----", "\27[2mNULL\27[0m", "(1 row)" }, bold)
  end)
end)

describe("grid.record", function()
  it("writes one row, a line for each value", function()
    local parts = {}
    grid.record({ "id", "title", "at" }, { 1, "Tides and all", nil }, narrow(16), function(...)
      parts[#parts + 1] = table.concat { ... }
    end)
    assert.equal("id     1\ntitle  Tides an…\nat     NULL\n", table.concat(parts))
  end)
end)
