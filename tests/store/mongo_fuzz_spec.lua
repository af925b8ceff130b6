-- Query Objects made at random, from names, operators and values that are right, nearly right and wrong: each of them runs or is
-- refused with pointers; nothing else ever comes. A plan that was kept of one with other values gives what a fresh one gives. And
-- what settings hide has no part in any answer: it is the same whatever is hidden.
local contract = require "tests.store.contract"
local mongo = require "neap.mongo"
local neap = require "neap"
local shop = require "tests.store.shop"

local random = math.random
local function pick(list) return list[random(#list)] end
local function one_in(n) return random(n) == 1 end

local names = {
  "id", "title", "views", "price", "data", "at", "author_id", "author", "comments", "tags", "data.key", "data.a.0", "author.name",
  "author.age", "comments.text", "comments.user.name", "tags.name", "name", "age", "posts", "posts.views", "text", "user", "foo",
  "", ".", "data.", "author.", "id.x", "x.y.z", "-id", "id-", "id+", "$or", "$x", "a'b", 'a"b', "views__gte", "data.a__b", "\0",
}
local operators = {
  "$eq", "$ne", "$lt", "$lte", "$gt", "$gte", "$in", "$nin", "$exists", "$prefix", "$suffix", "$contains", "$iprefix", "$icontains",
  "$iexact", "$between", "$size", "$all", "$any", "$has", "$type", "$not", "$some", "$every", "$none", "$elemMatch", "$regex", "$foo",
  "$near", "$within",
}
local scalars = {
  0, 1, -1, 2, 30, 1.5, 1e300, -1e-300, math.maxinteger, math.mininteger, true, false, neap.null, "", "a", "Ada", "2", "2.5", "x'y",
  "2024-05-01T10:00:00Z", "2024-13-01", "%", "_", "\0", "null", ("x"):rep(300),
}

local value

local function list(n, make, depth)
  local made = {}
  for i = 1, random(0, n) do made[i] = make(depth) end
  return one_in(2) and neap.array(made) or made
end

local function object(n, keys, make, depth)
  local made = {}
  for _ = 1, random(0, n) do made[pick(keys)] = make(depth) end
  return made
end

function value(depth)
  if depth <= 0 or not one_in(4) then return pick(scalars) end
  if one_in(2) then return list(3, value, depth - 1) end
  return object(2, one_in(2) and operators or names, value, depth - 1)
end

local function criteria(depth)
  if one_in(30) then return value(1) end
  local made = {}
  for _ = 1, random(0, 2) do
    local kind = random(10)
    if kind <= 5 then
      made[pick(names)] = value(2)
    elseif kind <= 8 then
      made[pick(names)] = object(2, operators, value, 2)
    elseif depth > 0 then
      made[pick { "$and", "$or", "$nor" }] = list(3, criteria, depth - 1)
      if one_in(3) then made["$not"] = criteria(depth - 1) end
    end
  end
  return made
end

local function name() return pick(names) end

local query
local makers = {
  filter = criteria,
  sort = function() return pick { list(3, name), name(), { [name()] = pick { 1, -1, 0, "x" } }, value(1) } end,
  project = function()
    return pick { list(4, name), name(), object(3, names, function() return pick { 0, 1, true, "x" } end), value(1) }
  end,
  join = function(depth) return depth > 0 and object(2, names, query, depth - 1) or name() end,
  joinf = function(depth) return depth > 0 and object(1, names, query, depth - 1) or name() end,
  limit = function() return pick { 1, 2, 0, -1, "1", 1.5, math.maxinteger } end,
  skip = function() return pick { 1, 2, 0, -1, "1", math.maxinteger } end,
  count = function() return pick { true, false, 0, 1, 2, "x" } end,
  group = function() return pick { list(2, name), name(), value(1) } end,
  aggregate = function()
    return object(2, names, function()
      local call = { [pick { "$sum", "$min", "$max", "$avg", "$count", "$foo" }] = pick { name(), 1, true, criteria(1) } }
      return pick { name(), call, value(1) }
    end)
  end,
  having = function() return object(1, names, value, 1) end,
  total = function() return pick { true, "capped:1", "x" } end,
  after = function() return pick { "x", "WyJQb3N0IGlkIiwxXQ==", 5 } end,
  foo = function() return 1 end,
}
local keys = {}
for key in pairs(makers) do keys[#keys + 1] = key end
table.sort(keys)

function query(depth)
  if one_in(10) then return pick { neap.null, {}, "x", 1 } end
  local made = {}
  for _ = 1, random(0, 3) do
    local key = pick(keys)
    made[key] = makers[key](depth)
  end
  return made
end

--- Puts other values here and there.
local function change_values(of)
  for key, inner in pairs(of) do
    if type(inner) == "table" then change_values(inner) elseif inner ~= neap.null and one_in(3) then of[key] = pick(scalars) end
  end
end

--- The same Query Object with other values.
local function changed(asked)
  local copy = { neap.json.decode(neap.json.encode(asked)) }
  change_values(copy)
  return copy[1]
end

--- What comes of a Query Object, as text: rows or faults.
local function outcome(mq, asked)
  local ok, e = pcall(function() return mq:query(asked):json() end)
  if ok then return e, true end
  local refusal = type(e) == "table" and (e.kind == "query" or e.kind == "forbidden" or e.kind == "limit") and e.errors
  assert.truthy(refusal, tostring(e))
  return e.kind .. neap.json.encode(refusal), false
end

contract.sql("random Query Objects", function(c)
  it("run, or are refused with pointers", function()
    local m = shop.fill(c.store, shop.declare(c.store))
    local seed = tonumber(os.getenv "NEAP_SEED") or os.time()
    math.randomseed(seed)
    local narrow = {
      [m.Post] = {
        aggregate_columns = "id views price data", aggregate_labels = true, max_items = 3, regex_enabled = true,
        force_exclude = "at", related = { author = { force_filter = { name = "Ada" } } },
      },
      [m.Author] = { aggregate_columns = "age", default_exclude = "age", related_models = { Post = { max_items = 1 } } },
    }
    local ran, refused, kept = 0, 0, {}
    for _, class in ipairs { m.Post, m.Author } do
      kept[class] = { [true] = mongo.reusable(mongo.query(class, narrow[class])), [false] = mongo.reusable(mongo.query(class)) }
    end
    for i = 1, os.getenv "NEAP_SOAK" and 50000 or 1500 do
      local asked = query(3)
      local class, narrowed = one_in(2) and m.Post or m.Author, one_in(2)
      for _, each in ipairs { asked, changed(asked) } do
        local text = ("seed %d, round %d: %s"):format(seed, i, neap.json.encode(each))
        if one_in(2) then each = neap.json.encode(each) end
        local ok, result, right = pcall(outcome, kept[class][narrowed], each)
        assert.truthy(ok, text .. "\n" .. tostring(result))
        local fresh = mongo.query(class, narrowed and narrow[class] or nil)
        assert.equal(outcome(fresh, each), result, text)
        if right and fresh:result_is_tuples() then assert.equal(neap.json.encode(fresh:run()), result, text) end
        ran, refused = ran + (right and 1 or 0), refused + (right and 0 or 1)
      end
    end
    assert.truthy(ran > 300 and refused > 300, ran .. " ran, " .. refused .. " were refused")
    assert.equal(5, m.Post:count())
  end)

  it("give the same whatever lies in what is hidden", function()
    local m = shop.fill(c.store, shop.declare(c.store))
    local seed = tonumber(os.getenv "NEAP_SEED") or os.time()
    math.randomseed(seed)
    local hiding = {}
    hiding.Post = {
      force_exclude = "price data", force_filter = { views__lt = 1000 }, aggregate_columns = "id views price data",
      aggregate_labels = true, banned_relations = "comments",
    }
    hiding.Author = { force_exclude = "age", aggregate_columns = "age name", related = { profile = false } }
    hiding.Tag = { force_filter = function(Tag) return Tag.name:ne "secret" end }
    for model, settings in pairs(hiding) do
      settings.related_models = function() return hiding end
      hiding[model] = settings
    end
    hiding.Comment, hiding.Profile = false, false
    local objects, outcomes = {}, {}
    for i = 1, os.getenv "NEAP_SOAK" and 20000 or 1000 do objects[i] = query(3) end
    local posts, authors = mongo.reusable(mongo.query(m.Post, hiding.Post)), mongo.reusable(mongo.query(m.Author, hiding.Author))
    local function each(f)
      for i, asked in ipairs(objects) do
        local mq = i % 2 == 0 and posts or authors
        f(i, (outcome(mq, asked)), neap.json.encode(asked))
      end
    end
    each(function(i, result) outcomes[i] = result end)
    c.store:transaction(function()
      for _, post in ipairs(m.Post:all()) do
        post.price, post.data = "99.99", { key = 77, a = { 7 } }
        post:save()
      end
      for _, author in ipairs(m.Author:all()) do
        author.age = 99
        author:save()
      end
      m.Comment:delete { all = true }
      m.Post:create { id = 90, author = 1, title = "a", views = 5000 }
      m.Profile:create { id = 9, author = 3, bio = "b" }
      m.Tag:create { id = 9, name = "secret" }
      m.PostTag:create { post = 5, tag = 9 }
    end)
    each(function(i, result, text) assert.equal(outcomes[i], result, ("seed %d: %s"):format(seed, text)) end)
  end)
end)
