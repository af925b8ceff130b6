-- limit: tasks that start tasks that start tasks
local neap = require "neap"
local function bomb()
  neap.try(function() while true do neap.spawn(bomb) end end)
  while true do neap.sleep(0) end
end
bomb()
