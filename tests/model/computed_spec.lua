-- Computed fields: by functions, along relations.
local neap = require "neap"
local t = neap.types

describe("a computed field", function()
  local store, Person

  before_each(function()
    store = neap.open "sqlite::memory:"
    Person = store:model("Person", {
      id = t.integer { primary = true, auto = true }, first = t.string(), last = t.string(),
      boss = t.pointer "Person",
      full = t.computed(t.string(), {
        needs = { "first", "last" },
        get = function(p) return p.first .. " " .. p.last end,
        set = function(p, name) p.first, p.last = name:match "(%S+) (%S+)" end,
      }),
      short = t.computed(t.string(), { get = function(p) return p.first:sub(1, 1) end }),
      boss_name = t.computed(t.string(), { path = "boss.first" }),
    })
    store:bind()
  end)
  after_each(function() store:close() end)

  it("is read by its function", function() assert.equal("Ada L", Person { first = "Ada", last = "L" }.full) end)

  it("is written by its function", function()
    local p = Person {}
    p.full = "Ada Lovelace"
    assert.equal("Lovelace", p.last)
  end)

  it("may be given to the constructor", function() assert.equal("Ada", Person { full = "Ada Lovelace" }.first) end)

  it("is selected with what it needs", function()
    local boss = Person { first = "Eve", last = "L" }:save()
    Person { first = "Ada", last = "L", boss = boss }:save()
    local ada = Person:select("full", "boss_name"):order "-id":first()
    assert.same({ "Ada L", "Eve" }, { ada.full, ada.boss_name })
    local _, e = pcall(function() return Person:select "full":first().boss end)
    assert.truthy(e.message:find("boss was not selected", 1, true), e.message)
    _, e = pcall(Person.select, Person, "short")
    assert.truthy(e.message:find("select takes whole columns of Person; 'short' is none", 1, true), e.message)
  end)

  it("of an open model may need what nobody declared", function()
    local Any = store:model("Any", { id = t.integer { primary = true, auto = true }, other = t.string(),
      nick = t.computed(t.string(), { path = "name.short" }) }, { open = true })
    store:bind()
    Any { name = { short = "Al" } }:save()
    assert.equal("Al", Any:select "nick":first().nick)
  end)

  it("of objects that are included, and of stubs, has what it needs", function()
    Person { first = "Ada", last = "L", boss = Person { first = "Eve", last = "L" }:save() }:save()
    assert.equal("Eve L", Person:include "boss":order "-id":first().boss.full)
    assert.equal("Eve L", Person:order "-id":first().boss.full)
  end)

  it("without a setter is not written", function()
    local ok, e = pcall(function() Person {}.short = "x" end)
    assert.is_false(ok)
    assert.equal("usage", e.kind)
  end)

  it("is in a table if it is asked for", function()
    assert.same({ full = "Ada L" }, Person { first = "Ada", last = "L" }:to_table { only = { "full" } })
  end)

  it("in SQL is loaded with the row, and may be asked for", function()
    local Worker = store:model("Worker", {
      id = t.integer { primary = true }, age = t.integer(), later = t.computed(t.integer(), { sql = "{age} + 10" }),
    })
    store:bind()
    store:save { Worker { id = 1, age = 20 }, Worker { id = 2, age = 40 } }
    assert.equal(50, Worker:get(2).later)
    assert.equal(2, Worker:where { later__gt = 35 }:one().id)
    assert.equal(30, Worker:select("id", "later"):order("later"):first().later)
  end)

  describe("in SQL", function()
    local Worker

    before_each(function()
      Worker = store:model("Laborer", {
        { "id", t.integer { primary = true } }, { "age", t.integer() }, { "later", t.computed(t.integer(), { sql = "{age} + 10" }) },
      })
      store:bind()
      store:save { Worker { id = 1, age = 20 }, Worker { id = 2, age = 40 } }
    end)
    after_each(function() store:drop(Worker) end)

    local function fails(kind, expected, f)
      local ok, e = pcall(f)
      assert.is_false(ok)
      assert.equal(kind, e.kind, tostring(e))
      assert.truthy(e.message:find(expected, 1, true), e.message)
    end

    it("is not known after a save or an increment, until it is read again", function()
      local worker = Worker { id = 3, age = 1 }:save()
      fails("usage", "computed by the store", function() return worker.later end)
      assert.equal(11, worker:reload().later)
      worker.age = 2
      worker:save()
      fails("usage", "computed by the store", function() return worker.later end)
      assert.equal(12, worker:reload().later)
      worker:increment "age"
      fails("usage", "computed by the store", function() return worker.later end)
      assert.same({ id = 3, age = 3 }, worker:to_table())
    end)

    it("is as before after a transaction that is rolled back", function()
      local worker = Worker:get(1)
      pcall(store.transaction, store, function()
        worker.age = 50
        worker:save()
        error "no"
      end)
      assert.equal(30, worker.later)
    end)

    it("is never written, nor part of a key or an index", function()
      fails("usage", "later", function() Worker:where { id = 1 }:update { later = 5 } end)
      fails("usage", "later", function() Worker:upsert({ id = 1, later = 5 }, { "id" }) end)
      fails("usage", "later", function() Worker:upsert({ id = 1 }, { "later" }) end)
      fails("usage", "later", function() Worker:get(1):increment "later" end)
      for _, index in ipairs { t.index { "later" }, t.index { "abs({later})" } } do
        fails("usage", "later", function()
          local other = neap.open "sqlite::memory:"
          other:model("Worker", {
            id = t.integer { primary = true }, later = t.computed(t.integer(), { sql = "1" }), by_later = index,
          })
          other:bind()
        end)
      end
    end)

    it("is not compared in memory", function()
      fails("unsupported", "compute", function() return Worker.later:gt(1):matches(Worker:get(1)) end)
      fails("unsupported", "compute", function() return Worker.age:lt(Worker.later):matches(Worker:get(1)) end)
    end)
  end)

  it("may follow pointers", function()
    assert.equal("Ada", Person { boss = Person { first = "Ada" } }.boss_name)
    assert.is_nil(Person {}.boss_name)
  end)
end)
