// condition_fuzz.c: any JSON as a table of conditions, any other text as a key: either an error object is raised or the store
// takes the statement and agrees with itself: what meets a condition and what meets its negation are all rows together.
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "neap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char script[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open 'sqlite::memory:'\n"
    "local Thing = store:model('Thing', { id = t.integer { primary = true }, s = t.string(), i = t.integer(), n = "
    "t.number(),\n"
    "  d = t.decimal(), b = t.boolean(), at = t.datetime(), u = t.uuid(), l = t.list(t.string()), st = "
    "t.set(t.string()),\n"
    "  m = t.map(), g = t.geopoint(), j = t.json(), p = t.pointer 'Thing', kids = t.has_many('Thing', 'p') })\n"
    "store:bind()\n"
    "store:save { Thing { id = 1 }, Thing { id = 2, s = 'a', i = 1, n = 0.5, d = '1.10', b = true, l = { 'a' }, st = { "
    "'a' },\n"
    "  m = { a = 1 }, j = { a = { 1, 'x', { b = neap.null } } }, p = 1, at = '2024-01-01T00:00:00Z' } }\n"
    "function fuzz(text)\n"
    "  local ok, condition = pcall(neap.json.decode, text)\n"
    "  if not ok or type(condition) ~= 'table' then condition = { [text] = 1 } end\n"
    "  local built, query = pcall(Thing.where, Thing, condition)\n"
    "  if not built then return assert(type(query) == 'table' and query.kind ~= 'server', tostring(query)) end\n"
    "  local n, others = query:count(), Thing:exclude(condition):count()\n"
    "  assert(n + others == 2, text)\n"
    "end\n";

static void check(bool holds, neap *host, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s: %s\n", what, neap_message(host));
  abort();
}

static neap *open_host(void) {
  neap *host = NULL;
  neap_task task;
  check(neap_open(&host, NULL) == NEAP_OK, host, "no host");
  check(neap_spawn(host, script, sizeof script - 1, "=fuzz", &task) == NEAP_OK, host, "no script");
  neap_run(host);
  check(neap_status(host, task) == NEAP_OK, host, "the script failed");
  neap_release(host, task);
  return host;
}

// The text goes in as a global, the outcome comes back as a status: conditions are parsed and sent inside a task.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static neap *host;
  static const char call[] = "fuzz(input)";
  neap_task task;
  if (!host) host = open_host();
  lua_State *L = neap_lua(host);
  lua_pushlstring(L, (const char *)data, size);
  lua_setglobal(L, "input");
  check(neap_spawn(host, call, sizeof call - 1, "=call", &task) == NEAP_OK, host, "no task");
  neap_run(host);
  size_t n;
  if (neap_status(host, task) != NEAP_OK) fprintf(stderr, "%s\n", neap_result(host, task, &n));
  check(neap_status(host, task) == NEAP_OK, host, "a condition did what it must not");
  neap_release(host, task);
  return 0;
}
