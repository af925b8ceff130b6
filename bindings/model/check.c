// check.c: from the values of scripts to cells of a type, checked, and from cells back to values.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/object.h"
#include "value/bytes.h"
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/json.h"
#include "value/marks.h"
#include "value/text.h"
#include "value/uuid.h"

// Where a value stands, for messages: a field of a model or a name for it, and the way into it.
struct spot {
  const struct field *field;
  const char *where;         // NULL: the field itself
  const struct spot *outer;  // element `key` or `index` of that one
  const char *key;
  size_t nkey;
  lua_Integer index;
  bool bounds;  // also check min, max, match and one_of
};

static const struct spot *outermost(const struct spot *s) {
  while (s->outer) s = s->outer;
  return s;
}

static bool is_secret(const struct spot *s) {
  const struct field *f = outermost(s)->field;
  return f && (f->flags & FIELD_SECRET);
}

static size_t print_spot(const struct spot *s, char *buf, size_t size) {
  size_t n = s->outer ? print_spot(s->outer, buf, size) : 0;
  if (n >= size) return n;
  if (!s->outer && s->where) return (size_t)snprintf(buf, size, "%s", s->where);
  bool undeclared = !s->outer && s->field->column >= 0 && s->field->column == s->field->shape->open;
  if (!s->outer)
    return (size_t)snprintf(buf, size, undeclared ? "%s" : "%s.%s", s->field->shape->model, s->field->name);
  if (!s->key) return n + (size_t)snprintf(buf + n, size - n, "[%lld]", (long long)s->index);
  return n + (size_t)snprintf(buf + n, size - n, ".%s", is_secret(s) ? "***" : neap__show_name(s->key, s->nkey).text);
}

// The value at idx for a message, *** if it is secret.
static struct neap__shown show_value(lua_State *L, const struct spot *s, int idx) {
  return is_secret(s) ? (struct neap__shown){"***"} : neap__show_value(L, idx);
}

static int wrong(lua_State *L, const struct spot *s, int idx, struct neap__error *e, const char *expected) {
  char where[160];
  print_spot(s, where, sizeof where);
  return neap__error_set(e, NEAP_VALIDATION, "%s: %s is wrong; expected %s", where, show_value(L, s, idx).text,
                         expected);
}

// ---- Kinds of values: each pushes the anchor of what the cell borrows ----

static int give_text(lua_State *L, struct cell *out, enum cell_kind kind, const char *p, size_t n) {
  lua_pushlstring(L, p, n);
  *out = (struct cell){.p = lua_tostring(L, -1), .n = (uint32_t)n, .kind = (uint8_t)kind};
  return 0;
}

static int give_integer(lua_State *L, struct cell *out, enum cell_kind kind, int64_t i) {
  lua_pushnil(L);
  *out = (struct cell){.i = i, .kind = (uint8_t)kind};
  return 0;
}

static int check_string(lua_State *L, const struct spot *s, int idx, struct cell *out, struct neap__error *e) {
  size_t n, bad;
  if (lua_type(L, idx) != LUA_TSTRING) return wrong(L, s, idx, e, "a string");
  const char *p = lua_tolstring(L, idx, &n);
  if (n > UINT32_MAX) return wrong(L, s, idx, e, "less than 4 GB of text");
  if (memchr(p, 0, n)) return wrong(L, s, idx, e, "text without NUL (t.bytes keeps any bytes)");
  if (!neap__text_utf8(p, n, &bad)) return wrong(L, s, idx, e, "UTF-8 (t.bytes keeps any bytes)");
  lua_pushvalue(L, idx);
  *out = (struct cell){.p = p, .n = (uint32_t)n, .kind = CELL_TEXT};
  return 0;
}

static int check_integer(lua_State *L, const struct spot *s, int idx, struct cell *out, struct neap__error *e) {
  int exact = 0;
  lua_Integer i = lua_type(L, idx) == LUA_TNUMBER ? lua_tointegerx(L, idx, &exact) : 0;
  return exact ? give_integer(L, out, CELL_INTEGER, i) : wrong(L, s, idx, e, "an integer");
}

