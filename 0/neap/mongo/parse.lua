-- parse.lua: a Query Object becomes a tree of nodes, one for the model asked and one for each relation that is joined.
-- The tree is made once for all Query Objects of a shape (the plan); bind() puts the values of one into it. All faults
-- are found before anything is sent.
local faults = require "neap.mongo.faults"
local filter = require "neap.mongo.filter"
local host = require "neap.host"
local kernel = require "neap.mongo.kernel"
local marks = require "neap.marks"
local projection = require "neap.mongo.project"
local aggregate = require "neap.mongo.aggregate"

local parse = {}
local null = marks.null

-- ---- What goes along: faults, and what is counted against the limits ----

local context = {}
context.__index = context

local function new_context(settings)
  return setmetatable({
    faults = faults.new(), limits = settings.given_limits, regex = settings.given.regex_enabled == true,
    terms = 0, nodes = 0, depth = 0,
  }, context)
end

local function over(self, pointer, limit, what)
  if not self.over_limit then
    self.over_limit = true
    self.faults:add(pointer, "limit", "more than %d %s", self.limits[limit], what)
  end
  return false
end

--- Counts a comparison, or a look at related rows, which costs as much as ten. False: there are too many.
---@param related? boolean
function context:term(pointer, related)
  self.terms = self.terms + (related and 10 or 1)
  return self.terms <= self.limits.max_terms or over(self, pointer, "max_terms", "comparisons")
end

--- Counts a level of nesting. False: it is too deep.
function context:enter(pointer)
  if self.depth >= self.limits.max_depth then return over(self, pointer, "max_depth", "levels of nesting") end
  self.depth = self.depth + 1
  return true
end

function context:leave() self.depth = self.depth - 1 end

--- Counts a join.
function context:node(pointer)
  self.nodes = self.nodes + 1
  return self.nodes <= self.limits.max_nodes or over(self, pointer, "max_nodes", "joins")
end

-- ---- Single values ----

local function given(value) return value ~= nil and value ~= null end

--- An integer; nil where it is absent or not above zero.
local function read_count(ctx, value, pointer, what)
  if not given(value) then return nil end
  local n = type(value) == "number" and math.tointeger(value)
  if not n then
    ctx.faults:query(pointer, "%s is an integer or null, not %s", what, host.show(value))
  elseif n > 0 then
    return n
  end
end

local function read_switch(ctx, value, pointer)
  if not given(value) or value == false or value == 0 then return false end
  if value == true or value == 1 then return true end
  ctx.faults:query(pointer, "count is true or false, not %s", host.show(value))
  return false
end

-- ---- sort and group ----

