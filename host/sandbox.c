// sandbox.c: what a host lets its scripts do: capabilities that were taken away, and the environment of a script in a host
// with limits, where no script can change a library for the others. Bounded functions are in bounded.c.
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

static const char frozen_key = 0;  // registry: weak table, proxy -> true
static const char proxy_key = 0;   // registry: weak table, table -> its frozen proxy
static const char made_key = 0;    // registry: weak table, metatables that scripts have set -> true
static const char base_key = 0;    // registry: the globals that environments fall back to
static const char envs_key = 0;    // registry: name of a script -> its environment

// os.exit([code [, close]])
//   Ends the scripts of this host: the other tasks are cancelled and rolled back. The command then exits with `code`.
static int os_exit(lua_State *L) {
  neap *h = neap__host(L);
  h->exit_code = lua_isboolean(L, 1) ? !lua_toboolean(L, 1) : (int)luaL_optinteger(L, 1, 0);
  if (!h->task) exit(h->exit_code);
  neap__task_cancel_all(h);
  return neap__kill(L, KILL_EXIT);
}

// What `package.loaded` has of Lua's own.
static const char *const own[] = {LUA_COLIBNAME,   LUA_DBLIBNAME,   LUA_IOLIBNAME,
                                  LUA_MATHLIBNAME, LUA_OSLIBNAME,   LUA_STRLIBNAME,
                                  LUA_TABLIBNAME,  LUA_UTF8LIBNAME, NULL};

// ---- Capabilities ----

// Upvalue: the name of the function.
static int forbidden(lua_State *L) {
  return neap__fail(L, NEAP_FORBIDDEN, "%s is not allowed here: the program that runs this script has taken it away",
                    lua_tostring(L, lua_upvalueindex(1)));
}

// Puts `forbidden` in place of functions: of a library, or of the globals where lib is "_G".
static void take_away(lua_State *L, const char *lib, const char *const *names) {
  lua_getglobal(L, lib);
  for (; *names; names++) {
    lua_pushfstring(L, "%s%s%s", strcmp(lib, "_G") ? lib : "", strcmp(lib, "_G") ? "." : "", *names);
    lua_pushcclosure(L, forbidden, 1);
    lua_setfield(L, -2, *names);
  }
  lua_pop(L, 1);
}

static void take_capabilities(lua_State *L, unsigned flags) {
  static const char *const io[] = {"open", "lines", "input", "output",  "popen",
                                   "read", "write", "close", "tmpfile", NULL};
  static const char *const standard[] = {"stdin", "stdout", "stderr", NULL};
  static const char *const files[] = {"remove", "rename", "tmpname", NULL};
  static const char *const chunks[] = {"loadfile", "dofile", NULL};
  static const char *const libraries[] = {"loadlib", "searchpath", NULL};
  static const char *const system[] = {"execute", "exit", "getenv", "setlocale", NULL};
  static const char *const pipes[] = {"popen", NULL};
  if (flags & NEAP_NO_FS) {
    take_away(L, "io", io);
    lua_getglobal(L, "io");
    for (const char *const *name = standard; *name; name++) {
      lua_pushnil(L);
      lua_setfield(L, -2, *name);
    }
    lua_pop(L, 1);
    take_away(L, "os", files);
    take_away(L, "_G", chunks);
    take_away(L, "package", libraries);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    for (int i = 5; i >= 3; i--) {  // what is left: package.preload and ours
      lua_pushnil(L);
      lua_rawseti(L, -2, i);
    }
    lua_pop(L, 2);
  }
  if (flags & NEAP_NO_OS) {
    take_away(L, "os", system);
    take_away(L, "io", pipes);
  }
}

