// calls_test.c: from where each function of neap.h may be called. Where it may not be, it gives NEAP_EARG and harms nothing.
#include <lauxlib.h>
#include <lualib.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"

static neap *host;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int open_nothing(lua_State *L) {
  lua_pushboolean(L, 1);
  return 1;
}

// Whether every function that is refused where nothing may be called is refused.
static bool all_refused(neap *h) {
  neap_task task = 7;
  neap *same = h;
  neap_close(&same);
  return neap_step(h, 0) == NEAP_EARG && neap_run(h) == NEAP_EARG && same == h &&
         neap_spawn(h, "", 0, "=x", &task) == NEAP_EARG && task == 0 &&
         neap_spawn_file(h, "/dev/null", NULL) == NEAP_EARG && neap_call(h, "f", NULL, NULL) == NEAP_EARG &&
         neap_status(h, 1) == NEAP_EARG && neap_cancel(h, 1) == NEAP_EARG && neap_release(h, 1) == NEAP_EARG &&
         neap_result(h, 1, NULL) == NULL && neap_fd(h) == NEAP_EARG && neap_timeout(h) == NEAP_EARG &&
         neap_register(h, "m", open_nothing) == NEAP_EARG && neap_lua(h) == NULL && *neap_message(h) == '\0' &&
         neap_exit_code(h) == -1;
}

// Whether what may be called inside a script and in a callback works there, and the three that run tasks are refused.
static bool works_inside(neap *h) {
  neap_task task;
  neap *same = h;
  neap_close(&same);
  if (neap_step(h, 0) != NEAP_EARG || neap_run(h) != NEAP_EARG || same != h) return false;
  if (neap_spawn(h, "return 1", 8, "=inside", &task) != NEAP_OK || neap_status(h, task) != NEAP_PENDING) return false;
  if (neap_spawn(h, "x =", 3, "=bad", NULL) != NEAP_ERR || !*neap_message(h)) return false;
  if (neap_result(h, task, NULL) || neap_cancel(h, task) != NEAP_OK || neap_release(h, task) != NEAP_OK) return false;
  if (neap_call(h, "known", "[1]", NULL) != NEAP_OK || neap_spawn_file(h, "/dev/null", NULL) != NEAP_OK) return false;
  return neap_register(h, "m", open_nothing) == NEAP_OK && neap_fd(h) >= 0 && neap_timeout(h) == 0 && neap_lua(h) &&
         neap_exit_code(h) == -1;
}

static int inside(lua_State *L) {
  lua_pushboolean(L, works_inside(host));
  return 1;
}

static void *try_all(void *ud) {
  bool *refused = ud;
  *refused = all_refused(host);
  return NULL;
}

static int elsewhere(lua_State *L) {
  pthread_t thread;
  bool refused = false;
  pthread_create(&thread, NULL, try_all, &refused);
  pthread_join(thread, NULL);
  lua_pushboolean(L, refused);
  return 1;
}

static int open_inside(lua_State *L) {
  lua_pushcfunction(L, inside);
  return 1;
}

static int open_elsewhere(lua_State *L) {
  lua_pushcfunction(L, elsewhere);
  return 1;
}

static neap *open_host(neap_options options) {
  options.size = sizeof options;
  CHECK(neap_open(&host, &options) == NEAP_OK);
  CHECK(neap_register(host, "inside", open_inside) == NEAP_OK);
  CHECK(neap_register(host, "elsewhere", open_elsewhere) == NEAP_OK);
  CHECK(neap_spawn(host, "function known() end", 20, "=known", NULL) == NEAP_OK && neap_run(host) == NEAP_OK);
  return host;
}

static neap_task spawn(neap *h, const char *script) {
  neap_task task;
  CHECK(neap_spawn(h, script, strlen(script), "=script", &task) == NEAP_OK);
  return task;
}

static const char *const places[] = {
    "assert(%s())",
    "assert(coroutine.wrap(%s)())",
    "assert(pcall(%s))",
    "local ok table.sort({ 1, 2 }, function() ok = %s() return false end) assert(ok)",
    "assert(require 'neap'.all { %s, %s }[2])",
    "local ok do local _ <close> = setmetatable({}, { __close = function() ok = %s() end }) end assert(ok)",
    "assert(setmetatable({}, { __index = %s }).x)",
};

