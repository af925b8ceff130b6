// json_keys.c: a merge sort from the bottom up that can stop at any comparison: its whole state is five numbers.
#include "value/json_keys.h"

#include <lauxlib.h>

int neap__json_member_compare(const struct neap__json_member *a, const struct neap__json_member *b) {
  int order = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
  return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

// The buffers are user values: they free themselves, and the list needs no finalizer of its own.
struct neap__json_keys *neap__json_keys_push(lua_State *L) {
  struct neap__json_keys *k = lua_newuserdatauv(L, sizeof *k, 2);
  memset(k, 0, sizeof *k);
  k->from = neap__buffer_push(L);
  lua_setiuservalue(L, -2, 1);
  k->to = neap__buffer_push(L);
  lua_setiuservalue(L, -2, 2);
  return k;
}

int neap__json_keys_add(struct neap__json_keys *k, const struct neap__json_member *member) {
  k->n++;
  return neap__buffer_append(k->from, (const char *)member, sizeof *member);
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

static void begin_runs(struct neap__json_keys *k, size_t low) {
  k->low = k->left = low;
  k->right = least(low + k->width, k->n);
}

// The next pass merges what this one wrote.
static void begin_pass(struct neap__json_keys *k, size_t width) {
  struct neap__buffer *from = k->from;
  if (k->width > 0) k->from = k->to, k->to = from;
  k->width = width;
  begin_runs(k, 0);
}

// Moves the smaller of the two next members; equal ones do not occur.
static void merge_one(struct neap__json_keys *k) {
  struct neap__json_member *from = neap__json_keys_all(k), *to = (struct neap__json_member *)(void *)k->to->p;
  size_t middle = least(k->low + k->width, k->n), end = least(k->low + 2 * k->width, k->n);
  size_t at = k->left + k->right - middle;
  bool left = k->left < middle && (k->right >= end || neap__json_member_compare(&from[k->left], &from[k->right]) < 0);
  to[at] = left ? from[k->left++] : from[k->right++];
  if (k->left == middle && k->right == end) begin_runs(k, end);
}

int neap__json_keys_sort(struct neap__json_keys *k, unsigned work) {
  if (k->width == 0) {
    if (neap__buffer_reserve(k->to, k->from->n) != 0) return -1;
    begin_pass(k, 1);
  }
  for (; k->width < k->n && work > 0; work--) {
    merge_one(k);
    if (k->low >= k->n) begin_pass(k, k->width * 2);
  }
  return k->width >= k->n;
}
