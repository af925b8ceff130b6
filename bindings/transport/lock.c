// lock.c: a lock on this machine that one process at a time has, by flock on a file: the kernel frees it, however the process
// ends. The file says who has it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "modules.h"

#define LOCK_TYPE "neap.lock"

static int *lock_check(lua_State *L) {
  return luaL_checkudata(L, 1, LOCK_TYPE);
}

// lock:close()
//   Also its metatable's __gc and __close.
static int lock_close(lua_State *L) {
  int *fd = lock_check(L);
  if (*fd >= 0) close(*fd);
  *fd = -1;
  return 0;
}

// lock:descriptor() -> integer
//   For a process that shall have the lock as well.
static int lock_descriptor(lua_State *L) {
  lua_pushinteger(L, *lock_check(L));
  return 1;
}

static int cannot(lua_State *L, const char *path) {
  enum neap__kind kind = errno == ENOENT || errno == ENOTDIR ? NEAP_NOT_FOUND : NEAP_FORBIDDEN;
  return neap__fail(L, kind, "the lock %s cannot be taken: %s", neap__show_name(path, strlen(path)).text,
                    strerror(errno));
}

// A folder of the user's that nobody else can put files into. What XDG_RUNTIME_DIR names would not do: a session has it and
// cron has not, and it goes when the session ends.
static bool own_folder(lua_State *L, const char *parent) {
  const char *path = lua_pushfstring(L, "%s/neap-%I", parent, (lua_Integer)geteuid());
  struct stat s;
  if (mkdir(path, 0700) != 0 && errno != EEXIST) return false;
  if (lstat(path, &s) != 0) return cannot(L, path);
  if (!S_ISDIR(s.st_mode) || s.st_uid != geteuid() || (s.st_mode & 077))
    return neap__fail(L, NEAP_FORBIDDEN, "%s holds locks: it must be a folder of this user's with mode 700", path);
  return true;
}

// lock.folder() -> path
//   Where locks by name are; the same for all that one user runs. Made if it is not there.
static int lock_folder(lua_State *L) {
  neap__need(L, NEAP_NO_FS, "a lock");
  if (!own_folder(L, "/run/lock") && !own_folder(L, "/tmp")) return cannot(L, lua_tostring(L, -1));
  return 1;
}

// Whether the path still leads to the open file: who had it may have removed it.
static bool same_file(int fd, const char *path) {
  struct stat open_file, named;
  return fstat(fd, &open_file) == 0 && stat(path, &named) == 0 && open_file.st_ino == named.st_ino &&
         open_file.st_dev == named.st_dev;
}

static int open_locked(const char *path) {
  for (;;) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || same_file(fd, path)) return fd;
    close(fd);
  }
}

static void say_who(int fd) {
  char text[64];
  int n = snprintf(text, sizeof text, "%ld %lld\n", (long)getpid(), (long long)time(NULL));
  if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) return;  // it is held all the same
}

// Pushes nil, and pid and time of who has it; nothing more if that is not written yet.
static int push_holder(lua_State *L, int fd) {
  char text[64] = "";
  long pid;
  long long since;
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  lua_pushnil(L);
  if (n <= 0 || sscanf(text, "%ld %lld", &pid, &since) != 2) return 1;
  lua_pushinteger(L, pid);
  lua_pushinteger(L, since);
  return 3;
}

// lock.take(path) -> lock, or nil, pid and start of who has it (seconds since 1970)
//   Held until it is closed or the process has ended, and until each process has that was given its descriptor. Raises
//   not_found and forbidden.
static int lock_take(lua_State *L) {
  const char *path = neap__arg_string(L, 1, "path", NULL);
  neap__need(L, NEAP_NO_FS, "a lock");
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, LOCK_TYPE);
  *fd = open_locked(path);
  if (*fd < 0) return cannot(L, path);
  if (flock(*fd, LOCK_EX | LOCK_NB) == 0) {
    say_who(*fd);
    return 1;
  }
  if (errno != EWOULDBLOCK) return cannot(L, path);
  return push_holder(L, *fd);
}

int luaopen_neap_lock_kernel(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", lock_close}, {"descriptor", lock_descriptor}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", lock_close}, {"__close", lock_close}, {"__index", NULL}, {NULL, NULL}};
  static const luaL_Reg library[] = {{"folder", lock_folder}, {"take", lock_take}, {NULL, NULL}};
  luaL_newmetatable(L, LOCK_TYPE);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, library);
  return 1;
}
