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

  it("may follow pointers", function()
    assert.equal("Ada", Person { boss = Person { first = "Ada" } }.boss_name)
    assert.is_nil(Person {}.boss_name)
  end)
end)
