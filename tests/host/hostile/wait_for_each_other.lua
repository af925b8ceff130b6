-- harmless: tasks that wait for each other, or for themselves, are told so
local neap = require "neap"
local a, b
a = neap.spawn(function() neap.sleep(0) return (b:await()) end)
b = neap.spawn(function() neap.sleep(0) return (a:await()) end)
local ok = pcall(function() a:await() b:await() end)
assert(not ok)
pcall(b.await, b)
