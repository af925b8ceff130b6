// memory_steps_test.c: queries in memory in a host that is stepped: sorting, grouping and what is asked of related rows go on over
// many steps while other tasks run, and what memory cannot hold raises `limit`. Linked with a SQLite that only has rows.
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

#define SETUP                                                                                                 \
  "local neap = require 'neap'\n"                                                                             \
  "local t = neap.types\n"                                                                                    \
  "local store = neap.open 'sqlite::memory:'\n"                                                               \
  "local A = store:model('A', { id = t.integer { primary = true }, bs = t.has_many('B', 'a') })\n"            \
  "local B = store:model('B', { id = t.integer { primary = true }, a = t.pointer 'A', text = t.string() })\n" \
  "store:bind()\n"                                                                                            \
  "local as, bs = {}, {}\n"                                                                                   \
  "for i = 1, 40 do as[i] = A { id = i } end\n"                                                               \
  "store:save(as)\n"                                                                                          \
  "for i = 1, 2000 do B { id = i, a = i % 40 + 1, text = ('x'):rep(4000) }:save() end\n"

static const char steps_script[] = SETUP
    "local ticks, done = 0, false\n"
    "neap.spawn(function() while not done do ticks = ticks + 1 neap.sleep(0) end end)\n"
    "local function takes(least, f) local before = ticks f() assert(ticks - before >= least, ticks - before) end\n"
    "takes(15, function() assert(B:count() == 2000) end)\n"
    "takes(15, function() assert(B:order('-id'):limit(3):all()[3].id == 1998) end)\n"
    "takes(15, function() assert(#B:where { id__gt = 5000 }:all() == 0) end)\n"
    "takes(30, function() assert(#B:order('-id'):select('id'):all() == 2000) end)\n"
    "takes(15, function() assert(#B:group('a'):aggregate { n = { ['$count'] = true } } == 40) end)\n"
    "takes(15, function() assert(B:where { a__bs__id = 7 }:count() == 50) end)\n"
    "done = true\n";

static const char limit_script[] = SETUP
    "local function fails(f)\n"
    "  local ok, e = pcall(f)\n"
    "  assert(not ok and e.kind == 'limit' and e.message:find('ask for the first with limit', 1, true), tostring(e))\n"
    "end\n"
    "fails(function() for _ in B:order('text'):each() do end end)\n"
    "fails(function() return B:group('text', 'id'):count() end)\n"
    "local n = 0\n"
    "for b in B:where { text__prefix = 'x' }:each() do n = n + 1 end\n"
    "assert(n == 2000, n)\n"
    "for b in B:order('-text', '-id'):limit(10):each() do n = n + b.id end\n"
    "assert(n == 2000 + 19955, n)\n";

static void in_host(const neap_options *options, const char *script, long least) {
  neap *h;
  neap_task task;
  long steps = 0;
  CHECK(neap_open(&h, options) == NEAP_OK);
  CHECK(neap_spawn(h, script, strlen(script), "=script", &task) == NEAP_OK);
  for (; steps < 3000000 && neap_step(h, 1000) > 0; steps++)
    if (steps % 64 == 0) usleep(100);
  CHECK(neap_status(h, task) == NEAP_OK);
  CHECK(steps >= least);
  neap_close(&h);
}

int main(void) {
  struct seen seen = {0};
  neap_options few = {.size = sizeof few, .error = on_error, .ud = &seen, .max_rows_per_step = 100};
  neap_options small = {.size = sizeof small, .error = on_error, .ud = &seen, .max_memory = 14 << 20};
  setenv("NEAP_TEST_PLAIN", "1", 1);
  in_host(&few, steps_script, 100);
  in_host(&small, limit_script, 0);
  CHECK(seen.errors == 0);
  if (seen.errors) printf("%s: %s\n", seen.kind, seen.message);
  return report();
}
