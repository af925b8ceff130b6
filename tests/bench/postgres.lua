-- postgres.lua WORK URL: the seconds that the work of postgres_peer.c takes with objects, or, run by a stock Lua, with LuaSQL.
local ROUNDS, ROWS, WRITES, NESTED, TASKS = 3, 100000, 20000, 100, 50
local work, url = table.unpack(arg)
local found, neap = pcall(require, "neap")
local COLUMNS = "SELECT id, name, email, age, score, active, bio, data FROM people"
local jobs, clock = {}

local function fields(i)
  return {
    name = "User number " .. i, email = "user" .. i .. "@example.org", age = 18 + i % 70, score = i * 0.5,
    active = i % 2 == 1, bio = "Some text about this user, of ordinary length", data = '{"level":' .. i % 10 .. ',"tags":["a","b"]}',
  }
end

if found then
  local t = neap.types
  local store = neap.open(url)
  local Person = store:model("Person", {
    id = t.integer { primary = true, auto = true }, name = t.string(), email = t.string(), age = t.integer(),
    score = t.number(), active = t.boolean(), bio = t.string(), data = t.string(),
  }, { table = "people" })
  local Author = store:model("Author", {
    id = t.integer { primary = true }, name = t.string(), books = t.has_many("Book", "author"),
  }, { table = "authors" })
  store:model("Book", {
    id = t.integer { primary = true }, author = t.pointer("Author", { column = "author_id" }), title = t.string(),
    reviews = t.has_many("Review", "book"),
  }, { table = "books" })
  store:model("Review", {
    id = t.integer { primary = true }, book = t.pointer("Book", { column = "book_id" }), stars = t.integer(), body = t.string(),
  }, { table = "reviews" })

  local function get(from, to)
    for i = from, to do Person:get(i * 7919 % ROWS + 1) end
  end

  function jobs.read()
    for _ in Person:each() do end
  end

  function jobs.get() get(1, WRITES) end

  -- The same number of them, by tasks that wait side by side.
  function jobs.tasks()
    local list, share = {}, WRITES // TASKS
    for i = 1, TASKS do list[i] = function() get((i - 1) * share + 1, i * share) end end
    neap.all(list)
  end

  local objects, round = nil, 0
  function jobs.before_insert()
    store:sql "TRUNCATE people"
    objects = {}
    for i = 1, WRITES do objects[i] = Person(fields(i)) end
    collectgarbage()
  end

  function jobs.insert() store:save(objects) end

  function jobs.before_update()
    store:sql "VACUUM people"
    objects = Person:order("id"):limit(WRITES):all()
    for i, p in ipairs(objects) do p.age = i + round end  -- as in postgres_peer.c
    round = round + 1
    collectgarbage()
  end

  function jobs.update() store:save(objects) end

  function jobs.nested()
    for _ = 1, NESTED do
      local reviews = 0
      for _, author in ipairs(Author:order("id"):include("books.reviews"):all()) do
        for book in author.books:each() do
          for _ in book.reviews:each() do reviews = reviews + 1 end
        end
      end
      assert(reviews == 1500)
    end
  end

  local epoch = neap.datetime "2020-01-01"
  function clock() return neap.now() - epoch end
else
  local user, host, port, name = url:match "^postgres://(.-)@(.-):(%d+)/(.*)$"
  local db = assert(require("luasql.postgres").postgres():connect(name, user, "", host, port))

  function jobs.read()
    local cursor = db:execute(COLUMNS)
    while cursor:fetch({}, "a") do end
    cursor:close()
  end

  function jobs.get()
    for i = 1, WRITES do
      local cursor = db:execute(COLUMNS .. " WHERE id = " .. i * 7919 % ROWS + 1)
      cursor:fetch({}, "a")
      cursor:close()
    end
  end

  -- A stock Lua measures the time of its own process only; the server has a clock.
  function clock()
    local cursor = db:execute "SELECT extract(epoch FROM clock_timestamp())"
    local seconds = tonumber(cursor:fetch())
    cursor:close()
    return seconds - 1.6e9
  end
end

local best = math.huge
for i = 0, ROUNDS do
  if jobs["before_" .. work] then jobs["before_" .. work]() end
  local start = clock()
  jobs[work]()
  local took = clock() - start
  if i > 0 then best = math.min(best, took) end
end
print(("%.9f"):format(best))
