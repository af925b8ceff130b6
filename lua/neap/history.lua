-- neap.history: what became of the runs of jobs, in a file that other programs read with SQLite.
local host = require "neap.host"
local marks = require "neap.marks"
local now = require "neap.now"
local process = require "neap.process"
local stores = require "neap.store"
local t = require "neap.types"

local history = {}

local KEPT = 1000  -- runs of each job

local function declare(store)
  require "neap.model"
  return store:model("Run", {
    { "id", t.integer { primary = true, auto = true } },
    { "job", t.string { required = true } },
    { "began", t.datetime { required = true } },
    { "ended", t.datetime() },
    { "code", t.integer() },
    { "attempts", t.integer() },
    { "read", t.integer() },
    { "written", t.integer() },
    { "error", t.string() },
    { "host", t.string() },
    { "machine", t.string() },
    { "pid", t.integer() },
    { "born", t.integer() },
    { "by_job", t.index { "job", "id" } },
  }, { table = "runs" })
end

local function url_of(path, options)
  return "sqlite:" .. path:gsub("[%%?]", function(c) return ("%%%02X"):format(c:byte()) end) .. (options or "")
end

--- The file as a store, made if it is not there.
---@param path string
---@return table store
function history.open(path)
  return stores.open(url_of(path))
end

--- Notes that a run of a job begins; those before the last thousand are forgotten.
---@param path string  the file, made if it is not there
---@param job string
---@return table run  what history.ended takes
function history.began(path, job)
  local store = history.open(path)
  local Run = declare(store)
  store:bind()
  local me = process.self()
  local run = Run {
    job = job, began = now(), host = me.host, machine = me.machine, pid = me.pid, born = me.born,
  }:save()
  local old = Run:where { job = job }:order "-id":skip(KEPT):first()
  if old then Run:where { job = job, id__lte = old.id }:delete() end
  return { store = store, row = run }
end

--- Notes how it ended.
---@param run table
---@param outcome { code: integer, attempts: integer, read?: integer, written?: integer, error?: string }
function history.ended(run, outcome)
  run.row.ended = now()
  run.row:assign(outcome):save()
  run.store:close()
end

--- Whether the process of a run is gone: on this machine, or with it when it was started anew.
local function is_gone(row, me)
  if row.host == me.host and row.machine:match "^%S*" ~= me.machine:match "^%S*" then return true end
  return process.ended { machine = row.machine, pid = row.pid, born = row.born }
end

local STATES = { [0] = "done", [2] = "wrong use", [75] = "locked", [124] = "timed out" }

local function state_of(row, me)
  if not row.ended then return is_gone(row, me) and "killed" or "running" end
  if row.code > 128 then return "signal " .. row.code - 128 end
  return STATES[row.code] or "failed"
end

--- A plain table, with null where nothing is known yet.
local function table_of(row, me)
  local known = row:to_table { exclude = { "id", "machine", "born" } }
  known.state = state_of(row, me)
  known.seconds = row.ended and row.ended - row.began
  for _, name in ipairs { "ended", "seconds", "code", "attempts", "read", "written", "error" } do
    if known[name] == nil then known[name] = marks.null end
  end
  return known
end

--- The last runs, newest first. `state` is done, failed, timed out, locked, wrong use, signal N; running; or killed: it
--- never came to tell its end.
---@param path string
---@param options { last: integer, job?: string }
---@return table[]
function history.list(path, options)
  local store = stores.open(url_of(path, "?mode=ro"))
  local q = declare(store):order "-id":limit(options.last)
  if options.job then q = q:where { job = options.job } end
  local me, list = process.self(), {}
  local rows, e = host.try(q.all, q)
  if host.is(e, "mismatch") then
    error(host.error { kind = "not_found", message = path .. " holds no runs: neap run --history notes them" }, 0)
  elseif not rows then
    error(e, 0)
  end
  for i, row in ipairs(rows) do list[i] = table_of(row, me) end
  store:close()
  return list
end

return history
