// task.c: tasks, the queue of those that are ready, and how one waits.
#include <string.h>

#include "state.h"

#define TASK_TYPE "neap.task"
#define MAX_PUMPS 8

static const char tasks_key = 0;  // registry: id -> task, of those that live or are not released

// ---- The ready queue ----

static void enqueue(neap *h, struct neap__task *t) {
  t->state = TASK_READY;
  t->next = NULL;
  *h->ready_end = t;
  h->ready_end = &t->next;
}

// xorshift64: enough to shuffle a queue, and the same everywhere.
static uint64_t random_next(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

// Takes the first task, or with a shuffle seed any.
static struct neap__task *dequeue(neap *h) {
  struct neap__task **link = &h->ready, *t;
  if (h->shuffle) {
    size_t n = 0;
    for (t = h->ready; t; t = t->next) n++;
    for (n = random_next(&h->shuffle) % n; n > 0; n--) link = &(*link)->next;
  }
  t = *link;
  *link = t->next;
  if (!*link) h->ready_end = link;
  t->next = NULL;
  return t;
}

// ---- Operations ----

void *neap__op_new(lua_State *L, size_t size, const char *tname, int nuvalue) {
  struct neap__op *op = memset(lua_newuserdatauv(L, size, nuvalue), 0, size);
  op->host = neap__host(L);
  luaL_setmetatable(L, tname);
  return op;
}

static void unpark(struct neap__task *t) {
  t->wait = NULL;
  neap__timer_stop(t->op.host, &t->timer);
  enqueue(t->op.host, t);
}

void neap__op_done(struct neap__op *op) {
  op->done = true;
  struct neap__task *t = op->waiter, *next;
  for (op->waiter = NULL; t; t = next) {
    next = t->next;
    unpark(t);
  }
}

// Ends a wait from outside: the operation is asked to end, or abandoned where it cannot be.
static void interrupt(struct neap__task *t) {
  struct neap__op *op = t->wait;
  if (op->cancel) {
    op->cancel(op);
    return;
  }
  for (struct neap__task **link = &op->waiter; *link; link = &(*link)->next)
    if (*link == t) {
      *link = t->next;
      break;
    }
  unpark(t);
}

static void on_deadline(struct neap__timer *timer) {
  struct neap__task *t = (struct neap__task *)((char *)timer - offsetof(struct neap__task, timer));
  t->timed_out = true;
  interrupt(t);
}

void neap__task_cancel(struct neap__task *t) {
  t->cancelled = true;
  if (t->state == TASK_PARKED && t->wait) interrupt(t);
}

// Raises what ended the wait, if anything but its operation did.
static void check_ended(lua_State *L, struct neap__task *t) {
  if (!t) return;
  bool timed_out = t->timed_out;
  t->timed_out = false;
  if (t->cancelled) neap__fail(L, NEAP_CANCELLED, "the task was cancelled");
  if (timed_out) neap__fail(L, NEAP_TIMEOUT, "the wait took longer than it was allowed to");
}

static int await_resumed(lua_State *L, int status, lua_KContext ctx) {
  struct neap__task *t = neap__host(L)->task;
  (void)ctx;
  check_ended(L, t);
  return t->k(L, status, t->ctx);
}

// Waits where the stack cannot yield: runs the loop, and the other tasks, right here.
static void pump(lua_State *L, neap *h, struct neap__op *op) {
  struct neap__task *self = h->task;
  if (h->stepping || h->options.loop)
    neap__fail(L, NEAP_USAGE, "cannot wait here: load it before the sort or callback that needs it");
  if (h->pumps >= MAX_PUMPS) neap__fail(L, NEAP_USAGE, "waits inside callbacks are nested more than %d deep", MAX_PUMPS);
  h->pumps++;
  bool alive = true;
  while (!op->done && alive && !(self && self->cancelled)) {
    neap__task_run_ready(h, L);
    if (!op->done) alive = neap__loop_poll(h, !h->ready);
    if (op->deadline && !op->done && neap__now_ms(h) >= op->deadline) break;
  }
  h->pumps--;
  if (op->done) return;
  if (op->cancel) op->cancel(op);
  check_ended(L, self);
  if (!alive) neap__fail(L, NEAP_USAGE, "nothing is left that could end this wait");
  neap__fail(L, NEAP_TIMEOUT, "the wait took longer than it was allowed to");
}

int neap__await(lua_State *L, int index, lua_KContext ctx, lua_KFunction k) {
  struct neap__op *op = lua_touserdata(L, index);
  neap *h = op->host;
  struct neap__task *t = h->task;
  if (t && t->cancelled) return neap__fail(L, NEAP_CANCELLED, "the task was cancelled");
  if (op->done) return k(L, LUA_OK, ctx);
  if (L != h->running || !lua_isyieldable(L)) {
    pump(L, h, op);
    return k(L, LUA_OK, ctx);
  }
  t->wait = op;
  t->k = k;
  t->ctx = ctx;
  t->next = op->waiter;
  op->waiter = t;
  if (op->deadline) neap__timer_start(h, &t->timer, op->deadline, on_deadline);
  return lua_yieldk(L, 0, 0, await_resumed);
}

bool neap__should_pause(lua_State *L, unsigned rows) {
  (void)L;
  (void)rows;
  return false;
}

int neap__pause(lua_State *L, lua_KContext ctx, lua_KFunction k) {
  neap *h = neap__host(L);
  struct neap__task *t = h->task;
  if (L != h->running || !lua_isyieldable(L)) return k(L, LUA_OK, ctx);
  t->k = k;
  t->ctx = ctx;
  enqueue(h, t);
  return lua_yieldk(L, 0, 0, await_resumed);
}

// ---- Tasks ----

// Adds where it happened to the error, once, while the stack still stands.
static int on_error(lua_State *L) {
  neap__error_wrap(L);
  if (lua_getfield(L, -1, "traceback") == LUA_TNIL) {
    luaL_traceback(L, L, NULL, 1);
    lua_setfield(L, -3, "traceback");
  }
  lua_pop(L, 1);
  return 1;
}

static int body_ended(lua_State *L, int status, lua_KContext ctx) {
  struct neap__task *t = neap__host(L)->task;
  (void)ctx;
  t->state = status == LUA_OK || status == LUA_YIELD ? TASK_DONE : TASK_FAILED;
  return t->state == TASK_DONE ? lua_gettop(L) - 1 : 1;
}

// The C base of every task: function and arguments are on the stack. Nothing that a script does gets past it.
static int body(lua_State *L) {
  lua_pushcfunction(L, on_error);
  lua_insert(L, 1);
  return body_ended(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, body_ended), 0);
}

