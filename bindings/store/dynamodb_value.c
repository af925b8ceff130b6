// dynamodb_value.c: cells of a type to DynamoDB's attribute values and back. Lists, sets and maps are JSON text in cells: each is
// gone through once, and becomes the other text on the way.
#include "store/dynamodb_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/dynamodb_item.h"
#include "value/attribute.h"
#include "value/bytes.h"
#include "value/datetime.h"
#include "value/decimal.h"

// What the type keeps in the end, NULL = anything.
static const struct type *kept_type(const struct type *type) {
  while (type && (type->kind == TYPE_POINTER || type->kind == TYPE_COMPUTED)) type = type->of;
  return type && type->kind == TYPE_JSON ? NULL : type;
}

static bool is_kind(const struct type *type, enum type_kind kind) {
  return type && type->kind == kind;
}

// The type of the elements of a list or a set.
static const struct type *element_type(const struct type *type) {
  return is_kind(type, TYPE_LIST) || is_kind(type, TYPE_SET) ? kept_type(type->of) : NULL;
}

static bool literal_is(const struct neap__literal *literal, const char *text) {
  return literal->n == strlen(text) && memcmp(literal->p, text, literal->n) == 0;
}

// The type of a member of a map.
static const struct type *member_type(const struct type *type, const struct neap__literal *name) {
  static const struct type degrees = {.kind = TYPE_NUMBER, .scale = -1};
  if (is_kind(type, TYPE_GEOPOINT)) return &degrees;
  if (!is_kind(type, TYPE_MAP)) return NULL;
  for (int i = 0; i < type->nmembers; i++)
    if (literal_is(name, type->members[i].name)) return kept_type(&type->members[i].type);
  return kept_type(type->of);
}

// ---- Where a value stands, for messages ----

struct spot {
  const struct field *field;  // of the outermost, NULL = none
  const struct spot *outer;
  struct neap__literal key;  // p NULL: an element of a list
  int64_t index;
};

static const struct field *spot_field(const struct spot *at) {
  while (at->outer) at = at->outer;
  return at->field;
}

static size_t print_spot(const struct spot *at, char *buf, size_t size) {
  size_t n = at->outer ? print_spot(at->outer, buf, size) : 0;
  if (n >= size || (!at->outer && !at->field)) return n;
  if (!at->outer) return (size_t)snprintf(buf, size, "%s.%s", at->field->shape->model, at->field->name);
  if (!at->key.p) return n + (size_t)snprintf(buf + n, size - n, "[%" PRId64 "]", at->index);
  return n + (size_t)snprintf(buf + n, size - n, "%s%s", n > 0 ? "." : "", neap__show_name(at->key.p, at->key.n).text);
}

// Puts the place in front of the message of what cannot be kept. Secrets are not shown, nor what lies in them.
static int blame(const struct spot *at, struct neap__error *e) {
  char where[160] = "";
  const struct field *f = spot_field(at);
  struct neap__error why = *e;
  if (why.kind != NEAP_VALIDATION) return -1;
  if (f && (f->flags & FIELD_SECRET))
    return neap__error_set(e, NEAP_VALIDATION, "%s.%s: *** cannot be kept by DynamoDB", f->shape->model, f->name);
  print_spot(at, where, sizeof where);
  return neap__error_set(e, NEAP_VALIDATION, "%s%s%.300s", where, where[0] ? ": " : "", why.message);
}

// ---- Writing ----

struct writer {
  struct neap__buffer *out;
  struct neap__error *e;
  const char *start;  // of the JSON text
  struct neap__scan scan;
};

static int write_value(struct writer *w, const struct type *type, const struct spot *at, int depth);

static int no_memory(struct writer *w) {
  return neap__error_set(w->e, NEAP_LIMIT, "not enough memory to write an item");
}

static int put(struct writer *w, const char *p, size_t n) {
  return neap__buffer_append(w->out, p, n) == 0 ? 0 : no_memory(w);
}

