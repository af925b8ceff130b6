// value_sweep_test.c: the n-th allocation fails, for each n until the script succeeds. Nothing may crash or leak, whatever
// stage marks, bytes and JSON were in.
#include <stdbool.h>
#include <stdlib.h>

#include "check.h"

static const char script[] =
    "local neap = require 'neap'\n"
    "local value = { list = neap.array {}, set = neap.set { 1, 2, 1 }, at = neap.geopoint(1, 2), b = neap.bytes 'x' }\n"
    "value.text = ('tide \"'):rep(20)\n"
    "for i = 1, 33 do value['key' .. i] = i end\n"
    "value.nested = { 1, { x = neap.null } }\n"
    "local text = neap.json.encode(value)\n"
    "assert(neap.json.encode(neap.json.decode(text)) == text)\n"
    "local long = '[' .. (text .. ','):rep(2) .. text .. ']'\n"
    "assert(#neap.json.decode(long, { depth = 200 }) == 3)\n"
    "local at, price = neap.datetime '2015-07-20T09:05Z', neap.decimal '1.10'\n"
    "assert(at + 60 > at and at:date() + 1 > neap.date '2015-07-20' and at:format '%F' == tostring(at:date()))\n"
    "assert(price * 3 / 2 < 2 and #neap.uuid() == 36 and neap.now() > at)\n"
    "local rows = { { at = at, price = price }, { at = neap.null, price = 5 } }\n"
    "assert(#neap.csv.parse(neap.csv.encode(rows)) == 2)\n"
    "assert(not pcall(neap.csv.parse, 'a\\n\"1'))\n"
    "assert(not pcall(neap.json.decode, '{\"a\":1,\"a\":2}'))\n";

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
  for (long n = all.opened + 1; n <= all.count; n++) {
    struct allocator a = {.fail_at = n};
    survives(&a);
    CHECK(a.live == 0);
  }
  return report();
}
