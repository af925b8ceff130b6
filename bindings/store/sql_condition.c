// sql_condition.c: conditions as SQL. NOT is carried down as a flag, so that only a negated leaf says IS NOT TRUE (what is
// absent meets it) and a plain one stays as an index wants it. Where the dialects differ, sql_dialect.h has the text.
#include <math.h>
#include <string.h>

#include "store/sql_writer.h"
#include "value/json.h"
#include "value/match.h"

#define CHUNK 100  // operands of one AND or OR; more are put in groups, for SQLite limits how deep an expression is
#define MAX_CONTAINERS 500  // lists and maps in one IN: each is a comparison

static int write(struct writer *w, const struct condition *c, bool negated);

// ---- Operands ----

static enum sql_class class_of(const struct cell *cell) {
  switch ((enum cell_kind)cell->kind) {
    case CELL_BOOLEAN: return SQL_BOOLEAN;
    case CELL_INTEGER:
    case CELL_NUMBER: return SQL_NUMBER;
    case CELL_DECIMAL: return SQL_DECIMAL;
    case CELL_JSON: return SQL_JSON;
    case CELL_BYTES: return SQL_BYTES;
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_TEXT:
    case CELL_DATETIME:
    case CELL_DATE: break;
  }
  return SQL_TEXT;
}

// A timestamp is kept as seconds in a number.
static struct cell as_kept(const struct place *place, struct cell cell) {
  const struct type *type = neap__operand_type(place);
  if (cell.kind != CELL_DATETIME || neap__place_in_json(place) || !neap__sql_is_seconds(type)) return cell;
  if (cell.i % 1000000 == 0) return (struct cell){.i = cell.i / 1000000, .kind = CELL_INTEGER};
  return (struct cell){.d = (double)cell.i / 1e6, .kind = CELL_NUMBER};
}

static void bind(struct writer *w, const struct place *place, const struct cell *cell) {
  char text[32];
  struct cell kept = as_kept(place, *cell);
  bool number = kept.kind == CELL_NUMBER && w->s->dialect->arrays && neap__place_in_json(place) && isfinite(kept.d);
  if (number)  // in JSON numbers are decimals
    neap__sql_bind_copy(w->s, CELL_DECIMAL, text, neap__json_double(kept.d, text));
  else
    neap__sql_bind(w->s, &kept);
  if (number || kept.kind == CELL_DECIMAL) neap__sql_add(w->s, w->s->dialect->decimal);
}

// An operator's template over a value: $1 ... are the operands, each bound once however often it is named.
struct use {
  const struct condition *condition;
  bool json;
  int *params;
};

static int fill_operator(struct writer *w, int i, const void *arg) {
  const struct use *use = arg;
  const struct condition *c = use->condition;
  if (i == 0) return use->json ? neap__sql_write_json(w, &c->place) : neap__sql_write_value(w, &c->place, SQL_TEXT);
  if (use->params[i]) {
    neap__sql_param(w->s, use->params[i]);
  } else {
    bind(w, &c->place, &c->cells[i - 1]);
    use->params[i] = w->s->nparams;
  }
  return 0;
}

static int write_operator(struct writer *w, const char *text, const struct condition *c, bool json) {
  int params[10] = {0};
  return neap__sql_expand(w, text, fill_operator, &(struct use){c, json, params});
}

// ---- Leaves ----

static const char *sign_of(enum condition_op op) {
  switch (op) {
    case COND_LT: return " < ";
    case COND_LTE: return " <= ";
    case COND_GT: return " > ";
    case COND_GTE: return " >= ";
    default: return " = ";
  }
}

static int write_never(struct writer *w) {
  neap__sql_add(w->s, w->s->dialect->no);
  return 0;
}

static int write_compare(struct writer *w, const struct place *place, enum condition_op op, const struct cell *cell) {
  struct cell own = as_kept(place, *cell);
  enum sql_class class = class_of(&own);
  neap__sql_fit(w->s->dialect, place, &op, &own);
  if (op == COND_NOT) return write_never(w);
  if (neap__sql_write_guard(w, place, class) != 0 || neap__sql_write_value(w, place, class) != 0) return -1;
  neap__sql_add(w->s, sign_of(op));
  bind(w, place, &own);
  return 0;
}

