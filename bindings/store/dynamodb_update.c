// dynamodb_update.c: what a write changes as an update expression. Its clauses come in one order, ADD, DELETE, REMOVE, SET, and in
// each the attributes by their names on the wire, so that one change is one text.
#include <stdlib.h>
#include <string.h>

#include "store/dynamodb.h"
#include "store/dynamodb_value.h"
#include "value/json.h"
#include "value/match.h"

enum clause { CLAUSE_ADD, CLAUSE_DELETE, CLAUSE_REMOVE, CLAUSE_SET, CLAUSES };

// One attribute, or a place in it, and what becomes of it.
struct item {
  const struct change *change;  // NULL: the column is set to the cell, or removed
  const struct field *field;
  const struct cell *cell;
  struct neap__json_slice name;  // of what an open model does not declare: a JSON string
  struct cell member;            // and its value
  enum clause clause;
  bool keep;  // only where there is nothing yet
};

static bool is_set(const struct type *type) {
  return type && type->kind == TYPE_SET;
}

static const struct type *type_of(const struct change *c) {
  return c->place.nsteps > 0 ? c->place.type : &c->place.field->type;
}

static enum clause clause_of(const struct change *c) {
  bool set = is_set(type_of(c)) && c->place.nsteps == 0;
  switch (c->kind) {
    case CHANGE_SET: return neap__attribute_is_nil(type_of(c), &c->cell) ? CLAUSE_REMOVE : CLAUSE_SET;
    case CHANGE_UNSET: return CLAUSE_REMOVE;
    case CHANGE_INCREMENT: return CLAUSE_SET;
    case CHANGE_APPEND: return set ? CLAUSE_ADD : CLAUSE_SET;
    case CHANGE_ADD_UNIQUE: return CLAUSE_ADD;
    case CHANGE_PULL: return CLAUSE_DELETE;
  }
  return CLAUSE_SET;
}

// Adding or deleting no elements is no change; an empty set in the expression would be refused.
static bool does_nothing(const struct change *c) {
  bool elements = c->kind == CHANGE_APPEND || c->kind == CHANGE_ADD_UNIQUE || c->kind == CHANGE_PULL;
  return elements && neap__match_size(c->cell.p, c->cell.n) == 0;
}

static struct neap__json_slice name_of(const struct item *item) {
  if (item->name.n > 0) return (struct neap__json_slice){item->name.p + 1, item->name.n - 2};
  return (struct neap__json_slice){item->field->wire, strlen(item->field->wire)};
}

static int by_clause(const void *a, const void *b) {
  const struct item *x = a, *y = b;
  if (x->clause != y->clause) return (int)x->clause - (int)y->clause;
  struct neap__json_slice p = name_of(x), q = name_of(y);
  int order = memcmp(p.p, q.p, p.n < q.n ? p.n : q.n);
  if (order == 0) order = (p.n > q.n) - (p.n < q.n);
  return order ? order : (x->change > y->change) - (x->change < y->change);
}

static struct neap__json_each members(const struct cell *open) {
  bool json = open && open->kind == CELL_JSON;
  return neap__json_each(json ? open->p : "", json ? open->n : 0);
}

static size_t count_members(const struct cell *open) {
  size_t n = 0;
  for (struct neap__json_each it = members(open); neap__json_next(&it);) n++;
  return n;
}

// The value of a member, given its name as it is spelled.
static bool find_member(const struct cell *open, struct neap__json_slice name, struct cell *out) {
  for (struct neap__json_each it = members(open); neap__json_next(&it);)
    if (it.key.n == name.n && memcmp(it.key.p, name.p, name.n) == 0)
      return *out = neap__attribute_member(open, &it), true;
  return false;
}

// What an open model does not declare, as far as it is not as it was before.
static int collect_open(const struct field *f, const struct cell *now, const struct cell *before, struct item *items) {
  struct cell value;
  int n = 0;
  for (struct neap__json_each it = members(now); neap__json_next(&it);) {
    struct cell member = neap__attribute_member(now, &it);
    if (find_member(before, it.key, &value) && neap__cell_equal(&value, &member)) continue;
    enum clause clause = neap__attribute_is_nil(NULL, &member) ? CLAUSE_REMOVE : CLAUSE_SET;
    items[n++] = (struct item){.clause = clause, .field = f, .name = it.key, .member = member};
  }
  for (struct neap__json_each it = members(before); neap__json_next(&it);)
    if (!find_member(now, it.key, &value))
      items[n++] = (struct item){.clause = CLAUSE_REMOVE, .field = f, .name = it.key};
  return n;
}