struct neap__task *neap__task_new(lua_State *L, int nargs) {
  neap *h = neap__host(L);
  struct neap__task *t = neap__op_new(L, sizeof *t, TASK_TYPE, 1);
  lua_insert(L, -nargs - 2);
  t->L = lua_newthread(L);
  lua_setiuservalue(L, -nargs - 3, 1);
  luaL_checkstack(t->L, nargs + 4, NULL);
  lua_pushcfunction(t->L, body);
  lua_xmove(L, t->L, nargs + 1);
  t->nargs = nargs + 1;
  t->id = h->last_id + 1;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, (lua_Integer)t->id);
  lua_pop(L, 1);
  h->last_id++;
  h->live++;
  enqueue(h, t);
  return t;
}

struct neap__task *neap__task_find(neap *h, lua_State *L, neap_task id) {
  (void)h;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_rawgeti(L, -1, (lua_Integer)id);
  lua_remove(L, -2);
  struct neap__task *t = lua_touserdata(L, -1);
  if (!t) lua_pop(L, 1);
  return t;
}

void neap__task_forget(neap *h, lua_State *L, struct neap__task *t) {
  (void)h;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_pushnil(L);
  lua_rawseti(L, -2, (lua_Integer)t->id);
  lua_pop(L, 1);
}

static const char *error_field(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, 1);
  const char *s = lua_tostring(L, -1);
  return s ? s : "";
}

// Tells the owner of the host about an error that nobody awaits: error object as argument, task id as second.
static int report(lua_State *L) {
  neap *h = neap__host(L);
  const char *kind = error_field(L, "kind"), *traceback = error_field(L, "traceback");
  const char *message = luaL_tolstring(L, 1, NULL);
  if (h->options.error)
    h->options.error(h->options.ud, (neap_task)lua_tointeger(L, 2), kind, message, traceback);
  else
    neap__log(h, NEAP_LOG_ERROR, "%s", message);
  return 0;
}

static void task_ended(neap *h, lua_State *L, struct neap__task *t) {
  h->live--;
  neap__op_done(&t->op);
  if (t->state == TASK_FAILED && !t->observed) {
    h->failed = true;
    lua_pushcfunction(L, report);
    lua_pushvalue(t->L, -1);
    lua_xmove(t->L, L, 1);
    lua_pushinteger(L, (lua_Integer)t->id);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
  }
  neap__task_forget(h, L, t);
}

static void resume(neap *h, lua_State *L, struct neap__task *t) {
  struct neap__task *task = h->task;
  lua_State *running = h->running;
  int n = t->nargs, results;
  h->task = t;
  h->running = t->L;
  t->state = TASK_RUNNING;
  t->nargs = 0;
  int status = lua_resume(t->L, L, n, &results);
  h->task = task;
  h->running = running;
  if (status != LUA_YIELD)
    task_ended(h, L, t);
  else if (t->state == TASK_RUNNING)
    t->state = TASK_PARKED;
}

void neap__task_run_ready(neap *h, lua_State *L) {
  size_t n = 0;
  for (struct neap__task *t = h->ready; t; t = t->next) n++;
  for (; n > 0 && h->ready; n--) resume(h, L, dequeue(h));
}

// ---- The object in Lua ----

static int awaited(lua_State *L, int status, lua_KContext ctx) {
  struct neap__task *t = lua_touserdata(L, 1);
  (void)status;
  (void)ctx;
  int n = t->state == TASK_FAILED ? 1 : lua_gettop(t->L);
  luaL_checkstack(L, n, NULL);
  luaL_checkstack(t->L, n, NULL);
  for (int i = 1; i <= n; i++) lua_pushvalue(t->L, t->state == TASK_FAILED ? -1 : i);
  lua_xmove(t->L, L, n);
  return t->state == TASK_FAILED ? lua_error(L) : n;
}

// task:await() -> what its function returned
//   Waits until the task has ended; raises its error.
static int task_await(lua_State *L) {
  struct neap__task *t = luaL_checkudata(L, 1, TASK_TYPE);
  lua_settop(L, 1);
  t->observed = true;
  return neap__await(L, 1, 0, awaited);
}

// task:cancel()
//   Its present wait, and every later one, raises `cancelled`.
static int task_cancel(lua_State *L) {
  neap__task_cancel(luaL_checkudata(L, 1, TASK_TYPE));
  return 0;
}

static const luaL_Reg methods[] = {{"await", task_await}, {"cancel", task_cancel}, {NULL, NULL}};

void neap__task_open(lua_State *L) {
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &tasks_key);
  luaL_newmetatable(L, TASK_TYPE);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "task");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}
