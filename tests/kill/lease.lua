-- Does a job under a lock, again and again, until it has been done so often: lease.lua URL NAME JOBS SEED. A job counts on
-- from the highest number in the table, in a way that counts double if two do it at once. Tells what it took and lost.
-- Under `neap run --lock-store` it has the lock already, and does the job once.
local lease = require "neap.lease"
local neap = require "neap"
local t = neap.types
local url, name, jobs, seed = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])

math.randomseed(seed)
io.stdout:setvbuf "line"
local store = neap.open(url)
local Entry = store:model("Entry", {
  id = t.integer { primary = true, auto = true }, name = t.string(), value = t.integer(), token = t.integer(),
}, { table = "entries" })

local INSERT = "INSERT INTO entries (name, value, token) VALUES (?, ?, ?)"

-- Ways to write the next number, or the next two.
local ways = {
  function(entry) Entry(entry):save() end,
  function(entry) store:sql(INSERT, { entry.name, entry.value, entry.token }) end,
  function(entry)
    store:save { Entry(entry), Entry { name = entry.name, value = entry.value + 1, token = entry.token } }
  end,
  function(entry)
    store:transaction(function()
      Entry(entry):save()
      neap.sleep(0.01 * math.random())
      Entry { name = entry.name, value = entry.value + 1, token = entry.token }:save()
    end)
  end,
  store:supports "copy" and function(entry)
    store:copy_in("COPY entries (name, value, token) FROM STDIN", ("%s\t%d\t%d\n"):format(name, entry.value, entry.token))
  end or nil,
}

local function job(lock)
  for _ = 1, 3 do
    local last = Entry:where { name = name }:max "value" or 0
    neap.sleep(0.03 * math.random())
    ways[math.random(#ways)] { name = name, value = last + 1, token = lock.token }
  end
end

local given = math.tointeger(os.getenv "NEAP_LOCK_TOKEN")
if given then
  print("took", given)
  job { token = given }
  jobs = 0
end
while jobs > 0 do
  local lock <close> = lease.take(store, name, { seconds = 0.1 })
  if lock then
    print("took", lock.token)
    local ok, e = pcall(lock.run, lock, job, lock)
    if ok then jobs = jobs - 1 end
    if not ok and e.code ~= "lost" then error(e, 0) end
    if not ok then print("lost", e.message) end
  else
    neap.sleep(0.02 * math.random())
  end
end
print "finished"
