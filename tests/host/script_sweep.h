// script_sweep.h: runs a script over and over while one allocation of its Lua state fails, another each time. Nothing may
// crash or leak. What fails before the host is open is sweep_test.c's business.
#ifndef SCRIPT_SWEEP_H
#define SCRIPT_SWEEP_H

#include <stdbool.h>
#include <stdlib.h>

#include "check.h"

struct allocator {
  long count, fail_at, live;
  long opened;  // the count when the host was open; what fails before is another test's
};

static void silent(void *ud, neap_task task, const char *kind, const char *message, const char *traceback) {
  (void)ud, (void)task, (void)kind, (void)message, (void)traceback;
}

static void *allocate(void *ud, void *p, size_t osize, size_t nsize) {
  struct allocator *a = ud;
  (void)osize;
  if (nsize == 0) {
    a->live -= p != NULL;
    free(p);
    return NULL;
  }
  if (++a->count == a->fail_at) return NULL;
  void *q = realloc(p, nsize);
  a->live += p == NULL && q != NULL;
  return q;
}

// True if the script ran to its end although one allocation failed, or none did.
static bool survives(struct allocator *a, const char *script) {
  neap_options options = {.size = sizeof options, .alloc = allocate, .error = silent, .ud = a};
  neap *h;
  neap_task task = 0;
  if (neap_open(&h, &options) != NEAP_OK) return false;
  a->opened = a->count;
  bool done = neap_spawn(h, script, strlen(script), "=script", &task) == NEAP_OK;
  neap_run(h);
  done = done && neap_status(h, task) == NEAP_OK;
  if (!done && !a->fail_at) printf("%s\n", neap_result(h, task, NULL));
  neap_close(&h);
  return done;
}

// Fails allocations of the script; at most `skip` are left out between two, so that a long one takes seconds.
static int sweep_script(const char *script, long skip) {
  struct allocator all = {0};
  CHECK(survives(&all, script));
  for (long n = all.opened + 1; n <= all.count; n += 1 + n % (skip + 1)) {
    struct allocator a = {.fail_at = n};
    survives(&a, script);
    CHECK(a.live == 0);
  }
  return report();
}

#endif
