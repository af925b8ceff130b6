// json_scan.c: looks into JSON text where it lies: escapes, paths, elements, equality. Builds nothing.
#include <limits.h>

#include "value/decimal.h"
#include "value/json.h"

#define EQUAL_DEPTH 1000  // containers nested deeper are compared as text

// ---- Strings ----

const char *neap__json_plain(const char *p, const char *end, bool *high) {
  uint64_t seen = 0;
  while (end - p >= 8) {
    uint64_t x;
    memcpy(&x, p, 8);
    if (neap__json_special(x)) break;
    seen |= x;
    p += 8;
  }
  unsigned char last = 0;
  for (; p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20; p++) last |= (unsigned char)*p;
  *high |= ((seen & NEAP_JSON_HIGH) | (last & 0x80)) != 0;
  return p;
}

// Four hexadecimal digits, either case.
static const char *read_hex(const char *p, const char *end, unsigned *out) {
  if (end - p < 4) return NULL;
  *out = 0;
  for (int i = 0; i < 4; i++) {
    unsigned c = (unsigned char)p[i], low = c | 0x20;
    unsigned digit = c - '0' < 10 ? c - '0' : low - 'a' < 6 ? low - 'a' + 10 : 16;
    if (digit == 16) return NULL;
    *out = *out * 16 + digit;
  }
  return p + 4;
}

// The code point must be valid: surrogates were sorted out before.
static int put_utf8(unsigned c, char out[4]) {
  if (c < 0x80) return out[0] = (char)c, 1;
  int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (int i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
  out[0] = (char)((0xf00 >> n & 0xff) | c);
  return n;
}

// "\uD83C\uDF0A" is one character: the high surrogate came first, the low one has to follow.
static const char *read_unicode(const char *p, const char *end, char out[4], int *len) {
  unsigned c, low;
  if ((p = read_hex(p, end, &c)) == NULL) return NULL;
  if (c >= 0xdc00 && c < 0xe000) return NULL;
  if (c >= 0xd800 && c < 0xdc00) {
    if (end - p < 2 || p[0] != '\\' || p[1] != 'u') return NULL;
    if ((p = read_hex(p + 2, end, &low)) == NULL || low < 0xdc00 || low >= 0xe000) return NULL;
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  }
  *len = put_utf8(c, out);
  return p;
}

const char *neap__json_escape(const char *p, const char *end, char out[4], int *len) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  if (end - p < 2) return NULL;
  if (p[1] == 'u') return read_unicode(p + 2, end, out, len);
  const char *name = p[1] ? strchr(names, p[1]) : NULL;
  if (name == NULL) return NULL;
  out[0] = values[name - names];
  *len = 1;
  return p + 2;
}

// ---- Skipping ----

static const char *skip_blank(const char *p, const char *end) {
  while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
  return p;
}

// p is behind the opening quote; the result is behind the closing one.
static const char *skip_string(const char *p, const char *end) {
  bool high = false;
  for (;;) {
    p = neap__json_plain(p, end, &high);
    if (p >= end) return NULL;
    if (*p == '"') return p + 1;
    p += *p == '\\' ? 2 : 1;
    if (p > end) return NULL;
  }
}

// Only brackets are counted, so that no depth can exhaust the C stack.
static const char *skip_container(const char *p, const char *end) {
  size_t depth = 0;
  while (p < end) {
    char c = *p++;
    if (c == '"' && (p = skip_string(p, end)) == NULL) return NULL;
    if (c == '[' || c == '{') depth++;
    if ((c == ']' || c == '}') && --depth == 0) return p;
  }
  return NULL;
}

// A number, true, false or null: whatever is not structure. Who needs its value finds out whether it is one.
static const char *skip_word(const char *p, const char *end) {
  const char *start = p;
  while (p < end && strchr(",]} \n\r\t:\"[{", *p) == NULL) p++;
  return p > start ? p : NULL;
}

static const char *skip_value(const char *p, const char *end) {
  if (p >= end) return NULL;
  if (*p == '"') return skip_string(p + 1, end);
  return *p == '[' || *p == '{' ? skip_container(p, end) : skip_word(p, end);
}

// Moves *p behind the next value and gives its text.
static bool slice_read(const char **p, const char *end, struct neap__json_slice *out) {
  out->p = skip_blank(*p, end);
  if ((*p = skip_value(out->p, end)) == NULL) return false;
  out->n = (size_t)(*p - out->p);
  return true;
}

// ---- Elements and paths ----

struct neap__json_each neap__json_each(const char *p, size_t n) {
  struct neap__json_each it = {.p = skip_blank(p, p + n), .end = p + n};
  if (it.p < it.end) it.close = *it.p == '[' ? ']' : *it.p == '{' ? '}' : 0;
  if (it.close) it.p = skip_blank(it.p + 1, it.end);
  if (it.p < it.end && *it.p == it.close) it.close = 0;
  return it;
}

