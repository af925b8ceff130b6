-- Changes: what a save would send, changes in place, undo.
local neap = require "neap"
local t = neap.types

describe("changes", function()
  local store, Post, p

  before_each(function()
    store = neap.open "sqlite::memory:"
    Post = store:model("Post", {
      id = t.integer { primary = true, auto = true }, title = t.string(), tags = t.list(t.string()), marks = t.set(t.string()),
      data = t.json(), views = t.integer(), price = t.decimal(),
    })
    store:bind()
    Post { title = "Tides", tags = { "a", "b" }, marks = { "x", "y" }, data = { a = { 1 } }, views = 1, price = "1.10" }:save()
    p = Post:get(1)
  end)
  after_each(function() store:close() end)

  it("of a loaded object are none", function() assert.same({}, p:changes()) end)

  it("tell old and new", function()
    p.title = "Moon"
    assert.same({ title = { "Tides", "Moon" } }, p:changes())
  end)

  it("are none when the same value is assigned", function()
    p.title, p.views, p.price = "Tides", 1, "1.10"
    assert.same({}, p:changes())
  end)

  it("are none when a value comes back", function()
    p.views = 2
    p.views = 1
    assert.same({}, p:changes())
  end)

  it("to nil count", function()
    p.title = nil
    assert.equal("Tides", p:changes().title[1])
    assert.is_nil(p:changes().title[2])
  end)

  it("are not made by reading", function()
    assert.truthy(p.tags and p.data and p.marks and p.price)
    assert.same({}, p:changes())
  end)

  it("in place of a list are found", function()
    p.tags[3] = "c"
    assert.same({ "a", "b", "c" }, p:changes().tags[2])
    p:save()
    assert.same({ "a", "b", "c" }, Post:get(1).tags)
  end)

  it("in place deep in JSON are found", function()
    p.data.a[2] = 2
    p:save()
    assert.same({ a = { 1, 2 } }, Post:get(1).data)
  end)

  it("of the order of a list count, of a set do not", function()
    p.tags = { "b", "a" }
    p.marks = { "y", "x" }
    local changes = p:changes()
    assert.truthy(changes.tags)
    assert.is_nil(changes.marks)
  end)

  it("in place are checked", function()
    p.tags[1] = 5
    local ok, e = pcall(p.save, p)
    assert.is_false(ok)
    assert.equal("validation", e.kind)
    assert.truthy(e.message:find("Post.tags[1]", 1, true))
  end)

  it("are none after a save", function()
    p.title = "Moon"
    p:save()
    assert.same({}, p:changes())
    assert.equal("Moon", p.title)
  end)

  it("are gone after a reload", function()
    p.title = "Moon"
    p.tags[1] = "z"
    p:reload()
    assert.equal("Tides", p.title)
    assert.same({ "a", "b" }, p.tags)
    assert.same({}, p:changes())
  end)

  it("come back when a transaction is rolled back", function()
    p.title = "Moon"
    pcall(store.transaction, store, function()
      p:save()
      p.title = "Sun"
      error "no"
    end)
    assert.equal("Moon", p.title)
    assert.same({ title = { "Tides", "Moon" } }, p:changes())
  end)

  it("of a new object come back with it", function()
    local q = Post { title = "new" }
    pcall(store.transaction, store, function()
      q:save()
      error "no"
    end)
    assert.is_true(q:is_new())
    assert.is_nil(q.id)
    assert.equal("new", q.title)
  end)

  it("of many fields are assigned at once", function()
    p:assign { title = "Moon", views = 5 }
    assert.equal("Moon", p.title)
    assert.equal(5, p.views)
  end)
end)
