// marks.c: neap.null, neap.array, neap.object, neap.set and neap.geopoint, for places that no type describes.
// Marked tables are plain Lua tables with a metatable that all of their kind share; its [1] is the kind.
#include "value/marks.h"

#include <lauxlib.h>

#include "host.h"
#include "modules.h"

static char null_value;

static const char *const names[] = {"", "neap.array", "neap.object", "neap.set", "neap.geopoint"};

// Registry keys of the metatables; their addresses count.
static char keys[NEAP_MARK_GEOPOINT + 1];

void neap__null_push(lua_State *L) {
  lua_pushlightuserdata(L, &null_value);
}

bool neap__null_test(lua_State *L, int idx) {
  return lua_islightuserdata(L, idx) && lua_touserdata(L, idx) == &null_value;
}

enum neap__mark neap__mark_kind(lua_State *L, int idx) {
  if (!lua_istable(L, idx) || !lua_getmetatable(L, idx)) return NEAP_MARK_NONE;
  enum neap__mark mark =
      lua_rawgetp(L, -1, keys) == LUA_TNUMBER ? (enum neap__mark)lua_tointeger(L, -1) : NEAP_MARK_NONE;
  lua_pop(L, 2);
  return mark;
}

void neap__mark_set(lua_State *L, int idx, enum neap__mark mark) {
  idx = lua_absindex(L, idx);
  neap__mark_push(L, mark);
  lua_setmetatable(L, idx);
}

void neap__geopoint_push(lua_State *L, double latitude, double longitude) {
  lua_createtable(L, 0, 2);
  lua_pushnumber(L, latitude);
  lua_setfield(L, -2, "latitude");
  lua_pushnumber(L, longitude);
  lua_setfield(L, -2, "longitude");
  neap__mark_set(L, -1, NEAP_MARK_GEOPOINT);
}

// ---- Sets ----

// True if the first n elements of the table at idx hold the value on top.
static bool holds(lua_State *L, int idx, lua_Integer n) {
  bool found = false;
  for (lua_Integer i = 1; i <= n && !found; i++) {
    lua_rawgeti(L, idx, i);
    found = lua_compare(L, -1, -2, LUA_OPEQ);
    lua_pop(L, 1);
  }
  return found;
}

// Text, numbers and booleans are their own key in `seen`; other values (decimals, tables) are compared one by one.
static bool is_key(lua_State *L) {
  int type = lua_type(L, -1);
  return type == LUA_TSTRING || type == LUA_TBOOLEAN || (type == LUA_TNUMBER && lua_rawequal(L, -1, -1));
}

// Has the value on top been in `seen` (a table at idx) before? Adds it.
static bool seen_before(lua_State *L, int idx) {
  lua_pushvalue(L, -1);
  bool before = lua_rawget(L, idx) != LUA_TNIL;
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_pushboolean(L, 1);
  lua_rawset(L, idx);
  return before;
}

// Moves the first occurrence of each element of the table at 1 to the front, and drops the others.
static void drop_duplicates(lua_State *L) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, 1), kept = 0;
  lua_newtable(L);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, i);
    if (is_key(L) ? seen_before(L, 2) : holds(L, 1, kept))
      lua_pop(L, 1);
    else
      lua_rawseti(L, 1, ++kept);
  }
  for (lua_Integer i = kept + 1; i <= n; i++) {
    lua_pushnil(L);
    lua_rawseti(L, 1, i);
  }
  lua_pop(L, 1);
}

// set == set, whatever the order.
static int set_eq(lua_State *L) {
  lua_settop(L, 2);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
  bool equal = neap__mark_kind(L, 1) == neap__mark_kind(L, 2) && n == (lua_Integer)lua_rawlen(L, 2);
  lua_newtable(L);
  for (lua_Integer i = 1; equal && i <= n; i++) {
    lua_rawgeti(L, 1, i);
    if (is_key(L)) seen_before(L, 3);
    lua_pop(L, 1);
  }
  for (lua_Integer i = 1; equal && i <= n; i++) {
    lua_rawgeti(L, 2, i);
    equal = is_key(L) ? seen_before(L, 3) : holds(L, 1, n);
    lua_pop(L, 1);
  }
  lua_pushboolean(L, equal);
  return 1;
}

// ---- Geopoints ----

