#!/usr/bin/env bash
# What is typed at a terminal: results, Ctrl-C that ends what runs and not the session, Ctrl-D.
NEAP=${NEAP:-bin/neap}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0 seen=''

coproc REPL { HOME=$dir TERM=dumb script -qefc "exec $NEAP" /dev/null; }
terminal=$REPL_PID

# expect WHAT TEXT: reads until the text comes; a session that ends or hangs has failed.
expect() {
  local c
  seen=''
  while [[ $seen != *"$2"* ]]; do
    if ! IFS= read -r -d '' -n 1 -t 30 c <&"${REPL[0]}"; then
      failed=$((failed + 1))
      printf 'not as expected: %s\n  expected: %s\n  seen:     %s\n' "$1" "$2" "$seen"
      return
    fi
    seen+=$c
  done
  passed=$((passed + 1))
}
type() { printf "$1" >&"${REPL[1]}"; }

expect "a prompt" "> "
type '6 * 7\n'
expect "the result is printed" $'\n42'
expect "then a prompt" "> "

type 'print "half'
expect "what is typed is shown" 'half'
type '\003'
expect "Ctrl-C at the prompt clears the line" "> "
type '"fresh" .. 1\n'
expect "and the next line is a new one" '"fresh1"'
expect "then a prompt" "> "

type 'function f()\n'
expect "a chunk that is not finished goes on" ">> "
type '\003'
expect "Ctrl-C clears all its lines" "> "
type '"after" .. 2\n'
expect "and the next is a new chunk" '"after2"'
expect "then a prompt" "> "

type 'kept = 1 io.write("runs", "\\n") while true do end\n'
expect "it runs" $'runs\r\n'
type '\003'
expect "Ctrl-C ends what computes" "cancelled"
expect "then a prompt" "> "

type 'io.write("waits", "\\n") neap.sleep(1000)\n'
expect "it waits" $'waits\r\n'
type '\003'
expect "Ctrl-C ends what waits" "cancelled"
expect "then a prompt" "> "

type 'neap.sleep(0) kept = kept + 1\n'
expect "then a prompt" "> "
type '"kept " .. kept\n'
expect "globals stay, and waits work again" '"kept 2"'
expect "then a prompt" "> "

type '\004'
wait "$terminal"
code=$?
[ $code -eq 0 ] && passed=$((passed + 1)) || { failed=$((failed + 1)); echo "exit code after Ctrl-D: $code"; }
[ "$(grep -c fresh "$dir/.neap_history")" = 1 ] && passed=$((passed + 1)) || { failed=$((failed + 1)); echo "no history"; }

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
