// buffer.h: bytes that grow. Memory comes from the Lua state's allocator, so that a host's memory limit counts it.
#ifndef NEAP_BUFFER_H
#define NEAP_BUFFER_H

#include <lua.h>
#include <stddef.h>
#include <string.h>

struct neap__buffer {
  char *p;
  size_t n, size;
  lua_Alloc alloc;
  void *ud;
};

// Prepares an empty buffer; who holds it calls neap__buffer_free. Where Lua may raise meanwhile use neap__buffer_push.
void neap__buffer_init(struct neap__buffer *b, lua_State *L);
// An empty buffer whose memory comes from malloc: for what lives where no Lua state is at hand.
void neap__buffer_plain(struct neap__buffer *b);
void neap__buffer_free(struct neap__buffer *b);
// Pushes a userdata that owns an empty buffer and frees it when it is collected. Raises when memory is short.
struct neap__buffer *neap__buffer_push(lua_State *L);
// Makes room for `more` bytes behind b->n, at least doubling. 0, or -1 when memory is short.
int neap__buffer_grow(struct neap__buffer *b, size_t more);

static inline int neap__buffer_reserve(struct neap__buffer *b, size_t more) {
  return b->size - b->n >= more ? 0 : neap__buffer_grow(b, more);
}

static inline int neap__buffer_append(struct neap__buffer *b, const char *p, size_t n) {
  if (neap__buffer_reserve(b, n) != 0) return -1;
  if (n > 0) memcpy(b->p + b->n, p, n);
  b->n += n;
  return 0;
}

static inline int neap__buffer_byte(struct neap__buffer *b, char c) {
  if (neap__buffer_reserve(b, 1) != 0) return -1;
  b->p[b->n++] = c;
  return 0;
}

#endif
