-- dynamodb/lease.lua: locks as items of the table neap_leases in DynamoDB. The service does not look at them when
-- others are written: fences hold by the time until which the lock is had for certain.
local fence = require "neap.fence"
local host = require "neap.host"
local kernel = require "neap.dynamodb.kernel"
local now = require "neap.now"
local process = require "neap.process"

local HOLDER = { "host", "machine", "pid", "born", "since" }
local NUMBERS = { token = true, renewals = true, seconds = true, pid = true, born = true }

local Database = {}
Database.__index = Database

local function database(store)
  local place = "leases of " .. fence.place(store)
  local self = { store = store, table = kernel.table_name(store, "neap_leases"), place = place, fence = "" }
  return setmetatable(self, Database)
end

function Database.leave() end

function Database.is_out() return false end

local function attribute(name, value)
  return NUMBERS[name] and { N = tostring(value) } or { S = tostring(value) }
end

local function row_of(item)
  local row = {}
  for name, value in pairs(item) do row[name] = value.S or math.tointeger(value.N) or tonumber(value.N) end
  return row
end

--- Makes the table, or waits until somebody else has.
local function make_table(self)
  local _, e = host.try(self.store.request, self.store, "CreateTable", {
    TableName = self.table, BillingMode = "PAY_PER_REQUEST",
    AttributeDefinitions = { { AttributeName = "name", AttributeType = "S" } },
    KeySchema = { { AttributeName = "name", KeyType = "HASH" } },
  })
  if e and e.code ~= "ResourceInUseException" then error(e, 0) end
  local described = { TableName = self.table }
  while self.store:request("DescribeTable", described).Table.TableStatus ~= "ACTIVE" do host.sleep(0.5) end
end

function Database:read(name)
  local key = { TableName = self.table, Key = { name = { S = name } }, ConsistentRead = true }
  local reply, e = host.try(self.store.request, self.store, "GetItem", key)
  if not reply and not host.is(e, "not_found") then error(e, 0) end
  if not reply then make_table(self) end
  if reply and reply.Item then return row_of(reply.Item) end
  return { name = name, token = 0, renewals = 0, seconds = 0 }
end

--- Changes the item where it still is what it was seen to be. False: it is not.
local function change(self, name, update, condition, values)
  local names = { ["#token"] = "token" }
  for word in (update .. condition):gmatch "#(%a+)" do names["#" .. word] = word end
  local reply, e = host.try(self.store.request, self.store, "UpdateItem", {
    TableName = self.table, Key = { name = { S = name } }, UpdateExpression = update, ConditionExpression = condition,
    ExpressionAttributeNames = names, ExpressionAttributeValues = values,
  })
  if not reply and not host.is(e, "condition") then error(e, 0) end
  return reply ~= nil
end

function Database:take(row, seconds)
  local me, token = process.self(), row.token + 1
  local holder = { host = me.host, machine = me.machine, pid = me.pid, born = me.born, since = now() }
  local update = { "SET #token = :next, #renewals = :none, #seconds = :seconds" }
  local values = {
    [":next"] = { N = tostring(token) }, [":none"] = { N = "0" }, [":seconds"] = { N = tostring(seconds) },
    [":seen"] = { N = tostring(row.token) }, [":renewals"] = { N = tostring(row.renewals) },
  }
  for _, name in ipairs(HOLDER) do
    update[#update + 1] = ("#%s = :%s"):format(name, name)
    values[":" .. name] = attribute(name, holder[name])
  end
  local condition = "#token = :seen AND #renewals = :renewals"
  if row.token == 0 then condition = ("attribute_not_exists(#token) OR (%s)"):format(condition) end
  return change(self, row.name, table.concat(update, ", "), condition, values) and token or nil
end

local function held(token, more)
  local values = { [":one"] = { N = "1" }, [":token"] = { N = tostring(token) } }
  return "SET #renewals = #renewals + :one" .. more, "#token = :token", values
end

function Database:renew(name, token)
  return change(self, name, held(token, ""))
end

function Database:release(name, token)
  change(self, name, held(token, " REMOVE #host, #machine, #pid, #born"))
end

return database
