-- Streams every row of a database through each and says how many there were and the most memory that took: PATH.
local neap = require "neap"
local t = neap.types
local store = neap.open("sqlite:" .. arg[1])
local Row = store:model("Row", { id = t.integer { primary = true }, name = t.string(), points = t.integer() })
local rows, points = 0, 0
for row in Row:each() do
  rows = rows + 1
  points = points + row.points
end
print(rows, points, io.open "/proc/self/status":read "a":match "VmHWM:%s*(%d+) kB")
