-- limit: an order, a selection and groups of thousands of names
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, n = t.integer() })
store:bind()
local names = {}
for i = 1, 50000 do names[i] = i % 2 == 0 and "n" or "-id" end
while true do
  pcall(function() return Row:order(table.unpack(names, 1, 200)):all() end)
  pcall(function() return Row:order(names):all() end)
  pcall(function() return Row:select(names):all() end)
  pcall(function() return Row:select(table.unpack(names, 1, 200)):all() end)
end
