// dynamodb_expression.c: conditions as DynamoDB's expressions, for filters, for keys and for writes. The server's logic is two-valued
// like ours: what is absent, or of another type, meets no comparison, and NOT of it is true. It tells text, numbers and bytes apart
// by itself; where a function would take another type for what is asked, attribute_type stands beside it.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/condition_build.h"
#include "store/dynamodb.h"
#include "store/dynamodb_value.h"
#include "value/json.h"

#define IN_MOST 99                // operands of one IN: the service takes 100, DynamoDB Local one less
#define EXPRESSION_MOST 4096      // bytes
#define OPERATORS_MOST 300        // in one expression
#define EXACT (INT64_C(1) << 53)  // doubles hold all integers up to it

// What is being written. careful: nothing that the server might refuse where it can be left to us.
struct teller {
  struct dynamodb_text *t;
  struct neap__error *e;
  bool careful;
  int operators;
};

static int tell(struct teller *w, const struct condition *c);

// ---- Names and values ----

static bool append(struct neap__buffer *b, const char *text) {
  return neap__buffer_append(b, text, strlen(text)) == 0;
}

// The end of the JSON string that begins at p.
static const char *end_of_string(const char *p) {
  for (p++; *p != '"'; p++)
    if (*p == '\\') p++;
  return p + 1;
}

// The number of the name whose literal is the last `n` bytes of the names, which hold others before `end`; -1 = it is new.
static int number_of(const struct neap__buffer *names, size_t end, size_t n) {
  const char *p = names->p, *literal = names->p + names->n - n;
  while (p && p < names->p + end) {
    const char *value = end_of_string(p) + 1, *next = end_of_string(value);
    if ((size_t)(next - value) == n && memcmp(value, literal, n) == 0) return atoi(p + 3);
    p = next + 1;
  }
  return -1;
}

void neap__dynamodb_name_literal(struct dynamodb_text *t, const char *literal, size_t n) {
  struct neap__buffer *names = &t->names;
  char placeholder[24];
  size_t before = names->n;
  t->failed |= neap__buffer_append(names, literal, n) != 0;
  if (t->failed) return;
  int number = number_of(names, before, n);
  names->n = before;
  bool new = number < 0;
  if (new) number = t->counter++;
  snprintf(placeholder, sizeof placeholder, "#n%d", number);
  neap__dynamodb_add(t, placeholder);
  if (!new) return;
  snprintf(placeholder, sizeof placeholder, "%s\"#n%d\":", before ? "," : "", number);
  t->failed |= !append(names, placeholder) || neap__buffer_append(names, literal, n) != 0;
}

void neap__dynamodb_name(struct dynamodb_text *t, const char *name, size_t n) {
  struct neap__buffer literal;
  neap__buffer_plain(&literal);
  t->failed |= neap__json_quote(&literal, name, n, NULL) != 0;
  if (!t->failed) neap__dynamodb_name_literal(t, literal.p, literal.n);
  neap__buffer_free(&literal);
}

void neap__dynamodb_path(struct dynamodb_text *t, const struct place *place) {
  char index[24];
  bool open = place->field->column == place->field->shape->open;  // its undeclared fields are attributes
  if (!open) neap__dynamodb_name(t, place->field->wire, strlen(place->field->wire));
  for (int i = 0; i < place->nsteps; i++) {
    const struct step *step = &place->steps[i];
    if (step->key) {
      if (i > 0 || !open) neap__dynamodb_add(t, ".");
      neap__dynamodb_name(t, step->key, step->nkey);
    } else {
      snprintf(index, sizeof index, "[%" PRId64 "]", step->index);
      neap__dynamodb_add(t, index);
    }
  }
}

// Begins a value: writes its placeholder and remembers where its text starts.
static size_t begin_value(struct dynamodb_text *t) {
  char placeholder[24];
  size_t before = t->values.n;
  snprintf(placeholder, sizeof placeholder, ":v%d", t->counter);
  neap__dynamodb_add(t, placeholder);
  snprintf(placeholder, sizeof placeholder, "%s\":v%d\":", before ? "," : "", t->counter++);
  t->failed |= !append(&t->values, placeholder);
  return before;
}

