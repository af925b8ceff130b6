// live.c: a weak table in the registry, address -> the value that lives there: classes, views, stores, scopes.
#include "model/live.h"

static const char live_key = 0;

static void push_table(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &live_key) != LUA_TNIL) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &live_key);
}

void neap__live_add(lua_State *L, const void *address) {
  push_table(L);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, address);
  lua_pop(L, 1);
}

void neap__live_push(lua_State *L, const void *address) {
  push_table(L);
  lua_rawgetp(L, -1, address);
  lua_remove(L, -2);
}
