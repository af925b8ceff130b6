// query.h: an immutable query. Each method of a script's query makes a copy; nothing is sent before a terminal.
#ifndef NEAP_QUERY_H
#define NEAP_QUERY_H

#include "model/condition.h"

// A pointer or has_one on the way to a place.
struct via {
  const struct field *field;
  const struct query
      *query;  // has_one: which of the rows that point back it is, by condition and order; NULL: a pointer
};

// A place of the query's model, or of one that pointers and has_one lead to: "author.group.name" goes via author and group to
// name.
struct reach {
  int nvia;
  const struct via *via;
  struct place place;
};

struct order {
  struct reach reach;
  bool descending;
  bool first;         // what is absent comes first: an order that is read backwards
  const char *label;  // of an aggregate, which the query does not know before its aggregates; NULL = reach counts
};

enum aggregate_op { AGG_COUNT, AGG_SUM, AGG_MIN, AGG_MAX, AGG_AVG };

struct aggregate {
  const char *label;
  enum aggregate_op op;
  struct reach reach;              // place.field NULL: rows are counted
  const struct condition *filter;  // COUNT: only rows that meet it; NULL = all
};

// Groups are given where what is computed of them compares so: EQ NE LT LTE GT GTE with a scalar.
struct having {
  const char *label;
  enum condition_op op;
  struct cell cell;
};

// Makes the operand of a having one of the kind that is computed (UNLOADED: what lies in JSON): text becomes a time, and in JSON a
// time is text, for which there is room. False: it is of another type, so that nothing compares with it.
bool neap__having_fit(enum cell_kind kind, struct cell *cell, char text[40]);

// One relation of include.
struct include {
  const struct field *field;
  const struct query *query;  // over the related model, with conditions, order, limit and includes of its own
};

// A page in the order of the keys alone, which a store that reads all may give in its own order.
struct paging {
  const struct condition *where;  // of the query, without what lies behind the cursor; NULL = all
  const struct cell *after;       // the key that it comes after, NULL = the first page
  bool back;                      // it comes before that
};

// One userdata; what its pointers name is anchored by its user values.
struct query {
  const struct class *class;
  const struct condition *where;  // NULL = all
  int norders;
  const struct order *orders;
  int64_t limit, skip;          // limit -1 = none
  int nselect;                  // 0 = all columns
  const struct field **select;  // in column order; a script's query always has the keys among them
  int ncounts;                  // behind those: how many objects relations lead to
  const struct place *counts;
  int nincludes;
  const struct include *includes;
  bool every;  // groups are not formed: each row gives their values
  int ngroups;
  const struct reach *groups;
  int naggregates;
  const struct aggregate *aggregates;
  int nhavings;
  const struct having *havings;
  // Rows that a relation leads to. Those of a many_to_many come once for each row of link->through that meets `owners`. Where
  // `owner` is set each row has one cell more, the last: the key of its owner.
  const struct field *link;   // the many_to_many field, NULL = none
  const struct field *owner;  // the pointer to the owner, in link->through or in the model itself; NULL = none
  bool each;                  // limit and skip count for each owner; `owners` then begins with an IN of their keys
  const struct condition
      *owners;  // which they are, or an AND of that and what else is asked of links; without `owner` what
                // an include will ask of them
  bool scoped;  // its condition has what the scope of the view says: nothing is to be added to it
  bool apart;   // what is included comes by statements of its own alone
  const struct paging *paging;  // NULL = none
  bool for_update, skip_locked, consistent;
  // How to look for the rows, for stores that have a choice (verbs->hints).
  const struct index *index;             // the only one to look through; NULL = any
  const struct condition *key, *filter;  // what the keys, and what the server's filter, must say; NULL = nothing
  bool scan;                             // everything may be read
  int segments;                          // that are then read side by side; 0 = one
};

// A pointer or has_one that is included and comes with the rows: its cells are the columns that its query selects and the
// counts, all NIL where there is no object.
struct join {
  const struct field *field;
  const struct query *query;
  int parent;  // the join that it hangs on, -1 = the rows
  int at;      // its first cell
};
#define QUERY_JOINS 30  // of one statement; where there would be more, there is none
// The joins of a select, each behind the one that it hangs on. *width: cells of all. Returns their number.
int neap__query_joins(const struct query *q, struct join *joins, int *width);

// Columns in each row of the answer: groups then aggregates if there are any, else the selected columns, the counts, the
// owner's key and what is joined.
int neap__query_width(const struct query *q);

// 0, or -1 with `e` filled (usage): it asks something of links that nothing ties it to.
int neap__query_check_tied(const struct query *q, struct neap__error *e);

// The group of the query that is this value, -1 = none.
int neap__query_group_of(const struct query *q, const struct reach *r);

const struct query *neap__query_test(lua_State *L, int idx);
const struct query *neap__query_check(lua_State *L, int idx);
// The query at idx; a class counts as the query over all its objects, which then takes its place. Raises usage.
const struct query *neap__query_self(lua_State *L, int idx);
// Pushes a query over everything of the class at class_idx, to be filled by C code before it is shown to a script.
struct query *neap__query_new(lua_State *L, int class_idx);
// Pushes a copy of the query at idx, to be changed in the same way.
struct query *neap__query_clone(lua_State *L, int idx);

#endif
