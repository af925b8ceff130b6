-- Random trees of includes, each with a condition, an order and a limit for each row: what was included is what the relation of each
-- object gives when it is asked by itself. The seed is printed; give it as SEED to see the same run again.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

local ROUNDS = os.getenv "NEAP_SOAK" and 2000 or 60
local seed = tonumber(os.getenv "SEED") or os.time()
print("seed " .. seed)
local random = math.random

-- What each relation leads to.
local RELATIONS = {
  Author = { boss = "Author", posts = "Post", staff = "Author", good = "Post", profile = "Profile", liked = "Post" },
  Post = { author = "Author", comments = "Comment", likers = "Author" },
  Comment = { post = "Post", author = "Author" },
  Profile = { author = "Author" },
}
local ONE = { boss = true, author = true, profile = true, post = true }
local LINKED = { liked = true, likers = true }

local function declare(store)
  local m = {}
  m.Author = store:model("Author", { id = t.integer { primary = true }, n = t.integer(), boss = t.pointer "Author",
    posts = t.has_many("Post", "author"), staff = t.has_many("Author", "boss", { order = "-n" }),
    good = t.has_many("Post", "author", { where = { n__gte = 2 }, order = "-n" }), profile = t.has_one("Profile", "author"),
    liked = t.many_to_many("Post", { through = "Like", where = { n__lt = 4 } }) })
  m.Profile = store:model("Profile", { id = t.integer { primary = true }, author = t.pointer "Author", n = t.integer() })
  m.Post = store:model("Post", { id = t.integer { primary = true }, author = t.pointer("Author", { index = true }),
    n = t.integer { index = true }, comments = t.has_many("Comment", "post"),
    likers = t.many_to_many("Author", { through = "Like" }) })
  m.Comment = store:model("Comment", { id = t.integer { primary = true }, post = t.pointer "Post", author = t.pointer "Author",
    n = t.integer() })
  m.Like = store:model("Like", { id = t.integer { primary = true }, author = t.pointer "Author", post = t.pointer "Post",
    w = t.integer() })
  store:bind()
  return m
end

local function fill(store, m)
  local function maybe(n) return random(5) > 1 and random(n) or nil end
  local function n() return random(6) > 1 and random(0, 5) or nil end
  local rows = {}
  for i = 1, 12 do rows[#rows + 1] = m.Author { id = i, n = n(), boss = i > 1 and maybe(i - 1) or nil } end
  for i = 1, 9 do rows[#rows + 1] = m.Profile { id = i, author = maybe(12), n = n() } end
  for i = 1, 30 do rows[#rows + 1] = m.Post { id = i, author = maybe(12), n = n() } end
  for i = 1, 60 do rows[#rows + 1] = m.Comment { id = i, post = maybe(30), author = maybe(12), n = n() } end
  for i = 1, 60 do rows[#rows + 1] = m.Like { id = i, author = random(12), post = random(30), w = n() } end
  store:save(rows)
end

local function names_of(model)
  local names = {}
  for name in pairs(RELATIONS[model]) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function condition(m, model, depth)
  local kind, Model = random(7), m[model]
  if kind <= 2 then return Model.fields.n:gte(random(0, 4)) end
  if kind == 3 then return Model.fields.n:exists(random(2) == 1) end
  if kind == 4 then return Model.id:lt(random(30)) end
  local names = names_of(model)
  local name = names[random(#names)]
  local column, quantifier = Model.fields[name], ({ "some", "every", "none" })[random(3)]
  return column[quantifier](column, depth > 0 and condition(m, RELATIONS[model][name], depth - 1) or {})
end

--- What is included, as a list of { name =, target =, where =, order =, limit =, skip =, through =, list = what that includes }.
local function tree(m, model, depth)
  local list = {}
  for _, name in ipairs(names_of(model)) do
    if random(3) == 1 then
      local part = { name = name, target = RELATIONS[model][name], list = {} }
      if random(2) == 1 then part.where = condition(m, part.target, 2) end
      if random(2) == 1 then part.order = ({ "n", "-n", "-id", "id" })[random(4)] end
      if not ONE[name] and random(3) == 1 then part.limit, part.order = random(0, 3), part.order or "id" end
      if part.limit and random(2) == 1 then part.skip = random(0, 2) end
      if LINKED[name] and random(2) == 1 then part.through = m.Like.w:gte(random(0, 4)) end
      if depth > 0 then part.list = tree(m, part.target, depth - 1) end
      list[#list + 1] = part
    end
  end
  return list
end

--- Narrows a query as the part says.
local function narrow(q, part, order)
  if part.where then q = q:where(part.where) end
  if part.through then q = q:through(part.through) end
  if order then q = q:order(order, "id") end
  if part.limit then q = q:limit(part.limit) end
  return part.skip and q:skip(part.skip) or q
end

local function includes(m, list)
  local queries = {}
  for _, part in ipairs(list) do
    local q = narrow(m[part.target]:where {}, part, part.order)
    queries[part.name] = #part.list > 0 and q:include(includes(m, part.list)) or q
  end
  return queries
end

local function ids(objects)
  local list = {}
  for i, object in ipairs(objects) do list[i] = object.id end
  return list
end

local checked

--- The one object, or nil, that the relation gives by itself.
local function alone(m, object, part)
  local q = m[part.target]
  if part.name == "profile" then return narrow(q:where { author = object.id }, part, part.order or "id"):first() end
  local key = object[part.name .. "_id"]
  return key and narrow(q:where { id = key }, part):first()
end

local function check(m, model, object, list)
  for _, part in ipairs(list) do
    checked = checked + 1
    local found
    if ONE[part.name] then
      found = { object[part.name] }
      assert.same(ids { alone(m, object, part) }, ids(found))
    else
      found = object[part.name]:all()
      local expected = ids(narrow(m[model]:get(object.id)[part.name]:query(), part, part.order or "id"):all())
      local have = ids(found)
      if not part.order then  -- rows that are equal to what is declared come in any order
        table.sort(have)
        table.sort(expected)
      end
      assert.same(expected, have, ("%s.%s of %d, where %s"):format(model, part.name, object.id, part.where))
    end
    for _, each in ipairs(found) do check(m, part.target, each, part.list) end
  end
end

contract.each("random trees of includes", function(c)
  it("give what the relations give (seed " .. seed .. ")", function()
    math.randomseed(seed)
    checked = 0
    local m = declare(c.store)
    fill(c.store, m)
    for _ = 1, ROUNDS do
      local model = ({ "Author", "Post", "Comment" })[random(3)]
      local list = tree(m, model, 2)
      local q = m[model]:where(condition(m, model, 2)):order("-n", "id"):limit(random(4))
      local objects = q:include(includes(m, list)):all()
      assert.same(ids(q:all()), ids(objects))
      for _, object in ipairs(objects) do check(m, model, object, list) end
    end
    assert.is_true(checked > ROUNDS)
  end)
end)
