-- Values that tell what Lua alone cannot.
local neap = require "neap"
local marks = require "neap.marks"

describe("neap.null", function()
  it("is one value that prints null", function()
    assert.equal("null", tostring(neap.null))
    assert.equal(neap.null, neap.json.null)
    assert.is_true(neap.null ~= nil)
  end)
end)

describe("neap.array, object and set", function()
  it("are the table that was given", function()
    local t = { 1, 2 }
    assert.equal(t, neap.array(t))
    assert.equal(2, #t)
    local seen = 0
    for _, v in ipairs(t) do seen = seen + v end
    assert.equal(3, seen)
  end)

  it("make an empty table where none is given", function()
    assert.same({}, neap.array())
    assert.same({}, neap.object())
    assert.same({}, neap.set())
  end)

  it("refuse tables with a metatable of their own, and what is no table", function()
    assert.has_error(function() neap.array(setmetatable({}, {})) end)
    assert.has_error(function() neap.set "x" end)
  end)

  it("may mark a table anew", function()
    assert.equal("{}", neap.json.encode(neap.object(neap.array {})))
  end)
end)

describe("neap.set", function()
  it("drops duplicates and keeps the order of the first ones", function()
    assert.same({ 3, 1, 2, "1" }, { table.unpack(neap.set { 3, 1, 3, 2, "1", 1, 2.0 }) })
  end)

  it("compares without order", function()
    assert.is_true(neap.set { 1, "a", true } == neap.set { true, 1, "a" })
    assert.is_false(neap.set { 1, 2 } == neap.set { 1, 3 })
    assert.is_false(neap.set { 1, 2 } == neap.set { 1 })
    assert.is_true(neap.set { neap.bytes "x", 1 } == neap.set { 1, neap.bytes "x" })
  end)
end)

describe("neap.geopoint", function()
  it("has a latitude and a longitude, prints and compares", function()
    local p = neap.geopoint(52.5, 13)
    assert.equal(52.5, p.latitude)
    assert.equal(13.0, p.longitude)
    assert.equal("(52.5, 13.0)", tostring(p))
    assert.is_true(p == marks.geopoint(52.5, 13.0))
    assert.is_false(p == marks.geopoint(52.5, 14))
  end)

  it("refuses degrees out of range", function()
    for _, at in ipairs { { 91, 0 }, { 0, 180.5 }, { 0 / 0, 0 }, { "1", 2 }, { 1 } } do
      local ok, e = pcall(neap.geopoint, at[1], at[2])
      assert.is_false(ok)
      assert.equal("validation", e.kind)
    end
  end)
end)

describe("neap.bytes", function()
  it("tells bytes from text and compares with its like", function()
    local b = neap.bytes "\0\xff!"
    assert.equal("\0\xff!", tostring(b))
    assert.equal(3, #b)
    assert.is_true(b == neap.bytes "\0\xff!")
    assert.is_false(b == neap.bytes "")
    assert.is_false(b == "\0\xff!")
  end)

  it("speaks hexadecimal and base64", function()
    assert.equal("00ff21", neap.bytes("\0\xff!"):hex())
    for bytes, text in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==" } do
      assert.equal(text, neap.bytes(bytes):base64())
      assert.is_true(neap.bytes(bytes) == neap.bytes.from_base64(text))
    end
  end)

  it("refuses base64 that is not canonical", function()
    for _, text in ipairs { "Zg", "Zg=", "Zh==", "Z===", "Zm9v!", "Zg==Zg==", "====" } do
      local ok, e = pcall(neap.bytes.from_base64, text)
      assert.is_false(ok, text)
      assert.equal("validation", e.kind)
    end
  end)
end)
