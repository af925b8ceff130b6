-- Includes: related objects that come with the rows, one statement a relation and level.
local neap = require "neap"
local contract = require "tests.store.contract"
local shop = require "tests.store.shop"

contract.each("includes", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  --- The values of one field, in their own order.
  local function sorted(objects, field)
    local values = shop.list(objects, field)
    table.sort(values)
    return values
  end

  --- Makes every later statement see other data, so that what was loaded before shows.
  local function spoil()
    for id = 1, 3 do c:set("Author", { id = id }, { name = "later" }) end
    c:erase "Comment"
    c:erase "PostTag"
  end

  it("bring pointers", function()
    local posts = m.Post:include "author":order "id":all()
    spoil()
    assert.equal("Ada", posts[1].author.name)
    assert.equal("Bob", posts[4].author.name)
    assert.is_nil(posts[5].author)
  end)

  it("bring relations to many, which then send nothing", function()
    local posts = m.Post:include "comments":order "id":all()
    spoil()
    assert.same({ "ah", "oh" }, sorted(posts[1].comments:all(), "text"))
    assert.equal(1, posts[2].comments:count())
    assert.same({}, posts[5].comments:all())
    local texts = {}
    for comment in posts[1].comments:each() do texts[comment.id] = comment.text end
    assert.same({ "ah", "oh" }, texts)
    assert.equal("yes", posts[3].comments:first().text)
  end)

  it("bring has_one", function()
    local authors = m.Author:include "profile":order "id":all()
    c:erase "Profile"
    assert.equal("counts", authors[1].profile.bio)
    assert.is_nil(authors[2].profile)
  end)

  it("bring many_to_many", function()
    local posts = m.Post:include "tags":order "id":all()
    spoil()
    assert.same({ "sea", "sky" }, sorted(posts[1].tags:all(), "name"))
    assert.same({ "sky" }, shop.list(posts[2].tags:all(), "name"))
    assert.same({}, posts[3].tags:all())
  end)

  it("need no bind", function()
    local t, store = neap.types, neap.open(c.url)
    local Tag = store:model("Tag", { id = t.integer { primary = true }, name = t.string() })
    local Author = store:model("Author", { id = t.integer { primary = true }, posts = t.has_many("Post", "author") })
    store:model("Post", {
      id = t.integer { primary = true }, author = t.pointer "Author",
      tags = t.many_to_many("Tag", { through = "PostTag" }),
    })
    store:model("PostTag", { id = t.integer { primary = true }, post = t.pointer "Post", tag = t.pointer "Tag" })
    local author = Author:include({ posts = store:model "Post":order "id" }, { ["posts.tags"] = Tag:order "id" }):get(1)
    assert.same({ "sea", "sky" }, shop.list(author.posts:all()[1].tags:all(), "name"))
    store:close()
  end)

  it("nest", function()
    local authors = m.Author:include({ posts = m.Post:order "id" }, "posts.comments.user", "posts.tags"):order "id":all()
    spoil()
    local post = authors[1].posts:all()[1]
    assert.equal("Tides", post.title)
    for _, comment in ipairs(post.comments:all()) do assert.equal(comment.id == 1 and "Bob" or "Cy", comment.user.name) end
    assert.equal(2, #post.tags:all())
    assert.same({}, authors[3].posts:all())
  end)

  it("come with streams, first and one", function()
    local names = {}
    for p in m.Post:include "author":order "id":each { batch = 2 } do
      names[#names + 1] = p.author and p.author.name or "none"
    end
    assert.same({ "Ada", "Ada", "Bob", "Bob", "none" }, names)
    local post = m.Post:include "comments":where { id = 1 }:one()
    spoil()
    assert.equal(2, #post.comments:all())
  end)

  it("load the pointers that they follow, whatever is selected", function()
    assert.equal("Ada", m.Post:select "title":include "author":order "id":first().author.name)
    assert.equal("Ada", m.Post:include "author":select "title":order "id":first().author.name)
  end)

  c.can "savepoints" ("see what was saved in their transaction", function()
    c.store:transaction(function()
      m.Comment { id = 9, post = 5, user = 1, text = "new" }:save()
      local post = m.Post:include "comments.user":where { id = 5 }:one()
      assert.equal("Ada", post.comments:first().user.name)
    end)
  end)

  it("name the nearest relation for an unknown one", function()
    local ok, e = pcall(function() return m.Post:include "coments" end)
    assert.is_false(ok)
    assert.equal("usage", e.kind)
    assert.truthy(tostring(e):find("comments", 1, true))
  end)

  describe("in a table", function()
    it("stand under their names: a pointer as a table, several objects as a list", function()
      local post = m.Post:include("author.profile", "comments", "tags"):get(2):to_table()
      assert.same({ id = 1, name = "Ada", age = 36, profile = { id = 1, author_id = 1, bio = "counts" } }, post.author)
      assert.is_nil(post.author_id)
      assert.same({ { id = 3, post_id = 2, user_id = 2, text = "well" } }, post.comments)
      assert.same({ { id = 2, name = "sky" } }, post.tags)
    end)

    it("are lacking where there is nothing, and empty lists where there are none", function()
      local post = m.Post:include("author", "comments"):get(5)
      assert.same({ id = 5, title = "Wind", views = 0, at = post.at, comments = {} }, post:to_table())
      assert.is_nil(m.Author:include "profile":get(2):to_table().profile)
    end)

    it("are there in JSON too", function()
      local comment = m.Comment:select "text":include "post.tags":get(3)
      assert.equal('{"id":3,"post":{"at":"2024-05-02T10:00:00.000000+00:00","author_id":1,"id":2,"price":2.20,'
        .. '"tags":[{"id":2,"name":"sky"}],"title":"Moon","views":30},"text":"well"}', neap.json.encode(comment))
      assert.equal('{"comments":[],"id":5}', neap.json.encode(m.Post:include "comments":get(5)
        :to_table { only = { "id", "comments" } }))
    end)

    it("follow only and exclude by their names; the key may be asked for", function()
      local post = m.Post:include("author", "tags"):get(3)
      assert.same({ title = "Sea", author = { id = 2, name = "Bob" } }, post:to_table { only = { "title", "author" } })
      assert.same({ author_id = 2 }, post:to_table { only = { "author_id" } })
      assert.is_nil(post:to_table { exclude = { "author" } }.author)
      assert.same({ name = "Bob" }, post:to_table { follow = { author = { only = { "name" } } } }.author)
    end)

    it("are what include loaded: a pointer that was touched or assigned stays a key", function()
      local post = m.Post:get(1)
      assert.equal("Ada", post.author.name)
      assert.equal(1, post:to_table().author_id)
      local other = m.Post:include "author":get(1)
      other.author = m.Author:get(2)
      assert.equal(2, other:to_table().author_id)
      assert.is_nil(other:to_table().author)
    end)

    it("do not come with rows, which are flat", function()
      assert.equal(1, m.Post:include "author":order "id":rows()[1].author_id)
    end)
  end)
end)
