-- Streams every row of a table through each, and copies it into another through a script: URL ROWS. Says how many there were of
-- both, and the most memory that took.
local neap = require "neap"
local t = neap.types
local store = neap.open(arg[1])
store:sql "DROP TABLE IF EXISTS copied, row"
store:sql "CREATE TABLE row (id integer PRIMARY KEY, name text, points integer)"
store:sql "CREATE TABLE copied (LIKE row)"
store:sql("INSERT INTO row SELECT i, 'the name of row number ' || i, i % 100 FROM generate_series(1, ?::integer) i", { tonumber(arg[2]) })
local Row = store:model("Row", { id = t.integer { primary = true }, name = t.string(), points = t.integer() }, { table = "row" })
local points = 0
for row in Row:each() do points = points + row.points end
local copied = store:copy_in("COPY copied FROM STDIN", store:copy_out "COPY row TO STDOUT")
store:sql "DROP TABLE copied, row"
print(points, copied, io.open "/proc/self/status":read "a":match "VmHWM:%s*(%d+) kB")
