// buffer.c: bytes that grow, alone or boxed in a userdata.
#include "value/buffer.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdlib.h>

#define FIRST_SIZE 256

static const char type_name[] = "neap.buffer";

void neap__buffer_init(struct neap__buffer *b, lua_State *L) {
  memset(b, 0, sizeof *b);
  b->alloc = lua_getallocf(L, &b->ud);
}

static void *plain_alloc(void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud;
  (void)osize;
  if (nsize > 0) return realloc(p, nsize);
  free(p);
  return NULL;
}

void neap__buffer_plain(struct neap__buffer *b) {
  memset(b, 0, sizeof *b);
  b->alloc = plain_alloc;
}

void neap__buffer_free(struct neap__buffer *b) {
  if (b->p != NULL) b->alloc(b->ud, b->p, b->size, 0);
  b->p = NULL;
  b->n = b->size = 0;
}

// By doubling, so that appending byte by byte costs the same for any length.
int neap__buffer_grow(struct neap__buffer *b, size_t more) {
  if (more > SIZE_MAX / 4 - b->n) return -1;
  size_t size = b->size < FIRST_SIZE ? FIRST_SIZE : b->size * 2;
  while (size - b->n < more) size *= 2;
  char *p = b->alloc(b->ud, b->p, b->size, size);
  if (p == NULL) return -1;
  b->p = p;
  b->size = size;
  return 0;
}

// Runs when the userdata is collected, also after an error has thrown past its maker.
static int buffer_gc(lua_State *L) {
  neap__buffer_free(lua_touserdata(L, 1));
  return 0;
}

struct neap__buffer *neap__buffer_push(lua_State *L) {
  struct neap__buffer *b = lua_newuserdatauv(L, sizeof *b, 0);
  neap__buffer_init(b, L);
  if (luaL_getmetatable(L, type_name) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, buffer_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, type_name);
  }
  lua_setmetatable(L, -2);
  return b;
}
