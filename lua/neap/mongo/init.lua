-- mongo: Query Objects, { filter = …, sort = …, project = …, limit = … } from outside, as tables or JSON text,
-- within what the settings of a model allow.
local aggregate = require "neap.mongo.aggregate"
local faults = require "neap.mongo.faults"
local host = require "neap.host"
local json = require "neap.json"
local kernel = require "neap.mongo.kernel"
local marks = require "neap.marks"
local parse = require "neap.mongo.parse"
local settings = require "neap.mongo.settings"
local tree = require "neap.mongo.tree"
local usage = require "neap.fail".usage

local mongo = {}
local methods = {}
local mq_meta = { __index = methods }

-- ---- Making ----

--- What reads Query Objects for a model.
---@param of table         a class
---@param given? table     settings
---@return table mq
function mongo.query(of, given)
  return setmetatable({ settings = settings.compile(of, given), class = of }, mq_meta)
end

--- The rows that there are at all: a query of the same model, to be narrowed by Query Objects.
---@param query table
function methods:from(query)
  self.base = query
  return self
end

local function given(value) return value ~= nil and value ~= marks.null end

local function decode(text)
  local ok, value = pcall(json.decode, text)
  if ok then return value end
  local list = faults.new()
  list:query("", "it is no JSON: %s", value.message)
  list:raise()
end

--- A key that is given, null too, replaces the default one. Sums have no use for a default order.
local function with_defaults(object, defaults)
  local whole = {}
  for name, value in pairs(defaults) do whole[name] = value end
  local sums = given(object.aggregate) or given(object.group)
  if sums then whole.sort = nil end
  for name, value in pairs(object) do whole[name] = value end
  return whole
end

--- Takes the Query Object: a table, JSON text, or nil for everything. Raises `query` or `forbidden` with all faults.
---@param object? table|string
---@param defaults? table  a Query Object: what holds for keys that are not given
function methods:query(object, defaults)
  if self.node then usage "a Query Object was given already: make another query for the next one" end
  if type(object) == "string" then object = decode(object) end
  if object == nil or object == marks.null then object = {} end
  local form = kernel.form(object)
  if form ~= "object" and form ~= "empty" then
    local list = faults.new()
    list:query("", "a Query Object is an object or null, not %s", host.show(object))
    list:raise()
  end
  object = defaults and with_defaults(object, defaults) or object
  self.node, self.plan = parse.read(self.settings, object)
  self.queries = { object }
  return self
end

local function node_of(self)
  if not self.node then self:query {} end
  return self.node
end

local function rows_of(self, what)
  local node = node_of(self)
  if node.count or aggregate.is(node) then usage("%s is for rows, not for numbers", what) end
  return node
end

--- Makes the plan one of its own, to be changed: others may have the one that was kept.
local function own_plan(self, what)
  rows_of(self, what)
  if not self.apart then self.plan, self.apart = parse.read_apart(self.settings, self.queries[1]), true end
  return self.plan
end

--- Adds what your own code asks for to the Query Object: project, filter, sort, join, joinf.
---@param object table
---@param quietly? boolean  what is projected is loaded and not given out
function methods:merge(object, quietly)
  self.node = parse.merge(own_plan(self, "merge"), self.queries, object, quietly)
  return self
end

--- Loads fields, relations and fields of relations for your code, whatever is projected.
---@param ... string
function methods:ensure_loaded(...)
  local plan = own_plan(self, "ensure_loaded")
  for _, name in ipairs { ... } do
    local fault = parse.ensure(plan, name)
    if fault then usage("ensure_loaded: %s", fault) end
  end
  self.node = parse.bind(plan, self.queries)
  return self
end

-- ---- The query of the kernel ----

local function cut(q, node)
  if node.limit then q = q:limit(node.limit) end
  return node.skip and q:skip(node.skip) or q
end

