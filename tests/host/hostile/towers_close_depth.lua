-- harmless: coroutines that close coroutines that close coroutines: 5.4.4 does not count how deep (fixed in 5.4.6)
local before
local deepest = 0
for _ = 1, 1500 do
  local inner = before
  before = coroutine.create(function()
    local _ <close> = setmetatable({}, { __close = function()
      deepest = deepest + 1
      if inner then assert(pcall(coroutine.close, inner)) end
    end })
    coroutine.yield()
  end)
  coroutine.resume(before)
end
coroutine.close(before)
assert(deepest < 500, deepest)
