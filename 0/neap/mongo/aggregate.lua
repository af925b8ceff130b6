-- aggregate.lua: the aggregate and group operations. The kernel knows labels as $1, $2, …, so that no name from outside
-- can be taken for a field or a direction.
local faults = require "neap.mongo.faults"
local filter = require "neap.mongo.filter"
local host = require "neap.host"
local json = require "neap.json"
local kernel = require "neap.mongo.kernel"
local words = require "neap.mongo.words"

local aggregate = {}

local functions = { ["$sum"] = true, ["$min"] = true, ["$max"] = true, ["$avg"] = true, ["$count"] = true }
local function_names = { "$avg", "$count", "$max", "$min", "$sum" }
local numeric = { integer = true, number = true, decimal = true, json = true }

--- A column that may be summed up; nil and a fault if there is none.
local function operand(ctx, settings, reach, op, name, pointer)
  local place = reach(ctx, settings, name, pointer)
  if not place then return end
  local allowed = place.settings.aggregate_columns
  if not (allowed and allowed[place.field.name]) then
    return ctx.faults:add(pointer, "forbidden", "aggregation is disabled for %s", host.show_key(name))
  end
  if (op == "$sum" or op == "$avg") and not numeric[place.kind] then
    return ctx.faults:query(pointer, "%s needs a number; %s is of type %s", op, host.show_key(name), place.kind)
  end
  local computed = op == "$count" and "integer" or op == "$avg" and place.kind ~= "decimal" and "number"
  return place.path, computed or place.kind == "json" and "number" or place.kind
end

--- { $count = criteria }: a recipe for the rows that meet them.
local function counted(ctx, settings, criteria, pointer)
  if not settings:enabled "filter" then
    return ctx.faults:add(pointer, "forbidden", 'the operation "filter" is disabled for %s', settings.info.name)
  end
  return (filter.criteria(ctx, settings, criteria, pointer))
end

--- What { $op = value } is for the kernel, or a recipe for what is counted; what each count stands for, and the kind of
--- the result if it is no count.
local function call(ctx, settings, reach, op, value, pointer)
  if not functions[op] then
    return ctx.faults:unknown(pointer, "function", op, "aggregate", function_names)
  end
  local counts = op == "$sum" or op == "$count"
  if type(value) == "string" and settings.legacy[value:match "^[^.]*"] then return {}, nil, "integer" end
  if counts and kernel.form(value) and kernel.form(value) ~= "list" then
    return counted(ctx, settings, value, pointer)
  end
  if op == "$count" and (value == true or value == 1) then return { ["$count"] = true } end
  if op == "$sum" and type(value) == "boolean" then value = value and 1 or 0 end
  if op == "$sum" and math.type(value) == "integer" then return { ["$count"] = true }, value end
  if type(value) ~= "string" then
    return ctx.faults:query(pointer, "%s takes the name of a field%s, not %s", op,
      counts and ", an integer or criteria" or "", host.show(value))
  end
  local path, kind = operand(ctx, settings, reach, op, value, pointer)
  return path and { [op] = path }, nil, kind
end

--- A bare name gives the group's value under another name.
local function bare(ctx, node, name, pointer)
  for _, group in ipairs(node.groups) do
    if group.name == name then
      local settings = group.place.settings
      local allowed = settings.given.aggregate_labels and settings.aggregate_columns
      if allowed and allowed[group.place.field.name] then return group.place.path end
      return ctx.faults:add(pointer, "forbidden", "labelling is disabled for %s", host.show_key(name))
    end
  end
  ctx.faults:query(pointer, "%s is none of the fields of group, nor { $function: … }", host.show(name))
end

