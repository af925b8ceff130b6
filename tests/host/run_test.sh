#!/usr/bin/env bash
# neap run from outside: how it ends, the lock, signals, and what is left of a script that is stuck.
. tests/host/check.sh
lock=$dir/job.lock

# script CODE: a file with it
script() { printf '%s' "$1" > "$dir/job.lua"; }
# code EXPECTED OPTIONS... [-e CODE ARGUMENTS...]: as cron runs it, with hardly an environment and nothing to read
code() {
  local expected=$1 i
  shift
  for ((i = 1; i < $#; i++)); do
    [ "${!i}" = -e ] || continue
    script "${@:i+1:1}"
    set -- "${@:1:i-1}" "$dir/job.lua" "${@:i+2}"
    break
  done
  timeout 20 env -i PATH="$PATH" $NEAP run "$@" > "$dir/out" 2> "$dir/err" < /dev/null
  is "exit code of neap run $*" "$expected" $?
}
# until_said FILE: waits until a script has written something there
until_said() { for _ in $(seq 400); do [ -s "$1" ] && return; sleep 0.05; done; }
# gone PID: whether that process ends soon
gone() {
  for _ in $(seq 200); do kill -0 "$1" 2> /dev/null || { echo gone; return; }; sleep 0.05; done
  echo "still there"
}
write() { printf "local f = io.open('%s', 'w') f:write(%s) f:close() " "$1" "$2"; }
pid_of_me="io.open('/proc/self/stat'):read 'n'"

# ---- Use ----

code 2
like "a script is wanted" "neap run: it takes script.lua *; see neap run --help" "$(cat "$dir/err")"
code 2 --retries 2 -
like "standard input cannot be run again" "*standard input can be read once*" "$(cat "$dir/err")"

# ---- How the script ends ----

echo 'print(arg[0] ~= nil, ...) io.stderr:write "aside\n"' > "$dir/a.lua"
code 0 "$dir/a.lua" one --two
is "it has its arguments and both outputs" "true	one	--two|aside" "$(cat "$dir/out")|$(cat "$dir/err")"
code 0 --timeout=1h30m -e 'print(...)' x
is "code" "x" "$(cat "$dir/out")"
is "standard input" "42" "$(echo 'print(42)' | $NEAP run -)"
code 7 -e 'os.exit(7)'
is "what the script says is enough" "" "$(cat "$dir/err")"
code 1 --name nightly -e 'error "boom"'
is "its error is told once" 1 "$(grep -c boom "$dir/err" | head -n 1 | sed s/2/1/)"
code 1 "$dir/nosuch.lua"
like "a missing script is named" "neap: cannot open *nosuch.lua*" "$(cat "$dir/err")"
code 137 --name nightly -e 'os.execute "kill -9 $PPID"'
is "a script that is killed is told of" "neap: error: nightly: it failed: it was killed by signal 9" "$(cat "$dir/err")"

# ---- The time that it has ----

for script in 'require("neap").sleep(100)' 'while true do pcall(function() while true do end end) end' \
  'os.execute "sleep 100"' 'os.execute "kill -STOP $PPID"'; do
  code 124 --name nightly --timeout 0.2s -e "$script"
  is "a time that is over is told" "neap: error: nightly: it timed out after 0.2s" "$(cat "$dir/err")"
done
rm -f "$dir/pid"
script "os.execute 'sleep 100 & echo \$! > $dir/pid; wait'"
$NEAP run "$dir/job.lua" < /dev/null &
pid=$!
until_said "$dir/pid"
kill $pid
wait $pid
is "what the script has started ends with it" gone "$(gone "$(cat "$dir/pid")")"
code 0 --timeout 1m -e "os.execute 'sleep 100 > /dev/null 2>&1 & echo \$! > $dir/pid'"
is "what it leaves behind when it is done stays" yes "$(kill "$(cat "$dir/pid")" && echo yes)"

# ---- Attempts ----

count="local f = io.open('$dir/n', 'a') f:write '.' f:close() local n = #io.open('$dir/n'):read 'a' "
code 0 --name nightly --retries 3 --retry-delay 0.001s -e "$count if n < 3 then error 'not yet' end"
is "it runs until it succeeds" "..." "$(cat "$dir/n")"
like "each failure is told, and when it runs again" "*neap: warn: nightly: it failed (attempt 2 of 4), again in *s: *job.lua:1: not yet" \
  "$(cat "$dir/err")"
rm "$dir/n"
code 1 --name nightly --retries 2 --retry-delay 0.001s -e "$count error 'never'"
is "or as often as was said" "..." "$(cat "$dir/n")"
like "how often it failed is told" "neap: error: nightly: it failed 3 times; at last: *job.lua:1: never" "$(tail -n 1 "$dir/err")"
rm "$dir/n"
code 1 --retries 2 -e "$count require('neap').sleep 'x'"
is "a mistake is not run again" "." "$(cat "$dir/n")"
rm "$dir/n"
code 2 --retries 2 -e "$count os.exit(2)"
is "nor what says that it gives up" "." "$(cat "$dir/n")"
rm "$dir/n"
code 143 --retries 2 -e "$count os.execute 'kill \$PPID' require('neap').sleep(100)"
is "nor what was told to end" "." "$(cat "$dir/n")"
rm "$dir/n"
code 137 --retries 1 --retry-delay 0.001s -e "$count os.execute 'kill -9 \$PPID'"
is "what was killed is" ".." "$(cat "$dir/n")"

# ---- Scripts that say themselves that they are jobs ----

# whole OPTIONS CODE WORDS...: the exit code of `neap WORDS... FILE` for a script with neap.job{ OPTIONS } at its top
whole() {
  rm -f "$dir/n"
  script "local neap = require 'neap' local job = neap.job { name = 'whole', $1 } $count $2"
  shift 2
  timeout 20 env -i PATH="$PATH" $NEAP "$@" "$dir/job.lua" one > "$dir/out" 2> "$dir/err" < /dev/null
  echo $?
}
is "a script that says so is run again" "0 3 one" \
  "$(whole 'retries = 3, retry_delay = 0.001' "if n < 3 then error 'not yet' end io.write(job.attempts, ' ', ...)") $(cat "$dir/out")"
is "as often as it says" "1 .." "$(whole 'retries = 1, retry_delay = 0.001' "error 'never'") $(cat "$dir/n")"
is "unless neap run says otherwise" "1 ..." \
  "$(whole 'retries = 1, retry_delay = 0.001' "error 'never'" run --retries 2) $(cat "$dir/n")"
is "it has the time that it says" 124 "$(whole 'timeout = "0.2s"' 'while true do end')"
is "and ends as it says" 7 "$(whole 'lock = true' 'os.exit(7)')"
taken="local ok = require('neap.lock').take('$dir/whole') print(ok and 'free' or 'held')"
is "its lock is had while it runs" "0 held" "$(whole "lock = '$dir/whole'" "$taken") $(cat "$dir/out")"
is "the lock of neap run is enough" "0 free" \
  "$(whole "lock = '$dir/whole'" "$taken" run --lock "$lock") $(cat "$dir/out")"
$NEAP -e "assert(require('neap.lock').take '$dir/whole') print 'held' io.stdout:flush() require('neap').sleep(100)" > "$dir/said" &
pid=$!
until_said "$dir/said"
is "another run of it does not begin" "75 " "$(whole "lock = '$dir/whole'" 'print "began"') $(cat "$dir/out")"
like "and says who runs" "neap: error: whole: it does not run: *held by process $pid*" "$(cat "$dir/err")"
is "which its history tells" "75 locked" \
  "$(whole "lock = '$dir/whole'" '' run --history "$dir/whole.db") $($NEAP jobs "$dir/whole.db" | grep -o locked)"
kill $pid
wait $pid 2> /dev/null
is "its own history has what it did" "1 1 boom" \
  "$(whole "lock = true, history = '$dir/own.db'" 'error("boom", 0)') $($NEAP jobs --json "$dir/own.db" | grep -o '"error":"boom"' | wc -l) boom"
is "it is one job" 1 "$(whole 'lock = true' 'neap.job { name = "other", lock = true }')"
like "and says what is for another" "*usage: a script is one job as a whole; another one is a function*" "$(cat "$dir/err")"
is "what is typed is no script" 1 "$($NEAP -e 'require("neap").job { name = "x", lock = true }' 2>&1 | grep -c 'give neap.job a function too')"
rm "$dir/said"
rm "$dir/n"

# ---- The lock ----

script "$(write "$dir/said" "$pid_of_me") require('neap').sleep(100)"
$NEAP run --name nightly --lock "$lock" "$dir/job.lua" &
holder=$!
until_said "$dir/said"
code 75 --name nightly --lock "$lock" -e 'print "runs"'
like "who has it is told" "neap: error: nightly: it does not run: the lock $lock is held by process $holder, for *s" "$(cat "$dir/err")"
is "and the script does not run" "" "$(cat "$dir/out")"
script=$(cat "$dir/said")
kill -9 $holder
wait $holder 2> /dev/null
is "a script ends with its neap run" gone "$(gone "$script")"
for _ in $(seq 200); do code 0 --lock "$lock" -e 'print "runs"' && [ -s "$dir/out" ] && break; done
is "a lock is free when who had it was killed" runs "$(cat "$dir/out")"
code 1 --lock "$dir" -e ''
like "what is no lock is named" "*the lock $dir cannot be taken: Is a directory*" "$(cat "$dir/err")"
name="neap-test-$$"
code 0 --lock $name -e "print(io.open('/run/lock/neap-$(id -u)/$name.lock') or io.open('/tmp/neap-$(id -u)/$name.lock'))"
like "a lock by name is in the user's folder" "file*" "$(cat "$dir/out")"
rm -f {/run/lock,/tmp}/neap-"$(id -u)"/$name.lock
code 0 --lock "$lock" -e "os.execute 'sleep 100 > /dev/null 2>&1 & echo \$! > $dir/pid'"
code 0 --lock "$lock" -e ''
kill "$(cat "$dir/pid")"

# ---- Signals ----

# signal NAME EXPECTED SCRIPT: sent once the script says, where READY stands in it or at its beginning
signal() {
  local code=$3
  case $code in *READY*) ;; *) code="READY $code" ;; esac
  local start pid
  rm -f "$dir/said"
  script "${code/READY/$(write "$dir/said" "$pid_of_me")}"
  $NEAP run "$dir/job.lua" > "$dir/out" 2> "$dir/err" < /dev/null &
  pid=$!
  until_said "$dir/said"
  start=$(date +%s%N)
  kill -"$1" $pid
  wait $pid 2> /dev/null
  is "exit code after SIG$1 while: $3" "$2" $?
  local ms=$((($(date +%s%N) - start) / 1000000))
  is "ended soon after SIG$1 while: $3" yes "$([ $ms -lt ${SIGNAL_MS:-5000} ] && echo yes || echo "$ms ms")"
  is "nothing is said of it" "" "$(cat "$dir/err")"
}
signal TERM 143 'require("neap").sleep(100)'
signal INT 130 'while true do pcall(function() while true do end end) end'
signal HUP 129 'os.execute "sleep 100"'
signal TERM 143 'local neap = require "neap" neap.spawn(function() READY end)
  neap.try(neap.sleep, 100) for _ = 1, 1e6 do end io.stdout:write "cleaned"'
