-- limit: regular expressions that backtrack, over and over, in memory and in SQLite
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, text = t.string { match = "^(a+)+$" } })
store:bind()
local bad = ("a"):rep(40) .. "b"
while true do
  pcall(function() Row { text = bad }:save() end)
  pcall(function() return Row:where { text__regex = "(a*)*b(a*)*c" }:all() end)
  pcall(store.sql, store, "SELECT neap_regex('^(a+)+$', '" .. bad .. "')")
  pcall(store.sql, store, "SELECT neap_regex('(x+x+)+y', '" .. ("x"):rep(1000) .. "')")
  pcall(store.sql, store, "SELECT neap_regex('" .. ("("):rep(5000) .. "', 'x')")
end
