#!/usr/bin/env bash
# What `make install` puts in place works from there: the command, the library in the manual's C program, the module in a
# stock lua5.4. `make uninstall` leaves nothing.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
# try WHAT COMMAND...
try() {
  local what=$1 out
  shift
  if out=$("$@" 2>&1); then passed=$((passed + 1)); return; fi
  failed=$((failed + 1))
  printf 'failed: %s\n%s\n' "$what" "$out"
}

targets=$(sed -n 's/^\.PHONY: //p' Makefile)
helped() { for t in $targets; do make -s help | grep -q "^$t " || [ "$t" = tests ] || { echo "$t is not there"; return 1; }; done; }
try "make help names every target" helped
shown() { make -n -B BUILD=build/none BIN=build/none V="$1" build/none/host/log.o | grep -qE "$2"; }
try "make shows what it compiles" shown 0 'CC +.*host/log.c'
try "make V=1 shows the commands" shown 1 '^mkdir.* -c -o build/none/host/log.o host/log.c$'

make_it() { make --no-print-directory -s PREFIX=/usr DESTDIR="$dir" BIN=bin BUILD=build "$1"; }
try "make install" make_it install
listed() { diff <(cd "$dir/usr" && find . -type f | sort) <(printf './%s\n' bin/neap include/neap.h lib/libneap.{a,so} \
  lib/lua/5.4/neap.so share/man/man1/neap.1 share/neap/meta/{crud,models,mongo,queries,stores,tasks,values}.lua); }
try "PREFIX and DESTDIR hold these files and no others" listed
try "the command" "$dir/usr/bin/neap" -e 'assert(require("neap").all)'
try "the manual page" test -s "$dir/usr/share/man/man1/neap.1"

awk '/^```c$/ && !n++ { on = 1; next } /^```/ { on = 0 } on' docs/embedding.md > "$dir/game.c"
echo 'print(require("neap").all { function() return "played" end }[1])' > "$dir/game.lua"
try "the manual's program compiles" cc -I "$dir/usr/include" -L "$dir/usr/lib" -o "$dir/game" "$dir/game.c" -lneap
play() { cd "$dir" && [ "$(LD_LIBRARY_PATH=usr/lib ./game)" = played ]; }
try "the manual's program runs" play

cat > "$dir/stock.lua" << 'LUA'
local pcall_before = pcall
local neap = require "neap"
assert(pcall == pcall_before)
local task = neap.spawn(function() neap.sleep(0.001) return 5 end)
assert(task:await() == 5)
assert(neap.all { function() return 6 end }[1] == 6)
assert(coroutine.wrap(function() neap.sleep(0.001) return 7 end)() == 7)
assert(neap.json.encode { a = 1 } == '{"a":1}')
neap.install()
assert(pcall ~= pcall_before)
assert(neap.spawn(function() return select(2, pcall(function() neap.sleep(0.001) return 8 end)) end):await() == 8)
LUA
stock() { LUA_CPATH="$dir/usr/lib/lua/5.4/?.so" lua5.4 "$dir/stock.lua"; }
try "the module in a stock lua5.4" stock

try "make uninstall" make_it uninstall
nothing_left() { ! find "$dir/usr" -type f | grep .; }
try "nothing is left" nothing_left

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
