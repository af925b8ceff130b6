---@meta
-- What `require "neap"` gives, by the name of this file (LuaLS annotations); the other files say what it has. Never run.

---@class neap
local neap = {}

return neap
