-- Random conditions over random rows: what the service filters, and what is left to neap of it, is what the evaluator says of the
-- same objects. The seed is printed; give it as SEED to see the same run again. NEAP_SOAK makes the run ten times as long.
local generator = require "tests.store.random"
local neap = require "neap"

local endpoint = os.getenv "NEAP_TEST_DYNAMODB"
if not endpoint then return end

local ROUNDS, CONDITIONS = os.getenv "NEAP_SOAK" and 100 or 10, 100
local seed = tonumber(os.getenv "SEED") or os.time()
print("seed " .. seed)

local function ids_of(rows)
  local ids = {}
  for _, row in ipairs(rows) do ids[#ids + 1] = row.id end
  table.sort(ids)
  return table.concat(ids, " ")
end

local function open()
  return neap.open { url = "dynamodb://us-east-1?endpoint=" .. endpoint, access_key = "spec", secret_key = "spec",
    table_template = ("spec_%s_{table}"):format(os.tmpname():gsub("%W", "")) }
end

-- ---- Keys and indexes ----

local random = math.random
local users, topics = { "ada", "bob", "cy" }, { "sea", "tide", "wind" }

local function pick(list) return list[random(#list)] end

--- A model with a range key, a global index that some rows are not in, and a local one that does not hold all; filled.
local function planned(store, name)
  local t = neap.types
  local Post = store:model(name, {
    { "user", t.string { hash_key = true } }, { "id", t.integer { range_key = true } }, { "topic", t.string() }, { "at", t.integer() },
    { "likes", t.integer { required = true } }, { "title", t.string() },
    { "by_topic", t.global_index { hash_key = "topic", range_key = "at" } },
    { "by_likes", t.local_index { range_key = "likes", projection = { "topic", "title" } } },
  }, { scan = true })
  store:bind()
  local rows = {}
  for id = 1, 60 do
    local sparse = random(4)
    rows[id] = Post {
      user = pick(users), id = id, topic = sparse ~= 1 and pick(topics) or nil, at = sparse ~= 2 and random(9) or nil,
      likes = random(5), title = random(5) > 1 and pick(topics) .. random(3) or nil,
    }
  end
  store:save(rows)
  return { Post = Post, rows = rows }
end

--- One condition that plans look for, or another one.
local function leaf(Post)
  local asked = pick {
    { Post.user, function() return pick(users) end }, { Post.id, function() return random(60) end },
    { Post.topic, function() return pick(topics) end }, { Post.at, function() return random(9) end },
    { Post.likes, function() return random(5) end }, { Post.title, function() return pick(topics) .. random(3) end },
  }
  local column, value = asked[1], asked[2]
  local operator = pick { "eq", "eq", "eq", "ne", "lt", "lte", "gt", "gte", "between", "is_in", "exists", "suffix" }
  if operator == "between" then return column:between(value(), value()) end
  if operator == "is_in" then return column:is_in { value(), value(), value() } end
  if operator == "exists" then return column:exists(random(2) == 1) end
  if operator == "suffix" then return Post.title:suffix(tostring(random(3))) end
  return column[operator](column, value())
end

local function branch(Post, depth)
  local kind = depth == 0 and 1 or random(8)
  if kind <= 5 then return leaf(Post) end
  if kind == 6 then return ~branch(Post, depth - 1) end
  local a, b = branch(Post, depth - 1), branch(Post, depth - 1)
  if kind == 7 then return a & b else return a | b end
end

local orders = {
  {}, { "id" }, { "-id" }, { "at", "id" }, { "-at", "user", "id" }, { "likes", "id" }, { "-likes", "-id" }, { "user", "id" },
}

--- Whether row a comes before row b: absent values come last.
local function before(order)
  return function(a, b)
    for _, name in ipairs(order) do
      local down, field = name:match "^(-?)(.*)$"
      local x, y = a[field], b[field]
      if x ~= y then
        if x == nil or y == nil then return y == nil end
        if down == "-" then return x > y else return x < y end
      end
    end
    return a.id < b.id
  end
end

local function ordered_ids(rows)
  local ids = {}
  for i, row in ipairs(rows) do ids[i] = row.id end
  return table.concat(ids, " ")
end

--- Asks the store and the evaluator. Gives the name of the plan.
local function compare(world)
  local Post, met = world.Post, {}
  local condition = random(3) == 1 and Post.user:eq(pick(users)) or leaf(Post)
  for _ = 1, random(0, 3) do condition = condition & branch(Post, 2) end
  for _, row in ipairs(world.rows) do
    if condition:matches(row) then met[#met + 1] = row end
  end
  local order, query = pick(orders), Post:where(condition)
  if #order > 0 then query = query:order(table.unpack(order)) end
  if random(2) == 1 then query = query:select(pick { "title", "topic", "likes" }) end
  local name = query:explain().plan
  local said = ("seed %d: %s, order %s, %s"):format(seed, condition, table.concat(order, " "), name)
  assert.equal(#met, query:count(), said)
  if #order == 0 then
    assert.equal(ids_of(met), ids_of(query:all()), said)
    return name
  end
  table.sort(met, before(order))
  assert.equal(ordered_ids(met), ordered_ids(query:all()), said)
  local limit, skip = random(0, 5), random(0, 3)
  assert.equal(ordered_ids(table.move(met, skip + 1, skip + limit, 1, {})), ordered_ids(query:skip(skip):limit(limit):all()), said)
  local paged, cursor = {}, nil
  repeat
    local page
    page, cursor = query:page { size = 4, after = cursor }
    for _, row in ipairs(page) do paged[#paged + 1] = row end
  until not cursor
  assert.equal(ordered_ids(met), ordered_ids(paged), "by pages, " .. said)
  return name
end

describe("random conditions over random rows in DynamoDB", function()
  it("are answered as the evaluator answers them (seed " .. seed .. ")", function()
    local store = open()
    math.randomseed(seed)
    generator.plain()
    local filtered, partial = 0, 0
    for round = 1, ROUNDS do
      local world = generator.world(store, "Thing" .. round)
      for _ = 1, CONDITIONS do
        local one, met = world.tree(), {}
        for _, row in ipairs(world.rows) do
          if one.meets(row) then met[#met + 1] = row end
        end
        local query = world.Thing:where(one.condition)
        local x = query:explain()
        local ok, rows = pcall(query.all, query)
        if not ok then error(("seed %d: %s: %s\n%s"):format(seed, rows, one.condition, neap.json.encode(x.request or {}))) end
        local found = ids_of(rows)
        if found ~= ids_of(met) then
          assert.equal(ids_of(met), found, ("seed %d: %s\n%s"):format(seed, one.condition, neap.json.encode(x.request or {})))
        end
        if x.request and x.request.FilterExpression then filtered = filtered + 1 end
        if #met > 0 and #met < #world.rows then partial = partial + 1 end
      end
    end
    assert.is_true(filtered * 4 >= ROUNDS * CONDITIONS, filtered .. " conditions went to the service")
    assert.is_true(partial * 5 >= ROUNDS * CONDITIONS, partial .. " conditions met some rows but not all")
    store:close()
  end)

  it("are planned so that nothing is missed, over keys and indexes (seed " .. seed .. ")", function()
    local store = open()
    math.randomseed(seed)
    local plans = {}
    for round = 1, ROUNDS do
      local world = planned(store, "Post" .. round)
      for _ = 1, CONDITIONS / 2 do
        local name = compare(world)
        plans[name] = (plans[name] or 0) + 1
      end
    end
    for _, name in ipairs { "nothing", "get table", "query table", "query index by_topic", "query index by_likes", "scan table" } do
      assert.truthy(plans[name], name)
    end
    store:close()
  end)
end)
