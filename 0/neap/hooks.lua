-- hooks.lua: the functions of users that run around a write, and when an object is made: all of Lua's part of it.
local host = require "neap.host"
local class = require "neap.class"

local hooks = {}

--- Fills the fields whose default is a function and that were not given. Called with each new object of such a model.
function hooks.defaults(object)
  local functions = class.functions(object)
  for _, name in ipairs(functions) do
    local default = functions[name].default
    if default and object[name] == nil then object[name] = default(object) end
  end
end

local function fails(object, name, validate)
  local ok, valid, why = pcall(validate, object[name], object)
  if not ok then return tostring(host.is(valid, "validation") and valid.message or valid) end
  if valid == false then return why or "is not valid" end
end

--- Asks the validate functions of the fields that are to be written; all faults are reported together.
local function validate(object)
  local functions, changes = class.functions(object), object:changes()
  local errors, first = {}, nil
  for _, name in ipairs(functions) do
    if functions[name].validate and changes[name] and object[name] ~= nil then
      errors[name] = fails(object, name, functions[name].validate)
      first = first or errors[name] and name
    end
  end
  if not first then return end
  local message = ("%s.%s: %s"):format(class.model(object), first, errors[first])
  local e = host.error { kind = "validation", message = message }
  e.errors = errors
  error(e, 0)
end

--- Before a write: the hook of the class, which stops it by raising, then validation.
---@param action "save"|"delete"
---@param object table
---@param options? table  those of the write
function hooks.before(action, object, options)
  local hook = class.method(object, "before_" .. action)
  if hook then hook(object, options) end
  if action == "save" and #class.functions(object) > 0 then validate(object) end
end

--- After a write that succeeded.
function hooks.after(action, object, options)
  local hook = class.method(object, "after_" .. action)
  if hook then hook(object, options) end
end

return hooks
