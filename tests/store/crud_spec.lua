-- CRUD helpers: input from outside becomes objects, within what may be written.
local contract = require "tests.store.contract"
local crud = require "neap.crud"
local neap = require "neap"
local t = neap.types

contract.each("CRUD helpers", function(c)
  local User, Tag

  before_each(function()
    User = c.store:model("User", {
      id = t.integer { primary = true }, name = t.string { required = true, max = 10 }, age = t.integer { min = 0 },
      data = t.json(), price = t.decimal { scale = 2 }, at = t.datetime(), active = t.boolean(), boss = t.pointer "User",
      tags = t.has_many("Label", "user"),
      title = t.computed(t.string(), { needs = { "name" }, get = function(u) return "Dr " .. u.name end,
        set = function(u, text) u.name = text:gsub("^Dr ", "") end }),
    })
    Tag = c.store:model("Label", { id = (c.sql and t.integer or t.uuid) { primary = true, auto = true },
      user = t.pointer "User", text = t.string() })
    c.store:bind()
    User:create { id = 1, name = "Ada", age = 36, data = { a = 1, b = { c = 2 } } }
  end)

  local function faults(f, ...)
    local ok, e = pcall(f, ...)
    assert.is_false(ok)
    local by_pointer = {}
    for _, fault in ipairs(e.errors or {}) do by_pointer[fault.pointer] = fault.message end
    return by_pointer, e
  end

  describe("create", function()
    it("converts by type, and leaves the input as it was", function()
      local input = { id = "2", name = "Bob", age = "7", price = 1.1, at = "2024-05-01T10:00:00Z", active = "true", boss_id = 1,
        data = neap.null }
      local bob = crud.helper(User):create(input)
      assert.equal(7, bob.age)
      assert.equal(neap.decimal "1.10", bob.price)
      assert.is_true(bob.active)
      assert.equal("Ada", bob.boss.name)
      assert.equal("2", input.id)
      assert.equal("Bob", User:get(2).name)
    end)

    it("reports all faults, with pointers", function()
      local by_pointer, e = faults(function()
        crud.helper(User):create { id = 2, name = "much too long a name", age = "old", nmae = 1, boss = 1, ["data.a"] = 1, price = {} }
      end)
      assert.equal("query", e.kind)
      assert.truthy(by_pointer["/name"])
      assert.equal('age is of type integer, "old" is none', by_pointer["/age"])
      assert.equal("User has no field to be written nmae; did you mean name?", by_pointer["/nmae"])
      assert.truthy(by_pointer["/boss"])
      assert.truthy(by_pointer["/data.a"])
      assert.truthy(by_pointer["/price"])
      assert.equal(1, User:count())
      assert.equal("query", select(2, faults(function() crud.helper(User):create { 1 } end)).kind)
    end)

    it("points to the fields that the model or the store refuses when it saves", function()
      local by_pointer, e = faults(function() crud.helper(User):create { id = 2, age = 1 } end)
      assert.equal("validation", e.kind)
      assert.equal("must have a value", by_pointer["/name"])
      if c.capabilities.unique then
        by_pointer, e = faults(function() crud.helper(User, { on_save = print }):create { id = 1, name = "Bob" } end)
        assert.equal("conflict", e.kind)
        assert.truthy(by_pointer["/id"])
      end
      assert.truthy(faults(function() crud.helper(User):update({ name = neap.null }, 1) end)["/name"])
      local result = crud.helper(User):create_or_update_many({ { id = 1, name = neap.null } })[1]
      assert.equal("/name", result.error.errors[1].pointer)
      assert.equal("Ada", User:get(1).name)
    end)

    it("writes properties that have a setter, unless they are not to be written", function()
      assert.equal("Eve", crud.helper(User):create { id = 2, title = "Dr Eve" }.name)
      assert.truthy(faults(function()
        crud.helper(User, { writable_properties = false }):create { id = 3, title = "Dr Eve" }
      end)["/title"])
    end)
  end)

  describe("get", function()
    it("gives one row as a Query Object wants it, by a key that may be text", function()
      assert.same({ name = "Ada" }, crud.helper(User):get("1", { project = "name" }))
      assert.same({ name = "Ada" }, crud.strict(User, { query_defaults = { project = "name" } }):get(1))
      assert.equal("Ada", crud.helper(User):get(1).name)
    end)

    it("raises not_found for what is not there, or hidden", function()
      for _, f in ipairs {
        function() return crud.helper(User):get(2) end, function() return crud.helper(User):get "x" end,
        function() return crud.helper(User):get(neap.null) end,
        function() return crud.helper(User, { force_filter = { age__gt = 50 } }):get(1) end,
        function() return crud.helper(User):get(1, nil, User:where { age = 1 }) end,
        function() return crud.helper(User):get(1, { filter = { age = 1 } }) end,
        function() return crud.helper(User, { on_query = function(mq) mq:merge { filter = { age = 1 } } end }):get(1) end,
      } do
        assert.equal("not_found", select(2, faults(f)).kind)
      end
      assert.equal("usage", select(2, faults(function() return crud.helper(User):get(1, { count = true }) end)).kind)
    end)
  end)

  describe("update", function()
    it("changes what is given, and merges objects into JSON", function()
      local ada = crud.helper(User):update({ age = 37, data = { b = { d = 3 }, e = 4 } }, 1)
      assert.equal("Ada", ada.name)
      assert.same({ a = 1, b = { d = 3 }, e = 4 }, User:get(1).data)
      assert.equal(37, User:get(1).age)
      crud.helper(User):update({ data = neap.null, age = neap.null }, ada)
      assert.is_nil(User:get(1).data)
      crud.helper(User):update({ data = { x = 1 } }, ada)
      assert.same({ x = 1 }, User:get(1).data)
      crud.helper(User):update({ data = { 1, 2 } }, ada)
      assert.same({ 1, 2 }, User:get(1).data)
    end)

    it("leaves the object as it was if there are faults", function()
      local ada = User:get(1)
      assert.truthy(faults(function() crud.helper(User):apply({ age = -1, name = "Eve" }, ada) end)["/age"])
      assert.equal("Ada", ada.name)
      assert.same({}, ada:changes())
      crud.helper(User):create { id = 2, name = "Bob" }
      local input = { name = neap.null, age = 5, boss_id = 2, data = { x = 1 }, price = 1 }
      assert.truthy(faults(function() crud.helper(User):update(input, ada) end)["/name"])
      assert.same({ "Ada", 36, nil, { a = 1, b = { c = 2 } } }, { ada.name, ada.age, ada.boss_id, ada.data })
      local hook = crud.helper(User, { on_save = function() error "no" end })
      assert.is_false((pcall(hook.update, hook, { title = "Dr Eve", boss_id = 2 }, ada)))
      assert.same({}, ada:changes())
      assert.equal("Ada", ada.name)
    end)

    it("never changes a key", function()
      assert.equal(1, crud.helper(User):update({ id = 1, age = 2 }, 1).id)
      assert.truthy(faults(function() crud.helper(User):update({ id = 5 }, 1) end)["/id"])
    end)

    it("writes columns before properties, whose setters may look at them", function()
      for i = 10, 19 do
        crud.helper(User):create { id = i, title = "Dr Who", name = "Nobody", age = 3 }
        assert.equal("Who", User:get(i).name)
      end
    end)

    it("gives the object tables of its own", function()
      local input = { data = { list = { 1, 2 }, map = { x = 1 } } }
      local ada = crud.helper(User):update(input, 1)
      ada.data.list[1], ada.data.map.x = 9, 9
      assert.same({ data = { list = { 1, 2 }, map = { x = 1 } } }, input)
      local bob = crud.helper(User):create { id = 2, name = "Bob", data = input.data }
      bob.data.map.x = 9
      assert.same({ data = { list = { 1, 2 }, map = { x = 1 } } }, input)
    end)

    it("finds by key what the settings leave", function()
      assert.equal(5, crud.helper(User):update({ age = 5 }, "1").age)
      User:get(1):assign({ age = 36 }):save()
      local hook = crud.helper(User, { on_query = function(mq) mq:merge { filter = { age = { ["$gt"] = 50 } } } end })
      assert.equal("not_found", select(2, faults(function() hook:update({ age = 1 }, 1) end)).kind)
      assert.equal("not_found", select(2, faults(function() hook:delete(1) end)).kind)
      assert.equal("not_found", hook:create_or_update_many({ { id = 1, age = 2 } })[1].error.kind)
      assert.equal("not_found", select(2, faults(function() crud.helper(User, { force_filter = { age__gt = 50 } }):update({}, 1) end)).kind)
      assert.equal("not_found", select(2, faults(function() crud.helper(User):delete(1, User:where { age = 1 }) end)).kind)
      assert.equal("Ada", crud.helper(User):delete(1).name)
      assert.equal(0, User:count())
    end)
  end)

  describe("strict", function()
    it("drops what is only read, in silence", function()
      local helper = crud.strict(User, { ro_fields = { "id", "age", "boss" }, const_fields = { "name" } })
      local ada = helper:update({ id = 9, name = "Eve", age = 1, boss = {}, active = true }, 1)
      assert.same({ "Ada", 36, true }, { ada.name, ada.age, ada.active })
    end)

    it("names what may be written", function()
      local helper = crud.strict(User, { rw_fields = { "age" }, const_fields = { "id", "name" } })
      assert.equal(5, helper:create { id = 2, name = "Bob", age = 5, active = true }.age)
      assert.same({ age = true }, helper.rw_fields)
      assert.is_true(helper.ro_fields.active)
      assert.is_nil(User:get(2).active)
      assert.truthy(faults(function() helper:update({ foo = 1 }, 2) end)["/foo"])
    end)

    it("has default Query Objects, key by key", function()
      local helper = crud.strict(User, { query_defaults = { sort = "id-", limit = 1, project = { "id" } } })
      crud.helper(User):create { id = 2, name = "Bob" }
      assert.same({ { id = 2 } }, helper:query(nil):run())
      assert.same({ { id = 2 }, { id = 1 } }, helper:query { limit = neap.null }:run())
      assert.same({ { n = 2 } }, helper:query { aggregate = { n = { ["$count"] = true } } }:run())
      assert.same({ { id = 1 } }, helper:query('{"sort":"id"}', User:where { id__lt = 2 }):run())
    end)

    it("refuses settings that make no sense", function()
      for _, given in ipairs {
        { ro_fields = {}, rw_fields = {} }, { ro_fields = { "foo" } }, { const_fields = { "tags" } }, { foo = 1 },
        { query_defaults = { sort = "foo" } }, { saves_relations = { { "a" } } }, { on_save = 1 },
      } do
        assert.is_false((pcall(crud.strict, User, given)))
      end
    end)
  end)

  describe("hooks", function()
    it("see the new object and the old values, computed ones too", function()
      local seen
      local helper = crud.helper(User, { on_save = function(new, old)
        seen = { new.name, new.title, old and old.name, old and old.title }
      end })
      helper:update({ name = "Eve" }, 1)
      assert.same({ "Eve", "Dr Eve", "Ada", "Dr Ada" }, seen)
      helper:create { id = 2, name = "Bob" }
      assert.same({ "Bob", "Dr Bob" }, seen)
    end)

    it("see where pointers led to, and JSON as it was", function()
      crud.helper(User):create { id = 2, name = "Bob", boss_id = 1, data = { a = { 1 } } }
      crud.helper(User):create { id = 3, name = "Cy" }
      local seen
      local function look(new, old) seen = { new.boss and new.boss.name, old.boss and old.boss.name, old.boss_id, old.data } end
      local helper = crud.helper(User, { on_save = look, saves_relations = { { "tags", save = look } } })
      helper:update({ boss_id = 3, data = { a = neap.null, b = 2 } }, 2)
      assert.same({ "Cy", "Ada", 1, { a = { 1 } } }, seen)
      helper:update({ boss_id = neap.null }, 2)
      assert.same({ nil, "Cy", 3 }, { seen[1], seen[2], seen[3] })
    end)

    it("save relations, and are called with nothing too", function()
      local calls = {}
      local helper = crud.helper(User, { saves_relations = { { "tags", save = function(new, _, given)
        calls[#calls + 1] = given.tags or "none"
        for _, text in ipairs(given.tags or {}) do Tag { user = new, text = text }:save() end
      end } } })
      helper:create { id = 2, name = "Bob", tags = { "x", "y" } }
      helper:update({ age = 1 }, 2)
      assert.same({ { "x", "y" }, "none" }, calls)
      assert.equal(2, User:get(2).tags:count())
    end)

    it("that raise undo all of it", function()
      local helper = crud.helper(User, { on_save = function() error "no" end })
      assert.is_false((pcall(helper.create, helper, { id = 2, name = "Bob" })))
      assert.is_false((pcall(helper.update, helper, { name = "Eve" }, 1)))
      assert.same({ "Ada" }, User:pluck "name")
    end)

    it("see each query", function()
      local helper = crud.helper(User, { on_query = function(mq) mq:ensure_loaded "age" end })
      assert.equal(36, helper:query { project = "id" }:objects()[1].age)
    end)

    it("are told what reads, and nothing is read when the helper is made", function()
      local methods = {}
      local helper = crud.strict(User, {
        query_defaults = { limit = 1 }, on_query = function(_, method) methods[#methods + 1] = method end,
      })
      helper:query(nil)
      helper:get(1)
      helper:update({ age = 1 }, 1)
      helper:create_or_update_many {}
      helper:delete(1)
      assert.same({ "query", "get", "update", "create_or_update_many", "delete" }, methods)
    end)
  end)

  describe("create_or_update_many", function()
    it("creates what has no key and updates what has one, in order", function()
      local results = crud.helper(Tag):create_or_update_many { { text = "a", user_id = 1 }, { id = neap.null, text = "b" } }
      assert.is_true(results[1].created)
      local first = results[1].object.id
      results = crud.helper(Tag):create_or_update_many { { text = "c" }, { id = tostring(first), text = "A" } }
      assert.is_false(results[2].created)
      assert.equal("A", Tag:get(first).text)
      assert.equal(3, Tag:count())
    end)

    it("gives each item its error, and keeps the others", function()
      local results = crud.helper(User):create_or_update_many {
        { id = 1, age = 40 }, { id = 1, age = 41 }, { id = 9, name = "No" }, { id = 1.5, name = "x" }, { foo = 1 }, 5,
      }
      assert.equal(40, results[1].object.age)
      assert.equal("conflict", results[2].error.kind)
      assert.equal("not_found", results[3].error.kind)
      for i = 4, 6 do assert.truthy(results[i].error, i) end
      assert.equal(40, User:get(1).age)
      assert.equal(1, User:count())
    end)

    it("knows a key in each of its spellings, and changes no item", function()
      local items = { { id = "1", age = 40 }, { id = 1.0, age = 41 }, { id = 1, age = 42 } }
      local results = crud.helper(User):create_or_update_many(items)
      assert.equal(40, results[1].object.age)
      assert.equal("conflict", results[2].error.kind)
      assert.equal("conflict", results[3].error.kind)
      assert.same({ { id = "1", age = 40 }, { id = 1.0, age = 41 }, { id = 1, age = 42 } }, items)
    end)

    it("may create objects with the keys that are given", function()
      local results = crud.helper(User, { create_with_key = true }):create_or_update_many { { id = 7, name = "New" } }
      assert.is_true(results[1].created)
      assert.equal("New", User:get(7).name)
    end)
  end)
end)
