// nursery.c: what scripts do with tasks: spawn, sleep, try; and the small functions of the host.
#include "state.h"

// neap.spawn(f, ...) -> task
//   Starts f(...) as a task of its own, with a clean context.
static int host_spawn(lua_State *L) {
  neap__arg_function(L, 1, "f");
  neap__task_new(L, lua_gettop(L) - 1);
  return 1;
}

static int nothing(lua_State *L, int status, lua_KContext ctx) {
  (void)L;
  (void)status;
  (void)ctx;
  return 0;
}

#define SLEEP_TYPE "neap.sleep"

struct sleep {
  struct neap__op op;
  struct neap__timer timer;
};

static void sleep_over(struct neap__timer *timer) {
  neap__op_done(&((struct sleep *)((char *)timer - offsetof(struct sleep, timer)))->op);
}

static int sleep_gc(lua_State *L) {
  struct sleep *s = lua_touserdata(L, 1);
  if (s->op.host) neap__timer_stop(s->op.host, &s->timer);
  return 0;
}

// neap.sleep(seconds)
//   0 lets the other tasks run.
static int host_sleep(lua_State *L) {
  lua_Number seconds = neap__arg_seconds(L, 1, "seconds");
  neap *h = neap__host(L);
  if (seconds == 0) return neap__pause(L, 0, nothing);
  struct sleep *s = neap__op_new(L, sizeof *s, SLEEP_TYPE, 0);
  int64_t ms = seconds < 1e12 ? (int64_t)(seconds * 1000 + 0.5) : INT64_MAX / 2;
  neap__timer_start(h, &s->timer, neap__now_ms(h) + ms, sleep_over);
  return neap__await(L, lua_gettop(L), 0, nothing);
}

static int tried(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L);
  neap__error_wrap(L);
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

// neap.try(f, ...) -> what f returned, or nil and the error object
static int host_try(lua_State *L) {
  neap__arg_function(L, 1, "f");
  return tried(L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, tried), 0);
}

static const luaL_Reg functions[] = {
    {"spawn", host_spawn}, {"sleep", host_sleep},      {"try", host_try},
    {"is", neap__error_is}, {"error", neap__error_new}, {"has_module", neap__module_exists}, {NULL, NULL},
};

int luaopen_neap_host(lua_State *L) {
  luaL_newmetatable(L, SLEEP_TYPE);
  lua_pushcfunction(L, sleep_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