// Whether a double keeps the integer exactly.
static bool is_double(lua_Integer i) {
  double d = (double)i;
  return d < 0x1p63 && (lua_Integer)d == i;
}

static int check_number(lua_State *L, const struct spot *s, int idx, struct cell *out, struct neap__error *e) {
  if (lua_type(L, idx) != LUA_TNUMBER || isnan(lua_tonumber(L, idx))) return wrong(L, s, idx, e, "a number");
  if (lua_isinteger(L, idx) && !is_double(lua_tointeger(L, idx)))
    return wrong(L, s, idx, e, "a number that a float keeps exactly (t.integer keeps 64 bits)");
  *out = (struct cell){.d = lua_tonumber(L, idx), .kind = CELL_NUMBER};
  lua_pushnil(L);
  return 0;
}

// Pads the canonical text with zeros to `scale` digits, or cuts zeros; -1 if digits would be lost.
static int rescale(char *text, size_t *n, int scale) {
  char *point = memchr(text, '.', *n);
  size_t have = point ? *n - (size_t)(point - text) - 1 : 0;
  for (; have > (size_t)scale; have--, (*n)--)
    if (text[*n - 1] != '0') return -1;
  if (have == 0 && scale == 0 && point) (*n)--;
  if (!point && scale > 0) text[(*n)++] = '.';
  for (; have < (size_t)scale; have++) text[(*n)++] = '0';
  return 0;
}

static int check_decimal(lua_State *L, const struct spot *s, const struct type *type, int idx, struct cell *out,
                         struct neap__error *e) {
  char text[DECIMAL_TEXT + 1100];
  size_t n = 0;
  if (neap__decimal_test(L, idx)) {
    const char *p = neap__decimal_text(L, idx, &n);
    if (type->scale < 0) {
      *out = (struct cell){.p = p, .n = (uint32_t)n, .kind = CELL_DECIMAL};
      return 0;
    }
    memcpy(text, p, n);
    lua_pop(L, 1);
  } else if (lua_isinteger(L, idx)) {
    n = (size_t)snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(L, idx));
  } else {
    size_t given;
    const char *p = lua_type(L, idx) == LUA_TSTRING ? lua_tolstring(L, idx, &given) : NULL;
    if (!p || neap__decimal_parse(p, given, text, DECIMAL_TEXT, &n, e) != 0)
      return wrong(L, s, idx, e, "a decimal of at most 1,000 digits, an integer or text such as \"1.10\"");
  }
  if (type->scale >= 0 && rescale(text, &n, type->scale) != 0 && s->bounds) {
    char expected[60];
    snprintf(expected, sizeof expected, "at most %d digits behind the point", type->scale);
    return wrong(L, s, idx, e, expected);
  }
  return give_text(L, out, CELL_DECIMAL, text, n);
}

static int check_datetime(lua_State *L, const struct spot *s, const struct type *type, int idx, struct cell *out,
                          struct neap__error *e) {
  int64_t us = 0;
  size_t n;
  bool ok = neap__datetime_test(L, idx, &us);
  if (!ok && lua_type(L, idx) == LUA_TSTRING) {
    const char *p = lua_tolstring(L, idx, &n);
    ok = neap__datetime_parse(p, n, &us);
  }
  if (!ok) return wrong(L, s, idx, e, "a datetime or ISO 8601 text");
  if (type->kind == TYPE_TIMESTAMP) us -= (us % 1000000 + 1000000) % 1000000;
  return give_integer(L, out, CELL_DATETIME, us);
}

static int check_date(lua_State *L, const struct spot *s, int idx, struct cell *out, struct neap__error *e) {
  int64_t days = 0;
  size_t n;
  bool ok = neap__date_test(L, idx, &days);
  if (!ok && lua_type(L, idx) == LUA_TSTRING) {
    const char *p = lua_tolstring(L, idx, &n);
    ok = neap__date_parse(p, n, &days);
  }
  return ok ? give_integer(L, out, CELL_DATE, days) : wrong(L, s, idx, e, "a date or text such as \"2015-07-20\"");
}

