// postgres_array.c: PostgreSQL's arrays and numerics as text.
#include <stdio.h>
#include <string.h>

#include "transport/postgres_codec.h"
#include "value/datetime.h"

// ---- Numerics: digits of base 10000 ----

static bool add(struct neap__buffer *out, const char *text) {
  return neap__buffer_append(out, text, strlen(text)) == 0;
}

static int group_at(const char *digits, int ndigits, int i) {
  return i >= 0 && i < ndigits ? neap__postgres_i16(digits + i * 2) : 0;
}

bool neap__postgres_numeric(const char *p, int n, struct neap__buffer *out) {
  char text[16];
  if (n < 8) return false;
  int ndigits = neap__postgres_i16(p), weight = neap__postgres_i16(p + 2), scale = neap__postgres_i16(p + 6);
  int sign = neap__postgres_i16(p + 4) & 0xffff;
  if (n < 8 + 2 * ndigits || ndigits < 0 || scale < 0 || (sign != 0 && sign != 0x4000)) return false;
  bool ok = ndigits == 0 || sign == 0 || add(out, "-");
  for (int i = 0; ok && i <= weight; i++) {
    snprintf(text, sizeof text, i == 0 ? "%d" : "%04d", group_at(p + 8, ndigits, i));
    ok = add(out, text);
  }
  if (weight < 0) ok = ok && add(out, "0");
  if (scale > 0) ok = ok && add(out, ".");
  for (int i = weight + 1, left = scale; ok && left > 0; i++, left -= 4) {
    snprintf(text, sizeof text, "%04d", group_at(p + 8, ndigits, i));
    ok = neap__buffer_append(out, text, left < 4 ? (size_t)left : 4) == 0;
  }
  return ok;
}

// ---- Arrays ----

static bool add_string(struct neap__buffer *out, const char *p, size_t n) {
  char escape[8];
  bool ok = add(out, "\"");
  for (size_t i = 0; ok && i < n; i++) {
    unsigned char c = (unsigned char)p[i];
    if (c == '"' || c == '\\') {
      ok = neap__buffer_byte(out, '\\') == 0 && neap__buffer_byte(out, (char)c) == 0;
    } else if (c < ' ') {
      snprintf(escape, sizeof escape, "\\u%04x", c);
      ok = add(out, escape);
    } else {
      ok = neap__buffer_byte(out, (char)c) == 0;
    }
  }
  return ok && add(out, "\"");
}

static bool add_number(struct neap__buffer *out, double d) {
  char text[40];
  int n = snprintf(text, sizeof text, "%.17g", d);
  for (int digits = 15; digits < 17; digits++) {
    char shorter[40];
    double back = 0;
    snprintf(shorter, sizeof shorter, "%.*g", digits, d);
    if (sscanf(shorter, "%lf", &back) == 1 && back == d) {
      n = snprintf(text, sizeof text, "%s", shorter);
      break;
    }
  }
  if (!strpbrk(text, ".en")) n += snprintf(text + n, sizeof text - (size_t)n, ".0");
  return neap__buffer_append(out, text, (size_t)n) == 0;
}

static bool add_cell(struct neap__buffer *out, const struct cell *cell) {
  char text[40];
  switch ((enum cell_kind)cell->kind) {
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL: return add(out, "null");
    case CELL_BOOLEAN: return add(out, cell->i ? "true" : "false");
    case CELL_INTEGER: snprintf(text, sizeof text, "%lld", (long long)cell->i); return add(out, text);
    case CELL_NUMBER: return add_number(out, cell->d);
    case CELL_JSON:
    case CELL_DECIMAL: return neap__buffer_append(out, cell->p, cell->n) == 0;
    case CELL_TEXT: return add_string(out, cell->p, cell->n);
    case CELL_BYTES: return false;
    case CELL_DATETIME: neap__datetime_format(cell->i, text); return add_string(out, text, strlen(text));
    case CELL_DATE: neap__date_format(cell->i, text); return add_string(out, text, strlen(text));
  }
  return false;
}

static bool add_element(struct neap__buffer *out, enum decoder d, const char *p, int n) {
  struct cell cell;
  bool own = false;
  size_t at = out->n;
  if (!neap__postgres_decode(d, p, n, &cell, out, &own)) return false;
  if (own && d == DECODE_NUMERIC) return true;  // its text stands there already
  if (own) {
    char made[40];
    size_t length = cell.n;
    if (length > sizeof made) return false;
    memcpy(made, out->p + at, length);
    out->n = at;
    return add_string(out, made, length);
  }
  return add_cell(out, &cell);
}

