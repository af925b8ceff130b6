-- Values of every type on DynamoDB: which attribute values the server has of them, and that they come back as they went.
local contract = require "tests.store.contract"
local fails = require "tests.fails"
local neap = require "neap"
local t = neap.types

contract.only("dynamodb", "types", function(c)
  local store

  before_each(function() store = c.store end)

  --- The item as the server has it, without its key.
  local function item_of(name, id)
    local reply = store:request("GetItem", { TableName = c.prefix .. name, Key = { id = { S = id } }, ConsistentRead = true })
    local item = reply.Item
    if item then item.id = nil end
    return item
  end

  --- A model with one field x, bound.
  local function model_of(type_, options)
    local Thing = store:model("Thing", { id = t.string { primary = true }, x = type_ }, options)
    store:bind()
    return Thing
  end

  --- Puts an item as another program might.
  local function put(id, attributes)
    attributes.id = { S = id }
    store:request("PutItem", { TableName = c.prefix .. "Thing", Item = attributes })
  end

  --- Saves the value; gives its attribute value and what another object reads.
  local function kept(type_, value)
    local Thing = model_of(type_)
    Thing { id = "a", x = value }:save()
    return (item_of("Thing", "a") or {}).x, Thing:get("a").x
  end

  describe("a value", function()
    for _, case in ipairs {
      { "a string is S", t.string(), "Tide\n\"é\"", { S = "Tide\n\"é\"" } },
      { "an integer of 64 bits is N", t.integer(), math.mininteger, { N = "-9223372036854775808" } },
      { "a float is N, in its shortest digits", t.number(), 0.1, { N = "0.1" } },
      { "a large float is N", t.number(), 1.5e100, nil },
      { "a decimal of 38 digits is N", t.decimal(), neap.decimal "1234567890.1234567890123456789012345678",
        { N = "1234567890.1234567890123456789012345678" } },
      { "a decimal is read with the scale of its type", t.decimal { scale = 2 }, neap.decimal "1.50", { N = "1.5" } },
      { "a boolean is BOOL", t.boolean(), false, { BOOL = false } },
      { "a datetime is S of a fixed width", t.datetime(), neap.datetime "2015-07-20T11:05:57.4+02:00",
        { S = "2015-07-20T09:05:57.400000+00:00" } },
      { "a timestamp is N of whole seconds", t.timestamp(), neap.datetime "2015-07-20T09:05:57Z", { N = "1437383157" } },
      { "a date is S", t.date(), neap.date "2015-07-20", { S = "2015-07-20" } },
      { "a uuid is S", t.uuid(), "0189d0f2-7b3c-7e21-9b3a-3f0c7a1d2e4f", { S = "0189d0f2-7b3c-7e21-9b3a-3f0c7a1d2e4f" } },
      { "bytes are B, in base64 once", t.bytes(), "123\xff", { B = "MTIz/w==" } },
      { "a geopoint is M", t.geopoint(), neap.geopoint(52.5, 13),
        { M = { latitude = { N = "52.5" }, longitude = { N = "13" } } } },
    } do
      local name, type_, value, wire = table.unpack(case, 1, 4)
      it(name, function()
        local attribute, read = kept(type_, value)
        if wire then assert.same(wire, attribute) end
        assert.equal(value, read)
        assert.equal(math.type(value), math.type(read))
      end)
    end

    it("may be an empty list or map", function()
      assert.same({ L = neap.array {} }, (kept(t.list(t.string()), {})))
      assert.same({ M = neap.object {} }, (kept(t.map(t.string()), {})))
    end)

    it("of a list, a map or a set holds values of its type", function()
      assert.same({ L = { { N = "1437383157" } } }, (kept(t.list(t.timestamp()), { "2015-07-20T09:05:57Z" })))
      assert.same({ M = { a = { B = "/w==" } } }, (kept(t.map { a = t.bytes() }, { a = "\xff" })))
      local attribute, read = kept(t.list(t.map(t.decimal())), { { a = neap.decimal "0.00000000000000000000000000000000000001" } })
      assert.same({ L = { { M = { a = { N = "0.00000000000000000000000000000000000001" } } } } }, attribute)
      assert.equal(neap.decimal "0.00000000000000000000000000000000000001", read[1].a)
    end)

    it("keeps floats of typed places floats", function()
      local attribute, read = kept(t.list(t.number()), { 1.0, 2.5, 1e22 })
      assert.same({ L = { { N = "1" }, { N = "2.5" }, { N = "10000000000000000000000" } } }, attribute)
      assert.same({ "float", "float", "float" }, { math.type(read[1]), math.type(read[2]), math.type(read[3]) })
      assert.equal(1e22, read[3])
    end)
  end)

  describe("a set", function()
    local function sorted(list)
      table.sort(list)
      return list
    end

    it("is SS, NS or BS", function()
      local attribute, read = kept(t.set(t.string()), { "b", "a" })
      assert.same({ "a", "b" }, sorted(attribute.SS))
      assert.is_true(read == neap.set { "a", "b" })
      attribute, read = kept(t.set(t.decimal()), { neap.decimal "1.50", 2 })
      assert.same({ "1.5", "2" }, sorted(attribute.NS))
      assert.equal(2, #read)
      attribute, read = kept(t.set(t.bytes()), { "\xff", "a" })
      assert.same({ "/w==", "YQ==" }, sorted(attribute.BS))
      assert.is_true(read == neap.set { "a", "\xff" })
    end)

    it("sends numbers once that the server takes for one", function()
      assert.same({ NS = { "100" } }, (kept(t.set(t.decimal()), { neap.decimal "100.0", neap.decimal "1E2", 100 })))
    end)

    it("that is empty is nothing", function()
      local Thing = model_of(t.set(t.string()))
      local p = Thing { id = "a", x = { "a" } }
      p:save()
      p.x = {}
      p:save()
      assert.same({}, item_of("Thing", "a"))
      assert.is_nil(Thing:get("a").x)
    end)

    it("has values of one kind", function()
      local Thing = model_of(t.set(t.json()))
      local e = fails("validation", function() Thing { id = "a", x = { 1, "a" } }:save() end)
      assert.truthy(e.message:find("Thing.x[2]: a set of DynamoDB holds values of one kind", 1, true))
    end)
  end)

  describe("an untyped place", function()
    it("tells each value by its nature", function()
      local Thing = model_of(t.json())
      Thing { id = "a", x = {
        s = "a", i = 5, f = 0.5, d = neap.decimal "12345678901234567890.5", b = true, n = neap.null, l = { 1, {} },
        blob = neap.bytes "\xff", set = neap.set { 1 }, at = neap.datetime "2015-07-20T09:05:57Z",
      } }:save()
      assert.same({ M = {
        s = { S = "a" }, i = { N = "5" }, f = { N = "0.5" }, d = { N = "12345678901234567890.5" }, b = { BOOL = true },
        n = { NULL = true }, l = { L = { { N = "1" }, { M = neap.object {} } } }, blob = { B = "/w==" }, set = { NS = { "1" } },
        at = { S = "2015-07-20T09:05:57.000000+00:00" },
      } }, item_of("Thing", "a").x)
      local x = Thing:get("a").x
      assert.equal(neap.bytes "\xff", x.blob)
      assert.is_true(neap.set { 1 } == x.set)
      assert.equal(neap.decimal "12345678901234567890.5", x.d)
      assert.equal(neap.null, x.n)
    end)

    it("keeps bytes and sets of others when something beside them changes", function()
      local Thing = model_of(t.json())
      put("a", { x = { M = { blob = { B = "MTIz" }, names = { SS = { "a" } }, n = { N = "1" } } } })
      local p = Thing:get "a"
      p.x.n = 2
      p:save()
      assert.same({ M = { blob = { B = "MTIz" }, names = { SS = { "a" } }, n = { N = "2" } } }, item_of("Thing", "a").x)
    end)

    it("keeps them when a list that they are in is changed by itself", function()
      local Thing = model_of(t.json())
      put("a", { x = { M = { list = { L = { { B = "MTIz" }, { N = "1" }, { NS = { "5" } } } }, set = { SS = { "a", "b" } } } } })
      local p = Thing:get "a"
      p:pull("x.list", 1)
      p:pull("x.set", "a")
      p:set("x.blob", neap.bytes "\xff")
      p:set("x.new.blob", neap.bytes "\xfe")
      p:set("x.names", neap.set { "n" })
      assert.same({ M = { list = { L = { { B = "MTIz" }, { NS = { "5" } } } }, set = { SS = { "b" } }, blob = { B = "/w==" },
        new = { M = { blob = { B = "/g==" } } }, names = { SS = { "n" } } } }, item_of("Thing", "a").x)
      p:pull("x.set", "b")
      assert.is_nil(item_of("Thing", "a").x.M.set)
    end)

    it("knows a list that becomes a set", function()
      local Thing = model_of(t.json())
      local p = Thing { id = "a", x = { l = { 1 } } }
      p:save()
      p.x.l = neap.set { 1 }
      p:save()
      assert.same({ M = { l = { NS = { "1" } } } }, item_of("Thing", "a").x)
    end)

    it("is not changed by being read", function()
      local Thing = model_of(t.json())
      put("a", { x = { M = { blob = { B = "MTIz" }, names = { NS = { "1.5", "2" } }, big = { N = "1E+30" }, f = { N = "5" } } } })
      local p = Thing:get "a"
      assert.equal(1e30, p.x.big)
      assert.equal("integer", math.type(p.x.f))
      assert.same({}, p:changes())
    end)
  end)

  describe("null", function()
    it("is kept apart from nothing", function()
      local Thing = model_of(t.json())
      local p = Thing { id = "a", x = neap.null }
      p:save()
      assert.same({ x = { NULL = true } }, item_of("Thing", "a"))
      assert.equal(neap.null, Thing:get("a").x)
      p.x = nil
      p:save()
      assert.same({}, item_of("Thing", "a"))
      assert.is_nil(Thing:get("a").x)
    end)

    it("of another program is null in every type", function()
      local Thing = model_of(t.boolean())
      put("a", { x = { NULL = true } })
      assert.equal(neap.null, Thing:get("a").x)
    end)
  end)

  describe("what another program put there", function()
    it("comes as it is where the type does not call for it", function()
      local Thing = model_of(t.integer())
      put("a", { x = { S = "five" } })
      put("b", { x = { N = "4.5" } })
      assert.equal("five", Thing:get("a").x)
      assert.equal(4.5, Thing:get("b").x)
    end)

    it("stays when something else is saved", function()
      local Thing = store:model("Thing", { id = t.string { primary = true }, x = t.integer(), y = t.integer() })
      store:bind()
      put("a", { x = { S = "five" }, other = { L = { { BS = { "MTIz" } } } } })
      local p = Thing:get "a"
      p.y = 1
      p:save()
      assert.same({ x = { S = "five" }, y = { N = "1" }, other = { L = { { BS = { "MTIz" } } } } }, item_of("Thing", "a"))
    end)

    it("is a datetime in any form of ISO 8601", function()
      local Thing = model_of(t.datetime())
      put("a", { x = { S = "2015-07-20T11:05:57+02:00" } })
      assert.equal(neap.datetime "2015-07-20T09:05:57Z", Thing:get("a").x)
    end)
  end)

  describe("numbers", function()
    it("that the server cannot keep are refused, with their place", function()
      local Thing = model_of(t.list(t.decimal()))
      local e = fails("validation", function()
        Thing { id = "a", x = { 1, neap.decimal "123456789012345678901234567890123456789" } }:save()
      end)
      assert.truthy(e.message:find("Thing.x[2]: 123456789012345678901234567890123456789 is wrong", 1, true))
      assert.is_nil(item_of("Thing", "a"))
    end)

    it("may be as large and as small as the server keeps them", function()
      local Thing = model_of(t.decimal())
      local large = neap.decimal(("9"):rep(38) .. ("0"):rep(88))
      local small = neap.decimal("0." .. ("0"):rep(129) .. "1")
      for _, value in ipairs { large, -large, small, -small } do
        Thing { id = "a", x = value }:save()
        assert.equal(value, Thing:get("a").x)
      end
      for _, value in ipairs { neap.decimal("1" .. ("0"):rep(126)), neap.decimal("0." .. ("0"):rep(130) .. "1") } do
        fails("validation", function() Thing { id = "b", x = value }:save() end)
      end
    end)
  end)

  describe("a key", function()
    it("is found whatever its number is spelled as", function()
      local Thing = store:model("Thing", { { "a", t.decimal { hash_key = true } }, { "b", t.decimal { range_key = true } },
        { "x", t.string() } })
      store:bind()
      store:save { Thing { a = neap.decimal "1.50", b = 10, x = "first" }, Thing { a = 10, b = neap.decimal "1.50", x = "second" } }
      local first = Thing { a = neap.decimal "1.5", b = neap.decimal "1E1" }
      local second = Thing { a = neap.decimal "10.00", b = neap.decimal "1.500" }
      store:load { first, second }
      assert.same({ "first", "second" }, { first.x, second.x })
    end)

    it("of two texts is not that of the two the other way round", function()
      local Thing = store:model("Thing", { { "a", t.string { hash_key = true } }, { "b", t.string { range_key = true } },
        { "x", t.integer() } })
      store:bind()
      store:save { Thing { a = "p", b = "q", x = 1 }, Thing { a = "q", b = "p", x = 2 } }
      local there, back = Thing { a = "q", b = "p" }, Thing { a = "p", b = "q" }
      store:load { there, back }
      assert.same({ 2, 1 }, { there.x, back.x })
    end)
  end)

  describe("a secret", function()
    it("that cannot be kept is not shown", function()
      local Thing = model_of(t.decimal { secret = true })
      local e = fails("validation", function()
        Thing { id = "a", x = neap.decimal "123456789012345678901234567890123456789" }:save()
      end)
      assert.is_nil(e.message:find("12345", 1, true))
      assert.truthy(e.message:find("Thing.x: ***", 1, true))
    end)
  end)

  describe("an open model", function()
    it("keeps undeclared fields as attributes of the item", function()
      local Thing = store:model("Thing", { id = t.string { primary = true }, x = t.integer() }, { open = true })
      store:bind()
      local p = Thing { id = "a", x = 1 }
      p.color, p.sizes, p.blob = "red", neap.set { 1, 2 }, neap.bytes "\xff"
      p:save()
      local item = item_of("Thing", "a")
      table.sort(item.sizes.NS)
      assert.same({ x = { N = "1" }, color = { S = "red" }, sizes = { NS = { "1", "2" } }, blob = { B = "/w==" } }, item)
      local q = Thing:get "a"
      assert.equal("red", q.color)
      assert.is_true(neap.set { 2, 1 } == q.sizes)
      assert.equal(neap.bytes "\xff", q.blob)
      q.color, q.size = nil, 5
      q:save()
      item = item_of("Thing", "a")
      assert.is_nil(item.color)
      assert.same({ N = "5" }, item.size)
      assert.same({ B = "/w==" }, item.blob)
    end)
  end)
end)
