-- Hooks: functions of users around writes, defaults that are functions, validation at save.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

contract.each("hooks", function(c)
  local calls, Post

  before_each(function()
    calls = {}
    Post = c.store:model("Post", {
      id = c:counted(), title = t.string(),
      slug = t.string { default = function(p) return p.title and p.title:lower() end },
      even = t.integer { validate = function(n) return n % 2 == 0, "must be even" end },
    })
    c.store:bind()
  end)

  it("run around a save", function()
    function Post:before_save() calls[#calls + 1] = "before " .. tostring(self:is_new()) end
    function Post:after_save() calls[#calls + 1] = "after " .. tostring(self:is_new()) end
    Post { title = "x" }:save()
    assert.same({ "before true", "after false" }, calls)
  end)

  it("may change what is saved", function()
    function Post:before_save() self.title = self.title:upper() end
    local p = Post { title = "x" }:save()
    assert.equal("X", Post:get(p.id).title)
  end)

  it("that raise before a save stop it", function()
    function Post.before_save() error "no" end
    assert.is_false(pcall(Post.save, Post { title = "x" }))
    assert.equal(0, Post:count())
  end)

  it("run around a delete", function()
    function Post.before_delete() calls[#calls + 1] = "before" end
    function Post.after_delete() calls[#calls + 1] = "after" end
    Post { title = "x" }:save():delete()
    assert.same({ "before", "after" }, calls)
  end)

  describe("of a list", function()
    local function posts(titles)
      local list = {}
      for i, title in ipairs(titles) do list[i] = Post { title = title } end
      return list
    end

    it("run before all is written, and after it", function()
      function Post:before_save() calls[#calls + 1] = self.title .. Post:count() end
      function Post:after_save() calls[#calls + 1] = self.title .. Post:count() end
      c.store:save(posts { "a", "b" })
      assert.same({ "a0", "b0", "a2", "b2" }, calls)
      Post.before_save, Post.after_save, calls = nil, nil, {}
      function Post:before_delete() calls[#calls + 1] = self.title .. Post:count() end
      function Post:after_delete() calls[#calls + 1] = self.title .. Post:count() end
      c.store:delete(Post:order("id"):all())
      assert.same({ "a2", "b2", "a0", "b0" }, calls)
    end)

    it("may change the list: what was given is written", function()
      local list = { Post { title = "a" }, Post { title = "b" }, Post { title = "c" } }
      local function change()
        list[1], list[2], list[3] = nil, nil, nil
        list[1] = Post { title = "more" }
      end
      Post.before_save, Post.before_delete = change, change
      c.store:save(list)
      assert.same({ "a", "b", "c" }, Post:order("id"):pluck "title")
      list = Post:order("id"):all()
      c.store:delete(list)
      assert.equal(0, Post:count())
    end)

    it("stop those that they raise for, whatever they raise", function()
      function Post:before_save() if self.title == "bad" then error("no", 0) end end
      function Post:after_save() if self.title == "late" then error { code = 1 } end end
      local list = posts { "a", "bad", "late", "b" }
      list[5] = Post { title = "odd", even = 3 }
      local ok, e = pcall(c.store.save, c.store, list)
      assert.is_false(ok)
      assert.matches("3 of 5 operations failed; the first: no", e.message)
      assert.same({ 2, 3, 5 }, { e.errors[1].index, e.errors[2].index, e.errors[3].index })
      assert.equal("no", e.errors[1].error)
      assert.equal(list[2], e.errors[1].object)
      assert.same({ "a", "b", "late" }, Post:order "title":pluck "title")
    end)
  end)

  it("make defaults when an object is made", function()
    assert.equal("tides", Post { title = "Tides" }.slug)
    assert.equal("own", Post { title = "Tides", slug = "own" }.slug)
  end)

  it("make defaults in declared order, so that one may build on another", function()
    local Line = c.store:model("Line", {
      id = t.integer { primary = true }, a = t.integer { default = function() return 2 end },
      b = t.integer { default = function(l) return l.a * 2 end }, c = t.integer { default = function(l) return l.b * 2 end },
    })
    assert.equal(8, Line {}.c)
  end)

  it("do not validate what was not loaded", function()
    Post { title = "x", even = 2 }:save()
    local p = Post:select("id", "title"):first()
    p.title = "y"
    p:save()
    assert.equal("y", Post:get(p.id).title)
  end)

  it("validate at save, not at assignment", function()
    local p = Post { even = 3 }
    local ok, e = pcall(p.save, p)
    assert.is_false(ok)
    assert.equal("validation", e.kind)
    assert.equal("must be even", e.errors.even)
    assert.equal("Post.even: must be even", e.message)
    p.even = 4
    p:save()
  end)
end)