--- The names of a list or a text with + or - behind them: { { name, descending, pointer }, … }, each name once. They go
--- behind those of `before`.
local function read_names(ctx, input, pointer, what, before)
  local list, at, form = {}, {}, kernel.form(input)
  for i, known in ipairs(before or {}) do
    list[i] = { name = known.name, descending = known.descending, pointer = known.pointer }
    at[known.name] = list[i]
  end
  local function add(name, pointer_here)
    if type(name) ~= "string" then
      return ctx.faults:query(pointer_here, "%s takes names, not %s", what, host.show(name))
    end
    local plain, sign = name:match "^(.-)([+-]?)$"
    local known = at[plain]
    if known then
      known.descending = sign == "-"
    else
      at[plain] = { name = plain, descending = sign == "-", pointer = pointer_here }
      list[#list + 1] = at[plain]
    end
  end
  if type(input) == "string" then
    for name in input:gmatch "%S+" do add(name, pointer) end
  elseif form == "list" or form == "empty" then
    for i, name in ipairs(input) do add(name, faults.at(pointer, i - 1)) end
  elseif form == "object" then
    local name, direction = next(input)
    if next(input, name) ~= nil then
      ctx.faults:query(pointer, "the keys of an object have no order: %s by several names takes a list", what)
    elseif direction ~= 1 and direction ~= -1 then
      ctx.faults:query(faults.at(pointer, name), "a direction is 1 or -1, not %s", host.show(direction))
    elseif type(name) == "string" then
      add(name .. (direction == 1 and "+" or "-"), faults.at(pointer, name))
    end
  else
    ctx.faults:query(pointer, "%s takes a list, a text or an object, not %s", what, host.show(input))
  end
  return list
end

--- The settings behind a relation to one whose values may be compared; rows that are filtered out would show through.
local function through(ctx, settings, relation, pointer)
  if relation.many then
    return ctx.faults:query(pointer, "%s leads to many rows of %s, not to one", relation.name, relation.target)
  end
  local related = filter.related(ctx, settings, relation, pointer)
  if related and related.condition then
    return ctx.faults:add(pointer, "forbidden", "%s is filtered: only filter and join reach through it", relation.name)
  end
  return related
end

--- Checks a name that rows are sorted, grouped or summed up by: "views", "data.key", "author.name".
---@return table|nil place  of the kernel's column, whose name for the kernel is `path`
local function reach(ctx, settings, name, pointer)
  if name:find("__", 1, true) then
    return ctx.faults:unknown(pointer, "field", name, settings.info.name, settings:names "ce")
  end
  local head, rest = name:match "^([^.]*)%.(.*)$"
  local relation = rest and settings:relation(head)
  if not relation then return filter.place(ctx, settings, name, pointer) end
  if relation.many and rest == "count" then return filter.number(ctx, settings, relation, name, pointer) end
  local related = through(ctx, settings, relation, pointer)
  local place = related and reach(ctx, related, rest, pointer)
  if place then place.path = relation.field .. "." .. place.path end
  return place
end

--- The names that rows are sorted by, as the kernel knows them, with a - in front of those that descend.
local function read_orders(ctx, settings, orders)
  local list = {}
  for _, order in ipairs(orders) do
    local known = not settings.legacy[order.name:match "^[^.]*"] and ctx:term(order.pointer)
    local place = known and reach(ctx, settings, order.name, order.pointer)
    if place then list[#list + 1] = (order.descending and "-" or "") .. place.path end
  end
  return list
end

-- ---- join ----

--- What join and joinf name: { { name, query, pointer }, … }; objects have no order, so theirs is the declared one.
local function read_joins(ctx, settings, input, pointer)
  local list, seen, form = {}, {}, kernel.form(input)
  local function add(name, query, at)
    if seen[name] then return end
    seen[name] = true
    list[#list + 1] = { name = name, query = query, pointer = at }
  end
  if type(input) == "string" then
    for name in input:gmatch "%S+" do add(name, nil, pointer) end
  elseif form == "list" or form == "empty" then
    for i, name in ipairs(input) do
      if type(name) == "string" then
        add(name, nil, faults.at(pointer, i - 1))
      else
        ctx.faults:query(faults.at(pointer, i - 1), "a relation's name was expected, not %s", host.show(name))
      end
    end
  elseif form == "object" then
    for _, field in ipairs(settings.info.list) do
      if field.group == "relation" and input[field.name] ~= nil then
        add(field.name, input[field.name], faults.at(pointer, field.name))
      end
    end
    local unknown = {}
    for name in pairs(input) do
      if not seen[name] then unknown[#unknown + 1] = tostring(name) end
    end
    table.sort(unknown)
    for _, name in ipairs(unknown) do add(name, input[name], faults.at(pointer, name)) end
  else
    ctx.faults:query(pointer, "it takes a list, a text or an object, not %s", host.show(input))
  end
  return list
end

--- null, {}, "", 0 and false load a relation without options.
local function is_plain(query)
  return not given(query) or query == 0 or query == "" or query == false or kernel.form(query) == "empty"
    or (kernel.form(query) == "object" and next(query) == nil)
end

local read_node, add_query

--- Adds a Query Object to what is joined already: both filters hold, fields and relations add up.
local function add_options(ctx, join, known)
  if known.filtering then
    return ctx.faults:query(join.pointer, "%s is joined already", join.name)
  end
  known.sources[#known.sources + 1] = join.source
  if not ctx:enter(join.pointer) then return end
  add_query(ctx, known.node, join.query, join.pointer, #known.sources, false)
  ctx:leave()
end

local function replace(list, old, new)
  for i, each in ipairs(list) do
    if each == old then
      if new then list[i] = new else table.remove(list, i) end
      return
    end
  end
  list[#list + 1] = new
end

--- Adds a join to the node, once: { name =, query =, pointer =, source =, filtering =, forced =, quiet = }. `source`
--- says where the nested Query Object lies in the one above: { index =, operation = }, or is the object, { query = }.
local function add_join(ctx, node, join)
  local settings, relation = node.settings, node.settings:relation(join.name)
  if settings.legacy[join.name] then return end
  if not relation then
    return ctx.faults:unknown(join.pointer, "relation", join.name, settings.info.name, settings:names "r")
  end
  local related = join.forced and settings:related(relation) or filter.related(ctx, settings, relation, join.pointer)
  if not related or not ctx:node(join.pointer) then return end
  local plain, known = is_plain(join.query), node.joins[join.name]
  if not plain and kernel.form(join.query) ~= "object" then
    return ctx.faults:query(join.pointer, "a nested Query Object is an object or null, not %s", host.show(join.query))
  end
  if known and plain and not join.filtering then
    known.quiet = known.quiet and join.quiet
    return
  end
  local options = known and not (known.plain and not known.filtering)
  if options and join.filtering then
    return ctx.faults:query(join.pointer, "%s is joined already", join.name)
  elseif options then
    return add_options(ctx, join, known)
  end
  if not ctx:enter(join.pointer) then return end
  local child = read_node(ctx, related, plain and {} or join.query, join.pointer, relation, join.filtering)
  ctx:leave()
  local made = {
    name = join.name, relation = relation, node = child, filtering = join.filtering or false, plain = plain,
    quiet = join.quiet, sources = { not plain and join.source or nil },
  }
  replace(node.joins, known, made)
  node.joins[join.name] = made
end

local function check_allowed(ctx, node, handler, value, pointer)
  if not given(value) then return false end
  if node.settings:enabled(handler) then return true end
  ctx.faults:add(pointer, "forbidden", 'the operation "%s" is disabled for %s', handler, node.settings.info.name)
  return false
end

local function add_joins(ctx, node, query, pointer, index)
  for _, handler in ipairs { "joinf", "join" } do
    local at = faults.at(pointer, handler)
    if check_allowed(ctx, node, handler, query[handler], at) then
      for _, join in ipairs(read_joins(ctx, node.settings, query[handler], at)) do
        join.filtering, join.source = handler == "joinf", { index = index, operation = handler }
        add_join(ctx, node, join)
      end
    end
  end
end

--- The relations that a projection named: 0 takes a join away. Without an index the projection is that of the settings.
local function add_projected(ctx, node, relations, index)
  for _, relation in ipairs(relations) do
    local entry, name = relation.entry, relation.name
    if entry.value == false then
      if node.joins[name] then replace(node.joins, node.joins[name], nil) end
      node.joins[name] = nil
    elseif check_allowed(ctx, node, "join", true, entry.pointer) then
      local source = index and { index = index, operation = "project" } or { query = entry.query }
      add_join(ctx, node, { name = name, query = entry.query, pointer = entry.pointer, source = source })
    end
  end
end

--- What the settings load, whatever was asked for.
local function add_forced(ctx, node)
  for _, setting in ipairs { "force_include", "ensure_loaded" } do
    for _, name in ipairs(node.settings:names "r") do
      local wanted = (node.settings[setting] or {})[name]
      if wanted and not node.joins[name] then
        add_join(ctx, node, { name = name, pointer = "", forced = true, quiet = setting == "ensure_loaded" })
      end
    end
  end
  for name, needs in pairs(node.settings.bundles) do
    for _, need in ipairs(node.projection:gives(name) and needs or {}) do
      local joined = node.settings:relation(need) and not node.joins[need]
      if joined then add_join(ctx, node, { name = need, pointer = "", forced = true, quiet = true }) end
    end
  end
end

-- ---- Nodes ----

local operations = {
  project = true, sort = true, filter = true, join = true, joinf = true, aggregate = true, group = true, having = true,
  skip = true, limit = true, count = true, after = true, before = true, total = true,
}
local top_only = { "aggregate", "group", "having", "count", "after", "before", "total" }
local operation_names = {}
for name in pairs(operations) do operation_names[#operation_names + 1] = name end
table.sort(operation_names)

local function check_operations(ctx, query, pointer, nested)
  local unknown = {}
  for name in pairs(query) do
    if not operations[name] then unknown[#unknown + 1] = tostring(name) end
  end
  table.sort(unknown)
  for _, name in ipairs(unknown) do
    ctx.faults:unknown(faults.at(pointer, name), "operation", name, "a Query Object", operation_names)
  end
  for _, name in ipairs(nested and top_only or {}) do
    if given(query[name]) then
      ctx.faults:query(faults.at(pointer, name), "%s does not go with what is joined", name)
    end
  end
end

--- skip and limit; what is joined as one object has neither, and what filters its parents is not cut.
local function read_limit(ctx, node, name, value)
  if not given(value) then return end
  local relation, at = node.relation, faults.at(node.pointer, name)
  local n = read_count(ctx, value, at, name)
  if not check_allowed(ctx, node, "limit", true, at) or not n then return end
  if not relation then return n end
  if node.filtering and relation.many then return ctx.faults:query(at, "joinf takes no %s", name) end
  if relation.many then return n end
  if name == "skip" then ctx.faults:query(at, "%s is one object: skip does not apply", relation.name) end
end

local function read_limits(ctx, node, query)
  local skip, limit = read_limit(ctx, node, "skip", query.skip), read_limit(ctx, node, "limit", query.limit)
  local most = node.settings.max_items
  if most and not (node.relation and not node.relation.many) then limit = math.min(limit or most, most) end
  return skip, limit
end

local function add_filter(ctx, node, query, pointer, index)
  local at = faults.at(pointer, "filter")
  if check_allowed(ctx, node, "filter", query.filter, at) then
    local make = filter.criteria(ctx, node.settings, query.filter, at)
    node.filters[#node.filters + 1] = { index = index, make = make }
  end
end

local function read_aggregates(ctx, node, query, pointer)
  local at, names = faults.at(pointer, "group"), {}
  if check_allowed(ctx, node, "group", query.group, at) then names = read_names(ctx, query.group, at, "group") end
  node.group = names
  aggregate.groups(ctx, node, reach, names)
  at = faults.at(pointer, "aggregate")
  if check_allowed(ctx, node, "aggregate", query.aggregate, at) then
    aggregate.labels(ctx, node, reach, query.aggregate, at)
  end
  at = faults.at(pointer, "having")
  if check_allowed(ctx, node, "aggregate", query.having, at) then aggregate.having(ctx, node, query.having, at) end
end

local function read_sort(ctx, node, query, pointer)
  local at = faults.at(pointer, "sort")
  if not check_allowed(ctx, node, "sort", query.sort, at) then return end
  node.orders = read_names(ctx, query.sort, at, "sort", node.orders)
end

--- What the rows are sorted by, for the kernel.
local function read_sorted(ctx, node)
  if aggregate.is(node) then return #node.groups > 0 and aggregate.orders(ctx, node, node.orders) or {} end
  local sorted = read_orders(ctx, node.settings, node.orders)
  return node.relation and not node.relation.many and {} or sorted  -- one object has no order
end

--- The node of a Query Object: all that holds for each of its shape. Values come in with bind().
function read_node(ctx, settings, query, pointer, relation, filtering)
  local node = {
    settings = settings, class = settings.class, relation = relation, filtering = filtering, pointer = pointer,
    joins = {}, filters = {}, orders = {}, frames = {},
  }
  node.values = { __index = node }
  check_operations(ctx, query, pointer, relation ~= nil)
  add_joins(ctx, node, query, pointer, 1)
  add_filter(ctx, node, query, pointer, 1)
  read_aggregates(ctx, node, query, pointer)
  read_sort(ctx, node, query, pointer)
  node.sorted = read_sorted(ctx, node)
  local at, projected = faults.at(pointer, "project"), query.project
  if not check_allowed(ctx, node, "project", projected, at) then projected = nil end
  local relations
  node.projection, relations = projection.new(ctx, settings, projected, at)
  add_projected(ctx, node, relations, projected ~= nil and 1 or nil)
  add_forced(ctx, node)
  return node
end

local mergeable = { project = true, filter = true, sort = true, join = true, joinf = true }
local mergeable_names = { "filter", "join", "joinf", "project", "sort" }

--- Adds Query Object number `index` to a node: filters are ANDed, projections and orders overlaid, relations joined.
function add_query(ctx, node, query, pointer, index, quietly)
  local unknown = {}
  for name, value in pairs(query) do
    if not mergeable[name] and given(value) then unknown[#unknown + 1] = tostring(name) end
  end
  table.sort(unknown)
  for _, name in ipairs(unknown) do
    ctx.faults:unknown(faults.at(pointer, name), "operation to merge", name, "a Query Object", mergeable_names)
  end
  add_filter(ctx, node, query, pointer, index)
  read_sort(ctx, node, query, pointer)
  node.sorted = read_sorted(ctx, node)
  add_joins(ctx, node, query, pointer, index)
  local at = faults.at(pointer, "project")
  if check_allowed(ctx, node, "project", query.project, at) then
    add_projected(ctx, node, node.projection:merge(ctx, query.project, at, quietly), index)
  end
end

-- ---- Values ----

local bind

--- What is joined; where no value can change it, it is made once.
local function bind_join(ctx, join, queries)
  if join.bound then return join.bound end
  local list, fixed = {}, true
  for i, source in ipairs(join.sources) do
    list[i] = source.query or queries[source.index][source.operation][join.name]
    fixed = fixed and source.query ~= nil
  end
  local bound = {
    name = join.name, relation = join.relation, filtering = join.filtering, quiet = join.quiet, fixed = fixed,
    node = bind(ctx, join.node, list),
  }
  if fixed then join.bound = bound end
  return bound
end

--- What a node is with the values of its Query Objects: with conditions, skip and limit.
function bind(ctx, node, queries)
  local query = queries[1] or {}
  local bound = setmetatable({ own = {}, joins = {} }, node.values)
  for _, each in ipairs(node.filters) do
    local value = queries[each.index].filter
    bound.own[#bound.own + 1] = each.make and each.make(ctx, value)
    bound.filter = bound.filter and { ["$and"] = marks.array { bound.filter, value } } or value
  end
  bound.skip, bound.limit = read_limits(ctx, node, query)
  for i, join in ipairs(node.joins) do
    local made = bind_join(ctx, join, queries)
    bound.joins[i], bound.joins[join.name] = made, made
  end
  aggregate.bind(ctx, node, bound, query)
  bound.aggregate, bound.having = query.aggregate, query.having
  return bound
end

--- Loads fields and relations for code, without giving them out: "name", "relation", "relation.name".
---@return string|nil fault
function parse.ensure(node, name)
  local head, rest = name:match "^([^.]*)%.(.*)$"
  local settings = node.settings
  if not rest and settings.info.columns[name] then
    node.projection:load(name)
    return
  end
  local relation = settings.info.relations[head or name]
  if not relation then return settings.info.name .. " has no field or relation " .. host.show_key(head or name) end
  local join = node.joins[relation.name]
  if not join then
    local ctx, related = new_context(settings), settings:related(relation)
    if not related then return "the relation " .. relation.name .. " is not allowed" end
    local child = read_node(ctx, related, { project = rest and "" or nil }, "", relation)
    ctx.faults:raise()
    join = {
      name = relation.name, relation = relation, node = child, filtering = false, plain = true, quiet = true,
      sources = {},
    }
    node.joins[#node.joins + 1], node.joins[join.name] = join, join
  elseif not join.plain and not rest then
    return "the relation " .. relation.name .. " was asked for with options of its own"
  end
  return rest and parse.ensure(join.node, rest) or nil
end

--- The condition that a row of the node meets: what was asked for, what the settings force, and what joinf asks for.
function parse.condition(node)
  local list = { node.settings.condition }
  table.move(node.own, 1, #node.own, #list + 1, list)
  for _, join in ipairs(node.joins) do
    if join.filtering then
      list[#list + 1] = node.class.fields[join.relation.field]:some(parse.condition(join.node))
    end
  end
  if #list == 1 then return list[1] end
  return kernel.condition(node.class, { ["$and"] = list })
end

--- What counts among the operations when rows are counted.
local counted = { "filter", "joinf", "aggregate", "group", "having", "count" }

local function for_count(query)
  local kept = {}
  for _, name in ipairs(counted) do kept[name] = query[name] end
  return kept
end

--- total: true, or "capped:N".
local function read_total(ctx, node, value)
  if not given(value) or value == false or not check_allowed(ctx, node, "count", value, "/total") then return end
  node.total = value
  node.cap = type(value) == "string" and math.tointeger(tonumber(value:match "^capped:(%d+)$"))
  if value ~= true and not node.cap then
    ctx.faults:query("/total", 'total is true or "capped:N", not %s', host.show(value))
  end
end

--- Pages go by the values of whole columns that may be seen; their cursors hold these values.
local function check_pages(ctx, node, pointer)
  local settings = node.settings
  if aggregate.is(node) then return ctx.faults:query(pointer, "groups come as a whole, without cursors") end
  for _, key in ipairs(settings.info.keys) do
    if settings.hidden[key] then
      return ctx.faults:add(pointer, "forbidden", "pages by cursors are disabled for %s", settings.info.name)
    end
  end
  for _, order in ipairs(node.orders) do
    local column = settings:column(order.name)
    local kind = column and column.group == "column" and column.kind
    if not kind or kind == "json" or kind == "bytes" or kind == "list" or kind == "set" or kind == "map" then
      local name = host.show_key(order.name)
      ctx.faults:query(order.pointer, "pages by cursors are sorted by whole columns, not by %s", name)
    end
  end
  if node.skip then ctx.faults:query("/skip", "skip does not go with a cursor") end
end

local function read_cursors(ctx, node, query)
  for _, name in ipairs { "after", "before" } do
    local value, at = query[name], "/" .. name
    if given(value) and check_allowed(ctx, node, "limit", value, at) then
      if type(value) == "string" then
        node[name] = value
        check_pages(ctx, node, at)
      else
        ctx.faults:query(at, "a cursor is text, not %s", host.show(value))
      end
    end
  end
  if node.after and node.before then
    ctx.faults:query("/before", "a page comes after a cursor or before one, not both")
  end
end

--- Why the node's rows do not come in pages, nil if they may.
function parse.pages_fault(node)
  local ctx = new_context(node.settings)
  check_pages(ctx, node, "")
  return ctx.faults[1] and ctx.faults[1].message
end

-- ---- Plans: what Query Objects of one shape have in common ----

local PLANS = 128  -- of each of two generations; what is asked for goes to the younger one

local function keep(plans, key, plan)
  if plans.n == PLANS then plans.old, plans.young, plans.n = plans.young, {}, 0 end
  plans.young[key], plans.n = plan, plans.n + 1
end

local function kept(plans, key)
  local plan = plans.young[key]
  if plan then return plan end
  plan = plans.old[key]
  if plan then keep(plans, key, plan) end
  return plan
end

local function read_plan(ctx, settings, query)
  local count = settings:enabled "count" and read_switch(ctx, query.count, "/count")
  local plan = read_node(ctx, settings, count and for_count(query) or query, "")
  check_allowed(ctx, plan, "count", query.count, "/count")
  plan.count = count
  if count and plan.compared then ctx.faults:query("/having", "having does not go with count") end
  read_total(ctx, plan, query.total)
  return plan
end

local function bind_all(ctx, plan, queries)
  local query = queries[1]
  local node = bind(ctx, plan, plan.count and { for_count(query) } or queries)
  if not plan.count then read_cursors(ctx, node, query) end
  ctx.faults:raise()
  return node
end

--- Reads a Query Object. Raises all of its faults. Gives the node, and the plan that it was made of, which is kept by
--- the shape of the Query Object.
---@param settings table  compiled
---@param query table
function parse.read(settings, query)
  local ctx, key = new_context(settings), kernel.shape(query)
  local plan = key and kept(settings.plans, key)
  if plan then return bind_all(ctx, plan, { query }), plan end
  plan = read_plan(ctx, settings, query)
  local node = bind_all(ctx, plan, { query })
  if key then keep(settings.plans, key, plan) end
  return node, plan
end

--- The same with a plan that nobody else has.
function parse.read_apart(settings, query)
  local ctx = new_context(settings)
  local plan = read_plan(ctx, settings, query)
  ctx.faults:raise()
  return plan
end

--- Forgets what was made of a plan that is no longer what it was.
local function forget(plan)
  plan.frames, plan.written, plan.computes, plan.guards = {}, nil, nil, nil
  for _, join in ipairs(plan.joins) do
    join.bound = nil
    forget(join.node)
  end
end

--- Adds what your own code asks for to a plan that nobody else has, and to the list of its Query Objects.
---@param quietly? boolean  what is projected is loaded and not given out
function parse.merge(plan, queries, query, quietly)
  local ctx = new_context(plan.settings)
  queries[#queries + 1] = query
  add_query(ctx, plan, query, "", #queries, quietly)
  forget(plan)
  return bind_all(ctx, plan, queries)
end

--- The node of a plan that was changed, for the Query Objects that were read before.
function parse.bind(plan, queries)
  forget(plan)
  return bind_all(new_context(plan.settings), plan, queries)
end

return parse
