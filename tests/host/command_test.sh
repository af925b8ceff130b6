#!/usr/bin/env bash
# The command from outside: exit codes, signals, options, what it prints where.
. tests/host/check.sh

# code EXPECTED ARGUMENTS...
code() {
  local expected=$1
  shift
  timeout 20 $NEAP "$@" > "$dir/out" 2> "$dir/err"
  is "exit code of neap $*" "$expected" $?
}

code 0 -e ''
code 1 -e 'error "boom"'
like "an error is one line, then a traceback" "neap: -e:1: boo*stack traceback:*" "$(cat "$dir/err" | sed s/boom/boo/)"
code 1 -e 'x ='
like "a syntax error says where" "neap: -e:1: unexpected symbol near <eof>" "$(cat "$dir/err")"
code 1 "$dir/nosuch.lua"
like "a missing script is named" "neap: cannot open *nosuch.lua*" "$(cat "$dir/err")"
code 2 --nonsense
like "a wrong option is named" "neap: unknown option --nonsense; see neap --help" "$(cat "$dir/err")"
code 2 -e
code 7 -e 'os.exit(7)'
code 0 -e 'os.exit(true)'
code 1 -e 'os.exit(false)'
code 3 -e 'pcall(os.exit, 3) error "not reached"'
code 3 -e 'local neap = require "neap" neap.spawn(neap.sleep, 9) neap.sleep(0) os.exit(3)'
is "tasks that os.exit ends are not told" "" "$(cat "$dir/err")"
code 1 -e 'require "neap".spawn(error, "in a task")'
like "the error of a task that nobody awaits is told" "*in a task*" "$(cat "$dir/err")"
code 0 -e 'local neap = require "neap" local t = neap.spawn(error, "x") neap.sleep(0.01) assert(not neap.try(t.await, t))'
code 1 -e 'local neap = require "neap" t = neap.spawn(error, "x") neap.sleep(0.01)'
code 1 -e 'local neap = require "neap" local a, b a = neap.spawn(function() b:await() end) b = neap.spawn(function() a:await() end)'
like "tasks that wait for each other are told" "*tasks would wait for each other*" "$(cat "$dir/err")"

code 0 --version
like "--version" "neap 0.*" "$(cat "$dir/out")"
code 0 --help
like "--help" "usage: neap *" "$(cat "$dir/out")"

echo 'print(arg[0] ~= nil, ...) print(#arg, arg[1])' > "$dir/a.lua"
code 0 "$dir/a.lua" one two
is "arguments" "true	one	two
2	one" "$(cat "$dir/out")"
is "arguments of code" "one	two" "$($NEAP -e 'print(...)' one two)"
is "a script from standard input" "42" "$(echo 'print(42)' | $NEAP)"
is "a script from -" "42" "$(echo 'print(42)' | $NEAP - x)"

code 0 --dump-lua "$dir/lua"
is "--dump-lua writes the modules" "yes" "$([ -f "$dir/lua/neap/init.lua" ] && echo yes)"
echo 'return { here = "disk" }' > "$dir/lua/neap/repl.lua"
is "--lua-dir wins" "disk" "$($NEAP --lua-dir "$dir/lua" -e 'print(require "neap.repl".here)')"

ready="io.stdout:write 'ready\n' io.stdout:flush()"
# signal NAME SCRIPT: sent once the script has said that it runs; the exit code is 128 + n, and it takes about a second at most.
signal() {
  local name=$1 expected=$2 script=$3 start pid
  rm -f "$dir/out"
  case $script in *ready*) ;; *) script="$ready $script" ;; esac
  $NEAP -e "$script" > "$dir/out" 2> "$dir/err" &
  pid=$!
  for _ in $(seq 200); do [ -s "$dir/out" ] && break; sleep 0.05; done
  start=$(date +%s%N)
  kill -"$name" $pid
  wait $pid 2> /dev/null
  is "exit code after SIG$name while: $script" "$expected" $?
  local ms=$((($(date +%s%N) - start) / 1000000))
  is "ended soon after SIG$name while: $script" "yes" "$([ $ms -lt ${SIGNAL_MS:-5000} ] && echo yes || echo "$ms ms")"
}
signal TERM 143 'require "neap".sleep(100)'
signal INT 130 'while true do end'
signal TERM 143 'while true do pcall(function() while true do end end) end'
signal TERM 143 'while true do coroutine.wrap(function() local x = 1 end)() end'
signal TERM 143 'local s = ("a"):rep(40) s:find(("a?"):rep(40) .. s)'
signal TERM 143 'local neap = require "neap" neap.try(neap.sleep, 100) io.stdout:write "cleaned\n"'
is "a waiting task may clean up" "ready
cleaned" "$(cat "$dir/out")"

signal TERM 143 'require("neap").open "sqlite::memory:":sql(
  "with recursive c(x) as (select 1 union all select x + 1 from c where x < 1e12) select count(*) from c")'
model='local neap = require "neap" local store = neap.open "sqlite:'$dir'/s.db" local t = neap.types
  local P = store:model("P", { id = t.integer{ primary = true, auto = true } }) store:bind()'
signal INT 130 "$model P{}:save() store:transaction(function() P{}:save() $ready while true do end end)"
is "what was not committed is rolled back" "1" "$($NEAP -e "$model print(P:count())")"

mkdir "$dir/lib" && echo "no library" > "$dir/lib/libpq.so.5"
is "libpq is loaded when it is needed, and its package named when it is not there" "unsupported true" \
  "$(LD_LIBRARY_PATH="$dir/lib" $NEAP -e 'local neap = require "neap" local store = neap.open "postgres://h/x"
    local _, e = pcall(store.sql, store, "SELECT 1") print(e.kind .. " " .. tostring(e.message:find "package libpq5" ~= nil))')"

is "secrets of URLs are not logged" "neap: warn: redis://u:***@h/0?token=***" \
  "$($NEAP -e 'require("neap").log.warn("redis://u:hunter2@h/0?token=abcd")' 2>&1)"
is "a log entry is one line, whatever it holds" 'neap: error: a\nb k="x\ny\x1b"' \
  "$($NEAP -e 'require("neap").log.error("a\nb", { k = "x\ny\27" })' 2>&1)"
is "levels" "" "$($NEAP -e 'require("neap").log.debug("x")' 2>&1)"

report
