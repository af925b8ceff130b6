// memory.h: what a query asks that its store cannot do, done here over the rows that the store can give: conditions, order, limits,
// groups and what is computed of them. Rows come one by one; what has no order and no groups is never held.
#ifndef NEAP_MEMORY_H
#define NEAP_MEMORY_H

#include "model/query.h"
#include "value/rows.h"

#define MEMORY_CONDITIONS 3

struct memory_plan {
  const uint64_t *columns;  // bit set of the columns that the rows have, in column order; NULL = all, computed ones too
  // What the rows must meet still: each of them, NULL = nothing. They live as long as the rows do, which anchor them. Relations
  // are not followed.
  const struct condition *residual[MEMORY_CONDITIONS];
  bool ordered;  // the rows come in the query's order
  int nordered;  // or in the order of so many of its first places: with a limit not all of them are read then
  bool count;    // not the rows are asked for but how many they are
  // What the rows have behind the columns: the column that each place ends in, behind what leads to it, or its count; then the
  // owner's key where the query has a link.
  int nreaches;
  const struct reach *reaches;
};

// Replaces the rows on top of the stack, which nobody has read yet, by those that the query gives: its columns and the owner's key,
// groups and aggregates, or one integer. Of the query's own conditions only those count that the plan names. Raises unsupported for
// what cannot be told of such rows. The query, as that of every verb, lives as long as its rows.
struct rows *neap__memory_rows(lua_State *L, const struct query *q, const struct memory_plan *plan);

// Adds the columns that the query needs of such rows, its own conditions included, to the bit set.
void neap__memory_columns(const struct query *q, uint64_t *bits);
// Adds the columns that a condition asks for: those of the residual that come from elsewhere.
void neap__memory_condition_columns(const struct condition *c, uint64_t *bits);

void neap__memory_open(lua_State *L);

#endif
