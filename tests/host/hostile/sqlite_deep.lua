-- harmless: SQL nested deep, long, with many parameters or columns
local store = require "neap".open "sqlite::memory:"
for _, sql in ipairs {
  "SELECT " .. ("("):rep(20000) .. "1" .. (")"):rep(20000), "SELECT 1" .. (" + 1"):rep(5000), ("SELECT 1 UNION "):rep(1000) .. "SELECT 1",
  "SELECT 1 WHERE 1" .. (" AND 1"):rep(5000), "SELECT " .. ("1,"):rep(5000) .. "1", "SELECT '" .. ("%"):rep(60000) .. "' LIKE '" .. ("%a"):rep(30000) .. "'",
  "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaa' GLOB '" .. ("a*"):rep(1000) .. "b'",
} do
  pcall(store.sql, store, sql)
end