// The key, if there is one, and the value; the comma behind them is not looked at.
static bool read_member(struct neap__json_each *it) {
  if (it->close == '}') {
    if (!slice_read(&it->p, it->end, &it->key) || it->key.p[0] != '"') return false;
    it->p = skip_blank(it->p, it->end);
    if (it->p >= it->end || *it->p++ != ':') return false;
  }
  return slice_read(&it->p, it->end, &it->value);
}

bool neap__json_next(struct neap__json_each *it) {
  if (!it->close) return false;
  if (!read_member(it)) {
    it->close = 0;
    return false;
  }
  it->p = skip_blank(it->p, it->end);
  bool more = it->p < it->end && *it->p == ',';
  if (!more) it->close = 0;
  it->p += more;
  return true;
}

// A string read character by character, escapes undone.
struct cursor {
  const char *p, *end;
};

// The next piece of at most 4 bytes; 0 at the end, -1 if an escape is wrong.
static int cursor_next(struct cursor *c, char out[4]) {
  int len = 1;
  if (c->p >= c->end) return 0;
  if (*c->p != '\\')
    out[0] = *c->p++;
  else if ((c->p = neap__json_escape(c->p, c->end, out, &len)) == NULL)
    return c->p = c->end, -1;
  return len;
}

// Is the string literal (with its quotes) the text?
static bool literal_is(const struct neap__json_slice *literal, const char *text, size_t n) {
  struct cursor c = {literal->p + 1, literal->p + literal->n - 1};
  if (memchr(c.p, '\\', literal->n - 2) == NULL) return literal->n - 2 == n && memcmp(c.p, text, n) == 0;
  char piece[4];
  int len;
  for (size_t at = 0; (len = cursor_next(&c, piece)) > 0; at += (size_t)len) {
    if ((size_t)len > n - at || memcmp(text + at, piece, (size_t)len) != 0) return false;
    if (at + (size_t)len == n) return c.p >= c.end;
  }
  return len == 0 && n == 0;
}

// The kind of container that is found decides whether the key or the index counts.
static bool step_into(struct neap__json_slice *at, const struct neap__json_step *step) {
  struct neap__json_each it = neap__json_each(at->p, at->n);
  bool object = it.close == '}';
  for (int64_t i = 0; neap__json_next(&it); i++) {
    if (object ? step->key != NULL && literal_is(&it.key, step->key, step->len) : i == step->index) {
      *at = it.value;
      return true;
    }
  }
  return false;
}

bool neap__json_find(const char *p, size_t n, const struct neap__json_step *steps, int count,
                     struct neap__json_slice *out) {
  const char *at = p;
  if (!slice_read(&at, p + n, out)) return false;
  for (int i = 0; i < count; i++)
    if (!step_into(out, &steps[i])) return false;
  return true;
}

// ---- Scalars ----

// Decoded text is never longer than its literal, so room is made once.
static int append_text(const struct neap__json_slice *literal, struct neap__buffer *out) {
  struct cursor c = {literal->p + 1, literal->p + literal->n - 1};
  char piece[4];
  int len;
  if (neap__buffer_reserve(out, literal->n) != 0) return -1;
  while ((len = cursor_next(&c, piece)) > 0) {
    memcpy(out->p + out->n, piece, (size_t)len);
    out->n += (size_t)len;
  }
  return len;
}

// Mostly there is nothing to decode, and the text is borrowed as it stands.
static int text_cell(const struct neap__json_slice *literal, struct cell *out, struct neap__buffer *scratch) {
  if (literal->n < 2 || literal->n > UINT32_MAX) return -1;
  *out = (struct cell){.kind = CELL_TEXT, .p = literal->p + 1, .n = (uint32_t)(literal->n - 2)};
  if (memchr(out->p, '\\', out->n) == NULL) return 0;
  size_t start = scratch->n;
  if (append_text(literal, scratch) != 0) return -1;
  out->p = scratch->p + start;
  out->n = (uint32_t)(scratch->n - start);
  return 0;
}

// A decimal is made canonical, so that cells compare by their digits.
static int number_cell(const struct neap__json_slice *literal, struct cell *out, struct neap__buffer *scratch) {
  if (neap__json_number(literal->p, literal->p + literal->n, out) != literal->p + literal->n) return -1;
  if (out->kind != CELL_DECIMAL) return 0;
  if (neap__buffer_reserve(scratch, DECIMAL_TEXT) != 0) return -1;
  struct neap__error e;
  size_t len;
  char *to = scratch->p + scratch->n;
  if (neap__decimal_parse(literal->p, literal->n, to, DECIMAL_TEXT, &len, &e) != 0) return -1;
  out->p = to;
  out->n = (uint32_t)len;
  scratch->n += len;
  return 0;
}

static bool slice_is(const struct neap__json_slice *s, const char *word) {
  return s->n == strlen(word) && memcmp(s->p, word, s->n) == 0;
}

