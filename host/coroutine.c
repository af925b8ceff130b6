// coroutine.c: resume, wrap, close, pcall and xpcall that let waits and kills through, and the context of coroutines.
//
// A task is a chain of coroutines. When the innermost waits, each resume on the way yields too, until the scheduler is
// reached; when the wait is over, each goes on in its continuation and resumes the next. So a wait needs no cooperation
// from the scripts in between.
#include "state.h"

#define MAX_CLOSES 200  // coroutines that close each other; 5.4.4 does not count them, and so overflows the stack of C
#define MAX_STACK (256 << 10)  // bytes of it below the task that runs, which grows downwards

static const char contexts_key = 0;  // registry: weak table, coroutine -> context
const char neap__context_job = 0;

// ---- Context ----

void neap__context_push(lua_State *L) {
  if (!neap__host(L)->contexts) {
    lua_pushnil(L);
    return;
  }
  luaL_checkstack(L, 3, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &contexts_key);
  lua_pushthread(L);
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

// Pops a value and makes it the context of co, a coroutine at the top of the stack below it, which is popped as well.
static void context_assign(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &contexts_key);
  lua_insert(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

void neap__context_set(lua_State *L) {
  luaL_checkstack(L, 3, NULL);
  neap__host(L)->contexts = true;
  lua_pushthread(L);
  lua_insert(L, -2);
  context_assign(L);
}

void neap__context_put(lua_State *L, const void *key) {
  luaL_checkstack(L, 5, NULL);
  neap__context_push(L);
  lua_newtable(L);
  int made = lua_gettop(L), from = made - 1, value = made - 2;
  if (lua_istable(L, from))
    for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
      lua_pushvalue(L, -2);
      lua_pushvalue(L, -2);
      lua_rawset(L, made);
    }
  lua_pushvalue(L, value);
  lua_rawsetp(L, made, key);
  neap__context_set(L);
  lua_settop(L, value - 1);
}

void neap__context_pass(lua_State *L, lua_State *co) {
  if (!neap__host(L)->contexts) return;
  int top = lua_gettop(L);
  luaL_checkstack(L, 6, NULL);
  neap__context_push(L);
  if (lua_istable(L, -1) && lua_rawgetp(L, -1, &neap__context_job) != LUA_TNIL) {
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, -3);
    lua_rawsetp(L, -2, &neap__context_job);
    context_assign(L);
  }
  lua_settop(L, top);
}

void neap__context_inherit(lua_State *L, lua_State *co) {
  if (!neap__host(L)->contexts) return;
  luaL_checkstack(L, 4, NULL);
  lua_pushthread(co);
  lua_xmove(co, L, 1);
  neap__context_push(L);
  context_assign(L);
}

// ---- Protected calls ----

void neap__recheck(lua_State *L, int status) {
  neap *h = neap__host(L);
  struct neap__task *t = h->task;
  if (!t) return;
  if (!t->killed && h->options.max_memory && (status == LUA_ERRMEM || h->refused.nsize)) t->killed = KILL_MEMORY;
  if (!t->killed) return;
  bool own = status != LUA_ERRMEM && lua_touserdata(L, -1) != h;  // raised by a handler that cleans up
  if (own && !neap__limits_must_end(t)) return;
  neap__limits_raised(h, t);
  neap__limits_rearm(L);
  lua_error(L);
}

static int called(lua_State *L, int status, lua_KContext skip) {
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - (int)skip;
  neap__recheck(L, status);
  lua_pushboolean(L, 0);
  lua_pushvalue(L, -2);
  return 2;
}

static int base_pcall(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  return called(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, called), 0);
}

// Stands before a script's message handler, which a killed task does not run.
static int handler(lua_State *L) {
  neap *h = neap__host(L);
  if (h->task && (h->task->killed || h->refused.nsize)) return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

static int base_xpcall(lua_State *L) {
  neap *h = neap__host(L);
  int n = lua_gettop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (h->limited || h->options.max_memory) {
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handler, 1);
    lua_replace(L, 2);
  }
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);
  return called(L, lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, called), 2);
}

// ---- Coroutines ----

enum { NOT_DONE = -2, FAILED = -1 };  // what step gives besides a number of results

