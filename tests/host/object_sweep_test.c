// object_sweep_test.c: the n-th allocation fails, for each n until the script succeeds. Nothing may crash or leak, whatever
// was being declared, made, written, saved, undone or copied.
#include <stdbool.h>
#include <stdlib.h>

#include "check.h"

static const char script[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open 'sqlite::memory:'\n"
    "local A = store:model('A', { id = t.integer { primary = true, auto = true }, name = t.string { one_of = { 'x', "
    "'y' } },\n"
    "  a = t.pointer 'A', tags = t.set(t.string { max = 3 }), data = t.map { at = t.date() }, price = t.decimal { "
    "scale = 2 },\n"
    "  twice = t.computed(t.string(), { needs = { 'name' }, get = function(o) return o.name .. o.name end }),\n"
    "  slug = t.string { default = function(o) return o.name end, validate = function(s) return #s < 9 end },\n"
    "  i = t.index { 'name', '-price' } })\n"
    "local N = store:model('N', {})\n"
    "store:sql 'CREATE TABLE A (id INTEGER PRIMARY KEY, name TEXT, a_id INTEGER, tags TEXT, data TEXT, price TEXT, "
    "slug TEXT)'\n"
    "store:sql 'CREATE TABLE N (id TEXT PRIMARY KEY, extra TEXT)'\n"
    "function A:before_save() self.price = 2 end\n"
    "local a = A { name = 'x', tags = { 'a', 'b', 'a' }, data = { at = '2024-05-01' }, price = '1.5' }:save()\n"
    "local b = A { name = 'y', a = a }:save()\n"
    "assert(A:get(2).a.twice == 'xx' and b.a == a and b:key_of 'a' == 1)\n"
    "table.insert(a.tags, 'c')\n"
    "assert(#a:changes().tags[2] == 3)\n"
    "assert(not pcall(store.transaction, store, function() a:save() error 'no' end) and #a:changes().tags[2] == 3)\n"
    "assert(tostring(a):find 'price=2.00' and #neap.json.encode(a) > 10)\n"
    "assert(a:copy { name = 'y' }:to_table { only = { 'twice' }, follow = { a = {} } }.twice == 'yy')\n"
    "for name in pairs(a) do assert(name) end\n"
    "assert(not pcall(A, { name = 'z', tags = 5 }) and not pcall(function() a.nam = 1 end))\n"
    "local n = N { any = { 1 } }:save()\n"
    "n.more = 'x'\n"
    "n:save():reload()\n"
    "assert(n.more == 'x' and store:with { atomic = true }:model 'N':get(n.id) == n)\n";

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
  if (!done && !a->fail_at) printf("%s\n", neap_result(h, task, NULL));
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
