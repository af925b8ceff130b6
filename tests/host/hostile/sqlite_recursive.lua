-- limit: a statement of SQLite that never ends, inside pcall
local store = require "neap".open "sqlite::memory:"
local endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
while true do pcall(store.sql, store, endless) end
