// host.h: what the host offers to the floors above it (bindings/). It knows nothing of models or stores.
//
// Three things to learn here: errors (C fills a struct, only the outermost binding function raises), operations
// (a wait is a userdata that parks the running task), and budgets (a loop over rows asks now and then whether to pause).
#ifndef NEAP_HOST_H
#define NEAP_HOST_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "neap.h"

// ---- Errors (error.c) ----

// All kinds, in the order of their names in error.c.
enum neap__kind {
  NEAP_USAGE,
  NEAP_VALIDATION,
  NEAP_NOT_FOUND,
  NEAP_MULTIPLE,
  NEAP_CONFLICT,
  NEAP_CONDITION,
  NEAP_UNSUPPORTED,
  NEAP_AUTH,
  NEAP_FORBIDDEN,
  NEAP_LIMIT,
  NEAP_THROTTLED,
  NEAP_TIMEOUT,
  NEAP_CANCELLED,
  NEAP_CONNECTION,
  NEAP_PROTOCOL,
  NEAP_SERVER,
  NEAP_QUERY,
  NEAP_BATCH,
  NEAP_MISMATCH
};

// Filled by C below the bindings; owns nothing, so it may live on any stack.
struct neap__error {
  enum neap__kind kind;
  bool retryable;
  bool unknown;       // a write whose fate nobody knows: e.outcome = "unknown"
  int status;         // HTTP status, 0 = none
  const char *store;  // "sqlite", static; NULL = none
  char code[64];      // SQLSTATE, Parse code, ... ; "" = none
  char message[480];  // one line: what, where, what was expected
  char detail[480];   // what the server said; "" = none
};

// Fills `e` (zeroing it first) and returns -1, so that callers may write: return neap__error_set(e, NEAP_USAGE, "...", x);
int neap__error_set(struct neap__error *e, enum neap__kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Pushes the Lua error object (a table with the metatable of errors, fields as in the manual) for `e`.
void neap__error_push(lua_State *L, const struct neap__error *e);
// Pushes and raises. Never returns; the int lets callers write `return neap__raise(...)`.
int neap__raise(lua_State *L, const struct neap__error *e) __attribute__((noreturn));
// Raises an error of a kind with a formatted message (printf formats), with the position of the Lua caller as `where`.
int neap__fail(lua_State *L, enum neap__kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));
// All faults of one request, reported together: the message is that of the lowest rank, e.errors maps names to messages.
struct neap__faults {
  int table;  // stack index of the slot that neap__faults_push pushes
  int count, rank;
  struct neap__error first;
};
struct neap__faults neap__faults_push(lua_State *L);
// Notes the fault of what the name at index `key` stands for.
void neap__faults_note(lua_State *L, struct neap__faults *f, int key, int rank, const struct neap__error *e);
// Raises if there are any.
void neap__faults_raise(lua_State *L, struct neap__faults *f);
// Turns whatever is on top of the stack (an error object, a string, anything) into an error object in its place. What a
// script raised gets no kind; what is no text is its `cause`.
void neap__error_wrap(lua_State *L);
// The kind of the error object at idx, or -1 if it is none.
int neap__error_kind(lua_State *L, int idx);

// ---- Values and names in messages (show.c) ----

// A value as messages show it: cut with … where it is long, with controls and bytes that are no UTF-8 as \n, \0, \xff. Handed
// over whole, so that it may stand among the arguments of neap__fail: neap__show_value(L, 1).text
struct neap__shown {
  char text[72];
};
struct neap__shown neap__show_value(lua_State *L, int idx);   // "text", 5.0, nil, a table
struct neap__shown neap__show_text(const char *p, size_t n);  // "text"
struct neap__shown neap__show_name(const char *p, size_t n);  // a name or number as it is: text
struct neap__shown neap__show_key(lua_State *L, int idx);     // text; anything else as a value
struct neap__shown neap__show_hint(const char *prefix,
                                   const char *near);  // "; did you mean PREFIXnear?", or "" for NULL
// Pushes the text whole, as valid UTF-8 without controls; line breaks stay where `lines`.
void neap__show_push(lua_State *L, const char *p, size_t n, bool lines);