--- Sorts, the order being completed by the keys, so that pages are what they are each time.
local function ordered(q, node, complete)
  local list, seen = {}, {}
  for i, name in ipairs(node.sorted) do
    list[i] = name
    seen[name:gsub("^%-", "")] = true
  end
  if #list == 0 and not complete then return q end
  for _, key in ipairs(node.settings.info.keys) do
    if not seen[key] then list[#list + 1] = key end
  end
  return #list > 0 and q:order(table.unpack(list)) or q
end

local function selected(q, node)
  local columns = node.projection:columns()
  for _, join in ipairs(node.joins) do columns[#columns + 1] = join.relation.pointer end
  if #columns == 0 then columns = table.move(node.settings.info.keys, 1, #node.settings.info.keys, 1, {}) end
  local counts = node.projection:counts()
  table.move(counts, 1, #counts, #columns + 1, columns)
  return #columns > 0 and q:select(table.unpack(columns)) or q
end

--- What of a query holds for every Query Object of the shape: order and fields. Kept for queries over a whole class.
local function framed(base, node, complete)
  if base ~= node.class then return selected(ordered(base, node, complete), node) end
  local made = node.frames[complete]
  if not made then
    made = selected(ordered(base, node, complete), node)
    node.frames[complete] = made
  end
  return made
end

local function narrowed(q, node)
  local condition = parse.condition(node)
  return condition and q:where(condition) or q
end

--- A query with conditions, order, fields and joins, but without skip and limit.
local function rows_query(base, node, complete)
  local q = narrowed(framed(base, node, complete), node)
  local related = {}
  for _, join in ipairs(node.joins) do
    local query = join.query or cut(rows_query(join.node.class, join.node, false), join.node)
    if join.fixed then join.query = query end
    related[join.name] = query
  end
  return next(related) and q:include(related) or q
end

--- The query that will be sent.
function methods:build()
  local node = node_of(self)
  local base = self.base or self.class
  if aggregate.is(node) then return aggregate.build(narrowed(base, node), node) end
  if node.count then return narrowed(base, node) end
  return cut(rows_query(base, node, not self.base and (node.limit or node.skip) ~= nil), node)
end

--- All rows that meet its conditions and those of the settings: a query without fields, joins, order and pages.
function methods:matching()
  return narrowed(self.base or self.class, node_of(self))
end

-- ---- Results ----

--- What is written of each object.
local function written_of(plan)
  if plan.written then return plan.written end
  local relations = {}
  for _, join in ipairs(plan.joins) do
    if not join.quiet then relations[#relations + 1] = { join.name, written_of(join.node) } end
  end
  plan.written = kernel.plan(plan.class, plan.projection:output(), relations)
  return plan.written
end

--- Has getters somewhere in the tree.
local function has_properties(plan)
  if plan.computes ~= nil then return plan.computes end
  local found = #plan.projection:properties() > 0
  for _, join in ipairs(plan.joins) do found = found or has_properties(join.node) end
  plan.computes = found
  return found
end

--- What an include gave for an object, as a list.
local function joined(object, join)
  local related = kernel.included(object, join.relation.field)
  return related and (join.relation.many and related or { related }) or {}
end

--- What getters give, by object: they are the script's own, and may wait, so they run before the rows are written.
local function compute(node, objects, computed)
  local properties = node.projection:properties()
  for _, object in ipairs(objects) do
    if #properties > 0 then
      local values = {}
      for _, name in ipairs(properties) do values[name] = object[name] end
      computed[object] = values
    end
    for _, join in ipairs(node.joins) do compute(join.node, joined(object, join), computed) end
  end
  return computed
end

--- Objects do not load relations by touch where the settings of their node say so.
local function guard(plan, objects)
  if plan.settings.eager then kernel.eager(objects) end
  for _, join in ipairs(plan.joins) do
    for _, object in ipairs(objects) do guard(join.node, joined(object, join)) end
  end
end

--- Whether that is so somewhere in the tree.
local function has_guards(plan)
  if plan.guards ~= nil then return plan.guards end
  local found = plan.settings.eager
  for _, join in ipairs(plan.joins) do found = found or has_guards(join.node) end
  plan.guards = found
  return found
end

--- A page of objects, and the cursors of the next and the previous one.
local function read_page(self)
  local node = node_of(self)
  local q = rows_query(self.base or self.class, node, false)
  local options = { size = node.limit or math.maxinteger >> 32, after = node.after, before = node.before }
  local ok, rows, behind, before = pcall(q.page, q, options)
  if ok then
    if has_guards(self.plan) then guard(self.plan, rows) end
    return rows, behind, before
  end
  local forged = node.after or node.before
  if not (forged and (host.is(rows, "query") or host.is(rows, "usage") or host.is(rows, "validation"))) then
    error(rows, 0)
  end
  local list = faults.new()
  list:query(node.after and "/after" or "/before", "%s", rows.message)
  list:raise()
end

--- The objects themselves.
function methods:objects()
  local node = rows_of(self, "objects")
  if node.after or node.before then return (read_page(self)) end
  local objects = self:build():all()
  if has_guards(self.plan) then guard(self.plan, objects) end
  return objects
end

local function written(self, write, objects)
  local plan = self.plan
  return write(objects, written_of(plan), has_properties(plan) and compute(plan, objects, {}) or nil)
end

--- A page: what run() gives, or as JSON text, and the cursors that `after` and `before` take for the next and the
--- previous one, nil where there is none.
---@param as? "json"
function methods:page(as)
  local fault = parse.pages_fault(rows_of(self, "page"))
  if fault then usage("page: %s", fault) end
  local objects, behind, before = read_page(self)
  return written(self, as == "json" and kernel.json or kernel.tables, objects), behind, before
end

--- A list of plain tables with exactly what was projected, NULL as neap.null, or of groups; a number where count was
--- asked for.
function methods:run()
  local node = node_of(self)
  if node.count and #node.groups == 0 and #node.aggregates > 0 then return 1 end
  if node.count then return self:build():count() end
  if aggregate.is(node) then return aggregate.run(self:build(), node) end
  return written(self, kernel.tables, self:objects())
end

--- The same as JSON text, without building tables.
function methods:json()
  local node = node_of(self)
  if node.count then return json.encode(self:run()) end
  if aggregate.is(node) then return aggregate.json(self:build(), node) end
  return written(self, kernel.json, self:objects())
end

--- One object of objects() as a plain table with exactly what was projected.
---@param object table
function methods:pluck(object)
  node_of(self)
  return written(self, kernel.tables, { object })[1]
end

--- The rows, and how many there were without skip and limit; { total = "capped:N" } counts no further than N.
function methods:total()
  local node, all = rows_of(self, "total"), self:matching()
  return self:run(), (node.cap and all:limit(node.cap) or all):count()
end

-- ---- What will come ----

function methods:result_is_scalar() return node_of(self).count end

function methods:result_is_tuples()
  local node = node_of(self)
  return not node.count and aggregate.is(node)
end

function methods:result_contains_entities()
  local node = node_of(self)
  return not node.count and not aggregate.is(node)
end

--- Whether a field or relation is loaded, given out or not.
---@param name string
function methods:includes(name)
  local node = node_of(self)
  if node.joins[name] then return true end
  return node.projection:gives(name) or node.projection.quiet[name] == true
end

--- The Query Object with defaults and forced settings; every key is there.
function methods:final_query_object() return tree.query(node_of(self)) end

--- { name = 1 } of what is included or { name = 0 } of what is excluded, relations as trees.
function methods:projection_tree() return tree.projection(node_of(self)) end

--- { name = 1 or 0 } of every field, relations that are loaded as trees.
function methods:full_projection_tree() return tree.full(node_of(self)) end

--- Makes a fresh copy for each call, so that one set of settings serves many Query Objects.
---@param mq table
function mongo.reusable(mq)
  return setmetatable({}, {
    __index = function(_, name)
      local method = methods[name]
      return method and function(_, ...)
        return method(setmetatable({ settings = mq.settings, class = mq.class, base = mq.base }, mq_meta), ...)
      end
    end,
  })
end

return mongo