local function read_label(ctx, node, reach, label, expression, pointer)
  local known = node.labels[label]
  if type(label) ~= "string" or known then
    return ctx.faults:query(pointer, "%s is no label%s", host.show(label), known and ": a group bears the name" or "")
  end
  if not ctx:term(pointer) then return end
  if type(expression) == "string" then
    local from = bare(ctx, node, expression, pointer)
    node.labels[label] = { from = from, group = true }
    return
  end
  local op = kernel.form(expression) == "object" and next(expression)
  if type(op) ~= "string" or next(expression, op) ~= nil then
    return ctx.faults:query(pointer, "a label stands for { $function: field }, with one function, not %s",
      host.show(expression))
  end
  local made, times, kind = call(ctx, node.settings, reach, op, expression[op], faults.at(pointer, op))
  if not made then
    node.labels[label] = { wrong = true }  -- which has been said
    return
  end
  local from = "$" .. (#node.aggregates + 1)
  if type(made) == "table" and next(made) == nil then  -- of a legacy field: always null
    node.labels[label] = { from = "", group = true }
    return
  end
  local recipe = type(made) == "function"
  node.aggregates[#node.aggregates + 1] = {
    from = from, expression = not recipe and made or nil, make = recipe and made or nil, label = label, op = op,
  }
  node.labels[label] = { from = from, times = times, kind = kind or "integer" }
end

--- Reads group: names as sort takes them; directions sort.
---@param names table  { { name, pointer }, … }
function aggregate.groups(ctx, node, reach, names)
  node.groups, node.labels, node.aggregates = {}, {}, {}
  for _, group in ipairs(names) do
    local known = not node.settings.legacy[group.name] and ctx:term(group.pointer)
    local place = known and reach(ctx, node.settings, group.name, group.pointer)
    if place then
      node.groups[#node.groups + 1] = { name = group.name, place = place, descending = group.descending }
      node.labels[group.name] = { from = place.path, group = true }
    end
  end
end

--- Reads aggregate: { label = expression }.
function aggregate.labels(ctx, node, reach, object, pointer)
  local form = kernel.form(object)
  if form ~= "object" and form ~= "empty" then
    return ctx.faults:query(pointer, "aggregate is an object of labels, not %s", host.show(object))
  end
  for _, label in ipairs(words.sorted_keys(object)) do
    read_label(ctx, node, reach, label, object[label], faults.at(pointer, label))
  end
end

local comparisons = { ["$eq"] = true, ["$ne"] = true, ["$lt"] = true, ["$lte"] = true, ["$gt"] = true, ["$gte"] = true }
local comparison_names = { "$eq", "$gt", "$gte", "$lt", "$lte", "$ne" }

--- The comparisons of one label; a value alone is $eq.
local function compare(ctx, label, kind, value, pointer)
  if kernel.form(value) ~= "object" then value = { ["$eq"] = value } end
  local made = {}
  for _, op in ipairs(words.sorted_keys(value)) do
    local at = faults.at(pointer, op)
    if not comparisons[op] then
      ctx.faults:unknown(at, "comparison", op, label, comparison_names)
    elseif ctx:term(at) then
      made[op] = filter.operand(ctx, kind, value[op], at, label)
    end
  end
  return made
end

--- Reads the labels of having: { label = { $op = value } }.
function aggregate.having(ctx, node, object, pointer)
  local form = kernel.form(object)
  if form ~= "object" and form ~= "empty" then
    return ctx.faults:query(pointer, "having is an object of labels, not %s", host.show(object))
  end
  node.compared = {}
  for _, label in ipairs(words.sorted_keys(object)) do
    local what, at = node.labels[label], faults.at(pointer, label)
    local computed = what and not what.group and not what.times
    if not computed then
      ctx.faults:query(at, "%s is no label of what is computed", host.show_key(label))
    elseif not what.wrong then
      node.compared[#node.compared + 1] = { label = label, from = what.from, kind = what.kind, pointer = at }
    end
  end
  if #node.groups == 0 then ctx.faults:query(pointer, "having chooses among groups: there is no group") end
end

--- Puts the values of a Query Object into the node that was made for its shape.
function aggregate.bind(ctx, node, bound, query)
  if #node.aggregates > 0 then bound.aggregates = {} end
  for i, each in ipairs(node.aggregates) do
    bound.aggregates[i] = each
    if each.make then
      local condition = each.make(ctx, query.aggregate[each.label][each.op])
      bound.aggregates[i] = { from = each.from, expression = { ["$count"] = { ["$and"] = { condition } } } }
    end
  end
  if not node.compared then return end
  bound.havings = {}
  for _, each in ipairs(node.compared) do
    local name, value = host.show_key(each.label), query.having[each.label]
    bound.havings[each.from] = compare(ctx, name, each.kind, value, each.pointer)
  end
end

--- Whether the node gives groups or numbers, and no rows.
function aggregate.is(node) return #node.groups > 0 or next(node.labels) ~= nil end

--- What the kernel sorts by: groups and labels, and nothing else. The groups complete the order, in their directions.
function aggregate.orders(ctx, node, orders)
  local list, seen = {}, {}
  for _, order in ipairs(orders) do
    local label = node.labels[order.name]
    seen[order.name] = true
    if label then
      list[#list + 1] = (order.descending and "-" or "") .. (label.from or "")
    else
      ctx.faults:query(order.pointer, "groups sort by what they are grouped by and by labels; %s is neither",
        host.show_key(order.name))
    end
  end
  for _, group in ipairs(node.groups) do
    if not seen[group.name] then list[#list + 1] = (group.descending and "-" or "") .. group.place.path end
  end
  return list
end

--- The query over the groups.
function aggregate.build(q, node)
  if #node.groups == 0 then return q end
  local names = {}
  for i, group in ipairs(node.groups) do names[i] = group.place.path end
  q = q:group(table.unpack(names))
  if node.havings and next(node.havings) then q = q:having(node.havings) end
  if #node.sorted > 0 then q = q:order(table.unpack(node.sorted)) end
  if node.limit then q = q:limit(node.limit) end
  return node.skip and q:skip(node.skip) or q
end

--- { { label, name in the kernel, times }, … }, sorted by the label, and the expressions, nil = there are none.
local function asked(node)
  local names, expressions = {}, nil
  for label, what in pairs(node.labels) do names[#names + 1] = { label, what.from, what.times } end
  table.sort(names, function(a, b) return a[1] < b[1] end)
  for _, each in ipairs(node.aggregates) do
    expressions = expressions or {}
    expressions[each.from] = each.expression
  end
  return names, expressions
end

--- Sends it: a list of plain tables, { label = value }.
function aggregate.run(q, node)
  local names, expressions = asked(node)
  local rows
  if not expressions then
    rows = #node.groups > 0 and q:all() or { {} }
  else
    rows = q:aggregate(expressions)
    if #node.groups == 0 then rows = { rows } end
  end
  return kernel.labelled(rows, names)
end

--- Sends it: the same as JSON text.
function aggregate.json(q, node)
  local names, expressions = asked(node)
  if not expressions and #node.groups == 0 then return json.encode(aggregate.run(q, node)) end
  return kernel.groups_json(q, expressions, names)
end

return aggregate
