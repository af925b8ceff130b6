// statement_cache.h: the prepared statements that a connection keeps, found by their text; the least recently used is the
// oldest. What is cached has a struct cached inside.
#ifndef NEAP_STATEMENT_CACHE_H
#define NEAP_STATEMENT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cached {
  struct cached *chain, *newer, *older;
  char *text;  // its own copy, ends with a NUL
  size_t n;
  uint32_t hash;
  bool listed;  // can be found
};

struct statement_cache {
  struct cached *buckets[256], *newest, *oldest;
  int n;
};

uint32_t neap__statement_hash(const char *p, size_t n);

static inline bool neap__cached_is(const struct cached *s, const char *p, size_t n) {
  return s->n == n && memcmp(s->text, p, n) == 0;
}

// Gives it the text. False when memory is short.
bool neap__cached_init(struct cached *s, const char *p, size_t n, uint32_t hash);

// The newest of those that may have this hash; the next ones by `chain`.
static inline struct cached *neap__cache_first(const struct statement_cache *c, uint32_t hash) {
  return c->buckets[hash % 256];
}

void neap__cache_add(struct statement_cache *c, struct cached *s);
// Makes it the newest.
void neap__cache_use(struct statement_cache *c, struct cached *s);
void neap__cache_remove(struct statement_cache *c, struct cached *s);

#endif
