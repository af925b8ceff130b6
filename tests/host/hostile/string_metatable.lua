-- forbidden: the metatable of text, which all scripts share, cannot be reached or changed
assert(getmetatable "" == nil)
assert(not pcall(setmetatable, "", {}))
assert(not pcall(function() getmetatable("").__index = {} end))
assert(not pcall(rawset, ("").rep, "x", 1))
local index = ("").rep
assert(index == string.rep)
string.rep = function() return "x" end