// host.granted(name) -> url
//   That of the store which scripts may open by that name; nil where they may open any. Else raises `forbidden`.
int neap__sandbox_granted(lua_State *L) {
  const neap_store *s = neap__host(L)->options.stores;
  const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL;
  if (!s) return lua_pushnil(L), 1;
  while (s->name && !(name && strcmp(name, s->name) == 0)) s++;
  if (s->name) return lua_pushstring(L, s->url), 1;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (s = neap__host(L)->options.stores; s->name; s++) {
    if (luaL_bufflen(&b) > 0) luaL_addstring(&b, ", ");
    luaL_addstring(&b, s->name);
  }
  luaL_pushresult(&b);
  return neap__fail(L, NEAP_FORBIDDEN, "scripts open stores here by these names: %s", lua_tostring(L, -1));
}

// ---- Frozen libraries ----

static void weak_table(lua_State *L, const char *mode, const void *key) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

static int refuse_write(lua_State *L) {
  return neap__fail(L, NEAP_FORBIDDEN, "libraries cannot be changed here: %s stays as it is",
                    neap__show_value(L, 2).text);
}

static void freeze(lua_State *L, bool deep);

// Replaces the value on top by what scripts may see of it: plain tables are frozen as well.
static void freeze_value(lua_State *L) {
  if (!lua_istable(L, -1)) return;
  if (luaL_getmetafield(L, -1, "__name") == LUA_TNIL)
    freeze(L, true);
  else
    lua_pop(L, 1);
}

// next(anything, key), in the table that is upvalue 1, which no script gets hold of.
static int proxy_next(lua_State *L) {
  lua_settop(L, 2);
  if (!lua_next(L, lua_upvalueindex(1))) return lua_pushnil(L), 1;
  freeze_value(L);
  return 2;
}

static int proxy_pairs(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushcclosure(L, proxy_next, 1);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

static int all_results(lua_State *L, int status, lua_KContext skip) {
  (void)status;
  return lua_gettop(L) - (int)skip;
}

static int proxy_call(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_replace(L, 1);
  lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, all_results);
  return lua_gettop(L);
}

static int proxy_index(lua_State *L) {
  lua_settop(L, 2);
  lua_gettable(L, lua_upvalueindex(1));
  freeze_value(L);
  return 1;
}

// Replaces the table on top by a proxy that reads from it and refuses to be written to; `deep` for its tables as well.
static void freeze(lua_State *L, bool deep) {
  luaL_checkstack(L, 8, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &proxy_key);
  lua_pushvalue(L, -2);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 5);
    lua_pushvalue(L, -4);
    if (deep) lua_pushcclosure(L, proxy_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -4);
    lua_pushcclosure(L, proxy_pairs, 1);
    lua_setfield(L, -2, "__pairs");
    lua_pushvalue(L, -4);
    lua_pushcclosure(L, proxy_call, 1);
    lua_setfield(L, -2, "__call");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &frozen_key);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
  }
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static int frozen_rawset(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 3);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &frozen_key);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, -2) != LUA_TNIL) return refuse_write(L);
  lua_settop(L, 3);
  lua_rawset(L, 1);
  return 1;
}

// Pushes whether a script has set the metatable at idx on something.
static bool push_made(lua_State *L, int idx) {
  lua_pushvalue(L, idx);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &made_key);
  lua_insert(L, -2);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  return lua_toboolean(L, -1);
}

// getmetatable(v): the metatables of neap's own values and of userdata are shared by all scripts, and so not for them.
static int script_getmetatable(lua_State *L) {
  luaL_checkany(L, 1);
  if (!lua_istable(L, 1) || !lua_getmetatable(L, 1)) return lua_pushnil(L), 1;
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return 1;
  if (!push_made(L, 2)) lua_pushnil(L), lua_replace(L, 2);
  lua_settop(L, 2);
  return 1;
}

// setmetatable(t, mt). Upvalue: the one that refuses finalizers.
static int script_setmetatable(lua_State *L) {
  if (lua_istable(L, 2) && !push_made(L, 2)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &made_key);
    lua_pushvalue(L, 2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 2, 1);
  return 1;
}

// ---- The environment of a script ----

