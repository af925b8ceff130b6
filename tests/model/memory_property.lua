-- luacheck: std +busted
-- Random queries over random rows: what memory makes of the rows of a table is what SQLite gives. memory_test.sh runs this with a
-- store that can be asked both ways. The seed is printed; give it as SEED to see the same run again.
local generator = require "tests.store.random"
local neap = require "neap"
local sql = require "neap.sql"

local ROUNDS, QUERIES = os.getenv "NEAP_SOAK" and 200 or 20, 100
local seed = tonumber(os.getenv "SEED") or os.time()
local random = math.random
print("seed " .. seed)

local function pick(list) return list[random(#list)] end
local function one_in(n) return random(n) == 1 end

local scalars = { "s", "i", "n", "d", "b", "at", "ts", "day", "u", "by", "peer" }
local places = { "s", "i", "n", "d", "b", "at", "ts", "day", "u", "by", "peer", "j.a", "j.list.0", "j.o.x", "m.a", "l.0" }
local far = { "peer.s", "peer.i", "peer.d", "peer.peer.n", "peer.j.a", "peer.peers.count", "peers.count", "friends.count" }
local exact = { "i", "d" }  -- sums of doubles are another in another order

--- A value as text; numbers by their value: which of 1.1 and 1.10 stands for both is left open.
local function show(value)
  if type(value) == "table" then return neap.json.encode(value) end
  local number = tonumber(tostring(value))
  return number and ("%.12g"):format(number) or tostring(value)
end

local function dump(row)
  local names, parts = {}, {}
  for name in pairs(row) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = name .. "=" .. show(row[name]) end
  return table.concat(parts, " ")
end

local function dump_all(rows)
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = dump(row) end
  return table.concat(lines, "\n")
end

--- Some different ones of a list.
local function some(list, most)
  local chosen, seen = {}, {}
  for _ = 1, random(0, most) do
    local one = pick(list)
    if not seen[one] then chosen[#chosen + 1] = one end
    seen[one] = true
  end
  return chosen
end

local function either_way(name) return one_in(2) and "-" .. name or name end

local function cut(q)
  if one_in(2) then q = q:limit(random(0, 30)) end
  if one_in(3) then q = q:skip(random(0, 20)) end
  return q
end

local function plain_query(world)
  local q = world.Thing:where(world.tree().condition)
  for _, name in ipairs(some(one_in(4) and far or places, 3)) do q = q:order(either_way(name)) end
  q = cut(q:order(either_way "id"))
  if one_in(3) then q = q:select("id", table.unpack(some(scalars, 4))) end
  if one_in(5) then return function() return "count " .. q:count() end end
  return function() return dump_all(q:rows()) end
end

local function labels()
  local made = { n = { ["$count"] = true }, some = { ["$count"] = pick(places) }, met = { ["$count"] = { i__gt = 1 } } }
  if one_in(2) then made.total = { ["$sum"] = pick(exact) } end
  if one_in(2) then made.mean = { ["$avg"] = "d" } end  -- of integers SQLite adds up doubles
  if one_in(2) then made.least = { ["$min"] = pick(places) } end
  if one_in(2) then made.most = { ["$max"] = pick(places) } end
  return made
end

local function group_query(world)
  local q, computed = world.Thing:where(world.tree().condition), labels()
  local groups = some(scalars, 2)
  if one_in(5) then groups[#groups + 1] = pick { "peer.s", "peer.d", "peer.peer.day", "peers.count" } end
  if one_in(5) then computed.away = { [pick { "$min", "$max", "$count" }] = pick(far) } end
  if one_in(5) then
    computed.met = { ["$count"] = pick { { peer__i__gt = 1 }, { peers__count__gte = 1 }, { friends__s__prefix = "a" } } }
  end
  for _, name in ipairs(groups) do q = q:group(name) end
  if #groups > 0 and one_in(5) then
    q = cut(q)
    return function() return "count " .. q:count() end
  end
  if #groups > 0 then
    if one_in(3) then q = q:having { [pick { "n", "some", "met" }] = { [pick { "$gt", "$lte", "$ne", "$eq" }] = random(0, 3) } } end
    if one_in(4) and computed.most then q = q:having { most = { ["$gte"] = pick { 1, "a" } } } end
    if one_in(2) then q = q:order(either_way(pick { "n", "some" })) end
    for _, name in ipairs(groups) do q = q:order(either_way(name)) end
    q = cut(q)
  end
  return function()
    local got = q:aggregate(computed)
    return dump_all(#groups > 0 and got or { got })
  end
end

--- What a query gives. Sums may be too large, of groups that one of the two does not have to look at.
local function asked(store, plain, query)
  sql.plain(store, plain)
  local ok, got = pcall(query)
  sql.plain(store, false)
  if ok then return got end
  if not got.message:find "integer of 64 bits" then error(got, 0) end
  return "overflow"
end

describe("a query in memory", function()
  it(("gives what SQLite gives (seed %d)"):format(seed), function()
    local store = neap.open "sqlite::memory:"
    math.randomseed(seed)
    for round = 1, ROUNDS do
      local world = generator.world(store, "Thing" .. round)
      for i = 1, QUERIES do
        local query = (i % 2 == 0 and plain_query or group_query)(world)
        local expected = asked(store, false, query)
        local got = asked(store, true, query)
        if expected ~= "overflow" and got ~= "overflow" then assert.equal(expected, got) end
      end
    end
  end)
end)
