// bounded.c: library functions that could run for ever inside one instruction, with bounds and charged for what they do.
// Only hosts with limits use them.
#include <string.h>

#include "state.h"

#define MAX_ELEMENTS 1000000     // that one call of table.* may touch
#define MAX_REPEATED (64 << 20)  // bytes that string.rep may make

// What a bounded function touches, from its arguments.
enum reach { MOVE, RANGE, UNPACK, INSERT, REMOVE, TEXT };

static int too_many(lua_State *L, const char *name, lua_Unsigned n) {
  return neap__fail(L, NEAP_LIMIT, "%s would touch %llu elements; %d are allowed in one call", name,
                    (unsigned long long)n, MAX_ELEMENTS);
}

static lua_Unsigned between(lua_Integer first, lua_Integer last) {
  return first > last ? 0 : (lua_Unsigned)last - (lua_Unsigned)first + 1;
}

// What __len says may be another thing when the function itself asks.
static lua_Unsigned length(lua_State *L) {
  if (!lua_istable(L, 1)) return 0;
  if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL)
    neap__fail(L, NEAP_LIMIT, "functions of table take no table with __len here");
  return lua_rawlen(L, 1);
}

// From the optional integer at index `at`, the first, to the one behind it, the last.
static lua_Unsigned range(lua_State *L, int at) {
  lua_Integer last = lua_isnoneornil(L, at + 1) ? (lua_Integer)length(L) : luaL_checkinteger(L, at + 1);
  return between(luaL_optinteger(L, at, 1), last);
}

static lua_Unsigned reach_of(lua_State *L, enum reach reach) {
  switch (reach) {
    case MOVE: return between(luaL_checkinteger(L, 2), luaL_checkinteger(L, 3));
    case RANGE: return range(L, 3);   // table.concat(t, sep, i, j)
    case UNPACK: return range(L, 2);  // table.unpack(t, i, j)
    case INSERT: return lua_gettop(L) < 3 ? 1 : between(luaL_checkinteger(L, 2), (lua_Integer)length(L));
    case REMOVE: return lua_isnoneornil(L, 2) ? 1 : between(luaL_checkinteger(L, 2), (lua_Integer)length(L));
    case TEXT: return lua_type(L, 1) == LUA_TSTRING ? lua_rawlen(L, 1) / 16 : 1;
  }
  return 0;
}

