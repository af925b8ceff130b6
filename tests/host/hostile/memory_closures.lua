-- limit: memory that runs out inside a handler of a variable to be closed
pcall(function()
  local t = {}
  local _ <close> = setmetatable({}, { __close = function() while true do t[#t + 1] = ("x"):rep(1000) .. #t end end })
  while true do t[#t + 1] = ("x"):rep(1000) .. #t end
end)
error "escaped"
