-- limit: lines of a log without end, and one that is very long
local neap = require "neap"
while true do
  pcall(neap.log.info, ("x"):rep(10000))
  pcall(neap.log.warn, setmetatable({}, { __tostring = function() return "x" end }))
end
