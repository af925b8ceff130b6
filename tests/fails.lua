-- fails(kind, f, ...): f(...) raises an error of that kind, which is given back.
local assert = require "luassert"
local neap = require "neap"

return function(kind, f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok, "an error was expected")
  assert.is_true(neap.is(e, kind), tostring(e))
  return e
end
