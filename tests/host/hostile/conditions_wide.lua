-- limit: conditions with very many parts
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, n = t.integer() })
store:bind()
local list = {}
for i = 1, 20000 do list[i] = i end
while true do
  pcall(function() return Row:where { n__in = list }:all() end)
  pcall(function() return Row:where { ["$or"] = list }:all() end)
end
