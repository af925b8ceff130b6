-- limit: objects whose lists and maps are large, changed and compared for ever
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, list = t.list(t.integer()), data = t.json() })
store:bind()
local list = {}
for i = 1, 1000 do list[i] = i end
local row = Row { list = list, data = { a = list } }
while true do
  pcall(function()
    row.list[#row.list + 1] = 1
    row.data = { a = row.list }
    row:save()
    row:reload()
  end)
end
