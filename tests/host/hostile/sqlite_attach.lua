-- harmless: SQL in memory reaches no file: ATTACH, VACUUM INTO, extensions and settings of paths are refused
local store = require "neap".open "sqlite::memory:"
for _, sql in ipairs {
  "ATTACH '/tmp/neap-hostile.db' AS x", "ATTACH 'file:/tmp/neap-hostile.db?mode=rwc' AS x", "ATTACH '' AS x",
  "VACUUM INTO '/tmp/neap-hostile.db'", "SELECT load_extension('/tmp/x.so')", "SELECT readfile('/etc/passwd')",
  "SELECT writefile('/tmp/neap-hostile.db', 'x')", "PRAGMA temp_store_directory = '/tmp/neap-hostile'",
  "PRAGMA data_store_directory = '/tmp/neap-hostile'", "SELECT fts3_tokenizer('x', x'0000000000000000')",
  "CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd')", "PRAGMA writable_schema = ON",
} do
  local ok = pcall(store.sql, store, sql)
  assert(not ok, sql)
end
