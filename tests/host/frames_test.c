// frames_test.c: a loop of 60 frames a second under load: 200 tasks over SQLite, HTTP (tests/services/http, or what
// NEAP_TEST_HTTP names) and, where NEAP_TEST_POSTGRES names one, PostgreSQL; tasks that compute for ever; queries of 100,000
// rows; a JSON text of 10 MB. No step takes more CPU time of its thread
// than its budget and 2 ms, and memory stays flat. NEAP_SOAK=1 runs a minute, else five seconds; NEAP_FRAMES some other number.
//
// A virtual machine may take the processor away and count that as ours. So each frame also times arithmetic that stops after
// the same time: where it is late, the machine is. Steps may be late no more often, in one of three rounds.
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "../../docs/examples/pool.h"
#include "check.h"

#define BUDGET_US 4000
#define SLACK_US 2000
#define FRAME_NS 16666667
#define ROUNDS 3
#define ITEMS 80000

static const char setup[] =
    "local neap = require 'neap'\n"
    "for _, url in ipairs { ... } do\n"
    "  local store = neap.open(url)\n"
    "  store:sql 'DROP TABLE IF EXISTS frames'\n"
    "  store:sql 'CREATE TABLE frames (id integer PRIMARY KEY, name text, n bigint, data text)'\n"
    "  store:sql [[INSERT INTO frames WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < "
    "100000)\n"
    "    SELECT i, 'row ' || i, i, '[' || i || ']' FROM r]]\n"
    "  store:close()\n"
    "end\n";

static const char requests[] =
    "local neap, done = require 'neap', require 'done'\n"
    "local http, url, n = neap.http, ...\n"
    "local options = { timeout = 300, connect_timeout = 300 }\n"
    "local function work(i)\n"
    "  local save = { json = { id = i, text = ('x'):rep(i * 10) }, timeout = 300, connect_timeout = 300 }\n"
    "  while true do\n"
    "    assert(neap.json.decode(http.post(url .. '/echo', save):check():json().body).id == i)\n"
    "    if i == 1 then assert(#http.get(url .. '/large/1000000', options).body == 1000000) end\n"
    "    if i == 2 then assert(not neap.try(http.get, url .. '/half', options)) end\n"
    "    if i == 3 then neap.try(neap.timeout, 0, http.get, url .. '/delay/1') end\n"
    "    done 'http'\n"
    "    neap.sleep(i % 7 * 0.01)\n"
    "  end\n"
    "end\n"
    "for i = 1, n do neap.spawn(work, i) end\n";

static const char stores[] =
    "local neap, done = require 'neap', require 'done'\n"
    "local t = neap.types\n"
    "local fields = { id = t.integer { primary = true }, name = t.string(), n = t.integer(), data = t.json() }\n"
    "local function work(store, Row, i)\n"
    "  local key = i * 100\n"
    "  while true do\n"
    "    local row = Row:get(key)\n"
    "    assert(row.id == key and row.data[1] == key)\n"
    "    row.name = 'row ' .. tostring(neap.now())\n"
    "    if i % 10 == 0 then row:save() end\n"
    "    if i % 20 == 0 then store:transaction(function() row:reload() row.n = row.n + 1 row:save() end) end\n"
    "    assert(#Row:where { id__between = { key, key + 9 } }:all() == 10)\n"
    "    done 'tasks'\n"
    "    neap.sleep(i % 7 * 0.01)\n"
    "  end\n"
    "end\n"
    "local function read(Row)\n"
    "  while true do\n"
    "    assert(#Row:all() == 100000)\n"
    "    local sum = 0\n"
    "    for row in Row:order 'id':each() do sum = sum + row.id end\n"
    "    assert(sum == 5000050000)\n"
    "    done 'queries'\n"
    "  end\n"
    "end\n"
    "local urls = { ... }\n"
    "for _, url in ipairs(urls) do\n"
    "  local store = neap.open(url)\n"
    "  local Row = store:model('Row', fields, { table = 'frames' })\n"
    "  for i = 1, 200 // (#urls + 1) do neap.spawn(work, store, Row, i) end\n"
    "  neap.spawn(read, Row)\n"
    "end\n";

static const char json[] =
    "local neap, done = require 'neap', require 'done'\n"
    "function read_text(text)\n"
    "  while true do\n"
    "    local list = neap.json.decode(text)\n"
    "    assert(#list == 80000 and list[80000].id == 80000)\n"
    "    assert(#neap.json.encode(list) >= 10e6)\n"
    "    done 'texts'\n"
    "  end\n"
    "end\n";

