// dynamodb_plan.h: what the files that plan queries of DynamoDB share.
#ifndef NEAP_DYNAMODB_PLAN_H
#define NEAP_DYNAMODB_PLAN_H

#include "store/dynamodb.h"

// What a condition was given for. MADE: it follows from others by a template, and is of use to keys alone.
enum role { ROLE_ANY, ROLE_KEY, ROLE_FILTER, ROLE_MADE };

// One of the conditions that all have to be met.
struct part {
  const struct condition *condition;
  enum role role;
  bool taken;  // the key says it
};

// A way to look: the table, or an index.
struct target {
  const struct index *index;  // NULL = the table
  const struct field *hash, *range;
  struct part *at, *low, *high;  // what the hash key equals; the range key's bounds, or both its only one
  bool descending;
  int nordered;  // rows come in the order of so many of the query's places
  int score;     // 0 = it does not serve
};

struct planner {
  lua_State *L;
  int anchors;  // stack index of the table that the plan is kept in
  const struct query *q;
  const struct condition *where;  // of the query, or of the whole of which it is a page
  const struct shape *shape;
  struct dynamodb_plan *plan;
  struct part *parts;
  int nparts, room;
  const struct condition **known;  // by column: an EQ that has to be met, NULL = none
  bool never;                      // no row meets all of them
  uint64_t *columns;               // what the query needs
};

// ---- dynamodb_parts.c: what has to be met ----

// Zeroed memory that lives as long as the plan.
void *neap__plan_keep(struct planner *p, size_t count, size_t size);
const struct condition *neap__plan_branch(struct planner *p, enum condition_op op, const struct condition **children,
                                          int n);
// Reads the conditions of the query and of the view's scope into parts, as far as what others say decides them.
void neap__plan_parts(struct planner *p, struct view *view);
// Whether it compares the whole column with values.
bool neap__plan_is_of(const struct condition *c, const struct field *f);
// Whether a key can be compared with the value.
bool neap__plan_is_scalar(const struct cell *cell);

// ---- dynamodb_plan.c ----

// What the table (NULL) or an index could do for the query.
struct target neap__plan_look(struct planner *p, const struct index *index);
// The first of the columns that the index does not hold, NULL = it holds them all.
const struct field *neap__plan_lacks(const struct planner *p, const struct index *index, const uint64_t *columns);
bool neap__plan_mentions(const struct condition *c, const struct field *f);
// Whether the server can apply the condition to what it reads by the target: not to its own keys, unless it scans.
bool neap__plan_is_filter(struct planner *p, const struct target *t, const struct condition *c);

// ---- dynamodb_refuse.c: faults of queries ----

// Raises what to do where all would be read.
void neap__plan_refuse_scan(struct planner *p, const struct target *t);
// Raises unless the index that was asked for has what is asked of it. A local one gives the rest out of the table.
void neap__plan_check_index(struct planner *p);
// Raises unless what was given to key is in the key, and what was given to filter in the filter.
void neap__plan_check_roles(struct planner *p, const struct target *t);

#endif
