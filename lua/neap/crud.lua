-- crud: create, read, update and delete for what comes from outside. Input is checked by name and converted by type,
-- what may not be written stays as it is, and all faults are reported together. The given tables are never changed.
local faults = require "neap.mongo.faults"
local filter = require "neap.mongo.filter"
local host = require "neap.host"
local kernel = require "neap.mongo.kernel"
local marks = require "neap.marks"
local mongo = require "neap.mongo"
local class = require "neap.class"
local settings = require "neap.mongo.settings"
local usage = require "neap.fail".usage
local words = require "neap.mongo.words"

local crud = {}
local helper = {}
local helper_meta = { __index = helper }
local null = marks.null

-- ---- Settings ----

local own = {
  writable_properties = "boolean", on_query = "function", on_save = "function", saves_relations = "table",
  create_with_key = "boolean",
}
local strict = { ro_fields = true, rw_fields = true, const_fields = true, query_defaults = true }

local function split(given, model, is_strict)
  local mine, rest = {}, {}
  for name, value in pairs(given or {}) do
    if own[name] or (is_strict and strict[name]) then mine[name] = value else rest[name] = value end
    if own[name] and type(value) ~= own[name] then
      usage("crud settings of %s: %s is a %s, not %s", model, name, own[name], host.show(value))
    end
  end
  return mine, rest
end

