-- model.lua: store:model, and the methods of objects and classes that are not a matter of rows.
local class = require "neap.class"
local host = require "neap.host"
local marks = require "neap.marks"
local object = require "neap.object_kernel"
local rules = require "neap.dynamodb.rules"
local store = require "neap.store"
local types = require "neap.types"
local usage = require "neap.fail".usage
local view = require "neap.view"
require "neap.hooks"

local methods = object.methods

-- ---- Declaring ----

local reserved = {
  "add_unique", "append", "assign", "changes", "copy", "delete", "increment", "is_new", "key_of", "pull", "reload",
  "save", "set", "to_table", "unset",
}
for _, name in ipairs(reserved) do reserved[name] = true end

local function check_name(model, name)
  if type(name) ~= "string" or name == "" then
    usage("%s: fields have names, and %s is none", model, host.show(name))
  end
  if name:find "__" then usage("%s.%s: a name with two underscores would read as an operator", model, name) end
  if name:find "^[$-]" then usage("%s.%s: a name that begins so would read as an operator or an order", model, name) end
  if name:find "[%z.]" or not utf8.len(name) then
    usage("%s.%s: a name is UTF-8 without points and NUL bytes", model, host.show_key(name))
  end
  if reserved[name] then
    usage('%s.%s is a method of every object; give the field another name, and column = "%s"', model, name, name)
  end
end

