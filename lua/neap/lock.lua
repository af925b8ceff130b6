-- neap.lock: a lock that one run at a time has on this machine, by name.
local kernel = require "neap.lock.kernel"
local retry = require "neap.retry"

local lock = {}

local function path_of(name)
  if name:find "/" then return name end
  local file = name:gsub("[^%w_-]", function(c) return ("%%%02X"):format(c:byte()) end)
  return ("%s/%s.lock"):format(kernel.folder(), file)
end

--- Takes the lock until it is closed or the process has ended: an object with close() and descriptor(). Where somebody
--- else has it: nil, and what to say of it.
---@param name string  one with a / is the file itself
---@return table? lock, string?
function lock.take(name)
  local held, pid, since = kernel.take(path_of(name))
  if held then return held end
  local who = pid and (" by process %d, for %s"):format(pid, retry.show(math.max(os.time() - since, 0))) or ""
  return nil, ("the lock %s is held%s"):format(name, who)
end

return lock
