-- neap run script.lua: runs a script as a job, for cron: once at a time, for so long, so many times. The script has a
-- process of its own, so that it can be ended whatever it does, and said of how it ended.
local command = require "neap.command"
local env_file = require "neap.env_file"
local lock = require "neap.lock"
local log = require "neap.log"
local retry = require "neap.retry"
local supervisor = require "neap.supervisor"

local WRONG, LOCKED, TIMED_OUT, SIGNALLED = 2, 75, 124, 128

--- A file name from any name.
local function lock_path(name)
  if name:find "/" then return name end
  local file = name:gsub("[^%w_-]", function(c) return ("%%%02X"):format(c:byte()) end)
  return ("%s/%s.lock"):format(lock.folder(), file)
end

--- Takes the lock, or ends with 75.
local function take_lock(job)
  local held, pid, since = lock.take(lock_path(job.lock))
  if held then return held end
  local who = pid and (" by process %d, for %s"):format(pid, retry.show(math.max(os.time() - since, 0))) or ""
  log.error(("it does not run: the lock %s is held%s"):format(job.lock, who))
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
  local code = outcome.code
  return code ~= 0 and code ~= WRONG and code ~= LOCKED and not outcome.told and not outcome.timed_out
    and outcome.attempts <= job.retries and retry.worth(outcome.kind)
end

--- Waits until the next attempt. False if there is no time for one, or a signal came.
local function pause(job, outcome, deadline)
  local seconds = retry.delay(outcome.attempts, job.delay)
  if deadline and supervisor.now() + seconds >= deadline then return false end
  log.warn(("it failed (attempt %d of %d), again in %s: %s"):format(
    outcome.attempts, job.retries + 1, retry.show(seconds), reason(outcome)))
  outcome.told = supervisor.sleep(seconds)
  return not outcome.told
end

local function attempt(job)
  local deadline, attempts = job.timeout and supervisor.now() + job.timeout, 0
  while true do
    local left = deadline and deadline - supervisor.now()
    local outcome = supervisor.run(job.words, left, job.held and job.held:descriptor())
    attempts = attempts + 1
    outcome.attempts = attempts
    if not may_retry(job, outcome) or not pause(job, outcome, deadline) then return outcome end
  end
end

--- Says what the script itself could not say, or not for all attempts.
local function tell(job, outcome)
  if outcome.code == 0 or outcome.told then return end
  if outcome.timed_out then
    log.error("it timed out after " .. retry.show(job.timeout))
  elseif outcome.attempts > 1 then
    log.error(("it failed %d times; at last: %s"):format(outcome.attempts, reason(outcome)))
  elseif outcome.signal then
    log.error("it failed: " .. reason(outcome))
  end
end

--- Runs the job, and logs when it begins and ends.
local function run(job)
  local began = supervisor.now()
  if job.log then log.info "it begins" end
  local outcome = attempt(job)
  local code = exit_code(outcome)
  tell(job, outcome)
  if job.log then
    log.info("it has ended", {
      code = code, attempts = outcome.attempts, seconds = (supervisor.now() - began) * 1000 // 1 / 1000,
    })
  end
  return code
end

-- ---- The command ----

--- The words that this program was started with before `run`, then the script and its arguments.
local function words_of(...)
  local words, first = {}, -1
  while arg[first - 1] do first = first - 1 end
  table.move(arg, first + 1, -1, 1, words)
  return table.move({ ... }, 1, select("#", ...), #words + 1, words)
end

--- Puts what the options say into the environment, where the script finds it.
local function set_environment(options, name)
  if options.env_file then
    local text, problem = supervisor.read_private(options.env_file)
    local list
    if text then
      list, problem = env_file.read(text)
      problem = problem and options.env_file .. ", " .. problem
    end
    if problem then command.wrong("run", "%s", problem) end
    for _, variable in ipairs(list) do supervisor.setenv(variable.name, variable.value) end
  end
  if options.store then supervisor.setenv("NEAP_STORE", options.store) end
  if options.log then supervisor.setenv("NEAP_LOG_FORMAT", options.log) end
  supervisor.setenv("NEAP_JOB", name)
end

local function read_job(options, script, ...)
  if script == "-" and options.retries then
    command.wrong("run", "standard input can be read once: give --retries a file")
  end
  return {
    name = options.name or options.lock or script:match "[^/]*$":gsub("%.lua$", ""),
    lock = options.lock,
    timeout = options.timeout,
    retries = options.retries or 0,
    delay = options.retry_delay or 1,
    log = options.log,
    quiet = options.quiet,
    words = words_of(script, ...),
  }
end

return {
  about = "run a script as a job, for cron",
  operands = "script.lua [args...]",
  options = {
    { "--name NAME", "what the job is called; unless given the lock, else the script" },
    { "--lock NAME", "one run with this lock at a time on this machine; a name with a / is a file" },
    { "--timeout TIME", "end the run after this long, whatever it does" },
    { "--retries N", "run the script again, up to N times, if it fails" },
    { "--retry-delay TIME", "wait up to this long (1s) before that, up to twice as long each time" },
    { "--quiet", "print nothing unless it fails: then all, to standard error" },
    { "--log text|json", "log on standard error with times, and when the job begins and ends" },
    { "--store URL", "what neap.open() opens" },
    { "--env-file FILE", "put the NAME=value lines of a file that nobody else can read into the environment" },
  },
  exits = { [1] = "the script failed", [75] = "another run holds the lock", [124] = "timed out" },
  run = function(options, ...)
    local job = read_job(options, ...)
    set_environment(options, job.name)
    supervisor.hold()
    job.held = job.lock and take_lock(job)
    if job.quiet then supervisor.hold_output() end
    local code = run(job)
    supervisor.release_output(code ~= 0)
    os.exit(code)
  end,
}
