-- Relations: pointers that load when touched, queries bound to an object, link tables.
local contract = require "tests.store.contract"
local neap = require "neap"
local shop = require "tests.store.shop"
local t = neap.types

contract.each("relations", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  describe("a pointer", function()
    it("reads as the object, which loads when touched", function()
      local p = m.Post:get(1)
      assert.equal(1, p.author.id)
      assert.equal("Ada", p.author.name)
      assert.equal(1, p.author_id)
    end)

    it("is nil where nothing is pointed to", function()
      assert.is_nil(m.Post:get(5).author)
    end)

    it("raises not_found when what it leads to is gone", function()
      c:set("Post", { id = 1 }, { author_id = 77 })
      local p = m.Post:get(1)
      assert.equal(77, p.author.id)
      local ok, e = pcall(function() return p.author.name end)
      assert.is_false(ok)
      assert.equal("not_found", e.kind)
    end)

    it("loads for all objects of the answer at once", function()
      local posts = m.Post:where { author__exists = true }:order "id":all()
      assert.equal("Ada", posts[1].author.name)
      for id = 1, 3 do c:set("Author", { id = id }, { name = "later" }) end
      assert.equal("Bob", posts[3].author.name)
      assert.equal("later", m.Post:get(3).author.name)
    end)

    it("loads for a chunk of a stream at once", function()
      local names = {}
      for p in m.Post:where { author__exists = true }:order "id":each() do names[#names + 1] = p.author.name end
      assert.same({ "Ada", "Ada", "Bob", "Bob" }, names)
    end)

    it("keeps what the script has changed when others load", function()
      local posts = m.Post:where { author__exists = true }:order "id":all()
      posts[1].author.name = "Countess"
      assert.equal("Bob", posts[3].author.name)
      assert.equal("Countess", posts[1].author.name)
    end)

    it("loads when a table follows it", function()
      local followed = m.Post:get(1):to_table { only = { "id" }, follow = { author = { only = { "name" } } } }
      assert.same({ id = 1, author = { name = "Ada" } }, followed)
    end)

    it("loads by itself when its owner points elsewhere by now", function()
      local p = m.Post:get(1)
      local ada = p.author
      p.author = 2
      assert.equal("Ada", ada.name)
      assert.equal("Bob", p.author.name)
    end)

    it("gives the bare key of a pointer behind it", function()
      local comment = m.Comment:get(1)
      assert.equal(1, comment.post.author_id)
      assert.equal("Ada", comment.post.author.name)
    end)

    it("raises when touched where the model says lazy = \"error\"", function()
      local Note = c.store:model("Note", {
        id = t.integer { primary = true }, author = t.pointer ("Author", { lazy = "error" }),
      })
      c.store:bind()
      Note { id = 1, author = 1 }:save()
      local ok, e = pcall(function() return Note:get(1).author.name end)
      assert.is_false(ok)
      assert.truthy(tostring(e):find("include", 1, true))
      assert.equal("Ada", Note:include "author":first().author.name)
    end)
  end)

  describe("has_one", function()
    it("is the object that points back, or nil", function()
      assert.equal("counts", m.Author:get(1).profile.bio)
      assert.is_nil(m.Author:get(2).profile)
    end)

    it("is sorted, grouped and plucked by: the first in its order, of what is not hidden", function()
      local Cat = c.store:model("Cat", { id = t.integer { primary = true }, owner = t.pointer "Person", age = t.integer() })
      local Person = c.store:model("Person", { id = t.integer { primary = true }, cat = t.has_one("Cat", "owner"),
        oldest = t.has_one("Cat", "owner", { order = "-age", where = { age__lt = 9 } }) })
      c.store:bind()
      c.store:save { Person { id = 1 }, Person { id = 2 }, Person { id = 3 } }
      for id, cat in ipairs { { 1, 3 }, { 1, 7 }, { 1, 12 }, { 2, 5 } } do Cat { id = id, owner = cat[1], age = cat[2] }:save() end
      assert.same({ 2, 1, 3 }, Person:order("-cat.age", "id"):pluck "id")
      assert.same({ 2, 1, 3 }, Person:order("oldest.age", "id"):pluck "id")
      assert.same({ 3, 5, neap.null }, Person:order "id":pluck "cat.age")
      assert.same({ 7, 5, neap.null }, Person:order "id":pluck "oldest.age")
      assert.same({ 7, 7, 7, 5 }, Cat:order "id":pluck "owner.oldest.age")
      assert.equal(7, Person:max "oldest.age")
      local view = c.store:with { scope = { Cat = { age__gt = 5 } } }
      assert.same({ 7, neap.null, neap.null }, view:model "Person":order "id":pluck "cat.age")
    end)
  end)

  describe("has_many", function()
    it("is a query bound to the object", function()
      local p = m.Post:get(1)
      assert.equal(2, p.comments:count())
      assert.same({ "oh", "ah" }, p.comments:order "-id":pluck "text")
      assert.equal("oh", p.comments:where { user = 3 }:one().text)
    end)

    it("goes with the condition and the order of its declaration", function()
      local Writer = c.store:model("Writer", {
        id = t.integer { primary = true },
        best = t.has_many("Text", "writer", { where = { views__gte = 20 }, order = { "-views", "id" } }),
        last = t.has_many("Text", "writer", { order = "-id" }),
      })
      local Text = c.store:model("Text", { id = t.integer { primary = true }, writer = t.pointer "Writer", views = t.integer() })
      c.store:bind()
      Writer { id = 1 }:save()
      for id, views in ipairs { 20, 1, 30 } do Text { id = id, writer = 1, views = views }:save() end
      assert.same({ 3, 1 }, Writer:get(1).best:pluck "id")
      assert.same({ 3, 2, 1 }, shop.list(Writer:include("last", "best"):first().last:all(), "id"))
      assert.same({ 3, 1 }, shop.list(Writer:include "best":first().best:all(), "id"))
    end)

    it("goes with the condition of its declaration where it is asked about, too", function()
      local Writer = c.store:model("Writer", {
        id = t.integer { primary = true },
        texts = t.has_many("Text", "writer"),
        best = t.has_many("Text", "writer", { where = { views__gte = 20 } }),
      })
      local Text = c.store:model("Text", { id = t.integer { primary = true }, writer = t.pointer "Writer", views = t.integer() })
      c.store:bind()
      for id, views in ipairs { 20, 1 } do
        Writer { id = id }:save()
        Text { id = id, writer = id, views = views }:save()
      end
      assert.same({ 1, 2 }, Writer:where { texts__exists = true }:order "id":pluck "id")
      assert.same({ 1 }, Writer:where { best__exists = true }:pluck "id")
      assert.same({ 2 }, Writer:where { best__exists = false }:pluck "id")
      assert.same({}, Writer:where { best__views = 1 }:pluck "id")
      assert.same({ 1, 2 }, Writer:exclude { best__views = 1 }:order "id":pluck "id")
      assert.same({ 1 }, Writer:where { best = { id__gte = 1 } }:pluck "id")
      assert.same({ 1 }, Writer:where(Writer.best:some(Text.id:gte(1))):pluck "id")
      assert.same({ 1 }, Text:where { writer__best__id__gte = 1 }:pluck "id")
    end)

    it("wants a saved object", function()
      local ok, e = pcall(function() return m.Post { title = "New" }.comments end)
      assert.is_false(ok)
      assert.equal("usage", e.kind)
    end)
  end)

  describe("many_to_many", function()
    it("is a query over the other side", function()
      assert.same({ "sea", "sky" }, m.Post:get(1).tags:order "name":pluck "name")
      assert.equal(1, m.Post:get(2).tags:count())
      assert.equal(0, m.Post:get(3).tags:count())
    end)

    it("adds and removes many links in one go", function()
      local tags, p = {}, m.Post:get(1)
      for i = 1, 300 do tags[i] = m.Tag { id = 100 + i, name = "tag " .. i } end
      p.tags:add(tags)
      assert.equal(302, p.tags:count())
      p.tags:set { tags[1], tags[2] }
      assert.same({ "tag 1", "tag 2" }, p.tags:order "name":pluck "name")
    end)

    it("ties what others tie at the same time", function()
      local Page = c.store:model("Page", { id = t.integer { primary = true },
        words = t.many_to_many("Word", { through = "PageWord" }) })
      local Word = c.store:model("Word", { id = t.integer { primary = true } })
      c.store:bind()
      c.store:save { Page { id = 1 }, Word { id = 1 }, Word { id = 2 }, Word { id = 3 } }
      local page, tasks = Page:get(1), {}
      for i = 1, 20 do tasks[i] = function() page.words:add { 1, i % 3 + 1 } end end
      neap.all(tasks)
      assert.equal(3, page.words:count())
      if c.sql then  -- keeps references
        local ok, e = pcall(function() page.words:add { 1, 9 } end)
        assert.is_false(ok)
        assert.equal("conflict", e.kind)
      end
    end)

    it("adds, removes and sets links", function()
      local p = m.Post:get(1)
      p.tags:add { 2, m.Tag:get(3) }
      assert.same({ 1, 2, 3 }, p.tags:order "id":pluck "id")
      p.tags:remove { 1 }
      assert.same({ 2, 3 }, p.tags:order "id":pluck "id")
      p.tags:set { 1, 2 }
      assert.same({ 1, 2 }, p.tags:order "id":pluck "id")
      assert.same({ "1|1", "1|2", "2|2" }, c:rows("PostTag", "post_id", "tag_id"))
    end)
  end)

  describe("conditions", function()
    it("over relations mean that some related row meets them", function()
      assert.same({ 1, 2 }, m.Post:where { comments__user = 2 }:order "id":pluck "id")
      assert.same({ 1, 2 }, m.Post:where { tags__name = "sky" }:order "id":pluck "id")
      assert.same({ 1 }, m.Author:where { posts__views__gte = 30 }:pluck "id")
    end)
  end)
end)
