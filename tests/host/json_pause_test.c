// json_pause_test.c: a large JSON text does not hold up a stepped host, and is the same as one read in one go.
#include "check.h"

static const char round_trips[] =
    "local json = require 'neap.json'\n"
    "local rows, flat = {}, {}\n"
    "for i = 1, 20000 do rows[i] = { id = i, name = 'row ' .. i, tags = { 'a', 'b' }, more = { x = i / 2 } } end\n"
    "for i = 1, 20000 do flat['k' .. i] = i end\n"
    "for _, value in ipairs { rows, flat } do\n"
    "  local text = json.encode(value)\n"
    "  local back = json.decode(text)\n"
    "  assert(json.encode(back) == text)\n"
    "end\n"
    "local nested = coroutine.wrap(function() return #json.decode(json.encode(rows)) end)\n"
    "assert(nested() == 20000)\n";

// Another task removes and adds keys of the table that is written. What it leaves alone is written.
static const char changed_meanwhile[] =
    "local neap = require 'neap'\n"
    "local flat, done = {}, false\n"
    "for i = 1, 20000 do flat['k' .. i] = i end\n"
    "neap.spawn(function()\n"
    "  for i = 1, 19999 do\n"
    "    flat['k' .. i], flat['n' .. i] = nil, i\n"
    "    if i % 10 == 0 then neap.sleep(0) end\n"
    "    if done then return end\n"
    "  end\n"
    "end)\n"
    "for _, indent in ipairs { 0, 2 } do\n"
    "  local back = neap.json.decode(neap.json.encode(flat, { indent = indent }))\n"
    "  assert(back.k20000 == 20000)\n"
    "end\n"
    "done = true\n";

// The steps that a script takes in a host with these options, or -1 if it fails.
static int steps(neap_options options, const char *script) {
  neap *h;
  neap_task task;
  int count = 0;
  options.size = sizeof options;
  if (neap_open(&h, &options) != NEAP_OK) return -1;
  int status = neap_spawn(h, script, strlen(script), "=script", &task);
  while (status == NEAP_OK && neap_step(h, 100) > 0) count++;
  status = neap_status(h, task);
  if (status != NEAP_OK) printf("%s\n", neap_result(h, task, NULL) ? neap_result(h, task, NULL) : neap_message(h));
  neap_close(&h);
  return status == NEAP_OK ? count : -1;
}

int main(void) {
  CHECK(steps((neap_options){.slice_us = 100}, round_trips) > 5);
  CHECK(steps((neap_options){.max_rows_per_step = 5000}, round_trips) > 5);
  CHECK(steps((neap_options){0}, round_trips) >= 0);
  CHECK(steps((neap_options){.max_rows_per_step = 2000}, changed_meanwhile) > 5);
  return report();
}
