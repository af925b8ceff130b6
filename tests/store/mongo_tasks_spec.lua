-- Query Objects in many tasks at a time, each with nested filters of its own over the same relations: none ever gets what belongs
-- to another, also where tasks beside it fail, are cancelled or run out of time, and all share one connection.
local contract = require "tests.store.contract"
local mongo = require "neap.mongo"
local neap = require "neap"
local shop = require "tests.store.shop"

local ROUNDS, TASKS = os.getenv "NEAP_SOAK" and 1000 or 5, 50

--- Query Object number i: what it nests depends on i.
local function asked(i)
  local user, descending = i % 3 + 1, i % 2 == 0
  return {
    filter = { views = { ["$gte"] = i % 4 * 10 } }, sort = "id", project = "id",
    join = {
      comments = {
        filter = { user_id = user }, sort = descending and "id-" or "id", limit = i % 5 < 4 and i % 5 + 1 or neap.null,
        join = { user = { project = "name", join = { posts = {
          filter = { views = { ["$lte"] = i % 6 * 6 } }, sort = "id", project = "id",
        } } } },
      },
      tags = { filter = { name = { ["$prefix"] = i % 2 == 0 and "s" or "d" } }, sort = "name" },
    },
  }
end

--- What must come of it, worked out alone. Everything in asked() repeats after 60.
local function expected(many)
  local texts = {}
  for i = 0, 59 do texts[i] = many:query(asked(i)):json() end
  return texts
end

--- Runs the function in a task that is cancelled before or while it waits.
local function cancelled(f)
  local task = neap.spawn(f)
  neap.sleep(0)
  task:cancel()
  local ok, e = neap.try(task.await, task)
  return ok or e.kind == "cancelled"
end

local function refused(kinds, f)
  local ok, e = neap.try(f)
  return not ok and kinds:find(e.kind, 1, true) ~= nil
end

--- What task i does; true if it went as it must.
local function work(store, many, right, i, slow)
  local function ask() return many:query(asked(i)):json() == right[i % 60] end
  if i % 7 == 0 then return refused("query", function() many:query { join = { comments = { filter = { foo = i } } } } end) end
  if i % 11 == 0 then return refused("usage mismatch", function() store:sql "SELECT nothing FROM nowhere" end) end
  if i % 13 == 0 then return cancelled(ask) end
  if i % 17 == 0 then
    local ok, e = neap.try(neap.timeout, 0.0005, slow or ask)
    return ok or e.kind == "timeout"
  end
  if i % 5 == 0 then
    return neap.json.encode(many:query(asked(i)):run()) == neap.json.encode(neap.json.decode(right[i % 60]))
  end
  return ask()
end

local function rounds(store, slow)
  local m = shop.fill(store, shop.declare(store))
  local many = mongo.reusable(mongo.query(m.Post))
  local right = expected(many)
  for round = 1, ROUNDS do
    local works = {}
    for i = 1, TASKS do
      local number = round * TASKS + i
      works[i] = function() return work(store, many, right, number, slow) end
    end
    for i, well in ipairs(neap.all(works)) do assert.is_true(well, ("round %d, task %d"):format(round, i)) end
  end
  assert.equal(5, m.Post:count())
end

contract.sql("Query Objects in many tasks", function(c)
  it(("never mix in %d rounds of %d tasks"):format(ROUNDS, TASKS), function() rounds(c.store) end)
end)

contract.only("postgres", "Query Objects in many tasks", function(c)
  it(("never mix in %d rounds of %d tasks on one connection"):format(ROUNDS, TASKS), function()
    local store = neap.open(c.url .. "?pool=1")
    rounds(store, function() return store:sql "SELECT pg_sleep(0.003)" end)
    store:close()
  end)
end)
