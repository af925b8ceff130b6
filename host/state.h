// state.h: what the files of the host share among themselves. host.h is what others see.
#ifndef NEAP_STATE_H
#define NEAP_STATE_H

#include <stdatomic.h>

#include "host.h"

// ---- Tasks (task.c) ----

enum neap__task_state { TASK_READY, TASK_RUNNING, TASK_PARKED, TASK_DONE, TASK_FAILED };

// Why a task must end, whatever its script does about it.
enum neap__kill { KILL_NONE, KILL_INSTRUCTIONS, KILL_MEMORY, KILL_TIME, KILL_EXIT, KILL_CLOSE };

struct neap__nursery;

// A task is a userdata. Its user values: the coroutine that runs it, on whose stack results or error stay; the sentinel of
// an error that nobody has seen; the result as JSON, once neap_result has asked; the counter that `spent` points to.
struct neap__task {
  struct neap__op op;  // done when the task has ended: other tasks wait for it
  neap_task id;
  lua_State *L;
  struct neap__task *next;  // in the ready queue, or among those that wait for the same operation
  struct neap__task *live_next, **live_prev;
  struct neap__op *wait;  // what it is parked on, NULL = nothing
  lua_KFunction k;        // goes on after the wait
  lua_KContext ctx;
  struct neap__timer timer;  // the deadline of the wait
  struct neap__timer life;   // its end, where time is limited; `at` is 0 where it is not
  enum neap__task_state state;
  enum neap__kill killed;
  bool raised;                                 // the kill is on its way: what still runs are handlers that clean up
  uint64_t cleaned;                            // instructions that they have run
  uint64_t *spent;                             // instructions that it and those that share them have used up
  int nargs;                                   // for the first resume
  bool yielded;                                // it is on its way to the scheduler: our resume lets it through
  bool cancelled;                              // sticky: every wait raises
  unsigned told;                               // slices since it was last told so, and 1; 0 = not yet
  bool timed_out;                              // the present wait ran into its deadline
  double allowed;                              // seconds that it had
  const char *late;                            // and what kept it
  bool observed;                               // somebody asked for its outcome: its error is theirs
  bool rooted;                                 // started by neap.h: no script can ask for its outcome
  bool kept;                                   // neap.h gave its id away: it stays until it is released
  struct neap__nursery *nursery;               // that started it and waits for it, NULL = none
  struct neap__task *sibling, **sibling_prev;  // the other children of that nursery
  struct neap__failure *failure;               // its error while nobody has asked for it
};

// An error that waits for somebody to ask for it: reported when its task is collected, or at the end of the run.
struct neap__failure {
  neap_task id;
  struct neap__failure *next, **prev;  // prev NULL: reported, or asked for
};

