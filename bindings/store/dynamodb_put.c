// dynamodb_put.c: the request that writes one object.
#include <string.h>

#include "store/dynamodb_store.h"

#define ITEM_BYTES (400 << 10)

// ---- What a write is ----

const struct cell *neap__dynamodb_sent(const struct write *w, int column) {
  const struct cell *cell = w->cells;
  if (column < 0 || !neap__has_bit(w->columns, column)) return NULL;
  for (int i = 0; i < column; i++) cell += neap__has_bit(w->columns, i);
  return cell;
}

int neap__dynamodb_write_key(const struct shape *shape, const struct write *w, struct cell *key,
                             struct neap__error *e) {
  for (int i = 0; i < shape->nkeys; i++) {
    const struct cell *cell = w->key ? &w->key[i] : neap__dynamodb_sent(w, shape->keys[i]->column);
    if (!cell || cell->kind <= CELL_NULL)
      return neap__error_set(e, NEAP_USAGE, "DynamoDB makes no keys: give %s a value", shape->keys[i]->name);
    key[i] = *cell;
  }
  return 0;
}

bool neap__dynamodb_guarded(const struct write *w) {
  return w->condition || w->expected;
}

bool neap__dynamodb_repeatable(const struct write *w) {
  for (int i = 0; i < w->nchanges; i++)
    if (w->changes[i].kind != CHANGE_SET && w->changes[i].kind != CHANGE_UNSET) return false;
  return true;
}

// Bytes of the strings in a JSON text, names too: at least these, for bytes may be spelled there in base64.
static size_t size_of_strings(const char *p, size_t n) {
  size_t size = 0;
  bool inside = false;
  for (size_t i = 0; i < n; i++) {
    if (p[i] == '"')
      inside = !inside;
    else if (inside)
      size++;
    if (inside && p[i] == '\\') i += p[i + 1] == 'u' ? 5 : 1;
  }
  return size / 4 * 3;
}

// What the values take at least, as the service counts.
static size_t size_of(const struct shape *shape, const struct write *w) {
  size_t n = 0;
  const struct cell *cell = w->cells;
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(w->columns, i)) continue;
    if (cell->kind > CELL_NIL) n += strlen(shape->columns[i]->wire);
    if (cell->kind == CELL_TEXT || cell->kind == CELL_BYTES) n += cell->n;
    if (cell->kind == CELL_JSON) n += size_of_strings(cell->p, cell->n);
    cell++;
  }
  return n;
}

static int check_size(const struct shape *shape, const struct write *w, struct neap__error *e) {
  size_t n = w->kind == WRITE_DELETE ? 0 : size_of(shape, w);
  if (n <= ITEM_BYTES) return 0;
  return neap__error_set(e, NEAP_LIMIT, "it has %zu bytes; DynamoDB keeps items of up to %d", n, ITEM_BYTES);
}

// ---- Requests ----

static void open_expression(struct dynamodb_text *t, const char *name) {
  neap__dynamodb_member(t, name);
  neap__dynamodb_add(t, "\"");
}

static void add_exists(struct dynamodb_text *t, const char *function, const char *wire) {
  neap__dynamodb_add(t, function);
  neap__dynamodb_name(t, wire, strlen(wire));
  neap__dynamodb_add(t, ")");
}

// What an open model does not declare is as it was read.
static int add_expected_open(struct dynamodb_text *t, const struct cell *cell, struct neap__error *e) {
  bool some = cell->kind == CELL_JSON;
  for (struct neap__json_each it = neap__json_each(some ? cell->p : "", some ? cell->n : 0); neap__json_next(&it);) {
    struct cell member = neap__attribute_member(cell, &it);
    bool nil = neap__attribute_is_nil(NULL, &member);
    neap__dynamodb_add(t, nil ? " AND attribute_not_exists(" : " AND ");
    neap__dynamodb_name_literal(t, it.key.p, it.key.n);
    neap__dynamodb_add(t, nil ? ")" : " = ");
    if (!nil && neap__dynamodb_value(t, NULL, &member, e) != 0) return -1;
  }
  return 0;
}

// The columns still hold what they are expected to.
static int add_expected(struct dynamodb_text *t, const struct shape *shape, const struct write *w,
                        struct neap__error *e) {
  const struct cell *cell = w->expected_cells;
  for (int i = 0; i < shape->ncolumns; i++) {
    const struct field *f = shape->columns[i];
    if (!neap__has_bit(w->expected, i)) continue;
    if (i == shape->open) {
      if (add_expected_open(t, cell++, e) != 0) return -1;
      continue;
    }
    neap__dynamodb_add(t, " AND ");
    if (neap__attribute_is_nil(&f->type, cell)) {
      add_exists(t, "attribute_not_exists(", f->wire);
    } else {
      neap__dynamodb_name(t, f->wire, strlen(f->wire));
      neap__dynamodb_add(t, " = ");
      if (neap__dynamodb_value_of(t, f, &f->type, cell, e) != 0) return -1;
    }
    cell++;
  }
  return 0;
}

// Lists are still what was read of them.
static int add_held(struct dynamodb_text *t, const struct change *held, int n, struct neap__error *e) {
  for (int i = 0; i < n; i++) {
    bool there = held[i].kind == CHANGE_SET;
    const struct type *type = held[i].place.nsteps > 0 ? held[i].place.type : &held[i].place.field->type;
    neap__dynamodb_add(t, there ? " AND " : " AND attribute_not_exists(");
    neap__dynamodb_path(t, &held[i].place);
    neap__dynamodb_add(t, there ? " = " : ")");
    if (there && neap__dynamodb_value_of(t, held[i].place.field, type, &held[i].cell, e) != 0) return -1;
  }
  return 0;
}

