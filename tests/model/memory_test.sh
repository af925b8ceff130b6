#!/usr/bin/env bash
# Queries in memory: random ones beside SQLite, then the contract of the stores over a SQLite that only gives the rows of a table.
cd "$(dirname "$0")/../.." || exit 2
passed=0 failed=0

# check FILE: runs a spec; what it prints at the end is counted.
check() {
  local out p f
  out=$(${WRAP:-} "$BUILD/tests/model/plain" --busted "$1" 2>&1)
  read -r p f <<< "$(sed -nE 's/^([0-9]+) success(es)? \/ ([0-9]+) failures? \/ ([0-9]+) errors?.*/\1 \3+\4/p' <<< "$out")"
  f=$((${f:-1})) p=${p:-0}
  [ "$f" -gt 0 ] && printf '%s:\n%s\n' "$1" "$out"
  passed=$((passed + p)) failed=$((failed + f))
}

[ -z "${WRAP:-}" ] && check tests/model/memory_property.lua  # valgrind has no long doubles: SQLite reads some numbers wrong
export NEAP_TEST_PLAIN=1
for spec in aggregate related page element include include_query include_property relations set_based crud batch conflict mongo mongo_plan; do
  check "tests/store/${spec}_spec.lua"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
