-- How long the command takes to start, do nothing and end.
dofile "tests/bench/bench.lua" {
  {
    name = "start of neap -e ''",
    { "neap -e ''", "{build}/tests/bench/start {bin}/neap -e ''" },
    { "a C program that links the same", "{build}/tests/bench/start {build}/tests/bench/linked", at_most = 1.2 },
    { "lua5.4 -e ''", "{build}/tests/bench/start lua5.4 -e ''", at_most = 1.5, needs = "command -v lua5.4" },
    { "python3 -c ''", "{build}/tests/bench/start /usr/bin/python3 -c ''", needs = "test -x /usr/bin/python3" },
  },
}
