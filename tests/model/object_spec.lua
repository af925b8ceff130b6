-- Objects: reading, writing, pairs, ==, tostring, tables.
local neap = require "neap"
local t = neap.types

describe("an object", function()
  local store, Author, Post

  before_each(function()
    store = neap.open "sqlite::memory:"
    Author = store:model("Author", { id = t.integer { primary = true, auto = true }, name = t.string() })
    Post = store:model("Post", {
      id = t.integer { primary = true, auto = true },
      author = t.pointer "Author",
      title = t.string { required = true },
      tags = t.list(t.string()),
      data = t.json(),
      views = t.integer { default = 0 },
      code = t.string { secret = true },
    })
    store:bind()
  end)
  after_each(function() store:close() end)

  local function fails(kind, f, ...)
    local ok, e = pcall(f)
    assert.is_false(ok)
    assert.equal(kind, e.kind, tostring(e))
    for _, part in ipairs { ... } do assert.truthy(e.message:find(part, 1, true), e.message) end
  end

  it("is new until it is saved", function()
    local p = Post { title = "Tides" }
    assert.is_true(p:is_new())
    p:save()
    assert.is_false(p:is_new())
  end)

  it("has its defaults when it is made", function() assert.equal(0, Post {}.views) end)

  it("reads a field that was never set as nil", function() assert.is_nil(Post {}.title) end)

  it("names the nearest field when an unknown one is written", function()
    fails("usage", function() Post {}.titel = "x" end, "Post has no field titel", "did you mean title")
  end)

  it("has nothing under keys that are no names", function()
    local p = Post { title = "Tides" }:save()
    for _, key in ipairs { 1, 0.5, true, {}, Post, p, print } do assert.is_nil(p[key]) end
    assert.is_nil(p[nil])
  end)

  it("reads and writes each of many fields, long names too", function()
    local fields = { id = t.integer { primary = true } }
    for i = 1, 150 do fields[("field_%d_"):format(i) .. ("x"):rep(i % 50)] = t.integer() end
    local Wide = store:model("Wide", fields)
    store:bind()
    local p = Wide { id = 1 }
    for i = 1, 150 do p[("field_%d_"):format(i) .. ("x"):rep(i % 50)] = i end
    p:save()
    local loaded = Wide:get(1)
    for i = 1, 150 do assert.equal(i, loaded[("field_%d_"):format(i) .. ("x"):rep(i % 50)]) end
  end)

  it("keeps what it had when a wrong value is assigned", function()
    local p = Post { title = "Tides" }
    fails("validation", function() p.title = 5 end, "Post.title", "5", "a string")
    assert.equal("Tides", p.title)
  end)

  it("reports all faults of a constructor together", function()
    local _, e = pcall(Post, { title = 5, views = "x", tags = 7 })
    assert.equal("validation", e.kind)
    assert.truthy(e.errors.title and e.errors.views and e.errors.tags)
  end)

  it("raises when a field is read that was not selected", function()
    Post { title = "Tides" }:save()
    local p = Post:select "id":first()
    fails("usage", function() return p.title end, "Post.title was not selected", "select()")
  end)

  it("shows loaded fields in declared order", function()
    local names = {}
    for name in pairs(Post { views = 1, title = "x", tags = {} }) do names[#names + 1] = name end
    assert.same({ "title", "tags", "views" }, names)
  end)

  it("prints model, key and fields, and no secrets", function()
    local p = Post { title = "Tides", code = "hunter2" }:save()
    assert.equal('Post(1){title="Tides", views=0, code=***}', tostring(p))
    assert.truthy(tostring(Post { title = "x" }):find("Post(new)", 1, true))
  end)

  it("prints what was changed in place, also when it is wrong", function()
    local p = Post { tags = { "a" } }
    p.tags[1] = 5
    assert.truthy(tostring(p):find("tags=[5]", 1, true))
  end)

  it("equals another of the same model and key", function()
    local p = Post { title = "Tides" }:save()
    assert.is_true(Post:get(p.id) == p)
    assert.is_false(Post { title = "a" } == Post { title = "a" })
    assert.is_false(Author { id = 1 } == Post { id = 1 })
  end)

  it("hides its metatable", function() assert.equal("object", getmetatable(Post {})) end)

  it("does not change its key once it is loaded", function()
    local p = Post { title = "Tides" }:save()
    fails("usage", function() p.id = 99 end, "Post.id", "copy")
  end)

  it("is not made again by saving it after it was deleted: a copy is", function()
    local p = Post { title = "Tides" }:save()
    p:delete()
    p.title = "Waves"
    fails("not_found", function() p:save() end, "Post 1: it was deleted", "copy()")
    fails("not_found", function() p:increment "views" end, "Post 1: it was deleted")
    assert.equal(0, Post:count())
    p:copy():save()
    assert.equal("Waves", Post:first().title)
  end)

  it("takes text with any length of name", function()
    local long = ("n"):rep(60)
    local Long = store:model("Long", { { "id", t.integer { primary = true } }, { long, t.integer() } })
    local o = Long { [long] = 5 }
    assert.equal(5, o[("n"):rep(60)])
  end)

  describe("in a pointer", function()
    it("reads as the object, its column as the key", function()
      local ada = Author { name = "Ada" }:save()
      local p = Post { title = "x", author = ada }
      assert.equal("Ada", p.author.name)
      assert.equal(ada.id, p.author_id)
      assert.equal(ada.id, p:key_of "author")
    end)

    it("may be given as a key, under either name", function()
      local ada = Author { name = "Ada" }:save()
      assert.equal("Ada", Post { author = ada.id }.author.name)
      assert.equal("Ada", Post { author_id = ada.id }.author.name)
    end)

    it("is not given as two things under both", function()
      local ada = Author { name = "Ada" }:save()
      assert.equal(ada, Post { author = ada, author_id = ada.id }.author)
      fails("validation", function() return Post { author = ada, author_id = ada.id + 1 } end,
        "Post.author and Post.author_id are the same, and were given two values")
      fails("validation", function() Post {}:assign { author = Author {}, author_id = 1 } end, "two values")
    end)

    it("must be of the model", function()
      fails("validation", function() return Post { author = Post { title = "x" } } end, "Post.author", "Author")
    end)

    it("is nil again when nil is assigned", function()
      local p = Post { author = Author { name = "Ada" }:save() }
      p.author = nil
      assert.is_nil(p.author)
      assert.is_nil(p.author_id)
    end)
  end)

  describe("as a table", function()
    it("has the loaded fields, pointers as keys", function()
      local ada = Author { name = "Ada" }:save()
      assert.same({ title = "x", views = 0, author_id = ada.id }, Post { title = "x", author = ada }:to_table())
    end)

    it("has only what is asked for", function()
      assert.same({ title = "x" }, Post { title = "x" }:to_table { only = { "title" } })
    end)

    it("lacks what is excluded", function()
      assert.same({ title = "x" }, Post { title = "x" }:to_table { exclude = { "views" } })
    end)

    it("names the nearest of unknown fields", function()
      fails("usage", function() return Post {}:to_table { only = { "titel" } } end, "did you mean title")
      fails("usage", function() return Post {}:to_table { onyl = { "title" } } end, "onyl is no option of to_table")
    end)

    it("follows relations", function()
      local p = Post { title = "x", author = Author { name = "Ada" }:save() }
      assert.same({ title = "x", views = 0, author = { id = 1, name = "Ada" } }, p:to_table { follow = { author = {} } })
    end)

    it("is what JSON writes", function()
      assert.equal('{"tags":["a"],"title":"x","views":0}', neap.json.encode(Post { title = "x", tags = { "a" } }))
    end)
  end)

  describe("as a copy", function()
    it("is new and has the other values", function()
      local p = Post { title = "x", tags = { "a" }, views = 3 }:save()
      local q = p:copy { title = "y" }
      assert.is_true(q:is_new())
      assert.is_nil(q.id)
      assert.same({ title = "y", tags = { "a" }, views = 3 }, q:to_table())
    end)

    it("shares nothing", function()
      local p = Post { title = "x", tags = { "a" } }
      local q = p:copy()
      q.tags[1] = "b"
      assert.same({ "a" }, p.tags)
    end)
  end)
end)
