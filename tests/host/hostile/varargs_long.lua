-- limit: one instruction copies a list of arguments as long as the stack
local function f(...)
  while true do select("#", ...) end
end
local t = {}
for i = 1, 100000 do t[i] = i end
f(table.unpack(t))
