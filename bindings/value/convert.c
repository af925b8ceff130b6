// convert.c: the one place where cells and Lua values meet, and where cells are compared and printed.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value/bytes.h"
#include "value/cell.h"
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/json.h"
#include "value/marks.h"

// ---- To Lua ----

// JSON of a store may be anything; what is none reads as the text that it is.
static void push_json(lua_State *L, const struct cell *cell) {
  struct neap__error e;
  if (neap__json_push_marked(L, cell->p, cell->n, &e) != 0) lua_pushlstring(L, cell->p, cell->n);
}

// So may its decimals, if another program wrote them.
static void push_decimal(lua_State *L, const struct cell *cell) {
  if (neap__decimal_push(L, cell->p, cell->n) != 0) lua_pushlstring(L, cell->p, cell->n);
}

void neap__cell_push(lua_State *L, const struct cell *cell) {
  switch ((enum cell_kind)cell->kind) {
    case CELL_UNLOADED:
    case CELL_NIL: lua_pushnil(L); return;
    case CELL_NULL: neap__null_push(L); return;
    case CELL_BOOLEAN: lua_pushboolean(L, cell->i != 0); return;
    case CELL_INTEGER: lua_pushinteger(L, cell->i); return;
    case CELL_NUMBER: lua_pushnumber(L, cell->d); return;
    case CELL_TEXT:
    case CELL_BYTES: lua_pushlstring(L, cell->p, cell->n); return;
    case CELL_DECIMAL: push_decimal(L, cell); return;
    case CELL_DATETIME: neap__datetime_push(L, cell->i); return;
    case CELL_DATE: neap__date_push(L, cell->i); return;
    case CELL_JSON: push_json(L, cell); return;
  }
}

// ---- From Lua ----

// A cell counts in 32 bits.
static int set_text(struct cell *cell, enum cell_kind kind, const char *p, size_t n, struct neap__error *e) {
  if (n > UINT32_MAX) return neap__error_set(e, NEAP_LIMIT, "a value has %zu bytes; at most 4 GB fit", n);
  cell->kind = (uint8_t)kind;
  cell->p = p;
  cell->n = (uint32_t)n;
  return 0;
}

// The string that json_encode leaves is the anchor.
static int read_json(lua_State *L, int idx, struct cell *cell, struct neap__error *e) {
  size_t n;
  if (neap__json_encode(L, idx, e) != 0) return lua_pushnil(L), -1;
  const char *p = lua_tolstring(L, -1, &n);
  return set_text(cell, CELL_JSON, p, n, e);
}

// NaN equals nothing, not even itself: no store keeps or finds it.
static int read_number(lua_State *L, int idx, struct cell *cell, struct neap__error *e) {
  cell->kind = lua_isinteger(L, idx) ? CELL_INTEGER : CELL_NUMBER;
  if (cell->kind == CELL_INTEGER)
    cell->i = lua_tointeger(L, idx);
  else
    cell->d = lua_tonumber(L, idx);
  bool nan = cell->kind == CELL_NUMBER && isnan(cell->d);
  return nan ? neap__error_set(e, NEAP_VALIDATION, "NaN is no value; expected a number") : 0;
}

// Borrowed from the Lua string, which the caller holds.
static int read_text(lua_State *L, int idx, struct cell *cell, struct neap__error *e) {
  size_t n;
  const char *p = lua_tolstring(L, idx, &n);
  return set_text(cell, CELL_TEXT, p, n, e);
}

// Pushes the anchor itself: a decimal's text, or nil.
static int read_userdata(lua_State *L, int idx, struct cell *cell, struct neap__error *e) {
  size_t n;
  if (neap__decimal_test(L, idx)) {
    const char *p = neap__decimal_text(L, idx, &n);
    return set_text(cell, CELL_DECIMAL, p, n, e);
  }
  const char *p = neap__bytes_test(L, idx, &n);
  if (p == NULL && !neap__datetime_test(L, idx, &cell->i)) {
    if (!neap__date_test(L, idx, &cell->i)) return read_json(L, idx, cell, e);
    cell->kind = CELL_DATE;
  } else {
    cell->kind = CELL_DATETIME;
  }
  lua_pushnil(L);
  return p != NULL ? set_text(cell, CELL_BYTES, p, n, e) : 0;
}

