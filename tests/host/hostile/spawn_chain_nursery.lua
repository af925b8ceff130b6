-- limit: the same through neap.all, neap.race and neap.timeout, a tree of them
local neap = require "neap"
local function f() neap.all { function() neap.sleep(0) end, function() neap.race { function() end } end } neap.timeout(1, function() end) end
while true do pcall(f) end
