// supervisor.h: `neap run` and the neap that it starts.
#ifndef NEAP_SUPERVISOR_H
#define NEAP_SUPERVISOR_H

#include <lua.h>

int luaopen_neap_supervisor(lua_State *L);

#endif
