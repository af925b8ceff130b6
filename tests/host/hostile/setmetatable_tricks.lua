-- forbidden: __gc from an __index, from a number, or put in by setmetatable of a metatable
setmetatable(setmetatable({}, {}), { __metatable = false })
local mt = setmetatable({}, { __index = { __gc = print } })
setmetatable({}, mt)
assert(not pcall(setmetatable, {}, { __gc = false }))
assert(not pcall(setmetatable, {}, { __gc = 1 }))
local protected = setmetatable({}, { __metatable = "locked" })
assert(not pcall(setmetatable, protected, {}))
setmetatable({}, { __gc = true })
