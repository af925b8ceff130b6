-- dynamodb/compare.lua: a table as it is declared beside the table as the server describes it. Of the description only
-- what a model may say is looked at; whatever else the table has is left alone.
local requests = require "neap.dynamodb.requests"

local Comparison = {}
Comparison.__index = Comparison

--- Something that differs. Where it may be changed `change` says how, and with bind{ update = true } that is done.
function Comparison:differ(what, expected, actual, change)
  if change and self.update then return table.insert(self.changes, change) end
  table.insert(self.differences, {
    model = self.wanted.model, what = what, expected = tostring(expected), actual = tostring(actual),
  })
end

-- ---- Keys ----

local function show_declared(keys)
  local text = keys[1].name .. " (hash)"
  return keys[2] and ("%s, %s (range)"):format(text, keys[2].name) or text
end

local function show_actual(schema)
  local parts = {}
  for _, key in ipairs(schema) do
    local text = ("%s (%s)"):format(key.AttributeName, key.KeyType:lower())
    table.insert(parts, key.KeyType == "HASH" and 1 or #parts + 1, text)
  end
  return table.concat(parts, ", ")
end

function Comparison:key(what, keys, schema, change)
  local expected, actual = show_declared(keys), show_actual(schema)
  if expected == actual then return true end
  self:differ(what, expected, actual, change)
end

--- An attribute has one type in all keys of a table.
function Comparison:types()
  local actual, names = {}, {}
  for _, definition in ipairs(self.actual.AttributeDefinitions or {}) do
    actual[definition.AttributeName] = definition.AttributeType
  end
  for name in pairs(self.wanted.types) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local expected = self.wanted.types[name]
    if actual[name] and actual[name] ~= expected then self:differ("type of " .. name, expected, actual[name]) end
  end
end

-- ---- Indexes ----

local function show_holds(holds)
  if not holds then return "all" end
  return #holds == 0 and "keys" or "keys, " .. table.concat(holds, ", ")
end

local function show_projection(projection)
  return show_holds(projection.ProjectionType ~= "ALL" and (projection.NonKeyAttributes or {}) or nil)
end

--- What the server has beside the keys may be more than is declared.
local function is_held(holds, projection)
  if projection.ProjectionType == "ALL" then return true end
  local there = {}
  for _, name in ipairs(projection.NonKeyAttributes or {}) do there[name] = true end
  for _, name in ipairs(holds or {}) do if not there[name] then return false end end
  return holds ~= nil
end

function Comparison:find(name)
  for _, kind in ipairs { "Global", "Local" } do
    for _, index in ipairs(self.actual[kind .. "SecondaryIndexes"] or {}) do
      if index.IndexName == name then return index, kind:lower() end
    end
  end
end

function Comparison:index(index)
  local actual, kind = self:find(index.name)
  local what = "index " .. index.name
  local make = index.kind == "global" and { index = index, drop = actual ~= nil } or nil
  if not actual then return self:differ(what, show_declared(index.keys), "missing", make) end
  if kind ~= index.kind then return self:differ(what, index.kind, kind) end
  if not self:key(what .. ": key", index.keys, actual.KeySchema, make) then return end
  if not is_held(index.holds, actual.Projection) then
    return self:differ(what .. ": projection", show_holds(index.holds), show_projection(actual.Projection), make)
  end
  if kind == "global" then self:units(what .. ": ", index, actual.ProvisionedThroughput, { units_of = index.name }) end
end

-- ---- What may change ----

local function billing_of(actual)
  local mode = actual.BillingModeSummary and actual.BillingModeSummary.BillingMode
  return mode == "PAY_PER_REQUEST" and "on_demand" or "provisioned"
end

--- Units where any are declared, and count.
function Comparison:units(where, wanted, actual, change)
  if self.billing ~= "provisioned" then return end
  local names = { read_units = "ReadCapacityUnits", write_units = "WriteCapacityUnits" }
  for _, name in ipairs { "read_units", "write_units" } do
    local units = actual and actual[names[name]] or 0
    if wanted[name] and wanted[name] ~= units then self:differ(where .. name, wanted[name], units, change) end
  end
end

function Comparison:throughput()
  local wanted = self.wanted.billing
  self.billing = billing_of(self.actual)
  if wanted and wanted ~= self.billing then
    self:differ("billing", wanted, self.billing, { billing = wanted })
  else
    self:units("", self.wanted, self.actual.ProvisionedThroughput, { units = true })
  end
end

function Comparison:stream()
  local found = self.actual.StreamSpecification
  local actual = found and found.StreamEnabled and found.StreamViewType or "none"
  local expected = requests.view_type(self.wanted.stream)
  if expected and expected ~= actual then
    self:differ("stream", expected, actual, { stream = true, off = actual ~= "none" })
  end
end

function Comparison:ttl(found)
  local on = found.TimeToLiveStatus == "ENABLED" or found.TimeToLiveStatus == "ENABLING"
  local actual = on and found.AttributeName or "none"
  if actual ~= self.wanted.ttl then
    self:differ("ttl", self.wanted.ttl, actual, { ttl = self.wanted.ttl, off = on and actual })
  end
end

-- ---- The requests that bring it about ----

--- All that changes billing and units is one request: nothing may be said of units twice, and what is to be provisioned
--- needs units everywhere.
function Comparison:throughput_request(add)
  local billing, units, names = nil, false, {}
  for _, change in ipairs(self.changes) do
    billing, units = billing or change.billing, units or change.units
    if change.units_of and names[#names] ~= change.units_of then names[#names + 1] = change.units_of end
  end
  if billing == "provisioned" then
    units, names = true, {}
    for _, index in ipairs(self.actual.GlobalSecondaryIndexes or {}) do names[#names + 1] = index.IndexName end
  end
  if billing or units or names[1] then add(requests.throughput(self.wanted, self.actual, billing, units, names)) end
  return billing or self.billing
end

--- The requests that make what was found differing as declared, one after the other: { operation =, request = }.
function Comparison:requests()
  local list, wanted = {}, self.wanted
  local function add(operation, request) list[#list + 1] = { operation = operation, request = request } end
  local billing = self:throughput_request(add)
  for _, change in ipairs(self.changes) do
    if change.stream and change.off then add(requests.stream(wanted, false)) end
    if change.stream then add(requests.stream(wanted, true)) end
    if change.index and change.drop then add(requests.drop_index(wanted, change.index.name)) end
    if change.index then add(requests.add_index(wanted, change.index, billing)) end
    if change.ttl and change.off then add(requests.ttl(wanted, change.off, false)) end
    if change.ttl then add(requests.ttl(wanted, change.ttl, true)) end
  end
  return list
end

--- Compares a table with what is there.
---@param wanted table    as dynamodb/wanted.lua gives it
---@param actual table    the server's description
---@param ttl? table      what the server says of its TTL, nil where it was not asked
---@param update boolean  whether what may be changed is
---@return table[] differences, table[] requests
return function(wanted, actual, ttl, update)
  local self = { wanted = wanted, actual = actual, update = update, differences = {}, changes = {} }
  setmetatable(self, Comparison)
  self:key("key", wanted.keys, actual.KeySchema)
  self:types()
  self:throughput()
  for _, index in ipairs(wanted.indexes) do self:index(index) end
  self:stream()
  if ttl then self:ttl(ttl) end
  return self.differences, self:requests()
end
