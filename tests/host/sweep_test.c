// sweep_test.c: the n-th allocation fails, n = 1, 2, ... until the script succeeds. Nothing crashes, nothing leaks, the
// host still closes. Once for the memory of Lua, once for all that our own C asks malloc for.
// NEAP_SOAK=1 tries every n; else, where a script allocates much, every few.
#include <stdbool.h>
#include <stdlib.h>

#include "check.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

enum mode { ONE, ALL_FROM };  // which allocations fail: the n-th, or it and all later ones

static long countdown;  // to the one that fails; < 0 = it has failed
static bool armed;
static enum mode mode;
static long blocks;  // of Lua memory that are in use

static bool fails(void) {
  if (!armed) return false;
  countdown--;
  return countdown == 0 || (countdown < 0 && mode == ALL_FROM);
}

void *__wrap_malloc(size_t size) {
  return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
  return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size) {
  return fails() ? NULL : __real_realloc(p, size);
}

// The allocator of the first sweep: fails by itself, counts blocks, and never by way of malloc.
static void *counted(void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud;
  (void)osize;
  if (nsize == 0) {
    blocks -= p != NULL;
    free(p);
    return NULL;
  }
  if (nsize > (p ? osize : 0) && fails()) return NULL;
  void *q = __real_realloc(p, nsize);
  blocks += q && !p;
  return q;
}

static void ignore_log(void *ud, int level, const char *message, size_t len) {
  (void)ud, (void)level, (void)message, (void)len;
}

static void ignore_error(void *ud, neap_task task, const char *kind, const char *message, const char *traceback) {
  (void)ud, (void)task, (void)kind, (void)message, (void)traceback;
}

// Runs the script with the n-th allocation failing. True if it ran to its end.
static bool attempt(neap_options options, const char *script, long n) {
  neap *h;
  options.size = sizeof options;
  options.log = ignore_log;
  options.error = ignore_error;
  countdown = n;
  armed = true;
  int status = neap_open(&h, &options);
  if (status == NEAP_OK) status = neap_spawn(h, script, strlen(script), "=script", NULL);
  if (status == NEAP_OK) status = neap_run(h);
  neap_close(&h);
  armed = false;
  return status == NEAP_OK && countdown > 0;
}

static void sweep(neap_options options, enum mode how, const char *script) {
  long n = 1, stride = 1, tries = 0;
  bool soak = getenv("NEAP_SOAK") != NULL;
  mode = how;
  while (!attempt(options, script, n)) {
    tries++;
    if (!soak && tries % 200 == 0) stride = stride * 2 + 1;
    n += stride;
    if (blocks != 0) break;
  }
  CHECK(tries > 0);
  CHECK(blocks == 0);
}

static const char *const scripts[] = {
    "return 1",
    "local neap = require 'neap' neap.all { function() neap.sleep(0) return {} end, function() return 'x' end }",
    "local neap = require 'neap' neap.try(neap.timeout, 0, neap.sleep, 1) neap.try(neap.sleep, 'x') "
    "neap.spawn(function() coroutine.wrap(function() neap.sleep(0) end)() end):await()",
    "local neap = require 'neap' local text = neap.json.encode { a = { 1, 2, { b = 'text', c = 1.5 } } } "
    "assert(neap.json.decode(text).a[3].b == 'text')",
    "local neap = require 'neap' local t = neap.types local store = neap.open 'sqlite::memory:' "
    "local P = store:model('P', { id = t.integer{ primary = true, auto = true }, name = t.string(), data = t.json() }) "
    "store:bind() for i = 1, 3 do P{ name = 'row ' .. i, data = { i } }:save() end "
    "local p = P:where{ name__prefix = 'row', id__gt = 1 }:order('-id'):first() p.name = 'x' p:save() "
    "neap.try(store.transaction, store, function() P{ name = 'y' }:save() error 'no' end) "
    "assert(P:count() == 3) for q in P:each() do assert(q.data[1]) end store:close()",
};

int main(void) {
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    for (enum mode how = ONE; how <= ALL_FROM; how++) {
      sweep((neap_options){.alloc = counted}, how, scripts[i]);
      sweep((neap_options){0}, how, scripts[i]);
    }
  }
  return report();
}