static int collect(const struct shape *shape, const struct write *w, struct item *items) {
  const struct cell *cell = w->cells;
  int n = 0;
  for (int i = 0; i < shape->ncolumns && w->columns; i++) {
    if (!neap__has_bit(w->columns, i)) continue;
    const struct field *f = shape->columns[i];
    bool nil = neap__attribute_is_nil(&f->type, cell), keep = neap__has_bit(w->keep, i);
    enum clause clause = nil ? CLAUSE_REMOVE : CLAUSE_SET;
    if (i == shape->open)
      n += collect_open(f, cell, w->open, items + n);
    else if (!(f->flags & FIELD_PRIMARY) && !(nil && keep))
      items[n++] = (struct item){.clause = clause, .field = f, .cell = cell, .keep = keep};
    cell++;
  }
  for (int i = 0; i < w->nchanges; i++) {
    const struct change *c = &w->changes[i];
    if (!does_nothing(c)) items[n++] = (struct item){.clause = clause_of(c), .change = c, .field = c->place.field};
  }
  qsort(items, (size_t)n, sizeof *items, by_clause);
  return n;
}

// ---- Writing ----

// #n0=if_not_exists(#n0, :v1)+:v2
static int add_increment(struct dynamodb_text *t, const struct change *c, struct neap__error *e) {
  const struct cell zero = {.i = 0, .kind = CELL_INTEGER};
  neap__dynamodb_add(t, "if_not_exists(");
  neap__dynamodb_path(t, &c->place);
  neap__dynamodb_add(t, ", ");
  if (neap__dynamodb_value(t, NULL, &zero, e) != 0) return -1;
  neap__dynamodb_add(t, ")+");
  return neap__dynamodb_value_of(t, c->place.field, NULL, &c->cell, e);
}

// #n0=list_append(if_not_exists(#n0, :v1), :v2)
static int add_append(struct dynamodb_text *t, const struct change *c, struct neap__error *e) {
  const struct cell empty = {.p = "[]", .n = 2, .kind = CELL_JSON};
  neap__dynamodb_add(t, "list_append(if_not_exists(");
  neap__dynamodb_path(t, &c->place);
  neap__dynamodb_add(t, ", ");
  if (neap__dynamodb_value(t, NULL, &empty, e) != 0) return -1;
  neap__dynamodb_add(t, "), ");
  if (neap__dynamodb_value_of(t, c->place.field, type_of(c), &c->cell, e) != 0) return -1;
  neap__dynamodb_add(t, ")");
  return 0;
}

static int add_change(struct dynamodb_text *t, enum clause clause, const struct change *c, struct neap__error *e) {
  neap__dynamodb_path(t, &c->place);
  if (clause == CLAUSE_REMOVE) return 0;
  neap__dynamodb_add(t, clause == CLAUSE_SET ? "=" : " ");
  if (c->kind == CHANGE_INCREMENT) return add_increment(t, c, e);
  if (clause == CLAUSE_SET && c->kind == CHANGE_APPEND) return add_append(t, c, e);
  return neap__dynamodb_value_of(t, c->place.field, type_of(c), &c->cell, e);
}

static int add_member(struct dynamodb_text *t, const struct item *item, struct neap__error *e) {
  neap__dynamodb_name_literal(t, item->name.p, item->name.n);
  if (item->clause == CLAUSE_REMOVE) return 0;
  neap__dynamodb_add(t, "=");
  return neap__dynamodb_value(t, NULL, &item->member, e);
}

static int add_value(struct dynamodb_text *t, const struct item *item, struct neap__error *e) {
  return neap__dynamodb_value_of(t, item->field, &item->field->type, item->cell, e);
}

static int add_item(struct dynamodb_text *t, const struct item *item, struct neap__error *e) {
  if (item->change) return add_change(t, item->clause, item->change, e);
  if (item->name.n > 0) return add_member(t, item, e);
  neap__dynamodb_name(t, item->field->wire, strlen(item->field->wire));
  if (item->clause == CLAUSE_REMOVE) return 0;
  neap__dynamodb_add(t, "=");
  if (!item->keep) return add_value(t, item, e);
  neap__dynamodb_add(t, "if_not_exists(");
  neap__dynamodb_name(t, item->field->wire, strlen(item->field->wire));
  neap__dynamodb_add(t, ", ");
  if (add_value(t, item, e) != 0) return -1;
  neap__dynamodb_add(t, ")");
  return 0;
}

int neap__dynamodb_update(struct dynamodb_text *t, const struct shape *shape, const struct write *w,
                          struct neap__error *e) {
  static const char *const words[CLAUSES] = {"ADD ", "DELETE ", "REMOVE ", "SET "};
  struct item few[32], *items = few;
  const struct cell *open = neap__dynamodb_sent(w, shape->open);
  size_t room = (size_t)shape->ncolumns + (size_t)w->nchanges + count_members(open) + count_members(w->open);
  int status = 0;
  if (room > sizeof few / sizeof *few) items = malloc(room * sizeof *items);
  if (!items) return neap__error_set(e, NEAP_LIMIT, "memory is short for a request to DynamoDB");
  int n = collect(shape, w, items);
  for (int i = 0; i < n && status == 0; i++) {
    bool first = i == 0 || items[i].clause != items[i - 1].clause;
    if (i == 0) neap__dynamodb_member(t, "UpdateExpression");
    neap__dynamodb_add(t, i == 0 ? "\"" : first ? " " : ", ");
    if (first) neap__dynamodb_add(t, words[items[i].clause]);
    status = add_item(t, &items[i], e);
  }
  if (n > 0) neap__dynamodb_add(t, "\"");
  if (items != few) free(items);
  return status;
}
