// sql_array.c: lists as the text of PostgreSQL's arrays, {1,2,"three"}.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/sql_dialect.h"
#include "value/datetime.h"
#include "value/json.h"

bool neap__sql_is_array(const struct sql_dialect *dialect, const struct type *type) {
  return dialect->arrays && (type->kind == TYPE_LIST || type->kind == TYPE_SET) &&
         strstr(dialect->column_type(type), "[]");
}

static int add_quoted(struct neap__buffer *out, const char *p, size_t n) {
  int status = neap__buffer_byte(out, '"');
  for (size_t i = 0; i < n; i++) {
    if (p[i] == '"' || p[i] == '\\') status |= neap__buffer_byte(out, '\\');
    status |= neap__buffer_byte(out, p[i]);
  }
  return status | neap__buffer_byte(out, '"');
}

static int add_hexadecimal(struct neap__buffer *out, const char *p, size_t n) {
  static const char digits[] = "0123456789abcdef";
  int status = neap__buffer_append(out, "\"\\\\x", 4);
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)p[i];
    status |= neap__buffer_byte(out, digits[c >> 4]) | neap__buffer_byte(out, digits[c & 15]);
  }
  return status | neap__buffer_byte(out, '"');
}

static int add_double(struct neap__buffer *out, double d) {
  char text[32];
  if (isfinite(d)) return neap__buffer_append(out, text, neap__json_double(d, text));
  return neap__buffer_append(out, d < 0 ? "-Infinity" : "Infinity", d < 0 ? 9 : 8);
}

int neap__sql_array_add(struct neap__buffer *out, const struct cell *cell) {
  char text[40];
  bool first = out->n > 0 && out->p[out->n - 1] == '{';  // no element ends so: text is quoted
  if (!first && neap__buffer_byte(out, out->n == 0 ? '{' : ',') != 0) return -1;
  switch ((enum cell_kind)cell->kind) {
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL: return neap__buffer_append(out, "NULL", 4);
    case CELL_BOOLEAN: return neap__buffer_byte(out, cell->i ? 't' : 'f');
    case CELL_INTEGER:
      return neap__buffer_append(out, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)cell->i));
    case CELL_NUMBER: return add_double(out, cell->d);
    case CELL_DECIMAL: return neap__buffer_append(out, cell->p, cell->n);
    case CELL_TEXT:
    case CELL_JSON: return add_quoted(out, cell->p, cell->n);
    case CELL_BYTES: return add_hexadecimal(out, cell->p, cell->n);
    case CELL_DATETIME: return add_quoted(out, text, neap__datetime_format(cell->i, text));
    case CELL_DATE: return add_quoted(out, text, neap__date_format(cell->i, text));
  }
  return 0;
}

static bool is_of(const struct type *type, const struct cell *cell) {
  switch (type->kind) {
    case TYPE_STRING:
    case TYPE_UUID: return cell->kind == CELL_TEXT;
    case TYPE_INTEGER: return cell->kind == CELL_INTEGER;
    case TYPE_NUMBER: return cell->kind == CELL_INTEGER || cell->kind == CELL_NUMBER;
    case TYPE_BOOLEAN: return cell->kind == CELL_BOOLEAN;
    default: return false;
  }
}

int neap__sql_array(struct neap__buffer *out, const struct type *of, const struct cell *list) {
  struct neap__json_each it = neap__json_each(list->p, list->n);
  struct neap__buffer scratch;
  int status = neap__buffer_byte(out, '{');
  neap__buffer_plain(&scratch);
  while (status == 0 && neap__json_next(&it)) {
    struct cell cell;
    scratch.n = 0;
    status = neap__json_scalar(it.value.p, it.value.n, &cell, &scratch);
    if (status == 0 && !is_of(of, &cell)) status = 1;
    if (status == 0) status = neap__sql_array_add(out, &cell);
  }
  neap__buffer_free(&scratch);
  return status == 0 ? neap__buffer_byte(out, '}') : status;
}
