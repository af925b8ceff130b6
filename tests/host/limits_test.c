// limits_test.c: no script gets past the limits of its host, however it tries.
#include <stdbool.h>

#include "check.h"

static const neap_options instructions = {.max_instructions = 300000};
static const neap_options memory = {.max_memory = 4 << 20};

// The script is ended by a limit that it cannot catch: nothing after its first statement runs.
static void killed(neap_options options, const char *script) {
  struct seen seen;
  CHECK(run_script(options, &seen, script) == NEAP_ERR);
  CHECK(seen.errors == 1);
  if (strcmp(seen.kind, "limit") == 0) {
    passed++;
    return;
  }
  failed++;
  printf("not ended by a limit but by \"%s\": %s\n", seen.message, script);
}

// The script runs to its end; it checks with assert.
static void runs(neap_options options, const char *script) {
  struct seen seen;
  if (run_script(options, &seen, script) == NEAP_OK) {
    passed++;
    return;
  }
  failed++;
  printf("failed with \"%s\": %s\n", seen.message, script);
}

#define LOOP "while true do end"

static void test_instructions(void) {
  killed(instructions, LOOP);
  killed(instructions, "pcall(function() " LOOP " end) error('caught')");
  killed(instructions, "xpcall(function() " LOOP " end, function() " LOOP " end) error('caught')");
  killed(instructions, "xpcall(error, function() " LOOP " end) error('caught')");
  killed(instructions, "while true do pcall(error) end");
  killed(instructions, "while true do xpcall(function() " LOOP " end, print) end");
  killed(instructions, "local x <close> = setmetatable({}, { __close = function() " LOOP " end })");
  killed(instructions, "local x <close> = setmetatable({}, { __close = function() " LOOP " end }) " LOOP);
  killed(instructions, "pcall(function() local x <close> = setmetatable({}, { __close = function() " LOOP
                       " end }) error() end) error('caught')");
  killed(instructions,
         "coroutine.close((function() local co = coroutine.create(function() local x <close> = "
         "setmetatable({}, { __close = function() " LOOP
         " end }) coroutine.yield() end) "
         "coroutine.resume(co) return co end)()) error('caught')");
  killed(instructions, "coroutine.resume(coroutine.create(function() " LOOP " end)) error('caught')");
  killed(instructions, "coroutine.wrap(function() " LOOP " end)() error('caught')");
  killed(instructions, "while true do coroutine.wrap(function() for i = 1, 50 do end end)() end");
  killed(instructions,
         "local function tower(n) if n > 0 then coroutine.wrap(tower)(n - 1) end end while true do tower(20) end");
  killed(instructions,
         "local y = coroutine.wrap(function() while true do coroutine.yield() end end) while true do y() end");
  killed(instructions, "require('neap').try(function() " LOOP " end) error('caught')");
  killed(instructions, "table.sort({ 3, 2, 1 }, function() " LOOP " end) error('caught')");
  killed(instructions, "string.gsub('x', 'x', function() " LOOP " end) error('caught')");
  killed(instructions, "load(function() " LOOP " end) error('caught')");
  killed(instructions, "setmetatable({}, { __index = function() " LOOP
                       " end }).x = 1; local y = setmetatable({}, "
                       "{ __index = function() " LOOP " end }).x error('caught')");
  killed(instructions, "require('neap').spawn(function() " LOOP " end):await()");
  killed(instructions, "require('neap').all { function() " LOOP " end }");
  killed(instructions, "while true do string.find(string.rep('a', 1000), string.rep('a?', 20) .. 'b') end");
}

