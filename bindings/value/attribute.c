// attribute.c: attribute values of DynamoDB: their numbers, their scalars, and going over their JSON text.
#include "value/attribute.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "value/bytes.h"
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/json.h"
#include "value/text.h"

#define EXPONENT_LEAST (-130)
#define EXPONENT_MOST 125
#define FAR 100000  // exponents beyond are all the same: out of range

// ---- Numbers ----

// A value taken apart: 0.d1d2... times 10 to the power `point`, without zeros at either end.
struct digits {
  char d[ATTRIBUTE_DIGITS];
  int n;
  int64_t point;
  bool negative, tail;  // tail: there are more digits than fit
};

static bool is_digit(const char *p, const char *end) {
  return p < end && (unsigned char)(*p - '0') < 10;
}

// Goes over digits. `seen` counts from the first significant one.
static const char *read_digits(const char *p, const char *end, struct digits *s, int64_t *seen, bool fraction) {
  for (; is_digit(p, end); p++) {
    bool leading = *seen == 0 && *p == '0';
    if (leading ? fraction : !fraction) s->point += fraction ? -1 : 1;
    if (leading) continue;
    if (*p != '0' && *seen >= ATTRIBUTE_DIGITS) s->tail = true;
    if (*p != '0' && *seen < ATTRIBUTE_DIGITS) s->n = (int)*seen + 1;
    if (*seen < ATTRIBUTE_DIGITS) s->d[*seen] = *p;
    ++*seen;
  }
  return p;
}

// 0 if the text is no number.
static bool read_number(const char *p, const char *end, struct digits *s) {
  int64_t seen = 0;
  *s = (struct digits){.negative = p < end && *p == '-'};
  p += s->negative;
  if (!is_digit(p, end)) return false;
  p = read_digits(p, end, s, &seen, false);
  if (p < end && *p == '.') {
    if (!is_digit(++p, end)) return false;
    p = read_digits(p, end, s, &seen, true);
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    bool negative = ++p < end && *p == '-';
    int exponent = 0;
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (!is_digit(p, end)) return false;
    for (; is_digit(p, end); p++)
      if (exponent < FAR) exponent = exponent * 10 + (*p - '0');
    s->point += negative ? -exponent : exponent;
  }
  return p == end;
}

static char *put(char *to, const char *p, int64_t n) {
  memcpy(to, p, (size_t)n);
  return to + n;
}

static char *put_zeros(char *to, int64_t n) {
  memset(to, '0', (size_t)n);
  return to + n;
}

// Plain where that takes no more digits than the server keeps, else "1.5E+40".
static char *write_digits(const struct digits *s, char *to) {
  if (s->point > 0 && s->point <= ATTRIBUTE_DIGITS) {
    if (s->point >= s->n) return put_zeros(put(to, s->d, s->n), s->point - s->n);
    to = put(put(to, s->d, s->point), ".", 1);
    return put(to, s->d + s->point, s->n - s->point);
  }
  if (s->point <= 0 && s->n - s->point <= ATTRIBUTE_DIGITS)
    return put(put_zeros(put(to, "0.", 2), -s->point), s->d, s->n);
  *to++ = s->d[0];
  if (s->n > 1) to = put(put(to, ".", 1), s->d + 1, s->n - 1);
  return to + sprintf(to, "E%+d", (int)s->point - 1);
}

// NULL, or what the server would refuse it for.
static const char *check_number(const char *p, size_t n, struct digits *s) {
  if (!read_number(p, p + n, s)) return "a number";
  if (s->tail) return "a number of at most 38 significant digits, which is what DynamoDB keeps";
  if (s->n == 0 || (s->point - 1 >= EXPONENT_LEAST && s->point - 1 <= EXPONENT_MOST)) return NULL;
  return "0, or a number from 1E-130 to 9.9999999999999999999999999999999999999E+125, which is what DynamoDB keeps";
}

// Without a point the text means the same in every locale.
bool neap__attribute_double(const char *p, size_t n, double *out) {
  struct digits s;
  char text[ATTRIBUTE_DIGITS + 20];
  if (check_number(p, n, &s) != NULL) return false;
  snprintf(text, sizeof text, "%s%.*se%d", s.negative ? "-" : "", s.n ? s.n : 1, s.n ? s.d : "0", (int)s.point - s.n);
  *out = strtod(text, NULL);
  return true;
}

size_t neap__attribute_number(const char *p, size_t n, char out[ATTRIBUTE_NUMBER], const char **fault) {
  struct digits s;
  char *to = out;
  if ((*fault = check_number(p, n, &s)) != NULL) return 0;
  if (s.n > 0 && s.negative) *to++ = '-';
  to = s.n > 0 ? write_digits(&s, to) : put(to, "0", 1);
  *to = '\0';
  return (size_t)(to - out);
}

