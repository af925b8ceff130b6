// terminal.c: what scripts that draw need to know of the terminal.
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host.h"
#include "modules.h"

// terminal.columns(stream) -> integer or nil
//   stream  1 (standard output) or 2 (standard error); nil if it is no terminal, or one that cannot go back in a line
static int terminal_columns(lua_State *L) {
  int stream = (int)neap__arg_integer(L, 1, "stream", 1, 2);
  const char *term = getenv("TERM");
  struct winsize size;
  if (!isatty(stream) || (term && strcmp(term, "dumb") == 0)) return 0;
  bool known = ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  lua_pushinteger(L, known ? size.ws_col : 80);
  return 1;
}

int luaopen_neap_terminal(lua_State *L) {
  static const luaL_Reg library[] = {{"columns", terminal_columns}, {NULL, NULL}};
  luaL_newlib(L, library);
  return 1;
}
