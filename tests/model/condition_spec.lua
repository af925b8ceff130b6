-- Conditions: three spellings of one tree, what it is checked against, and the statement that it becomes.
local neap = require "neap"
local t = neap.types

local store = neap.open "sqlite::memory:"

local User = store:model("User", {
  id    = t.integer { primary = true },
  name  = t.string (),
  pin   = t.string { secret = true },
  posts = t.has_many ("Post", "author"),
})

local Post = store:model("Post", {
  id       = t.integer { primary = true },
  author   = t.pointer "User",
  title    = t.string (),
  views    = t.integer (),
  best     = t.number (),
  price    = t.decimal (),
  at       = t.datetime (),
  tags     = t.list (t.string()),
  marks    = t.set (t.string()),
  data     = t.json (),
  sizes    = t.map (t.integer()),
  place    = t.geopoint (),
  comments = t.has_many ("Comment", "post"),
  key      = t.pointer "Key",
})
store:model("Key", { id = t.uuid { primary = true }, owner = t.uuid(), code = t.date { secret = true }, cost = t.decimal { scale = 2 } })

store:model("Comment", { id = t.integer { primary = true }, post = t.pointer "Post", user = t.pointer "User", text = t.string() })
store:bind()

--- What stands behind WHERE, and the values.
local function where(...)
  local sent = Post:where(...):explain()
  return sent.sql:match "WHERE (.*)$", sent.params
end

local function fails(kind, pattern, ...)
  local ok, e = pcall(Post.where, Post, ...)
  assert.is_false(ok)
  assert.equal(kind, e.kind, tostring(e))
  assert.truthy(tostring(e):find(pattern, 1, true), tostring(e))
end

local function same(a, b)
  assert.same({ where(a) }, { where(b) })
end

describe("a condition", function()
  it("is spelled with operators in keys, as Mongo does and by column expressions", function()
    local sql, params = where { views__gte = 100 }
    assert.equal('(t0."views" >= ?1)', sql)
    assert.same({ 100 }, params)
    same({ views__gte = 100 }, { views = { ["$gte"] = 100 } })
    same({ views__gte = 100 }, Post.views:gte(100))
    same({ views__in = { 1, 2 } }, Post.views:is_in { 1, 2 })
    same({ views__nin = { 1, 2 } }, Post.views:not_in { 1, 2 })
    same({ views__between = { 1, 2 } }, Post.views:between(1, 2))
    same({ title = "x" }, { title__eq = "x" })
  end)

  it("is built of others by &, | and ~", function()
    same({ ["$or"] = { { views = 1 }, { title = "x" } } }, Post.views:eq(1) | Post.title:eq "x")
    same({ ["$and"] = { { views = 1 }, { title = "x" } } }, Post.views:eq(1) & Post.title:eq "x")
    same({ ["$nor"] = { { views = 1 } } }, ~Post.views:eq(1))
    same({ ["$not"] = { views = 1 } }, ~Post.views:eq(1))
    same({ views = { ["$not"] = { ["$gt"] = 1 } } }, ~Post.views:gt(1))
  end)

  it("is built of tables by any_of and none_of", function()
    same(neap.any_of { { views = 1 }, Post.title:eq "x" }, Post.views:eq(1) | Post.title:eq "x")
    same(neap.none_of { { views = 1 }, { title = "x" } }, ~(Post.views:eq(1) | Post.title:eq "x"))
    same(neap.any_of { { views = 1 } } & neap.any_of { { title = "x" } }, { ["$and"] = { { views = 1 }, { title = "x" } } })
  end)

  it("gives one text for one shape, in the order of the fields", function()
    local first = where { views = 1, title = "x", best__lt = 5 }
    local second = where { best__lt = 7, title = "y", views = 2 }
    assert.equal(first, second)
    assert.equal('((t0."title" = ?1) AND (t0."views" = ?2) AND (t0."best" < ?3))', first)
  end)

  it("binds the values of a list as one", function()
    assert.equal(where { views__in = { 1 } }, where { views__in = { 1, 2, 3 } })
  end)

  it("prints well, without secrets", function()
    assert.equal('(Post.title eq "x" or not Post.views gte 5)', tostring(Post.title:eq "x" | ~Post.views:gte(5)))
    assert.equal("User.pin eq ***", tostring(User.pin:eq "1234"))
  end)

  it("takes an object or its key for a pointer", function()
    local ada = User { id = 7, name = "Ada" }:save()
    same({ author = ada }, { author = 7 })
    same({ author_id = 7 }, { author = 7 })
    same({ author__in = { ada } }, { author_id__in = { 7 } })
  end)

  it("takes another column", function()
    assert.equal('(t0."views" > t0."best")', (where(Post.views:gt(Post.best))))
  end)

  it("keeps an index at work: a prefix is a range", function()
    local sql, params = where { title__prefix = "Ti" }
    assert.equal('(t0."title" >= ?1 AND t0."title" < ?2)', sql)
    assert.same({ "Ti", "Tj" }, params)
    assert.same({ "a\u{7f}", "a\u{80}" }, select(2, where { title__prefix = "a\u{7f}" }))
    assert.same({ "\u{d7ff}", "\u{e000}" }, select(2, where { title__prefix = "\u{d7ff}" }))
    assert.same({ "a\u{10ffff}", "b" }, select(2, where { title__prefix = "a\u{10ffff}" }))
  end)

  it("says IS NOT TRUE only where it is negated", function()
    assert.equal('((t0."views" < ?1) IS NOT TRUE OR (t0."title" = ?2))', (where(~(Post.views:lt(1) & Post.title:ne "x"))))
  end)
end)

