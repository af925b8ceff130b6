// dynamodb_open.c: opening a store of DynamoDB. Nothing is sent before it is used.
#include <string.h>

#include "modules.h"
#include "store/dynamodb_store.h"

#define STORE_TYPE "neap.dynamodb.store"

enum { O_OPTIONS = 1, O_STORE };

static void on_host_close(struct neap__closer *closer) {
  struct dynamodb_store *s = (struct dynamodb_store *)((char *)closer - offsetof(struct dynamodb_store, closer));
  neap__dynamodb_close(&s->head);
}

static int store_gc(lua_State *L) {
  struct dynamodb_store *s = lua_touserdata(L, 1);
  if (!s->head.closed) neap__dynamodb_close(&s->head);
  return 0;
}

static const char *option(lua_State *L, const char *name) {
  lua_getfield(L, O_OPTIONS, name);
  const char *s = lua_isnil(L, -1) ? NULL : neap__arg_string(L, -1, name, NULL);
  lua_pop(L, 1);  // the table has it
  return s;
}

static double number(lua_State *L, const char *name) {
  double s = lua_getfield(L, O_OPTIONS, name) == LUA_TNIL ? 0 : neap__arg_seconds(L, -1, name);
  lua_pop(L, 1);
  return s;
}

static struct aws_client *open_client(lua_State *L, int *attempts) {
  struct neap__error e;
  struct aws_options o = {.service = "dynamodb",
                          .region = option(L, "region"),
                          .endpoint = option(L, "endpoint"),
                          .access_key = option(L, "access_key"),
                          .secret_key = option(L, "secret_key"),
                          .session_token = option(L, "session_token"),
                          .profile = option(L, "profile"),
                          .timeout = number(L, "timeout"),
                          .connect = number(L, "connect_timeout"),
                          .granted = option(L, "granted") != NULL};
  bool given = lua_getfield(L, O_OPTIONS, "attempts") != LUA_TNIL;
  o.attempts = *attempts = given ? (int)neap__arg_integer(L, -1, "attempts", 1, 100) : DYNAMODB_ATTEMPTS;
  lua_pop(L, 1);
  struct aws_client *c = neap__aws_open(L, &o, &e);
  if (!c) neap__raise(L, &e);
  return c;
}

// kernel.open{ region =, endpoint =, access_key =, secret_key =, session_token =, profile =, timeout =, connect_timeout =,
//              attempts =, read_rate =, write_rate =, capacity =, table_template =, granted = } -> store
//   capacity true: what is spent is counted
//   granted  the name by which the host allows scripts to open it
int neap__dynamodb_open(lua_State *L) {
  neap__arg_table(L, O_OPTIONS, "options");
  lua_settop(L, O_OPTIONS);
  neap__need_closer(L);
  if (!option(L, "granted")) neap__need(L, NEAP_NO_NET, "connecting to DynamoDB");
  struct dynamodb_store *s = memset(lua_newuserdatauv(L, sizeof *s, 2), 0, sizeof *s);
  s->head.verbs = &neap__dynamodb_verbs;
  s->head.host = neap__host(L);
  s->head.closed = true;
  luaL_setmetatable(L, STORE_TYPE);
  lua_newtable(L);
  lua_pushstring(L, option(L, "table_template"));
  s->head.table_template = lua_tostring(L, -1);
  lua_setfield(L, -2, "table_template");
  s->aws = open_client(L, &s->attempts);
  s->head.closed = false;
  s->head.place = lua_pushfstring(L, "dynamodb:%s/%s", neap__aws_endpoint(s->aws), neap__aws_region(s->aws));
  lua_setfield(L, -2, "place");
  lua_setiuservalue(L, O_STORE, 2);
  s->rate[0] = number(L, "read_rate");
  s->rate[1] = number(L, "write_rate");
  s->meters = lua_getfield(L, O_OPTIONS, "capacity") != LUA_TNIL || s->rate[0] > 0 || s->rate[1] > 0;
  lua_pop(L, 1);
  s->closer.close = on_host_close;
  neap__closer_add(s->head.host, &s->closer);
  neap__view_new(L, O_STORE);
  return 1;
}

// kernel.table_name(view, name) -> the name of a table of ours, as the store's template makes it
static int dynamodb_table_name(lua_State *L) {
  const struct shape shape = {.table = neap__arg_string(L, 2, "name", NULL)};
  char name[DYNAMODB_TABLE_NAME];
  if (!neap__dynamodb_table_name(neap__view_check(L, 1), &shape, name, sizeof name))
    return neap__fail(L, NEAP_LIMIT, "the name of a table is too long");
  lua_pushstring(L, name);
  return 1;
}

int luaopen_neap_dynamodb_kernel(lua_State *L) {
  static const luaL_Reg functions[] = {{"open", neap__dynamodb_open},         {"request", neap__dynamodb_request},
                                       {"capacity", neap__dynamodb_capacity}, {"table_name", dynamodb_table_name},
                                       {"image", neap__dynamodb_image},       {NULL, NULL}};
  neap__dynamodb_run_open(L);
  luaL_newmetatable(L, STORE_TYPE);
  lua_pushcfunction(L, store_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, functions);
  return 1;
}
