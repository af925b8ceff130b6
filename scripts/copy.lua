-- copy.lua: copies models from any store to any other.
--   neap scripts/copy.lua FROM_URL TO_URL models.lua [model] ...
-- models.lua returns a function that declares models in the store it is given, as chinook_models.lua does. Those are
-- copied, or those that are named, and the link tables between them. It goes in batches and can be stopped at any time:
-- run it again and it adds what is missing, and changes nothing that is there. At the end the rows of both are counted.
local neap = require "neap"
local declare_link = require "neap.model".link
local describe_table = require "neap.sql.schema".describe
local kind_of = require "neap.view".kind

local BATCH, ANY = 1000, 50  -- rows that are written together; keys of several fields that are asked for together

local function usage(format, ...)
  io.stderr:write("copy.lua: ", string.format(format, ...), "\n",
    "usage: copy.lua FROM_URL TO_URL models.lua [model] ...\n")
  os.exit(2)
end

-- ---- Declaring: the models as they are here, and there without what would make values of its own ----

-- Options that change what is written.
local makes = { auto_now = true, auto_now_add = true, version = true, validate = true }

local function stays(option, value)
  return not makes[option] and not (option == "default" and type(value) == "function")
end

-- What DynamoDB refuses to keep.
local refused = { unique = true, on_delete = true }

--- Whether the store can keep the field, and an option of it.
local function keeps(store, spec, option)
  if kind_of(store) ~= "dynamodb" then return true end
  if not option then return spec.kind ~= "unique" and not (spec.compute and spec.compute.sql) end
  return not refused[option] and not (option == "auto" and spec.kind == "integer")
end

--- The fields as a store can have them; `plain`: what is copied there is kept as it is.
local function fields_for(store, fields, plain)
  local copies = {}
  for name, spec in pairs(fields) do
    local listed = type(name) == "number"  -- { "field", type }
    local original = listed and spec[2] or spec
    local copy, options = {}, {}
    for key, value in pairs(original) do copy[key] = value end
    for option, value in pairs(original.options) do
      if keeps(store, original, option) and not (plain and not stays(option, value)) then options[option] = value end
    end
    copy.options = options
    if keeps(store, original) then copies[name] = listed and { spec[1], copy } or copy end
  end
  return copies
end

--- Of a model that is read and counted as a whole.
local function options_for(store, options)
  if kind_of(store) ~= "dynamodb" then return options end
  local copy = { scan = true }
  for name, value in pairs(options or {}) do copy[name] = value end
  return copy
end

--- Notes what has to be known of a field of the model.
local function learn(model, name, spec)
  local options = spec.options
  local column = spec.kind == "pointer" and (options.column or name .. "_id") or name
  if options.primary then
    table.insert(model.keys, column)
    model.counted = spec.kind == "integer" and options.auto
  end
  if spec.kind == "pointer" then
    local required = options.required or options.primary
    table.insert(model.pointers, { column = column, target = spec.target, required = required })
  elseif spec.kind == "computed" then
    table.insert(model.computed, name)
  elseif spec.kind == "many_to_many" then
    table.insert(model.links, { through = options.through, targets = { model.name, spec.target } })
  end
  if options.default ~= nil then table.insert(model.defaults, name) end
end

local function describe(name, fields)
  local model = { name = name, keys = {}, pointers = {}, computed = {}, defaults = {}, links = {} }
  for key, spec in pairs(fields) do
    if type(key) == "number" then learn(model, spec[1], spec[2]) else learn(model, key, spec) end
  end
  if #model.keys == 0 then model.keys[1] = "id" end  -- an open model
  table.sort(model.keys)
  return model
end

