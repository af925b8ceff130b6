// condition_build.h: what the files that build conditions share.
#ifndef NEAP_CONDITION_BUILD_H
#define NEAP_CONDITION_BUILD_H

#include "model/condition.h"
#include "value/json.h"

#define CONDITION_MAX_DEPTH 64         // of tables and branches in each other: what SQLite's parser holds
#define CONDITION_SOME_DEPTH 8         // what a relation counts in that
#define CONDITION_MAX_NODES 10000      // children of one branch
#define CONDITION_MAX_OPERANDS 100000  // of one `in`, `any` or `all`
#define PLACE_MAX_STEPS 32

// ---- condition.c ----

// Pushes a node like `draft`, which lives anywhere; steps, operands and their text are copied. Not for branches.
const struct condition *neap__condition_copy(lua_State *L, int class_idx, const struct condition *draft);
// Pops n conditions and pushes the branch (AND, OR) of them; one condition stays itself, and AND in AND becomes one.
const struct condition *neap__condition_branch(lua_State *L, int class_idx, enum condition_op op, int n);
// Pops a condition on the field's target and, above it, one on its link table or nil; pushes the node that some related object
// meets them.
const struct condition *neap__condition_some(lua_State *L, int class_idx, const struct shape *shape,
                                             const struct field *field);

// Pops a condition on an element and pushes the node that some element of the list meets it, which the column expression at
// `column` is.
const struct condition *neap__condition_elements(lua_State *L, int class_idx, int column);

// Pushes the class that the condition at idx keeps. Returns its stack index.
int neap__condition_class(lua_State *L, int idx);
// Pushes the condition that is a part of the one at idx, or that itself. False, and nothing pushed: it is none.
bool neap__condition_push_part(lua_State *L, int idx, const struct condition *part);

// ---- condition_library.c ----

// Pushes the metatable of conditions, made and registered under `type_name` when first asked for.
void neap__condition_metatable(lua_State *L, const char *type_name);

// ---- match.c ----

int neap__condition_match(lua_State *L);  // c:matches(object)

// ---- operator.c: which operators there are, and what they can be asked of ----

struct operator{
  const char *name;    // in keys, and behind a $
  const char *method;  // of columns
  uint8_t op;          // enum condition_op
  uint8_t needs;       // enum operator_needs
  uint8_t arguments;   // of the method
};
enum operator_needs { NEEDS_NOTHING, NEEDS_ORDER, NEEDS_TEXT, NEEDS_ELEMENTS, NEEDS_SIZE, NEEDS_POINT };

extern const struct operator neap__operators[];  // ended by a NULL name
const struct operator* neap__operator_find(const char *name, size_t n);
const struct operator* neap__operator_of(enum condition_op op);
const char *neap__operator_nearest(const char *name, size_t n);
// 0, or -1 with `e` filled (usage): the operator makes no sense for the type of the place.
int neap__operator_fits(const struct operator* o, const struct shape *shape, const struct place *place,
                        struct neap__error *e);
// The type that operands of a place have: NULL in untyped JSON, that of the value for computed fields.
const struct type *neap__operand_type(const struct place *place);
// Whether what is compared is found in JSON: operands are then of the kinds that JSON has.
bool neap__place_in_json(const struct place *place);

// ---- operand.c ----

// Pushes the comparison of a place with the Lua value at idx. Raises usage, validation, query (a bad pattern) or limit.
const struct condition *neap__condition_compare(lua_State *L, int class_idx, const struct shape *shape,
                                                const struct place *place, enum condition_op op, int idx);
// Writes "Post.data.key" for messages. Returns buf.
char *neap__place_print(const struct shape *shape, const struct place *place, char *buf, size_t size);

// ---- evaluate.c ----

// What a place holds in a row: a cell, and in JSON the text that it was read from. Not there: nothing, or a null.
struct found {
  struct cell cell;
  struct neap__json_slice json;
  bool there;
};
// Text that has to be decoded goes to `scratch`, in the place of what was there.
struct found neap__place_find(struct row_source *row, const struct place *place, struct neap__buffer *scratch);

// ---- column.c ----

// A key of a table, taken apart as far as its first name.
struct key {
  const char *text;  // the whole key, for messages
  size_t n;
  const struct field *field;  // NULL: begins with $
  const char *rest;           // behind the field and the separator; nrest 0: nothing follows
  size_t nrest;
  bool dot;  // a point stood before rest: it is no operator
};

// A place that is being read, with room for its steps.
struct path {
  struct place place;
  const struct operator* operator;  // the operator that ends it, NULL = none
  struct step steps[PLACE_MAX_STEPS];
};

// Finds the field that a key begins with: raises usage with the nearest one.
void neap__key_head(lua_State *L, const struct shape *shape, const char *text, size_t n, struct key *out);
// Reads the rest of the key as steps into the field and an operator.
void neap__key_path(lua_State *L, const struct shape *shape, const struct key *key, struct path *out);
// Takes one step: a key of `n` bytes, or an index if key is NULL. Raises usage where nothing lies inside.
void neap__path_step(lua_State *L, const struct shape *shape, struct path *path, const char *key, size_t n,
                     int64_t index);
// The model of a column expression.
const struct shape *neap__column_shape(const struct place *column);
// Whether the key asks how many objects a relation leads to: comments__count. A field of that name comes first.
bool neap__key_counts(lua_State *L, int class_idx, const struct key *key);
// Whether the place is a relation, and neither inside of it nor a count.
bool neap__place_is_relation(const struct place *place);
// Pushes what the place counts.
void neap__place_push_counted(lua_State *L, const struct place *place);

// Pushes a column expression for any place.
void neap__column_push_place(lua_State *L, int class_idx, const struct shape *shape, const struct place *place);

// ---- element.c ----

extern const struct shape neap__element;  // the model of elements, which has one field
// Pushes the column expression of what an element of the list at the place is. Raises usage where there is no list.
void neap__element_push(lua_State *L, int class_idx, const struct shape *shape, const struct place *list);

// ---- condition_parse.c ----

// Pushes the condition that a value spells for a place: { ["$gte"] = 5 }, a value (then `op`), null, a column.
const struct condition *neap__condition_value(lua_State *L, int class_idx, const struct shape *shape,
                                              const struct place *place, enum condition_op op, int idx, int depth);
// What is asked of the objects that a relation leads to, as its declaration says (`where`).
enum quantifier { SOME, EVERY, NONE };
// Pops a condition on the field's target and, above it, one on its link table or nil, and pushes what is asked of them.
const struct condition *neap__condition_related(lua_State *L, int class_idx, const struct shape *shape,
                                                const struct field *field, enum quantifier q);
// Pushes two conditions: what the value at idx asks of the objects that the relation leads to, and of the links, or nil.
void neap__condition_target(lua_State *L, int class_idx, const struct field *field, int idx);

#endif