describe("a path", function()
  it("reaches into JSON with underscores or points", function()
    same({ data__key__gte = 1 }, { ["data.key"] = { ["$gte"] = 1 } })
    same({ data__a__b = 1 }, { ["data.a.b"] = 1 })
  end)

  it("counts lists from 0 in text and from 1 in at", function()
    same({ ["data.key.0"] = 1 }, Post.data:at("key", 1):eq(1))
    same({ ["tags.0"] = "x" }, Post.tags:at(1):eq "x")
  end)

  it("ends in an operator if there is one of that name, behind underscores only", function()
    assert.equal('(neap_json_size(t0."data") = ?1)', (where { data__size = 3 }))
    assert.truthy(where { ["data.size"] = 3 }:find("'$.size'", 1, true))
  end)

  it("compares what is found only with its own type", function()
    assert.equal("(json_type(t0.\"data\", '$.key') = 'text' AND json_extract(t0.\"data\", '$.key') = ?1)",
      (where { ["data.key"] = "x" }))
  end)

  it("never takes keys into the text of a statement unless they are plain", function()
    assert.is_nil(where { ["data.it's"] = 1 }:find "it's")
    assert.is_nil(where { ['data.a"b'] = 1 }:find 'a"b')
  end)
end)

describe("a relation", function()
  it("is met by some related object", function()
    assert.equal('EXISTS (SELECT 1 FROM "User" AS t1 WHERE (t1."name" = ?1) AND t1."id" = t0."author_id")',
      (where { author__name = "Ada" }))
    same({ author__name = "Ada" }, { ["author.name"] = "Ada" })
    same({ comments__text = "x" }, Post.comments:some { text = "x" })
  end)

  it("means one related object for all keys of one table, and another for those of a second", function()
    local one = where { comments__text = "x", comments__user__name = "Ada" }
    local two = where({ comments__text = "x" }, { comments__user__name = "Ada" })
    assert.equal(1, select(2, one:gsub('"Comment"', "")))
    assert.equal(2, select(2, two:gsub('"Comment"', "")))
  end)

  it("exists where there is a related object", function()
    assert.equal('NOT EXISTS (SELECT 1 FROM "Comment" AS t1 WHERE t1."post_id" = t0."id")', (where { comments__exists = false }))
  end)
end)

describe("nothing", function()
  it("is asked for with neap.null or exists(false)", function()
    assert.equal('(t0."title" IS NULL)', (where { title = neap.null }))
    same({ title = neap.null }, { title__exists = false })
    same({ title__ne = neap.null }, { title__exists = true })
  end)

  it("may be in a list", function()
    same({ views__in = { 1, neap.null } }, Post.views:is_in { 1 } | Post.views:exists(false))
  end)

  it("is not nil, which raises", function()
    fails("usage", "would be no filter", "title", nil)
    assert.equal("usage", select(2, pcall(function() return Post.title:eq(nil) end)).kind)
  end)

  it("of a list: an empty in matches nothing, an empty nin everything", function()
    assert.equal("0", (where { views__in = {} }))
    assert.is_nil(where { views__nin = {} })
  end)
end)

