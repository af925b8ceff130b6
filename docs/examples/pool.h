// pool.h: memory for a game's scripts, for neap_options.alloc. Small blocks come from lists by size, so that every call takes
// about the same time: malloc tidies up what a collection has freed at some later call, which may take milliseconds. Freed
// blocks are kept for blocks of their size. One pool a host, as only one thread at a time uses either.
#ifndef POOL_H
#define POOL_H

#include <stdlib.h>
#include <string.h>

#define POOL_STEP 16     // sizes are rounded up to multiples of this
#define POOL_SMALL 1024  // larger blocks come from malloc
#define POOL_CHUNK (1u << 20)

struct pool {
  void *lists[POOL_SMALL / POOL_STEP + 1];  // of free blocks of each size: each begins with the address of the next
  char *at, *end;                           // what is left of the chunk that is cut up now
  void *chunks;
};

// Takes a chunk of so many bytes from the system, and touches it now rather than in a frame. 0 if memory is short.
static int pool_reserve(struct pool *pool, size_t size) {
  char *chunk = malloc(size + POOL_STEP);
  if (!chunk) return 0;
  memset(chunk, 0, size + POOL_STEP);
  *(void **)(void *)chunk = pool->chunks;
  pool->chunks = chunk;
  pool->at = chunk + POOL_STEP;
  pool->end = pool->at + size;
  return 1;
}

static void pool_free(struct pool *pool, void *p, size_t size) {
  if (size > POOL_SMALL) free(p);
  if (!p || size == 0 || size > POOL_SMALL) return;
  void **list = &pool->lists[(size + POOL_STEP - 1) / POOL_STEP];
  *(void **)p = *list;
  *list = p;
}

static void *pool_get(struct pool *pool, size_t size) {
  size_t n = (size + POOL_STEP - 1) / POOL_STEP;
  void *p = pool->lists[n];
  if (p) {
    pool->lists[n] = *(void **)p;
    return p;
  }
  size = n * POOL_STEP;
  if ((size_t)(pool->end - pool->at) < size && !pool_reserve(pool, POOL_CHUNK)) return NULL;
  p = pool->at;
  pool->at += size;
  return p;
}

// What neap_options.alloc is set to, with the pool as `ud`.
static void *pool_alloc(struct pool *pool, void *p, size_t osize, size_t nsize) {
  size_t old = p ? osize : 0;  // for a new block osize is something else
  if (old > POOL_SMALL && nsize > POOL_SMALL) return realloc(p, nsize);
  if (nsize == 0) {
    pool_free(pool, p, old);
    return NULL;
  }
  if (p && old <= POOL_SMALL && (old + POOL_STEP - 1) / POOL_STEP == (nsize + POOL_STEP - 1) / POOL_STEP) return p;
  void *q = nsize > POOL_SMALL ? malloc(nsize) : pool_get(pool, nsize);
  if (q && p) memcpy(q, p, old < nsize ? old : nsize);
  if (q) pool_free(pool, p, old);
  return q;
}

static void pool_close(struct pool *pool) {
  for (void *chunk = pool->chunks, *next; chunk; chunk = next) {
    next = *(void **)chunk;
    free(chunk);
  }
  memset(pool, 0, sizeof *pool);
}

#endif