static int put_text(struct writer *w, const char *p) {
  return put(w, p, strlen(p));
}

static int put_scalar(struct writer *w, const struct cell *cell, const struct spot *at) {
  return neap__attribute_put(w->out, cell, w->e) == 0 ? 0 : blame(at, w->e);
}

static int refuse(struct writer *w, const struct spot *at, const char *what) {
  neap__error_set(w->e, NEAP_VALIDATION, "%s", what);
  return blame(at, w->e);
}

// Cells hold JSON that neap has written, or that another store gave.
static int no_json(struct writer *w, const struct spot *at) {
  return refuse(w, at, "the text is no JSON");
}

// A string goes out as it is spelled: it is one of JSON here and there.
static int put_literal(struct writer *w, const char *before, const struct neap__literal *literal, const char *behind) {
  int status = put_text(w, before);
  if (status == 0) status = put(w, literal->p - 1, (size_t)literal->n + 2);
  return status == 0 ? put_text(w, behind) : status;
}

// Whole seconds, as they were cut when the time was assigned.
static struct cell seconds_of(int64_t us) {
  return (struct cell){.kind = CELL_INTEGER, .i = us / 1000000 - (us % 1000000 < 0)};
}

static int write_string(struct writer *w, const struct type *type, const struct spot *at, bool marked) {
  struct neap__literal literal;
  int64_t us;
  if (!neap__scan_string(&w->scan, &literal)) return no_json(w, at);
  if (is_kind(type, TYPE_TIMESTAMP) && neap__datetime_parse(literal.p, literal.n, &us)) {
    struct cell seconds = seconds_of(us);
    return put_scalar(w, &seconds, at);
  }
  bool bytes = marked || is_kind(type, TYPE_BYTES);
  return put_literal(w, bytes ? "{\"B\":" : "{\"S\":", &literal, "}");
}

// The number that comes next, as the server keeps it; 0: it cannot be kept. Decimals are spelled without exponents: what has one
// is a double.
static size_t read_number(struct writer *w, const struct type *type, char out[ATTRIBUTE_NUMBER],
                          const struct spot *at) {
  const char *start = w->scan.p, *p = start, *fault;
  struct cell cell = {.kind = CELL_NIL};
  bool exponent = false;
  for (; p < w->scan.end && *p && strchr("+-.0123456789eE", *p); p++) exponent |= *p == 'e' || *p == 'E';
  w->scan.p = p;
  if (exponent && !is_kind(type, TYPE_DECIMAL)) neap__json_number(start, p, &cell);
  size_t n = cell.kind == CELL_NUMBER ? neap__attribute_number_of(&cell, out, &fault)
                                      : neap__attribute_number(start, (size_t)(p - start), out, &fault);
  if (n > 0) return n;
  neap__error_set(w->e, NEAP_VALIDATION, "%s is wrong; expected %s", neap__show_name(start, (size_t)(p - start)).text,
                  fault);
  blame(at, w->e);
  return 0;
}

static int write_number(struct writer *w, const struct type *type, const struct spot *at) {
  char text[ATTRIBUTE_NUMBER];
  size_t n = read_number(w, type, text, at);
  if (n == 0) return -1;
  if (put_text(w, "{\"N\":\"") != 0 || put(w, text, n) != 0) return -1;
  return put_text(w, "\"}");
}

// true, false or null.
static int write_word(struct writer *w, const struct spot *at) {
  bool yes;
  if (w->scan.end - w->scan.p >= 4 && memcmp(w->scan.p, "null", 4) == 0) {
    w->scan.p += 4;
    return put_text(w, "{\"NULL\":true}");
  }
  if (!neap__scan_boolean(&w->scan, &yes)) return no_json(w, at);
  return put_text(w, yes ? "{\"BOOL\":true}" : "{\"BOOL\":false}");
}

