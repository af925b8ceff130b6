// api_test.c: neap.h as a program that embeds neap uses it.
#include <lauxlib.h>
#include <lualib.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "check.h"

static neap *open_host(neap_options options, struct seen *seen) {
  neap *h = NULL;
  memset(seen, 0, sizeof *seen);
  options.size = sizeof options;
  options.error = on_error;
  options.ud = seen;
  CHECK(neap_open(&h, &options) == NEAP_OK);
  return h;
}

static neap_task spawn(neap *h, const char *script) {
  neap_task task;
  CHECK(neap_spawn(h, script, strlen(script), "=script", &task) == NEAP_OK);
  return task;
}

static bool result_is(neap *h, neap_task task, const char *expected) {
  size_t len;
  const char *json = neap_result(h, task, &len);
  if (json && strcmp(json, expected) == 0 && len == strlen(expected)) return true;
  printf("result: %s, expected: %s (%s)\n", json ? json : "NULL", expected, neap_message(h));
  return false;
}

static int open_answer(lua_State *L) {
  lua_pushinteger(L, 42);
  return 1;
}

// Every call refuses what makes no sense with NEAP_EARG, and harms nothing.
static void test_arguments(void) {
  struct seen seen;
  neap *h = (neap *)1;
  neap_options options = {.size = offsetof(neap_options, lua_dir)};
  neap_task task = 7;
  size_t len = 7;
  CHECK(neap_open(&h, &options) == NEAP_EABI && h == NULL);
  CHECK(neap_attach(&h, NULL, NULL) == NEAP_EARG && neap_attach(NULL, NULL, NULL) == NEAP_EARG);
  CHECK(neap_open(NULL, NULL) == NEAP_EARG);
  const neap_store no_url[] = {{"scores", NULL}, {0}};
  options = (neap_options){.size = sizeof options, .stores = no_url};
  CHECK(neap_open(&h, &options) == NEAP_EARG && h == NULL);
  CHECK(neap_spawn(NULL, "", 0, "=x", NULL) == NEAP_EARG && neap_spawn_file(NULL, "x.lua", NULL) == NEAP_EARG);
  CHECK(neap_call(NULL, "f", NULL, NULL) == NEAP_EARG && neap_register(NULL, "m", open_answer) == NEAP_EARG);
  CHECK(neap_status(NULL, 1) == NEAP_EARG && neap_cancel(NULL, 1) == NEAP_EARG && neap_release(NULL, 1) == NEAP_EARG);
  CHECK(neap_result(NULL, 1, &len) == NULL && len == 0);
  CHECK(neap_run(NULL) == NEAP_EARG && neap_step(NULL, 0) == NEAP_EARG);
  CHECK(neap_fd(NULL) == NEAP_EARG && neap_timeout(NULL) == NEAP_EARG && neap_exit_code(NULL) == -1);
  CHECK(neap_lua(NULL) == NULL && *neap_message(NULL) == '\0');
  neap_stop(NULL);
  neap_close(NULL);
  neap_close(&h);
  h = open_host((neap_options){0}, &seen);
  CHECK(neap_spawn(h, NULL, 0, "=x", &task) == NEAP_EARG && neap_spawn_file(h, NULL, &task) == NEAP_EARG);
  CHECK(neap_spawn_file(h, "/nowhere/x.lua", &task) == NEAP_ERR && task == 0 &&
        strstr(neap_message(h), "/nowhere/x.lua"));
  CHECK(neap_call(h, NULL, NULL, &task) == NEAP_EARG);
  CHECK(neap_register(h, NULL, open_answer) == NEAP_EARG && neap_register(h, "m", NULL) == NEAP_EARG);
  for (neap_task stale = 0; stale < 1000; stale += 999) {
    CHECK(neap_status(h, stale) == NEAP_EARG && neap_cancel(h, stale) == NEAP_EARG);
    CHECK(neap_release(h, stale) == NEAP_EARG && neap_result(h, stale, NULL) == NULL);
  }
  CHECK(neap_spawn(h, "return 1", 8, NULL, &task) == NEAP_OK && neap_run(h) == NEAP_OK && result_is(h, task, "1"));
  neap_close(&h);
}

static void test_tasks(void) {
  struct seen seen;
  neap *h = open_host((neap_options){0}, &seen);
  neap_task task = spawn(h, "require('neap').sleep(0.001) return { a = 1 }");
  CHECK(neap_status(h, task) == NEAP_PENDING && neap_result(h, task, NULL) == NULL);
  CHECK(neap_run(h) == NEAP_OK);
  CHECK(neap_status(h, task) == NEAP_OK && result_is(h, task, "{\"a\":1}") && result_is(h, task, "{\"a\":1}"));
  CHECK(neap_release(h, task) == NEAP_OK && neap_status(h, task) == NEAP_EARG && neap_release(h, task) == NEAP_EARG);
  task = spawn(h, "");
  CHECK(neap_run(h) == NEAP_OK && result_is(h, task, "null"));
  task = spawn(h, "error({ 1 })");
  CHECK(neap_run(h) == NEAP_ERR && neap_status(h, task) == NEAP_ERR && seen.errors == 1);
  CHECK(!strstr(neap_result(h, task, NULL), "\"kind\"") && strstr(neap_result(h, task, NULL), "\"message\"") &&
        !*seen.kind);
  CHECK(neap_spawn(h, "x =", 3, "=bad", &task) == NEAP_ERR && task == 0 && strstr(neap_message(h), "bad:1"));
  CHECK(neap_spawn(h, "\33Lua", 4, "=binary", NULL) == NEAP_ERR);
  task = spawn(h, "require('neap').sleep(1000)");
  CHECK(neap_cancel(h, task) == NEAP_OK && neap_run(h) == NEAP_ERR && strcmp(seen.kind, "cancelled") == 0);
  neap_close(&h);
  CHECK(h == NULL);
}

