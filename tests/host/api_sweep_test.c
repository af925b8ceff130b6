// api_sweep_test.c: allocations fail, one after the other, while a program uses everything in neap.h. Each call says what it can,
// nothing crashes or leaks, and the host works again as soon as there is memory.
#include <lauxlib.h>
#include <lualib.h>

#include "sweep.h"

static const char script[] =
    "game = { add = function(a, b) return a + b end }\n"
    "local neap = require 'neap'\n"
    "neap.log.info('started', { with = 'fields' })\n"
    "neap.spawn(error, 'nobody awaits this')\n"
    "return { answer = require 'answer', list = neap.all { function() neap.sleep(0) return 'x' end } }";

static int open_answer(lua_State *L) {
  lua_pushfstring(L, "%d", 42);
  return 1;
}

static bool known(int status) {
  return status == NEAP_OK || status == NEAP_PENDING || status == NEAP_ERR || status == NEAP_ENOMEM ||
         status == NEAP_ELIMIT || status == NEAP_EARG;
}

// Whether the host, now that there is memory, runs a script to its end: at once, or when a stop has been heeded that a run had no
// memory to heed.
static bool works(neap *h) {
  neap_task task;
  for (int i = 0; i < 2; i++) {
    int spawned = neap_spawn(h, "return { 'a' }", 14, "=works", &task);
    neap_run(h);
    const char *json = spawned == NEAP_OK ? neap_result(h, task, NULL) : NULL;
    if (json && neap_status(h, task) == NEAP_OK && strcmp(json, "[\"a\"]") == 0) return true;
  }
  return false;
}

static void use(neap *h, bool stepped, const char *file) {
  neap_task tasks[4] = {0};
  CHECK(known(neap_register(h, "answer", open_answer)));
  CHECK(known(neap_spawn(h, script, sizeof script - 1, "=script", &tasks[0])));
  CHECK(known(neap_spawn(h, "syntax error", 12, "=wrong", NULL)) && neap_message(h));
  CHECK(known(neap_spawn_file(h, file, &tasks[1])));
  if (stepped)
    for (int i = 0; i < 1000 && neap_step(h, 1000) > 0; i++) continue;
  else
    CHECK(known(neap_run(h)));
  CHECK(known(neap_call(h, "game.add", "[1, 2]", &tasks[2])) && known(neap_call(h, "none", "[{}]", NULL)));
  CHECK(known(neap_spawn(h, "require 'neap'.sleep(100)", 25, "=waits", &tasks[3])));
  neap_step(h, 100);
  CHECK(neap_fd(h) >= 0 && neap_timeout(h) >= -1);
  CHECK(known(neap_cancel(h, tasks[3])));
  neap_stop(h);
  CHECK(known(neap_run(h)));
  for (int i = 0; i < 4; i++) {
    size_t len = 7;
    const char *json = neap_result(h, tasks[i], &len);
    CHECK(known(neap_status(h, tasks[i])) && (json ? strlen(json) == len : len == 0));
    CHECK(known(neap_release(h, tasks[i])));
  }
}

// Uses a host with the n-th allocation failing; gives how many there were.
static long use_with(neap_options options, enum mode how, long n, const char *file) {
  neap *h;
  options.size = sizeof options;
  options.log = ignore_log;
  options.error = on_error;
  options.ud = &last;
  mode = how;
  countdown = n;
  armed = OURS;
  int status = neap_open(&h, &options);
  CHECK(status == NEAP_OK ? h != NULL : h == NULL && status == NEAP_ENOMEM);
  if (h) use(h, options.slice_us > 0, file);
  armed = NOBODYS;
  long made = n - countdown;
  if (h) CHECK(works(h));
  neap_close(&h);
  CHECK(blocks == 0);
  return made;
}

// A state that is the program's own.
static long attach_with(enum mode how, long n) {
  neap *h;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  mode = how;
  countdown = n;
  armed = OURS;
  int status = neap_attach(&h, L, NULL);
  CHECK(status == NEAP_OK ? h != NULL : h == NULL && known(status));
  if (h) known(neap_spawn(h, "return 1", 8, "=attached", NULL)), neap_run(h);
  armed = NOBODYS;
  long made = n - countdown;
  neap_close(&h);
  CHECK(neap_attach(&h, L, NULL) == NEAP_OK && works(h));
  lua_close(L);
  return made;
}

int main(void) {
  char file[64];
  snprintf(file, sizeof file, "/tmp/neap_api_sweep_%d.lua", (int)getpid());
  FILE *f = fopen(file, "w");
  CHECK(f && fputs("return ...", f) >= 0 && fclose(f) == 0);
  sweep_seed();
  for (enum mode how = ONE; how <= ALL_FROM; how++) {
    for (int i = 0; i < 4; i++) {
      neap_options options = {.alloc = i % 2 ? counted : NULL, .slice_us = i / 2 ? 1000 : 0};
      long total = use_with(options, how, LONG_MAX, file), stride = getenv("NEAP_SOAK") ? 1 : 1 + total / 300;
      CHECK(total > 100);
      for (long n = 1; n <= total && !failed; n += 1 + rand() % (2 * stride)) {
        use_with(options, how, n, file);
        if (failed) printf("  allocation %ld of %ld, options %d\n", n, total, i);
      }
    }
    long total = attach_with(how, LONG_MAX);
    for (long n = 1; n <= total && !failed; n++) attach_with(how, n);
  }
  unlink(file);
  return report();
}
