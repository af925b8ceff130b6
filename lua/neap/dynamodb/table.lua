-- dynamodb/table.lua: store:bind and store:drop for DynamoDB. Every table is looked at before anything is written, and
-- nothing is while one of them differs in what bind may not change.
local compare = require "neap.dynamodb.compare"
local host = require "neap.host"
local describe = require "neap.dynamodb.schema".describe
local fail = require "neap.fail"
local json = require "neap.json"
local log = require "neap.log"
local mismatch = require "neap.schema.mismatch"
local requests = require "neap.dynamodb.requests"
local types = require "neap.types"
local view = require "neap.view"
local wanted_of = require "neap.dynamodb.wanted"

local tables = { options = { update = true, timeout = true, names = "update and timeout" } }

local TIMEOUT = 300  -- seconds
local SIDE_BY_SIDE = 8
local LONGEST_PAUSE = 5  -- seconds between two looks at a table

local TABLES = "the tables in DynamoDB are"

-- ---- Asking ----

--- The reply, or nil if the error is of that kind.
local function unless(kind, store, operation, request)
  local reply, e = host.try(store.request, store, operation, request)
  if not reply and not host.is(e, kind) then error(e, 0) end
  return reply
end

local function description(store, name)
  local reply = unless("not_found", store, "DescribeTable", { TableName = name })
  return reply and reply.Table
end

--- Looks at a table until ready(description) says that it is; the description is nil where there is no such table.
local function wait(store, name, timeout, ready)
  local waited, pause = 0, 0.05
  while true do
    local found = description(store, name)
    if ready(found) then return found end
    if waited >= timeout then
      fail.as("timeout", "the table %s is %s after %g seconds; bind goes on with it when it is called again", name,
        found and found.TableStatus or "missing", timeout)
    end
    local delay = pause * (0.5 + math.random() / 2)
    host.sleep(delay)
    waited, pause = waited + delay, math.min(pause * 2, LONGEST_PAUSE)
  end
end

--- Whether a table can be used, and each index of it that is declared.
local function is_active(wanted, found)
  if found.TableStatus ~= "ACTIVE" then return false end
  for _, index in ipairs(found.GlobalSecondaryIndexes or {}) do
    if wanted.indexes[index.IndexName] and index.IndexStatus ~= "ACTIVE" then return false end
  end
  return true
end

--- What is there of a table, once it can be used: nil if it is missing.
local function find(store, wanted, timeout)
  return wait(store, wanted.table, timeout, function(found)
    return not found or (found.TableStatus ~= "DELETING" and is_active(wanted, found))
  end)
end

--- What the server says of the TTL, if any is declared. Servers without TTL are left alone.
local function ttl_of(store, wanted)
  local reply = wanted.ttl and unless("unsupported", store, "DescribeTimeToLive", { TableName = wanted.table })
  return reply and reply.TimeToLiveDescription or nil
end

-- ---- Doing ----

--- Says what a dry run does not send. Tables hold no secrets.
local function rehearse(operation, request)
  log.info(("not sent: %s %s"):format(operation, json.encode(request)))
end

--- The work on one table: what is to be done, and how it goes.
local Work = {}
Work.__index = Work

function Work:send(operation, request)
  table.insert(self.done, { operation = operation, request = request })
  if not view.dry_run(self.store) then return self.store:request(operation, request) end
  rehearse(operation, request)
end

--- Whether the index of a table that an update made or deleted is there, or is not.
local function is_done(update, found)
  local name, there = (update.Create or update.Delete or {}).IndexName, false
  for _, index in ipairs(found.GlobalSecondaryIndexes or {}) do there = there or index.IndexName == name end
  return name == nil or there == (update.Create ~= nil)
end

--- Waits until the table can be used again, after an update of its indexes if there was one.
function Work:settle(updates)
  return wait(self.store, self.wanted.table, self.timeout, function(found)
    return found and is_active(self.wanted, found) and is_done(updates and updates[1] or {}, found)
  end)
end

--- Says which field tells when an item ends, where the server knows of such.
function Work:set_ttl()
  local reply, e = host.try(self.send, self, requests.ttl(self.wanted, self.wanted.ttl, true))
  if not reply and not host.is(e, "unsupported") then error(e, 0) end
end

--- Creates the table. Of two that do so at once, one is told that it is there.
function Work:create()
  local operation, request = requests.create(self.wanted)
  local reply, e = host.try(self.send, self, operation, request)
  if e and e.code ~= "ResourceInUseException" then error(e, 0) end
  if view.dry_run(self.store) then return end
  local found = reply and reply.TableDescription
  if not found or not is_active(self.wanted, found) then found = self:settle() end
  if self.wanted.ttl and reply then self:set_ttl() end
  self:check(found)
end

--- What another has made meanwhile, or the server has made of what it was asked for, is what was declared.
function Work:check(found)
  mismatch(compare(self.wanted, found, nil, false), TABLES, "bind again")
end

function Work:change(changes)
  local found
  for _, change in ipairs(changes) do
    self:send(change.operation, change.request)
    if change.operation == "UpdateTable" and not view.dry_run(self.store) then
      found = self:settle(change.request.GlobalSecondaryIndexUpdates)
    end
  end
  if found then self:check(found) end
end

--- Calls f for each of the works, some side by side.
local function each(works, f)
  require "neap".gather(works, SIDE_BY_SIDE, function(work) f(work) return true end)
end

--- Looks at all tables; raises with all that differs and may not be changed.
local function look(works, update)
  local differences = {}
  each(works, function(work)
    work.found = find(work.store, work.wanted, work.timeout)
    if not work.found then return end
    local ttl = ttl_of(work.store, work.wanted)
    work.differences, work.changes = compare(work.wanted, work.found, ttl, update)
  end)
  for _, work in ipairs(works) do
    table.move(work.differences or {}, 1, #(work.differences or {}), #differences + 1, differences)
  end
  mismatch(differences, TABLES, "the tables: bind{ update = true } does where that is possible")
end

--- Creates tables that are missing, and waits until all can be used.
---@param models table[]  { class =, options = }
---@param options { update: boolean?, timeout: number? }
---@return table[] done  { operation =, request = }: what was sent, but for questions
function tables.bind(store, models, options)
  local timeout = options.timeout or TIMEOUT
  if type(timeout) ~= "number" or timeout ~= timeout or timeout < 0 then
    fail.usage("bind: timeout is a number of seconds, not %s", host.show(timeout))
  end
  local works, done = {}, {}
  for i, wanted in ipairs(wanted_of(models)) do
    works[i] = setmetatable({ store = store, wanted = wanted, timeout = timeout, done = {} }, Work)
  end
  look(works, options.update)
  each(works, function(work)
    if work.found then work:change(work.changes) else work:create() end
  end)
  for _, work in ipairs(works) do table.move(work.done, 1, #work.done, #done + 1, done) end
  return done
end

--- Drops the table of a model and waits until it is gone.
function tables.drop(store, class)
  local name = describe(class).table
  if view.dry_run(store) then return rehearse("DeleteTable", { TableName = name }) end
  if unless("not_found", store, "DeleteTable", { TableName = name }) then
    wait(store, name, TIMEOUT, function(found) return not found end)
  end
end

--- The fields of a link table that nobody declared; each side is { name, model }. Links are found from both sides.
function tables.link(here, there)
  return {
    { here[1], types.pointer(here[2], { hash_key = true }) },
    { there[1], types.pointer(there[2], { range_key = true }) },
    { "by_" .. there[1], types.global_index { hash_key = there[1], range_key = here[1] } },
  }
end

return tables