is "the script may clean up" cleaned "$(cat "$dir/out")"
rm "$dir/said"
$NEAP run "$dir/job.lua" > "$dir/out" 2> "$dir/err" < /dev/null &
pid=$!
until_said "$dir/said"
kill -INT "$(cat "$dir/said")" && kill $pid
wait $pid
is "also when it is sent a signal too, as by systemd" "143 cleaned" "$? $(cat "$dir/out")"
model='local neap = require "neap" local store = neap.open "sqlite:'$dir'/s.db" local t = neap.types
  local P = store:model("P", { id = t.integer{ primary = true, auto = true } }) store:bind()'
signal TERM 143 "$model P{}:save() store:transaction(function() P{}:save() READY neap.sleep(100) end)"
is "what was not committed is rolled back" 1 "$($NEAP -e "$model print(P:count())")"
script 'error "x"'
$NEAP run --retries 9 --retry-delay 1000s "$dir/job.lua" 2> "$dir/err" &
pid=$!
for _ in $(seq 400); do grep -q again "$dir/err" && break; sleep 0.05; done
kill $pid
wait $pid
is "exit code after SIGTERM between two attempts" 143 $?

# ---- What is printed ----

code 0 --quiet -e 'print "fine" io.stderr:write "aside" require("neap").log.warn "careful"'
is "a quiet job that is done prints nothing" "|" "$(cat "$dir/out")|$(cat "$dir/err")"
code 3 --quiet -e 'print "one" io.stderr:write "two\n" os.execute "echo three" os.exit(3)' --name x
is "one that failed prints all in order, to standard error" "|one two three" "$(cat "$dir/out")|$(tr '\n' ' ' < "$dir/err" | sed 's/ $//')"
code 0 --quiet --name x --retries 3 --retry-delay 0.001s -e "$count if n < 3 then error 'not yet' end"
is "one that is done at last prints nothing" "" "$(cat "$dir/err")"
rm "$dir/n"
rm -f "$dir/said"
script "print 'at work' io.stdout:flush() $(write "$dir/said" 1) require('neap').sleep(100)"
$NEAP run --quiet "$dir/job.lua" > "$dir/out" 2>&1 < /dev/null &
pid=$!
until_said "$dir/said"
kill $pid
wait $pid
is "one that was ended prints what it had said" "at work" "$(cat "$dir/out")"
code 124 --quiet --name x --timeout 0.2s -e 'require("neap").sleep(100)'
is "one that timed out tells that" "neap: error: x: it timed out after 0.2s" "$(cat "$dir/err")"
code 0 --quiet --name x -e 'io.write(("x"):rep(1e6, "y"))'
if [ -z "${WRAP:-}" ]; then
  TMPDIR=$dir/nosuch $NEAP run --quiet "$dir/job.lua" > "$dir/out" 2>&1
  is "without a folder for files too" "0 0" "$? $(wc -c < "$dir/out")"
