-- limit: a query whose rows never end
local store = require "neap".open "sqlite::memory:"
local endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
while true do pcall(store.sql, store, endless) end
