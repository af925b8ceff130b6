#!/usr/bin/env bash
# No step of the loaded frame loop (frames_test.c) makes a system call that may block: its thread is traced, with the server in
# NEAP_TEST_POSTGRES as well. The test asks for its parent before a step, and for its group after.
dir=$(mktemp -d)
read -r port server <<< "$(tests/services/http)"
trap 'rm -rf "$dir"; kill "$server"' EXIT
export NEAP_TEST_HTTP=http://127.0.0.1:$port
NEAP_TRACED=1 NEAP_FRAMES=120 strace -f -qq -o "$dir/calls" "${BUILD:-build}/tests/host/frames_test" > "$dir/out" ||
  { cat "$dir/out"; echo "0 passed, 1 failed"; exit 1; }

# Waits for time, for others, for a disk, for a socket that has not been made non-blocking.
awk '
  !main { main = $1 }
  $1 != main { next }
  { $1 = ""; sub(/^ +/, "") }
  /^getppid/ { on = 1; steps++; next }
  /^getpgrp/ { on = 0; next }
  /O_NONBLOCK/ && match($0, /^fcntl\([0-9]+/) { quiet[substr($0, 7, RLENGTH - 6)] = 1 }
  /SOCK_NONBLOCK/ && match($0, /= [0-9]+$/) { quiet[substr($0, RSTART + 2)] = 1 }
  !on { next }
  { calls++ }
  /^(poll\(|(<... )?(epoll_p?wait|ppoll|select|pselect6)[( ])/ && !/^[a-z_0-9]+\([0-9]+,  *<unf/ && !/, (0|\{tv_sec=0, tv_n?u?sec=0\})(, NULL, 8)?(\) |\)$| <unf)/ {
    print "waits: " $0; bad++ }
  /^(clock_)?nanosleep|^f(data)?sync\(|^sync|^msync|^flock|F_SETLKW|FUTEX_(WAIT|LOCK)|^wait4|^waitid|^pause|^accept\(/ { print "may block: " $0; bad++ }
  /^connect\(/ && match($0, /[0-9]+/) && !quiet[substr($0, RSTART, RLENGTH)] { print "may block: " $0; bad++ }
  END {
    if (steps < 100 || calls < 500) { print "only " steps + 0 " steps with " calls + 0 " calls were seen"; bad++ }
    print (bad ? 0 : steps) " passed, " bad + 0 " failed"
    exit bad > 0
  }
' "$dir/calls"
