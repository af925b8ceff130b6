-- harmless: the globals that environments are made of cannot be reached: not by require, package.loaded or metatables
assert(package.loaded._G == nil and getmetatable(_G) == false and getmetatable(_ENV) == false)
assert(not pcall(setmetatable, _G, {}))
assert(not pcall(require, "_G") or require "_G" == true)
local real
for name, value in pairs(_G) do
  if name == "_G" then real = value end
end
assert(real == nil or real == _G)
rawset(_G, "print", nil)
assert(print and rawget(_G, "string") == nil)
