// supervisor.h: `neap run` and the neap that it starts.
#ifndef NEAP_SUPERVISOR_H
#define NEAP_SUPERVISOR_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

// What a neap that `neap run` has started finds open, if NEAP_RUN is set: a file for a struct neap_run_report, and, if
// NEAP_RUN is 2, the lock, which is held until it has ended too.
enum { NEAP_RUN_REPORT = 3, NEAP_RUN_LOCK = 4 };

struct neap_run_report {
  int64_t read, written;  // rows
  bool ended;             // they are all: it was not cut off
  char kind[32];          // of the last error
  char message[4096];     // "" = there was none
};

int luaopen_neap_supervisor(lua_State *L);

#endif
