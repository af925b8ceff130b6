-- Plans of Query Objects: what is worked out once for all that have one shape, and differ in values alone.
local contract = require "tests.store.contract"
local kernel = require "neap.mongo.kernel"
local mongo = require "neap.mongo"
local neap = require "neap"
local shop = require "tests.store.shop"

contract.sql("plans of Query Objects", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  local function nested(i)
    return {
      filter = { views = { ["$gte"] = i % 40 }, ["$or"] = { { ["author.name"] = "Ada" }, { id = { ["$in"] = { i, i + 1 } } } } },
      sort = "views- id", limit = i % 5 + 1,
      join = { author = { project = "name" }, comments = { filter = { user_id = i % 3 + 1 }, sort = "id", limit = 2 } },
    }
  end

  it("are made once for a thousand Query Objects with other values", function()
    local settings = { max_items = 100 }
    local kept = mongo.query(m.Post, settings)
    local many, statements = mongo.reusable(kept), {}
    for i = 1, 1000 do
      local asked = nested(i)
      local mq = many:query(asked)
      if i % 50 == 0 then assert.same(mongo.query(m.Post, settings):query(asked):run(), mq:run()) end
      statements[mq:build():explain().sql] = true
    end
    assert.equal(1, kept.settings.plans.n)
    assert.is_nil(next(statements, next(statements)))
  end)

  it("are shared by what your code adds nothing to", function()
    local many = mongo.reusable(mongo.query(m.Post))
    local function ids(mq) return shop.list(mq:run(), "id") end
    local asked = function(id) return { filter = { id = { ["$gte"] = id } }, sort = "id", project = "id" } end
    assert.same({ 4, 5 }, ids(many:query(asked(4))))
    local mq = many:query(asked(3)):merge { filter = { views = 20 }, project = "title", join = "author" }
    mq:ensure_loaded("views", "author.age")
    assert.same({ 3, 4 }, ids(mq))
    assert.equal("Sea", mq:run()[1].title)
    assert.same({ { id = 5 } }, many:query(asked(5)):run())
  end)

  it("do not outlive a change of shape", function()
    local many = mongo.reusable(mongo.query(m.Post))
    local function count(criteria) return many:query({ filter = criteria, count = true }):run() end
    for _ = 1, 2 do
      assert.equal(1, count { author_id = neap.null })
      assert.equal(2, count { author_id = 1 })
      assert.equal(2, count { author_id = { ["$in"] = { 1 } } })
      assert.equal(3, count { author_id = { ["$in"] = { 1, neap.null } } })
      assert.equal(0, count { author_id = { ["$in"] = {} } })
      assert.equal(3, count { at = { ["$exists"] = true } })
      assert.equal(2, count { at = { ["$exists"] = false } })
      assert.equal(2, count { comments = neap.null })
      assert.equal(0, count { ["$or"] = {} })
      assert.equal(5, count { ["$and"] = {} })
      assert.is_false((pcall(count, { author_id = "x" })))
    end
  end)

  it("are kept for the last shapes only", function()
    local kept = mongo.query(m.Post)
    local many = mongo.reusable(kept)
    for i = 1, 1000 do many:query { filter = { ["data.k" .. i] = 1 } } end
    assert.is_true(kept.settings.plans.n <= 128)
  end)
end)

describe("the shape of a Query Object", function()
  local function same(a, b) assert.equal(kernel.shape(a), kernel.shape(b)) end
  local function other(a, b) assert.not_equal(kernel.shape(a), kernel.shape(b)) end

  it("does not depend on values", function()
    same({ filter = { a = 1, b = { ["$gt"] = "x" } }, limit = 1 }, { limit = 9, filter = { b = { ["$gt"] = 2.5 }, a = true } })
    same({ filter = { a = { ["$in"] = { 1, 2, 3 } } } }, { filter = { a = { ["$in"] = { "x" } } } })
    same({ join = { a = { filter = { b = 1 }, skip = 2 } } }, { join = { a = { filter = { b = 2 }, skip = 3 } } })
    same({ aggregate = { n = { ["$sum"] = { a = 1 } } } }, { aggregate = { n = { ["$sum"] = { a = 2 } } } })
    same({ having = { n = { ["$gt"] = 1 } }, after = "x" }, { after = "y", having = { n = { ["$gt"] = 2 } } })
  end)

  it("depends on names, operators, nesting, and what is no value", function()
    other({ filter = { a = 1 } }, { filter = { b = 1 } })
    other({ filter = { a = { ["$gt"] = 1 } } }, { filter = { a = { ["$lt"] = 1 } } })
    other({ filter = { a = 1 } }, { filter = { a = neap.null } })
    other({ filter = { a = { 1 } } }, { filter = { a = 1 } })
    other({ filter = { a = {} } }, { filter = { a = neap.array {} } })
    other({ sort = "a" }, { sort = "b" })
    other({ sort = { "a", "b" } }, { sort = { "ab" } })
    other({ limit = 1 }, {})
    other({ count = true }, { count = false })
    other({ project = { a = 1 } }, { project = { a = 0 } })
    other({ aggregate = { n = { ["$sum"] = 1 } } }, { aggregate = { n = { ["$sum"] = 2 } } })
    other({ filter = { ["a1:b"] = 1 } }, { filter = { a = 1, b = 1 } })
  end)

  it("is none for what is too large or has no names", function()
    assert.is_nil(kernel.shape { filter = { [("x"):rep(5000)] = 1 } })
    assert.is_nil(kernel.shape { sort = { a = print } })
    local deep = {}
    for _ = 1, 100 do deep = { ["$not"] = deep } end
    assert.is_nil(kernel.shape { filter = deep })
  end)
end)
