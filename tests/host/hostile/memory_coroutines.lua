-- limit: a million coroutines
pcall(function()
  local list = {}
  while true do list[#list + 1] = coroutine.create(print) end
end)
error "escaped"
