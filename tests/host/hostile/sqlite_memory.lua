-- limit: a database in memory that grows for ever
local store = require "neap".open "sqlite::memory:"
store:sql "CREATE TABLE t (x)"
pcall(function()
  while true do store:sql "INSERT INTO t VALUES (randomblob(1000000))" end
end)
pcall(store.sql, store, "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT randomblob(1000000) FROM c")
error "escaped"