int neap__json_scalar(const char *p, size_t n, struct cell *out, struct neap__buffer *scratch) {
  struct neap__json_slice s;
  const char *at = p;
  *out = (struct cell){.kind = CELL_NIL};
  if (!slice_read(&at, p + n, &s)) return -1;
  if (*s.p == '"') return text_cell(&s, out, scratch);
  if (*s.p == '[' || *s.p == '{') {
    if (s.n > UINT32_MAX) return -1;
    *out = (struct cell){.kind = CELL_JSON, .p = s.p, .n = (uint32_t)s.n};
    return 0;
  }
  if (slice_is(&s, "null")) return out->kind = CELL_NULL, 0;
  if (!slice_is(&s, "true") && !slice_is(&s, "false")) return number_cell(&s, out, scratch);
  out->kind = CELL_BOOLEAN;
  out->i = *s.p == 't';
  return 0;
}

// ---- Equality ----

static bool slices_same(const struct neap__json_slice *a, const struct neap__json_slice *b) {
  return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

// Different spellings of one text are equal: "\u00e9" and "é".
static bool strings_equal(const struct neap__json_slice *a, const struct neap__json_slice *b) {
  if (slices_same(a, b)) return true;
  if (memchr(a->p, '\\', a->n) == NULL && memchr(b->p, '\\', b->n) == NULL) return false;
  struct cursor ca = {a->p + 1, a->p + a->n - 1}, cb = {b->p + 1, b->p + b->n - 1};
  char pa[4], pb[4];
  int na = 0, nb = 0, ia = 0, ib = 0;
  for (;;) {
    if (ia == na) na = cursor_next(&ca, pa), ia = 0;
    if (ib == nb) nb = cursor_next(&cb, pb), ib = 0;
    if (na <= 0 || nb <= 0) return na == 0 && nb == 0;
    if (pa[ia++] != pb[ib++]) return false;
  }
}

// Decimals and integers compare as text; a double differs from every decimal that the reader lets be.
static bool numbers_equal(const struct neap__json_slice *a, const struct neap__json_slice *b) {
  struct cell x, y;
  if (neap__json_number(a->p, a->p + a->n, &x) == NULL || neap__json_number(b->p, b->p + b->n, &y) == NULL)
    return false;
  if (x.kind != CELL_DECIMAL && y.kind != CELL_DECIMAL) return neap__cell_equal(&x, &y);
  char tx[DECIMAL_TEXT], ty[DECIMAL_TEXT];
  size_t nx, ny;
  struct neap__error e;
  return neap__decimal_parse(a->p, a->n, tx, sizeof tx, &nx, &e) == 0 &&
         neap__decimal_parse(b->p, b->n, ty, sizeof ty, &ny, &e) == 0 && neap__decimal_compare(tx, nx, ty, ny) == 0;
}

static bool values_equal(const struct neap__json_slice *a, const struct neap__json_slice *b, int depth);

// Element by element, in order.
static bool lists_equal(struct neap__json_each a, struct neap__json_each b, int depth) {
  while (neap__json_next(&a))
    if (!neap__json_next(&b) || !values_equal(&a.value, &b.value, depth)) return false;
  return !neap__json_next(&b);
}

// Looks for a key from where the last one was found: objects mostly have the same order.
static bool member_equal(const struct neap__json_slice *b, struct neap__json_each *near,
                         const struct neap__json_each *a, int depth) {
  if (neap__json_next(near) && strings_equal(&near->key, &a->key)) return values_equal(&near->value, &a->value, depth);
  *near = neap__json_each(b->p, b->n);
  while (neap__json_next(near))
    if (strings_equal(&near->key, &a->key)) return values_equal(&near->value, &a->value, depth);
  return false;
}

// Keys are distinct, so objects with as many members are equal if each of one is in the other.
static size_t count_members(const struct neap__json_slice *s) {
  size_t count = 0;
  for (struct neap__json_each it = neap__json_each(s->p, s->n); neap__json_next(&it);) count++;
  return count;
}

static bool objects_equal(const struct neap__json_slice *a, const struct neap__json_slice *b, int depth) {
  if (count_members(a) != count_members(b)) return false;
  struct neap__json_each it = neap__json_each(a->p, a->n), near = neap__json_each(b->p, b->n);
  while (neap__json_next(&it))
    if (!member_equal(b, &near, &it, depth)) return false;
  return true;
}

static bool values_equal(const struct neap__json_slice *a, const struct neap__json_slice *b, int depth) {
  if (slices_same(a, b)) return true;
  if (depth == 0) return false;
  char ca = *a->p, cb = *b->p;
  if (ca == '"' && cb == '"') return strings_equal(a, b);
  if (ca == '[' && cb == '[') return lists_equal(neap__json_each(a->p, a->n), neap__json_each(b->p, b->n), depth - 1);
  if (ca == '{' && cb == '{') return objects_equal(a, b, depth - 1);
  return numbers_equal(a, b);
}

bool neap__json_equal(const char *a, size_t na, const char *b, size_t nb) {
  struct neap__json_slice sa, sb;
  const char *pa = a, *pb = b;
  if (!slice_read(&pa, a + na, &sa) || !slice_read(&pb, b + nb, &sb)) return na == nb && memcmp(a, b, na) == 0;
  return values_equal(&sa, &sb, EQUAL_DEPTH);
}
