-- The import that is killed, stopped and starved: PATH ROWS BATCH [STOP [open]]. Says what it found, then each commit.
-- After commit number STOP, or inside the transaction that follows it, it waits: whoever reads its output may end it then.
local neap = require "neap"
local t = neap.types

local path, rows, batch, stop = arg[1], tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4])
local inside = arg[5] == "open"

local function say(...)
  print(...)
  io.stdout:flush()
end

local function wait_to_be_killed()
  say "waiting"
  neap.sleep(3600)
end

local store = neap.open("sqlite:" .. path)
local Row = store:model("Row", {
  id = t.integer { primary = true },
  name = t.string { required = true },
  data = t.map(t.integer()),
})
store:bind()

local there, missing = {}, {}
for row in Row:select("id"):each() do there[row.id] = true end
for id = 1, rows do if not there[id] then missing[#missing + 1] = id end end
say(("complete %d missing %d"):format(rows - #missing, #missing))

local function objects(first)
  local list = {}
  for i = first, math.min(first + batch - 1, #missing) do
    local id = missing[i]
    list[#list + 1] = Row { id = id, name = ("row %d"):format(id), data = { half = id // 2 } }
  end
  return list
end

local commits = 0
for first = 1, #missing, batch do
  store:transaction(function()
    store:save(objects(first))
    if inside and commits == stop then wait_to_be_killed() end
  end)
  commits = commits + 1
  say("commit", commits)
  if not inside and commits == stop then wait_to_be_killed() end
end
say "done"