static lua_State *coroutine_at(lua_State *L, int idx) {
  lua_State *co = lua_tothread(L, idx);
  if (!co) neap__fail(L, NEAP_USAGE, "a coroutine is needed, not %s", neap__show_value(L, idx).text);
  return co;
}

// Whether co is in the middle of a wait: then only the scheduler may go on with it.
static bool waits(neap *h, lua_State *co) {
  lua_Debug ar;
  if (lua_status(co) != LUA_YIELD) return false;
  if (lua_gettop(co) > 0 && lua_touserdata(co, -1) == h) return true;
  return h->options.slice_us && lua_getstack(co, 0, &ar) && lua_getinfo(co, "S", &ar) && *ar.what != 'C';
}

// Why co cannot be resumed, or NULL.
static const char *unresumable(neap *h, lua_State *L, lua_State *co) {
  if (co == L) return "cannot resume non-suspended coroutine";
  if (waits(h, co)) return "cannot resume a coroutine that waits for an operation";
  if (lua_status(co) == LUA_YIELD) return NULL;
  lua_Debug ar;
  if (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar)) return "cannot resume non-suspended coroutine";
  return lua_status(co) == LUA_OK && lua_gettop(co) > 0 ? NULL : "cannot resume dead coroutine";
}

// Resumes co, whose arguments are on its stack. Returns how many results it left there, FAILED (the error is there), or
// NOT_DONE if it waits: then L has to yield as well.
static int step(lua_State *L, lua_State *co, int nargs) {
  neap *h = neap__host(L);
  lua_State *running = h->running;
  bool parkable = h->parkable;
  int n;
  if (h->limited || h->stop) neap__limits_charge(L, co);
  h->parkable = parkable && L == running && lua_isyieldable(L);
  h->running = co;
  int status = lua_resume(co, L, nargs, &n);
  h->running = running;
  h->parkable = parkable;
  if (status == LUA_OK) return n;
  if (status == LUA_YIELD) return h->task && h->task->yielded ? NOT_DONE : n;
  lua_xmove(co, L, 1);
  neap__recheck(L, status);
  lua_xmove(L, co, 1);
  return FAILED;
}

// Moves what step left on co to L.
static void move(lua_State *L, lua_State *co, int n) {
  if (!lua_checkstack(L, n + 1)) {
    lua_pop(co, n);
    luaL_error(L, "too many results to resume");
  }
  lua_xmove(co, L, n);
}

// Yields towards the scheduler, with the mark of a coroutine that waits.
static int pass_wait(lua_State *L, lua_KFunction k) {
  luaL_checkstack(L, 1, NULL);
  lua_pushlightuserdata(L, neap__host(L));
  return lua_yieldk(L, 1, 0, k);
}

static int resumed(lua_State *L, int status, lua_KContext ctx);

// The results of a resume as coroutine.resume gives them.
static int resume_step(lua_State *L, lua_State *co, int nargs) {
  int n = step(L, co, nargs);
  if (n == NOT_DONE) return pass_wait(L, resumed);
  lua_pushboolean(L, n != FAILED);
  move(L, co, n == FAILED ? 1 : n);
  return n == FAILED ? 2 : n + 1;
}

static int resumed(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  lua_settop(L, 1);
  return resume_step(L, lua_tothread(L, 1), 0);
}

static int co_resume(lua_State *L) {
  lua_State *co = coroutine_at(L, 1);
  int nargs = lua_gettop(L) - 1;
  const char *why = unresumable(neap__host(L), L, co);
  if (!why && !lua_checkstack(co, nargs)) why = "too many arguments to resume";
  if (why) {
    lua_pushboolean(L, 0);
    lua_pushstring(L, why);
    return 2;
  }
  lua_xmove(L, co, nargs);
  return resume_step(L, co, nargs);
}

static int wrap_resumed(lua_State *L, int status, lua_KContext ctx);

