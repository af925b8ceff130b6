-- What DynamoDB would be asked for a query: which operation, by which key or index, with which filter, and what is left to neap.
-- Nothing is sent, and no server is needed.
local neap = require "neap"
local t = neap.types

local id, other = "faa30039-bbe6-4397-895d-f430fe35c231", "00000000-0000-4000-8000-000000000001"
local now, later = "2015-07-20T09:05:57.463255+00:00", "2016-01-01T00:00:00.000000+00:00"

--- The request with its placeholders filled in, so that their numbers do not count.
local function filled(request)
  local names, values = request.ExpressionAttributeNames or {}, request.ExpressionAttributeValues or {}
  local used = {}
  local function fill(text)
    return (text:gsub("#n%d+", function(name)
      used[name] = true
      return assert(names[name], name)
    end):gsub(":v%d+", function(value)
      used[value] = true
      return neap.json.encode((assert(values[value], value)))
    end))
  end
  local out = {}
  for member, value in pairs(request) do
    if member:find "Expression$" then value = fill(value) end
    if not member:find "^ExpressionAttribute" then out[member] = value end
  end
  for _, map in ipairs { names, values } do
    for placeholder in pairs(map) do assert(used[placeholder], placeholder .. " is not used: the server would refuse it") end
  end
  return out
end