int neap__dynamodb_value_of(struct dynamodb_text *t, const struct field *field, const struct type *type,
                            const struct cell *cell, struct neap__error *e) {
  size_t before = begin_value(t);
  if (neap__attribute_write_place(&t->values, field, type, cell, e) == 0) return 0;
  t->values.n = before;
  return -1;
}

int neap__dynamodb_value(struct dynamodb_text *t, const struct type *type, const struct cell *cell,
                         struct neap__error *e) {
  return neap__dynamodb_value_of(t, NULL, type, cell, e);
}

// A value whose text is known: "{\"NULL\":true}".
static void add_constant(struct dynamodb_text *t, const char *text) {
  begin_value(t);
  t->failed |= !append(&t->values, text);
}

// ---- What cannot be told ----

static int cannot(struct teller *w, const struct condition *c, const char *why) {
  char where[200];
  return neap__error_set(w->e, NEAP_UNSUPPORTED,
                         "%s: dynamodb has no %s %s; of stored fields it has eq ne lt lte gt gte in nin between exists "
                         "prefix contains has any all size type",
                         c->place.field ? neap__place_print(c->shape, &c->place, where, sizeof where) : "a condition",
                         neap__condition_op_name(c->op), why);
}

// Values in JSON that are there what they are in a column.
static bool is_plain(const struct type *type) {
  if (!type) return true;
  bool plain = type->kind == TYPE_LIST || type->kind == TYPE_MAP;
  for (int i = 0; i < type->nmembers; i++) plain = plain && is_plain(&type->members[i].type);
  if (plain) return is_plain(type->of);
  return type->kind == TYPE_STRING || type->kind == TYPE_INTEGER || type->kind == TYPE_NUMBER ||
         type->kind == TYPE_BOOLEAN || type->kind == TYPE_UUID || type->kind == TYPE_JSON;
}

// Whether an attribute is at the place, and no other meaning.
static int check_place(struct teller *w, const struct condition *c, const struct place *place) {
  bool open = place->field->column == place->field->shape->open;
  if (place->counted) return cannot(w, c, "of related objects");
  if (!neap__field_kept(place->field)) return cannot(w, c, "of what is computed");
  if (open && place->nsteps == 0) return cannot(w, c, "of all undeclared fields");
  if (place->nsteps > 0 && place->field->type.kind == TYPE_SET) return cannot(w, c, "inside of a set");
  if (place->nsteps > 0 && !is_plain(place->type)) return cannot(w, c, "inside of a value of this type");
  return 0;
}

static bool is_order(enum condition_op op) {
  return op == COND_LT || op == COND_LTE || op == COND_GT || op == COND_GTE || op == COND_BETWEEN;
}

// Whether the server's numbers, which are decimals, compare with the operand as ours do.
static bool compares(const struct place *place, const struct cell *cell) {
  const struct type *type = neap__operand_type(place);
  bool doubles = type && type->kind == TYPE_NUMBER && place->nsteps == 0;
  if (cell->kind == CELL_INTEGER) return !doubles || (cell->i <= EXACT && cell->i >= -EXACT);
  if (cell->kind == CELL_NUMBER) return doubles || fabs(cell->d) <= (double)EXACT;
  return cell->kind != CELL_DECIMAL || !doubles;
}

static bool is_empty(const struct cell *cell) {
  if (cell->kind == CELL_JSON) return memmem(cell->p, cell->n, "\"\"", 2) != NULL;
  return (cell->kind == CELL_TEXT || cell->kind == CELL_BYTES) && cell->n == 0;
}

static int check_operand(struct teller *w, const struct condition *c, const struct cell *cell) {
  if (cell->kind == CELL_BOOLEAN && is_order(c->op)) return cannot(w, c, "of booleans, which have no order there");
  if (w->careful && is_empty(cell)) return cannot(w, c, "of empty text");
  if (w->careful && !compares(&c->place, cell)) return cannot(w, c, "of such numbers");
  return 0;
}

// ---- Pieces of leaves ----

static void add(struct teller *w, const char *text) {
  neap__dynamodb_add(w->t, text);
}

static void add_place(struct teller *w, const struct condition *c) {
  neap__dynamodb_path(w->t, &c->place);
}

