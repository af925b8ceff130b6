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
    int n =
        i == 0 ? snprintf(file, sizeof file, forms[0], dir, path) : snprintf(file, sizeof file, forms[1], dir, path);
    FILE *f = n > 0 && (size_t)n < sizeof file ? fopen(file, "r") : NULL;
    if (!f) continue;
    fclose(f);
    if (luaL_loadfilex(L, file, "t") != LUA_OK) lua_error(L);
    return true;
  }
  return false;
}

// host.sources() -> { file = text } of the embedded modules
int neap__module_sources(lua_State *L) {
  lua_newtable(L);
  for (const struct neap__source *s = neap__sources; s->name; s++) {
    lua_pushlstring(L, s->text, s->len);
    lua_setfield(L, -2, s->file);
  }
  return 1;
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

static bool is_loaded(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, name);
  bool loaded = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return loaded;
}

// host.has_module(name) -> boolean
//   Whether `require` would find it among what is loaded, built in or in lua_dir, and scripts may have it.
int neap__module_exists(lua_State *L) {
  const char *name = luaL_checkstring(L, 1), *dir = neap__host(L)->options.lua_dir;
  if (!neap__sandbox_allows(neap__host(L), name)) return lua_pushboolean(L, 0), 1;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  bool found = is_loaded(L, name) || lua_getfield(L, -1, name) != LUA_TNIL || source_find(name) ||
               (dir && load_file(L, dir, name));
  lua_pushboolean(L, found);
  return 1;
}

// ---- require ----

#define LOADING_TYPE "neap.loading"

// A module that is being loaded: other tasks that require it wait, the same one has found a cycle.
struct loading {
  struct neap__op op;
  struct neap__task *owner;
};

// Closed when require ends, well or badly. User value 1 is the name of the module.
static int loading_close(lua_State *L) {
  struct loading *l = lua_touserdata(L, 1);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADING_TYPE);
  lua_getiuservalue(L, 1, 1);
  lua_pushnil(L);
  lua_rawset(L, -3);
  neap__op_done(&l->op);
  return 0;
}

// Pushes the loader of the module at index 1 and what its searcher says about it, or raises.
static void find_loader(lua_State *L) {
  lua_getfield(L, lua_upvalueindex(1), "searchers");
  if (lua_type(L, -1) != LUA_TTABLE) luaL_error(L, "'package.searchers' must be a table");
  int searchers = lua_gettop(L);
  lua_pushliteral(L, "");
  for (lua_Integer i = 1; lua_rawgeti(L, searchers, i) != LUA_TNIL; i++) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 2);
    if (lua_isfunction(L, -2)) return;
    lua_pop(L, 1);
    if (lua_isstring(L, -1)) {
      lua_pushfstring(L, "%s\n\t%s", lua_tostring(L, searchers + 1), lua_tostring(L, -1));
      lua_replace(L, searchers + 1);
    }
    lua_pop(L, 1);
  }
  luaL_error(L, "module '%s' not found:%s", lua_tostring(L, 1), lua_tostring(L, searchers + 1));
}

// Stack: name, package.loaded, marker, loader data, result of the loader.
static int loaded(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  if (!lua_isnil(L, -1)) lua_setfield(L, 2, lua_tostring(L, 1));
  lua_settop(L, 4);
  if (lua_getfield(L, 2, lua_tostring(L, 1)) == LUA_TNIL) {
    lua_pushboolean(L, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, lua_tostring(L, 1));
  }
  lua_pushvalue(L, 4);
  return 2;
}

static int require_again(lua_State *L, int status, lua_KContext ctx);

// require(name) -> module, loader data
//   As in Lua, but the module may wait while it loads; tasks that require it meanwhile wait for it.
static int base_require(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, 2, name);
  if (lua_toboolean(L, -1)) return 1;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADING_TYPE);
  lua_getfield(L, 4, name);
  struct loading *l = lua_touserdata(L, 5);
  if (l && l->owner == l->op.host->task)
    return neap__fail(L, NEAP_USAGE, "module '%s' requires itself while it loads", name);
  if (l) return neap__await(L, 5, 0, require_again);
  l = neap__op_new(L, sizeof *l, LOADING_TYPE, 1);
  l->owner = l->op.host->task;
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, 4, name);
  lua_replace(L, 3);
  lua_settop(L, 3);
  lua_toclose(L, 3);
  find_loader(L);
  lua_replace(L, 4);  // loader data
  lua_replace(L, 5);
  lua_settop(L, 5);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 4);
  lua_callk(L, 2, 1, 0, loaded);
  return loaded(L, LUA_OK, 0);
}

static int require_again(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  return base_require(L);
}

void neap__module_install(lua_State *L) {
  luaL_newmetatable(L, LOADING_TYPE);
  lua_pushcfunction(L, loading_close);
  lua_setfield(L, -2, "__close");
  lua_getglobal(L, "package");
  lua_pushcclosure(L, base_require, 1);
  lua_setglobal(L, "require");
  lua_pop(L, 1);
}

static void preload(lua_State *L, const luaL_Reg *list) {
  for (; list->name; list++) {
    lua_pushcfunction(L, list->func);
    lua_setfield(L, -2, list->name);
  }
}

void neap__module_open(lua_State *L) {
  static const luaL_Reg own[] = {{"neap.host", luaopen_neap_host}, {NULL, NULL}};
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

// What `require "neap"` calls in a stock lua5.4 that finds neap.so. It pumps its loop in place, and leaves Lua's own
// functions alone until neap.install().
NEAP_API int luaopen_neap(lua_State *L) {
  neap *h = neap__host(L);
  if ((!h || !neap__loop(h)) && neap_attach(&h, L, NULL) != NEAP_OK) return luaL_error(L, "neap: not enough memory");
  const struct neap__source *s = source_find("neap");
  if (luaL_loadbufferx(L, s->text, s->len, "@neap/init.lua", "t") != LUA_OK) return lua_error(L);
  lua_pushliteral(L, "neap");
  lua_call(L, 1, 1);
  return 1;
}