// load(chunk [, name [, mode [, env]]]): text only, and in the script's environment (upvalue 1) unless told otherwise.
static int env_load(lua_State *L) {
  bool given = !lua_isnone(L, 4);
  if (lua_type(L, 1) == LUA_TSTRING) neap__limits_work(L, (unsigned)(lua_rawlen(L, 1) / 4));
  lua_settop(L, 4);
  lua_pushliteral(L, "t");
  lua_replace(L, 3);
  if (!given) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_replace(L, 4);
  }
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, 4, LUA_MULTRET);
  return lua_gettop(L);
}

static void set_env(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
}

static int env_loadfile(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  if (luaL_loadfilex(L, path, "t") != LUA_OK) {
    luaL_pushfail(L);
    lua_insert(L, -2);
    return 2;
  }
  set_env(L);
  return 1;
}

static int env_dofile(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  if (luaL_loadfilex(L, path, "t") != LUA_OK) return lua_error(L);
  set_env(L);
  lua_callk(L, 0, LUA_MULTRET, 1, all_results);
  return all_results(L, LUA_OK, 1);
}

static int required(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  lua_settop(L, 2);
  if (lua_istable(L, 2)) freeze(L, true);
  return 1;
}

bool neap__sandbox_allows(const neap *h, const char *module) {
  if (!h->sandboxed || strncmp(module, "neap.", 5) != 0) return true;
  for (const char *const *name = neap__public; *name; name++)
    if (strcmp(module + 5, *name) == 0) return true;
  return false;
}

// require(name): what it gives is frozen.
static int env_require(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (!neap__sandbox_allows(neap__host(L), name))
    return neap__fail(L, NEAP_FORBIDDEN, "%s is a part of neap that scripts do not have here",
                      neap__show_name(name, strlen(name)).text);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_pushvalue(L, 1);
  lua_callk(L, 1, 1, 0, required);
  return required(L, LUA_OK, 0);
}

// Sets env[name], env on top, to a closure over env and the global function of that name.
static void bind(lua_State *L, const char *name, lua_CFunction f) {
  lua_pushvalue(L, -1);
  if (lua_getglobal(L, name) == LUA_TFUNCTION && lua_tocfunction(L, -1) != forbidden)
    lua_pushcclosure(L, f, 2);
  else
    lua_remove(L, -2);
  lua_setfield(L, -2, name);
}

void neap__sandbox_env(lua_State *L, const char *name) {
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "_G");
  bind(L, "load", env_load);
  bind(L, "loadfile", env_loadfile);
  bind(L, "dofile", env_dofile);
  bind(L, "require", env_require);
  lua_createtable(L, 0, 2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &base_key);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &envs_key);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, name ? name : "");
  lua_pop(L, 1);
}

bool neap__sandbox_global(lua_State *L, const char *name) {
  if (!neap__host(L)->sandboxed) return lua_getglobal(L, name) != LUA_TNIL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &envs_key);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pushstring(L, name);
    if (lua_rawget(L, -2) != LUA_TNIL) {
      lua_replace(L, -4);
      lua_pop(L, 2);
      return true;
    }
    lua_pop(L, 2);
  }
  lua_pop(L, 1);
  lua_pushnil(L);
  return false;
}

// What is left of `package`, in place of the table on top: its searchers would find what `require` does not give.
static void reduce_package(lua_State *L) {
  static const char *const kept[] = {"config", "cpath", "loadlib", "path", "searchpath", NULL};
  lua_newtable(L);
  for (const char *const *name = kept; *name; name++) {
    lua_getfield(L, -2, *name);
    lua_setfield(L, -2, *name);
  }
  lua_newtable(L);
  for (const char *const *lib = own; *lib; lib++) {
    lua_getglobal(L, *lib);
    lua_setfield(L, -2, *lib);
  }
  lua_setfield(L, -2, "loaded");
  lua_replace(L, -2);
}

// The globals as scripts see them: a copy in which the libraries are frozen.
static void make_base(lua_State *L) {
  lua_newtable(L);
  lua_pushglobaltable(L);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    bool package = strcmp(lua_tostring(L, -2), LUA_LOADLIBNAME) == 0;
    if (package) reduce_package(L);
    if (lua_istable(L, -1)) freeze(L, package);
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -5);
  }
  lua_pop(L, 1);
  lua_pushnil(L);
  lua_setfield(L, -2, "_G");
  lua_pushcfunction(L, script_getmetatable);
  lua_setfield(L, -2, "getmetatable");
  lua_getfield(L, -1, "setmetatable");
  lua_pushcclosure(L, script_setmetatable, 1);
  lua_setfield(L, -2, "setmetatable");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &base_key);
}

