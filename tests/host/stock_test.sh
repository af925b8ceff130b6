#!/usr/bin/env bash
# neap.so in a stock lua5.4: everything works, and nothing of Lua is replaced until neap.install().
. tests/host/check.sh
export LUA_CPATH="${BIN:-bin}/?.so" LUA_PATH="$dir/?.lua"
sanitizer=$(ldd "${BIN:-bin}/neap.so" | grep -o '/[^ ]*libasan[^ ]*')  # has to be there before the program is
lua() { LD_PRELOAD=$sanitizer timeout 60 lua5.4 "$@"; }

# script WHAT STATUS OUTPUT: runs the script of standard input.
script() {
  local out status
  cat > "$dir/script.lua"
  out=$(lua "$dir/script.lua" 2>&1)
  status=$?
  if [ "$status" = "$2" ] && [[ $out == $3 ]]; then passed=$((passed + 1)); return; fi
  failed=$((failed + 1))
  printf 'failed: %s: status %s\n%s\n' "$1" "$status" "$out"
}

cat > "$dir/globals.lua" << 'END'
-- All that can be reached by name from the globals: path -> value.
return function()
  local seen, found = {}, {}
  local function walk(path, value)
    found[path] = value
    if type(value) ~= "table" or seen[value] then return end
    seen[value] = true
    for k, v in pairs(value) do walk(path .. "." .. tostring(k), v) end
  end
  walk("_G", _G)
  walk("string metatable", getmetatable "")
  found.hook = debug.gethook() or "none"
  found.metatable = getmetatable(_G) or "none"
  return found
end
END

script "nothing is replaced, and what is new is ours" 0 "" << 'END'
local globals = require "globals"
local before = globals()
local searchers = table.move(package.searchers, 1, #package.searchers, 1, {})
local neap = require "neap"
local store = neap.open "sqlite::memory:"
assert(store:sql("SELECT ? AS n", { 5 })[1].n == 5)
neap.all { function() neap.sleep(0.001) end, function() return pcall(neap.sleep, 0) end }
local after = globals()
for path, value in pairs(before) do
  assert(after[path] == value or path:find "^_G%.package%.searchers", path)
end
for path in pairs(after) do
  assert(before[path] ~= nil or path:find "^_G%.package%.preload%.neap" or path:find "^_G%.package%.loaded%.neap"
    or path:find "^_G%.package%.searchers", path)
end
local at = 0
for _, searcher in ipairs(package.searchers) do
  if searcher == searchers[at + 1] then at = at + 1 end
end
assert(at == #searchers, "the searchers are there, in their order")
END

script "waits are as good as in the command" 0 "" << 'END'
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, v = t.integer() })
store:bind()
local task = neap.spawn(function()
  for i = 1, 10 do Row:create { v = i } neap.sleep(0) end
  return Row:count()
end)
assert(task:await() == 10)
local sum = 0
for row in Row:order "id":each() do sum = sum + row.v end
assert(sum == 55)
local list = { 3, 1, 2 }
table.sort(list, function(a, b) neap.sleep(0) return a < b end)
assert(list[1] == 1)
assert(coroutine.wrap(function() neap.sleep(0.001) return 7 end)() == 7)
local _, e = neap.try(store.transaction, store, function() Row:create { v = 11 } error "no" end)
assert(tostring(e):find "no" and Row:count() == 10)
END

script "errors are Lua's" 1 "*script.lua:2: no name*" << 'END'
require "neap"
error "no name"
END

script "an error of neap's has its text" 1 "*usage: seconds must be*" << 'END'
require "neap".sleep(-1)
END

script "os.exit is Lua's, with a store open and a task at work" 3 "" << 'END'
local neap = require "neap"
neap.open "sqlite::memory:"
neap.spawn(neap.sleep, 1000)
os.exit(3)
END

script "tasks that are left are cancelled at the end" 0 "cleaned up" << 'END'
local neap = require "neap"
neap.spawn(function()
  local _ <close> = setmetatable({}, { __close = function() print "cleaned up" end })
  neap.sleep(1000)
end)
neap.sleep(0.001)
END

script "neap.install() puts ours in place" 0 "" << 'END'
local before = { pcall, xpcall, require, coroutine.wrap, coroutine.resume, coroutine.close }
local neap = require "neap"
neap.install()
local now = { pcall, xpcall, require, coroutine.wrap, coroutine.resume, coroutine.close }
for i = 1, #before do assert(before[i] ~= now[i], i) end
assert(neap.spawn(function() return select(2, pcall(function() neap.sleep(0.001) return 8 end)) end):await() == 8)
END

report
