local neap = require "neap"

describe("lua/neap/meta.lua", function()
  local text = assert(io.open "lua/neap/meta.lua"):read "a"

  it("annotates each name of neap", function()
    local missing = {}
    for name in pairs(neap) do
      local found = text:find("function neap." .. name .. "(", 1, true) or text:find("---@field " .. name .. " ", 1, true)
        or text:find("\nneap." .. name .. " =", 1, true)
      if not found then missing[#missing + 1] = name end
    end
    table.sort(missing)
    assert.same({}, missing)
  end)

  it("is Lua", function()
    assert.is_function(load(text))
  end)
end)
