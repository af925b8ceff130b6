-- frames_bench.lua: how long the steps of the loaded frame loop (tests/host/frames_test.c) take by the clock on the wall.
local program = (os.getenv "BUILD" or "build") .. "/tests/host/frames_test"
local pipe <close> = assert(io.popen("NEAP_TRACED=1 NEAP_FRAMES=1800 " .. program))
print "a step of a frame loop under load, with a budget of 4000 us"
for line in pipe:lines() do
  if line:find "by the clock" or line:find "^1800 steps" then print("  " .. line) end
end
