// condition.h: the immutable tree of typed comparisons that all three spellings build, and what walks it.
#ifndef NEAP_CONDITION_H
#define NEAP_CONDITION_H

#include "model/shape.h"

enum condition_op {
  // Branches.
  COND_AND, COND_OR, COND_NOT,   // no children: AND is true, OR is false
  COND_SOME,                     // some related object (field: pointer, has_one, has_many, many_to_many) meets child 0
  // Leaves: place op operands.
  COND_EQ, COND_NE, COND_LT, COND_LTE, COND_GT, COND_GTE,
  COND_IN, COND_NIN, COND_BETWEEN, COND_EXISTS, COND_PREFIX, COND_SUFFIX, COND_CONTAINS, COND_ICONTAINS, COND_IPREFIX,
  COND_ISUFFIX, COND_IEXACT, COND_REGEX, COND_SIZE, COND_ALL, COND_HAS, COND_ANY, COND_NEAR, COND_WITHIN, COND_TYPE
};

// One step of a path inside a JSON column.
struct step {
  const char *key;   // NULL: an index
  uint32_t nkey;
  int64_t index;     // counts from 0
};

// What a comparison looks at: a column, a place inside a column, or a computed SQL expression.
struct place {
  const struct field *field;
  int nsteps;
  const struct step *steps;
  const struct type *type;   // of the value there; NULL = untyped (inside JSON): comparisons are guarded by the type found
};

struct condition {
  enum condition_op op;
  const struct shape *shape;              // the model that the places belong to
  int nchildren;
  const struct condition **children;      // anchored by the user value of this node
  struct place place;                     // leaves; SOME: place.field is the relation
  int ncells;
  const struct cell *cells;               // operands in the order given (IN: the list; BETWEEN: low, high; EXISTS: a boolean;
                                          // NEAR: lat, lon, metres); their text lives in this node
  const struct place *other;              // the operand is another column, NULL = the operand is in cells
};

// Pushes the condition that the arguments of where() from index `first` to the top spell for the class at class_idx: tables
// in either spelling, column expressions, or "name", value. Several are ANDed. Raises usage, validation or unsupported,
// naming the faulty key and the nearest known one. Returns it.
const struct condition *neap__condition_parse(lua_State *L, int class_idx, int first);
const struct condition *neap__condition_test(lua_State *L, int idx);
// Builders: push the new node (children and operands at the given stack indexes or in C). They fold AND in AND.
const struct condition *neap__condition_and(lua_State *L, int a, int b);   // either may be nil
const struct condition *neap__condition_not(lua_State *L, int a);
// field IN cells, for loading relations: one node whose operands are copied.
const struct condition *neap__condition_in(lua_State *L, const struct shape *shape, const struct field *field,
                                           const struct cell *cells, int ncells);
const struct condition *neap__condition_compare(lua_State *L, const struct shape *shape, const struct field *field,
                                                enum condition_op op, const struct cell *cell);
// Pushes the tree with every NOT pushed down to the leaves (negation-normal form); NOT remains only right above leaves and
// SOME. Two-valued: not (a < 5) is true where a is absent.
const struct condition *neap__condition_nnf(lua_State *L, int idx);
// Pushes a printable form for messages and explain; secret fields as ***.
void neap__condition_print(lua_State *L, const struct condition *c);

// ---- evaluate.c: the tree over a row in memory: residual filters, and the oracle of the tests ----

// Gives the cells of a row and the related rows while a condition is evaluated.
struct row_source {
  void (*cell)(struct row_source *, const struct field *, struct cell *out);
  // SOME: calls back for each related row until it answers true. NULL where relations cannot be followed.
  bool (*some)(struct row_source *, const struct field *, const struct condition *child);
};
bool neap__condition_evaluate(const struct condition *c, struct row_source *row);

#endif
