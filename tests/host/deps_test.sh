#!/usr/bin/env bash
# What `make deps` does, with stand-ins for dpkg-query, apt-get, sudo and id: nothing when all is there, else it installs what
# is missing and says so.
. tests/host/check.sh

stand_in() { printf '#!/bin/sh\n%s\n' "$2" > "$dir/$1" && chmod +x "$dir/$1"; }
stand_in dpkg-query 'printf "gcc installed\nmake installed\nold config-files\n"'
stand_in apt-get 'echo "apt-get $*" >> "$LOG"; exit ${APT:-0}'
stand_in sudo 'echo sudo >> "$LOG"; exec "$@"'
stand_in id 'echo "$USER_ID"'
deps() { rm -f "$dir/log"; PATH="$dir:$PATH" LOG="$dir/log" tests/deps "$@" 2>&1; }
log() { cat "$dir/log" 2> /dev/null; }
export USER_ID=0

is "nothing is said when all is there" "" "$(deps gcc make)"
is "nothing is done when all is there" "" "$(log)"
is "what is missing is named, also what was removed" "deps: installing old sqlite3" "$(deps gcc old sqlite3)"
is "and installed" "apt-get update -qq
apt-get install -y -qq --no-install-recommends old sqlite3" "$(log)"
USER_ID=1000 deps sqlite3 > /dev/null
is "with sudo where one is not root" "2" "$(grep -c sudo "$dir/log")"
is "a failure is told" "deps: installing sqlite3
deps: apt-get could not install them" "$(APT=100 deps sqlite3)"
APT=100 deps sqlite3 > /dev/null
is "and ends the target" "1" $?

report
