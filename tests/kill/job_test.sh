#!/usr/bin/env bash
# Kills neap run, or its script, with SIGKILL at seeded moments until the job is done: it has done each step once, the history
# has every run, and none of them runs any more. 5 jobs, 50 with NEAP_SOAK=1. NEAP_SEED repeats them.
cd "$(dirname "$0")/../.." || exit 2
. tests/seeded.sh kill
steps=2000
ASAN_OPTIONS+=:detect_leaks=0  # its search for leaks has a process, and waits for ever if that is the one killed

# Waits a seeded moment, then kills neap run (its script then ends by itself) or the script.
kill_soon() {
  sleep "0.0$((RANDOM % 90 + 10))"
  if [ $((RANDOM % 2)) -eq 0 ]; then kill -9 "$1"; else pkill -9 -P "$1"; fi 2> /dev/null
}

for ((i = 1; i <= runs; i++)); do
  db=$folder/$i.db history=$folder/$i.history begun=0 code=1
  run="job $i"
  while [ $code -ne 0 ] && [ $begun -lt 200 ]; do
    # shellcheck disable=SC2086
    $NEAP run --name transfer --lock "$folder/lock" --history "$history" tests/kill/transfer.lua "$db" $steps 2>> "$folder/log" &
    pid=$!
    [ $begun -lt 30 ] && kill_soon $pid
    wait $pid 2> /dev/null
    code=$?
    [ $code -ne 75 ] && begun=$((begun + 1))
  done
expect "the database" ok "$(sqlite3 "$db" 'PRAGMA integrity_check')"
  expect "the money" "1|0 2|$steps" "$(sqlite3 "$db" 'SELECT * FROM Account' | paste -sd' ')"
  expect "the steps" "$steps|$steps" "$(sqlite3 "$db" 'SELECT count(*), max(id) FROM Step')"
  expect "the mark" $steps "$(sqlite3 "$db" "SELECT value FROM neap_checkpoints WHERE job = 'transfer' AND key = 'step'")"
  expect "the last run" done "$($NEAP jobs "$history" --json | grep -o '"state":"[a-z 0-9]*"' | head -n 1 | cut -d'"' -f4)"
  expect "runs that are still there" 0 "$($NEAP jobs "$history" --json --last 1000 | grep -c running)"
  grep -v -e 'it failed: it was killed by signal 9$' -e 'the lock .* is held' "$folder/log" && expect "what was said" "" "$(cat "$folder/log")"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
