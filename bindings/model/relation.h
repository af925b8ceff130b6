// relation.h: what reading a pointer or a relation gives, and how related objects are loaded: one statement a relation,
// for all objects that came in one answer.
#ifndef NEAP_RELATION_H
#define NEAP_RELATION_H

#include "model/query.h"

// Each is the end of __index (p.author; the name is at index 2): `return neap__relation_read(L, 1, field)`. They may wait, and
// leave one value.

// Reads a POINTER (nil, the object, or a stub of it: nothing is sent), HAS_ONE (sends unless it is loaded), HAS_MANY or
// MANY_TO_MANY (a query bound to the object) of the object at idx.
int neap__relation_read(lua_State *L, int idx, const struct field *field);
// The object at idx is a stub made by neap__relation_read, and a script reads a column that it has not: loads it, together
// with its siblings', and gives the value of `field`. Raises not_found when the row is gone.
int neap__relation_touch(lua_State *L, int idx, const struct field *field);

// Pushes a key as a Lua value that finds it in a table.
void neap__relation_push_lookup(lua_State *L, const struct cell *cell);

// load(list of objects, their class, field, query or nil) -> list of all that was found
//   Loads what the relation leads to and deals it out. The query is what an include asks of the related rows.
int neap__relation_load(lua_State *L);
// Whether an object that is not found reads as nil: there is none, or the query of the include leaves it out. Else a pointer
// stays a stub, which says so when it is touched.
bool neap__relation_hides(const struct field *field, const struct query *asked);
// Narrows and orders the query on top of the stack as the declaration of the relation says.
void neap__relation_declared(lua_State *L, int class_idx, const struct field *field);
// Pushes the query that load() sends for the objects with these keys; query: 0 = none.
void neap__relation_push_query(lua_State *L, int class_idx, const struct field *field, int query,
                               const struct cell *keys, int n);
// Pushes a query for the objects that the relation of the object at idx leads to and that meet the SOME, a part of the condition
// at `root`; not for pointers. Pushes nil where the object has no key yet.
void neap__relation_push_some(lua_State *L, int idx, int root, const struct condition *some);
// relation_object(object, field) -> the object that the pointer leads to, which may have to be loaded, or nil: there is none
int neap__relation_object(lua_State *L);

#endif
