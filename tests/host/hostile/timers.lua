-- limit: timers by the thousand, cancelled and made again
local neap = require "neap"
while true do
  local task = neap.spawn(neap.sleep, 1e9)
  neap.sleep(0)
  task:cancel()
  pcall(task.await, task)
  pcall(neap.timeout, 1e300, function() end)
  pcall(neap.sleep, 0 / 0)
  pcall(neap.sleep, -1)
end
