-- limit: stays just below the limit so that every allocation collects garbage first
local t = {}
pcall(function()
  for i = 1, 1000000 do t[i] = ("x"):rep(4000) .. i end
end)
error "escaped"
