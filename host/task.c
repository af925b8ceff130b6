// task.c: tasks, the queue of those that are ready, and how one waits.
#include <string.h>

#include "state.h"

#define TASK_TYPE "neap.task"
#define MAX_PUMPS 8

static const char tasks_key = 0;  // registry: id -> task, of those that live or are kept

// ---- The ready queue ----

static void enqueue(neap *h, struct neap__task *t) {
  t->state = TASK_READY;
  t->next = NULL;
  *h->ready_end = t;
  h->ready_end = &t->next;
  h->nready++;
  neap__loop_ready(h);
}

// xorshift64: enough to shuffle a queue, and the same everywhere.
static uint64_t random_next(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

// Takes the first task, or with a shuffle seed any of the first n: those that were ready when this round began.
static struct neap__task *dequeue(neap *h, size_t n) {
  struct neap__task **link = &h->ready, *t;
  if (h->shuffle)
    for (uint64_t i = random_next(&h->shuffle) % n; i > 0; i--) link = &(*link)->next;
  t = *link;
  *link = t->next;
  if (!*link) h->ready_end = link;
  t->next = NULL;
  h->nready--;
  return t;
}

void neap__task_suspend(struct neap__task *t) {
  t->yielded = true;
  t->next = t->op.host->later;
  t->op.host->later = t;
}

void neap__task_wake_later(neap *h) {
  while (h->later) {
    struct neap__task *t = h->later;
    h->later = t->next;
    enqueue(h, t);
  }
}

// ---- Operations ----

void *neap__op_new(lua_State *L, size_t size, const char *tname, int nuvalue) {
  struct neap__op *op = memset(lua_newuserdatauv(L, size, nuvalue), 0, size);
  op->host = neap__host(L);
  if (!op->host->events) neap__fail(L, NEAP_USAGE, "the host has been closed");
  luaL_setmetatable(L, tname);
  return op;
}

void neap__op_limit(struct neap__op *op, double seconds) {
  op->deadline = neap__deadline_in(op->host, seconds);
  op->seconds = seconds;
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
  t->allowed = t->wait->seconds;
  t->late = t->wait->late;
  interrupt(t);
}

void neap__task_interrupt(struct neap__task *t) {
  if (t->state == TASK_PARKED && t->wait) interrupt(t);
}

void neap__task_cancel(struct neap__task *t) {
  if (t->cancelled) return;
  t->cancelled = true;
  neap__task_interrupt(t);
}

void neap__task_cancel_all(neap *h) {
  h->ending = true;
  h->stopped_at = neap__now_us();
  for (struct neap__task *t = h->tasks, *next; t; t = next) {
    next = t->live_next;
    neap__task_cancel(t);
  }
}

int neap__task_fail_cancelled(lua_State *L) {
  struct neap__task *t = neap__host(L)->task;
  if (t) t->told = 1;
  return neap__fail(L, NEAP_CANCELLED, "the task was cancelled");
}

static int fail_timeout(lua_State *L, double seconds, const char *late) {
  return neap__fail(L, NEAP_TIMEOUT, "timed out after %.14g s%s%s", seconds, late ? ": " : "", late ? late : "");
}

// Goes on after a wait in the scheduler, or raises what ended it if its operation did not.
static int await_resumed(lua_State *L, int status, lua_KContext ctx) {
  struct neap__task *t = neap__host(L)->task;
  bool timed_out = t->timed_out;
  (void)ctx;
  lua_pop(L, 1);  // the mark of a waiting coroutine
  t->timed_out = false;
  if (neap__limits_must_end(t)) return neap__kill(L, t->killed);
  if (t->cancelled) return neap__task_fail_cancelled(L);
  if (timed_out) return fail_timeout(L, t->allowed, t->late);
  return t->k(L, status, t->ctx);
}

// Leaves for the scheduler. The mark on the stack tells our resume that this coroutine waits.
static int leave(lua_State *L, struct neap__task *t, lua_KContext ctx, lua_KFunction k) {
  luaL_checkstack(L, 1, NULL);
  t->k = k;
  t->ctx = ctx;
  t->yielded = true;
  lua_pushlightuserdata(L, t->op.host);
  return lua_yieldk(L, 1, 0, await_resumed);
}

static bool cancelled(const struct neap__task *t) {
  return t && t->cancelled;
}

static bool must_end(const struct neap__task *t) {
  return t && neap__limits_must_end(t);
}

static bool overdue(neap *h, const struct neap__op *op) {
  return op->deadline && neap__now_ms(h) >= op->deadline;
}

static void only_wake(struct neap__timer *timer) {
  (void)timer;  // it has made the loop return
}

// Runs the loop, and the other tasks, until the operation is done; ends it where the wait was cancelled or took too long.
static void pump_until(neap *h, lua_State *L, struct neap__op *op) {
  struct neap__timer timer = {.active = false};
  bool alive = true, ended = false;
  if (op->deadline) neap__timer_start(h, &timer, op->deadline, only_wake);
  while (!op->done && alive) {
    if (!ended && (cancelled(h->task) || must_end(h->task) || overdue(h, op))) {
      ended = true;
      if (!op->cancel) break;
      op->cancel(op);
      continue;
    }
    neap__task_run_ready(h, L);
    if (!op->done) alive = neap__loop_poll(h, !h->ready && !h->later);
  }
  neap__timer_stop(h, &timer);
}

// Waits where the stack cannot yield.
static int pump(lua_State *L, neap *h, struct neap__op *op, lua_KContext ctx, lua_KFunction k) {
  if (h->stepping || h->options.loop)
    return neap__fail(L, NEAP_USAGE, "cannot wait inside a sort or a callback here: load it before the sort");
  if (h->pumps >= MAX_PUMPS)
    return neap__fail(L, NEAP_USAGE, "waits inside callbacks nest more than %d deep", MAX_PUMPS);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  h->pumps++;
  pump_until(h, L, op);
  h->pumps--;
  if (must_end(h->task)) return neap__kill(L, h->task->killed);
  if (cancelled(h->task)) return neap__task_fail_cancelled(L);
  if (overdue(h, op)) return fail_timeout(L, op->seconds, op->late);
  if (!op->done) return neap__fail(L, NEAP_USAGE, "nothing is left that could end this wait");
  return k(L, LUA_OK, ctx);
}

neap_task neap__task_current(neap *h) {
  return h->task ? h->task->id : 0;
}

static struct neap__task *find_live(neap *h, neap_task id) {
  struct neap__task *t = h->tasks;
  while (t && t->id != id) t = t->live_next;
  return t;
}

// Raises if the operation needs a task that itself waits, directly or through others, for the one that runs.
static void check_ends(lua_State *L, neap *h, const struct neap__op *op) {
  const char *why = "tasks would wait for each other";
  for (size_t i = 0; op && op->needs && i <= h->live; i++) {
    neap_task id = op->needs(op, &why);
    const struct neap__task *t = id ? find_live(h, id) : NULL;
    if (!t) return;
    if (t == h->task) neap__fail(L, NEAP_USAGE, "%s", why);
    op = t->wait;
  }
}

int neap__await(lua_State *L, int index, lua_KContext ctx, lua_KFunction k) {
  struct neap__op *op = lua_touserdata(L, index);
  while (op->inner && !op->pauses) op = op->inner;
  neap *h = op->host;
  struct neap__task *t = h->task;
  if (cancelled(t)) {
    if (!op->done && op->cancel) op->cancel(op);
    return neap__task_fail_cancelled(L);
  }
  if (op->pauses) return neap__pause(L, ctx, k);
  if (op->done) return k(L, LUA_OK, ctx);
  check_ends(L, h, op);
  if (!h->parkable || L != h->running || !lua_isyieldable(L)) return pump(L, h, op, ctx, k);
  t->wait = op;
  t->next = op->waiter;
  op->waiter = t;
  if (op->deadline) neap__timer_start(h, &t->timer, op->deadline, on_deadline);
  return leave(L, t, ctx, k);
}

bool neap__should_pause(lua_State *L, unsigned rows) {
  return neap__worked(neap__host(L), rows);
}

bool neap__worked(neap *h, unsigned rows) {
  if (h->stop || (h->task && (h->task->killed || h->task->cancelled || neap__limits_spend(h, rows)))) return true;
  h->rows += rows;
  if (h->stepping && h->options.max_rows_per_step && h->rows >= h->options.max_rows_per_step) return true;
  if (h->pause_at == INT64_MAX || (h->ticks += rows) < 32) return false;
  h->ticks = 0;
  return neap__now_us() >= h->pause_at;
}

bool neap__step_over(neap *h) {
  return h->stepping && neap__now_us() >= h->step_ends;
}

int neap__pause(lua_State *L, lua_KContext ctx, lua_KFunction k) {
  neap *h = neap__host(L);
  struct neap__task *t = h->task;
  if (t && t->killed) return neap__kill(L, t->killed);
  if (cancelled(t)) return neap__task_fail_cancelled(L);
  if (!t || !h->parkable || L != h->running || !lua_isyieldable(L)) return k(L, LUA_OK, ctx);
  enqueue(h, t);
  return leave(L, t, ctx, k);
}

// ---- Tasks ----

// Adds where it happened to the error, once, while the stack still stands.
static int on_error(lua_State *L) {
  struct neap__task *t = neap__host(L)->task;
  if (t->killed) neap__kill_wrap(L, t);
  neap__error_wrap(L);
  lua_pushliteral(L, "traceback");
  if (lua_rawget(L, -2) == LUA_TNIL) {
    luaL_traceback(L, L, NULL, 1);
    lua_setfield(L, -3, "traceback");
  }
  lua_pop(L, 1);
  return 1;
}

static int body_ended(lua_State *L, int status, lua_KContext ctx) {
  neap *h = neap__host(L);
  struct neap__task *t = h->task;
  (void)ctx;
  t->state = status == LUA_OK || status == LUA_YIELD ? TASK_DONE : TASK_FAILED;
  if (t->state == TASK_FAILED && !t->killed && h->refused.nsize) t->killed = KILL_MEMORY;
  return t->state == TASK_DONE ? lua_gettop(L) - 1 : 1;
}

// The C base of every task: function and arguments are on the stack. Nothing that a script does gets past it.
static int body(lua_State *L) {
  lua_pushcfunction(L, on_error);
  lua_insert(L, 1);
  return body_ended(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, body_ended), 0);
}