--- The declared things in declared order: a list stays as it is, a table is sorted by the calls that made its types.
local function in_order(model, fields)
  local list = {}
  if fields[1] ~= nil then
    for i, pair in pairs(fields) do
      if math.type(i) ~= "integer" or i < 1 or i > #fields or type(pair) ~= "table" then
        usage('%s: a list of fields holds { "name", type } and nothing else; %s = %s', model, host.show_key(i),
          host.show(pair))
      end
      list[i] = { pair[1], pair[2] }
    end
  else
    for name, spec in pairs(fields) do list[#list + 1] = { name, spec } end
  end
  for _, pair in ipairs(list) do
    check_name(model, pair[1])
    if type(pair[2]) ~= "table" or not pair[2].order then
      usage("%s.%s: a type such as t.string() was expected, not %s", model, pair[1], host.show(pair[2]))
    end
  end
  if fields[1] == nil then
    table.sort(list, function(a, b)
      return a[2].order < b[2].order or a[2].order == b[2].order and a[1] < b[1]
    end)
  end
  return list
end

--- Names go to the store as they are, and there a NUL would end them.
local function check_wire(model, what, name)
  if type(name) == "string" and name:find "%z" then usage("%s: %s has a NUL in it", model, what) end
  if name == "" then usage("%s: %s is empty", model, what) end
end

local function has_key(list)
  for _, pair in ipairs(list) do
    local options = pair[2].options
    if options.primary or options.hash_key then return true end
  end
  return false
end

local known = {
  table = "string", open = "boolean", read_units = "number", write_units = "number", billing = "string", ttl = "string",
  stream = "string", view = "boolean", scan = "boolean",
}

local function check_options(model, options)
  for name, value in pairs(options) do
    if not known[name] then
      local names = {}
      for each in pairs(known) do names[#names + 1] = each end
      table.sort(names)
      usage("%s has no model option %s%s", model, host.show_key(name), class.hint(name, names))
    end
    if type(value) ~= known[name] then
      usage("%s: the model option %s is a %s, not a %s", model, name, known[name], type(value))
    end
  end
end

--- What bind has to know beside the classes: the links between them, the conditions of partial indexes, and options.
local function note(self, name, list, options)
  local shared = view.shared(self)
  if not shared.links then shared.links, shared.wheres, shared.options = {}, {}, {} end
  shared.wheres[name], shared.options[name] = {}, options
  for _, pair in ipairs(list) do
    local spec = pair[2]
    if spec.kind == "many_to_many" then
      table.insert(shared.links, { model = name, target = spec.target, through = spec.options.through })
    elseif spec.parts then
      shared.wheres[name][pair[1]] = spec.options.where
    end
  end
end

--- SQL takes A and a for one table.
local function check_table(self, model, name)
  for other, options in pairs(view.shared(self).options or {}) do
    local taken = options.table
    if other ~= model and taken ~= name and taken:lower() == name:lower() then
      usage('%s: its table %s and %s, that of %s, are one in SQL: give it another with { table = "..." }', model, name,
        taken, other)
    end
  end
end

local function declare(self, name, fields, options)
  local copy = {}
  for key, value in pairs(options) do copy[key] = value end
  local list = in_order(name, fields)
  check_wire(name, "the name of the table", options.table)
  for _, pair in ipairs(list) do check_wire(name, "the column of " .. pair[1], pair[2].options.column) end
  if next(fields) == nil then copy.open = true end
  if copy.open then
    if not has_key(list) then table.insert(list, 1, { "id", types.uuid { primary = true, auto = true } }) end
    list[#list + 1] = { "__open", types.map(nil, { column = "extra" }) }
  end
  copy.table = copy.table or name
  if copy.scan == nil then copy.scan = view.shared(self).scan end
  local dynamodb = view.kind(self) == "dynamodb"
  rules(name, list, copy, dynamodb)
  if not dynamodb then check_table(self, name, copy.table) end
  local made = class.declare(self, name, list, copy)
  note(self, name, list, copy)
  return made
end

--- Declares a model, or gives one that is declared as this view of the store sees it.
---@param name string
---@param fields? table   { field = type }, or a list of { "field", type }; {} = an open model; none = the declared one
---@param options? table  table = its name in the store, open = true, and what single stores know
---@return table class
function store.model(self, name, fields, options)
  if type(name) ~= "string" or name == "" then
    usage("store:model takes the model's name first, not %s", host.show(name))
  end
  check_wire(name, "the name", name)
  if fields == nil then return class.find(self, name) end
  host.check("table", fields, "fields")
  options = options or {}
  host.check("table", options, "options")
  check_options(name, options)
  return declare(self, name, fields, options)
end

-- ---- Tables ----

--- What a relation gave: an object as a table, several as a list of tables.
local function follow_one(value, options)
  if value == nil then return nil end
  if type(value) == "userdata" and value.to_table then
    object.touch(value)
    return value:to_table(options)
  end
  local list = {}
  for i, element in ipairs(value.all and value:all() or value) do list[i] = element:to_table(options) end
  return marks.array(list)
end

--- Puts what was included into the table. What a query includes are new objects at each level, so that this ends.
local function with_included(result, included)
  for name, value in pairs(included or {}) do result[name] = follow_one(value) end
  return result
end

local table_options = { only = true, exclude = true, follow = true }

local function check_table_options(options)
  host.check("table", options, "options")
  for name in pairs(options) do
    if not table_options[name] then
      usage("%s is no option of to_table; they are only, exclude and follow", host.show_key(name))
    end
  end
end

--- Fields that are computed by code are there if they are asked for.
local function add_computed(self, result, only)
  local functions = class.functions(self)
  for _, name in ipairs(only) do
    if functions[name] and functions[name].get then result[name] = self[name] end
  end
end

--- A plain table of the loaded fields; a pointer is its key under its column's name, or a table under its own if it was
--- included or is followed. What else was included is there too.
---@param options? table  only = { names }, exclude = { names }, follow = { relation = options of the same form }
---@return table
function methods.to_table(self, options)
  if options == nil then return with_included(object.table(self)) end
  check_table_options(options)
  local only = options.only and object.names(self, options.only)
  local exclude = object.names(self, options.exclude or {})
  for name in pairs(options.follow or {}) do exclude[name] = true end
  local result = with_included(object.table(self, only, exclude))
  add_computed(self, result, options.only or {})
  for name, inner in pairs(options.follow or {}) do result[name] = follow_one(self[name], inner) end
  return result
end

-- ---- What saving and relations give ----

local save = require "neap.save"
for _, name in ipairs { "save", "delete", "reload", "increment", "append", "add_unique", "pull", "set", "unset" } do
  methods[name] = save[name]
end
local schema = require "neap.schema"
store.bind, store.drop = schema.bind, schema.drop
for name, f in pairs(save.class) do object.class_methods[name] = f end
object.class_methods.mongo = function(self, settings) return require "neap.mongo".query(self, settings) end
require "neap.relation"

return { reserved = reserved, link = schema.link }