// A C function that a script calls, wherever it does.
static void test_in_scripts(const char *function) {
  for (size_t i = 0; i < 2 * sizeof places / sizeof *places; i++) {
    char script[256];
    neap *h = open_host((neap_options){.slice_us = i % 2 * 1000});
    int n = snprintf(script, sizeof script, "local %s = require '%s' ", function, function);
    snprintf(script + n, sizeof script - (size_t)n, places[i / 2], function, function);
    neap_task task = spawn(h, script);
    if (i % 2)
      while (neap_step(h, 1000) > 0) continue;
    else
      neap_run(h);
    CHECK(neap_status(h, task) == NEAP_OK);
    if (neap_status(h, task) != NEAP_OK) printf("%s: %s\n", script, neap_result(h, task, NULL));
    neap_close(&h);
  }
}

static int worked, refused, called;

static void error_calls(void *ud, neap_task task, const char *kind, const char *message, const char *traceback) {
  (void)ud, (void)kind, (void)message, (void)traceback;
  called++;
  worked += neap_status(host, task) != NEAP_ERR && !neap_result(host, task, NULL) && works_inside(host);
}

static void log_calls(void *ud, int level, const char *text, size_t len) {
  (void)ud, (void)level, (void)text, (void)len;
  called++;
  worked += works_inside(host);
}

static void wake_calls(void *ud) {
  (void)ud;
  neap *other = host;
  called++;
  refused += all_refused(host) && neap_open(&other, NULL) == NEAP_EARG && !other;
}

static void *allocator_calls(void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud, (void)osize;
  called++;
  refused += !host || all_refused(host);
  if (nsize) return realloc(p, nsize);
  free(p);
  return NULL;
}

static void test_in_callbacks(void) {
  worked = called = 0;
  neap *h = open_host((neap_options){.error = error_calls, .log = log_calls});
  spawn(h, "require 'neap'.log.info 'x'");
  spawn(h, "error 'x'");
  spawn(h, "require 'neap'.spawn(error, 'x')");
  CHECK(neap_run(h) == NEAP_ERR && worked == 3 && called >= 3);
  neap_close(&h);
  host = NULL;
  refused = called = 0;
  h = open_host((neap_options){.alloc = allocator_calls});
  spawn(h, "local t = {} for i = 1, 1000 do t[i] = { i } end");
  CHECK(neap_run(h) == NEAP_OK);
  neap_close(&h);
  CHECK(called > 1000 && refused == called);
  refused = called = 0;
  h = open_host((neap_options){.wake = wake_calls});
  spawn(h, "local s = require 'neap'.open 'sqlite::memory:' s:sql 'SELECT 1'");
  while (neap_step(h, 0) > 0) continue;
  neap_close(&h);
  CHECK(called > 0 && refused == called);
}

static void error_spawns(void *ud, neap_task task, const char *kind, const char *message, const char *traceback) {
  int *spawned = ud;
  (void)task, (void)kind, (void)message, (void)traceback;
  *spawned += neap_spawn(host, "require 'neap'.sleep(100)", 25, "=again", NULL) == NEAP_OK;
}

// Closing ends, whatever scripts and callbacks do about it.
static void test_closing(void) {
  static const char *const stubborn[] = {
      "while true do end",
      "while true do pcall(function() while true do end end) end",
      "local neap = require 'neap' while true do pcall(neap.sleep, 100) end",
      "local neap = require 'neap' local function f() neap.spawn(f) neap.spawn(f) pcall(neap.sleep, 0) end f()",
      "while true do coroutine.wrap(function() pcall(error) end)() end",
  };
  for (size_t i = 0; i < 2 * sizeof stubborn / sizeof *stubborn; i++) {
    int spawned = 0;
    neap *h = open_host((neap_options){.error = error_spawns, .ud = &spawned, .slice_us = i % 2 * 500});
    spawn(h, stubborn[i / 2]);
    spawn(h, "require 'neap'.sleep(100)");
    if (i % 2) neap_step(h, 1000);
    double start = now();
    neap_close(&h);
    CHECK(h == NULL && now() - start < 20 && spawned == 0);
  }
}

