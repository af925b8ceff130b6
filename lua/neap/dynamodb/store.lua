-- dynamodb/store.lua: opening a store of DynamoDB, and requests that scripts write themselves.
local host = require "neap.host"
local json = require "neap.json"
local opening = require "neap.opening"
local usage = require "neap.fail".usage
local view = require "neap.view"

local found, kernel = pcall(require, "neap.dynamodb.kernel")
if not found then
  error(type(kernel) == "table" and kernel or host.error { kind = "unsupported",
    message = "this neap was built without HTTP (WITH_HTTP=0), which DynamoDB speaks" }, 0)
end

local dynamodb = {}

local function text(name)
  return function(value)
    if type(value) ~= "string" or value == "" then usage("%s is text, not %s", name, host.show(value)) end
    return value
  end
end

local function number(name, least, what)
  return function(value)
    local n = tonumber(value)
    if not n or n < least then usage("%s is %s, not %s", name, what, host.show(value)) end
    return n
  end
end

local function seconds(name) return number(name, 0, "a number of seconds") end
local function rate(name) return number(name, 1, "units of capacity a second, 1 or more") end

local options = {
  region = text "region",
  endpoint = text "endpoint",
  access_key = text "access_key",
  secret_key = text "secret_key",
  session_token = text "session_token",
  profile = text "profile",
  timeout = seconds "timeout",
  read_rate = rate "read_rate",
  write_rate = rate "write_rate",
  capacity = function(value)
    if value ~= true and value ~= "true" then usage("capacity is true, or not given, not %s", host.show(value)) end
    return true
  end,
  connect_timeout = seconds "connect_timeout",
  attempts = function(value)
    local n = math.tointeger(tonumber(value))
    if not n or n < 1 or n > 100 then usage("attempts is a number from 1 to 100, not %s", host.show(value)) end
    return n
  end,
  scan = function(value)
    value = tostring(value)
    if value ~= "true" and value ~= "false" then usage("scan is true or false, not %s", value) end
    return value == "true"
  end,
  table_template = opening.table_template,
}

local function option_names()
  local names = {}
  for name in pairs(options) do names[#names + 1] = name end
  table.sort(names)
  local last = table.remove(names)
  return table.concat(names, ", ") .. " and " .. last
end

local function set(out, name, value)
  local read = options[name]
  if not read then usage("%s is no option of this store; they are %s", host.show_key(name), option_names()) end
  out[name] = read(value)
end

--- Opens dynamodb://REGION?endpoint=http://127.0.0.1:8000&timeout=5; what it does not say is in the AWS_* variables and
--- the files of AWS's tools.
---@param rest string  the URL behind "dynamodb:"
---@param given table  options; those of the URL count for less
---@param granted? string  the name by which the host allows scripts to open it
function dynamodb.open(rest, given, _, granted)
  local region, query = rest:gsub("^//", ""):match "^([^?/]*)/?[?]?(.*)$"
  if not region then usage("a store of DynamoDB is dynamodb://REGION?option=value") end
  local out = { granted = granted }
  if region ~= "" then out.region = opening.decode(region) end
  for pair in query:gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=(.*)$"
    if not name then usage('"%s" is no option; options look like ?timeout=5', pair) end
    set(out, name, opening.decode(value))
  end
  for name, value in pairs(given) do
    if name ~= "url" then set(out, name, value) end
  end
  local opened = kernel.open(out)
  view.shared(opened).scan = out.scan
  return opened
end

--- Sends a request as it is: store:request("DescribeTable", { TableName = "posts" }).
---@param operation string  of DynamoDB or DynamoDB Streams
---@param payload? table  its members; an empty list is neap.array{}
---@return table reply
function dynamodb.request(store, operation, payload)
  if type(operation) ~= "string" or not operation:find "^%a+$" then
    usage('the operation of a request is a name such as "DescribeTable", not %s', host.show(operation))
  end
  host.check("table", payload or {}, "payload")
  return json.decode(kernel.request(store, operation, json.encode(payload or {})))
end

--- What was spent since the store was opened, where that is counted: { posts = { read = 12.5, write = 3.0 } }.
---@return table<string, { read: number, write: number }> units by table
function dynamodb.capacity(store)
  return kernel.capacity(store)
end

return dynamodb
