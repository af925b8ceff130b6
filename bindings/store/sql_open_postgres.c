// sql_open_postgres.c: opening a store of PostgreSQL.
#include <stdlib.h>

#include "store/sql_dialect.h"
#include "store/sql_store.h"

// sql.connect{ url =, place =, pool =, wait =, idle =, connect_timeout =, timeout =, table_template =, granted = } -> store
//   Connections are made when they are needed.
int neap__sql_connect(lua_State *L) {
  struct sql_store *s = neap__sql_store_new(L, &neap__sql_verbs_postgres);
  if (!neap__sql_option_string(L, "granted", NULL)) neap__need(L, NEAP_NO_NET, "connecting to a database");
  s->leasing = &neap__sql_pool;
  s->transport = &neap__postgres;
  s->dialect = &neap__sql_postgres;
  s->address.path = neap__sql_option_string(L, "url", "postgres://");
  s->head.place = neap__sql_option_string(L, "place", "postgres:");
  s->address.timeout = neap__sql_option_seconds(L, "connect_timeout", 10);
  s->wait = neap__sql_option_seconds(L, "wait", 30);
  s->idle = neap__sql_option_seconds(L, "idle", 300);
  s->statement_timeout = neap__sql_option_seconds(L, "timeout", 30);
  s->alone = lua_getfield(L, 1, "share") == LUA_TBOOLEAN && !lua_toboolean(L, -1);
  lua_pop(L, 1);
  lua_getfield(L, 1, "pool");
  int n = (int)(lua_isnil(L, -1) ? 4 : neap__arg_integer(L, -1, "pool", 1, SQL_POOL_MAX));
  lua_pop(L, 1);
  s->slots = calloc((size_t)n, sizeof *s->slots);
  if (!s->slots) return neap__fail(L, NEAP_LIMIT, "memory is short");
  s->nslots = n;
  return neap__sql_opened(L, s);
}