static void link_live(neap *h, struct neap__task *t) {
  t->live_next = h->tasks;
  t->live_prev = &h->tasks;
  if (t->live_next) t->live_next->live_prev = &t->live_next;
  h->tasks = t;
  h->live++;
}

static void unlink_live(neap *h, struct neap__task *t) {
  *t->live_prev = t->live_next;
  if (t->live_next) t->live_next->live_prev = t->live_prev;
  h->live--;
}

static neap_task needs_itself(const struct neap__op *op, const char **why) {
  (void)why;
  return ((const struct neap__task *)op)->id;
}

struct neap__task *neap__task_new(lua_State *L, int nargs) {
  neap *h = neap__host(L);
  if (h->options.max_tasks && h->live >= h->options.max_tasks)
    neap__fail(L, NEAP_LIMIT, "more than %u tasks at a time", (unsigned)h->options.max_tasks);
  luaL_checkstack(L, 4, NULL);
  struct neap__task *t = neap__op_new(L, sizeof *t, TASK_TYPE, 4);
  neap__limits_share(L, t);
  lua_insert(L, -nargs - 2);
  t->L = lua_newthread(L);
  lua_setiuservalue(L, -nargs - 3, 1);
  if (!lua_checkstack(t->L, nargs + 4)) luaL_error(L, "too many arguments for a task");
  lua_pushcfunction(t->L, body);
  lua_xmove(L, t->L, nargs + 1);
  t->nargs = nargs + 1;
  t->id = h->last_id + 1;
  t->op.needs = needs_itself;
  t->cancelled = h->ending;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, (lua_Integer)t->id);
  lua_pop(L, 1);
  h->last_id++;
  link_live(h, t);
  neap__limits_life(h, t);
  enqueue(h, t);
  return t;
}

