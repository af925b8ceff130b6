// limits.c: instructions, slices and kills. A count hook looks every STEP instructions; it is set only where a limit or a
// signal asks for it.
//
// One instruction may take long: it compares two texts of megabytes, or copies all arguments of a call. So looks come closer
// together while they find that much time has passed, and CPU time counts as well: a microsecond is an instruction at least.
#include <pthread.h>
#include <time.h>

#include "state.h"

enum {
  STEP = 100,    // instructions between two looks
  SWITCH = 100,  // charged for each resume and yield, so that coroutines too short for the hook pay as well
  ROW = 10       // for each row or value that a loop in C goes over
};
#define CLEAN 10000          // instructions, or us, that handlers of a killed task may clean up
#define CLEAN_SECONDS 1      // that they may wait
#define TELL_AGAIN 20        // slices
#define STOP_AGAIN_US 50000  // a task that was told to stop may clean up this long before it is told again
#define LONG_US 200          // between two looks: then the next one comes sooner

int64_t neap__now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void hook(lua_State *L, lua_Debug *ar);

void neap__limits_rearm(lua_State *L) {
  lua_sethook(L, hook, LUA_MASKCOUNT, 1);
}

// A killed task whose __close functions may still run.
static bool cleans(const struct neap__task *t) {
  return t->raised && t->cleaned < CLEAN;
}

static void end_life(struct neap__timer *timer);

bool neap__limits_must_end(const struct neap__task *t) {
  return t->killed && !cleans(t);
}

void neap__limits_raised(neap *h, struct neap__task *t) {
  if (t->raised) return;
  t->raised = true;
  if (t->op.done)
    t->cleaned = CLEAN;  // it has ended: this is its result, which costs too much as JSON
  else
    neap__timer_start(h, &t->life, neap__deadline_in(h, CLEAN_SECONDS), end_life);
}

int neap__kill(lua_State *L, enum neap__kill why) {
  neap *h = neap__host(L);
  if (h->task) h->task->killed = why;
  if (h->task) neap__limits_raised(h, h->task);
  neap__limits_rearm(L);
  lua_pushlightuserdata(L, h);  // what it says is made at the end, when there is memory again
  return lua_error(L);
}

bool neap__limits_killed(const struct neap__task *t) {
  return t->killed == KILL_INSTRUCTIONS || t->killed == KILL_MEMORY || t->killed == KILL_TIME;
}

void neap__kill_wrap(lua_State *L, struct neap__task *t) {
  const neap_options *o = &t->op.host->options;
  struct neap__error e;
  int kind = neap__error_kind(L, -1);
  if (kind == NEAP_LIMIT || (kind >= 0 && !neap__limits_killed(t))) return;
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
    case KILL_TIME:
      neap__error_set(&e, NEAP_LIMIT, "the script took longer than %.14g s, which is its limit", o->max_seconds);
      break;
    case KILL_EXIT: neap__error_set(&e, NEAP_CANCELLED, "the script called os.exit"); break;
    case KILL_CLOSE: neap__error_set(&e, NEAP_CANCELLED, "the host closes"); break;
  }
  lua_pop(L, 1);
  neap__error_push(L, &e);
}

static bool overspent(neap *h, struct neap__task *t, uint64_t n) {
  uint64_t max = h->options.max_instructions;
  *t->spent += n;
  return max && *t->spent > max;
}

static void charge(lua_State *L, neap *h, struct neap__task *t, uint64_t n) {
  if (t->killed && cleans(t))
    t->cleaned += n;
  else if (overspent(h, t, n))
    neap__kill(L, KILL_INSTRUCTIONS);
}

// What a killed task runs before its handlers have done too much, or before it was told.
static void after_kill(lua_State *L, neap *h, struct neap__task *t, int n) {
  if (!cleans(t)) neap__kill(L, t->killed);
  int64_t now = neap__now_us(), passed = now - h->looked_at;
  h->looked_at = now;
  t->cleaned += n > 1 && passed > n ? (uint64_t)passed : (uint64_t)n;
  lua_sethook(L, hook, LUA_MASKCOUNT, STEP);
}

// Charges for CPU time that the instructions since the last such look have not paid for.
static void charge_time(lua_State *L, neap *h, struct neap__task *t) {
  int64_t now = cpu_us();
  uint64_t used = (uint64_t)(now - h->cpu_at), paid = *t->spent - h->spent_at;
  bool known = h->cpu_at != 0;
  h->cpu_at = now;
  if (known && used > paid) charge(L, h, t, used - paid);
  h->spent_at = *t->spent;
}

// The clock at a look, and how many instructions it is to the next one.
static int64_t look(lua_State *L, neap *h, struct neap__task *t) {
  int64_t now = neap__now_us(), passed = now - h->looked_at;
  h->looked_at = now;
  if (passed > LONG_US) {
    h->interval = h->interval > 8 ? h->interval / 8 : 1;
    charge_time(L, h, t);
  } else if (h->interval < STEP) {
    h->interval = h->interval * 2 < STEP ? h->interval * 2 : STEP;
  }
  return now;
}

static void told_to_stop(lua_State *L, neap *h, struct neap__task *t) {
  int64_t now = neap__now_us();
  if (t->cancelled && now - h->stopped_at < STOP_AGAIN_US) return;
  h->stopped_at = now;
  t->cancelled = true;
  neap__fail(L, NEAP_CANCELLED, "the program was told to stop");
}

