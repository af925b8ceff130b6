-- neap.job: marks of how far a job has come, so that one that was killed goes on there; and from inside a script what
-- `neap run` gives from outside: one at a time, for so long, again if it fails, noted in a history.
local fail = require "neap.fail"
local host = require "neap.host"
local json = require "neap.json"
local kernel = require "neap.save_kernel"
local lock = require "neap.lock"
local log = require "neap.log"
local own_table = require "neap.own_table"
local quoted = require "neap.sql.schema".quoted
local retry = require "neap.retry"
local usage = fail.usage
local view = require "neap.view"

local LOCKED, TIMED_OUT, FAILED = 75, 124, 1  -- exit codes of `neap run`

-- ---- Marks ----

local COLUMNS = "job TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (job, key)"

local Job = {}
Job.__index = Job
Job.__name = "neap.job"

--- Where the marks of a job are: { store =, table = }, made if it is not there.
local function open_marks(store)
  if not store:supports "sql" then
    fail.as("unsupported", "%s keeps no marks of jobs: neap.job{ history = FILE } does", view.kind(store))
  end
  if kernel.in_transaction(store) then usage "a job begins outside of transactions" end
  local marks = { store = store, table = quoted(store, "neap_checkpoints") }
  local ok, e = pcall(store.sql, store, "SELECT 1 FROM " .. marks.table .. " WHERE 1 = 0")
  if ok then return marks end
  if not host.is(e, "mismatch") then error(e, 0) end
  own_table(store, "neap_checkpoints", COLUMNS)
  marks.missing = view.dry_run(store)
  return marks
end

local function marks_of(self)
  if self.marks then return self.marks end
  local path = self.history or os.getenv "NEAP_HISTORY"
  if not path then
    usage "marks need a place: neap.job{ store = store }, neap.job{ history = FILE } or neap run --history FILE"
  end
  self.marks = open_marks(require "neap.history".open(path))
  return self.marks
end

--- Sends a statement in which {t} is the table of the marks. In a dry run that may not have been made.
local function send(self, text, params)
  local marks = marks_of(self)
  if marks.missing then return {} end
  return marks.store:sql(text:gsub("{t}", { ["{t}"] = marks.table }), params)
end

local function check_key(key)
  if type(key) ~= "string" or key == "" then usage("the key of a checkpoint is a text, not %s", host.show(key)) end
end

local SET = [[INSERT INTO {t} (job, key, value) VALUES (?, ?, ?)
  ON CONFLICT (job, key) DO UPDATE SET value = excluded.value]]

--- Remembers how far the job has come, also when it is killed now. Inside a transaction of the store that keeps the
--- marks it counts with what else the transaction writes, or not at all.
---@param key string
---@param value any  what JSON can hold; nil forgets
function Job:checkpoint(key, value)
  check_key(key)
  if value == nil then
    send(self, "DELETE FROM {t} WHERE job = ? AND key = ?", { self.name, key })
  else
    send(self, SET, { self.name, key, json.encode(value) })
  end
end

--- What was remembered last, in this run or one before; nil if nothing was.
---@param key string
---@return any
function Job:resume(key)
  check_key(key)
  local row = send(self, "SELECT value FROM {t} WHERE job = ? AND key = ?", { self.name, key })[1]
  return row and json.decode(row.value)
end

--- Forgets all marks: the next run begins anew.
function Job:clear()
  send(self, "DELETE FROM {t} WHERE job = ?", { self.name })
end

-- ---- Running ----

--- Calls f(job) until it succeeds, as often as the options allow.
local function attempt(self, options, f)
  local most = (options.retries or 0) + 1
  while true do
    self.attempts = self.attempts + 1
    local results = table.pack(pcall(f, self))
    if results[1] then return table.unpack(results, 2, results.n) end
    local e = results[2]
    local kind = type(e) == "table" and e.kind
    if self.attempts == most or kind == "cancelled" or not retry.worth(kind) then error(e, 0) end
    local seconds = retry.delay(self.attempts, options.retry_delay or 1)
    log.warn(("%s failed (attempt %d of %d), again in %s: %s"):format(
      self.name, self.attempts, most, retry.show(seconds), tostring(e)))
    host.sleep(seconds)
  end
end

local function take_lease(name, store)
  local held, holder = require "neap.lease".take(store, name)
  return held, holder and tostring(holder)
end

--- What keeps the lock, on this machine or in a store. Raises `conflict` where another run has it.
local function take_lock(self, options)
  local name = options.lock == true and self.name or options.lock
  local take = options.lock_store and take_lease or lock.take
  local held, who = take(name, options.lock_store)
  if held then return held end
  error(host.error { kind = "conflict", code = "locked", message = self.name .. " does not run: " .. who }, 0)
end