// What must hold of the row. Of an update, and of a delete that asks for more, that it is there.
static int add_condition(struct dynamodb_text *t, const struct shape *shape, const struct write *w,
                         const struct change *held, int nheld, struct neap__error *e) {
  bool there = w->kind == WRITE_UPDATE || (w->kind == WRITE_DELETE && (neap__dynamodb_guarded(w) || w->check));
  bool absent = w->kind == WRITE_INSERT && w->absent;
  bool scoped = w->condition && !w->asked && (w->kind == WRITE_INSERT || w->kind == WRITE_UPSERT);
  const struct condition *condition = scoped && absent ? NULL : w->condition;
  if (!there && !absent && !condition) return 0;
  open_expression(t, "ConditionExpression");
  if (there || absent) add_exists(t, there ? "attribute_exists(" : "attribute_not_exists(", shape->keys[0]->wire);
  if (add_expected(t, shape, w, e) != 0 || add_held(t, held, nheld, e) != 0) return -1;
  if (condition && (there || absent)) neap__dynamodb_add(t, " AND ");
  if (condition && scoped) {
    add_exists(t, "attribute_not_exists(", shape->keys[0]->wire);
    neap__dynamodb_add(t, " OR ");
  }
  if (condition && neap__dynamodb_condition(t, condition, e) != 0) return -1;
  neap__dynamodb_add(t, "\"");
  if (!there) return 0;
  neap__dynamodb_member(t, "ReturnValuesOnConditionCheckFailure");
  neap__dynamodb_add(t, "\"ALL_OLD\"");
  return 0;
}

void neap__dynamodb_write_returned(struct dynamodb_text *t, const struct write *w) {
  const char *what = w->kind == WRITE_DELETE || w->kind == WRITE_UPSERT ? "\"ALL_OLD\"" : "\"ALL_NEW\"";
  if (w->kind == WRITE_UPSERT ? w->replace : w->kind != WRITE_DELETE && !w->returning) return;
  neap__dynamodb_member(t, "ReturnValues");
  neap__dynamodb_add(t, what);
}

// "name":{"S":"x"} of all that an open model does not declare.
static int add_open(struct dynamodb_text *t, const struct cell *cell, struct neap__error *e) {
  if (cell->kind != CELL_JSON) return 0;
  for (struct neap__json_each it = neap__json_each(cell->p, cell->n); neap__json_next(&it);) {
    struct cell member = neap__attribute_member(cell, &it);
    if (neap__attribute_is_nil(NULL, &member)) continue;
    if (t->body.n > 0 && t->body.p[t->body.n - 1] != '{') neap__dynamodb_add(t, ",");
    neap__dynamodb_copy(t, it.key.p, it.key.n);
    neap__dynamodb_add(t, ":");
    if (neap__attribute_write(&t->body, NULL, &member, e) != 0) return -1;
  }
  return 0;
}

// {"wire":{"S":"x"}, ...} of all columns that are sent.
static int add_item(struct dynamodb_text *t, const struct shape *shape, const struct write *w, struct neap__error *e) {
  const struct cell *cell = w->cells;
  neap__dynamodb_add(t, "{");
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(w->columns, i)) continue;
    const struct field *f = shape->columns[i];
    int status = 0;
    if (i == shape->open)
      status = add_open(t, cell, e);
    else if (!neap__attribute_is_nil(&f->type, cell))
      status = neap__dynamodb_attribute(t, f, cell, e);
    if (status != 0) return -1;
    cell++;
  }
  neap__dynamodb_add(t, "}");
  return 0;
}

static int add_key(struct dynamodb_text *t, const struct shape *shape, const struct write *w, struct neap__error *e) {
  struct cell key[4];
  if (neap__dynamodb_write_key(shape, w, key, e) != 0) return -1;
  return neap__dynamodb_key(t, shape, key, e);
}

const char *neap__dynamodb_write_target(const struct write *w) {
  switch (w->kind) {
    case WRITE_INSERT:
    case WRITE_UPDATE: return "DynamoDB_20120810.UpdateItem";
    case WRITE_DELETE: return "DynamoDB_20120810.DeleteItem";
    case WRITE_UPSERT: return w->replace ? "DynamoDB_20120810.PutItem" : "DynamoDB_20120810.UpdateItem";
  }
  return NULL;
}

int neap__dynamodb_write_one(struct dynamodb_text *t, const struct view *view, const struct shape *shape,
                             const struct write *w, const struct change *held, int nheld, struct neap__error *e) {
  bool put = w->kind == WRITE_UPSERT && w->replace;
  struct cell key[4];
  if (check_size(shape, w, e) != 0 || neap__dynamodb_write_key(shape, w, key, e) != 0) return -1;
  neap__dynamodb_table(t, view, shape);
  neap__dynamodb_member(t, put ? "Item" : "Key");
  if ((put ? add_item(t, shape, w, e) : neap__dynamodb_key(t, shape, key, e)) != 0) return -1;
  if (!put && w->kind != WRITE_DELETE && neap__dynamodb_update(t, shape, w, e) != 0) return -1;
  if (add_condition(t, shape, w, held, nheld, e) != 0) return -1;
  return 0;
}

int neap__dynamodb_write_entry(struct dynamodb_text *t, const struct shape *shape, const struct write *w,
                               struct neap__error *e) {
  bool put = w->kind == WRITE_UPSERT;
  neap__dynamodb_add(t, put ? "{\"PutRequest\":{\"Item\":" : "{\"DeleteRequest\":{\"Key\":");
  if (check_size(shape, w, e) != 0) return -1;
  if ((put ? add_item(t, shape, w, e) : add_key(t, shape, w, e)) != 0) return -1;
  neap__dynamodb_add(t, "}}");
  return 0;
}
