// apart.h: relations on stores that cannot join. What conditions, order, groups and counts ask of related rows is read before, by
// queries of its own; lua/neap/apart.lua says in which order, and what it stands on is here.
#ifndef NEAP_APART_H
#define NEAP_APART_H

#include "model/memory_build.h"
#include "model/query_build.h"

// The rows of a query, held; by the cell `key`, of which the first counts, or all of them (key -1). A userdata.
struct held {
  struct memory_room room;
  struct neap__error error;
  int width, key;
  struct memory_table table;
};

struct held *neap__held_check(lua_State *L, int idx);
// Pushes a list of the distinct values in a cell of the rows, absent ones left out, as cells that live as long as the rows.
const struct cell *neap__held_distinct(lua_State *L, struct held *held, int cell, int *n);
// The row with that key, NULL = none.
const struct kept *neap__held_find(const struct held *held, const struct cell *key);
// read(query, key or nil) -> held
int neap__held_read(lua_State *L);
// rows(query, count, base, targets or nil, cells of the link or nil, reaches, paths) -> rows
int neap__held_rows(lua_State *L);
void neap__held_open(lua_State *L);

// The far reaches of a query, each once. A userdata.
struct reaches {
  int n;
  struct reach list[];
};

#endif