static int write_list(struct writer *w, const struct type *type, const struct spot *at, int depth) {
  struct spot inner = {.outer = at};
  w->scan.p++;
  if (put_text(w, "{\"L\":[") != 0) return -1;
  bool more = neap__scan_peek(&w->scan) != ']';
  while (more) {
    inner.index++;
    if (inner.index > 1 && put_text(w, ",") != 0) return -1;
    if (write_value(w, element_type(type), &inner, depth) != 0) return -1;
    more = neap__scan_accept(&w->scan, ',');
  }
  return neap__scan_accept(&w->scan, ']') ? put_text(w, "]}") : no_json(w, at);
}

// ---- Sets: what the server would take for the same is sent once ----

struct seen {
  uint32_t *slots;  // where the elements lie in the text, 0 = free
  size_t n, size;   // a power of two
};

static uint64_t hash_bytes(uint64_t h, const char *p, size_t n) {
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
  return h ^ h >> 32;
}

#define HASH_FIRST UINT64_C(0xcbf29ce484222325)

// Elements are JSON strings: they end at their quote, or where they differ.
static size_t element_size(const char *p) {
  size_t n = 1;
  while (p[n] != '"') n += p[n] == '\\' ? 2 : 1;
  return n + 1;
}

static bool place_element(struct seen *seen, const char *text, uint32_t at) {
  size_t n = element_size(text + at);
  for (size_t i = (size_t)hash_bytes(HASH_FIRST, text + at, n);; i++) {
    uint32_t *slot = &seen->slots[i & (seen->size - 1)];
    if (*slot == 0) return *slot = at, true;
    if (memcmp(text + *slot, text + at, n) == 0) return false;
  }
}

static int grow_seen(struct seen *seen, const char *text) {
  struct seen larger = {.size = seen->size ? seen->size * 2 : 32};
  if ((larger.slots = calloc(larger.size, sizeof *larger.slots)) == NULL) return -1;
  for (size_t i = 0; i < seen->size; i++)
    if (seen->slots[i]) place_element(&larger, text, seen->slots[i]);
  free(seen->slots);
  larger.n = seen->n;
  *seen = larger;
  return 0;
}

// Appends the next element as a string; its tag.
static char write_element(struct writer *w, const struct type *of, const struct spot *at) {
  char text[ATTRIBUTE_NUMBER + 2] = "\"", c = neap__scan_peek(&w->scan);
  bool bytes = is_kind(of, TYPE_BYTES) || neap__json_marked(w->start, w->scan.p);
  struct neap__literal literal;
  int64_t us;
  size_t n;
  if (c == '"') {
    if (!neap__scan_string(&w->scan, &literal)) return no_json(w, at), '\0';
    if (!is_kind(of, TYPE_TIMESTAMP) || !neap__datetime_parse(literal.p, literal.n, &us))
      return put_literal(w, "", &literal, "") != 0 ? '\0' : bytes ? 'B' : 'S';
    n = (size_t)snprintf(text + 1, sizeof text - 1, "%" PRId64, seconds_of(us).i);
  } else if (c == '-' || (c >= '0' && c <= '9')) {
    if ((n = read_number(w, of, text + 1, at)) == 0) return '\0';
  } else {
    return refuse(w, at, "a set of DynamoDB holds text, numbers or bytes"), '\0';
  }
  text[n + 1] = '"';
  return put(w, text, n + 2) == 0 ? 'N' : '\0';
}

// Behind "[": the elements, without those that were there before. Gives their tag.
static char write_elements(struct writer *w, const struct type *type, const struct spot *at, struct seen *seen) {
  struct spot inner = {.outer = at};
  char tag = '\0';
  do {
    size_t before = w->out->n;
    inner.index++;
    if (inner.index > 1 && put_text(w, ",") != 0) return '\0';
    size_t start = w->out->n;
    char got = write_element(w, element_type(type), &inner);
    if (got == '\0') return '\0';
    if (tag != '\0' && got != tag) return refuse(w, &inner, "a set of DynamoDB holds values of one kind"), '\0';
    tag = got;
    if (w->out->n > UINT32_MAX || (seen->n >= seen->size / 2 && grow_seen(seen, w->out->p) != 0))
      return no_memory(w), '\0';
    if (place_element(seen, w->out->p, (uint32_t)start))
      seen->n++;
    else
      w->out->n = before;
  } while (neap__scan_accept(&w->scan, ','));
  return neap__scan_accept(&w->scan, ']') ? tag : (no_json(w, at), '\0');
}