static int check_uuid(lua_State *L, const struct spot *s, int idx, struct cell *out, struct neap__error *e) {
  char text[37];
  size_t n;
  const char *p = lua_type(L, idx) == LUA_TSTRING ? lua_tolstring(L, idx, &n) : NULL;
  if (!p || !neap__uuid_parse(p, n, text)) return wrong(L, s, idx, e, "a uuid in text");
  return give_text(L, out, CELL_TEXT, text, 36);
}

static int check_bytes(lua_State *L, const struct spot *s, int idx, struct cell *out, struct neap__error *e) {
  size_t n;
  const char *p = lua_type(L, idx) == LUA_TSTRING ? lua_tolstring(L, idx, &n) : neap__bytes_test(L, idx, &n);
  if (!p || n > UINT32_MAX) return wrong(L, s, idx, e, "bytes or a string");
  lua_pushvalue(L, idx);
  *out = (struct cell){.p = p, .n = (uint32_t)n, .kind = CELL_BYTES};
  return 0;
}

static int encode(lua_State *L, const struct spot *s, int idx, struct neap__error *e) {
  const struct field *f = outermost(s)->field;
  return f && f->shape->marks ? neap__json_encode_marked(L, idx, e) : neap__json_encode(L, idx, e);
}

static void type_push(lua_State *L, const struct type *type, const struct cell *cell, bool plain);

// Pushes the value of a cell as JSON has it in a place of the type: bytes in base64.
static void push_plain(lua_State *L, const struct type *type, const struct cell *cell) {
  luaL_Buffer b;
  size_t size = NEAP_BASE64_SIZE((size_t)cell->n);
  if (cell->kind != CELL_BYTES) {
    type_push(L, type, cell, true);
    return;
  }
  neap__bytes_base64(cell->p, cell->n, luaL_buffinitsize(L, &b, size));
  luaL_pushresultsize(&b, size);
}

// The JSON text of anything.
static int check_json(lua_State *L, const struct spot *s, int idx, struct cell *out, struct neap__error *e) {
  char where[160];
  if (encode(L, s, idx, e) != 0) {
    struct neap__error why = *e;
    print_spot(s, where, sizeof where);
    if (is_secret(s)) return neap__error_set(e, NEAP_VALIDATION, "%s: *** cannot be written as JSON", where);
    return neap__error_set(e, NEAP_VALIDATION, "%s: %s", where, why.message);
  }
  size_t n;
  const char *p = lua_tolstring(L, -1, &n);
  *out = (struct cell){.p = p, .n = (uint32_t)n, .kind = CELL_JSON};
  return 0;
}

// ---- Containers: JSON text whose elements have been checked ----

static int check(lua_State *L, const struct type *type, const struct spot *s, int idx, struct cell *out,
                 struct neap__error *e);

// Whether the element, whose JSON is on top of the stack, is in the table `seen` already; from now on it is. Numbers are the
// same that differ in zeros behind the point only.
static bool is_seen(lua_State *L, int seen) {
  size_t n;
  const char *p = lua_tolstring(L, -1, &n);
  if ((*p == '-' || (*p >= '0' && *p <= '9')) && memchr(p, '.', n) && !memchr(p, 'e', n)) {
    while (p[n - 1] == '0') n--;
    if (p[n - 1] == '.') n--;
  }
  lua_pushlstring(L, p, n);
  lua_pushvalue(L, -1);
  bool before = lua_rawget(L, seen) != LUA_TNIL;
  lua_pop(L, 1);
  lua_pushboolean(L, 1);
  lua_rawset(L, seen);
  return before;
}

