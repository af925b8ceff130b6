// query_steps_test.c: in a host that is stepped, with few rows allowed in a step, reads go on over many steps, other tasks run
// meanwhile, and the answers are the same.
#include <unistd.h>

#include "check.h"

static const char script[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open('sqlite:' .. path)\n"
    "local A = store:model('A', { id = t.integer { primary = true }, bs = t.has_many('B', 'a') })\n"
    "local B = store:model('B', { id = t.integer { primary = true }, a = t.pointer 'A' })\n"
    "store:bind()\n"
    "local as, bs = {}, {}\n"
    "for i = 1, 40 do as[i] = A { id = i } end\n"
    "for i = 1, 2000 do bs[i] = B { id = i, a = i % 40 + 1 } end\n"
    "store:save(as) store:save(bs)\n"
    "local ticks, done = 0, false\n"
    "neap.spawn(function() while not done do ticks = ticks + 1 neap.sleep(0) end end)\n"
    "assert(#B:all() == 2000)\n"
    "assert(ticks > 10, ticks)\n"
    "local n = 0\n"
    "for b in B:each() do n = n + b.a.id end\n"
    "assert(n == 41000, n)\n"
    "for _, a in ipairs(A:include 'bs':all()) do assert(#a.bs:all() == 50) end\n"
    "assert(B:get(7).a.bs:count() == 50)\n"
    "local ids, rows, cursor = 0\n"
    "repeat rows, cursor = B:page { size = 300, after = cursor } ids = ids + #rows until not cursor\n"
    "assert(ids == 2000)\n"
    "done = true\n";

int main(void) {
  struct seen seen = {0};
  neap_options options = {.size = sizeof options, .error = on_error, .ud = &seen, .max_rows_per_step = 100};
  char path[64], set[128];
  snprintf(path, sizeof path, "/tmp/neap_steps_%d.db", (int)getpid());
  neap *h;
  neap_task task;
  CHECK(neap_open(&h, &options) == NEAP_OK);
  snprintf(set, sizeof set, "path = '%s'", path);
  CHECK(neap_spawn(h, set, strlen(set), "=set", NULL) == NEAP_OK && neap_run(h) == NEAP_OK);
  CHECK(neap_spawn(h, script, strlen(script), "=script", &task) == NEAP_OK);
  long steps = 0;
  for (; steps < 3000000 && neap_step(h, 1000) > 0; steps++)
    if (steps % 64 == 0) usleep(100);
  CHECK(neap_status(h, task) == NEAP_OK);
  CHECK(steps > 40);
  CHECK(seen.errors == 0);
  if (seen.errors) printf("%s: %s\n", seen.kind, seen.message);
  neap_close(&h);
  unlink(path);
  return report();
}
