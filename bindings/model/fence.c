// fence.c: fences as lua/neap/lease.lua makes them, and the task that stands behind one: all that it starts does too.
#include "value/fence.h"

#include <string.h>

#include "model/store.h"
#include "modules.h"

#define FENCE_TYPE "neap.fence"

enum { UV_OUTER = 1, UV_TEXTS, UV_COUNT = UV_TEXTS };

// The text in a field of the table at index 1, which the table on top of the stack keeps.
static const char *take_text(lua_State *L, const char *name, size_t *n) {
  lua_getfield(L, 1, name);
  const char *text = neap__arg_string(L, -1, name, n);
  lua_setfield(L, -2, name);
  return text;
}

// fence.new{ name =, token =, place =, text =, deadline = } -> fence
//   name, token  of the lock
//   place        fence.place of the store that keeps it
//   text         the statement that asks that store
//   deadline     process.uptime() until which it is had
static int fence_new(lua_State *L) {
  neap__arg_table(L, 1, "options");
  lua_settop(L, 1);
  struct fence *f = memset(lua_newuserdatauv(L, sizeof *f, UV_COUNT), 0, sizeof *f);
  luaL_setmetatable(L, FENCE_TYPE);
  lua_pushinteger(L, lua_tointeger(L, lua_upvalueindex(1)) + 1);
  f->id = (uint64_t)lua_tointeger(L, -1);
  lua_replace(L, lua_upvalueindex(1));
  f->outer = neap__view_fence(L);
  lua_setiuservalue(L, -2, UV_OUTER);
  lua_newtable(L);
  f->name = take_text(L, "name", NULL);
  f->place = take_text(L, "place", NULL);
  f->text = take_text(L, "text", &f->n);
  lua_setiuservalue(L, -2, UV_TEXTS);
  lua_getfield(L, 1, "token");
  f->token = neap__arg_integer(L, -1, "token", 0, LUA_MAXINTEGER);
  lua_getfield(L, 1, "deadline");
  f->deadline = neap__arg_seconds(L, -1, "deadline");
  lua_settop(L, 2);
  return 1;
}

// fence.extend(fence, deadline)
static int fence_extend(lua_State *L) {
  struct fence *f = luaL_checkudata(L, 1, FENCE_TYPE);
  f->deadline = neap__arg_seconds(L, 2, "deadline");
  return 0;
}

// fence.give_back(fence)
//   Nothing is written behind it any more.
static int fence_give_back(lua_State *L) {
  struct fence *f = luaL_checkudata(L, 1, FENCE_TYPE);
  f->given_back = true;
  return 0;
}

// fence.enter(fence)
//   From now on this coroutine and all that it starts, tasks of neap.spawn too, stand behind it.
static int fence_enter(lua_State *L) {
  luaL_checkudata(L, 1, FENCE_TYPE);
  lua_settop(L, 1);
  neap__context_put(L, &neap__context_job);
  return 0;
}

// fence.place(store) -> text
//   The same for two stores on one database.
static int fence_place(lua_State *L) {
  lua_pushstring(L, neap__view_check(L, 1)->store->place);
  return 1;
}

int luaopen_neap_fence(lua_State *L) {
  static const luaL_Reg library[] = {{"new", fence_new},     {"extend", fence_extend}, {"give_back", fence_give_back},
                                     {"enter", fence_enter}, {"place", fence_place},   {NULL, NULL}};
  luaL_newmetatable(L, FENCE_TYPE);
  lua_pushliteral(L, "fence");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
  luaL_newlibtable(L, library);
  lua_pushinteger(L, 0);  // how many there are
  luaL_setfuncs(L, library, 1);
  return 1;
}