// debug.getinfo([thread,] f [, what]): without the function itself, which may be the one that a bounded one stands before.
// Upvalue: Lua's own.
static int debug_getinfo(lua_State *L) {
  int at = lua_isthread(L, 1) ? 2 : 1;
  bool here = at == 1 || lua_tothread(L, 1) == L;
  if (here && lua_type(L, at) == LUA_TNUMBER && lua_tointeger(L, at) > 0) {  // this function is a level as well
    lua_pushinteger(L, lua_tointeger(L, at) + 1);
    lua_replace(L, at);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  if (!lua_istable(L, -1)) return 1;
  lua_pushnil(L);
  lua_setfield(L, -2, "func");
  return 1;
}

// What a script could use to reach around the limits: hooks, upvalues and the registry.
static void reduce_debug(lua_State *L) {
  static const char *const dangerous[] = {"debug",        "sethook",      "getregistry",    "setmetatable",
                                          "getmetatable", "setupvalue",   "upvaluejoin",    "setuservalue",
                                          "setlocal",     "getuservalue", "getupvalue",     "getlocal",
                                          "gethook",      "upvalueid",    "setcstacklimit", NULL};
  take_away(L, "debug", dangerous);
  lua_getglobal(L, "debug");
  lua_getfield(L, -1, "getinfo");
  lua_pushcclosure(L, debug_getinfo, 1);
  lua_setfield(L, -2, "getinfo");
  lua_pop(L, 1);
}

static void sandbox(lua_State *L) {
  static const char *const native[] = {"loadlib", NULL};
  reduce_debug(L);
  take_away(L, LUA_LOADLIBNAME, native);
  neap__bounded_open(L);
  lua_pushcfunction(L, frozen_rawset);
  lua_setglobal(L, "rawset");
  weak_table(L, "k", &frozen_key);
  weak_table(L, "k", &proxy_key);
  weak_table(L, "k", &made_key);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &envs_key);
  make_base(L);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushnil(L);
  lua_setfield(L, -2, "_G");
  lua_pop(L, 1);
}

// Sets the metatable at index 2 of what is at index 1, which it returns.
static int note_metatable(lua_State *L) {
  luaL_argexpected(L, lua_istable(L, 2) || lua_isnil(L, 2), 2, "nil or table");
  lua_settop(L, 2);
  if (lua_istable(L, 2)) {
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, 2) != LUA_TNIL) neap__host(L)->finalizers = true;
    lua_settop(L, 2);
  }
  lua_setmetatable(L, 1);
  return 1;
}

static int base_setmetatable(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return luaL_error(L, "cannot change a protected metatable");
  return note_metatable(L);
}

static int debug_setmetatable(lua_State *L) {
  return note_metatable(L);
}

// The same functions, but that the host learns of finalizers.
static void note_finalizers(lua_State *L) {
  lua_pushcfunction(L, base_setmetatable);
  lua_setglobal(L, "setmetatable");
  lua_getglobal(L, "debug");
  lua_pushcfunction(L, debug_setmetatable);
  lua_setfield(L, -2, "setmetatable");
  lua_pop(L, 1);
}

void neap__sandbox_open(neap *h, lua_State *L) {
  const neap_options *o = &h->options;
  lua_getglobal(L, "os");
  lua_pushcfunction(L, os_exit);
  lua_setfield(L, -2, "exit");
  lua_pop(L, 1);
  take_capabilities(L, o->flags);
  h->sandboxed = o->max_memory || o->max_instructions || o->slice_us || o->flags || o->stores || o->max_seconds > 0;
  if (h->sandboxed)
    sandbox(L);
  else
    note_finalizers(L);
}
