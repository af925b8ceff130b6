-- forbidden: the collector cannot be stopped, tuned or made to do all its work
for _, mode in ipairs { "stop", "collect", "incremental", "generational", "setpause", "setstepmul", "isrunning", "restart" } do
  assert(not pcall(collectgarbage, mode, 0, 0, 0))
end
assert(not pcall(collectgarbage))
assert(collectgarbage "count" > 0)
collectgarbage "stop"
