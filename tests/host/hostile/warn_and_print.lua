-- harmless: warn cannot be turned into something else, nor can what prints be made to call the host
local neap = require "neap"
pcall(warn, "@on")
pcall(warn, "@off")
pcall(print, setmetatable({}, { __tostring = function() return {} end }))
assert(not pcall(function() tostring = 1; string.format = 1 end))
assert(neap.json.encode(1) == "1")
tostring = nil
