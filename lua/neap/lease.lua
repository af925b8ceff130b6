-- neap.lease: a lock in a store, for jobs that must not run twice at once, on however many machines.
--
-- The table neap_leases has a row for each lock. Its `token` counts who has had the lock: it is what a write is checked
-- against, so that a holder who was stopped for too long writes nothing any more. Its `renewals` count on while the
-- holder lives. Nobody compares clocks: the lock is taken over by whoever has watched both numbers stand still for a
-- whole lease, by a clock of his own that never goes back; or at once if its holder has given it back, or is known to
-- have ended.
local fence = require "neap.fence"
local host = require "neap.host"
local kernel = require "neap.save_kernel"
local now = require "neap.now"
local own_table = require "neap.own_table"
local process = require "neap.process"
local quoted = require "neap.sql.schema".quoted
local stores = require "neap.store"
local view = require "neap.view"

local lease = {}

local function fail(kind, code, format, ...)
  error(host.error { kind = kind, code = code, message = string.format(format, ...) }, 0)
end

-- ---- What the two databases do differently ----

local dialects = {
  -- Who writes has the file for himself, and what is renewed waits for the transaction that it is in the way of.
  sqlite = { skip = "", fence = "UPDATE {t} SET renewals = renewals + 1 WHERE name = ? AND token = ?" },
  -- A row is changed here under everybody's hands: a holder's transaction keeps it FOR KEY SHARE, which renewals pass
  -- and takers do not. The advisory lock of a token belongs to its holder's connection, and ends with it.
  postgres = {
    skip = "FOR UPDATE SKIP LOCKED",
    fence = "SELECT 1 / (SELECT count(*) FROM (SELECT FROM {t} WHERE name = $1 AND token = $2 FOR KEY SHARE) AS held)",
    beacon = true,
  },
}

--- A statement with the name of the table, as the store names all of them, for {t}.
local function filled(self, text)
  return (text:gsub("{t}", { ["{t}"] = self.table }))
end

local function send(self, text, params)
  return self.store:sql(filled(self, text), params)
end

--- The database of the store, on a connection of its own where the beacon needs one that lasts.
local function database(store)
  local dialect = dialects[view.kind(store)]
  if not dialect then fail("unsupported", nil, "%s has no locks: they are rows in SQL", view.kind(store)) end
  local self = { store = store, table = quoted(store, "neap_leases"), dialect = dialect }
  if dialect.beacon then
    local given = view.shared(store).given
    local options = { url = given }
    for option, value in pairs(type(given) == "table" and given or {}) do options[option] = value end
    options.pool, options.idle = 1, 0
    self.store = stores.open(options)
  end
  return self
end

local function leave(self)
  if self.dialect.beacon then self.store:close() end
end

-- A change of the token takes the whole row in PostgreSQL, because it is part of a key.
local COLUMNS = [[name TEXT PRIMARY KEY, token BIGINT NOT NULL, renewals BIGINT NOT NULL,
  seconds DOUBLE PRECISION NOT NULL, beacon BOOLEAN NOT NULL, host TEXT, machine TEXT, pid BIGINT, born BIGINT,
  since TIMESTAMP WITH TIME ZONE, UNIQUE (name, token)]]

--- The row of the lock, made if it is not there.
local function read(self, name)
  local text = "SELECT * FROM {t} WHERE name = ?"
  local rows, e = host.try(send, self, text, { name })
  if not rows and not host.is(e, "mismatch") then error(e, 0) end
  if not rows then own_table(self.store, "neap_leases", COLUMNS) end
  if rows and rows[1] then return rows[1] end
  send(self, "INSERT INTO {t} (name, token, renewals, seconds, beacon) VALUES (?, 0, 0, 0, ?) ON CONFLICT DO NOTHING",
    { name, false })
  return send(self, text, { name })[1]
end

-- ---- Beacons ----

-- The key of the advisory lock: that of one token of one lock of one table.
local KEY = "hashtextextended(? || ' ' || ?, ?)"

local function lock_beacon(self, name, token)
  return send(self, "SELECT pg_try_advisory_lock(" .. KEY .. ") AS held", { self.table, name, token })[1].held
end

local function unlock_beacon(self, name, token)
  send(self, "SELECT pg_advisory_unlock(" .. KEY .. ")", { self.table, name, token })
