// neap.h: embed neap, a host for data scripts, in a C program.
//
// A host (`struct neap`) owns one Lua 5.4 state, one event loop and the tasks that run in it. One thread at a time may
// use a host; any number of hosts may live in one process. Every function is harmless on NULL and returns NEAP_EARG, as it
// does to a thread that calls while another is inside. C functions that scripts call, and the callbacks `log` and `error`,
// may call everything but neap_step, neap_run and neap_close; `alloc` and `wake` nothing (docs/embedding.md has the table).
// Strings given to neap are copied; strings given out live until the next call on the same host, unless said otherwise.
#ifndef NEAP_H
#define NEAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NEAP_VERSION "0.1.0"

#if defined(__GNUC__)
#define NEAP_API __attribute__((visibility("default")))
#else
#define NEAP_API
#endif

struct lua_State;
struct uv_loop_s;

typedef struct neap neap;
typedef uint64_t neap_task;  // 0 = none; generation-checked: a stale id is harmless

enum {
  NEAP_OK = 0,       // done
  NEAP_PENDING = 1,  // the task is not finished
  NEAP_ERR = -1,     // a script failed; neap_message tells why
  NEAP_ENOMEM = -2,  // memory is short
  NEAP_ELIMIT = -3,  // a limit of neap_options
  NEAP_EARG = -4,    // an argument makes no sense, the task id is stale, or the call is not allowed here
  NEAP_EABI = -5     // neap_options is smaller than any version of it, or sets what this library does not know
};

enum { NEAP_LOG_DEBUG, NEAP_LOG_INFO, NEAP_LOG_WARN, NEAP_LOG_ERROR };

// Capabilities taken away from scripts; a script that needs one gets an error of kind `forbidden`.
enum { NEAP_NO_FS = 1, NEAP_NO_NET = 2, NEAP_NO_OS = 4 };

// A store that scripts open by its name, whatever was taken away from them: neap.open "scores".
typedef struct neap_store {
  const char *name, *url;  // "scores", "sqlite:/var/games/scores.db"; scripts never see the URL
} neap_store;

// Zero is the default everywhere: memset, set `size`, fill in what matters.
typedef struct neap_options {
  size_t size;  // sizeof(neap_options): the struct only ever grows at its end, so that older and newer programs run
  // Like lua_Alloc: nsize 0 frees, NULL means that memory is short. Default: realloc and free.
  void *(*alloc)(void *ud, void *p, size_t osize, size_t nsize);
  // A line that a script logs. Default: to standard error.
  void (*log)(void *ud, int level, const char *msg, size_t len);
  // Called for an error in a task that nobody awaits. kind is "" for an error that the script itself raised.
  void (*error)(void *ud, neap_task task, const char *kind, const char *msg, const char *traceback);
  void (*wake)(void *ud);     // the only call from another thread: "step me soon"
  void *ud;                   // handed to the four functions above
  size_t max_memory;          // bytes of Lua heap; 0 = no limit
  uint64_t max_instructions;  // of the Lua machine, per task with all that it starts; not catchable; 0 = no limit
  uint32_t slice_us;   // a task that computes longer than this in one step is suspended until the next; 0 = never
  uint32_t max_tasks;  // live tasks; 0 = no limit
  uint32_t max_rows_per_step;  // rows that one step turns into objects; 0 = no limit
  unsigned flags;              // NEAP_NO_FS | NEAP_NO_NET | NEAP_NO_OS
  struct uv_loop_s *loop;  // borrowed; NULL = the host's own. With a borrowed loop neap_step only resumes what is ready
  const char *lua_dir;     // Lua modules in this folder win over the embedded ones
  double max_seconds;      // of a task with all that it starts, waits included; not catchable; 0 = no limit
  // Ended by a NULL name: then scripts open these, and no others. NULL: any that flags allow.
  const neap_store *stores;
} neap_options;

// The version of the library that runs; NEAP_VERSION is that of the header.
NEAP_API const char *neap_version(void);
// Opens a host with a Lua state of its own. options may be NULL. *out is NULL on failure.
NEAP_API int neap_open(neap **out, const neap_options *options);
// Opens a host on a Lua state that the caller owns. alloc, limits, flags and stores must be zero (NEAP_EARG).
NEAP_API int neap_attach(neap **out, struct lua_State *L, const neap_options *options);

// Starts a task that runs a chunk of Lua text. name appears in messages ("=stdin", "@file.lua"). *task may be NULL.
// A syntax error is NEAP_ERR, and neap_message says where. A chunk finds the list in the global `arg` as its `...`.
NEAP_API int neap_spawn(neap *, const char *source, size_t len, const char *name, neap_task *task);
// path "-" is standard input.
NEAP_API int neap_spawn_file(neap *, const char *path, neap_task *task);
// Starts a task that calls a function by its global name ("game.save"), with the elements of a JSON array as arguments
// (NULL = none). Its first result, as JSON, is what neap_result gives.
NEAP_API int neap_call(neap *, const char *function, const char *json_args, neap_task *task);

// NEAP_PENDING (also inside the error callback for that task), NEAP_OK, NEAP_ERR, NEAP_ELIMIT, or NEAP_EARG for a stale id.
NEAP_API int neap_status(neap *, neap_task);
// The JSON text of a finished task's first result, or of its error object; *len is without the NUL at its end. NULL while it
// is pending, and where the result is nothing that JSON can hold (neap_message). Valid until released.
NEAP_API const char *neap_result(neap *, neap_task, size_t *len);
// Asks a task to end: its present wait, and every later one, raises `cancelled`.
NEAP_API int neap_cancel(neap *, neap_task);
// Forgets a finished task and its result. A task spawned with a NULL id is released by itself.
NEAP_API int neap_release(neap *, neap_task);

// Runs what is ready, for about budget_us microseconds (0 = one pass), and never blocks. Returns the live tasks, or a
// negative code.
NEAP_API int neap_step(neap *, uint32_t budget_us);
// Runs until no task is left. NEAP_OK, or NEAP_ERR if a task that nobody awaits failed.
NEAP_API int neap_run(neap *);
// A file descriptor to poll for reading, and how long to poll (milliseconds; -1 = for ever); then neap_step. Ask for the time
// before each poll: it also says when something has to be told to the system before it can be polled for (0).
NEAP_API int neap_fd(neap *);
NEAP_API int neap_timeout(neap *);

// Asks the host to stop, from a signal handler of its thread or from any thread: every task is cancelled, also one that
// computes (from another thread: only in hosts with max_instructions or slice_us), and neap_run returns when all have ended.
// New tasks may be started then.
NEAP_API void neap_stop(neap *);
// The exit code if a script called os.exit, which ends the tasks of its host and nothing else; -1 if none did.
NEAP_API int neap_exit_code(neap *);

// Makes a C module available to `require`. open is a lua_CFunction.
NEAP_API int neap_register(neap *, const char *module, int (*open)(struct lua_State *));
// The last failure of a call on this host, "" if none.
NEAP_API const char *neap_message(neap *);
// The Lua state of the host.
NEAP_API struct lua_State *neap_lua(neap *);
// The module for a stock Lua: `require "neap"` finds it in neap.so.
NEAP_API int luaopen_neap(struct lua_State *);
// Cancels all tasks, drains the loop, frees everything and sets *host to NULL. Scripts that do not let go are ended after a
// second. Called where it may not be, it does nothing, and *host stays.
NEAP_API void neap_close(neap **host);

#ifdef __cplusplus
}
#endif
#endif
