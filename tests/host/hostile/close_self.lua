-- harmless: a coroutine that closes itself, the one that resumed it, or one that is being closed
local co
co = coroutine.create(function()
  assert(not pcall(coroutine.close, co))
  local outer = coroutine.running()
  local inner = coroutine.wrap(function() return pcall(coroutine.close, outer) end)
  assert(inner() == false)
  local _ <close> = setmetatable({}, { __close = function() assert(not pcall(coroutine.close, co)) end })
  coroutine.yield()
end)
assert(coroutine.resume(co))
assert(coroutine.close(co))
assert(coroutine.close(co))