struct neap__task *neap__task_check(lua_State *L, int idx) {
  struct neap__task *t = luaL_testudata(L, idx, TASK_TYPE);
  if (!t) neap__fail(L, NEAP_USAGE, "a task is needed, as neap.spawn gives it, not %s", neap__show_value(L, idx).text);
  return t;
}

struct neap__task *neap__task_find(lua_State *L, neap_task id) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_rawgeti(L, -1, (lua_Integer)id);
  lua_remove(L, -2);
  struct neap__task *t = lua_touserdata(L, -1);
  if (!t) lua_pop(L, 1);
  return t;
}

void neap__task_forget(lua_State *L, struct neap__task *t) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_pushnil(L);
  lua_rawseti(L, -2, (lua_Integer)t->id);
  lua_pop(L, 1);
}

int neap__task_results(lua_State *L, struct neap__task *t) {
  int n = t->state == TASK_FAILED ? 1 : lua_gettop(t->L);
  luaL_checkstack(L, n, NULL);
  if (!lua_checkstack(t->L, n)) luaL_error(L, "too many results of a task");
  int first = lua_gettop(t->L) - n + 1;
  for (int i = 0; i < n; i++) lua_pushvalue(t->L, first + i);
  lua_xmove(t->L, L, n);
  return n;
}

int neap__task_raise(lua_State *L, struct neap__task *t) {
  neap__task_results(L, t);
  if (lua_istable(L, -1) && neap__error_kind(L, -1) < 0) {
    lua_pushliteral(L, "cause");
    if (lua_rawget(L, -2) == LUA_TNIL) lua_pop(L, 1);
  }
  return lua_error(L);
}

