-- limit: coroutines that only yield, resumed for ever
local list = {}
for i = 1, 100 do
  list[i] = coroutine.wrap(function() while true do coroutine.yield() end end)
end
while true do
  for i = 1, #list do list[i]() end
end
