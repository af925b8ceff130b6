// collect.c: the garbage collector of a host that is stepped. Lua's own works off at once what was allocated since it last ran,
// after a long text a whole cycle. Here it stands still while scripts run and takes small steps between them, in the time
// that the host has given; what is owed at the end of that is worked off before any script runs in the next step.
#include "state.h"

enum {
  STEP_BITS = 9,         // of a step in Lua's measure: about 15 us
  LUA_STEP_BITS = 13,    // what Lua starts with
  STEP_PAYS = 6400,      // bytes that scripts may allocate for a step while a cycle runs
  LEAST_HEAP = 1 << 20,  // bytes in use below which no cycle begins
};

// Where the next cycle begins: when the heap has doubled, or is half way to its limit.
static size_t next_at(const neap *h) {
  size_t at = 2 * h->memory, max = h->options.max_memory;
  if (max > h->memory && at > h->memory + (max - h->memory) / 2) at = h->memory + (max - h->memory) / 2;
  return at > LEAST_HEAP ? at : LEAST_HEAP;
}

void neap__collect_pace(neap *h, bool paced) {
  if (!h->owned || h->paced == paced) return;
  h->paced = paced;
  lua_gc(h->L, LUA_GCINC, 0, 0, paced ? STEP_BITS : LUA_STEP_BITS);
  if (!paced) lua_gc(h->L, LUA_GCRESTART);
}

void neap__collect_start(neap *h) {
  if (!h->paced) return;
  lua_gc(h->L, LUA_GCSTOP);  // in each step: a script may have started it again
  if (!h->collect_at) h->collect_at = next_at(h);
}

static void cycle_ended(neap *h) {
  h->collecting = false;
  h->owed = 0;
  h->collect_at = next_at(h);
  if (h->cycles > 0) h->cycles--;
}

void neap__collect_pay(neap *h) {
  if (!h->paced) return;
  if (!h->collecting) h->owed = 0;
  h->collecting = h->collecting || h->memory >= h->collect_at || h->cycles > 0;
  while (h->collecting && (h->owed >= STEP_PAYS || (h->cycles > 0 && !h->ready))) {
    if (neap__now_us() >= h->collect_until) return;
    h->owed -= h->owed < STEP_PAYS ? h->owed : STEP_PAYS;
    if (lua_gc(h->L, LUA_GCSTEP, 0) == 1) cycle_ended(h);
    h->collecting = h->collecting || h->cycles > 0;
  }
}

void neap__collect_all(neap *h) {
  if (!h->paced) {
    lua_gc(h->L, LUA_GCCOLLECT);
    return;
  }
  h->cycles = 2;  // what the present one has passed already, the next one finds
  neap__collect_pay(h);
}
