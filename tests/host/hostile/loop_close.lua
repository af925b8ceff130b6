-- limit: a variable to be closed whose handler loops when the kill passes it, a thousand deep
local hold = setmetatable({}, { __close = function() while true do end end })
local function nest(n)
  local held <close> = hold
  if n > 0 then nest(n - 1) end
  while true do end
end
nest(150)