// Appends the value at idx, checked as `type`. Sets know by `seen` (a table index, 0 = none) what they have.
static int append(lua_State *L, const struct type *type, const struct spot *s, int idx, struct neap__buffer *b,
                  int seen, size_t *count, struct neap__error *e) {
  struct cell cell;
  int top = lua_gettop(L);
  static const struct type any = {.kind = TYPE_JSON, .scale = -1};
  if (check(L, type ? type : &any, s, idx, &cell, e) != 0) return -1;
  if (cell.kind == CELL_NIL) return wrong(L, s, idx, e, "a value: a list of one type has no nulls");
  if (cell.kind == CELL_JSON)
    lua_pushlstring(L, cell.p, cell.n);
  else {
    push_plain(L, type, &cell);
    if (neap__json_encode(L, -1, e) != 0) return -1;
  }
  if (seen && is_seen(L, seen)) return lua_settop(L, top), 0;
  size_t n;
  const char *p = lua_tolstring(L, -1, &n);
  if ((*count > 0 && neap__buffer_byte(b, ',') != 0) || neap__buffer_append(b, p, n) != 0)
    return neap__error_set(e, NEAP_LIMIT, "memory is short");
  ++*count;
  lua_settop(L, top);
  return 0;
}

static int check_list(lua_State *L, const struct type *type, const struct spot *s, int idx, struct cell *out,
                      struct neap__error *e) {
  const char *what = type->kind == TYPE_SET ? "a list without holes (a set)" : "a list without holes";
  if (!lua_istable(L, idx) || neap__mark_kind(L, idx) == NEAP_MARK_OBJECT) return wrong(L, s, idx, e, what);
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx), members = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) members++;
  if (members != n) return wrong(L, s, idx, e, what);
  neap__charge(L, (unsigned)n);
  int top = lua_gettop(L);
  size_t count = 0;
  struct neap__buffer *b = neap__buffer_push(L);
  if (type->kind == TYPE_SET) lua_newtable(L);
  int seen = type->kind == TYPE_SET ? lua_gettop(L) : 0;
  if (neap__buffer_byte(b, '[') != 0) return neap__error_set(e, NEAP_LIMIT, "memory is short");
  for (lua_Integer i = 1; i <= n; i++) {
    struct spot inner = {.outer = s, .index = i, .bounds = s->bounds};
    lua_rawgeti(L, idx, i);
    if (append(L, type->of, &inner, lua_gettop(L), b, seen, &count, e) != 0) return lua_settop(L, top), -1;
    lua_pop(L, 1);
  }
  if (neap__buffer_byte(b, ']') != 0) return neap__error_set(e, NEAP_LIMIT, "memory is short");
  give_text(L, out, CELL_JSON, b->p, b->n);
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  return 0;
}

static const struct type *find_member(const struct type *type, const char *name, size_t n) {
  for (int i = 0; i < type->nmembers; i++)
    if (strlen(type->members[i].name) == n && memcmp(type->members[i].name, name, n) == 0)
      return &type->members[i].type;
  return NULL;
}

static int no_member(lua_State *L, const struct type *type, const struct spot *s, int idx, struct neap__error *e) {
  char expected[300] = "one of ";
  size_t n = strlen(expected);
  struct neap__nearest near = neap__nearest_to(s->key, s->nkey);
  for (int i = 0; i < type->nmembers; i++) {
    neap__nearest_offer(&near, type->members[i].name);
    if (n < 200)
      n += (size_t)snprintf(expected + n, sizeof expected - n, "%s%.80s", i ? ", " : "", type->members[i].name);
  }
  snprintf(expected + n, sizeof expected - n, "%s", neap__show_hint("", near.best).text);
  return wrong(L, s, idx, e, expected);
}

// Replaces the copy of the map on top of the stack's member by what its type makes of it.
static int check_member(lua_State *L, const struct type *type, const struct spot *s, int copy, struct neap__error *e) {
  struct cell cell;
  struct spot inner = {.outer = s, .bounds = s->bounds};
  inner.key = lua_tolstring(L, -2, &inner.nkey);
  const struct type *of = type->nmembers ? find_member(type, inner.key, inner.nkey) : type->of;
  if (!of) return no_member(L, type, &inner, lua_gettop(L) - 1, e);
  if (check(L, of, &inner, lua_gettop(L), &cell, e) != 0) return -1;
  lua_pushvalue(L, -3);
  push_plain(L, of, &cell);
  lua_rawset(L, copy);
  lua_pop(L, 1);
  return 0;
}

