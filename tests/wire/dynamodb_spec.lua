-- What the store of DynamoDB asks the service, seen by a proxy that also lets it down: tests/services/dynamodb_proxy.
local fence = require "neap.fence"
local lease = require "neap.lease"
local neap = require "neap"
local process = require "neap.process"
local t = neap.types

local endpoint = os.getenv "NEAP_TEST_DYNAMODB"
if not endpoint then
  print "dynamodb: left out, NEAP_TEST_DYNAMODB names no server"
  return
end

local function sh(command)
  local pipe <close> = assert(io.popen(command))
  return (pipe:read "a":gsub("%s+$", ""))
end

local function fails(kind, f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok, "an error was expected")
  assert.is_true(neap.is(e, kind), tostring(e))
  return e
end

describe("DynamoDB", function()
  local proxy, pid, store, Post, Reply
  local prefix = "wire_" .. os.tmpname():gsub("%W", "") .. "_"

  local function open(options)
    options.url = "dynamodb://us-east-1?endpoint=" .. proxy
    options.access_key, options.secret_key, options.table_template = "spec", "spec", prefix .. "{table}"
    return neap.open(options)
  end

  --- From now on the proxy lets us down so, and what was asked before is forgotten.
  local function rules(list)
    neap.http.post(proxy .. "/rules", { body = neap.json.encode(neap.array(list or {})) })
  end

  --- What was asked: a list of { operation =, request =, connection = }.
  local function log() return neap.http.get(proxy .. "/log"):json() end

  --- The operations, and how often each was asked for: "PutItem 3, Query 1".
  local function asked()
    local counts, names = {}, {}
    for _, entry in ipairs(log()) do
      if not counts[entry.operation] then names[#names + 1] = entry.operation end
      counts[entry.operation] = (counts[entry.operation] or 0) + 1
    end
    table.sort(names)
    for i, name in ipairs(names) do names[i] = name .. " " .. counts[name] end
    return table.concat(names, ", ")
  end

  --- The only request since the last rules.
  local function request()
    local entries = log()
    assert.equal(1, #entries, asked())
    return entries[1].request, entries[1].operation
  end

  local function posts(n)
    local list = {}
    for i = 1, n do list[i] = Post { id = "k" .. i, title = "t" .. i, views = i } end
    return list
  end

  setup(function()
    proxy, pid = sh("tests/services/dynamodb_proxy " .. endpoint):match "(%S+) (%d+)"
    store = open {}
    Post = store:model("Post", {
      id = t.string { primary = true }, title = t.string(), views = t.integer(), tags = t.list(t.string()),
      scores = t.set(t.integer()), data = t.json(),
    })
    Reply = store:model("Reply", {
      post = t.string { hash_key = true }, at = t.integer { range_key = true }, text = t.string(),
    })
    store:model("Counter", { id = t.string { primary = true }, n = t.integer(), v = t.integer { version = true } })
    store:bind()
  end)

  teardown(function()
    rules()
    store:close()
    sh(("tests/services/dynamodb_client %s drop %s"):format(endpoint, prefix))
    os.execute("kill " .. pid)
  end)

  before_each(function()
    rules()
    Post:scan():delete { all = true }
    Reply:scan():delete { all = true }
    rules()
  end)

  describe("an object", function()
    it("is merged when it is new: one UpdateItem that asks for nothing", function()
      Post { id = "a", title = "Tides", views = 1 }:save()
      assert.same({
        TableName = prefix .. "Post", Key = { id = { S = "a" } }, UpdateExpression = "SET #n0=:v1, #n2=:v3",
        ExpressionAttributeNames = { ["#n0"] = "title", ["#n2"] = "views" },
        ExpressionAttributeValues = { [":v1"] = { S = "Tides" }, [":v3"] = { N = "1" } },
      }, (request()))
    end)

    it("that has nothing but its key is made too", function()
      Post { id = "a" }:save()
      assert.same({ TableName = prefix .. "Post", Key = { id = { S = "a" } } }, (request()))
      assert.equal("a", Post:get "a".id)
    end)

    it("sends what has changed and nothing else, and only to one that is there", function()
      local p = Post { id = "a", title = "Tides", views = 1, tags = { "x" } }:save()
      rules()
      p.title, p.views = "Waves", nil
      p:save()
      local r = request()
      assert.equal("REMOVE #n0 SET #n1=:v2", r.UpdateExpression)
      assert.same({ ["#n0"] = "views", ["#n1"] = "title", ["#n3"] = "id" }, r.ExpressionAttributeNames)
      assert.equal("attribute_exists(#n3)", r.ConditionExpression)
      rules()
      p:save()
      assert.same({}, log())
    end)

    it("leaves alone what others have written meanwhile", function()
      Post { id = "a", title = "Tides" }:save()
      local mine, theirs = Post:get "a", Post:get "a"
      theirs.views = 7
      theirs:save()
      mine.title = "Waves"
      mine:save()
      assert.same({ "Waves", 7 }, { mine:reload().title, mine.views })
    end)

    it("that is gone is not made again", function()
      local p = Post { id = "a" }:save()
      Post:get "a":delete()
      p.title = "Waves"
      fails("not_found", p.save, p)
      fails("not_found", p.delete, p, { condition = Post.views:eq(1) })
      assert.is_nil(Post:find "a")
    end)

    it("is told from one that does not meet a condition", function()
      local p = Post { id = "a", views = 1 }:save()
      p.title = "Waves"
      fails("condition", p.save, p, { condition = Post.views:eq(2) })
      p:save { condition = Post.views:eq(1) }
      fails("condition", p.delete, p, { condition = Post.views:eq(2) })
      assert.equal("Waves", Post:get "a".title)
    end)

    it("saved atomically expects what was loaded, absent values too", function()
      Post { id = "a", views = 1 }:save()
      local mine, theirs = Post:get "a", Post:get "a"
      theirs.title = "Theirs"
      theirs:save()
      mine.views = 2
      fails("condition", mine.save, mine, { atomic = true })
      mine:reload().views = 2
      mine:save { atomic = true }
      fails("conflict", Post { id = "a" }.save, Post { id = "a", views = 9 }, { atomic = true })
      assert.same({ 2, "Theirs" }, { Post:get "a".views, mine.title })
    end)

    it("with a version conflicts when somebody else was there first", function()
      local Counter = store:model "Counter"
      local id = neap.uuid()
      local mine = Counter { id = id, n = 1 }:save()
      local theirs = Counter:get(id)
      theirs.n = 2
      theirs:save()
      mine.n = 3
      fails("condition", mine.save, mine)
      fails("conflict", Counter { id = id }.save, Counter { id = id, n = 4 })
      assert.same({ 2, 2 }, { mine:reload().n, mine.v })
    end)

    it("tells whether there was something to delete", function()
      local p, q = Post { id = "a" }:save(), Post:get "a"
      assert.is_true(p:delete())
      assert.is_false(q:delete())
    end)

    it("is put whole where that is asked for", function()
      Post { id = "a", title = "Tides", views = 1 }:save()
      rules()
      Post { id = "a", title = "Waves" }:save { overwrite = true }
      local r, operation = request()
      assert.equal("PutItem", operation)
      assert.same({ TableName = prefix .. "Post", Item = { id = { S = "a" }, title = { S = "Waves" } } }, r)
      assert.is_nil(Post:get "a".views)
    end)

    it("is upserted: what it has is set, and it tells whether it was new", function()
      local p, created = Post:upsert({ id = "a", title = "Tides" }, { "id" })
      assert.same({ "Tides", true }, { p.title, created })
      store:model "Post":get "a":increment("views", 4)
      p, created = Post:upsert({ id = "a", title = "Waves" }, { "id" })
      assert.same({ "Waves", 4, false }, { p.title, p.views, created })
    end)

    it("gives back what it is after it was saved", function()
      local p = Post { id = "a", title = "Tides" }:save()
      Post:get "a":increment("views", 4)
      p.title = "Waves"
      p:save { returning = "new" }
      assert.equal(4, p.views)
    end)

    it("is not sent when the service could not keep it", function()
      assert.match("409600", tostring(fails("limit", Post { id = "a" }.save, Post { id = "a", title = ("x"):rep(500000) })))
      fails("limit", Post { id = "a" }.save, Post { id = "a", data = { ("x"):rep(300000), ("y"):rep(300000) } })
      fails("limit", Post { id = "a" }.save, Post { id = ("x"):rep(2049) })
      fails("validation", Post { id = "a" }.save, Post { id = "" })
      fails("limit", Reply { post = "a" }.save, Reply { post = ("x"):rep(2049), at = 1 })
      assert.same({}, log())
    end)
  end)

  describe("a change that the service makes", function()
    local p
    before_each(function() p = Post { id = "a", tags = { "x", "y", "x" }, scores = { 1, 2 }, data = { list = { 1 } } }:save() end)

    it("starts from nothing", function()
      p:increment("views", 3)
      p:append("data.more", "z")
      assert.same({ 3, { "z" } }, { p.views, { p.data.more[1] } })
    end)

    it("adds to sets and takes from them", function()
      rules()
      p:add_unique("scores", 3)
      assert.equal("ADD #n0 :v1", request().UpdateExpression)
      p:pull("scores", 1)
      assert.equal("[2,3]", neap.json.encode(p.scores))
      p:pull("scores", 2)
      p:pull("scores", 3)
      assert.is_nil(p.scores)
    end)

    it("takes elements out of lists, and adds them once", function()
      p:pull("tags", "x")
      p:add_unique("tags", "z")
      p:add_unique("tags", "z")
      p:add_unique("data.list", 2)
      assert.equal('{"data":{"list":[1,2]},"id":"a","scores":[1,2],"tags":["y","z"]}', neap.json.encode(Post:get "a"))
    end)

    it("of a list is made again when others have changed the list", function()
      local adds = {}
      for i = 1, 12 do adds[i] = function() Post:get "a":add_unique("tags", "n" .. i) end end
      neap.all(adds)
      assert.equal(15, #p:reload().tags)
    end)
  end)

  describe("a list of objects", function()
    it("is saved side by side, sixteen at a time, and answered in order", function()
      local list = posts(40)
      list[7].title = ("x"):rep(500000)
      local e = fails("batch", store.save, store, list)
      assert.same({ 1, 7 }, { #e.errors, e.errors[1].index })
      assert.equal("UpdateItem 39", asked())
      local connections = {}
      for _, entry in ipairs(log()) do connections[entry.connection] = true end
      local n = 0
      for _ in pairs(connections) do n = n + 1 end
      assert.is_true(n <= 16, n)
    end)

    it("of a thousand keys is loaded by ten requests over eight connections at most", function()
      local view = store:with { persist = "overwrite" }
      local list = posts(1000)
      view:save(list)
      assert.equal("BatchWriteItem 40", asked())
      rules()
      for i = 1, 1000 do list[i].title = "other" end
      store:load(list)
      assert.equal("BatchGetItem 10", asked())
      local most = {}
      for _, entry in ipairs(log()) do most[entry.connection] = true end
      local n = 0
      for _ in pairs(most) do n = n + 1 end
      assert.is_true(n <= 8, n)
      assert.same({ "t1", "t1000" }, { list[1].title, list[1000].title })
      rules()
      store:delete(list)
      assert.equal("BatchWriteItem 40", asked())
      assert.equal(0, Post:scan():count())
    end)

    it("asks for a key once, and fills every object of it", function()
      store:save(posts(3))
      local one, same = Post:get "k1", Post:get "k1"
      rules()
      store:load { one, same, Post:find "k2" }
      local keys = log()[2].request.RequestItems[prefix .. "Post"].Keys
      assert.equal(2, #keys)
    end)

    it("is loaded by keys of two parts together", function()
      local list = {}
      for i = 1, 150 do list[i] = Reply { post = "p" .. i % 7, at = i, text = "r" .. i } end
      store:save(list)
      rules()
      store:load(list)
      assert.equal("BatchGetItem 2", asked())
      assert.equal("r150", list[150].text)
    end)

    it("writes a key that it has twice twice, the last one last", function()
      local list = {}
      for i = 1, 30 do list[i] = Post { id = "a", views = i } end
      store:with { persist = "overwrite" }:save(list)
      assert.equal(30, Post:get "a".views)
      list = {}
      for i = 1, 30 do list[i] = Post { id = "b", views = i } end
      store:save(list)
      assert.equal(30, Post:get "b".views)
    end)
  end)

  describe("a query", function()
    before_each(function()
      local list = {}
      for i = 1, 120 do list[i] = Reply { post = "p" .. i % 2, at = i, text = "r" .. i % 3 } end
      store:save(list)
      rules()
    end)

    it("asks for no more than it gives", function()
      assert.equal(120, Reply:where { post = "p0" }:order "-at":first().at)
      assert.same({ 1, false }, { request().Limit, request().ScanIndexForward })
      rules()
      Reply:where { post = "p0" }:order "at":limit(5):skip(2):all()
      assert.equal(7, request().Limit)
    end)

    it("says no limit where rows are filtered", function()
      assert.equal(3, Reply:where { post = "p1", text = "r0" }:order "at":first().at)
      assert.is_nil(request().Limit)
    end)

    it("reads pages of the size that is asked for, the next one ahead", function()
      local n = 0
      for _ in Reply:where { post = "p0" }:each { batch = 25 } do n = n + 1 end
      assert.equal(60, n)
      local entries = log()
      assert.equal("Query 3", asked())
      assert.equal(25, entries[3].request.Limit)
      assert.is_table(entries[3].request.ExclusiveStartKey)
    end)

    it("that gives but a few reads no page ahead", function()
      assert.equal(1, #Reply:where { post = "p0", text = "r1" }:order "at":limit(1):all())
      assert.equal("Query 1", asked())
    end)

    it("counts at the service", function()
      assert.equal(60, Reply:where { post = "p0" }:count())
      assert.equal("COUNT", request().Select)
    end)

    it("changes and deletes each row while it still meets the query", function()
      assert.equal(20, Reply:where { post = "p0", text = "r1" }:update { text = "new" })
      assert.equal("Query 1, UpdateItem 20", asked())
      assert.match("^attribute_exists%(#n%d+%) AND ", log()[2].request.ConditionExpression)
      assert.equal(20, Reply:where { post = "p0", text = "new" }:delete())
      assert.equal(100, Reply:scan():count())
    end)
  end)

  describe("a service that lets us down", function()
    it("is asked again where it says that nothing was done", function()
      rules { { on = "UpdateItem", ["do"] = "throttle", times = 2 }, { on = "GetItem", ["do"] = "503", times = 1 } }
      Post { id = "a", views = 1 }:save():increment("views", 1)
      assert.equal(2, Post:get "a".views)
      assert.equal("GetItem 2, UpdateItem 4", asked())
    end)

    it("is asked again for what is the same done twice, and read again whatever happened", function()
      for _, fault in ipairs { "500", "lose", "drop", "cut", "crc", "garbage" } do
        rules { { on = "UpdateItem", ["do"] = fault, times = 1 }, { on = "GetItem", ["do"] = fault, times = 1 } }
        Post { id = fault, views = 1 }:save()
        assert.equal(1, Post:get(fault).views, fault)
        assert.equal("GetItem 2, UpdateItem 2", asked(), fault)
      end
    end)

    it("leaves unknown what may have been done and would be done twice", function()
      local p = Post { id = "a", views = 1 }:save()
      rules { { on = "UpdateItem", ["do"] = "lose", times = 1 } }
      local ok, e = pcall(p.increment, p, "views", 1)
      assert.is_false(ok)
      assert.equal("unknown", e.outcome)
      assert.equal("UpdateItem 1", asked())
      assert.equal(2, p:reload().views)
    end)

    it("is asked again under a condition, which tells whether the first one has arrived", function()
      local Counter, id = store:model "Counter", neap.uuid()
      rules { { on = "UpdateItem", ["do"] = "drop", times = 1 } }
      local p = Counter { id = id, n = 1 }:save()
      rules { { on = "UpdateItem", ["do"] = "drop", times = 1 } }
      p.n = 2
      p:save()
      assert.equal("UpdateItem 2", asked())
      assert.same({ 2, 2 }, { Counter:get(id).n, Counter:get(id).v })
      rules { { on = "DeleteItem", ["do"] = "drop", times = 1 } }
      assert.is_true(p:delete { condition = Counter.n:eq(2) })
    end)

    it("is never taken for done because the item is as it would be: another may have made it so", function()
      local Counter, id = store:model "Counter", neap.uuid()
      local p = Counter { id = id, n = 1 }:save()
      rules { { on = "UpdateItem", ["do"] = "lose", times = 1 } }
      p.n = 2
      assert.equal("unknown", fails("condition", p.save, p).outcome)
      assert.same({ 2, 2 }, { Counter:get(id).n, Counter:get(id).v })
      rules { { on = "DeleteItem", ["do"] = "lose", times = 1 } }
      local loaded = Counter:get(id)
      assert.equal("unknown", select(2, neap.try(loaded.delete, loaded, { condition = Counter.n:eq(2) })).outcome)
      assert.is_nil(Counter:find(id))
    end)

    it("leaves unknown what somebody else may have written over", function()
      local Counter, id = store:model "Counter", neap.uuid()
      local p = Counter { id = id, n = 1 }:save()
      Counter:get(id):increment("n", 5)
      rules { { on = "UpdateItem", ["do"] = "lose", times = 1 } }
      p.n = 2
      local e = fails("condition", p.save, p)
      assert.equal("unknown", e.outcome)
      assert.equal(6, Counter:get(id).n)
    end)

    it("is asked again for what it left of a batch", function()
      local list = posts(60)
      rules { { on = "BatchWriteItem", ["do"] = "part", times = 4 }, { on = "BatchGetItem", ["do"] = "part", times = 3 } }
      store:with { persist = "overwrite" }:save(list)
      assert.equal(60, Post:scan():count())
      store:load(list)
      rules { { on = "BatchWriteItem", ["do"] = "part", times = 4 } }
      store:delete(list)
      assert.equal(0, Post:scan():count())
    end)

    it("has its chances; what it never wrote is told, object by object", function()
      rules { { on = "BatchWriteItem", ["do"] = "part", times = 1 }, { on = "BatchWriteItem", ["do"] = "none" } }
      local view, list = open { attempts = 2 }:with { persist = "overwrite" }, {}
      local Other = view:model("Post", { id = t.string { primary = true } })
      for i = 1, 3 do list[i] = Other { id = "k" .. i } end
      local e = fails("batch", view.save, view, list)
      assert.same({ 2, 3 }, { e.errors[1].index, e.errors[2].index })
      assert.is_true(neap.is(e.errors[1].error, "throttled"))
      assert.is_true(e.errors[1].error.retryable)
      assert.equal(1, Post:scan():count())
    end)
  end)

  describe("what is spent", function()
    it("is counted where that is asked for", function()
      local counted = open { capacity = true }
      local Kept = counted:model("Post", { id = t.string { primary = true } })
      rules()
      for i = 1, 3 do Kept { id = "k" .. i }:save() end
      assert.equal("TOTAL", log()[1].request.ReturnConsumedCapacity)
      assert.equal(3, Kept:scan():count())
      assert.same({ [prefix .. "Post"] = { read = 0.5, write = 3.0 } }, counted:capacity())
      assert.same({}, store:capacity())
    end)

    it("is no more than the rate allows: what comes too soon waits", function()
      local slow = open { write_rate = 20 }
      local Kept, list = slow:model("Post", { id = t.string { primary = true } }), {}
      for i = 1, 30 do list[i] = Kept { id = "k" .. i } end
      local from = neap.now()
      slow:save(list)
      assert.is_true(neap.now() - from >= 0.4)  -- 20 at once, the rest at 20 a second
      assert.equal(30, Post:scan():count())
    end)
  end)

  describe("a lock", function()
    it("is had by one, for as long as it is renewed", function()
      local lock = lease.take(store, "one", { seconds = 1 })
      lock:run(function()
        local other, holder = lease.take(store, "one", { seconds = 1 })
        assert.is_nil(other)
        assert.equal(1, holder.token)
        Post { id = "a" }:save()
      end)
      assert.is_true(lock:release())
      local next_one = lease.take(store, "one")
      assert.equal(2, next_one.token)
      assert.equal("lost", fails("conflict", lock.run, lock, function() Post { id = "b" }:save() end).code)
      assert.is_nil(Post:find "b")
      next_one:release()
    end)

    it("that may be over keeps what is written under it from being sent", function()
      local lock = lease.take(store, "stale", { seconds = 0.001 })
      while process.uptime() < lock.deadline do neap.sleep(0.001) end
      rules()
      local write = neap.spawn(function()
        fence.enter(lock.fence)
        Post { id = "a" }:save()
      end)
      assert.equal("lost", fails("conflict", write.await, write).code)
      assert.same({}, log())
    end)

    it("that may be over by then keeps what has to wait for its turn from being sent", function()
      local Kept, list = open { write_rate = 1 }:model("Post", { id = t.string { primary = true } }), {}
      for i = 1, 5 do list[i] = Kept { id = "k" .. i } end
      local lock = lease.take(store, "short", { seconds = 0.5 })
      local write = neap.spawn(function()
        fence.enter(lock.fence)
        for _, object in ipairs(list) do object:save() end
      end)
      assert.equal("lost", fails("conflict", write.await, write).code)
      assert.is_true(Post:scan():count() < 5)
    end)
  end)

  it("has the tables that were declared", function()
    for name, keys in pairs { Counter = { "id" }, Post = { "id" }, Reply = { "post", "at" } } do
      local there = {}
      for i, key in ipairs(store:request("DescribeTable", { TableName = prefix .. name }).Table.KeySchema) do
        there[i] = key.AttributeName
      end
      assert.same(keys, there)
    end
  end)
end)
