// failure.c: errors of tasks that nobody awaits. Each has a sentinel that is collected with its task: then nobody can ask
// for the error any more, and it is reported.
#include "state.h"

#define FAILURE_TYPE "neap.failure"
#define SWEEP_US 1000000  // at most one full collection a second, however many tasks fail

static const char failures_key = 0;  // registry: weak table, struct neap__failure -> its sentinel

static void unlink_failure(struct neap__failure *f) {
  *f->prev = f->next;
  if (f->next) f->next->prev = f->prev;
  f->prev = NULL;
}

static const char *error_field(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, 1);
  const char *s = lua_tostring(L, -1);
  return s ? s : "";
}

// Tells the owner of the host. Arguments: the error object and the id of the task.
static int report(lua_State *L) {
  neap *h = neap__host(L);
  const char *kind = error_field(L, "kind"), *traceback = error_field(L, "traceback");
  const char *message = luaL_tolstring(L, 1, NULL);
  h->failed = true;
  if (h->options.error)
    h->options.error(h->options.ud, (neap_task)lua_tointeger(L, 2), kind, message, traceback);
  else
    neap__log(h, NEAP_LOG_ERROR, "%s", message);
  return 0;
}

void neap__failure_new(lua_State *L, struct neap__task *t) {
  neap *h = t->op.host;
  if (t->rooted) {
    lua_pushcfunction(L, report);
    lua_pushvalue(t->L, -1);
    lua_xmove(t->L, L, 1);
    lua_pushinteger(L, (lua_Integer)t->id);
    lua_call(L, 2, 0);
    return;
  }
  neap__task_find(L, t->id);
  struct neap__failure *f = lua_newuserdatauv(L, sizeof *f, 1);
  *f = (struct neap__failure){.id = t->id};
  lua_pushvalue(t->L, -1);
  lua_xmove(t->L, L, 1);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, FAILURE_TYPE);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &failures_key);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, f);
  lua_pop(L, 1);
  lua_setiuservalue(L, -2, 2);
  lua_pop(L, 1);
  f->next = h->failures;
  f->prev = &h->failures;
  if (f->next) f->next->prev = &f->next;
  h->failures = t->failure = f;
  h->swept = false;
}

void neap__failure_seen(struct neap__task *t) {
  t->observed = true;
  if (t->failure && t->failure->prev) unlink_failure(t->failure);
  t->failure = NULL;
}

// The finalizer of the sentinel.
static int failure_gc(lua_State *L) {
  struct neap__failure *f = lua_touserdata(L, 1);
  if (!f->prev) return 0;
  unlink_failure(f);
  lua_pushcfunction(L, report);
  lua_getiuservalue(L, 1, 1);
  lua_pushinteger(L, (lua_Integer)f->id);
  lua_call(L, 2, 0);
  return 0;
}

// The same for a failure whose task can still be reached.
static int report_now(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &failures_key);
  lua_rawgetp(L, -1, lua_touserdata(L, 1));
  lua_replace(L, 1);
  lua_settop(L, 1);
  return failure_gc(L);
}

int neap__failure_due_ms(neap *h) {
  if (h->cycles > 0) return 0;
  if (!h->failures || h->swept) return -1;
  int64_t left = h->swept_at + SWEEP_US - neap__now_us();
  return left > 0 ? (int)(left / 1000) + 1 : 0;
}

void neap__failure_sweep(neap *h, lua_State *L, bool all) {
  bool due = !h->swept && (h->live == 0 || neap__now_us() - h->swept_at > SWEEP_US);
  if (h->failures && (all || due)) {
    h->swept = true;
    h->swept_at = neap__now_us();
    if (all)
      lua_gc(L, LUA_GCCOLLECT);
    else
      neap__collect_all(h);
  }
  while (all && h->failures) {
    struct neap__failure *f = h->failures;
    lua_pushcfunction(L, report_now);
    lua_pushlightuserdata(L, f);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
    if (f->prev) unlink_failure(f);
  }
}

void neap__failure_open(lua_State *L) {
  luaL_newmetatable(L, FAILURE_TYPE);
  lua_pushcfunction(L, failure_gc);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &failures_key);
  lua_pop(L, 1);
}
