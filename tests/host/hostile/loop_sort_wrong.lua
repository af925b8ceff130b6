-- limit: comparators that contradict themselves, on long lists
local list = {}
for i = 1, 50000 do list[i] = i end
while true do pcall(table.sort, list, function() return math.random() < 0.5 end) end
