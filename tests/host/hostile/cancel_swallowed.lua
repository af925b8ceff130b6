-- limit: a task that swallows its cancellation, which is raised again at the end of each slice
local neap = require "neap"
local task = neap.spawn(function()
  while true do
    pcall(function()
      while true do pcall(neap.sleep, 1) end
    end)
  end
end)
neap.sleep(0)
task:cancel()
local _, e = neap.try(task.await, task)
while e do neap.sleep(0) end
