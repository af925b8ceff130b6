-- Saving: what is written, what is checked, and what the object holds afterwards.
local contract = require "tests.store.contract"
local fails = require "tests.fails"
local neap = require "neap"
local t = neap.types

contract.each("saving", function(c)
  local User, Post

  before_each(function()
    User = c.store:model("User", { id = c:counted(), name = t.string { required = true },
      email = t.string { unique = c.capabilities.unique } })
    Post = c.store:model("Post", {
      id = c:counted(), author = t.pointer "User", title = t.string { required = true },
      views = t.integer { default = 0 }, tags = t.list(t.string()), data = t.json(), price = t.decimal(),
      at = t.datetime(), ok = t.boolean(), version = t.integer { version = true }, changed_at = t.datetime { auto_now = true },
    }, { table = "posts" })
    c.store:bind()
  end)

  describe("a new object", function()
    it("gets the key that the store chooses", function()
      local p = Post { title = "Tides" }
      assert.is_true(p:is_new())
      assert.equal(p, p:save())
      assert.is_false(p:is_new())
      assert.same({ p.id .. "|Tides|0" }, c:rows("posts", "id", "title", "views"))
    end)

    it("keeps the key that it was given", function()
      Post { id = 77, title = "Tides" }:save()
      assert.equal("Tides", Post:get(77).title)
    end)

    it("writes every type so that it is the same when read", function()
      local at = neap.datetime "2015-07-20T09:05:57.463255Z"
      local p = Post { title = "T", tags = { "a", "b" }, data = { x = { 1, 2 } }, price = neap.decimal "1.10", at = at, ok = true }
      p:save()
      local q = Post:get(p.id)
      assert.same({ "a", "b" }, { q.tags[1], q.tags[2] })
      assert.equal(2, q.data.x[2])
      assert.equal(neap.decimal "1.10", q.price)
      assert.equal(at, q.at)
      assert.is_true(q.ok)
    end)

    c.can "unique" ("whose key exists raises conflict and names the field", function()
      Post { id = 1, title = "a" }:save()
      local e = fails("conflict", function() Post { id = 1, title = "b" }:save() end)
      assert.truthy(e.errors.id)
      assert.same({ "a" }, c:rows("posts", "title"))
    end)

    c.can "unique" ("whose unique value is taken raises conflict and names the field", function()
      User { name = "Ada", email = "ada@example.org" }:save()
      local e = fails("conflict", function() User { name = "Eve", email = "ada@example.org" }:save() end)
      assert.same({ email = "is taken by another row" }, e.errors)
    end)

    it("that lacks a key which nobody makes is not sent", function()
      local Flag = c.store:model("Flag", { id = t.integer { primary = true }, name = t.string { required = true } })
      c.store:bind()
      local e = fails("validation", function() Flag {}:save() end)
      assert.same({ id = "must have a value", name = "must have a value" }, e.errors)
    end)

    it("that lacks required values is not sent; all of them are named", function()
      local e = fails("validation", function() Post {}:save() end)
      assert.same({ title = "must have a value" }, e.errors)
      assert.same({}, c:rows("posts", "id"))
    end)

    if c.sql then
      it("that points nowhere raises conflict", function()
        local p = Post { title = "a" }
        p.author_id = 99
        fails("conflict", p.save, p)
      end)
    end

    it("saves the new object that it points to first", function()
      local ada = User { name = "Ada" }
      local p = Post { title = "a", author = ada }
      p:save()
      assert.is_false(ada:is_new())
      assert.same({ tostring(ada.id) }, c:rows("posts", "author_id"))
    end)
  end)

  describe("a loaded object", function()
    local p

    before_each(function()
      Post { id = 1, title = "Tides", views = 3 }:save()
      p = Post:get(1)
    end)

    it("sends what has changed and nothing else", function()
      c:set("posts", { id = 1 }, { views = 50 })
      p.title = "Waves"
      p:save()
      assert.same({ "Waves|50" }, c:rows("posts", "title", "views"))
    end)

    it("that has not changed sends nothing", function()
      local before = p.changed_at
      p:save()
      assert.equal(before, p.changed_at)
      assert.same({ "1" }, c:rows("posts", "version"))
    end)

    it("has no changes left afterwards", function()
      p.title = "Waves"
      p:save()
      assert.same({}, p:changes())
    end)

    it("loses a field that is set to nil", function()
      p.views = nil
      p:save()
      assert.same({ "1|" }, c:rows("posts", "id", "views"))
    end)

    it("writes a list that was changed in place", function()
      p.tags = { "a" }
      p:save()
      p = Post:get(1)
      p.tags[2] = "b"
      p:save()
      assert.same({ c:list '["a","b"]' }, c:rows("posts", "tags"))
    end)

    it("is written if it has changed, wherever it stands in a list", function()
      local list = {}
      for i = 1, 5 do list[i] = Post { title = "Post " .. i, tags = { "a" } } end
      c.store:save(list)
      list = Post:where { title__ne = "Tides" }:order("id"):all()
      table.insert(list, 3, User { name = "Ada" }:save())
      list[2].title = "Changed"
      list[5].tags[1] = "b"
      c.store:save(list)
      local function is(...)
        local expected = { ... }
        for i, line in ipairs(expected) do expected[i] = c:list(line) end
        assert.same(expected, c:rows("posts", "title", "tags", "version"))
      end
      is('Changed|["a"]|2', 'Post 1|["a"]|1', 'Post 3|["a"]|1', 'Post 4|["b"]|2', 'Post 5|["a"]|1', "Tides||1")
      c.store:save(list, { force = true })
      is('Changed|["a"]|3', 'Post 1|["a"]|2', 'Post 3|["a"]|2', 'Post 4|["b"]|3', 'Post 5|["a"]|2', "Tides||1")
    end)

    it("that is gone raises not_found and is not made again", function()
      c:erase "posts"
      p.title = "Waves"
      local e = fails("not_found", p.save, p)
      assert.truthy(tostring(e):find("Post", 1, true))
      assert.same({}, c:rows("posts", "id"))
    end)

    it("counts its version up, and raises condition when somebody else did", function()
      local other = Post:get(1)
      p.title = "Waves"
      p:save()
      assert.equal(2, p.version)
      other.title = "Foam"
      fails("condition", other.save, other)
      assert.same({ "Waves|2" }, c:rows("posts", "title", "version"))
      other:reload()
      other.title = "Foam"
      other:save()
      assert.equal(3, other.version)
    end)

    it("is saved only if a condition holds", function()
      p.title = "Waves"
      fails("condition", p.save, p, { condition = { views = 9 } })
      assert.same({ "Tides" }, c:rows("posts", "title"))
      p:save { condition = Post.views:eq(3) }
      assert.same({ "Waves" }, c:rows("posts", "title"))
    end)

    it("checks the condition even where nothing has changed", function()
      fails("condition", p.save, p, { condition = { views = 9 } })
      p:save { condition = { views = 3 } }
    end)

    it("saved atomically must be as it was loaded", function()
      c:set("posts", { id = 1 }, { views = 50 })
      p.title = "Waves"
      fails("condition", p.save, p, { atomic = true })
      p:reload()
      p.title = "Waves"
      p:save { atomic = true }
      assert.same({ "Waves|50" }, c:rows("posts", "title", "views"))
    end)

    it("gives what the store has with returning = new", function()
      c:set("posts", { id = 1 }, { views = 50 })
      p.title = "Foam"
      p:save { returning = "new" }
      assert.equal(50, p.views)
    end)

    c.can "transactions" ("gives what the store had with returning = old", function()
      p.title = "Waves"
      assert.equal("Tides", p:save { returning = "old" }.title)
    end)

    it("is written whole with force", function()
      c:set("posts", { id = 1 }, { title = "Other", views = 50 })
      p:save { force = true }
      assert.same({ "Tides|3" }, c:rows("posts", "title", "views"))
    end)
  end)

  describe("with overwrite", function()
    it("replaces the row with the same key, or makes it", function()
      Post { id = 1, title = "a", views = 5, tags = { "x" } }:save()
      Post { id = 1, title = "b" }:save { overwrite = true }
      Post { id = 2, title = "c" }:save { overwrite = true }
      assert.same({ "1|b|0|", "2|c|0|" }, c:rows("posts", "id", "title", "views", "tags"))
    end)

    it("makes a loaded object again that was deleted", function()
      local p = Post { title = "a" }:save()
      c:erase "posts"
      p:save { overwrite = true }
      assert.same({ p.id .. "|a" }, c:rows("posts", "id", "title"))
    end)
  end)

  it("objects that point at each other, all of them new, raises usage", function()
    local Node = c.store:model("Node", { id = c:counted(), next = t.pointer "Node" })
    c.store:bind()
    local a, b = Node {}, Node {}
    a.next, b.next = b, a
    fails("usage", a.save, a)
    a.next = nil
    b:save()
    assert.equal(a.id, Node:get(b.id).next_id)
  end)

  describe("deleting", function()
    it("tells whether it was there", function()
      local p = Post { title = "a" }:save()
      assert.is_true(p:delete())
      assert.same({}, c:rows("posts", "id"))
      local gone = Post { title = "b" }:save()
      c:erase "posts"
      assert.is_false(gone:delete())
    end)

    it("with a condition raises condition when it is not met and not_found when it is gone", function()
      local p = Post { title = "a" }:save()
      fails("condition", p.delete, p, { condition = { views = 5 } })
      c:erase "posts"
      fails("not_found", p.delete, p, { condition = { views = 0 } })
    end)

    it("again finds nothing; with a condition it raises not_found", function()
      local p = Post { title = "a" }:save()
      assert.is_true(p:delete())
      assert.is_false(p:delete())
      fails("not_found", p.delete, p, { condition = { views = 0 } })
    end)

    it("leaves an object that cannot be saved any more, but with overwrite", function()
      local p = Post { id = 9, title = "a" }:save()
      p:delete()
      fails("not_found", p.save, p)
      local e = fails("batch", c.store.save, c.store, { Post { title = "b" }, p })
      assert.same({ 2, "not_found" }, { e.errors[1].index, e.errors[1].error.kind })
      assert.same({ "b" }, c:rows("posts", "title"))
      p:save { overwrite = true }
      assert.same({ "a", "b" }, c:rows("posts", "title"))
    end)

    c.can "transactions" ("that is rolled back leaves the object as it was", function()
      local p = Post { title = "a" }:save()
      pcall(c.store.transaction, c.store, function()
        p:delete()
        error "no"
      end)
      p.title = "b"
      p:save()
      assert.same({ "b" }, c:rows("posts", "title"))
    end)

    it("does nothing to an object that is not saved", function()
      assert.is_false(Post { title = "a" }:delete())
    end)
  end)

  describe("changes that the store makes", function()
    local p, twin

    before_each(function()
      p = Post { title = "a", views = 1, tags = { "x" }, data = { hits = 1, list = { 1 } }, price = neap.decimal "1.10" }:save()
      twin = Post:get(p.id)
    end)

    it("increment is not undone by a value that was assigned before and was there already", function()
      p.views = p.views
      p:increment("views", 2)
      assert.equal(3, p.views)
      assert.same({}, p:changes())
      p:save()
      assert.equal(3, p:reload().views)
    end)

    it("increment adds to what is there, and the object holds the result", function()
      twin:increment("views", 5)
      p:increment "views"
      assert.equal(7, p.views)
      assert.same({}, p:changes())
    end)

    it("names the field and the value that cannot be added", function()
      local e = fails("validation", function() p:increment("views", 1.5) end)
      assert.truthy(tostring(e):find("Post.views cannot be changed by 1.5", 1, true))
      e = fails("validation", function() p:append("tags", 1) end)
      assert.truthy(tostring(e):find("Post.tags[1]: 1 is wrong; expected a string", 1, true))
    end)

    it("keeps what the row holds within its bounds, whatever was loaded", function()
      local Meter = c.store:model("Meter", { id = t.integer { primary = true }, n = t.integer { min = 0, max = 10 },
        low = t.integer { min = 5 }, cost = t.decimal { max = "2.50" }, list = t.list(t.string(), { max = 2 }),
        inner = t.map { hits = t.integer { max = 3 } }, far = t.integer { max = math.mininteger + 5 } })
      c.store:bind()
      local m = Meter:create { id = 1, n = 8, cost = "2.00", list = { "a" }, inner = { hits = 2 } }
      local stale = Meter:get(1)
      local function leaves(place, verb, value)
        local e = fails("validation", function() stale[verb](stale, place, value) end)
        assert.truthy(e.message:find(place .. " would leave its bounds", 1, true), e.message)
        assert.truthy(e.errors[place:match "^%a+"])
      end
      assert.equal(10, m:increment("n", 2).n)
      leaves("n", "increment", 1)
      leaves("n", "increment", -11)
      leaves("low", "increment", 1)
      assert.equal(6, m:increment("low", 6).low)
      assert.equal(neap.decimal "2.50", m:increment("cost", "0.50").cost)
      leaves("cost", "increment", "0.01")
      assert.same({ "a", "b" }, m:append("list", "b").list)
      assert.same({ "a", "b" }, m:add_unique("list", "b").list)
      leaves("list", "append", "c")
      leaves("list", "add_unique", "c")
      assert.equal(3, m:increment("inner.hits").inner.hits)
      leaves("inner.hits", "increment", 1)
      leaves("far", "increment", 6)
      assert.same({ "10|6" }, c:rows("Meter", "n", "low"))
    end)

    it("keeps secret what cannot be added to a secret field", function()
      local Vault = c.store:model("Vault", { id = t.integer { primary = true }, keys = t.list(t.string(), { secret = true }) })
      c.store:bind()
      local e = fails("validation", function() Vault:create { id = 1 }:append("keys", 987654) end)
      assert.truthy(tostring(e):find("Vault.keys[1]: *** is wrong", 1, true))
    end)

    it("increment is exact for decimals", function()
      p:increment("price", neap.decimal "0.25")
      assert.equal(neap.decimal "1.35", p.price)
    end)

    it("increment reaches inside a field", function()
      p:increment "data.hits"
      assert.equal(2, p.data.hits)
      p:increment("data.fresh", 3)
      assert.equal(3, p.data.fresh)
    end)

    it("append, add_unique and pull change lists", function()
      p:append("tags", "y")
      p:append("tags", "x")
      p:add_unique("tags", "y")
      p:add_unique("tags", "z")
      assert.same({ c:list '["x","y","x","z"]' }, c:rows("posts", "tags"))
      p:pull("tags", "x")
      assert.equal("y", p.tags[1])
      assert.same({ c:list '["y","z"]' }, c:rows("posts", "tags"))
    end)

    it("append starts the list that is not there", function()
      local q = Post { title = "b" }:save()
      q:append("tags", "first")
      assert.same({ c:list '["first"]' }, { c:rows("posts", "id", "tags")[2]:match "|(.*)" })
    end)

    it("set and unset change a place inside a field", function()
      p:set("data.a", "text")
      p:set("data.list.0", 9)
      p:unset "data.hits"
      local data = c:rows("posts", "data")[1]
      assert.same({ list = { 9 }, a = "text" }, neap.json.decode(data))
      assert.is_nil(p.data.hits)
    end)

    it("are local to an object that is not saved", function()
      local q = Post { title = "b", views = 1 }
      q:increment("views", 2):append("tags", "x")
      assert.equal(3, q.views)
      assert.equal("x", q.tags[1])
    end)

    it("set and unset change whole fields too; nil removes", function()
      p:set("ok", true):set("at", "2024-05-01T10:00:00Z"):set("title", "b"):unset("views"):set("price", nil)
      assert.same({ "b||" }, c:rows("posts", "title", "views", "price"))
      assert.same(1, Post:where { at = "2024-05-01T10:00:00Z" }:count())
      assert.is_true(p.ok)
      assert.same({}, p:changes())
      p:set("data.hits", nil):set("data.list.1", "end")
      assert.same({ list = { 1, "end" } }, neap.json.decode(c:rows("posts", "data")[1]))
    end)

    it("refuse to remove what is required, and what is no value of the object", function()
      local e = fails("validation", p.unset, p, "title")
      assert.truthy(tostring(e):find("Post.title must have a value", 1, true))
      fails("validation", p.set, p, "title", neap.null)
      fails("usage", p.unset, p, "id")
      fails("usage", p.unset, p, "nope")
      local House = c.store:model("House", { id = t.integer { primary = true }, next = t.pointer "House",
        rooms = t.has_many("House", "next"), size = t.computed(t.integer(), { get = function() return 1 end }),
        place = t.map { street = t.string(), no = t.integer() } })
      c.store:bind()
      local h = House:create { id = 1, place = { street = "a" } }
      e = fails("usage", h.set, h, "rooms", 1)
      assert.truthy(tostring(e):find("House.rooms is a relation and has no value that set could change", 1, true))
      fails("usage", h.increment, h, "size")
      e = fails("usage", h.set, h, "place.stret", "b")
      assert.truthy(tostring(e):find("House.place has no declared name stret; did you mean street?", 1, true))
      e = fails("usage", h.set, h, "next", House { place = { no = 1 } })
      assert.truthy(tostring(e):find("House.next takes an object that has a key; save it first", 1, true))
      e = fails("validation", h.set, h, "next", p)
      assert.truthy(tostring(e):find("an object of House or its key, not one of Post", 1, true))
    end)

    it("are not made where the row holds something else by now: that raises condition", function()
      c:set("posts", { id = p.id }, { data = { hits = "text", list = 5 } })
      fails("condition", p.increment, p, "data.hits")
      fails("condition", p.append, p, "data.list", 2)
      fails("condition", p.set, p, "data.list.0", 2)
      assert.same({ hits = "text", list = 5 }, neap.json.decode(c:rows("posts", "data")[1]))
      p:set("data.list", { 5 }):reload():append("data.list", 6)
      assert.same({ hits = "text", list = { 5, 6 } }, neap.json.decode(c:rows("posts", "data")[1]))
    end)

    for _, state in ipairs { "loaded", "new" } do
      it("name the place and what was expected, on a " .. state .. " object", function()
        local o = state == "new" and p:copy { data = { hits = 1, list = { 1 }, word = "x" } } or p:set("data.word", "x")
        local function refused(expected, verb, ...)
          local e = fails("validation", o[verb], o, ...)
          assert.truthy(tostring(e):find(expected, 1, true), tostring(e))
        end
        refused("Post.data.x: a function is no value that can be kept", "set", "data.x", print)
        refused("Post.data.hits cannot be changed by x; expected a number", "increment", "data.hits", "x")
        refused("Post.data.word is a string; increment needs a number", "increment", "data.word")
        refused("Post.data.hits is a number; append needs a list", "append", "data.hits", 1)
        refused("Post.data is a table; add_unique needs a list", "add_unique", "data", 1)
        refused("Post.data.word.a: Post.data.word is a string and has no parts", "set", "data.word.a", 1)
        o.data.nothing = neap.null
        refused("Post.data.nothing.a: Post.data.nothing is null", "set", "data.nothing.a", 1)
        o.data.nothing = nil
        refused("Post.data.list.a: Post.data.list is a list", "set", "data.list.a", 1)
        refused("Post.data.0: Post.data is a map", "set", "data.0", 1)
        refused("Post.data.list.7: Post.data.list has only 1 elements", "set", "data.list.7", 1)
        refused("Post.tags.0: 5 is wrong; expected a string", "set", "tags.0", 5)
        for _, verb in ipairs { "append", "add_unique", "pull" } do
          refused("Post.tags[1]: 5 is wrong; expected a string", verb, "tags", 5)
          fails("usage", o[verb], o, "tags", nil)
        end
        assert.equal('{"hits":1,"list":[1],"word":"x"}', neap.json.encode(o.data))
        assert.same({ "x" }, o.tags)
      end)

      it("make what is missing on the way, on a " .. state .. " object", function()
        local o = state == "new" and p:copy() or p
        o:set("data.a.b", 1):append("data.c.d", 2):increment("data.e.f", 3):set("data.g.0", 4):unset "data.none.here":unset "data.list.0"
        assert.equal('{"a":{"b":1},"c":{"d":[2]},"e":{"f":3},"g":[4],"hits":1,"list":[]}', neap.json.encode(o.data))
      end)
    end

    it("refuse fields of other types", function()
      fails("usage", p.increment, p, "title")
      fails("usage", p.append, p, "views", 1)
      fails("usage", p.increment, p, "id")
    end)

    it("raise not_found when the row is gone", function()
      c:erase "posts"
      fails("not_found", p.increment, p, "views")
    end)
  end)

  describe("reload", function()
    it("reads the row again and drops what was not saved", function()
      local p = Post { title = "a" }:save()
      c:set("posts", { id = p.id }, { title = "b" })
      p.views = 9
      p:reload()
      assert.equal("b", p.title)
      assert.equal(0, p.views)
      assert.same({}, p:changes())
    end)

    it("raises not_found when it is gone", function()
      local p = Post { title = "a" }:save()
      c:erase "posts"
      fails("not_found", p.reload, p)
    end)
  end)

  if c.capabilities.unique then
    describe("upsert", function()
      it("names the unique sets of fields when it is given another", function()
        local Seat = c.store:model("Seat", { id = t.integer { primary = true }, row = t.integer(), place = t.integer(),
          guest = t.string { unique = true }, one = t.unique { "row", "place" }, some = t.unique { "place", where = { row = 1 } } })
        c.store:bind()
        for _, fields in ipairs { { "place" }, { "row" }, { "id", "guest" } } do
          local e = fails("usage", function() Seat:upsert({ id = 1, row = 1, place = 2, guest = "a" }, fields) end)
          local text = ('upsert cannot find a row of Seat by { "%s" }: unique are { "id" }, { "guest" }, { "row", "place" }')
            :format(table.concat(fields, '", "'))
          assert.truthy(tostring(e):find(text, 1, true), tostring(e))
        end
        Seat:upsert({ id = 1, row = 1, place = 2, guest = "a" }, { "place", "row" })
        assert.same({ "1|a" }, c:rows("Seat", "id", "guest"))
      end)

      it("makes a new row or writes into the one with the same unique fields", function()
        local ada, created = User:upsert({ name = "Ada", email = "ada@example.org" }, { "email" })
        assert.is_true(created)
        local same, again = User:upsert({ name = "Ada Lovelace", email = "ada@example.org" }, { "email" })
        assert.is_false(again)
        assert.equal(ada.id, same.id)
        assert.same({ "Ada Lovelace" }, c:rows("User", "name"))
      end)

      it("names the nearest field for one that does not exist", function()
        local e = fails("usage", function() User:upsert({ name = "Ada" }, { "emial" }) end)
        assert.truthy(tostring(e):find("email", 1, true))
      end)

      it("wants the values that tell whether the row is there", function()
        local e = fails("usage", function() User:upsert({ name = "Ada" }, { "email" }) end)
        assert.truthy(tostring(e):find("by email: give it a value", 1, true))
        fails("usage", function() User:upsert({ name = "Ada" }, {}) end)
        assert.equal(0, User:count())
      end)
    end)
  end

  it("create makes and saves", function()
    assert.is_false(Post:create { title = "a" }:is_new())
  end)

  it("keeps every value that saving makes, however many, and makes all times the same", function()
    local fields = { id = c:counted(), n = t.integer() }
    for i = 1, 20 do fields["at" .. i] = t.datetime { auto_now = true } end
    local Log = c.store:model("Log", fields)
    c.store:bind()
    local log = Log { n = 1 }:save()
    assert.truthy(log.id)
    for i = 2, 20 do assert.equal(log.at1, log["at" .. i]) end
    log:increment("n", 1)
    for i = 2, 20 do assert.equal(log.at1, log["at" .. i]) end
    local n, first, last = c:rows("Log", "n", "at1", "at20")[1]:match "(.*)|(.*)|(.*)"
    assert.same({ "2", first }, { n, last })
  end)

  it("writes what the objects held when it began, whatever other tasks do to them meanwhile", function()
    local list, begun = {}, false
    for i = 1, 200 do list[i] = Post { title = ("before "):rep(20) .. i } end
    neap.all {
      function()
        begun = true
        c.store:save(list)
      end,
      function()
        while not begun do neap.sleep(0) end
        for _, p in ipairs(list) do p.title = ("after "):rep(20) end
        collectgarbage()
        for _ = 1, 1000 do local _ = ("rest "):rep(30) .. math.random() end
      end,
    }
    local saved = c:rows("posts", "title")
    assert.equal(200, #saved)
    for _, title in ipairs(saved) do assert.matches("^before before", title) end
  end)

  c.can "transactions" ("writes what the object held when it began, behind a transaction of another task", function()
    local post, asked = Post { title = ("before "):rep(20) }, false
    neap.all {
      function()
        c.store:transaction(function()
          while not asked do neap.sleep(0) end
          neap.sleep(0)
          post.title = ("after "):rep(20)
          collectgarbage()
          for _ = 1, 1000 do local _ = ("rest "):rep(28) .. math.random() end
        end)
      end,
      function()
        asked = true
        post:save()
      end,
    }
    local saved = c:rows("posts", "title")
    assert.equal(1, #saved)
    assert.is_true(saved[1]:find "^before before" ~= nil or saved[1]:find "^after after" ~= nil)
    assert.equal(("after "):rep(20), post.title)
  end)

  it("bears finalizers that change what is being saved", function()
    local list, left, n = {}, 200, c.sql and 2000 or 200
    for i = 1, n do list[i] = Post { title = ("before "):rep(20) .. i } end
    local function lay()
      setmetatable({}, { __gc = function()
        left = left - 1
        for i = 1 + left % 10 * n // 10, n // 10 + left % 10 * n // 10 do list[i].title = ("after "):rep(20) .. left .. " " .. i end
        if left > 0 then lay() end
      end })
    end
    for _ = 1, 5 do lay() end
    local pause, speed = collectgarbage("setpause", 50), collectgarbage("setstepmul", 1000)
    c.store:save(list)
    for i, post in ipairs(list) do post.title = ("before "):rep(20) .. i end
    c.store:save(list)
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", speed)
    local saved = c:rows("posts", "title")
    assert.equal(n, #saved)
    for _, title in ipairs(saved) do assert.is_true(title:find "^before before" ~= nil or title:find "^after after" ~= nil) end
  end)
end)
