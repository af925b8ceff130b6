-- What a store says that it can do is what the manual says. Nothing becomes `unsupported` quietly.
local contract = require "tests.store.contract"
local neap = require "neap"

contract.each("the capability table", function(c)
  it("is the one of the manual", function()
    local said = {}
    for name in pairs(c.capabilities) do said[name] = c.store:supports(name) end
    assert.same(c.capabilities, said)
  end)

  it("knows no other names", function()
    local ok, e = pcall(c.store.supports, c.store, "telepathy")
    assert.is_false(ok)
    assert.is_true(neap.is(e, "usage"))
    assert.truthy(tostring(e):find("telepathy", 1, true))
  end)

  it("refuses what the store cannot do, and says what would do", function()
    for verb, capability in pairs {
      call = "functions", job = "functions", check = "checks", command = "commands", request = "requests",
      push = "push", installations = "push", listen = "channels", stream = "streams",
      copy_in = "copy", copy_out = "copy",
    } do
      if not c.capabilities[capability] then
        local ok, e = pcall(c.store[verb], c.store, "x")
        assert.is_false(ok)
        assert.is_true(neap.is(e, "unsupported"), tostring(e))
        assert.matches(("^%s has no %s %%(store:%s%%): .+"):format(c.name, capability, verb), e.message)
      end
    end
    assert.is_nil(c.store.telepathy)
  end)

  it("names every capability in the error for an unknown one", function()
    local _, e = pcall(c.store.supports, c.store, "telepathy")
    for name in pairs(c.capabilities) do assert.truthy(e.message:find(name, 1, true), name) end
  end)
end)
