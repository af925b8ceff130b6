-- Set-based writes: update and delete over a condition.
local contract = require "tests.store.contract"
local neap = require "neap"
local shop = require "tests.store.shop"

contract.each("set-based writes", function(c)
  local m

  before_each(function()
    m = shop.fill(c.store, shop.declare(c.store))
    for _, name in ipairs { "Comment", "PostTag" } do c:erase(name) end  -- foreign keys would hold the posts
  end)

  it("update the rows that meet the condition and count them", function()
    assert.equal(2, m.Post:where { views = 20 }:update { views = 21, title = "New" })
    assert.same({ "New", "New" }, m.Post:where { views = 21 }:pluck "title")
    assert.same({ "1|10", "2|30", "3|21", "4|21", "5|0" }, c:rows("Post", "id", "views"))
  end)

  it("remove a value with neap.null", function()
    m.Post:where { id = 1 }:update { at = neap.null, author = neap.null }
    assert.is_nil(m.Post:get(1).at)
    assert.is_nil(m.Post:get(1).author)
  end)

  it("delete the rows that meet the condition", function()
    assert.equal(3, m.Post:where { author__name__exists = true, views__lte = 20 }:delete())
    assert.same({ 2, 5 }, m.Post:order "id":pluck "id")
  end)

  it("reach only the rows that the query would give", function()
    assert.equal(1, m.Post:where { views__gte = 0 }:order "-views":limit(1):delete())
    assert.is_nil(m.Post:find(2))
  end)

  it("want all = true where no condition is", function()
    assert.has_error(function() m.Post:delete() end)
    assert.has_error(function() m.Post:where {}:update { views = 0 } end)
    assert.equal(5, m.Post:count())
    assert.equal(5, m.Post:update({ views = 1 }, { all = true }))
    assert.equal(5, m.Post:delete { all = true })
  end)

  it("check values before anything is sent", function()
    for _, bad in ipairs { { views = "many" }, { title = neap.null }, { veiws = 1 }, { id = 9 }, { comments = 1 }, {} } do
      local ok, e = pcall(function() return m.Post:where { id = 1 }:update(bad) end)
      assert.is_false(ok)
      assert.truthy(e.kind == "usage" or e.kind == "validation", tostring(e))
    end
    assert.equal(10, m.Post:get(1).views)
  end)

  it("may set and remove places inside fields", function()
    m.Post:where { id = 1 }:update { ["data.new.deep"] = "x", ["data.list"] = { 1, 2 }, views = 7 }
    m.Post:where { id = 3 }:update { ["data.key"] = neap.null, ["data.ok"] = true }
    local rows = c:rows("Post", "id", "views", "data")
    assert.same({ key = 3, list = { 1, 2 }, new = { deep = "x" } }, neap.json.decode(rows[1]:match "^1|7|(.*)"))
    assert.same({ ok = true }, neap.json.decode(rows[3]:match "^3|20|(.*)"))
  end)

  it("refuse an object without a key, and one of another model", function()
    for _, object in ipairs { m.Author { name = "new" }, m.Post:get(1) } do
      assert.has_error(function() m.Post:where { id = 1 }:update { author = object } end)
    end
    assert.equal(1, m.Post:get(1).author_id)
  end)

  it("name all that is wrong at once, unknown fields among it", function()
    local ok, e = pcall(function() m.Post:where { id = 1 }:update { titel = "x", views = "many", id = 2, title = "ok" } end)
    assert.is_false(ok)
    assert.equal("validation", e.kind)
    assert.truthy(e.errors.titel and e.errors.views and e.errors.id and not e.errors.title, tostring(e))
  end)

  it("refuse to set a place twice", function()
    for _, sets in ipairs { { data = {}, ["data.key"] = 1 }, { author = 1, author_id = 2 } } do
      local ok, e = pcall(function() m.Post:where { id = 1 }:update(sets) end)
      assert.is_false(ok)
      assert.truthy(tostring(e):find("update cannot set both Post.", 1, true), tostring(e))
    end
  end)

  it("set auto_now as its type keeps it", function()
    local t = neap.types
    local Visit = c.store:model("Visit", { id = t.integer { primary = true }, n = t.integer(), day = t.date { auto_now = true },
      second = t.timestamp { auto_now = true } })
    c.store:bind()
    Visit:create { id = 1 }
    Visit:where { id = 1 }:update { n = 1 }
    local today, now = neap.now():format "%Y-%m-%d", neap.now()
    local n, day, second = c:rows("Visit", "n", "day", "second")[1]:match "^(.-)|(.-)|(.-)$"
    assert.same({ "1", today }, { n, day })
    assert.is_true(math.type(tonumber(second)) == "integer" and math.abs(neap.datetime(tonumber(second)) - now) < 100)
  end)
end)
