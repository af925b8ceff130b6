// nursery.c: what scripts do with tasks: spawn, all, race, timeout, sleep, try.
//
// A nursery is the operation that the parent waits for. It is done when every child has ended, whatever they do.
#include <stdlib.h>

#include "state.h"

#define NURSERY_TYPE "neap.nursery"
#define SLEEP_TYPE "neap.sleep"
#define MAX_CHILDREN 100000000

enum mode { ALL, RACE, TIMEOUT };

struct neap__nursery {
  struct neap__op op;
  enum mode mode;
  bool timed_out;
  size_t pending;
  struct neap__task *children;  // that have not ended; user value 1 holds all, in order
  struct neap__task *decider;   // the first that failed (ALL) or ended
  struct neap__timer timer;
};

static int nothing(lua_State *L, int status, lua_KContext ctx) {
  (void)L;
  (void)status;
  (void)ctx;
  return 0;
}

// neap.spawn(f, ...) -> task
//   Starts f(...) as a task of its own, with a clean context but for what belongs to the job. Raises `limit` where there are too many.
static int host_spawn(lua_State *L) {
  neap__arg_function(L, 1, "f");
  struct neap__task *t = neap__task_new(L, lua_gettop(L) - 1);
  neap__context_pass(L, t->L);
  return 1;
}

// ---- Nurseries ----

static void cancel_children(struct neap__nursery *n) {
  for (struct neap__task *t = n->children, *next; t; t = next) {
    next = t->sibling;
    neap__task_cancel(t);
  }
}

static void nursery_cancel(struct neap__op *op) {
  cancel_children((struct neap__nursery *)op);
}

// The only child that is left. Of several, any may be what the nursery waits for.
static neap_task nursery_needs(const struct neap__op *op, const char **why) {
  const struct neap__nursery *n = (const struct neap__nursery *)op;
  (void)why;
  return n->pending == 1 ? n->children->id : 0;
}

static void adopt(struct neap__nursery *n, struct neap__task *t) {
  t->nursery = n;
  t->observed = true;
  t->sibling = n->children;
  t->sibling_prev = &n->children;
  if (t->sibling) t->sibling->sibling_prev = &t->sibling;
  n->children = t;
  n->pending++;
}

static void leave(struct neap__task *t) {
  *t->sibling_prev = t->sibling;
  if (t->sibling) t->sibling->sibling_prev = t->sibling_prev;
  t->nursery = NULL;
}

void neap__nursery_ended(struct neap__nursery *n, struct neap__task *child) {
  leave(child);
  n->pending--;
  if (!n->decider && (n->mode != ALL || child->state == TASK_FAILED)) {
    n->decider = child;
    cancel_children(n);
  }
  if (n->pending > 0) return;
  neap__timer_stop(n->op.host, &n->timer);
  neap__op_done(&n->op);
}

static int nursery_gc(lua_State *L) {
  struct neap__nursery *n = lua_touserdata(L, 1);
  cancel_children(n);
  while (n->children) leave(n->children);
  neap__timer_stop(n->op.host, &n->timer);
  return 0;
}

// Pushes a nursery with an empty list of children.
static struct neap__nursery *nursery_new(lua_State *L, enum mode mode, int size) {
  struct neap__nursery *n = neap__op_new(L, sizeof *n, NURSERY_TYPE, 1);
  n->mode = mode;
  n->op.cancel = nursery_cancel;
  n->op.needs = nursery_needs;
  lua_createtable(L, size, 0);
  lua_setiuservalue(L, -2, 1);
  return n;
}

// Pops a function and its arguments and starts them as the i-th child of the nursery at index 1.
static void start(lua_State *L, struct neap__nursery *n, int nargs, int i) {
  struct neap__task *t = neap__task_new(L, nargs);
  adopt(n, t);
  neap__context_inherit(L, t->L);
  lua_getiuservalue(L, 1, 1);
  lua_insert(L, -2);
  lua_rawseti(L, -2, i);
  lua_pop(L, 1);
}

static int decided(lua_State *L, int status, lua_KContext ctx) {
  struct neap__nursery *n = lua_touserdata(L, 1);
  (void)status;
  (void)ctx;
  if (n->decider->state != TASK_FAILED) return neap__task_results(L, n->decider);
  if (n->timed_out) return neap__fail(L, NEAP_TIMEOUT, "timed out after %.14g s", n->op.seconds);
  return neap__task_raise(L, n->decider);
}

