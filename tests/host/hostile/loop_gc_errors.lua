-- forbidden: a finalizer among the metatables that neap makes: that of an error object is hidden
local neap = require "neap"
local _, e = neap.try(error, "x")
assert(getmetatable(e) == nil or getmetatable(e) == false)
local ok, why = pcall(setmetatable, e, { __gc = print })
assert(not ok)
error(why)
