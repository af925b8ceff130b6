-- limit: __index and __newindex that loop
local t = setmetatable({}, { __index = function() while true do end end, __newindex = function() while true do end end })
pcall(function() return t.x end)
pcall(function() t.x = 1 end)
error "escaped"
