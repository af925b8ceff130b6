// supervisor.h: `neap run` and the neap that it starts.
#ifndef NEAP_SUPERVISOR_H
#define NEAP_SUPERVISOR_H

#include <lua.h>

// What a neap that `neap run` has started finds open, if NEAP_RUN is set: a file for its last error ("kind\nmessage"), and,
// if NEAP_RUN is 2, the lock, which is held until it has ended too.
enum { NEAP_RUN_REPORT = 3, NEAP_RUN_LOCK = 4, NEAP_RUN_REPORT_MAX = 4096 };

int luaopen_neap_supervisor(lua_State *L);

#endif
