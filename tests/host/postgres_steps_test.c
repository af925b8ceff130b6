// postgres_steps_test.c: in a stepped host PostgreSQL is spoken to between the steps: no step waits for it, tasks that are
// cancelled anywhere leave nothing behind, and a host that closes in the middle takes its connections along.
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static const char reads_and_writes[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open(URL)\n"
    "store:sql 'DROP TABLE IF EXISTS stepped'\n"
    "local Item = store:model('Item', { id = t.integer { primary = true, auto = true }, v = t.string() },\n"
    "  { table = 'stepped' })\n"
    "store:bind()\n"
    "local items = {}\n"
    "for i = 1, 2000 do items[i] = Item { v = 'v' .. i } end\n"
    "store:save(items)\n"
    "local tasks = {}\n"
    "for i = 1, 20 do tasks[i] = function() return Item:get(i).v end end\n"
    "for i, v in ipairs(neap.all(tasks)) do assert(v == 'v' .. i) end\n"
    "local seen = 0\n"
    "for item in Item:order 'id':each() do\n"
    "  seen = seen + 1\n"
    "  if seen % 100 == 0 then item.v = 'changed' item:save() end\n"
    "end\n"
    "assert(seen == 2000 and Item:where { v = 'changed' }:count() == 20)\n"
    "local size = 0\n"
    "for row in store:copy_out('COPY stepped TO STDOUT'):each() do size = size + #row end\n"
    "assert(size > 2000)\n"
    "local left = 20000\n"
    "store:sql 'DROP TABLE IF EXISTS copied'\n"
    "store:sql 'CREATE TABLE copied (v text)'\n"
    "assert(20000 == store:copy_in('COPY copied FROM STDIN', function()\n"
    "  left = left - 1\n"
    "  return left >= 0 and ('x'):rep(100) .. '\\n' or nil\n"
    "end))\n"
    "store:sql 'DROP TABLE copied'\n"
    "for steps = 1, 40 do\n"
    "  local task = neap.spawn(function()\n"
    "    store:transaction(function() Item:delete({}, { all = true }) store:sql 'SELECT pg_sleep(60)' end)\n"
    "  end)\n"
    "  for _ = 1, steps do neap.sleep(0) end\n"
    "  task:cancel()\n"
    "  pcall(task.await, task)\n"
    "end\n"
    "assert(Item:count() == 2000)\n";

static const char left_open[] =
    "local store = require 'neap'.open(URL)\n"
    "store:transaction(function(tx) tx:sql 'SELECT pg_sleep(60)' end)\n";

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static neap *open_with(const char *script, neap_task *task) {
  static char text[8192];
  neap_options options = {.size = sizeof options, .slice_us = 1000};
  neap *h;
  if (neap_open(&h, &options) != NEAP_OK) return NULL;
  snprintf(text, sizeof text, "local URL = '%s' %s", getenv("NEAP_TEST_POSTGRES"), script);
  if (neap_spawn(h, text, strlen(text), "=script", task) != NEAP_OK) printf("%s\n", neap_message(h));
  return h;
}

static bool runs(const char *script) {
  neap_task task;
  neap *h = open_with(script, &task);
  for (int i = 0; i < 60000 && neap_step(h, 1000) > 0; i++) usleep(200);
  int status = neap_status(h, task);
  if (status != NEAP_OK) printf("%s\n", neap_result(h, task, NULL) ? neap_result(h, task, NULL) : neap_message(h));
  neap_close(&h);
  return status == NEAP_OK;
}

static bool closes(int steps) {
  neap_task task;
  neap *h = open_with(left_open, &task);
  for (int i = 0; i < steps; i++) neap_step(h, 1000), usleep(500);
  double start = now();
  neap_close(&h);
  return now() - start < 5;  // not the 60 of its statement
}

int main(void) {
  if (!getenv("NEAP_TEST_POSTGRES")) return printf("NEAP_TEST_POSTGRES names no server\n"), 1;
  CHECK(runs(reads_and_writes));
  for (int steps = 0; steps < 60; steps += 4) CHECK(closes(steps));
  return report();
}