static int write_set(struct writer *w, const struct type *type, const struct spot *at) {
  struct seen seen = {0};
  size_t start = w->out->n;
  w->scan.p++;
  if (neap__scan_peek(&w->scan) == ']') return refuse(w, at, "DynamoDB keeps no empty set; expected nil");
  if (put_text(w, "{\"?S\":[") != 0) return -1;
  char tag = write_elements(w, type, at, &seen);
  free(seen.slots);
  if (tag == '\0') return -1;
  w->out->p[start + 2] = tag;
  return put_text(w, "]}");
}

// ---- Maps ----

// Whether the value that comes next is a set without elements, which is as good as nothing.
static bool is_empty_set(struct writer *w, const struct type *type) {
  bool list = neap__scan_peek(&w->scan) == '[';
  if (!list || (!is_kind(type, TYPE_SET) && !neap__json_marked(w->start, w->scan.p))) return false;
  struct neap__scan ahead = {w->scan.p + 1, w->scan.end, NULL};
  return neap__scan_peek(&ahead) == ']';
}

static int write_member(struct writer *w, const struct type *type, const struct spot *at, bool *begun, int depth) {
  struct spot inner = {.outer = at};
  if (!neap__scan_string(&w->scan, &inner.key) || !neap__scan_expect(&w->scan, ':')) return no_json(w, at);
  const struct type *of = member_type(type, &inner.key);
  if (is_empty_set(w, of)) return neap__scan_skip(&w->scan) ? 0 : no_json(w, at);
  if (put_literal(w, *begun ? "," : "", &inner.key, ":") != 0) return -1;
  *begun = true;
  return write_value(w, of, &inner, depth);
}

static int write_map(struct writer *w, const struct type *type, const struct spot *at, int depth) {
  bool begun = false;
  w->scan.p++;
  if (put_text(w, "{\"M\":{") != 0) return -1;
  bool more = neap__scan_peek(&w->scan) != '}';
  for (; more; more = neap__scan_accept(&w->scan, ','))
    if (write_member(w, type, at, &begun, depth) != 0) return -1;
  return neap__scan_accept(&w->scan, '}') ? put_text(w, "}}") : no_json(w, at);
}

// The value that comes next in the JSON text.
static int write_value(struct writer *w, const struct type *type, const struct spot *at, int depth) {
  char c = neap__scan_peek(&w->scan);
  bool marked = neap__json_marked(w->start, w->scan.p);
  if (depth == NEAP_JSON_DEPTH) return refuse(w, at, "lists and maps are nested too deeply");
  if (c == '"') return write_string(w, type, at, marked);
  if (c == '{') return write_map(w, type, at, depth + 1);
  if (c == '[') return marked || is_kind(type, TYPE_SET) ? write_set(w, type, at) : write_list(w, type, at, depth + 1);
  return c == '-' || (c >= '0' && c <= '9') ? write_number(w, type, at) : write_word(w, at);
}

static int write_text(struct writer *w, const struct type *type, const struct cell *cell, const struct spot *at) {
  w->start = cell->p;
  w->scan = (struct neap__scan){cell->p, cell->p + cell->n, NULL};
  if (write_value(w, type, at, 0) != 0) return -1;
  return neap__scan_peek(&w->scan) == '\0' && w->scan.p == w->scan.end ? 0 : no_json(w, at);
}

