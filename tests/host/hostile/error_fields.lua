-- harmless: the fields of an error object are changed to what nobody expects, and it is raised again
local neap = require "neap"
local odd = setmetatable({}, { __tostring = function() return 1 end, __concat = function() return 1 end })
for _, field in ipairs { "kind", "message", "store", "code", "status", "detail", "errors", "cause", "traceback", "where" } do
  for _, v in ipairs { odd, print, 0 / 0, ("x"):rep(2000), "\0\255" } do
    local _, e = neap.try(neap.sleep, -1)
    e[field] = v
    e.cause = e
    local _, again = neap.try(error, e)
    pcall(tostring, again)
    neap.try(neap.all, { function() error(e) end })
  end
end
