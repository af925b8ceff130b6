// query_faults.c: all that is wrong with the arguments of one call, together: where a method fails, each of its arguments, and
// each key of its tables, is tried alone.
#include <limits.h>

#include "model/query_build.h"

enum { F_SELF = 1, F_FIRST };

struct attempts {
  lua_CFunction method;
  const struct shape *shape;
  struct neap__faults faults;
};

static bool is_fault(lua_State *L, int status) {
  int kind = neap__error_kind(L, -1);
  return status == LUA_ERRRUN && (kind == NEAP_USAGE || kind == NEAP_VALIDATION || kind == NEAP_QUERY);
}

void neap__query_fault(lua_State *L, int status, struct neap__error *e) {
  if (!is_fault(L, status)) lua_error(L);
  lua_getfield(L, -1, "message");
  neap__error_set(e, (enum neap__kind)neap__error_kind(L, -2), "%s", lua_tostring(L, -1));
  lua_pop(L, 2);
}

// The declared place of the field that a key begins with.
static int rank_of(lua_State *L, const struct shape *shape, int key) {
  size_t n, separator;
  const char *text = lua_type(L, key) == LUA_TSTRING ? lua_tolstring(L, key, &n) : NULL;
  if (!text) return INT_MAX;
  const struct shape_name *name = neap__shape_name_text(shape, text, neap__path_part(text, n, &separator));
  return name ? name->field->index : INT_MAX;
}

// Calls the method with the value on top of the stack, which it pops, alone. `key` names it.
static void attempt(lua_State *L, struct attempts *a, int key, int rank) {
  struct neap__error e;
  lua_pushcfunction(L, a->method);
  lua_pushvalue(L, F_SELF);
  lua_rotate(L, -3, -1);
  int status = lua_pcall(L, 2, 0, 0);
  if (status == LUA_OK) return;
  neap__query_fault(L, status, &e);
  neap__faults_note(L, &a->faults, key, rank, &e);
}

static void attempt_keys(lua_State *L, struct attempts *a, int table) {
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    int key = lua_gettop(L) - 1;
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, key);
    lua_pushvalue(L, key + 1);
    lua_rawset(L, -3);
    attempt(L, a, key, rank_of(L, a->shape, key));
  }
}

int neap__query_faults(lua_State *L, lua_CFunction method, bool pair) {
  int n = lua_gettop(L);
  luaL_checkstack(L, n + LUA_MINSTACK, "arguments");
  lua_pushcfunction(L, method);
  for (int i = 1; i <= n; i++) lua_pushvalue(L, i);
  int status = lua_pcall(L, n, 1, 0);
  if (status == LUA_OK) return 1;
  if (!is_fault(L, status) || (pair && lua_type(L, F_FIRST) == LUA_TSTRING)) lua_error(L);
  neap__query_self(L, F_SELF);
  struct attempts a = {.method = method, .shape = ((struct query *)lua_touserdata(L, F_SELF))->class->shape};
  a.faults = neap__faults_push(L);
  for (int i = F_FIRST; i <= n; i++) {
    if (lua_istable(L, i)) {
      attempt_keys(L, &a, i);
    } else {
      lua_pushvalue(L, i);
      attempt(L, &a, i, i);
    }
  }
  if (a.faults.count > 1) neap__faults_raise(L, &a.faults);
  lua_settop(L, n + 1);
  return lua_error(L);
}
