// save.h: what the files of the save pipeline share: a chunk of objects of one class on its way to the store.
#ifndef NEAP_SAVE_H
#define NEAP_SAVE_H

#include "model/store.h"

#define SAVE_CHUNK 10000  // objects that are written in one go

enum save_verb { SAVE_SAVE, SAVE_DELETE, SAVE_UPSERT };

struct save_options {
  enum save_verb verb;
  bool atomic, overwrite, force, returning;
  int condition;             // stack index of what the caller gave, 0 = none
  const uint64_t *conflict;  // SAVE_UPSERT
};

// One object in a chunk. What the pipeline computes itself (times, version, uuid) is confirmed like what the store returns.
struct save_entry {
  int object;  // index in the list, from 1
  int ncomputed;
  struct cell *computed;  // with room for one more: the key that the store gives
  int *computed_columns;
  uint64_t *sent;
  bool touched;  // the transaction knows the object for the sake of this write alone
};

struct save_chunk {
  const struct class *class;
  int n;
  struct write *writes;
  struct save_entry *entries;
  int ncolumns_returned;  // all columns in order, where returning was asked for
  int *columns;           // 0, 1, 2, ...: what returned cells are for
};

// Pushes a chunk with as many objects of one class as follow each other from *next on in the list (or the single object) at
// index 1, advancing *next. Objects that need nothing are left out; faults are handed to `fault`, which is called with the
// object's index and `e` filled, and may raise.
struct save_chunk *neap__save_plan(lua_State *L, struct view *view, const struct save_options *options, int *next,
                                   int n,
                                   void (*fault)(lua_State *L, int object, const struct shape *shape,
                                                 struct neap__error *e));
// Puts a copy in the place of the list of n at stack index 1: other tasks and finalizers may change theirs meanwhile.
void neap__save_keep_list(lua_State *L, int n);
// Pushes the object at `index` of the list at stack index 1, or the single object that is there.
void neap__save_push(lua_State *L, int index);
// The same where it may be something else, which raises usage naming its place. *metatable is at first NULL: see
// neap__object_test_next.
struct object *neap__save_item(lua_State *L, int index, const void **metatable);

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
