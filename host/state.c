// state.c: a host from open to close, and the allocator that counts its memory.
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

// What neap_options was in version 0.1.0.
#define FIRST_SIZE (offsetof(neap_options, lua_dir) + sizeof(char *))
// Scripts that are cancelled because the host closes may clean up this long.
#define CLOSE_US 1000000
#define MAX_CLOSERS 32  // stores that limited scripts may have open: each has a thread or connections of its own

static const char host_key = 0;  // registry of a state that is not ours: the host

// ---- Memory ----

// Lua asks once more after a full collection, so that the refusal stands until the same request is granted.
static void *refuse(neap *h, const void *block, size_t osize, size_t nsize) {
  h->refused.block = block;
  h->refused.osize = osize;
  h->refused.nsize = nsize;
  return NULL;
}

// Who asks for much memory fills it, which may be the work of a single instruction: it is charged.
enum { LARGE = 4096, BYTES = 32 };

static void *owners(neap *h, void *p, size_t osize, size_t nsize) {
  h->allocating = true;
  void *q = h->options.alloc(h->options.ud, p, osize, nsize);
  h->allocating = false;
  return q;
}

// What libraries hold counts as well, but leaves a quarter to the scripts: else one could end the others.
static size_t heap_limit(const neap *h) {
  size_t max = h->options.max_memory, least = max / 4;
  return (h->held < max - least ? max - h->held : least) + h->overdraft;
}

static void *allocate(void *ud, void *p, size_t osize, size_t nsize) {
  neap *h = ud;
  size_t old = p ? osize : 0;  // for a new block osize is a type tag
  size_t max = h->options.max_memory;
  if (nsize == 0) {
    if (h->options.alloc)
      owners(h, p, osize, 0);
    else
      free(p);
    h->memory -= old;
    return NULL;
  }
  if (max && nsize > old && h->memory - old + nsize > heap_limit(h)) return refuse(h, p, osize, nsize);
  if (nsize >= LARGE && h->task) *h->task->spent += nsize / BYTES;
  void *q = h->options.alloc ? owners(h, p, osize, nsize) : realloc(p, nsize);
  if (!q) return NULL;
  h->memory += nsize - old;
  if (nsize > old) h->owed += nsize - old;
  if (h->refused.nsize == nsize && h->refused.osize == osize && h->refused.block == p) h->refused.nsize = 0;
  return q;
}

// ---- Who may call ----

bool neap__enter(neap *h) {
  uintptr_t self = (uintptr_t)pthread_self(), inside = 0;
  if (!h || neap__waking()) return false;
  if (!atomic_compare_exchange_strong(&h->thread, &inside, self) && inside != self) return false;
  h->calls++;
  if (h->events && !h->allocating) return true;
  return neap__left(h, false);
}

int neap__left(neap *h, int result) {
  if (--h->calls == 0) atomic_store(&h->thread, 0);
  return result;
}

bool neap__enter_turn(neap *h) {
  if (!neap__enter(h)) return false;
  if (h->turning || h->task || h->pumps > 0) return neap__left(h, false);
  return h->turning = true;
}

int neap__left_turn(neap *h, int result) {
  h->turning = false;
  return neap__left(h, result);
}

// ---- The host of a state ----

struct neap__counts *neap__counts(neap *h) {
  return &h->counts;
}

neap *neap__host(lua_State *L) {
  void *ud;
  if (lua_getallocf(L, &ud) == allocate) return ud;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &host_key);
  neap *h = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return h;
}

bool neap__stepped(neap *h) {
  return h->stepping;
}

const neap_options *neap__options(neap *h) {
  return &h->options;
}

bool neap__sandboxed(neap *h) {
  return h->sandboxed;
}

size_t neap__memory_left(neap *h) {
  size_t max = h->options.max_memory, used = h->memory + h->held;
  if (!max) return SIZE_MAX;
  return used < max ? max - used : 0;
}

bool neap__has_finalizers(neap *h) {
  return h->finalizers;
}

bool neap__stopping(neap *h) {
  return h->stop != 0;
}