// The shortest digits of a large whole double are not all of its digits, and as a whole number it may be read as an integer.
static bool is_integer(double d) {
  return (fabs(d) < 0x1p63 || d == -0x1p63) && (double)(int64_t)d == d;
}

static size_t write_integer(int64_t i, char *out) {
  return (size_t)snprintf(out, ATTRIBUTE_NUMBER, "%" PRId64, i);
}

size_t neap__attribute_number_of(const struct cell *cell, char out[ATTRIBUTE_NUMBER], const char **fault) {
  char text[32];
  *fault = NULL;
  if (cell->kind == CELL_INTEGER) return write_integer(cell->i, out);
  if (cell->kind == CELL_NUMBER && is_integer(cell->d)) return write_integer((int64_t)cell->d, out);
  if (cell->kind == CELL_DECIMAL) return neap__attribute_number(cell->p, cell->n, out, fault);
  if (isfinite(cell->d)) return neap__attribute_number(text, neap__json_double(cell->d, text), out, fault);
  *fault = "a finite number";
  return 0;
}

// ---- Writing ----

// {"S":"text"}, where the text needs no escapes.
static int put_plain(struct neap__buffer *out, const char *tag, const char *p, size_t n) {
  if (neap__buffer_reserve(out, n + 16) != 0) return -1;
  char *to = put(out->p + out->n, "{\"", 2);
  to = put(put(put(to, tag, 1), "\":\"", 3), p, (int64_t)n);
  out->n = (size_t)(put(to, "\"}", 2) - out->p);
  return 0;
}

static int put_text(struct neap__buffer *out, const struct cell *cell) {
  int status = neap__buffer_append(out, "{\"S\":", 5);
  if (status == 0) status = neap__json_quote(out, cell->p, cell->n, NULL);
  return status == 0 ? neap__buffer_byte(out, '}') : status;
}

static int put_bytes(struct neap__buffer *out, const struct cell *cell) {
  size_t size = NEAP_BASE64_SIZE((size_t)cell->n);
  if (neap__buffer_reserve(out, size + 16) != 0) return -1;
  char *to = put(out->p + out->n, "{\"B\":\"", 6);
  neap__bytes_base64(cell->p, cell->n, to);
  out->n = (size_t)(put(to + size, "\"}", 2) - out->p);
  return 0;
}

// 1: the server cannot keep it.
static int put_number(struct neap__buffer *out, const struct cell *cell, struct neap__error *e) {
  char text[ATTRIBUTE_NUMBER], shown[60];
  const char *fault;
  size_t n = neap__attribute_number_of(cell, text, &fault);
  if (n > 0) return put_plain(out, "N", text, n);
  neap__error_set(e, NEAP_VALIDATION, "%s is wrong; expected %s", neap__cell_print(cell, shown, sizeof shown), fault);
  return 1;
}

int neap__attribute_put(struct neap__buffer *out, const struct cell *cell, struct neap__error *e) {
  char text[40];
  int status = -1;
  switch ((enum cell_kind)cell->kind) {
    case CELL_INTEGER:
    case CELL_NUMBER:
    case CELL_DECIMAL:
      if ((status = put_number(out, cell, e)) > 0) return -1;
      break;
    case CELL_NULL: status = neap__buffer_append(out, "{\"NULL\":true}", 13); break;
    case CELL_BOOLEAN:
      status = neap__buffer_append(out, cell->i ? "{\"BOOL\":true}" : "{\"BOOL\":false}", cell->i ? 13 : 14);
      break;
    case CELL_TEXT: status = put_text(out, cell); break;
    case CELL_BYTES: status = put_bytes(out, cell); break;
    case CELL_DATETIME: status = put_plain(out, "S", text, neap__datetime_format(cell->i, text)); break;
    case CELL_DATE: status = put_plain(out, "S", text, neap__date_format(cell->i, text)); break;
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_JSON: return neap__error_set(e, NEAP_USAGE, "no scalar was given to be written");
  }
  return status == 0 ? 0 : neap__error_set(e, NEAP_LIMIT, "not enough memory to write an item");
}

// ---- Going over text ----

bool neap__scan_fail(struct neap__scan *s, const char *expected) {
  if (s->fault == NULL) s->fault = expected;
  return false;
}

static const char no_memory[] = "memory";

bool neap__scan_starve(struct neap__scan *s) {
  return neap__scan_fail(s, no_memory);
}

