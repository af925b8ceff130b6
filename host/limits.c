// limits.c: instructions, slices and kills. A count hook looks every STEP instructions; it is set only where a limit or a
// signal asks for it.
#include <pthread.h>
#include <time.h>

#include "state.h"

enum {
  STEP = 1000,   // instructions between two looks
  SWITCH = 100,  // charged for each resume and yield, so that coroutines too short for the hook pay as well
  ROW = 10       // for each row or value that a loop in C goes over
};
#define STOP_AGAIN_US 50000  // a task that was told to stop may clean up this long before it is told again

int64_t neap__now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void hook(lua_State *L, lua_Debug *ar);

void neap__limits_rearm(lua_State *L) {
  lua_sethook(L, hook, LUA_MASKCOUNT, 1);
}

int neap__kill(lua_State *L, enum neap__kill why) {
  neap *h = neap__host(L);
  if (h->task) h->task->killed = why;
  neap__limits_rearm(L);
  lua_pushlightuserdata(L, h);  // what it says is made at the end, when there is memory again
  return lua_error(L);
}

void neap__kill_wrap(lua_State *L, struct neap__task *t) {
  const neap_options *o = &t->op.host->options;
  struct neap__error e;
  if (neap__error_kind(L, -1) >= 0) return;
  switch (t->killed) {
    case KILL_NONE: return;
    case KILL_INSTRUCTIONS:
      neap__error_set(&e, NEAP_LIMIT, "the script ran more than %llu instructions, which is its limit",
                      (unsigned long long)o->max_instructions);
      break;
    case KILL_MEMORY:
      neap__error_set(&e, NEAP_LIMIT, "the scripts need more than %zu bytes of memory, which is their limit",
                      o->max_memory);
      break;
    case KILL_EXIT: neap__error_set(&e, NEAP_CANCELLED, "the script called os.exit"); break;
    case KILL_CLOSE: neap__error_set(&e, NEAP_CANCELLED, "the host closes"); break;
  }
  lua_pop(L, 1);
  neap__error_push(L, &e);
}

static void charge(lua_State *L, neap *h, struct neap__task *t, unsigned n) {
  uint64_t max = h->options.max_instructions;
  t->instructions += n;
  if (max && t->instructions > max) neap__kill(L, KILL_INSTRUCTIONS);
}

static void told_to_stop(lua_State *L, neap *h, struct neap__task *t) {
  int64_t now = neap__now_us();
  if (t->cancelled && now - h->stopped_at < STOP_AGAIN_US) return;
  h->stopped_at = now;
  t->cancelled = true;
  neap__fail(L, NEAP_CANCELLED, "the program was told to stop");
}

// The slice of a task is over: it goes on in the next turn, unless it was cancelled.
static void suspend(lua_State *L, neap *h, struct neap__task *t) {
  if (t->cancelled) neap__fail(L, NEAP_CANCELLED, "the task was cancelled");
  if (!h->parkable || L != h->running || !lua_isyieldable(L)) return;
  neap__task_suspend(t);
  lua_yield(L, 0);
}

static void hook(lua_State *L, lua_Debug *ar) {
  neap *h = neap__host(L);
  struct neap__task *t = h->task;
  (void)ar;
  if (t && t->killed) neap__kill(L, t->killed);
  if (lua_gethookcount(L) != STEP) {  // armed by a signal
    if (h->limited || h->stop || h->close_by)
      lua_sethook(L, hook, LUA_MASKCOUNT, STEP);
    else
      lua_sethook(L, NULL, 0, 0);
  }
  if (!t) return;
  if (h->close_by && neap__now_us() >= h->close_by) neap__kill(L, KILL_CLOSE);
  if (h->stop) told_to_stop(L, h, t);
  charge(L, h, t, STEP);
  if (h->pause_at != INT64_MAX && h->options.slice_us && neap__now_us() >= h->pause_at) suspend(L, h, t);
}

void neap__limits_resume(neap *h, struct neap__task *t) {
  int64_t slice = h->options.slice_us ? neap__now_us() + h->options.slice_us : INT64_MAX;
  h->pause_at = h->stepping && h->step_ends < slice ? h->step_ends : slice;
  t->instructions += SWITCH;
  if (h->stop) neap__limits_rearm(t->L);
}

void neap__limits_charge(lua_State *L, lua_State *co) {
  neap *h = neap__host(L);
  if (!h->task) return;
  if (h->task->killed) neap__kill(L, h->task->killed);
  if (h->stop) neap__limits_rearm(co);
  charge(L, h, h->task, SWITCH);
}

void neap__limits_work(lua_State *L, unsigned n) {
  neap *h = neap__host(L);
  if (h->task && h->limited) charge(L, h, h->task, n);
}

bool neap__limits_spend(neap *h, unsigned rows) {
  uint64_t max = h->options.max_instructions;
  if (!max) return false;
  h->task->instructions += (uint64_t)rows * ROW;
  if (h->task->instructions <= max) return false;
  h->task->killed = KILL_INSTRUCTIONS;
  return true;
}

void neap__charge(lua_State *L, unsigned rows) {
  neap *h = neap__host(L);
  if (h && h->task && neap__limits_spend(h, rows)) neap__limits_rearm(L);
}

void neap__limits_open(neap *h, lua_State *L) {
  h->pause_at = INT64_MAX;
  h->limited = h->options.max_instructions || h->options.slice_us;
  if (h->limited) lua_sethook(L, hook, LUA_MASKCOUNT, STEP);
}

// What computes is interrupted by its hook, what waits by the loop. From another thread no hook can be set: there it takes one
// that limits have set.
void neap_stop(neap *h) {
  if (!h || !h->events) return;
  atomic_store(&h->stop, 1);
  if (atomic_load(&h->thread) == (uintptr_t)pthread_self() && h->running) neap__limits_rearm(h->running);
  neap__loop_wake(h);
}
