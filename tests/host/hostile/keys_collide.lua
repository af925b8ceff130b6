-- limit: keys that fall into the same place of their table
local t, step = {}, (1 << 14) - 1
for i = 1, 10000 do t[i * step * 1.0 // 1 | 0] = i end
while true do local _ = t[step * 20001] end
