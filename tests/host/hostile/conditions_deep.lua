-- harmless: conditions nested thousands deep are an error, made by tables, by operators or by Query Objects
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, n = t.integer(), tags = t.json() })
store:bind()
Row { n = 1 }:save()
local tree = { n = 1 }
for _ = 1, 5000 do tree = { ["$not"] = tree } end
local ors = { n = 1 }
for _ = 1, 5000 do ors = { ["$or"] = { ors, { n = 2 } } } end
local ok, c = pcall(function()
  local c = Row.n:eq(1)
  for _ = 1, 5000 do c = ~(c & Row.n:eq(2)) end
  return c
end)
for _, condition in ipairs { tree, ors, ok and c or tree } do
  pcall(function() return Row:where(condition):all() end)
  pcall(function() return Row:where(condition):explain() end)
  pcall(function() return Row:where(condition):delete() end)
end
pcall(function() return Row:where { ["tags" .. (".a"):rep(5000)] = 1 }:all() end)