static void test_unbounded_functions(void) {
  runs(instructions, "assert(string.rep('', 1 << 62) == '')");
  runs(instructions, "assert(not pcall(string.rep, 'x', 1 << 40))");
  runs(instructions, "assert(not pcall(table.move, {}, 1, 1 << 62, 2))");
  runs(instructions,
       "assert(not pcall(table.concat, setmetatable({}, { __index = function() return '' end }), '', 1, 1 << 62))");
  runs(instructions,
       "local long = setmetatable({}, { __len = function() return 1 << 62 end, __index = rawlen }) "
       "assert(not pcall(table.insert, long, 1, 1)) assert(not pcall(table.remove, long, 1)) "
       "assert(not pcall(table.sort, long))");
  runs(instructions,  // a length that is another when it is asked again
       "local function liar() local n = 0 return setmetatable({}, { __len = function() n = n + 1 "
       "return n % 2 == 1 and 0 or 1 << 30 end }) end "
       "assert(not pcall(table.insert, liar(), 1, 'x')) assert(not pcall(table.remove, liar(), 1)) "
       "assert(not pcall(table.sort, liar(), rawequal)) assert(not pcall(table.concat, liar()))");
  killed(instructions, "local t = {} while true do select('#', table.unpack(t, 1, 200000)) end");
  killed(instructions, "local s = string.rep('a', 100) s:find(string.rep('a?', 100) .. string.rep('a', 100))");
  killed(instructions, "local s = string.rep('a', 1 << 16) .. 'b' s:find(string.rep('a', 1 << 15) .. 'c', 1, true)");
  killed(instructions, "local s = string.rep('a', 1 << 20) while true do utf8.len(s) end");
  runs((neap_options){.max_memory = 1 << 24},
       "local ok, e = pcall(string.find, string.rep('a', 60), string.rep('a?', 60) .. string.rep('a', 60)) "
       "assert(not ok and e.kind == 'limit')");
}

// Few instructions with much work in each.
static void test_work_in_c(void) {
  killed(instructions, "local s = string.rep('x', 1 << 20) for i = 1, 1000 do local t = s .. i end");
  killed(instructions, "local s = string.rep('x = 1 ', 1 << 16) for i = 1, 100 do load(s) end");
  killed(instructions, "local s = string.rep('1', 1 << 16) for i = 1, 1000 do tonumber(s) end");
  killed(instructions,
         "local neap = require 'neap' local list = {} for i = 1, 1000 do list[i] = i end "
         "for i = 1, 2000 do neap.json.encode(list) end");
  killed(instructions,
         "local neap = require 'neap' local text = '[' .. string.rep('1,', 999) .. '1]' "
         "for i = 1, 2000 do neap.json.decode(text) end");
  killed(instructions,
         "local neap = require 'neap' local t = neap.types local list = {} for i = 1, 1000 do list[i] = i end "
         "local Box = neap.open 'sqlite::memory:':model('Box', { id = t.integer { primary = true }, of = "
         "t.list(t.integer()) }) "
         "for i = 1, 2000 do Box { of = list } end");
}

// What a killed script has to close is closed, as long as that does not take long itself.
static void test_cleaning(void) {
  static const char *const kills[] = {"while true do end", "pcall(function() while true do end end)",
                                      "coroutine.wrap(function() while true do end end)()",
                                      "require('neap').sleep(1e9)"};
  static const char *const handlers[] = {"for i = 1, 100 do end closed = true", "pcall(error) closed = 1 closed = true",
                                         "require('neap').sleep(0.001) closed = true",
                                         "require('neap').sleep(0.001) closed = true while true do end",
                                         "closed = true require('neap').sleep(1e9)"};
  for (size_t i = 0; i < 4 * 5; i++) {
    struct seen seen = {0};
    neap_options options = {.size = sizeof options, .max_instructions = 300000, .max_seconds = 0.2, .error = on_error};
    char script[512];
    neap *h;
    options.ud = &seen;
    snprintf(script, sizeof script,
             "closed = false function was_closed() return closed end "
             "local _ <close> = setmetatable({}, { __close = function() %s end }) %s",
             handlers[i / 4], kills[i % 4]);
    CHECK(neap_open(&h, &options) == NEAP_OK);
    CHECK(neap_spawn(h, script, strlen(script), "=script", NULL) == NEAP_OK);
    CHECK(neap_run(h) == NEAP_ERR && strcmp(seen.kind, "limit") == 0);
    neap_task task;
    size_t n;
    CHECK(neap_call(h, "was_closed", NULL, &task) == NEAP_OK && neap_run(h) == NEAP_OK);
    bool closed = strcmp(neap_result(h, task, &n), "true") == 0;
    CHECK(closed);
    if (!closed) printf("not closed: %s\n", script);
    neap_close(&h);
  }
}

