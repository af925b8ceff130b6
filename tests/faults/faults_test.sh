#!/usr/bin/env bash
# What happens around an import that fails from outside: the disk refuses to grow the file at a seeded size, or the import is
# told to stop inside a transaction. The file stays whole, holds exactly the committed rows, and a second run completes.
# 5 sizes, 50 with NEAP_SOAK=1. NEAP_SEED repeats a run.
cd "$(dirname "$0")/../.." || exit 2
. tests/seeded.sh faults
rows=4000 batch=50

has() {  # WHAT PART TEXT
  case $3 in *"$2"*) passed=$((passed + 1)) ;; *) failed=$((failed + 1)); echo "$run: $1: no '$2' in '$3'" ;; esac
}

# After a failure: the rows that were committed are there, whole, and nothing else; the import goes on where it stopped.
check_kept() {  # DATABASE COMMITS
  local kept=$(($2 * batch))
  expect "the database" ok "$(sqlite3 "$1" 'PRAGMA integrity_check')"
  expect "its rows" "$kept|$((kept * (kept + 1) / 2))" "$(sqlite3 "$1" 'SELECT count(*), coalesce(sum(id), 0) FROM Row')"
  # shellcheck disable=SC2086
  expect "the second run" "complete $kept missing $((rows - kept)) done" \
    "$($NEAP tests/kill/import.lua "$1" $rows $batch 2>&1 | sed -n '1p;$p' | tr '\n' ' ' | sed 's/ $//')"
}

commits_of() { grep -c '^commit' <<< "$1"; }

# The file may not grow beyond so many KB; SQLite is told so by write() itself.
for ((i = 1; i <= runs; i++)); do
  size=$((RANDOM % 200 + 40)) run="file of at most $size KB" db=$folder/$i.db
  # shellcheck disable=SC2086
  said=$(trap '' XFSZ; ulimit -f $size; exec $NEAP tests/kill/import.lua "$db" $rows $batch 2>&1)
  expect "exit code" 1 $?
  has "what it says" "$db" "$said"
  has "what it says" "sqlite SQLITE_" "$said"
  check_kept "$db" "$(commits_of "$said")"
done

# SIGTERM inside an open transaction: rolled back, and 128 + 15 tells so.
for stop in 1 $((RANDOM % 50 + 2)); do
  run="stopped after $stop commits" db=$folder/stop$stop.db said=''
  # shellcheck disable=SC2086
  coproc IMPORT { exec $NEAP tests/kill/import.lua "$db" $rows $batch "$stop" open; }
  pid=$IMPORT_PID
  while read -r -u "${IMPORT[0]}" line && [ "$line" != waiting ]; do said+=$line$'\n'; done
  kill -TERM "$pid"
  wait "$pid" 2> /dev/null
  expect "exit code" 143 $?
  check_kept "$db" "$(commits_of "$said")"
done
echo "$passed passed, $failed failed"
