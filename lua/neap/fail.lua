-- neap.fail: raises error objects with a message that is put together here; where it was raised is the host's to add.
local host = require "neap.host"

local fail = {}

--- Raises an error of a kind.
---@param kind string
---@param format string  as string.format takes it
function fail.as(kind, format, ...)
  error(host.error { kind = kind, message = string.format(format, ...) }, 0)
end

--- Raises `usage`: the script calls neap wrongly.
---@param format string
function fail.usage(format, ...)
  fail.as("usage", format, ...)
end

return fail
