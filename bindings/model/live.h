// live.h: from an address that C holds back to the userdata that it belongs to, without keeping that alive.
#ifndef NEAP_LIVE_H
#define NEAP_LIVE_H

#include <lua.h>

// Makes the value on top of the stack known by the address. Keeps it there.
void neap__live_add(lua_State *L, const void *address);
// Pushes what is known by the address, nil if it is gone.
void neap__live_push(lua_State *L, const void *address);

#endif