static int write_columns(struct writer *w, const struct condition *c) {
  if (neap__sql_write_value(w, &c->place, SQL_TEXT) != 0) return -1;
  neap__sql_add(w->s, sign_of(c->op));
  return neap__sql_write_value(w, c->other, SQL_TEXT);
}

static int write_order(struct writer *w, const struct condition *c) {
  if (c->other) return write_columns(w, c);
  if (c->cells->kind == CELL_JSON && neap__sql_has_nul(w->s->dialect, c->cells)) return write_never(w);
  if (c->cells->kind == CELL_JSON) return write_operator(w, w->s->dialect->equal, c, true);
  return write_compare(w, &c->place, c->op, c->cells);
}

static int write_between(struct writer *w, const struct condition *c) {
  if (write_compare(w, &c->place, COND_GTE, &c->cells[0]) != 0) return -1;
  neap__sql_add(w->s, " AND ");
  return write_compare(w, &c->place, COND_LTE, &c->cells[1]);
}

// What JSON cannot carry exactly, or SQL cannot compare in a list: one comparison each.
static bool goes_alone(const struct writer *w, const struct cell *cell) {
  return cell->kind == CELL_BYTES || cell->kind == CELL_JSON ||
         (cell->kind == CELL_NUMBER && !w->s->dialect->arrays &&
          (cell->d != floor(cell->d) || fabs(cell->d) >= 0x1p53));
}

// Adds an element to a list of operands. Decimals travel as text in JSON.
static int add_operand(struct writer *w, struct neap__buffer *b, struct cell *cell) {
  if (w->s->dialect->arrays) return neap__sql_array_add(b, cell);
  if (cell->kind == CELL_DECIMAL) cell->kind = CELL_TEXT;
  return neap__buffer_byte(b, b->n ? ',' : '[') | neap__match_write(b, cell);
}

// All operands of a class as one parameter.
static int bind_list(struct writer *w, const struct condition *c, enum sql_class class) {
  struct neap__buffer *b = &w->s->scratch;
  bool array = w->s->dialect->arrays;
  int status = 0;
  b->n = 0;
  for (int i = 0; i < c->ncells && status == 0; i++) {
    struct cell cell = as_kept(&c->place, c->cells[i]);
    enum condition_op op = COND_EQ;
    if (goes_alone(w, &c->cells[i]) || class_of(&c->cells[i]) != class) continue;
    neap__sql_fit(w->s->dialect, &c->place, &op, &cell);
    if (op == COND_EQ) status = add_operand(w, b, &cell);
  }
  if (b->n == 0) status |= neap__buffer_byte(b, array ? '{' : '[');
  return neap__sql_bind_scratch(w, status | neap__buffer_byte(b, array ? '}' : ']'));
}

// What the operands of a list are, in SQL.
static const char *type_of_operands(struct writer *w, const struct place *place, enum sql_class class) {
  static const struct type types[SQL_CLASSES] = {
      [SQL_TEXT] = {.kind = TYPE_STRING},     [SQL_NUMBER] = {.kind = TYPE_DECIMAL},
      [SQL_DECIMAL] = {.kind = TYPE_DECIMAL}, [SQL_BOOLEAN] = {.kind = TYPE_BOOLEAN},
      [SQL_JSON] = {.kind = TYPE_JSON},       [SQL_BYTES] = {.kind = TYPE_BYTES}};
  return w->s->dialect->column_type(neap__place_in_json(place) ? &types[class] : place->type);
}

struct list {
  const struct condition *condition;
  enum sql_class class;
};

static int fill_in(struct writer *w, int i, const void *arg) {
  const struct list *list = arg;
  const struct place *place = &list->condition->place;
  if (i == 0) return neap__sql_write_value(w, place, list->class);
  if (i == 1) return bind_list(w, list->condition, list->class);
  neap__sql_add(w->s, type_of_operands(w, place, list->class));
  return 0;
}