// The first result of each child, in order.
static int all_ended(lua_State *L, int status, lua_KContext ctx) {
  struct neap__nursery *n = lua_touserdata(L, 1);
  if (n->decider) return decided(L, status, ctx);
  lua_getiuservalue(L, 1, 1);
  int size = (int)lua_rawlen(L, -1), children = lua_gettop(L);
  lua_createtable(L, size, 0);
  for (int i = 1; i <= size; i++) {
    lua_rawgeti(L, children, i);
    int results = neap__task_results(L, lua_touserdata(L, -1));
    lua_settop(L, children + 2 + (results > 0));
    if (results > 0) lua_rawseti(L, children + 1, i);
    lua_settop(L, children + 1);
  }
  return 1;
}

// Checks the list of functions at index 1 and gives its length.
static int check_functions(lua_State *L, const char *what) {
  neap__arg_table(L, 1, what);
  lua_Integer n = luaL_len(L, 1);
  if (n > MAX_CHILDREN) neap__fail(L, NEAP_LIMIT, "%lld functions are too many to run at a time", (long long)n);
  for (lua_Integer i = 1; i <= n; i++) {
    neap__limits_work(L, 1);
    lua_geti(L, 1, i);
    neap__arg_function(L, -1, what);
    lua_settop(L, 1);
  }
  return n > 0 ? (int)n : 0;
}

// Who has been cancelled begins nothing more: it could not wait for that to end.
static void check_cancelled(lua_State *L) {
  const struct neap__task *t = neap__host(L)->task;
  if (t && t->cancelled) neap__fail(L, NEAP_CANCELLED, "the task was cancelled");
}

// Starts the functions in the list at index 1; leaves their nursery there instead.
static struct neap__nursery *start_list(lua_State *L, enum mode mode, int size) {
  check_cancelled(L);
  struct neap__nursery *n = nursery_new(L, mode, size);
  lua_insert(L, 1);
  lua_toclose(L, 1);  // those that have begun do not go on without it
  for (int i = 1; i <= size; i++) {
    lua_geti(L, 2, i);
    start(L, n, 0, i);
  }
  lua_settop(L, 1);
  return n;
}

// neap.all{ f, g, ... } -> list of their first results, in order
//   Runs the functions side by side. The first error cancels the others and is raised when all have ended.
static int host_all(lua_State *L) {
  int size = check_functions(L, "each element of neap.all");
  if (size == 0) return lua_newtable(L), 1;
  start_list(L, ALL, size);
  return neap__await(L, 1, 0, all_ended);
}

// neap.race{ f, g, ... } -> what the first to end returned
//   Cancels the others, and returns (or raises) when all have ended.
static int host_race(lua_State *L) {
  int size = check_functions(L, "each element of neap.race");
  if (size == 0) return neap__fail(L, NEAP_USAGE, "neap.race needs at least one function");
  start_list(L, RACE, size);
  return neap__await(L, 1, 0, decided);
}

static void time_out(struct neap__timer *timer) {
  struct neap__nursery *n = (struct neap__nursery *)((char *)timer - offsetof(struct neap__nursery, timer));
  n->timed_out = true;
  cancel_children(n);
}

int64_t neap__deadline(neap *h, double *seconds) {
  int64_t at = 0;
  for (const struct neap__task *t = h->task; t && t->nursery; t = t->nursery->op.waiter) {
    const struct neap__timer *timer = &t->nursery->timer;
    if (timer->active && (at == 0 || timer->at < at)) at = timer->at, *seconds = t->nursery->op.seconds;
  }
  return at;
}

// neap.timeout(seconds, f, ...) -> what f returned
//   Cancels f when the time is over, and raises `timeout` when it has ended.
static int host_timeout(lua_State *L) {
  lua_Number seconds = neap__arg_seconds(L, 1, "seconds");
  neap__arg_function(L, 2, "f");
  check_cancelled(L);
  struct neap__nursery *n = nursery_new(L, TIMEOUT, 1);
  lua_replace(L, 1);
  lua_toclose(L, 1);
  start(L, n, lua_gettop(L) - 2, 1);
  n->op.seconds = seconds;
  neap__timer_start(n->op.host, &n->timer, neap__deadline_in(n->op.host, seconds), time_out);
  return neap__await(L, 1, 0, decided);
}

