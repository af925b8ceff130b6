-- save.lua: saving and deleting as scripts see it. The work on rows is done in C; here is what is not a matter of rows:
-- hooks, pointers to objects that have to be saved first, and the errors of lists.
local host = require "neap.host"
local kernel = require "neap.save_kernel"
local store = require "neap.store"

local save = {}

local function fail(kind, format, ...)
  error(host.error { kind = kind, message = string.format(format, ...) }, 0)
end

-- ---- What has to be saved first ----

local saving = setmetatable({}, { __mode = "k" })  -- objects whose save is under way: meeting one again is a cycle

--- Saves the new objects that pointers of the object lead to, then sets the pointers again, which now find keys.
local function save_pending(object)
  if saving[object] then
    fail("usage", "%s points to itself through new objects: save one without the pointer first", tostring(object))
  end
  saving[object] = true
  local ok, e = pcall(function()
    for _, pending in ipairs(kernel.pending(object)) do
      local name, other = pending[1], pending[2]
      other:save()
      object[name] = other
    end
  end)
  saving[object] = nil
  if not ok then error(e, 0) end
end

-- ---- One object ----

--- Runs write(object, options) between the hooks of the model.
local function hooked(action, object, options, write)
  local hooks = require "neap.hooks"
  hooks.before(action, object, options)
  local results = table.pack(write())
  hooks.after(action, object, options)
  return table.unpack(results, 1, results.n)
end

local function write_one(object, options, view)
  if not kernel.plain(object) then
    save_pending(object)
    return hooked("save", object, options, function() return kernel.save(object, options, view) end)
  end
  return kernel.save(object, options, view)
end

--- Saves the object: a new one is inserted, of a loaded one the changes are written.
---@param options? table  condition, atomic, overwrite, force, returning = "new" or "old"
---@return table object; with returning = "old" a table with what the row was
function save.save(object, options)
  if options and options.returning == "old" then return save.save_returning_old(object, options) end
  if options and options.returning and options.returning ~= "new" then
    fail("usage", 'returning must be "new" or "old", not %s', host.show(options.returning))
  end
  write_one(object, options)
  return object
end

function save.save_returning_old(object, options)
  local rest = {}
  for name, value in pairs(options) do rest[name] = value end
  rest.returning = nil
  return kernel.store_of(object):transaction(function()
    local before = nil
    if not object:is_new() then before = kernel.class_of(object):get(kernel.key_of(object)):to_table() end
    write_one(object, rest)
    return before
  end)
end

--- Deletes the object.
---@param options? table  condition, atomic
---@return boolean deleted whether it was there
function save.delete(object, options)
  local function write() return kernel.delete(object, options) end
  local _, changed
  if kernel.hooked(object) then
    _, changed = hooked("delete", object, options, write)
  else
    _, changed = write()
  end
  return changed > 0
end

save.reload = kernel.reload

-- ---- Changes that the store makes ----

local function as_list(value)
  return require "neap.marks".array { value }
end