--- Calls f(...) under the lock.
local function locked(self, options, f, ...)
  if not options.lock then return f(...) end
  local held <close> = take_lock(self, options)
  if options.lock_store then return held:run(f, ...) end
  return f(...)
end

local function timed(self, options, f)
  if not options.timeout then return attempt(self, options, f) end
  return host.timeout(options.timeout, attempt, self, options, f)
end

local function code_of(ok, e)
  if ok then return 0 end
  return host.is(e, "timeout") and TIMED_OUT or type(e) == "table" and e.code == "locked" and LOCKED or FAILED
end

--- Notes in the history when f(...) begins and how it ends, unless it runs dry.
local function noted(self, f, ...)
  if not self.history or os.getenv "NEAP_DRY_RUN" == "1" then return f(...) end
  local history = require "neap.history"
  local run = history.began(self.history, self.name)
  local results = table.pack(pcall(f, ...))
  local ok, e = results[1], results[2]
  local done, problem = pcall(history.ended, run, {
    code = code_of(ok, e), attempts = self.attempts, error = not ok and tostring(e) or nil,
  })
  if not done then log.warn(("the end of %s could not be noted: %s"):format(self.name, tostring(problem))) end
  if not ok then error(e, 0) end
  return table.unpack(results, 2, results.n)
end

-- ---- The script as a whole ----

local is_whole = false  -- a job has been made that the script is as a whole

--- `neap run` starts this script again, with what stands before it and behind it.
local function run_again(supervisor, name)
  local words = require "neap.command".before()
  table.move({ "run", "--name", name }, 1, 3, #words + 1, words)
  supervisor.become(table.move(arg, 0, #arg, #words + 1, words))
end

--- The options are for the process of the script: they count if `neap run` has started it with them. Else it is asked
--- to, and this process ends.
local function claim(self, options)
  local supervisor = package.preload["neap.supervisor"] and require "neap.supervisor"
  local answer = supervisor and supervisor.again(json.encode {
    lock = options.lock == true and options.name or options.lock, history = options.history,
    retries = options.retries, delay = options.retry_delay, timeout = options.timeout,
  })
  if answer == "alone" then run_again(supervisor, options.name) end
  if answer == "told" then os.exit(0) end
  if not answer then
    usage "there is no script here that can be started again: give neap.job a function too, neap.job({ ... }, f)"
  end
  if is_whole then usage "a script is one job as a whole; another one is a function: neap.job({ ... }, f)" end
  is_whole, self.attempts = true, supervisor.attempt()
end

-- ---- Options ----

local function duration(value)
  return retry.seconds(value), "seconds or a duration such as 90s, 5m or 1h30m"
end

local function text(value)
  return type(value) == "string" and value ~= "" and value or nil, "a text"
end

local function store(value)
  return type(value) == "userdata" and value or nil, "a store"
end

-- What each option becomes, or nil and what is wanted.
local readers = {
  name = text,
  history = text,
  store = store,
  lock_store = store,
  lock = function(value) return value == true and value or text(value), "true or a name" end,
  retries = function(value)
    return math.type(value) == "integer" and value >= 0 and value or nil, "a whole number"
  end,
  retry_delay = duration,
  timeout = duration,
}

local function read(given)
  host.check("table", given or {}, "options")
  local options = {}
  for name, value in pairs(given or {}) do
    if not readers[name] then
      usage("%s is no option of neap.job; they are name, store, history, lock, lock_store, retries, retry_delay and "
        .. "timeout", host.show_key(name))
    end
    local wanted
    options[name], wanted = readers[name](value)
    if options[name] == nil then usage("%s of neap.job is %s, not %s", name, wanted, host.show(value)) end
  end
  options.name = options.name or os.getenv "NEAP_JOB"
  if not options.name then usage "a job has a name: neap.job{ name = ... }, or that of neap run" end
  return options
end

local FOR_WHOLE = { "lock", "retries", "retry_delay", "timeout" }

--- A job, by the name that it has in each run: that of `neap run` unless given. With a function: calls it with the job
--- and gives what it returns, and the options lock, retries, retry_delay and timeout are for it. Without one they are
--- for the script, which begins again under `neap run`.
---@param given? table
---@param f? fun(job: table): any
return function(given, f)
  local options = read(given)
  if f ~= nil then host.check("function", f, "f") end
  if options.lock_store and not (options.lock and f) then
    usage("lock_store is where the lock of a function is: neap.job({ lock = true, lock_store = store }, f); scripts "
      .. "have neap run --lock-store")
  end
  local self = setmetatable({ name = options.name, history = options.history, attempts = 0 }, Job)
  for _, name in ipairs(FOR_WHOLE) do
    if not f and options[name] ~= nil then
      claim(self, options)
      break
    end
  end
  if options.store then self.marks = open_marks(options.store) end
  if not f then return self end
  return noted(self, locked, self, options, timed, self, options, f)
end
