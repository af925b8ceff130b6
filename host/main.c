// main.c: the command. It uses nothing but neap.h and Lua's own API.
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "neap.h"

enum { DONE = 0, FAILED = 1, USAGE = 2 };

static const char usage[] =
    "usage: neap [options] script.lua [args]   run a script (- reads standard input)\n"
    "       neap [options] -e 'code' [args]    run code\n"
    "       neap --busted [args]               run specs with busted, inside neap\n"
    "options:\n"
    "  --lua-dir DIR   Lua modules in DIR win over the embedded ones\n"
    "  --version       print the version\n"
    "  --help          print this text\n";

static const char busted[] = "require 'busted.runner' ({ standalone = false })";

struct command {
  const char *code, *script, *lua_dir;
  char **argv;
  int argc, first;  // first: index of the first argument of the script
};

static void on_error(void *ud, neap_task task, const char *kind, const char *message, const char *traceback) {
  (void)ud;
  (void)task;
  (void)kind;
  fprintf(stderr, "neap: %s\n%s%s", message, traceback, *traceback ? "\n" : "");
}

static int complain(const char *what, const char *value) {
  fprintf(stderr, "neap: %s%s; see neap --help\n", what, value);
  return USAGE;
}

// Reads the options. Returns -1 to go on, else the exit code.
static int parse(struct command *c) {
  int i = 1;
  for (; i < c->argc && c->argv[i][0] == '-' && c->argv[i][1]; i++) {
    const char *arg = c->argv[i];
    if (strcmp(arg, "--version") == 0) return puts("neap " NEAP_VERSION), DONE;
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) return fputs(usage, stdout), DONE;
    if (strcmp(arg, "--busted") == 0) {
      c->code = busted;
      break;
    }
    if (strcmp(arg, "-e") != 0 && strcmp(arg, "--lua-dir") != 0) return complain("unknown option ", arg);
    if (i + 1 == c->argc) return complain("a value is missing after ", arg);
    *(arg[1] == 'e' ? &c->code : &c->lua_dir) = c->argv[++i];
  }
  if (c->code == busted) i++;
  if (!c->code && i < c->argc) c->script = c->argv[i++];
  c->first = i;
  return -1;
}

// arg as in lua(1): the script at 0, its arguments from 1.
static int set_arg(lua_State *L) {
  struct command *c = lua_touserdata(L, 1);
  lua_createtable(L, c->argc - c->first, 1);
  lua_pushstring(L, c->script ? c->script : c->argv[0]);
  lua_rawseti(L, -2, 0);
  for (int i = c->first; i < c->argc; i++) {
    lua_pushstring(L, c->argv[i]);
    lua_rawseti(L, -2, i - c->first + 1);
  }
  lua_setglobal(L, "arg");
  return 0;
}

static int start(neap *h, const struct command *c) {
  if (c->code) return neap_spawn(h, c->code, strlen(c->code), c->code == busted ? "=busted" : "=-e", NULL);
  return neap_spawn_file(h, c->script ? c->script : "-", NULL);
}

int main(int argc, char **argv) {
  struct command c = {.argv = argv, .argc = argc};
  neap_options options = {.size = sizeof options, .error = on_error};
  neap *h;
  int code = parse(&c);
  if (code >= 0) return code;
  if (!c.code && !c.script && isatty(STDIN_FILENO)) return fputs(usage, stderr), USAGE;
  options.lua_dir = c.lua_dir;
  if (neap_open(&h, &options) != NEAP_OK) return complain("cannot start: memory is short", "");
  lua_pushcfunction(neap_lua(h), set_arg);
  lua_pushlightuserdata(neap_lua(h), &c);
  lua_call(neap_lua(h), 1, 0);
  if (start(h, &c) != NEAP_OK) {
    fprintf(stderr, "neap: %s\n", neap_message(h));
    code = FAILED;
  } else {
    code = neap_run(h) == NEAP_OK ? DONE : FAILED;
    if (*neap_message(h)) fprintf(stderr, "neap: %s\n", neap_message(h));
    if (neap_exit_code(h) >= 0) code = neap_exit_code(h);
  }
  neap_close(&h);
  return code;
}
