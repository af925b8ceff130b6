-- harmless: coroutines resumed from themselves, wrapped twice, dead, handed to what closes, sorts or matches
local co = coroutine.create(function(...) return coroutine.running(), coroutine.isyieldable(), ... end)
assert(coroutine.resume(co, 1))
assert(not coroutine.resume(co))
local self
self = coroutine.wrap(function() return pcall(self) end)
assert(self() == false)
local inner = coroutine.wrap(function()
  table.sort({ 3, 2, 1 }, function() return pcall(coroutine.yield) end)
  return ("x"):gsub("x", function() return tostring(pcall(coroutine.yield)) end)
end)
pcall(inner)
for _, f in ipairs { coroutine.resume, coroutine.status, coroutine.close, coroutine.wrap, coroutine.isyieldable, coroutine.running } do
  pcall(f, co, co, co)
  pcall(f, coroutine.running())
end
for _ = 1, 200 do coroutine.wrap(function() error(setmetatable({}, { __close = error })) end) end