describe("a query of DynamoDB", function()
  local store, Post

  before_each(function()
    store = neap.open { url = "dynamodb://us-east-1?endpoint=http://127.0.0.1:1", access_key = "spec", secret_key = "spec" }
    Post = store:model("Post", {
      { "name", t.uuid { hash_key = true } }, { "date", t.datetime { range_key = true } },
      { "user", t.string() }, { "at", t.integer { required = true } }, { "joined", t.string() }, { "views", t.integer() },
      { "price", t.decimal() }, { "rate", t.number() }, { "seen", t.timestamp() }, { "live", t.boolean() }, { "raw", t.bytes() },
      { "tags", t.list(t.string()) }, { "kinds", t.set(t.string()) }, { "data", t.json() }, { "place", t.geopoint() },
      { "total", t.integer() },
      { "by_user", t.global_index { hash_key = "user", range_key = "at" } },
      { "by_joined", t.global_index { hash_key = "joined", range_key = "views", projection = "keys", column = "joined-views" } },
      { "by_at", t.local_index { range_key = "at", projection = { "joined" } } },
    }, { table = "CustomTableName" })
  end)
  after_each(function() store:close() end)

  --- What would be sent, and what is left.
  local function explained(query)
    local x = query:explain()
    return x.request and filled(x.request), x
  end

  local function filter_of(...) return explained(Post:scan():where(...)).FilterExpression end

  --- The request has no filter: neap does all of it.
  local function left(...)
    local request, x = explained(Post:scan():where(...))
    assert.is_nil(request.FilterExpression)
    return assert(x.residual)
  end

  local function refused(kind, f)
    local ok, e = pcall(f)
    assert.is_false(ok)
    assert.equal(kind, e.kind, tostring(e))
    return e.message
  end

  describe("by its keys", function()
    it("gets an item whose whole key is known", function()
      local request, x = explained(Post:where { name = id, date = now })
      assert.equal("GetItem", x.operation)
      assert.equal("get table", x.plan)
      assert.is_nil(x.residual)
      assert.same({ TableName = "CustomTableName", Key = { name = { S = id }, date = { S = now } } }, request)
    end)

    it("gets it whatever an index could do", function()
      local Log = store:model("Log", {
        { "id", t.integer { hash_key = true } }, { "user", t.string() }, { "at", t.integer() },
        { "by_user", t.global_index { hash_key = "user", range_key = "at" } },
      })
      assert.equal("get table", Log:where { id = 1, user = "ada", at = 5 }:explain().plan)
      assert.equal("get table", Log:where { id__in = { 1, 2 }, user = "ada", at = 5 }:explain().plan)
    end)

    it("leaves what else is asked of that item to neap", function()
      local _, x = explained(Post:where { name = id, date = now, user = "ada" })
      assert.equal("GetItem", x.operation)
      assert.equal('Post.user eq "ada"', x.residual)
    end)

    it("gets several items in a batch, each once", function()
      local x = Post:where { name__in = { id, other, id }, date = now }:select("user"):consistent():explain()
      assert.equal("BatchGetItem", x.operation)
      local asked = x.request.RequestItems.CustomTableName
      assert.same({ { name = { S = other }, date = { S = now } }, { name = { S = id }, date = { S = now } } }, asked.Keys)
      assert.is_true(asked.ConsistentRead)
      assert.equal("#n0, #n1, #n2", asked.ProjectionExpression)
      assert.same({ ["#n0"] = "name", ["#n1"] = "date", ["#n2"] = "user" }, asked.ExpressionAttributeNames)
    end)

    it("gets a hundred items a batch", function()
      local ids = {}
      for i = 1, 250 do ids[i] = neap.uuid() end
      local x = Post:where { name__in = ids, date = now }:explain()
      local counts = {}
      for i, request in ipairs(x.requests) do counts[i] = #request.RequestItems.CustomTableName.Keys end
      assert.same({ 100, 100, 50 }, counts)
      assert.same(x.requests[1], x.request)
    end)

    it("queries what lies under a hash key", function()
      assert.same({
        TableName = "CustomTableName", KeyConditionExpression = ('(name = {"S":"%s"})'):format(id), ScanIndexForward = true,
        Select = "ALL_ATTRIBUTES",
      }, explained(Post:where { name = id }))
    end)

    it("asks for one range of range keys, and leaves the end that BETWEEN would include", function()
      local function range(...)
        local request, x = explained(Post:where { name = id }:where(...))
        return request.KeyConditionExpression:match "AND %((.*)%)%)$", x.residual
      end
      assert.equal(('date > {"S":"%s"}'):format(now), (range(Post.date:gt(now))))
      assert.equal(('date BETWEEN {"S":"%s"} AND {"S":"%s"}'):format(now, later), (range(Post.date:between(now, later))))
      local both, residual = range(Post.date:gte(now) & Post.date:lt(later))
      assert.equal(('date BETWEEN {"S":"%s"} AND {"S":"%s"}'):format(now, later), both)
      assert.equal("Post.date lt " .. later, residual)
      assert.equal(('date >= {"S":"%s"}'):format(later), (range(Post.date:gte(now) & Post.date:gte(later))))
    end)

    it("queries once for each of several hash keys", function()
      local x = Post:where { user__in = { "b", "a", "b" } }:explain()
      assert.equal("query index by_user", x.plan)
      assert.equal(2, #x.requests)
      assert.equal('(user = {"S":"a"})', filled(x.requests[1]).KeyConditionExpression)
      assert.equal('(user = {"S":"b"})', filled(x.requests[2]).KeyConditionExpression)
    end)

    it("asks for nothing where no item can meet it", function()
      for _, query in ipairs {
        Post:where { name__in = {} }, Post:where { user = "ada" }:where { user = "bob" }, Post:where { user = "" },
        Post:where { name = id, date__gte = later, date__lte = now }, Post:where { at = 5.5, user = "ada", at__lt = 5 },
      } do
        local x = query:explain()
        assert.same({ plan = "nothing" }, x)
      end
    end)
  end)

  describe("in an order", function()
    it("reads the range key in that direction, and no more rows than it wants", function()
      local request = explained(Post:where { user = "ada" }:order("-at"):limit(5):skip(2))
      assert.is_false(request.ScanIndexForward)
      assert.equal(7, request.Limit)
      assert.equal("by_user", request.IndexName)
    end)

    it("reads all where it has to sort or to filter", function()
      assert.is_nil(explained(Post:where { user = "ada" }:order("views"):limit(5)).Limit)
      assert.is_nil(explained(Post:where { user = "ada", views = 1 }:order("at"):limit(5)).Limit)
      assert.is_nil(explained(Post:where { user__in = { "ada", "bob" } }:order("at"):limit(5)).Limit)
    end)

    it("reads a page at a time where only the first name is in order, and sorts what shares it", function()
      local request = explained(Post:where { user = "ada" }:order("-at", "name", "date"):limit(5))
      assert.is_false(request.ScanIndexForward)
      assert.equal(6, request.Limit)
      assert.is_nil(explained(Post:where { user = "ada" }:order("name", "at"):limit(5)).Limit)
    end)

    it("goes on behind a row by its range key", function()
      local behind = Post.date:gt(now) & Post.name:eq(id) | Post.name:gt(id)
      local request, x = explained(Post:where { name = id }:where(behind):where(Post.name:gte(id)))
      assert.equal(('((name = {"S":"%s"}) AND (date > {"S":"%s"}))'):format(id, now), request.KeyConditionExpression)
      assert.is_nil(request.FilterExpression)
      assert.is_nil(x.residual)
    end)

    it("takes what all rows share for no order", function()
      assert.equal(3, explained(Post:where { name = id }:order("name", "-date", "views"):limit(3)).Limit)
    end)
  end)

  describe("with a filter", function()
    it("is what the manual of the service asks for", function()
      assert.same({
        TableName = "CustomTableName", FilterExpression = '(joined = {"S":"today"})', ProjectionExpression = "name, date, views",
        KeyConditionExpression = ('((name = {"S":"%s"}) AND (date = {"S":"%s"}))'):format(id, now), ScanIndexForward = false,
        Select = "SPECIFIC_ATTRIBUTES", ConsistentRead = true,
      }, explained(Post:key { name = id, date = now }:filter(Post.joined:eq "today"):select("views"):order("-date"):consistent()))
    end)

    it("numbers names and values by one counter, and names once", function()
      local request = Post:where { user = "ada", views__gt = 5, total = Post.views }:explain().request
      assert.equal("((#n0 > :v1) AND (#n2 = #n0))", request.FilterExpression)
      assert.equal("(#n3 = :v4)", request.KeyConditionExpression)
      assert.same({ ["#n0"] = "views", ["#n2"] = "total", ["#n3"] = "user" }, request.ExpressionAttributeNames)
    end)

    it("compares by what is stored", function()
      assert.equal('(views = {"N":"5"})', filter_of { views = 5 })
      assert.equal('(views <> {"N":"5"})', filter_of { views__ne = 5 })
      assert.equal('(price >= {"N":"1.1"})', filter_of { price__gte = neap.decimal "1.10" })
      assert.equal('(rate < {"N":"0.5"})', filter_of { rate__lt = 0.5 })
      assert.equal('(seen <= {"N":"1437383157"})', filter_of { seen__lte = neap.datetime "2015-07-20T09:05:57Z" })
      assert.equal('(live = {"BOOL":true})', filter_of { live = true })
      assert.equal('(raw = {"B":"AP8="})', filter_of { raw = neap.bytes "\0\xff" })
      assert.equal('(tags = {"L":[{"S":"x"}]})', filter_of { tags = { "x" } })
      assert.equal('(begins_with(joined, {"S":"to"}))', filter_of { joined__prefix = "to" })
      assert.equal('(contains(joined, {"S":"da"}))', filter_of { joined__contains = "da" })
      assert.equal('(views IN ({"N":"1"}, {"N":"2"}))', filter_of { views__in = { 1, 2 } })
      assert.equal('(NOT (views IN ({"N":"1"})))', filter_of { views__nin = { 1 } })
    end)

    it("asks no BETWEEN that the service refuses", function()
      assert.equal('(views BETWEEN {"N":"1"} AND {"N":"2"})', filter_of { views__between = { 1, 2 } })
      assert.equal('(views >= {"N":"2"} AND views <= {"N":"1"})', filter_of { views__between = { 2, 1 } })
      assert.equal('(data.x >= {"N":"2"} AND data.x <= {"S":"a"})', filter_of(Post.data:at("x"):between(2, "a")))
    end)

    it("asks for a hundred values in several IN", function()
      local values = {}
      for i = 1, 100 do values[i] = i end
      local _, n = filter_of { views__in = values }:gsub("views IN", "")
      assert.equal(2, n)
    end)

    it("takes null for absent", function()
      assert.equal('(attribute_exists(views) AND views <> {"NULL":true})', filter_of { views__exists = true })
      assert.equal('(attribute_not_exists(views) OR views = {"NULL":true})', filter_of { views = neap.null })
    end)

    it("looks into lists, sets and what holds anything", function()
      assert.equal('(contains(tags, {"S":"x"}))', filter_of { tags__has = "x" })
      assert.equal('(contains(kinds, {"S":"x"}) OR contains(kinds, {"S":"y"}))', filter_of { kinds__any = { "x", "y" } })
      assert.equal('(contains(kinds, {"S":"x"}) AND contains(kinds, {"S":"y"}))', filter_of { kinds__all = { "x", "y" } })
      assert.equal('(size(tags) = {"N":"3"})', filter_of { tags__size = 3 })
      assert.equal('(data.a[0].b = {"S":"x"})', filter_of(Post.data:at("a", 1, "b"):eq "x"))
      assert.equal('(attribute_type(data.a, {"S":"S"}) AND contains(data.a, {"S":"x"}))', filter_of { data__a__contains = "x" })
      assert.equal('(attribute_type(data.a, {"S":"N"}))', filter_of { data__a__type = "number" })
    end)

    it("combines them", function()
      assert.equal('((views = {"N":"1"}) OR (NOT ((user = {"S":"x"}) AND (live = {"BOOL":true}))))',
        filter_of(Post.views:eq(1) | ~(Post.user:eq "x" & Post.live:eq(true))))
    end)

    it("leaves to neap what the service cannot tell, and only that", function()
      local request, x = explained(Post:scan():where { views = 1, joined__suffix = "y", user__icontains = "ADA" })
      assert.equal('(views = {"N":"1"})', request.FilterExpression)
      assert.equal('(Post.user icontains "ada" and Post.joined suffix "y")', x.residual)
      assert.equal('(Post.views eq 1 or Post.joined suffix "y")', left(Post.views:eq(1) | Post.joined:suffix "y"))
      assert.equal('not Post.joined suffix "y"', left(~Post.joined:suffix "y"))
    end)

    it("leaves to neap what the service would refuse", function()
      assert.truthy(left { joined = "" })
      assert.truthy(left { live__lt = true })
      assert.truthy(left { rate = 1e300 })
      assert.truthy(left { price = neap.decimal "123456789012345678901234567890.123456789" })
      assert.truthy(left { place__near = { neap.geopoint(1, 2), 5 } })
      assert.truthy(left { joined__regex = "^a" })
      assert.truthy(left { views__gt = Post.views })
      local values = {}
      for i = 1, 5000 do values[i] = i end
      assert.truthy(left { views__in = values })
    end)
  end)

  describe("and its index", function()
    it("is used alone only if it holds all that is asked for", function()
      local said = refused("usage", function() Post:where { joined = "x", views = 1 }:explain() end)
      assert.truthy(said:find("by_joined does not hold user", 1, true), said)
      local _, x = explained(Post:where { joined = "x", views = 1 }:select("views"))
      assert.equal("query index by_joined", x.plan)
      assert.equal("joined-views", x.request.IndexName)
    end)

    it("is used alone only if it has every item", function()
      local said = refused("usage", function() Post:where { joined = "x" }:select("joined"):explain() end)
      assert.truthy(said:find("objects without views are not in the index by_joined", 1, true), said)
      assert.equal("query index by_joined", Post:where { joined = "x", views__exists = true }:select("joined"):explain().plan)
    end)

    it("is chosen by hand, and then gives what it holds", function()
      local request = explained(Post:index(Post.by_joined):where { joined = "x" })
      assert.equal("joined-views", request.IndexName)
      assert.equal("name, date, joined, views", request.ProjectionExpression)
      assert.truthy(refused("usage", function() Post:index "by_joined":where { joined = "x", user = "ada" }:explain() end)
        :find("by_joined does not hold user", 1, true))
      assert.equal("index Post.by_user", tostring(Post.by_user))
      assert.truthy(refused("usage", function() Post:index "by_nothing" end):find("by_nothing", 1, true))
    end)

    it("if it is a local one gets from the table what it does not hold, but filters by nothing else", function()
      local request, x = explained(Post:index(Post.by_at):where { name = id, user = "ada", joined = "x" }:order "at")
      assert.equal("ALL_ATTRIBUTES", request.Select)
      assert.equal('(joined = {"S":"x"})', request.FilterExpression)
      assert.equal('Post.user eq "ada"', x.residual)
    end)

    it("gives consistent reads if it is a local one", function()
      assert.is_true(explained(Post:index(Post.by_at):where { name = id }:consistent()).ConsistentRead)
      assert.truthy(refused("usage", function() Post:index(Post.by_user):where { user = "ada" }:consistent():explain() end)
        :find("no consistent reads", 1, true))
    end)

    it("does not filter by its own keys", function()
      local request, x = explained(Post:where { user = "ada", at__ne = 5, date__gt = now })
      assert.equal(('(date > {"S":"%s"})'):format(now), request.FilterExpression)
      assert.equal("Post.at ne 5", x.residual)
    end)
  end)

  describe("that would read everything", function()
    it("is refused, and says what would serve", function()
      local said = refused("usage", function() Post:where { views = 1 }:explain() end)
      assert.truthy(said:find("ask for name, user (index by_user), joined (index by_joined) by eq or in", 1, true), said)
    end)

    it("is done for who says scan, in segments side by side", function()
      assert.equal("scan table", Post:scan():explain().plan)
      assert.equal("scan index by_joined", Post:index(Post.by_joined):scan():explain().plan)
      local x = Post:scan { segments = 3 }:explain()
      assert.equal(3, #x.requests)
      assert.same({ TableName = "CustomTableName", Select = "ALL_ATTRIBUTES", Segment = 2, TotalSegments = 3 }, x.requests[3])
    end)

    it("is done for models that allow it", function()
      local Log = store:model("Log", { { "id", t.integer { hash_key = true } }, { "text", t.string() } }, { scan = true })
      assert.equal("scan table", Log:where { text = "x" }:explain().plan)
    end)
  end)

  describe("whose key is given by hand", function()
    it("needs the hash key by eq and at most one condition on the range key", function()
      assert.truthy(refused("usage", function() Post:key { date = now }:explain() end):find("key needs name by eq", 1, true))
      assert.truthy(refused("usage", function() Post:key { name__in = { id } }:explain() end):find("asked for by eq", 1, true))
      assert.truthy(refused("usage", function() Post:key { name = id, date__ne = now }:explain() end):find("date ne", 1, true))
      assert.truthy(refused("usage", function() Post:key { name = id, user = "ada" }:explain() end):find("nothing else", 1, true))
    end)

    it("is that of the index, where one is given", function()
      assert.equal("by_user", explained(Post:index(Post.by_user):key { user = "ada", at__gt = 5 }).IndexName)
    end)
  end)

  describe("whose filter is given by hand", function()
    it("raises where the service cannot do it", function()
      assert.truthy(refused("unsupported", function() Post:key { name = id }:filter { joined__suffix = "x" }:explain() end)
        :find("dynamodb has no suffix", 1, true))
      assert.truthy(refused("usage", function() Post:key { name = id }:filter { date = now }:explain() end):find("Post.date", 1, true))
    end)
  end)
end)

describe("a query of DynamoDB over relations", function()
  local store, Shelf, Book

  before_each(function()
    store = neap.open { url = "dynamodb://us-east-1?endpoint=http://127.0.0.1:1", access_key = "spec", secret_key = "spec" }
    Shelf = store:model("Shelf", {
      { "id", t.integer { primary = true } }, { "room", t.string() }, { "books", t.has_many("Book", "shelf") },
    })
    Book = store:model("Book", { { "id", t.integer { primary = true } }, { "shelf", t.pointer("Shelf", { index = true }) } })
  end)
  after_each(function() store:close() end)

  it("asks for the related keys first, by keys and indexes like all others", function()
    local said = Shelf:where { books__id = 7 }:explain()
    assert.equal(1, #said.related)
    assert.equal("GetItem", said.related[1].operation)
    assert.same({ TableName = "Book", Key = { id = { N = "7" } }, ProjectionExpression = "shelf_id" }, filled(said.related[1].request))
    assert.equal("BatchGetItem", Shelf:where { books__id__in = { 7, 8 } }:explain().related[1].operation)
  end)

  it("reads all of a related table where it may read all of its own", function()
    local q = Book:where { shelf__room = "a" }
    local ok, e = pcall(q.explain, q)
    assert.is_false(ok)
    assert.equal("usage", e.kind)
    assert.truthy(e.message:find("Shelf: all of the table would be read", 1, true))
    assert.equal("Scan", q:scan():explain().related[1].operation)
  end)
end)

describe("a query of a store that finds its way by itself", function()
  it("takes no advice", function()
    local store = neap.open "sqlite::memory:"
    local Post = store:model("Post", { { "id", t.integer { primary = true } }, { "by_id", t.index { "id" } } })
    for method, argument in pairs { index = "by_id", key = { id = 1 }, filter = { id = 1 }, scan = {} } do
      local ok, e = pcall(Post[method], Post, argument)
      assert.is_false(ok)
      assert.equal("unsupported", e.kind)
      assert.truthy(e.message:find("where() is enough", 1, true))
    end
    store:close()
  end)
end)
