// sql_open.c: opening a store of SQL; SQLite here, PostgreSQL in sql_open_postgres.c.
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "modules.h"
#include "store/sql_dialect.h"
#include "store/sql_store.h"

#define STORE_TYPE "neap.sql.store"

static void on_host_close(struct neap__closer *closer) {
  struct sql_store *s = (struct sql_store *)((char *)closer - offsetof(struct sql_store, closer));
  neap__sql_store_close(&s->head);
}

static int store_gc(lua_State *L) {
  neap__sql_store_close(lua_touserdata(L, 1));
  return 0;
}

const char *neap__sql_option_string(lua_State *L, const char *name, const char *otherwise) {
  if (lua_getfield(L, 1, name) == LUA_TNIL) {
    lua_pop(L, 1);
    return otherwise;
  }
  const char *s = neap__arg_string(L, -1, name, NULL);
  lua_setfield(L, 2, name);  // index 2: what the store keeps
  return s;
}

double neap__sql_option_seconds(lua_State *L, const char *name, double otherwise) {
  if (lua_getfield(L, 1, name) != LUA_TNIL) otherwise = neap__arg_seconds(L, -1, name);
  lua_pop(L, 1);
  return otherwise;
}

struct sql_store *neap__sql_store_new(lua_State *L, const struct store_verbs *verbs) {
  neap__arg_table(L, 1, "options");
  neap__need_closer(L);
  lua_settop(L, 1);
  lua_newtable(L);
  struct sql_store *s = memset(lua_newuserdatauv(L, sizeof *s, 2), 0, sizeof *s);
  s->head.verbs = verbs;
  s->head.host = neap__host(L);
  s->head.table_template = neap__sql_option_string(L, "table_template", NULL);
  luaL_setmetatable(L, STORE_TYPE);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 3, 2);
  return s;
}

int neap__sql_opened(lua_State *L, struct sql_store *s) {
  s->closer.close = on_host_close;
  neap__closer_add(s->head.host, &s->closer);
  neap__view_new(L, 3);
  return 1;
}

// Pushes a name that the file has by whatever path, whether it is there yet or not; what is in memory is each its own.
static void push_place(lua_State *L, const struct sql_store *s) {
  char real[PATH_MAX];
  const char *path = s->address.path, *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
  if (s->one_connection) {
    lua_pushfstring(L, "sqlite:%p", (const void *)s);
  } else if (realpath(path, real)) {
    lua_pushfstring(L, "sqlite:%s", real);
  } else {
    lua_pushlstring(L, path, (size_t)(file - path));
    if (!realpath(slash ? lua_tostring(L, -1) : ".", real)) *real = 0;
    lua_pushfstring(L, "sqlite:%s/%s", real, file);
    lua_remove(L, -2);
  }
}

// sql.open{ path =, read_only =, timeout =, table_template =, granted = } -> store
//   granted  the name by which the host allows scripts to open it
static int sql_open(lua_State *L) {
  struct neap__error e;
  struct sql_store *s = neap__sql_store_new(L, &neap__sql_verbs_sqlite);
  s->leasing = &neap__sql_lease;
  s->transport = neap__stepped(s->head.host) ? &neap__sqlite_threaded : &neap__sqlite;
  s->dialect = &neap__sql_sqlite;
  s->address.path = neap__sql_option_string(L, "path", ":memory:");
  s->address.timeout = neap__sql_option_seconds(L, "timeout", 5);
  lua_getfield(L, 1, "read_only");
  s->address.read_only = lua_toboolean(L, -1);
  lua_pop(L, 1);
  const char *granted = neap__sql_option_string(L, "granted", NULL);
  s->address.name = granted ? granted : s->address.path;
  s->one_connection = strcmp(s->address.path, ":memory:") == 0 || !*s->address.path;
  if (!s->one_connection && !granted) neap__need(L, NEAP_NO_FS, "opening a database file");
  push_place(L, s);
  s->head.place = lua_tostring(L, -1);
  lua_setfield(L, 2, "place");
  s->writer = s->transport->open(s->head.host, &s->address, false, &e);
  if (!s->writer) return neap__raise(L, &e);
  return neap__sql_opened(L, s);
}

int luaopen_neap_sql(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"open", sql_open},
#if WITH_PG
    {"connect", neap__sql_connect},
#endif
    {NULL, NULL},
  };
  neap__sql_run_open(L);
  neap__sql_transaction_open(L);
  luaL_newmetatable(L, STORE_TYPE);
  lua_pushcfunction(L, store_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, functions);
  return 1;
}