// The slice of a task is over: it goes on in the next turn. One that was cancelled is told so, once in so many slices that what
// cleans up meanwhile comes to its end.
static void suspend(lua_State *L, neap *h, struct neap__task *t) {
  if (t->cancelled && (t->told == 0 || t->told++ > TELL_AGAIN)) neap__task_fail_cancelled(L);
  if (!h->parkable || L != h->running || !lua_isyieldable(L)) return;
  neap__task_suspend(t);
  lua_yield(L, 0);
}

static void hook(lua_State *L, lua_Debug *ar) {
  neap *h = neap__host(L);
  struct neap__task *t = h->task;
  int n = lua_gethookcount(L);
  (void)ar;
  if (t && t->killed) {
    after_kill(L, h, t, n);
    return;
  }
  if (!h->limited && !h->stop && !h->close_by) {  // it was armed by a signal
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  if (!t) return;
  if (h->close_by && neap__now_us() >= h->close_by) neap__kill(L, KILL_CLOSE);
  if (h->stop) told_to_stop(L, h, t);
  charge(L, h, t, (uint64_t)n);
  int64_t now = look(L, h, t);
  if (t->life.at && now / 1000 >= t->life.at) neap__kill(L, KILL_TIME);
  if (n != h->interval) lua_sethook(L, hook, LUA_MASKCOUNT, h->interval);
  if (h->options.slice_us && now >= h->pause_at) suspend(L, h, t);
}

// Before L goes on: it may have been made when looks were further apart.
static void prepare(neap *h, lua_State *L) {
  if (h->stop || (h->task && h->task->killed))
    neap__limits_rearm(L);
  else if (h->limited && lua_gethookcount(L) != h->interval)
    lua_sethook(L, hook, LUA_MASKCOUNT, h->interval);
}

void neap__limits_resume(neap *h, struct neap__task *t) {
  int64_t now = neap__now_us(), slice = h->options.slice_us ? now + h->options.slice_us : INT64_MAX;
  h->pause_at = h->stepping && h->step_ends < slice ? h->step_ends : slice;
  h->looked_at = now;
  h->cpu_at = h->interval < STEP ? cpu_us() : 0;
  if (overspent(h, t, SWITCH) && !t->killed) t->killed = KILL_INSTRUCTIONS;
  h->spent_at = *t->spent;
  prepare(h, t->L);
}

void neap__limits_charge(lua_State *L, lua_State *co) {
  neap *h = neap__host(L);
  if (!h->task) return;
  if (neap__limits_must_end(h->task)) neap__kill(L, h->task->killed);
  prepare(h, co);
  charge(L, h, h->task, SWITCH);
}

void neap__limits_work(lua_State *L, uint64_t n) {
  neap *h = neap__host(L);
  if (h->task && h->limited) charge(L, h, h->task, n);
}

uint64_t neap__work_left(neap *h) {
  uint64_t max = h->options.max_instructions, spent = max && h->task ? *h->task->spent : 0;
  if (!max) return UINT64_MAX;
  return spent < max ? max - spent : 0;
}

// Ends the running task at its next instruction, or in its next protected call.
static void doom(neap *h, enum neap__kill why) {
  h->task->killed = why;
  if (h->running) neap__limits_rearm(h->running);
}

bool neap__work(neap *h, uint64_t n) {
  if (!h->task || !overspent(h, h->task, n)) return false;
  doom(h, KILL_INSTRUCTIONS);
  return true;
}

void neap__hold(neap *h, size_t *known, size_t bytes, bool over) {
  bool grown = bytes > *known;
  h->held += bytes - *known;
  *known = bytes;
  if (!h->task || !h->options.max_memory) return;
  if (over || (grown && h->memory + h->held > h->options.max_memory)) doom(h, KILL_MEMORY);
}

bool neap__limits_spend(neap *h, unsigned rows) {
  return h->options.max_instructions && neap__work(h, (uint64_t)rows * ROW);
}

void neap__charge(lua_State *L, unsigned rows) {
  neap *h = neap__host(L);
  if (h && h->task) neap__limits_spend(h, rows);
}

// A task that waits is woken for its end; one that computes is told by its hook.
static void end_life(struct neap__timer *timer) {
  struct neap__task *t = (struct neap__task *)((char *)timer - offsetof(struct neap__task, life));
  if (!t->killed) t->killed = KILL_TIME;
  if (t->raised) {
    t->cleaned = CLEAN;
    neap__task_cancel(t);
  }
  neap__task_interrupt(t);
}

void neap__limits_life(neap *h, struct neap__task *t) {
  if (h->options.max_seconds <= 0) return;
  int64_t at = h->task ? h->task->life.at : neap__deadline_in(h, h->options.max_seconds);
  neap__timer_start(h, &t->life, at, end_life);
}

void neap__limits_share(lua_State *L, struct neap__task *t) {
  struct neap__task *parent = t->op.host->task;
  if (parent) {
    neap__task_find(L, parent->id);
    lua_getiuservalue(L, -1, 4);
    lua_remove(L, -2);
    t->spent = lua_touserdata(L, -1);
  } else {
    t->spent = lua_newuserdatauv(L, sizeof *t->spent, 0);
    *t->spent = 0;
  }
  lua_setiuservalue(L, -2, 4);
}

void neap__limits_open(neap *h, lua_State *L) {
  h->pause_at = INT64_MAX;
  h->interval = STEP;
  h->limited = h->options.max_instructions || h->options.slice_us || h->options.max_seconds > 0;
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
