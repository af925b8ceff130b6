// frames_test.c: a frame loop under load. No step takes more than its budget and 2 ms, whatever the scripts do. Measured
// in CPU time of this thread, so that a busy machine does not count; a virtual one may take the processor away and count that
// as ours, so one step in fifty may be late: a script that is held too long makes more of them. NEAP_SOAK=1 runs a minute.
#include <stdlib.h>
#include <time.h>

#include "check.h"

#define BUDGET_US 4000
#ifdef __SANITIZE_ADDRESS__
#define SLACK_US 200000
#else
#define SLACK_US 2000
#endif

static const char *const load[] = {
    "while true do end",
    "local t = {} while true do t[#t % 1000 + 1] = { tostring(#t) } end",
    "local neap = require 'neap' while true do neap.sleep(0) end",
    "local neap = require 'neap' while true do neap.spawn(function() return 1 end):await() end",
    "local y = coroutine.wrap(function() while true do coroutine.yield(1) end end) while true do y() end",
    "local neap = require 'neap' while true do neap.sleep(0.001) end",
    "local neap = require 'neap' local list = {} for i = 1, 3000 do list[i] = { id = i, name = 'row ' .. i } end "
    "while true do neap.json.decode(neap.json.encode(list)) end",
    "local s = string.rep('word ', 2000) while true do for w in s:gmatch '%a+' do local x = w:upper() end end",
    "while true do pcall(error, { 'x' }) end",
};

static long cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int main(void) {
  struct seen seen = {0};
  neap_options options = {
      .size = sizeof options, .slice_us = 500, .max_memory = 256 << 20, .error = on_error, .ud = &seen};
  int frames = getenv("NEAP_SOAK") ? 3600 : 200, late = 0;
  long worst = 0;
  neap *h;
  CHECK(neap_open(&h, &options) == NEAP_OK);
  for (size_t i = 0; i < sizeof load / sizeof *load; i++)
    CHECK(neap_spawn(h, load[i], strlen(load[i]), "=load", NULL) == NEAP_OK);
  for (int i = 0; i < frames; i++) {
    long start = cpu_us();
    CHECK(neap_step(h, BUDGET_US) > 0);
    long took = cpu_us() - start;
    if (took > worst) worst = took;
    late += took > BUDGET_US + SLACK_US && !getenv("WRAP");
  }
  printf("the longest of %d steps with a budget of %d us took %ld us\n", frames, BUDGET_US, worst);
  CHECK(late <= frames / 50);
  CHECK(seen.errors == 0);
  if (seen.errors) printf("%s\n", seen.message);
  neap_close(&h);
  return report();
}
