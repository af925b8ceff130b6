-- forbidden: what the debug library could do is refused, function by function
local neap = require "neap"
local refused = 0
for _, name in ipairs {
  "debug", "sethook", "getregistry", "setmetatable", "getmetatable", "setupvalue", "upvaluejoin", "setuservalue", "setlocal",
  "getuservalue", "getupvalue", "getlocal", "gethook", "upvalueid", "setcstacklimit",
} do
  local _, e = neap.try(debug[name], 1, 1, 1)
  if e.kind == "forbidden" then refused = refused + 1 end
end
assert(refused == 15)
for name in pairs(debug) do
  if not ({ traceback = true, getinfo = true })[name] then
    local _, e = neap.try(debug[name])
    assert(e.kind == "forbidden", name)
  end
end
debug.sethook()