int neap__cell_read(lua_State *L, int idx, struct cell *cell, struct neap__error *e) {
  idx = lua_absindex(L, idx);
  *cell = (struct cell){.kind = CELL_NIL};
  int type = lua_type(L, idx);
  if (type == LUA_TUSERDATA) return read_userdata(L, idx, cell, e);
  if (type == LUA_TTABLE) return read_json(L, idx, cell, e);
  lua_pushnil(L);
  switch (type) {
    case LUA_TNIL: return 0;
    case LUA_TBOOLEAN:
      cell->kind = CELL_BOOLEAN;
      cell->i = lua_toboolean(L, idx);
      return 0;
    case LUA_TNUMBER: return read_number(L, idx, cell, e);
    case LUA_TSTRING: return read_text(L, idx, cell, e);
    default: break;
  }
  if (neap__null_test(L, idx)) return cell->kind = CELL_NULL, 0;
  return neap__error_set(e, NEAP_VALIDATION, "%s is no value that can be kept", neap__show_value(L, idx).text);
}

// ---- Numbers, exactly ----

static bool is_number(const struct cell *c) {
  return c->kind == CELL_INTEGER || c->kind == CELL_NUMBER || c->kind == CELL_DECIMAL;
}

static int order(bool less, bool more) {
  return more - less;
}

// Every double of at least 2^63 lies outside; within, its integer part is exact.
static int compare_integer_number(int64_t i, double d) {
  if (d >= 0x1p63) return -1;
  if (d < -0x1p63) return 1;
  int64_t whole = (int64_t)d;
  double rest = d - (double)whole;
  return i != whole ? order(i<whole, i> whole) : order(rest > 0, rest < 0);
}

// Rounding keeps order, so the nearest double decides unless it is d itself; then all digits of d are written out.
static int compare_decimal_number(const struct cell *decimal, double d) {
  char text[DECIMAL_TEXT + 16], digits[1500];
  if (isinf(d) || decimal->n > DECIMAL_TEXT) return order(d > 0, d < 0);
  memcpy(text, decimal->p, decimal->n);
  text[decimal->n] = '\0';
  const char *point = strchr(text, '.');
  // Without its point the text means the same in every locale.
  if (point != NULL) {
    size_t whole = (size_t)(point - text), fraction = decimal->n - whole - 1;
    memmove(text + whole, point + 1, fraction);
    snprintf(text + whole + fraction, sizeof text - whole - fraction, "e-%zu", fraction);
  }
  double nearest = strtod(text, NULL);
  if (nearest != d) return order(nearest<d, nearest> d);
  int n = snprintf(digits, sizeof digits, "%.1100f", d);
  for (int i = 0; i < n; i++)
    if (digits[i] != '-' && (digits[i] < '0' || digits[i] > '9')) digits[i] = '.';
  while (n > 0 && digits[n - 1] == '0') n--;
  if (n > 0 && digits[n - 1] == '.') n--;
  return neap__decimal_compare(decimal->p, decimal->n, digits, (size_t)n);
}

// At least one of them is a decimal, the other may be an integer.
static int compare_decimals(const struct cell *a, const struct cell *b) {
  char text[24];
  if (a->kind == CELL_INTEGER) {
    int n = snprintf(text, sizeof text, "%" PRId64, a->i);
    return neap__decimal_compare(text, (size_t)n, b->p, b->n);
  }
  if (b->kind == CELL_INTEGER) return -compare_decimals(b, a);
  return neap__decimal_compare(a->p, a->n, b->p, b->n);
}