// Nothing of a script outlives its time, whether it waits or computes, or starts others.
static void test_time(void) {
  neap_options time = {.max_seconds = 0.05};
  killed(time, LOOP);
  killed(time, "require('neap').sleep(1e9)");
  killed(time, "while true do pcall(require('neap').sleep, 1e9) end");
  killed(time, "local neap = require 'neap' neap.all { function() neap.sleep(1e9) end, function() " LOOP " end }");
  killed(time, "local neap = require 'neap' local function f() neap.sleep(0.001) neap.spawn(f):await() end f()");
  runs((neap_options){.max_seconds = 1e9}, "require('neap').sleep(0.001)");
}

static void test_memory(void) {
  killed(memory, "local t = {} while true do t[#t + 1] = {} end");
  killed(memory, "pcall(function() local t = {} while true do t[#t + 1] = {} end end) error('caught')");
  killed(
      memory,
      "xpcall(function() local t = {} while true do t[#t + 1] = {} end end, function() error() end) error('caught')");
  killed(memory, "pcall(string.rep, 'x', 1 << 25) error('caught')");
  killed(memory, "local s = 'x' while true do s = s .. s end");
  killed(memory,
         "coroutine.resume(coroutine.create(function() local t = {} while true do t[#t + 1] = {} end end)) "
         "error('caught')");
  killed(memory, "require('neap').try(function() local t = {} while true do t[#t + 1] = {} end end) error('caught')");
  runs(memory, "for i = 1, 1000 do local s = string.rep('x', 100000) end");  // garbage is no use of memory
}

static void test_frozen(void) {
  runs(instructions, "assert(not pcall(function() string.rep = nil end)) assert(string.rep)");
  runs(instructions, "assert(not pcall(rawset, string, 'rep', 1)) assert(not pcall(setmetatable, string, {}))");
  runs(instructions, "assert(not getmetatable(string) and not getmetatable(''))");
  runs(instructions, "local n = 0 for k in pairs(string) do n = n + 1 end assert(n > 10)");
  runs(instructions, "assert(not pcall(function() require('neap').sleep = 1 end))");
  runs(instructions, "assert(require 'string' ~= nil and not pcall(function() require('string').rep = 1 end))");
  runs(instructions, "assert(not pcall(function() package.loaded.string.rep = 1 end))");
  runs(instructions, "assert(not getmetatable(io.stdout) and not getmetatable(require('neap').spawn(print)))");
  runs(instructions, "local _, e = require('neap').try(error) assert(not getmetatable(e))");
  killed(instructions, "error(setmetatable({}, { __tostring = function() " LOOP " end }))");
  runs(instructions, "x = 5 assert(_G.x == 5 and load('return x')() == 5 and not package.loaded._G)");
  runs(instructions, "assert(not pcall(setmetatable, {}, { __gc = print }))");
  runs(instructions, "assert(not load(string.dump(function() end)))");
  runs(instructions, "assert(not pcall(debug.sethook) and not pcall(debug.getregistry) and debug.traceback())");
  runs(instructions,
       "assert(collectgarbage 'count' > 0 and not pcall(collectgarbage) and not pcall(collectgarbage, 'stop'))");
}

// Two scripts of one host do not see each other's globals.
static void test_environments(void) {
  neap_options options = {.size = sizeof options, .max_instructions = 100000};
  neap *h;
  CHECK(neap_open(&h, &options) == NEAP_OK);
  CHECK(neap_spawn(h, "x = 1", 5, "=one", NULL) == NEAP_OK);
  CHECK(neap_run(h) == NEAP_OK);
  CHECK(neap_spawn(h, "assert(x == nil)", 16, "=two", NULL) == NEAP_OK);
  CHECK(neap_run(h) == NEAP_OK);
  neap_close(&h);
}

static void test_capabilities(void) {
  runs((neap_options){.flags = NEAP_NO_FS},
       "for _, f in ipairs { io.open, io.lines, os.remove, dofile, loadfile } do "
       "local ok, e = pcall(f, 'x') assert(not ok and e.kind == 'forbidden') end");
  runs((neap_options){.flags = NEAP_NO_OS}, "local ok, e = pcall(os.execute, 'true') assert(e.kind == 'forbidden')");
  runs((neap_options){.flags = NEAP_NO_FS}, "assert(not pcall(require, 'busted')) assert(require 'neap')");
}

