// row.h: how an object lies in memory: what object.c and the files beside it share. Nobody else looks inside.
#ifndef NEAP_ROW_H
#define NEAP_ROW_H

#include "model/object.h"

// Of a column, beside its kind in the low four bits.
enum column_flag { COLUMN_KIND = 15, COLUMN_BASE = 16, COLUMN_CHANGED = 32, COLUMN_DECODED = 64, COLUMN_RELATED = 128 };

union slot {
  int64_t i;
  double d;
  struct {
    uint32_t at, n;  // text, from the start of the object
  } text;
};

struct overlay {
  int ncells;
  struct cell cells[];  // base of all columns, then change of all columns; then a byte a column: enum overlay_bit
};

enum overlay_bit {
  OVERLAY_SIDE = 1,    // which of its two anchors is that of the change
  OVERLAY_WRITTEN = 2  // a script has written it since a save last asked what to send
};

static inline size_t neap__overlay_bytes(int ncells) {
  return (size_t)ncells * (2 * sizeof(struct cell) + 1);
}

static inline uint8_t *neap__overlay_side(struct overlay *overlay, int column) {
  return (uint8_t *)&overlay->cells[2 * overlay->ncells] + column;
}

struct object {
  const struct class *class;
  struct overlay *overlay;  // NULL until something was written or confirmed; anchored by the values
  uint8_t state;            // enum object_state
  bool dirty;               // some column has COLUMN_CHANGED
  bool decoded;             // some column has COLUMN_DECODED
  bool stub;
  bool eager;        // relations are only read where they were loaded
  union slot row[];  // shape->ncells, then as many bytes of kind and flags, then text
};

// User values of an object: 1 the table of values or nil, 2 its siblings, then the decoded values of its containers: most
// objects need no table for theirs.
#define ROW_SIBLINGS 2
#define ROW_DECODED(field) (ROW_SIBLINGS + (field)->container)

// The table of values, by number: 0 the overlay, unless it lies behind the object; what anchors base and change at
// ANCHOR(c, 0 or 1), so that a confirmed change need not move. By light userdata of a field: what it relates to.
#define ANCHOR(c, side) (-2 * (c)-1 - (side))

static inline uint8_t *neap__row_kinds(const struct object *o) {
  return (uint8_t *)(uintptr_t)&o->row[o->class->shape->ncells];
}

// The cell of a column in its present layer.
struct cell neap__row_present(const struct object *o, int column);
// The same without what the script has written.
struct cell neap__row_base(const struct object *o, int column);
// Pushes the table of values of the object at idx, made if need be.
void neap__row_values(lua_State *L, int idx);
// Makes sure that there is an overlay; pushes nothing.
struct overlay *neap__row_overlay(lua_State *L, int idx, struct object *o);
// Pops the anchor (or nil) of the cell's text and makes the cell the column's change, or its base.
void neap__row_change(lua_State *L, int idx, struct object *o, int column, const struct cell *cell);
void neap__row_confirm(lua_State *L, int idx, struct object *o, int column, const struct cell *cell);
// Forgets the decoded value of a column and what it relates to.
void neap__row_forget(lua_State *L, int idx, struct object *o, int column);
// Encodes lists and maps that were changed in place into changes. Raises validation.
void neap__row_sync(lua_State *L, int idx, struct object *o);
// Pushes the value of a column as scripts see it; UNLOADED and stubs are the caller's business.
void neap__row_push(lua_State *L, int idx, struct object *o, const struct field *field);
// neap__object_changes for a script that looks: nothing is about to be sent.
int neap__row_changes(lua_State *L, int idx, uint64_t *bits);
// Forgets what the script wrote to a column.
void neap__row_revert(lua_State *L, int idx, struct object *o, int column);

#endif
