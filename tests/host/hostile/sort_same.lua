-- limit: sorting compares the same long text with itself, a million times in one call
local s = "x"
for _ = 1, 20 do s = s .. s end
local list = {}
for i = 1, 30000 do list[i] = s end
pcall(table.sort, list)
error "escaped"
