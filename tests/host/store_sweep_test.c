// store_sweep_test.c: allocations of Lua, of our C and of SQLite fail while models are declared, bound, saved, queried and
// rolled back. The database holds what was there before a save or what is there after it, and the script knows which.
#include "sweep.h"

static char file[64];

static const char models[] =
    "local neap = require 'neap' local t = neap.types local store = neap.open '%s' "
    "local Shop = store:model('Shop', { id = t.integer { primary = true, auto = true }, name = t.string(), "
    "  data = t.json(), hits = t.integer { default = 0 }, items = t.has_many('Item', 'shop') }) "
    "local Item = store:model('Item', { id = t.uuid { primary = true, auto = true }, shop = t.pointer 'Shop', "
    "  v = t.string { unique = true }, price = t.decimal(), at = t.datetime { auto_now_add = true }, "
    "  left = t.integer { default = 5 }, right = t.integer { default = 5 } }) "
    "store:bind() ";

// Everything that a script does with a store, in memory.
static const char everything[] =
    "local list = {} for i = 1, 5 do list[i] = Shop { name = 'shop ' .. i, data = { i, { deep = 'x' } } } end "
    "store:save(list) "
    "for i, shop in ipairs(list) do Item { shop = shop, v = 'v' .. i, price = neap.decimal('1.' .. i) }:save() end "
    "list[1].data[2].deep = 'changed' list[1]:save() list[1]:increment('data.0', 2) "
    "assert(#Item:where { shop__name__prefix = 'shop', price__gt = neap.decimal '1.2' }:order '-price':all() == 3) "
    "for shop in Shop:include 'items':each { batch = 2 } do assert(shop.items:all()[1].shop.name == shop.name) end "
    "assert(Item:sum 'price' == neap.decimal '6.5' and #Item:group 'shop':aggregate { n = { ['$sum'] = 'left' } } == "
    "5) "
    "neap.try(store.transaction, store, function(tx) "
    "  list[2].name = 'gone' list[2]:save() "
    "  neap.try(tx.transaction, tx, function() Shop { name = 'inner' }:save() error 'no' end) error 'no' end) "
    "local rows, cursor = Shop:order('-name'):page { size = 2 } "
    "assert(#Shop:order('-name'):page { size = 9, after = cursor } == 3) "
    "assert(#neap.json.decode(neap.json.encode(rows)) == 2 and Shop:get(2).name == 'shop 2') "
    "assert(Item:where { left = 5 }:update { left = 6 } == 5 and Item:where { v = 'v5' }:delete() == 1)  "
    "store:close() ";

// Saves in a file. `knows` compares what a save said with what the database says, by another statement.
static const char saves[] =
    "local function knows(p, ...) "
    "  local done, e = pcall(...) "
    "  local ok, n = pcall(function() return Item:where { v = p.v }:count() end) "
    "  local known = done or type(e) ~= 'table' or e.outcome ~= 'unknown' "
    "  if ok and known then assert(n == (done and 1 or 0), 'save and database disagree: ' .. tostring(e)) end "
    "  if known then assert(p:is_new() == not done, 'save and object disagree: ' .. tostring(e)) end "
    "  if not done then error(e, 0) end "
    "end "
    "local one = Item { v = 'one' } knows(one, one.save, one) "
    "local three = Item { v = 'three' } knows(three, three.save, three, { returning = 'new' }) "
    "local shop = Shop { name = 'single' } "
    "local done, e = pcall(shop.save, shop) assert(done ~= shop:is_new(), 'save and object disagree') "
    "if not done then error(e, 0) end "
    "local before = shop.hits "
    "neap.try(store.transaction, store, function(tx) tx:transaction(function() shop:increment('hits') end) error 'no' "
    "end) "
    "assert(shop.hits == before, 'object and rollback disagree') "
    "local two = Item { v = 'two' } knows(two, store.transaction, store, function() two:save() "
    "  Item:where { v = 'two' }:update { left = 7, right = 7 } end) "
    "local function fill(prefix, n) "
    "  local list = {} for i = 1, n do list[i] = Item { v = prefix .. i } end return list end "
    "local list = fill('list', 30) knows(list[30], store.transaction, store, function() store:save(list) end) "
    "one.left, one.right = 9, 9 one:save() "
    "neap.try(store.transaction, store, function() store:save(fill('none', 3)) error 'no' end) "
    "store:transaction(function(tx) Item:where { v = 'list1' }:update { left = 1 } "
    "  neap.try(tx.transaction, tx, function() Item { v = 'nothing' }:save() error 'no' end) "
    "  Item:where { v = 'list1' }:update { right = 1 } end) "
    "store:close() ";

// The same saves behind a lock, which has another name each time: one attempt may leave it taken.
static const char taken[] = "local lock = require('neap.lease').take(store, neap.uuid()) lock:run(function() ";

static bool says_one(sqlite3 *db, const char *sql) {
  sqlite3_stmt *stmt;
  bool one = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW &&
             sqlite3_column_int(stmt, 0) == 1;
  sqlite3_finalize(stmt);
  return one;
}

// Nothing half done: what was saved together is there together. Empties the table for the next attempt.
static bool whole(bool ended) {
  sqlite3 *db;
  bool ok = sqlite3_open(file, &db) == SQLITE_OK;
  bool bound = ok && says_one(db, "SELECT count(*) FROM sqlite_master WHERE name = 'Item'");
  if (bound)
    ok = says_one(db, "SELECT count(*) = 0 FROM Item WHERE left <> right OR v LIKE 'no%'") &&
         says_one(db, "SELECT count(*) IN (0, 30) FROM Item WHERE v LIKE 'list%'") &&
         says_one(db, "SELECT count(*) = 0 FROM Item WHERE v = 'two' AND left <> 7");
  if (ok && ended) ok = says_one(db, "SELECT count(*) = 33 FROM Item");
  if (bound) sqlite3_exec(db, "DELETE FROM Item", NULL, NULL, NULL);
  sqlite3_close(db);
  return ok;
}

static void script_for(char *out, size_t size, const char *url, const char *rest) {
  int n = snprintf(out, size, models, url);
  snprintf(out + n, size - (size_t)n, "%s", rest);
}

int main(void) {
  char script[8192], locked[4096], url[80];
  neap_options options = {.alloc = counted};
  snprintf(file, sizeof file, "/tmp/neap_sweep_%d.db", (int)getpid());
  snprintf(url, sizeof url, "sqlite:%s", file);
  sqlite_hook();
  sweep_seed();
  snprintf(locked, sizeof locked, "%s%s end)", taken, saves);
  for (enum mode how = ONE; how <= TWO; how++) {
    script_for(script, sizeof script, "sqlite::memory:", everything);
    sweep(options, OURS, how, script, 400, NULL);
    sweep(options, SQLITES, how, script, 300, NULL);
    script_for(script, sizeof script, url, saves);
    sweep(options, OURS, how, script, 250, whole);
    sweep(options, SQLITES, how, script, 250, whole);
    script_for(script, sizeof script, url, locked);
    sweep(options, OURS, how, script, 40, whole);
    sweep(options, SQLITES, how, script, 40, whole);
  }
  unlink(file);
  return report();
}