// ---- Sleep and try ----

struct sleep {
  struct neap__op op;
  struct neap__timer timer;
};

static void sleep_over(struct neap__timer *timer) {
  neap__op_done(&((struct sleep *)((char *)timer - offsetof(struct sleep, timer)))->op);
}

static void sleep_cancel(struct neap__op *op) {
  neap__timer_stop(op->host, &((struct sleep *)op)->timer);
  neap__op_done(op);
}

static int sleep_gc(lua_State *L) {
  struct sleep *s = lua_touserdata(L, 1);
  neap__timer_stop(s->op.host, &s->timer);
  return 0;
}

// neap.sleep(seconds)
//   0 lets the other tasks run.
static int host_sleep(lua_State *L) {
  lua_Number seconds = neap__arg_seconds(L, 1, "seconds");
  if (seconds == 0) return neap__pause(L, 0, nothing);
  struct sleep *s = neap__op_new(L, sizeof *s, SLEEP_TYPE, 0);
  s->op.cancel = sleep_cancel;
  neap__timer_start(s->op.host, &s->timer, neap__deadline_in(s->op.host, seconds), sleep_over);
  return neap__await(L, lua_gettop(L), 0, nothing);
}

static int tried(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L);
  neap__recheck(L, status);
  if (!lua_istable(L, -1) && lua_type(L, -1) != LUA_TUSERDATA)
    neap__error_wrap(L);  // what a script made stays as it is
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

// neap.try(f, ...) -> what f returned, or nil and the error object, or the table that the script raised
static int host_try(lua_State *L) {
  neap__arg_function(L, 1, "f");
  return tried(L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, tried), 0);
}

// neap.install()
//   In a stock Lua: puts neap's pcall, xpcall, require and coroutine functions in place of Lua's, so that waits pass through
//   them. In neap's own states they are there already.
static int host_install(lua_State *L) {
  if (!neap__host(L)->owned) {
    neap__coroutine_install(L);
    neap__module_install(L);
  }
  return 0;
}

// host.check("table" | "count" | "function", value, name)
//   For the parts of neap that are written in Lua: raises `usage`, naming the argument.
static int host_check(lua_State *L) {
  static const char *const kinds[] = {"table", "count", "function", NULL};
  const char *name = luaL_checkstring(L, 3);
  switch (luaL_checkoption(L, 1, NULL, kinds)) {
    case 0: neap__arg_table(L, 2, name); break;
    case 1: neap__arg_integer(L, 2, name, 1, LUA_MAXINTEGER); break;
    default: neap__arg_function(L, 2, name);
  }
  return 0;
}

// host.tasks() -> how many have not ended
static int host_tasks(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)neap__host(L)->live);
  return 1;
}

// host.getenv(name) -> string
//   For the parts of neap that are written in Lua, where scripts have no os.getenv.
static int host_getenv(lua_State *L) {
  lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
  return 1;
}

static const luaL_Reg functions[] = {
    {"spawn", host_spawn},
    {"all", host_all},
    {"race", host_race},
    {"timeout", host_timeout},
    {"sleep", host_sleep},
    {"tasks", host_tasks},
    {"try", host_try},
    {"is", neap__error_is},
    {"error", neap__error_new},
    {"check", host_check},
    {"show", neap__show},
    {"show_key", neap__show_bare},
    {"install", host_install},
    {"getenv", host_getenv},
    {"granted", neap__sandbox_granted},
    {"has_module", neap__module_exists},
    {"sources", neap__module_sources},
    {"log_format", neap__log_format},
    {"log_write", neap__log_write},
    {NULL, NULL},
};

static void finalized(lua_State *L, const char *tname, lua_CFunction gc) {
  luaL_newmetatable(L, tname);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}

int luaopen_neap_host(lua_State *L) {
  finalized(L, NURSERY_TYPE, nursery_gc);
  finalized(L, SLEEP_TYPE, sleep_gc);
  luaL_newlib(L, functions);
  return 1;
}
