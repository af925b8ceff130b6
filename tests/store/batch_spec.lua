-- Lists and batches: each object for itself.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

contract.each("lists", function(c)
  local User

  before_each(function()
    User = c.store:model("User", { id = c:counted(), name = t.string { required = true },
      email = t.string { unique = c.capabilities.unique } }, { table = "users" })
    c.store:bind()
  end)

  local function people(...)
    local list = {}
    for i, name in ipairs { ... } do list[i] = User { name = name, email = name .. "@example.org" } end
    return list
  end

  it("are saved in order, and each object gets its key", function()
    local list = c.store:save(people("a", "b", "c"))
    local expected = {}
    for i, name in ipairs { "a", "b", "c" } do expected[i] = list[i].id .. "|" .. name end
    assert.same(expected, c:rows("users", "id", "name"))
  end)

  it("send the changes of loaded objects", function()
    local list = c.store:save(people("a", "b"))
    list[1].name = "A"
    list[2].email = "other@example.org"
    c.store:save(list)
    assert.same({ "A|a@example.org", "b|other@example.org" }, c:rows("users", "name", "email"))
  end)

  it("may mix new and changed objects of several models", function()
    local Tag = c.store:model("Tag", { id = c:counted(), label = t.string() }, { table = "tags" })
    c.store:bind()
    local ada = people "ada"[1]:save()
    ada.name = "Ada"
    local tag = Tag { label = "x" }
    c.store:save { ada, tag, people "bob"[1] }
    assert.same({ "Ada", "bob" }, c:rows("users", "name"))
    assert.is_false(tag:is_new())
  end)

  -- Empties the list in a finalizer, which runs wherever the collector happens to.
  local function emptied_meanwhile(list)
    for _ = 1, 20 do
      setmetatable({}, { __gc = function() for i = 1, #list do list[i] = nil end end })
    end
    return list
  end

  it("are kept from what finalizers do to them while they are saved or loaded", function()
    collectgarbage "generational"
    for round = 1, 30 do
      local list = {}
      for i = 1, 100 do list[i] = User { name = "name", email = round .. "." .. i } end
      pcall(c.store.save, c.store, emptied_meanwhile(list))
      pcall(c.store.load, c.store, emptied_meanwhile(User:limit(100):all()))
    end
    collectgarbage "incremental"
  end)

  c.can "unique" ("with failures keep the rest and tell which failed, where in the list, and why", function()
    local list = people("a", "b", "a", "c")
    list[5] = User { email = "nameless@example.org" }
    local ok, e = pcall(c.store.save, c.store, list)
    assert.is_false(ok)
    assert.is_true(neap.is(e, "batch"))
    assert.same({ 3, 5 }, { e.errors[1].index, e.errors[2].index })
    assert.equal(list[3], e.errors[1].object)
    assert.is_true(neap.is(e.errors[1].error, "conflict"))
    assert.is_true(neap.is(e.errors[2].error, "validation"))
    assert.same({ "a", "b", "c" }, c:client "SELECT name FROM users ORDER BY id")
    assert.is_true(list[3]:is_new())
    assert.is_false(list[4]:is_new())
  end)

  c.can "unique" ("inside a transaction fail as a whole", function()
    local list = people("a", "b", "a")
    c.store:transaction(function()
      local ok, e = pcall(c.store.save, c.store, list)
      assert.is_false(ok)
      assert.is_true(neap.is(e, "batch"))
    end)
    assert.same({}, c:rows("users", "id"))
    assert.is_true(list[1]:is_new())
  end)

  it("are deleted together", function()
    local list = c.store:save(people("a", "b", "c"))
    c.store:delete { list[1], list[3] }
    assert.same({ "b" }, c:rows("users", "name"))
  end)

  it("are loaded together; those that are gone are told", function()
    local list = c.store:save(people("a", "b"))
    c:set("users", { id = list[1].id }, { name = "A" })
    c:remove("users", { id = list[2].id })
    local ok, e = pcall(c.store.load, c.store, list)
    assert.is_false(ok)
    assert.is_true(neap.is(e, "not_found"))
    assert.equal(2, e.errors[1].index)
    assert.equal("A", list[1].name)
  end)

  it("save the new objects that pointers lead to first, each once; what goes in circles is told", function()
    local Node = c.store:model("Node", { id = c:counted(), name = t.string { required = true },
      next = t.pointer "Node", other = t.pointer "Node" })
    c.store:bind()
    local saved = {}
    function Node:before_save() saved[#saved + 1] = self.name end
    local last = Node { name = "last" }
    local middle = Node { name = "middle", next = last }
    local first = Node { name = "first", next = middle, other = last }
    c.store:save { first, middle, Node { name = "alone", next = last } }
    assert.same({ "last", "middle", "first", "middle", "alone" }, saved)
    local led = {}
    for i, node in ipairs(Node:order "name":all()) do led[i] = node.name .. "|" .. (node.next and node.next.name or "") end
    assert.same({ "alone|last", "first|middle", "last|", "middle|last" }, led)
    local a, b, unnamed = Node { name = "a" }, Node { name = "b" }, Node {}
    a.next, b.next = b, a
    local ok, e = pcall(c.store.save, c.store, { a, Node { name = "fine" }, b, Node { name = "c", next = unnamed } })
    assert.is_false(ok)
    assert.same({ 1, 3, 4 }, { e.errors[1].index, e.errors[2].index, e.errors[3].index })
    assert.matches("points to itself through new objects", e.errors[1].error.message)
    assert.is_true(neap.is(e.errors[3].error, "validation"))
    assert.equal(1, Node:where { name = "fine" }:count())
  end)

  it("are loaded by any number of keys, in any order, an object twice if it is there twice", function()
    local Seat = c.store:model("Seat", { row = t.integer { primary = true }, nr = t.string { primary = true }, taken = t.boolean() })
    local Word = c.store:model("Word", { id = t.string { primary = true }, n = t.integer() })
    c.store:bind()
    local list = {}
    for i = 1, 1500 do list[i] = Word { id = "w" .. i, n = 0 } end
    for i = 1, 3 do list[#list + 1] = Seat { row = 1, nr = "n" .. i, taken = false } end
    c.store:save(list)
    list[#list + 1] = Word:get "w7"
    list[#list + 1], list[#list + 2] = list[7], Seat { row = 1, nr = "n2" }
    Word:update({ n = 5 }, { all = true })
    Seat:update({ taken = true }, { all = true })
    assert.equal(list, c.store:load(list))
    for _, object in ipairs(list) do assert.is_true((object.n or object.taken) == (object.n and 5 or true)) end
  end)

  it("of none do nothing", function()
    c.store:save {}
    c.store:delete {}
    c.store:load {}
  end)

  it("that hold something else raise usage, naming the item, and nothing is sent", function()
    local list = people("a")
    list[2] = "b"
    for _, verb in ipairs { "save", "load", "delete" } do
      local ok, e = pcall(c.store[verb], c.store, list)
      assert.is_false(ok)
      assert.is_true(neap.is(e, "usage"))
      assert.truthy(tostring(e):find("item 2 of the list: an object of a model was expected, not \"b\"", 1, true))
    end
    assert.same({}, c:rows("users", "id"))
  end)

  it("are lists or single objects", function()
    for _, verb in ipairs { "save", "load", "delete" } do
      for value, told in pairs { [5] = "not 5", [{ name = "a" }] = "not a table with names", [User] = "not a model" } do
        local ok, e = pcall(c.store[verb], c.store, value)
        assert.is_false(ok)
        assert.truthy(tostring(e):find("an object or a list of objects was expected, " .. told, 1, true), tostring(e))
      end
    end
  end)
end)

contract.each("batches", function(c)
  local User

  before_each(function()
    User = c.store:model("User", { id = c:counted(), name = t.string { unique = c.capabilities.unique } })
    c.store:bind()
  end)

  it("run what was collected, in order", function()
    local gone = User { name = "gone" }:save()
    local b = c.store:batch()
    b:save(User { name = "gone too" })
    b:delete(gone)
    b:save(User { id = gone.id, name = "gone" })
    b:run()
    assert.same({ "gone", "gone too" }, c:rows("User", "name"))
    assert.equal("gone", User:get(gone.id).name)
  end)

  it("keep those that succeed and number the failures as they were added", function()
    local b = c.store:batch()
    local gone = User { name = "gone" }:save()
    User { name = "there" }:save()
    c:remove("User", { id = gone.id })
    b:save(User { name = "a" })
    b:save(gone:assign { name = "c" })
    b:save(User { name = "b" })
    local ok, e = pcall(b.run, b)
    assert.is_false(ok)
    assert.is_true(neap.is(e, "batch"))
    assert.equal(1, #e.errors)
    assert.equal(2, e.errors[1].index)
    assert.equal(gone, e.errors[1].object)
    assert.is_true(neap.is(e.errors[1].error, "not_found"))
    assert.same({ "a", "b", "there" }, c:rows("User", "name"))
  end)

  it("take objects and nothing else", function()
    local b = c.store:batch()
    for i, f in ipairs { function() b:save("x") end, function() b:delete(User { name = "a" }, nil) end } do
      local ok, e = pcall(f)
      assert.is_false(ok)
      assert.is_true(neap.is(e, "usage"))
      assert.truthy(tostring(e):find(("item %d of the list: an object of a model was expected"):format(i), 1, true))
    end
    b:run()
    assert.same({}, c:rows("User", "id"))
  end)
end)