static void test_call(void) {
  struct seen seen;
  neap *h = open_host((neap_options){0}, &seen);
  spawn(h, "game = { add = function(a, b) return a + b end } function none() end");
  CHECK(neap_run(h) == NEAP_OK);
  neap_task task;
  CHECK(neap_call(h, "game.add", "[1, 2]", &task) == NEAP_OK);
  CHECK(neap_run(h) == NEAP_OK && result_is(h, task, "3"));
  CHECK(neap_call(h, "none", NULL, &task) == NEAP_OK);
  CHECK(neap_call(h, "game.sub", "[]", &task) == NEAP_ERR && strstr(neap_message(h), "game.sub"));
  CHECK(neap_call(h, "game.add", "[1,", &task) == NEAP_ERR);
  CHECK(neap_call(h, "game.add", "7", &task) == NEAP_ERR && neap_call(h, "game.add", "{}", &task) == NEAP_ERR);
  CHECK(neap_run(h) == NEAP_OK);
  neap_close(&h);
  h = open_host((neap_options){.max_instructions = 100000}, &seen);
  spawn(h,
        "function f(x) return x * 2 end late = setmetatable({}, { __index = function(_, name) "
        "while name == 'never' do end return name == 'f' and { g = f } or nil end })");
  CHECK(neap_run(h) == NEAP_OK);
  CHECK(neap_call(h, "f", "[21]", &task) == NEAP_OK && neap_run(h) == NEAP_OK && result_is(h, task, "42"));
  CHECK(neap_call(h, "late.f.g", " [21]", &task) == NEAP_OK && neap_run(h) == NEAP_OK && result_is(h, task, "42"));
  CHECK(neap_call(h, "late.x", NULL, &task) == NEAP_OK && neap_run(h) == NEAP_ERR && strstr(seen.message, "late.x"));
  // Scripts cannot hold up the call itself: their code runs in the task, within its limits.
  CHECK(neap_call(h, "late.never", NULL, &task) == NEAP_OK && neap_run(h) == NEAP_ERR);
  CHECK(neap_status(h, task) == NEAP_ELIMIT);
  neap_close(&h);
}

static void test_step(void) {
  struct seen seen;
  neap *h = open_host((neap_options){0}, &seen);
  neap_task task = spawn(h, "local neap = require 'neap' for i = 1, 3 do neap.sleep(0.002) end return 'done'");
  CHECK(neap_fd(h) >= 0);
  int steps = 0;
  while (neap_step(h, 1000) > 0) {
    struct pollfd fd = {.fd = neap_fd(h), .events = POLLIN};
    CHECK(neap_timeout(h) >= 0);
    poll(&fd, 1, neap_timeout(h));
    steps++;
  }
  CHECK(steps >= 3 && result_is(h, task, "\"done\""));
  task = spawn(h, "table.sort({ 1, 2 }, function() require('neap').sleep(1) end)");
  while (neap_step(h, 0) > 0) continue;
  CHECK(neap_status(h, task) == NEAP_ERR && strcmp(seen.kind, "usage") == 0);
  spawn(h, "require('neap').spawn(error, 'lost')");
  seen.errors = 0;
  while (neap_step(h, 0) > 0) continue;
  CHECK(seen.errors == 1);  // reported although nothing runs any more
  neap_close(&h);
}

static void test_register(void) {
  struct seen seen;
  neap *h = open_host((neap_options){0}, &seen);
  CHECK(neap_register(h, "answer", open_answer) == NEAP_OK);
  neap_task task = spawn(h, "return require 'answer'");
  CHECK(neap_run(h) == NEAP_OK && result_is(h, task, "42"));
  neap_close(&h);
}

// A folder with two Lua files: a module that is called as an embedded one is, and a script.
static void make_files(char *dir, size_t size) {
  char path[128];
  snprintf(dir, size, "/tmp/neap_api_%d", (int)getpid());
  snprintf(path, sizeof path, "mkdir -p %s/neap", dir);
  CHECK(system(path) == 0);
  snprintf(path, sizeof path, "%s/neap/repl.lua", dir);
  FILE *f = fopen(path, "w");
  CHECK(f && fputs("return 'on disk'", f) >= 0 && fclose(f) == 0);
  snprintf(path, sizeof path, "%s/script.lua", dir);
  f = fopen(path, "w");
  CHECK(f && fputs("return require 'neap.repl'", f) >= 0 && fclose(f) == 0);
}

