// report.h: what a neap that `neap run` has started tells it, and is told.
#ifndef NEAP_REPORT_H
#define NEAP_REPORT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "neap.h"

// What a neap that `neap run` has started finds open, if NEAP_RUN is set: a file for a struct neap_run_report, and, if
// NEAP_RUN is 2, the lock, which is held until it has ended too.
enum { NEAP_RUN_REPORT = 3, NEAP_RUN_LOCK = 4 };

struct neap_run_report {
  int64_t attempt;        // told to it: 1, 2, ...
  bool heard;             // told to it: what it has asked for is done
  char asks[512];         // it ends, to be started again with these options of neap.job, as JSON; "" = it does not
  int64_t read, written;  // rows
  bool ended;             // they are all: it was not cut off
  char kind[32];          // of the last error
  char message[4096];     // "" = there was none
};

// Takes over what `neap run` has opened for this process, and for no program that it starts.
void neap__report_find(void);
// Whether there is somebody to report to.
bool neap__reporting(void);
// Says that the script is one that may be started again: the path that the command was given.
void neap__report_script(void);
void neap__report_error(const char *kind, const char *message);
void neap__report_end(neap *h);

// Functions of the module neap.supervisor.
int neap__report_again(lua_State *L);
int neap__report_attempt(lua_State *L);

#endif
