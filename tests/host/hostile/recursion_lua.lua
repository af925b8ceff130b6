-- limit: recursion that never ends, caught and begun again
local function f() return 1 + f() end
while true do pcall(f) end
