-- limit: coroutines that close coroutines that close coroutines: 5.4.4 does not count how deep
local function chain(n)
  local before
  for _ = 1, n do
    local inner = before
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = function() if inner then coroutine.close(inner) end end })
      coroutine.yield()
    end)
    coroutine.resume(co)
    before = co
  end
  return before
end
while true do pcall(coroutine.close, chain(20000)) end
