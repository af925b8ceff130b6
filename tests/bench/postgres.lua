-- postgres.lua WORK URL: the seconds that the work of postgres_peer.c takes with objects.
local neap = require "neap"
local t = neap.types
local ROUNDS, ROWS, GETS, TASKS = 3, 100000, 20000, 50
local work, url = table.unpack(arg)

local store = neap.open(url)
local Person = store:model("Person", {
  id = t.integer { primary = true, auto = true }, name = t.string(), email = t.string(), age = t.integer(),
  score = t.number(), active = t.boolean(), bio = t.string(), data = t.string(),
}, { table = "people" })

local function get(from, to)
  for i = from, to do Person:get(i * 7919 % ROWS + 1) end
end

local jobs = {
  read = function() for _ in Person:each() do end end,
  get = function() get(1, GETS) end,
  -- The same number of them, by tasks that wait side by side.
  tasks = function()
    local list, share = {}, GETS // TASKS
    for i = 1, TASKS do list[i] = function() get((i - 1) * share + 1, i * share) end end
    neap.all(list)
  end,
}

local function now() return neap.now() - neap.datetime "2020-01-01" end

local best = math.huge
for _ = 1, ROUNDS do
  local start = now()
  jobs[work]()
  best = math.min(best, now() - start)
end
print(("%.9f"):format(best))
