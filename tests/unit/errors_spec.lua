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
