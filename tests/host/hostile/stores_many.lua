-- limit: stores, each with a thread or connections of its own, until there are no more
local neap = require "neap"
local list = {}
for _ = 1, 32 do list[#list + 1] = neap.open "sqlite::memory:" end
while true do
  local ok, e = pcall(neap.open, "sqlite::memory:")
  assert(not ok and e.kind == "limit")
end