static const char *const computing[] = {
    "while true do end",
    "local t = {} while true do t[#t % 1000 + 1] = { tostring(#t) } end",
    "local neap = require 'neap' while true do neap.sleep(0) end",
    "local neap = require 'neap' while true do neap.spawn(function() return 1 end):await() end",
    "local y = coroutine.wrap(function() while true do coroutine.yield(1) end end) while true do y() end",
    "local s = string.rep('word ', 2000) while true do for w in s:gmatch '%a+' do local x = w:upper() end end",
    "while true do pcall(error, { 'x' }) end",
};

static struct { int tasks, queries, texts, requests; } count;

static int done(lua_State *L) {
  const char *what = lua_tostring(L, 1);
  switch (*what) {
    case 'q': count.queries++; break;
    case 'h': count.requests++; break;
    default: ++*(what[1] == 'a' ? &count.tasks : &count.texts);
  }
  return 0;
}

static int open_done(lua_State *L) {
  lua_pushcfunction(L, done);
  return 1;
}

// ---- Time ----

static long us(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void next_frame(struct timespec *at) {
  at->tv_nsec += FRAME_NS;
  if (at->tv_nsec >= 1000000000) at->tv_sec++, at->tv_nsec -= 1000000000;
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL);
}

// Computes for the budget of a step, in memory that does not fit the cache.
static long control(void) {
  static unsigned char room[8 << 20];
  static unsigned at;
  long cpu = us(CLOCK_THREAD_CPUTIME_ID), end = us(CLOCK_MONOTONIC) + BUDGET_US;
  while (us(CLOCK_MONOTONIC) < end)
    for (int i = 0; i < 100; i++) at = at * 1664525 + 1013904223 + room[at % sizeof room]++;
  return us(CLOCK_THREAD_CPUTIME_ID) - cpu;
}

// ---- Memory ----

static struct pool pool;
static size_t in_use, peak;

static void *allocate(void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud;
  in_use += nsize - (p ? osize : 0);
  if (in_use > peak) peak = in_use;
  return pool_alloc(&pool, p, osize, nsize);
}

// As a game does it: memory is taken from the system before the first frame.
static void take_memory(void) {
  size_t room = 256 << 20;
  CHECK(pool_reserve(&pool, room));
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  char *p = malloc(room);
  if (p) memset(p, 1, room);
  __asm__ volatile("" ::"r"(p) : "memory");
  free(p);
}

// ---- The load ----

static void spawn(neap *h, const char *script, const char *args) {
  char text[8192];
  int n = snprintf(text, sizeof text, "return (function(...) %s end)(%s)", script, args);
  CHECK(neap_spawn(h, text, (size_t)n, "=load", NULL) == NEAP_OK);
}

// Calls read_text with a text of 10 MB, written as JSON inside JSON.
static void spawn_json(neap *h) {
  size_t size = (size_t)ITEMS * 200, n = 0;
  char *text = malloc(size);
  n += (size_t)snprintf(text, size, "[\"[");
  for (int i = 1; i <= ITEMS; i++)
    n += (size_t)snprintf(
        text + n, size - n,
        "%s{\\\"id\\\":%d,\\\"name\\\":\\\"the name of item %d\\\",\\\"place\\\":[%d.5,%d],\\\"tags\\\":"
        "[\\\"sand\\\",\\\"sea\\\"],\\\"text\\\":\\\"more than names, and longer than keys: words\\\"}",
        i > 1 ? "," : "", i, i, i, -i);
  snprintf(text + n, size - n, "]\"]");
  spawn(h, json, "");
  CHECK(neap_run(h) == NEAP_OK);
  CHECK(neap_call(h, "read_text", text, NULL) == NEAP_OK);
  free(text);
}

static const char *urls(void) {
  static char text[256];
  const char *server = getenv("NEAP_TEST_POSTGRES");
  snprintf(text, sizeof text, "'sqlite:/tmp/neap_frames_%d.db'%s%s%s", (int)getpid(), server ? ", '" : "",
           server ? server : "", server ? "'" : "");
  return text;
}

// The server of HTTP; its process, 0 = it is not ours.
static pid_t serve(char *url, size_t size) {
  int port = 0, pid = 0;
  const char *given = getenv("NEAP_TEST_HTTP");
  snprintf(url, size, "%s", given ? given : "");
  if (given) return 0;
  FILE *pipe = popen("tests/services/http", "r");
  CHECK(pipe && fscanf(pipe, "%d %d", &port, &pid) == 2);
  if (pipe) pclose(pipe);
  snprintf(url, size, "http://127.0.0.1:%d", port);
  return pid;
}

