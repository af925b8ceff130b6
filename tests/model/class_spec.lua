-- Classes: methods, columns, and the same declaration seen through views.
local neap = require "neap"
local t = neap.types

describe("a class", function()
  local store, Post

  before_each(function()
    store = neap.open "sqlite::memory:"
    Post = store:model("Post", { id = t.integer { primary = true }, title = t.string(), count = t.integer() })
  end)
  after_each(function() store:close() end)

  it("takes methods, which its objects have", function()
    function Post:shout() return self.title:upper() end
    assert.equal("TIDES", Post { title = "Tides" }:shout())
    assert.equal("TIDES", Post.shout(Post { title = "Tides" }))
  end)

  it("refuses a method with a field's name", function()
    local ok, e = pcall(function() function Post.title() end end)
    assert.is_false(ok)
    assert.equal("usage", e.kind)
  end)

  it("gives columns by name, and by fields where a method has the name", function()
    assert.equal("userdata", type(Post.title))
    assert.equal("function", type(Post.count))
    assert.equal("userdata", type(Post.fields.count))
  end)

  it("names the nearest of unknown fields", function()
    local _, e = pcall(function() return Post.fields.titel end)
    assert.truthy(e.message:find("did you mean title", 1, true))
  end)

  it("is found by its name", function() assert.equal(Post, store:model "Post") end)

  it("that is not declared is named with the nearest", function()
    local _, e = pcall(store.model, store, "Pst")
    assert.equal("usage", e.kind)
    assert.truthy(e.message:find("did you mean Post", 1, true))
  end)

  it("through a view has the methods of the base class", function()
    local Seen = store:with { consistent = true }:model "Post"
    function Post:shout() return self.title:upper() end
    assert.not_equal(Post, Seen)
    assert.equal("TIDES", Seen { title = "Tides" }:shout())
  end)

  it("through the same view is the same", function()
    local view = store:with { consistent = true }
    assert.equal(view:model "Post", view:model "Post")
  end)

  it("prints", function() assert.equal("model: Post", tostring(Post)) end)

  it("hides its metatable", function() assert.equal("model", getmetatable(Post)) end)

  it("reserves exactly the methods of objects, and the manual lists them", function()
    local reserved, manual = {}, assert(io.open "docs/models.md"):read "a"
    for _, name in ipairs(require "neap.model".reserved) do
      reserved[name] = true
      assert.truthy(manual:find("`" .. name .. "`", 1, true), name)
    end
    local methods = {}
    for name in pairs(require "neap.object_kernel".methods) do methods[name] = true end
    assert.same(methods, reserved)
  end)

  it("names the model when called wrongly", function()
    local ok, e = pcall(Post, 5)
    assert.is_false(ok)
    assert.equal("usage", e.kind)
  end)
end)
