-- limit: stores, each with a thread and buffers of its own, until there are no more
local neap = require "neap"
local list = {}
while true do
  local ok, store = pcall(neap.open, "sqlite::memory:")
  if ok then list[#list + 1] = store end
end
