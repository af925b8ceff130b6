-- harmless: a result is written as the plain table that it is
local function loop() while true do end end
return setmetatable({ 1 }, { __len = loop, __index = loop, __pairs = loop, __tostring = loop, __json = loop, __name = "x" })
