// edit.h: the Lua module of edit.c, and what it has to know of signals.
#ifndef NEAP_EDIT_H
#define NEAP_EDIT_H

#include <lua.h>
#include <signal.h>

extern volatile sig_atomic_t neap__signal_seen;  // its number; 0 = none. main.c catches it; reading a line ends then

int luaopen_neap_edit(lua_State *L);

#endif
