-- limit: coroutines within coroutines until C's stack would be full, again and again
local function deep()
  return coroutine.wrap(deep)()
end
while true do pcall(deep) end
