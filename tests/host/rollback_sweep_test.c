// rollback_sweep_test.c: an allocation fails around a rollback. The transaction is undone all the same, in the database and
// in every object that it touched, and what is done next is no part of it.
#include "sweep.h"

static char file[64];

static const char models[] =
    "local neap = require 'neap' local t = neap.types local FILE = 'sqlite:%s' local store = neap.open(FILE) "
    "local Item = store:model('Item', { id = t.integer { primary = true, auto = true }, v = t.string(), l = t.list() "
    "}) "
    "store:bind() store:sql 'DELETE FROM Item' ";

// Each object is as it was before, whichever allocation failed; then the store is free for others.
static const char objects[] =
    "local old = {} for i = 1, 4 do old[i] = Item { v = 'old', l = { i } } end store:save(old) "
    "local read = Item:order 'id':all() "
    "local new = Item { v = 'new' } "
    "for _, p in ipairs(old) do p.v = 'changed' end "
    "for i, p in ipairs(read) do p.v, p.l[2] = 'changed', i end "
    "local function check(p, fresh) "
    "  local changed = p:changes() "
    "  local ok = p:is_new() == fresh and changed.v and (fresh or changed.v[1] == 'old' and changed.v[2] == 'changed') "
    "  if not ok then error('rollback and object disagree: ' .. tostring(p), 0) end "
    "end "
    "local done, e = pcall(store.transaction, store, function(tx) "
    "  new:save() old[1]:save() read[1]:save() old[2]:delete() "
    "  tx:transaction(function() store:save { old[3], read[2], old[4] } end) "
    "  pcall(tx.transaction, tx, function() read[3]:save() error 'inner' end) "
    "  check(read[3], false) "
    "  read[4]:save() error 'no' end) "
    "check(new, true) for i = 1, 4 do check(old[i], false) check(read[i], false) end "
    "if Item:where { v__ne = 'old' }:exists() then error('rollback and database disagree', 0) end "
    "store:transaction(function() Item { v = 'old' }:save() end) "
    "store:close() ";

// A task is cancelled at every point of a transaction. What is saved afterwards is there for others.
static const char cancelled[] =
    "local saved = {} "
    "for steps = 1, 14 do "
    "  local task = neap.spawn(function() store:transaction(function() Item { v = 'gone' }:save() error 'no' end) end) "
    "  for _ = 1, steps do neap.sleep(0) end "
    "  task:cancel() pcall(task.await, task) "
    "  local after = Item { v = 'after' .. steps } "
    "  if pcall(after.save, after) then saved[#saved + 1] = after.v end "
    "end "
    "local there = {} "
    "for _, row in ipairs(neap.open(FILE):sql 'SELECT v FROM Item') do there[row.v] = true end "
    "for _, v in ipairs(saved) do if not there[v] then error('save and database disagree: ' .. v, 0) end end "
    "if there.gone then error('rollback and database disagree', 0) end ";

int main(void) {
  char script[8192];
  snprintf(file, sizeof file, "/tmp/neap_rollback_%d.db", (int)getpid());
  sqlite_hook();
  sweep_seed();
  int n = snprintf(script, sizeof script, models, file);
  snprintf(script + n, sizeof script - (size_t)n, "%s", objects);
  sweep((neap_options){.alloc = counted}, OURS, TWO, script, 600, NULL);
  sweep((neap_options){.alloc = counted}, SQLITES, ONE, script, 200, NULL);
  snprintf(script + n, sizeof script - (size_t)n, "%s", cancelled);
  sweep((neap_options){.alloc = counted, .slice_us = 1000}, OURS, TWO, script, 150, NULL);
  sweep((neap_options){.alloc = counted, .slice_us = 1000}, SQLITES, ONE, script, 60, NULL);
  unlink(file);
  return report();
}
