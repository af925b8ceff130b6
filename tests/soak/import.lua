-- Imports ROWS objects into an empty database in one script and says the most memory that took: PATH ROWS.
local neap = require "neap"
local t = neap.types
local store = neap.open("sqlite:" .. arg[1])
local Row = store:model("Row", { id = t.integer { primary = true }, name = t.string(), points = t.integer(), data = t.json() })
store:bind()
local rows, batch = tonumber(arg[2]), 5000
for first = 1, rows, batch do
  local list = {}
  for id = first, first + batch - 1 do
    list[#list + 1] = Row { id = id, name = "row " .. id, points = id % 100, data = { tags = { "a", "b" }, n = id } }
  end
  store:save(list)
end
print(Row:count(), io.open "/proc/self/status":read "a":match "VmHWM:%s*(%d+) kB")
