-- dynamodb/wanted.lua: the tables that models declare. Several models may share one: then it has the indexes of all.
local describe = require "neap.dynamodb.schema".describe
local usage = require "neap.fail".usage

-- ---- One model ----

--- The table of one model: { table, models, keys, indexes, types, billing, read_units, write_units, ttl, stream }.
--- `types` are those of all keys, by name; `billing` is nil where nothing is said of it.
local function of_model(model)
  local options, wanted = model.options, describe(model.class)
  wanted.models, wanted.types = { wanted.model }, {}
  wanted.read_units, wanted.write_units, wanted.stream = options.read_units, options.write_units, options.stream
  wanted.ttl = options.ttl and wanted.columns[options.ttl]
  local units = wanted.read_units or wanted.write_units
  for _, key in ipairs(wanted.keys) do wanted.types[key.name] = key.type end
  for _, index in ipairs(wanted.indexes) do
    wanted.indexes[index.name] = index
    units = units or index.read_units or index.write_units
    for _, key in ipairs(index.keys) do wanted.types[key.name] = key.type end
  end
  wanted.billing = options.billing or units and "provisioned" or nil
  return wanted
end

-- ---- Several models of one table ----

local function show_keys(keys)
  local names = {}
  for i, key in ipairs(keys) do names[i] = key.name end
  return table.concat(names, ", ")
end

--- Two models at one table: `into` is what the table has so far.
local Merge = {}
Merge.__index = Merge

function Merge:differ(what, ours, theirs)
  usage("%s and %s share the table %s and differ: %s is %s and %s", self.into.model, self.other.model, self.into.table,
    what, ours, theirs)
end

--- Takes over what the other says of something, if it is the same or nothing was said yet.
function Merge:take(into, other, name, what)
  if other[name] == nil then return end
  if into[name] ~= nil and into[name] ~= other[name] then self:differ(what or name, into[name], other[name]) end
  into[name] = other[name]
end

--- What both hold, which is all if one holds all.
local function union(a, b)
  if not a or not b then return nil end
  local list, seen = {}, {}
  for _, names in ipairs { a, b } do
    for _, name in ipairs(names) do
      if not seen[name] then list[#list + 1] = name end
      seen[name] = true
    end
  end
  return list
end

function Merge:index(other)
  local into, what = self.into.indexes[other.name], "index " .. other.name
  if not into then
    table.insert(self.into.indexes, other)
    self.into.indexes[other.name] = other
    return
  end
  if into.kind ~= other.kind then self:differ(what, into.kind, other.kind) end
  local ours, theirs = show_keys(into.keys), show_keys(other.keys)
  if ours ~= theirs then self:differ("the key of " .. what, ours, theirs) end
  into.holds = union(into.holds, other.holds)
  self:take(into, other, "read_units", what .. ": read_units")
  self:take(into, other, "write_units", what .. ": write_units")
end

function Merge:all()
  local into, other = self.into, self.other
  local ours, theirs = show_keys(into.keys), show_keys(other.keys)
  if ours ~= theirs then self:differ("its key", ours, theirs) end
  for name, type in pairs(other.types) do self:take(into.types, { [name] = type }, name, "the type of " .. name) end
  for _, index in ipairs(other.indexes) do self:index(index) end
  for _, name in ipairs { "billing", "read_units", "write_units", "ttl", "stream" } do self:take(into, other, name) end
  table.insert(into.models, other.model)
end

--- The tables of models, in the order of declaration. Raises usage where models of one table contradict each other.
---@param models table[]  { class =, options = }
---@return table[] wanted
return function(models)
  local list = {}
  for _, model in ipairs(models) do
    if not model.options.view then
      local wanted = of_model(model)
      local into = list[wanted.table]
      if into then
        setmetatable({ into = into, other = wanted }, Merge):all()
      else
        list[#list + 1], list[wanted.table] = wanted, wanted
      end
    end
  end
  return list
end
