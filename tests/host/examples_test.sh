#!/usr/bin/env bash
# docs/examples/ built against what is installed, as pkg-config tells, and run: the game keeps scores in SQLite, and in the
# server in NEAP_TEST_POSTGRES, and takes over a script that changes while it plays; the tool answers from its own loop.
. tests/host/check.sh
unset MAKEFLAGS
export PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig LD_LIBRARY_PATH=$dir/usr/lib
try "make install" make --no-print-directory -s BIN=bin BUILD=build PREFIX="$dir/usr" install
cp docs/examples/* "$dir"
cd "$dir" || exit 1

build() { eval "$(sed -n "s|^//   cc|cc -std=c11 -Wall -Wextra -Werror|p" "$1.c")"; }  # as the file itself says
try "the game compiles" build game
try "the tool compiles" build tool

# Plays, and when the first scores are shown changes the script to what cannot be read, and then to something else.
play() {
  cp docs_game.lua game.lua
  ./game . "$1" 5 > out &
  local pid=$!
  seen() { for _ in {1..200}; do grep -q "$1" out && return; sleep 0.02; done; cat out; return 1; }
  seen '"High scores"' && echo 'game = {' > new && mv new game.lua && seen 'game.lua:' &&
    sed 's/High scores/The best/' docs_game.lua > new && mv new game.lua && seen '"The best"'
  local all=$?
  wait $pid && return $all
}
saved() { [ "$1" -eq "$(sed -n 's/.*frames, \([0-9]*\) scores saved/\1/p' out)" ] && [ "$1" -gt 2 ] || { echo "$1"; cat out; return 1; }; }
mv game.lua docs_game.lua
try "the game plays on SQLite" play "sqlite:$dir/scores.db"
try "the scores are in the file" saved "$(sqlite3 scores.db 'SELECT count(*) FROM scores')"
if [ -n "$NEAP_TEST_POSTGRES" ]; then
  psql -qX "$NEAP_TEST_POSTGRES" -c 'DROP TABLE IF EXISTS scores' 2> /dev/null
  try "the game plays on PostgreSQL" play "$NEAP_TEST_POSTGRES"
  try "the scores are in the server" saved "$(psql -qXAt "$NEAP_TEST_POSTGRES" -c 'SELECT count(*) FROM scores')"
  psql -qX "$NEAP_TEST_POSTGRES" -c 'DROP TABLE scores'
fi

# What waits does not hold up what comes after it.
answers() {
  (printf 'wait\nsea\n'; sleep 0.5; printf 'sea\n"\\\n') | ./tool tool.lua | sed 's/"id":[0-9]*,//' > answers
  [ "$(head -n 1 answers)" = '{"text":"sea","times":1}' ] && diff <(sort answers) <(sort << 'END'
{"text":"sea","times":1}
{"text":"wait","times":1}
{"text":"sea","times":2}
{"text":"\"\\","times":1}
END
  )
}
try "the tool answers" answers
try "its lines are in the file" test "$(sqlite3 lines.db 'SELECT count(DISTINCT id) FROM lines')" = 4
rests() { [ "$(strace -c -e trace=epoll_wait -o /dev/stdout ./tool tool.lua < <(sleep 1) | awk '/epoll_wait/ { print $4 }')" -lt 10 ]; }
try "the tool rests while nothing happens" rests

report