void neap__need_closer(lua_State *L) {
  neap *h = neap__host(L);
  if (!h->sandboxed || h->nclosers < MAX_CLOSERS) return;
  lua_gc(L, LUA_GCCOLLECT);
  if (h->nclosers >= MAX_CLOSERS) neap__fail(L, NEAP_LIMIT, "%d stores are open; close some of them", MAX_CLOSERS);
}

void neap__closer_add(neap *h, struct neap__closer *c) {
  c->host = h;
  c->next = h->closers;
  c->prev = &h->closers;
  if (c->next) c->next->prev = &c->next;
  h->closers = c;
  h->nclosers++;
}

void neap__closer_remove(struct neap__closer *c) {
  if (!c->prev) return;
  c->host->nclosers--;
  *c->prev = c->next;
  if (c->next) c->next->prev = c->prev;
  c->prev = NULL;
}

void neap__need(lua_State *L, unsigned capability, const char *what) {
  if (neap__host(L)->options.flags & capability)
    neap__fail(L, NEAP_FORBIDDEN, "%s is not allowed here: the program that runs this script has taken it away", what);
}

// ---- Open and close ----

static int panic(lua_State *L) {
  fprintf(stderr, "neap: error outside of any protected call: %s\n", lua_tostring(L, -1));
  return 0;
}

static int open_state(lua_State *L) {
  neap *h = neap__host(L);
  if (h->owned) luaL_openlibs(L);
  neap__error_open(L);
  neap__task_open(L);
  neap__failure_open(L);
  neap__coroutine_open(L);
  neap__module_open(L);
  h->finalizers = !h->owned;  // else setmetatable tells
  if (!h->owned) return 0;
  neap__coroutine_install(L);
  neap__module_install(L);
  neap__sandbox_open(h, L);
  neap__limits_open(h, L);
  return 0;
}

static uint64_t shuffle_seed(void) {
  const char *seed = getenv("NEAP_SHUFFLE");
  return seed && *seed ? strtoull(seed, NULL, 0) * 2 + 1 : 0;  // never 0, which a xorshift cannot leave
}

// What the program has set, of what this library knows.
static neap_options read_options(const neap_options *options) {
  neap_options o = {0};
  if (options) memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
  return o;
}

static const char *put_text(char **to, const char *text) {
  size_t n = strlen(text) + 1;
  char *p = memcpy(*to, text, n);
  *to += n;
  return p;
}

// A copy of a list of stores in one block, which its owner frees. NULL where memory is short.
static neap_store *copy_stores(const neap_store *from) {
  size_t n = 0, bytes = 0;
  for (; from[n].name; n++) bytes += strlen(from[n].name) + strlen(from[n].url) + 2;
  neap_store *copy = malloc((n + 1) * sizeof *copy + bytes);
  if (!copy) return NULL;
  char *p = (char *)(copy + n + 1);
  for (size_t i = 0; i < n; i++) {
    copy[i].name = put_text(&p, from[i].name);
    copy[i].url = put_text(&p, from[i].url);
  }
  copy[n] = (neap_store){0};
  return copy;
}

static int init(neap *h, const neap_options *options) {
  h->ready_end = &h->ready;
  h->exit_code = -1;
  h->pause_at = h->step_ends = INT64_MAX;
  h->shuffle = shuffle_seed();
  const neap_options o = h->options = read_options(options);
  h->options.lua_dir = NULL;
  h->options.stores = NULL;
  if (o.lua_dir && !(h->options.lua_dir = strdup(o.lua_dir))) return NEAP_ENOMEM;
  for (int i = 0; o.stores && o.stores[i].name; i++)
    if (!o.stores[i].url) return NEAP_EARG;
  if (o.stores && !(h->options.stores = copy_stores(o.stores))) return NEAP_ENOMEM;
  return NEAP_OK;
}

// Cancels the tasks and runs them to their end; what then still waits for nothing is dropped.
static void drain(neap *h) {
  if (!h->L || !h->events) return;
  h->close_by = neap__now_us() + CLOSE_US;
  h->stop = 1;
  neap__collect_pace(h, false);
  neap__task_cancel_all(h);
  while (h->live > 0) {
    neap__task_run_ready(h, h->L);
    if (h->live > 0 && !h->ready && !neap__loop_poll(h, true)) return;
  }
}

