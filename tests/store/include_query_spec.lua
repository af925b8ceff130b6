-- Includes with a query of their own: which related objects come, in what order, how many for each row.
local contract = require "tests.store.contract"
local shop = require "tests.store.shop"
local neap = require "neap"
local t = neap.types

contract.each("an include with a query", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  --- Makes every later statement see other data, so that what was loaded before shows.
  local function spoil()
    for id = 1, 3 do c:set("Author", { id = id }, { name = "later" }) end
    c:erase "Comment"
    c:erase "PostTag"
  end

  local function message(f)
    local ok, e = pcall(f)
    assert.is_false(ok)
    assert.equal("usage", e.kind)
    return e.message
  end

  --- One field of what was included for each of the objects.
  local function lists(objects, relation, field)
    local result = {}
    for i, object in ipairs(objects) do result[i] = shop.list(object[relation]:all(), field) end
    return result
  end

  it("brings what meets its condition, and takes no row away", function()
    local posts = m.Post:include { comments = m.Comment:where { user = 2 } }:order "id":all()
    spoil()
    assert.same({ { "ah" }, { "well" }, {}, {}, {} }, lists(posts, "comments", "text"))
    assert.equal(1, posts[1].comments:count())
    assert.equal("ah", posts[1].comments:first().text)
  end)

  it("sorts, and cuts for each row", function()
    m.Comment { id = 5, post = 2, user = 1, text = "so" }:save()
    local newest = m.Comment:order "-id"
    assert.same({ { "oh" }, { "so" }, { "yes" }, {}, {} },
      lists(m.Post:include { comments = newest:limit(1) }:order "id":all(), "comments", "text"))
    assert.same({ { "ah" }, { "well" }, {}, {}, {} },
      lists(m.Post:include { comments = newest:skip(1) }:order "id":all(), "comments", "text"))
    assert.same({ { "ah" }, { "well" }, { "yes" }, {}, {} },
      lists(m.Post:include { comments = m.Comment:limit(1) }:order "id":all(), "comments", "text"))
    assert.same({ {}, {}, {}, {}, {} }, lists(m.Post:include { comments = newest:limit(0) }:order "id":all(), "comments", "text"))
  end)

  it("sorts by what pointers lead to", function()
    m.Comment { id = 5, post = 2, user = 1, text = "so" }:save()
    local by_name = m.Comment:order("-user.name", "id"):limit(1)
    assert.same({ { "oh" }, { "well" }, { "yes" }, {}, {} },
      lists(m.Post:include { comments = by_name }:order "id":all(), "comments", "text"))
  end)

  it("selects fields", function()
    local post = m.Post:include { comments = m.Comment:select "text":order "id" }:get(1)
    local comment = post.comments:first()
    assert.equal("ah", comment.text)
    local ok, e = pcall(function() return comment.user_id end)
    assert.is_false(ok)
    assert.truthy(e.message:find("not selected", 1, true))
  end)

  it("includes in its turn", function()
    local query = m.Author:include { posts = m.Post:where { views__gte = 20 }:order "-id":include {
      comments = m.Comment:where { user = 1 }:include "user", tags = true } }:order "id"
    local authors = query:all()
    spoil()
    assert.same({ { "Moon" }, { "Sand", "Sea" }, {} }, lists(authors, "posts", "title"))
    local sea = authors[2].posts:all()[2]
    assert.equal("Ada", sea.comments:first().user.name)
    assert.same({ "sky" }, shop.list(authors[1].posts:first().tags:all(), "name"))
  end)

  it("mixes with names, in any order", function()
    for _, query in ipairs {
      m.Post:include("author", { comments = m.Comment:order "-id" }, "comments.user"),
      m.Post:include { "author", "comments.user", comments = m.Comment:order "-id" },
      m.Post:include { author = true, ["comments.user"] = true, comments = m.Comment:order "-id" },
      m.Post:include("comments.user", "author"):include { comments = m.Comment:order "-id" },
    } do
      local post = query:get(1)
      assert.same({ "oh", "ah" }, shop.list(post.comments:all(), "text"))
      assert.same({ id = 3, name = "Cy", age = 20 }, post:to_table().comments[1].user)
      assert.equal("Ada", post:to_table().author.name)
    end
  end)

  it("cuts many_to_many through its links", function()
    c.store:save { m.PostTag { post = 2, tag = 1 }, m.PostTag { post = 2, tag = 3 }, m.PostTag { post = 3, tag = 3 } }
    local posts = m.Post:include { tags = m.Tag:order "-name":limit(2) }:order "id":all()
    assert.same({ { "sky", "sea" }, { "sky", "sea" }, { "dry" }, {}, {} }, lists(posts, "tags", "name"))
    posts = m.Post:include { tags = m.Tag:where { name__ne = "sky" }:limit(1) }:order "id":all()
    assert.same({ { "sea" }, { "sea" }, { "dry" }, {}, {} }, lists(posts, "tags", "name"))
    posts = m.Post:include { tags = m.Tag:order "name":skip(1):limit(1) }:order "id":all()
    assert.same({ { "sky" }, { "sea" }, {}, {}, {} }, lists(posts, "tags", "name"))
  end)

  it("gives nil for one object that it leaves out, and does not sort the rows", function()
    local posts = m.Post:include { author = m.Author:where { name = "Ada" }:order "-name" }:order "id":all()
    spoil()
    assert.equal("Ada", posts[1].author.name)
    assert.is_nil(posts[3].author)
    assert.equal(2, posts[3].author_id)
    assert.is_nil(posts[5].author)
    assert.is_nil(posts[3]:to_table().author)
    assert.same({ 1, 2, 3, 4, 5 }, shop.list(posts, "id"))
    posts[3].title = "Lake"
    posts[3]:save()
    assert.equal(2, m.Post:get(3).author_id)
    assert.is_nil(m.Author:include { profile = m.Profile:where { bio = "none" } }:get(1).profile)
  end)

  it("leaves the whole relation to be asked for", function()
    local post = m.Post:include { comments = m.Comment:where { user = 2 } }:get(1)
    assert.equal(1, #post.comments:all())
    assert.equal(2, post.comments:query():count())
    assert.equal(2, post.comments:where { id__gte = 0 }:count())
  end)

  it("goes together with what the declaration says", function()
    local Writer = c.store:model("Writer", { id = t.integer { primary = true },
      best = t.has_many("Text", "writer", { where = { views__gte = 20 }, order = "-views" }) })
    local Text = c.store:model("Text", { id = t.integer { primary = true }, writer = t.pointer "Writer", views = t.integer() })
    c.store:bind()
    Writer { id = 1 }:save()
    for id, views in ipairs { 20, 1, 40, 30 } do Text { id = id, writer = 1, views = views }:save() end
    assert.same({ { 3, 4 } }, lists(Writer:include { best = Text:limit(2) }:all(), "best", "id"))
    assert.same({ { 1, 3 } }, lists(Writer:include { best = Text:where { views__ne = 30 }:order "id" }:all(), "best", "id"))
  end)

  it("comes with streams and pages", function()
    local query = m.Post:include { comments = m.Comment:order "-id":limit(1) }:order "id"
    local texts = {}
    for post in query:each { batch = 2 } do
      local comment = post.comments:first()
      texts[#texts + 1] = comment and comment.text or "none"
    end
    assert.same({ "oh", "well", "yes", "none", "none" }, texts)
    local page, cursor = query:page { size = 2 }
    assert.same({ { "oh" }, { "well" } }, lists(page, "comments", "text"))
    assert.same({ { "yes" }, {} }, lists(query:page { size = 2, after = cursor }, "comments", "text"))
  end)

  it("is seen through the view of the rows", function()
    local view = c.store:with { scope = { Comment = { user = 2 }, PostTag = { weight__lt = 9 } } }
    local posts = view:model "Post":include { comments = m.Comment:order "-id":limit(1), tags = m.Tag:limit(2) }:order "id":all()
    assert.same({ { "ah" }, { "well" }, {}, {}, {} }, lists(posts, "comments", "text"))
    assert.same({ { "sea", "sky" }, {}, {}, {}, {} }, lists(posts, "tags", "name"))
  end)

  it("never shares a list between two places of a tree", function()
    local author = m.Author:include {
      posts = m.Post:where { id = 1 }:include { comments = m.Comment:where { user = 2 } },
    }:get(1)
    local other = m.Author:include { posts = m.Post:order "id":include { comments = m.Comment:where { user = 3 } } }:get(1)
    assert.same({ { "ah" } }, lists(author.posts:all(), "comments", "text"))
    assert.same({ { "oh" }, {} }, lists(other.posts:all(), "comments", "text"))
    local comment = m.Comment:include {
      post = m.Post:include { comments = m.Comment:where { user = 2 } },
      user = m.Author:include { posts = m.Post:order "id":include { comments = m.Comment:where { user = 1 } } },
    }:get(1)
    assert.same({ "ah" }, shop.list(comment.post.comments:all(), "text"))
    assert.same({ { "yes" }, {} }, lists(comment.user.posts:all(), "comments", "text"))
  end)

  c.can "sql" ("shows its statement, which depends on no value", function()
    local function text(n, name)
      return m.Post:include { comments = m.Comment:where { text = name }:order "-id":limit(n) }:explain().include.comments.sql
    end
    assert.equal(text(1, "a"), text(2, "b"))
    assert.truthy(text(1, "a"):find(c.name == "sqlite" and "json_each(?1) k" or "unnest($1::bigint[])", 1, true))
  end)

  it("refuses what is no query over the related model", function()
    assert.truthy(message(function() m.Post:include { comments = m.Post:where { id = 1 } } end):find("Comment", 1, true))
    assert.truthy(message(function() m.Post:include { comments = 5 } end):find("Post.comments", 1, true))
    assert.truthy(message(function() m.Post:include { coments = true } end):find("comments", 1, true))
    assert.truthy(message(function() m.Post:include { author = m.Author:limit(1) } end):find("one object", 1, true))
    assert.truthy(message(function() m.Post:include { comments = m.Comment:group "user" } end):find("groups", 1, true))
    assert.truthy(message(function() m.Post:include { [1.5] = "x" } end):find("include takes", 1, true))
  end)
end)
