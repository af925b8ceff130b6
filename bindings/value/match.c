// match.c: what comparisons ask of JSON containers and of places on the earth.
#include "value/match.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "value/bytes.h"
#include "value/datetime.h"
#include "value/json.h"

// ---- Lists ----

static bool holds(const char *list, size_t n, const struct neap__json_slice *wanted) {
  struct neap__json_each it = neap__json_each(list, n);
  while (neap__json_next(&it))
    if (neap__json_equal(it.value.p, it.value.n, wanted->p, wanted->n)) return true;
  return false;
}

bool neap__match_elements(const char *list, size_t n, const char *wanted, size_t nwanted, bool all) {
  const char *type = neap__match_type(list, n);
  if (!type || strcmp(type, "list") != 0) return false;
  struct neap__json_each it = neap__json_each(wanted, nwanted);
  while (neap__json_next(&it))
    if (holds(list, n, &it.value) != all) return !all;
  return all;
}

int64_t neap__match_size(const char *json, size_t n) {
  struct neap__json_slice whole;
  if (!neap__json_find(json, n, NULL, 0, &whole) || !strchr("[{", *whole.p)) return -1;
  struct neap__json_each it = neap__json_each(whole.p, whole.n);
  int64_t count = 0;
  while (neap__json_next(&it)) count++;
  return count;
}

const char *neap__match_type(const char *json, size_t n) {
  struct neap__json_slice whole;
  if (!neap__json_find(json, n, NULL, 0, &whole) || whole.n == 0) return NULL;
  switch (*whole.p) {
    case 'n': return "null";
    case 't':
    case 'f': return "boolean";
    case '"': return "string";
    case '[': return "list";
    case '{': return "map";
    default: break;
  }
  for (size_t i = 0; i < whole.n; i++)
    if (strchr(".eE", whole.p[i])) return "number";
  return "integer";
}

// ---- Writing ----

static int write_text(struct neap__buffer *out, const char *p, size_t n) {
  int status = neap__buffer_byte(out, '"');
  for (size_t i = 0; i < n; i++) {
    char escaped[8];
    unsigned char c = (unsigned char)p[i];
    if (c >= ' ' && c != '"' && c != '\\') {
      status |= neap__buffer_byte(out, p[i]);
    } else {
      int len =
          c < ' ' ? snprintf(escaped, sizeof escaped, "\\u%04x", c) : snprintf(escaped, sizeof escaped, "\\%c", c);
      status |= neap__buffer_append(out, escaped, (size_t)len);
    }
  }
  return status | neap__buffer_byte(out, '"');
}

static int write_bytes(struct neap__buffer *out, const char *p, size_t n) {
  size_t size = NEAP_BASE64_SIZE(n);
  if (neap__buffer_reserve(out, size + 2) != 0) return -1;
  char *to = out->p + out->n;
  neap__bytes_base64(p, n, to + 1);
  to[0] = to[size + 1] = '"';
  out->n += size + 2;
  return 0;
}

int neap__match_write(struct neap__buffer *out, const struct cell *cell) {
  char text[40];
  int n = 0;
  switch ((enum cell_kind)cell->kind) {
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL: return neap__buffer_append(out, "null", 4);
    case CELL_BOOLEAN: return neap__buffer_append(out, cell->i ? "true" : "false", cell->i ? 4 : 5);
    case CELL_INTEGER: n = snprintf(text, sizeof text, "%lld", (long long)cell->i); break;
    case CELL_NUMBER:
      if (!isfinite(cell->d)) return neap__buffer_append(out, cell->d < 0 ? "-9e999" : "9e999", cell->d < 0 ? 6 : 5);
      n = (int)neap__json_double(cell->d, text);
      break;
    case CELL_TEXT: return write_text(out, cell->p, cell->n);
    case CELL_BYTES: return write_bytes(out, cell->p, cell->n);
    case CELL_DECIMAL:
    case CELL_JSON: return neap__buffer_append(out, cell->p, cell->n);
    case CELL_DATETIME: return write_text(out, text, neap__datetime_format(cell->i, text));
    case CELL_DATE: return write_text(out, text, neap__date_format(cell->i, text));
  }
  return neap__buffer_append(out, text, (size_t)n);
}

// ---- The earth ----

#define EARTH_RADIUS 6371008.8
#define RADIANS (3.14159265358979323846 / 180)

static bool coordinate(const char *json, size_t n, const char *name, double *out) {
  struct neap__json_step step = {name, strlen(name), -1};
  struct neap__json_slice at;
  struct cell cell;
  if (!neap__json_find(json, n, &step, 1, &at) || !neap__json_number(at.p, at.p + at.n, &cell)) return false;
  if (cell.kind == CELL_DECIMAL) return false;
  *out = cell.kind == CELL_INTEGER ? (double)cell.i : cell.d;
  return true;
}

bool neap__match_point(const char *json, size_t n, struct neap__point *out) {
  return coordinate(json, n, "latitude", &out->latitude) && coordinate(json, n, "longitude", &out->longitude);
}

double neap__match_distance(struct neap__point a, struct neap__point b) {
  double u = sin((b.latitude - a.latitude) * RADIANS / 2);
  double v = sin((b.longitude - a.longitude) * RADIANS / 2);
  double h = u * u + cos(a.latitude * RADIANS) * cos(b.latitude * RADIANS) * v * v;
  return 2 * EARTH_RADIUS * asin(sqrt(h < 1 ? h : 1));
}

bool neap__match_box(struct neap__point p, double south, double west, double north, double east) {
  if (p.latitude < south || p.latitude > north) return false;
  return west <= east ? p.longitude >= west && p.longitude <= east : p.longitude >= west || p.longitude <= east;
}
