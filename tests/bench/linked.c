// linked.c: a program that links every library that neap links, opens a Lua state and ends: what starting costs at least.
#include <lauxlib.h>
#include <lualib.h>

int main(void) {
  lua_State *L = luaL_newstate();
  if (L == NULL) return 1;
  luaL_openlibs(L);
  lua_close(L);
  return 0;
}
