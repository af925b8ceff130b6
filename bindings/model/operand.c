// operand.c: one comparison from a Lua value: what the operand means for the type of the place. Rules of the manual: absent
// and null are the same here; a value of another type is no match and never an error; an operator that makes no sense for a
// type is one.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/condition_build.h"
#include "model/object.h"
#include "value/buffer.h"
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/marks.h"
#include "value/match.h"
#include "value/text.h"

// What is being built, and where messages point.
struct comparison {
  lua_State *L;
  int class_idx;
  struct condition draft;
};

char *neap__place_print(const struct shape *shape, const struct place *place, char *buf, size_t size) {
  // The undeclared fields of an open model are places of one column, which scripts do not know.
  bool undeclared = place->nsteps > 0 && place->field->column == place->field->shape->open;
  int n = snprintf(buf, size, undeclared ? "%s" : "%s.%s", shape->model, place->field->name);
  for (int i = 0; i < place->nsteps && n > 0 && (size_t)n < size; i++) {
    const struct step *s = &place->steps[i];
    n += s->key ? snprintf(buf + n, size - (size_t)n, ".%s", s->key)
                : snprintf(buf + n, size - (size_t)n, ".%lld", (long long)s->index);
  }
  if (place->counted && n > 0 && (size_t)n < size) snprintf(buf + n, size - (size_t)n, ".count");
  return buf;
}

static _Noreturn void refuse(struct comparison *k, const char *expected, int idx) {
  char where[200];
  neap__fail(k->L, NEAP_USAGE, "%s %s takes %s, not %s",
             neap__place_print(k->draft.shape, &k->draft.place, where, sizeof where),
             neap__condition_op_name(k->draft.op), expected,
             k->draft.place.field->flags & FIELD_SECRET ? "***" : neap__show_value(k->L, idx).text);
  __builtin_unreachable();
}

static const struct condition *leaf(struct comparison *k) {
  return neap__condition_copy(k->L, k->class_idx, &k->draft);
}

// A condition that every row meets, or none.
static const struct condition *constant(struct comparison *k, bool value) {
  return neap__condition_branch(k->L, k->class_idx, value ? COND_AND : COND_OR, 0);
}

static const struct condition *leaf_of(struct comparison *k, enum condition_op op, const struct cell *cells,
                                       int ncells) {
  k->draft.op = op;
  k->draft.cells = cells;
  k->draft.ncells = ncells;
  return leaf(k);
}

static const struct condition *exists(struct comparison *k, bool there) {
  struct cell cell = {.i = there, .kind = CELL_BOOLEAN};
  return leaf_of(k, COND_EXISTS, &cell, 1);
}

static const struct condition *text_there(struct comparison *k) {
  struct cell cell = {.p = "string", .n = 6, .kind = CELL_TEXT};
  return neap__place_in_json(&k->draft.place) ? leaf_of(k, COND_TYPE, &cell, 1) : exists(k, true);
}

// ---- One value as a cell of the place ----

// JSON knows neither times nor bytes: times are compared as the text that they are there. Room for it is in `text`.
// Returns 1 for what JSON cannot hold.
static int to_json_kind(struct cell *cell, char text[40]) {
  switch ((enum cell_kind)cell->kind) {
    case CELL_DATETIME: cell->n = (uint32_t)neap__datetime_format(cell->i, text); break;
    case CELL_DATE: cell->n = (uint32_t)neap__date_format(cell->i, text); break;
    case CELL_BYTES: return 1;
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_BOOLEAN:
    case CELL_INTEGER:
    case CELL_NUMBER:
    case CELL_TEXT:
    case CELL_DECIMAL:
    case CELL_JSON: return 0;
  }
  cell->p = text;
  cell->kind = CELL_TEXT;
  return 0;
}

static bool is_plain_number(const struct type *type) {
  return type->kind == TYPE_INTEGER || type->kind == TYPE_NUMBER;
}

