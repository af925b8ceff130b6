// sql_write.c: the text of one object's INSERT, UPDATE or DELETE.
#include "store/sql_store.h"

static void write_name_list(struct sql_text *s, const struct shape *shape, const uint64_t *bits, bool read) {
  const char *comma = "";
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(bits, i)) continue;
    neap__sql_add(s, comma);
    neap__sql_name(s, shape->columns[i]->wire);
    if (read) neap__sql_as_text(s, shape->columns[i]);
    comma = ", ";
  }
}

static void write_returning(struct sql_text *s, const struct shape *shape, const uint64_t *bits) {
  if (!bits) return;
  neap__sql_add(s, " RETURNING ");
  write_name_list(s, shape, bits, true);
}

bool neap__sql_serial(const struct shape *shape, const struct write *w) {
  return w->kind == WRITE_INSERT && !w->returning && shape->nkeys == 1 && shape->keys[0]->type.kind == TYPE_INTEGER &&
         (shape->keys[0]->flags & FIELD_AUTO) && !neap__has_bit(w->columns, shape->keys[0]->column);
}

void neap__sql_returning(struct sql_text *s, const struct shape *shape, const struct write *w) {
  if (neap__sql_serial(shape, w) && s->dialect->returns_key) {
    neap__sql_add(s, " RETURNING ");
    neap__sql_name(s, shape->keys[0]->wire);
  }
  write_returning(s, shape, w->returning);
}

// INSERT INTO "posts" AS t0 ("title") VALUES ($1)
static void write_values(struct sql_text *s, const struct shape *shape, const struct write *w, const char *alias) {
  const struct cell *cell = w->cells;
  const char *comma = " (";
  neap__sql_add(s, "INSERT INTO ");
  neap__sql_table(s, shape);
  neap__sql_add(s, alias);
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(w->columns, i)) continue;
    neap__sql_add(s, comma);
    neap__sql_name(s, shape->columns[i]->wire);
    comma = ", ";
  }
  if (*comma == ' ') {
    neap__sql_add(s, " DEFAULT VALUES");
    return;
  }
  comma = ") VALUES (";
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(w->columns, i)) continue;
    neap__sql_add(s, comma);
    neap__sql_bind_field(s, shape->columns[i], cell++);
    comma = ", ";
  }
  neap__sql_add(s, ")");
}

static void write_conflict(struct sql_text *s, const struct shape *shape, const struct write *w, const char *then) {
  neap__sql_add(s, " ON CONFLICT (");
  write_name_list(s, shape, w->conflict, false);
  neap__sql_add(s, then);
}

void neap__sql_insert(struct sql_text *s, const struct shape *shape, const struct write *w) {
  write_values(s, shape, w, "");
  if (w->conflict) write_conflict(s, shape, w, ") DO NOTHING");
  neap__sql_returning(s, shape, w);
}

static void write_key(struct sql_text *s, const struct shape *shape, const struct cell *key) {
  for (int i = 0; i < shape->nkeys; i++) {
    neap__sql_add(s, i == 0 ? " WHERE " : " AND ");
    neap__sql_name(s, shape->keys[i]->wire);
    neap__sql_add(s, " = ");
    neap__sql_bind_field(s, shape->keys[i], &key[i]);
  }
}

// What must still hold: columns that were seen, and the caller's condition.
static int write_guards(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                        const char *word, struct neap__error *e) {
  const struct cell *cell = w->expected_cells;
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(w->expected, i)) continue;
    neap__sql_add(s, word);
    neap__sql_compared(s, 0, shape->columns[i]);
    neap__sql_add(s, " IS NOT DISTINCT FROM ");
    neap__sql_bind_field(s, shape->columns[i], cell++);
    word = " AND ";
  }
  if (!w->condition) return 0;
  neap__sql_add(s, word);
  return neap__sql_condition(L, s, 0, w->condition, e);
}

static void write_table(struct sql_text *s, const char *verb, const struct shape *shape) {
  s->naliases = 1;
  neap__sql_add(s, verb);
  neap__sql_table(s, shape);
  neap__sql_add(s, " AS t0");
}

