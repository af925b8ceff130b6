-- limit: a list of the same long text many times over is a JSON text that no memory holds
local neap = require "neap"
local s = ("x"):rep(100000)
local list = {}
for i = 1, 1000 do list[i] = s end
while true do pcall(neap.json.encode, list) end
