-- dynamodb/requests.lua: the requests that make and change a table, as data.
local requests = {}

local view_types = { keys = "KEYS_ONLY", new = "NEW_IMAGE", old = "OLD_IMAGE", new_and_old = "NEW_AND_OLD_IMAGES" }

--- What the server calls the images that a stream holds.
function requests.view_type(stream) return view_types[stream] end

function requests.billing_mode(billing)
  return billing == "provisioned" and "PROVISIONED" or "PAY_PER_REQUEST"
end

local function key_schema(keys)
  local schema = { { AttributeName = keys[1].name, KeyType = "HASH" } }
  if keys[2] then schema[2] = { AttributeName = keys[2].name, KeyType = "RANGE" } end
  return schema
end

--- The distinct attributes of lists of keys: the server refuses others.
local function definitions(...)
  local list, seen = {}, {}
  for _, keys in ipairs { ... } do
    for _, key in ipairs(keys) do
      if not seen[key.name] then list[#list + 1] = { AttributeName = key.name, AttributeType = key.type } end
      seen[key.name] = true
    end
  end
  return list
end

local function projection(holds)
  if not holds then return { ProjectionType = "ALL" } end
  if #holds == 0 then return { ProjectionType = "KEYS_ONLY" } end
  return { ProjectionType = "INCLUDE", NonKeyAttributes = holds }
end

--- Units where none are said are those that are there, else 1.
local function throughput(wanted, actual)
  actual = actual or {}
  local function units(said, found) return said or (found and found > 0 and found) or 1 end
  return {
    ReadCapacityUnits = units(wanted.read_units, actual.ReadCapacityUnits),
    WriteCapacityUnits = units(wanted.write_units, actual.WriteCapacityUnits),
  }
end

local function index_of(index, billing)
  return {
    IndexName = index.name,
    KeySchema = key_schema(index.keys),
    Projection = projection(index.holds),
    ProvisionedThroughput = index.kind == "global" and billing == "provisioned" and throughput(index) or nil,
  }
end

--- The indexes of a kind, nil for none.
local function indexes_of(wanted, kind)
  local list = {}
  for _, index in ipairs(wanted.indexes) do
    if index.kind == kind then list[#list + 1] = index_of(index, wanted.billing) end
  end
  return list[1] and list
end

local function stream_of(wanted)
  return wanted.stream and { StreamEnabled = true, StreamViewType = view_types[wanted.stream] }
end

function requests.create(wanted)
  local keys = { wanted.keys }
  for i, index in ipairs(wanted.indexes) do keys[i + 1] = index.keys end
  return "CreateTable", {
    TableName = wanted.table,
    AttributeDefinitions = definitions(table.unpack(keys)),
    KeySchema = key_schema(wanted.keys),
    BillingMode = requests.billing_mode(wanted.billing),
    ProvisionedThroughput = wanted.billing == "provisioned" and throughput(wanted) or nil,
    GlobalSecondaryIndexes = indexes_of(wanted, "global"),
    LocalSecondaryIndexes = indexes_of(wanted, "local"),
    StreamSpecification = stream_of(wanted),
  }
end

---@param billing? string  the new one, nil where it stays
---@param units boolean    whether those of the table change
---@param names string[]   the indexes whose units do
function requests.throughput(wanted, actual, billing, units, names)
  local updates, found = {}, {}
  for _, index in ipairs(actual.GlobalSecondaryIndexes or {}) do
    found[index.IndexName] = index.ProvisionedThroughput
  end
  for i, name in ipairs(names) do
    updates[i] = { Update = {
      IndexName = name, ProvisionedThroughput = throughput(wanted.indexes[name] or {}, found[name]),
    } }
  end
  return "UpdateTable", {
    TableName = wanted.table,
    BillingMode = billing and requests.billing_mode(billing),
    ProvisionedThroughput = units and throughput(wanted, actual.ProvisionedThroughput) or nil,
    GlobalSecondaryIndexUpdates = updates[1] and updates,
  }
end

function requests.stream(wanted, on)
  return "UpdateTable", {
    TableName = wanted.table, StreamSpecification = on and stream_of(wanted) or { StreamEnabled = false },
  }
end

function requests.add_index(wanted, index, billing)
  return "UpdateTable", {
    TableName = wanted.table,
    AttributeDefinitions = definitions(wanted.keys, index.keys),
    GlobalSecondaryIndexUpdates = { { Create = index_of(index, billing) } },
  }
end

function requests.drop_index(wanted, name)
  local delete = { Delete = { IndexName = name } }
  return "UpdateTable", { TableName = wanted.table, GlobalSecondaryIndexUpdates = { delete } }
end

function requests.ttl(wanted, name, on)
  return "UpdateTimeToLive", {
    TableName = wanted.table, TimeToLiveSpecification = { AttributeName = name, Enabled = on },
  }
end

return requests
