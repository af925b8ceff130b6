// query.h: an immutable query. Each method of a script's query makes a copy; nothing is sent before a terminal.
#ifndef NEAP_QUERY_H
#define NEAP_QUERY_H

#include "model/condition.h"

struct order {
  struct place place;
  bool descending;
};

enum aggregate_op { AGG_COUNT, AGG_SUM, AGG_MIN, AGG_MAX, AGG_AVG };

struct aggregate {
  const char *label;
  enum aggregate_op op;
  struct place place;        // place.field NULL: count of rows
  bool distinct;
};

struct include {             // one level of :include("author", "comments.user"): a tree
  const struct field *field;
  const struct query *query; // filter, order, limit of an include of its own, NULL = none
  int nchildren;
  struct include *children;
};

// One userdata; what its pointers name is anchored by its user values.
struct query {
  const struct class *class;
  const struct condition *where;   // NULL = all
  int norders;
  struct order *orders;
  int64_t limit, skip;             // limit -1 = none
  int nselect;                     // 0 = all columns
  const struct field **select;     // keys are always among them
  int nincludes;
  struct include *includes;
  int ngroups;
  struct place *groups;
  int naggregates;
  struct aggregate *aggregates;
  bool for_update, skip_locked, consistent, scan;
};

const struct query *neap__query_test(lua_State *L, int idx);
const struct query *neap__query_check(lua_State *L, int idx);
// Pushes a query over everything of the class at class_idx, to be filled by C code before it is shown to a script.
struct query *neap__query_new(lua_State *L, int class_idx);

#endif
