// object.h: the row that a script holds: one userdata of typed cells in three layers.
//
// The inline row is what was loaded: 8 bytes and a kind a column, text behind them; it never changes. `base` holds what was
// confirmed since, `change` what the script has written; both are cells in an overlay that is made when first needed.
// Decoded lists and maps are kept, as scripts may change them in place.
#ifndef NEAP_OBJECT_H
#define NEAP_OBJECT_H

#include "model/shape.h"

struct object;

enum object_state { OBJECT_NEW, OBJECT_LOADED, OBJECT_DELETED };

struct object *neap__object_test(lua_State *L, int idx);   // NULL if it is none
struct object *neap__object_check(lua_State *L, int idx);  // raises usage
// The same as test for one of many: *metatable, at first NULL, tells that it is as the last one was.
struct object *neap__object_test_next(lua_State *L, int idx, const void **metatable);
const struct class *neap__object_class(const struct object *o);
enum object_state neap__object_state(const struct object *o);
void neap__object_set_state(struct object *o, enum object_state state);

// Makes objects from rows, on the hot path. A builder is prepared once a result and used for each row.
struct object_builder {
  const struct class *class;
  int class_idx;       // absolute stack index of the class
  int metatable_idx;   // absolute stack index of the metatable of its objects
  int ncells;          // cells in each row
  const int *columns;  // column of each cell, or NULL: cell i is column i and all columns are there
};
// Pushes one value (kept below the rows by the caller): the metatable. `columns` must outlive the builder.
void neap__object_builder(lua_State *L, struct object_builder *b, int class_idx, int ncells, const int *columns);
// Pushes a loaded object made of the cells; copies all text. Cells have the kinds that their columns' types call for
// (the transport or store converts); columns that are not among them are unloaded.
struct object *neap__object_build(lua_State *L, const struct object_builder *b, const struct cell *cells);

// The present value of a column (changes over base over row). Text is borrowed until the object changes or is collected.
// List, set, map, json: the JSON text, with in-place changes encoded (so this may push nothing but may allocate; object at
// absolute index idx).
void neap__object_get(lua_State *L, int idx, int column, struct cell *out);
// What the store has: base over row.
void neap__object_confirmed(lua_State *L, int idx, int column, struct cell *out);
// For who goes on to use the cell while scripts may run, be it in a finalizer: pushes what the text of one that was just got
// or confirmed lies in, nil where that is the object itself.
void neap__object_push_anchor(lua_State *L, int idx, int column, const struct cell *cell);
// The same for many cells: adds it to the list at `list`, counting on in *n.
void neap__object_keep(lua_State *L, int idx, int column, const struct cell *cell, int list, int *n);
// Pushes what all texts of the object lie in, or nil.
void neap__object_push_anchors(lua_State *L, int idx);
// Which columns a save must send: sets bits[column/64] and returns their number (new objects: all that are set). Compares
// lists and maps that were read with the text they came from.
// What a script writes from here on until neap__object_confirm is not taken for confirmed.
int neap__object_changes(lua_State *L, int idx, uint64_t *bits);
// Whether a save has nothing to look at: loaded, nothing written since, nothing read that scripts change in place.
bool neap__object_idle(const struct object *o);
// Before a write is sent: makes room for what will be confirmed, so that this needs no memory then. `cells` are those that are
// known already (their short texts, too, are there then); NULL = the texts alone will need some.
void neap__object_reserve(lua_State *L, int idx, const struct cell *cells, const int *columns, int n);
// Asks for the memory of an object that is looked at soon. Objects of a long list are not in the processor's caches.
void neap__object_prefetch(const struct object *o);
// After the store confirmed a write: changed columns move to base; `returned` (nreturned cells for `columns`) overwrite base
// without dirtying. State becomes LOADED.
void neap__object_confirm(lua_State *L, int idx, const uint64_t *sent, const struct cell *returned, const int *columns,
                          int nreturned);
// Replaces everything by a fresh row (reload, refetch of a stub).
void neap__object_reset(lua_State *L, int idx, const struct cell *cells, int ncells, const int *columns);
// Remembers state, base and changes so that a rollback can restore them, once and without memory; pushes the snapshot.
void neap__object_snapshot(lua_State *L, int idx);
void neap__object_restore(lua_State *L, int idx, int snapshot_idx);

// Loaded relations and pointers of an object: pops a value (object, or list table) and keeps it for `field`; pushes it or nil.
void neap__object_set_related(lua_State *L, int idx, const struct field *field);
void neap__object_get_related(lua_State *L, int idx, const struct field *field);
// What include has loaded is told from what was assigned or loaded by touch, until it is replaced. Pushes it: an object, or a list
// table; pushes nothing and gives false if it is none.
void neap__object_set_included(lua_State *L, int idx, const struct field *field);
bool neap__object_get_included(lua_State *L, int idx, const struct field *field);
// How many objects a relation leads to, where a query has counted them: pops an integer; pushes it or nil.
void neap__object_set_count(lua_State *L, int idx, const struct field *field);
void neap__object_get_count(lua_State *L, int idx, const struct field *field);
// Siblings: objects that were loaded by one query share a list, so that a pointer touched in a loop loads for all of them at
// once. Pops the list (weak) and notes it.
void neap__object_set_siblings(lua_State *L, int idx);
void neap__object_get_siblings(lua_State *L, int idx);

// Marks the object as a stub: its key is known, other columns load when they are read (relation.h). Loading ends that.
void neap__object_set_stub(lua_State *L, int idx);
// Relations of the object that were not loaded raise where they are read, instead of loading.
void neap__object_set_eager(struct object *o);
bool neap__object_eager(const struct object *o);
// Sets a column from C as if a script had assigned the value on top of the stack, which is popped. Raises validation.
void neap__object_set(lua_State *L, int idx, const struct field *field);

// Pushes the key as scripts know it: a scalar, or a table { name = value } for composite keys; nil when there is none.
void neap__object_push_key(lua_State *L, int idx);

#endif
