-- queue.lua: jobs that wait in a table, taken by any number of workers on any number of machines.
--   neap scripts/queue.lua URL add KIND [JSON] [--in SECONDS]
--   neap scripts/queue.lua URL work handlers.lua [--workers N] [--lease SECONDS] [--until-empty]
--   neap scripts/queue.lua URL list
-- handlers.lua returns { kind = function(payload, job) ... end }. A job that was taken is hidden for the lease, which
-- is renewed while its handler runs: it is due again if its worker dies. What raises is tried again, five times in all.
local neap = require "neap"
local t = neap.types

local LEASE = 60  -- seconds that a job is hidden once it is taken
local DELAY = 10  -- seconds before the second try; twice as many before the next one
local POLL = 1    -- seconds between two looks at an empty queue
local TRIES = 5   -- before a job is given up

local function usage(format, ...)
  io.stderr:write("queue.lua: ", string.format(format, ...), "\n",
    "usage: queue.lua URL add KIND [JSON] [--in SECONDS]\n",
    "       queue.lua URL work handlers.lua [--workers N] [--lease SECONDS] [--until-empty]\n",
    "       queue.lua URL list\n")
  os.exit(2)
end

-- ---- The table ----

local function declare(store)
  local Job = store:model("Job", {
    id      = t.integer  { primary = true, auto = true },
    kind    = t.string   { required = true },
    payload = t.json     (),
    due     = t.datetime (),               -- when it may be taken; absent: never, it was given up
    tries   = t.integer  { default = 0 },
    error   = t.string   (),               -- what the last try raised
    by_due  = t.index    { "due", "id" },
  }, { table = "jobs" })
  store:bind()
  return Job
end

--- The next job that is due, now hidden from others until its lease ends; nil if there is none.
local function take(store, Job, lease)
  local waiting = Job:where { due__lte = neap.now() }:order("due", "id"):limit(1)
  if not waiting:exists() then return end  -- looking locks nothing
  return store:transaction(function()
    -- PostgreSQL passes over what others are taking. SQLite has one transaction at a time, which does the same.
    if store:supports "for_update" then waiting = waiting:for_update { skip_locked = true } end
    local job = waiting:first()
    if not job then return end
    job.due, job.tries, job.error = neap.now() + lease, job.tries + 1, nil
    return job:save()
  end)
end

--- The job as long as it is ours: another try has another number.
local function mine(Job, job)
  return Job:where { id = job.id, tries = job.tries }
end

-- ---- Working ----

local function say(...)
  print(string.format(...))
  io.stdout:flush()
end

--- Renews the lease until it is cancelled, or raises once the job is another worker's.
local function renew(Job, job, lease)
  repeat neap.sleep(lease / 3) until mine(Job, job):update { due = neap.now() + lease } == 0
  error("it took longer than the lease, which was not renewed in time: another worker has it", 0)
end

local function fail(Job, job, why)
  local due = job.tries < TRIES and neap.now() + DELAY * 2 ^ (job.tries - 1) or neap.null
  mine(Job, job):update { due = due, error = why }
  say("failed %d %s, try %d%s: %s", job.id, job.kind, job.tries, due == neap.null and ", given up" or "", why)
end

local function run(Job, job, handlers, lease)
  local _, e = neap.try(function()
    local handler = handlers[job.kind] or error(("no handler for jobs of kind %s"):format(job.kind), 0)
    neap.race { function() handler(job.payload, job) end, function() renew(Job, job, lease) end }
  end)
  if neap.is(e, "cancelled") then
    error(e, 0)  -- we are told to end, and the job is left to its lease
  elseif e then
    fail(Job, job, tostring(e))
  else
    mine(Job, job):delete()
    say("done %d %s", job.id, job.kind)
  end
end

local function work(store, Job, options)
  local handlers = dofile(options.handlers)
  local function worker()
    while true do
      local job = take(store, Job, options.lease)
      if job then
        run(Job, job, handlers, options.lease)
      elseif options.until_empty then
        return
      else
        neap.sleep(POLL)
      end
    end
  end
  local workers = {}
  for i = 1, options.workers do workers[i] = worker end
  neap.all(workers)
end

-- ---- The command line ----

local function number(text, option)
  local n = tonumber(text)
  if not n or n <= 0 then usage("%s takes a number above 0, not %s", option, text or "nothing") end
  return n
end

local function read_arguments()
  local options, words, i = { lease = LEASE, workers = 1 }, {}, 1
  while arg[i] do
    local option = arg[i]:match "^%-%-(.*)"
    if option == "until-empty" then
      options.until_empty = true
    elseif option == "in" or option == "lease" or option == "workers" then
      i = i + 1
      options[option] = number(arg[i], arg[i - 1])
    elseif option then
      usage("%s is no option", arg[i])
    else
      words[#words + 1] = arg[i]
    end
    i = i + 1
  end
  return words, options
end

local words, options = read_arguments()
local url, verb = words[1], words[2]
if verb == "work" then options.handlers = words[3] or usage "the file of the handlers is missing" end
if verb == "add" and not words[3] then usage "the kind of the job is missing" end
if verb ~= "add" and verb ~= "work" and verb ~= "list" then usage "one of add, work and list is wanted" end

local store = neap.open(url)
local Job = declare(store)
if verb == "add" then
  local payload = words[4] and neap.json.decode(words[4]) or nil
  local job = Job:create { kind = words[3], payload = payload, due = neap.now() + (options["in"] or 0) }
  say("added %d %s", job.id, job.kind)
elseif verb == "work" then
  work(store, Job, options)
else
  for job in Job:order("due", "id"):each() do
    local why = job.error and ": " .. job.error or ""
    say("%d %s %s tries %d%s", job.id, job.kind, job.due or "given up", job.tries, why)
  end
end
store:close()
