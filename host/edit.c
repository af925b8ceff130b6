// edit.c: line editing for the REPL, over libedit, which is loaded when a REPL begins: linked, it and what it needs would make
// up a sixth of every start. Part of the command only; main.c makes it known to `require`.
#include "edit.h"

#include <dlfcn.h>
#include <editline/readline.h>
#include <lauxlib.h>
#include <locale.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#define LIBRARY "libedit.so.2"
// clang-format off
#define LIBEDIT(X) \
  X(add_history) X(read_history) X(readline) X(rl_attempted_completion_function) X(rl_attempted_completion_over) \
  X(rl_basic_word_break_characters) X(rl_completion_append_character) X(rl_completion_matches) X(rl_getc_function) \
  X(rl_initialize) X(rl_line_buffer) X(rl_prep_terminal) X(stifle_history) X(write_history)
// clang-format on

// Where libedit's functions and variables are.
static struct {
#define MEMBER(name) __typeof__(name) *(name);
  LIBEDIT(MEMBER)
#undef MEMBER
} edit;

static lua_State *completing;  // the state that reads a line: libedit has one terminal and passes no argument through

static int word_start;  // characters of the line before the word that is being completed

// Asks the Lua function at index 2 of edit.readline for the `n`-th completion of a word.
static char *complete(const char *word, int n) {
  lua_State *L = completing;
  char *found = NULL;
  lua_pushvalue(L, 2);
  lua_pushstring(L, word);
  lua_pushinteger(L, n + 1);
  lua_pushstring(L, *edit.rl_line_buffer);
  lua_pushinteger(L, word_start);
  if (lua_pcall(L, 4, 1, 0) == LUA_OK && lua_isstring(L, -1)) found = strdup(lua_tostring(L, -1));
  lua_pop(L, 1);
  return found;
}

static char **attempt(const char *word, int start, int end) {
  (void)end;
  word_start = start;
  *edit.rl_attempted_completion_over = 1;
  *edit.rl_completion_append_character = '\0';
  return edit.rl_completion_matches(word, complete);
}

// Waits until there is something to read. False when a signal came, were it just before.
static bool wait_for_input(int fd) {
  struct pollfd input = {.fd = fd, .events = POLLIN};
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  bool ready = !neap__signal_seen && ppoll(&input, 1, NULL, &before) > 0;
  sigprocmask(SIG_SETMASK, &before, NULL);
  return ready;
}

// A character for libedit, which takes -1 for the end of input: a signal ends the line that is typed.
static int read_character(FILE *in) {
  mbstate_t state = {0};
  wchar_t c;
  char byte;
  for (;;) {
    if (!wait_for_input(fileno(in))) {
      if (neap__signal_seen) return -1;
      continue;
    }
    if (read(fileno(in), &byte, 1) != 1) return -1;
    size_t n = mbrtowc(&c, &byte, 1, &state);
    if (n == (size_t)-1) return (unsigned char)byte;
    if (n != (size_t)-2) return (int)c;
  }
}

// edit.readline(prompt, complete) -> line, or nil at the end of input
//   complete(word, n, line, start) gives the n-th completion of a word, or nil; start: characters of the line before it.
static int edit_readline(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_checkstack(L, 8, NULL);
  completing = L;
  edit.rl_prep_terminal(1);  // by itself it does that once the prompt is seen: a Ctrl-D that comes between is lost
  char *line = edit.readline(prompt);
  completing = NULL;
  if (!line) return luaL_pushfail(L), 1;
  lua_pushstring(L, line);
  if (*line) edit.add_history(line);
  free(line);
  return 1;
}

// edit.read_history(path), edit.write_history(path)
static int edit_read_history(lua_State *L) {
  lua_pushboolean(L, edit.read_history(luaL_checkstring(L, 1)) == 0);
  return 1;
}

static int edit_write_history(lua_State *L) {
  edit.stifle_history(1000);
  lua_pushboolean(L, edit.write_history(luaL_checkstring(L, 1)) == 0);
  return 1;
}

// What is missing, NULL = nothing.
static const char *load(void) {
  void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL), *found;
  if (!library) return LIBRARY;
#define FIND(name)                          \
  found = dlsym(library, #name);            \
  memcpy(&edit.name, &found, sizeof found); \
  if (!found) return #name;
  LIBEDIT(FIND)
#undef FIND
  return NULL;
}

int luaopen_neap_edit(lua_State *L) {
  static const luaL_Reg functions[] = {{"readline", edit_readline},
                                       {"read_history", edit_read_history},
                                       {"write_history", edit_write_history},
                                       {NULL, NULL}};
  static char separators[] = " \t\n\"\\'`@$><=;|&{}()[]#+-*/%^~,";
  const char *missing = load();
  if (missing)
    return luaL_error(L, "lines are edited by %s, which is missing; on Debian the package libedit2 has it", missing);
  setlocale(LC_CTYPE, "");
  *edit.rl_getc_function = read_character;
  edit.rl_initialize();
  *edit.rl_attempted_completion_function = attempt;
  *edit.rl_basic_word_break_characters = separators;
  luaL_newlib(L, functions);
  return 1;
}
