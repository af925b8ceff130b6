// api.c: the calls of neap.h that start tasks, run them and ask about them.
#include <stdio.h>
#include <string.h>

#include "state.h"

const char *neap_message(neap *h) {
  return h ? h->message : "";
}

lua_State *neap_lua(neap *h) {
  return h ? h->L : NULL;
}

static int fail(neap *h, int status, const char *message) {
  snprintf(h->message, sizeof h->message, "%s", message ? message : "no message");
  return status;
}

// Runs f(L) with `ud` as its argument, protected. What it raises becomes the host's message.
static int protected(neap *h, lua_CFunction f, void *ud) {
  if (!lua_checkstack(h->L, 4)) return fail(h, NEAP_ENOMEM, "not enough memory");
  lua_pushcfunction(h->L, f);
  lua_pushlightuserdata(h->L, ud);
  int status = lua_pcall(h->L, 1, 0, 0);
  if (status == LUA_OK) return NEAP_OK;
  const char *message = lua_tostring(h->L, -1);
  status = fail(h, status == LUA_ERRMEM ? NEAP_ENOMEM : NEAP_ERR, message);
  lua_pop(h->L, 1);
  return status;
}

struct spawning {
  const char *source, *name;
  size_t len;
  neap_task id;
  bool keep;
};

static int spawn(lua_State *L) {
  struct spawning *s = lua_touserdata(L, 1);
  int status = s->source ? luaL_loadbufferx(L, s->source, s->len, s->name ? s->name : "=chunk", "t")
                         : luaL_loadfilex(L, strcmp(s->name, "-") == 0 ? NULL : s->name, "t");
  if (status != LUA_OK) return lua_error(L);
  s->id = neap__task_new(L, 0)->id;
  return 0;
}

static int spawn_with(neap *h, struct spawning *s, neap_task *task) {
  int status = protected(h, spawn, s);
  if (task) *task = status == NEAP_OK ? s->id : 0;
  return status;
}

int neap_spawn(neap *h, const char *source, size_t len, const char *name, neap_task *task) {
  if (!h || !source) return NEAP_EARG;
  return spawn_with(h, &(struct spawning){.source = source, .len = len, .name = name}, task);
}

int neap_spawn_file(neap *h, const char *path, neap_task *task) {
  if (!h || !path) return NEAP_EARG;
  return spawn_with(h, &(struct spawning){.name = path}, task);
}

int neap_exit_code(neap *h) {
  return h ? h->exit_code : -1;
}

int neap_run(neap *h) {
  if (!h) return NEAP_EARG;
  h->failed = false;
  h->message[0] = '\0';
  while (h->live > 0) {
    neap__task_run_ready(h, h->L);
    if (!h->ready) neap__failure_sweep(h, h->L, false);
    if (h->live > 0 && !neap__loop_poll(h, !h->ready)) return fail(h, NEAP_ERR, "every task waits, and nothing could wake one");
  }
  neap__failure_sweep(h, h->L, true);
  return h->failed ? NEAP_ERR : NEAP_OK;
}
