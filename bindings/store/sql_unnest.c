// sql_unnest.c: writes of many like objects as one statement over arrays, one a column: unnest() makes rows of them again. Its
// text and its plan are the same for any number of objects.
#include <stdlib.h>

#include "store/sql_store.h"

#define GROUP_ROWS 10000
#define GROUP_BYTES (8u << 20)  // of texts in one statement

static bool is_empty(const struct shape *shape, const uint64_t *bits) {
  for (int i = 0; i < shape->ncolumns; i++)
    if (neap__has_bit(bits, i)) return false;
  return true;
}

// What comes back in another order than it was sent has no more than its number.
bool neap__sql_groups(const struct sql_dialect *dialect, const struct shape *shape, const struct write *w) {
  if (!dialect->arrays || w->condition || w->nchanges > 0 || w->kind == WRITE_UPSERT) return false;
  if (w->kind != WRITE_DELETE && is_empty(shape, w->columns)) return false;
  return w->kind == WRITE_INSERT || !w->returning;
}

// ---- Text ----

// Goes through the columns of a write in the order of its parameters: those that are set, the key, what is expected.
struct column {
  const struct field *field;
  const struct cell *cell;
  char role;  // 'c', 'k' or 'e'
  int at, bit;
};

static bool next_set(const struct shape *shape, struct column *c, const uint64_t *bits, const struct cell *cells) {
  for (; c->bit < shape->ncolumns; c->bit++) {
    if (!neap__has_bit(bits, c->bit)) continue;
    c->field = shape->columns[c->bit++];
    c->cell = cells + c->at++;
    return true;
  }
  c->bit = c->at = 0;
  return false;
}

static bool next_column(const struct shape *shape, const struct write *w, struct column *c) {
  if (c->role == 'c') {
    if (w->kind != WRITE_DELETE && next_set(shape, c, w->columns, w->cells)) return true;
    if (w->kind == WRITE_INSERT) return false;
    c->role = 'k';
  }
  if (c->role == 'k' && c->at < shape->nkeys) {
    c->field = shape->keys[c->at];
    c->cell = &w->key[c->at++];
    return true;
  }
  if (c->role == 'k') c->role = 'e', c->at = 0;
  return next_set(shape, c, w->expected, w->expected_cells);
}

// Arrays of arrays travel as arrays of their texts; so do values of types that only the database knows.
static bool as_text(const struct sql_dialect *dialect, const struct type *type) {
  return neap__sql_is_array(dialect, type) || (type->kind == TYPE_STRING && type->own);
}

// v.c1, as the column has it.
static void write_value(struct sql_text *s, const struct field *f, int n) {
  neap__sql_addf(s, "v.c%d", n);
  if (as_text(s->dialect, &f->type)) neap__sql_addf(s, "::%s", s->dialect->column_type(&f->type));
}

// unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS v (c1, c2, n)
static void write_source(struct sql_text *s, const struct shape *shape, const struct write *w) {
  struct column c = {.role = 'c'};
  int n = 0;
  neap__sql_add(s, "unnest(");
  while (next_column(shape, w, &c)) {
    bool array = as_text(s->dialect, &c.field->type);
    neap__sql_add(s, n++ > 0 ? ", " : "");
    neap__sql_bind(s, &(struct cell){.kind = CELL_NIL});
    neap__sql_addf(s, "::%s[]", array ? "text" : s->dialect->column_type(&c.field->type));
  }
  neap__sql_add(s, ") WITH ORDINALITY AS v (");
  for (int i = 1; i <= n; i++) neap__sql_addf(s, "c%d, ", i);
  neap__sql_add(s, "n)");
}

static void write_insert(struct sql_text *s, const struct shape *shape, const struct write *w) {
  struct column c = {.role = 'c'};
  int n = 0;
  neap__sql_add(s, "INSERT INTO ");
  neap__sql_table(s, shape);
  while (next_column(shape, w, &c)) {
    neap__sql_add(s, n++ > 0 ? ", " : " (");
    neap__sql_name(s, c.field->wire);
  }
  neap__sql_add(s, ") SELECT ");
  c = (struct column){.role = 'c'};
  for (n = 1; next_column(shape, w, &c); n++) {
    neap__sql_add(s, n > 1 ? ", " : "");
    write_value(s, c.field, n);
  }
  neap__sql_add(s, " FROM ");
  write_source(s, shape, w);
  neap__sql_add(s, " ORDER BY v.n");
  neap__sql_returning(s, shape, w);
}

static void write_change(struct sql_text *s, const struct shape *shape, const struct write *w) {
  struct column c = {.role = 'c'};
  bool update = w->kind == WRITE_UPDATE;
  const char *word = update ? " SET " : " WHERE ";
  neap__sql_add(s, update ? "UPDATE " : "DELETE FROM ");
  neap__sql_table(s, shape);
  neap__sql_add(s, " AS t0");
  if (!update) {
    neap__sql_add(s, " USING ");
    write_source(s, shape, w);
  }
  for (int n = 1; next_column(shape, w, &c); n++) {
    if (c.role == 'k' && update && c.at == 1) {
      neap__sql_add(s, " FROM ");
      write_source(s, shape, w);
      word = " WHERE ";
    }
    neap__sql_add(s, word);
    if (c.role == 'c')
      neap__sql_name(s, c.field->wire);
    else
      neap__sql_compared(s, 0, c.field);
    neap__sql_add(s, c.role == 'e' ? " IS NOT DISTINCT FROM " : " = ");
    write_value(s, c.field, n);
    word = c.role == 'c' ? ", " : " AND ";
  }
  neap__sql_add(s, " RETURNING v.n");
}

void neap__sql_unnest(struct sql_text *s, const struct shape *shape, const struct write *w) {
  if (w->kind == WRITE_INSERT)
    write_insert(s, shape, w);
  else
    write_change(s, shape, w);
}

