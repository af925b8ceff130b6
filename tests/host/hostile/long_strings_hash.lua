-- limit: long texts as keys, each different at its end
local base = ("x"):rep(50000)
while true do
  local t = {}
  for i = 1, 50 do t[base .. i] = i end
end