int neap__sql_keys(struct sql_text *s, const struct condition *in, struct neap__error *e) {
  struct writer w = {s, e, 0, in->shape};
  if (goes_alone(&w, in->cells))
    return neap__error_set(e, NEAP_UNSUPPORTED,
                           "%s: limit for each object that includes %s does not go with keys that are bytes or floats",
                           s->dialect->name, in->shape->model);
  return neap__sql_expand(&w, s->dialect->keys, fill_in, &(struct list){in, class_of(in->cells)});
}

static int write_in_list(struct writer *w, const struct condition *c, enum sql_class class) {
  if (neap__sql_write_guard(w, &c->place, class) != 0) return -1;
  return neap__sql_expand(w, w->s->dialect->in, fill_in, &(struct list){c, class});
}

// Operands of a class that go alone, bound one by one.
static int write_bound(struct writer *w, const struct condition *c, enum sql_class class) {
  int n = 0;
  if (neap__sql_write_guard(w, &c->place, class) != 0 || neap__sql_write_value(w, &c->place, class) != 0) return -1;
  for (int i = 0; i < c->ncells; i++) {
    if (!goes_alone(w, &c->cells[i]) || class_of(&c->cells[i]) != class) continue;
    neap__sql_add(w->s, n++ ? ", " : " IN (");
    bind(w, &c->place, &c->cells[i]);
  }
  neap__sql_add(w->s, ")");
  return 0;
}

static int write_containers(struct writer *w, const struct condition *c) {
  int n = 0;
  for (int i = 0; i < c->ncells; i++) {
    struct condition one = {.op = COND_EQ, .place = c->place, .ncells = 1, .cells = &c->cells[i]};
    if (c->cells[i].kind != CELL_JSON) continue;
    if (n == MAX_CONTAINERS)
      return neap__error_set(w->e, NEAP_LIMIT, "%s.%s: in takes at most %d lists and maps", w->shape->model,
                             c->place.field->name, MAX_CONTAINERS);
    neap__sql_add(w->s, n++ ? " OR " : "");
    if (write_order(w, &one) != 0) return -1;
  }
  return 0;
}

static int write_in(struct writer *w, const struct condition *c) {
  bool found[SQL_CLASSES][2] = {{false}};
  int n = 0, status = 0;
  for (int i = 0; i < c->ncells; i++) found[class_of(&c->cells[i])][goes_alone(w, &c->cells[i])] = true;
  for (enum sql_class class = 0; class < SQL_CLASSES; class ++) {
    for (int alone = 0; alone < 2 && status == 0; alone++) {
      if (!found[class][alone]) continue;
      neap__sql_add(w->s, n++ ? " OR " : "");
      if (class == SQL_JSON)
        status = write_containers(w, c);
      else
        status = alone ? write_bound(w, c, class) : write_in_list(w, c, class);
    }
  }
  return status;
}

static size_t encode(uint32_t c, char *out) {
  if (c < 0x80) return out[0] = (char)c, 1;
  if (c < 0x800) return out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), 2;
  size_t n = c < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; c >>= 6) out[i] = (char)(0x80 | (c & 63));
  out[0] = (char)((n == 3 ? 0xe0 : 0xf0) | c);
  return n;
}

// The character that ends the UTF-8 text; *start is where it begins.
static uint32_t last_character(const char *p, size_t n, size_t *start) {
  uint32_t c = 0;
  int shift = 0;
  while (n > 0 && ((unsigned char)p[n - 1] & 0xc0) == 0x80 && shift < 18) {
    c |= (uint32_t)((unsigned char)p[--n] & 63) << shift;
    shift += 6;
  }
  *start = n > 0 ? n - 1 : 0;
  return n > 0 ? c | (uint32_t)((unsigned char)p[n - 1] & (shift ? 0x3f >> (shift / 6) : 0x7f)) << shift : c;
}

// Makes p the first text behind all that begin with it: its last character is made the next one, or is cut if there is
// none. UTF-8 sorts by bytes as its characters do. Returns the new length, 0 if nothing lies behind.
static size_t successor(char *p, size_t n) {
  while (n > 0) {
    size_t start;
    uint32_t c = last_character(p, n, &start) + 1;
    if (c == 0xd800) c = 0xe000;
    if (c <= 0x10ffff) return start + encode(c, p + start);
    n = start;
  }
  return 0;
}

