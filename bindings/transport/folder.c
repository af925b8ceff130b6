// folder.c: the names in a folder, for modules that read a whole one.
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "host.h"
#include "modules.h"

#define FOLDER_TYPE "neap.folder"

// Also its metatable's __gc: what is open is closed once.
static int folder_close(lua_State *L) {
  DIR **dir = lua_touserdata(L, 1);
  if (*dir) closedir(*dir);
  *dir = NULL;
  return 0;
}

// folder.list(path) -> names of what is in it, in no order; hidden files are left out
//   Raises not_found if there is no such folder, forbidden if it may not be read.
static int folder_list(lua_State *L) {
  const char *path = neap__arg_string(L, 1, "path", NULL);
  neap__need(L, NEAP_NO_FS, "reading a folder");
  DIR **dir = lua_newuserdatauv(L, sizeof *dir, 0);
  *dir = NULL;
  luaL_setmetatable(L, FOLDER_TYPE);
  *dir = opendir(path);
  if (!*dir)
    return neap__fail(L, errno == EACCES ? NEAP_FORBIDDEN : NEAP_NOT_FOUND, "the folder %s cannot be read: %s",
                      neap__show_value(L, 1).text, strerror(errno));
  lua_newtable(L);
  lua_Integer n = 0;
  for (const struct dirent *entry; (entry = readdir(*dir));) {
    if (entry->d_name[0] == '.') continue;
    lua_pushstring(L, entry->d_name);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

int luaopen_neap_folder(lua_State *L) {
  static const luaL_Reg library[] = {{"list", folder_list}, {NULL, NULL}};
  luaL_newmetatable(L, FOLDER_TYPE);
  lua_pushcfunction(L, folder_close);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, library);
  return 1;
}
