-- What a query is, before anything is sent: immutable, checked against the model, the same text for the same shape.
local neap = require "neap"
local t = neap.types

describe("a query", function()
  local store, Post

  before_each(function()
    store = neap.open "sqlite::memory:"
    store:model("Author", { id = t.integer { primary = true }, name = t.string() })
    Post = store:model("Post", {
      id = t.integer { primary = true }, author = t.pointer "Author", title = t.string(), views = t.integer(),
      data = t.json(), version = t.integer { version = true },
    })
  end)

  after_each(function() store:close() end)

  local function sql(q) return q:explain().sql end

  local function usage(f)
    local ok, e = pcall(f)
    assert.is_false(ok)
    assert.equal("usage", e.kind, tostring(e))
    return tostring(e)
  end

  it("is changed by no method", function()
    local q = Post:where { views = 1 }:order "title"
    local before = sql(q)
    for _, other in ipairs { q:where { id = 1 }, q:exclude { id = 2 }, q:order "-views", q:limit(1), q:skip(1), q:select "id" } do
      assert.not_equal(before, sql(other))
    end
    assert.equal(before, sql(q))
  end)

  it("has a text that depends on its shape only", function()
    assert.equal(sql(Post:where { title = "a", views__gt = 1 }:limit(1)), sql(Post:where { title = "b'", views__gt = 2 }:limit(9)))
    assert.not_equal(sql(Post:limit(1)), sql(Post:limit(1):skip(1)))
  end)

  it("counts the last order, select and group, and adds up conditions and includes", function()
    assert.equal(sql(Post:order "title"), sql(Post:order "views":order "title"))
    assert.equal(sql(Post:select "title"), sql(Post:select "views":select "title"))
    assert.equal(sql(Post:where { id = 1, views = 2 }), sql(Post:where { id = 1 }:where { views = 2 }))
  end)

  it("always selects keys and version", function()
    local text = sql(Post:select "title")
    assert.truthy(text:find('"id"', 1, true) and text:find('"version"', 1, true))
    assert.is_nil(text:find('"views"', 1, true))
  end)

  it("takes columns where it takes names", function()
    assert.equal(sql(Post:order "title"), sql(Post:order(Post.title)))
    assert.equal(sql(Post:select "title"), sql(Post:select(Post.title)))
    assert.equal(sql(Post:group "views"), sql(Post:group(Post.views)))
  end)

  it("takes no columns of other models", function()
    local Author = store:model "Author"
    usage(function() return Post:order(Author.name) end)
    usage(function() return Post:select(Author.name) end)
  end)

  it("knows paths through pointers in both spellings", function()
    assert.equal(sql(Post:order "author.name"), sql(Post:order "author__name"))
    assert.equal(sql(Post:order "author_id"), sql(Post:order "author"))
  end)

  it("names the nearest field for an unknown one", function()
    for _, f in ipairs {
      function() return Post:order "titel" end, function() return Post:select "titel" end, function() return Post:group "titel" end,
      function() return Post:where { titel = 1 } end, function() return Post:sum "titel" end,
    } do
      assert.truthy(usage(f):find("title", 1, true))
    end
  end)

  it("refuses arguments that make no sense", function()
    for _, f in ipairs {
      function() return Post:limit "3" end, function() return Post:skip(-1) end, function() return Post:select() end,
      function() return Post:group() end, function() return Post:order(5) end, function() return Post:include(5) end,
      function() return Post:include "title" end, function() return Post:page(5) end, function() return Post:get() end,
      function() return Post.all() end, function() return Post:each { batch = 0 } end, function() return Post:update(1) end,
      function() return Post:sql() end,
    } do
      usage(f)
    end
  end)

  it("says what other stores can do as unsupported", function()
    for _, method in ipairs { "index", "key", "filter", "scan" } do
      local ok, e = pcall(Post[method], Post)
      assert.is_false(ok)
      assert.equal("unsupported", e.kind)
    end
    local ok, e = pcall(function() return Post:for_update():all() end)
    assert.is_false(ok)
    assert.equal("unsupported", e.kind)
  end)

  it("prints what it is over", function()
    assert.equal("query over Post", tostring(Post:order "id"))
    assert.truthy(tostring(Post:where { views = 3 }):find("views", 1, true))
  end)
end)
