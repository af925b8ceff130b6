#!/usr/bin/env bash
# What is typed at a terminal: results, Ctrl-C that ends what runs and not the session, Ctrl-D.
. tests/host/check.sh

terminal dumb "exec $NEAP"

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
wait "$session"
code=$?
[ $code -eq 0 ] && passed=$((passed + 1)) || { failed=$((failed + 1)); echo "exit code after Ctrl-D: $code"; }
[ "$(grep -c fresh "$dir/.neap_history")" = 1 ] && passed=$((passed + 1)) || { failed=$((failed + 1)); echo "no history"; }

report
