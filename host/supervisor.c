// supervisor.c: runs a program and watches it, for `neap run`: hands signals on, ends it in time, says how it ended. It waits
// in place, by sigtimedwait: there is no other work, and no signal can come at a wrong moment.
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "report.h"
#include "supervisor.h"

enum {
  GRACE = 2,  // seconds after SIGTERM until SIGKILL; a neap needs at most one
  CANNOT_START = 127,
  SIGNALLED = 128
};

struct run {
  pid_t pid;
  bool group;      // it leads a process group of its own: what it started is ended with it
  int told;        // the signal that we were sent, 0 = none
  bool timed_out;  // its time was over
  bool ending;     // SIGTERM has been sent
  int status;      // as waitpid gives it
  double ends;     // when the next of the two signals is due, 0 = never
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool ignored(int number) {
  struct sigaction action;
  return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

// What ends a run, unless whoever started it (nohup) has it ignored.
static sigset_t watched(void) {
  static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
  sigset_t set;
  sigemptyset(&set);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (!ignored(signals[i])) sigaddset(&set, signals[i]);
  return set;
}

// Waits for a signal until then (0 = for ever). Its number, 0 if none came.
static int next_signal(double until, siginfo_t *info) {
  sigset_t set = watched();
  double left = until ? until - now() : 3600;
  if (left < 0) left = 0;
  if (left > 3600) left = 3600;
  struct timespec t = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
  int number = sigtimedwait(&set, info, &t);
  return number > 0 ? number : 0;
}

// supervisor.hold()
//   From now on signals wait for supervisor.run and supervisor.sleep.
static int supervisor_hold(lua_State *L) {
  signal(SIGCHLD, SIG_DFL);
  sigset_t set = watched();
  (void)L;
  sigprocmask(SIG_BLOCK, &set, NULL);
  return 0;
}

// supervisor.sleep(seconds) -> the number of the signal that ended it, or nil
static int supervisor_sleep(lua_State *L) {
  double until = now() + luaL_checknumber(L, 1);
  siginfo_t info;
  while (now() < until) {
    int number = next_signal(until, &info);
    if (number == 0 || number == SIGCHLD) continue;
    lua_pushinteger(L, number);
    return 1;
  }
  return 0;
}

static void send(const struct run *r, int number) {
  kill(r->group ? -r->pid : r->pid, number);
  if (number == SIGTERM) kill(r->group ? -r->pid : r->pid, SIGCONT);
}

// The child shall end: by SIGTERM, later by SIGKILL.
static void end(struct run *r) {
  send(r, r->ending ? SIGKILL : SIGTERM);
  r->ending = true;
  r->ends = now() + GRACE;
}

// Whether the child has ended. What is left of its group is killed while its number cannot be given to another.
static bool ended(struct run *r) {
  siginfo_t info = {.si_pid = 0};
  if (waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != r->pid) return false;
  if (r->ending && r->group) kill(-r->pid, SIGKILL);
  return waitpid(r->pid, &r->status, 0) == r->pid;
}

static void watch(struct run *r) {
  siginfo_t info;
  while (!ended(r)) {
    int number = next_signal(r->ends, &info);
    if (number == SIGCHLD) continue;
    if (number) {
      r->told = number;
      if (r->group || info.si_code != SI_KERNEL) end(r);  // a key on the terminal has told the child as well
    } else if (r->ends && now() >= r->ends) {
      r->timed_out = r->timed_out || !r->ending;
      end(r);
    }
  }
}

// This process goes on as this program with other words. Returns if it cannot.
static void start_again(char **argv) {
  char program[4096] = "";
  if (readlink("/proc/self/exe", program, sizeof program - 1) > 0) execv(program, argv);
  execv("/proc/self/exe", argv);  // it has been replaced, or removed
}

// In the child, between fork and exec. Its descriptors 3 and 4 are the report and the lock.
static void become(char **argv, bool group, int report, int lock, pid_t parent) {
  sigset_t set = watched();
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(SIGNALLED + SIGTERM);
  if (group) setpgid(0, 0);
  int copy = fcntl(report, F_DUPFD, 5), held = lock >= 0 ? fcntl(lock, F_DUPFD, 5) : -1;
  dup2(copy, NEAP_RUN_REPORT);
  if (held >= 0) dup2(held, NEAP_RUN_LOCK);
  close(copy);
  if (held >= 0) close(held);
  setenv("NEAP_RUN", lock >= 0 ? "2" : "1", 1);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  start_again(argv);
  dprintf(STDERR_FILENO, "neap: no program can be started: %s\n", strerror(errno));
  _exit(CANNOT_START);
}

static void set_integer(lua_State *L, const char *name, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *text) {
  if (!*text) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

// Into the table on top: what the child has reported.
static void set_report(lua_State *L, int file) {
  struct neap_run_report r;
  if (pread(file, &r, sizeof r, 0) != (ssize_t)sizeof r) return;
  if (r.ended) {
    set_integer(L, "read", r.read);
    set_integer(L, "written", r.written);
  }
  set_text(L, "asks", r.asks);
  if (*r.message) set_text(L, "kind", r.kind);
  set_text(L, "message", r.message);
}

static void push_outcome(lua_State *L, const struct run *r) {
  lua_newtable(L);
  if (WIFEXITED(r->status))
    set_integer(L, "code", WEXITSTATUS(r->status));
  else
    set_integer(L, "signal", WTERMSIG(r->status));
  if (r->told) set_integer(L, "told", r->told);
  lua_pushboolean(L, r->timed_out);
  lua_setfield(L, -2, "timed_out");
}

// Pushes what execv takes: a name, and the words in the table at index 1, which the stack keeps.
static char **push_words(lua_State *L) {
  static char name[] = "neap";
  luaL_checktype(L, 1, LUA_TTABLE);
  int n = (int)luaL_len(L, 1);
  luaL_checkstack(L, n + 1, "too many arguments");
  char **argv = lua_newuserdatauv(L, ((size_t)n + 2) * sizeof *argv, 0);
  argv[0] = name;
  for (int i = 1; i <= n; i++) {
    lua_geti(L, 1, i);
    argv[i] = (char *)(uintptr_t)luaL_checkstring(L, -1);  // execv does not change it
  }
  argv[n + 1] = NULL;
  return argv;
}

// The file that the child reports to, with what it is told in it. -1 and errno if there can be none.
static int open_report(lua_Integer attempt, bool heard) {
  struct neap_run_report told = {.attempt = attempt, .heard = heard};
  int file = memfd_create("neap-run", MFD_CLOEXEC);
  if (file < 0 || pwrite(file, &told, sizeof told, 0) == (ssize_t)sizeof told) return file;
  close(file);
  return -1;
}

// supervisor.run(words, attempt, heard, seconds, lock)
//     -> { code or signal =, told =, timed_out =, asks =, kind =, message =, read =, written = }
//   Runs this program with other words behind its name.
//   attempt, heard  what it is told, see report.h
//   seconds         what it has, nil = no end
//   lock            a descriptor, or nil
static int supervisor_run(lua_State *L) {
  lua_Integer attempt = luaL_checkinteger(L, 2);
  double seconds = luaL_optnumber(L, 4, 0);
  int lock = (int)luaL_optinteger(L, 5, -1);
  char **argv = push_words(L);
  int report = open_report(attempt, lua_toboolean(L, 3));
  struct run r = {.group = !isatty(STDIN_FILENO), .ends = seconds > 0 ? now() + seconds : 0};
  fflush(NULL);
  pid_t parent = getpid();
  r.pid = report < 0 ? -1 : fork();
  if (r.pid == 0) become(argv, r.group, report, lock, parent);
  if (r.pid < 0) {
    int code = errno;
    if (report >= 0) close(report);
    return luaL_error(L, "no process can be started: %s", strerror(code));
  }
  if (r.group) setpgid(r.pid, r.pid);
  watch(&r);
  push_outcome(L, &r);
  set_report(L, report);
  close(report);
  return 1;
}

// supervisor.become(words)
//   This process goes on as this program with other words behind its name. Returns only with an error.
static int supervisor_become(lua_State *L) {
  char **argv = push_words(L);
  fflush(NULL);
  start_again(argv);
  return luaL_error(L, "no program can be started: %s", strerror(errno));
}

// supervisor.now() -> seconds of a clock that nobody sets
static int supervisor_now(lua_State *L) {
  lua_pushnumber(L, now());
  return 1;
}

// supervisor.setenv(name, value)
//   value  nil takes it out
static int supervisor_setenv(lua_State *L) {
  const char *name = luaL_checkstring(L, 1), *value = luaL_optstring(L, 2, NULL);
  int status = value ? setenv(name, value, 1) : unsetenv(name);
  return status == 0 ? 0 : luaL_error(L, "the environment cannot have %s: %s", name, strerror(errno));
}

// ---- Output that waits ----

static int held = -1, before[2] = {-1, -1};  // the file that has the output, and where it went before

// A file without a name: on disk where there is a folder for such, else in memory.
static int open_nameless(void) {
  const char *folder = getenv("TMPDIR");
  int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
  return fd >= 0 ? fd : memfd_create("neap-output", MFD_CLOEXEC);
}

// supervisor.hold_output()
//   From now on what this process and those that it starts print goes to a file.
static int supervisor_hold_output(lua_State *L) {
  fflush(NULL);
  held = open_nameless();
  if (held < 0) return luaL_error(L, "the output cannot be held: %s", strerror(errno));
  for (int i = 0; i < 2; i++) {
    before[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, 5);
    dup2(held, STDOUT_FILENO + i);
  }
  return 0;
}

// supervisor.release_output(print)
//   Output goes where it went before; if `print`, first all that was held, to standard error.
static int supervisor_release_output(lua_State *L) {
  char text[65536];
  ssize_t n;
  if (held < 0) return 0;
  fflush(NULL);
  for (int i = 0; i < 2; i++) {
    dup2(before[i], STDOUT_FILENO + i);
    close(before[i]);
  }
  lseek(held, 0, SEEK_SET);
  while (lua_toboolean(L, 1) && (n = read(held, text, sizeof text)) > 0) fwrite(text, 1, (size_t)n, stderr);
  close(held);
  held = -1;
  return 0;
}

// ---- Secrets ----

// Whether only this user can read the file, or its owner is root, and then its group at most: as libpq wants it of keys.
static bool is_private(const struct stat *s) {
  if (s->st_uid == geteuid()) return (s->st_mode & 077) == 0;
  return s->st_uid == 0 && (s->st_mode & 037) == 0;
}

// supervisor.read_private(path) -> text, or nil and why not
static int supervisor_read_private(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
  struct stat s;
  luaL_Buffer text;
  luaL_pushfail(L);
  if (!file || fstat(fd, &s) != 0) {
    lua_pushfstring(L, "%s: %s", path, strerror(errno));
    if (fd >= 0) file ? fclose(file) : close(fd);
    return 2;
  }
  if (!is_private(&s)) {
    lua_pushfstring(L, "others may read %s: chmod 600 it", path);
    fclose(file);
    return 2;
  }
  luaL_buffinit(L, &text);
  size_t n;
  do {
    n = fread(luaL_prepbuffer(&text), 1, LUAL_BUFFERSIZE, file);
    luaL_addsize(&text, n);
  } while (n > 0);
  bool failed = ferror(file) != 0;
  fclose(file);
  luaL_pushresult(&text);
  if (!failed) return 1;
  luaL_pushfail(L);
  lua_pushfstring(L, "%s cannot be read", path);
  return 2;
}

int luaopen_neap_supervisor(lua_State *L) {
  static const luaL_Reg library[] = {
      {"hold", supervisor_hold},
      {"sleep", supervisor_sleep},
      {"run", supervisor_run},
      {"become", supervisor_become},
      {"again", neap__report_again},
      {"attempt", neap__report_attempt},
      {"hold_output", supervisor_hold_output},
      {"release_output", supervisor_release_output},
      {"read_private", supervisor_read_private},
      {"now", supervisor_now},
      {"setenv", supervisor_setenv},
      {NULL, NULL},
  };
  luaL_newlib(L, library);
  return 1;
}