struct neap {
  lua_State *L;
  _Atomic uintptr_t thread;  // the one that is inside a call of neap.h, 0 = none
  unsigned calls;            // how deep
  struct uv_loop_s *loop;
  struct neap__loop *events;  // handles of loop.c
  struct neap__task *task;    // the one that runs, NULL = none
  lua_State *running;         // the coroutine that the scheduler or our resume runs
  bool parkable;              // all stacks between `running` and the scheduler can yield
  struct neap__task *ready, **ready_end;
  struct neap__task *tasks;  // those that have not ended
  struct neap__failure *failures;
  size_t nready, live;
  struct neap__task *later;  // suspended at the end of their slice, until the next turn
  neap_task last_id;
  struct neap__closer *closers;
  int nclosers;
  neap_options options;
  struct neap__counts counts;
  size_t memory;      // bytes that the Lua heap holds
  size_t held;        // bytes that libraries hold for scripts outside of it
  size_t owed;        // bytes allocated that the collector has not worked for, where it is paced
  size_t collect_at;  // memory at which its next cycle begins
  int cycles;         // that it must run, whatever the memory
  struct {            // the last request for memory that was refused, for pcall to see
    const void *block;
    size_t osize, nsize;
  } refused;
  size_t overdraft;       // bytes that may be used above max_memory, to say what happened
  uint64_t shuffle;       // state of the random order of the ready queue, 0 = in order
  int64_t stopped_at;     // us: when a computing task was last told to stop
  int64_t pause_at;       // us: when the running task should let go, INT64_MAX = never
  int64_t step_ends;      // us: when neap_step should return
  int64_t collect_until;  // us: the collector stops before, for its last step in a cycle may be a long one
  int64_t looked_at;      // us: when the hook last looked
  int64_t cpu_at;         // us: CPU time of the thread when it was last charged for, 0 = not known
  uint64_t spent_at;      // instructions of the running task then
  int interval;           // instructions between two looks
  unsigned ticks;         // rows since the clock was last looked at
  uint32_t rows;          // in this step
  int pumps;              // how deep waits pump in place
  int closes;             // how deep coroutines close each other
  const char *stack;      // C's stack where the outermost task was resumed, NULL = no task runs
  int exit_code;          // of os.exit, -1 = not called
  bool owned;             // the Lua state is ours
  bool finalizers;        // scripts have some, or may have
  bool limited;           // instructions or slices are limited: a count hook runs
  bool sandboxed;         // scripts have bounded functions and an environment of their own
  bool contexts;          // some coroutine has a context
  bool paced;             // the collector works between the tasks of a step
  bool collecting;        // inside a cycle of it
  bool stepping;          // inside neap_step: nothing may block
  bool turning;           // inside neap_step, neap_run or neap_close, which do not nest
  bool allocating;        // inside the owner's allocator
  bool ending;            // all tasks have been cancelled: os.exit, a signal, or the host closes
  bool failed;            // a task that nobody awaits has failed
  bool swept;             // failures have been looked for since the last one
  int64_t swept_at;       // us: when that was
  int64_t close_by;       // us: when neap_close is out of patience with the scripts, 0 = it has not begun
  atomic_int stop;        // asked to stop, perhaps from a signal handler or another thread
  char message[1024];
};

// ---- Who may call (state.c) ----

// A call of neap.h begins, or is refused: the host is closed or another thread is inside, or its allocator or wake function
// calls.
bool neap__enter(neap *h);
// It ends and gives `result`.
int neap__left(neap *h, int result);
// The same for those that run tasks, which scripts and callbacks may not do.
bool neap__enter_turn(neap *h);
int neap__left_turn(neap *h, int result);

void neap__error_open(lua_State *L);
int neap__error_is(lua_State *L);
int neap__error_new(lua_State *L);
int neap__show(lua_State *L);
int neap__show_bare(lua_State *L);

int neap__loop_open(neap *h);
void neap__loop_close(neap *h);
// Runs the loop once: blocks until something happens if `block`. Fires timers. False if nothing is left that could happen.
bool neap__loop_poll(neap *h, bool block);
// A task is ready: a pass of the loop that goes on to wait, as one does behind timers that were due when it began, must not.
void neap__loop_ready(neap *h);
// Stops all timers, before what they live in is freed.
void neap__loop_clear(neap *h);
void neap__loop_wake(neap *h);  // safe in signal handlers and from other threads
bool neap__waking(void);        // this thread is inside the owner's wake function

void neap__task_open(lua_State *L);
// Pops a function and its `nargs` arguments from L and pushes the task that will run them.
struct neap__task *neap__task_new(lua_State *L, int nargs);
struct neap__task *neap__task_check(lua_State *L, int idx);
void neap__task_cancel(struct neap__task *t);
// Ends the wait of a task, if it is in one.
void neap__task_interrupt(struct neap__task *t);
void neap__task_cancel_all(neap *h);
// Raises `cancelled` in the task that runs.
int neap__task_fail_cancelled(lua_State *L);
// Runs each task that is ready now, once. L is the stack that the scheduler itself runs on.
void neap__task_run_ready(neap *h, lua_State *L);
// The task with that id, pushed; NULL and nothing pushed if there is none.
struct neap__task *neap__task_find(lua_State *L, neap_task id);
void neap__task_forget(lua_State *L, struct neap__task *t);
// Pushes on L what the ended task returned (or its error), and returns how many values that are.
int neap__task_results(lua_State *L, struct neap__task *t);
// Raises the error of the failed task; what a script raised that is no text as it was.
int neap__task_raise(lua_State *L, struct neap__task *t);
// Puts a task that runs aside until neap__task_wake_later.
void neap__task_suspend(struct neap__task *t);
void neap__task_wake_later(neap *h);

// nursery.c: called when a child has ended.
void neap__nursery_ended(struct neap__nursery *n, struct neap__task *child);