static int check_map(lua_State *L, const struct type *type, const struct spot *s, int idx, struct cell *out,
                     struct neap__error *e) {
  enum neap__mark mark = lua_istable(L, idx) ? neap__mark_kind(L, idx) : NEAP_MARK_ARRAY;
  if (mark == NEAP_MARK_ARRAY || mark == NEAP_MARK_SET) return wrong(L, s, idx, e, "a map, { name = value }");
  int top = lua_gettop(L);
  lua_newtable(L);
  neap__mark_set(L, -1, NEAP_MARK_OBJECT);
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) return lua_settop(L, top), wrong(L, s, idx, e, "a map, { name = value }");
    if (type->of || type->nmembers) {
      if (check_member(L, type, s, top + 1, e) != 0) return lua_settop(L, top), -1;
      continue;
    }
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, top + 1);
  }
  if (check_json(L, s, top + 1, out, e) != 0) return lua_settop(L, top), -1;
  lua_replace(L, top + 1);
  return 0;
}

static int check_geopoint(lua_State *L, const struct spot *s, int idx, struct cell *out, struct neap__error *e) {
  const char *what = "a geopoint, neap.geopoint(latitude, longitude), within 90 and 180 degrees";
  if (!lua_istable(L, idx)) return wrong(L, s, idx, e, what);
  lua_getfield(L, idx, "latitude");
  lua_getfield(L, idx, "longitude");
  bool ok = lua_type(L, -2) == LUA_TNUMBER && lua_type(L, -1) == LUA_TNUMBER && fabs(lua_tonumber(L, -2)) <= 90 &&
            fabs(lua_tonumber(L, -1)) <= 180;
  double latitude = lua_tonumber(L, -2), longitude = lua_tonumber(L, -1);
  lua_pop(L, 2);
  if (!ok) return wrong(L, s, idx, e, what);
  neap__geopoint_push(L, latitude, longitude);
  if (check_json(L, s, lua_gettop(L), out, e) != 0) return lua_pop(L, 1), -1;
  lua_remove(L, -2);
  return 0;
}

// An object of the model that the pointer points to counts as its key.
static int check_pointer(lua_State *L, const struct type *type, const struct spot *s, int idx, struct cell *out,
                         struct neap__error *e) {
  const struct object *o = lua_isuserdata(L, idx) ? neap__object_test(L, idx) : NULL;
  const struct field *f = outermost(s)->field;
  if (!o && type->of) return check(L, type->of, s, idx, out, e);
  if (!o) {
    if (lua_type(L, idx) != LUA_TSTRING && !lua_isinteger(L, idx)) return wrong(L, s, idx, e, "an object or its key");
    return neap__cell_read(L, idx, out, e);
  }
  const struct shape *shape = neap__object_class(o)->shape;
  if (f && f->target_name && strcmp(f->target_name, shape->model) != 0) {
    char expected[120];
    snprintf(expected, sizeof expected, "an object of %s or its key, not one of %s", f->target_name, shape->model);
    return wrong(L, s, idx, e, expected);
  }
  if (shape->nkeys != 1) return wrong(L, s, idx, e, "an object with one key");
  neap__object_get(L, idx, shape->keys[0]->column, out);
  if (out->kind == CELL_UNLOADED) out->kind = CELL_NIL;
  if (out->kind != CELL_TEXT && out->kind != CELL_DECIMAL && out->kind != CELL_BYTES)
    lua_pushnil(L);
  else
    give_text(L, out, (enum cell_kind)out->kind, out->p, out->n);
  return 0;
}

// ---- Bounds ----

static int out_of_bounds(lua_State *L, const struct type *type, const struct spot *s, int idx, struct neap__error *e,
                         const char *unit) {
  char min[60], max[60], expected[200];
  neap__cell_print(&type->min, min, sizeof min);
  neap__cell_print(&type->max, max, sizeof max);
  if (type->min.kind == CELL_NIL)
    snprintf(expected, sizeof expected, "at most %s%s", max, unit);
  else if (type->max.kind == CELL_NIL)
    snprintf(expected, sizeof expected, "at least %s%s", min, unit);
  else
    snprintf(expected, sizeof expected, "%s to %s%s", min, max, unit);
  return wrong(L, s, idx, e, expected);
}

