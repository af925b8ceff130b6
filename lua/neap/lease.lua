-- neap.lease: a lock in a store, for jobs that must not run twice at once, on however many machines.
--
-- The table neap_leases has a row, or an item, for each lock. Its `token` counts who has had the lock: it is what a
-- write is checked against, so that a holder who was stopped for too long writes nothing any more. Its `renewals` count
-- on while the holder lives. Nobody compares clocks: the lock is taken over by whoever has watched both numbers stand
-- still for a whole lease, by a clock of his own that never goes back; or at once if its holder has given it back, or
-- is known to have ended.
local fence = require "neap.fence"
local host = require "neap.host"
local kernel = require "neap.save_kernel"
local process = require "neap.process"
local view = require "neap.view"

local lease = {}

local function fail(kind, code, format, ...)
  error(host.error { kind = kind, code = code, message = string.format(format, ...) }, 0)
end

-- What keeps locks, by the kind of the store: a function that gives a database. It has `place`, as fences name it,
-- `fence`, the text that asks it, and methods:
--   read(name) -> row with token, renewals, seconds, and its holder: pid, host, machine, born, since
--   is_out(row) -> whether the holder is known to have ended
--   take(row, seconds) -> token, nothing where somebody else has taken it since the row was seen
--   renew(name, token) -> whether the lock still has this token
--   release(name, token), leave()
local keepers = { sqlite = "neap.lease.sql", postgres = "neap.lease.sql", dynamodb = "neap.dynamodb.lease" }

local function database(store)
  local keeper = keepers[view.kind(store)]
  if not keeper then fail("unsupported", nil, "%s keeps no locks", view.kind(store)) end
  return require(keeper)(store)
end

-- ---- Taking ----

local function is_free(self, row)
  return row.pid == nil or process.ended(row) or self:is_out(row)
end

--- Watches the holder for a whole lease. Gives the row as it was seen last, and whether the lock may be taken.
local function watch(self, row)
  local from = process.uptime()
  while not is_free(self, row) do
    host.sleep(math.min(row.seconds / 10, 1))
    local watched = process.uptime() - from
    local seen = self:read(row.name)
    if seen.token ~= row.token or seen.renewals ~= row.renewals then return seen, is_free(self, seen) end
    if watched >= row.seconds then return row, true end
  end
  return row, true
end

local Lease = {}
Lease.__index = Lease
Lease.__name = "neap.lease"

local Holder = {}

function Holder:__tostring()
  local who = self.pid and (" by process %d on %s, since %s"):format(self.pid, self.host, self.since) or ""
  return ("the lock %s is held%s"):format(self.name, who)
end

local function holder_of(row)
  local holder = { name = row.name, host = row.host, pid = row.pid, since = row.since, token = row.token }
  holder.seconds = row.seconds
  return setmetatable(holder, Holder)
end

local function attempt(self, name, seconds)
  local row, free = watch(self, self:read(name))
  local from = process.uptime()
  local token = free and self:take(row, seconds)
  if not token then return nil, holder_of(free and self:read(name) or row) end
  local lock = { name = name, token = token, seconds = seconds, deadline = from + seconds, db = self }
  lock.fence = fence.new {
    name = name, token = token, place = self.place, deadline = lock.deadline, text = self.fence,
  }
  return setmetatable(lock, Lease)
end

--- In a dry run nothing is written, so nobody is kept out.
local function rehearsed(name, seconds)
  local function done() return true end
  local function run(_, f, ...) return f(...) end
  return setmetatable({ name = name, token = 0, seconds = seconds, renew = done, release = done, run = run }, Lease)
end

--- Takes the lock, or gives nil and who has it. Waits while the holder gives no sign of life, a whole lease at most.
---@param store table
---@param name string
---@param options? { seconds?: number }  how long the lock outlives the last sign of its holder's life (default 30)
---@return table? lock, table? holder  { host =, pid =, since =, token =, seconds = }
function lease.take(store, name, options)
  local seconds = options and options.seconds or 30
  host.check("table", options or {}, "options")
  if type(name) ~= "string" or name == "" then fail("usage", nil, "a lock has a name, not %s", host.show(name)) end
  for option in pairs(options or {}) do
    if option ~= "seconds" then fail("usage", nil, "lease.take knows seconds, not %s", host.show_key(option)) end
  end
  if type(seconds) ~= "number" or not (seconds > 0 and seconds < math.huge) then
    fail("usage", nil, "seconds must be a number above 0, not %s", host.show(seconds))
  end
  if kernel.in_transaction(store) then fail("usage", nil, "a lock is taken outside of transactions") end
  if view.dry_run(store) then return rehearsed(name, seconds) end
  local self = database(store)
  local ok, lock, holder = pcall(attempt, self, name, seconds)
  if not (ok and lock) then self:leave() end
  if not ok then error(lock, 0) end
  if lock then lock.store = store end
  return lock, holder
end

-- ---- Having it ----

--- Shows that the holder lives. Raises `conflict` with the code "lost" if somebody else has the lock by now.
function Lease:renew()
  local from = process.uptime()
  if self.released then fail("conflict", "lost", "the lock %q was given back", self.name) end
  if not self.db:renew(self.name, self.token) then
    fail("conflict", "lost", "the lock %q (token %d) is lost: somebody else has taken it", self.name, self.token)
  end
  self.deadline = from + self.seconds
  fence.extend(self.fence, self.deadline)
end

--- Renews the lock until it cannot be had any more.
local function keep(self)
  while true do
    host.sleep(self.seconds / 3)
    local ok, e = pcall(self.renew, self)
    if not ok and (host.is(e, "cancelled") or e.code == "lost") then error(e, 0) end
    if not ok and process.uptime() >= self.deadline then
      error(host.error {
        kind = "conflict", code = "lost", cause = e,
        message = ("the lock %q (token %d) could not be renewed for %.14g s: %s"):format(self.name, self.token,
          self.seconds, tostring(e)),
      }, 0)
    end
  end
end

--- Runs f(...) and renews the lock meanwhile. If it is lost, f is cancelled, and `conflict` is raised with the code
--- "lost". Whatever f and what it starts write goes past a fence: the database that keeps the lock writes it only while
--- the lock has this token, others are sent nothing once it may be over.
---@param f fun(...): any
---@return any what f returned
function Lease:run(f, ...)
  host.check("function", f, "f")
  if kernel.in_transaction(self.store) then
    fail("usage", nil, "a job is run outside of transactions: nobody would see in time that its lock is renewed")
  end
  local arguments = table.pack(...)
  return host.race {
    function()
      fence.enter(self.fence)
      return f(table.unpack(arguments, 1, arguments.n))
    end,
    function() return keep(self) end,
  }
end

--- Gives the lock back; harmless when it is not held any more. False and the error if the store cannot be told: then
--- the lock lapses.
---@return boolean, table?
function Lease:release()
  if self.released then return true end
  self.released = true
  fence.give_back(self.fence)
  local ok, e = pcall(self.db.release, self.db, self.name, self.token)
  self.db:leave()
  if ok then return true end
  return false, e
end

function Lease:__close() self:release() end

function Lease:__tostring()
  return ("lock %q, token %d"):format(self.name, self.token)
end

return lease
