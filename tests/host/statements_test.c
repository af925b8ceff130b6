// statements_test.c: what reaches SQLite, and how often it is compiled there. Linked with --wrap=sqlite3_prepare_v3.
#include <lauxlib.h>
#include <sqlite3.h>

#include "check.h"

int __real_sqlite3_prepare_v3(sqlite3 *db, const char *text, int n, unsigned flags, sqlite3_stmt **out,
                              const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *text, int n, unsigned flags, sqlite3_stmt **out,
                              const char **tail);

static int prepared, started;
static char last[2048];

static int on_start(unsigned what, void *ud, void *statement, void *text) {
  (void)what, (void)ud, (void)statement, (void)text;
  started++;
  return 0;
}

int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *text, int n, unsigned flags, sqlite3_stmt **out,
                              const char **tail) {
  prepared++;
  sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_start, NULL);
  snprintf(last, sizeof last, "%s", text);
  return __real_sqlite3_prepare_v3(db, text, n, flags, out, tail);
}

// prepared() -> how many statements were compiled since it was asked last, the text of the last one
static int get_prepared(lua_State *L) {
  lua_pushinteger(L, prepared);
  lua_pushstring(L, last);
  prepared = 0;
  return 2;
}

static int open_prepared(lua_State *L) {
  lua_pushcfunction(L, get_prepared);
  return 1;
}

// started() -> how many statements were run since it was asked last
static int get_started(lua_State *L) {
  lua_pushinteger(L, started);
  started = 0;
  return 1;
}

static int open_started(lua_State *L) {
  lua_pushcfunction(L, get_started);
  return 1;
}

// Runs a script that has a store, a model Item with ten rows, prepared() and started(), which it has just called.
static void runs(const char *script) {
  static const char start[] =
      "local neap = require 'neap' local t, prepared, started = neap.types, require 'prepared', require 'started' "
      "local store = neap.open 'sqlite::memory:' "
      "local Item = store:model('Item', { id = t.integer { primary = true }, n = t.integer { required = true } }) "
      "store:bind() for i = 1, 10 do Item { id = i, n = i % 3 }:save() end prepared() started() ";
  struct seen seen = {0};
  neap_options options = {.size = sizeof options, .error = on_error, .ud = &seen};
  char text[4096];
  neap *h;
  snprintf(text, sizeof text, "%s%s", start, script);
  CHECK(neap_open(&h, &options) == NEAP_OK && neap_register(h, "prepared", open_prepared) == NEAP_OK);
  CHECK(neap_register(h, "started", open_started) == NEAP_OK);
  CHECK(neap_spawn(h, text, strlen(text), "=script", NULL) == NEAP_OK && neap_run(h) == NEAP_OK);
  if (seen.errors) printf("%s\n  in: %s\n", seen.message, script);
  neap_close(&h);
}

int main(void) {
  // The text of a statement depends on the shape of a query only, and each text is compiled once.
  runs("for i = 1, 500 do Item:find(i) end assert(prepared() == 1)");
  runs("for i = 1, 500 do Item:where { n__gte = i }:order 'id':limit(i):all() end assert(prepared() == 1)");
  runs("for i = 1, 10 do local item = Item:get(i) item.n = 7 + i item:save() end assert(prepared() == 2)");
  runs(
      "for n = 1, 9 do Item:where { id__in = table.move({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 1, n, 1, {}) }:all() end "
      "assert(prepared() == 1)");
  // So many texts are kept; those used last stay.
  runs(
      "local function ask(i) return store:sql('SELECT ' .. i) end for i = 1, 100 do ask(i) end assert(prepared() == "
      "100) "
      "for i = 1, 100 do ask(i) end assert(prepared() == 0) for i = 101, 200 do ask(i) end for i = 150, 200 do ask(i) "
      "end "
      "assert(prepared() == 100) ask(1) assert(prepared() == 1)");
  // A text that is running already is compiled once more, for itself.
  runs(
      "store:sql 'WITH RECURSIVE c(i) AS (SELECT 11 UNION ALL SELECT i + 1 FROM c LIMIT 5000) INSERT INTO Item SELECT "
      "i, 0 FROM c' "
      "prepared() for _ in Item:order 'id':each() do for _ in Item:order 'id':each() do end break end "
      "assert(prepared() == 2)");
  // explain sends nothing, and says exactly what all() then sends.
  runs(
      "local q = Item:where { n = 1 }:order '-n':limit(3) local said = q:explain() assert(prepared() == 0) "
      "q:all() local n, sent = prepared() assert(n == 1 and sent == said.sql, sent) "
      "assert(#said.params == 2 and said.params[1] == 1 and said.params[2] == 3)");
  runs(
      "local Ghost = store:model('Ghost', { id = t.integer { primary = true } }) "
      "assert(Ghost:where { id = 1 }:explain().sql:find 'Ghost' and prepared() == 0)");
  // A page goes on behind the last row, with a bound that an index on the first column can start at.
  runs(
      "local rows, cursor = Item:order('n', '-id'):page { size = 4 } Item:order('n', '-id'):page { size = 4, after = "
      "cursor } "
      "local _, sent = prepared() assert(sent:find('\"n\" >= ?', 1, true), sent)");
  // The rows and what is one object for each come by one statement, each relation to many by one more a level, however many rows
  // there are: what is asked of the tree then sends nothing.
  runs(
      "dofile('tests/store/tree.lua').each(store, function(name, most, read) started() read() local n = started() "
      "assert(n == most, name .. ': ' .. n .. ' statements where there should be ' .. most) end)");
  return report();
}
