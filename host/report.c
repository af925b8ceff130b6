// report.c: what a neap that `neap run` has started tells it, in a file that both have open.
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

static bool reporting;               // `neap run` has started this process
static bool script;                  // it runs a file
static struct neap_run_report told;  // to whoever has started it

void neap__report_find(void) {
  const char *run = getenv("NEAP_RUN");
  if (!run) return;
  reporting = fcntl(NEAP_RUN_REPORT, F_SETFD, FD_CLOEXEC) == 0 &&
              pread(NEAP_RUN_REPORT, &told, sizeof told, 0) == (ssize_t)sizeof told;
  if (*run == '2') fcntl(NEAP_RUN_LOCK, F_SETFD, FD_CLOEXEC);
  unsetenv("NEAP_RUN");
}

bool neap__reporting(void) {
  return reporting;
}

void neap__report_script(void) {
  script = true;
}

static void send(void) {
  if (reporting && pwrite(NEAP_RUN_REPORT, &told, sizeof told, 0) != (ssize_t)sizeof told) reporting = false;
}

void neap__report_error(const char *kind, const char *message) {
  snprintf(told.kind, sizeof told.kind, "%s", kind);
  snprintf(told.message, sizeof told.message, "%s", message);
  send();
}

void neap__report_end(neap *h) {
  const struct neap__counts *counts = neap__counts(h);
  told.read = counts->read;
  told.written = counts->written;
  told.ended = true;
  send();
}

// supervisor.attempt() -> which attempt of `neap run` this is: 1, 2, ...; 0 if it is none
int neap__report_attempt(lua_State *L) {
  lua_pushinteger(L, told.attempt);
  return 1;
}

// supervisor.again(asks) -> "heard", "told", "alone" or nil
//   asks  options of neap.job as JSON, which `neap run` is to start this script again with
//   heard: they count already; told: they will, once this process has ended; alone: nobody would start it again; nil: it is
//   no script.
int neap__report_again(lua_State *L) {
  size_t n;
  const char *asks = luaL_checklstring(L, 1, &n);
  if (!script) return 0;
  const char *answer = !reporting ? "alone" : told.heard ? "heard" : "told";
  if (*answer == 't') {
    if (n >= sizeof told.asks) return luaL_error(L, "the options of the job are too long");
    memcpy(told.asks, asks, n + 1);
    send();
  }
  lua_pushstring(L, answer);
  return 1;
}
