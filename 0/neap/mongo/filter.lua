-- filter.lua: criteria of a Query Object become one condition of the kernel. Names go through the settings first, once
-- for all criteria of a shape; operands are read by the type of their column; each fault is noted where it stands.
local decimal = require "neap.decimal"
local faults = require "neap.mongo.faults"
local host = require "neap.host"
local json = require "neap.json"
local kernel = require "neap.mongo.kernel"
local marks = require "neap.marks"
local words = require "neap.mongo.words"

local filter = {}
local null = marks.null

-- ---- Operands ----

local function integer(value)
  if type(value) == "string" and value:find "^[+-]?%d+$" then return math.tointeger(tonumber(value)) end
  if type(value) == "number" then return math.tointeger(value) or value end
  return type(value) == "userdata" and value or nil
end

local function number(value)
  if type(value) == "string" and value:find "^[+-]?%d" then return tonumber(value) end
  return (type(value) == "number" or type(value) == "userdata") and value or nil
end

--- A float is taken for the number that its text says: 1.1 is what was written.
local function exact(value)
  if type(value) == "boolean" then return nil end
  if math.type(value) ~= "float" then return value end
  local ok, made = pcall(decimal, json.encode(value))
  return ok and made or nil
end

local function boolean(value)
  if value == "true" or value == "false" then return value == "true" end
  if type(value) == "boolean" then return value end
end

--- No store finds text with a NUL in it, and some refuse to look.
local function has_nul(value)
  if type(value) == "string" then return value:find("\0", 1, true) ~= nil end
  for key, inner in pairs(kernel.form(value) and value or {}) do
    if has_nul(key) or has_nul(inner) then return true end
  end
  return false
end

local function text(value) return type(value) == "string" and value or nil end
local function time(value) return (type(value) == "string" or type(value) == "userdata") and value or nil end

--- What text and numbers become for columns of a kind, nil = they are none. Other kinds are the kernel's to read.
local readers = {
  integer = integer, number = number, decimal = exact, boolean = boolean, string = text, uuid = text, datetime = time,
  date = time, timestamp = time,
}

local function read_operand(kind, value)
  if has_nul(value) then return nil end
  if kind == "json" or value == null then return value end
  if kernel.form(value) then return nil end
  local reader = readers[kind]
  if not reader then return value end
  return reader(value)
end

--- The operand for a place of a kind; nil, and a fault, if it is none.
local function operand(ctx, kind, value, pointer, name)
  local made = read_operand(kind, value)
  if made == nil then
    ctx.faults:query(pointer, "%s is of type %s, %s is none", name, kind, host.show(value))
  end
  return made
end

filter.operand = operand

--- A value from outside as one of a field's type; nil if it is none. What is not converted here the model checks.
function filter.convert(field, value)
  if (field.kind == "list" or field.kind == "set") and kernel.form(value) then
    local list = {}
    for i, element in ipairs(value) do
      list[i] = read_operand(field.of, element)
      if list[i] == nil then return nil end
    end
    return marks.array(list)
  end
  if kernel.form(value) then return field.kind ~= "string" and value or nil end
  return read_operand(field.kind, value)
end

local MOST_CONTAINERS = 500  -- lists and objects in one list of values: each is a comparison of its own