int neap__scan_error(const struct neap__scan *s, const char *start, const char *where, struct neap__error *e) {
  if (s->fault == no_memory) return neap__error_set(e, NEAP_LIMIT, "%s: not enough memory to read it", where);
  return neap__error_set(e, NEAP_PROTOCOL, "%s makes no sense at byte %td: expected %s", where, s->p - start + 1,
                         s->fault);
}

static void skip_blank(struct neap__scan *s) {
  while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) s->p++;
}

char neap__scan_peek(struct neap__scan *s) {
  skip_blank(s);
  return s->p < s->end ? *s->p : '\0';
}

bool neap__scan_find(struct neap__scan *s, char c) {
  if (neap__scan_peek(s) != c || s->p == s->end) return false;
  s->p++;
  return true;
}

bool neap__scan_seek(struct neap__scan *s, char c) {
  static const char *const names[] = {
      "an object", "the end of an object", "a list", "the end of a list", "a colon", "a string", "a comma"};
  static const char all[] = "{}[]:\",";
  return neap__scan_find(s, c) || neap__scan_fail(s, names[strchr(all, c) - all]);
}

bool neap__scan_string(struct neap__scan *s, struct neap__literal *out) {
  if (!neap__scan_expect(s, '"')) return false;
  *out = (struct neap__literal){.p = s->p};
  for (;;) {
    s->p = neap__json_plain(s->p, s->end, &out->high);
    if (s->p == s->end) return neap__scan_fail(s, "the end of a string");
    if (*s->p == '"') break;
    out->escaped = true;
    if (*s->p != '\\' || s->end - s->p < 2) return neap__scan_fail(s, "no control character in a string");
    s->p += 2;
  }
  if (s->p - out->p > UINT32_MAX) return neap__scan_fail(s, "a string of less than 4 GB");
  out->n = (uint32_t)(s->p++ - out->p);
  return true;
}

// A number, true, false or null.
static bool skip_word(struct neap__scan *s) {
  const char *start = s->p;
  while (s->p < s->end && *s->p != '\0' && strchr(",]} \n\r\t:\"[{", *s->p) == NULL) s->p++;
  return s->p > start || neap__scan_fail(s, "a value");
}

// Brackets are counted, so that no depth can exhaust the C stack.
bool neap__scan_skip(struct neap__scan *s) {
  struct neap__literal literal;
  skip_blank(s);
  if (s->p == s->end) return neap__scan_fail(s, "a value");
  if (*s->p == '"') return neap__scan_string(s, &literal);
  if (*s->p != '[' && *s->p != '{') return skip_word(s);
  for (size_t depth = 0; s->p < s->end;) {
    char c = *s->p;
    if (c == '"') {
      if (!neap__scan_string(s, &literal)) return false;
      continue;
    }
    s->p++;
    if (c == '[' || c == '{') depth++;
    if ((c == ']' || c == '}') && --depth == 0) return true;
  }
  return neap__scan_fail(s, "the end of a value");
}

static bool slow_tag(struct neap__scan *s, enum attribute_tag *tag) {
  static const char *const names[] = {"S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"};
  struct neap__literal name;
  if (!neap__scan_expect(s, '{') || !neap__scan_string(s, &name)) return false;
  for (int i = ATTRIBUTE_S; i <= ATTRIBUTE_M; i++) {
    if (strlen(names[i]) != name.n || memcmp(names[i], name.p, name.n) != 0) continue;
    *tag = (enum attribute_tag)i;
    return neap__scan_expect(s, ':');
  }
  s->p = name.p;
  return neap__scan_fail(s, "the tag of an attribute value");
}

// Mostly it is one letter without blanks.
bool neap__scan_tag(struct neap__scan *s, enum attribute_tag *tag) {
  const char *p = s->p;
  bool short_ = s->end - p > 5 && p[0] == '{' && p[1] == '"' && p[3] == '"' && p[4] == ':';
  switch (short_ ? p[2] : '\0') {
    case 'S': *tag = ATTRIBUTE_S; break;
    case 'N': *tag = ATTRIBUTE_N; break;
    case 'B': *tag = ATTRIBUTE_B; break;
    case 'L': *tag = ATTRIBUTE_L; break;
    case 'M': *tag = ATTRIBUTE_M; break;
    default: return slow_tag(s, tag);
  }
  s->p += 5;
  return true;
}

bool neap__scan_boolean(struct neap__scan *s, bool *out) {
  skip_blank(s);
  size_t left = (size_t)(s->end - s->p);
  *out = left >= 4 && memcmp(s->p, "true", 4) == 0;
  if (!*out && (left < 5 || memcmp(s->p, "false", 5) != 0)) return neap__scan_fail(s, "true or false");
  s->p += *out ? 4 : 5;
  return true;
}

