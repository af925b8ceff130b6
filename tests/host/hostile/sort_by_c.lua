-- limit: the same with a comparator written in C, which no hook interrupts
local a = "x"
for _ = 1, 20 do a = a .. a end
local b, list = a .. "", {}
b = a:sub(1, -2) .. "x"
for i = 1, 30000 do list[i] = i % 2 == 0 and a or b end
pcall(table.sort, list, rawequal)
error "escaped"