// Integers and floats compare with columns of both kinds exactly, whatever the column could hold.
static bool read_fast(lua_State *L, const struct type *type, int idx, struct cell *out) {
  size_t n;
  if (type && lua_type(L, idx) == LUA_TSTRING && type->kind == TYPE_STRING) {
    out->p = lua_tolstring(L, idx, &n);
    out->n = (uint32_t)n;
    out->kind = CELL_TEXT;
    return n <= UINT32_MAX;
  }
  if (lua_type(L, idx) != LUA_TNUMBER || (type && !is_plain_number(type))) return false;
  if (lua_isinteger(L, idx))
    *out = (struct cell){.i = lua_tointeger(L, idx), .kind = CELL_INTEGER};
  else
    *out = (struct cell){.d = lua_tonumber(L, idx), .kind = CELL_NUMBER};
  return out->kind == CELL_INTEGER || !isnan(out->d);
}

// What the place cannot be compared with, whatever it holds: NaN, functions, text that its type cannot read.
static void refuse_value(struct comparison *k, const struct type *type, int idx, const struct neap__error *why) {
  struct neap__error e;
  struct cell cell;
  char where[200];
  neap__place_print(k->draft.shape, &k->draft.place, where, sizeof where);
  if (neap__check_place(k->L, k->draft.place.field, type, where, idx, &cell, &e) != 0) neap__raise(k->L, &e);
  neap__raise(k->L, why);
}

// An object stands for its key where a pointer to its model is asked for; in JSON it is a table; elsewhere a mistake.
static void check_object(struct comparison *k, const struct type *type, int idx) {
  const struct place *place = &k->draft.place;
  const struct object *o = lua_isuserdata(k->L, idx) && type ? neap__object_test(k->L, idx) : NULL;
  struct cell key;
  char where[200];
  if (!o) return;
  const struct shape *shape = neap__object_class(o)->shape;
  const char *target = place->nsteps == 0 && type == &place->field->type ? place->field->target_name : NULL;
  neap__place_print(k->draft.shape, place, where, sizeof where);
  if (type->kind != TYPE_POINTER)
    neap__fail(k->L, NEAP_USAGE, "%s is of type %s and takes no object; it got one of %s", where,
               neap__type_name(type->kind), shape->model);
  if (target && strcmp(target, shape->model) != 0)
    neap__fail(k->L, NEAP_USAGE, "%s takes an object of %s or its key, not one of %s", where, target, shape->model);
  neap__object_get(k->L, idx, shape->keys[0]->column, &key);
  if (key.kind <= CELL_NULL)
    neap__fail(k->L, NEAP_USAGE, "%s takes an object that has a key; save the %s first", where, shape->model);
}

// What no place could hold is a mistake, where a value of another type is no match: a file, a function, a task, a query.
static void check_foreign(struct comparison *k, const struct type *type, int idx) {
  lua_State *L = k->L;
  struct neap__error e;
  struct cell cell;
  int top = lua_gettop(L), kind = lua_type(L, idx);
  if (kind != LUA_TFUNCTION && kind != LUA_TTHREAD && !(lua_isuserdata(L, idx) && !neap__null_test(L, idx))) return;
  if (neap__cell_read(L, idx, &cell, &e) != 0) refuse_value(k, type, idx, &e);
  lua_settop(L, top);
}

// Reads the value at idx as an operand of `type` (NULL: untyped). Pushes its anchor. Returns 1 if it is of another type.
static int read_as(struct comparison *k, const struct type *type, bool json, int idx, struct cell *out, char text[40]) {
  lua_State *L = k->L;
  struct neap__error e;
  int top = lua_gettop(L);
  int status = 0;
  if (!read_fast(L, type, idx, out)) {
    check_object(k, type, idx);
    check_foreign(k, type, idx);
    status = type ? neap__check_operand(L, type, idx, out, &e) : neap__cell_read(L, idx, out, &e);
  }
  if (status < 0) refuse_value(k, type, idx, &e);
  lua_settop(L, top + 1);
  if (status == 0 && json) status = to_json_kind(out, text);
  return status;
}

static int read_operand(struct comparison *k, int idx, struct cell *out, char text[40]) {
  const struct place *place = &k->draft.place;
  char where[200];
  if (lua_isnoneornil(k->L, idx))
    neap__fail(k->L, NEAP_USAGE, "%s %s got nil: use neap.null or exists(false) for what is absent",
               neap__place_print(k->draft.shape, place, where, sizeof where), neap__condition_op_name(k->draft.op));
  return read_as(k, neap__operand_type(place), neap__place_in_json(place), idx, out, text);
}

