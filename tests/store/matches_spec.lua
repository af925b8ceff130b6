-- condition:matches(object) where a condition goes through relations.
local contract = require "tests.store.contract"
local neap = require "neap"
local shop = require "tests.store.shop"
local t = neap.types

contract.each("a condition that an object in memory matches", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  --- The ids of the objects that meet it, as they are in memory.
  local function met(objects, condition)
    local ids = {}
    for _, object in ipairs(objects) do
      if condition:matches(object) then ids[#ids + 1] = object.id end
    end
    return ids
  end

  local function posts() return m.Post:order "id":all() end

  describe("through a pointer", function()
    it("asks the object that it leads to, at any depth", function()
      assert.same({ 1, 2 }, met(posts(), m.Post.author:some { name = "Ada" }))
      assert.same({ 3, 4, 5 }, met(posts(), ~m.Post.author:some { name = "Ada" }))
      assert.same({ 1, 2, 5 }, met(posts(), m.Post.author:every { name = "Ada" }))
      assert.same({ 5 }, met(posts(), m.Post.author:none {}))
      assert.same({ 1, 2, 3 }, met(m.Comment:order "id":all(), m.Comment.post:some { author__name = "Ada" }))
    end)

    it("loads it for all objects of the answer at once", function()
      local list, condition = posts(), m.Post.author:some { name = "Bob" }
      assert.is_false(condition:matches(list[1]))
      for id = 1, 3 do c:set("Author", { id = id }, { name = "later" }) end
      assert.same({ 3, 4 }, met(list, condition))
      assert.equal("Bob", list[3].author.name)
    end)

    it("sees what the script has written to both", function()
      local post, condition = m.Post:include("author"):get(1), m.Post.author:some { name = "Grace" }
      assert.is_false(condition:matches(post))
      post.author.name = "Grace"
      assert.is_true(condition:matches(post))
      post.author = m.Author { id = 9, name = "Grace" }
      assert.is_true(condition:matches(post))
      post.author = nil
      assert.is_false(condition:matches(post))
      assert.is_true(condition:matches(m.Post { id = 9, title = "x", author = m.Author { name = "Grace" } }))
    end)

    it("is not met where there is none: it dangles, or a scope hides it", function()
      local view = c.store:with { scope = { Author = { name = "Bob" } } }
      assert.same({ 3, 4 }, met(view:model "Post":order "id":all(), view:model "Post".author:some { id__exists = true }))
      c:remove("Author", { id = 1 })
      assert.same({ 3, 4 }, met(posts(), m.Post.author:some { id__exists = true }))
    end)

    it("is met also where an include has left the object out, which stays so", function()
      local list = m.Post:include { author = m.Author:where { name = "Bob" } }:order "id":all()
      assert.same({ 1, 2 }, met(list, m.Post.author:some { name = "Ada" }))
      assert.is_nil(list[1].author)
    end)

    it("loads nothing that is to be included, nor guesses a pointer that was not selected", function()
      local Note = c.store:model("Note", { id = t.integer { primary = true }, author = t.pointer("Author", { lazy = "error" }),
        peer = t.pointer "Author" })
      c.store:bind()
      Note { id = 1, author = 1, peer = 1 }:save()
      local ok, e = pcall(function() return Note.author:some { name = "Ada" }:matches(Note:get(1)) end)
      assert.is_false(ok)
      assert.equal("usage", e.kind)
      assert.is_true(Note.author:some { name = "Ada" }:matches(Note:include "author":get(1)))
      ok, e = pcall(function() return Note.peer:some { name = "Ada" }:matches(Note:select "id":first()) end)
      assert.is_false(ok)
      assert.equal("unsupported", e.kind)
    end)
  end)

  describe("through other relations", function()
    it("asks the store, with all that the condition and the declaration say", function()
      local conditions = {
        m.Post.comments:some { user = 2 }, m.Post.comments:every { user__name = "Bob" }, m.Post.comments:none { text = "ah" },
        m.Post.comments:count():gte(1), m.Post.comments:count { user = 2 }:eq(1),
        m.Post.tags:some({ name = "sky" }, { weight__gte = 5 }), m.Post.tags:every({ name = "sky" }, m.PostTag.weight:gte(5)),
        m.Post.tags:count({}, { weight__gte = 5 }):eq(1), m.Post.tags:none { name = "sky" } & m.Post.views:gte(20),
        ~(m.Post.author:some { name = "Ada" } & m.Post.comments:some { text = "ah" }) | m.Post.id:eq(1),
        m.Post.comments:some(m.Comment.user:some { posts__comments__count = 1 }), m.Post.author:some { posts__count = 2 },
        m.Post.author:some { profile__bio = "counts" },
      }
      if c.sql then table.insert(conditions, m.Post.comments:count():gt(m.Post.tags:count())) end
      for i, condition in ipairs(conditions) do
        assert.same(m.Post:where(condition):order "id":pluck "id", met(posts(), condition), "condition " .. i)
      end
      local authors = m.Author:order "id":all()
      assert.same({ 1 }, met(authors, m.Author.profile:some { bio = "counts" }))
      assert.same({ 2, 3 }, met(authors, m.Author.profile:none {}))
      assert.same({ 1, 2 }, met(authors, m.Author.posts:some(m.Post.comments:some {})))
      local view = c.store:with { scope = { Comment = { user = 2 } } }
      assert.same({ 1, 2 }, met(view:model "Post":order "id":all(), m.Post.comments:some {}))
    end)

    it("sees the objects that are saved, and of an object that is not none", function()
      local post = m.Post { id = 9, title = "new" }
      assert.is_false(m.Post.comments:some {}:matches(post))
      assert.is_true(m.Post.comments:count():eq(0):matches(m.Post { title = "no key" }))
      post:save()
      m.Comment { id = 9, post = post }:save()
      assert.is_true(m.Post.comments:some {}:matches(post))
    end)

    it("asks for nothing that does not matter any more", function()
      c:take_away "Comment"
      assert.is_false((m.Post.id:eq(9) & m.Post.comments:some {}):matches(m.Post:get(1)))
      assert.is_false(pcall(function() return m.Post.comments:some {}:matches(m.Post:get(1)) end))
    end)
  end)

  it("may be any number of conditions on relations", function()
    local list = {}
    for i = 1, 300 do list[i] = m.Post.author:some { name = "nobody " .. i } end
    list[301] = m.Post.author:some { name = "Ada" }
    assert.is_true(neap.any_of(list):matches(m.Post:get(1)))
  end)
end)
