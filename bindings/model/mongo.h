// mongo.h: what the files of Query Objects share.
#ifndef NEAP_MONGO_H
#define NEAP_MONGO_H

#include "model/object.h"
#include "value/buffer.h"

// What is written of each object: fields and counts in the order of output, then what lies behind its relations. Names and inner
// plans are anchored by its user value.
struct plan_part {
  const char *name;
  const char *json;  // "name": as text
  size_t njson;
  const struct field *field;
  const struct plan *plan;  // of what the relation leads to; NULL: a field
  bool counts;              // how many objects the relation leads to
};

struct plan {
  const struct shape *shape;
  int nfields, nparts;
  struct plan_part parts[];
};

// kernel.tables(list, plan, computed) -> list of plain tables; kernel.json(list, plan, computed) -> JSON text of it
//   computed  { [object] = { name = value } }: what getters gave, nil = there are none
int neap__mongo_tables(lua_State *L);
int neap__mongo_json(lua_State *L);

// kernel.labelled(rows, { { label, name, times }, … }) -> list of new tables { label = row[name] }, neap.null where it has none
//   times  integer that the value is multiplied with, nil = 1
int neap__mongo_labelled(lua_State *L);

// kernel.groups_json(query, { label = expression } or nil, { { label, name, times }, … }) -> the same as JSON text, from the rows
// of the groups that the query gives with these aggregates
int neap__mongo_groups_json(lua_State *L);

// ---- JSON text (mongo_write.c) ----

void neap__mongo_put(lua_State *L, struct neap__buffer *out, const char *p, size_t n);
// Writes what needs no Lua value. False: it does.
bool neap__mongo_put_cell(lua_State *L, struct neap__buffer *out, const struct cell *cell);
// Writes the value on top of the stack, which is popped.
void neap__mongo_put_value(lua_State *L, struct neap__buffer *out);

// kernel.shape(query) -> text that is the same for Query Objects that differ in values alone; nil where it would be too long
int neap__mongo_shape(lua_State *L);

#endif
