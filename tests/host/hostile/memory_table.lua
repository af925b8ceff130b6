-- limit: a table that grows for ever, inside pcall
pcall(function()
  local t = {}
  while true do t[#t + 1] = {} end
end)
error "escaped"