static void test_tasks(void) {
  runs((neap_options){.max_tasks = 3},
       "local neap = require 'neap' local function f() end neap.all { f, f } "
       "local ok, e = pcall(neap.all, { f, f, f }) assert(e.kind == 'limit')");
}

// A task that computes is suspended after its slice, and does not hold up the step.
static void test_slices(void) {
  neap_options options = {.size = sizeof options, .slice_us = 500, .error = on_error};
  struct seen seen = {0};
  neap_task task;
  neap *h;
  options.ud = &seen;
  CHECK(neap_open(&h, &options) == NEAP_OK);
  const char *script =
      "n = 0 local co = coroutine.wrap(function() while n < 5e6 do n = n + 1 end coroutine.yield(n) end) return co()";
  CHECK(neap_spawn(h, script, strlen(script), "=script", &task) == NEAP_OK);
  int steps = 0;
  while (neap_step(h, 1000) > 0) steps++;
  CHECK(steps > 3);
  CHECK(neap_status(h, task) == NEAP_OK);
  CHECK(neap_spawn(h, LOOP, strlen(LOOP), "=loop", &task) == NEAP_OK);
  for (int i = 0; i < 3; i++) CHECK(neap_step(h, 1000) == 1);
  CHECK(neap_cancel(h, task) == NEAP_OK);
  while (neap_step(h, 1000) > 0) steps++;
  CHECK(neap_status(h, task) == NEAP_ERR);
  neap_close(&h);
}

// Wherever a task computes, it is suspended at the end of its slice and goes on in the next step.
static void test_slices_everywhere(void) {
  static const char *const bodies[] = {
      "pcall(work)",
      "xpcall(work, string.len)",
      "pcall(pcall, pcall, work)",
      "require('neap').try(work)",
      "coroutine.resume(coroutine.create(work))",
      "coroutine.wrap(function() coroutine.wrap(function() pcall(work) end)() end)()",
      "for _ in function() work() end do end",
      "local _ = setmetatable({}, { __index = work }).x",
      "setmetatable({}, { __newindex = work }).x = 1",
      "local _ = setmetatable({}, { __add = work }) + 1",
      "local _ = setmetatable({}, { __concat = work }) .. 'x'",
      "local _ = setmetatable({}, { __lt = work }) < 1",
      "local _ = setmetatable({}, { __eq = work }) == setmetatable({}, {})",
      "local _ = #setmetatable({}, { __len = work })",
      "setmetatable({}, { __call = work })()",
      "do local _ <close> = setmetatable({}, { __close = work }) end",
      "pcall(function() local _ <close> = setmetatable({}, { __close = work }) error 'x' end)",
      "require('neap').all { work }",
      "require('neap').timeout(1000, work)",
      "load('local work = ... work()')(work)",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    char script[512];
    neap_options options = {.size = sizeof options, .slice_us = 50};
    neap_task task;
    neap *h;
    int steps = 0;
    size_t n;
    snprintf(script, sizeof script, "local n = 0 local function work() while n < 1e5 do n = n + 1 end end %s return n",
             bodies[i]);
    CHECK(neap_open(&h, &options) == NEAP_OK);
    CHECK(neap_spawn(h, script, strlen(script), bodies[i], &task) == NEAP_OK);
    while (neap_step(h, 1000) > 0) steps++;
    const char *result = neap_result(h, task, &n);
    bool suspended = steps > 3 && result && strcmp(result, "100000") == 0;
    CHECK(suspended);
    if (!suspended) printf("%s: %d steps, %s\n", bodies[i], steps, result ? result : neap_message(h));
    neap_close(&h);
  }
}

int main(void) {
  test_instructions();
  test_unbounded_functions();
  test_work_in_c();
  test_cleaning();
  test_time();
  test_memory();
  test_frozen();
  test_environments();
  test_capabilities();
  test_tasks();
  test_slices();
  test_slices_everywhere();
  return report();
}
