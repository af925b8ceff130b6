-- Aggregates: one number of all rows, or plain tables by group.
local contract = require "tests.store.contract"
local neap = require "neap"
local shop = require "tests.store.shop"

contract.each("aggregates", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  it("sum, min, max and avg of a field", function()
    assert.equal(80, m.Post:sum "views")
    assert.equal(0, m.Post:min "views")
    assert.equal(30, m.Post:max "views")
    assert.equal(16.0, m.Post:avg "views")
    assert.equal("Wind", m.Post:max "title")
  end)

  it("are exact for decimals", function()
    assert.equal(neap.decimal "3.60", m.Post:sum "price")
    assert.equal(neap.decimal "0.30", m.Post:min "price")
    assert.equal(neap.decimal "1.20", m.Post:avg "price")
  end)

  it("of nothing are 0 or nil", function()
    local none = m.Post:where { id = 99 }
    assert.equal(0, none:sum "views")
    assert.is_nil(none:min "views")
    assert.is_nil(none:avg "views")
  end)

  it("reach through pointers", function()
    assert.equal(36, m.Post:max "author.age")
  end)

  it("give one plain table without groups", function()
    assert.same({ n = 5, top = 30, some = 3 }, m.Post:aggregate {
      n = { ["$count"] = true }, top = { ["$max"] = "views" }, some = { ["$count"] = "price" },
    })
  end)

  it("give a list of plain tables by group, ordered by label", function()
    local rows = m.Post:where { author__exists = true }:group "author":order "-total":aggregate {
      total = { ["$sum"] = "views" }, popular = { ["$sum"] = { views__gt = 10 } },
    }
    assert.same({ { author = 1, total = 40, popular = 1 }, { author = 2, total = 40, popular = 2 } },
      rows[1].author == 1 and rows or { rows[2], rows[1] })
  end)

  it("group by what pointers lead to", function()
    local rows = m.Post:group "author.name":order "author.name":limit(2):aggregate { n = { ["$count"] = true } }
    assert.same({ { ["author.name"] = "Ada", n = 2 }, { ["author.name"] = "Bob", n = 2 } }, rows)
  end)

  it("give the groups alone without aggregates", function()
    assert.same({ { views = 0 }, { views = 10 }, { views = 20 }, { views = 30 } }, m.Post:group "views":order "views":all())
  end)

  it("group by places inside JSON", function()
    assert.same({ { ["data.key"] = 1, n = 1 }, { ["data.key"] = 3, n = 1 } },
      m.Post:where { data__exists = true }:group "data.key":order "data.key":aggregate { n = { ["$count"] = true } })
  end)

  it("are chosen by having, by what is computed of them", function()
    local function groups(having)
      local labels = { n = { ["$count"] = true }, low = { ["$min"] = "price" }, last = { ["$max"] = "at" } }
      local list = {}
      for i, row in ipairs(m.Post:group "author.name":order "author.name":having(having):aggregate(labels)) do
        list[i] = row["author.name"] or "none"
      end
      return list
    end
    assert.same({ "Ada", "Bob" }, groups { n = { ["$gt"] = 1 } })
    assert.same({ "none" }, groups { n = { ["$eq"] = 1 } })
    assert.same({ "Ada", "none" }, groups { low = { ["$ne"] = neap.decimal "0.30" } })
    assert.same({ "Ada" }, groups { low = { ["$gte"] = 1, ["$lt"] = 1.2 } })
    assert.same({ "Ada" }, groups { last = { ["$gt"] = neap.datetime "2024-05-02T00:00:00Z" } })
    assert.same({}, groups { n = { ["$gt"] = 1, ["$lt"] = 2 } })
  end)

  it("sort by a label that a field bears too", function()
    local groups = m.Post:where { author__exists = true, id__lt = 4 }:group "author":order "-views"
    local rows = groups:aggregate { views = { ["$sum"] = "views" } }
    assert.same({ { author = 1, views = 40 }, { author = 2, views = 20 } }, rows)
  end)

  it("count their groups", function()
    assert.equal(4, m.Post:group "views":count())
    assert.is_true(m.Post:group "views":exists())
  end)

  it("refuse what makes no sense", function()
    for _, f in ipairs {
      function() return m.Post:sum "title" end,
      function() return m.Post:sum "veiws" end,
      function() return m.Post:aggregate { n = { ["$median"] = "views" } } end,
      function() return m.Post:aggregate {} end,
      function() return m.Post:aggregate { n = { ["$sum"] = "views", ["$max"] = "views" } } end,
      function() return m.Post:group "views":order "total":aggregate { n = { ["$count"] = true } } end,
      function() return m.Post:order "title":group "views":all() end,
      function() return m.Post:group "views":having { n = { ["$gt"] = 1 } }:all() end,
      function() return m.Post:having { n = { ["$gt"] = 1 } }:aggregate { n = { ["$count"] = true } } end,
      function() return m.Post:having { n = { ["$in"] = 1 } } end,
      function() return m.Post:having { n = { ["$gt"] = neap.null } } end,
    } do
      local ok, e = pcall(f)
      assert.is_false(ok)
      assert.equal("usage", e.kind, tostring(e))
    end
  end)
end)