// An operand, which has been checked. Numbers go as what they are, for a column may be compared with one that it could not hold.
static int add_operand(struct teller *w, const struct condition *c, const struct cell *cell) {
  const struct type *type = c->place.nsteps > 0 ? NULL : neap__operand_type(&c->place);
  bool number = cell->kind == CELL_INTEGER || cell->kind == CELL_NUMBER || cell->kind == CELL_DECIMAL;
  if (check_operand(w, c, cell) != 0) return -1;
  return neap__dynamodb_value_of(w->t, c->place.field, number ? NULL : type, cell, w->e);
}

// attribute_type(#n0, :v1)
static void add_type(struct teller *w, const struct condition *c, const char *tag) {
  char text[24];
  add(w, "attribute_type(");
  add_place(w, c);
  add(w, ", ");
  snprintf(text, sizeof text, "{\"S\":\"%s\"}", tag);
  add_constant(w->t, text);
  add(w, ")");
  w->operators++;
}

// One of several types.
static void add_types(struct teller *w, const struct condition *c, const char *const *tags) {
  for (int i = 0; tags[i]; i++) {
    if (i > 0) add(w, " OR ");
    add_type(w, c, tags[i]);
  }
}

// The same before what is asked of a value of such a type.
static void add_guard(struct teller *w, const struct condition *c, const char *const *tags) {
  add(w, "(");
  add_types(w, c, tags);
  add(w, ") AND ");
}

static const char *const lists[] = {"L", "SS", "NS", "BS", NULL};
static const char *const containers[] = {"L", "M", "SS", "NS", "BS", NULL};

// ---- Leaves: what stands in the parentheses ----

static const char *sign_of(enum condition_op op) {
  switch (op) {
    case COND_NE: return " <> ";
    case COND_LT: return " < ";
    case COND_LTE: return " <= ";
    case COND_GT: return " > ";
    case COND_GTE: return " >= ";
    default: return " = ";
  }
}

// The server compares no attribute with itself, and doubles as the decimals that they are written as.
static int tell_columns(struct teller *w, const struct condition *c) {
  const struct field *a = c->place.field, *b = c->other->field;
  bool order = c->op != COND_EQ && c->op != COND_NE;
  if (check_place(w, c, c->other) != 0) return -1;
  if (a == b || a->type.kind != b->type.kind || a->type.kind == TYPE_POINTER)
    return cannot(w, c, "of another column, unless it is of the same type");
  if (order && a->type.kind == TYPE_BOOLEAN) return cannot(w, c, "of booleans, which have no order there");
  add_place(w, c);
  add(w, sign_of(c->op));
  neap__dynamodb_path(w->t, c->other);
  return 0;
}

static int tell_compare(struct teller *w, const struct condition *c) {
  if (c->other) return tell_columns(w, c);
  add_place(w, c);
  add(w, sign_of(c->op));
  return add_operand(w, c, c->cells);
}

// The server refuses a BETWEEN whose operands are of two types or the wrong way around.
static int tell_between(struct teller *w, const struct condition *c) {
  int order = neap__cell_compare(&c->cells[0], &c->cells[1]);
  bool between = order == -1 || order == 0;
  add_place(w, c);
  add(w, between ? " BETWEEN " : " >= ");
  if (add_operand(w, c, &c->cells[0]) != 0) return -1;
  add(w, " AND ");
  if (!between) {
    add_place(w, c);
    add(w, " <= ");
  }
  return add_operand(w, c, &c->cells[1]);
}

static int tell_in(struct teller *w, const struct condition *c) {
  for (int i = 0; i < c->ncells; i++) {
    if (i % IN_MOST == 0) {
      add(w, i > 0 ? ") OR " : "");
      add_place(w, c);
      add(w, " IN (");
      w->operators++;
    } else {
      add(w, ", ");
    }
    if (add_operand(w, c, &c->cells[i]) != 0) return -1;
    if (w->careful && w->t->body.n > EXPRESSION_MOST) return cannot(w, c, "of so many values");
  }
  add(w, ")");
  return 0;
}

static int tell_nin(struct teller *w, const struct condition *c) {
  add(w, "NOT (");
  if (tell_in(w, c) != 0) return -1;
  add(w, ")");
  return 0;
}