// ---- Parameters ----

// A column of all objects: where each write has its value, and the array that they make. What is all of one type goes in
// binary.
struct sql_array_column {
  const struct field *field;
  char role;
  int at;
  bool array;        // its values are arrays themselves, and go as their texts
  bool text;         // holds what its type does not
  uint32_t element;  // 0 = text
  struct neap__buffer bytes;
};

static int bits_in(const struct shape *shape, const uint64_t *bits) {
  int n = 0;
  for (int i = 0; i < shape->ncolumns; i++) n += neap__has_bit(bits, i);
  return n;
}

static size_t size_of(const struct cell *cells, int n) {
  size_t size = 0;
  for (int i = 0; i < n; i++) size += neap__cell_has_text(&cells[i]) ? cells[i].n : 8;
  return size;
}

int neap__sql_group(const struct shape *shape, const struct write *writes, int n) {
  int nset = writes->kind == WRITE_DELETE ? 0 : bits_in(shape, writes->columns);
  int nkeys = writes->kind == WRITE_INSERT ? 0 : shape->nkeys;
  int nexpected = writes->kind == WRITE_INSERT ? 0 : bits_in(shape, writes->expected);
  size_t size = 0;
  int i = 0;
  for (; i < n && i < GROUP_ROWS && (i == 0 || size < GROUP_BYTES); i++)
    size +=
        size_of(writes[i].cells, nset) + size_of(writes[i].key, nkeys) + size_of(writes[i].expected_cells, nexpected);
  return i;
}

// An element is a value as the column keeps it; a list in an array is that array's text. 1: it does not go in binary.
static int add_value(struct sql_array_column *c, struct neap__buffer *scratch, const struct cell *cell) {
  struct cell value = neap__sql_value(c->field, *cell);
  if (c->element) return neap__sql_array_put(&c->bytes, c->element, &value);
  if (!c->array) return neap__sql_array_add(&c->bytes, &value);
  if (cell->kind != CELL_JSON) return neap__sql_array_add(&c->bytes, &(struct cell){.kind = CELL_NIL});
  scratch->n = 0;
  if (neap__sql_array(scratch, c->field->type.of, cell) != 0) return -1;
  return neap__sql_array_add(&c->bytes, &(struct cell){.p = scratch->p, .n = (uint32_t)scratch->n, .kind = CELL_TEXT});
}

static int add_row(struct sql_arrays *a, int ncolumns, const struct write *w) {
  for (int i = 0; i < ncolumns; i++) {
    struct sql_array_column *c = &a->columns[i];
    const struct cell *cells = c->role == 'c' ? w->cells : c->role == 'k' ? w->key : w->expected_cells;
    int status = add_value(c, &a->scratch, &cells[c->at]);
    if (status != 0) return c->text = true, status;
  }
  return 0;
}

static bool make_room(struct sql_arrays *a, const struct shape *shape) {
  if (a->columns) return true;
  int n = 2 * shape->ncolumns + shape->nkeys;
  a->columns = calloc((size_t)n, sizeof *a->columns);
  a->types = calloc((size_t)n, sizeof *a->types);
  if (!a->columns || !a->types) return false;
  a->ncolumns = n;
  for (int i = 0; i < n; i++) neap__buffer_plain(&a->columns[i].bytes);
  neap__buffer_plain(&a->scratch);
  return true;
}

// Begins the arrays of writes like w. Returns their number, -1 when memory is short.
static int begin(struct sql_arrays *a, const struct sql_dialect *dialect, const struct shape *shape,
                 const struct write *w, int n) {
  struct column c = {.role = 'c'};
  int ncolumns = 0;
  while (next_column(shape, w, &c)) {
    struct sql_array_column *column = &a->columns[ncolumns++];
    column->field = c.field;
    column->role = c.role;
    column->at = c.at - 1;
    column->array = neap__sql_is_array(dialect, &c.field->type);
    column->element = column->array || column->text ? 0 : neap__sql_array_element(&c.field->type);
    column->bytes.n = 0;
    if (column->element && neap__sql_array_begin(&column->bytes, column->element, n) != 0) return -1;
  }
  return ncolumns;
}

static bool end(struct sql_array_column *c, struct cell *param, uint32_t *type) {
  if (!c->element && neap__buffer_byte(&c->bytes, '}') != 0) return false;
  *type = neap__sql_array_type(c->element);
  *param = (struct cell){.p = c->bytes.p, .n = (uint32_t)c->bytes.n, .kind = c->element ? CELL_BYTES : CELL_TEXT};
  return c->bytes.n <= INT32_MAX;
}

int neap__sql_arrays_fill(struct sql_arrays *a, const struct sql_dialect *dialect, const struct shape *shape,
                          const struct write *writes, int n, struct cell *params) {
  int ncolumns, status;
  if (!make_room(a, shape)) return -1;
  do {  // again as text where a column holds what its type does not
    status = 0;
    ncolumns = begin(a, dialect, shape, writes, n);
    for (int i = 0; i < n && ncolumns >= 0 && status == 0; i++) status = add_row(a, ncolumns, &writes[i]);
  } while (status > 0);
  if (status < 0) return -1;
  for (int i = 0; i < ncolumns; i++)
    if (!end(&a->columns[i], &params[i], &a->types[i])) return -1;
  return ncolumns;
}

void neap__sql_arrays_free(struct sql_arrays *a) {
  for (int i = 0; i < a->ncolumns; i++) neap__buffer_free(&a->columns[i].bytes);
  if (a->ncolumns > 0) neap__buffer_free(&a->scratch);
  free(a->columns);
  free(a->types);
  *a = (struct sql_arrays){0};
}
