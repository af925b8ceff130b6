-- neap run script.lua: runs a script as a job, for cron: once at a time, for so long, so many times. The script has a
-- process of its own, so that it can be ended whatever it does, and said of how it ended.
local command = require "neap.command"
local env_file = require "neap.env_file"
local json = require "neap.json"
local lock = require "neap.lock"
local log = require "neap.log"
local retry = require "neap.retry"
local supervisor = require "neap.supervisor"

local WRONG, LOCKED, TIMED_OUT, SIGNALLED = 2, 75, 124, 128
local FINAL = { [0] = true, [WRONG] = true, [LOCKED] = true, [SIGNALLED + 2] = true, [SIGNALLED + 15] = true }

--- Takes the lock, or ends with 75. One in a store is taken by each attempt, in its own process.
local function take_lock(job)
  if os.getenv "NEAP_LOCK_STORE" then
    supervisor.setenv("NEAP_LOCK", job.lock)
    supervisor.setenv("NEAP_LOCK_LEASE", tostring(job.lease))
    return nil
  end
  local held, who = lock.take(job.lock)
  if held then return held end
  log.error("it does not run: " .. who)
  os.exit(LOCKED)
end

-- ---- Attempts ----

local function exit_code(outcome)
  if outcome.code == 0 then return 0 end
  if outcome.told then return SIGNALLED + outcome.told end
  if outcome.timed_out then return TIMED_OUT end
  return outcome.code or SIGNALLED + outcome.signal
end

--- What became of an attempt that failed, in one line.
local function reason(outcome)
  if outcome.signal then return "it was killed by signal " .. outcome.signal end
  return outcome.message or "it ended with exit code " .. outcome.code
end

local function may_retry(job, outcome)
  return not FINAL[outcome.code] and not outcome.told and not outcome.timed_out
    and outcome.attempts <= (job.retries or 0) and (outcome.signal or retry.worth(outcome.kind))
end

--- Waits until the next attempt. False if there is no time for one, or a signal came.
local function pause(job, outcome, deadline)
  local seconds = retry.delay(outcome.attempts, job.delay or 1)
  if deadline and supervisor.now() + seconds >= deadline then return false end
  log.warn(("it failed (attempt %d of %d), again in %s: %s"):format(
    outcome.attempts, job.retries + 1, retry.show(seconds), reason(outcome)))
  outcome.told = supervisor.sleep(seconds)
  return not outcome.told
end

--- Notes in a history that the job begins, unless it writes nothing.
local function note(job, path)
  if job.noted or not path or os.getenv "NEAP_DRY_RUN" == "1" then return end
  job.noted = require "neap.history".began(path, job.name)
end

--- The script is a job as a whole, by its neap.job: what this command was not told, it says. Gives nil and a reason if
--- its lock cannot be had.
local function heed(job, asks)
  job.heard = true
  for _, name in ipairs { "timeout", "retries", "delay" } do job[name] = job[name] or asks[name] end
  if asks.lock and not job.lock then
    local held, who = lock.take(asks.lock)
    if not held then return nil, "it does not run: " .. who end
    job.lock, job.held = asks.lock, held
  end
  note(job, asks.history)
  return true
end

local function attempt(job)
  local attempts = 0
  while true do
    local deadline = job.timeout and job.began + job.timeout
    local left = deadline and deadline - supervisor.now()
    local outcome = supervisor.run(job.words, attempts + 1, job.heard, left, job.held and job.held:descriptor())
    if outcome.asks and not outcome.told then
      local ok, why = heed(job, json.decode(outcome.asks))
      if not ok then return { code = LOCKED, attempts = attempts, message = why } end
    else
      attempts = attempts + 1
      outcome.attempts = attempts
      if not may_retry(job, outcome) or not pause(job, outcome, deadline) then return outcome end
    end
  end
end

--- What the last attempt ended with, in words; nil if all is well.
local function problem_of(job, outcome)
  if outcome.code == 0 then return nil end
  if outcome.told then return "it was ended by signal " .. outcome.told end
  if outcome.timed_out then return "it timed out after " .. retry.show(job.timeout) end
  return reason(outcome)
end

--- Says what the script itself could not say, or not for all attempts.
local function tell(outcome, problem)
  if not problem or outcome.told then return end
  if outcome.timed_out then
    log.error(problem)
  elseif outcome.attempts > 1 then
    log.error(("it failed %d times; at last: %s"):format(outcome.attempts, problem))
  elseif outcome.signal then
    log.error("it failed: " .. problem)
  elseif outcome.attempts == 0 then
    log.error(problem)
  end
