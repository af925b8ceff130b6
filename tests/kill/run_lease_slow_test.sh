#!/usr/bin/env bash
# Rounds in which three machines, which are processes with clocks of their own, run one job by `neap run --lock-store`, while
# neap run or its script is killed, or stopped for longer than the lock lasts: no two ever have one token, and what they write
# is what one after the other would have written. 10 rounds, 1,000 with NEAP_SOAK=1. NEAP_SEED repeats them.
cd "$(dirname "$0")/../.." || exit 2
. tests/seeded.sh run_lease
runs=$([ -n "${NEAP_SOAK:-}" ] && echo 1000 || echo 10)
url=${STORE:-sqlite:$folder/lease.db}
case $url in
  sqlite:*) client() { sqlite3 -cmd '.timeout 10000' "$folder/lease.db" "$1"; }; id='INTEGER PRIMARY KEY' ;;
  *) client() { psql -qAtX "$url" -c "SET client_min_messages = error; $1"; }; id='BIGSERIAL PRIMARY KEY' ;;
esac
client "DROP TABLE IF EXISTS neap_leases; DROP TABLE IF EXISTS entries;
  CREATE TABLE entries (id $id, name TEXT, value BIGINT, token BIGINT)"

# Numbers that were written twice or left out, and those that a later holder's stand before.
faults() {
  client "SELECT count(*) - count(DISTINCT value), coalesce(max(value), 0) - count(*), coalesce(sum(CASE WHEN token < before THEN 1 ELSE 0 END), 0)
    FROM (SELECT value, token, max(token) OVER (ORDER BY value, id) AS before FROM entries WHERE name = '$1') AS seen"
}

# A machine: runs the job until it has been done twice here. NUMBER SEED
machine() {
  local finished=0
  RANDOM=$2
  export NEAP_SKEW=$((RANDOM * 100))
  while [ $finished -lt 2 ]; do
    # shellcheck disable=SC2086
    LD_PRELOAD=$PWD/${BUILD:-build}/tests/kill/skew.so $NEAP run --name "$name" --lock "$name" --lock-store "$url" \
      --lock-lease 0.2s tests/kill/lease.lua "$url" "$name" 1 $RANDOM < /dev/null && finished=$((finished + 1))
  done >> "$folder/$name.$1" 2>> "$folder/$name.log"
}

# Does something to neap run or the script of one of the machines.
disturb() {
  local pid child
  sleep "0.0$((RANDOM % 90 + 10))"
  pid=$(pgrep -P "${pids[$((RANDOM % 3))]}" neap)
  child=$(pgrep -P "${pid:-0}" neap)
  [ $((RANDOM % 3)) -gt 0 ] && pid=$child
  [ -n "$pid" ] || return
  if [ $((RANDOM % 3)) -eq 0 ]; then
    kill -KILL "$pid"
  else
    kill -STOP "$pid"
    sleep "0.$((RANDOM % 20 + 15))"
    kill -CONT "$pid"
  fi 2> /dev/null
}

lost=0 killed=0
for ((i = 1; i <= runs; i++)); do
  run="round $i" name=job$i pids=()
  for n in 0 1 2; do
    machine $n $RANDOM 2> /dev/null &
    pids[n]=$!
  done
  for _ in 1 2 3 4; do disturb; done
  wait "${pids[@]}"
  expect "tokens that two have had" "" "$(cat "$folder/$name".? | grep ^took | sort | uniq -d)"
  expect "what was written" "0|0|0" "$(faults "$name")"
  expect "errors" "" "$(grep '^neap: ' "$folder/$name.log" |
    grep -v -e 'lost)' -e 'does not run: the lock' -e 'it failed: it was killed by signal 9')"
  lost=$((lost + $(grep -c 'lost)' "$folder/$name.log"))) killed=$((killed + $(grep -c 'signal 9' "$folder/$name.log")))
  rm -f "$folder/$name".*
done
echo "$runs rounds: lost $lost times, killed $killed times"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