local function check_set(self, setting, list)
  if type(list) == "function" then list = list() end
  local set, names = {}, {}
  for _, field in ipairs(self.info.list) do names[#names + 1] = field.name end
  if type(list) == "string" then list = words.split(list) end
  if type(list) ~= "table" then usage("crud settings of %s: %s is a list of names", self.info.name, setting) end
  for _, name in ipairs(list) do
    if not (self.info.columns[name] or self.info.relations[name]) then
      usage("crud settings of %s: %s names %s%s", self.info.name, setting, host.show_key(name), class.hint(name, names))
    end
    set[name] = true
  end
  return set
end

--- Columns, and properties with a setter unless the settings say otherwise.
local function is_writable(self, field)
  if field.group == "column" then return true end
  return field.group == "property" and field.set ~= nil and self.mine.writable_properties ~= false
end

local function read_fields(self)
  local mine = self.mine
  if mine.ro_fields and mine.rw_fields then
    usage("crud settings of %s: ro_fields and rw_fields exclude each other", self.info.name)
  end
  self.const_fields = check_set(self, "const_fields", mine.const_fields or {})
  if mine.rw_fields then
    local rw = check_set(self, "rw_fields", mine.rw_fields)
    self.ro_fields = {}
    for _, field in ipairs(self.info.list) do
      if not rw[field.name] and not self.const_fields[field.name] then self.ro_fields[field.name] = true end
    end
  else
    self.ro_fields = check_set(self, "ro_fields", mine.ro_fields or {})
  end
  for name in pairs(self.const_fields) do
    if not (self.info.columns[name] and is_writable(self, self.info.columns[name])) then
      usage("crud settings of %s: const_fields names %s, which cannot be written", self.info.name, name)
    end
  end
  self.rw_fields = {}
  for name, field in pairs(self.info.columns) do
    if is_writable(self, field) and not self.ro_fields[name] and not self.const_fields[name] then
      self.rw_fields[name] = true
    end
  end
end

local function read_savers(self)
  self.savers, self.saved = self.mine.saves_relations or {}, {}
  for _, saver in ipairs(self.savers) do
    if type(saver) ~= "table" or type(saver.save) ~= "function" or type(saver[1]) ~= "string" then
      usage('crud settings of %s: saves_relations lists { "name", …, save = function(new, old, given) … end }',
        self.info.name)
    end
    for _, name in ipairs(saver) do self.saved[name] = true end
  end
end

local function make(of, given, is_strict)
  local self = setmetatable({ class = of, info = settings.describe(of) }, helper_meta)
  local rest
  self.mine, rest = split(given, self.info.name, is_strict)
  self.mongo = mongo.query(of, rest)
  self.columns = {}  -- by the names of fields, what input calls them
  for name, field in pairs(self.info.columns) do self.columns[field.field] = name end
  self.legacy = self.mongo.settings.legacy
  read_fields(self)
  read_savers(self)
  if self.mine.query_defaults then mongo.reusable(self.mongo):query(nil, self.mine.query_defaults) end
  return self
end

--- What creates, reads, updates and deletes for input from outside.
---@param of table         a class
---@param given? table     settings of Query Objects, writable_properties, on_query, on_save, saves_relations
---@return table helper
function crud.helper(of, given) return make(of, given, false) end

--- The same, with ro_fields or rw_fields, const_fields and query_defaults.
---@param of table
---@param given? table
---@return table helper
function crud.strict(of, given) return make(of, given, true) end

-- ---- Reading ----

--- What reads for a method, over the rows that `from` and the hook leave.
local function reader(self, method, object, defaults, from)
  local mq = mongo.reusable(self.mongo):query(object, defaults)
  if from then mq:from(from) end
  if self.mine.on_query then self.mine.on_query(mq, method) end
  return mq
end

--- What a Query Object asks for: see neap.mongo.
---@param object? table|string  a Query Object
---@param from? table           the rows that there are at all
---@return table mq
function helper:query(object, from) return reader(self, "query", object, self.mine.query_defaults, from) end

local function not_found(self, key)
  local message = ("there is no %s with the key %s"):format(self.info.name, host.show(key))
  error(host.error { kind = "not_found", message = message }, 0)
end

--- The condition that a row has a key, in text too: a value, or { name = value } where it has several parts.
local function of_key(self, key)
  local condition = {}
  for _, name in ipairs(self.info.keys) do
    local value = key
    if type(key) == "table" then value = key[name] end
    if value ~= nil and value ~= null then value = filter.convert(self.info.columns[name], value) end
    if value == nil or value == null then not_found(self, key) end
    condition[#condition + 1] = self.class.fields[self.info.columns[name].field]:eq(value)
  end
  return kernel.condition(self.class, { ["$and"] = condition })
end

--- The object of a key, among those that the settings, `from` and the hook leave.
local function find(self, method, key, from)
  local found = reader(self, method, nil, nil, from):matching():where(of_key(self, key)):first()
  return found or not_found(self, key)
end

--- One row by its key, as a Query Object wants it: a plain table. Raises `not_found`.
---@param key any               in text too
---@param object? table|string  a Query Object
---@param from? table           the rows that there are at all
---@return table row
function helper:get(key, object, from)
  local rows = reader(self, "get", object, self.mine.query_defaults, (from or self.class):where(of_key(self, key)))
  if not rows:result_contains_entities() then usage "get is for rows, not for numbers" end
  return rows:run()[1] or not_found(self, key)
end

-- ---- Input ----

local function raise(list)
  list:raise "The input"
end

local function new_list(self, input)
  local list, form = faults.new(), kernel.form(input)
  if form ~= "object" and form ~= "empty" then
    list:query("", "%s: an object was expected, not %s", self.info.name, host.show(input))
    raise(list)
  end
  return list
end

--- An object for a JSON column goes over what is there, key by key.
local function merged(old, value)
  if kernel.form(value) == "list" or not kernel.form(value) then return value end
  local result = {}
  if kernel.form(old) == "object" then
    for key, inner in pairs(old) do result[key] = inner end
  end
  for key, inner in pairs(value) do result[key] = inner end
  return marks.object(result)
end

local function read_value(list, field, value, object, pointer)
  local read = filter.convert(field, value)
  if read == nil then
    list:query(pointer, "%s is of type %s, %s is none", field.name, field.kind, host.show(value))
  elseif field.kind == "json" and object and value ~= null then
    read = merged(object[field.field], read)
  end
  return read
end

--- The values to be assigned, by field; and what savers are given.
local function read_input(self, list, input, object)
  local values, given = {}, {}
  for _, name in ipairs(words.sorted_keys(input)) do
    local value, field = input[name], self.info.columns[name]
    local at = faults.at("", name)
    local ignored = self.ro_fields[name] or self.legacy[name] or (object and self.const_fields[name])
    if self.saved[name] then
      given[name] = value
    elseif not ignored and not (field and is_writable(self, field)) then
      list:unknown(at, "field to be written", name, self.info.name, words.sorted_keys(self.rw_fields))
    elseif not ignored then
      values[field] = read_value(list, field, value, object, at)
    end
  end
  return values, given
end

--- Keys of saved objects do not change: the same one may be said again.
local function drop_key(self, list, values, object)
  for field, value in pairs(values) do
    if field.primary then
      if value ~= object[field.field] then
        local at = faults.at("", field.name)
        list:query(at, "%s is the key of %s, which does not change", field.name, self.info.name)
      end
      values[field] = nil
    end
  end
end

--- Assigns; what the model refuses is a fault of the field.
local function assign(list, object, values)
  local fields, pointers = {}, {}
  for field, value in pairs(values) do
    if value ~= null then fields[field.name] = value end
    pointers[field.name] = faults.at("", field.name)
  end
  local ok, e = pcall(function()
    object:assign(fields)
    for field, value in pairs(values) do
      if value == null then object[field.name] = nil end
    end
  end)
  if ok then return end
  if type(e) ~= "table" or not e.kind then error(e, 0) end
  for name, message in pairs(e.errors or {}) do list:add(pointers[name] or "", "validation", "%s", message) end
  if not e.errors then list:add("", e.kind, "%s", e.message) end
end

--- A new object with the input, not saved. Raises all faults, with pointers.
---@param input table
---@return table object, table given  what savers are to be given
function helper:build(input)
  local list = new_list(self, input)
  local values, given = read_input(self, list, input, nil)
  local object = self.class {}
  assign(list, object, values)
  raise(list)
  return object, given
end

--- The object with the input over it, not saved. Fields that are not in the input stay; objects merge into JSON.
---@param input table
---@param object table
---@return table object, table given
function helper:apply(input, object)
  local list = new_list(self, input)
  local values, given = read_input(self, list, input, object)
  drop_key(self, list, values, object)
  raise(list)
  local columns = {}
  for field, value in pairs(values) do
    if field.group == "column" then columns[field] = value end
  end
  assign(list, object:copy(), columns)  -- so that the object stays as it is where there are faults
  raise(list)
  assign(list, object, values)
  raise(list)
  return object, given
end

-- ---- Writing ----

--- An object as it was, by name; getters compute of the old values, and pointers lead to what they led to.
local function snapshot(self, object)
  local computed, relations = self.info.computed, self.info.relations
  return setmetatable(object:to_table(), {
    __index = function(old, name)
      local field, relation = computed[name], relations[name]
      if field then return field.get and field.get(old) end
      local key = relation and relation.pointer and rawget(old, relation.pointer)
      if key == nil then return nil end
      return kernel.class(self.class, relation.target):find(key)
    end,
  })
end

--- Saves the object itself; what the model or the store says of its fields gets pointers.
local function store(self, object)
  local ok, e = pcall(object.save, object)
  if ok then return object end
  if type(e) ~= "table" or type(e.errors) ~= "table" then error(e, 0) end
  local list = faults.new()
  for name, message in pairs(e.errors) do list:add(faults.at("", self.columns[name] or name), e.kind, "%s", message) end
  raise(list)
end

--- Saves, then calls the savers and the hook: all of it or nothing.
local function save(self, object, old, given)
  if #self.savers == 0 and not self.mine.on_save then return store(self, object) end
  kernel.view(self.class):transaction(function()
    store(self, object)
    for _, saver in ipairs(self.savers) do
      local own_given = {}
      for _, name in ipairs(saver) do own_given[name] = given[name] end
      saver.save(object, old, own_given)
    end
    if self.mine.on_save then self.mine.on_save(object, old) end
  end)
  return object
end

--- Makes and saves an object.
---@param input table
---@return table object
function helper:create(input)
  local object, given = self:build(input)
  return save(self, object, nil, given)
end

local function object_of(self, method, object, from)
  return kernel.is_object(object) and object or find(self, method, object, from)
end

--- Changes and saves an object.
---@param input table
---@param object any   an object, or its key
---@param from? table  the rows that there are at all
---@return table object
function helper:update(input, object, from)
  object = object_of(self, "update", object, from)
  local old = snapshot(self, object)
  local _, given = self:apply(input, object)
  local ok, e = pcall(save, self, object, old, given)
  if ok then return object end
  for name in pairs(object:changes()) do
    local column = self.columns[name] or name
    object[column] = rawget(old, column)
  end
  error(e, 0)
end

--- Deletes an object, and gives it.
---@param object any   an object, or its key
---@param from? table  the rows that there are at all
---@return table object
function helper:delete(object, from)
  object = object_of(self, "delete", object, from)
  object:delete()
  return object
end

-- ---- Many ----

--- The key in an item: a scalar, a table where there are several parts, or nil where one is absent.
local function key_of(self, item)
  local key, n = {}, 0
  for _, name in ipairs(self.info.keys) do
    local value = item[name]
    if value ~= nil and value ~= null then
      n = n + 1
      key[name] = filter.convert(self.info.columns[name], value)
    end
  end
  if n == 0 or n < #self.info.keys then return nil end
  return #self.info.keys == 1 and key[self.info.keys[1]] or key
end

--- A text by which keys are the same.
local function key_text(self, key)
  if type(key) ~= "table" then return tostring(key) end
  local parts = {}
  for i, name in ipairs(self.info.keys) do parts[i] = ("%q"):format(tostring(key[name])) end
  return table.concat(parts, ",")
end

--- The objects of all keys, by their text: one statement for simple keys.
local function find_many(self, keys, from)
  local found, q = {}, reader(self, "create_or_update_many", nil, nil, from):matching()
  if #self.info.keys == 1 and #keys > 0 then
    local name = self.info.keys[1]
    for _, object in ipairs(q:where(name .. "__in", keys):all()) do found[key_text(self, object[name])] = object end
  else
    for _, key in ipairs(keys) do found[key_text(self, key)] = q:find(key) end
  end
  return found
end

local function write_item(self, item, key, found)
  if not key then return self:create(item), true end
  local object = found[key_text(self, key)]
  if object then return self:update(item, object), false end
  if self.mine.create_with_key then return self:create(item), true end
  error(host.error { kind = "not_found", message = ("there is no %s with this key"):format(self.info.name) }, 0)
end

--- Creates what has no key and updates what has one: items are independent, those that fail leave nothing behind.
---@param items table[]
---@param from? table  the rows that there are at all
---@return table[] results  { object =, created = } or { error = }, in order
function helper:create_or_update_many(items, from)
  local results, keys, list, seen = {}, {}, {}, {}
  if kernel.form(items) == "object" or not kernel.form(items) then
    local wrong = faults.new()
    wrong:query("", "a list of objects was expected, not %s", host.show(items))
    raise(wrong)
  end
  for i, item in ipairs(items) do
    local form = kernel.form(item)
    local key = (form == "object" or form == "empty") and key_of(self, item) or nil
    keys[i] = key
    local text = key and key_text(self, key)
    if text and seen[text] then
      local message = ("the key of item %d is also that of item %d"):format(i, seen[text])
      results[i] = { error = host.error { kind = "conflict", message = message } }
    elseif text then
      seen[text], list[#list + 1] = i, key
    end
  end
  local view = kernel.view(self.class)
  view:transaction(function()
    local found = find_many(self, list, from)
    for i, item in ipairs(items) do
      if not results[i] then
        local created
        local ok, made = pcall(view.transaction, view, function()
          local object
          object, created = write_item(self, item, keys[i], found)
          return object
        end)
        results[i] = ok and { object = made, created = created } or { error = made }
      end
    end
  end)
  return results
end

return crud
