-- dynamodb/stream.lua: store:stream: the changes of a table, out of the shards of its stream. A shard ends after some
-- hours, and has children that go on where it ended. Within a shard the order is that of the changes, and children come
-- behind their parents; among others it is that of the times, which DynamoDB keeps in whole seconds.
local datetime = require "neap.datetime"
local describe = require "neap.dynamodb.schema".describe
local host = require "neap.host"
local json = require "neap.json"
local image = require "neap.dynamodb.kernel".image
local now = require "neap.now"
local usage = require "neap.fail".usage

local SIDE_BY_SIDE = 8
local LOOKS = 5          -- at a shard that has given nothing yet: there may be gaps before its records
local LONGEST_PAUSE = 1  -- seconds between two looks

local EPOCH = datetime "1970-01-01T00:00:00Z"

local Stream = {}
Stream.__index = Stream

-- ---- Shards ----

--- All shards that the stream has now, in its order: parents first.
local function describe_shards(self)
  local list, start = {}, nil
  repeat
    local reply = self.store:request("DescribeStream", { StreamArn = self.arn, ExclusiveStartShardId = start })
    local described = reply.StreamDescription
    table.move(described.Shards, 1, #described.Shards, #list + 1, list)
    start = described.LastEvaluatedShardId
  until not start
  return list
end

--- A shard that is being read: behind `after`, the number of the last record that was handed out; else from its
--- beginning, without what is older than `since`.
local function shard_at(id, after, since)
  return { id = id, after = after, read = after, since = since, looks = 0 }
end

local function children_of(shards, id)
  local list = {}
  for _, shard in ipairs(shards) do
    if shard.ParentShardId == id then list[#list + 1] = shard_at(shard.ShardId) end
  end
  return list
end

--- Those whose parents are not there any more.
local function roots_of(shards)
  local known, list = {}, {}
  for _, shard in ipairs(shards) do known[shard.ShardId] = true end
  for _, shard in ipairs(shards) do
    if not known[shard.ParentShardId] then list[#list + 1] = shard_at(shard.ShardId) end
  end
  return list
end

--- Those that are still written to, from now on. Where that has to be found again later, the minute counts: some
--- servers keep no seconds.
local function open_ones(shards)
  local list, since = {}, (now() - EPOCH) // 60 * 60
  for _, shard in ipairs(shards) do
    if not shard.SequenceNumberRange.EndingSequenceNumber then
      list[#list + 1] = shard_at(shard.ShardId, nil, since)
      list[#list].latest = true
    end
  end
  return list
end

-- ---- Reading ----

local function iterator_of(self, shard)
  local kind = shard.read and "AFTER_SEQUENCE_NUMBER" or shard.latest and "LATEST" or "TRIM_HORIZON"
  shard.latest = nil  -- another iterator would pass over what has come since
  local reply, e = host.try(self.store.request, self.store, "GetShardIterator", {
    StreamArn = self.arn, ShardId = shard.id, ShardIteratorType = kind, SequenceNumber = shard.read,
  })
  if reply then return reply.ShardIterator end
  if e.code == "TrimmedDataAccessException" then
    error(host.error {
      kind = "not_found", code = e.code, cause = e, store = "dynamodb",
      message = self.table .. ": changes behind the token are older than a day, and gone; "
        .. '"trim_horizon" begins with what is left',
    }, 0)
  end
  error(e, 0)
end

--- Reads a piece of the shard into the buffer.
local function read(self, shard)
  for _ = 1, math.max(1, LOOKS - shard.looks) do
    shard.iterator = shard.iterator or iterator_of(self, shard)
    local reply, e = host.try(self.store.request, self.store, "GetRecords", { ShardIterator = shard.iterator })
    if not reply and e.code ~= "ExpiredIteratorException" then error(e, 0) end
    shard.iterator = reply and reply.NextShardIterator
    shard.ended = reply and not shard.iterator
    local records = reply and reply.Records or {}
    for _, record in ipairs(records) do
      shard.read = record.dynamodb.SequenceNumber
      self.arrived = self.arrived + 1
      table.insert(self.buffer, { shard = shard, record = record, arrived = self.arrived })
    end
    if #records > 0 or shard.ended then return end
    shard.looks = shard.looks + 1
  end
end

local function earlier(a, b)
  local x, y = a.record.dynamodb, b.record.dynamodb
  if a.shard == b.shard then return a.arrived < b.arrived end
  if x.ApproximateCreationDateTime ~= y.ApproximateCreationDateTime then
    return x.ApproximateCreationDateTime < y.ApproximateCreationDateTime
  end
  local m, n = x.SequenceNumber, y.SequenceNumber
  if m ~= n then return #m < #n or #m == #n and m < n end
  return a.arrived < b.arrived
end

--- Puts the children of shards that have ended in their place, and looks at each shard once. All that was read before
--- has been handed out. Gives whether there may be more than nothing now.
local function fill(self)
  local active, shards = {}, nil
  for _, shard in ipairs(self.active) do
    if shard.ended then
      shards = shards or describe_shards(self)
      local children = children_of(shards, shard.id)
      table.move(children, 1, #children, #active + 1, active)
    else
      active[#active + 1] = shard
    end
  end
  self.active = active
  require "neap".gather(active, SIDE_BY_SIDE, function(shard) read(self, shard) return true end)
  table.sort(self.buffer, earlier)
  if #self.buffer > 0 then return true end
  for _, shard in ipairs(active) do if shard.ended then return true end end
  return false
end

-- ---- Records ----

local function object_of(self, item)
  return item and image(self.class, json.encode(item), false)
end

--- The record as scripts see it; nil if it is of another model in the table.
local function record_of(self, raw)
  local change = raw.dynamodb
  local old, new = object_of(self, change.OldImage), object_of(self, change.NewImage)
  if (change.OldImage or change.NewImage) and not (old or new) then return nil end
  local by = raw.userIdentity or {}
  return {
    event = raw.eventName:lower(),
    key = image(self.class, json.encode(change.Keys), true):key_of(),
    old = old,
    new = new,
    at = EPOCH + change.ApproximateCreationDateTime,
    sequence = change.SequenceNumber,
    expired = by.Type == "Service" and by.PrincipalId == "dynamodb.amazonaws.com" or nil,
  }
end

--- The next one of the buffer that is wanted.
local function take(self)
  while self.taken < #self.buffer do
    self.taken = self.taken + 1
    local entry = self.buffer[self.taken]
    local at, since = entry.record.dynamodb.ApproximateCreationDateTime, entry.shard.since or self.since
    local record = not (since and at < since) and record_of(self, entry.record)
    entry.shard.after, entry.shard.since = entry.record.dynamodb.SequenceNumber, nil
    if record then return record end
  end
  self.buffer, self.taken = {}, 0
end

local function step(self)
  repeat
    local record = take(self)
    if record then return record end
  until not fill(self)
end

--- The next change, or nil when there is none now.
---@return table? record  { event = "insert" | "modify" | "remove", key =, old =, new =, at =, sequence =, expired = }:
---  expired is true where the service deleted it at its time
function Stream:next()
  if self.reading then usage "a stream is read by one task at a time: open another one" end
  self.reading = true
  local ok, record = pcall(step, self)
  self.reading = false
  if not ok then error(record, 0) end
  return record
end

--- An iterator over changes as they come. Ends after `wait` seconds without one; default: never.
---@param options? { wait: number }
---@return fun(): table?
function Stream:each(options)
  host.check("table", options or {}, "options")
  local wait = options and options.wait
  if wait and not (type(wait) == "number" and wait >= 0) then usage("wait is seconds, not %s", host.show(wait)) end
  return function()
    local waited, pause = 0, 0.05
    while true do
      local record = self:next()
      if record then return record end
      if wait and waited >= wait then return nil end
      if wait then pause = math.min(pause, wait - waited) end
      host.sleep(pause)
      waited, pause = waited + pause, math.min(pause * 2, LONGEST_PAUSE)
    end
  end
end

--- Where it stands: behind the last change that was handed out. Numbers, text and tables alone, so that it may be kept
--- as JSON; store:stream takes it up again within a day.
---@return table token
function Stream:token()
  local shards = {}
  for i, shard in ipairs(self.active) do shards[i] = { id = shard.id, after = shard.after, since = shard.since } end
  return { stream = self.arn, since = self.since, shards = shards }
end

-- ---- Beginning ----

local function bad_token(self)
  usage("the token is not one of the stream of %s; a token is what stream:token() gave", self.table)
end

--- The shards of a token that are still there, and the children of those that are not.
local function resume(self, token)
  if token.stream ~= self.arn or type(token.shards) ~= "table" then bad_token(self) end
  local shards, known, active = describe_shards(self), {}, {}
  for _, shard in ipairs(shards) do known[shard.ShardId] = true end
  for _, kept in ipairs(token.shards) do
    if type(kept) ~= "table" or type(kept.id) ~= "string" then bad_token(self) end
    if known[kept.id] then
      active[#active + 1] = shard_at(kept.id, kept.after, kept.since)
    else
      local children = children_of(shards, kept.id)
      table.move(children, 1, #children, #active + 1, active)
    end
  end
  self.since = token.since
  return #active > 0 and active or roots_of(shards)
end

local function begin(self, position)
  if position == "trim_horizon" then return roots_of(describe_shards(self)) end
  if position == "latest" then return open_ones(describe_shards(self)) end
  if type(position) == "table" then return resume(self, position) end
  local ok, since = pcall(function() return position - EPOCH end)
  if not ok or type(position) ~= "userdata" then
    usage('a stream begins at "trim_horizon", "latest", a datetime or a token, not %s', host.show(position))
  end
  self.since = since // 1
  return roots_of(describe_shards(self))
end

--- The stream of a model's table.
---@param store table
---@param class table  the model
---@param position string|table|userdata  "trim_horizon" (all that is kept: a day), "latest", a datetime, or a token
---@return table stream
return function(store, class, position)
  local name = describe(class).table
  local found = store:request("DescribeTable", { TableName = name }).Table
  if not (found.StreamSpecification and found.StreamSpecification.StreamEnabled) then
    usage('the table %s has no stream: declare { stream = "new_and_old" } and call bind{ update = true }', name)
  end
  local self = setmetatable({
    store = store, class = class, table = name, arn = found.LatestStreamArn, buffer = {}, taken = 0, arrived = 0,
  }, Stream)
  self.active = begin(self, position)
  return self
end