static int write_cell(struct neap__buffer *out, const struct type *type, const struct cell *cell, const struct spot *at,
                      struct neap__error *e) {
  struct writer w = {.out = out, .e = e};
  type = kept_type(type);
  if (cell->kind == CELL_JSON) return write_text(&w, type, cell, at);
  if (cell->kind != CELL_DATETIME || !is_kind(type, TYPE_TIMESTAMP)) return put_scalar(&w, cell, at);
  struct cell seconds = seconds_of(cell->i);
  return put_scalar(&w, &seconds, at);
}

bool neap__attribute_is_nil(const struct type *type, const struct cell *cell) {
  if (cell->kind <= CELL_NIL) return true;
  if (cell->kind != CELL_JSON) return false;
  struct writer w = {.start = cell->p, .scan = {cell->p, cell->p + cell->n, NULL}};
  return is_empty_set(&w, kept_type(type));
}

int neap__attribute_write(struct neap__buffer *out, const struct type *type, const struct cell *cell,
                          struct neap__error *e) {
  return write_cell(out, type, cell, &(struct spot){0}, e);
}

int neap__attribute_write_field(struct neap__buffer *out, const struct field *field, const struct cell *cell,
                                struct neap__error *e) {
  return write_cell(out, &field->type, cell, &(struct spot){.field = field}, e);
}

int neap__attribute_write_place(struct neap__buffer *out, const struct field *field, const struct type *type,
                                const struct cell *cell, struct neap__error *e) {
  return write_cell(out, type, cell, &(struct spot){.field = field}, e);
}

struct cell neap__attribute_member(const struct cell *open, const struct neap__json_each *it) {
  struct neap__json_slice value = neap__json_with_mark(open->p, it->value);
  return (struct cell){.kind = CELL_JSON, .p = value.p, .n = (uint32_t)value.n};
}

// ---- Reading ----

// Where the text of an open place goes.
struct reader {
  struct neap__scan *scan;
  struct neap__buffer *out;
};

static bool read_body(struct reader *r, enum attribute_tag tag, const struct type *type, int depth);

static bool add(struct reader *r, const char *p, size_t n) {
  return neap__buffer_append(r->out, p, n) == 0 || neap__scan_starve(r->scan);
}

static bool add_text(struct reader *r, const char *p) {
  return add(r, p, strlen(p));
}

static bool add_literal(struct reader *r, const struct neap__literal *literal) {
  return add(r, literal->p - 1, (size_t)literal->n + 2);
}

// Text where the type says bytes; if it had to be decoded it lies behind what was there before.
static bool add_as_bytes(struct reader *r, const struct cell *text, size_t before) {
  size_t room = NEAP_BASE64_SIZE((size_t)text->n) + 2, decoded = r->out->n - before;
  if (neap__buffer_reserve(r->out, room) != 0) return neap__scan_starve(r->scan);
  char *to = r->out->p + r->out->n;
  neap__bytes_base64(decoded > 0 ? to - decoded : text->p, text->n, to + 1);
  to[0] = to[room - 1] = '"';
  memmove(to - decoded, to, room);
  r->out->n = before + room;
  return true;
}

// A string stays as it is spelled, once it is known to be one.
static bool add_string(struct reader *r, const struct type *type) {
  struct neap__literal literal;
  struct cell cell;
  size_t before = r->out->n;
  if (!neap__scan_string(r->scan, &literal) || !neap__scan_text(r->scan, &literal, &cell, r->out)) return false;
  if (is_kind(type, TYPE_BYTES)) return add_as_bytes(r, &cell, before);
  r->out->n = before;
  return add_literal(r, &literal);
}

static bool add_bytes(struct reader *r) {
  struct neap__literal literal;
  struct cell cell;
  size_t before = r->out->n;
  if (!neap__scan_string(r->scan, &literal) || !neap__scan_bytes(r->scan, &literal, &cell, r->out)) return false;
  r->out->n = before;
  return add_literal(r, &literal);
}