static const struct condition *compare_one(struct comparison *k, int idx) {
  struct cell cell;
  char text[40];
  bool ne = k->draft.op == COND_NE;
  if (neap__null_test(k->L, idx) && (ne || k->draft.op == COND_EQ)) return exists(k, ne);
  if (neap__null_test(k->L, idx)) return constant(k, false);
  if (read_operand(k, idx, &cell, text) != 0) return constant(k, ne);
  if (cell.kind == CELL_JSON && !ne && k->draft.op != COND_EQ) return constant(k, false);  // containers have no order
  return leaf_of(k, k->draft.op, &cell, 1);
}

// ---- Lists of values ----

static lua_Integer list_length(struct comparison *k, int idx) {
  if (!lua_istable(k->L, idx)) refuse(k, "a list", idx);
  lua_Integer n = (lua_Integer)lua_rawlen(k->L, idx);
  lua_pushnil(k->L);
  if (n == 0 && lua_next(k->L, idx)) refuse(k, "a list, from 1 without gaps", idx);
  lua_settop(k->L, lua_gettop(k->L) - (n > 0));
  if (n > CONDITION_MAX_OPERANDS)
    neap__fail(k->L, NEAP_LIMIT, "%s takes at most %d values, not %lld", neap__condition_op_name(k->draft.op),
               CONDITION_MAX_OPERANDS, (long long)n);
  return n;
}

static bool borrows(const struct cell *c) {
  return c->kind == CELL_TEXT || c->kind == CELL_BYTES || c->kind == CELL_DECIMAL || c->kind == CELL_JSON;
}

static void keep_text(lua_State *L, struct neap__buffer *texts, const struct cell *cell) {
  if (borrows(cell) && neap__buffer_append(texts, cell->p, cell->n) != 0) neap__fail(L, NEAP_LIMIT, "memory is short");
}

// Pushes two values that keep the cells of a list alive. Values of another type are left out; *null: there was one.
static int read_list(struct comparison *k, int idx, struct cell **out, bool *null) {
  lua_State *L = k->L;
  lua_Integer n = list_length(k, idx);
  struct cell *cells = lua_newuserdatauv(L, (size_t)n * sizeof *cells + 1, 0);
  struct neap__buffer *texts = neap__buffer_push(L);
  char text[40];
  int count = 0;
  for (lua_Integer i = 1; i <= n; i++) {
    int value = lua_gettop(L) + 1;
    lua_geti(L, idx, i);
    if (neap__null_test(L, value))
      *null = true;
    else if (read_operand(k, value, &cells[count], text) == 0)
      keep_text(L, texts, &cells[count++]);
    lua_settop(L, value - 1);
  }
  const char *p = texts->p;
  for (int i = 0; i < count; i++)
    if (borrows(&cells[i])) cells[i].p = p, p += cells[i].n;
  *out = cells;
  return count;
}

// A null in the list stands for what is absent.
static const struct condition *compare_in(struct comparison *k, int idx) {
  struct cell *cells;
  bool null = false, nin = k->draft.op == COND_NIN;
  int base = lua_gettop(k->L);
  int n = read_list(k, idx, &cells, &null);
  if (n > 0)
    leaf_of(k, nin ? COND_NIN : COND_IN, cells, n);
  else
    constant(k, nin);
  if (null) exists(k, nin);
  if (null) neap__condition_branch(k->L, k->class_idx, nin ? COND_AND : COND_OR, 2);
  lua_replace(k->L, base + 1);
  lua_settop(k->L, base + 1);
  return lua_touserdata(k->L, -1);
}

// ---- Elements of lists and sets ----

static const struct condition *elements_leaf(struct comparison *k, enum condition_op op,
                                             const struct neap__buffer *json) {
  struct cell cell = {.p = json->p, .n = (uint32_t)json->n, .kind = CELL_JSON};
  return leaf_of(k, op, &cell, 1);
}

static void add_element(struct comparison *k, struct neap__buffer *json, const struct cell *cell) {
  if (json->n > 1) neap__buffer_byte(json, ',');
  if (neap__match_write(json, cell) != 0) neap__fail(k->L, NEAP_LIMIT, "memory is short");
}

