// abi_test.c: a program that was compiled against the first header runs with this library: every option is found where it
// was, every call is there. Programs that know more of the options run as long as they leave that zero.
#include "abi/neap-0.1.0.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "check.h"

_Static_assert(sizeof(neap_options) == 8 * 8 + 4 * 4 + 2 * 8 || sizeof(void *) != 8, "the first struct has changed");

static int allocated, logged, woken;

static void *allocate(void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud, (void)osize;
  allocated++;
  if (nsize) return realloc(p, nsize);
  free(p);
  return NULL;
}

static void on_log(void *ud, int level, const char *text, size_t len) {
  (void)ud;
  logged += level == NEAP_LOG_WARN && len == strlen(text);
}

static void on_wake(void *ud) {
  (void)ud;
  woken++;
}

static void ends(neap_options options, const char *script, int status, const char *kind) {
  struct seen seen;
  CHECK(run_script(options, &seen, script) == status);
  CHECK(strcmp(seen.kind, kind) == 0);
}

static void test_options(void) {
  ends((neap_options){.alloc = allocate}, "return 1", NEAP_OK, "");
  ends((neap_options){.log = on_log}, "require 'neap'.log.warn 'low tide'", NEAP_OK, "");
  CHECK(allocated > 100 && logged == 1);
  ends((neap_options){.max_memory = 2 << 20}, "local s = ('x'):rep(4 << 20)", NEAP_ERR, "limit");
  ends((neap_options){.max_instructions = 10000}, "while true do end", NEAP_ERR, "limit");
  ends((neap_options){.max_tasks = 3}, "local neap = require 'neap' for i = 1, 3 do neap.spawn(neap.sleep, 0) end",
       NEAP_ERR, "limit");
  ends((neap_options){.flags = NEAP_NO_OS}, "os.execute 'true'", NEAP_ERR, "forbidden");
  ends((neap_options){.flags = NEAP_NO_FS}, "io.open '/dev/null'", NEAP_ERR, "forbidden");
  ends((neap_options){.flags = NEAP_NO_NET}, "require 'neap'.open 'postgres://127.0.0.1'", NEAP_ERR, "forbidden");
}

// The options that only matter to a host that is stepped.
static void test_stepped(void) {
  uv_loop_t loop;
  neap *h;
  neap_task task;
  const char script[] = "local s = require 'neap'.open 'sqlite::memory:' s:sql 'SELECT 1' while true do end";
  uv_loop_init(&loop);
  neap_options options = {
      .size = sizeof options, .slice_us = 200, .max_rows_per_step = 10, .loop = &loop, .wake = on_wake};
  CHECK(neap_open(&h, &options) == NEAP_OK);
  CHECK(neap_spawn(h, script, sizeof script - 1, "=script", &task) == NEAP_OK);
  for (int i = 0; i < 50; i++) {
    CHECK(neap_step(h, 1000) == 1);
    uv_run(&loop, UV_RUN_NOWAIT);
    usleep(1000);
  }
  CHECK(woken > 0 && neap_status(h, task) == NEAP_PENDING);
  CHECK(neap_fd(h) == uv_backend_fd(&loop) && neap_timeout(h) == 0);
  neap_close(&h);
  uv_run(&loop, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop) == 0);
}

static int open_answer(struct lua_State *L) {
  lua_pushinteger(L, 42);
  return 1;
}

static void test_calls(void) {
  neap *h;
  neap_task task, other;
  size_t len;
  CHECK(neap_open(&h, NULL) == NEAP_OK && neap_register(h, "answer", open_answer) == NEAP_OK);
  CHECK(neap_spawn(h, "function add(a, b) return a + b end", 35, "=script", NULL) == NEAP_OK && neap_run(h) == NEAP_OK);
  CHECK(neap_call(h, "add", "[1, 2]", &task) == NEAP_OK && neap_run(h) == NEAP_OK && neap_exit_code(h) == -1);
  CHECK(neap_status(h, task) == NEAP_OK && strcmp(neap_result(h, task, &len), "3") == 0 && len == 1);
  CHECK(neap_release(h, task) == NEAP_OK && neap_cancel(h, task) == NEAP_EARG);
  CHECK(neap_spawn(h, "return require 'answer'", 23, "=script", &other) == NEAP_OK && neap_run(h) == NEAP_OK);
  CHECK(strcmp(neap_result(h, other, NULL), "42") == 0 && neap_lua(h) != NULL && *neap_message(h) == '\0');
  CHECK(neap_spawn_file(h, "/nowhere.lua", NULL) == NEAP_ERR);
  neap_stop(h);
  neap_close(&h);
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  CHECK(neap_attach(&h, L, NULL) == NEAP_OK && neap_lua(h) == L);
  neap_close(&h);
  lua_close(L);
}

// A program compiled against a header that is newer than the library.
static void test_newer(void) {
  struct {
    neap_options options;
    void *unknown;
  } newer;
  neap *h;
  memset(&newer, 0, sizeof newer);
  for (size_t room = 4096; room >= sizeof newer; room /= 2) {  // this library may have grown as well
    char *options = calloc(1, room);
    *(size_t *)(void *)options = room;
    CHECK(neap_open(&h, (neap_options *)(void *)options) == NEAP_OK);
    neap_close(&h);
    options[4095 % room] = 1;
    if (room > 1024) CHECK(neap_open(&h, (neap_options *)(void *)options) == NEAP_EABI && h == NULL);
    free(options);
  }
  newer.options.size = sizeof newer.options - 1;
  CHECK(neap_open(&h, &newer.options) == NEAP_EABI && h == NULL);
  newer.options.size = 0;
  CHECK(neap_open(&h, &newer.options) == NEAP_EABI && h == NULL);
}

int main(void) {
  test_options();
  test_stepped();
  test_calls();
  test_newer();
  return report();
}
