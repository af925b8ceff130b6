-- faults.lua: all that is wrong with a Query Object, each with a JSON pointer to the offending key, reported together.
local class = require "neap.class"
local host = require "neap.host"

local faults = {}
faults.__index = faults

--- An empty list.
function faults.new() return setmetatable({}, faults) end

--- Notes a fault of kind `query`, `forbidden` or `limit`.
---@param pointer string  "/join/articles/filter"
function faults:add(pointer, kind, format, ...)
  self[#self + 1] = { pointer = pointer, kind = kind, message = select("#", ...) > 0 and format:format(...) or format }
end

function faults:query(pointer, ...) self:add(pointer, "query", ...) end

--- Notes a name that there is not. `names`: those that may be asked for, and no others, are offered.
function faults:unknown(pointer, what, name, model, names)
  local hint = #names > 0 and class.hint(name, names) or ""
  if hint:find "^; known" then hint = "" end
  self:query(pointer, "%s has no %s %s%s", model, what, host.show_key(name), hint)
end

--- Raises if there are any: of the kind that all have, else `query`.
---@param what? string  what they are of, "Query Object"
function faults:raise(what)
  local first = self[1]
  if not first then return end
  table.sort(self, function(a, b)
    return a.pointer < b.pointer or a.pointer == b.pointer and a.message < b.message
  end)
  first = self[1]
  local kind, list = first.kind, {}
  for i, fault in ipairs(self) do
    if fault.kind ~= kind then kind = "query" end
    list[i] = fault
  end
  local more = #list > 1 and ("; %d more in e.errors"):format(#list - 1) or ""
  local where = first.pointer ~= "" and " at " .. first.pointer or ""
  local message = ("%s%s: %s%s"):format(what or "Query Object", where, first.message, more)
  error(host.error { kind = kind, message = message, errors = list }, 0)
end

--- The pointer to a key below another.
function faults.at(pointer, key)
  return pointer .. "/" .. tostring(key):gsub("~", "~0"):gsub("/", "~1")
end

return faults
