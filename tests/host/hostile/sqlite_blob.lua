-- limit: one value as large as SQLite allows, made of nothing
local store = require "neap".open "sqlite::memory:"
for _, sql in ipairs {
  "SELECT zeroblob(1000000000)", "SELECT hex(zeroblob(500000000))",
  "SELECT length(randomblob(900000000))", "SELECT replace(hex(zeroblob(10000)), '0', hex(zeroblob(20000)))",
  "SELECT group_concat(hex(zeroblob(1000000))) FROM (SELECT 1 UNION SELECT 2 UNION SELECT 3)",
} do
  pcall(store.sql, store, sql)
end
while true do pcall(store.sql, store, "SELECT length(hex(zeroblob(2000000)))") end