// Puts the successor of the operand into scratch. -1 when memory is short.
static int make_successor(struct writer *w, const struct cell *cell) {
  struct neap__buffer *b = &w->s->scratch;
  b->n = 0;
  if (neap__buffer_append(b, cell->p, cell->n) != 0 || neap__buffer_reserve(b, 4) != 0)
    return neap__error_set(w->e, NEAP_LIMIT, "memory is short");
  b->n = successor(b->p, b->n);
  return 0;
}

// A range, so that an index serves it.
static int write_prefix(struct writer *w, const struct condition *c) {
  if (write_compare(w, &c->place, COND_GTE, c->cells) != 0 || make_successor(w, c->cells) != 0) return -1;
  if (w->s->scratch.n == 0) return 0;
  neap__sql_add(w->s, " AND ");
  if (neap__sql_write_value(w, &c->place, SQL_TEXT) != 0 || make_successor(w, c->cells) != 0) return -1;
  neap__sql_add(w->s, " < ");
  neap__sql_bind_copy(w->s, CELL_TEXT, w->s->scratch.p, w->s->scratch.n);
  return 0;
}

// A pattern in the database's own language.
static int write_regex(struct writer *w, const struct condition *c) {
  struct neap__buffer *b = &w->s->scratch;
  struct condition own = *c;
  struct cell cell = {.kind = CELL_TEXT};
  b->n = 0;
  if (!w->s->dialect->regex(b, c->cells->p, c->cells->n))
    return neap__error_set(
        w->e, NEAP_UNSUPPORTED,
        "%s.%s: %s reads the regular expression %s in another way than neap does; without modifiers, "
        "back references, look-behind, possessive and named groups it would mean the same",
        w->shape->model, c->place.field->name, w->s->dialect->name, neap__show_text(c->cells->p, c->cells->n).text);
  neap__sql_copy(w->s, b->p, b->n, &cell);
  own.cells = &cell;
  return write_operator(w, w->s->dialect->text[c->op], &own, false);
}

static int write_text(struct writer *w, const struct condition *c) {
  if (neap__sql_has_nul(w->s->dialect, c->cells)) return write_never(w);
  if (neap__sql_write_guard(w, &c->place, SQL_TEXT) != 0) return -1;
  if (c->op == COND_REGEX && w->s->dialect->regex) return write_regex(w, c);
  return write_operator(w, w->s->dialect->text[c->op], c, false);
}

// ---- Lists ----

static int fill_array(struct writer *w, int i, const void *arg) {
  const struct condition *c = arg;
  if (i == 0) return neap__sql_write_column(w, c->place.field);
  if (i == 1) return neap__sql_bind_scratch(w, 0);
  neap__sql_add(w->s, w->s->dialect->column_type(&c->place.field->type));
  return 0;
}

static int write_elements(struct writer *w, const struct condition *c);

// Any of the elements that have no NUL in them.
static int write_any_of_others(struct writer *w, const struct condition *c) {
  struct neap__json_each it = neap__json_each(c->cells->p, c->cells->n);
  struct condition others = *c;
  struct cell cell = {.kind = CELL_JSON};
  struct neap__buffer *b = &w->s->scratch;
  int status = 0;
  b->n = 0;
  while (status == 0 && neap__json_next(&it)) {
    struct cell element = {.p = it.value.p, .n = (uint32_t)it.value.n, .kind = CELL_JSON};
    if (neap__sql_has_nul(w->s->dialect, &element)) continue;
    status = neap__buffer_byte(b, b->n ? ',' : '[') | neap__buffer_append(b, element.p, element.n);
  }
  if (b->n == 0) return write_never(w);
  if ((status | neap__buffer_byte(b, ']')) != 0) return neap__error_set(w->e, NEAP_LIMIT, "memory is short");
  neap__sql_copy(w->s, b->p, b->n, &cell);
  others.cells = &cell;
  return write_elements(w, &others);
}

