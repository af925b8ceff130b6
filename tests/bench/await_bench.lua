-- Waiting for what has already happened: the price of `await` itself.
dofile "tests/bench/bench.lua" {
  {
    name = "await that does not block, a call",
    at_most = 300e-9,
    { "task:await() of a task that ended", "{bin}/neap tests/bench/await.lua await" },
    { "coroutine yield and resume, stock Lua", "lua5.4 tests/bench/await.lua resume", needs = "command -v lua5.4" },
  },
}