static bool add_datetime(struct reader *r, int64_t us) {
  char text[48] = "\"";
  size_t n = neap__datetime_format(us, text + 1);
  text[n + 1] = '"';
  return add(r, text, n + 2);
}

static bool is_seconds(const struct type *type, const struct cell *cell) {
  return is_kind(type, TYPE_TIMESTAMP) && cell->kind == CELL_INTEGER && cell->i >= DATETIME_MIN / 1000000 &&
         cell->i <= DATETIME_MAX / 1000000;
}

// The nearest double of a number that was read from the literal, if there is one.
static bool double_of(const struct cell *cell, const struct neap__literal *literal, double *out) {
  if (cell->kind == CELL_DECIMAL) return neap__attribute_double(literal->p, literal->n, out);
  *out = cell->kind == CELL_INTEGER ? (double)cell->i : cell->d;
  return true;
}

// Digits stay as they are; only a number of a typed place is known to be a double.
static bool add_number(struct reader *r, const struct type *type) {
  struct neap__literal literal;
  struct cell cell;
  char text[32];
  double d;
  size_t before = r->out->n;
  if (!neap__scan_string(r->scan, &literal) || !neap__scan_number(r->scan, &literal, &cell, r->out)) return false;
  r->out->n = before;
  if (is_seconds(type, &cell)) return add_datetime(r, cell.i * 1000000);
  if (is_kind(type, TYPE_NUMBER) && double_of(&cell, &literal, &d)) return add(r, text, neap__json_double(d, text));
  if (cell.kind != CELL_INTEGER || is_kind(type, TYPE_DECIMAL)) return add(r, literal.p, literal.n);
  return add(r, text, (size_t)snprintf(text, sizeof text, "%" PRId64, cell.i));
}

static bool add_boolean(struct reader *r) {
  bool yes;
  return neap__scan_boolean(r->scan, &yes) && add_text(r, yes ? "true" : "false");
}

static bool read_element(struct reader *r, enum attribute_tag tag, const struct type *type, int depth) {
  switch (tag) {
    case ATTRIBUTE_SS: return add_string(r, type);
    case ATTRIBUTE_NS: return add_number(r, type);
    case ATTRIBUTE_BS: return (type || add_text(r, NEAP_JSON_MARK)) && add_bytes(r);
    default: break;
  }
  return neap__scan_tag(r->scan, &tag) && read_body(r, tag, type, depth) && neap__scan_expect(r->scan, '}');
}

static bool read_list(struct reader *r, enum attribute_tag tag, const struct type *type, int depth) {
  bool untyped_set = tag != ATTRIBUTE_L && !is_kind(type, TYPE_SET);
  if (untyped_set && !add_text(r, NEAP_JSON_MARK)) return false;
  if (!neap__scan_expect(r->scan, '[') || !add_text(r, "[")) return false;
  if (neap__scan_accept(r->scan, ']')) return add_text(r, "]");
  do {
    if (!read_element(r, tag, element_type(type), depth) || !add_text(r, ",")) return false;
  } while (neap__scan_accept(r->scan, ','));
  r->out->p[r->out->n - 1] = ']';
  return neap__scan_expect(r->scan, ']');
}

static bool read_map(struct reader *r, const struct type *type, int depth) {
  if (!neap__scan_expect(r->scan, '{') || !add_text(r, "{")) return false;
  if (neap__scan_accept(r->scan, '}')) return add_text(r, "}");
  do {
    struct neap__literal key;
    struct cell cell;
    size_t before = r->out->n;
    if (!neap__scan_string(r->scan, &key) || !neap__scan_text(r->scan, &key, &cell, r->out)) return false;
    r->out->n = before;
    if (!neap__scan_expect(r->scan, ':') || !add_literal(r, &key) || !add_text(r, ":")) return false;
    if (!read_element(r, ATTRIBUTE_M, member_type(type, &key), depth) || !add_text(r, ",")) return false;
  } while (neap__scan_accept(r->scan, ','));
  r->out->p[r->out->n - 1] = '}';
  return neap__scan_expect(r->scan, '}');
}

