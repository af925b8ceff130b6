#!/usr/bin/env bash
# Memory stays flat: a million rows (10 million with NEAP_SOAK=1) stream in less than 40 MB, a million objects are imported
# by one script in less than 200 MB. Measured as the kernel does: the peak of resident memory.
cd "$(dirname "$0")/../.." || exit 2
NEAP=${NEAP:-bin/neap} rows=$([ -n "${NEAP_SOAK:-}" ] && echo 10000000 || echo 1000000)
passed=0 failed=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

check() {  # WHAT CONDITION
  if (($2)); then passed=$((passed + 1)); else failed=$((failed + 1)); echo "not so: $1 ($2)"; fi
}

sqlite3 "$folder/stream.db" "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
  CREATE TABLE Row (id INTEGER PRIMARY KEY, name TEXT, points INTEGER);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
  INSERT INTO Row SELECT i, 'the name of row number ' || i, i % 100 FROM n" > /dev/null
# shellcheck disable=SC2086
read -r seen points peak <<< "$($NEAP tests/soak/stream.lua "$folder/stream.db" 2>&1)"
echo "stream: $seen rows in $((peak / 1024)) MB"
check "every row came" "seen == $rows"
check "with its values" "points == $rows / 100 * 4950"
check "streamed in less than 40 MB" "peak < 40 * 1024"

# shellcheck disable=SC2086
read -r saved peak <<< "$($NEAP tests/soak/import.lua "$folder/import.db" 1000000 2>&1)"
echo "import: $saved objects in $((peak / 1024)) MB"
check "every object was saved" "saved == 1000000"
check "another client counts them" "$(sqlite3 "$folder/import.db" 'SELECT count(*) FROM Row') == 1000000"
check "imported in less than 200 MB" "peak < 200 * 1024"
echo "$passed passed, $failed failed"
