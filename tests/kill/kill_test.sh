#!/usr/bin/env bash
# Kills imports with SIGKILL after a seeded number of commits, every second one inside an open transaction: the database
# opens and holds exactly the committed rows, and a second run reports the exact missing count and completes.
# 5 runs, 50 with NEAP_SOAK=1. NEAP_SEED repeats a run.
cd "$(dirname "$0")/../.." || exit 2
. tests/seeded.sh kill
rows=2000 batch=50

# The number of rows, their ids added up, and rows that are not whole.
state() {
  sqlite3 "$1" "SELECT count(*), coalesce(sum(id), 0),
    sum(name IS NOT 'row ' || id OR json_extract(data, '\$.half') IS NOT id / 2) FROM Row"
}

# Runs the import until it waits, and kills it there.
kill_import() {
  # shellcheck disable=SC2086
  coproc IMPORT { exec $NEAP tests/kill/import.lua "$1" $rows $batch "$stop" "$mode"; }
  local pid=$IMPORT_PID line
  while read -r -u "${IMPORT[0]}" line && [ "$line" != waiting ]; do said=$line; done
  kill -9 "$pid"
  wait "$pid" 2> /dev/null
}

for ((i = 1; i <= runs; i++)); do
  db=$folder/$i.db said=''
  stop=$((RANDOM % (rows / batch - 1) + 1)) mode=$([ $((i % 2)) -eq 0 ] && echo open || echo closed)
  run="run $i (stop $stop $mode)"
  kept=$((stop * batch))
  kill_import "$db"
  expect "the last commit announced" $'commit\t'$stop "$said"
  expect "the database after the kill" ok "$(sqlite3 "$db" 'PRAGMA integrity_check')"
  expect "its rows" "$kept|$((kept * (kept + 1) / 2))|0" "$(state "$db")"
  # shellcheck disable=SC2086
  again=$($NEAP tests/kill/import.lua "$db" $rows $batch 2>&1)
  expect "what the second run finds" "complete $kept missing $((rows - kept))" "$(head -n 1 <<< "$again")"
  expect "how it ends" "done" "$(tail -n 1 <<< "$again")"
  expect "the rows after it" "$rows|$((rows * (rows + 1) / 2))|0" "$(state "$db")"
  # shellcheck disable=SC2086
  expect "a third run" "complete $rows missing 0 done" "$($NEAP tests/kill/import.lua "$db" $rows $batch 2>&1 | tr '\n' ' ' | sed 's/ $//')"
done
echo "$passed passed, $failed failed"
