// plain.c: linked into a neap of its own, in which SQLite can be made a plain store: one that gives the rows of a table and leaves
// conditions, order, limits and groups to memory. `neap.sql` then has plain(store, yes or no); with NEAP_TEST_PLAIN every store
// is plain from the beginning.
#include <stdlib.h>
#include <string.h>

#include "model/memory.h"
#include "store/sql_store.h"

int __real_luaopen_neap_sql(lua_State *L);
int __wrap_luaopen_neap_sql(lua_State *L);

static struct store_verbs plain;

static int select_columns(const struct shape *shape, const uint64_t *bits, const struct field **list) {
  int n = 0;
  for (int i = 0; i < shape->ncolumns; i++)
    if (neap__has_bit(bits, i)) list[n++] = shape->columns[i];
  return n;
}

// Room for the columns of any model in the tests.
static struct rows *rows_of(lua_State *L, struct view *view, const struct query *q, bool count) {
  const struct shape *shape = q->class->shape;
  const struct field *list[256];
  uint64_t bits[4] = {0};
  view = neap__view_effective(L, view);
  const struct condition *scope = neap__query_scope(view, q);
  neap__memory_columns(q, bits);
  neap__memory_condition_columns(scope, bits);
  struct query all = {.class = q->class, .limit = -1, .select = list, .scoped = true};
  all.nselect = select_columns(shape, bits, list);
  if (all.nselect == 0) all.nselect = 1, list[0] = shape->columns[0], neap__set_bit(bits, 0);
  for (int i = shape->ncolumns; i < shape->ncells; i++) bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
  neap__sql_verbs_sqlite.select(L, view, &all);
  const struct memory_plan plan = {
      .columns = bits, .residual = {q->where, scope, q->link ? NULL : q->owners}, .count = count};
  return neap__memory_rows(L, q, &plan);
}

static struct rows *plain_select(lua_State *L, struct view *view, const struct query *q) {
  return rows_of(L, view, q, false);
}

static struct rows *plain_count(lua_State *L, struct view *view, const struct query *q) {
  return rows_of(L, view, q, true);
}

// sql.plain(store, yes or no)
static int sql_plain(lua_State *L) {
  neap__view_check(L, 1)->store->verbs = lua_toboolean(L, 2) ? &plain : &neap__sql_verbs_sqlite;
  return 0;
}

static int open_plain(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  neap__view_test(L, -1)->store->verbs = &plain;
  return 1;
}

int __wrap_luaopen_neap_sql(lua_State *L) {
  __real_luaopen_neap_sql(L);
  plain = neap__sql_verbs_sqlite;
  plain.capabilities &= ~(unsigned)CAN_JOINS;
  plain.select = plain_select;
  plain.count = plain_count;
  lua_pushcfunction(L, sql_plain);
  lua_setfield(L, -2, "plain");
  if (getenv("NEAP_TEST_PLAIN")) {
    lua_getfield(L, -1, "open");
    lua_pushcclosure(L, open_plain, 1);
    lua_setfield(L, -2, "open");
  }
  return 1;
}
