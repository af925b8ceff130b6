#!/usr/bin/env bash
# What `make install` puts in place works from there: the command, the library in the manual's C program, found by pkg-config,
# linked and static, the module in a stock lua5.4, the manual pages, the completions. `make uninstall` leaves nothing. Then
# the commands of docs/installing.md run, with stand-ins for what would change the machine.
. tests/host/check.sh
export BIN=bin BUILD=build
unset MAKEFLAGS

targets=$(sed -n 's/^\.PHONY: //p' Makefile)
helped() { for t in $targets; do make -s help | grep -q "^$t " || [ "$t" = tests ] || { echo "$t is not there"; return 1; }; done; }
try "make help names every target" helped
shown() { make -n -B BUILD=build/none BIN=build/none V="$1" build/none/host/log.o | grep -qE "$2"; }
try "make shows what it compiles" shown 0 'CC +.*host/log.c'
try "make V=1 shows the commands" shown 1 '^mkdir.* -c -o build/none/host/log.o host/log.c$'

version=$(sed -n 's/.*NEAP_VERSION "\(.*\)"/\1/p' host/neap.h)
staged() { make --no-print-directory -s PREFIX=/usr DESTDIR="$dir/stage" "$1"; }
listed() { diff <(cd "$dir/stage/usr" && find . ! -type d | sort) <(printf './%s\n' bin/neap include/neap.h lib/libneap.a \
  lib/libneap.so{,."${version%%.*}",."$version"} lib/lua/5.4/neap.so lib/pkgconfig/neap.pc share/bash-completion/completions/neap \
  share/man/man1/neap.1 share/man/man3/neap.3 share/zsh/site-functions/_neap \
  $(cd lua/neap && printf 'share/neap/%s ' meta/*.lua) | sort); }
nothing_left() { ! find "$1" ! -type d | grep . && [ ! -e "$1/share/neap" ]; }
try "make install" staged install
try "PREFIX and DESTDIR hold these files and no others" listed
try "make uninstall" staged uninstall
try "nothing is left" nothing_left "$dir/stage/usr"

export PREFIX=$dir/usr
export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig LD_LIBRARY_PATH=$PREFIX/lib
try "make install-strip" make --no-print-directory -s install-strip
try "the command" "$PREFIX/bin/neap" -e 'assert(require("neap").all)'
small() { size=$(stat -c %s "$PREFIX/bin/neap") && echo "$size bytes" && [ "$size" -lt 2000000 ]; }
try "the stripped command is below 2 MB" small

manual="$PREFIX/share/man"
same_version() { diff <(printf '%s\n' "$version" "$version" "neap $version" "\"neap $version\"" "\"neap $version\"" "${version%%.*}") \
  <(pkg-config --modversion neap; sed -n 's/^## \[\([0-9.]*\)\].*/\1/p' CHANGELOG.md | head -1; "$PREFIX/bin/neap" --version
    sed -n 's/^\.TH[^"]*"" \("[^"]*"\).*/\1/p' "$manual/man1/neap.1" "$manual/man3/neap.3"
    readelf -d "$PREFIX/lib/libneap.so" | sed -n 's/.*soname: \[libneap\.so\.\(.*\)\]/\1/p'); }
try "all tell the same version" same_version
page() { warnings=$(groff -man -Tutf8 -ww "$1" 2>&1 > "$dir/page") && [ -z "$warnings" ] && [ -s "$dir/page" ] || { echo "$warnings"; return 1; }; }
try "neap(1)" page "$manual/man1/neap.1"
try "neap(3)" page "$manual/man3/neap.3"
explained() { for f in $(grep -oE '\b(neap|luaopen)_[a-z_]+\(' host/neap.h | sort -u); do grep -qF "$f" "$manual/man3/neap.3" || { echo "$f"; return 1; }; done; }
try "neap(3) knows each function of neap.h" explained
exported() { ! nm -D --defined-only "$PREFIX/lib/libneap.so" | awk '{ print $3 }' | grep -vE '^(neap_[a-z_]+|luaopen_neap)$'; }
try "the library exports what is in neap.h and nothing else" exported

mkdir "$dir/work"
for f in *; do ln -s "$PWD/$f" "$dir/work/$f"; done
awk '/^```c$/ && !n++ { on = 1; next } /^```/ { on = 0 } on' docs/embedding.md > "$dir/work/game.c"
cd "$dir/work" || exit 1
echo 'print(require("neap").all { function() return "played" end }[1])' > game.lua
needs() { readelf -d game | grep -q "NEEDED.*libneap.so.${version%%.*}\]"; }
plays() { [ "$(./game)" = played ]; }
try "the manual's program compiles" cc -Wall -Werror -o game game.c $(pkg-config --cflags --libs neap)
try "it is linked by the name that stays" needs
try "it runs" plays

cat > stock.lua << 'LUA'
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
stock() { LUA_CPATH="$PREFIX/lib/lua/5.4/?.so" lua5.4 stock.lua; }
try "the module in a stock lua5.4" stock

# The manual's commands, in its order; a line before a block that says so skips it.
mkdir "$dir/tools"
for tool in sudo apt-get ldconfig; do
  printf '#!/bin/sh\n%s\n' "$([ $tool = sudo ] && echo 'exec "$@"' || echo "echo $tool \"\$@\" >> $dir/log")" > "$dir/tools/$tool"
done
chmod +x "$dir"/tools/*
awk -v dir="$dir" '/^```sh$/ { if (!skip) file = dir "/block" ++n; on = !skip; next } /^```/ { on = 0; file = "" }
  on { print > file } /[^ ]/ { skip = /<!-- not run/ }' docs/installing.md
for block in $(ls "$dir"/block* | sort -V); do
  try "docs/installing.md: $(head -1 "$block")" env PATH="$dir/tools:$PREFIX/bin:$PATH" bash -eu "$block"
  grep -q -- '-o game' "$block" && try "what it made runs" plays
  grep -q -- 'libneap.a' "$block" && try "it needs no libneap.so" eval '! needs'
done
shared() { readelf -d game | grep -q NEEDED; }
try "the static one needs no library" eval '! shared'
packages() { grep -qxF "apt-get install $(sed -n '/^BUILD_DEPS/,$ { s/BUILD_DEPS *:= //; p; /[^\\]$/q }' Makefile | tr -s ' \\\n' ' ' | sed 's/ $//')" "$dir/log"; }
try "the manual names the packages that building needs" packages
try "make uninstall, as the manual has it" nothing_left "$PREFIX"

report
