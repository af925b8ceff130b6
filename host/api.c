// api.c: the calls of neap.h that start tasks, run them and ask about them.
#include <stdio.h>
#include <string.h>

#include "state.h"

const char *neap_version(void) {
  return NEAP_VERSION;
}

const char *neap_message(neap *h) {
  if (!neap__enter(h)) return "";
  neap__left(h, NEAP_OK);
  return h->message;
}

lua_State *neap_lua(neap *h) {
  if (!neap__enter(h)) return NULL;
  neap__left(h, NEAP_OK);
  return h->L;
}

int neap_exit_code(neap *h) {
  if (!neap__enter(h)) return -1;
  return neap__left(h, h->exit_code);
}

static int fail(neap *h, int status, const char *message) {
  snprintf(h->message, sizeof h->message, "%s", message);
  return status;
}

static int to_message(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

// Runs f(L) with `ud` as its argument, protected. What it raises becomes the host's message.
static int protected(neap *h, lua_CFunction f, void *ud) {
  lua_State *L = h->L;
  if (!lua_checkstack(L, 4)) return fail(h, NEAP_ENOMEM, "not enough memory");
  h->message[0] = '\0';
  lua_pushcfunction(L, f);
  lua_pushlightuserdata(L, ud);
  int status = lua_pcall(L, 1, 0, 0);
  if (status == LUA_OK) return NEAP_OK;
  bool limit = neap__error_kind(L, -1) == NEAP_LIMIT;
  lua_pushcfunction(L, to_message);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) status = LUA_ERRMEM;
  const char *message = lua_tostring(L, -1);
  fail(h, 0, message ? message : "not enough memory");
  lua_pop(L, 1);
  return status == LUA_ERRMEM ? NEAP_ENOMEM : limit ? NEAP_ELIMIT : NEAP_ERR;
}

// ---- Starting tasks ----

struct spawning {
  const char *source, *name, *args;
  size_t len;
  neap_task id;
  bool keep;
};

// Pops a function and its arguments and starts them.
static void start(lua_State *L, struct spawning *s, int nargs) {
  struct neap__task *t = neap__task_new(L, nargs);
  t->kept = s->keep;
  t->rooted = true;
  s->id = t->id;
}

// Pushes what a chunk finds as `...`: the list in the global `arg`, as in lua(1).
static int push_arg(lua_State *L) {
  int top = lua_gettop(L), n = lua_getglobal(L, "arg") == LUA_TTABLE ? (int)lua_rawlen(L, -1) : 0;
  luaL_checkstack(L, n, "too many arguments");
  for (int i = 1; i <= n; i++) lua_rawgeti(L, top + 1, i);
  lua_remove(L, top + 1);
  return n;
}

static int spawn(lua_State *L) {
  struct spawning *s = lua_touserdata(L, 1);
  int status = s->source ? luaL_loadbufferx(L, s->source, s->len, s->name ? s->name : "=chunk", "t")
                         : luaL_loadfilex(L, strcmp(s->name, "-") == 0 ? NULL : s->name, "t");
  if (status != LUA_OK) return lua_error(L);
  if (neap__host(L)->sandboxed) {
    neap__sandbox_env(L, s->name);
    lua_setupvalue(L, -2, 1);
  }
  start(L, s, push_arg(L));
  return 0;
}

static int spawn_with(neap *h, lua_CFunction f, struct spawning *s, neap_task *task) {
  if (task) *task = 0;
  if (!neap__enter(h)) return NEAP_EARG;
  if (h->close_by) return neap__left(h, NEAP_EARG);
  s->keep = task != NULL;
  int status = protected(h, f, s);
  if (task && status == NEAP_OK) *task = s->id;
  return neap__left(h, status);
}

static int no_task(neap_task *task) {
  if (task) *task = 0;
  return NEAP_EARG;
}

int neap_spawn(neap *h, const char *source, size_t len, const char *name, neap_task *task) {
  if (!source) return no_task(task);
  return spawn_with(h, spawn, &(struct spawning){.source = source, .len = len, .name = name}, task);
}

int neap_spawn_file(neap *h, const char *path, neap_task *task) {
  if (!path) return no_task(task);
  return spawn_with(h, spawn, &(struct spawning){.name = path}, task);
}