// Arguments of binding functions: each raises `usage` and names the argument and what was expected.
lua_Integer neap__arg_integer(lua_State *L, int idx, const char *name, lua_Integer min, lua_Integer max);
lua_Number neap__arg_seconds(lua_State *L, int idx, const char *name);  // >= 0
const char *neap__arg_string(lua_State *L, int idx, const char *name, size_t *len);
void neap__arg_function(lua_State *L, int idx, const char *name);
void neap__arg_table(lua_State *L, int idx, const char *name);
// A table of options, or nothing, at the absolute index idx, with no other names than those of `known`, which NULL ends.
void neap__arg_options(lua_State *L, int idx, const char *const *known);

// ---- Operations: how a task waits (task.c) ----

// The head of an operation. It is a userdata, made before anything is sent; what owns memory or handles frees them in its
// own __gc, which must cope with an operation that is not done.
struct neap__op {
  neap *host;
  struct neap__task *waiter;          // the task that is parked on it, NULL = none
  void (*cancel)(struct neap__op *);  // asks it to end soon; NULL = it cannot be stopped and is abandoned
  int64_t deadline;  // loop time in ms, 0 = none; then cancel() is called and the wait raises `timeout`
  double seconds;    // how long that was at the start, for the message
  const char *late;  // what keeps it, for the message; NULL = nothing to say. Lives as long as the operation
  // The task without which it cannot end, 0 = none now; `why` may be given what to say when that one waits for the waiter.
  neap_task (*needs)(const struct neap__op *, const char **why);
  struct neap__op *inner;  // what it waits for itself: whoever waits for it waits for that one; NULL = nothing
  bool done;
  bool pauses;  // it waits for nothing, but has worked for as long as it may: others come first
};

// Pushes a zeroed userdata of `size` bytes that starts with a struct neap__op, with the metatable registered under `tname`
// (luaL_newmetatable) and `nuvalue` user values.
void *neap__op_new(lua_State *L, size_t size, const char *tname, int nuvalue);
// Sets the deadline of an operation that begins now.
void neap__op_limit(struct neap__op *op, double seconds);
// The only thing that a callback of a library may call: marks the operation done and queues the task that waits for it.
void neap__op_done(struct neap__op *op);
// Waits for the operation at index `op`: calls k(L, LUA_OK, ctx) at once if it is done, else parks the task, and k goes on
// with status LUA_YIELD when it is. The stack is kept. Use it as `return neap__await(...)`. Where the stack cannot yield
// (a sort comparator, stock Lua) the loop is pumped in place. Raises `cancelled` or `timeout`, and `usage` where the wait
// could never end.
int neap__await(lua_State *L, int op, lua_KContext ctx, lua_KFunction k);

// The running task; 0 = none.
neap_task neap__task_current(neap *);

// ---- Budgets: long loops in C ----

// True when a loop that has done `rows` more rows since it last asked ought to pause: the step's budget, the slice or
// max_rows_per_step is spent, or the task was killed. Always false where nothing limits the host. Costs a few ns.
bool neap__should_pause(lua_State *L, unsigned rows);
// The same where no Lua state is at hand.
bool neap__worked(neap *, unsigned rows);
// Charges the running task for that many rows or values where no pause is possible; it dies of them later.
void neap__charge(lua_State *L, unsigned rows);
// The same in instructions, for libraries that compute at length: how many the running task may still spend (UINT64_MAX =
// any number), and spending some. True if they were too many: then the task ends, whatever its script does.
uint64_t neap__work_left(neap *);
bool neap__work(neap *, uint64_t instructions);
// Memory that a library holds for scripts: how many bytes there may still be (SIZE_MAX = any number), and counting what it
// holds now, *known being what it said before. Where that is too much, or `over`, the running task ends.
size_t neap__memory_left(neap *);
void neap__hold(neap *, size_t *known, size_t bytes, bool over);
// True when the budget of the step is spent, and callbacks of the loop leave what they can to the next one.
bool neap__step_over(neap *);
// Lets other tasks and the host run, then goes on in k with status LUA_YIELD. `return neap__pause(...)`. Where the stack
// cannot yield, k is called at once.
int neap__pause(lua_State *L, lua_KContext ctx, lua_KFunction k);

// ---- Context: an immutable chain that a coroutine holds (coroutine.c) ----

