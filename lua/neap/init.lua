-- neap: what `require "neap"` gives. Functions of the host are there at once; modules load when first touched.
local host = require "neap.host"

local neap = {}
for name, value in pairs(host) do neap[name] = value end

--- `neap.json` is `require "neap.json"`; a name that no module bears is nil.
setmetatable(neap, {
  __index = function(self, name)
    local module = "neap." .. tostring(name)
    if not (package.loaded[module] or host.has_module(module)) then return nil end
    local value = require(module)
    rawset(self, name, value)
    return value
  end,
})

return neap