// Elements of an array: all operands as another one; as JSON where they are of other types than the array's.
static int write_elements(struct writer *w, const struct condition *c) {
  const struct sql_dialect *d = w->s->dialect;
  const struct field *field = c->place.field;
  bool all = c->op != COND_ANY;
  if (neap__sql_has_nul(w->s->dialect, c->cells) && all) return write_never(w);
  if (neap__sql_has_nul(w->s->dialect, c->cells)) return write_any_of_others(w, c);
  if (field && c->place.nsteps == 0 && neap__sql_is_array(d, &field->type)) {
    w->s->scratch.n = 0;
    int status = neap__sql_array(&w->s->scratch, field->type.of, c->cells);
    if (status < 0) return neap__error_set(w->e, NEAP_LIMIT, "memory is short");
    if (status == 0) return neap__sql_expand(w, all ? d->array_all : d->array_any, fill_array, c);
  }
  return write_operator(w, all ? d->all : d->any, c, true);
}

static int write_size(struct writer *w, const struct condition *c) {
  bool array = c->place.nsteps == 0 && neap__sql_is_array(w->s->dialect, &c->place.field->type);
  return array ? write_operator(w, w->s->dialect->array_size, c, false)
               : write_operator(w, w->s->dialect->size, c, true);
}

static bool keeps_json(const struct place *place) {
  const struct type *type = neap__operand_type(place);
  if (neap__place_in_json(place)) return true;
  return type->kind == TYPE_LIST || type->kind == TYPE_SET || type->kind == TYPE_MAP || type->kind == TYPE_GEOPOINT ||
         type->kind == TYPE_FILE;
}

// Whether what is absent there is NULL, and nothing else.
static bool is_null_there(const struct writer *w, const struct place *place) {
  return !keeps_json(place) || (place->nsteps == 0 && neap__sql_is_array(w->s->dialect, &place->field->type));
}

// Indexes know IS NULL; nothing else need be said of its opposite, for neither is ever NULL.
static int write_null(struct writer *w, const struct condition *c, bool there) {
  neap__sql_add(w->s, "(");
  int status = neap__sql_write_value(w, &c->place, SQL_TEXT);
  neap__sql_add(w->s, there ? " IS NOT NULL)" : " IS NULL)");
  return status;
}

static int write_type(struct writer *w, const struct condition *c) {
  const char *const(*types)[2] = w->s->dialect->types;
  for (int i = 0; types[i][0]; i++)
    if (strcmp(types[i][0], c->cells->p) == 0) return neap__sql_write_template(w, types[i][1], &c->place);
  neap__sql_add(w->s, w->s->dialect->no);
  return 0;
}

static int unsupported(struct writer *w, const struct condition *c) {
  return neap__error_set(w->e, NEAP_UNSUPPORTED, "%s cannot ask %s.%s for %s", w->s->dialect->name, w->shape->model,
                         c->place.field->name, neap__condition_op_name(c->op));
}

// ---- The tree ----

static int write_leaf(struct writer *w, const struct condition *c) {
  const struct sql_dialect *d = w->s->dialect;
  switch (c->op) {
    case COND_EQ:
    case COND_NE:
    case COND_LT:
    case COND_LTE:
    case COND_GT:
    case COND_GTE: return write_order(w, c);
    case COND_IN:
    case COND_NIN: return write_in(w, c);
    case COND_BETWEEN: return write_between(w, c);
    case COND_EXISTS: return neap__sql_write_template(w, d->exists, &c->place);
    case COND_PREFIX: return write_prefix(w, c);
    case COND_SUFFIX:
    case COND_CONTAINS:
    case COND_ICONTAINS:
    case COND_IPREFIX:
    case COND_ISUFFIX:
    case COND_IEXACT:
    case COND_REGEX: return write_text(w, c);
    case COND_SIZE: return write_size(w, c);
    case COND_ALL:
    case COND_HAS:
    case COND_ANY: return write_elements(w, c);
    case COND_NEAR: return write_operator(w, d->near, c, true);
    case COND_WITHIN: return write_operator(w, d->within, c, true);
    case COND_TYPE: return write_type(w, c);
    case COND_AND:
    case COND_OR:
    case COND_NOT:
    case COND_SOME:
    case COND_ELEMENT: break;
  }
  return unsupported(w, c);
}

