-- Conditions over relations: what is asked of related objects, of the links between, and how it goes into trees.
local contract = require "tests.store.contract"
local neap = require "neap"
local shop = require "tests.store.shop"
local t = neap.types

local small = { scan = true }  -- DynamoDB may read all of these to find a few

contract.each("conditions over relations", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  --- The keys of what meets the conditions.
  local function ids(model, ...) return model:where(...):order "id":pluck "id" end

  local function message(f)
    local ok, e = pcall(f)
    assert.is_false(ok)
    assert.equal("usage", e.kind)
    return e.message
  end

  describe("some", function()
    it("means one related object that meets all of one table", function()
      assert.same({ 1 }, ids(m.Post, { comments__user = 2, comments__text = "ah" }))
      assert.same({}, ids(m.Post, { comments__user = 2, comments__text = "oh" }))
      assert.same({ 1 }, ids(m.Post, { comments__user = 2 }, { comments__text = "oh" }))
    end)

    it("goes through several relations, of each kind", function()
      assert.same({ 1, 2 }, ids(m.Post, { comments__user__name = "Bob" }))
      assert.same({ 1 }, ids(m.Post, { comments__user__name = "Bob", author__profile__bio__prefix = "co", tags__name = "sea" }))
      assert.same({ 3 }, ids(m.Author, { posts__exists = false }))
      assert.same({ 1 }, ids(m.Author, { profile__exists = true }))
      assert.same({ 1 }, ids(m.Author, { posts__tags__name = "sea" }))
      assert.same({ 2, 4 }, ids(m.Comment, neap.any_of { { post__author__posts__title = "Sand" },
        { user__name = "Cy", post__comments__user__name = "Bob" } }))
    end)

    it("has the same meaning in each spelling", function()
      local spellings = {
        { comments__text = "ah" }, { comments = { text = "ah" } }, { comments = { ["$some"] = { text = "ah" } } },
        { comments = m.Comment.text:eq "ah" }, m.Post.comments:some { text = "ah" }, m.Post.comments:some(m.Comment.text:eq "ah"),
        { ["comments.text"] = { ["$eq"] = "ah" } }, { comments = { ["$or"] = { { text = "ah" }, { id = 77 } } } },
      }
      for i, spelling in ipairs(spellings) do assert.same({ 1 }, ids(m.Post, spelling), "spelling " .. i) end
    end)

    it("chooses the rows that are changed and deleted", function()
      assert.equal(2, m.Post:where { author__name = "Ada" }:update { views = 77 })
      assert.same({ 1, 2 }, ids(m.Post, { views = 77 }))
      assert.equal(2, m.Post:get(1).tags:query():update { name = "x" })
      assert.equal(2, m.Tag:where { name = "x" }:count())
      assert.equal(2, m.Comment:where { user__name = "Bob" }:delete())
      assert.same({}, ids(m.Comment, { user__name = "Bob" }))
    end)

    it("say what is asked before, where the store cannot join", function()
      local said = m.Post:where { author__name = "Ada", tags__name = "sea" }:explain()
      if c.sql and not c.plain then return assert.is_nil(said.related) end
      assert.equal(3, #said.related)  -- authors, tags and their links
      assert.equal(1, #m.Post:order "author.name":explain().related)
      assert.equal(1, #m.Post:select "comments.count":explain().related)
    end)

    it("takes a table or a condition for a pointer too", function()
      assert.same({ 1, 2 }, ids(m.Post, { author = { name = "Ada" } }))
      assert.same({ 1, 2 }, ids(m.Post, { author = m.Author.name:eq "Ada" }))
      assert.same({ 1, 2 }, ids(m.Post, { author = { ["$some"] = { age__gte = 30 } } }))
    end)
  end)

  describe("every", function()
    it("is met by all related objects, also where there are none", function()
      assert.same({ 2, 4, 5 }, ids(m.Post, m.Post.comments:every { user = 2 }))
      assert.same({ 2, 4, 5 }, ids(m.Post, { comments = { ["$every"] = { user = 2 } } }))
      assert.same({ 2 }, ids(m.Post, { comments = { ["$every"] = { user = 2 }, ["$exists"] = true } }))
      assert.same({ 2, 3 }, ids(m.Author, m.Author.posts:every { views = 20 }))
    end)

    it("counts what is absent as not met", function()
      m.Comment { id = 9, post = 2, user = 2 }:save()
      assert.same({ 4, 5 }, ids(m.Post, m.Post.comments:every { text = "well" }))
      assert.same({ 2, 4, 5 }, ids(m.Post, m.Post.comments:every { text__ne = "ah", user__ne = 1 }))
    end)

    it("goes over pointers, has_one and links", function()
      assert.same({ 1, 2, 5 }, ids(m.Post, m.Post.author:every { name = "Ada" }))
      assert.same({ 2, 3 }, ids(m.Author, m.Author.profile:every { bio = "none" }))
      assert.same({ 2, 3, 4, 5 }, ids(m.Post, m.Post.tags:every { name = "sky" }))
    end)
  end)

  describe("none", function()
    it("is met by no related object", function()
      assert.same({ 2, 3, 4, 5 }, ids(m.Post, m.Post.comments:none { text = "ah" }))
      assert.same({ 2, 3, 4, 5 }, ids(m.Post, { comments = { ["$none"] = { text = "ah" } } }))
      assert.same({ 4, 5 }, ids(m.Post, { comments = { ["$exists"] = false } }))
      assert.same({ 4, 5 }, ids(m.Post, m.Post.comments:none {}))
      assert.same({ 3, 4, 5 }, ids(m.Post, m.Post.tags:none { name = "sky" }))
      assert.same({ 3, 4, 5 }, ids(m.Post, m.Post.author:none { name = "Ada" }))
    end)
  end)

  describe("in a tree", function()
    it("stay within their branch", function()
      local ada, sky = m.Post.author:some { name = "Ada" }, m.Post.tags:some { name = "sky" }
      assert.same({ 1, 2, 3 }, ids(m.Post, ada | m.Post.comments:some { text = "yes" }))
      assert.same({ 3, 4, 5 }, ids(m.Post, ~(ada & sky)))
      assert.same({ 3 }, ids(m.Post, { ["$nor"] = { { author__name = "Ada" }, { comments__exists = false } } }))
      assert.same({ 1, 2, 4, 5 }, ids(m.Post, { ["$not"] = { comments__user__posts__title = "Tides" } }))
      assert.equal(3, m.Post:where { ["$or"] = { { tags__name = "sea" }, { comments__text = "yes" }, { tags__name = "sky" } } }:count())
    end)

    it("nest in each other", function()
      assert.same({ 2, 3 }, ids(m.Author, m.Author.posts:every(m.Post.comments:none { user__name = "Bob" })))
      assert.same({ 2 }, ids(m.Author, m.Author.posts:some(m.Post.comments:every(m.Comment.user:some { age__exists = true }))))
    end)
  end)

  describe("of links", function()
    it("speak of the row that ties the object which is asked about", function()
      assert.same({ 2 }, ids(m.Post, { tags = { name = "sky", ["$through"] = { weight__gte = 5 } } }))
      assert.same({ 2 }, ids(m.Post, m.Post.tags:some({ name = "sky" }, { weight__gte = 5 })))
      assert.same({ 2 }, ids(m.Post, m.Post.tags:some({ name = "sky" }, m.PostTag.weight:gte(5))))
      assert.same({ 2 }, ids(m.Post, { tags__name = "sky", tags__through__weight__gte = 5 }))
      assert.same({ 1, 2 }, ids(m.Post, { tags = { ["$through"] = { weight__gte = 5 } } }))
      assert.same({ 1, 2 }, ids(m.Post, { ["tags.through.weight"] = { ["$gte"] = 5 } }))
    end)

    it("say which objects every and none look at", function()
      assert.same({ 2, 3, 4, 5 }, ids(m.Post, m.Post.tags:every({ name = "sky" }, { weight__gte = 5 })))
      assert.same({ 1, 3, 4, 5 }, ids(m.Post, m.Post.tags:none({ name = "sky" }, { weight__gte = 5 })))
      assert.same({ 1, 3, 4, 5 }, ids(m.Post, { tags = { ["$none"] = { name = "sky", ["$through"] = { weight__gte = 5 } } } }))
    end)

    it("narrow what a relation gives, also where it is included", function()
      local post = m.Post:get(1)
      assert.same({ "sea" }, post.tags:through { weight__gte = 5 }:pluck "name")
      assert.equal(1, post.tags:through(m.PostTag.weight:lt(5)):where { name__prefix = "s" }:count())
      local function names(query)
        local list = {}
        for i, each in ipairs(m.Post:include { tags = query }:order "id":all()) do list[i] = shop.list(each.tags:all(), "name") end
        return list
      end
      assert.same({ { "sea" }, { "sky" }, {}, {}, {} }, names(m.Tag:through(m.PostTag.weight:gte(5))))
      assert.same({ { "sky" }, { "sky" }, {}, {}, {} }, names(m.Tag:through(m.PostTag.weight:ne(5)):order "name":limit(1)))
      assert.truthy(message(function() return m.Tag:through { weight = 5 } end):find("PostTag.weight", 1, true))
      assert.truthy(message(function() return m.Tag:through(m.PostTag.weight:gte(5)):all() end):find("PostTag", 1, true))
      assert.truthy(message(function() return m.Post:include { comments = m.Comment:through(m.PostTag.weight:gte(5)) } end)
        :find("PostTag", 1, true))
    end)

    c.can "sql" ("may stand in the declaration", function()
      local Page = c.store:model("Page", { id = t.integer { primary = true },
        words = t.many_to_many("Word", { through = "PageWord", where = { hidden = false, ["$through"] = { n__gte = 2 } } }) }, small)
      local Word = c.store:model("Word", { id = t.integer { primary = true }, hidden = t.boolean { default = false } }, small)
      local PageWord = c.store:model("PageWord", { id = c:counted(), page = t.pointer "Page",
        word = t.pointer "Word", n = t.integer() }, small)
      c.store:bind()
      c.store:save { Page { id = 1 }, Page { id = 2 } }
      c.store:save { Word { id = 1 }, Word { id = 2 }, Word { id = 3, hidden = true } }
      c.store:save { PageWord { page = 1, word = 1, n = 1 }, PageWord { page = 1, word = 2, n = 2 },
        PageWord { page = 2, word = 3, n = 3 } }
      assert.same({ 1 }, ids(Page, { words__exists = true }))
      assert.same({}, ids(Page, { words__id = 1 }))
      assert.same({ 2 }, Page:get(1).words:pluck "id")
      assert.same({}, Page:get(2).words:pluck "id")
      Page:get(2).words:add(2)
      assert.same({ "2" }, c:client "SELECT word_id FROM PageWord WHERE page_id = 2 AND word_id < 3")
      assert.same({ 2 }, shop.list(Page:include "words":order "id":first().words:all(), "id"))
    end)
  end)

  describe("that a scope hides objects from", function()
    it("see neither the objects nor the links", function()
      local view = c.store:with { scope = { Comment = { user = 2 } } }
      assert.same({ 1, 2 }, ids(view:model "Post", { comments__exists = true }))
      view = c.store:with { scope = { PostTag = { weight__lt = 9 } } }
      assert.same({ 1 }, ids(view:model "Post", { tags__exists = true }))
    end)
  end)

  describe("as counts", function()
    it("compare, in each spelling", function()
      for i, spelling in ipairs {
        { comments__count__gte = 1, comments__count__lt = 2 }, { comments = { ["$count"] = { ["$gte"] = 1, ["$lt"] = 2 } } },
        { comments__count = 1 }, { ["comments.count"] = 1 }, m.Post.comments:count():eq(1), m.Post.fields.comments:count():between(1, 1),
        { comments = { ["$count"] = 1 } }, { ["comments.count"] = { ["$in"] = { 1, 7 } } },
      } do
        assert.same({ 2, 3 }, ids(m.Post, spelling), "spelling " .. i)
      end
      assert.same({ 4, 5 }, ids(m.Post, { comments__count = 0 }))
      assert.same({ 1, 4, 5 }, ids(m.Post, ~m.Post.comments:count():eq(1)))
    end)

    it("count what meets a condition, and the links that do", function()
      assert.same({ 1, 2 }, ids(m.Post, m.Post.comments:count { user = 2 }:eq(1)))
      assert.same({ 1, 2 }, ids(m.Post, m.Post.tags:count({}, { weight__gte = 5 }):eq(1)))
      assert.same({ 1 }, ids(m.Post, { tags__count = 2 }))
      assert.same({ 1, 2 }, ids(m.Author, m.Author.posts:count(m.Post.comments:count():gte(1)):gte(1)))
    end)

    c.can "sql" ("compare with each other and with columns", function()
      if c.plain then return end
      assert.same({ 3 }, ids(m.Post, m.Post.comments:count():gt(m.Post.tags:count())))
      assert.same({ 1, 5 }, ids(m.Post, m.Post.id:eq(1) & m.Post.comments:count():gt(m.Post.id) | m.Post.views:eq(m.Post.tags:count())))
    end)

    it("are reached through relations", function()
      assert.same({ 1 }, ids(m.Author, { posts__comments__count = 2 }))
      assert.same({ 1, 2, 3, 4 }, ids(m.Post, { author__posts__count = 2 }))
    end)

    it("sort", function()
      assert.same({ 1, 2, 3, 4, 5 }, m.Post:order("-comments.count", "id"):pluck "id")
      assert.same({ 4, 5, 3, 2, 1 }, m.Post:order("comments.count", "tags.count", "id"):pluck "id")
      assert.same({ 1, 2, 3, 4, 5 }, m.Post:order("-author.posts.count", "id"):pluck "id")
      assert.same({ 1, 3, 4, 5, 2 }, m.Post:order(m.Post.comments:count { text = "well" }, "id"):pluck "id")
    end)

    c.can "sql" ("are selected: the relation then knows its number", function()
      local posts = m.Post:select("title", "comments.count", "tags.count"):order "id":all()
      c:client "DELETE FROM Comment; DELETE FROM PostTag"
      assert.equal(2, posts[1].comments:count())
      assert.equal(1, posts[2].tags:count())
      assert.equal(0, posts[5].comments:count())
      assert.same({}, posts[1].comments:all())
      assert.equal(0, posts[1].comments:query():count())
    end)

    it("stand in rows, and in what is included", function()
      assert.same({ id = 1, title = "Tides", ["comments.count"] = 2 },
        m.Post:select("title", "comments.count"):order "id":rows()[1])
      local author = m.Author:include { posts = m.Post:select "comments.count":order "id":limit(1) }:get(1)
      assert.equal(2, author.posts:first().comments:count())
      assert.same({ 2, 1, 1, 0, 0 }, m.Post:order "id":pluck "comments.count")
    end)

    it("group and are aggregated", function()
      assert.same({ { ["comments.count"] = 0, n = 2 }, { ["comments.count"] = 1, n = 2 }, { ["comments.count"] = 2, n = 1 } },
        m.Post:group "comments.count":order "comments.count":aggregate { n = { ["$count"] = true } })
      assert.same({ { ["author.name"] = "Ada", n = 3 }, { ["author.name"] = "Bob", n = 1 } },
        m.Post:where { author__exists = true }:group "author.name":order "-n":aggregate { n = { ["$sum"] = "comments.count" } })
      assert.equal(4, m.Post:sum "comments.count")
      assert.equal(2, m.Post:max "comments.count")
    end)

    it("do not count what a scope or the declaration hides", function()
      local view = c.store:with { scope = { Comment = { user = 2 } } }
      assert.same({ 1, 1, 0, 0, 0 }, view:model "Post":order "id":pluck "comments.count")
      local Writer = c.store:model("Writer", { id = t.integer { primary = true },
        best = t.has_many("Text", "writer", { where = { views__gte = 20 } }) }, small)
      local Text = c.store:model("Text", { id = t.integer { primary = true }, writer = t.pointer "Writer", views = t.integer() },
        small)
      c.store:bind()
      Writer { id = 1 }:save()
      for id, views in ipairs { 20, 1, 40 } do Text { id = id, writer = 1, views = views }:save() end
      assert.same({ 2 }, Writer:pluck "best.count")
    end)

    it("give way to a field of that name", function()
      local Box = c.store:model("Box", { id = t.integer { primary = true }, parts = t.has_many("Part", "box") }, small)
      local Part = c.store:model("Part", { id = t.integer { primary = true }, box = t.pointer "Box", count = t.integer() }, small)
      c.store:bind()
      Box { id = 1 }:save()
      Part { id = 1, box = 1, count = 7 }:save()
      assert.same({ 1 }, ids(Box, { parts__count = 7 }))
      assert.same({ 1 }, ids(Box, Box.parts:count():eq(1)))
    end)

    it("refuse what is no number of objects", function()
      assert.truthy(message(function() return m.Post.author:count() end):find("relation to many", 1, true))
      assert.truthy(message(function() return m.Post:where { comments__count__gt3 = 1 } end):find("gt3", 1, true))
      assert.truthy(message(function() return m.Post:where { comments__count__prefix = "x" } end):find("text", 1, true))
      assert.truthy(message(function() return m.Post:select(m.Post.comments:count()) end):find("select", 1, true))
      assert.equal("usage", select(2, pcall(function() m.Post:order "comments.count":page {} end)).kind)
    end)
  end)

  it("refuse what is no relation, and links where there are none", function()
    assert.truthy(message(function() return m.Post.title:every { id = 1 } end):find("every", 1, true))
    assert.truthy(message(function() return m.Post.comments:some({ id = 1 }, { id = 1 }) end):find("link", 1, true))
    assert.truthy(message(function() return m.Post.comments:none() end):find("Comment", 1, true))
    assert.truthy(message(function() return m.Post:where { comments = { ["$evry"] = { id = 1 } } } end):find("$evry", 1, true))
  end)
end)
