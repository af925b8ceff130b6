// edit.h: the Lua module of edit.c.
#ifndef NEAP_EDIT_H
#define NEAP_EDIT_H

#include <lua.h>

int luaopen_neap_edit(lua_State *L);

#endif