describe("an empty table", function()
  it("is true of every row, also inside others", function()
    assert.is_nil((where {}))
    assert.equal("0", Post:exclude {}:explain().sql:match "WHERE (.*)$")
    assert.equal("(1 OR 1)", (where { ["$or"] = { {}, {} } }))
    assert.equal("0", (where { ["$or"] = {} }))
  end)
end)

describe("a value", function()
  it("of another type is no match and never an error", function()
    assert.equal("0", (where { views = "many" }))
    assert.is_nil(where { views__ne = "many" })
    assert.equal("0", (where { title__lt = 5 }))
    same({ views__in = { 1, "x" } }, { views__in = { 1 } })
    assert.equal("0", (where { at = 5 }))
  end)

  it("in text that its type cannot read raises, naming the place and what it reads", function()
    fails("validation", 'Post.at: "yesterday" is wrong; expected a datetime or ISO 8601 text', { at__gte = "yesterday" })
    fails("validation", 'Post.at: "x" is wrong', { at__between = { "2024-05-01T10:00:00Z", "x" } })
    fails("validation", 'Post.price: "1,5" is wrong; expected a decimal', { price__in = { "1", "1,5" } })
    fails("validation", 'Key.owner: "x" is wrong; expected a uuid', "key__owner", "x")
    fails("validation", "Key.code: *** is wrong; expected a date", { key__code = "x" })
  end)

  it("of a pointer is an object of its model that has a key, or a key", function()
    fails("usage", "Post.author takes an object of User or its key, not one of Post", { author = Post { id = 1 } })
    fails("usage", "Post.author takes an object of User or its key, not one of Post", { author__in = { Post { id = 1 } } })
    fails("usage", "Post.author takes an object that has a key; save the User first", { author = User {} })
    fails("usage", "Post.author takes an object that has a key; save the User first", { author_id = User {} })
    fails("usage", "Post.views is of type integer and takes no object; it got one of User", { views = User { id = 1 } })
    same({ author = User { id = 1 } }, { author = 1 })
  end)

  it("of a decimal may have more digits than the column keeps", function()
    assert.same({ neap.decimal "1.555" }, select(2, where { key__cost__gt = "1.555" }))
  end)

  it("of an integer column may be a float, compared exactly", function()
    assert.same({ 5.5 }, select(2, where { views__gt = 5.5 }))
  end)

  it("is converted as on assignment: ISO text is a datetime, text a decimal", function()
    assert.same({ neap.datetime "2024-05-01T10:00:00Z" }, select(2, where { at__gt = "2024-05-01T10:00:00Z" }))
    assert.same({ neap.decimal "1.50" }, select(2, where { price = "1.50" }))
  end)

  it("is a table unless all its keys begin with $", function()
    assert.equal("(neap_json_equal(t0.\"data\", ?1))", (where { data = { a = 1 } }))
  end)

  it("that nothing could hold raises, naming the field and what it takes", function()
    fails("validation", "Post.title: file (", { title = io.stdout })
    fails("validation", "expected a string", { title__in = { "a", io.stdout } })
    fails("validation", "Post.title: a function is wrong; expected a string", { title__prefix = print })
    fails("validation", "Post.tags: a function is wrong", { tags__size = print })
    fails("validation", "Post.views: a thread is wrong; expected an integer", { views__gt = coroutine.create(print) })
    fails("validation", "expected an integer", { views = store })
    fails("validation", "Post.data", { data = Post })
    fails("validation", "User.pin: *** is wrong", { author__pin = print })
  end)

  it("is never NaN", function()
    fails("validation", "NaN", { data = 0 / 0 })
  end)
end)