static int check_size(lua_State *L, const struct type *type, const struct spot *s, int idx, const struct cell *cell,
                      struct neap__error *e) {
  const char *unit = type->kind == TYPE_STRING ? " characters" : type->kind == TYPE_BYTES ? " bytes" : " elements";
  struct cell size = {.kind = CELL_INTEGER};
  if (type->kind == TYPE_STRING)
    size.i = (int64_t)neap__text_length(cell->p, cell->n);
  else if (type->kind == TYPE_BYTES)
    size.i = cell->n;
  else {
    struct neap__json_each it = neap__json_each(cell->p, cell->n);
    while (neap__json_next(&it)) size.i++;
  }
  bool ok = (type->min.kind != CELL_INTEGER || size.i >= type->min.i) &&
            (type->max.kind != CELL_INTEGER || size.i <= type->max.i);
  return ok ? 0 : out_of_bounds(L, type, s, idx, e, unit);
}

static int check_one_of(lua_State *L, const struct type *type, const struct spot *s, int idx, const struct cell *cell,
                        struct neap__error *e) {
  char expected[300] = "one of ";
  size_t n = strlen(expected);
  for (int i = 0; i < type->n_one_of; i++)
    if (neap__cell_equal(&type->one_of[i], cell)) return 0;
  for (int i = 0; i < type->n_one_of && n < sizeof expected - 60; i++) {
    char one[50];
    n += (size_t)snprintf(expected + n, sizeof expected - n, "%s%s", i ? ", " : "",
                          neap__cell_print(&type->one_of[i], one, sizeof one));
  }
  return wrong(L, s, idx, e, expected);
}

static int check_match(lua_State *L, const struct type *type, const struct spot *s, int idx, const struct cell *cell,
                       struct neap__error *e) {
  int matches = neap__regex_match(neap__regexes_of(L), type->match, strlen(type->match), cell->p, cell->n, e);
  if (matches < 0) return -1;
  if (matches) return 0;
  char expected[200];
  snprintf(expected, sizeof expected, "text that matches %s", type->match);
  return wrong(L, s, idx, e, expected);
}

static int check_bounds(lua_State *L, const struct type *type, const struct spot *s, int idx, const struct cell *cell,
                        struct neap__error *e) {
  if (type->match && check_match(L, type, s, idx, cell, e) != 0) return -1;
  if (type->one_of && check_one_of(L, type, s, idx, cell, e) != 0) return -1;
  if (type->min.kind == CELL_NIL && type->max.kind == CELL_NIL) return 0;
  if (type->kind == TYPE_STRING || type->kind == TYPE_BYTES || cell->kind == CELL_JSON)
    return check_size(L, type, s, idx, cell, e);
  bool ok = (type->min.kind == CELL_NIL || neap__cell_compare(cell, &type->min) != -1) &&
            (type->max.kind == CELL_NIL || neap__cell_compare(cell, &type->max) != 1);
  return ok ? 0 : out_of_bounds(L, type, s, idx, e, "");
}

// ---- All types ----

static int check_kind(lua_State *L, const struct type *type, const struct spot *s, int idx, struct cell *out,
                      struct neap__error *e) {
  switch (type->kind) {
    case TYPE_STRING: return check_string(L, s, idx, out, e);
    case TYPE_INTEGER: return check_integer(L, s, idx, out, e);
    case TYPE_NUMBER: return check_number(L, s, idx, out, e);
    case TYPE_DECIMAL: return check_decimal(L, s, type, idx, out, e);
    case TYPE_BOOLEAN:
      if (!lua_isboolean(L, idx)) return wrong(L, s, idx, e, "true or false");
      return give_integer(L, out, CELL_BOOLEAN, lua_toboolean(L, idx));
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP: return check_datetime(L, s, type, idx, out, e);
    case TYPE_DATE: return check_date(L, s, idx, out, e);
    case TYPE_UUID: return check_uuid(L, s, idx, out, e);
    case TYPE_BYTES:
    case TYPE_BYTESTREAM: return check_bytes(L, s, idx, out, e);
    case TYPE_JSON: return check_json(L, s, idx, out, e);
    case TYPE_FILE: return wrong(L, s, idx, e, "nothing: this store keeps no files; keep the bytes, or a path as text");
    case TYPE_LIST:
    case TYPE_SET: return check_list(L, type, s, idx, out, e);
    case TYPE_MAP: return check_map(L, type, s, idx, out, e);
    case TYPE_GEOPOINT: return check_geopoint(L, s, idx, out, e);
    case TYPE_POINTER: return check_pointer(L, type, s, idx, out, e);
    case TYPE_COMPUTED:
      if (type->of) return check(L, type->of, s, idx, out, e);
      return neap__cell_read(L, idx, out, e);
    case TYPE_RELATION:
    case TYPE_HAS_ONE:
    case TYPE_HAS_MANY:
    case TYPE_MANY_TO_MANY: break;
  }
  return wrong(L, s, idx, e, "nothing: relations are changed through the objects at their other end");
}