// Replaces the table on top by what a path such as "stats.save" leads to in it. Without `code` metatables are not asked,
// since that may run code of scripts. Gives the part of the path that is left, "" if it came to the end.
static const char *follow(lua_State *L, const char *path, bool code) {
  while (*path && lua_istable(L, -1)) {
    size_t n = strcspn(path, ".");
    lua_pushlstring(L, path, n);
    if (code) {
      lua_gettable(L, -2);
    } else if (lua_rawget(L, -2) == LUA_TNIL && luaL_getmetafield(L, -2, "__index") != LUA_TNIL) {
      lua_pop(L, 2);
      return path;
    }
    lua_remove(L, -2);
    path += n + (path[n] == '.');
  }
  return path;
}

static int no_function(lua_State *L, const char *path) {
  return neap__fail(L, NEAP_USAGE, "there is no function %s: no script has defined it",
                    neap__show_text(path, strlen(path)).text);
}

static int all_results(lua_State *L, int status, lua_KContext skip) {
  (void)status;
  return lua_gettop(L) - (int)skip;
}

// call_path(table, rest, path, ...): what a task does that has to ask metatables for its function.
static int call_path(lua_State *L) {
  lua_pushvalue(L, 1);
  if (*follow(L, lua_tostring(L, 2), true) || lua_isnil(L, -1)) return no_function(L, lua_tostring(L, 3));
  lua_replace(L, 3);
  lua_callk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, all_results);
  return all_results(L, LUA_OK, 2);
}

// Pushes what a task has to call, for a path such as "game.save", and the first arguments of it. Gives their number.
static int push_function(lua_State *L, const char *path) {
  size_t n = strcspn(path, ".");
  lua_pushlstring(L, path, n);
  neap__sandbox_global(L, lua_tostring(L, -1));
  lua_remove(L, -2);
  const char *rest = follow(L, path[n] ? path + n + 1 : "", false);
  if (lua_isnil(L, -1) || (*rest && !lua_istable(L, -1))) return no_function(L, path);
  if (!*rest) return 0;
  lua_pushcfunction(L, call_path);
  lua_insert(L, -2);
  lua_pushstring(L, rest);
  lua_pushstring(L, path);
  return 3;
}

// Pushes neap.json's function of that name.
static void push_json(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "neap.json");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

static int call(lua_State *L) {
  struct spawning *s = lua_touserdata(L, 1);
  lua_Integer n = 0;
  if (s->args) {
    push_json(L, "decode");
    lua_pushstring(L, s->args);
    lua_call(L, 1, 1);
    if (s->args[strspn(s->args, " \t\r\n")] != '[')
      return neap__fail(L, NEAP_USAGE, "the arguments must be a JSON array, not %s",
                        neap__show_name(s->args, strlen(s->args)).text);
    n = luaL_len(L, -1);
  }
  int args = lua_gettop(L);
  int nargs = push_function(L, s->name);
  luaL_checkstack(L, (int)n + 1, "too many arguments");
  for (lua_Integer i = 1; i <= n; i++) lua_geti(L, args, i);
  start(L, s, nargs + (int)n);
  return 0;
}

int neap_call(neap *h, const char *function, const char *json_args, neap_task *task) {
  if (!function) return no_task(task);
  return spawn_with(h, call, &(struct spawning){.name = function, .args = json_args}, task);
}

// ---- Asking about tasks ----

static int status_of(const struct neap__task *t) {
  if (!t->op.done) return NEAP_PENDING;
  if (t->state == TASK_DONE) return NEAP_OK;
  return neap__limits_killed(t) ? NEAP_ELIMIT : NEAP_ERR;
}

// The task with that id, or NULL. Kept and running tasks are anchored elsewhere, so that nothing stays on the stack.
static struct neap__task *find(neap *h, neap_task id) {
  struct neap__task *t = id && lua_checkstack(h->L, 4) ? neap__task_find(h->L, id) : NULL;
  if (t) lua_pop(h->L, 1);
  return t;
}

int neap_status(neap *h, neap_task id) {
  if (!neap__enter(h)) return NEAP_EARG;
  struct neap__task *t = find(h, id);
  return neap__left(h, t ? status_of(t) : NEAP_EARG);
}

int neap_cancel(neap *h, neap_task id) {
  if (!neap__enter(h)) return NEAP_EARG;
  struct neap__task *t = find(h, id);
  if (t) neap__task_cancel(t);
  return neap__left(h, t ? NEAP_OK : NEAP_EARG);
}

int neap_release(neap *h, neap_task id) {
  if (!neap__enter(h)) return NEAP_EARG;
  struct neap__task *t = find(h, id);
  if (t) t->kept = false;  // a task that still runs is forgotten when it has ended
  if (t && t->op.done) neap__task_forget(h->L, t);
  return neap__left(h, t ? NEAP_OK : NEAP_EARG);
}

