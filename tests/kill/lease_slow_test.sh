#!/usr/bin/env bash
# Rounds in which three processes with clocks of their own do a job under one lock, while they are killed, and stopped for
# longer than the lock lasts: no two ever have one token, and what they write is what one after the other would have written.
# 20 rounds, 1,000 with NEAP_SOAK=1. NEAP_SEED repeats them.
cd "$(dirname "$0")/../.." || exit 2
. tests/seeded.sh lease
runs=$([ -n "${NEAP_SOAK:-}" ] && echo 1000 || echo 20)

if [ -n "${STORE:-}" ]; then
  url=$STORE
  client() { psql -qAtX "$url" -c "SET client_min_messages = error; $1"; }
  client "DROP TABLE IF EXISTS entries, neap_leases; CREATE TABLE entries (id BIGSERIAL PRIMARY KEY, name TEXT, value BIGINT, token BIGINT)"
else
  url=sqlite:$folder/lease.db
  client() { sqlite3 -cmd '.timeout 10000' "$folder/lease.db" "$1"; }
  client "PRAGMA journal_mode = WAL; CREATE TABLE entries (id INTEGER PRIMARY KEY, name TEXT, value INTEGER, token INTEGER)" > /dev/null
fi

# Numbers that were written twice or left out, and those that a later holder's stand before.
faults() {
  client "SELECT count(*) - count(DISTINCT value), coalesce(max(value), 0) - count(*), coalesce(sum(CASE WHEN token < before THEN 1 ELSE 0 END), 0)
    FROM (SELECT value, token, max(token) OVER (ORDER BY value, id) AS before FROM entries WHERE name = '$1') AS seen"
}

start() {  # NUMBER
  # shellcheck disable=SC2086
  NEAP_SKEW=$((RANDOM * 100)) LD_PRELOAD=$PWD/${BUILD:-build}/tests/kill/skew.so \
    $NEAP tests/kill/lease.lua "$url" "$name" 2 $RANDOM > "$folder/$name.$1" 2>&1 &
  pids[$1]=$!
}

# Does something to one of the processes; the first is never killed, so that the round ends.
disturb() {
  local pid=${pids[$((RANDOM % 3))]}
  sleep "0.0$((RANDOM % 90 + 10))"
  if [ $((RANDOM % 3)) -eq 0 ] && [ "$pid" != "${pids[0]}" ]; then
    kill -KILL "$pid" 2> /dev/null
  else
    kill -STOP "$pid" 2> /dev/null
    sleep "0.$((RANDOM % 15 + 10))"
    kill -CONT "$pid" 2> /dev/null
  fi
}

taken=0 lost=0
for ((i = 1; i <= runs; i++)); do
  run="round $i" name=job$i pids=()
  for n in 0 1 2; do start $n; done
  for _ in 1 2 3; do disturb; done
  wait "${pids[@]}" 2> /dev/null
  expect "the one that is not killed" finished "$(tail -n 1 "$folder/$name.0")"
  expect "tokens that two have had" "" "$(cat "$folder/$name".? | grep ^took | sort | uniq -d)"
  expect "what was written" "0|0|0" "$(faults "$name")"
  expect "errors" "" "$(cat "$folder/$name".? | grep -v '^took\|^lost\|^finished')"
  taken=$((taken + $(cat "$folder/$name".? | grep -c ^took))) lost=$((lost + $(cat "$folder/$name".? | grep -c ^lost)))
  rm -f "$folder/$name".?
done
echo "$runs rounds: taken $taken times, lost $lost times"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
