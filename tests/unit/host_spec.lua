local neap = require "neap"
describe("neap.try", function()
  it("gives nil and an error object", function()
    local value, e = neap.try(neap.sleep, "soon")
    assert.is_nil(value)
    assert.is_true(neap.is(e, "usage"))
  end)
end)
