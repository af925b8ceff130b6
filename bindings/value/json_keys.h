// json_keys.h: the keys of an object in the order of their bytes; of a large one bit by bit, so that no step takes
// long.
#ifndef NEAP_JSON_KEYS_H
#define NEAP_JSON_KEYS_H

#include <stdbool.h>

#include "value/buffer.h"

// A key. object is the address of the Lua string, index its place in the table that keeps the keys of a large object.
struct neap__json_member {
  const char *p;
  size_t n;
  const void *object;
  lua_Integer index;
};

int neap__json_member_compare(const struct neap__json_member *a, const struct neap__json_member *b);

// A list of keys that grows, is sorted, and is read. What keeps the strings alive is the caller's business.
struct neap__json_keys {
  struct neap__buffer *from, *to;  // members; each pass merges runs of `width` from one into the other
  size_t n, width, low;            // low: where the two runs that are being merged begin
  size_t left, right;              // what comes next of either run
};

// Pushes a userdata that owns an empty list.
struct neap__json_keys *neap__json_keys_push(lua_State *L);
// 0, or -1 when memory is short.
int neap__json_keys_add(struct neap__json_keys *k, const struct neap__json_member *member);
// Sorts on for about `work` comparisons; call it until it gives 1. 0: not done. -1: memory is short.
int neap__json_keys_sort(struct neap__json_keys *k, unsigned work);

static inline struct neap__json_member *neap__json_keys_all(const struct neap__json_keys *k) {
  return (struct neap__json_member *)(void *)k->from->p;
}

#endif
