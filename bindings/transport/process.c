// process.c: which process this is, in words that another process on the same machine can check; and the clock that counts
// while the machine sleeps too.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "modules.h"
#include "value/fence.h"

// The first line of a file, "" if it cannot be read.
static void read_line(const char *path, char *out, size_t size) {
  FILE *f = fopen(path, "re");
  out[0] = 0;
  if (!f) return;
  if (!fgets(out, (int)size, f)) out[0] = 0;
  out[strcspn(out, "\n")] = 0;
  fclose(f);
}

// Processes with equal ones see each other's numbers: this boot of the machine, and the container if there is one.
static void read_machine(char *out, size_t size) {
  char boot[64], space[64] = "";
  read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
  if (readlink("/proc/self/ns/pid", space, sizeof space - 1) < 0) space[0] = 0;
  snprintf(out, size, "%s %s", boot, space);
}

// When a process began, in ticks since the machine did; 0 = unknown, -1 = it has ended and waits for its parent. A number is
// given to another process one day, together with another time.
static long long born(pid_t pid) {
  char path[32], line[512], state = 0;
  long long ticks = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  read_line(path, line, sizeof line);
  const char *rest = strrchr(line, ')');  // behind the program's name
  if (rest)
    sscanf(rest, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld", &state, &ticks);
  return state == 'Z' || state == 'X' ? -1 : ticks;
}

// process.self() -> { host =, machine =, pid =, born = }
static int process_self(lua_State *L) {
  char host[256] = "", machine[160];
  gethostname(host, sizeof host - 1);
  read_machine(machine, sizeof machine);
  lua_createtable(L, 0, 4);
  lua_pushstring(L, host);
  lua_setfield(L, -2, "host");
  lua_pushstring(L, machine);
  lua_setfield(L, -2, "machine");
  lua_pushinteger(L, getpid());
  lua_setfield(L, -2, "pid");
  lua_pushinteger(L, born(getpid()));
  lua_setfield(L, -2, "born");
  return 1;
}

// process.ended(p) -> boolean
//   p  what process.self gave somewhere. True only if that process ran here and is gone.
static int process_ended(lua_State *L) {
  char machine[160];
  neap__arg_table(L, 1, "process");
  lua_getfield(L, 1, "machine");
  lua_getfield(L, 1, "pid");
  lua_getfield(L, 1, "born");
  const char *there = lua_tostring(L, 2);
  pid_t pid = (pid_t)lua_tointeger(L, 3);
  read_machine(machine, sizeof machine);
  bool here = there && *there != ' ' && strcmp(there, machine) == 0 && pid > 0;
  long long now = here ? born(pid) : 0;
  bool gone = here && kill(pid, 0) != 0 && errno == ESRCH;
  lua_pushboolean(L, gone || now < 0 || (now > 0 && now != lua_tointeger(L, 4)));
  return 1;
}

// process.uptime() -> seconds
//   Never goes back, and goes on while the machine sleeps or the process is stopped.
static int process_uptime(lua_State *L) {
  lua_pushnumber(L, neap__uptime());
  return 1;
}

int luaopen_neap_process(lua_State *L) {
  static const luaL_Reg library[] = {
      {"self", process_self}, {"ended", process_ended}, {"uptime", process_uptime}, {NULL, NULL}};
  luaL_newlib(L, library);
  return 1;
}
