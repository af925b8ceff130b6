// save.h: what the files of the save pipeline share: a chunk of objects of one class on its way to the store.
#ifndef NEAP_SAVE_H
#define NEAP_SAVE_H

#include "model/store.h"

#define SAVE_CHUNK 10000  // objects that are written in one go
#define SAVE_AHEAD 6      // objects that are asked for before they are looked at

enum save_verb { SAVE_SAVE, SAVE_DELETE, SAVE_UPSERT, SAVE_CHECK };

struct save_options {
  enum save_verb verb;
  bool atomic, overwrite, force, returning;
  int condition;             // stack index of what the caller gave, 0 = none
  const uint64_t *conflict;  // SAVE_UPSERT
};

// An object that may have to be written.
struct save_item {
  const struct object *object;
  const struct class *class;
  int index;  // in the list that was given, from 1
};

// One object in a chunk. What the pipeline computes itself (times, version, uuid) is confirmed like what the store returns.
struct save_entry {
  const struct save_item *item;
  int object;  // its index in the list of those that are written, from 1
  int ncomputed;
  struct cell *computed;  // with room for one more: the key that the store gives
  int *computed_columns;
  uint64_t *sent;
  bool touched;  // the transaction knows the object for the sake of this write alone
};

struct save_chunk {
  const struct class *class;
  int n;
  bool borrows;  // texts from the objects, which scripts may free as soon as they run
  struct write *writes;
  struct save_entry *entries;
  int ncolumns_returned;  // all columns in order, where returning was asked for
  int *columns;           // 0, 1, 2, ...: what returned cells are for
};

// Whether `options` write loaded objects even if nothing in them has changed.
bool neap__save_is_forced(const struct save_options *options);
// Pushes a chunk with as many objects of one class as follow each other among the n items from *next (from 0) on, advancing
// *next. Objects that need nothing are left out; faults are handed to `fault`, which is called with the index that neap__save_push
// knows the object by and `e` filled, and may raise.
struct save_chunk *neap__save_plan(lua_State *L, struct view *view, const struct save_options *options,
                                   const struct save_item *items, int *next, int n,
                                   void (*fault)(lua_State *L, int object, const struct shape *shape,
                                                 struct neap__error *e));
// Before scripts run while the chunk waits: from now on it borrows nothing.
void neap__save_keep(lua_State *L, int chunk_idx);

// save_list.c. The list, or the single object, is at stack index 1.

// Puts a copy in the place of the list of n: other tasks and finalizers may change theirs meanwhile.
void neap__save_keep_list(lua_State *L, int n);
// Pushes the object at `index` of the list, or the single object.
void neap__save_push(lua_State *L, int index);
// The same where it may be something else, which raises usage naming its place. *metatable is at first NULL: see
// neap__object_test_next.
struct object *neap__save_item(lua_State *L, int index, const void **metatable);
// Whether saving the object at idx takes no more than writing it: its model has no hooks, and no pointer leads to an object that
// has to be saved first.
bool neap__save_is_plain(lua_State *L, int idx, const struct object *o);
// Walks the list of n and puts one in its place that has only what may have to be written; with `all` that is everything.
// Pushes the memory of *items, which are the same objects, or nil if there are none. Gives their number.
int neap__save_items(lua_State *L, int n, bool all, bool *plain, struct save_item **items);

// A time in microseconds since 1970 as the value of a field that is set with every save.
struct cell neap__save_time(const struct field *f, int64_t us);

// Says which object of which model failed, and why in the model's terms.
void neap__save_describe(lua_State *L, int idx, const struct shape *shape, struct neap__error *e);
// Pushes the error object with `errors` (field -> what is wrong) where the error tells fields.
void neap__save_error(lua_State *L, const struct shape *shape, const struct neap__error *e);

// Calls f, which takes in what a store answers, with the values from index 1 on, and gives its result. Where memory runs out,
// e.outcome is "unknown": what was sent may stand.
void neap__save_call(lua_State *L, lua_CFunction f);
void neap__save_error_register(lua_State *L);

void neap__reload_register(lua_State *L);  // reload.c: reload
void neap__load_register(lua_State *L);    // load.c: load
void neap__atomic_register(lua_State *L);  // atomic.c: change

#endif
