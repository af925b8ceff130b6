// module.c: where `require` finds modules: C modules of neap, Lua modules in --lua-dir or embedded, then the usual places.
#include <stdio.h>
#include <string.h>

#include "state.h"

static const struct neap__source *source_find(const char *name) {
  for (const struct neap__source *s = neap__sources; s->name; s++)
    if (strcmp(s->name, name) == 0) return s;
  return NULL;
}

// Pushes the loader from lua_dir, if there is one. Files that are there win; a broken one raises.
static bool load_file(lua_State *L, const char *dir, const char *name) {
  static const char *const forms[] = {"%s/%s.lua", "%s/%s/init.lua"};
  const char *path = luaL_gsub(L, name, ".", "/");
  char file[1024];
  for (int i = 0; i < 2; i++) {
    int n = i == 0 ? snprintf(file, sizeof file, forms[0], dir, path) : snprintf(file, sizeof file, forms[1], dir, path);
    FILE *f = n > 0 && (size_t)n < sizeof file ? fopen(file, "r") : NULL;
    if (!f) continue;
    fclose(f);
    if (luaL_loadfilex(L, file, "t") != LUA_OK) lua_error(L);
    return true;
  }
  return false;
}

static int search(lua_State *L) {
  const char *name = luaL_checkstring(L, 1), *dir = neap__host(L)->options.lua_dir;
  if (dir && load_file(L, dir, name)) return 1;
  const struct neap__source *s = source_find(name);
  if (!s) {
    lua_pushfstring(L, "no embedded module '%s'", name);
    return 1;
  }
  const char *chunk = lua_pushfstring(L, "@%s", s->file);
  if (luaL_loadbufferx(L, s->text, s->len, chunk, "t") != LUA_OK) return lua_error(L);
  lua_pushstring(L, chunk);
  return 2;
}

// host.has_module(name) -> boolean
//   Whether `require` would find it among what is built in or in lua_dir.
int neap__module_exists(lua_State *L) {
  const char *name = luaL_checkstring(L, 1), *dir = neap__host(L)->options.lua_dir;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  bool found = lua_getfield(L, -1, name) != LUA_TNIL || source_find(name) || (dir && load_file(L, dir, name));
  lua_pushboolean(L, found);
  return 1;
}

static void preload(lua_State *L, const luaL_Reg *list) {
  for (; list->name; list++) {
    lua_pushcfunction(L, list->func);
    lua_setfield(L, -2, list->name);
  }
}

void neap__module_open(neap *h, lua_State *L) {
  static const luaL_Reg own[] = {{"neap.host", luaopen_neap_host}, {NULL, NULL}};
  (void)h;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  preload(L, own);
  preload(L, neap__modules);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {  // ours comes second, after package.preload
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushcfunction(L, search);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 3);
}
