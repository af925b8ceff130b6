-- save.lua: saving and deleting as scripts see it. The work on rows is done in C; here is what is not a matter of rows:
-- hooks, pointers to objects that have to be saved first, and the errors of lists.
local fail = require "neap.fail".as
local host = require "neap.host"
local kernel = require "neap.save_kernel"
local marks = require "neap.marks"
local is_new = require "neap.object_kernel".methods.is_new
local store = require "neap.store"

local save = {}

-- ---- What has to be saved first ----

local function circle(object)
  local message = "%s points to itself through new objects: save one without the pointer first"
  return host.error { kind = "usage", message = message:format(tostring(object)) }
end

local save_each

--- Saves the new objects that pointers of those in the list lead to, then sets the pointers again, which now find keys.
--- Gives, by object, why it cannot be saved.
---@param seen table   the objects met so far on the way down, and their number n
---@param depth integer  longer than n objects, a way down goes in circles
local function save_pending(list, seen, depth)
  local faults, needs, others, failed = {}, {}, {}, {}
  for _, object in ipairs(list) do
    needs[object] = kernel.pending(object)
    for _, need in ipairs(needs[object]) do
      local other = need[2]
      if depth > seen.n then faults[object] = circle(object) end
      if not others[other] then others[#others + 1], others[other] = other, true end
      if not seen[other] then seen[other], seen.n = true, seen.n + 1 end
    end
  end
  if #others == 0 or next(faults) then return faults end
  for _, failure in ipairs(save_each(others, nil, nil, seen, depth + 1) or {}) do
    failed[failure.object] = failure.error
  end
  for _, object in ipairs(list) do
    for _, need in ipairs(needs[object]) do
      local name, other = need[1], need[2]
      faults[object] = faults[object] or failed[other]
      if not failed[other] then object[name] = other end
    end
  end
  return faults
end

local function save_pending_of(object)
  local fault = save_pending({ object }, { n = 0 }, 0)[object]
  if fault then error(fault, 0) end
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
  local _, written = kernel.save(object, options, view, true)
  if written then return end
  save_pending_of(object)
  hooked("save", object, options, function() return kernel.save(object, options, view) end)
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

local function as_list(verb, value)
  if value == nil then fail("usage", "%s takes a field and a value, not nil", verb) end
  return marks.array { value }
end

local function is_nothing(value) return value == nil or value == marks.null end

local function is_list(value)
  local mark = type(value) == "table" and getmetatable(value)
  if mark == "neap.array" or mark == "neap.set" then return true end
  return type(value) == "table" and mark ~= "neap.object" and (#value > 0 or next(value) == nil)
end

local function is_map(value)
  local mark = type(value) == "table" and getmetatable(value)
  return type(value) == "table" and mark ~= "neap.array" and mark ~= "neap.set" and #value == 0
end

--- "Post.data.list.0": where the first n steps of a place lead, as paths in text count.
local function print_place(place, n)
  local names = { place.model }
  for i = 1, n do
    local step = place.steps[i]
    names[i + 1] = math.type(step) == "integer" and step - 1 or step
  end
  return table.concat(names, ".")
end

--- The way to the place is blocked where n steps lead.
local function blocked(place, n, format, ...)
  fail("validation", "%s: %s " .. format, print_place(place, #place.steps), print_place(place, n), ...)
end

--- Raises unless the value that n steps lead to can have what the next step names.
local function check_step(place, n, value)
  local key = place.steps[n + 1]
  if value == marks.null then blocked(place, n, "is null and has no parts") end
  if type(value) ~= "table" then blocked(place, n, "is a %s and has no parts", type(value)) end
  if math.type(key) ~= "integer" then
    if not is_map(value) then blocked(place, n, "is a list; its elements have numbers, from 0") end
  elseif not is_list(value) then
    blocked(place, n, "is a map; its members have names")
  elseif key > #value + 1 and place.verb ~= "unset" then
    blocked(place, n, "has only %d elements", #value)
  end
end

--- The container that the place lies in, and its key there. What is not there on the way is taken for empty, or made.
local function walk(object, place, make)
  local container = object
  for i = 1, #place.steps - 1 do
    local value = container[place.steps[i]]
    if value == nil then
      value = math.type(place.steps[i + 1]) == "integer" and marks.array {} or {}
      if make then
        container[place.steps[i]] = value
        value = container[place.steps[i]]
      end
    end
    check_step(place, i, value)
    container = value
  end
  return container, place.steps[#place.steps]
end

--- Raises unless what is at the place can be changed in that way.
local function check_value(place, value)
  local number = place.verb == "increment"
  if place.typed or place.verb == "set" or place.verb == "unset" or is_nothing(value) then return end
  if number and type(value) == "number" or not number and is_list(value) then return end
  fail("validation", "%s is a %s; %s needs a %s", print_place(place, #place.steps), type(value), place.verb,
    number and "number" or "list")
end

local function list_at(container, key)
  return is_nothing(container[key]) and marks.array {} or container[key]
end

--- On an object that is not saved there is nothing to change but the object itself.
local local_changes = {
  increment = function(container, key, n)
    local value = container[key]
    container[key] = is_nothing(value) and n or value + n
  end,
  append = function(container, key, value)
    local list = list_at(container, key)
    list[#list + 1] = value
    container[key] = list
  end,
  add_unique = function(container, key, value)
    local list = list_at(container, key)
    for _, element in ipairs(list) do
      if element == value then return end
    end
    list[#list + 1] = value
    container[key] = list
  end,
  pull = function(container, key, value)
    local list = marks.array {}
    for _, element in ipairs(list_at(container, key)) do
      if element ~= value then list[#list + 1] = element end
    end
    container[key] = list
  end,
  set = function(container, key, value) container[key] = value end,
  unset = function(container, key)
    if math.type(key) ~= "integer" then
      container[key] = nil
    elseif key <= #container then
      table.remove(container, key)
    end
  end,
}

local function change(object, verb, path, value, operand)
  if type(path) ~= "string" then fail("usage", "%s takes the name of a field, not %s", verb, type(path)) end
  local model, steps, typed, number = kernel.place(object, verb, path, operand)
  if not model then return kernel.change(object, verb, path, operand) end
  local place = { model = model, verb = verb, steps = steps, typed = typed }
  local container, key = walk(object, place, false)
  check_value(place, container[key])
  if not is_new(object) then return kernel.change(object, verb, path, operand) end
  container, key = walk(object, place, verb ~= "unset")
  if verb == "increment" then value = number end
  local_changes[verb](container, key, value)
  return object
end

--- Adds n to a number, in the store; the object holds the result.
---@param path string  a field, or a place inside one: "data.hits"
---@param n? number    default 1
function save.increment(object, path, n)
  n = n == nil and 1 or n
  return change(object, "increment", path, n, n)
end

--- Adds an element at the end of a list.
function save.append(object, path, value) return change(object, "append", path, value, as_list("append", value)) end

--- Adds an element to a list or set unless it is there.
function save.add_unique(object, path, value)
  return change(object, "add_unique", path, value, as_list("add_unique", value))
end

--- Removes all elements that are equal to the value.
function save.pull(object, path, value) return change(object, "pull", path, value, as_list("pull", value)) end

--- Sets a place inside a field: "data.a.b". Nil removes it.
function save.set(object, path, value) return change(object, value == nil and "unset" or "set", path, value, value) end

--- Removes a place inside a field.
function save.unset(object, path) return change(object, "unset", path, nil, nil) end

-- ---- Lists ----

--- Hooks raise what they like.
local function message_of(e)
  return type(e) == "table" and e.message or tostring(e)
end

local function raise_batch(errors, n)
  table.sort(errors, function(a, b) return a.index < b.index end)
  local e = host.error {
    kind = "batch",
    message = string.format("%d of %d operations failed; the first: %s", #errors, n, message_of(errors[1].error)),
  }
  e.errors = errors
  error(e, 0)
end

--- Writes those of the list that have no fault, and whose before-hook does not raise, in one go between their hooks.
---@param faults table  by object: why it cannot be written
---@return table? errors  { { index =, object =, error = }, ... }
local function between_hooks(action, list, options, faults, write)
  local hooks = require "neap.hooks"
  local errors, ready, places, failed = {}, {}, {}, {}
  local function attempt(i, object, hook)
    local ok, e = pcall(hook, action, object, options)
    if not ok then errors[#errors + 1] = { index = i, object = object, error = e } end
    return ok
  end
  for i, object in ipairs(list) do
    local fault = faults[object]
    if fault then
      errors[#errors + 1] = { index = i, object = object, error = fault }
    elseif attempt(i, object, hooks.before) then
      ready[#ready + 1], places[#ready + 1] = object, i
    end
  end
  for _, failure in ipairs(write(ready) or {}) do
    failed[failure.index] = true
    failure.index = places[failure.index]
    errors[#errors + 1] = failure
  end
  for n, object in ipairs(ready) do
    if not failed[n] then attempt(places[n], object, hooks.after) end
  end
  return #errors > 0 and errors or nil
end

--- Hooks may change the list that they are called for.
local function copy(list) return table.move(list, 1, #list, 1, {}) end

--- Those that are still new: one that two others lead to was saved with the first.
local function still_new(list)
  local new = {}
  for _, object in ipairs(list) do
    if object:is_new() then new[#new + 1] = object end
  end
  return new
end

--- Saves a list of objects, each for itself.
function save_each(list, options, view, seen, depth)
  local errors, written = kernel.save(list, options, view, true)
  if written then return errors end
  list = copy(list)
  local faults = save_pending(list, seen or { n = 0 }, depth or 0)
  if depth then list = still_new(list) end
  return between_hooks("save", list, options, faults, function(ready) return (kernel.save(ready, options, view)) end)
end

--- Inside a transaction one failure fails all: a savepoint undoes the others.
local function run_list(self, list, write)
  local n = #list
  local function run()
    local errors = write()
    if errors then raise_batch(errors, n) end
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
  if type(list) ~= "table" then
    write_one(list, options, self)
    return list
  end
  run_list(self, list, function() return save_each(list, options, self) end)
  return list
end

--- Deletes one object or a list of them.
function store.delete(self, list, options)
  if type(list) ~= "table" then return save.delete(list, options) end
  run_list(self, list, function()
    local function write(some) return (kernel.delete(some, options, self)) end
    if not kernel.hooked(list) then return write(list) end
    return between_hooks("delete", copy(list), options, {}, write)
  end)
end

--- What store:check asks for.
function save.check(view, object, condition)
  kernel.check(object)
  if type(object) == "table" then fail("usage", "check takes one object, not a list") end
  kernel.guard(object, condition ~= nil and { condition = condition } or nil, view)
end

--- Reads one object or a list of them again by their keys; those that are not there are told by `not_found`.
function store.load(_, list)
  kernel.check(list)
  if type(list) ~= "table" then return kernel.reload(list) end
  local errors = kernel.load(list)
  if not errors then return list end
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
    save_pending_of(object)
    hooked("save", object, nil, write)
  end
  return object, created
end

return save
