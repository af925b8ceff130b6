// json_read.h: the reader's state, for those who let it pause (json.c). Others use neap__json_push.
#ifndef NEAP_JSON_READ_H
#define NEAP_JSON_READ_H

#include "value/json.h"

#define NEAP_JSON_KEYS 64

// A container that is being read.
struct neap__json_frame {
  ptrdiff_t start;  // where its bracket is in the text
  int slot;         // stack index of its table; what waits for the table lies above
  int stored;       // list elements in the table
  int pending;      // elements or members on the stack
  char close;       // ']' or '}'
  bool made, empty, set;
};

// A key that was seen before; its string lies on the Lua stack.
struct neap__json_key {
  const char *p;
  size_t n;
  struct neap__json_key *next;  // the key that followed it the last time
};

struct neap__json_reader {
  lua_State *L;
  const char *text, *p, *end;
  struct neap__json_frame *frames;  // room for `depth` of them
  int depth, nframes;
  struct neap__json_key *keys;  // NEAP_JSON_KEYS of them, or NULL: a short text does without
  struct neap__json_key first, *last;
  int base, marks;  // stack indexes: of the first key; of the metatables of arrays and objects, nil until needed
  struct neap__error *error;
  bool marked;  // marks count
};

// Prepares a reader whose frames, depth, keys and error are set. The text must stay where it is until the end. Pushes
// what the reader needs on the stack (many values); it is the caller's to remove.
void neap__json_reader_init(struct neap__json_reader *r, lua_State *L, const char *p, size_t n);
// NEAP_OK: the value is on top. NEAP_PENDING (only if pausing): call it again, with the stack as it is.
// NEAP_ERR: the error is filled, the stack holds anything above what it held before the init.
int neap__json_read(struct neap__json_reader *r, bool pausing);

#endif