fi
code 1 --quiet --history "$dir/nosuch/runs.db" -e ''
is "why it does not run is printed" 1 "$(grep -c nosuch "$dir/err")"

time='[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'
code 0 --name x --log text -e 'require("neap").log.info("hello", { n = 1 })'
is "a log of text has times and the job" "info x: it begins|info x: hello n=1|info x: it has ended attempts=1 code=0 read=0 seconds=" \
  "$(sed -E "s/^$time //; s/(seconds=).*/\\1/" "$dir/err" | paste -sd'|')"
code 1 --name x --log json -e 'require("neap").log.info("a \"b\"\nc", { n = 1, t = true, s = "\\", url = "postgres://u:hunter2@h/d" }) error "boom"'
is "one of JSON has an object a line" \
  '["info","x","it begins",null]["info","x","a \"b\"\nc","\\"]["error","x","*boom",null]["info","x","it has ended",null]' \
  "$($NEAP -e 'local json = require "neap.json" for line in io.lines(arg[1]) do local e = json.decode(line)
    io.write(json.encode { e.level, e.job, (e.message:gsub("^.*boom", "*boom")), e.fields and e.fields.s or require "neap".null }) end' "$dir/err")"
is "which names kinds and hides secrets" "0" "$(grep -c hunter2 "$dir/err")"
code 1 --log json -e 'error("\xff\xc3\xa4\1\"", 0)'
like "and text alone" '*"message":"�ä\\u0001\\""*' "$(cat "$dir/err")"
code 0 --log json -e 'local bar = require("neap").progress(3, "import") bar:step(3)'
like "progress is a line of the log" '*"message":"import","fields":{"done":3,"total":3}}*' "$(cat "$dir/err")"
code 0 --name x -e 'local bar = require("neap").progress(3, "import") bar:step(3)'
is "or of what else a job says" "neap: info: x: import done=3 total=3" "$(cat "$dir/err")"
is "a terminal gets a bar" yes "$(command script -qec "$NEAP run $dir/job.lua" /dev/null | grep -q '3/3 100%' && echo yes)"
is "a dumb terminal gets no progress bar" "" \
  "$(TERM=dumb command script -qec "$NEAP -e 'require(\"neap\").progress(2, \"x\"):step(2)'" /dev/null)"