// The elements as one JSON list. all: a value that no element can equal makes it false; any: it is left out.
static const struct condition *compare_elements(struct comparison *k, int idx) {
  lua_State *L = k->L;
  const struct type *type = neap__operand_type(&k->draft.place), *of = type ? type->of : NULL;
  bool all = k->draft.op != COND_ANY, possible = true;
  lua_Integer n = k->draft.op == COND_HAS ? 1 : list_length(k, idx);
  if (n > 0 && lua_isnil(L, idx)) refuse(k, "a value", idx);
  struct neap__buffer *json = neap__buffer_push(L);
  neap__buffer_byte(json, '[');
  for (lua_Integer i = 1; i <= n && possible; i++) {
    struct cell cell;
    char text[40];
    int value = lua_gettop(L) + 1;
    if (k->draft.op == COND_HAS)
      lua_pushvalue(L, idx);
    else
      lua_geti(L, idx, i);
    if (read_as(k, of, !of, value, &cell, text) == 0)  // elements of a type are told apart by it
      add_element(k, json, &cell);
    else
      possible = !all;
    lua_settop(L, value - 1);
  }
  if (neap__buffer_byte(json, ']') != 0) neap__fail(L, NEAP_LIMIT, "memory is short");
  return possible ? elements_leaf(k, k->draft.op, json) : constant(k, false);
}

// Two sets are equal when one holds each element of the other and they have as many.
static const struct condition *compare_sets(struct comparison *k, int idx) {
  lua_State *L = k->L;
  bool ne = k->draft.op == COND_NE;
  struct cell cell;
  char text[40];
  if (neap__null_test(L, idx)) return exists(k, ne);
  if (read_operand(k, idx, &cell, text) != 0 || cell.kind != CELL_JSON) return constant(k, ne);
  struct cell size = {.i = neap__match_size(cell.p, cell.n), .kind = CELL_INTEGER};
  leaf_of(k, COND_ALL, &cell, 1);
  leaf_of(k, COND_SIZE, &size, 1);
  const struct condition *c = neap__condition_branch(L, k->class_idx, COND_AND, 2);
  return ne ? neap__condition_not(L, -1) : c;
}

// Sets among others: one after the other, for each is equal to its own kind of condition.
static const struct condition *compare_in_sets(struct comparison *k, int idx) {
  lua_State *L = k->L;
  lua_Integer n = list_length(k, idx);
  bool nin = k->draft.op == COND_NIN;
  if (n > CONDITION_MAX_NODES) neap__fail(L, NEAP_LIMIT, "more than %d sets in one condition", CONDITION_MAX_NODES);
  luaL_checkstack(L, (int)n + LUA_MINSTACK, "sets");
  k->draft.op = nin ? COND_NE : COND_EQ;
  for (lua_Integer i = 1; i <= n; i++) {
    int base = lua_gettop(L) + 1;
    struct comparison each = *k;
    lua_geti(L, idx, i);
    compare_sets(&each, base);
    lua_replace(L, base);
    lua_settop(L, base);
  }
  return neap__condition_branch(L, k->class_idx, nin ? COND_AND : COND_OR, (int)n);
}

// ---- The other operators ----

static const struct condition *compare_between(struct comparison *k, int idx) {
  struct cell cells[2];
  char text[2][40];
  lua_Integer n = list_length(k, idx);
  char where[200];
  if (n != 2)
    neap__fail(k->L, NEAP_USAGE, "%s between takes two values, the low and the high one, not %lld",
               neap__place_print(k->draft.shape, &k->draft.place, where, sizeof where), (long long)n);
  for (int i = 0; i < 2; i++) {
    lua_geti(k->L, idx, i + 1);
    int value = lua_gettop(k->L);
    if (neap__null_test(k->L, value) || read_operand(k, value, &cells[i], text[i]) != 0) return constant(k, false);
    if (cells[i].kind == CELL_JSON) return constant(k, false);
  }
  return leaf_of(k, COND_BETWEEN, cells, 2);
}

static const struct condition *compare_exists(struct comparison *k, int idx) {
  if (!lua_isboolean(k->L, idx)) refuse(k, "true or false", idx);
  return exists(k, lua_toboolean(k->L, idx));
}

static bool folds(enum condition_op op) {
  return op == COND_ICONTAINS || op == COND_IPREFIX || op == COND_ISUFFIX || op == COND_IEXACT;
}

static _Noreturn void refuse_regex(struct comparison *k, struct neap__error *e) {
  char where[200];
  if (k->draft.place.field->flags & FIELD_SECRET)
    neap__fail(k->L, e->kind, "%s: the regular expression *** is wrong",
               neap__place_print(k->draft.shape, &k->draft.place, where, sizeof where));
  neap__raise(k->L, e);
  __builtin_unreachable();
}