// Ends everything but the memory of the host itself. Harmless when called again.
static void shut(neap *h) {
  drain(h);
  for (struct neap__closer *c; (c = h->closers) != NULL;) {
    neap__closer_remove(c);
    c->close(c);
  }
  neap__loop_clear(h);
  if (h->owned && h->L) lua_close(h->L);
  neap__loop_close(h);
  free((void *)(uintptr_t)h->options.lua_dir);
  free((void *)(uintptr_t)h->options.stores);
  h->options.lua_dir = NULL;
  h->options.stores = NULL;
}

// A program may be older than the library, and know less of the struct, or newer: then what is unknown here must be zero.
static bool knows(const neap_options *options) {
  if (!options) return true;
  if (options->size < FIRST_SIZE) return false;
  const char *p = (const char *)options;
  for (size_t i = sizeof *options; i < options->size; i++)
    if (p[i]) return false;
  return true;
}

// Whether each store has a URL.
static bool stores_make_sense(const neap_options *options) {
  const neap_store *s = read_options(options).stores;
  while (s && s->name && s->url) s++;
  return !s || !s->name;
}

int neap_open(neap **out, const neap_options *options) {
  if (!out) return NEAP_EARG;
  neap *h = *out = NULL;
  if (neap__waking()) return NEAP_EARG;
  if (!knows(options)) return NEAP_EABI;
  if (!stores_make_sense(options)) return NEAP_EARG;
  if (!(h = calloc(1, sizeof *h))) return NEAP_ENOMEM;
  h->owned = true;
  int status = init(h, options);
  if (status == NEAP_OK && !(h->L = lua_newstate(allocate, h))) status = NEAP_ENOMEM;
  if (status == NEAP_OK) status = neap__loop_open(h);
  if (status == NEAP_OK) {
    lua_atpanic(h->L, panic);
    lua_pushcfunction(h->L, open_state);
    if (lua_pcall(h->L, 0, 0, 0) != LUA_OK) status = NEAP_ENOMEM;
  }
  if (status == NEAP_OK) {
    *out = h;
    return NEAP_OK;
  }
  shut(h);
  free(h);
  return status;
}

static int attached_gc(lua_State *L) {
  shut(lua_touserdata(L, 1));
  return 0;
}

// The host of a foreign state is memory of that state, so that operations may be collected after neap_close.
static int attach(lua_State *L) {
  const neap_options *options = lua_touserdata(L, 1);
  neap *h = memset(lua_newuserdatauv(L, sizeof *h, 0), 0, sizeof *h);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, attached_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  h->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  if (init(h, options) != NEAP_OK || neap__loop_open(h) != NEAP_OK) return luaL_error(L, "not enough memory");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &host_key);
  return open_state(L);
}

int neap_attach(neap **out, lua_State *L, const neap_options *options) {
  if (!out || !L) return NEAP_EARG;
  *out = NULL;
  if (neap__waking()) return NEAP_EARG;
  if (!knows(options)) return NEAP_EABI;
  const neap_options o = read_options(options);
  if (o.alloc || o.max_memory || o.flags || o.max_instructions || o.slice_us || o.stores || o.max_seconds > 0)
    return NEAP_EARG;
  if (!lua_checkstack(L, 8)) return NEAP_ENOMEM;
  neap *h = neap__host(L);
  if (h && h->events) return NEAP_EARG;  // it has a host already
  lua_pushcfunction(L, attach);
  lua_pushlightuserdata(L, (void *)(uintptr_t)options);
  int status = lua_pcall(L, 1, 0, 0);
  if (status != LUA_OK) lua_pop(L, 1);
  *out = status == LUA_OK ? neap__host(L) : NULL;
  return status == LUA_OK ? NEAP_OK : NEAP_ENOMEM;
}

void neap_close(neap **host) {
  neap *h = host ? *host : NULL;
  if (!h || !neap__enter_turn(h)) return;
  *host = NULL;
  shut(h);
  if (h->owned)
    free(h);
  else
    neap__left_turn(h, NEAP_OK);
}