// Pushes a plain table with the fields of the error object on top that JSON can hold, in its place.
static void plain_error(lua_State *L) {
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, -3)) {
    int type = lua_type(L, -1);
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    if (type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TBOOLEAN)
      lua_rawset(L, -4);
    else
      lua_pop(L, 2);
  }
  lua_remove(L, -2);
}

// Makes the JSON of a task's first result (argument: the task) and anchors it there as user value 3.
static int make_result(lua_State *L) {
  struct neap__task *t = lua_touserdata(L, 1);
  neap__task_find(L, t->id);
  push_json(L, "encode");
  int n = neap__task_results(L, t);
  lua_settop(L, 4 - (n == 0));
  if (n == 0 || lua_isnil(L, 4)) {
    lua_pushliteral(L, "null");
  } else {
    if (t->state == TASK_FAILED) plain_error(L);
    lua_call(L, 1, 1);
  }
  lua_setiuservalue(L, 2, 3);
  return 0;
}

static const char *result(neap *h, neap_task id, size_t *len) {
  struct neap__task *t = find(h, id);
  if (!t || !t->op.done) return NULL;
  lua_State *L = h->L;
  neap__task_find(L, id);
  if (lua_getiuservalue(L, -1, 3) == LUA_TNIL) {
    lua_pop(L, 1);
    struct neap__task *running = h->task;
    h->task = t;  // what it costs counts for the task that returned it
    h->overdraft = 1 << 16;
    int status = protected(h, make_result, t);
    h->overdraft = 0;
    h->refused.nsize = 0;
    h->task = running;
    lua_getiuservalue(L, -1, 3);
    if (status != NEAP_OK) lua_pop(L, 1), lua_pushnil(L);
  }
  const char *text = lua_tolstring(L, -1, len);
  lua_pop(L, 2);
  return text;
}

const char *neap_result(neap *h, neap_task id, size_t *len) {
  if (len) *len = 0;
  if (!neap__enter(h)) return NULL;
  const char *text = result(h, id, len);
  neap__left(h, NEAP_OK);
  return text;
}

// ---- Running ----

static bool rows_spent(const neap *h) {
  return h->options.max_rows_per_step && h->rows >= h->options.max_rows_per_step;
}

int neap_step(neap *h, uint32_t budget_us) {
  if (!neap__enter_turn(h)) return NEAP_EARG;
  h->stepping = true;
  h->rows = 0;
  h->step_ends = budget_us ? neap__now_us() + budget_us : INT64_MAX;
  h->collect_until = h->step_ends - budget_us / 4;
  neap__collect_pace(h, true);
  neap__collect_start(h);
  neap__collect_pay(h);
  neap__task_wake_later(h);
  do {
    if (!h->options.loop) neap__loop_poll(h, false);
    if (neap__now_us() < h->step_ends) neap__task_run_ready(h, h->L);
  } while (budget_us && h->ready && !rows_spent(h) && neap__now_us() < h->step_ends);
  if (!h->ready) neap__failure_sweep(h, h->L, false);
  h->stepping = false;
  h->pause_at = h->step_ends = INT64_MAX;
  size_t live = h->live == 0 && h->cycles > 0 ? 1 : h->live;  // one whose error is still to be told
  return neap__left_turn(h, live > INT32_MAX ? INT32_MAX : (int)live);
}

static int run(neap *h) {
  neap__collect_pace(h, false);
  h->failed = false;
  h->message[0] = '\0';
  while (h->live > 0) {
    neap__task_run_ready(h, h->L);
    if (!h->ready) neap__failure_sweep(h, h->L, false);
    if (h->live > 0 && !neap__loop_poll(h, !h->ready && !h->later))
      return fail(h, NEAP_ERR, "every task waits, and nothing could wake one");
  }
  neap__failure_sweep(h, h->L, true);
  return h->failed ? NEAP_ERR : NEAP_OK;
}

int neap_run(neap *h) {
  if (!neap__enter_turn(h)) return NEAP_EARG;
  return neap__left_turn(h, run(h));
}

// Argument: { name, function }.
static int preload(lua_State *L) {
  const luaL_Reg *module = lua_touserdata(L, 1);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, module->func);
  lua_setfield(L, -2, module->name);
  return 0;
}

int neap_register(neap *h, const char *module, int (*open)(lua_State *)) {
  if (!module || !open || !neap__enter(h)) return NEAP_EARG;
  return neap__left(h, protected(h, preload, &(luaL_Reg){module, open}));
}
