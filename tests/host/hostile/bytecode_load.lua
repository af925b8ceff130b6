-- harmless: bytecode is not loaded, whatever the mode says, whole or in pieces, nor with a comment in front
local code = string.dump(function() return 1 end)
for _, mode in ipairs { "b", "bt", "t", "" } do
  assert(not load(code, "x", mode))
  assert(not load("#!\n" .. code, "x", mode))
end
local i = 0
assert(not load(function()
  i = i + 1
  return i <= #code and code:sub(i, i) or nil
end, "x", "b"))
