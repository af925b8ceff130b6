-- limit: the same JSON read again and again
local neap = require "neap"
local text = "[" .. ("[1,2,{\"a\":null}],"):rep(5000) .. "1]"
while true do pcall(neap.json.decode, text) end