// Behind columns that are set, if any: `comma` tells.
static int write_changes(struct sql_text *s, const struct shape *shape, const struct write *w, const char *comma,
                         struct neap__error *e) {
  for (int i = 0; i < w->nchanges; i++) {
    neap__sql_add(s, comma);
    if (neap__sql_change(s, &w->changes[i], 1, e) != 0) return -1;
    comma = ", ";
  }
  if (*comma == ',') return 0;
  neap__sql_add(s, comma);  // nothing to set: the first key to itself, for the sake of the conditions
  neap__sql_name(s, shape->keys[0]->wire);
  neap__sql_add(s, " = ");
  neap__sql_column(s, 0, shape->keys[0]);
  return 0;
}

static int write_sets(struct sql_text *s, const struct shape *shape, const struct write *w, const uint64_t *except,
                      struct neap__error *e) {
  const struct cell *cell = w->cells;
  const char *comma = " SET ";
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(w->columns, i)) continue;
    const struct cell *value = cell++;
    if (neap__has_bit(except, i)) continue;
    neap__sql_add(s, comma);
    neap__sql_name(s, shape->columns[i]->wire);
    neap__sql_add(s, " = ");
    neap__sql_bind_field(s, shape->columns[i], value);
    comma = ", ";
  }
  return write_changes(s, shape, w, comma, e);
}

int neap__sql_update_one(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                         struct neap__error *e) {
  write_table(s, "UPDATE ", shape);
  if (write_sets(s, shape, w, NULL, e) != 0) return -1;
  write_key(s, shape, w->key);
  if (write_guards(L, s, shape, w, " AND ", e) != 0) return -1;
  write_returning(s, shape, w->returning);
  return 0;
}

// The second half of an upsert: the row with the same unique columns is there.
int neap__sql_update_conflict(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                              struct neap__error *e) {
  const char *word = " WHERE ";
  const struct cell *cell = w->cells;
  write_table(s, "UPDATE ", shape);
  if (write_sets(s, shape, w, w->keep, e) != 0) return -1;
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(w->columns, i)) continue;
    const struct cell *value = cell++;
    if (!neap__has_bit(w->conflict, i)) continue;
    neap__sql_add(s, word);
    neap__sql_name(s, shape->columns[i]->wire);
    neap__sql_add(s, " = ");
    neap__sql_bind_field(s, shape->columns[i], value);
    word = " AND ";
  }
  if (write_guards(L, s, shape, w, " AND ", e) != 0) return -1;
  write_returning(s, shape, w->returning);
  return 0;
}

// Both halves in one: what is new is told by the first result column.
int neap__sql_upsert(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                     struct neap__error *e) {
  const char *comma = " SET ";
  s->naliases = 1;
  write_values(s, shape, w, " AS t0");
  write_conflict(s, shape, w, ") DO UPDATE");
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(w->columns, i) || neap__has_bit(w->keep, i)) continue;
    neap__sql_add(s, comma);
    neap__sql_name(s, shape->columns[i]->wire);
    neap__sql_add(s, " = excluded.");
    neap__sql_name(s, shape->columns[i]->wire);
    comma = ", ";
  }
  if (write_changes(s, shape, w, comma, e) != 0) return -1;
  if (write_guards(L, s, shape, w, " WHERE ", e) != 0) return -1;
  neap__sql_addf(s, " RETURNING %s", s->dialect->inserted);
  neap__sql_add(s, w->returning ? ", " : "");
  write_name_list(s, shape, w->returning, true);
  return 0;
}

int neap__sql_delete_one(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                         struct neap__error *e) {
  write_table(s, "DELETE FROM ", shape);
  write_key(s, shape, w->key);
  if (write_guards(L, s, shape, w, " AND ", e) != 0) return -1;
  write_returning(s, shape, w->returning);
  return 0;
}

void neap__sql_exists(struct sql_text *s, const struct shape *shape, const struct cell *key) {
  neap__sql_add(s, "SELECT 1 FROM ");
  neap__sql_table(s, shape);
  write_key(s, shape, key);
}
