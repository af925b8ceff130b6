-- opening.lua: what the kinds of stores read alike of what they are opened with.
local host = require "neap.host"
local usage = require "neap.fail".usage

local opening = {}

--- Text of a URL without its %20.
---@param text string
---@return string
function opening.decode(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- The option table_template. Raises `usage` unless the name of a table can be put into it.
---@param value any
---@return string
function opening.table_template(value)
  if type(value) ~= "string" or not value:find("{table}", 1, true) then
    usage('table_template is text with {table} in it, "test_{table}", not %s', host.show(value))
  end
  return value
end

return opening
