// state.c: a host from open to close, and the allocator that counts its memory.
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

static const char host_key = 0;  // registry of a state that is not ours: the host

// ---- Memory ----

// Lua asks once more after a full collection, so that the refusal stands until the same request is granted.
static void *refuse(neap *h, const void *block, size_t osize, size_t nsize) {
  h->refused.block = block;
  h->refused.osize = osize;
  h->refused.nsize = nsize;
  return NULL;
}

static void *allocate(void *ud, void *p, size_t osize, size_t nsize) {
  neap *h = ud;
  size_t old = p ? osize : 0;  // for a new block osize is a type tag
  size_t max = h->options.max_memory;
  if (nsize == 0) {
    if (h->options.alloc)
      h->options.alloc(h->options.ud, p, osize, 0);
    else
      free(p);
    h->memory -= old;
    return NULL;
  }
  if (max && nsize > old && h->memory - old + nsize > max + h->overdraft) return refuse(h, p, osize, nsize);
  void *q = h->options.alloc ? h->options.alloc(h->options.ud, p, osize, nsize) : realloc(p, nsize);
  if (!q) return NULL;
  h->memory += nsize - old;
  if (h->refused.nsize == nsize && h->refused.osize == osize && h->refused.block == p) h->refused.nsize = 0;
  return q;
}

// ---- The host of a state ----

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

bool neap__stopping(neap *h) {
  return h->stop != 0;
}

void neap__closer_add(neap *h, struct neap__closer *c) {
  c->next = h->closers;
  c->prev = &h->closers;
  if (c->next) c->next->prev = &c->next;
  h->closers = c;
}

void neap__closer_remove(struct neap__closer *c) {
  if (!c->prev) return;
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
  neap__module_open(h, L);
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

static int copy_options(neap *h, const neap_options *options) {
  if (!options) return NEAP_OK;
  if (options->size != sizeof *options) return NEAP_EABI;
  h->options = *options;
  if (options->lua_dir && !(h->options.lua_dir = strdup(options->lua_dir))) return NEAP_ENOMEM;
  return NEAP_OK;
}

int neap_open(neap **out, const neap_options *options) {
  if (!out) return NEAP_EARG;
  neap *h = *out = NULL;
  if (!(h = calloc(1, sizeof *h))) return NEAP_ENOMEM;
  h->ready_end = &h->ready;
  h->owned = true;
  h->exit_code = -1;
  h->pause_at = h->step_ends = INT64_MAX;
  h->shuffle = shuffle_seed();
  int status = copy_options(h, options);
  if (status == NEAP_OK && !(h->L = lua_newstate(allocate, h))) status = NEAP_ENOMEM;
  if (status == NEAP_OK) status = neap__loop_open(h);
  if (status == NEAP_OK) {
    lua_atpanic(h->L, panic);
    lua_pushcfunction(h->L, open_state);
    if (lua_pcall(h->L, 0, 0, 0) != LUA_OK) status = NEAP_ENOMEM;
  }
  if (status != NEAP_OK) neap_close(&h);
  *out = h;
  return status;
}

// Cancels the tasks and runs them to their end; what then still waits for nothing is dropped.
static void drain(neap *h) {
  if (!h->L || !h->events) return;
  neap__task_cancel_all(h);
  while (h->live > 0) {
    neap__task_run_ready(h, h->L);
    if (h->live > 0 && !h->ready && !neap__loop_poll(h, true)) return;
  }
}

void neap_close(neap **host) {
  neap *h = host ? *host : NULL;
  if (!h) return;
  *host = NULL;
  drain(h);
  for (struct neap__closer *c; (c = h->closers) != NULL;) {
    neap__closer_remove(c);
    c->close(c);
  }
  if (h->L) lua_close(h->L);
  neap__loop_close(h);
  free((void *)(uintptr_t)h->options.lua_dir);
  free(h);
}
