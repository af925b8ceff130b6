-- The settings of Query Objects: each of them, and what is said of those that make no sense.
local contract = require "tests.store.contract"
local mongo = require "neap.mongo"
local neap = require "neap"
local t = neap.types

contract.sql("settings of Query Objects", function(c)
  local User

  before_each(function()
    User = c.store:model("User", {
      id = t.integer { primary = true }, name = t.string(), age = t.integer(), tags = t.list(t.string()),
      boss = t.pointer "User", staff = t.has_many("User", "boss"),
      later = t.computed(t.integer(), { sql = "{age} + 10" }),
      loud = t.computed(t.string(), { needs = { "name" }, get = function(u) return u.name:upper() end }),
      boss_name = t.computed(t.string(), { needs = { "boss" }, get = function(u) return u.boss and u.boss.name end }),
    })
    c.store:bind()
    c.store:save {
      User { id = 1, name = "Ada", age = 36, tags = { "x", "y" } }, User { id = 2, name = "Bob", age = 20, tags = {}, boss = 1 },
    }
  end)

  local function run(object, settings) return mongo.query(User, settings):query(object):run() end

  local function fields(object, settings)
    local names = {}
    for name in pairs(run(object, settings)[1]) do names[#names + 1] = name end
    table.sort(names)
    return table.concat(names, " ")
  end

  local function refuses(settings, text)
    local ok, e = pcall(mongo.query, User, settings)
    assert.is_false(ok)
    assert.equal("usage", e.kind)
    assert.truthy(e.message:find(text, 1, true), e.message)
  end

  it("that are unknown are refused with the nearest name", function()
    refuses({ force_exlude = {} }, "did you mean force_exclude?")
    refuses({ force_exclude = { "nmae" } }, "did you mean name?")
    refuses({ max_items = 0 }, "max_items")
    refuses({ allowed_relations = {}, banned_relations = {} }, "exclude each other")
    refuses({ related = { foo = {} } }, "foo is no relation")
    refuses({ related = 1 }, "related")
    refuses({ force_filter = { foo = 1 } }, "foo")
    refuses({ force_filter = 1 }, "force_filter")
    refuses({ default_projection = { "foo" } }, "default_projection")
    refuses({ default_projection = { id = 1, name = 0 } }, "default_projection")
    refuses({ bundled_project = { foo = {} } }, "bundled_project")
    refuses({ filter_enabled = 1 }, "filter_enabled")
    refuses({ scalar_operators = { like = print } }, "scalar_operators")
    refuses({ scalar_operators = { ["$eq"] = print } }, "$eq is there already")
    refuses({ related_models = { Usr = false } }, "Usr is no model")
    refuses({ related_models = { [5] = {} } }, "5 is no model")
    refuses({ related_models = 5 }, "related_models")
    assert.truthy(mongo.query(User, { related_models = { User = {}, [User] = {}, ["*"] = false } }))
    refuses({ default_exclude_properties = false, default_unexclude_properties = { "loud" } }, "default_exclude_properties")
  end)

  it("default_projection holds where nothing is projected", function()
    local settings = { default_projection = { "name", "boss" }, max_items = 1 }
    assert.equal("boss name", fields({}, settings))
    assert.equal("id", fields({ project = "id" }, settings))
    assert.equal("", fields({ project = {} }, settings))
  end)

  it("default_exclude leaves out what is not named; properties are left out unless settings say otherwise", function()
    assert.equal("age boss_id id later name tags", fields {})
    assert.equal("age boss_id id later", fields({}, { default_exclude = "name tags" }))
    assert.equal("boss_id id later", fields({ project = { age = 0 } }, { default_exclude = "name tags" }))
    assert.equal("name", fields({ project = "name" }, { default_exclude = "name" }))
    assert.equal("age boss_id id later loud name tags", fields({}, { default_unexclude_properties = "loud" }))
    assert.equal("age boss_id boss_name id later loud name tags", fields({}, { default_exclude_properties = false }))
  end)

  it("properties are computed from what they need, also behind joins", function()
    assert.same({ { loud = "ADA", boss_name = neap.null }, { loud = "BOB", boss_name = "Ada" } },
      run { project = "loud boss_name", sort = "id" })
    assert.equal('[{"loud":"BOB","boss":{"loud":"ADA"}}]',
      mongo.query(User):query { filter = { id = 2 }, project = "loud", join = { boss = { project = "loud" } } }:json())
    local ok, e = pcall(run, { filter = { loud = "ADA" } })
    assert.is_false(ok)
    assert.equal("query", e.kind)
  end)

  it("expressions are columns: projected, filtered, sorted", function()
    assert.same({ { later = 46 } }, run { project = "later", filter = { later = { ["$gt"] = 40 } }, sort = "later-" })
  end)

  it("force_include gives fields and relations, whatever is projected", function()
    assert.equal("boss id name", fields({ project = "name" }, { force_include = { "id", "boss" } }))
    assert.equal("age boss_id id later tags", fields({ project = { name = 0, id = 0 } }, { force_include = "id" }))
  end)

  it("ensure_loaded and bundled_project load for code alone", function()
    local mq = mongo.query(User, { ensure_loaded = { "age", "boss" }, bundled_project = { name = { "tags", "staff" } } })
      :query { project = "name", filter = { id = 1 } }
    local ada = mq:objects()[1]
    assert.equal(36, ada.age)
    assert.same({ "x", "y" }, ada.tags)
    assert.same({ { name = "Ada" } }, mq:run())
  end)

  it("raiseload lets what was not loaded raise when your code reads it", function()
    local function object(settings, asked) return mongo.query(User, settings):query(asked):objects()[1] end
    local function raises(f)
      local ok, e = pcall(f)
      assert.is_false(ok)
      assert.equal("usage", e.kind)
    end
    for _, settings in ipairs { { raiseload = true }, { raiseload_rel = true, raiseload_col = true } } do
      local ada = object(settings, { filter = { id = 1 }, project = "name", join = "staff" })
      raises(function() return ada.age end)
      raises(function() return ada.boss end)
      assert.equal("Bob", ada.staff:first().name)
      local bob = object(settings, { filter = { id = 2 } })
      assert.equal(1, bob.boss.id)
      raises(function() return bob.boss.name end)
      raises(function() return bob.staff end)
      assert.equal("Ada", object(settings, { filter = { id = 2 }, join = "boss" }).boss.name)
    end
    assert.equal("Ada", object({}, { filter = { id = 2 } }).boss.name)
    local nested = object({ related = { boss = { raiseload = true } } }, { filter = { id = 2 }, join = "boss" })
    assert.same({}, nested.staff:all())
    raises(function() return nested.boss.staff end)
    refuses({ raiseload = true, raiseload_rel = true }, "raiseload")
    refuses({ raiseload_col = false }, "raiseload_col")
  end)

  it("legacy_fields are accepted everywhere and ignored", function()
    local settings = { legacy_fields = { "old", "gone" } }
    local object = { project = { "name", "old" }, sort = "old", filter = { old = 1, ["old.x"] = 2 }, join = "gone" }
    assert.equal("name", fields(object, settings))
    assert.equal(1, #run({ filter = { ["$or"] = { { old = 1 }, { id = 1 } } } }, settings))
    assert.equal(2, #run({ filter = { ["$not"] = { old = 1 } } }, settings))
  end)

  it("operators of your own", function()
    local settings = {
      scalar_operators = { ["$near"] = function(column, value) return column:between(value - 2, value + 2) end },
      array_operators = { ["$first"] = function(column, value) return column:at(1):eq(value) end },
    }
    assert.equal(1, #run({ filter = { age = { ["$near"] = 21 } } }, settings))
    assert.equal(1, #run({ filter = { tags = { ["$first"] = "x" } } }, settings))
    assert.is_false((pcall(run, { filter = { age = { ["$first"] = 1 } } }, settings)))
  end)

  it("criteria of lists: elements, sizes, absence", function()
    local function ids(criteria)
      local list = {}
      for i, row in ipairs(run { filter = criteria, sort = "id" }) do list[i] = row.id end
      return list
    end
    User:create { id = 3, name = "Cy" }
    assert.same({ 1 }, ids { tags = "x" })
    assert.same({ 2, 3 }, ids { tags = { ["$ne"] = "x" } })
    assert.same({ 1 }, ids { tags = { "x", "y" } })
    assert.same({}, ids { tags = { "y", "x" } })
    assert.same({ 1 }, ids { tags = { ["$in"] = { "y", "z" } } })
    assert.same({ 2, 3 }, ids { tags = { ["$nin"] = { "y", "z" } } })
    assert.same({ 1 }, ids { tags = { ["$all"] = { "y", "x" } } })
    assert.same({ 1 }, ids { tags = { ["$size"] = 2 } })
    assert.same({ 3 }, ids { tags = neap.null })
    assert.same({ 1, 2 }, ids { tags = { ["$exists"] = true } })
    assert.is_false((pcall(ids, { tags = { ["$in"] = "x" } })))
    assert.is_false((pcall(ids, { tags = { ["$prefix"] = "x" } })))
  end)

  it("related settings may be functions, so that they go on for ever", function()
    local settings
    settings = { force_exclude = { "age" }, related_models = { User = function() return settings end } }
    local bob = run({ filter = { id = 2 }, join = { boss = { join = { staff = { join = "boss" } } } } }, settings)[1]
    assert.is_nil(bob.boss.staff[1].boss.age)
    assert.equal("Ada", bob.boss.staff[1].boss.name)
    assert.is_nil(run({ filter = { id = 2 }, join = "boss" }, { related = { ["*"] = function(relation)
      return { force_exclude = relation == "boss" and { "name" } or {} }
    end } })[1].boss.name)
  end)

  it("switch operations off", function()
    for handler, object in pairs {
      project = { project = "id" }, sort = { sort = "id" }, filter = { filter = { id = 1 } }, join = { join = "boss" },
      joinf = { joinf = "boss" }, aggregate = { aggregate = { n = { ["$count"] = true } } }, group = { group = "id" },
      limit = { limit = 1 }, count = { count = true },
    } do
      local ok, e = pcall(run, object, { [handler .. "_enabled"] = false })
      assert.is_false(ok, handler)
      assert.equal("forbidden", e.kind)
    end
    assert.is_false((pcall(run, { joinf = "boss" }, { join_enabled = false })))
    assert.is_false((pcall(run, { project = "boss" }, { join_enabled = false })))
    assert.equal(1, #run({}, { limit_enabled = false, max_items = 1 }))
  end)

  it("limit what one Query Object may ask", function()
    for setting, object in pairs {
      max_depth = { filter = { ["$and"] = { { ["$and"] = { { id = 1 } } } } } },
      max_terms = { filter = { id = { ["$gt"] = 1, ["$lt"] = 5 } } },
      max_nodes = { join = { "boss", "staff" } }, max_in = { filter = { id = { ["$in"] = { 1, 2 } } } },
    } do
      local ok, e = pcall(run, object, { [setting] = 1 })
      assert.is_false(ok, setting)
      assert.equal("limit", e.kind)
    end
    assert.is_false((pcall(run, { filter = { ["boss.name"] = "Ada" } }, { max_terms = 10 })))
    assert.equal(1, #run({ filter = { ["boss.name"] = "Ada" } }, { max_terms = 11 }))
    assert.equal(1, #run({ filter = { name = { ["$regex"] = "^A" } } }, { regex_enabled = true }))
  end)
end)
