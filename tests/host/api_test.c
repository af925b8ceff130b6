// api_test.c: neap.h as a program that embeds neap uses it.
#include <lauxlib.h>
#include <lualib.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
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

static void test_arguments(void) {
  neap *h = (neap *)1;
  neap_options options = {.size = sizeof options - 8};
  CHECK(neap_open(&h, &options) == NEAP_EABI && h == NULL);
  CHECK(neap_open(NULL, NULL) == NEAP_EARG);
  CHECK(neap_spawn(NULL, "", 0, "=x", NULL) == NEAP_EARG);
  CHECK(neap_run(NULL) == NEAP_EARG && neap_step(NULL, 0) == NEAP_EARG && neap_fd(NULL) == NEAP_EARG);
  CHECK(neap_lua(NULL) == NULL && *neap_message(NULL) == '\0');
  neap_close(NULL);
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
  CHECK(neap_call(h, "game.add", "7", &task) == NEAP_ERR);
  CHECK(neap_run(h) == NEAP_OK);
  neap_close(&h);
  h = open_host((neap_options){.max_instructions = 100000}, &seen);
  spawn(h, "function f(x) return x * 2 end");
  CHECK(neap_run(h) == NEAP_OK);
  CHECK(neap_call(h, "f", "[21]", &task) == NEAP_OK && neap_run(h) == NEAP_OK && result_is(h, task, "42"));
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

static int open_answer(lua_State *L) {
  lua_pushinteger(L, 42);
  return 1;
}

static void test_register(void) {
  struct seen seen;
  neap *h = open_host((neap_options){0}, &seen);
  CHECK(neap_register(h, "answer", open_answer) == NEAP_OK);
  neap_task task = spawn(h, "return require 'answer'");
  CHECK(neap_run(h) == NEAP_OK && result_is(h, task, "42"));
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
  test_many();
  test_close_while_busy();
  test_borrowed_loop();
  test_attach();
  return report();
}
