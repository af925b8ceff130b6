-- harmless: every function of neap's modules is called with every kind of value in every place
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, n = t.integer() })
local skip = { sleep = true, spawn = true, all = true, race = true, timeout = true, gather = true, open = true }
local values = { 0, -1, "x", true, {}, string.len, store, Row, Row { n = 1 }, Row:where { n = 1 }, t.integer(), neap.null, Row.n:eq(1) }
local function call(f)
  pcall(f)
  for i = 1, #values do
    pcall(f, values[i])
    pcall(f, values[i], values[(i * 7) % #values + 1], values[(i * 5) % #values + 1])
  end
end
for _, name in ipairs { "bytes", "crud", "csv", "date", "datetime", "decimal", "json", "mongo", "now", "progress", "types", "uuid" } do
  local module = neap[name]
  if type(module) ~= "table" then module = { module } end
  for key, f in pairs(module) do
    if not skip[key] and f then call(f) end
  end
end
for key, f in pairs(neap) do
  if type(f) == "function" and not skip[key] then call(f) end
end