local function operands(ctx, kind, list, pointer, name)
  local made, containers = {}, 0
  if kernel.form(list) ~= "list" and kernel.form(list) ~= "empty" then
    ctx.faults:query(pointer, "a list was expected, not %s", host.show(list))
    return nil
  end
  if #list > ctx.limits.max_in then
    ctx.faults:add(pointer, "limit", "a list of %d values: at most %d are allowed", #list, ctx.limits.max_in)
    return nil
  end
  for i, value in ipairs(list) do
    local read = operand(ctx, kind, value, faults.at(pointer, i - 1), name)
    if read == nil then return nil end
    made[i] = read
    containers = containers + (kernel.form(read) and 1 or 0)
  end
  if containers > MOST_CONTAINERS then
    ctx.faults:add(pointer, "limit", "more than %d lists and objects in a list of values", MOST_CONTAINERS)
    return nil
  end
  return made
end

-- ---- Operators ----

local is_list = { list = true, set = true }

--- The conditions of a list or set: an operand that is no list is an element.
local list_operators = {
  ["$eq"] = function(col, value, whole) return whole and col:eq(value) or col:has(value) end,
  ["$ne"] = function(col, value, whole) return whole and col:ne(value) or ~col:has(value) end,
  ["$in"] = function(col, value) return col:any(value) end,
  ["$nin"] = function(col, value) return ~col:any(value) end,
  ["$any"] = function(col, value) return col:any(value) end,
  ["$all"] = function(col, value) return col:all(value) end,
  ["$has"] = function(col, value) return col:has(value) end,
}
local takes_list = { ["$in"] = true, ["$nin"] = true, ["$any"] = true, ["$all"] = true }

--- What a condition of a column is called in the kernel.
local methods = {
  ["$eq"] = "eq", ["$ne"] = "ne", ["$lt"] = "lt", ["$lte"] = "lte", ["$gt"] = "gt", ["$gte"] = "gte",
  ["$between"] = "between", ["$in"] = "is_in", ["$nin"] = "not_in", ["$exists"] = "exists", ["$prefix"] = "prefix",
  ["$suffix"] = "suffix", ["$contains"] = "contains", ["$iprefix"] = "iprefix", ["$isuffix"] = "isuffix",
  ["$icontains"] = "icontains", ["$iexact"] = "iexact", ["$regex"] = "regex", ["$size"] = "size", ["$has"] = "has",
  ["$any"] = "any", ["$all"] = "all", ["$type"] = "type",
}
local texts = {
  ["$prefix"] = true, ["$suffix"] = true, ["$contains"] = true, ["$iprefix"] = true, ["$isuffix"] = true,
  ["$icontains"] = true, ["$iexact"] = true, ["$regex"] = true, ["$type"] = true,
}

local names = { "$not", "$elemMatch" }
for name in pairs(methods) do names[#names + 1] = name end
table.sort(names)

--- Whether there is such an operator without settings.
function filter.is_operator(name) return methods[name] ~= nil or name == "$not" or name == "$elemMatch" end

local function is_operators(value)
  if kernel.form(value) ~= "object" then return false end
  for key in pairs(value) do
    if type(key) ~= "string" or key:sub(1, 1) ~= "$" then return false end
  end
  return true
end

--- What the place is called in messages: the name that was asked for.
local function exists(ctx, place, value, pointer)
  if value == null or value == 0 or value == false then return place.col:exists(false) end
  if value == 1 or value == true then return place.col:exists(true) end
  ctx.faults:query(pointer, "$exists takes true or false, not %s", host.show(value))
end

--- Calls what makes a condition; what the kernel refuses is a fault.
local function try(ctx, pointer, f, ...)
  local ok, made = pcall(f, ...)
  if ok then return made end
  if type(made) ~= "table" or not made.kind then error(made, 0) end
  ctx.faults:add(pointer, made.kind == "limit" and "limit" or "query", "%s", made.message)
end

--- The condition, if the store can ask for it: not each of them reads every pattern.
local function storable(ctx, settings, made, pointer)
  local sql = made and try(ctx, pointer, function() return settings.class:where(made):explain().sql end)
  return sql and made
end

local function list_condition(ctx, place, op, value, pointer)
  local whole = kernel.form(value) ~= nil and not takes_list[op]
  if whole and op == "$has" then
    return ctx.faults:query(pointer, "$has takes one element, not %s", host.show(value))
  end
  local read = takes_list[op] or whole
  local made
  if read then
    made = operands(ctx, place.of, value, pointer, place.name)
    if made and whole then made = place.kind == "set" and marks.set(made) or marks.array(made) end
  else
    made = operand(ctx, place.of, value, pointer, place.name)
  end
  if made ~= nil then return try(ctx, pointer, list_operators[op], place.col, made, whole) end
end

local function between(ctx, place, value, pointer)
  local pair = operands(ctx, place.kind, value, pointer, place.name)
  if not pair then return end
  if #pair ~= 2 or pair[1] == null or pair[2] == null then
    return ctx.faults:query(pointer, "$between takes the list of two values, low and high")
  end
  return try(ctx, pointer, place.col.between, place.col, pair[1], pair[2])
end

--- Conditions of JSON compare with values: operators inside would be read by the kernel.
local function has_operators(value)
  if kernel.form(value) ~= "object" then return false end
  for key in pairs(value) do
    if type(key) == "string" and key:sub(1, 1) == "$" then return true end
  end
  return false
end

local function column_condition(ctx, place, op, value, pointer)
  if op == "$exists" then return exists(ctx, place, value, pointer) end
  if op == "$between" then return between(ctx, place, value, pointer) end
  if op == "$regex" and not ctx.regex then
    return ctx.faults:add(pointer, "forbidden", "$regex is disabled for %s", place.model)
  end
  if value == null then
    if op == "$eq" then return place.col:exists(false) end
    if op == "$ne" then return place.col:exists(true) end
    return ctx.faults:query(pointer, "%s does not compare with null", op)
  end
  if is_list[place.kind] and list_operators[op] then return list_condition(ctx, place, op, value, pointer) end
  local made
  if op == "$in" or op == "$nin" or op == "$any" or op == "$all" then
    made = operands(ctx, place.kind, value, pointer, place.name)
  elseif op == "$size" then
    made = operand(ctx, "integer", value, pointer, "$size")
  elseif texts[op] then
    made = operand(ctx, "string", value, pointer, op)
  elseif has_operators(value) then
    return ctx.faults:query(pointer, "%s takes a value, not operators", op)
  else
    made = operand(ctx, place.kind, value, pointer, place.name)
  end
  if made == nil then return end
  local condition = try(ctx, pointer, place.col[methods[op]], place.col, made)
  if op == "$regex" and not place.settings.element then return storable(ctx, place.settings, condition, pointer) end
  return condition
end

-- ---- Recipes ----
--
-- Criteria are read once into a recipe, function(ctx, value) → condition, which serves all criteria of the same shape,
-- whatever their values. It gives nil, and a fault, for values that will not do.

--- An operator of the settings.
local function own_operator(place, op)
  local group = place.settings.given[is_list[place.kind] and "array_operators" or "scalar_operators"]
  local f = group and group[op]
  return f and function(ctx, value, pointer)
    local made = try(ctx, pointer, f, place.col, value)
    return made and (place.settings.element and made or kernel.condition(place.settings.class, made))
  end
end

--- What an operator asks of a place.
local function apply(ctx, place, op, pointer)
  if not ctx:term(pointer) then return end
  if methods[op] then
    return function(now, value) return column_condition(now, place, op, value, pointer) end
  end
  local own = own_operator(place, op)
  if own then return function(now, value) return own(now, value, pointer) end end
  ctx.faults:unknown(pointer, "operator", op, place.name, names)
end

--- Conditions on an element are of no class: they are combined one by one.
local function combined_elements(op, list)
  local made = list[1]
  for i = 2, #list do
    if op == "$and" then made = made & list[i] else made = made | list[i] end
  end
  return op == "$nor" and ~made or made
end

local function combined(settings, op, list)
  if settings.element and #list > 0 then return combined_elements(op, list) end
  if #list == 1 and op ~= "$nor" then return list[1] end
  return kernel.condition(settings.class, { [op] = list })
end

--- All of the parts, { { key = , make = recipe }, … }: of what is behind the keys; without a key of the whole object.
local function all_of(settings, parts)
  if #parts == 1 and parts[1].key ~= nil then
    local key, make = parts[1].key, parts[1].make
    return function(ctx, object) return make(ctx, object[key]) end
  end
  return function(ctx, object)
    local list = {}
    for _, part in ipairs(parts) do
      local value = object
      if part.key ~= nil then value = object[part.key] end
      list[#list + 1] = part.make(ctx, value)
    end
    return combined(settings, "$and", list)
  end
end

local function negation(make)
  return make and function(ctx, value)
    local made = make(ctx, value)
    return made and ~made
  end
end

local operators_of, criteria

--- What stands for the settings where elements of a list are asked for: their names are paths inside.
local function element_settings(place)
  local nothing = function() end
  return {
    element = kernel.element(place.col), list = place, class = place.settings.class, info = place.settings.info,
    given = place.settings.given, legacy = {}, relation = nothing, column = nothing,
  }
end

--- { ["$elemMatch"] = { ["$gte"] = 80, ["$lt"] = 85 } }, or criteria of paths inside: one element meets all of it.
local function elements(ctx, place, value, pointer)
  local settings = ctx:term(pointer, true) and try(ctx, pointer, element_settings, place)
  if not settings or not ctx:enter(pointer) then return end
  local make
  if is_operators(value) and not (value["$and"] or value["$or"] or value["$nor"]) then
    local element = {
      col = settings.element, kind = place.of or "json", name = place.name, model = place.model, settings = settings,
    }
    make = operators_of(ctx, element, value, pointer)
  else
    make = criteria(ctx, settings, value, pointer)
  end
  ctx:leave()
  return make and function(now, object)
    local made = make(now, object)
    made = made and kernel.elements(place.col, made)
    if now.regex and not place.settings.element then return storable(now, place.settings, made, pointer) end
    return made
  end
end

local function operator(ctx, place, op, value, pointer)
  if op == "$elemMatch" then return elements(ctx, place, value, pointer) end
  if op ~= "$not" then return apply(ctx, place, op, pointer) end
  if is_operators(value) then return negation(operators_of(ctx, place, value, pointer)) end
  ctx.faults:query(pointer, "$not takes operators, not %s", host.show(value))
end

--- What { ["$gte"] = 1, ["$lt"] = 5 } asks of a place.
function operators_of(ctx, place, object, pointer)
  local parts = {}
  for _, op in ipairs(words.sorted_keys(object)) do
    local make = operator(ctx, place, op, object[op], faults.at(pointer, op))
    if make then parts[#parts + 1] = { key = op, make = make } end
  end
  return all_of(place.settings, parts)
end

--- What a value behind a place asks of it: operators, or that it is the value.
local function asked_of(ctx, place, value, pointer)
  if is_operators(value) then return operators_of(ctx, place, value, pointer) end
  return apply(ctx, place, "$eq", pointer)
end

-- ---- Places ----

--- Goes on into JSON, lists and maps; digits count elements from 0, except in maps.
local function descend(col, path)
  for part in (path .. "."):gmatch "([^.]*)%." do
    local index = part:find "^%d+$" and #part <= 9 and kernel.kind(col) ~= "map"
    col = col:at(index and tonumber(part) + 1 or part)
  end
  return col
end

--- A place inside an element of a list.
local function element_place(ctx, settings, name, pointer)
  local list = settings.list
  if has_nul(name) or ("." .. name .. "."):find("..", 1, true) then
    return ctx.faults:query(pointer, "%s is no path into an element of %s", host.show(name), list.name)
  end
  local col = try(ctx, pointer, descend, settings.element, name)
  return col and {
    col = col, kind = "json", name = list.name .. "." .. host.show_key(name), model = list.model, settings = settings,
  }
end

--- The place that a name means for the settings, nil and a fault if there is none. `path` is its name in the kernel.
function filter.place(ctx, settings, name, pointer)
  if settings.element then return element_place(ctx, settings, name, pointer) end
  local head, path = name:match "^([^.]*)%.?(.*)$"
  local field = settings:column(head)
  local dotted = name:find(".", 1, true)
  if field and field.group == "property" then
    return ctx.faults:query(pointer, "%s is computed by code: it can only be projected", host.show_key(head))
  end
  if not field or has_nul(name) or (dotted and ("." .. path .. "."):find("..", 1, true)) then
    return ctx.faults:unknown(pointer, "field", name, settings.info.name, settings:names "ce")
  end
  local col = settings.class.fields[field.field]
  if dotted then
    local inside = field.kind == "json" or field.kind == "list" or field.kind == "map"
    if not inside then
      return ctx.faults:query(pointer, "%s is of type %s: nothing lies inside", host.show_key(head), field.kind)
    end
    col = try(ctx, pointer, descend, col, path)
    if not col then return end
  end
  local kind, of = kernel.kind(col)
  return {
    col = col, kind = kind, of = of, name = host.show_key(name), model = settings.info.name, settings = settings,
    field = field, path = field.field .. (dotted and "." .. path or ""),
  }
end

local function leaf(ctx, settings, name, value, pointer)
  local place = filter.place(ctx, settings, name, pointer)
  return place and asked_of(ctx, place, value, pointer)
end

-- ---- Relations ----

--- The settings behind a relation; nil and a fault if it may not be asked for.
function filter.related(ctx, settings, relation, pointer)
  local related = settings:related(relation)
  if not related then
    ctx.faults:add(pointer, "forbidden", "the relation %s of %s is not allowed", relation.name, settings.info.name)
  end
  return related or nil
end

--- Whether a name asks how many objects a relation to many leads to: "comments.count".
function filter.counts(ctx, settings, relation, rest, pointer)
  if rest ~= "count" or not relation.many then return false end
  local related = filter.related(ctx, settings, relation, pointer)
  return related and not related:column "count" and related
end

--- The place of that number for what sorts, groups and gives out: rows that are filtered out would be counted.
function filter.number(ctx, settings, relation, name, pointer)
  local related = filter.counts(ctx, settings, relation, "count", pointer)
  if related and related.condition then
    return ctx.faults:add(pointer, "forbidden", "%s is filtered: only filter counts it", relation.name)
  elseif related then
    return { path = relation.field .. ".count", kind = "integer", settings = settings, field = relation }
  elseif settings:related(relation) then
    ctx.faults:query(pointer, "%s means a field of many rows", host.show_key(name))
  end
end

--- The place of that number for criteria; only rows that may be seen count.
local function count_place(settings, relation, related)
  local counted = related.condition or kernel.condition(related.class, {})
  return {
    col = settings.class.fields[relation.field]:count(counted), kind = "integer", settings = settings,
    name = relation.name .. ".count", model = settings.info.name, field = relation,
  }
end

local entries_recipe

--- Some related row meets the condition; only rows that may be seen count.
local function some(settings, relation, related, condition)
  if related.condition then condition = condition & related.condition end
  return settings.class.fields[relation.field]:some(condition)
end

--- Some related row is as the recipe says.
local function some_of(settings, relation, related, make)
  return make and function(ctx, value)
    local inner = make(ctx, value)
    return inner and some(settings, relation, related, inner)
  end
end

local quantifiers = {
  ["$exists"] = function(_, settings, relation, related, _, pointer)
    return function(ctx, value)
      local on = value
      if value == null or value == 0 then on = false elseif value == 1 then on = true end
      if type(on) ~= "boolean" then
        return ctx.faults:query(pointer, "$exists takes true or false, not %s", host.show(value))
      end
      local there = some(settings, relation, related, kernel.condition(related.class, {}))
      return on and there or ~there
    end
  end,
  ["$some"] = function(ctx, settings, relation, related, value, pointer)
    return some_of(settings, relation, related, criteria(ctx, related, value, pointer))
  end,
  ["$none"] = function(ctx, settings, relation, related, value, pointer)
    return negation(some_of(settings, relation, related, criteria(ctx, related, value, pointer)))
  end,
  ["$every"] = function(ctx, settings, relation, related, value, pointer)
    return negation(some_of(settings, relation, related, negation(criteria(ctx, related, value, pointer))))
  end,
  ["$count"] = function(ctx, settings, relation, related, value, pointer)
    if not relation.many then
      return ctx.faults:query(pointer, "%s leads to one object: ask for $exists", relation.name)
    end
    return asked_of(ctx, count_place(settings, relation, related), value, pointer)
  end,
}
local quantifier_names = "$some, $every, $none, $count or $exists"
quantifiers["$elemMatch"] = quantifiers["$some"]

--- { posts = { ["$none"] = { … } } }, { posts = null }
local function relation_itself(ctx, settings, relation, value, pointer)
  local related = filter.related(ctx, settings, relation, pointer)
  if not related or not ctx:term(pointer, true) then return end
  if value == null then
    local make = quantifiers["$exists"](ctx, settings, relation, related, false, pointer)
    return function(now) return make(now, false) end
  end
  if not is_operators(value) then
    return ctx.faults:query(pointer, "%s is a relation: it takes %s", relation.name, quantifier_names)
  end
  local parts = {}
  for _, op in ipairs(words.sorted_keys(value)) do
    local at = faults.at(pointer, op)
    if quantifiers[op] then
      local make = quantifiers[op](ctx, settings, relation, related, value[op], at)
      if make then parts[#parts + 1] = { key = op, make = make } end
    else
      ctx.faults:query(at, "%s is a relation: it takes %s, not %s", relation.name, quantifier_names, host.show_key(op))
    end
  end
  return all_of(settings, parts)
end

--- Keys of one relation in one object mean one related row.
local function related_entries(ctx, settings, relation, entries)
  local related = filter.related(ctx, settings, relation, entries[1].pointer)
  if not related then return end
  if not ctx:term(entries[1].pointer, true) or not ctx:enter(entries[1].pointer) then return end
  local inner = entries_recipe(ctx, related, entries)
  ctx:leave()
  return some_of(settings, relation, related, inner)
end

-- ---- Criteria ----

local function each_of(ctx, settings, op, value, pointer)
  local form = kernel.form(value)
  if form ~= "list" and form ~= "empty" then
    return ctx.faults:query(pointer, "%s takes a list of criteria, not %s", op, host.show(value))
  end
  local makes, dropped, n = {}, false, 0
  for i, inner in ipairs(value) do
    local make, only_legacy = criteria(ctx, settings, inner, faults.at(pointer, i - 1))
    dropped = dropped or only_legacy
    makes[i] = not only_legacy and make or false
    n = makes[i] and n + 1 or n
  end
  return function(now, list)
    if dropped and n == 0 then return kernel.condition(settings.class, {}) end
    local made = {}
    for i, make in ipairs(makes) do made[#made + 1] = make and make(now, list[i]) or nil end
    return combined(settings, op, made)
  end
end

local logic = {
  ["$and"] = each_of, ["$or"] = each_of, ["$nor"] = each_of,
  ["$not"] = function(ctx, settings, _, value, pointer)
    local make, only_legacy = criteria(ctx, settings, value, pointer)
    return only_legacy and make or negation(make)
  end,
}
local logic_names = { "$and", "$or", "$nor", "$not" }

--- What a key asks, nil if that is kept for later in `groups`, by relation.
local function entry_recipe(ctx, settings, entry, groups)
  local name, value, pointer = entry.name, entry.value, entry.pointer
  if name:sub(1, 1) == "$" then
    if logic[name] then return logic[name](ctx, settings, name, value, pointer) end
    return ctx.faults:unknown(pointer, "operator", name, settings.info.name .. " itself", logic_names)
  end
  local head, rest = name:match "^([^.]*)%.(.*)$"
  local relation = settings:relation(head or name)
  if not relation or (not rest and settings:column(name)) then return leaf(ctx, settings, name, value, pointer) end
  if not rest then return relation_itself(ctx, settings, relation, value, pointer) end
  if relation.many and rest == "count" and filter.counts(ctx, settings, relation, rest, pointer) then
    local make = relation_itself(ctx, settings, relation, { ["$count"] = value }, pointer)
    return make and function(now, times) return make(now, { ["$count"] = times }) end
  end
  local group = groups[head]
  if not group then
    group = { relation = relation }
    groups[head], groups[#groups + 1] = group, group
  end
  group[#group + 1] = { name = rest, key = entry.key, value = value, pointer = pointer }
end

--- All of the entries of an object: { name =, key = where the value is in it, value =, pointer = }. Second: they were
--- legacy names, each of them.
function entries_recipe(ctx, settings, entries)
  local parts, groups, legacy = {}, {}, 0
  for _, entry in ipairs(entries) do
    if type(entry.name) ~= "string" then
      ctx.faults:query(entry.pointer, "criteria are an object; %s is no name", host.show(entry.name))
    elseif settings.legacy[entry.name:match "^[^.]*"] then
      legacy = legacy + 1
    else
      local make = entry_recipe(ctx, settings, entry, groups)
      if make then parts[#parts + 1] = { key = entry.key, make = make } end
    end
  end
  for _, group in ipairs(groups) do
    local make = related_entries(ctx, settings, group.relation, group)
    if make then parts[#parts + 1] = { make = make } end
  end
  return all_of(settings, parts), legacy > 0 and legacy == #entries
end

function criteria(ctx, settings, object, pointer)
  local form = kernel.form(object)
  if form ~= "object" and form ~= "empty" then
    return ctx.faults:query(pointer, "criteria are an object, not %s", host.show(object))
  end
  if not ctx:enter(pointer) then return end
  local entries = {}
  for _, name in ipairs(words.sorted_keys(object)) do
    entries[#entries + 1] = { name = name, key = name, value = object[name], pointer = faults.at(pointer, name) }
  end
  local make, only_legacy = entries_recipe(ctx, settings, entries)
  ctx:leave()
  return make, only_legacy
end

--- The recipe that criteria are for the class of the settings; nil where there are only faults.
filter.criteria = criteria

return filter
