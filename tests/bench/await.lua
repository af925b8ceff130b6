-- await.lua await|resume: the seconds of one `task:await()` on a task that has ended, or of one resume and yield.
local CALLS = 1000000

local function seconds(f)
  f(CALLS / 10)
  local start = os.clock()
  f(CALLS)
  return (os.clock() - start) / CALLS
end

if arg[1] == "await" then
  local task = require "neap".spawn(function() return 1 end)
  task:await()
  print(seconds(function(n)
    for _ = 1, n do task:await() end
  end))
else
  local resume, yield = coroutine.resume, coroutine.yield
  local co = coroutine.create(function()
    while true do yield() end
  end)
  print(seconds(function(n)
    for _ = 1, n do resume(co) end
  end))
end
