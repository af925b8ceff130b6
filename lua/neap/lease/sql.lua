-- lease/sql.lua: locks as rows of the table neap_leases in SQL.
local fence = require "neap.fence"
local host = require "neap.host"
local now = require "neap.now"
local own_table = require "neap.own_table"
local process = require "neap.process"
local quoted = require "neap.sql.schema".quoted
local stores = require "neap.store"
local view = require "neap.view"

local Database = {}
Database.__index = Database

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
  local self = setmetatable({ store = store, table = quoted(store, "neap_leases"), dialect = dialect }, Database)
  if dialect.beacon then
    local given = view.shared(store).given
    local options = { url = given }
    for option, value in pairs(type(given) == "table" and given or {}) do options[option] = value end
    options.pool, options.idle = 1, 0
    self.store = stores.open(options)
  end
  self.place, self.fence = fence.place(self.store), filled(self, dialect.fence)
  return self
end

function Database:leave()
  if self.dialect.beacon then self.store:close() end
end

-- A change of the token takes the whole row in PostgreSQL, because it is part of a key.
local COLUMNS = [[name TEXT PRIMARY KEY, token BIGINT NOT NULL, renewals BIGINT NOT NULL,
  seconds DOUBLE PRECISION NOT NULL, beacon BOOLEAN NOT NULL, host TEXT, machine TEXT, pid BIGINT, born BIGINT,
  since TIMESTAMP WITH TIME ZONE, UNIQUE (name, token)]]

--- The row of the lock, made if it is not there.
function Database:read(name)
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

--- Whether its holder is known to have ended.
function Database:is_out(row)
  if not self.dialect.beacon or not row.beacon then return false end
  local out = lock_beacon(self, row.name, row.token)
  if out then unlock_beacon(self, row.name, row.token) end
  return out
end

-- ---- Taking ----

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

--- Takes it unless somebody has done so since the row was seen. Gives its token, or nothing.
function Database:take(row, seconds)
  local token = row.token + 1
  if not self.dialect.beacon then return take_row(self, row, seconds) and token end
  if not lock_beacon(self, row.name, token) then return nil end
  if take_row(self, row, seconds) then return token end
  unlock_beacon(self, row.name, token)
end

-- ---- Having it ----

local RENEW = "UPDATE {t} SET renewals = renewals + 1 WHERE name = ? AND token = ?"

--- False: somebody else has it.
function Database:renew(name, token)
  if send(self, RENEW, { name, token }) ~= 1 then return false end
  if self.dialect.beacon then lock_beacon(self, name, token) end  -- it went out with a connection that was lost
  return true
end

local RELEASE = [[UPDATE {t} SET renewals = renewals + 1, host = NULL, machine = NULL, pid = NULL, born = NULL
  WHERE name = ? AND token = ?]]

function Database:release(name, token)
  send(self, RELEASE, { name, token })
end

return database
