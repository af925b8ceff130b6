-- limit: tables whose metatables lie are written as the plain tables that they are, however often
local neap = require "neap"
local function loop() while true do end end
local liar = setmetatable({ 1 }, { __len = loop, __index = loop, __pairs = loop, __tostring = loop, __json = loop, __name = "x" })
while true do assert(neap.json.encode(liar) == "[1]") end
