-- harmless: debug.traceback takes what it likes
for _, v in ipairs { {}, print, coroutine.create(print), ("x"):rep(100000), 5, setmetatable({}, { __tostring = error }) } do
  pcall(debug.traceback, v)
  pcall(debug.traceback, coroutine.running(), v, 1 << 40)
  pcall(debug.getinfo, v, "S")
  pcall(debug.getinfo, 1 << 40)
end
