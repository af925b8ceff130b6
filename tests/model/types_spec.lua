-- Types: what each kind of field takes, how it converts, and what it says when a value is wrong.
local neap = require "neap"
local t = neap.types

describe("a field of type", function()
  local store

  before_each(function() store = neap.open "sqlite::memory:" end)
  after_each(function() store:close() end)

  --- A new object of a model with one field f.
  local function object(spec)
    return store:model("Thing", { { "id", t.integer { primary = true } }, { "f", spec } }) { id = 1 }
  end

  --- What the field holds after the assignment.
  local function kept(spec, value)
    local o = object(spec)
    o.f = value
    return o.f
  end

  local function refuses(spec, value, expected)
    local o = object(spec)
    local ok, e = pcall(function() o.f = value end)
    assert.is_false(ok)
    assert.equal("validation", e.kind, tostring(e))
    assert.truthy(e.message:find("Thing.f", 1, true), e.message)
    assert.truthy(e.message:find(expected, 1, true), e.message)
    assert.is_nil(o.f)
  end

  it("has a type of the database's own, which is a name", function()
    assert.equal("x", kept(t.string { type = "character varying(20)[]" }, "x"))
    for _, text in ipairs { "", "x; y", "x--y", "x /* y", "'x'" } do
      local _, e = neap.try(store.model, store, "Odd", { { "id", t.integer { primary = true } },
        { "f", t.string { type = text } } })
      assert.equal("usage", e.kind)
    end
  end)

  describe("string", function()
    it("keeps text", function() assert.equal("Grüße", kept(t.string(), "Grüße")) end)
    it("keeps the empty text", function() assert.equal("", kept(t.string(), "")) end)
    it("refuses numbers", function() refuses(t.string(), 5, "a string") end)
    it("refuses NUL", function() refuses(t.string(), "a\0b", "NUL") end)
    it("refuses what is not UTF-8", function() refuses(t.string(), "\xff", "UTF-8") end)
    it("counts max in characters", function()
      assert.equal("äöü", kept(t.string { max = 3 }, "äöü"))
      refuses(t.string { max = 3 }, "abcd", "at most 3 characters")
    end)
    it("has a shortest length", function() refuses(t.string { min = 2 }, "a", "at least 2 characters") end)
    it("matches a pattern", function()
      assert.equal("ab1", kept(t.string { match = "^[a-z]+\\d$" }, "ab1"))
      refuses(t.string { match = "^[a-z]+\\d$" }, "1", "matches")
    end)
    it("is one of", function()
      assert.equal("b", kept(t.string { one_of = { "a", "b" } }, "b"))
      refuses(t.string { one_of = { "a", "b" } }, "c", 'one of "a", "b"')
    end)
  end)

  describe("integer", function()
    it("keeps all 64 bits", function() assert.equal(math.mininteger, kept(t.integer(), math.mininteger)) end)
    it("takes 5.0 as 5", function() assert.equal("integer", math.type(kept(t.integer(), 5.0))) end)
    it("refuses 5.5", function() refuses(t.integer(), 5.5, "an integer") end)
    it("refuses text", function() refuses(t.integer(), "20", "an integer") end)
    it("refuses NaN", function() refuses(t.integer(), 0 / 0, "an integer") end)
    it("has bounds", function()
      assert.equal(0, kept(t.integer { min = 0, max = 9 }, 0))
      refuses(t.integer { min = 0, max = 9 }, 10, "0 to 9")
      refuses(t.integer { min = 0 }, -1, "at least 0")
    end)
  end)

  describe("number", function()
    it("is a float", function() assert.equal("float", math.type(kept(t.number(), 5))) end)
    it("refuses NaN", function() refuses(t.number(), 0 / 0, "a number") end)
    it("refuses an integer that would lose digits", function()
      assert.equal(2.0 ^ 60, kept(t.number(), 1 << 60))
      refuses(t.number(), (1 << 53) + 1, "9007199254740993 is wrong")
      refuses(t.number(), math.maxinteger, "keeps exactly")
    end)
  end)

  describe("decimal", function()
    it("takes text, integers and decimals", function()
      assert.equal("1.10", tostring(kept(t.decimal(), "1.10")))
      assert.equal("7", tostring(kept(t.decimal(), 7)))
      assert.equal("2.50", tostring(kept(t.decimal(), neap.decimal "2.50")))
    end)
    it("refuses floats", function() refuses(t.decimal(), 1.5, "a decimal") end)
    it("fills up to its scale", function() assert.equal("1.50", tostring(kept(t.decimal { scale = 2 }, "1.5"))) end)
    it("refuses digits behind its scale", function() refuses(t.decimal { scale = 2 }, "1.505", "2 digits") end)
  end)

  it("boolean takes true and false only", function()
    assert.is_false(kept(t.boolean(), false))
    refuses(t.boolean(), 1, "true or false")
  end)

  it("datetime takes ISO 8601 text", function()
    assert.equal("2024-05-01T10:00:00.000000+00:00", tostring(kept(t.datetime(), "2024-05-01T12:00:00+02:00")))
    refuses(t.datetime(), "yesterday", "a datetime")
  end)

  it("timestamp keeps whole seconds", function()
    assert.equal("2024-05-01T10:00:00.000000+00:00", tostring(kept(t.timestamp(), "2024-05-01T10:00:00.9Z")))
  end)

  it("date takes text", function()
    assert.equal("2024-05-01", tostring(kept(t.date(), "2024-05-01")))
    refuses(t.date(), "2024-13-01", "a date")
  end)

  it("uuid is written in lower case with hyphens", function()
    assert.equal("0190a5c8-0000-7000-8000-000000000001", kept(t.uuid(), "0190A5C8000070008000000000000001"))
    refuses(t.uuid(), "x", "a uuid")
  end)

  it("bytes takes any string", function() assert.equal("a\0\xff", kept(t.bytes(), "a\0\xff")) end)

  describe("list", function()
    it("checks each element and says which is wrong", function()
      assert.same({ "a", "b" }, kept(t.list(t.string()), { "a", "b" }))
      refuses(t.list(t.string()), { "a", 2 }, "Thing.f[2]")
    end)
    it("refuses maps", function() refuses(t.list(t.string()), { a = 1 }, "a list") end)
    it("refuses holes", function() refuses(t.list(), { 1, nil, 3 }, "a list") end)
    it("converts its elements", function()
      assert.equal("2024-05-01", tostring(kept(t.list(t.date()), { "2024-05-01" })[1]))
    end)
    it("keeps the scale of decimals", function()
      assert.equal("1.10", tostring(kept(t.list(t.decimal()), { "1.10", 2 })[1]))
    end)
    it("refuses nulls among elements of a type", function()
      refuses(t.list(t.integer()), { 1, neap.null }, "Thing.f[2]: null is wrong")
      assert.equal(neap.null, kept(t.list(), { 1, neap.null })[2])
    end)
    it("counts max in elements", function() refuses(t.list(t.integer(), { max = 1 }), { 1, 2 }, "at most 1 elements") end)
    it("keeps the empty list as a list", function() assert.equal("[]", neap.json.encode(kept(t.list(), {}))) end)
    it("is a copy of what was given", function()
      local given = { "a" }
      local o = object(t.list(t.string()))
      o.f = given
      given[2] = "b"
      assert.same({ "a" }, o.f)
    end)
  end)

  it("set drops duplicates", function()
    assert.equal(2, #kept(t.set(t.string()), { "a", "b", "a" }))
    assert.equal(3, #kept(t.set(), { 1, 1.0, 10, "1" }))
    assert.equal(1, #kept(t.set(t.decimal()), { "1.1", "1.10" }))
  end)

  describe("map", function()
    it("takes names", function() assert.equal(1, kept(t.map(t.integer()), { a = 1 }).a) end)
    it("checks its values", function() refuses(t.map(t.integer()), { a = "x" }, "Thing.f.a") end)
    it("refuses lists", function() refuses(t.map(), { 1 }, "a map") end)
    it("with members names the nearest one", function()
      refuses(t.map { street = t.string(), zip = t.string() }, { stret = "x" }, "did you mean street")
    end)
  end)

  it("json keeps anything that JSON can say", function()
    assert.same({ a = { 1, "x", true } }, kept(t.json(), { a = { 1, "x", true } }))
    assert.equal(5, kept(t.json(), 5))
    refuses(t.json(), print, "function")
  end)

  it("geopoint is in range", function()
    assert.equal(50.5, kept(t.geopoint(), neap.geopoint(50.5, 8)).latitude)
    refuses(t.geopoint(), { latitude = 91, longitude = 0 }, "a geopoint")
  end)

  it("neap.null into a typed field is nil", function() assert.is_nil(kept(t.string(), neap.null)) end)

  it("that is secret is not shown", function()
    local o = object(t.string { secret = true, max = 3 })
    local _, e = pcall(function() o.f = "hunter2" end)
    assert.is_nil(e.message:find("hunter2", 1, true))
    assert.truthy(e.message:find("***", 1, true))
  end)
end)

describe("a declaration", function()
  local store

  before_each(function() store = neap.open "sqlite::memory:" end)
  after_each(function() store:close() end)

  local function refuses(fields, expected, options)
    local ok, e = pcall(store.model, store, "Post", fields, options)
    assert.is_false(ok)
    assert.equal("usage", e.kind, tostring(e))
    assert.truthy(e.message:find(expected, 1, true), e.message)
  end

  it("names the option that a type does not have, and the nearest one", function()
    refuses({ id = t.integer { primry = true } }, "Post.id: integer has no option primry; did you mean primary")
    refuses({ id = t.integer { match = "x" } }, "Post.id: integer has no option match")
  end)
  it("needs a key", function() refuses({ title = t.string() }, "primary = true") end)
  it("checks defaults", function() refuses({ id = t.integer { primary = true, default = "x" } }, "default") end)
  it("checks that bounds are in order", function() refuses({ id = t.integer { primary = true, min = 2, max = 1 } }, "min is greater") end)
  it("refuses names of methods", function() refuses({ id = t.integer { primary = true }, save = t.string() }, "method of every object") end)
  it("refuses two underscores", function() refuses({ a__b = t.string() }, "two underscores") end)
  it("refuses NUL in names", function() refuses({ ["a\0b"] = t.string() }, "NUL") end)
  it("refuses names that queries would read as something else, or that are no UTF-8", function()
    refuses({ ["$gt"] = t.string() }, "Post.$gt: a name that begins so")
    refuses({ ["-title"] = t.string() }, "Post.-title: a name that begins so")
    refuses({ ["a\xff"] = t.string() }, "Post.a\\xff: a name is UTF-8")
  end)
  it("names the nearest type", function()
    local _, e = pcall(function() return t.strin() end)
    assert.truthy(e.message:find("did you mean t.string", 1, true))
  end)
  it("refuses arguments that no type takes, and says what it takes", function()
    local function says(expected, f, ...)
      local ok, e = pcall(f, ...)
      assert.is_false(ok, "an error was expected")
      assert.equal("usage", e.kind)
      assert.truthy(e.message:find(expected, 1, true), e.message)
    end
    says("t.string takes one table of options", t.string, {}, {})
    says("t.list takes a type and a table of options", t.list, t.string(), {}, {})
    says("t.pointer takes the name of a model and a table of options", t.pointer, "User", {}, {})
    says("t.has_many takes the name of a model, the name of its pointer", t.has_many, "Post", "author", {}, 1)
    says("t.has_many takes the name of a pointer second", t.has_many, "Post", {}, {})
    says("t.computed takes a type and a table", t.computed, t.string(), { path = "a.b" }, { column = "x" })
    says("stand in the list itself", t.unique, { "a" }, { where = { b = 1 } })
    says("t.unique has no option wher; did you mean where", t.unique, { "a", wher = { b = 1 } })
    says("t.computed has no option sqll; they are sql", t.computed, t.string(), { sqll = "1" })
  end)

  it("refuses two fields in one column", function()
    refuses({ id = t.integer { primary = true }, a = t.string { column = "x" }, b = t.string { column = "x" } }, "its column x")
    refuses({ id = t.integer { primary = true }, up = t.pointer "Post", up_id = t.integer() }, "up_id")
  end)
  it("refuses what SQL would take for one column or one table", function()
    refuses({ id = t.integer { primary = true }, a = t.string { column = "x" }, b = t.string { column = "X" } },
      "Post.b: its column X and x, that of a, are one in SQL")
    store:model("Note", { id = t.integer { primary = true } })
    refuses({ id = t.integer { primary = true } }, "its table note and Note, that of Note, are one in SQL", { table = "note" })
    assert.truthy(store:model("Note", { id = t.integer { primary = true } }, { table = "note" }))
  end)
  it("checks what a pointer does when its target is deleted", function()
    refuses({ id = t.integer { primary = true }, up = t.pointer("Post", { on_delete = "explode" }) }, "restrict, cascade or set_null")
    refuses({ id = t.integer { primary = true }, up = t.pointer("Post", { on_delete = "set_null", required = true }) }, "required")
  end)
  it("refuses what is no type", function() refuses({ id = 5 }, "a type such as t.string()") end)
  it("knows its options", function() refuses({ id = t.integer { primary = true } }, "no model option tabel", { tabel = "x" }) end)
  it("checks the parts of an index", function()
    refuses({ id = t.integer { primary = true }, i = t.index { "titel" } }, "no column titel")
  end)
  it("checks the options of an index", function()
    for expected, made in pairs {
      ["t.index has no option wehre; did you mean where"] = function() return t.index { "a", wehre = { a = 1 } } end,
      ["t.unique has no option hash_key; known: where, column"] = function() return t.unique { "a", hash_key = "a" } end,
      ["t.global_index needs hash_key"] = function() return t.global_index { range_key = "a" } end,
      ["t.local_index has no option hash_key"] = function() return t.local_index { hash_key = "a" } end,
      ["t.local_index needs range_key"] = function() return t.local_index {} end,
    } do
      local ok, e = pcall(made)
      assert.is_false(ok)
      assert.equal("usage", e.kind)
      assert.truthy(e.message:find(expected, 1, true), e.message)
    end
  end)
  it("checks what computed fields need", function()
    local ok, e = pcall(t.computed, t.string(), { neds = { "x" }, get = print })
    assert.is_false(ok)
    assert.truthy(e.message:find("t.computed has no option neds", 1, true), e.message)
    refuses({ id = t.integer { primary = true }, c = t.computed(t.string(), { needs = { "x" }, get = print }) }, "needs x")
  end)

  it("keeps the order of the calls", function()
    local Post = store:model("Post", { id = t.integer { primary = true }, zeta = t.string(), alpha = t.string() })
    local names = {}
    for name in pairs(Post { alpha = "a", zeta = "z", id = 1 }) do names[#names + 1] = name end
    assert.same({ "id", "zeta", "alpha" }, names)
  end)

  it("that is a list has nothing beside it", function()
    refuses({ { "id", t.integer { primary = true } }, title = t.string() }, "title = a table")
    refuses({ { "id", t.integer { primary = true } }, "title" }, '2 = "title"')
  end)
  it("may be a list, where the order is that of the list", function()
    local text = t.string()
    local Post = store:model("Post", { { "b", text }, { "a", text }, { "id", t.integer { primary = true } } })
    local names = {}
    for name in pairs(Post { a = "1", b = "2", id = 3 }) do names[#names + 1] = name end
    assert.same({ "b", "a", "id" }, names)
  end)
end)

describe("what other stores know", function()
  local store

  before_each(function() store = neap.open "sqlite::memory:" end)
  after_each(function() store:close() end)

  local function fails(kind, expected, f)
    local ok, e = pcall(f)
    assert.is_false(ok)
    assert.equal(kind, e.kind, tostring(e))
    assert.truthy(e.message:find(expected, 1, true), e.message)
  end

  it("may be declared: hash and range keys, their indexes, units", function()
    local Reply = store:model("Reply", {
      forum = t.string { hash_key = true }, at = t.datetime { range_key = true }, body = t.string(), gone = t.timestamp(),
      by_body = t.global_index { hash_key = "body", range_key = "at", projection = { "gone" }, read_units = 1, write_units = 2 },
      by_gone = t.local_index { range_key = "gone", projection = "all" },
    }, { read_units = 5, write_units = 5, billing = "provisioned", ttl = "gone", stream = "new_and_old" })
    assert.equal(3, #store:bind())  -- the table, and plain indexes
    Reply { forum = "sea", at = "2024-05-01", body = "tides" }:save()
    assert.equal("tides", Reply:get { forum = "sea", at = "2024-05-01" }.body)
  end)

  it("is bytes here if it is a bytestream", function()
    local Song = store:model("Song", { id = t.integer { primary = true }, sound = t.bytestream() })
    store:bind()
    Song { id = 1, sound = "\0\xff" }:save()
    assert.equal("\0\xff", Song:get(1).sound)
  end)

  it("is not pretended: files and relations that a server keeps", function()
    local Game = store:model("Game", { id = t.integer { primary = true }, cover = t.file(), scores = t.relation "Score" })
    store:model("Score", { id = t.integer { primary = true } })
    store:bind()
    local game = Game { id = 1 }:save()
    assert.is_nil(game.cover)
    fails("validation", "keeps no files", function() game.cover = "shot.png" end)
    fails("unsupported", "use t.many_to_many", function() return game.scores end)
    fails("unsupported", "use t.many_to_many", function() return Game:include "scores" end)
    fails("unsupported", "use t.many_to_many", function() return game:to_table { follow = { scores = {} } } end)
    fails("usage", "cannot be assigned", function() game.scores = { 1 } end)
    fails("unsupported", "use t.many_to_many", function() return Game:where { scores__id = 1 } end)
    fails("usage", "scores", function() return Game:order "scores.id" end)
    assert.same({ id = 1 }, game:to_table())
  end)
end)