// Appends the JSON of what the tag stands for.
static bool read_body(struct reader *r, enum attribute_tag tag, const struct type *type, int depth) {
  bool yes;
  if (depth == NEAP_JSON_DEPTH) return neap__scan_fail(r->scan, "lists and maps that are not nested so deeply");
  switch (tag) {
    case ATTRIBUTE_S: return add_string(r, type);
    case ATTRIBUTE_N: return add_number(r, type);
    case ATTRIBUTE_B: return (is_kind(type, TYPE_BYTES) || add_text(r, NEAP_JSON_MARK)) && add_bytes(r);
    case ATTRIBUTE_BOOL: return add_boolean(r);
    case ATTRIBUTE_NULL: return neap__scan_boolean(r->scan, &yes) && add_text(r, "null");
    case ATTRIBUTE_SS:
    case ATTRIBUTE_NS:
    case ATTRIBUTE_BS:
    case ATTRIBUTE_L: return read_list(r, tag, type, depth + 1);
    case ATTRIBUTE_M: return read_map(r, type, depth + 1);
  }
  return false;
}

static bool read_json(struct neap__scan *s, enum attribute_tag tag, const struct type *type, struct cell *out,
                      struct neap__buffer *scratch) {
  size_t start = scratch->n;
  if (!read_body(&(struct reader){s, scratch}, tag, type, 0)) return false;
  if (scratch->n - start > UINT32_MAX) return neap__scan_fail(s, "less than 4 GB");
  *out = (struct cell){.kind = CELL_JSON, .p = scratch->p + start, .n = (uint32_t)(scratch->n - start)};
  return true;
}

// ---- Scalars of a type ----

static bool read_text(struct neap__scan *s, const struct type *type, struct cell *out, struct neap__buffer *scratch) {
  struct neap__literal literal;
  int64_t when;
  if (!neap__scan_string(s, &literal) || !neap__scan_text(s, &literal, out, scratch)) return false;
  if (is_kind(type, TYPE_DATETIME) && neap__datetime_parse(out->p, out->n, &when))
    *out = (struct cell){.kind = CELL_DATETIME, .i = when};
  else if (is_kind(type, TYPE_DATE) && neap__date_parse(out->p, out->n, &when))
    *out = (struct cell){.kind = CELL_DATE, .i = when};
  return true;
}

// With the zeros behind the point that the type asks for and the server does not keep.
static bool read_decimal(struct neap__scan *s, const struct neap__literal *literal, const struct type *type,
                         struct cell *out, struct neap__buffer *scratch) {
  struct neap__error e;
  size_t n;
  if (neap__buffer_reserve(scratch, 2 * DECIMAL_TEXT) != 0) return neap__scan_starve(s);
  char *text = scratch->p + scratch->n;
  if (neap__decimal_parse(literal->p, literal->n, text, DECIMAL_TEXT, &n, &e) != 0)
    return neap__scan_fail(s, "a number");
  const char *point = memchr(text, '.', n);
  int scale = point ? (int)(n - (size_t)(point - text) - 1) : 0;
  if (scale == 0 && type->scale > 0) text[n++] = '.';
  for (; scale < type->scale && scale < DECIMAL_EXPONENT; scale++) text[n++] = '0';
  *out = (struct cell){.kind = CELL_DECIMAL, .p = text, .n = (uint32_t)n};
  scratch->n += n;
  return true;
}

static bool read_numeric(struct neap__scan *s, const struct type *type, struct cell *out,
                         struct neap__buffer *scratch) {
  struct neap__literal literal;
  double d;
  if (!neap__scan_string(s, &literal)) return false;
  if (is_kind(type, TYPE_DECIMAL)) return read_decimal(s, &literal, type, out, scratch);
  if (!neap__scan_number(s, &literal, out, scratch)) return false;
  if (is_kind(type, TYPE_NUMBER) && double_of(out, &literal, &d))
    *out = (struct cell){.kind = CELL_NUMBER, .d = d};
  else if (is_seconds(type, out))
    *out = (struct cell){.kind = CELL_DATETIME, .i = out->i * 1000000};
  return true;
}

