-- limit: a callback of gsub that loops, nested
local function again() return (("x"):gsub("x", again)) end
while true do pcall(again) end