describe("a wrong condition", function()
  it("is none at all, or something that is no condition", function()
    fails("usage", "where takes conditions on Post: tables, column expressions, or a name and a value")
    assert.truthy(tostring(select(2, pcall(Post.exclude, Post))):find("exclude takes conditions on Post", 1, true))
    fails("usage", "a table or a column expression, not an object of User", User { id = 1 })
    fails("usage", "a table or a column expression, not the model User", User)
    fails("usage", "a table or a column expression, not true", true)
  end)

  it("names the nearest field", function()
    fails("usage", "did you mean title?", { titel = "x" })
    fails("usage", "did you mean name", { author__nmae = "x" })
  end)

  it("names the nearest name of a map that declares its names", function()
    local Shoe = store:model("Shoe", { id = t.integer { primary = true }, m = t.map { width = t.integer(), sole = t.map() } })
    assert.truthy(tostring(Shoe:where { ["m.sole.any"] = 1, m__width = 2 }))
    local ok, e = pcall(Shoe.where, Shoe, { m__widht__gt = 1 })
    assert.is_false(ok)
    assert.equal("Shoe.m has no declared name widht; did you mean width?", e.message)
  end)

  it("names the nearest operator", function()
    fails("usage", "did you mean gte", { views__gtee = 1 })
    fails("usage", "did you mean $gte", { views = { ["$gtee"] = 1 } })
    assert.truthy(tostring(select(2, pcall(function() return Post.title:contain "x" end))):find("did you mean contains", 1, true))
  end)

  it("asks something of a type that it has not", function()
    fails("usage", "prefix asks for text", { views__prefix = "1" })
    fails("usage", "has asks for a list", { title__has = "x" })
  end)

  it("is told all its faults together, that of the first field in the message", function()
    local ok, e = pcall(Post.where, Post, { titel = "x", views__gtee = 5, at = "yesterday", title = "ok" })
    assert.is_false(ok)
    assert.equal("validation", e.kind)
    assert.truthy(e.message:find("Post.views is of type integer: it has neither an operator nor a part gtee", 1, true), e.message)
    assert.truthy(e.message:find("; 2 more in e.errors", 1, true), e.message)
    assert.truthy(e.errors.titel and e.errors.views__gtee and e.errors.at and not e.errors.title)
    e = select(2, pcall(Post.exclude, Post, { titel = 1 }, Post.views:eq(1), { viws = 1 }))
    assert.truthy(e.errors.titel and e.errors.viws)
  end)

  it("has a regular expression that is none", function()
    fails("query", "regular expression", { title__regex = "(" })
    fails("query", "User.pin: the regular expression *** is wrong", { author__pin__regex = "(1234" })
  end)

  it("is about another model", function()
    fails("usage", "a condition on User was given for Post", User.name:eq "x")
    assert.is_false((pcall(function() return Post.title:eq "x" & User.name:eq "x" end)))
  end)

  it("has a list where a table is, or the other way round", function()
    fails("usage", "takes a list", { views__in = 5 })
    fails("usage", "takes a list", { ["$or"] = { views = 1 } })
    fails("usage", "any_of", { { views = 1 } })
  end)

  it("has a NUL in a name", function()
    fails("usage", "Post has no field title\\0; did you mean title?", { ["title\0"] = "x" })
  end)
end)

describe("limits", function()
  it("end nesting", function()
    local c = { views = 1 }
    for _ = 1, 100 do c = { ["$and"] = { c } } end
    fails("limit", "nested deeper", c)
    local e = Post.views:eq(1)
    local ok, err = pcall(function() for i = 1, 100 do e = i % 2 == 0 and e & Post.views:eq(i) or e | Post.views:eq(i) end end)
    assert.is_false(ok)
    assert.equal("limit", err.kind)
  end)

  it("let what is below them reach the database", function()
    local c = Post.views:eq(1)
    for i = 1, 60 do c = i % 2 == 0 and c & Post.views:eq(i) or c | Post.views:eq(i) end
    assert.equal(0, Post:where(c):count())
    local related = Post.views:eq(1)
    for i = 1, 6 do related = i % 2 == 1 and User.posts:some(related) or Post.author:some(related) end
    assert.equal(0, Post:where(related):count())
  end)

  it("let long lists and wide branches through", function()
    local values, conditions = {}, {}
    for i = 1, 50000 do values[i] = i end
    for i = 1, 5000 do conditions[i] = { views = i } end
    assert.equal(0, Post:where { views__in = values }:count())
    assert.equal(0, Post:where(neap.any_of(conditions)):count())
  end)
end)

describe("a scope", function()
  it("counts for related rows too", function()
    local view = store:with { scope = { User = { name__ne = "Eve" }, Post = { author__exists = true } } }
    local sql = view:model "Post":where { author__name__prefix = "A" }:explain().sql
    assert.truthy(sql:find('AND (t1."name" = ?3) IS NOT TRUE AND t1."id" = t0."author_id"', 1, true), sql)
  end)

  it("that asks for related rows ends", function()
    local view = store:with { scope = { User = { posts__views = 1 }, Post = { author__name = "Ada" } } }
    assert.equal(0, view:model "Post":where { author__id = 1 }:count())
  end)
end)
