// statement_cache.c: a table of buckets, and a list by last use.
#include "transport/statement_cache.h"

#include <stdlib.h>

// The multipliers of FNV-1a and of MurmurHash3's finalizer: texts are long, so eight bytes go in at a time.
uint32_t neap__statement_hash(const char *p, size_t n) {
  uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15), word;
  for (; n >= 8; p += 8, n -= 8) {
    memcpy(&word, p, 8);
    h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 32;
  }
  for (; n > 0; n--) h = (h ^ (unsigned char)*p++) * UINT64_C(0x100000001b3);
  return (uint32_t)(h ^ (h >> 32));
}

bool neap__cached_init(struct cached *s, const char *p, size_t n, uint32_t hash) {
  s->text = malloc(n + 1);
  if (!s->text) return false;
  memcpy(s->text, p, n);
  s->text[n] = 0;
  s->n = n;
  s->hash = hash;
  return true;
}

static void unlink_used(struct statement_cache *c, struct cached *s) {
  *(s->newer ? &s->newer->older : &c->newest) = s->older;
  *(s->older ? &s->older->newer : &c->oldest) = s->newer;
}

static void link_newest(struct statement_cache *c, struct cached *s) {
  s->newer = NULL;
  s->older = c->newest;
  *(c->newest ? &c->newest->newer : &c->oldest) = s;
  c->newest = s;
}

void neap__cache_use(struct statement_cache *c, struct cached *s) {
  if (s == c->newest) return;
  unlink_used(c, s);
  link_newest(c, s);
}

void neap__cache_add(struct statement_cache *c, struct cached *s) {
  struct cached **bucket = &c->buckets[s->hash % 256];
  s->chain = *bucket;
  *bucket = s;
  s->listed = true;
  link_newest(c, s);
  c->n++;
}

void neap__cache_remove(struct statement_cache *c, struct cached *s) {
  struct cached **link = &c->buckets[s->hash % 256];
  while (*link != s) link = &(*link)->chain;
  *link = s->chain;
  s->listed = false;
  unlink_used(c, s);
  c->n--;
}