// ---- Scalars ----

// Decoded text is never longer than its literal, so room is made once.
static bool decode(struct neap__scan *s, const struct neap__literal *literal, struct neap__buffer *scratch) {
  const char *p = literal->p, *end = p + literal->n;
  bool high = false;
  if (neap__buffer_reserve(scratch, literal->n) != 0) return neap__scan_starve(s);
  char *to = scratch->p + scratch->n;
  while (p < end) {
    const char *plain = neap__json_plain(p, end, &high);
    int len;
    to = put(to, p, plain - p);
    if ((p = plain) == end) break;
    const char *after = neap__json_escape(p, end, to, &len);
    if (after == NULL) return s->p = p, neap__scan_fail(s, "an escape sequence that exists");
    p = after;
    to += len;
  }
  scratch->n = (size_t)(to - scratch->p);
  return true;
}

bool neap__scan_text(struct neap__scan *s, const struct neap__literal *literal, struct cell *out,
                     struct neap__buffer *scratch) {
  size_t start = scratch->n, bad;
  *out = (struct cell){.kind = CELL_TEXT, .p = literal->p, .n = literal->n};
  if (literal->high && !neap__text_utf8(literal->p, literal->n, &bad))
    return s->p = literal->p + bad, neap__scan_fail(s, "UTF-8");
  if (!literal->escaped) return true;
  if (!decode(s, literal, scratch)) return false;
  out->p = scratch->p + start;
  out->n = (uint32_t)(scratch->n - start);
  return true;
}

// The most common numbers by far.
static bool short_integer(const char *p, uint32_t n, struct cell *out) {
  bool negative = n > 0 && *p == '-';
  if (n == negative || n > 18 || (p[negative] == '0' && n > 1)) return false;
  int64_t value = 0;
  for (uint32_t i = negative; i < n; i++) {
    unsigned digit = (unsigned)(p[i] - '0');
    if (digit > 9) return false;
    value = value * 10 + digit;
  }
  *out = (struct cell){.kind = CELL_INTEGER, .i = negative ? -value : value};
  return true;
}

// Another spelling of a number than the server's own: 5.0 and 5E0 are integers.
static bool is_odd(const char *p, uint32_t n) {
  return memchr(p, 'e', n) || memchr(p, 'E', n) || (n > 0 && p[n - 1] == '0' && memchr(p, '.', n));
}

static bool decimal_cell(const char *p, uint32_t n, struct cell *out, struct neap__buffer *scratch) {
  struct neap__error e;
  size_t len;
  char *to = scratch->p + scratch->n;
  if (neap__decimal_parse(p, n, to, DECIMAL_TEXT, &len, &e) != 0) return false;
  *out = (struct cell){.kind = CELL_DECIMAL, .p = to, .n = (uint32_t)len};
  scratch->n += len;
  return true;
}

bool neap__scan_number(struct neap__scan *s, const struct neap__literal *literal, struct cell *out,
                       struct neap__buffer *scratch) {
  char normal[ATTRIBUTE_NUMBER];
  const char *p = literal->p, *fault;
  uint32_t n = literal->n;
  if (short_integer(p, n, out)) return true;
  if (is_odd(p, n) && (n = (uint32_t)neap__attribute_number(p, n, normal, &fault)) > 0)
    p = normal;
  else
    n = literal->n;
  *out = (struct cell){.kind = CELL_NIL};
  bool number = neap__json_number(p, p + n, out) == p + n;
  if (number && out->kind == CELL_DECIMAL) {
    if (neap__buffer_reserve(scratch, DECIMAL_TEXT) != 0) return neap__scan_starve(s);
    number = decimal_cell(p, n, out, scratch);
  }
  if (number) return true;
  s->p = literal->p;
  return neap__scan_fail(s, "a number");
}

bool neap__scan_bytes(struct neap__scan *s, const struct neap__literal *literal, struct cell *out,
                      struct neap__buffer *scratch) {
  if (neap__buffer_reserve(scratch, literal->n / 4 * 3 + 1) != 0) return neap__scan_starve(s);
  char *to = scratch->p + scratch->n;
  ptrdiff_t n = neap__bytes_unbase64(literal->p, literal->n, to);
  if (n < 0) return s->p = literal->p, neap__scan_fail(s, "base64");
  *out = (struct cell){.kind = CELL_BYTES, .p = to, .n = (uint32_t)n};
  scratch->n += (size_t)n;
  return true;
}
