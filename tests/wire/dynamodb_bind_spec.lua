-- bind and drop on DynamoDB: which tables are made, what is compared, and what bind{ update = true } changes.
local contract = require "tests.store.contract"
local fails = require "tests.fails"
local neap = require "neap"
local t = neap.types

contract.only("dynamodb", "tables", function(c)
  local store

  before_each(function() store = c.store end)

  --- The same tables, seen by a script that declares other models.
  local function again() return neap.open(c.url) end

  --- The table as the server describes it to another client.
  local function table_of(name)
    return c:call("DescribeTable", { TableName = c.prefix .. name }).Table
  end

  local function names_of(requests)
    local names = {}
    for i, one in ipairs(requests) do names[i] = one.operation end
    return names
  end

  --- What differs: "Model: what: expected / actual".
  local function differences(s, options)
    local lines = {}
    local e = fails("mismatch", s.bind, s, options)
    for i, d in ipairs(e.errors) do lines[i] = ("%s: %s: %s / %s"):format(d.model, d.what, d.expected, d.actual) end
    return lines
  end

  local function declare_reply(s, more, options)
    local fields = {
      { "forum", t.string { hash_key = true } }, { "at", t.datetime { range_key = true } }, { "body", t.string() },
      { "likes", t.integer { column = "n" } }, { "gone", t.timestamp() },
    }
    for _, field in ipairs(more or {}) do fields[#fields + 1] = field end
    return s:model("Reply", fields, options)
  end

  describe("bind", function()
    it("makes a table of keys and indexes, on demand", function()
      declare_reply(store, {
        { "by_body", t.global_index { hash_key = "body", range_key = "at", projection = "keys" } },
        { "by_likes", t.global_index { hash_key = "likes", projection = { "body" }, column = "by-n" } },
        { "by_gone", t.local_index { range_key = "gone" } },
      })
      assert.same({ "CreateTable" }, names_of(store:bind()))
      local found = table_of "Reply"
      assert.equal("PAY_PER_REQUEST", found.BillingModeSummary.BillingMode)
      assert.same({ { AttributeName = "forum", KeyType = "HASH" }, { AttributeName = "at", KeyType = "RANGE" } }, found.KeySchema)
      local types = {}
      for _, each in ipairs(found.AttributeDefinitions) do types[each.AttributeName] = each.AttributeType end
      assert.same({ forum = "S", at = "S", body = "S", n = "N", gone = "N" }, types)
      local indexes = {}
      for _, index in ipairs(found.GlobalSecondaryIndexes) do indexes[index.IndexName] = index.Projection end
      assert.same({ by_body = { ProjectionType = "KEYS_ONLY" },
        ["by-n"] = { ProjectionType = "INCLUDE", NonKeyAttributes = { "body" } } }, indexes)
      assert.same({ ProjectionType = "ALL" }, found.LocalSecondaryIndexes[1].Projection)
    end)

    it("does nothing where all is there", function()
      declare_reply(store, { { "by_body", t.global_index { hash_key = "body" } } }, { ttl = "gone", stream = "new", read_units = 2 })
      assert.same({ "CreateTable", "UpdateTimeToLive" }, names_of(store:bind()))
      assert.same({}, store:bind())
    end)

    it("takes the first column of a primary key for the hash key and the second for the range key", function()
      store:model("Vote", { { "post", t.uuid { primary = true } }, { "user", t.bytes { primary = true } } })
      store:bind()
      assert.same({ { AttributeName = "post", KeyType = "HASH" }, { AttributeName = "user", KeyType = "RANGE" } },
        table_of "Vote".KeySchema)
    end)

    it("provisions what has units, and one unit where none are said", function()
      declare_reply(store, {
        { "by_body", t.global_index { hash_key = "body", write_units = 7 } }, { "by_n", t.global_index { hash_key = "likes" } },
      }, { read_units = 5 })
      store:bind()
      local found, units = table_of "Reply", {}
      for _, index in ipairs(found.GlobalSecondaryIndexes) do
        local p = index.ProvisionedThroughput
        units[index.IndexName] = { p.ReadCapacityUnits, p.WriteCapacityUnits }
      end
      assert.same({ 5, 1 }, { found.ProvisionedThroughput.ReadCapacityUnits, found.ProvisionedThroughput.WriteCapacityUnits })
      assert.same({ by_body = { 1, 7 }, by_n = { 1, 1 } }, units)
    end)

    it("turns on the stream and the time to live", function()
      declare_reply(store, nil, { ttl = "gone", stream = "new_and_old" })
      store:bind()
      assert.same({ StreamEnabled = true, StreamViewType = "NEW_AND_OLD_IMAGES" }, table_of "Reply".StreamSpecification)
      local ttl = c:call("DescribeTimeToLive", { TableName = c.prefix .. "Reply" }).TimeToLiveDescription
      assert.equal("gone", ttl.AttributeName)
      assert.matches("^ENABL", ttl.TimeToLiveStatus)
    end)

    it("merges the models of one table", function()
      store:model("User", {
        { "pk", t.string { hash_key = true } }, { "sk", t.string { range_key = true } }, { "mail", t.string() },
        { "by_mail", t.global_index { hash_key = "mail", projection = "keys" } },
      }, { table = "main", stream = "keys" })
      store:model("Order", {
        { "customer", t.string { hash_key = true, column = "pk" } }, { "number", t.string { range_key = true, column = "sk" } },
        { "mail", t.string() }, { "total", t.decimal() }, { "day", t.date() },
        { "by_mail", t.global_index { hash_key = "mail", projection = { "total" } } },
        { "by_day", t.global_index { hash_key = "day" } },
      }, { table = "main" })
      assert.same({ "CreateTable" }, names_of(store:bind()))
      local found, indexes = table_of "main", {}
      for _, index in ipairs(found.GlobalSecondaryIndexes) do indexes[index.IndexName] = index.Projection.ProjectionType end
      assert.same({ by_mail = "INCLUDE", by_day = "ALL" }, indexes)
      assert.equal("KEYS_ONLY", found.StreamSpecification.StreamViewType)
      assert.same({}, store:bind())
    end)

    it("refuses models of one table that contradict each other", function()
      store:model("User", { pk = t.string { hash_key = true } }, { table = "main" })
      store:model("Order", { number = t.string { hash_key = true } }, { table = "main" })
      local e = fails("usage", store.bind, store)
      assert.equal("User and Order share the table " .. c.prefix .. "main and differ: its key is pk and number", e.message)
    end)

    it("makes the link table of a relation of many to many, found from both sides", function()
      store:model("Post", { id = t.uuid { primary = true, auto = true }, tags = t.many_to_many("Tag", { through = "PostTag" }) })
      store:model("Tag", { name = t.string { primary = true } })
      store:bind()
      local found = table_of "PostTag"
      assert.same({ { AttributeName = "post_id", KeyType = "HASH" }, { AttributeName = "tag_id", KeyType = "RANGE" } },
        found.KeySchema)
      assert.equal("tag_id", found.GlobalSecondaryIndexes[1].KeySchema[1].AttributeName)
    end)

    it("says which names and options it does not know", function()
      declare_reply(store)
      local e = fails("usage", store.bind, store, { concurrently = true })
      assert.equal("bind has no option concurrently; it knows update and timeout", e.message)
      e = fails("usage", store.bind, store, { timeout = -1 })
      assert.matches("timeout is a number of seconds", e.message)
    end)

    it("writes nothing through a view that runs dry, and says what it would send", function()
      declare_reply(store, nil, { ttl = "gone" })
      local requests = store:with({ dry_run = true }):bind()
      assert.same({ "CreateTable" }, { requests[1].operation })
      assert.equal(c.prefix .. "Reply", requests[1].request.TableName)
      assert.is_nil(table_of "Reply")
    end)
  end)

  describe("what differs", function()
    it("is all named, and nothing is changed", function()
      declare_reply(store, {
        { "by_body", t.global_index { hash_key = "body", range_key = "at", projection = "keys" } },
        { "by_gone", t.local_index { range_key = "gone", projection = { "body" } } },
      }, { stream = "new", ttl = "gone" })
      store:model("User", { id = t.string { primary = true } }, { read_units = 3 })
      store:bind()
      local other = again()
      other:model("Reply", {
        { "forum", t.string { hash_key = true } }, { "at", t.integer { range_key = true } }, { "body", t.string() },
        { "gone", t.timestamp() }, { "day", t.timestamp() },
        { "by_body", t.global_index { hash_key = "body", projection = { "gone" } } },
        { "by_day", t.global_index { hash_key = "day" } }, { "by_gone", t.local_index { range_key = "gone" } },
      }, { billing = "provisioned", stream = "old", ttl = "day" })
      other:model("User", { { "name", t.string { hash_key = true } }, { "id", t.string { range_key = true } } }, { read_units = 4 })
      other:model("Extra", { id = t.string { primary = true } })
      assert.same({
        "Reply: type of at: N / S",
        "Reply: billing: provisioned / on_demand",
        "Reply: index by_body: key: body (hash) / body (hash), at (range)",
        "Reply: index by_day: day (hash) / missing",
        "Reply: index by_gone: projection: all / keys, body",
        "Reply: stream: OLD_IMAGE / NEW_IMAGE",
        "Reply: ttl: day / gone",
        "User: key: name (hash), id (range) / id (hash)",
        "User: read_units: 4 / 3",
      }, differences(other))
      assert.is_nil(table_of "Extra")
      other:close()
    end)

    it("does not count where the table has more", function()
      declare_reply(store, {
        { "by_body", t.global_index { hash_key = "body" } }, { "by_n", t.global_index { hash_key = "likes" } },
        { "by_gone", t.local_index { range_key = "gone", projection = { "body", "likes" } } },
      }, { stream = "new", ttl = "gone", read_units = 5 })
      store:bind()
      local other = again()
      declare_reply(other, {
        { "by_body", t.global_index { hash_key = "body", projection = { "gone" } } },
        { "by_gone", t.local_index { range_key = "gone", projection = { "likes" } } },
      })
      assert.same({}, other:bind())
      other:close()
    end)

    it("is not pretended to be changeable: keys, their types and local indexes stay", function()
      declare_reply(store)
      store:bind()
      local other = again()
      other:model("Reply", {
        { "forum", t.integer { hash_key = true } }, { "at", t.datetime { range_key = true } }, { "body", t.string() },
        { "by_body", t.local_index { range_key = "body" } }, { "by_at", t.global_index { hash_key = "at" } },
      })
      assert.same({
        "Reply: type of forum: N / S", "Reply: index by_body: forum (hash), body (range) / missing",
      }, differences(other, { update = true }))
      assert.is_nil(table_of "Reply".GlobalSecondaryIndexes)
      other:close()
    end)
  end)

  describe("bind{ update = true }", function()
    local function bound(more, options)
      local s = again()
      declare_reply(s, more, options)
      local requests = s:bind { update = true }
      assert.same({}, s:bind())
      s:close()
      return names_of(requests)
    end

    local function index_names()
      local names = {}
      for i, index in ipairs(table_of "Reply".GlobalSecondaryIndexes or {}) do names[i] = index.IndexName end
      table.sort(names)
      return names
    end

    it("makes indexes, one after the other", function()
      bound()
      assert.same({ "UpdateTable", "UpdateTable" }, bound {
        { "by_body", t.global_index { hash_key = "body", projection = "keys" } }, { "by_n", t.global_index { hash_key = "likes" } },
      })
      assert.same({ "by_body", "by_n" }, index_names())
    end)

    it("makes an index anew that has other keys or holds too little", function()
      bound {
        { "by_body", t.global_index { hash_key = "body", projection = "keys" } }, { "by_n", t.global_index { hash_key = "likes" } },
      }
      assert.same({ "UpdateTable", "UpdateTable" }, bound { { "by_body", t.global_index { hash_key = "body" } } })
      assert.same({ "by_body", "by_n" }, index_names())
      assert.same({ "UpdateTable", "UpdateTable" },
        bound { { "by_n", t.global_index { hash_key = "likes", range_key = "at" } } })
    end)

    it("changes units and billing, those of indexes too", function()
      local index = { { "by_body", t.global_index { hash_key = "body" } } }
      bound(index)
      assert.same({ "UpdateTable" }, bound(index, { read_units = 3 }))
      local found = table_of "Reply"
      assert.equal(3, found.ProvisionedThroughput.ReadCapacityUnits)
      assert.equal(1, found.GlobalSecondaryIndexes[1].ProvisionedThroughput.ReadCapacityUnits)
      assert.same({ "UpdateTable" },
        bound({ { "by_body", t.global_index { hash_key = "body", read_units = 4 } } }, { write_units = 2 }))
      found = table_of "Reply"
      assert.same({ 3, 2 }, { found.ProvisionedThroughput.ReadCapacityUnits, found.ProvisionedThroughput.WriteCapacityUnits })
      assert.same({ "UpdateTable" }, bound(index, { billing = "on_demand" }))
      assert.equal("PAY_PER_REQUEST", table_of "Reply".BillingModeSummary.BillingMode)
    end)

    it("changes the stream and the time to live", function()
      bound(nil, { stream = "new" })
      assert.same({ "UpdateTable", "UpdateTable" }, bound(nil, { stream = "old" }))
      assert.equal("OLD_IMAGE", table_of "Reply".StreamSpecification.StreamViewType)
      assert.same({ "UpdateTimeToLive" }, bound(nil, { ttl = "gone" }))
    end)

    it("makes missing tables as well", function()
      assert.same({ "CreateTable" }, bound())
    end)
  end)

  describe("drop", function()
    it("takes the table away, and may be told so again", function()
      local Reply = declare_reply(store)
      store:bind()
      store:drop(Reply)
      assert.is_nil(table_of "Reply")
      store:drop(Reply)
    end)
  end)

  it("that are not there are told with the number of the request", function()
    local e = fails("not_found", store.request, store, "DescribeTable", { TableName = c.prefix .. "none" })
    assert.equal("ResourceNotFoundException", e.code)
    assert.matches("^request [%w-]+$", e.detail)
  end)

  it("are read whole where the store allows it, unless the model does not", function()
    local User = store:model("User", { id = t.string { primary = true }, name = t.string() })
    local Guarded = store:model("Guarded", { id = t.string { primary = true }, name = t.string() }, { scan = false })
    store:bind()
    assert.same({}, User:where { name = "Ada" }:all())
    local e = fails("usage", function() return Guarded:where { name = "Ada" }:all() end)
    assert.matches("all of the table would be read", e.message)
  end)

  it("are made once by many who bind at the same time", function()
    local stores = {}
    for i = 1, 5 do
      stores[i] = again()
      declare_reply(stores[i], { { "by_body", t.global_index { hash_key = "body" } } })
    end
    neap.gather(stores, 5, function(s) s:bind() return true end)
    assert.equal("ACTIVE", table_of "Reply".TableStatus)
    for _, s in ipairs(stores) do s:close() end
  end)
end)
