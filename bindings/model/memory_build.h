// memory_build.h: what the files of the in-memory queries share.
#ifndef NEAP_MEMORY_BUILD_H
#define NEAP_MEMORY_BUILD_H

#include "model/condition_build.h"
#include "model/memory.h"

// Where what is held counts as memory of the scripts.
struct memory_room {
  neap *host;
  const char *model;          // of the rows, for messages
  struct neap__error *error;  // filled when it has failed
  bool failed;
  size_t bytes, held;
};

// Cells that are kept, in memory of their own; the text that they borrowed lies behind them.
struct kept {
  struct kept *next;  // in the chain of a table
  uint64_t mark;      // its hash in a table, its number in a heap
  size_t bytes;
  void *more;
  struct cell cells[];
};

// The rows that stand first in the order, as a heap with the last of them on top.
struct memory_heap {
  struct kept **rows;
  size_t n, size, most;  // most: it never holds more
  uint64_t seen;
};

// Groups by their keys, in the order in which they came.
struct memory_table {
  struct kept **entries, **chains;
  size_t n, size;
};

enum memory_phase { MEMORY_READ, MEMORY_GROUPS, MEMORY_SORT, MEMORY_GIVE, MEMORY_END };

struct memory {
  struct rows rows;
  const struct query *q;
  struct rows *source;    // NULL once it has ended
  struct row_source row;  // the present row of the source
  const struct condition *residual[MEMORY_CONDITIONS];
  enum memory_phase phase;
  bool counts, grouped, sorted;
  bool past;  // no row that follows can be one of those that are wanted
  int nin, nreaches, width, nkeys, nordered, nscratch,
      naggregates;  // freeing does not look at the query, which may be gone by then
  const struct reach *reaches;
  const struct cell *reached;  // in place of the column, while a place that something leads to is looked at
  int64_t skip, limit;         // that are left; limit -1: none
  int64_t counted;
  size_t at;      // in the heap or the table
  unsigned work;  // rows that were read since it was last asked whether to pause
  struct memory_room room;
  struct memory_heap heap;
  struct memory_table groups, owners;
  int *columns;                  // of the source's cells
  struct cell *in;               // the source's row: columns, then reaches
  struct cell *wide;             // by column
  struct cell *out;              // a row of the answer, then what it is sorted by
  struct cell *group;            // the keys of the present group, as they are given and as they compare
  struct neap__buffer *scratch;  // a place's text each: of groups, then of what is sorted by, then one for all others
};

// ---- memory.c ----

// Whether the place is one of related rows, or their number; whether two such are looked for in the same cell.
bool neap__reach_is_far(const struct reach *r);
bool neap__reach_same(const struct reach *a, const struct reach *b);
// What the place holds in the present row. Text may lie in the scratch.
struct found neap__memory_find(struct memory *m, const struct reach *r, struct neap__buffer *scratch);

// ---- memory_keep.c ----

// Fails with the error of the room: false.
bool neap__memory_fail(struct memory_room *room, enum neap__kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Copies cells with their text. NULL, and failed: there is no memory for `what`.
struct kept *neap__memory_keep(struct memory_room *room, const struct cell *cells, int n, const char *what);
void neap__memory_drop(struct memory_room *room, struct kept *kept);
// Counts memory that is held in another way.
bool neap__memory_take(struct memory_room *room, size_t bytes, const char *what);
// Makes room for twice as many in the list. False: failed.
bool neap__memory_grow(struct memory_room *room, struct kept ***list, size_t *size, const char *what);
// All of it has been freed.
void neap__memory_leave(struct memory_room *room);

// Finds the entry with those keys, which is made of cells (the keys are the last nkeys of n) where there is none; fresh: then.
struct kept *neap__memory_entry(struct memory_room *room, struct memory_table *table, const struct cell *cells, int n,
                                int nkeys, bool *fresh);
// The same without making one: NULL.
struct kept *neap__memory_look(const struct memory_table *table, const struct cell *keys, int nkeys, int at);
// Adds an entry that is not looked for.
bool neap__memory_append(struct memory_room *room, struct memory_table *table, const struct cell *cells, int n);
// Frees the entries, but not what is behind `more`.
void neap__memory_table_free(struct memory_table *table);

// ---- memory_sort.c ----

// What a place sorts by: in JSON its number or its text.
struct cell neap__memory_sort_cell(const struct found *f);
// Of two rows of the answer: < 0 where the first comes first.
int neap__memory_compare(const struct memory *m, const struct cell *a, const struct cell *b);
// Offers the present row of the answer to the heap.
bool neap__memory_offer(struct memory *m);
// Whether neither the present row nor any that follows it can come into the heap: it is full of rows that stand before, by the places
// that rows come in the order of.
bool neap__memory_is_past(const struct memory *m);
void neap__memory_heap_free(struct memory_heap *heap);
// Sorts the heap for a while, the last rows first: true once it is sorted.
bool neap__memory_sort(struct memory *m, int rows);

// ---- memory_group.c ----

// Makes room for what is computed of a new group; adds the present row to its group. False: failed.
bool neap__memory_begin(struct memory *m, struct kept *group);
bool neap__memory_add(struct memory *m);
// Fills m->out with the row of a group. False: a having leaves it out.
bool neap__memory_group(struct memory *m, const struct kept *group);
void neap__memory_groups_free(struct memory *m);

#endif