// Upvalues: the function, its reach, its name.
static int bounded(lua_State *L) {
  lua_Unsigned n = reach_of(L, (enum reach)lua_tointeger(L, lua_upvalueindex(2)));
  if (n > MAX_ELEMENTS) return too_many(L, lua_tostring(L, lua_upvalueindex(3)), n);
  neap__limits_work(L, (unsigned)n);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

static void bound(lua_State *L, const char *lib, const char *name, enum reach reach) {
  lua_getglobal(L, lib);
  lua_getfield(L, -1, name);
  lua_pushinteger(L, reach);
  lua_pushfstring(L, "%s.%s", lib, name);
  lua_pushcclosure(L, bounded, 3);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

// Charges for the texts at 1 and 2, of which a comparison may read all.
static void charge_texts(lua_State *L) {
  if (lua_type(L, 1) == LUA_TSTRING && lua_type(L, 2) == LUA_TSTRING)
    neap__limits_work(L, lua_rawlen(L, 1) / 64 + lua_rawlen(L, 2) / 64);
}

// What sorts where no comparator is given.
static int less(lua_State *L) {
  charge_texts(L);
  lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
  return 1;
}

// Stands before a comparator that is written in C (upvalue 1), which no hook interrupts.
static int less_by(lua_State *L) {
  charge_texts(L);
  neap__limits_work(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 2, 1);
  return 1;
}

// table.sort(t [, comparator]). Upvalue: Lua's own.
static int tab_sort(lua_State *L) {
  lua_Unsigned n = length(L), compared = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  if (n > MAX_ELEMENTS) too_many(L, "table.sort", n);
  for (lua_Unsigned rest = n; rest > 0; rest /= 2) compared += n;
  neap__limits_work(L, compared);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_pushcfunction(L, less);
    lua_replace(L, 2);
  } else if (lua_iscfunction(L, 2)) {
    lua_pushcclosure(L, less_by, 1);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 2, 0);
  return 0;
}

// string.rep(s, n [, sep])
static int str_rep(lua_State *L) {
  size_t ls, lsep;
  const char *s = luaL_checklstring(L, 1, &ls), *sep = luaL_optlstring(L, 3, "", &lsep);
  lua_Integer n = luaL_checkinteger(L, 2);
  if (n <= 0 || ls + lsep == 0) return lua_pushliteral(L, ""), 1;
  if ((lua_Unsigned)n > MAX_REPEATED / (ls + lsep))
    return neap__fail(L, NEAP_LIMIT, "string.rep would make more than %d bytes", MAX_REPEATED);
  neap__limits_work(L, (unsigned)((lua_Unsigned)n + (lua_Unsigned)n * (ls + lsep) / 16));
  luaL_Buffer b;
  char *p = luaL_buffinitsize(L, &b, (size_t)n * ls + (size_t)(n - 1) * lsep);
  for (lua_Integer i = 0; i < n; i++) {
    p = (char *)memcpy(p, s, ls) + ls;
    if (i < n - 1) p = (char *)memcpy(p, sep, lsep) + lsep;
  }
  luaL_pushresultsize(&b, (size_t)n * ls + (size_t)(n - 1) * lsep);
  return 1;
}

// setmetatable(t, mt): a finalizer would run where no limit reaches it.
static int base_setmetatable(lua_State *L) {
  if (lua_istable(L, 2)) {
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, 2) != LUA_TNIL)
      return neap__fail(L, NEAP_FORBIDDEN, "__gc is not allowed here; use a <close> variable instead");
    lua_pop(L, 1);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

// collectgarbage("count" | "step")
static int base_collectgarbage(lua_State *L) {
  const char *what = luaL_optstring(L, 1, "collect");
  if (strcmp(what, "count") == 0) {
    lua_pushnumber(L, lua_gc(L, LUA_GCCOUNT) + lua_gc(L, LUA_GCCOUNTB) / 1024.0);
  } else if (strcmp(what, "step") == 0) {
    neap__limits_work(L, 1000);
    lua_pushboolean(L, lua_gc(L, LUA_GCSTEP, 0));
  } else {
    return neap__fail(L, NEAP_FORBIDDEN, "collectgarbage(%s) is not allowed here; \"count\" and \"step\" are",
                      neap__show_text(what, strlen(what)).text);
  }
  return 1;
}

void neap__bounded_open(lua_State *L) {
  static const struct {
    const char *lib, *name;
    enum reach reach;
  } list[] = {
      {"table", "move", MOVE},       {"table", "concat", RANGE}, {"table", "remove", REMOVE},
      {"table", "insert", INSERT},   {"utf8", "len", TEXT},      {"utf8", "offset", TEXT},
      {"utf8", "codepoint", TEXT},   {"string", "upper", TEXT},  {"string", "reverse", TEXT},
      {"string", "lower", TEXT},     {"string", "byte", TEXT},   {"table", "unpack", UNPACK},
      {LUA_GNAME, "tonumber", TEXT},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) bound(L, list[i].lib, list[i].name, list[i].reach);
  lua_getglobal(L, "table");
  lua_getfield(L, -1, "sort");
  lua_pushcclosure(L, tab_sort, 1);
  lua_setfield(L, -2, "sort");
  lua_pop(L, 1);
  lua_getglobal(L, "string");
  luaL_setfuncs(L, neap__match_functions, 0);
  lua_pushcfunction(L, str_rep);
  lua_setfield(L, -2, "rep");
  lua_pop(L, 1);
  lua_getglobal(L, "setmetatable");
  lua_pushcclosure(L, base_setmetatable, 1);
  lua_setglobal(L, "setmetatable");
  lua_pushcfunction(L, base_collectgarbage);
  lua_setglobal(L, "collectgarbage");
}
