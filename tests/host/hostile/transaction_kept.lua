-- limit: a transaction whose function never returns, on a store that others use
local neap = require "neap"
local store = neap.open "sqlite::memory:"
store:sql "CREATE TABLE t (x)"
while true do
  pcall(store.transaction, store, function(tx)
    tx:sql "INSERT INTO t VALUES (1)"
    while true do end
  end)
end