// ---- Errors that nobody asked for (failure.c) ----

void neap__failure_open(lua_State *L);
// Reports the error of the task (the error object on top of its stack) at once if no script can ask for it, else later.
void neap__failure_new(lua_State *L, struct neap__task *t);
// Somebody asks for the outcome now.
void neap__failure_seen(struct neap__task *t);
// Reports those whose task nobody can reach any more, or all.
void neap__failure_sweep(neap *h, lua_State *L, bool all);
// In how many ms it is due again, -1 = there is nothing to look for.
int neap__failure_due_ms(neap *h);

// ---- The collector of a stepped host (collect.c) ----

// From now on it is paced by the steps of the host, or by what Lua allocates.
void neap__collect_pace(neap *h, bool paced);
// A step of the host begins.
void neap__collect_start(neap *h);
// Works off what scripts have allocated, as far as the step has time.
void neap__collect_pay(neap *h);
// Collects all that is garbage now, at once; in a stepped host in this step or later ones, when no task is ready.
void neap__collect_all(neap *h);

// ---- Coroutines (coroutine.c) ----

void neap__coroutine_open(lua_State *L);
// Puts our pcall, xpcall and coroutine functions in place of Lua's.
void neap__coroutine_install(lua_State *L);
// Raises again if the failed protected call that has just returned `status` must not be caught.
void neap__recheck(lua_State *L, int status);
// Gives the coroutine `co` the context of L.
void neap__context_inherit(lua_State *L, lua_State *co);
// The same with what belongs to the job alone.
void neap__context_pass(lua_State *L, lua_State *co);

// ---- Limits (limits.c) ----

// Marks the running task as killed and raises what ends it. Never returns.
int neap__kill(lua_State *L, enum neap__kill why);
// Turns the value on top into the error object that says why the task was killed.
void neap__kill_wrap(lua_State *L, struct neap__task *t);
// Called by the scheduler before it resumes a task: starts its slice.
void neap__limits_resume(neap *h, struct neap__task *t);
// Called by L before it resumes the coroutine co, or yields (co = L): charges for it. May kill the task.
void neap__limits_charge(lua_State *L, lua_State *co);
// Charges for n instructions' worth of work in C.
void neap__limits_work(lua_State *L, uint64_t n);
// Gives the new task on top of the stack a counter of instructions: that of the task that starts it, so that no script goes on
// for ever in tasks that are short, or its own.
void neap__limits_share(lua_State *L, struct neap__task *t);
// The same with the time at which it has to end. Cannot fail.
void neap__limits_life(neap *h, struct neap__task *t);
// Whether the task is to end now: it was killed, and does not clean up.
bool neap__limits_must_end(const struct neap__task *t);
// A kill is raised in the task: from now on handlers may clean up for a while.
void neap__limits_raised(neap *h, struct neap__task *t);
// Whether it was a limit that killed the task.
bool neap__limits_killed(const struct neap__task *t);
// The same for loops that pause, for each row or value: true if that was too much and the task has to be killed.
bool neap__limits_spend(neap *h, unsigned rows);
// Makes sure that what L still runs after a kill raises at once.
void neap__limits_rearm(lua_State *L);
void neap__limits_open(neap *h, lua_State *L);
int64_t neap__now_us(void);

int neap__log_format(lua_State *L);
int neap__log_write(lua_State *L);
int neap__module_sources(lua_State *L);
int neap__module_exists(lua_State *L);
// Puts our require, which can wait, in place of Lua's.
void neap__module_install(lua_State *L);
// ---- What scripts may do (sandbox.c) ----

void neap__sandbox_open(neap *h, lua_State *L);
// Pushes a fresh environment for the script of that name, in a host with limits.
void neap__sandbox_env(lua_State *L, const char *name);
// Pushes a global, in a host with limits one of any script. False, and nil pushed, if there is none.
bool neap__sandbox_global(lua_State *L, const char *name);
int neap__sandbox_granted(lua_State *L);
// Whether the scripts of the host may have the module of that name.
bool neap__sandbox_allows(const neap *h, const char *module);
void neap__bounded_open(lua_State *L);
extern const luaL_Reg neap__match_functions[];

int luaopen_neap_host(lua_State *L);
// Sets up package.path's companions: C modules, embedded Lua modules, --lua-dir.
void neap__module_open(lua_State *L);

#endif