--- On an object that is not saved there is nothing to change but the object itself.
local local_changes = {
  increment = function(object, name, n) object[name] = (object[name] or 0) + n end,
  append = function(object, name, value)
    local list = object[name] or {}
    list[#list + 1] = value
    object[name] = list
  end,
  add_unique = function(object, name, value)
    local list = object[name] or {}
    for _, element in ipairs(list) do
      if element == value then return end
    end
    list[#list + 1] = value
    object[name] = list
  end,
  pull = function(object, name, value)
    local list = {}
    for _, element in ipairs(object[name] or {}) do
      if element ~= value then list[#list + 1] = element end
    end
    object[name] = list
  end,
}

--- The container that a path leads into, and the last key; makes the maps on the way.
local function descend(object, path)
  local segments = {}
  for segment in path:gmatch "[^.]+" do segments[#segments + 1] = math.tointeger(tonumber(segment)) or segment end
  local container = object
  for i = 1, #segments - 1 do
    local key = segments[i]
    if math.type(key) == "integer" then key = key + 1 end  -- paths in text count from 0
    if container[key] == nil then container[key] = {} end
    container = container[key]
  end
  local last = segments[#segments]
  return container, math.type(last) == "integer" and last + 1 or last
end

function local_changes.set(object, path, value)
  local container, key = descend(object, path)
  container[key] = value
end

local_changes.unset = local_changes.set

local function change(object, verb, path, value, operand)
  if type(path) ~= "string" then fail("usage", "%s takes the name of a field, not %s", verb, type(path)) end
  if object:is_new() then
    if verb ~= "set" and verb ~= "unset" and path:find(".", 1, true) then
      local container, key = descend(object, path)
      local_changes[verb](container, key, value)
    else
      local_changes[verb](object, path, value)
    end
    return object
  end
  return kernel.change(object, verb, path, operand)
end

--- Adds n to a number, in the store; the object holds the result.
---@param path string  a field, or a place inside one: "data.hits"
---@param n? number    default 1
function save.increment(object, path, n)
  n = n == nil and 1 or n
  return change(object, "increment", path, n, n)
end

--- Adds an element at the end of a list.
function save.append(object, path, value) return change(object, "append", path, value, as_list(value)) end

--- Adds an element to a list or set unless it is there.
function save.add_unique(object, path, value) return change(object, "add_unique", path, value, as_list(value)) end

--- Removes all elements that are equal to the value.
function save.pull(object, path, value) return change(object, "pull", path, value, as_list(value)) end

--- Sets a place inside a field: "data.a.b".
function save.set(object, path, value) return change(object, "set", path, value, value) end

--- Removes a place inside a field.
function save.unset(object, path) return change(object, "unset", path, nil, nil) end

-- ---- Lists ----

local function raise_batch(errors, n)
  table.sort(errors, function(a, b) return a.index < b.index end)
  local e = host.error {
    kind = "batch",
    message = string.format("%d of %d operations failed; the first: %s", #errors, n, errors[1].error.message),
  }
  e.errors = errors
  error(e, 0)
end

--- Where hooks run or other objects come first, one by one.
local function each_for_itself(list, write)
  local errors = {}
  for i, object in ipairs(list) do
    local ok, e = pcall(write, object)
    if not ok then errors[#errors + 1] = { index = i, object = object, error = e } end
  end
  return #errors > 0 and errors or nil
end

local function is_list(value)
  return type(value) == "table"
end

--- Inside a transaction one failure fails all: a savepoint undoes the others.
local function run_list(self, list, write)
  local function run()
    local errors = write()
    if errors then raise_batch(errors, #list) end
  end
  if kernel.in_transaction(self) then
    self:transaction(run)
  else
    run()
  end
end

--- Saves one object or a list of them, each for itself: what can be saved is; else raises `batch` with e.errors.
---@param list table
---@param options? table
function store.save(self, list, options)
  if not is_list(list) then
    write_one(list, options, self)
    return list
  end
  run_list(self, list, function()
    if kernel.plain(list) then return (kernel.save(list, options, self)) end
    return each_for_itself(list, function(object) write_one(object, options, self) end)
  end)
  return list
end

--- Deletes one object or a list of them.
function store.delete(self, list, options)
  if not is_list(list) then return save.delete(list, options) end
  run_list(self, list, function()
    if not kernel.hooked(list) then return (kernel.delete(list, options, self)) end
    return each_for_itself(list, function(object) save.delete(object, options) end)
  end)
end

--- Reads one object or a list of them again by their keys; those that are not there are told by `not_found`.
function store.load(_, list)
  kernel.check(list)
  if not is_list(list) then return kernel.reload(list) end
  local errors = each_for_itself(list, kernel.reload)
  if not errors then return list end
  for _, failure in ipairs(errors) do
    if not host.is(failure.error, "not_found") then error(failure.error, 0) end
  end
  local e = host.error {
    kind = "not_found",
    message = string.format("%d of %d objects are not there; the first: %s", #errors, #list, errors[1].error.message),
  }
  e.errors = errors
  error(e, 0)
end

-- ---- Batches ----

local batch = {}
batch.__index = batch

--- Collects operations; run() sends them. They are independent: those that succeed stay.
function store.batch(self) return setmetatable({ store = self, operations = {} }, batch) end

local function collect(self, verb, ...)
  kernel.check({ ... }, select("#", ...))
  for _, object in ipairs { ... } do self.operations[#self.operations + 1] = { verb, object } end
  return self
end

--- One or more objects to be saved.
function batch:save(...) return collect(self, "save", ...) end

--- One or more objects to be deleted.
function batch:delete(...) return collect(self, "delete", ...) end

--- Operations of one kind that follow each other, as a list of objects.
local function runs(operations)
  local list, last = {}, nil
  for i, operation in ipairs(operations) do
    if not last or last.verb ~= operation[1] then
      last = { verb = operation[1], first = i, objects = {} }
      list[#list + 1] = last
    end
    last.objects[#last.objects + 1] = operation[2]
  end
  return list
end

--- Sends all; raises `batch` with e.errors = { { index =, object =, error = }, ... } if some failed.
function batch:run()
  local operations, errors = self.operations, {}
  self.operations = {}
  local function run()
    for _, part in ipairs(runs(operations)) do
      local ok, e = pcall(store[part.verb], self.store, part.objects)
      if not ok and not host.is(e, "batch") then error(e, 0) end
      for _, failure in ipairs(ok and {} or e.errors) do
        errors[#errors + 1] = { index = failure.index + part.first - 1, object = failure.object, error = failure.error }
      end
    end
    if #errors > 0 then raise_batch(errors, #operations) end
  end
  if kernel.in_transaction(self.store) then
    self.store:transaction(run)
  else
    run()
  end
end

-- ---- Classes ----

save.class = {}

--- A new object, saved.
function save.class.create(class, fields)
  return save.save(class(fields))
end

--- Saves the fields: into the row with the same unique fields if there is one, else as a new one.
---@param fields table
---@param unique string[]  names of the fields that tell whether it is there
---@return table object
---@return boolean created
function save.class.upsert(class, fields, unique)
  local object = class(fields)
  local created
  local function write()
    local _, _, new = kernel.upsert(object, unique)
    created = new
  end
  if kernel.plain(object) then
    write()
  else
    save_pending(object)
    hooked("save", object, nil, write)
  end
  return object, created
end

return save
