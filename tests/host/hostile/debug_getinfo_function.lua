-- harmless: debug.getinfo gives no functions: below a bounded one is Lua's own, a load that takes bytecode, a sort without end
local seen = 0
local function look()
  for level = 0, 20 do
    local info = debug.getinfo(level) or {}
    assert(info.func == nil and (debug.getinfo(level, "f") or {}).func == nil)
    if info.what == "C" then seen = seen + 1 end
  end
end
pcall(table.sort, { 2, 1 }, look)
pcall(load, look)
pcall(string.gsub, "x", "x", look)
assert(seen > 6 and debug.getinfo(look).func == nil and debug.getinfo(1, "S").what == "main")
assert(debug.getinfo(coroutine.running(), 0, "f") and debug.getinfo(coroutine.create(look), 0) == nil)
