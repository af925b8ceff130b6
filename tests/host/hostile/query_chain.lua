-- limit: a query on which methods are called for ever
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, n = t.integer() })
local q = Row:where { n = 1 }
while true do
  local ok, more = pcall(function() return q:where { n = 2 }:limit(5) end)
  if ok then q = more end
end