// Finishes what its ending needs memory for: the error object, and who gets to see it.
static int settle(lua_State *L) {
  struct neap__task *t = lua_touserdata(L, 1);
  lua_State *T = t->L;
  lua_xmove(T, L, 1);
  if (t->killed) neap__kill_wrap(L, t);
  neap__error_wrap(L);
  lua_pushvalue(L, -1);
  lua_xmove(L, T, 1);
  if (!t->observed && t->killed != KILL_EXIT) neap__failure_new(L, t);
  return 0;
}

// What a script has started ends with it when all that it may spend is spent.
static void end_group(neap *h, const struct neap__task *spender) {
  for (struct neap__task *t = h->tasks, *next; t; t = next) {
    next = t->live_next;
    if (t->spent == spender->spent) neap__task_cancel(t);
  }
}

static void task_ended(neap *h, lua_State *L, struct neap__task *t, int status) {
  if (status != LUA_OK) t->state = TASK_FAILED;  // memory was too short even for its base
  unlink_live(h, t);
  if (h->live == 0) {  // the host may be given more to do
    h->ending = false;
    h->stop = 0;
  }
  neap__timer_stop(h, &t->timer);
  neap__timer_stop(h, &t->life);
  if (t->killed == KILL_INSTRUCTIONS) end_group(h, t);
  if (t->killed == KILL_MEMORY) neap__collect_all(h);  // what it held outside of Lua goes with its objects
  h->refused.nsize = 0;
  if (t->state == TASK_FAILED) {
    h->overdraft = 1 << 16;
    lua_pushcfunction(L, settle);
    neap__task_find(L, t->id);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
      lua_xmove(L, t->L, 1);
      h->failed = h->failed || !t->observed;
    }
    h->overdraft = 0;
  }
  if (t->nursery) neap__nursery_ended(t->nursery, t);
  neap__op_done(&t->op);
  if (!t->kept) neap__task_forget(L, t);
}

static void resume(neap *h, lua_State *L, struct neap__task *t) {
  struct neap__task *task = h->task;
  lua_State *running = h->running;
  bool parkable = h->parkable;
  int n = t->nargs, results;
  if (!task) h->stack = __builtin_frame_address(0);
  h->task = t;
  h->running = t->L;
  h->parkable = true;
  t->state = TASK_RUNNING;
  t->nargs = 0;
  t->yielded = false;
  if (h->limited || h->stepping || h->stop) neap__limits_resume(h, t);
  int status = lua_resume(t->L, L, n, &results);
  h->task = task;
  h->running = running;
  h->parkable = parkable;
  if (!task) h->stack = NULL;
  if (status != LUA_YIELD)
    task_ended(h, L, t, status);
  else if (t->state == TASK_RUNNING)
    t->state = TASK_PARKED;
}

void neap__task_run_ready(neap *h, lua_State *L) {
  if (h->stop && !h->ending) neap__task_cancel_all(h);
  if (!h->stepping) neap__task_wake_later(h);
  for (size_t n = h->nready; n > 0 && h->ready; n--) {
    resume(h, L, dequeue(h, n < h->nready ? n : h->nready));
    if (!h->stepping) continue;
    neap__collect_pay(h);
    if (neap__now_us() >= h->step_ends) return;
  }
}

// ---- The object in Lua ----

static int awaited(lua_State *L, int status, lua_KContext ctx) {
  struct neap__task *t = lua_touserdata(L, 1);
  (void)status;
  (void)ctx;
  neap__failure_seen(t);
  return t->state == TASK_FAILED ? neap__task_raise(L, t) : neap__task_results(L, t);
}

// task:await() -> what its function returned
//   Waits until the task has ended; raises its error.
static int task_await(lua_State *L) {
  struct neap__task *t = neap__task_check(L, 1);
  if (t == t->op.host->task) return neap__fail(L, NEAP_USAGE, "a task cannot wait for itself");
  lua_settop(L, 1);
  check_ends(L, t->op.host, &t->op);
  t->observed = true;
  return neap__await(L, 1, 0, awaited);
}

// task:cancel()
//   Its present wait, and every later one, raises `cancelled`.
static int task_cancel(lua_State *L) {
  neap__task_cancel(neap__task_check(L, 1));
  return 0;
}

static int task_tostring(lua_State *L) {
  static const char *const names[] = {"ready", "running", "waiting", "done", "failed"};
  struct neap__task *t = neap__task_check(L, 1);
  lua_pushfstring(L, "task %I (%s)", (lua_Integer)t->id, names[t->state]);
  return 1;
}

static const luaL_Reg methods[] = {{"await", task_await}, {"cancel", task_cancel}, {NULL, NULL}};

void neap__task_open(lua_State *L) {
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &tasks_key);
  luaL_newmetatable(L, TASK_TYPE);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, task_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "task");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}
