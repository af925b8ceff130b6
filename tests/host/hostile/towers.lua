-- limit: towers of coroutines, each too short for the hook to look
local function tower(n)
  if n > 0 then return coroutine.wrap(tower)(n - 1) end
end
while true do pcall(tower, 50) end
