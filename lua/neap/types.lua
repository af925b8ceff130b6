-- types.lua: the words of a declaration: t.integer{ min = 0 }, t.list(t.string()), t.has_many("Comment", "post").
--
-- Each call gives a plain description that may be shared and reused; store:model compiles a copy of it and checks it.
-- Declared order is the order of the calls.
local class = require "neap.class"
local host = require "neap.host"
local usage = require "neap.fail".usage

local types = {}
local order = 0

-- What each kind takes; the others one table of options.
local typed = "a type and a table of options"
local named = "the name of a model and a table of options"
local to_many = "the name of a model, the name of its pointer and a table of options"
local listed = "one table: its options, such as where, stand in the list itself"
local takes = {
  list = typed, set = typed, map = typed, pointer = named, relation = named, many_to_many = named, has_one = to_many,
  has_many = to_many, computed = "a type and a table that says how", index = listed, unique = listed,
  global_index = "one table", local_index = "one table",
}

--- What a call gives. `extra` is the first argument behind those that the kind takes.
local function spec(kind, options, more, extra)
  if extra ~= nil then usage("t.%s takes %s; nothing comes behind", kind, takes[kind] or "one table of options") end
  if options ~= nil and type(options) ~= "table" then
    usage("t.%s takes a table of options, not %s", kind, host.show(options))
  end
  order = order + 1
  local made = more or {}
  made.kind, made.order, made.options = kind, order, options or {}
  return made
end

for _, kind in ipairs {
  "string", "integer", "number", "decimal", "boolean", "datetime", "timestamp", "date", "uuid", "bytes", "json",
  "geopoint", "file", "bytestream",
} do
  types[kind] = function(options, extra) return spec(kind, options, nil, extra) end
end

local function is_type(value) return type(value) == "table" and type(value.kind) == "string" and value.order ~= nil end

-- ---- Types of types ----

local function check_of(kind, of)
  if of ~= nil and not is_type(of) then
    usage("t.%s takes the type of its elements first: t.%s(t.string(), { ... })", kind, kind)
  end
end

--- A list; `of` is the type of its elements, none = anything.
---@param of? table
---@param options? table
function types.list(of, options, extra)
  check_of("list", of)
  return spec("list", options, { of = of }, extra)
end

--- A set: a list without duplicates, compared without order.
---@param of? table
---@param options? table
function types.set(of, options, extra)
  check_of("set", of)
  return spec("set", options, { of = of }, extra)
end

--- A map; `of` is the type of all values, or { name = type } for a map with declared names, or nothing.
---@param of? table
---@param options? table
function types.map(of, options, extra)
  if of == nil or is_type(of) then return spec("map", options, { of = of }, extra) end
  if type(of) ~= "table" then usage "t.map takes a type or { name = type } first" end
  local members = {}
  for name, member in pairs(of) do
    if type(name) ~= "string" or not is_type(member) then
      usage("t.map: %s is no { name = type }", host.show_key(name))
    end
    members[#members + 1] = { name, member }
  end
  table.sort(members, function(a, b) return a[2].order < b[2].order or a[2].order == b[2].order and a[1] < b[1] end)
  return spec("map", options, { members = members }, extra)
end

-- ---- Relations ----

local function model_name(kind, model)
  if type(model) == "string" then return model end
  usage('t.%s takes the name of a model first, t.%s("User"), not %s', kind, kind, host.show(model))
end

--- A reference to an object of another model, kept as its key.
---@param model string
---@param options? table
function types.pointer(model, options, extra)
  return spec("pointer", options, { target = model_name("pointer", model) }, extra)
end

--- A relation that the server keeps (Parse).
---@param model string
---@param options? table
function types.relation(model, options, extra)
  return spec("relation", options, { target = model_name("relation", model) }, extra)
end

for _, kind in ipairs { "has_one", "has_many" } do
  --- The objects of `model` whose pointer `field` leads here.
  types[kind] = function(model, field, options, extra)
    if type(field) == "table" and options == nil then field, options = nil, field end
    if field ~= nil and type(field) ~= "string" then
      usage('t.%s takes the name of a pointer second, t.%s("Comment", "post"), not %s', kind, kind, type(field))
    end
    return spec(kind, options, { target = model_name(kind, model), inverse = field }, extra)
  end
end

--- The objects of `model` that rows of the link model tie to this one.
---@param model string
---@param options table  { through = the link model, where = condition }
function types.many_to_many(model, options, extra)
  return spec("many_to_many", options, { target = model_name("many_to_many", model) }, extra)
end

-- ---- Computed fields ----

--- Reads along "good.name": nil where something on the way is nil.
local function reader(path)
  return function(object)
    local value = object
    for name in path:gmatch "[^.]+" do
      if value == nil then return nil end
      value = value[name]
    end
    return value
  end
end

local computes = { sql = true, needs = true, get = true, set = true, path = true }

--- A field that is not kept: computed by the store ({ sql = "{age} + 10" }), by functions ({ needs = { "first" },
--- get = f, set = f }), or read along relations ({ path = "good.name" }).
---@param of table       the type of its values
---@param compute table
function types.computed(of, compute, extra)
  if not is_type(of) or type(compute) ~= "table" then
    usage 't.computed takes a type and { sql = "..." }, { get = f } or { path = "..." }'
  end
  local copy = {}
  for name, value in pairs(compute) do
    if not computes[name] then
      usage("t.computed has no option %s; they are sql, needs, get, set and path", tostring(name))
    end
    copy[name] = value
  end
  if copy.path then copy.get, copy.needs = reader(copy.path), { copy.path:match "^[^.]+" } end
  return spec("computed", nil, { of = of, compute = copy }, extra)
end

-- ---- Indexes ----

--- Makes t.<kind>: `known` are its options, `needed` the one that it must have.
local function index(kind, known, needed)
  for _, name in ipairs(known) do known[name] = true end
  return function(parts, extra)
    if type(parts) ~= "table" then usage('t.%s takes a table of fields and options, not %s', kind, host.show(parts)) end
    local options, list = {}, {}
    for key, value in pairs(parts) do
      if type(key) == "string" then
        if not known[key] then
          usage("t.%s has no option %s%s", kind, host.show_key(key), class.hint(key, known))
        end
        options[key] = value
      end
    end
    if needed and options[needed] == nil then usage("t.%s needs %s, the name of a field", kind, needed) end
    for i, part in ipairs(parts) do list[i] = part end
    return spec(kind, options, { parts = list }, extra)
  end
end

--- An index over fields; "-field" is descending. Options: where = condition (a partial index), column = its name in the
--- store.
types.index = index("index", { "where", "column" })
--- An index that allows no duplicates.
types.unique = index("unique", { "where", "column" })
--- DynamoDB: { hash_key =, range_key =, projection =, read_units =, write_units =, column = }.
types.global_index = index("global_index",
  { "hash_key", "range_key", "projection", "read_units", "write_units", "column" }, "hash_key")
--- DynamoDB: { range_key =, projection =, column = }.
types.local_index = index("local_index", { "range_key", "projection", "column" }, "range_key")

setmetatable(types, {
  __index = function(_, name)
    local known = {}
    for each in pairs(types) do known[#known + 1] = each end
    table.sort(known)
    usage("there is no type t.%s%s", host.show_key(name), class.hint(name, known, "t."))
  end,
})

return types
