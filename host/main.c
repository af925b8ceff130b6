// main.c: the command. It uses neap.h and Lua's own API, and of the host inside only what logs, counts and hides secrets.
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edit.h"
#include "host.h"
#include "neap.h"
#include "report.h"
#include "supervisor.h"

enum { DONE = 0, FAILED = 1, USAGE = 2, SIGNALLED = 128 };

static const char busted[] = "require 'busted.runner' ({ standalone = false })";
static const char repl[] = "require 'neap.repl'.run((require 'neap.edit'))";
static const char dump[] = "require 'neap.dump' (arg[1])";
static const char attempt[] = "return require 'neap.attempt' (arg[0], ...)";
static const char command[] = "require 'neap.command'.run(arg)";
static const char help[] = "io.write(require 'neap.command'.help())";

struct command {
  const char *code, *name, *script, *lua_dir;
  char **argv;
  int argc, first;  // first: index of the first argument of the script
};

static neap *running;  // for the signal handler
static bool typing;    // what runs was typed: an interrupt ends it, not the program
volatile sig_atomic_t neap__signal_seen;

// The tasks get a second to end. What is stuck longer, or a second signal, ends the process. Under `neap run` a second one says
// nothing: it hands on what it was sent, and whoever sent it may have sent it to both.
static void on_signal(int number) {
  if (neap__signal_seen && neap__reporting() && number != SIGALRM) return;
  if (neap__signal_seen || number == SIGALRM) _exit(SIGNALLED + (neap__signal_seen ? neap__signal_seen : number));
  neap__signal_seen = number;
  neap_stop(running);
  if (!typing || number != SIGINT) alarm(1);
}

static void catch_signals(neap *h) {
  struct sigaction action = {.sa_handler = on_signal};
  running = h;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGALRM, &action, NULL);
}

static void on_error(void *ud, neap_task task, const char *kind, const char *message, const char *traceback) {
  (void)ud;
  (void)task;
  bool ending = neap__signal_seen || neap_exit_code(running) >= 0;  // then tasks are cancelled, as they should be
  if (ending && strcmp(kind, "cancelled") == 0) return;
  neap__report_error(kind, message);
  fflush(stdout);
  neap__log_failure(kind, message, traceback);
}

static int complain(const char *what, const char *value) {
  fprintf(stderr, "neap: %s%s; see neap --help\n", what, value);
  return USAGE;
}

static void set_code(struct command *c, const char *code, const char *name) {
  c->code = code;
  c->name = name;
}

// Reads one option at argv[*i]. Returns -1 to go on, else the exit code.
static int parse_option(struct command *c, int *i) {
  const char *arg = c->argv[*i];
  if (strcmp(arg, "--version") == 0) return puts("neap " NEAP_VERSION), DONE;
  if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) return set_code(c, help, "=help"), -1;
  if (strcmp(arg, "--busted") == 0) return set_code(c, busted, "=busted"), -1;
  if (strcmp(arg, "-e") && strcmp(arg, "--lua-dir") && strcmp(arg, "--dump-lua"))
    return complain("unknown option ", arg);
  if (*i + 1 == c->argc) return complain("a value is missing after ", arg);
  if (strcmp(arg, "--dump-lua") == 0) return set_code(c, dump, "=dump"), -1;
  const char *value = c->argv[++*i];
  if (strcmp(arg, "-e") == 0)
    set_code(c, value, "=-e");
  else
    c->lua_dir = value;
  return -1;
}

static int parse(struct command *c) {
  int i = 1;
  for (; i < c->argc && c->argv[i][0] == '-' && c->argv[i][1]; i++) {
    int code = parse_option(c, &i);
    if (code >= 0) return code;
    if (c->code == busted || c->code == dump || c->code == help) {  // what follows is theirs
      i++;
      break;
    }
  }
  if (!c->code && i < c->argc) c->script = c->argv[i++];
  if (!c->code && !c->script) {
    if (isatty(STDIN_FILENO))
      set_code(c, repl, "=repl");
    else
      c->script = "-";
  }
  c->first = i;
  return -1;
}

