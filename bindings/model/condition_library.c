// condition_library.c: what scripts do with conditions: c & d, c | d, ~c, neap.any_of and neap.none_of. match.c has matches.
#include "model/condition_build.h"
#include "modules.h"

// Lists of tables that know no model yet, { ["$or"] = {...} } and its like: where, or a condition beside them, will read them.
static const char pending_name[] = "neap.conditions";

static void push_pending_metatable(lua_State *L);

// Replaces the list on top of the stack by the table { [operator] = list }.
static int pending(lua_State *L, const char *operator) {
  lua_createtable(L, 0, 1);
  lua_insert(L, -2);
  lua_setfield(L, -2, operator);
  push_pending_metatable(L);
  lua_setmetatable(L, -2);
  return 1;
}

// ---- c & d, c | d, ~c ----

static void check_side(lua_State *L, int idx) {
  if (neap__condition_test(L, idx) || lua_istable(L, idx)) return;
  neap__fail(L, NEAP_USAGE, "a condition is combined with a condition or a table of conditions, not with %s",
             neap__show_value(L, idx).text);
}

// Makes the table at idx a condition of the class.
static void read_side(lua_State *L, int idx, int class_idx) {
  if (neap__condition_test(L, idx)) return;
  lua_pushvalue(L, idx);
  neap__condition_parse(L, class_idx, lua_gettop(L));
  lua_replace(L, idx);
  lua_settop(L, class_idx);
}

static int list_of_both(lua_State *L) {
  lua_createtable(L, 2, 0);
  for (int i = 1; i <= 2; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, 3, i);
  }
  return 1;
}

static int binary(lua_State *L, enum condition_op op) {
  lua_settop(L, 2);
  check_side(L, 1);
  check_side(L, 2);
  int known = neap__condition_test(L, 1) ? 1 : neap__condition_test(L, 2) ? 2 : 0;
  if (!known) {
    list_of_both(L);
    return pending(L, op == COND_AND ? "$and" : "$or");
  }
  int class_idx = neap__condition_class(L, known);
  read_side(L, 3 - known, class_idx);
  const struct condition *a = neap__condition_test(L, 1), *b = neap__condition_test(L, 2);
  if (a->shape && b->shape && a->shape != b->shape)
    return neap__fail(L, NEAP_USAGE,
                      "a condition on %s cannot be combined with one on %s: use the relation between them",
                      a->shape->model, b->shape->model);
  op == COND_AND ? neap__condition_and(L, 1, 2) : neap__condition_or(L, 1, 2);
  return 1;
}

static int condition_band(lua_State *L) {
  return binary(L, COND_AND);
}

static int condition_bor(lua_State *L) {
  return binary(L, COND_OR);
}

static int condition_bnot(lua_State *L) {
  lua_settop(L, 1);
  if (neap__condition_test(L, 1)) {
    neap__condition_not(L, 1);
    return 1;
  }
  lua_createtable(L, 1, 0);
  lua_insert(L, 1);
  lua_rawseti(L, 1, 1);
  return pending(L, "$nor");
}

static int condition_tostring(lua_State *L) {
  const struct condition *c = neap__condition_test(L, 1);
  if (c)
    neap__condition_print(L, c);
  else
    lua_pushstring(L, pending_name);
  return 1;
}

static const luaL_Reg metamethods[] = {
    {"__band", condition_band},
    {"__bor", condition_bor},
    {"__bnot", condition_bnot},
    {"__tostring", condition_tostring},
    {NULL, NULL},
};

// Pushes the metatable registered under a name, or a new one, which the caller completes and then registers: memory may run
// short on the way. True if it is new.
static bool push_metatable(lua_State *L, const char *name) {
  if (luaL_getmetatable(L, name) != LUA_TNIL) return false;
  lua_pop(L, 1);
  lua_createtable(L, 0, 8);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  luaL_setfuncs(L, metamethods, 0);
  return true;
}

static void register_metatable(lua_State *L, const char *name) {
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, name);
}

static void push_pending_metatable(lua_State *L) {
  if (push_metatable(L, pending_name)) register_metatable(L, pending_name);
}

void neap__condition_metatable(lua_State *L, const char *type_name) {
  if (!push_metatable(L, type_name)) return;
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, neap__condition_match);
  lua_setfield(L, -2, "matches");
  lua_setfield(L, -2, "__index");
  register_metatable(L, type_name);
}

// ---- neap.any_of, neap.none_of ----

// Checks the list at 1. Returns the index in it of the first condition, 0 if all are tables.
static lua_Integer check_list(lua_State *L, const char *name) {
  lua_Integer known = 0;
  neap__arg_table(L, 1, "conditions");
  lua_settop(L, 1);
  for (lua_Integer i = 1; lua_geti(L, 1, i) != LUA_TNIL; i++) {
    if (!known && neap__condition_test(L, -1)) known = i;
    check_side(L, 2);
    lua_settop(L, 1);
  }
  lua_settop(L, 1);
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    if (!lua_isinteger(L, -2))
      neap__fail(L, NEAP_USAGE, "neap.%s takes a list: neap.%s{ { a = 1 }, { b = 2 } }", name, name);
    lua_pop(L, 1);
  }
  return known;
}

static int combine_list(lua_State *L, const char *name, const char *operator) {
  lua_Integer known = check_list(L, name);
  pending(L, operator);
  if (!known) return 1;
  lua_getfield(L, 1, operator);
  lua_geti(L, 2, known);
  int class_idx = neap__condition_class(L, 3);
  lua_pushvalue(L, 1);
  neap__condition_parse(L, class_idx, class_idx + 1);
  return 1;
}

// neap.any_of{ c1, c2 } -> condition: at least one of the conditions, or of the tables as where takes them
static int any_of(lua_State *L) {
  return combine_list(L, "any_of", "$or");
}

// neap.none_of{ c1, c2 } -> condition: not one of them
static int none_of(lua_State *L) {
  return combine_list(L, "none_of", "$nor");
}

int luaopen_neap_condition(lua_State *L) {
  static const luaL_Reg functions[] = {{"any_of", any_of}, {"none_of", none_of}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
