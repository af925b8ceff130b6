-- limit: a short list of the same long text is a long text
local s = "x"
for _ = 1, 18 do s = s .. s end
local list = {}
for i = 1, 10000 do list[i] = s end
pcall(table.concat, list)
error "escaped"
