-- limit: every row of a table, as objects, kept
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true }, text = t.string() }, { table = "rows" })
store:bind()
store:sql "INSERT INTO rows (id, text) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3000) SELECT x, hex(zeroblob(500)) FROM c"
local kept = {}
pcall(function()
  while true do kept[#kept + 1] = Row:all() end
end)
error "escaped"
