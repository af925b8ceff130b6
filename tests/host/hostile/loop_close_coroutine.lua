-- limit: coroutine.close runs handlers that loop
local function held()
  local _ <close> = setmetatable({}, { __close = function() while true do end end })
  coroutine.yield()
end
for _ = 1, 10 do
  local co = coroutine.create(held)
  coroutine.resume(co)
  pcall(coroutine.close, co)
end
error "escaped"