static void *stop(void *ud) {
  neap_stop(ud);
  return NULL;
}

// From another thread: what waits ends, and what computes where a limit has set a hook.
static void test_stop(void) {
  for (int limited = 0; limited < 2; limited++) {
    pthread_t thread;
    neap *h = open_host((neap_options){.slice_us = limited ? 1000 : 0, .error = error_calls});
    neap_task task = spawn(h, limited ? "while true do end" : "require 'neap'.sleep(1000)");
    pthread_create(&thread, NULL, stop, h);
    CHECK(neap_run(h) == NEAP_ERR && neap_status(h, task) == NEAP_ERR);
    pthread_join(thread, NULL);
    neap_close(&h);
  }
}

// A program that owns the Lua state may close the host and go on, and call it again by mistake.
static void test_attached(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  CHECK(neap_attach(&host, L, NULL) == NEAP_OK);
  lua_register(L, "inside", inside);
  CHECK(luaL_dostring(L, "function known() end assert(require 'neap'.spawn(inside):await())") == LUA_OK);
  neap *same = host;
  neap_close(&host);
  CHECK(all_refused(same));
  neap_stop(same);
  lua_close(L);
}

// Polled by its owner, a host is stepped when there is something to do and at no other time.
static void test_poll(void) {
  neap *h = open_host((neap_options){0});
  CHECK(neap_timeout(h) == -1);
  neap_task task =
      spawn(h,
            "local neap = require 'neap' local s = neap.open 'sqlite::memory:' for i = 1, 20 do "
            "assert(s:sql('SELECT ? AS n', { i })[1].n == i) neap.sleep(0.001) end neap.spawn(error, 'x')");
  int steps = 0;
  while (neap_step(h, 1000) > 0 && steps++ < 1000) {
    struct pollfd fd = {.fd = neap_fd(h), .events = POLLIN};
    CHECK(poll(&fd, 1, neap_timeout(h)) >= 0);
  }
  CHECK(neap_status(h, task) == NEAP_OK && steps < 200);
  neap_step(h, 0);  // the store has been collected, and its handles are let go
  CHECK(neap_timeout(h) == -1);
  neap_close(&h);
}

// What cleans up after a cancelled task comes to its end, in several slices.
static void test_cleaning_up(void) {
  neap *h = open_host((neap_options){.slice_us = 100});
  neap_task task = spawn(h,
                         "local neap, cleaned = require 'neap' local task = neap.spawn(function() local _ <close> = "
                         "setmetatable({}, { __close = function() local till = os.clock() + 0.0005 while os.clock() < "
                         "till do end cleaned = true end }) "
                         "neap.sleep(100) end) neap.sleep(0) task:cancel() pcall(task.await, task) return cleaned");
  while (neap_step(h, 1000) > 0) continue;
  CHECK(strcmp(neap_result(h, task, NULL), "true") == 0);
  neap_close(&h);
}

// What neap_result gives stays where it is until the task is released.
static void test_results(void) {
  neap *h = open_host((neap_options){0});
  neap_task task = spawn(h, "return { ('x'):rep(1000) }"), odd = spawn(h, "return print"),
            none = spawn(h, "return nil");
  size_t len;
  CHECK(neap_run(h) == NEAP_OK);
  const char *json = neap_result(h, task, &len);
  CHECK(json && len == 1004 && neap_status(h, odd) == NEAP_OK && !neap_result(h, odd, &len) && len == 0);
  CHECK(strstr(neap_message(h), "function") && strcmp(neap_result(h, none, NULL), "null") == 0);
  spawn(h, "for i = 1, 1e5 do local t = { i } end collectgarbage()");
  CHECK(neap_run(h) == NEAP_OK && neap_result(h, task, &len) == json && len == 1004 && strlen(json) == 1004);
  CHECK(neap_call(h, "tostring", json, &none) == NEAP_OK && neap_run(h) == NEAP_OK);
  neap_close(&h);
}

int main(void) {
  CHECK(strcmp(neap_version(), NEAP_VERSION) == 0);
  test_in_scripts("inside");
  test_in_scripts("elsewhere");
  test_in_callbacks();
  test_closing();
  test_stop();
  test_attached();
  test_poll();
  test_results();
  test_cleaning_up();
  return report();
}
