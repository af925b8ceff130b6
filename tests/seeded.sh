# The opening of suites that run an import over and over from a seed: `. tests/seeded.sh NAME` sets NEAP, runs, passed, failed
# and folder, which goes at the end. 5 runs, 50 with NEAP_SOAK=1; NEAP_SEED repeats a run.
# shellcheck shell=bash disable=SC2034
NEAP=${NEAP:-bin/neap} seed=${NEAP_SEED:-$RANDOM} runs=$([ -n "${NEAP_SOAK:-}" ] && echo 50 || echo 5)
echo "$1: NEAP_SEED=$seed"
RANDOM=$seed passed=0 failed=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

expect() {  # WHAT EXPECTED ACTUAL
  if [ "$2" = "$3" ]; then passed=$((passed + 1)); return; fi
  failed=$((failed + 1))
  echo "$run: $1: expected '$2', got '$3'"
}