// A script may have taken the field away: then it counts as 0.
static lua_Number coordinate(lua_State *L, int idx, const char *name) {
  lua_getfield(L, idx, name);
  lua_Number value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

// The same place, whatever else the tables hold.
static int geopoint_eq(lua_State *L) {
  lua_pushboolean(L, neap__mark_kind(L, 1) == neap__mark_kind(L, 2) &&
                         coordinate(L, 1, "latitude") == coordinate(L, 2, "latitude") &&
                         coordinate(L, 1, "longitude") == coordinate(L, 2, "longitude"));
  return 1;
}

static int geopoint_tostring(lua_State *L) {
  lua_pushfstring(L, "(%f, %f)", coordinate(L, 1, "latitude"), coordinate(L, 1, "longitude"));
  return 1;
}

// NaN fails both comparisons, so it is refused too.
static lua_Number check_degrees(lua_State *L, int idx, const char *name, lua_Number most) {
  lua_Number degrees = lua_tonumber(L, idx);
  if (lua_type(L, idx) != LUA_TNUMBER || !(degrees >= -most && degrees <= most))
    neap__fail(L, NEAP_VALIDATION, "neap.geopoint: %s is %s; expected degrees from -%g to %g", name,
               neap__show_value(L, idx).text, most, most);
  return degrees;
}

// neap.geopoint(latitude, longitude) -> geopoint
//   degrees, -90 to 90 and -180 to 180. A table { latitude =, longitude = } that prints and compares.
static int mark_geopoint(lua_State *L) {
  lua_Number latitude = check_degrees(L, 1, "latitude", 90);
  neap__geopoint_push(L, latitude, check_degrees(L, 2, "longitude", 180));
  return 1;
}

// ---- The functions ----

// What array, object and set have in common. A metatable of the script would be lost: such a table is refused.
static int mark_table(lua_State *L, enum neap__mark mark) {
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  neap__arg_table(L, 1, "t");
  if (lua_getmetatable(L, 1)) {
    if (neap__mark_kind(L, 1) == NEAP_MARK_NONE)
      return neap__fail(L, NEAP_USAGE, "%s: the table has a metatable of its own; expected a plain table", names[mark]);
    lua_pop(L, 1);
  }
  if (mark == NEAP_MARK_SET) drop_duplicates(L);
  neap__mark_set(L, 1, mark);
  return 1;
}

// neap.array{...} -> the same table, marked: a list also when it is empty
static int mark_array(lua_State *L) {
  return mark_table(L, NEAP_MARK_ARRAY);
}

// neap.object{...} -> the same table, marked: a map, whatever its keys look like
static int mark_object(lua_State *L) {
  return mark_table(L, NEAP_MARK_OBJECT);
}

// neap.set{...} -> the same table, marked, without duplicates: == ignores the order
static int mark_set(lua_State *L) {
  return mark_table(L, NEAP_MARK_SET);
}

// All light userdata share one metatable: others print as they always did.
static int light_tostring(lua_State *L) {
  if (neap__null_test(L, 1))
    lua_pushliteral(L, "null");
  else
    lua_pushfstring(L, "userdata: %p", lua_topointer(L, 1));
  return 1;
}

// Lua has no way to give one light userdata a metatable alone. Where somebody has set one it stays.
static void null_metatable(lua_State *L) {
  neap__null_push(L);
  if (lua_getmetatable(L, -1)) {
    lua_pop(L, 2);
    return;
  }
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, light_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

static const luaL_Reg set_meta[] = {{"__eq", set_eq}, {NULL, NULL}};
static const luaL_Reg geopoint_meta[] = {{"__eq", geopoint_eq}, {"__tostring", geopoint_tostring}, {NULL, NULL}};

// Registered when it is whole, since each step may run out of memory.
static void create_metatable(lua_State *L, enum neap__mark mark) {
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, (lua_Integer)mark);
  lua_rawsetp(L, -2, keys);
  lua_pushstring(L, names[mark]);
  lua_setfield(L, -2, "__name");
  lua_pushstring(L, names[mark]);
  lua_setfield(L, -2, "__metatable");
  if (mark == NEAP_MARK_SET) luaL_setfuncs(L, set_meta, 0);
  if (mark == NEAP_MARK_GEOPOINT) luaL_setfuncs(L, geopoint_meta, 0);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &keys[mark]);
}

void neap__mark_push(lua_State *L, enum neap__mark mark) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &keys[mark]) == LUA_TTABLE) return;
  lua_pop(L, 1);
  create_metatable(L, mark);
}

static const luaL_Reg functions[] = {
    {"array", mark_array}, {"object", mark_object}, {"set", mark_set}, {"geopoint", mark_geopoint}, {NULL, NULL},
};

int luaopen_neap_marks(lua_State *L) {
  null_metatable(L);
  luaL_newlib(L, functions);
  neap__null_push(L);
  lua_setfield(L, -2, "null");
  return 1;
}
