-- limit: goto, variables to be closed and varargs in loops that never end
local closed = 0
local mt = { __close = function() closed = closed + 1 end }
::again::
do
  local a <close> = setmetatable({}, mt)
  local b <close> = setmetatable({}, mt)
  if closed < 0 then return end
  goto again
end