static const struct condition *compare_text(struct comparison *k, int idx) {
  struct neap__error e;
  size_t n;
  enum condition_op op = k->draft.op;
  if (lua_isnil(k->L, idx)) refuse(k, "text", idx);
  check_foreign(k, neap__operand_type(&k->draft.place), idx);
  if (lua_type(k->L, idx) != LUA_TSTRING) return constant(k, false);
  const char *p = lua_tolstring(k->L, idx, &n);
  if (n > INT32_MAX) neap__fail(k->L, NEAP_LIMIT, "%s got %zu bytes", neap__condition_op_name(op), n);
  if (op == COND_REGEX && neap__regex_check(neap__regexes_of(k->L), p, n, &e) != 0) refuse_regex(k, &e);
  if (n == 0 && op != COND_IEXACT && op != COND_REGEX) return text_there(k);
  struct cell cell = {.p = p, .n = (uint32_t)n, .kind = CELL_TEXT};
  if (folds(op)) {
    luaL_Buffer b;
    char *folded = luaL_buffinitsize(k->L, &b, n);
    for (size_t i = 0; i < n; i++) folded[i] = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] + 32) : p[i];
    luaL_pushresultsize(&b, n);
    cell.p = lua_tostring(k->L, -1);
  }
  return leaf_of(k, op, &cell, 1);
}

static const struct condition *compare_size(struct comparison *k, int idx) {
  int exact;
  struct cell cell = {.i = lua_tointegerx(k->L, idx, &exact), .kind = CELL_INTEGER};
  if (lua_isnil(k->L, idx)) refuse(k, "an integer", idx);
  check_foreign(k, neap__operand_type(&k->draft.place), idx);
  if (lua_type(k->L, idx) != LUA_TNUMBER || !exact || cell.i < 0) return constant(k, false);
  return leaf_of(k, COND_SIZE, &cell, 1);
}

// In JSON the name of what is there; elsewhere the declared type decides, and only presence is left to ask.
static const struct condition *compare_type(struct comparison *k, int idx) {
  static const char *const names[] = {"string", "integer", "number", "boolean", "list", "map", "null"};
  const struct type *type = neap__operand_type(&k->draft.place);
  const char *name = lua_type(k->L, idx) == LUA_TSTRING ? lua_tostring(k->L, idx) : "";
  size_t known = 0;
  while (known < sizeof names / sizeof *names && strcmp(names[known], name) != 0) known++;
  if (known < sizeof names / sizeof *names && neap__place_in_json(&k->draft.place)) {
    struct cell cell = {.p = name, .n = (uint32_t)strlen(name), .kind = CELL_TEXT};
    return leaf_of(k, COND_TYPE, &cell, 1);
  }
  for (enum type_kind kind = 0; kind <= TYPE_POINTER; kind++)
    if (strcmp(neap__type_name(kind), name) == 0)
      return type && type->kind == kind ? exists(k, true) : constant(k, false);
  if (known == sizeof names / sizeof *names)
    refuse(k, "the name of a type (string integer number boolean list map null ...)", idx);
  return constant(k, false);
}

// ---- Places on the earth ----

// Reads the geopoint at idx, a table with latitude and longitude.
static void read_point(struct comparison *k, int idx, struct cell *latitude) {
  static const char *const names[] = {"latitude", "longitude"};
  if (!lua_istable(k->L, idx)) refuse(k, "geopoints", idx);
  for (int i = 0; i < 2; i++) {
    int number;
    lua_getfield(k->L, idx, names[i]);
    latitude[i] = (struct cell){.d = lua_tonumberx(k->L, -1, &number), .kind = CELL_NUMBER};
    lua_pop(k->L, 1);
    if (!number || isnan(latitude[i].d)) refuse(k, "geopoints: { latitude =, longitude = }", idx);
  }
}

