# check.sh: what tests in shell share, to be sourced: a folder of their own, checks that count, a session on a terminal.
NEAP=${NEAP:-bin/neap}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# is WHAT EXPECTED ACTUAL
is() {
  if [ "$2" = "$3" ]; then passed=$((passed + 1)); return; fi
  failed=$((failed + 1))
  printf 'not as expected: %s\n  expected: %s\n  actual:   %s\n' "$1" "$2" "$3"
}
# like WHAT PATTERN ACTUAL
like() { case $3 in $2) passed=$((passed + 1)) ;; *) is "$1" "$2" "$3" ;; esac; }
# try WHAT COMMAND...: it succeeds
try() {
  local what=$1 out
  shift
  if out=$("$@" 2>&1); then passed=$((passed + 1)); return; fi
  failed=$((failed + 1))
  printf 'failed: %s\n%s\n' "$what" "$out"
}

# terminal TYPE COMMAND: a session, which ends by Ctrl-D; `session` is its process
terminal() {
  coproc SESSION { HOME=$dir TERM=$1 command script -qefc "$2" /dev/null; }
  session=$SESSION_PID
}
# expect WHAT TEXT: reads until the text comes, into `seen`; a session that ends or hangs has failed
expect() {
  local c
  seen=''
  while [[ $seen != *"$2"* ]]; do
    if ! IFS= read -r -d '' -n 1 -t 30 c <&"${SESSION[0]}"; then
      is "$1" "$2" "$seen"
      return
    fi
    seen+=$c
  done
  passed=$((passed + 1))
}
type() { printf "$1" >&"${SESSION[1]}"; }

# At the end: how many there were; the test fails if one has.
report() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
