-- What settings hide: no operation tells anything about an excluded field, a relation that is not allowed, or a hidden row.
local contract = require "tests.store.contract"
local mongo = require "neap.mongo"
local neap = require "neap"
local t = neap.types

contract.sql("what Query Objects may not see", function(c)
  local User, Note

  before_each(function()
    User = c.store:model("User", {
      id = t.integer { primary = true }, name = t.string(), password = t.string(), token = t.string { secret = true },
      boss = t.pointer "User", data = t.json(), notes = t.has_many("Note", "user"),
    })
    Note = c.store:model("Note", {
      id = t.integer { primary = true }, user = t.pointer "User", text = t.string(), hidden = t.boolean(),
    })
    c.store:bind()
    c.store:save {
      User { id = 1, name = "Ada", password = "apple", token = "t1" },
      User { id = 2, name = "Bob", password = "berry", token = "t2", boss = 1, data = { pin = 1 } },
    }
    c.store:save { Note { id = 1, user = 1, text = "open", hidden = false }, Note { id = 2, user = 2, text = "deep", hidden = true } }
  end)

  --- That a Query Object is refused as it would be if the name did not exist.
  local function unknown(class, settings, object, name)
    local ok, e = pcall(function() return mongo.query(class, settings):query(object):run() end)
    assert.is_false(ok, neap.json.encode(object))
    local other = neap.json.encode(object):gsub(name, "nowhere")
    local _, same = pcall(function() return mongo.query(class, settings):query(other):run() end)
    for i, fault in ipairs(e.errors) do
      assert.equal(same.errors[i].message, (fault.message:gsub(name, "nowhere")))
      assert.equal(same.errors[i].kind, fault.kind)
    end
  end

  --- Every place in which a name may stand.
  local function each_place(name)
    return {
      { project = { name } }, { project = { [name] = 1 } }, { project = { [name] = 0 } }, { sort = { name } }, { sort = { [name] = -1 } },
      { filter = { [name] = "apple" } }, { filter = { [name] = { ["$prefix"] = "a" } } }, { filter = { [name] = neap.null } },
      { filter = { ["$or"] = { { [name] = { ["$exists"] = true } } } } }, { filter = { ["$not"] = { [name] = 1 } } },
      { group = { name } }, { aggregate = { n = { ["$max"] = name } } }, { aggregate = { n = { ["$count"] = name } } },
      { aggregate = { n = { ["$sum"] = { [name] = "apple" } } } }, { filter = { [name .. ".x"] = 1 } }, { sort = { name .. ".x" } },
      { aggregate = { n = { ["$count"] = { ["$not"] = { [name] = "apple" } } } } },
      { filter = { [name] = { ["$elemMatch"] = { ["$eq"] = "a" } } } }, { count = true, filter = { [name] = "apple" } },
      { total = true, filter = { [name] = "apple" } }, { group = { name .. "-" }, count = true },
      { sort = { name }, limit = 1, after = "x" }, { sort = { name .. "-" }, before = "x" }, { project = { [name] = { project = {} } } },
      { project = { name .. ".count" } }, { group = { "name" }, aggregate = { n = { ["$min"] = name } }, having = { n = "apple" } },
      { group = { "name" }, aggregate = { n = { ["$count"] = true } }, having = { [name] = "apple" } },
    }
  end

  it("an excluded field is as if it were not there, whatever is asked", function()
    local settings = { force_exclude = { "password" }, aggregate_columns = { "name", "password" }, aggregate_labels = true }
    for _, object in ipairs(each_place "password") do unknown(User, settings, object, "password") end
    assert.is_nil(mongo.query(User, settings):query {}:run()[1].password)
    assert.is_nil(mongo.query(User, { force_exclude = "password", force_include = "password" }):query {}:run()[1].password)
    assert.is_nil(mongo.query(User, settings):query {}:final_query_object().project.password)
    assert.is_nil(mongo.query(User, settings):query {}:full_projection_tree().password)
  end)

  it("cursors and messages hold nothing of it", function()
    local shown, hidden = { sort = { "name" }, limit = 1 }, { sort = { "password" }, limit = 1 }
    local _, cursor = mongo.query(User):query(shown):page()
    local _, stolen = mongo.query(User):query(hidden):page()
    local settings = { force_exclude = { "password" } }
    for _, after in ipairs { cursor, stolen } do
      local mq = mongo.query(User, settings)
      local ok, e = pcall(function() return (mq:query { sort = { "name" }, limit = 1, after = after }:page "json") end)
      local said = tostring(ok and e or e.message)
      assert.is_nil(said:find("apple", 1, true))
      assert.is_nil(said:find("berry", 1, true))
      assert.equal(after == cursor, ok)
    end
    assert.is_false((pcall(function() mongo.query(User, { force_exclude = "id" }):query { limit = 1 }:page() end)))
  end)

  it("hints do not name it", function()
    local _, e = pcall(function() return mongo.query(User, { force_exclude = "password" }):query { filter = { passwort = 1 } } end)
    assert.is_nil(tostring(e):find("password", 1, true))
  end)

  it("neither is a secret field", function()
    for _, object in ipairs(each_place "token") do unknown(User, {}, object, "token") end
    assert.is_nil(mongo.query(User):query {}:run()[1].token)
  end)

  it("an excluded column of a pointer takes the relation with it", function()
    local settings = { force_exclude = { "boss_id" } }
    unknown(User, settings, { filter = { ["boss.id"] = 1 } }, "boss")
    unknown(User, settings, { filter = { boss = { ["$exists"] = true } } }, "boss")
    unknown(User, settings, { join = { "boss" } }, "boss")
    unknown(User, settings, { project = { "boss" } }, "boss")
    unknown(User, settings, { sort = { "boss.name" } }, "boss")
  end)

  it("excluded fields of related models are out of reach along every way", function()
    local settings = { related_models = { User = { force_exclude = { "password" } } }, aggregate_columns = { "text" } }
    for _, object in ipairs {
      { filter = { ["user.password"] = "apple" } }, { filter = { user = { ["$some"] = { password = "apple" } } } },
      { sort = { "user.password" } }, { group = { "user.password" } }, { aggregate = { n = { ["$max"] = "user.password" } } },
      { join = { user = { project = { "password" } } } }, { join = { user = { sort = { "password" } } } },
      { filter = { ["$and"] = { { ["$or"] = { { ["user.password"] = { ["$prefix"] = "a" } } } } } } },
      { project = { user = { project = { "password" } } } },
    } do
      unknown(Note, settings, object, "password")
    end
    assert.is_nil(mongo.query(Note, settings):query { join = "user" }:run()[1].user.password)
  end)

  it("a relation that is not allowed is not, in joins, criteria, order, groups and projections", function()
    for _, settings in ipairs {
      { banned_relations = { "boss" } }, { allowed_relations = { "notes" } }, { allowed_relations = {} },
      { related = { boss = false } }, { related_models = { User = false } }, { related = { ["*"] = false } },
    } do
      for _, object in ipairs {
        { join = { "boss" } }, { joinf = { "boss" } }, { join = { boss = { project = "id" } } }, { project = { "boss" } },
        { filter = { ["boss.name"] = "Ada" } }, { filter = { boss = { ["$exists"] = true } } }, { filter = { boss = neap.null } },
        { filter = { ["$or"] = { { ["boss.name"] = "Ada" } } } }, { sort = { "boss.name" } }, { group = { "boss.name" } },
        { filter = { boss = { ["$none"] = { name = "Ada" } } } }, { aggregate = { n = { ["$sum"] = { ["boss.name"] = "Ada" } } } },
        { aggregate = { n = { ["$max"] = "boss.name" } } }, { filter = { ["boss.nothing"] = 1 } }, { sort = { "boss.nothing-" } },
        { project = { boss = { project = "name" } } }, { count = true, joinf = "boss" },
        { group = { "name" }, aggregate = { n = { ["$max"] = "boss.id" } }, having = { n = 1 } },
        { total = true, filter = { ["boss.name"] = "Ada" } }, { join = { boss = { filter = { nothing = 1 } } } },
      } do
        local ok, e = pcall(function() return mongo.query(User, settings):query(object):run() end)
        assert.is_false(ok, neap.json.encode(object))
        assert.equal("forbidden", e.kind, tostring(e))
      end
    end
  end)

  it("rows that force_filter hides are not there: not in rows, counts, sums, groups", function()
    local settings = { force_filter = { hidden = false }, aggregate_columns = { "id", "text" } }
    local function run(object) return mongo.query(Note, settings):query(object):run() end
    assert.equal(1, #run {})
    assert.equal(0, #run { filter = { id = 2 } })
    assert.equal(0, #run { filter = { ["$or"] = { { hidden = true }, { id = 2 } } } })
    assert.equal(1, run { count = true })
    assert.equal(1, run { aggregate = { n = { ["$max"] = "id" } } }[1].n)
    assert.equal(0, run { aggregate = { n = { ["$sum"] = { hidden = true } } } }[1].n)
    assert.same({ { text = "open" } }, run { group = "text" })
    assert.equal(1, select(2, mongo.query(Note, settings):query {}:total()))
    assert.equal(1, #mongo.query(Note, { force_filter = { hidden = false }, filter_enabled = false }):query {}:run())
  end)

  it("hidden rows do not count behind a relation either", function()
    local settings = { related = { notes = { force_filter = function(class) return class.hidden:eq(false) end } } }
    local function ids(criteria)
      local list = {}
      for i, row in ipairs(mongo.query(User, settings):query { filter = criteria, sort = "id" }:run()) do list[i] = row.id end
      return list
    end
    assert.same({}, ids { ["notes.text"] = "deep" })
    assert.same({ 1, 2 }, ids { ["$not"] = { ["notes.text"] = "deep" } })
    assert.same({ 2 }, ids { notes = { ["$exists"] = false } })
    assert.same({ 1, 2 }, ids { notes = { ["$none"] = { text = "deep" } } })
    assert.same({ 1, 2 }, ids { notes = { ["$every"] = { text = "open" } } })
    assert.same({}, ids { ["$or"] = { { notes = { ["$some"] = { hidden = true } } } } })
  end)

  it("nothing is sorted, grouped or summed up by rows that are filtered", function()
    local settings = { related = { user = { force_filter = { name = "Ada" }, aggregate_columns = { "name" } } } }
    for _, object in ipairs { { sort = "user.name" }, { group = "user.name" }, { aggregate = { n = { ["$max"] = "user.name" } } } } do
      local ok, e = pcall(function() return mongo.query(Note, settings):query(object):run() end)
      assert.is_false(ok)
      assert.equal("forbidden", e.kind)
    end
  end)

  it("sums of criteria are filters: where filters are off they are too", function()
    local ok, e = pcall(function()
      return mongo.query(User, { filter_enabled = false }):query { aggregate = { n = { ["$sum"] = { name = "Ada" } } } }
    end)
    assert.is_false(ok)
    assert.equal("forbidden", e.kind)
  end)
end)
