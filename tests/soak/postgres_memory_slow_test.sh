#!/usr/bin/env bash
# A million rows (10 million with NEAP_SOAK=1) of PostgreSQL stream through a script, and through COPY out of one table into
# another, in less than 30 MB. Measured as the kernel does: the peak of resident memory. The server: NEAP_TEST_POSTGRES.
cd "$(dirname "$0")/../.." || exit 2
NEAP=${NEAP:-bin/neap} rows=$([ -n "${NEAP_SOAK:-}" ] && echo 10000000 || echo 1000000)
passed=0 failed=0

check() {  # WHAT CONDITION
  if (($2)); then passed=$((passed + 1)); else failed=$((failed + 1)); echo "not so: $1 ($2)"; fi
}

# shellcheck disable=SC2086
read -r points copied peak <<< "$($NEAP tests/soak/postgres_copy.lua "$NEAP_TEST_POSTGRES" "$rows" 2>&1)"
echo "stream and copy: $copied rows in $((peak / 1024)) MB"
check "every row came with its values" "points == $rows / 100 * 4950"
check "every row was copied" "copied == $rows"
check "in less than 30 MB" "peak < 30 * 1024"
echo "$passed passed, $failed failed"
