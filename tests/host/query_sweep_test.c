// query_sweep_test.c: the n-th allocation fails, for each n until the script succeeds. Nothing may crash or leak, whatever a
// query was doing: being built, read, paged, aggregated, or loading relations.
#include <stdbool.h>
#include <stdlib.h>

#include "check.h"

static const char script[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open 'sqlite::memory:'\n"
    "local A = store:model('A', { id = t.integer { primary = true }, name = t.string(), bs = t.has_many('B', 'a') })\n"
    "local B = store:model('B', { id = t.integer { primary = true }, a = t.pointer 'A', price = t.decimal() })\n"
    "store:sql 'CREATE TABLE A (id INTEGER PRIMARY KEY, name TEXT)'\n"
    "store:sql 'CREATE TABLE B (id INTEGER PRIMARY KEY, a_id INTEGER, price TEXT)'\n"
    "store:sql \"INSERT INTO A VALUES (1, 'x'), (2, 'y')\"\n"
    "store:sql \"INSERT INTO B VALUES (1, 1, '1.5'), (2, 1, '2.5'), (3, 2, NULL)\"\n"
    "assert(#A:include 'bs.a':order '-name':all() == 2)\n"
    "assert(B:get(3).a.name == 'y')\n"
    "assert(A:get(1).bs:where { price__gt = 2 }:count() == 1)\n"
    "local c = neap.any_of { { name__prefix = 'x' }, { name__in = { 'y', neap.null } } } & ~A.name:regex '^z'\n"
    "assert(A:where(c, { bs__price__gt = 1, bs__id = { ['$exists'] = true } }):count() == 1)\n"
    "assert((A.name:icontains 'X' | A.name:iexact 'q'):matches(A:get(1)))\n"
    "local rows, cursor = B:order '-price':page { size = 2 }\n"
    "assert(#B:order '-price':page { size = 2, after = cursor } == 1)\n"
    "assert(B:group 'a.name':order '-n':aggregate { n = { ['$sum'] = 'price' } }[1].n == neap.decimal '4.0')\n"
    "for b in B:where { a__name = 'x' }:select 'price':each { batch = 1 } do assert(b.price) end\n"
    "assert(#B:rows() == 3 and #B:pluck 'a' == 3)\n"
    "assert(B:where { id = 1 }:update { price = '9' } == 1 and B:where { id__gt = 1 }:delete() == 2)\n"
    "assert(#B:sql('SELECT id FROM B WHERE id = ?', { 1 }) == 1)\n";

#define STEP 7  // how many allocations are skipped at most, so that the sweep takes seconds

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
static bool survives(struct allocator *a) {
  neap_options options = {.size = sizeof options, .alloc = allocate, .error = silent, .ud = a};
  neap *h;
  neap_task task = 0;
  if (neap_open(&h, &options) != NEAP_OK) return false;
  a->opened = a->count;
  bool done = neap_spawn(h, script, strlen(script), "=script", &task) == NEAP_OK;
  neap_run(h);
  done = done && neap_status(h, task) == NEAP_OK;
  neap_close(&h);
  return done;
}

int main(void) {
  struct allocator all = {0};
  CHECK(survives(&all));
  for (long n = all.opened + 1; n <= all.count; n += 1 + n % STEP) {
    struct allocator a = {.fail_at = n};
    survives(&a);
    CHECK(a.live == 0);
  }
  return report();
}
