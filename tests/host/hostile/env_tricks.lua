-- harmless: functions in other environments still have no more than what they are given
local e = setmetatable({}, { __index = function(_, k) return k end })
assert(load("return os", "x", "t", e)() == "os")
local f = load("local _ENV = ... return x", "x", "t", {})
assert(f { x = 1 } == 1)
local g = load("x = 1 return _ENV", "x", "t", nil)
assert(g == nil or not pcall(g))
_ENV = nil
