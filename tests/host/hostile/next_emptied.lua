-- limit: the first key of a large table that was emptied is looked for through all of it
local t = {}
for i = 1, 200000 do t[i] = true end
for i = 1, 200000 do t[i] = nil end
while true do next(t) end