struct array {
  const char *p, *end, *dimensions;
  int ndim;
  enum decoder element;
};

static bool add_dimension(struct array *a, int dimension, struct neap__buffer *out) {
  uint32_t count = neap__postgres_u32(a->dimensions + dimension * 8);
  bool ok = add(out, "[");
  for (uint32_t i = 0; ok && i < count; i++) {
    if (i > 0) ok = add(out, ",");
    if (dimension + 1 < a->ndim) {
      ok = ok && add_dimension(a, dimension + 1, out);
      continue;
    }
    if (a->end - a->p < 4) return false;
    int32_t n = (int32_t)neap__postgres_u32(a->p);
    a->p += 4;
    if (n > a->end - a->p) return false;
    ok = ok && (n < 0 ? add(out, "null") : add_element(out, a->element, a->p, n));
    if (n > 0) a->p += n;
  }
  return ok && add(out, "]");
}

bool neap__postgres_array(const char *p, int n, struct neap__buffer *out) {
  if (n < 12) return false;
  struct array a = {.end = p + n, .ndim = (int)neap__postgres_u32(p), .dimensions = p + 12};
  if (a.ndim < 0 || a.ndim > 6 || n < 12 + a.ndim * 8) return false;
  if (a.ndim == 0) return add(out, "[]");
  a.p = a.dimensions + a.ndim * 8;
  a.element = neap__postgres_decoder_of(neap__postgres_u32(p + 8));
  return a.element != DECODE_NONE && a.element != DECODE_ARRAY && add_dimension(&a, 0, out);
}

// ---- The same of what the server prints: [0:1]={1,NULL}, {"a \"b\"",c}, {{1},{2}} ----

struct printed {
  const char *p, *end;
  enum decoder element;
  struct neap__buffer *out, word;
};

// Takes the next element into `word`. False if it has no end.
static bool take_word(struct printed *a, bool *quoted) {
  *quoted = *a->p == '"';
  a->p += *quoted;
  a->word.n = 0;
  for (; a->p < a->end; a->p++) {
    if (*quoted ? *a->p == '"' : strchr(",{}", *a->p) != NULL) break;
    if (*a->p == '\\' && ++a->p == a->end) return false;
    if (neap__buffer_byte(&a->word, *a->p) != 0) return false;
  }
  if (a->p == a->end) return false;
  a->p += *quoted;
  return neap__buffer_byte(&a->word, '\0') == 0;  // numbers are read up to it
}

static bool add_word(struct printed *a) {
  struct cell cell;
  bool quoted, own = false;
  if (!take_word(a, &quoted)) return false;
  if (!quoted && strcmp(a->word.p, "NULL") == 0) return add(a->out, "null");
  return neap__postgres_read_text(a->element, 0, a->word.p, (int)a->word.n - 1, &cell, &a->word, &own) &&
         add_cell(a->out, &cell);
}

static bool add_printed(struct printed *a, int depth) {
  bool ok = depth < 6 && a->p < a->end && *a->p == '{' && add(a->out, "[");
  for (a->p++; ok && a->p < a->end && *a->p != '}';) {
    ok = *a->p == '{' ? add_printed(a, depth + 1) : add_word(a);
    if (!ok || a->p == a->end || *a->p == '}') break;
    ok = *a->p++ == ',' && add(a->out, ",");
  }
  return ok && a->p < a->end && *a->p++ == '}' && add(a->out, "]");
}

bool neap__postgres_printed_array(Oid element, const char *p, int n, struct neap__buffer *out) {
  struct printed a = {.p = p, .end = p + n, .element = neap__postgres_decoder_of(element), .out = out};
  const char *bounds = n > 0 && *p == '[' ? memchr(p, '=', (size_t)n) : NULL;
  if (bounds) a.p = bounds + 1;
  neap__buffer_plain(&a.word);
  bool ok = a.element != DECODE_NONE && a.element != DECODE_ARRAY && add_printed(&a, 0) && a.p == a.end;
  neap__buffer_free(&a.word);
  return ok;
}
