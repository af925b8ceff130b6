-- object.lua WORK: what one step of the work costs on objects of 8 columns, in seconds (bytes for `memory`).
local neap = require "neap"
local t = neap.types
local work = arg[1]
local OBJECTS, STEPS = 100000, 5000000

local store = neap.open "sqlite::memory:"
local Person = store:model("Person", {
  id = t.integer { primary = true, auto = true }, name = t.string(), email = t.string(), age = t.integer(),
  score = t.number(), active = t.boolean(), bio = t.string(), data = t.json(),
})
store:bind()

local function fill()
  local list = {}
  for i = 1, OBJECTS do
    list[i] = Person {
      name = "User number " .. i, email = "user" .. i .. "@example.org", age = 18 + i % 70, score = i * 0.5,
      active = i % 2 == 1, bio = "Some text about this user, of ordinary length", data = { level = i % 10, tags = { "a", "b" } },
    }
  end
  store:save(list)
end

--- Seconds of one of n steps, the best of five runs.
local function measure(n, f)
  local best = math.huge
  for _ = 1, 5 do
    collectgarbage()
    local start = os.clock()
    f(n)
    best = math.min(best, os.clock() - start)
  end
  return best / n
end

local jobs = {}

function jobs.make()
  return measure(OBJECTS, function(n)
    for i = 1, n do local _ = Person { name = "Ada", age = i } end
  end)
end

local function one()
  Person { name = "Ada", email = "ada@example.org", age = 36, score = 1.5 }:save()
  return Person:get(1)
end

function jobs.read()
  local p = one()
  return measure(STEPS, function(n)
    for _ = 1, n, 10 do  -- ten a round, as the loop itself costs 3 ns
      local _, _, _, _, _ = p.age, p.age, p.age, p.age, p.age
      local _, _, _, _, _ = p.age, p.age, p.age, p.age, p.age
    end
  end)
end

function jobs.read_text()
  local p = one()
  return measure(STEPS, function(n)
    for _ = 1, n do local _ = p.name end
  end)
end

function jobs.write()
  local p = one()
  return measure(STEPS, function(n)
    for i = 1, n do p.age = i end
  end)
end

-- The check for changes is all that there is to saving a list in which nothing has changed: it is what this measures, for
-- each object, with the walks over the list (its items have to be objects; none may have hooks or lead to new objects).
function jobs.unchanged()
  fill()
  local list = Person:all()
  return measure(OBJECTS, function() store:save(list) end)
end

function jobs.memory()
  fill()
  collectgarbage()
  local before = collectgarbage "count"
  local list = Person:all()
  collectgarbage()
  return (collectgarbage "count" - before) * 1024 / #list
end

print(jobs[work]())