static bool has_bounds(const struct type *type) {
  return type->match || type->one_of || type->min.kind > CELL_NIL || type->max.kind > CELL_NIL;
}

static int check(lua_State *L, const struct type *type, const struct spot *s, int idx, struct cell *out,
                 struct neap__error *e) {
  luaL_checkstack(L, 20, "a value is nested too deeply");
  if (lua_isnil(L, idx)) return give_integer(L, out, CELL_NIL, 0);
  if (lua_islightuserdata(L, idx) && neap__null_test(L, idx))
    return give_integer(L, out, type->kind == TYPE_JSON ? CELL_NULL : CELL_NIL, 0);
  out->kind = CELL_NIL;
  if (check_kind(L, type, s, idx, out, e) != 0) return -1;
  if (s->bounds && has_bounds(type) && out->kind != CELL_NIL && check_bounds(L, type, s, idx, out, e) != 0)
    return lua_pop(L, 1), -1;
  return 0;
}

static int check_spot(lua_State *L, const struct type *type, const struct spot *s, int idx, struct cell *out,
                      struct neap__error *e) {
  int top = lua_gettop(L);
  if (check(L, type, s, lua_absindex(L, idx), out, e) == 0) return 0;
  lua_settop(L, top);
  return -1;
}

int neap__check_value(lua_State *L, const struct field *field, int idx, struct cell *out, struct neap__error *e) {
  return check_spot(L, &field->type, &(struct spot){.field = field, .bounds = true}, idx, out, e);
}

int neap__check_type(lua_State *L, const struct type *type, const char *where, int idx, struct cell *out,
                     struct neap__error *e) {
  return check_spot(L, type, &(struct spot){.where = where, .bounds = true}, idx, out, e);
}

int neap__check_place(lua_State *L, const struct field *field, const struct type *type, const char *where, int idx,
                      struct cell *out, struct neap__error *e) {
  if (type) return check_spot(L, type, &(struct spot){.field = field, .where = where, .bounds = true}, idx, out, e);
  static const struct type any = {.kind = TYPE_JSON, .scale = -1};
  struct neap__error why;
  if (lua_istable(L, idx) && field->shape->marks) return neap__check_place(L, field, &any, where, idx, out, e);
  if (neap__cell_read(L, idx, out, &why) == 0) return 0;
  return neap__error_set(e, NEAP_VALIDATION, "%s: %s", where, why.message);
}

// Whether values of the type are written as text: then text that cannot be read is no value of another type, but a mistake.
static bool reads_text(const struct type *type) {
  if (type->kind == TYPE_POINTER) return type->of && reads_text(type->of);
  return type->kind == TYPE_DECIMAL || type->kind == TYPE_DATETIME || type->kind == TYPE_TIMESTAMP ||
         type->kind == TYPE_DATE || type->kind == TYPE_UUID;
}

int neap__check_operand(lua_State *L, const struct type *type, int idx, struct cell *out, struct neap__error *e) {
  if (check_spot(L, type, &(struct spot){.where = "the value"}, idx, out, e) == 0) return 0;
  bool nan = lua_type(L, idx) == LUA_TNUMBER && lua_tonumber(L, idx) != lua_tonumber(L, idx);
  bool text = lua_type(L, idx) == LUA_TSTRING && reads_text(type);
  if (nan || text || lua_isfunction(L, idx) || lua_isthread(L, idx)) return -1;
  *out = (struct cell){.kind = CELL_NIL};
  lua_pushnil(L);
  return 1;
}

