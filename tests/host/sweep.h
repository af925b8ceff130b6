// sweep.h: makes allocations fail, one after the other, while a script runs: those of Lua and of our own C (through
// --wrap=malloc,calloc,realloc), or those of SQLite (through its own hook). Nothing crashes, nothing leaks, the host closes.
// NEAP_SOAK=1 tries every allocation; else a seeded choice of them, NEAP_SEED repeats it.
#ifndef SWEEP_H
#define SWEEP_H

#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

enum whose { OURS, SQLITES, NOBODYS };
// Which allocations fail: the n-th; it and all later ones; it and the one after it, as Lua tries again after a collection.
enum mode { ONE, ALL_FROM, TWO };

static enum whose armed = NOBODYS;
static enum mode mode;
static long countdown;  // to the one that fails
static long blocks;     // of Lua memory that are in use
static sqlite3_mem_methods sqlite_real;
static struct seen last;

static bool fails(enum whose whose) {
  if (armed != whose) return false;
  long left = __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED);  // SQLite may be on a thread
  return left == 0 || (left == -1 && mode == TWO) || (left < 0 && mode == ALL_FROM);
}

void *__wrap_malloc(size_t size) {
  return fails(OURS) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
  return fails(OURS) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size) {
  return fails(OURS) ? NULL : __real_realloc(p, size);
}

static void *sqlite_malloc(int size) {
  return fails(SQLITES) ? NULL : sqlite_real.xMalloc(size);
}

static void *sqlite_realloc(void *p, int size) {
  return fails(SQLITES) ? NULL : sqlite_real.xRealloc(p, size);
}

// Before the first use of SQLite.
static inline void sqlite_hook(void) {
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_real);
  sqlite3_mem_methods hooked = sqlite_real;
  hooked.xMalloc = sqlite_malloc;
  hooked.xRealloc = sqlite_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &hooked);
}

// Fails by itself, counts blocks, and never by way of malloc.
static inline void *counted(void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud;
  if (nsize == 0) {
    blocks -= p != NULL;
    free(p);
    return NULL;
  }
  if (nsize > (p ? osize : 0) && fails(OURS)) return NULL;
  void *q = __real_realloc(p, nsize);
  blocks += q && !p;
  return q;
}

static void ignore_log(void *ud, int level, const char *message, size_t len) {
  (void)ud, (void)level, (void)message, (void)len;
}

// Until no task is left; in steps where that is what the options are for.
static int run_all(neap *h, const neap_options *options) {
  if (!options->slice_us) return neap_run(h);
  int left = 1;
  for (int i = 0; i < 100000 && left > 0; i++, usleep(20)) left = neap_step(h, 1000);
  if (left > 0) snprintf(last.message, sizeof last.message, "tasks and host disagree: some wait for ever");
  return left == 0 && !last.errors ? NEAP_OK : NEAP_ERR;
}

// Runs the script with the n-th allocation failing. True if it ran to its end.
static bool attempt(neap_options options, enum whose whose, const char *script, long n) {
  neap *h;
  options.size = sizeof options;
  options.log = ignore_log;
  options.error = on_error;
  options.ud = &last;
  memset(&last, 0, sizeof last);
  countdown = n;
  armed = whose;
  int status = neap_open(&h, &options);
  if (status == NEAP_OK) status = neap_spawn(h, script, strlen(script), "=script", NULL);
  if (status == NEAP_OK) status = run_all(h, &options);
  neap_close(&h);
  armed = NOBODYS;
  return status == NEAP_OK;
}

// What is true after each attempt, whether the script ended or not. NULL = nothing more than that no memory is lost.
typedef bool (*invariant)(bool ended);

// Fails about `tries` of the allocations that the script makes.
static inline void sweep(neap_options options, enum whose whose, enum mode how, const char *script, long tries,
                         invariant holds) {
  mode = how;
  bool ended = attempt(options, whose, script, LONG_MAX);
  long total = LONG_MAX - countdown, kept = sqlite3_memory_used() > 0 ? (long)sqlite3_memory_used() : 0;
  if (!ended) printf("%s: %s\n", last.kind, last.message);
  CHECK(ended && total > 0 && (!holds || holds(true)));
  long stride = getenv("NEAP_SOAK") || total <= tries ? 1 : 2 * total / tries;
  for (long n = 1; n <= total; n += stride > 1 ? 1 + rand() % stride : 1) {
    int before = failed;
    ended = attempt(options, whose, script, n);
    CHECK(blocks == 0);
    CHECK(sqlite3_memory_used() <= kept);
    CHECK(strstr(last.message, "disagree") == NULL);
    CHECK(!holds || holds(ended));
    if (failed > before) printf("  allocation %ld of %ld: %s: %s\n", n, total, last.kind, last.message);
    if (failed > before) break;
  }
}

static inline void sweep_seed(void) {
  const char *given = getenv("NEAP_SEED");
  unsigned seed = given ? (unsigned)atoi(given) : (unsigned)getpid();
  printf("sweep: NEAP_SEED=%u\n", seed);
  srand(seed);
}

#endif
