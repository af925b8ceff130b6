-- limit: table.move of 1 << 62 elements
pcall(table.move, {}, 1, 1 << 62, 2)
pcall(table.move, {}, math.mininteger, -1, 1)
pcall(table.move, setmetatable({}, { __index = rawlen, __newindex = rawequal }), 1, math.maxinteger - 1, 2)
while true do table.move({}, 1, 1000000, 2) end
