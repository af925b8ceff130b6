// hostile_test.c: scripts that try to get past the limits of their host, or at what was taken from them, each a file in
// hostile/. Its first line says how it must end and what it tries: "-- limit: a loop inside pcall". The ends are limit and
// forbidden, kinds of errors, and harmless: it comes to its end, and has checked with assert what came of it.
//
// Beside each runs a task that behaves, and after it one that finds all libraries as they should be; then everything is
// freed. No clock decides: only instructions, and so the steps of a host, bound what a script may do.
#include <glob.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

#define STEP_US 2000
#define MAX_STEPS 100000

static const char neighbour[] =
    "local neap = require 'neap' local check = require 'check' "
    "for i = 1, 100 do check.tick() neap.sleep(0) end return 'well'";

// The libraries do what they did before.
static const char after[] =
    "local neap = require 'neap' "
    "assert(('a,b'):rep(2, ';') == 'a,b;a,b' and ('abc'):find 'c' == 3 and #('x'):upper() == 1) "
    "local list = { 3, 1, 2 } table.sort(list) assert(table.concat(list) == '123' and select('#', table.unpack(list)) "
    "== 3) "
    "assert(neap.json.encode(neap.json.decode '[1,{\"a\":null}]') == '[1,{\"a\":null}]') "
    "assert(pcall(error) == false and not getmetatable '' and next(string) == nil and math.type(1) == 'integer') "
    "local all = neap.all { function() neap.sleep(0) return 1 end, function() return 2 end } assert(all[1] + all[2] == "
    "3) "
    "assert(coroutine.wrap(function() return coroutine.yield(7) end)() == 7 and require 'neap' == neap) return 'sane'";

static struct outcome {
  size_t bytes;  // that are allocated
  int ticks;     // of the task that behaves
  int limits, forbidden, others;
  char message[512];
} now;

static void *counted(void *ud, void *p, size_t osize, size_t nsize) {
  struct outcome *o = ud;
  size_t old = p ? osize : 0;
  if (nsize == 0) {
    free(p);
    o->bytes -= old;
    return NULL;
  }
  void *q = realloc(p, nsize);
  if (q) o->bytes += nsize - old;
  return q;
}

static void note(void *ud, neap_task task, const char *kind, const char *message, const char *traceback) {
  struct outcome *o = ud;
  (void)task;
  (void)traceback;
  if (strcmp(kind, "limit") == 0)
    o->limits++;
  else if (strcmp(kind, "forbidden") == 0)
    o->forbidden++;
  else
    o->others++;
  snprintf(o->message, sizeof o->message, "%s", message);
}

static void silent(void *ud, int level, const char *message, size_t len) {
  (void)ud;
  (void)level;
  (void)message;
  (void)len;
}

static int tick(struct lua_State *L) {
  (void)L;
  now.ticks++;
  return 0;
}

static int open_check(struct lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, tick);
  lua_setfield(L, -2, "tick");
  return 1;
}

// Those that come to an end by themselves may take their time, as under valgrind they do.
static neap *open_host(bool harmless) {
  neap_options options = {.size = sizeof options,
                          .alloc = counted,
                          .log = silent,
                          .error = note,
                          .ud = &now,
                          .max_memory = 16 << 20,
                          .max_instructions = harmless ? 10000000 : 500000,
                          .slice_us = 1000,
                          .max_tasks = 100,
                          .max_rows_per_step = 1000,
                          .flags = NEAP_NO_FS | NEAP_NO_NET | NEAP_NO_OS};
  neap *h;
  memset(&now, 0, sizeof now);
  CHECK(neap_open(&h, &options) == NEAP_OK);
  CHECK(neap_register(h, "check", open_check) == NEAP_OK);
  return h;
}

static int run_to_end(neap *h, bool stepped) {
  int live = 1;
  if (!stepped) return neap_run(h), 0;
  for (int i = 0; live > 0 && i < MAX_STEPS; i++) {
    live = neap_step(h, STEP_US);
    if (live > 0) poll(&(struct pollfd){.fd = neap_fd(h), .events = POLLIN}, 1, neap_timeout(h));
  }
  return live;
}

