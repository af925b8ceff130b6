// sweep_test.c: the allocations of small scripts fail, one after the other: those of Lua and of our own C.
#include "sweep.h"

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
  sqlite_hook();
  sweep_seed();
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    for (enum mode how = ONE; how <= ALL_FROM; how++) {
      sweep((neap_options){.alloc = counted}, OURS, how, scripts[i], 400, NULL);
      sweep((neap_options){0}, OURS, how, scripts[i], 400, NULL);
    }
  }
  return report();
}
