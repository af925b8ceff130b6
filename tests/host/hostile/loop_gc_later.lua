-- harmless: a finalizer that is put into the metatable later is never run, as in plain Lua
local mt, ran = {}, false
for _ = 1, 1000 do setmetatable({}, mt) end
mt.__gc = function() ran = true while true do end end
for _ = 1, 200 do collectgarbage "step" end
assert(not ran)