static bool ended_as(const char *end) {
  if (strcmp(end, "limit") == 0) return now.limits > 0 && now.forbidden + now.others == 0;
  if (strcmp(end, "forbidden") == 0) return now.forbidden > 0 && now.limits + now.others == 0;
  return strcmp(end, "harmless") == 0 && now.limits + now.forbidden + now.others == 0;
}

static bool gives(neap *h, neap_task task, const char *json) {
  size_t n;
  const char *text = neap_result(h, task, &n);
  return neap_status(h, task) == NEAP_OK && text && strcmp(text, json) == 0;
}

static void check(bool ok, const char *file, bool stepped, const char *what) {
  if (ok) {
    passed++;
    return;
  }
  failed++;
  printf("%s, %s: %s; %d limits, %d forbidden, %d others; last: %s\n", file, stepped ? "stepped" : "run", what,
         now.limits, now.forbidden, now.others, now.message);
}

// Runs a script and its neighbours in a host of their own.
static void attack(const char *file, const char *source, const char *end, bool stepped) {
  neap *h = open_host(strcmp(end, "harmless") == 0);
  neap_task well = 0, hostile = 0, sane = 0;
  CHECK(neap_spawn(h, neighbour, strlen(neighbour), "=neighbour", &well) == NEAP_OK);
  CHECK(neap_spawn(h, source, strlen(source), file, &hostile) == NEAP_OK);
  check(run_to_end(h, stepped) == 0, file, stepped, "it still runs");
  check(ended_as(end), file, stepped, "it ended otherwise");
  check(neap_status(h, hostile) != NEAP_PENDING, file, stepped, "it has not ended");
  neap_result(h, hostile, NULL);
  check(now.ticks == 100 && gives(h, well, "\"well\""), file, stepped, "its neighbour did not go on");
  CHECK(neap_release(h, hostile) == NEAP_OK);
  CHECK(neap_spawn(h, after, strlen(after), "=after", &sane) == NEAP_OK);
  run_to_end(h, stepped);
  check(gives(h, sane, "\"sane\""), file, stepped, "what came after it failed");
  neap_close(&h);
  check(now.bytes == 0, file, stepped, "not everything was freed");
}

static char *read_file(const char *path) {
  FILE *f = fopen(path, "r");
  char *text = calloc(1, 1 << 16);
  if (!f || !text || fread(text, 1, (1 << 16) - 1, f) == 0) abort();
  fclose(f);
  return text;
}

static const char *current;

// A script that brings the process down, or keeps it for ever, is named.
static void on_signal(int signal) {
  static const char what[] = ": ends the process\n1 passed, 1 failed\n";
  if (write(1, current, strlen(current)) < 0 || write(1, what, sizeof what - 1) < 0) _exit(3);
  _exit(signal == SIGALRM ? 4 : 1);
}

static void run_file(const char *path) {
  char *source = read_file(path), end[16] = "", name[256];
  current = path;
  alarm(600);  // no more than a net: what does not end is a failure of its own
  CHECK(sscanf(source, "-- %15[a-z]:", end) == 1);
  snprintf(name, sizeof name, "@%s", path);
  attack(name, source, end, true);
  attack(name, source, end, false);
  free(source);
}

int main(int argc, char **argv) {
  glob_t files = {0};
  signal(SIGSEGV, on_signal);
  signal(SIGABRT, on_signal);
  signal(SIGALRM, on_signal);
  glob("tests/host/hostile/*.lua", 0, NULL, &files);
  CHECK(files.gl_pathc >= 40);
  for (int i = 1; i < argc; i++) run_file(argv[i]);
  for (size_t i = 0; argc == 1 && i < files.gl_pathc; i++) run_file(files.gl_pathv[i]);
  globfree(&files);
  return report();
}