static void test_files(void) {
  struct seen seen;
  char dir[64], path[128];
  neap_task task;
  make_files(dir, sizeof dir);
  neap *h = open_host((neap_options){.lua_dir = dir}, &seen);
  snprintf(path, sizeof path, "%s/script.lua", dir);
  CHECK(neap_spawn_file(h, path, &task) == NEAP_OK && neap_run(h) == NEAP_OK && result_is(h, task, "\"on disk\""));
  neap_close(&h);
  snprintf(path, sizeof path, "rm -r %s", dir);
  CHECK(system(path) == 0);
}

static int woken, logged;

static void on_wake(void *ud) {
  (void)ud;
  woken++;
}

static void on_log(void *ud, int level, const char *text, size_t len) {
  (void)ud;
  logged += level == NEAP_LOG_WARN && len == strlen(text) && strcmp(text, "low tide n=7") == 0;
}

static void test_callbacks(void) {
  struct seen seen;
  neap *h = open_host((neap_options){.log = on_log, .wake = on_wake}, &seen);
  spawn(h, "require('neap').log.warn('low tide', { n = 7 })");
  spawn(h, "require('neap').open('sqlite::memory:'):sql 'SELECT 1'");  // on a thread, which wakes the host
  while (neap_step(h, 0) > 0) continue;
  CHECK(logged == 1 && seen.errors == 0);
  neap_close(&h);
  CHECK(woken > 0);
}

// What a signal handler does: tasks that wait and tasks that compute end. The host can go on with others.
static void test_stop(void) {
  struct seen seen;
  neap *h = open_host((neap_options){0}, &seen);
  neap_task waits = spawn(h, "require('neap').sleep(1000)"), computes = spawn(h, "while true do end");
  neap_stop(h);
  CHECK(neap_run(h) == NEAP_ERR && neap_status(h, waits) == NEAP_ERR && neap_status(h, computes) == NEAP_ERR);
  neap_task other = spawn(h, "require('neap').sleep(0) return 1");
  CHECK(neap_run(h) == NEAP_OK && result_is(h, other, "1"));
  neap_close(&h);
}

// A script that ends its host does not end the program, nor another host.
static void test_many(void) {
  struct seen seen;
  neap *a = open_host((neap_options){0}, &seen), *b = open_host((neap_options){0}, &seen);
  spawn(a, "x = 1 os.exit(5)");
  neap_task task = spawn(b, "return x == nil");
  CHECK(neap_run(a) == NEAP_OK && neap_exit_code(a) == 5);
  CHECK(neap_run(b) == NEAP_OK && neap_exit_code(b) == -1 && result_is(b, task, "true"));
  neap_close(&a);
  neap_close(&b);
}

static void test_close_while_busy(void) {
  struct seen seen;
  neap *h = open_host((neap_options){0}, &seen);
  spawn(h, "local neap = require 'neap' neap.all { function() neap.sleep(1000) end, function() neap.sleep(1000) end }");
  spawn(h, "local neap = require 'neap' neap.spawn(neap.sleep, 1000) pcall(neap.sleep, 1000)");
  neap_step(h, 0);
  neap_step(h, 0);
  neap_close(&h);
  CHECK(h == NULL);
}

static void test_borrowed_loop(void) {
  struct seen seen;
  uv_loop_t loop;
  uv_loop_init(&loop);
  neap *h = open_host((neap_options){.loop = &loop}, &seen);
  neap_task task = spawn(h, "require('neap').sleep(0.002) return 1");
  while (neap_step(h, 0) > 0) uv_run(&loop, UV_RUN_ONCE);
  CHECK(result_is(h, task, "1"));
  neap_close(&h);
  uv_run(&loop, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop) == 0);
}

static void test_attach(void) {
  lua_State *L = luaL_newstate();
  neap *h, *again;
  neap_options options = {.size = sizeof options, .max_memory = 1};
  luaL_openlibs(L);
  CHECK(neap_attach(&h, L, &options) == NEAP_EARG);
  CHECK(neap_attach(&h, L, NULL) == NEAP_OK && neap_lua(h) == L);
  CHECK(neap_attach(&again, L, NULL) == NEAP_EARG);
  CHECK(luaL_dostring(L, "return require('neap').all { function() return 5 end }[1]") == LUA_OK);
  CHECK(lua_tointeger(L, -1) == 5);
  neap_task task = spawn(h, "local neap = require 'neap' neap.sleep(0.001) return select('#', 1, 2)");
  CHECK(neap_run(h) == NEAP_OK && result_is(h, task, "2"));
  neap_close(&h);
  CHECK(luaL_dostring(L, "require('neap').sleep(1)") != LUA_OK);
  CHECK(neap_attach(&h, L, NULL) == NEAP_OK);
  lua_close(L);  // without neap_close
}

int main(void) {
  test_arguments();
  test_tasks();
  test_call();
  test_step();
  test_register();
  test_files();
  test_callbacks();
  test_stop();
  test_many();
  test_close_while_busy();
  test_borrowed_loop();
  test_attach();
  return report();
}