// Null counts as absent; keys are never null.
static int tell_exists(struct teller *w, const struct condition *c) {
  bool there = c->cells->i != 0;
  add(w, there ? "attribute_exists(" : "attribute_not_exists(");
  add_place(w, c);
  add(w, ")");
  if ((c->place.field->flags & FIELD_PRIMARY) && c->place.nsteps == 0) return 0;
  add(w, there ? " AND " : " OR ");
  add_place(w, c);
  add(w, there ? " <> " : " = ");
  add_constant(w->t, "{\"NULL\":true}");
  return 0;
}

static int tell_text(struct teller *w, const struct condition *c) {
  if (c->op != COND_PREFIX && c->op != COND_CONTAINS) return cannot(w, c, "of text");
  if (c->op == COND_CONTAINS && neap__place_in_json(&c->place)) {
    add_type(w, c, "S");
    add(w, " AND ");
  }
  add(w, c->op == COND_PREFIX ? "begins_with(" : "contains(");
  add_place(w, c);
  add(w, ", ");
  if (add_operand(w, c, c->cells) != 0) return -1;
  add(w, ")");
  return 0;
}

static int tell_size(struct teller *w, const struct condition *c) {
  if (neap__place_in_json(&c->place)) {
    add_guard(w, c, containers);
  }
  add(w, "size(");
  add_place(w, c);
  add(w, ") = ");
  return neap__dynamodb_value(w->t, NULL, c->cells, w->e);
}

static int tell_type(struct teller *w, const struct condition *c) {
  static const char *const names[][2] = {
      {"string", "S"}, {"number", "N"}, {"boolean", "BOOL"}, {"map", "M"}, {"null", "NULL"}};
  if (c->place.nsteps == 0 && strcmp(c->cells->p, "null") == 0)
    return cannot(w, c, "of null in a column, which is absent");
  if (strcmp(c->cells->p, "list") == 0) return add_types(w, c, lists), 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(c->cells->p, names[i][0]) == 0) return add_type(w, c, names[i][1]), 0;
  return cannot(w, c, "of integers, which are numbers there");
}

// ---- Elements of lists and sets ----

// The element of a list or set of one, {"L":[{"S":"x"}]} or {"SS":["x"]}, as a value by itself.
static void take_element(struct dynamodb_text *t, const struct neap__buffer *written) {
  struct neap__json_each outer = neap__json_each(written->p, written->n);
  neap__json_next(&outer);
  struct neap__json_each inner = neap__json_each(outer.value.p, outer.value.n);
  neap__json_next(&inner);
  const char tag[] = {'{', '"', outer.key.p[1], '"', ':', 0};
  bool set = outer.key.n == 4;  // "SS", "NS", "BS"
  begin_value(t);
  if (set) t->failed |= !append(&t->values, tag);
  t->failed |= neap__buffer_append(&t->values, inner.value.p, inner.value.n) != 0;
  if (set) t->failed |= !append(&t->values, "}");
}

// Writes one element as it lies in a list or a set of the column: as the only one of a list, out of which it is taken.
static int add_element(struct teller *w, const struct condition *c, struct neap__json_slice element) {
  const struct type *type = c->place.nsteps > 0 ? NULL : neap__operand_type(&c->place);
  struct neap__buffer text, written;
  neap__buffer_plain(&text);
  neap__buffer_plain(&written);
  int status =
      neap__buffer_byte(&text, '[') | neap__buffer_append(&text, element.p, element.n) | neap__buffer_byte(&text, ']');
  const struct cell list = {.p = text.p, .n = (uint32_t)text.n, .kind = CELL_JSON};
  if (status != 0)
    neap__error_set(w->e, NEAP_LIMIT, "memory is short");
  else
    status = neap__attribute_write(&written, type, &list, w->e);
  if (status == 0) take_element(w->t, &written);
  neap__buffer_free(&text);
  neap__buffer_free(&written);
  return status;
}

static int tell_element(struct teller *w, const struct condition *c, struct neap__json_slice element) {
  bool text = *element.p == '"';
  if (*element.p == '[' || *element.p == '{') return cannot(w, c, "of lists and maps in a list");
  if (w->careful && text && element.n == 2) return cannot(w, c, "of empty text");
  add(w, "contains(");
  add_place(w, c);
  add(w, ", ");
  if (add_element(w, c, element) != 0) return -1;
  add(w, ")");
  return 0;
}

