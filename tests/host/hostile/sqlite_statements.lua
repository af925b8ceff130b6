-- limit: statements that are kept prepared, each different, of a store that lives on
local store = require "neap".open "sqlite::memory:"
local n = 0
while true do
  n = n + 1
  pcall(store.sql, store, "SELECT " .. n .. (" + 1"):rep(500))
  pcall(store.sql, store, "SELECT '" .. ("x"):rep(100000) .. n .. "'")
  pcall(store.sql, store, "SELECT 1 WHERE 1 IN (" .. ("1,"):rep(200000) .. n .. ")")
end
