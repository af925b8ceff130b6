-- harmless: metatables of userdata are hidden, and their finalizers cannot be called
local neap = require "neap"
local store = neap.open "sqlite::memory:"
local list = { neap.spawn(print), neap.decimal and neap.decimal "1" or false, store, neap.null, neap.now and neap.now() or false,
  neap.types.integer {}, neap.bytes and neap.bytes "x" or false }
for _, v in ipairs(list) do
  assert(not getmetatable(v))
  for _, name in ipairs { "__gc", "__close", "__index", "__newindex", "__metatable" } do
    local ok, f = pcall(function() return v[name] end)
    if ok and type(f) == "function" then error("escaped: " .. name) end
  end
end
