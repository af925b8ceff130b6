-- limit: text that is a number in arithmetic converts each time it is used
local s = "0x" .. ("f"):rep(100000)
while true do pcall(function() return s + 1 end) end
