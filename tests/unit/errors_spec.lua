local neap = require "neap"
local host = require "neap.host"

describe("an error object", function()
  it("is one line that says what and where", function()
    local _, e = pcall(neap.sleep, -1)
    assert.equal("table", type(e))
    assert.matches("^tests/unit/errors_spec.lua:%d+: usage: seconds must be .* not %-1$", tostring(e))
  end)

  it("shows store, code and detail, and no line breaks", function()
    local e = host.error { kind = "server", message = "it\nfailed", store = "sqlite", code = "XX000", detail = "disk" }
    assert.matches("server: it failed %(sqlite XX000: disk%)$", tostring(e))
  end)

  it("is told by its kind", function()
    local e = host.error { kind = "conflict", message = "twice" }
    assert.is_true(neap.is(e, "conflict"))
    assert.is_false(neap.is(e, "usage"))
    assert.is_false(neap.is("conflict", "conflict"))
    assert.is_false(neap.is({ kind = "conflict" }, "conflict"))
  end)

  it("has one of the known kinds", function()
    assert.is_false((pcall(neap.is, nil, "nonsense")))
    assert.is_false((pcall(host.error, { kind = "nonsense", message = "x" })))
  end)

  it("takes the place of a text that the script raised, and has no kind then", function()
    local _, e = neap.try(error, "text", 0)
    assert.is_nil(e.kind)
    assert.same({ "text", "text" }, { e.message, tostring(e) })
    assert.is_false(neap.is(e, "usage"))
    _, e = neap.try(function() return (nil).y end)
    assert.is_nil(e.kind)
    assert.matches("^tests/unit/errors_spec.lua:%d+: attempt to index a nil value", tostring(e))
    _, e = neap.try(error)
    assert.equal("nil", e.message)
  end)

  it("leaves a table that the script raised as it is, through tasks too", function()
    local own = { code = 5 }
    local function fail() error(own) end
    assert.equal(own, select(2, neap.try(fail)))
    assert.is_false(neap.is(own, "usage"))
    assert.equal(own, select(2, pcall(neap.all, { fail })))
    assert.equal(own, select(2, pcall(neap.timeout, 1, fail)))
    local task = neap.spawn(fail)
    assert.equal(own, select(2, pcall(task.await, task)))
  end)

  it("passes through neap.try unchanged", function()
    local e = host.error { kind = "auth", message = "no" }
    assert.equal(e, select(2, neap.try(error, e)))
  end)
end)

describe("a value in a message", function()
  local function shown(value)
    local _, e = pcall(neap.sleep, value)
    return e.message:match "^seconds must be a number of seconds >= 0, not (.*)$"
  end

  it("is text as Lua writes it, whatever bytes it has", function()
    assert.equal('"say \\"hi\\" to C:\\\\x"', shown 'say "hi" to C:\\x')
    assert.equal([["a\0b\n\t\x1b[31m\u{9b}"]], shown "a\0b\n\t\27[31m\xc2\x9b")
    assert.equal([["ok é \xff\xed\xa0\x80"]], shown "ok é \xff\xed\xa0\x80")
  end)

  it("is cut at a character when it is long", function()
    local cut = shown(("ä"):rep(100))
    assert.equal('""…', (cut:gsub("ä", "")))
    assert.truthy(#cut > 50 and #cut < 80)
  end)

  it("is a number in the fewest digits that tell it", function()
    local _, e = pcall(function() return neap.decimal "1" + 1e300 end)
    assert.matches("the float 1e+300 is not exact", e.message, 1, true)
    assert.equal("-0.1", shown(-0.1))
    assert.equal("-5.0", shown(-5.0))
    assert.equal("-7", shown(-7))
    assert.equal("nan", shown(0 / 0))
    assert.equal("-inf", shown(-math.huge))
  end)

  it("says of what kind it is where its text does not", function()
    assert.equal("decimal 1.5", shown(neap.decimal "1.5"))
    assert.equal("date 2020-01-31", shown(neap.date "2020-01-31"))
    assert.equal("a table", shown(setmetatable({}, { __tostring = function() error "not called" end })))
    assert.equal("a function", shown(print))
    assert.equal("nil", shown(nil))
  end)

  it("leaves the message one text of UTF-8, cut where it is longer than messages are", function()
    local e = host.error { kind = "server", message = "bad \27[31m\xff" }
    assert.equal([[bad \x1b[31m\xff]], e.message)
    local store = neap.open "sqlite::memory:"
    local _, long = pcall(store.sql, store, ("é"):rep(1000))
    assert.truthy(utf8.len(long.message), long.message)
    store:close()
  end)
end)

describe("neap.try", function()
  it("gives what the function returned", function()
    assert.same({ 1, nil, 3, n = 3 }, table.pack(neap.try(function(...) return ... end, 1, nil, 3)))
    assert.same({ n = 0 }, table.pack(neap.try(function() end)))
  end)

  it("calls what can be called", function()
    assert.equal("called", neap.try(setmetatable({}, { __call = function() return "called" end })))
    assert.is_false((pcall(neap.try, 5)))
  end)
end)
