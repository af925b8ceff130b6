-- dynamodb.lua WORK ENDPOINT [cpu]: the seconds that the work of dynamodb_peer.c takes with objects, or those of the processor.
local ROUNDS, ITEMS = 3, 1000
local neap = require "neap"
local work, endpoint, cpu = table.unpack(arg)
local t = neap.types
local jobs = {}

local store = neap.open { url = "dynamodb://us-east-1?endpoint=" .. endpoint, access_key = "key", secret_key = "secret" }
local Person = store:model("Person", {
  shop = t.string { hash_key = true }, id = t.integer { range_key = true }, name = t.string(), email = t.string(),
  age = t.integer(), score = t.number(), active = t.boolean(), bio = t.string(),
}, { table = "people" })

-- Each round makes its objects, as the others make theirs.
function jobs.write()
  local list = {}
  for i = 1, ITEMS do
    list[i] = Person {
      shop = "north", id = i, name = "User number " .. i, email = "user" .. i .. "@example.org", age = 18 + i % 70,
      score = i * 0.5, active = i % 2 == 1, bio = "Some text about this user, of ordinary length",
    }
  end
  store:with({ persist = "overwrite" }, function() store:save(list) end)
end

function jobs.query()
  for _ = 1, 20 do assert(#Person:where { shop = "north" }:all() == ITEMS) end
end

function jobs.load()
  for _ = 1, 10 do
    local list = {}
    for i = 1, ITEMS do list[i] = Person { shop = "north", id = i } end
    store:load(list)
    assert(list[ITEMS].age)
  end
end

local epoch = neap.datetime "2020-01-01"
local clock = cpu and os.clock or function() return neap.now() - epoch end
local best = math.huge
for i = 0, ROUNDS do
  local start = clock()
  jobs[work]()
  local took = clock() - start
  if i > 0 then best = math.min(best, took) end
end
print(("%.9f"):format(best))
