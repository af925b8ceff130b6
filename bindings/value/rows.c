// rows.c: what the userdata of all rows have in common: they end when nobody holds them any more.
#include "value/rows.h"

static int rows_close(lua_State *L) {
  struct rows *rows = lua_touserdata(L, 1);
  if (rows->close) rows->close(rows);
  return 0;
}

void neap__rows_type(lua_State *L, const char *name) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, rows_close);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, rows_close);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}