# ---- The environment ----

cat > "$dir/env" << 'END'
# what the job needs
NEAP_STORE=sqlite::memory:
export GREETING = "hello \"you\"\n" # a comment
PLAIN=a b # c
 LITERAL='$HOME \n'
EMPTY=
HASH=a#b
END
chmod 600 "$dir/env"
code 0 --env-file "$dir/env" -e 'for _, n in ipairs { "NEAP_STORE", "GREETING", "PLAIN", "LITERAL", "EMPTY", "HASH", "NEAP_JOB" } do
  io.write("[", os.getenv(n), "]") end'
is "variables from a file" '[sqlite::memory:][hello "you"
][a b][$HOME \n][][a#b][job]' "$(cat "$dir/out")"
code 0 --env-file "$dir/env" --store "sqlite:$dir/x.db" -e 'require("neap").open():sql "CREATE TABLE a (b)"'
is "--store is what neap.open() opens, before the file's" yes "$([ -s "$dir/x.db" ] && echo yes)"
chmod 644 "$dir/env"
code 2 --env-file "$dir/env" -e ''
is "a file that others can read is refused" "neap run: others may read $dir/env: chmod 600 it; see neap run --help" "$(cat "$dir/err")"
code 2 --env-file "$dir/nosuch" -e ''
like "one that is missing is named" "neap run: $dir/nosuch: No such file or directory; *" "$(cat "$dir/err")"
chmod 700 "$dir" && code 2 --env-file "$dir" -e ''
is "a folder is none" "neap run: $dir cannot be read; see neap run --help" "$(cat "$dir/err")"
printf 'A=1\nB="x\ny"\nhunter2\n' > "$dir/bad" && chmod 600 "$dir/bad"
code 2 --env-file "$dir/bad" -e ''
like "a line that is none is told without its text" "neap run: $dir/bad, line 4: it is no NAME=value; *" "$(cat "$dir/err")"
printf "A='1\n2\n" > "$dir/bad"
code 2 --env-file "$dir/bad" -e ''
like "a quote that is not closed" "*line 1: a quote is not closed*" "$(cat "$dir/err")"

# ---- History ----

runs() { $NEAP jobs "$dir/runs.db" "$@" 2>&1; }
# What the table says of the last run, without times.
last_run() { runs --last 1 | tail -n 1 | sed -E 's/ +[0-9]{4}-[0-9-]+ [0-9:]+ +([0-9.]+s)? +/ /; s/  +/ /g'; }
model="$model P{}:save() "
code 0 --history "$dir/runs.db" --name ok -e "$model P:all()"
like "a run is noted, with the rows that it has read and written" "ok done 1 [1-9]* 1" "$(last_run)"
code 1 --history "$dir/runs.db" --name bad --retries 1 --retry-delay 0.001s -e 'error "boom\nor bust"'
is "with its attempts and last error" "bad failed 2 0 0 $dir/job.lua:1: boom or bust" "$(last_run)"
code 124 --history "$dir/runs.db" --name late --timeout 0.2s -e 'require("neap").sleep(100)'
like "that its time was over" "late timed out 1 *it timed out after 0.2s" "$(last_run)"
rm -f "$dir/said"
script "$(write "$dir/said" "$pid_of_me") require('neap').sleep(100)"
$NEAP run --history "$dir/runs.db" --name x "$dir/job.lua" < /dev/null &
pid=$!
until_said "$dir/said"
is "that it runs" "x running" "$(last_run)"
kill -TERM $pid
wait $pid
is "that it was ended" "x signal 15 1 0 0 it was ended by signal 15" "$(last_run)"
rm -f "$dir/said"
$NEAP run --history "$dir/runs.db" --name y "$dir/job.lua" < /dev/null &
pid=$!
until_said "$dir/said"
kill -KILL $pid
wait $pid 2> /dev/null
is "that it was killed and could not tell" "y killed" "$(last_run)"
is "newest first" "y x late bad ok" "$(runs | awk 'NR > 1 { print $1 }' | paste -sd' ')"
is "of one job" "bad" "$(runs --job bad | awk 'NR > 1 { print $1 }' | paste -sd' ')"
is "as JSON" '[["late","timed out",124,"it timed out after 0.2s"],["y","killed",null,null]]' \
  "$($NEAP -e 'local json, list = require "neap.json", {}
    for i, file in ipairs(arg) do local r = json.decode(io.open(file):read "a")[1] list[i] = { r.job, r.state, r.code, r.error } end
    print(json.encode(list))' <(runs --json --job late) <(runs --json))"
is "for other programs" 5 "$(sqlite3 "$dir/runs.db" "SELECT count(*) FROM runs")"
printf 'print(os.getenv "NEAP_HISTORY")' > "$dir/job.lua"
is "a file in NEAP_HISTORY too" "$dir/runs.db" "$(NEAP_HISTORY=$dir/runs.db $NEAP run --name z "$dir/job.lua")"
is "which neap jobs reads" z "$(NEAP_HISTORY=$dir/runs.db $NEAP jobs --last 1 | awk 'END { print $1 }')"
for i in $(seq 12); do $NEAP run --history "$dir/many.db" --name "job $i" "$dir/job.lua" > /dev/null & done
wait
is "runs that begin together are all noted" 12 "$(sqlite3 "$dir/many.db" "SELECT count(*) FROM runs WHERE code = 0")"
sqlite3 "$dir/many.db" "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
  INSERT INTO runs (job, began, ended, code, host, machine, pid, born) SELECT 'job 1', began, ended, 0, host, machine, pid, born
  FROM runs, n WHERE job = 'job 2'"
$NEAP run --history "$dir/many.db" --name "job 1" "$dir/job.lua" > /dev/null
is "the last thousand of each job are kept" "1000 1" "$(sqlite3 -separator ' ' "$dir/many.db" \
  "SELECT sum(job = 'job 1'), sum(job = 'job 2') FROM runs")"
code 1 --history "$dir/nosuch/runs.db" -e 'print "runs"'
is "a file that cannot be written is told before the job runs" "1 0" "$(grep -c nosuch "$dir/err") $(wc -c < "$dir/out")"
is "a file that is not there is told" 1 "$($NEAP jobs "$dir/none.db" 2>&1 | grep -c 'none.db cannot be opened')"
sqlite3 "$dir/other.db" "CREATE TABLE a (b)"
is "nor one that is something else" "neap jobs: not_found: $dir/other.db holds no runs: neap run --history notes them" \
  "$($NEAP jobs "$dir/other.db" 2>&1)"
is "and not made" no "$([ -e "$dir/none.db" ] && echo yes || echo no)"

# ---- Secrets ----

rm -f "$dir/said"
script "$(write "$dir/said" '1') require('neap').sleep(100)"
$NEAP run "$dir/job.lua" 'postgres://ada:hunter2@h/db' 2> "$dir/err" &
pid=$!
until_said "$dir/said"
[ -z "${WRAP:-}" ] && is "ps shows no password" "" "$(tr '\0' ' ' < /proc/$pid/cmdline | grep -o hunter2)"
is "nor that of the script" "" "$(ps --ppid $pid -o args= | grep -o hunter2)"
kill $pid
wait $pid

report
