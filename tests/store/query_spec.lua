-- Queries: what each method gives, and what is refused before anything is sent.
local contract = require "tests.store.contract"
local neap = require "neap"
local shop = require "tests.store.shop"

local function fails(kind, pattern, f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  assert.equal(kind, e.kind, tostring(e))
  assert.truthy(tostring(e):find(pattern, 1, true), tostring(e))
end

contract.each("queries", function(c)
  local m, Post

  before_each(function()
    m = shop.fill(c.store, shop.declare(c.store))
    Post = m.Post
  end)

  local function ids(q) return shop.list(q:all(), "id") end

  describe("where", function()
    it("gives the rows that meet all conditions", function()
      assert.same({ 2, 3, 4 }, ids(Post:where { views__gte = 20 }:order "id"))
      assert.same({ 4 }, ids(Post:where { views = 20 }:where { title__prefix = "San" }))
    end)

    it("takes a name and a value", function()
      assert.same({ 1 }, ids(Post:where("title", "Tides")))
    end)

    it("leaves the query that it was called on as it was", function()
      local all = Post:order "id"
      local few = all:where { id = 1 }
      assert.equal(5, #all:all())
      assert.equal(1, #few:all())
    end)

    it("follows pointers", function()
      assert.same({ 1, 2 }, ids(Post:where { author__name = "Ada" }:order "id"))
    end)

    it("gives with exclude what it would not give, absent values included", function()
      assert.same({ 3, 4, 5 }, ids(Post:exclude { author = 1 }:order "id"))
    end)
  end)

  describe("order", function()
    it("sorts up and down by several fields", function()
      assert.same({ 2, 3, 4, 1, 5 }, ids(Post:order("-views", "id")))
      assert.same({ 2, 4, 3, 1, 5 }, ids(Post:order("-views", "title")))
    end)

    it("puts absent values last either way", function()
      assert.same({ 1, 5, 2, 3, 4 }, ids(Post:order("at", "id")))
      assert.same({ 2, 1, 5, 3, 4 }, ids(Post:order("-at", "id")))
    end)

    it("sorts decimals by number", function()
      assert.same({ 3, 1, 2 }, ids(Post:where { price__exists = true }:order "price"))
    end)

    it("sorts decimals that pointers lead to by number", function()
      Post { id = 6, title = "Foam", price = "10" }:save()
      local Reply = c.store:model("Reply", { id = neap.types.integer { primary = true }, to = neap.types.pointer "Post",
        parent = neap.types.pointer "Reply" })
      c.store:bind()
      Reply { id = 1, to = 6 }:save()
      Reply { id = 2, to = 2, parent = 1 }:save()
      Reply { id = 3, to = 1, parent = 2 }:save()
      assert.same({ 3, 2, 1 }, ids(Reply:order "to.price"))
      assert.same({ 1, 2, 3 }, ids(Reply:order "-to.price"))
      assert.same({ 3, 2, 1 }, ids(Reply:order("parent.to.price", "id")))
    end)

    it("reaches through pointers and into JSON", function()
      assert.same({ 3, 4, 1, 2, 5 }, ids(Post:order("-author.name", "id")))
      assert.same({ 3, 1 }, ids(Post:where { data__key__exists = true }:order "data.key"))
      assert.equal(2, #Post:order "data":limit(2):all())
    end)

    it("names the nearest field for an unknown one", function()
      fails("usage", "views", function() return Post:order "veiws" end)
    end)
  end)

  describe("limit and skip", function()
    it("cut the answer", function()
      assert.same({ 2, 3 }, ids(Post:order "id":skip(1):limit(2)))
      assert.same({ 4, 5 }, ids(Post:order "id":skip(3)))
      assert.same({}, ids(Post:limit(0)))
    end)

    it("count for count", function()
      assert.equal(5, Post:count())
      assert.equal(2, Post:limit(2):count())
      assert.equal(1, Post:skip(4):limit(9):count())
      assert.equal(0, Post:limit(0):count())
    end)

    it("take whole numbers from 0", function()
      fails("usage", "n", function() return Post:limit(-1) end)
      fails("usage", "n", function() return Post:skip(1.5) end)
    end)
  end)

  describe("terminals", function()
    it("first gives an object or nil", function()
      assert.equal("Moon", Post:order "-views":first().title)
      assert.is_nil(Post:where { id = 99 }:first())
    end)

    it("one gives the only object", function()
      assert.equal(3, Post:where { title = "Sea" }:one().id)
      fails("not_found", "Post", function() return Post:where { id = 99 }:one() end)
      fails("multiple", "Post", function() return Post:where { views = 20 }:one() end)
    end)

    it("get gives the object of a key, find nil where there is none", function()
      assert.equal("Sea", Post:get(3).title)
      fails("not_found", "99", function() return Post:get(99) end)
      assert.is_nil(Post:find(99))
      assert.is_nil(Post:where { views = 0 }:find(3))
    end)

    it("exists tells whether there is any", function()
      assert.is_true(Post:where { views = 20 }:exists())
      assert.is_false(Post:where { views = 21 }:exists())
      assert.is_false(Post:limit(0):exists())
    end)

    it("pluck gives the values of one field, neap.null where there is none", function()
      assert.same({ "Moon", "Sand", "Sea", "Tides", "Wind" }, Post:order "title":pluck "title")
      assert.same({ 1, 1, 2, 2, neap.null }, Post:order "id":pluck "author")
    end)

    it("pluck reaches through pointers and into JSON", function()
      assert.same({ "Ada", "Ada", "Bob", "Bob", neap.null }, Post:order "id":pluck "author.name")
      assert.same({ 1, 3 }, Post:where { data__key__exists = true }:order "data.key":pluck "data.key")
    end)

    it("rows gives plain tables, pointers as keys", function()
      local row = Post:where { id = 4 }:rows()[1]
      assert.same({ id = 4, author_id = 2, title = "Sand", views = 20 }, row)
    end)

    it("each streams and may be left early", function()
      local seen = {}
      for p in Post:order "id":each { batch = 2 } do
        seen[#seen + 1] = p.id
        if p.id == 3 then break end
      end
      assert.same({ 1, 2, 3 }, seen)
      assert.equal(5, Post:count())
    end)

    it("each lets the loop save what it reads", function()
      for p in Post:order "id":each() do
        p.views = p.views + 1
        p:save()
      end
      assert.equal(85, Post:sum "views")
    end)

    it("work on the class as on a query", function()
      assert.equal(5, #Post:all())
      assert.equal("Moon", Post:order "title":first().title)
    end)
  end)

  describe("a scope", function()
    local view

    before_each(function() view = c.store:with { scope = { Post = Post.views:gte(20), Comment = m.Comment.user:eq(2) } } end)

    it("goes with every read", function()
      local Some = view:model "Post"
      assert.same({ 2, 3, 4 }, ids(Some:order "id"))
      assert.equal(3, Some:count())
      assert.equal(70, Some:sum "views")
      assert.is_nil(Some:find(1))
      assert.equal(3, #Some:page { size = 50 })
      assert.is_false(Some:where { id = 5 }:exists())
    end)

    it("goes with every include and relation", function()
      local posts = view:model "Post":include "comments":order "id":all()
      assert.equal(1, #posts[1].comments:all())
      assert.equal(0, #posts[2].comments:all())
      assert.equal(0, posts[2].comments:where {}:count())
    end)

    it("goes with whatever pointers lead to", function()
      local Some = c.store:with { scope = { Author = m.Author.name:eq "Bob" } }:model "Post"
      assert.same({ neap.null, neap.null, "Bob", "Bob", neap.null }, Some:order "id":pluck "author.name")
      assert.is_nil(Some:max "author.age")
    end)

    it("goes with link tables", function()
      local Some = c.store:with { scope = { PostTag = m.PostTag.tag:eq(2) } }:model "Post"
      assert.same({ "sky" }, Some:get(1).tags:pluck "name")
      assert.equal(1, #Some:include "tags":where { id = 1 }:one().tags:all())
    end)

    it("goes with every set-based write", function()
      c:erase "Comment"
      c:erase "PostTag"
      local Some = view:model "Post"
      assert.equal(0, Some:where { id = 1 }:update { title = "x" })
      assert.equal(3, Some:delete { all = true })
      assert.equal(2, Post:count())
    end)
  end)

  describe("an open model", function()
    it("is queried by fields that nobody declared", function()
      local Open = c.store:model("Open", {})
      c.store:bind()
      c.store:save { Open { a = 1, b = { x = 2 } }, Open { a = 5 } }
      assert.same({ 5, 1 }, Open:order "-a":pluck "a")
      assert.equal(2, Open:where { a = 1 }:rows()[1].b.x)
      assert.equal(1, Open:select "a":order "a":first().a)
      assert.equal(6, Open:sum "a")
      assert.same({ { a = 1, n = 1 }, { a = 5, n = 1 } }, Open:group "a":order "a":aggregate { n = { ["$count"] = true } })
    end)
  end)

  describe("rows", function()
    it("gives values as their types say", function()
      local t = neap.types
      local Kept = c.store:model("Kept", { id = t.integer { primary = true }, tags = t.set(t.string()), list = t.list(t.datetime()) })
      c.store:bind()
      Kept { id = 1, tags = { "b", "a" }, list = { "2024-01-01T00:00:00Z" } }:save()
      local row = Kept:rows()[1]
      assert.equal(neap.set { "a", "b" }, row.tags)
      assert.equal(neap.datetime "2024-01-01T00:00:00Z", row.list[1])
      assert.equal(row.list[1], Kept:pluck "list"[1][1])
    end)
  end)

  describe("keys", function()
    local t = neap.types

    it("of several fields are tables", function()
      local Seat = c.store:model("Seat", {
        row = t.integer { primary = true }, number = t.integer { primary = true }, name = t.string(),
      })
      c.store:bind()
      c.store:save { Seat { row = 1, number = 1, name = "a" }, Seat { row = 1, number = 2, name = "b" } }
      assert.equal("b", Seat:get { row = 1, number = 2 }.name)
      assert.is_nil(Seat:find { row = 2, number = 2 })
      assert.equal(1, Seat:where { name = "b" }:order "row":limit(1):delete())
      assert.same({ { row = 1, number = 1, name = "a" } }, Seat:rows())
      fails("usage", "row", function() return Seat:get(1) end)
    end)

    it("of any type find their object", function()
      local Thing = c.store:model("Thing", { id = t.uuid { primary = true, auto = true }, at = t.datetime(), parent = t.pointer "Thing" })
      c.store:bind()
      local a = Thing { at = "2024-01-01T00:00:00Z" }:save()
      local b = Thing { parent = a }:save()
      assert.equal(a.at, Thing:get(b.id).parent.at)
      assert.equal(a.id, Thing:get(a.id:upper()).id)
      assert.same({ b.id }, Thing:where { parent = a }:pluck "id")
    end)

    it("of another type are refused", function()
      fails("validation", "id", function() return Post:get "three" end)
    end)
  end)

  describe("select", function()
    it("loads only what is named, and the keys", function()
      local p = Post:select "title":where { id = 1 }:one()
      assert.equal(1, p.id)
      assert.equal("Tides", p.title)
    end)

    it("makes other fields raise when they are read", function()
      local p = Post:select "title":first()
      fails("usage", "views", function() return p.views end)
    end)

    it("names all unknown fields at once, as order does", function()
      for _, method in ipairs { "select", "order" } do
        local _, e = pcall(Post[method], Post, "titel", "views", "idd")
        assert.equal("usage", e.kind)
        assert.truthy(e.message:find("Post has no field titel; did you mean title?; 1 more in e.errors", 1, true), e.message)
        assert.truthy(e.errors.titel and e.errors.idd and not e.errors.views)
      end
    end)

    it("takes whole columns only", function()
      fails("usage", "comments", function() return Post:select "comments" end)
      fails("usage", "title", function() return Post:select "titel" end)
    end)
  end)
end)

contract.sql("queries in SQL", function(c)
  local Post

  before_each(function() Post = shop.fill(c.store, shop.declare(c.store)).Post end)

  describe("computed fields in SQL", function()
    it("are read, selected, compared and sorted like others", function()
      local t = neap.types
      local Person = c.store:model("Person", {
        id = t.integer { primary = true }, age = t.integer(), older = t.computed(t.integer(), { sql = "{age} + 10" }),
      })
      c.store:bind()
      c.store:save { Person { id = 1, age = 30 }, Person { id = 2, age = 20 } }
      assert.equal(40, Person:get(1).older)
      assert.same({ 2, 1 }, Person:order "older":pluck "id")
      assert.equal(30, Person:where { older = 30 }:one().older)
      assert.equal(70, Person:sum "older")
      assert.equal(40, Person:select "older":order "-older":first().older)
    end)
  end)

  describe("explain", function()
    it("gives what would be sent", function()
      local e = Post:where { views__gte = 20 }:order "-id":limit(2):explain()
      assert.truthy(e.sql:find("ORDER BY", 1, true))
      assert.same({ 20, 2 }, e.params)
    end)

    it("gives the same text for other values", function()
      assert.equal(Post:where { title = "a" }:explain().sql, Post:where { title = "'; DROP TABLE" }:explain().sql)
    end)
  end)

  describe("sql", function()
    it("gives objects from a statement of one's own", function()
      local list = Post:sql('SELECT id, title FROM "Post" WHERE views > ? ORDER BY id', { 15 })
      assert.same({ "Moon", "Sea", "Sand" }, shop.list(list, "title"))
      list[1].title = "Full moon"
      list[1]:save()
      assert.equal("Full moon", Post:get(2).title)
    end)

    it("names a column that the model has not", function()
      fails("usage", "n", function() return Post:sql 'SELECT id, 1 AS n FROM "Post"' end)
    end)
  end)
end)
