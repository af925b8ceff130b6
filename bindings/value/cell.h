// cell.h: a value that is not yet in Lua: what transports give, what objects keep, what statements bind.
// Text, bytes and JSON are borrowed: whoever makes a cell says how long they live.
#ifndef NEAP_CELL_H
#define NEAP_CELL_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "host.h"

enum cell_kind {
  CELL_UNLOADED,  // the query did not load it
  CELL_NIL,       // never set, or SQL NULL
  CELL_NULL,      // an explicit null
  CELL_BOOLEAN,   // i: 0 or 1
  CELL_INTEGER,   // i
  CELL_NUMBER,    // d; never NaN
  CELL_TEXT,      // p, n: UTF-8
  CELL_BYTES,     // p, n
  CELL_DECIMAL,   // p, n: canonical text, "-12.50" (decimal.h)
  CELL_DATETIME,  // i: microseconds since 1970-01-01 UTC
  CELL_DATE,      // i: days since 1970-01-01
  CELL_JSON       // p, n: JSON text of a list, set, map, geopoint, file, or of anything in an untyped place
};

struct cell {
  union {
    int64_t i;
    double d;
    const char *p;
  };
  uint32_t n;
  uint8_t kind;  // enum cell_kind
  bool secret;   // of a parameter that is bound: not to be shown
};

// Whether p and n count.
static inline bool neap__cell_has_text(const struct cell *c) {
  return c->kind == CELL_TEXT || c->kind == CELL_BYTES || c->kind == CELL_DECIMAL || c->kind == CELL_JSON;
}

// ---- convert.c: the one place where cells and Lua values meet ----

// Pushes the Lua value of a cell: nil, neap.null, boolean, integer, float, string (TEXT, BYTES), decimal, datetime, date,
// or what the JSON text decodes to (with marks). UNLOADED pushes nil. Raises only when memory is short.
void neap__cell_push(lua_State *L, const struct cell *cell);
// Reads the Lua value at idx as its nature tells (a string is TEXT; neap.bytes is BYTES; a table or a marked container is
// JSON, encoded). Borrowed text lives as long as the value; for JSON one string is pushed that anchors it, so this pushes
// one value always (the anchor). Returns 0, or -1 with `e` filled (kind validation: NaN, a function, a cycle, ...).
int neap__cell_read(lua_State *L, int idx, struct cell *cell, struct neap__error *e);
// Equal kind and value; CELL_INTEGER 5 equals CELL_NUMBER 5.0 and decimals compare by number; JSON by structure (order of
// list elements counts, order of keys does not).
bool neap__cell_equal(const struct cell *a, const struct cell *b);
// -1, 0, 1, or 2 when the two cannot be ordered (other kinds). Text by bytes. All kinds of number compare exactly with
// each other. false < true.
int neap__cell_compare(const struct cell *a, const struct cell *b);
// Writes a short printable form of a cell (quoted and cut text) for messages, always ended by NUL. Returns buf.
char *neap__cell_print(const struct cell *cell, char *buf, size_t size);

#endif
