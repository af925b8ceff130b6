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

  describe("of numbers of several kinds", function()
    local Part

    before_each(function()
      Part = c.store:model("Part", { id = neap.types.integer { primary = true }, whole = neap.types.pointer "Part",
        share = neap.types.decimal(), weight = neap.types.number(), made = neap.types.integer() })
      c.store:bind()
      c.store:save {
        Part { id = 1, share = "10", weight = 1.5, made = math.maxinteger }, Part { id = 2, share = "9", weight = 2.25, made = 1 },
        Part { id = 3, share = "9", weight = 0.5, made = 2 },
      }
      for id = 4, 6 do Part { id = id, whole = id - 3, weight = 1, made = id }:save() end
      Part { id = 7, whole = 4 }:save()
    end)

    it("group and sort decimals that pointers lead to by value", function()
      local rows = Part:where { whole__exists = true, id__lt = 7 }:group "whole.share":order "whole.share":aggregate {
        n = { ["$count"] = true },
      }
      assert.same({ { ["whole.share"] = neap.decimal "9", n = 2 }, { ["whole.share"] = neap.decimal "10", n = 1 } }, rows)
      assert.equal(neap.decimal "10", Part:where { id__lt = 7 }:max "whole.share")
      assert.equal(neap.decimal "9", Part:where { id__lt = 7 }:min "whole.share")
      local best = Part:where { whole__exists = true }:group "id":order("-best", "id"):aggregate {
        best = { ["$max"] = "whole.share" },
      }
      assert.same({ 4, 5, 6, 7 }, shop.list(best, "id"))
    end)

    it("compare with decimals by having", function()
      local function parts(having, op, name)
        local rows = Part:where { id__lt = 4 }:group "id":order "id":having { x = having }:aggregate { x = { [op] = name } }
        return shop.list(rows, "id")
      end
      local function decimal(text) return neap.decimal(text) end
      for _, op in ipairs { "$sum", "$min", "$max", "$avg" } do
        assert.same({ 1, 2 }, parts({ ["$gte"] = decimal "1.5" }, op, "weight"))
        assert.same({ 1, 3 }, parts({ ["$lt"] = decimal "2" }, op, "weight"))
        assert.same({ 2 }, parts({ ["$eq"] = decimal "2.25" }, op, "weight"))
        assert.same({ 1, 3 }, parts({ ["$ne"] = decimal "2.25" }, op, "weight"))
      end
      assert.same({ 1 }, parts({ ["$gt"] = decimal "9223372036854775806" }, "$sum", "made"))
      assert.same({}, parts({ ["$gt"] = decimal "9223372036854775807" }, "$max", "made"))
      assert.same({ 1, 2, 3 }, parts({ ["$lt"] = decimal "1.5" }, "$count", "made"))
      assert.same({ 1 }, parts({ ["$gte"] = 2.5 }, "$sum", "made"))
      assert.same({ 2 }, parts({ ["$eq"] = 1 }, "$sum", "made"))
    end)

    it("raise limit where an integer of 64 bits does not hold the sum", function()
      for _, f in ipairs {
        function() return Part:sum "made" end,
        function() return Part:group "share":aggregate { made = { ["$sum"] = "made" }, n = { ["$count"] = true } } end,
      } do
        local large = Part { id = 8, share = "10", made = math.maxinteger }
        large:save()
        local ok, e = pcall(f)
        assert.is_false(ok)
        assert.equal("limit", e.kind, tostring(e))
        assert.truthy(e.message:find("integer of 64 bits", 1, true), e.message)
        large:delete()
      end
    end)
  end)

  describe("inside JSON", function()
    local Box

    before_each(function()
      Box = c.store:model("Box", { id = neap.types.integer { primary = true }, shelf = neap.types.string(),
        data = neap.types.json(), list = neap.types.list() })
      c.store:bind()
      local id = 0
      for shelf, values in pairs {
        mixed = { 7, 2.5, "x", "b", true, { 1 }, { k = 1 } }, numbers = { 2, 10, 7.5 }, text = { "a", "ab", "B" }, none = { false },
      } do
        for _, value in ipairs(values) do
          id = id + 1
          Box { id = id, shelf = shelf, data = { v = value }, list = { id } }:save()
        end
      end
    end)

    it("look at numbers, and for min and max at text behind them", function()
      local function of(shelf) return Box:where { shelf = shelf } end
      assert.equal(2.5, of "mixed":min "data.v")
      assert.equal("x", of "mixed":max "data.v")
      assert.equal(9.5, of "mixed":sum "data.v")
      assert.equal(10, of "numbers":max "data.v")
      assert.equal("B", of "text":min "data.v")
      assert.is_nil(of "none":min "data.v")
      assert.is_nil(of "none":max "data.v")
      assert.is_nil(of "mixed":max "data")
    end)

    local function shelves(having, op)
      local rows = Box:group "shelf":order "shelf":having { x = having }:aggregate { x = { [op or "$max"] = "data.v" } }
      return shop.list(rows, "shelf")
    end

    it("are compared by having with operands of their own type", function()
      assert.same({ "numbers" }, shelves { ["$gte"] = 10 })
      assert.same({ "numbers" }, shelves { ["$lt"] = 10.5 })
      assert.same({ "mixed", "numbers" }, shelves({ ["$lt"] = neap.decimal "2.75" }, "$min"))
      assert.same({ "mixed", "text" }, shelves { ["$gte"] = "ab" })
      assert.same({ "text" }, shelves { ["$eq"] = "ab" })
      assert.same({ "mixed", "none", "numbers" }, shelves { ["$ne"] = "ab" })
      assert.same({ "numbers" }, shelves({ ["$gt"] = 9.5 }, "$sum"))
      assert.same({ "numbers" }, shelves({ ["$gt"] = 6 }, "$avg"))
      assert.same({}, shelves { ["$eq"] = true })
      assert.same({}, shelves { ["$lte"] = neap.datetime "2024-05-01T10:00:00Z" })
    end)

    it("sort numbers before text, and what is absent last", function()
      local function sorted(order)
        return shop.list(Box:group "shelf":order(order):aggregate { x = { ["$max"] = "data.v" } }, "shelf")
      end
      assert.same({ "numbers", "text", "mixed", "none" }, sorted "x")
      assert.same({ "mixed", "text", "numbers", "none" }, sorted "-x")
    end)

    it("have no order of lists and maps", function()
      for _, f in ipairs {
        function() return Box:min "list" end, function() return Box:max "list" end,
        function() return Box:group "shelf":aggregate { x = { ["$min"] = "list" } } end,
      } do
        local ok, e = pcall(f)
        assert.is_false(ok)
        assert.equal("usage", e.kind)
        assert.truthy(e.message:find("list", 1, true))
      end
    end)
  end)

  it("are compared by having with values of another type: none meets it", function()
    local function groups(having)
      local labels = { n = { ["$count"] = true }, name = { ["$max"] = "title" }, at = { ["$min"] = "at" }, low = { ["$min"] = "price" } }
      return #m.Post:group "author":having(having):aggregate(labels)
    end
    assert.equal(0, groups { n = { ["$lt"] = "x" } })
    assert.equal(0, groups { n = { ["$gt"] = "x" } })
    assert.equal(3, groups { n = { ["$ne"] = "x" } })
    assert.equal(0, groups { name = { ["$gt"] = 1 } })
    assert.equal(0, groups { low = { ["$gt"] = "x" } })
    assert.equal(0, groups { at = { ["$gt"] = 1 } })
    assert.equal(2, groups { at = { ["$gt"] = "2024-04-30T00:00:00Z" } })
    assert.equal(0, groups { at = { ["$gt"] = "yesterday" } })
  end)

  it("sort by a label that a field bears too", function()
    local groups = m.Post:where { author__exists = true, id__lt = 4 }:group "author":order "-views"
    local rows = groups:aggregate { views = { ["$sum"] = "views" } }
    assert.same({ { author = 1, views = 40 }, { author = 2, views = 20 } }, rows)
  end)

  it("count their groups", function()
    assert.equal(4, m.Post:group "views":count())
    assert.is_true(m.Post:group "views":exists())
    local sorted = m.Post:group "views":order "-n"  -- by what nothing has been asked for yet
    assert.equal(4, sorted:count())
    assert.is_true(sorted:exists())
    assert.equal("usage", select(2, pcall(sorted.explain, sorted)).kind)
    for _, terminal in ipairs { "count", "exists" } do
      local chosen = m.Post:group "views":having { n = { ["$gt"] = 1 } }
      assert.equal("usage", select(2, pcall(chosen[terminal], chosen)).kind)
    end
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