// ---- Back to values ----

// Whether JSON alone cannot tell the values of the type.
static bool is_converted(const struct type *type) {
  if (!type) return false;
  for (int i = 0; i < type->nmembers; i++)
    if (is_converted(&type->members[i].type)) return true;
  switch (type->kind) {
    case TYPE_DECIMAL:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_DATE:
    case TYPE_BYTES:
    case TYPE_SET:
    case TYPE_GEOPOINT: return true;
    case TYPE_LIST:
    case TYPE_MAP: return is_converted(type->of);
    default: return false;
  }
}

static void convert(lua_State *L, const struct type *type, bool plain);

// Bytes are base64 there; what is none stays.
static void convert_bytes(lua_State *L) {
  size_t n;
  const char *p = lua_tolstring(L, -1, &n);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, n / 4 * 3);
  ptrdiff_t got = neap__bytes_unbase64(p, n, out);
  luaL_pushresultsize(&b, got < 0 ? 0 : (size_t)got);
  lua_remove(L, got < 0 ? -1 : -2);
}

// Converts each element of the container on top of the stack.
static void convert_elements(lua_State *L, const struct type *type, bool plain) {
  for (lua_pushnil(L); lua_next(L, -2);) {
    size_t n;
    const char *key = type->nmembers ? lua_tolstring(L, -2, &n) : NULL;
    const struct type *of = key ? find_member(type, key, n) : type->of;
    if (of) convert(L, of, plain);
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
}

// Converts the decoded value on top of the stack to what the type says; what does not fit stays. plain: what JSON alone can tell
// stays as it is.
static void convert(lua_State *L, const struct type *type, bool plain) {
  struct neap__error e;
  struct cell cell;
  luaL_checkstack(L, 20, "a value is nested too deeply");
  if (lua_istable(L, -1)) {
    if (is_converted(type->of) || type->nmembers) convert_elements(L, type, plain);
    if (type->kind == TYPE_SET && !plain) neap__mark_set(L, -1, NEAP_MARK_SET);
    if (type->kind == TYPE_GEOPOINT) neap__mark_set(L, -1, NEAP_MARK_GEOPOINT);
  } else if (type->kind == TYPE_BYTES && lua_type(L, -1) == LUA_TSTRING) {
    if (!plain) convert_bytes(L);
  } else if (is_converted(type)) {
    if (type->kind == TYPE_DECIMAL && lua_type(L, -1) == LUA_TNUMBER && !lua_isinteger(L, -1)) {
      char text[32];
      lua_pushlstring(L, text, neap__json_double(lua_tonumber(L, -1), text));
      lua_replace(L, -2);
    }
    if (neap__check_type(L, type, "", -1, &cell, &e) != 0) return;
    neap__cell_push(L, &cell);
    lua_replace(L, -3);
    lua_pop(L, 1);
  }
}

// The decimals in the list on top of the stack, from the text of the list: there their scale is not lost.
static void push_decimals(lua_State *L, const struct cell *list) {
  struct neap__json_each it = neap__json_each(list->p, list->n);
  for (lua_Integer i = 1; neap__json_next(&it); i++) {
    bool number = *it.value.p == '-' || (*it.value.p >= '0' && *it.value.p <= '9');
    if (number && neap__decimal_push(L, it.value.p, it.value.n) == 0) lua_rawseti(L, -2, i);
  }
}

static void type_push(lua_State *L, const struct type *type, const struct cell *cell, bool plain) {
  neap__cell_push(L, cell);
  if (cell->kind != CELL_JSON || !type || type->kind == TYPE_JSON) return;
  convert(L, type, plain);
  bool list = (type->kind == TYPE_LIST || type->kind == TYPE_SET) && lua_istable(L, -1);
  if (list && type->of && type->of->kind == TYPE_DECIMAL) push_decimals(L, cell);
}

void neap__type_push(lua_State *L, const struct type *type, const struct cell *cell) {
  type_push(L, type, cell, false);
}
