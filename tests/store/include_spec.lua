-- Includes: related objects that come with the rows, one statement a relation and level.
local contract = require "tests.store.contract"
local shop = require "tests.store.shop"

contract.each("includes", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  --- Makes every later statement see other data, so that what was loaded before shows.
  local function spoil()
    c:client "PRAGMA foreign_keys = OFF; UPDATE Author SET name = 'later'; DELETE FROM Comment; DELETE FROM PostTag"
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
    assert.same({ "ah", "oh" }, shop.list(posts[1].comments:all(), "text"))
    assert.equal(1, posts[2].comments:count())
    assert.same({}, posts[5].comments:all())
    local texts = {}
    for comment in posts[1].comments:each() do texts[#texts + 1] = comment.text end
    assert.same({ "ah", "oh" }, texts)
    assert.equal("yes", posts[3].comments:first().text)
  end)

  it("bring has_one", function()
    local authors = m.Author:include "profile":order "id":all()
    c:client "DELETE FROM Profile"
    assert.equal("counts", authors[1].profile.bio)
    assert.is_nil(authors[2].profile)
  end)

  it("bring many_to_many", function()
    local posts = m.Post:include "tags":order "id":all()
    spoil()
    assert.same({ "sea", "sky" }, shop.list(posts[1].tags:all(), "name"))
    assert.same({ "sky" }, shop.list(posts[2].tags:all(), "name"))
    assert.same({}, posts[3].tags:all())
  end)

  it("nest", function()
    local authors = m.Author:include("posts.comments.user", "posts.tags"):order "id":all()
    spoil()
    local post = authors[1].posts:all()[1]
    assert.equal("Tides", post.title)
    assert.equal("Bob", post.comments:all()[1].user.name)
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

  it("work inside a transaction", function()
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
end)