end

--- Notes in the history how the job has ended.
local function note_end(job, result)
  if not job.noted then return end
  local ok, e = pcall(require "neap.history".ended, job.noted, result)
  if not ok then log.warn("its end could not be noted: " .. tostring(e)) end
end

--- Runs the job, and notes when it begins and ends.
local function run(job)
  job.began = supervisor.now()
  note(job, os.getenv "NEAP_HISTORY")
  if job.log then log.info "it begins" end
  local outcome = attempt(job)
  local code, problem = exit_code(outcome), problem_of(job, outcome)
  local result = { code = code, attempts = outcome.attempts, read = outcome.read, written = outcome.written }
  tell(outcome, problem)
  if job.log then
    result.seconds = (supervisor.now() - job.began) * 1000 // 1 / 1000
    log.info("it has ended", result)
  end
  result.seconds, result.error = nil, problem
  note_end(job, result)
  return code
end

-- ---- The command ----

local function read_env_file(path)
  local text, problem = supervisor.read_private(path)
  if not text then command.wrong("run", "%s", problem) end
  local variables
  variables, problem = env_file.read(text)
  return variables or command.wrong("run", "%s, %s", path, problem)
end

--- Puts what the options say into the environment, where the script finds it.
local function set_environment(options, name)
  for _, variable in ipairs(options.env_file and read_env_file(options.env_file) or {}) do
    supervisor.setenv(variable.name, variable.value)
  end
  if options.store then supervisor.setenv("NEAP_STORE", options.store) end
  if options.lock_store then supervisor.setenv("NEAP_LOCK_STORE", options.lock_store) end
  if options.dry_run then supervisor.setenv("NEAP_DRY_RUN", "1") end
  if options.log then supervisor.setenv("NEAP_LOG_FORMAT", options.log) end
  if options.history then supervisor.setenv("NEAP_HISTORY", options.history) end
  supervisor.setenv("NEAP_JOB", name)
end

local function read_job(options, script, ...)
  if script == "-" and options.retries then
    command.wrong("run", "standard input can be read once: give --retries a file")
  end
  local words = command.before()
  return {
    name = options.name or options.lock or script:match "[^/]*$":gsub("%.lua$", ""),
    lock = options.lock,
    lease = options.lock_lease or 30,
    timeout = options.timeout,
    retries = options.retries,
    delay = options.retry_delay,
    log = options.log,
    quiet = options.quiet,
    words = table.move({ script, ... }, 1, select("#", ...) + 1, #words + 1, words),
  }
end

return {
  about = "run a script as a job, for cron",
  operands = "script.lua [args...]",
  options = {
    { "--name NAME", "what the job is called; unless given the lock, else the script" },
    { "--lock NAME", "one run with this lock at a time on this machine; a name with a / is a file" },
    { "--lock-store URL", "the lock is in this store instead: one run on however many machines" },
    { "--lock-lease TIME", "how long that outlives the last sign of its holder's life (30s)" },
    { "--timeout TIME", "end the run after this long, whatever it does" },
    { "--retries N", "run the script again, up to N times, if it fails" },
    { "--retry-delay TIME", "wait up to this long (1s) before that, up to twice as long each time" },
    { "--quiet", "print nothing unless it fails: then all, to standard error" },
    { "--log text|json", "log on standard error with times, and when the job begins and ends" },
    { "--history FILE", "note what becomes of the run, for neap jobs; without it where NEAP_HISTORY says" },
    { "--store URL", "what neap.open() opens" },
    { "--env-file FILE", "put the NAME=value lines of a file that nobody else can read into the environment" },
    { "--dry-run", "log what would be written to stores, and write nothing" },
  },
  exits = { [1] = "the script failed", [75] = "another run holds the lock", [124] = "timed out" },
  run = function(options, ...)
    local job = read_job(options, ...)
    set_environment(options, job.name)
    if not job.lock then
      if options.lock_store then command.wrong("run", "--lock-store wants a name: --lock NAME") end
      supervisor.setenv("NEAP_LOCK_STORE", nil)
    end
    supervisor.hold()
    job.held = job.lock and take_lock(job)
    if job.quiet then supervisor.hold_output() end
    local ok, code = pcall(run, job)
    supervisor.release_output(code ~= 0)
    if not ok then error(code, 0) end
    os.exit(code)
  end,
}
