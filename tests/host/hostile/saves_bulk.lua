-- limit: lists of thousands of objects, saved and deleted for ever
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, n = t.integer() })
store:bind()
while true do
  pcall(function()
    local list = {}
    for i = 1, 1000 do list[i] = Row { n = i } end
    store:save(list)
    store:delete(list)
  end)
end