end

--- Whether the server keeps advisory locks at all: some that speak its protocol only say so.
local function beacon_counts(self)
  local text = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
  return self.store:sql(text)[1].n > 0
end

local function beacon_is_out(self, row)
  if not self.dialect.beacon or not row.beacon then return false end
  local out = lock_beacon(self, row.name, row.token)
  if out then unlock_beacon(self, row.name, row.token) end
  return out
end

-- ---- Taking ----

local function is_free(self, row)
  return row.pid == nil or process.ended(row) or beacon_is_out(self, row)
end

--- Watches the holder for a whole lease. Gives the row as it was seen last, and whether the lock may be taken.
local function watch(self, row)
  local from = process.uptime()
  while not is_free(self, row) do
    host.sleep(math.min(row.seconds / 10, 1))
    local watched = process.uptime() - from
    local seen = read(self, row.name)
    if seen.token ~= row.token or seen.renewals ~= row.renewals then return seen, is_free(self, seen) end
    if watched >= row.seconds then return row, true end
  end
  return row, true
end

local TAKE = [[UPDATE {t} SET token = token + 1, renewals = 0, seconds = ?, beacon = ?, host = ?, machine = ?, pid = ?,
  born = ?, since = ? WHERE name IN (SELECT name FROM {t} WHERE name = ? AND token = ? AND renewals = ? %s)]]

--- Takes the lock unless somebody has done so since the row was seen, or writes under it at this moment.
local function take_row(self, row, seconds)
  local me = process.self()
  local ok, changed = pcall(send, self, TAKE:format(self.dialect.skip), {
    seconds, self.dialect.beacon and beacon_counts(self) or false, me.host, me.machine, me.pid, me.born, now(),
    row.name, row.token, row.renewals,
  })
  if ok then return changed == 1 end
  if host.is(changed, "conflict") and changed.retryable then return false end  -- a transaction of the holder's is open
  error(changed, 0)
end

local function take(self, row, seconds)
  local token = row.token + 1
  if not self.dialect.beacon then return take_row(self, row, seconds) and token end
  if not lock_beacon(self, row.name, token) then return nil end
  if take_row(self, row, seconds) then return token end
  unlock_beacon(self, row.name, token)
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
  local row, free = watch(self, read(self, name))
  local from = process.uptime()
  local token = free and take(self, row, seconds)
  if not token then return nil, holder_of(free and read(self, name) or row) end
  local lock = { name = name, token = token, seconds = seconds, deadline = from + seconds, db = self }
  lock.fence = fence.new {
    name = name, token = token, place = fence.place(self.store), deadline = lock.deadline,
    text = filled(self, self.dialect.fence),
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
  if not (ok and lock) then leave(self) end
  if not ok then error(lock, 0) end
  if lock then lock.store = store end
  return lock, holder
end

-- ---- Having it ----

local RENEW = "UPDATE {t} SET renewals = renewals + 1 WHERE name = ? AND token = ?"

--- Shows that the holder lives. Raises `conflict` with the code "lost" if somebody else has the lock by now.
function Lease:renew()
  local from, db = process.uptime(), self.db
  if self.released then fail("conflict", "lost", "the lock %q was given back", self.name) end
  if send(db, RENEW, { self.name, self.token }) ~= 1 then
    fail("conflict", "lost", "the lock %q (token %d) is lost: somebody else has taken it", self.name, self.token)
  end
  if db.dialect.beacon then lock_beacon(db, self.name, self.token) end  -- it went out with a connection that was lost
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

local RELEASE = [[UPDATE {t} SET renewals = renewals + 1, host = NULL, machine = NULL, pid = NULL, born = NULL
  WHERE name = ? AND token = ?]]

--- Gives the lock back; harmless when it is not held any more. False and the error if the store cannot be told: then
--- the lock lapses.
---@return boolean, table?
function Lease:release()
  if self.released then return true end
  self.released = true
  fence.give_back(self.fence)
  local ok, e = pcall(send, self.db, RELEASE, { self.name, self.token })
  leave(self.db)
  if ok then return true end
  return false, e
end

function Lease:__close() self:release() end

function Lease:__tostring()
  return ("lock %q, token %d"):format(self.name, self.token)
end

return lease
