-- sqlite.lua WORK FILE: the seconds that the work of sqlite_peer.c takes with objects, or, run by a stock Lua, with LuaSQL.
local ROUNDS, ROWS, WRITES = 3, 100000, 20000
local work, path = table.unpack(arg)
local found, neap = pcall(require, "neap")
local jobs = {}

local function fields(i)
  return {
    name = "User number " .. i, email = "user" .. i .. "@example.org", age = 18 + i % 70, score = i * 0.5,
    active = i % 2 == 1, bio = "Some text about this user, of ordinary length", data = '{"level":' .. i % 10 .. ',"tags":["a","b"]}',
  }
end

if found then
  local t = neap.types
  local store = neap.open("sqlite:" .. path)
  local Person = store:model("Person", {
    id = t.integer { primary = true, auto = true }, name = t.string(), email = t.string(), age = t.integer(),
    score = t.number(), active = t.boolean(), bio = t.string(), data = work == "fields" and t.json() or t.string(),
  }, { table = "people" })

  function jobs.read()
    for _ in Person:each() do end
  end

  -- Every field is read, so that texts become strings and JSON is decoded.
  function jobs.fields()
    local sink
    for p in Person:each() do
      sink = p.id and p.name and p.email and p.age and p.score and (p.active or true) and p.bio and p.data.level
    end
    return sink
  end

  function jobs.get()
    for i = 1, WRITES do Person:get(i * 7919 % ROWS + 1) end
  end

  local objects, round = nil, 0
  function jobs.before_insert()
    store:sql "DELETE FROM people"
    objects = {}
    for i = 1, WRITES do objects[i] = Person(fields(i)) end
    collectgarbage()
  end

  function jobs.insert() store:save(objects) end

  function jobs.before_update()
    objects = Person:limit(WRITES):all()
    for i, p in ipairs(objects) do p.age = i + round end  -- as in sqlite_peer.c
    round = round + 1
    collectgarbage()
  end

  function jobs.update() store:save(objects) end
else
  local db = require("luasql.sqlite3").sqlite3():connect(path)
  function jobs.read()
    local cursor = db:execute "SELECT id, name, email, age, score, active, bio, data FROM people"
    while cursor:fetch({}, "a") do end
    cursor:close()
  end
end


local best = math.huge
for i = 0, ROUNDS do
  if jobs["before_" .. work] then jobs["before_" .. work]() end
  local start = os.clock()
  jobs[work]()
  local took = os.clock() - start
  if i > 0 then best = math.min(best, took) end
end
print(best)
