-- Streams of changes: their records, where they begin, tokens, and shards that end. The server's local version splits no shards, so
-- those come from a store that answers as the service does when they are split.
local contract = require "tests.store.contract"
local fails = require "tests.fails"
local neap = require "neap"
local t = neap.types

contract.only("dynamodb", "the stream", function(c)
  local Post

  local function declare(stream)
    return c.store:model("Post", {
      forum = t.string { hash_key = true }, id = t.integer { range_key = true }, title = t.string(), tags = t.set(t.string()),
    }, { stream = stream })
  end

  before_each(function()
    Post = declare "new_and_old"
    c.store:bind()
  end)

  local function all(stream)
    local list = {}
    for record in stream:each { wait = 0 } do list[#list + 1] = record end
    return list
  end

  local function summary(stream)
    local list = {}
    for i, r in ipairs(all(stream)) do
      list[i] = ("%s %d %s>%s"):format(r.event, r.key.id, r.old and r.old.title, r.new and r.new.title)
    end
    return list
  end

  it("gives each change with what was before and after it", function()
    local post = Post { forum = "a", id = 1, title = "one", tags = { "x" } }:save()
    post.title = "two"
    post:save()
    post:delete()
    local records = all(c.store:stream(Post, "trim_horizon"))
    assert.equal(3, #records)
    local insert, modify, remove = table.unpack(records)
    assert.same({ "insert", "modify", "remove" }, { insert.event, modify.event, remove.event })
    assert.same({ forum = "a", id = 1 }, insert.key)
    assert.is_nil(insert.old)
    assert.same({ "x" }, insert.new.tags)
    assert.equal("one", modify.old.title)
    assert.equal("two", modify.new.title)
    assert.is_nil(remove.new)
    assert.equal("two", remove.old.title)
    assert.is_true(neap.now() - modify.at < 3600)
    assert.is_string(modify.sequence)
    assert.is_nil(modify.expired)
  end)

  it("gives objects like any that were loaded", function()
    Post { forum = "a", id = 1, title = "one" }:save()
    local post = c.store:stream(Post, "trim_horizon"):next().new
    assert.is_false(post:is_new())
    post.title = "changed"
    post:save()
    assert.equal("changed", Post:get { forum = "a", id = 1 }.title)
  end)

  it("has nothing when nothing has changed, and goes on when something has", function()
    local stream = c.store:stream(Post, "trim_horizon")
    assert.is_nil(stream:next())
    Post { forum = "a", id = 1 }:save()
    assert.same({ "insert 1 nil>nil" }, summary(stream))
    Post { forum = "a", id = 2 }:save()
    assert.same({ "insert 2 nil>nil" }, summary(stream))
  end)

  it("begins with what comes from now on", function()
    Post { forum = "a", id = 1 }:save()
    local stream = c.store:stream(Post, "latest")
    assert.is_nil(stream:next())
    Post { forum = "a", id = 2 }:save()
    assert.same({ "insert 2 nil>nil" }, summary(stream))
  end)

  it("begins at a time", function()
    Post { forum = "a", id = 1 }:save()
    assert.equal(1, #all(c.store:stream(Post, neap.now() - 60)))
    assert.equal(0, #all(c.store:stream(Post, neap.now() + 60)))
  end)

  it("goes on by a token, behind what was handed out", function()
    local list = {}
    for i = 1, 5 do list[i] = Post { forum = "a", id = i } end
    for _, post in ipairs(list) do post:save() end
    local stream = c.store:stream(Post, "trim_horizon")
    assert.equal(1, stream:next().key.id)
    assert.equal(2, stream:next().key.id)
    local token = neap.json.decode(neap.json.encode(stream:token()))
    assert.equal(3, stream:next().key.id)
    local again = c.store:stream(Post, token)
    assert.same({ "insert 3 nil>nil", "insert 4 nil>nil", "insert 5 nil>nil" }, summary(again))
    assert.same({}, summary(c.store:stream(Post, again:token())))
  end)

  it("keeps what a token of the latest has not seen", function()
    local token = c.store:stream(Post, "latest"):token()
    Post { forum = "a", id = 2 }:save()
    assert.same({ "insert 2 nil>nil" }, summary(c.store:stream(Post, token)))
  end)

  it("leaves out what is of other models in the table", function()
    local A = c.store:model("A", { pk = t.string { primary = true }, kind = t.string { constant = "a" } },
      { table = "both", stream = "new_and_old" })
    local B = c.store:model("B", { pk = t.string { primary = true }, kind = t.string { constant = "b" } },
      { table = "both", stream = "new_and_old" })
    c.store:bind()
    A { pk = "1" }:save()
    B { pk = "2" }:save()
    A { pk = "3" }:save()
    local keys = {}
    for i, record in ipairs(all(c.store:stream(A, "trim_horizon"))) do keys[i] = record.key end
    assert.same({ "1", "3" }, keys)
  end)

  it("may hold keys alone", function()
    local Key = c.store:model("Key", { id = t.integer { primary = true }, text = t.string() }, { stream = "keys" })
    c.store:bind()
    Key { id = 1, text = "x" }:save()
    local record = c.store:stream(Key, "trim_horizon"):next()
    assert.equal(1, record.key)
    assert.is_nil(record.new)
  end)

  it("refuses what is no beginning, a table without a stream, and tokens of others", function()
    for _, position in ipairs { "TRIM_HORIZON", 5, false } do
      assert.matches('begins at "trim_horizon"', fails("usage", c.store.stream, c.store, Post, position).message)
    end
    local Quiet = c.store:model("Quiet", { id = t.integer { primary = true } })
    c.store:bind()
    assert.matches("has no stream: declare", fails("usage", c.store.stream, c.store, Quiet, "latest").message)
    local token = c.store:stream(Post, "latest"):token()
    token.stream = "arn:other"
    assert.matches("not one of the stream of", fails("usage", c.store.stream, c.store, Post, token).message)
    assert.matches("not one of the stream of", fails("usage", c.store.stream, c.store, Post, {}).message)
  end)
end)

describe("a stream whose shards are split", function()
  local Stream = require "neap.dynamodb.stream"
  local real = neap.open { url = "dynamodb://us-east-1?endpoint=http://127.0.0.1:1", access_key = "a", secret_key = "b" }
  local Post = real:model("Event", { id = t.integer { primary = true } })
  local shards, calls

  --- Answers requests out of `shards`: { id, parent, records, ended, trimmed }. An iterator is "shard:place".
  local fake = {}

  local function find(id) for _, shard in ipairs(shards) do if shard.id == id then return shard end end end

  function fake.DescribeTable()
    return { Table = { LatestStreamArn = "arn:x", StreamSpecification = { StreamEnabled = true } } }
  end

  function fake.DescribeStream(request)
    local list, from = {}, request.ExclusiveStartShardId and 2 or 1
    for i = from, from == 1 and math.min(1, #shards) or #shards do
      local shard = shards[i]
      list[#list + 1] = { ShardId = shard.id, ParentShardId = shard.parent,
        SequenceNumberRange = { EndingSequenceNumber = shard.ended and "9" or nil } }
    end
    return { StreamDescription = { Shards = list, LastEvaluatedShardId = from == 1 and #shards > 1 and shards[1].id or nil } }
  end

  function fake.GetShardIterator(request)
    local shard, place = find(request.ShardId), 0
    if request.ShardIteratorType == "LATEST" then place = #shard.records end
    for i, record in ipairs(shard.records) do
      if record.dynamodb.SequenceNumber == request.SequenceNumber then place = i end
    end
    if shard.trimmed then error(setmetatable({ kind = "usage", code = "TrimmedDataAccessException" }, nil), 0) end
    return { ShardIterator = shard.id .. ":" .. place }
  end

  function fake.GetRecords(request)
    local id, place = request.ShardIterator:match "^(.*):(%d+)$"
    local shard = find(id)
    if shard.expires then
      shard.expires = nil
      error({ kind = "usage", code = "ExpiredIteratorException" }, 0)
    end
    local records, last = {}, math.min(#shard.records, place + 2)
    for i = place + 1, last do records[#records + 1] = shard.records[i] end
    local over = shard.ended and last == #shard.records
    return { Records = records, NextShardIterator = not over and id .. ":" .. math.tointeger(last) or nil }
  end

  local store = { request = function(_, operation, request)
    calls[#calls + 1] = operation
    return fake[operation](request)
  end }

  local function record(id, at)
    return { eventName = "INSERT", dynamodb = { Keys = { id = { N = tostring(id) } }, NewImage = { id = { N = tostring(id) } },
      SequenceNumber = tostring(100 + id), ApproximateCreationDateTime = at or 1.7e9 + id } }
  end

  local function ids(stream, most)
    local list = {}
    while #list < (most or 100) do
      local r = stream:next()
      if not r then break end
      list[#list + 1] = r.key
    end
    return list
  end

  before_each(function()
    calls = {}
    shards = {
      { id = "a", records = { record(1), record(2), record(5) }, ended = true },
      { id = "b", parent = "a", records = { record(6), record(9) } },
      { id = "c", parent = "a", records = { record(7), record(8) } },
      { id = "d", parent = "gone", records = { record(3), record(4) } },
    }
  end)

  teardown(function() real:close() end)

  it("reads parents before their children, and else by time", function()
    local list, place = ids(Stream(store, Post, "trim_horizon")), {}
    for i, id in ipairs(list) do place[id] = i end
    assert.equal(9, #list)
    for _, pair in ipairs { { 1, 2 }, { 2, 5 }, { 5, 6 }, { 5, 7 }, { 6, 9 }, { 7, 8 }, { 3, 4 }, { 2, 3 } } do
      assert.is_true(place[pair[1]] < place[pair[2]], table.concat(pair, " before "))
    end
  end)

  it("goes on by the token after any of them, and leaves none out", function()
    local whole = ids(Stream(store, Post, "trim_horizon"))
    for n = 0, #whole do
      local stream = Stream(store, Post, "trim_horizon")
      local seen = ids(stream, n)
      for _, id in ipairs(ids(Stream(store, Post, stream:token()))) do seen[#seen + 1] = id end
      table.sort(seen)
      assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, seen)
    end
  end)

  it("takes the children of a shard that the token names and that is gone", function()
    local stream = Stream(store, Post, "trim_horizon")
    ids(stream, 1)
    table.remove(shards, 1)
    local list = ids(Stream(store, Post, stream:token()))
    table.sort(list)
    assert.same({ 3, 4, 6, 7, 8, 9 }, list)
  end)

  it("asks for another iterator when one has expired, and reads nothing twice", function()
    local stream = Stream(store, Post, "trim_horizon")
    ids(stream, 2)
    shards[2].expires, shards[4].expires = true, true
    local list = ids(stream)
    assert.equal(7, #list)
  end)

  it("reads the open shards alone for the latest", function()
    local stream = Stream(store, Post, "latest")
    assert.is_nil(stream:next())
    table.insert(shards[3].records, record(10, neap.now():timestamp()))
    assert.same({ 10 }, ids(stream))
  end)

  it("says that what a token stands before is gone", function()
    local stream = Stream(store, Post, "trim_horizon")
    ids(stream, 1)
    shards[1].trimmed = true
    local e = fails("not_found", function() ids(Stream(store, Post, stream:token())) end)
    assert.matches("older than a day, and gone", e.message)
    assert.equal("TrimmedDataAccessException", e.code)
  end)
end)
