-- dynamodb/rules.lua: what must hold of a declaration that speaks of DynamoDB, or that is to be a table there. All that
-- is wrong is said at once.
local class = require "neap.class"
local host = require "neap.host"

local MOST_LOCAL_INDEXES = 5

local key_types = {}
for _, kind in ipairs {
  "string", "uuid", "datetime", "date", "integer", "number", "decimal", "timestamp", "bytes", "pointer",
} do
  key_types[kind] = true
end

local index_kinds = { index = true, unique = true, global_index = true, local_index = true }
local kept_nowhere = { relation = true, has_one = true, has_many = true, many_to_many = true, computed = true }

-- ---- Collecting ----

--- A declaration that is being looked at: `columns` are the specs of its columns by their names, `names` lists these.
local Check = {}
Check.__index = Check

local function looked_at(list, options, here)
  local self = { faults = {}, columns = {}, names = {}, keys = {}, indexes = {}, options = options, here = here }
  for _, pair in ipairs(list) do
    local name, spec = pair[1], pair[2]
    if index_kinds[spec.kind] then
      self.indexes[#self.indexes + 1] = { name = name, kind = spec.kind, options = spec.options }
    elseif not kept_nowhere[spec.kind] then
      self.columns[name], self.names[#self.names + 1] = spec, name
      if spec.kind == "pointer" then self.columns[spec.options.column or name .. "_id"] = spec end
      if spec.options.primary or spec.options.hash_key or spec.options.range_key then table.insert(self.keys, name) end
    end
  end
  return setmetatable(self, Check)
end

function Check:fault(format, ...)
  self.wrong = true
  table.insert(self.faults, format:format(...))
end

--- What other stores can, and only counts where the table is DynamoDB's.
function Check:cannot(format, ...)
  if self.here then table.insert(self.faults, format:format(...)) end
end

local function is_units(value)
  return math.type(value) == "integer" and value >= 1
end

function Check:units(where, options)
  for _, name in ipairs { "read_units", "write_units" } do
    local value = options[name]
    if value ~= nil and not is_units(value) then
      self:fault("%s%s is an integer >= 1, not %s", where, name, host.show(value))
    end
    if value ~= nil and self.options.billing == "on_demand" then
      self:fault('%s%s is for billing = "provisioned"', where, name)
    end
  end
end

function Check:name(name)
  if type(name) ~= "string" then return end
  if #name < 3 or #name > 255 or name:find "[^%w_.-]" then
    self:cannot("index %s: a name in DynamoDB has 3 to 255 of a-z A-Z 0-9 _ . -; column = gives it another", name)
  end
end

-- ---- Keys ----

--- The names of the fields with a flag; more than one is a fault.
function Check:only(flag)
  local found = {}
  for _, name in ipairs(self.keys) do
    if self.columns[name].options[flag] then found[#found + 1] = name end
  end
  if #found > 1 then self:fault("%s is said of %s: a table has one", flag, table.concat(found, " and of ")) end
  return found[1]
end

function Check:key_type(where, name)
  local kind = self.columns[name].kind
  if key_types[kind] then return end
  self:cannot("%s%s: keys are text, numbers or bytes, and this is a %s", where, name, kind)
end

function Check:table_keys()
  local hash, range = self:only "hash_key", self:only "range_key"
  if hash and hash == range then self:fault("%s is hash_key and range_key both", hash) end
  if range and #self.keys == 1 and not hash then
    self:fault("%s is the range_key, and no field is the hash_key", range)
  end
  if #self.keys > 2 then
    self:cannot("its key has %d columns: a hash key and a range key are all that there may be", #self.keys)
  end
  for _, name in ipairs(self.keys) do self:key_type("", name) end
end

-- ---- Indexes ----

function Check:column(index, what, name)
  if type(name) ~= "string" then
    return self:fault("%s: %s is the name of a field, not %s", index.name, what, host.show(name))
  end
  if self.columns[name] then return true end
  self:fault("%s: %s names no column %s%s", index.name, what, host.show_key(name), class.hint(name, self.names))
end

function Check:projection(index)
  local projection = index.options.projection
  if projection == nil or projection == "all" or projection == "keys" then return end
  if type(projection) ~= "table" then
    return self:fault('%s: projection is "all", "keys" or a list of fields, not %s', index.name, host.show(projection))
  end
  for _, name in ipairs(projection) do self:column(index, "projection", name) end
end

function Check:index(index)
  local options = index.options
  for _, what in ipairs { "hash_key", "range_key" } do
    if options[what] ~= nil and self:column(index, what, options[what]) then
      self:key_type(index.name .. ": ", options[what])
    end
  end
  local hash = index.kind == "global_index" and options.hash_key or self.keys[1]
  if hash and hash == options.range_key then
    self:fault("%s: %s is its hash_key and its range_key both", index.name, hash)
  end
  if index.kind == "local_index" and #self.keys < 2 then
    self:fault("%s: a local index needs a model with a range_key", index.name)
  end
  self:projection(index)
  self:units(index.name .. ": ", options)
  self:name(options.column or index.name)
end

function Check:all_indexes()
  local named, locals = {}, 0
  for _, index in ipairs(self.indexes) do
    if index.kind == "global_index" or index.kind == "local_index" then
      local wire = index.options.column or index.name
      if named[wire] then self:fault("%s and %s are both called %s", named[wire], index.name, host.show_key(wire)) end
      named[wire] = index.name
      locals = locals + (index.kind == "local_index" and 1 or 0)
      self:index(index)
    end
  end
  if locals > MOST_LOCAL_INDEXES then
    self:cannot("a table has %d local indexes at most, and this %d", MOST_LOCAL_INDEXES, locals)
  end
end

-- ---- The model ----

function Check:word(name, words)
  local value = self.options[name]
  for _, word in ipairs(words) do if value == nil or value == word then return end end
  self:fault("%s has no %s%s", name, host.show_key(value), class.hint(value, words))
end

local numbers = { timestamp = true, integer = true, number = true, decimal = true }

function Check:ttl()
  local name = self.options.ttl
  if name == nil then return end
  local spec = self.columns[name]
  if not spec then
    self:fault("ttl names no column %s%s", host.show_key(name), class.hint(name, self.names))
  elseif not numbers[spec.kind] then
    self:fault("ttl: %s is a %s, and the server reads seconds; t.timestamp() keeps them", name, spec.kind)
  end
end

--- What SQL keeps and this store does not.
function Check:unkept(list)
  for _, pair in ipairs(list) do
    local name, spec = pair[1], pair[2]
    local options = spec.options or {}
    if options.auto and spec.kind == "integer" then
      self:cannot("%s: DynamoDB counts nothing up; t.uuid{ auto = true } needs no counter", name)
    end
    if spec.kind == "unique" or options.unique and (#self.keys > 1 or self.keys[1] ~= name) then
      self:cannot("%s: DynamoDB keeps nothing unique but keys", name)
    end
    if options.on_delete then self:cannot("%s: on_delete is for stores that keep references", name) end
    if spec.compute and spec.compute.sql then
      self:cannot("%s: DynamoDB computes no fields; give get = instead of sql", name)
    end
  end
end

--- Raises what is wrong with a declaration, all of it in one message and in e.errors: usage, or unsupported if other
--- stores could keep it.
---@param model string
---@param list table[]    { name, type } in declared order
---@param options table   of the model
---@param here boolean    whether its store is DynamoDB
return function(model, list, options, here)
  local self = looked_at(list, options, here)
  self:table_keys()
  self:all_indexes()
  self:word("billing", { "on_demand", "provisioned" })
  self:word("stream", { "keys", "new", "old", "new_and_old" })
  self:units("", options)
  self:ttl()
  self:unkept(list)
  if #self.faults == 0 then return end
  error(host.error {
    kind = self.wrong and "usage" or "unsupported",
    message = ("%s: %s"):format(model, table.concat(self.faults, "; ")),
    errors = self.faults,
  }, 0)
end
