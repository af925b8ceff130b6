-- Conditions on the elements of a list: one element meets all that is asked, in the store and in memory.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

contract.each("conditions on elements", function(c)
  local Thing

  before_each(function()
    Thing = c.store:model("Thing", {
      id = t.integer { primary = true }, name = t.string(), numbers = t.list(t.integer()), words = t.set(t.string()), data = t.json(),
      days = t.list(t.date()), parts = t.has_many("Thing", "whole"), whole = t.pointer "Thing",
    })
    c.store:bind()
    c.store:save {
      Thing { id = 1, numbers = { 70, 82, 90 }, words = neap.set { "a", "ab" },
        data = { items = { { n = 5, s = "x" }, { n = 1, s = "y" } } } },
      Thing { id = 2, numbers = { 70, 90 }, data = { items = { { n = 5, s = "y" } } }, whole = 1 },
      Thing { id = 3, data = { items = 5 } },
      Thing { id = 4, numbers = {}, data = { 1, 2.5, "z", { a = { 1 } }, neap.null, true } },
    }
  end)

  --- The keys of the rows that meet the condition, in the store; those in memory must be the same.
  local function ids(condition)
    local found, met = Thing:where(condition):order "id":pluck "id", {}
    for _, thing in ipairs(Thing:order "id":all()) do
      if condition:matches(thing) then met[#met + 1] = thing.id end
    end
    assert.same(met, found)
    return found
  end

  it("mean one that meets all of it", function()
    assert.same({ 1 }, ids(Thing.numbers:element(function(e) return e:gte(80) & e:lt(90) end)))
    assert.same({ 2, 3, 4 }, ids(~Thing.numbers:element(function(e) return e:gte(80) & e:lt(90) end)))
    local low = Thing.numbers:element(function(e) return e:lt(80) end)
    assert.same({ 1, 2 }, ids(low & Thing.numbers:element(function(e) return e:gt(80) end)))
    assert.same({ 1 }, ids(Thing.words:element(function(e) return e:prefix "ab" end)))
  end)

  it("look into elements, and into lists in lists", function()
    local items = Thing.data:at "items"
    assert.same({ 1 }, ids(items:element(function(e) return e:at("n"):gt(2) & e:at("s"):eq "x" end)))
    assert.same({ 1 }, ids(items:element(function(e) return ~e:at("n"):gt(2) end)))
    assert.same({ 1, 2 }, ids(items:element(function(e) return e:at("s"):is_in { "y", "q" } end)))
    assert.same({ 4 }, ids(Thing.data:element(function(e) return e:at("a"):element(function(x) return x:eq(1) end) end)))
  end)

  it("compare by type", function()
    for _, value in ipairs { 1, 2.5, "z", true } do
      assert.same({ 4 }, ids(Thing.data:element(function(e) return e:eq(value) end)))
    end
    assert.same({ 4 }, ids(Thing.data:element(function(e) return e:exists(false) end)))
    assert.same({ 4 }, ids(Thing.data:element(function(e) return e:type "map" end)))
    assert.same({}, ids(Thing.data:element(function(e) return e:eq "1" end)))
  end)

  it("go through relations", function()
    local high = Thing.numbers:element(function(e) return e:gte(90) end)
    assert.same({ 2 }, Thing:where(Thing.whole:some(high)):pluck "id")
    assert.same({ 1 }, Thing:where(Thing.parts:some(high)):pluck "id")
  end)

  it("have no place elsewhere, and no other columns in them", function()
    local outside
    Thing.numbers:element(function(e)
      outside = e
      return e:eq(1)
    end)
    for _, f in ipairs {
      function() return Thing:where(outside:eq(1)) end,
      function() return Thing.numbers:element(function(e) return e:eq(1) & Thing.name:eq "x" end) end,
      function() return Thing.numbers:element(function() return Thing.name:eq "x" end) end,
      function() return Thing.numbers:element(function() end) end,
      function() return Thing.numbers:element(5) end,
      function() return Thing.name:element(function(e) return e:eq(1) end) end,
      function() return Thing.days:element(function(e) return e:eq(1) end) end,
    } do
      local ok, e = pcall(f)
      assert.is_false(ok)
      assert.equal("usage", e.kind)
    end
  end)

  it("do not take a single value in JSON for a list of one", function()
    Thing:create { id = 5, data = { a = 7 } }
    assert.same({}, ids(Thing.data:at("a", 1):eq(7)))
    assert.same({ 4 }, ids(Thing.data:at(1):eq(1)))
    assert.same({}, ids(Thing.data:at("a"):element(function(e) return e:eq(7) end)))
  end)
end)