--- Link tables that relations made up, with the two pointers that they consist of.
local function add_links(models, from, to)
  for i = 1, #models do
    for _, link in ipairs(models[i].links) do
      if not models[link.through] then
        local here, there = link.targets[1]:lower(), link.targets[2]:lower()
        if here == there then there = "other_" .. there end
        local t = neap.types
        local fields = { { here, t.pointer(link.targets[1], { primary = true }) },
          { there, t.pointer(link.targets[2], { primary = true }) } }
        local model = describe(link.through, fields)
        model.from = declare_link(from, link.through, options_for(from))
        model.to = declare_link(to, link.through, options_for(to))
        models[#models + 1], models[link.through] = model, model
      end
    end
  end
end

--- Runs the file with the source; whatever it declares there is declared in the target too. Hooks stay at the source.
local function declare(path, from, to)
  local loaded = dofile(path)
  if type(loaded) ~= "function" then usage("%s does not return a function of a store", path) end
  local models = {}
  local declaring = setmetatable({}, { __index = function(_, verb)
    return function(_, ...) return from[verb](from, ...) end
  end })
  function declaring.bind() return {} end  -- the source stays as it is
  function declaring.model(_, name, fields, options)
    if not fields then return from:model(name) end
    local class = from:model(name, fields_for(from, fields), options_for(from, options))
    if not models[name] then
      local model = describe(name, fields)
      model.from, model.to = class, to:model(name, fields_for(to, fields, true), options_for(to, options))
      models[#models + 1], models[name] = model, model
    end
    return class
  end
  loaded(declaring)
  add_links(models, from, to)
  return models
end

-- ---- The order: first what others point to ----

--- Whether all that the model points to is placed; pointers that may come later are left out if `late`.
local function ready(model, models, placed, late)
  for _, pointer in ipairs(model.pointers) do
    local waits = models[pointer.target] and not placed[pointer.target]
    if waits and (pointer.required or not late) then return false end
  end
  return true
end

local function next_model(models, placed)
  for late = 0, 1 do
    for _, model in ipairs(models) do
      if not placed[model.name] and ready(model, models, placed, late == 1) then return model end
    end
  end
end

local function circle(models, placed)
  local names = {}
  for _, model in ipairs(models) do
    if not placed[model.name] then names[#names + 1] = model.name end
  end
  usage("%s point to each other, and each of these pointers is required, so that none can be written first: take "
    .. "`required` from one of them in a copy of the file, and copy with that", table.concat(names, ", "))
end

--- The models in an order in which pointers find what they point to. Where they go in circles, model.late has the
--- columns of those that are set at the end.
local function in_order(models)
  local list, placed = {}, {}
  while #list < #models do
    local model = next_model(models, placed) or circle(models, placed)
    model.late = {}
    for _, pointer in ipairs(model.pointers) do
      if models[pointer.target] and not placed[pointer.target] then table.insert(model.late, pointer.column) end
    end
    list[#list + 1], placed[model.name] = model, true
  end
  return list
end

local function chosen(models, names)
  if #names == 0 then return models end
  local some = {}
  for _, name in ipairs(names) do
    if not models[name] then usage("%s is no model that the file declares", name) end
    some[#some + 1], some[name] = models[name], models[name]
  end
  return some
end

-- ---- Rows by their keys ----

local function key_text(model, row)
  local values = {}
  for i, key in ipairs(model.keys) do values[i] = tostring(row[key]) end
  return table.concat(values, "\0")
end

--- Queries that together give the rows of the class whose keys are those of the rows.
local function same_keys(model, class, rows)
  local queries, list = {}, {}
  if #model.keys == 1 then
    for i, row in ipairs(rows) do list[i] = row[model.keys[1]] end
    return { class:where { [model.keys[1] .. "__in"] = list } }
  end
  for i, row in ipairs(rows) do
    local condition = {}
    for _, key in ipairs(model.keys) do condition[key] = row[key] end
    list[#list + 1] = condition
    if #list == ANY or i == #rows then
      queries[#queries + 1], list = class:where(neap.any_of(list)), {}
    end
  end
  return queries
end

--- The rows, which have their keys alone, that the target has not.
local function missing(model, rows)
  local there, list = {}, {}
  for _, query in ipairs(same_keys(model, model.to, rows)) do
    for _, row in ipairs(query:select(table.unpack(model.keys)):rows()) do there[key_text(model, row)] = true end
  end
  for _, row in ipairs(rows) do
    if not there[key_text(model, row)] then list[#list + 1] = row end
  end
  return list
end

--- The same rows with all of their fields.
local function whole(model, rows)
  local list = {}
  if #rows == 0 then return list end
  for _, query in ipairs(same_keys(model, model.from, rows)) do
    for _, row in ipairs(query:rows()) do list[#list + 1] = row end
  end
  return list
end

--- Runs f(rows) over a query as it streams, so many rows at a time.
local function batches(query, f)
  local rows = {}
  for object in query:each { batch = BATCH } do
    rows[#rows + 1] = object:to_table()
    if #rows == BATCH then
      f(rows)
      rows = {}
    end
  end
  if #rows > 0 then f(rows) end
end

--- The same, in the order of the keys: nothing of the store is held while f runs, so that f may ask it.
local function pages(query, f)
  local objects, cursor
  repeat
    local rows = {}
    objects, cursor = query:page { size = BATCH, after = cursor }
    for i, object in ipairs(objects) do rows[i] = object:to_table() end
    f(rows)
  until not cursor
end

-- ---- The work ----

local function object_of(model, row)
  for _, name in ipairs(model.computed) do row[name] = nil end
  for _, column in ipairs(model.late) do row[column] = nil end
  local object = model.to(row)
  for _, name in ipairs(model.defaults) do
    if row[name] == nil then object[name] = nil end
  end
  return object
end

local function save(model, rows)
  local objects = {}
  for i, row in ipairs(rows) do objects[i] = object_of(model, row) end
  if #objects > 0 then model.writer:save(objects) end
  return #objects
end

--- Copies the rows that the target has not. Returns how many those were.
local function copy(model)
  local fresh, copied = not model.to:exists(), 0
  local bar <close> = neap.progress(model.rows, model.name)
  local function add(rows, all)
    copied = copied + save(model, rows)
    bar:step(all)
  end
  if fresh then
    batches(model.from, function(rows) add(rows, #rows) end)
  else
    -- DynamoDB holds nothing, and has no order of all keys.
    local walk = kind_of(model.source) == "dynamodb" and batches or pages
    walk(model.from:select(table.unpack(model.keys)), function(rows) add(whole(model, missing(model, rows)), #rows) end)
  end
  return copied
end

--- Sets the pointers of one batch that could not be set before, where they are not set.
local function point_batch(model, rows)
  local by_key, changed = {}, {}
  for _, row in ipairs(rows) do by_key[key_text(model, row)] = row end
  for _, query in ipairs(same_keys(model, model.to, rows)) do
    for _, object in ipairs(query:all()) do
      local had = object:to_table()
      local row, pointed = by_key[key_text(model, had)], false
      for _, column in ipairs(model.late) do
        if had[column] == nil and row[column] ~= nil then object[column], pointed = row[column], true end
      end
      if pointed then changed[#changed + 1] = object end
    end
  end
  if #changed > 0 then model.store:save(changed) end
end

local function point(model)
  local columns = { table.unpack(model.keys) }
  for _, column in ipairs(model.late) do columns[#columns + 1] = column end
  batches(model.from:select(table.unpack(columns)), function(rows) point_batch(model, rows) end)
end

--- PostgreSQL counts its own keys up from where it stopped, not from what was copied.
local function count_on(model)
  local described = describe_table(model.to)
  local key = described.keys[1]
  model.store:sql(("SELECT setval(pg_get_serial_sequence(?, ?), max(%s)) FROM %s")
    :format('"' .. key:gsub('"', '""') .. '"', described.quoted), { described.quoted, key })
end

--- Whether both stores have as many rows.
local function verify(model)
  local there, here = model.from:count(), model.to:count()
  if there == here then return true end
  io.stderr:write(("copy.lua: %s: %d rows in the source, %d in the target\n"):format(model.name, there, here))
  return false
end

local from_url, to_url, path = arg[1], arg[2], arg[3]
if not path then usage "three arguments at least are wanted" end
if from_url == to_url then usage "the source and the target are the same store" end
local from, to = neap.open(from_url), neap.open(to_url)
local models = in_order(chosen(declare(path, from, to), { table.unpack(arg, 4) }))
to:bind()

for _, model in ipairs(models) do
  model.source, model.store, model.rows = from, to, model.from:count()
  model.writer = kind_of(to) == "dynamodb" and to:with { persist = "overwrite" } or to  -- 25 rows a request
  local copied = copy(model)
  if model.counted and model.rows > 0 and to_url:find "^postgres" then count_on(model) end
  print(("%-20s %8d rows %8d copied"):format(model.name, model.rows, copied))
  io.stdout:flush()
end
for _, model in ipairs(models) do
  if #model.late > 0 then point(model) end
end
local same = true
for _, model in ipairs(models) do same = verify(model) and same end
from:close()
to:close()
os.exit(same and 0 or 1)