static bool read_scalar(struct neap__scan *s, enum attribute_tag tag, const struct type *type, struct cell *out,
                        struct neap__buffer *scratch) {
  struct neap__literal literal;
  bool yes;
  switch (tag) {
    case ATTRIBUTE_S: return read_text(s, type, out, scratch);
    case ATTRIBUTE_N: return read_numeric(s, type, out, scratch);
    case ATTRIBUTE_B: return neap__scan_string(s, &literal) && neap__scan_bytes(s, &literal, out, scratch);
    case ATTRIBUTE_NULL: *out = (struct cell){.kind = CELL_NULL}; return neap__scan_boolean(s, &yes);
    case ATTRIBUTE_BOOL:
      if (!neap__scan_boolean(s, &yes)) return false;
      *out = (struct cell){.kind = CELL_BOOLEAN, .i = yes};
      return true;
    case ATTRIBUTE_SS:
    case ATTRIBUTE_NS:
    case ATTRIBUTE_BS:
    case ATTRIBUTE_L:
    case ATTRIBUTE_M: return read_json(s, tag, type, out, scratch);
  }
  return false;
}

bool neap__attribute_scan(struct neap__scan *s, const struct type *type, struct cell *out,
                          struct neap__buffer *scratch) {
  enum attribute_tag tag;
  if (!neap__scan_tag(s, &tag)) return false;
  bool json = is_kind(type, TYPE_JSON) && tag != ATTRIBUTE_NULL;
  bool read = json ? read_json(s, tag, NULL, out, scratch) : read_scalar(s, tag, kept_type(type), out, scratch);
  return read && neap__scan_expect(s, '}');
}

bool neap__attribute_scan_json(struct neap__scan *s, struct neap__buffer *out) {
  enum attribute_tag tag;
  return neap__scan_tag(s, &tag) && read_body(&(struct reader){s, out}, tag, NULL, 0) && neap__scan_expect(s, '}');
}

int neap__attribute_read(const char *p, size_t n, const struct type *type, struct cell *out,
                         struct neap__buffer *scratch, struct neap__error *e) {
  struct neap__scan s = {p, p + n, NULL};
  bool read = neap__attribute_scan(&s, type, out, scratch);
  if (read && (neap__scan_peek(&s) != '\0' || s.p < s.end)) read = neap__scan_fail(&s, "nothing more");
  return read ? 0 : neap__scan_error(&s, p, "an attribute value", e);
}

// ---- Keys ----

static bool is_number(const struct cell *cell) {
  return cell->kind == CELL_INTEGER || cell->kind == CELL_NUMBER || cell->kind == CELL_DECIMAL;
}

bool neap__item_key_equal(const struct shape *shape, const struct cell *a, const struct cell *b) {
  for (int i = 0; i < shape->nkeys; i++)
    if (neap__cell_compare(&a[i], &b[i]) != 0) return false;
  return true;
}

uint64_t neap__item_key_hash(const struct shape *shape, const struct cell *key) {
  uint64_t h = HASH_FIRST;
  char text[ATTRIBUTE_NUMBER];
  const char *fault;
  for (int i = 0; i < shape->nkeys; i++) {
    if (is_number(&key[i]))
      h = hash_bytes(h, text, neap__attribute_number_of(&key[i], text, &fault));
    else if (neap__cell_has_text(&key[i]))
      h = hash_bytes(h, key[i].p, key[i].n);
    else
      h = hash_bytes(h, (const char *)&key[i].i, sizeof key[i].i);
    h = (h ^ (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15);
  }
  return h;
}