// NE, NIN and exists(false) are their opposites, negated.
static bool is_opposite(const struct condition *c) {
  return c->op == COND_NE || c->op == COND_NIN || (c->op == COND_EXISTS && !c->cells->i);
}

static int write_leaf_or_not(struct writer *w, const struct condition *c, bool negated) {
  negated ^= is_opposite(c);
  if (c->op == COND_EXISTS && is_null_there(w, &c->place)) return write_null(w, c, !negated);
  neap__sql_add(w->s, "(");
  w->s->secret = c->place.field && c->place.field->flags & FIELD_SECRET;
  int status = write_leaf(w, c);
  w->s->secret = false;
  if (status != 0) return -1;
  neap__sql_add(w->s, negated ? ") IS NOT TRUE" : ")");
  return 0;
}

static bool is_branch(const struct condition *c) {
  return c->op <= COND_ELEMENT;
}

// Branches go first: a parser holds `((((` more easily than `a AND (b OR (c AND (`.
static int write_branch(struct writer *w, const struct condition *c, bool negated) {
  const char *between = (c->op == COND_AND) != negated ? " AND " : " OR ";
  const struct sql_dialect *d = w->s->dialect;
  if (c->nchildren == 0) {
    neap__sql_add(w->s, (c->op == COND_AND) != negated ? d->yes : d->no);
    return 0;
  }
  bool grouped = c->nchildren > CHUNK;
  int n = 0;
  neap__sql_add(w->s, grouped ? "((" : "(");
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < c->nchildren; i++) {
      if (is_branch(c->children[i]) != (pass == 0)) continue;
      bool opens = grouped && n > 0 && n % CHUNK == 0;
      neap__sql_add(w->s, opens ? ")" : "");
      neap__sql_add(w->s, n++ ? between : "");
      neap__sql_add(w->s, opens ? "(" : "");
      if (write(w, c->children[i], negated) != 0) return -1;
    }
  }
  neap__sql_add(w->s, grouped ? "))" : ")");
  return 0;
}

static int fill_list(struct writer *w, int i, const void *arg) {
  (void)i;
  return neap__sql_write_json(w, &((const struct condition *)arg)->place);
}

// The elements are a table of one column.
static int write_element(struct writer *w, const struct condition *c, bool negated) {
  struct sql_text *s = w->s;
  if (s->naliases <= w->alias) s->naliases = w->alias + 1;
  int there = s->naliases++;
  neap__sql_add(s, negated ? "NOT EXISTS (SELECT 1 FROM (" : "EXISTS (SELECT 1 FROM (");
  if (neap__sql_expand(w, s->dialect->elements, fill_list, c) != 0) return -1;
  neap__sql_addf(s, ") AS t%d WHERE ", there);
  if (neap__sql_condition(NULL, s, there, c->children[0], w->e) != 0) return -1;
  neap__sql_add(s, ")");
  return 0;
}

static int write(struct writer *w, const struct condition *c, bool negated) {
  switch (c->op) {
    case COND_AND:
    case COND_OR: return write_branch(w, c, negated);
    case COND_NOT: return write(w, c->children[0], !negated);
    case COND_SOME: return neap__sql_some(w->s, w->alias, w->shape, c, negated, w->e);
    case COND_ELEMENT: return write_element(w, c, negated);
    default: return write_leaf_or_not(w, c, negated);
  }
}

int neap__sql_condition(lua_State *L, struct sql_text *s, int alias, const struct condition *c, struct neap__error *e) {
  struct writer w = {s, e, alias, c->shape};
  (void)L;
  if (write(&w, c, false) != 0) return -1;
  if (s->nparams > s->dialect->max_params)
    return neap__error_set(e, NEAP_LIMIT, "the statement has %d values, %s takes %d", s->nparams, s->dialect->name,
                           s->dialect->max_params);
  return 0;
}
