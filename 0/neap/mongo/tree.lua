-- tree.lua: what a Query Object has come to, defaults and forced settings included, as plain tables.
local marks = require "neap.marks"

local tree = {}
local null = marks.null

local function or_null(value) return value == nil and null or value end

--- { "a", "b-" }
local function names_of(orders)
  local list = {}
  for i, order in ipairs(orders) do list[i] = order.name .. (order.descending and "-" or "") end
  return #list > 0 and marks.array(list) or null
end

local function joins_of(node, filtering)
  local result
  for _, join in ipairs(node.joins) do
    if join.filtering == filtering and not join.quiet then
      result = result or {}
      result[join.name] = tree.query(join.node)
    end
  end
  return result and marks.object(result) or null
end

--- A whole Query Object: every key is there, with null where nothing was asked for.
function tree.query(node)
  return {
    project = node.projection:as_is(), sort = names_of(node.orders), filter = or_null(node.filter),
    join = joins_of(node, false), joinf = joins_of(node, true), aggregate = or_null(node.aggregate),
    group = names_of(node.group), having = or_null(node.having), skip = or_null(node.skip), limit = or_null(node.limit),
    count = node.count or null, after = or_null(node.after), before = or_null(node.before), total = or_null(node.total),
  }
end

local function with_joins(node, result, inner)
  for _, join in ipairs(node.joins) do
    if not join.quiet then result[join.name] = inner(join.node) end
  end
  return result
end

--- { name = 1 } of what is included, or { name = 0 } of what is excluded; relations as trees.
function tree.projection(node) return with_joins(node, node.projection:as_is(), tree.projection) end

--- { name = 1 or 0 } of every field; the relations that are loaded as trees.
function tree.full(node) return with_joins(node, node.projection:all(), tree.full) end

return tree