// The same as the function of coroutine.wrap gives them: errors are raised, and end the coroutine.
static int wrap_step(lua_State *L, lua_State *co, int nargs) {
  int n = step(L, co, nargs);
  if (n == NOT_DONE) return pass_wait(L, wrap_resumed);
  if (n != FAILED) return move(L, co, n), n;
  lua_resetthread(co);
  move(L, co, 1);
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int wrap_resumed(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  lua_settop(L, 0);
  return wrap_step(L, lua_tothread(L, lua_upvalueindex(1)), 0);
}

static int wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int nargs = lua_gettop(L);
  const char *why = unresumable(neap__host(L), L, co);
  if (!why && !lua_checkstack(co, nargs)) why = "too many arguments to resume";
  if (why) return luaL_error(L, "%s", why);
  lua_xmove(L, co, nargs);
  return wrap_step(L, co, nargs);
}

static int co_create(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  neap__context_inherit(L, co);
  return 1;
}

static int co_wrap(lua_State *L) {
  co_create(L);
  lua_pushcclosure(L, wrapped, 1);
  return 1;
}

// True in the body of a task, or outside of tasks: there is nobody to yield to.
static bool outermost(neap *h, lua_State *L) {
  if (h->task) return L == h->task->L;
  bool main = lua_pushthread(L);
  lua_pop(L, 1);
  return main;
}

static int co_yield (lua_State *L) {
  neap *h = neap__host(L);
  if (h->task && L == h->task->L) return luaL_error(L, "attempt to yield from outside a coroutine");
  if (h->limited) neap__limits_charge(L, L);
  return lua_yield(L, lua_gettop(L));
}

static const char *status_of(lua_State *L, lua_State *co) {
  neap *h = neap__host(L);
  lua_Debug ar;
  if (co == L) return "running";
  if (waits(h, co)) return "normal";
  if (lua_status(co) == LUA_YIELD) return "suspended";
  if (lua_status(co) != LUA_OK) return "dead";
  if (lua_getstack(co, 0, &ar)) return "normal";
  return lua_gettop(co) == 0 ? "dead" : "suspended";
}

static int co_status(lua_State *L) {
  lua_pushstring(L, status_of(L, coroutine_at(L, 1)));
  return 1;
}

static int co_running(lua_State *L) {
  bool main = outermost(neap__host(L), L);
  lua_settop(L, 0);
  lua_pushthread(L);
  lua_pushboolean(L, main);
  return 2;
}

static int co_isyieldable(lua_State *L) {
  lua_State *co = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
  bool main = outermost(neap__host(L), co);
  lua_pushboolean(L, !main && lua_isyieldable(co));
  return 1;
}

// Whether closing one more coroutine might overflow the stack of C.
static bool too_deep(const neap *h) {
  const char *here = __builtin_frame_address(0);
  return h->closes >= MAX_CLOSES || (h->stack && h->stack - here > MAX_STACK);
}

// Its __close functions cannot yield while Lua closes it, so their waits pump the loop.
static int co_close(lua_State *L) {
  neap *h = neap__host(L);
  lua_State *co = coroutine_at(L, 1), *running = h->running;
  const char *status = status_of(L, co);
  bool parkable = h->parkable;
  if (waits(h, co)) return luaL_error(L, "cannot close a coroutine that waits for an operation");
  if (*status != 's' && *status != 'd') return luaL_error(L, "cannot close a %s coroutine", status);
  if (too_deep(h)) return luaL_error(L, "C stack overflow");
  if (h->limited) neap__limits_charge(L, co);
  h->running = co;
  h->parkable = false;
  h->closes++;
  int result = lua_resetthread(co);
  h->closes--;
  h->running = running;
  h->parkable = parkable;
  lua_pushboolean(L, result == LUA_OK);
  if (result == LUA_OK) return 1;
  lua_xmove(co, L, 1);
  neap__recheck(L, result);
  return 2;
}

static const luaL_Reg coroutines[] = {
    {"create", co_create},   {"resume", co_resume},           {"wrap", co_wrap},
    {"yield", co_yield },    {"status", co_status},           {"close", co_close},
    {"running", co_running}, {"isyieldable", co_isyieldable}, {NULL, NULL},
};

static const luaL_Reg base[] = {{"pcall", base_pcall}, {"xpcall", base_xpcall}, {NULL, NULL}};

void neap__coroutine_install(lua_State *L) {
  lua_pushglobaltable(L);
  luaL_setfuncs(L, base, 0);
  lua_getfield(L, -1, "coroutine");
  luaL_setfuncs(L, coroutines, 0);
  lua_pop(L, 2);
}

void neap__coroutine_open(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &contexts_key);
}
