-- limit: every metamethod that a comparison, a concatenation or a length may call loops
local loop = function() while true do end end
local mt = { __eq = loop, __lt = loop, __le = loop, __concat = loop, __len = loop, __unm = loop, __call = loop,
  __tostring = loop, __pairs = loop, __name = "x" }
local a, b = setmetatable({}, mt), setmetatable({}, mt)
for _, f in ipairs {
  function() return a == b end, function() return a < b end, function() return a .. b end, function() return #a end,
  function() return -a end, function() return a() end, function() return tostring(a) end,
  function() for _ in pairs(a) do end end, function() return table.concat({ a }) end, function() print(a) end,
} do
  pcall(f)
end
error "escaped"