static neap *start(struct seen *seen, const char *http) {
  neap_options options = {.size = sizeof options,
                          .slice_us = 500,
                          .max_memory = 512u << 20,
                          .alloc = allocate,
                          .error = on_error,
                          .ud = seen};
  neap *h;
  CHECK(neap_open(&h, &options) == NEAP_OK && neap_register(h, "done", open_done) == NEAP_OK);
  spawn(h, "local http = require 'neap'.http", "");  // libcurl is loaded before the first frame
  spawn(h, setup, urls());
  CHECK(neap_run(h) == NEAP_OK);
  spawn_json(h);
  spawn(h, stores, urls());
  char args[96];
  snprintf(args, sizeof args, "'%s', %d", http, getenv("NEAP_TEST_POSTGRES") ? 66 : 100);
  spawn(h, requests, args);
  for (size_t i = 0; i < sizeof computing / sizeof *computing; i++) spawn(h, computing[i], "");
  return h;
}

// ---- The frames ----

// Marks steps for those who trace system calls.
static int step(neap *h) {
  syscall(SYS_getppid);
  int live = neap_step(h, BUDGET_US);
  syscall(SYS_getpgrp);
  return live;
}

static int by_size(const void *a, const void *b) {
  long x = *(const long *)a, y = *(const long *)b;
  return (x > y) - (x < y);
}

static void print_wall(long *wall, int n) {
  qsort(wall, (size_t)n, sizeof *wall, by_size);
  printf("by the clock on the wall a step took %ld us in the middle, %ld us at p99, %ld us at p99.9\n", wall[n / 2],
         wall[n * 99 / 100], wall[(int)(n * 0.999)]);
}

// The most bytes that scripts and C have held in each half of a round.
static struct { size_t scripts, c; } held[2];

static void look_at_memory(int half) {
  struct mallinfo2 m = mallinfo2();
  if (peak > held[half].scripts) held[half].scripts = peak;
  if (m.uordblks > held[half].c) held[half].c = m.uordblks;
  peak = in_use;
}

// Runs so many frames. True if steps were late no more often than arithmetic.
static bool play(neap *h, int frames) {
  struct timespec at;
  int late = 0, noisy = 0;
  long worst = 0, *wall = calloc((size_t)frames, sizeof *wall);
  clock_gettime(CLOCK_MONOTONIC, &at);
  for (int i = 0; i < frames; i++) {
    long began = us(CLOCK_MONOTONIC), start = us(CLOCK_THREAD_CPUTIME_ID);
    CHECK(step(h) > 0);
    long took = us(CLOCK_THREAD_CPUTIME_ID) - start;
    wall[i] = us(CLOCK_MONOTONIC) - began;
    if (took > worst) worst = took;
    late += took > BUDGET_US + SLACK_US;
    noisy += control() > BUDGET_US + SLACK_US;
    look_at_memory(i >= frames / 2);
    next_frame(&at);
  }
  printf("%d steps with a budget of %d us: the longest took %ld us, %d were late, as was arithmetic %d times\n", frames,
         BUDGET_US, worst, late, noisy);
  print_wall(wall, frames);
  free(wall);
  return late <= 2 * noisy;
}

int main(void) {
  struct seen seen = {0};
  bool soak = getenv("NEAP_SOAK"), timed = !getenv("WRAP") && !getenv("NEAP_TRACED"), kept = false;
  int frames = getenv("NEAP_FRAMES") ? atoi(getenv("NEAP_FRAMES")) : soak ? 3600 : 300;
#ifdef __SANITIZE_ADDRESS__
  timed = false;
#endif
  take_memory();
  char http[64];
  pid_t server = serve(http, sizeof http);
  neap *h = start(&seen, http);
  for (int i = 0; i < ROUNDS && !kept; i++) {
    kept = play(h, frames) || !timed;
  }
  CHECK(kept);
  CHECK(seen.errors == 0 && count.tasks > 0 && count.requests > 0);
  if (seen.errors) printf("%s\n", seen.message);
  if (soak) {
    CHECK(count.queries > 2 && count.texts > 2);
    CHECK(held[1].scripts < held[0].scripts / 4 * 5 && held[1].c < held[0].c / 4 * 5);
  }
  printf("%d turns of tasks, %d of requests, %d of queries, %d of texts; ", count.tasks, count.requests, count.queries,
         count.texts);
  printf("%zu MB of scripts at most, then %zu; %zu and %zu of C\n", held[0].scripts >> 20, held[1].scripts >> 20,
         held[0].c >> 20, held[1].c >> 20);
  neap_close(&h);
  if (server > 0) kill(server, SIGKILL);
  CHECK(in_use == 0);
  pool_close(&pool);
  char path[64];
  for (int i = 0; i < 3; i++) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    snprintf(path, sizeof path, "/tmp/neap_frames_%d.db%s", (int)getpid(), ends[i]);
    unlink(path);
  }
  return report();
}
