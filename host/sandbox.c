// sandbox.c: what a host lets its scripts do.
#include <stdlib.h>

#include "state.h"

// os.exit([code [, close]])
//   Ends the scripts of this host: the other tasks are cancelled and rolled back. The command then exits with `code`.
static int os_exit(lua_State *L) {
  neap *h = neap__host(L);
  h->exit_code = lua_isboolean(L, 1) ? !lua_toboolean(L, 1) : (int)luaL_optinteger(L, 1, 0);
  if (!h->task) exit(h->exit_code);
  neap__task_cancel_all(h);
  return neap__kill(L, KILL_EXIT);
}

void neap__sandbox_open(neap *h, lua_State *L) {
  (void)h;
  lua_getglobal(L, "os");
  lua_pushcfunction(L, os_exit);
  lua_setfield(L, -2, "exit");
  lua_pop(L, 1);
}
