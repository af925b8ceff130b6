-- limit: two tables that look in each other: Lua itself ends that after 2,000 of them, and pcall tries again
local a, b = {}, {}
setmetatable(a, { __index = b })
setmetatable(b, { __index = a })
while true do pcall(function() return a.x end) end
