// sql_change.c: increment, append and their like as expressions over the value that the row has.
#include <string.h>

#include "store/sql_store.h"
#include "value/match.h"

// The elements of a JSON list as JSON texts `v`, numbered by `k`. Before and after the expression of the list.
#define ELEMENTS_OF                                                                                                  \
  "(SELECT CASE type WHEN 'text' THEN json_quote(value) WHEN 'real' THEN json_quote(value) WHEN 'true' THEN 'true' " \
  "WHEN 'false' THEN 'false' WHEN 'null' THEN 'null' ELSE value END AS v, key AS k FROM json_each("
#define END_OF_ELEMENTS "))"
#define LIST_OF "(SELECT '[' || coalesce(group_concat(v, ','), '') || ']' FROM "

static void write_column(struct sql_text *s, const struct change *c) {
  neap__sql_column(s, 0, c->place.field);
}

static void write_path(struct sql_text *s, const struct change *c) {
  char path[512];
  if (s->dialect->path(path, sizeof path, &c->place))
    neap__sql_bind_copy(s, CELL_TEXT, path, strlen(path));
  else
    s->failed = true;  // too long, or with quotes in a key
}

// The value at the place as SQL or, for lists, as JSON text.
static void write_present(struct sql_text *s, const struct change *c, const char *empty) {
  neap__sql_add(s, "coalesce(");
  if (c->place.nsteps > 0) neap__sql_add(s, "json_extract(");
  write_column(s, c);
  if (c->place.nsteps > 0) {
    neap__sql_add(s, ", ");
    write_path(s, c);
    neap__sql_add(s, ")");
  }
  neap__sql_addf(s, ", %s)", empty);
}

// A parameter that becomes a JSON value.
static void write_json_value(struct sql_text *s, const struct cell *cell) {
  if (cell->kind == CELL_BOOLEAN) {
    neap__sql_add(s, cell->i ? "json('true')" : "json('false')");
    return;
  }
  bool json = cell->kind == CELL_JSON || cell->kind == CELL_DECIMAL || cell->kind == CELL_BYTES;
  neap__sql_add(s, json ? "json(" : "");
  if (cell->kind == CELL_BYTES) {
    s->scratch.n = 0;
    s->failed |= neap__match_write(&s->scratch, cell) != 0;
    neap__sql_bind_copy(s, CELL_JSON, s->scratch.p, s->scratch.n);
  } else {
    neap__sql_bind(s, cell);
  }
  neap__sql_add(s, json ? ")" : "");
}

static void write_elements(struct sql_text *s, const struct change *c) {
  neap__sql_add(s, ELEMENTS_OF);
  write_present(s, c, "'[]'");
  neap__sql_add(s, END_OF_ELEMENTS);
}

static void write_operand(struct sql_text *s, const struct change *c) {
  neap__sql_add(s, ELEMENTS_OF);
  neap__sql_bind(s, &c->cell);
  neap__sql_add(s, END_OF_ELEMENTS);
}

static void write_list(struct sql_text *s, const struct change *c) {
  neap__sql_add(s, LIST_OF);
  if (c->kind == CHANGE_PULL) {
    neap__sql_add(s, "(SELECT v FROM ");
    write_elements(s, c);
    neap__sql_add(s, " WHERE v NOT IN (SELECT v FROM ");
    write_operand(s, c);
    neap__sql_add(s, ") ORDER BY k))");
    return;
  }
  neap__sql_add(s, "(SELECT v FROM (SELECT v, k, 0 AS part FROM ");
  write_elements(s, c);
  neap__sql_addf(s, " UNION ALL SELECT v, %s AS k, 1 AS part FROM ", c->kind == CHANGE_ADD_UNIQUE ? "min(k)" : "k");
  write_operand(s, c);
  if (c->kind == CHANGE_ADD_UNIQUE) {
    neap__sql_add(s, " WHERE v NOT IN (SELECT v FROM ");
    write_elements(s, c);
    neap__sql_add(s, ") GROUP BY v");
  }
  neap__sql_add(s, ") ORDER BY part, k))");
}

static int write_sum(struct sql_text *s, const struct change *c, struct neap__error *e) {
  const struct type *type = c->place.type;
  if (type && type->kind == TYPE_DECIMAL) {
    if (c->place.nsteps > 0)
      return neap__error_set(e, NEAP_UNSUPPORTED, "a decimal inside a field cannot be incremented");
    neap__sql_add(s, "(SELECT neap_sum(v) FROM (SELECT ");  // exact, where + would add doubles
    write_present(s, c, "'0'");
    neap__sql_add(s, " AS v UNION ALL SELECT ");
    neap__sql_bind(s, &c->cell);
    neap__sql_add(s, "))");
    return 0;
  }
  write_present(s, c, "0");
  neap__sql_add(s, " + ");
  neap__sql_bind(s, &c->cell);
  return 0;
}

static int write_value(struct sql_text *s, const struct change *c, struct neap__error *e) {
  switch (c->kind) {
    case CHANGE_SET: write_json_value(s, &c->cell); return 0;
    case CHANGE_INCREMENT: return write_sum(s, c, e);
    case CHANGE_APPEND:
    case CHANGE_ADD_UNIQUE:
    case CHANGE_PULL: write_list(s, c); return 0;
    case CHANGE_UNSET: return 0;
  }
  return 0;
}

// The function around the column, and what it takes behind it.
static void open_change(struct sql_text *s, const struct change *c) {
  neap__sql_add(s, c->kind == CHANGE_UNSET ? "json_remove(" : "json_set(");
}

static int close_change(struct sql_text *s, const struct change *c, struct neap__error *e) {
  bool list = c->kind == CHANGE_APPEND || c->kind == CHANGE_ADD_UNIQUE || c->kind == CHANGE_PULL;
  neap__sql_add(s, ", ");
  write_path(s, c);
  if (c->kind != CHANGE_UNSET) neap__sql_add(s, list ? ", json(" : ", ");
  if (write_value(s, c, e) != 0) return -1;
  neap__sql_add(s, list ? "))" : ")");
  return 0;
}

int neap__sql_change_sqlite(struct sql_text *s, const struct change *c, int n, struct neap__error *e) {
  if (c->place.nsteps == 0) return write_value(s, c, e);
  for (int i = n - 1; i >= 0; i--) open_change(s, &c[i]);
  neap__sql_add(s, "coalesce(");
  write_column(s, c);
  neap__sql_add(s, c->place.steps[0].key ? ", '{}')" : ", '[]')");
  for (int i = 0; i < n; i++)
    if (close_change(s, &c[i], e) != 0) return -1;
  return 0;
}

int neap__sql_change(struct sql_text *s, const struct change *c, int n, struct neap__error *e) {
  const struct field *f = c->place.field;
  neap__sql_name(s, f->wire);
  neap__sql_add(s, " = ");
  if (c->place.nsteps > 0 || (c->kind != CHANGE_SET && c->kind != CHANGE_UNSET)) {
    s->secret = f->flags & FIELD_SECRET;
    int status = s->dialect->change(s, c, n, e);
    s->secret = false;
    return status;
  }
  neap__sql_bind_field(s, f, c->kind == CHANGE_SET ? &c->cell : &(struct cell){.kind = CELL_NIL});
  return 0;
}