// Pushes the context table of the running coroutine, or nil. all, race, gather, timeout and coroutines made by scripts
// inherit it when they are created; spawn starts clean, but for what belongs to the job.
void neap__context_push(lua_State *L);
// Pops a table (or nil) and makes it the context of the running coroutine.
void neap__context_set(lua_State *L);
// Pops a value: the context of the running coroutine becomes one that has it under the key, and all else that it had.
void neap__context_put(lua_State *L, const void *key);
// The key of what all tasks of a job share: spawn passes that on.
extern const char neap__context_job;

// ---- The host itself (state.c, module.c, log.c, loop.c) ----

neap *neap__host(lua_State *L);
struct uv_loop_s *neap__loop(neap *);
// Closes a handle of libuv that was made by malloc, and frees it when libuv lets go of it.
void neap__handle_free(void *handle);
// Makes the loop return, and asks the owner of a stepped host for a step. May be called from any thread.
void neap__wake(neap *);
// Loop time in milliseconds; monotonic.
int64_t neap__now_ms(neap *);
// That in so many seconds, rounded up.
int64_t neap__deadline_in(neap *, double seconds);
// A timer that lives inside another struct, zeroed, so that starting it cannot fail. `fire` runs on the loop, as callbacks of
// libraries do. To start it anew and to stop it is harmless at any time; the end of the host stops all.
struct neap__timer {
  int64_t at;  // loop time in ms
  void (*fire)(struct neap__timer *);
  struct neap__timer *child, *next, *prev;  // of a pairing heap; prev: the left sibling, or the parent of a first child
  bool active;
};
void neap__timer_start(neap *, struct neap__timer *, int64_t at, void (*fire)(struct neap__timer *));
void neap__timer_stop(neap *, struct neap__timer *);
// True if work that blocks must go to a thread (a stepped host), false where it may run in place (the command, neap_run).
bool neap__stepped(neap *);
// What the owner of the host has set.
const neap_options *neap__options(neap *);
// Whether scripts are limited, or capabilities were taken from them.
bool neap__sandboxed(neap *);
// Whether scripts have finalizers: these run wherever memory is asked for, in the middle of any work.
bool neap__has_finalizers(neap *);
// Raises `forbidden` if the capability (NEAP_NO_FS, ...) was taken away; `what` says what wanted it.
void neap__need(lua_State *L, unsigned capability, const char *what);
// Polled by C code that computes or blocks for long: true when the host is being stopped by a signal or a deadline.
bool neap__stopping(neap *);
// Loop time in ms at which a neap.timeout around the running task is over, 0 = never: for work that blocks the loop, so that
// no timer can fire meanwhile. *seconds: what that timeout was given.
int64_t neap__deadline(neap *, double *seconds);
// Rows that stores have given and that were changed in them, also where that was undone later.
struct neap__counts {
  int64_t read, written;
};
struct neap__counts *neap__counts(neap *);
// Raises `limit` where limited scripts have as many stores open as they may, none of which is garbage.
void neap__need_closer(lua_State *L);
// Opens handles and pools register a function that is called when the host closes, before the Lua state does.
struct neap__closer {
  void (*close)(struct neap__closer *);
  neap *host;
  struct neap__closer *next, **prev;
};
void neap__closer_add(neap *, struct neap__closer *);
void neap__closer_remove(struct neap__closer *);
// Puts *** in place of passwords and keys of the URLs in a text, which gets no longer.
void neap__redact(char *text);
// Writes an error that ended a task, as NEAP_LOG_FORMAT says.
void neap__log_failure(const char *kind, const char *message, const char *traceback);
void neap__log(neap *, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

// C modules that `require` knows, ended by { NULL, NULL }. Defined above the host, in bindings/modules.c.
extern const luaL_Reg neap__modules[];
// The modules of neap that scripts in a sandbox may require, without "neap.", ended by NULL. All others are internal.
extern const char *const neap__public[];
// Lua modules embedded in the library, ended by a NULL name. Generated by the Makefile from lua/.
struct neap__source {
  const char *name;  // "neap.types"
  const char *file;  // "neap/types.lua", for chunk names
  const char *text;
  size_t len;
};
extern const struct neap__source neap__sources[];

#endif
