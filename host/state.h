// state.h: what the files of the host share among themselves. host.h is what others see.
#ifndef NEAP_STATE_H
#define NEAP_STATE_H

#include <signal.h>

#include "host.h"

// ---- Timers (loop.c): a pairing heap of timers that live inside other structs, so that starting one cannot fail ----

struct neap__timer {
  int64_t at;  // loop time in ms
  void (*fire)(struct neap__timer *);
  struct neap__timer *child, *next, *prev;  // prev: the left sibling, or the parent of a first child
  bool active;
};

// ---- Tasks (task.c) ----

enum neap__task_state { TASK_READY, TASK_RUNNING, TASK_PARKED, TASK_DONE, TASK_FAILED };

// A task is a userdata. Its first user value is the coroutine that runs it; results or error stay on that stack.
struct neap__task {
  struct neap__op op;       // done when the task has ended: other tasks wait for it
  neap_task id;
  lua_State *L;
  struct neap__task *next;  // in the ready queue, or among those that wait for the same operation
  struct neap__op *wait;    // what it is parked on, NULL = nothing
  lua_KFunction k;          // goes on after the wait
  lua_KContext ctx;
  struct neap__timer timer; // the deadline of the wait
  enum neap__task_state state;
  int nargs;                // for the first resume
  bool cancelled;           // sticky: every wait raises
  bool timed_out;           // the present wait ran into its deadline
  bool observed;            // somebody asked for its outcome: its error is theirs
};

struct neap {
  lua_State *L;
  struct uv_loop_s *loop;
  struct neap__loop *events;        // handles of loop.c
  struct neap__task *task;          // the one that runs, NULL = none
  lua_State *running;               // the coroutine that the scheduler or our resume runs: only it may yield
  struct neap__task *ready, **ready_end;
  size_t live;                      // tasks that have not ended
  neap_task last_id;
  struct neap__closer *closers;
  neap_options options;
  size_t memory;                    // bytes that the Lua heap holds
  uint64_t shuffle;                 // state of the random order of the ready queue, 0 = in order
  int pumps;                        // how deep waits pump in place
  bool owned;                       // the Lua state is ours
  bool stepping;                    // inside neap_step: nothing may block
  bool failed;                      // a task that nobody awaits has failed
  volatile sig_atomic_t stop;       // asked to stop, perhaps from a signal handler
  char message[1024];
};

void neap__error_open(lua_State *L);
int neap__error_is(lua_State *L);
int neap__error_new(lua_State *L);

int neap__loop_open(neap *h);
void neap__loop_close(neap *h);
// Runs the loop once: blocks until something happens if `block`. Fires timers. False if nothing is left that could happen.
bool neap__loop_poll(neap *h, bool block);
void neap__loop_wake(neap *h);  // safe in signal handlers and from other threads
void neap__timer_start(neap *h, struct neap__timer *t, int64_t at, void (*fire)(struct neap__timer *));
void neap__timer_stop(neap *h, struct neap__timer *t);

void neap__task_open(lua_State *L);
// Pops a function and its `nargs` arguments from L and pushes the task that will run them.
struct neap__task *neap__task_new(lua_State *L, int nargs);
void neap__task_cancel(struct neap__task *t);
// Runs each task that is ready now, once. L is the stack that the scheduler itself runs on.
void neap__task_run_ready(neap *h, lua_State *L);
// The task with that id, pushed; NULL and nothing pushed if there is none.
struct neap__task *neap__task_find(neap *h, lua_State *L, neap_task id);
void neap__task_forget(neap *h, lua_State *L, struct neap__task *t);

int neap__module_exists(lua_State *L);
int luaopen_neap_host(lua_State *L);
// Sets up package.path's companions: C modules, embedded Lua modules, --lua-dir.
void neap__module_open(neap *h, lua_State *L);

#endif