// Three kinds, six pairs: mirrored ones swap their sides.
static int compare_numbers(const struct cell *a, const struct cell *b) {
  if (a->kind == CELL_NUMBER) {
    if (b->kind == CELL_NUMBER) return order(a->d<b->d, a->d> b->d);
    return -compare_numbers(b, a);
  }
  if (b->kind == CELL_NUMBER)
    return a->kind == CELL_INTEGER ? compare_integer_number(a->i, b->d) : compare_decimal_number(a, b->d);
  if (a->kind == CELL_INTEGER && b->kind == CELL_INTEGER) return order(a->i<b->i, a->i> b->i);
  return compare_decimals(a, b);
}

// ---- Comparing ----

// As memcmp, the shorter first.
static int compare_bytes(const struct cell *a, const struct cell *b) {
  uint32_t n = a->n < b->n ? a->n : b->n;
  int got = n > 0 ? memcmp(a->p, b->p, n) : 0;
  return got != 0 ? order(got<0, got> 0) : order(a->n<b->n, a->n> b->n);
}

static int count_marks(const struct cell *c) {
  int count = 0;
  size_t size = strlen(NEAP_JSON_MARK);
  for (const char *p = c->p; (p = memmem(p, c->n - (size_t)(p - c->p), NEAP_JSON_MARK, size)) != NULL; p += size)
    count++;
  return count;
}

// Marks are blanks to those who compare JSON: that a list has become a set shows in their number.
static bool json_equal(const struct cell *a, const struct cell *b) {
  return neap__json_equal(a->p, a->n, b->p, b->n) && count_marks(a) == count_marks(b);
}

bool neap__cell_equal(const struct cell *a, const struct cell *b) {
  if (a->kind == CELL_JSON && b->kind == CELL_JSON) return json_equal(a, b);
  if (a->kind == b->kind && a->kind <= CELL_NULL) return true;
  return neap__cell_compare(a, b) == 0;
}

int neap__cell_compare(const struct cell *a, const struct cell *b) {
  if (is_number(a) && is_number(b)) return compare_numbers(a, b);
  if (a->kind != b->kind) return 2;
  switch ((enum cell_kind)a->kind) {
    case CELL_BOOLEAN:
    case CELL_DATETIME:
    case CELL_DATE: return order(a->i<b->i, a->i> b->i);
    case CELL_TEXT:
    case CELL_BYTES: return compare_bytes(a, b);
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_INTEGER:
    case CELL_NUMBER:
    case CELL_DECIMAL:
    case CELL_JSON: return 2;
  }
  return 2;
}

// ---- Printing ----

// Infinities have no JSON text.
static void print_number(double d, char *buf, size_t size) {
  char text[32];
  if (!isfinite(d))
    snprintf(buf, size, "%g", d);
  else
    snprintf(buf, size, "%.*s", (int)neap__json_double(d, text), text);
}

char *neap__cell_print(const struct cell *cell, char *buf, size_t size) {
  char text[40];
  if (size == 0) return buf;
  switch ((enum cell_kind)cell->kind) {
    case CELL_UNLOADED: snprintf(buf, size, "(not loaded)"); break;
    case CELL_NIL: snprintf(buf, size, "nil"); break;
    case CELL_NULL: snprintf(buf, size, "null"); break;
    case CELL_BOOLEAN: snprintf(buf, size, "%s", cell->i ? "true" : "false"); break;
    case CELL_INTEGER: snprintf(buf, size, "%" PRId64, cell->i); break;
    case CELL_NUMBER: print_number(cell->d, buf, size); break;
    case CELL_TEXT: snprintf(buf, size, "%s", neap__show_text(cell->p, cell->n).text); break;
    case CELL_BYTES: snprintf(buf, size, "%" PRIu32 " bytes", cell->n); break;
    case CELL_DATETIME:
      neap__datetime_format(cell->i, text);
      snprintf(buf, size, "%s", text);
      break;
    case CELL_DATE:
      neap__date_format(cell->i, text);
      snprintf(buf, size, "%s", text);
      break;
    case CELL_DECIMAL:
    case CELL_JSON: snprintf(buf, size, "%s", neap__show_name(cell->p, cell->n).text); break;
  }
  return buf;
}
