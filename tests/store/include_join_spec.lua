-- One object that a row leads to comes with the row, by one statement for all of them at any depth.
local contract = require "tests.store.contract"
local neap = require "neap"
local shop = require "tests.store.shop"
local t = neap.types

contract.sql("an included object", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  --- Makes every later statement see other data, so that what was loaded before shows.
  local function spoil()
    c:client "UPDATE Author SET name = 'later'; UPDATE Post SET title = 'later'; DELETE FROM Profile"
  end

  it("comes by the statement of the rows, at any depth", function()
    local query = m.Comment:include("post.author.profile", "user.profile", "post.author"):order "id"
    assert.is_nil(query:explain().include)
    local comments = query:all()
    spoil()
    assert.equal("counts", comments[1].post.author.profile.bio)
    assert.equal("Tides", comments[1].post.title)
    assert.equal("Bob", comments[1].user.name)
    assert.is_nil(comments[1].user.profile)
    assert.equal("counts", comments[4].user.profile.bio)
  end)

  it("leaves what is many to statements of its own", function()
    local query = m.Comment:include("post.author.posts.tags", "post.comments"):order "id"
    local include = query:explain().include
    assert.is_nil(include.post.sql)
    assert.truthy(include.post.include.comments.sql)
    assert.truthy(include.post.include.author.include.posts.include.tags.sql)
    local comment = query:first()
    spoil()
    assert.same({ "Tides", "Moon" }, shop.list(comment.post.author.posts:all(), "title"))
    assert.same({ "ah", "oh" }, shop.list(comment.post.comments:all(), "text"))
    assert.same({ "sky" }, shop.list(comment.post.author.posts:all()[2].tags:all(), "name"))
  end)

  it("is one object for all rows that share it", function()
    local posts = m.Post:include "author":order "id":all()
    posts[1].author.name = "Countess"
    assert.equal("Countess", posts[2].author.name)
    assert.equal("Bob", posts[3].author.name)
  end)

  it("has the fields that its query selects, and counts", function()
    local post = m.Post:include { author = m.Author:select("name", "posts.count") }:get(1)
    assert.equal("Ada", post.author.name)
    assert.equal(2, post.author.posts:count())
    assert.is_false(pcall(function() return post.author.age end))
  end)

  it("meets its condition, whatever that asks", function()
    local query = m.Post:include { author = m.Author:where(m.Author.posts:some { views__gte = 30 } & m.Author.age:gt(30)) }
    local posts = query:where(m.Post.comments:count():gte(1)):order("author.name", "id"):all()
    assert.same({ 1, 2, 3 }, shop.list(posts, "id"))
    spoil()
    assert.equal("Ada", posts[2].author.name)
    assert.is_nil(posts[3].author)
  end)

  it("raises when touched where a pointer leads nowhere", function()
    c:unchecked "UPDATE Post SET author_id = 77 WHERE id = 1"
    local post = m.Post:include "author":get(1)
    local ok, e = pcall(function() return post.author.name end)
    assert.is_false(ok)
    assert.equal("not_found", e.kind)
    local view = c.store:with { scope = { Author = { name = "Bob" } } }
    ok, e = pcall(function() return view:model "Post":include "author":get(2).author.name end)
    assert.is_false(ok)
    assert.equal("not_found", e.kind)
    assert.equal("Bob", view:model "Post":include "author":get(3).author.name)
  end)

  it("of has_one is the first in its order, and no row comes twice", function()
    local Cat = c.store:model("Cat", { id = t.integer { primary = true }, owner = t.pointer "Person", age = t.integer() })
    local Person = c.store:model("Person", { id = t.integer { primary = true }, cat = t.has_one("Cat", "owner"),
      oldest = t.has_one("Cat", "owner", { order = "-age", where = { age__lt = 9 } }) })
    c.store:bind()
    c.store:save { Person { id = 1 }, Person { id = 2 } }
    for id, age in ipairs { 3, 7, 5, 12 } do Cat { id = id, owner = 1, age = age }:save() end
    local function cats(query)
      local ids = {}
      for i, person in ipairs(query:order "id":all()) do ids[i] = person.cat and person.cat.id or 0 end
      return ids
    end
    assert.same({ 1, 0 }, cats(Person))
    assert.same({ 1, 0 }, cats(Person:include "cat"))
    assert.same({ 4, 0 }, cats(Person:include { cat = Cat:order "-age" }))
    assert.same({ 2, 0 }, cats(Person:include { cat = Cat:where { age__gte = 4 } }))
    assert.equal(2, Person:get(1).oldest.id)
    assert.equal(2, Person:include("oldest", "cat"):get(1).oldest.id)
    assert.equal(3, Person:include { oldest = Cat:order "age":where { age__gt = 3 } }:get(1).oldest.id)
    assert.equal(2, Person:include "cat":count())
  end)

  it("of has_one that a unique pointer ties is a plain join", function()
    local Key = c.store:model("Key", { id = t.integer { primary = true }, door = t.pointer("Door", { unique = true }) })
    local Door = c.store:model("Door", { id = t.integer { primary = true }, key = t.has_one("Key", "door") })
    c.store:bind()
    Door { id = 1 }:save()
    Key { id = 5, door = 1 }:save()
    local query = Door:include "key"
    assert.is_nil(query:explain().sql:find("LIMIT", 1, true))
    assert.equal(5, query:get(1).key.id)
  end)

  it("loads what it points to together with the others of the answer", function()
    local comments = m.Comment:include "post":order "id":all()
    assert.equal("Ada", comments[1].post.author.name)
    spoil()
    assert.equal("Bob", comments[4].post.author.name)
  end)

  it("comes with streams, where a chunk has objects of its own", function()
    local names, seen = {}, {}
    for post in m.Post:where { author__exists = true }:include("author", "author.profile"):order "id":each { batch = 1 } do
      names[#names + 1] = post.author.name
      seen[#seen + 1] = post.author.profile and post.author.profile.bio or "none"
    end
    assert.same({ "Ada", "Ada", "Bob", "Bob" }, names)
    assert.same({ "counts", "counts", "none", "none" }, seen)
  end)

  it("comes with statements of the script's own, pages and single objects", function()
    local posts = m.Post:include("author", "comments"):sql 'SELECT id, author_id, title FROM "Post" ORDER BY id'
    local page = m.Post:include("author"):order "-id":page { size = 2 }
    local one = m.Post:include("author"):where { id = 4 }:one()
    spoil()
    assert.equal("Ada", posts[1].author.name)
    assert.equal(2, posts[1].comments:count())
    assert.equal("Bob", page[2].author.name)
    assert.equal("Bob", one.author.name)
  end)

  it("is not asked for where no objects come", function()
    local query = m.Post:include("author", "comments")
    assert.equal(5, query:count())
    assert.is_true(query:exists())
    assert.same({ 1, 2 }, query:limit(2):order "id":pluck "id")
    assert.equal("Tides", query:order "id":rows()[1].title)
    assert.equal(2, #query:where { author__exists = true }:group "author":all())
    assert.equal(80, query:sum "views")
    assert.equal(5, query:update({ views = 1 }, { all = true }))
    assert.equal(1, query:where { id = 5 }:delete())
  end)

  it("comes by a statement of its own where one would join too many", function()
    local fields = { id = t.integer { primary = true } }
    for i = 1, 40 do fields["p" .. i] = t.pointer "Wide" end
    local Wide = c.store:model("Wide", fields)
    c.store:bind()
    local names, row = {}, { id = 1 }
    for i = 1, 40 do names[i], row["p" .. i] = "p" .. i, 1 end
    Wide(row):save()
    local wide = Wide:include(table.unpack(names)):get(1)
    assert.equal(1, wide.p1.p40_id)
    assert.equal(1, wide.p40.p2_id)
    assert.truthy(Wide:include(table.unpack(names)):explain().include.p7.sql)
  end)
end)
