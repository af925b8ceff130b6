-- forbidden: package has nothing that finds modules, and cannot be changed
local neap = require "neap"
assert(not package.searchers and not package.preload)
for _, f in ipairs {
  function() package.searchers = {} end, function() package.preload = {} end, function() package.loaded.neap = {} end,
  function() package.loaded.string.rep = print end, function() rawset(package.loaded, "string", {}) end,
  function() package.loadlib("libc.so.6", "system") end, function() package.searchpath("passwd", "/etc/?") end,
} do
  local _, e = neap.try(f)
  assert(e and e.kind == "forbidden", tostring(e))
end
package.path = "/tmp/?.lua"