// arg as in lua(1): the script at 0, its arguments from 1, what stands before it below 0.
static int set_arg(lua_State *L) {
  struct command *c = lua_touserdata(L, 1);
  int zero = c->script ? c->first - 1 : 0;
  lua_createtable(L, c->argc - c->first, c->first);
  lua_pushstring(L, c->script ? c->script : c->argv[0]);
  lua_rawseti(L, -2, 0);
  for (int i = 0; i < c->argc; i++) {
    if (i >= zero && i < c->first) continue;
    lua_pushstring(L, c->argv[i]);
    lua_rawseti(L, -2, i < zero ? i - zero : i - c->first + 1);
  }
  lua_setglobal(L, "arg");
  return 0;
}

// Whether the word is one that a module neap.command.WORD stands for. A script of that name is run as ./WORD.
static bool is_command(lua_State *L, const char *word) {
  if (luaL_loadstring(L, "return require('neap.host').has_module('neap.command.' .. ...)") != LUA_OK) return false;
  lua_pushstring(L, word);
  bool found = lua_pcall(L, 1, 1, 0) == LUA_OK && lua_toboolean(L, -1);
  lua_settop(L, 0);
  return found;
}

static int start(neap *h, struct command *c) {
  lua_State *L = neap_lua(h);
  typing = c->code == repl;
  if (c->script && strspn(c->script, "abcdefghijklmnopqrstuvwxyz") == strlen(c->script) && is_command(L, c->script)) {
    set_code(c, command, "@neap/command");
    typing = strcmp(c->script, "shell") == 0 && isatty(STDIN_FILENO);
  } else if (c->script && strcmp(c->script, "-") != 0) {
    neap__report_script();
  }
  if (!c->code && neap__reporting() && getenv("NEAP_LOCK_STORE")) set_code(c, attempt, "=run");
  lua_pushcfunction(L, set_arg);
  lua_pushlightuserdata(L, c);
  lua_call(L, 1, 0);
  if (neap_register(h, "neap.supervisor", luaopen_neap_supervisor) != NEAP_OK) return NEAP_ERR;
  if (typing && neap_register(h, "neap.edit", luaopen_neap_edit) != NEAP_OK) return NEAP_ERR;
  int status = c->code ? neap_spawn(h, c->code, strlen(c->code), c->name, NULL) : neap_spawn_file(h, c->script, NULL);
  for (int i = 1; i < c->argc; i++)
    if (c->argv[i] != c->lua_dir) neap__redact(c->argv[i]);  // from now on ps shows no password
  return status;
}

// What is typed goes on with a new prompt after an interrupt, which has ended all tasks.
static int run_typed(neap *h, const struct command *c) {
  int status = neap_run(h);
  while (neap__signal_seen == SIGINT) {
    neap__signal_seen = 0;
    putchar('\n');
    status = neap_spawn(h, c->code, strlen(c->code), c->name, NULL);
    if (status == NEAP_OK) status = neap_run(h);
  }
  return status;
}

static int run(neap *h, struct command *c) {
  int status = start(h, c);
  if (status == NEAP_OK) status = typing ? run_typed(h, c) : neap_run(h);
  if (neap__signal_seen) return SIGNALLED + neap__signal_seen;
  if (*neap_message(h)) {
    neap__report_error("usage", neap_message(h));
    neap__log_failure("", neap_message(h), "");
  }
  if (status == NEAP_OK && neap_exit_code(h) >= 0) return neap_exit_code(h);
  return status == NEAP_OK ? DONE : neap_exit_code(h) > 0 ? neap_exit_code(h) : FAILED;
}

int main(int argc, char **argv) {
  struct command c = {.argv = argv, .argc = argc};
  neap_options options = {.size = sizeof options, .error = on_error};
  neap *h;
  neap__report_find();
  int code = parse(&c);
  if (code >= 0) return code;
  options.lua_dir = c.lua_dir;
  if (neap_open(&h, &options) != NEAP_OK) return complain("cannot start: memory is short", "");
  catch_signals(h);
  code = run(h, &c);
  neap__report_end(h);
  neap_close(&h);
  return code;
}
