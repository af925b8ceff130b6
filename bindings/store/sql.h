// sql.h: what the files of the SQL stores share: a statement being written, and the differences of the dialects.
#ifndef NEAP_SQL_H
#define NEAP_SQL_H

#include "model/store.h"
#include "value/buffer.h"

struct sql_dialect;  // sql_dialect.h: every difference of the two

// ---- sql_text.c ----

// A statement being written: text and parameters. A userdata (its memory is freed by __gc), so that errors may pass by.
// Writers do not fail one by one: `failed` is set when memory is short or a name has a NUL in it, and whoever sends it looks
// once.
struct sql_text {
  const struct sql_dialect *dialect;
  struct view *view;  // whose scopes and table names count, NULL = none
  char *text;         // ended by NUL
  size_t n, size;
  struct cell *params;  // borrowed values: whoever binds keeps them alive until the statement has been bound
  int nparams, params_size;
  int naliases;                 // t0, t1, ... of tables that have been given out
  struct sql_copy *copies;      // text made for parameters
  struct neap__buffer scratch;  // of whoever writes at the moment
  bool secret;                  // what is bound now is of a field that is
  bool in_scope;                // a scope is being written: scopes of what it relates to would go on for ever
  bool failed;
};

// Pushes an empty statement.
struct sql_text *neap__sql_text_new(lua_State *L, const struct sql_dialect *dialect, struct view *view);
void neap__sql_add(struct sql_text *s, const char *text);
void neap__sql_addf(struct sql_text *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void neap__sql_quoted(struct sql_text *s, const char *p, size_t n);   // 'text', up to a NUL
void neap__sql_name(struct sql_text *s, const char *name);            // "name", quotes doubled
void neap__sql_table(struct sql_text *s, const struct shape *shape);  // its name, as the store's template makes it
// The name of a table as the store's template makes it; false if there is no room. Where tables lie in schemas a name may be
// "schema.table".
bool neap__sql_table_name(const struct sql_dialect *dialect, const struct view *view, const char *table, char *out,
                          size_t size);
void neap__sql_qualified(struct sql_text *s, const char *name);    // "schema"."table"
void neap__sql_bind(struct sql_text *s, const struct cell *cell);  // ?1 or $1, and keeps the cell
void neap__sql_bind_copy(struct sql_text *s, enum cell_kind kind, const char *p,
                         size_t n);  // text that the statement owns
// The same without binding it: *cell has the copy.
void neap__sql_copy(struct sql_text *s, const char *p, size_t n, struct cell *cell);
// A value of the field, as the database keeps it.
void neap__sql_bind_field(struct sql_text *s, const struct field *f, const struct cell *cell);
void neap__sql_param(struct sql_text *s, int number);                         // one that was bound before, from 1
void neap__sql_column(struct sql_text *s, int alias, const struct field *f);  // t0."wire"
// The same as it is compared and changed: json as jsonb.
void neap__sql_compared(struct sql_text *s, int alias, const struct field *f);
// Behind a column that is read: a type that only the database knows comes as text, and the others of the row in binary.
void neap__sql_as_text(struct sql_text *s, const struct field *f);
// The error of a statement that failed: NEAP_LIMIT. Returns -1 if it did, else 0.
int neap__sql_failed(const struct sql_text *s, struct neap__error *e);

// ---- sql_array.c: arrays as text, {1,2} ----

// Adds an element behind "" or "{...". 0, or -1 when memory is short.
int neap__sql_array_add(struct neap__buffer *out, const struct cell *cell);
// Appends the array of a JSON list, elements of type `of`. 1: an element is of another type. NIL and JSON's null are no list.
int neap__sql_array(struct neap__buffer *out, const struct type *of, const struct cell *list);

// ---- sql_array_binary.c: arrays in binary ----

// The number of PostgreSQL's type that an element of a column of this type has, 0 = none that goes in binary.
uint32_t neap__sql_array_element(const struct type *type);
// The type of an array of them.
uint32_t neap__sql_array_type(uint32_t element);
// Begins an array of n elements, which are put behind it. 0, or -1 when memory is short.
int neap__sql_array_begin(struct neap__buffer *out, uint32_t element, int n);
// 1: it is a value of another type.
int neap__sql_array_put(struct neap__buffer *out, uint32_t element, const struct cell *cell);

// ---- sql_operand.c ----

// Makes the operand one that the database compares exactly and by the column's index. `op` becomes the comparison that then
// means the same, or COND_NOT: nothing meets it.
void neap__sql_fit(const struct sql_dialect *dialect, const struct place *place, enum condition_op *op,
                   struct cell *cell);
// Whether it is a text or JSON with a NUL in it, of a database that keeps none.
bool neap__sql_has_nul(const struct sql_dialect *dialect, const struct cell *cell);

// ---- sql_condition.c ----

// Writes the condition for the table known as t<alias>, in parentheses where that matters. It is made so that an index on a
// column serves every comparison that is not negated. Returns 0, or -1 with `e` filled (unsupported: names the operator and
// what would work). The condition stays alive until the statement has been bound.
int neap__sql_condition(lua_State *L, struct sql_text *s, int alias, const struct condition *c, struct neap__error *e);
// Writes the operands of an IN as a table k with the column `value`: one parameter.
int neap__sql_keys(struct sql_text *s, const struct condition *in, struct neap__error *e);

// ---- sql_place.c ----

// Writes the value of a place as an SQL expression that compares and sorts as the place's type does.
int neap__sql_place(struct sql_text *s, int alias, const struct place *place, struct neap__error *e);
// What the place sorts by: its first key or, in JSON where there are several, its second one (1).
int neap__sql_place_sort(struct sql_text *s, int alias, const struct place *place, int key, struct neap__error *e);
// The same where the place lies in JSON: its text, or NULL; its JSON text, or NULL; its value if that is a number, or NULL.
int neap__sql_place_text(struct sql_text *s, int alias, const struct place *place, struct neap__error *e);
int neap__sql_place_whole(struct sql_text *s, int alias, const struct place *place, struct neap__error *e);
int neap__sql_place_number(struct sql_text *s, int alias, const struct place *place, struct neap__error *e);
// Behind what SQL makes of values of the place and that has lost the collation of the place: adds it, if there is one.
void neap__sql_collate(struct sql_text *s, const struct place *place);

// ---- sql_relation.c: conditions and counts over related rows, for a row of `shape` that is known as t<alias> ----

// Writes EXISTS or NOT EXISTS for a SOME.
int neap__sql_some(struct sql_text *s, int alias, const struct shape *shape, const struct condition *some, bool negated,
                   struct neap__error *e);
// Writes how many rows meet it.
int neap__sql_related_count(struct sql_text *s, int alias, const struct shape *shape, const struct condition *some,
                            struct neap__error *e);

// ---- sql.c ----

// The kind of the cells in which values of the type travel; CELL_UNLOADED: as the database types them.
enum cell_kind neap__sql_kind(const struct type *type);
// Whether it is a timestamp, or a pointer to one: a time that is kept as seconds in a number.
bool neap__sql_is_seconds(const struct type *type);

// ---- sql_compile.c, sql_aggregate.c: whole statements from queries ----

// The kinds of the result columns of a select; room for neap__query_width(q). Returns their number.
int neap__sql_kinds(const struct query *q, uint8_t *kinds);
int neap__sql_select(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e);
int neap__sql_count(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e);
int neap__sql_update(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                     const struct change *sets, int nsets, struct neap__error *e);
int neap__sql_remove(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e);

#endif
