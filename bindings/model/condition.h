// condition.h: the immutable tree of typed comparisons that all three spellings build, and what walks it.
#ifndef NEAP_CONDITION_H
#define NEAP_CONDITION_H

#include "model/shape.h"

enum condition_op {
  // Branches.
  COND_AND,
  COND_OR,
  COND_NOT,   // no children: AND is true, OR is false
  COND_SOME,  // some related object (field: pointer, has_one, has_many, many_to_many) meets child 0; through a link that
              // meets child 1, if there is one
  COND_ELEMENT,  // some element of the list at the place meets child 0, whose places begin at neap__element
  // Leaves: place op operands.
  COND_EQ,
  COND_NE,
  COND_LT,
  COND_LTE,
  COND_GT,
  COND_GTE,
  COND_IN,
  COND_NIN,
  COND_BETWEEN,
  COND_EXISTS,
  COND_PREFIX,
  COND_SUFFIX,
  COND_CONTAINS,
  COND_ICONTAINS,
  COND_IPREFIX,
  COND_ISUFFIX,
  COND_IEXACT,
  COND_REGEX,
  COND_SIZE,
  COND_ALL,
  COND_HAS,
  COND_ANY,
  COND_NEAR,
  COND_WITHIN,
  COND_TYPE
};

// One step of a path inside a JSON column.
struct step {
  const char *key;  // NULL: an index
  uint32_t nkey;
  int64_t index;  // counts from 0
};

// What a comparison looks at: a column, a place inside a column, a computed SQL expression, or how many objects a relation
// leads to.
struct place {
  const struct field *field;
  int nsteps;
  const struct step *steps;
  const struct type
      *type;  // of the value there; NULL = untyped (inside JSON): comparisons are guarded by the type found.
              // Inside a column (nsteps > 0) what is found may be of any type, whatever was declared.
  const struct condition *counted;  // a SOME: its objects are counted; NULL = nothing is
};

struct condition {
  enum condition_op op;
  const struct shape *shape;  // the model that the places belong to
  int nchildren;
  const struct condition **children;  // anchored by the user value of this node
  struct place place;                 // leaves, ELEMENT; SOME: place.field is the relation
  int ncells;
  const struct cell *cells;   // operands in the order given; their text lives in this node. IN, NIN: the list,
                              // never empty; ANY, ALL: one JSON list of the elements; HAS: one element in it;
                              // BETWEEN: low, high; EXISTS: a boolean; SIZE: an integer; TYPE: a name;
                              // NEAR: latitude, longitude, metres; WITHIN: south, west, north, east;
                              // ICONTAINS, IPREFIX, ISUFFIX, IEXACT: text that is folded already.
                              // In JSON: BOOLEAN, INTEGER, NUMBER, DECIMAL, TEXT (datetimes too) or JSON
  const struct place *other;  // the operand is another column, NULL = the operand is in cells
};

// ---- Spellings (condition_parse.c) ----

// Pushes the condition that the arguments of where() from index `first` to the top spell for the class at class_idx: tables
// in either spelling, column expressions, or "name", value. Several are ANDed; none is true. Raises usage, validation,
// unsupported or limit, naming the faulty key and the nearest known one. Returns it.
const struct condition *neap__condition_parse(lua_State *L, int class_idx, int first);

// ---- Nodes (condition.c) ----

const struct condition *neap__condition_test(lua_State *L, int idx);  // NULL if it is none
// Builders push the new node. A condition index may hold nil, which counts as true.
const struct condition *neap__condition_and(lua_State *L, int a, int b);
const struct condition *neap__condition_or(lua_State *L, int a, int b);
const struct condition *neap__condition_not(lua_State *L, int a);
// One comparison with operands given in C, which are copied: field = key, field IN keys for loading relations, ... The class
// at class_idx (the model of the field) is anchored. Operands must be of the field's type.
const struct condition *neap__condition_leaf(lua_State *L, int class_idx, const struct field *field,
                                             enum condition_op op, const struct cell *cells, int ncells);
// True if it holds for every row: an AND without children.
bool neap__condition_is_true(const struct condition *c);
// Pushes a printable form for messages and explain; secret fields as ***.
void neap__condition_print(lua_State *L, const struct condition *c);

// Logic is two-valued: a leaf is true or false, and not(a < 5) is true where a is absent. Who compiles a tree carries a flag
// `negated` down through AND, OR and NOT (negation-normal form on the fly), and only a negated leaf or SOME says IS NOT TRUE.
const char *neap__condition_op_name(enum condition_op op);

// ---- Columns (column.c): Post.title, col:at("key", 1), and paths in text ----

// Pushes the column expression for a field of the class at class_idx.
void neap__column_push(lua_State *L, int class_idx, const struct field *field);
// The place that the column expression at idx names, NULL if it is none. Lives as long as the value.
const struct place *neap__column_test(lua_State *L, int idx);
// Pushes the column expression that a path in text names: "title", "author_id", "data.key.0", "data__key". Raises usage.
const struct place *neap__column_parse(lua_State *L, int class_idx, const char *path, size_t n);
// Pushes the column expression of how many objects a relation to many leads to, made once for the class of its model, which the
// class at class_idx knows.
const struct place *neap__column_count(lua_State *L, int class_idx, const struct field *field);

// ---- evaluate.c: the tree over a row in memory: residual filters, and the oracle of the tests ----

// Gives the cells of a row and the related rows while a condition is evaluated.
struct row_source {
  void (*cell)(struct row_source *, const struct field *, struct cell *out);
  // How many related rows meet a SOME; counting may end at `most`. NULL where relations cannot be followed: there are none.
  int64_t (*related)(struct row_source *, const struct condition *some, int64_t most);
  struct neap__regexes *regexes;  // neap__regexes_of(L)
  bool failed;                    // a match took too many steps, or memory was short: the answer counts for nothing
};
bool neap__condition_evaluate(const struct condition *c, struct row_source *row);
// Whether EQ, LT, LTE, GT or GTE holds for what neap__cell_compare gave; none does where there is no order.
bool neap__condition_meets(enum condition_op op, int order);
// match.c: whether a row of cells, one a column, meets the condition: 1, 0, or -1 with `e` filled where only the store can tell.
int neap__condition_matches(lua_State *L, const struct condition *c, const struct cell *cells, struct neap__error *e);

#endif