static int tell_elements(struct teller *w, const struct condition *c) {
  struct neap__json_each it = neap__json_each(c->cells->p, c->cells->n);
  int n = 0;
  bool guarded = neap__place_in_json(&c->place);  // contains would look into text, too
  if (guarded) {
    add_guard(w, c, lists);
    add(w, "(");
  }
  for (; neap__json_next(&it); n++) {
    if (n > 0) add(w, c->op == COND_ANY ? " OR " : " AND ");
    if (tell_element(w, c, it.value) != 0) return -1;
    w->operators += 2;
  }
  if (n == 0) return cannot(w, c, "of no elements");
  if (guarded) add(w, ")");
  return 0;
}

// ---- The tree ----

static int tell_leaf(struct teller *w, const struct condition *c) {
  if (check_place(w, c, &c->place) != 0) return -1;
  switch (c->op) {
    case COND_EQ:
    case COND_NE:
    case COND_LT:
    case COND_LTE:
    case COND_GT:
    case COND_GTE: return tell_compare(w, c);
    case COND_IN: return tell_in(w, c);
    case COND_NIN: return tell_nin(w, c);
    case COND_BETWEEN: return tell_between(w, c);
    case COND_EXISTS: return tell_exists(w, c);
    case COND_PREFIX:
    case COND_SUFFIX:
    case COND_CONTAINS:
    case COND_ICONTAINS:
    case COND_IPREFIX:
    case COND_ISUFFIX:
    case COND_IEXACT:
    case COND_REGEX: return tell_text(w, c);
    case COND_SIZE: return tell_size(w, c);
    case COND_ALL:
    case COND_HAS:
    case COND_ANY: return tell_elements(w, c);
    case COND_TYPE: return tell_type(w, c);
    case COND_NEAR:
    case COND_WITHIN: return cannot(w, c, "on the earth");
    case COND_AND:
    case COND_OR:
    case COND_NOT:
    case COND_SOME:
    case COND_ELEMENT: break;
  }
  return cannot(w, c, "of other objects or of elements");
}

// A branch without children: what holds of any attribute, or of none.
static int tell_constant(struct teller *w, bool value) {
  add(w, "attribute_exists(");
  neap__dynamodb_name(w->t, "_", 1);
  add(w, value ? ") OR attribute_not_exists(" : ") AND attribute_not_exists(");
  neap__dynamodb_name(w->t, "_", 1);
  add(w, ")");
  return 0;
}

static int tell_branch(struct teller *w, const struct condition *c) {
  if (c->nchildren == 0) return tell_constant(w, c->op == COND_AND);
  for (int i = 0; i < c->nchildren; i++) {
    if (i > 0) add(w, c->op == COND_AND ? " AND " : " OR ");
    if (tell(w, c->children[i]) != 0) return -1;
  }
  w->operators += c->nchildren;
  return 0;
}

static int tell_not(struct teller *w, const struct condition *c) {
  add(w, "NOT ");
  w->operators++;
  return tell(w, c->children[0]);
}

// The server refuses parentheses around parentheses.
static int tell(struct teller *w, const struct condition *c) {
  int status;
  if (c->op <= COND_OR && c->nchildren == 1) return tell(w, c->children[0]);
  w->operators++;
  add(w, "(");
  if (c->op == COND_AND || c->op == COND_OR)
    status = tell_branch(w, c);
  else
    status = c->op == COND_NOT ? tell_not(w, c) : tell_leaf(w, c);
  add(w, ")");
  return status;
}

bool neap__dynamodb_tells(const struct condition *c, struct neap__error *e) {
  struct dynamodb_text t;
  neap__dynamodb_begin(&t);
  struct teller w = {.t = &t, .e = e, .careful = true};
  int status = tell(&w, c);
  if (status == 0 && (w.operators > OPERATORS_MOST || t.body.n > EXPRESSION_MOST || t.failed))
    status = neap__error_set(e, NEAP_LIMIT, "dynamodb takes conditions of up to %d operators and %d bytes",
                             OPERATORS_MOST, EXPRESSION_MOST);
  neap__dynamodb_free(&t);
  return status == 0;
}

int neap__dynamodb_condition(struct dynamodb_text *t, const struct condition *c, struct neap__error *e) {
  struct teller w = {.t = t, .e = e};
  return tell(&w, c);
}