static const struct condition *compare_near(struct comparison *k, int idx) {
  struct cell cells[4];
  bool within = k->draft.op == COND_WITHIN;
  if (!lua_istable(k->L, idx) || lua_rawlen(k->L, idx) != 2)
    refuse(k, within ? "two geopoints, the south-west and the north-east corner" : "a geopoint and metres", idx);
  lua_geti(k->L, idx, 1);
  lua_geti(k->L, idx, 2);
  int second = lua_gettop(k->L);
  read_point(k, second - 1, cells);
  if (within) {
    read_point(k, second, cells + 2);
    return leaf_of(k, COND_WITHIN, cells, 4);
  }
  if (lua_type(k->L, second) != LUA_TNUMBER) refuse(k, "a geopoint and metres", second);
  cells[2] = (struct cell){.d = lua_tonumber(k->L, second), .kind = CELL_NUMBER};
  return leaf_of(k, COND_NEAR, cells, 3);
}

// ---- Another column ----

// Kinds that compare with each other. 0: with none.
static int family(const struct type *type) {
  if (!type) return -1;
  switch (type->kind) {
    case TYPE_INTEGER:
    case TYPE_NUMBER: return 100;
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_GEOPOINT:
    case TYPE_FILE: return 0;
    case TYPE_POINTER: return family(type->of);
    default: return (int)type->kind + 1;
  }
}

static const struct condition *compare_column(struct comparison *k, const struct place *other) {
  const struct type *a = neap__operand_type(&k->draft.place), *b = neap__operand_type(other);
  const struct shape *shape = neap__column_shape(other);
  char left[200], right[200];
  neap__place_print(k->draft.shape, &k->draft.place, left, sizeof left);
  neap__place_print(shape, other, right, sizeof right);
  if (shape != k->draft.shape)
    neap__fail(k->L, NEAP_USAGE, "%s cannot be compared with %s: only columns of one model can", left, right);
  if (k->draft.op > COND_GTE)
    neap__fail(k->L, NEAP_USAGE, "%s %s takes values: only eq ne lt lte gt gte take another column (%s)", left,
               neap__condition_op_name(k->draft.op), right);
  if (family(a) == 0 || family(a) != family(b) || neap__place_in_json(&k->draft.place) || neap__place_in_json(other))
    neap__fail(k->L, NEAP_USAGE, "%s (%s) cannot be compared with %s (%s)", left, a ? neap__type_name(a->kind) : "json",
               right, b ? neap__type_name(b->kind) : "json");
  k->draft.other = other;
  return leaf(k);
}

// ---- All of them ----

static const struct condition *dispatch(struct comparison *k, int idx) {
  const struct type *type = neap__operand_type(&k->draft.place);
  bool set = type && type->kind == TYPE_SET;
  switch (k->draft.op) {
    case COND_EQ:
    case COND_NE: return set ? compare_sets(k, idx) : compare_one(k, idx);
    case COND_LT:
    case COND_LTE:
    case COND_GT:
    case COND_GTE: return compare_one(k, idx);
    case COND_IN:
    case COND_NIN: return set ? compare_in_sets(k, idx) : compare_in(k, idx);
    case COND_BETWEEN: return compare_between(k, idx);
    case COND_EXISTS: return compare_exists(k, idx);
    case COND_PREFIX:
    case COND_SUFFIX:
    case COND_CONTAINS:
    case COND_ICONTAINS:
    case COND_IPREFIX:
    case COND_ISUFFIX:
    case COND_IEXACT:
    case COND_REGEX: return compare_text(k, idx);
    case COND_SIZE: return compare_size(k, idx);
    case COND_ALL:
    case COND_HAS:
    case COND_ANY: return compare_elements(k, idx);
    case COND_NEAR:
    case COND_WITHIN: return compare_near(k, idx);
    case COND_TYPE: return compare_type(k, idx);
    case COND_AND:
    case COND_OR:
    case COND_NOT:
    case COND_SOME:
    case COND_ELEMENT: break;
  }
  return constant(k, true);
}

const struct condition *neap__condition_compare(lua_State *L, int class_idx, const struct shape *shape,
                                                const struct place *place, enum condition_op op, int idx) {
  struct comparison k = {.L = L, .class_idx = class_idx, .draft = {.op = op, .shape = shape, .place = *place}};
  struct neap__error e;
  int base = lua_gettop(L);
  idx = lua_absindex(L, idx);
  if (neap__operator_fits(neap__operator_of(op), shape, place, &e) != 0) neap__raise(L, &e);
  luaL_checkstack(L, 20, "too many conditions");
  const struct place *other = neap__column_test(L, idx);
  const struct condition *c = other ? compare_column(&k, other) : dispatch(&k, idx);
  if (lua_gettop(L) > base + 1) {
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
  }
  return c;
}
