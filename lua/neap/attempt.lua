-- neap.attempt: what `neap run --lock-store` starts: a script behind a lock in a store.
local host = require "neap.host"
local lease = require "neap.lease"
local log = require "neap.log"
local supervisor = require "neap.supervisor"

local LOCKED = 75  -- exit code

--- Takes a variable out of the environment, so that programs that the script starts do not find it.
local function take_variable(name)
  local value = os.getenv(name)
  supervisor.setenv(name, nil)
  return value
end

local function take_lock()
  local url, name = take_variable "NEAP_LOCK_STORE", take_variable "NEAP_LOCK"
  local seconds = tonumber(take_variable "NEAP_LOCK_LEASE")
  local lock, holder = lease.take(require "neap".open(url), name, { seconds = seconds })
  if lock then return lock end
  log.error("it does not run: " .. tostring(holder))
  os.exit(LOCKED)
end

--- Runs a script as the command does; the lock is kept until the tasks that it has started have ended too.
return function(script, ...)
  local chunk, problem = loadfile(script ~= "-" and script or nil, "t")
  if not chunk then error(host.error { kind = "usage", message = problem }, 0) end
  local lock <close> = take_lock()
  supervisor.setenv("NEAP_LOCK_TOKEN", lock.token)
  lock:run(function(...)
    local ours = host.tasks()
    chunk(...)
    while host.tasks() > ours do host.sleep(0.01) end
  end, ...)
end
