// query.c: the methods that make a query of a query: where, order, limit, select, include, group. A query is immutable:
// each of them changes a copy that nobody has seen yet.
#include <stdio.h>
#include <string.h>

#include "model/memory.h"
#include "model/query_build.h"
#include "model/relation.h"
#include "modules.h"
#include "value/text.h"

#define QUERY_TYPE "neap.query"

// ---- The userdata ----

static struct query *push_query(lua_State *L, const struct query *from) {
  struct query *q = lua_newuserdatauv(L, sizeof *q, QUERY_VALUES);
  *q = *from;
  luaL_setmetatable(L, QUERY_TYPE);
  return q;
}

struct query *neap__query_new(lua_State *L, int class_idx) {
  class_idx = lua_absindex(L, class_idx);
  struct query *q = push_query(L, &(struct query){.class = neap__class_check(L, class_idx), .limit = -1});
  lua_pushvalue(L, class_idx);
  lua_setiuservalue(L, -2, QUERY_CLASS);
  return q;
}

struct query *neap__query_clone(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  struct query *q = push_query(L, lua_touserdata(L, idx));
  for (int i = QUERY_CLASS; i < QUERY_FILLED; i++) {
    lua_getiuservalue(L, idx, i);
    lua_setiuservalue(L, -2, i);
  }
  return q;
}

const struct query *neap__query_test(lua_State *L, int idx) {
  return luaL_testudata(L, idx, QUERY_TYPE);
}

const struct query *neap__query_check(lua_State *L, int idx) {
  const struct query *q = neap__query_test(L, idx);
  if (!q)
    neap__fail(L, NEAP_USAGE, "a query was expected, not %s; call its methods with a colon",
               neap__show_value(L, idx).text);
  return q;
}

const struct query *neap__query_self(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  if (neap__class_test(L, idx)) {
    neap__query_new(L, idx);
    lua_replace(L, idx);
  }
  return neap__query_check(L, idx);
}

void neap__query_keep(lua_State *L, int q, enum query_value value) {
  q = lua_absindex(L, q);
  lua_setiuservalue(L, q, value);
}

void neap__query_push_class(lua_State *L, int q) {
  lua_getiuservalue(L, q, QUERY_CLASS);
}

int neap__query_width(const struct query *q) {
  if (q->ngroups + q->naggregates > 0) return q->ngroups + q->naggregates;
  struct join joins[QUERY_JOINS];
  int width;
  neap__query_joins(q, joins, &width);
  return width;
}

int neap__query_check_tied(const struct query *q, struct neap__error *e) {
  if (!q->owners || q->owner) return 0;
  return neap__error_set(e, NEAP_USAGE, "through asks for rows of %s, but nothing ties %s to it here: use an include",
                         q->owners->shape->model, q->class->shape->model);
}

enum read_form neap__query_form(const struct query *q) {
  return q->ngroups + q->naggregates > 0 ? READ_TABLES : READ_OBJECTS;
}

struct query *neap__query_begin(lua_State *L) {
  neap__query_self(L, 1);
  neap__query_clone(L, 1);
  lua_replace(L, 1);
  neap__query_push_class(L, 1);
  lua_insert(L, 2);
  return lua_touserdata(L, 1);
}

static int finish(lua_State *L) {
  lua_settop(L, 1);
  return 1;
}

// ---- Conditions ----

void neap__query_and(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  struct query *q = lua_touserdata(L, idx);
  lua_getiuservalue(L, idx, QUERY_WHERE);
  q->where = neap__condition_and(L, -1, -2);
  neap__query_keep(L, idx, QUERY_WHERE);
  lua_pop(L, 2);
}

// Pushes what the arguments of where and exclude spell.
static void push_condition(lua_State *L, const char *method) {
  const struct query *q = neap__query_begin(L);
  if (lua_gettop(L) < 3)
    neap__fail(L, NEAP_USAGE, "%s takes conditions on %s: tables, column expressions, or a name and a value", method,
               q->class->shape->model);
  neap__condition_parse(L, 2, 3);
}

static int where_all(lua_State *L) {
  push_condition(L, "where");
  neap__query_and(L, 1);
  return finish(L);
}

// Query:where(condition ...) -> Query
//   conditions in any spelling, or a name and a value; those of several calls are ANDed
static int query_where(lua_State *L) {
  return neap__query_faults(L, where_all, true);
}

static int exclude_all(lua_State *L) {
  push_condition(L, "exclude");
  neap__condition_not(L, -1);
  neap__query_and(L, 1);
  return finish(L);
}

// Query:exclude(condition ...) -> Query
//   the rows that where() with the same arguments would not give
static int query_exclude(lua_State *L) {
  return neap__query_faults(L, exclude_all, true);
}

// ---- Places ----

// Appends the value on top of the stack to the list of anchors, and pops it.
static void anchor(lua_State *L, int anchors) {
  lua_rawseti(L, anchors, (lua_Integer)lua_rawlen(L, anchors) + 1);
}

// Splits "author.name" or "author__name" where a dot or two underscores are: the length of the first part.
size_t neap__path_part(const char *path, size_t n, size_t *separator) {
  for (size_t i = 0; i < n; i++) {
    *separator = path[i] == '.' ? 1 : path[i] == '_' && i > 0 && i + 2 < n && path[i + 1] == '_' ? 2 : 0;
    if (*separator) return i;
  }
  return n;
}

static void resolve(lua_State *L, int class_idx, const struct field *field) {
  struct neap__error e;
  if (neap__shape_resolve(L, class_idx, field, &e) != 0) neap__raise(L, &e);
}

#define VIA_MAX 8

// The step through a relation to one; its query is anchored.
static struct via step_through(lua_State *L, int class_idx, const struct field *f, int anchors) {
  struct via via = {.field = f};
  if (f->type.kind != TYPE_HAS_ONE) return via;
  neap__class_of(L, class_idx, f->target_name);
  neap__query_new(L, -1);
  neap__relation_declared(L, class_idx, f);
  neap__query_complete_order(L, lua_gettop(L));
  via.query = lua_touserdata(L, -1);
  anchor(L, anchors);
  lua_pop(L, 1);
  return via;
}

struct reach neap__reach_parse_text(lua_State *L, int class_idx, const char *path, size_t n, int anchors,
                                    const char *what) {
  struct via via[VIA_MAX];
  struct reach r = {0};
  size_t separator;
  lua_pushvalue(L, class_idx);
  for (;;) {
    const struct shape *shape = neap__class_check(L, -1)->shape;
    size_t part = neap__path_part(path, n, &separator);
    const struct field *f = part < n ? neap__shape_field(shape, path, part) : NULL;
    if (!f || (f->type.kind != TYPE_POINTER && f->type.kind != TYPE_HAS_ONE)) break;
    if (r.nvia == VIA_MAX) neap__fail(L, NEAP_USAGE, "%s: more than %d relations in one name", what, VIA_MAX);
    resolve(L, lua_gettop(L), f);
    via[r.nvia++] = step_through(L, lua_gettop(L), f, anchors);
    neap__class_of(L, lua_gettop(L), f->target_name);
    lua_remove(L, -2);
    path += part + separator;
    n -= part + separator;
  }
  r.place = *neap__column_parse(L, lua_gettop(L), path, n);
  anchor(L, anchors);
  lua_pop(L, 1);
  if (r.nvia == 0) return r;
  size_t size = (size_t)r.nvia * sizeof *via;
  r.via = memcpy(lua_newuserdatauv(L, size, 0), via, size);
  anchor(L, anchors);
  return r;
}

struct reach neap__reach_parse(lua_State *L, int class_idx, int idx, int anchors, const char *what) {
  const struct shape *shape = neap__class_check(L, class_idx)->shape;
  const struct place *place = neap__column_test(L, idx);
  if (!place) {
    size_t n;
    if (lua_type(L, idx) != LUA_TSTRING)
      neap__fail(L, NEAP_USAGE, "%s takes names of fields or columns of %s, not %s", what, shape->model,
                 neap__show_value(L, idx).text);
    const char *path = lua_tolstring(L, idx, &n);
    return neap__reach_parse_text(L, class_idx, path, n, anchors, what);
  }
  if (place->field->index >= shape->nfields || &shape->fields[place->field->index] != place->field)
    neap__fail(L, NEAP_USAGE, "%s: the column %s is not one of %s", what, place->field->name, shape->model);
  lua_pushvalue(L, idx);
  anchor(L, anchors);
  return (struct reach){.place = *place};
}

// Pushes room for `count` things of `size` bytes, and the list of what they point to, which it anchors.
static void *push_block(lua_State *L, int count, size_t size) {
  void *block = lua_newuserdatauv(L, (size_t)count * size + 1, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -3, 1);
  return block;
}

// ---- Order, limit ----

static bool names_group(lua_State *L, const struct query *q, const char *name) {
  bool found = false;
  for (int i = 0; i < q->ngroups && !found; i++) {
    neap__order_name(L, &(struct order){.reach = q->groups[i]});
    found = strcmp(lua_tostring(L, -1), name) == 0;
    lua_pop(L, 1);
  }
  return found;
}

// One argument of order: "-views", "author.name", a column, or the label of an aggregate where the query has groups.
static struct order parse_order(lua_State *L, const struct query *q, int idx, int anchors) {
  struct order o = {0};
  if (lua_type(L, idx) != LUA_TSTRING) {
    o.reach = neap__reach_parse(L, 2, idx, anchors, "order");
    return o;
  }
  size_t n;
  const char *name = lua_tolstring(L, idx, &n);
  o.descending = n > 0 && *name == '-';
  name += o.descending;
  n -= o.descending;
  size_t separator, part = neap__path_part(name, n, &separator);
  if (q->ngroups > 0 && !neap__shape_field(q->class->shape, name, part) && !names_group(L, q, name)) {
    o.label = lua_pushlstring(L, name, n);
    anchor(L, anchors);
  } else {
    o.reach = neap__reach_parse_text(L, 2, name, n, anchors, "order");
  }
  return o;
}

static int order_all(lua_State *L) {
  struct query *q = neap__query_begin(L);
  int n = lua_gettop(L) - 2;
  struct order *orders = push_block(L, n, sizeof *orders);
  for (int i = 0; i < n; i++) orders[i] = parse_order(L, q, i + 3, lua_gettop(L));
  lua_pop(L, 1);
  neap__query_keep(L, 1, QUERY_ORDERS);
  q->orders = orders;
  q->norders = n;
  return finish(L);
}

// Query:order(name ...) -> Query
//   name  a field, a path ("author.name", "data.key"), a column, or where groups are the label of an aggregate; "-name"
//         turns the direction around. Absent values come last either way. The last call counts.
static int query_order(lua_State *L) {
  return neap__query_faults(L, order_all, false);
}

static void add_index(luaL_Buffer *b, int64_t index) {
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)index);
  luaL_addstring(b, text);
}

// The undeclared fields of an open model are places of one column, which scripts do not know.
static void add_place(luaL_Buffer *b, const struct place *place) {
  bool undeclared = place->nsteps > 0 && place->field->column == place->field->shape->open;
  if (!undeclared) luaL_addstring(b, place->field->name);
  for (int i = 0; i < place->nsteps; i++) {
    const struct step *step = &place->steps[i];
    if (i > 0 || !undeclared) luaL_addchar(b, '.');
    if (step->key)
      luaL_addlstring(b, step->key, step->nkey);
    else
      add_index(b, step->index);
  }
  if (place->counted) luaL_addstring(b, ".count");
}

void neap__order_name(lua_State *L, const struct order *o) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  if (o->descending) luaL_addchar(&b, '-');
  for (int i = 0; i < o->reach.nvia; i++) {
    luaL_addstring(&b, o->reach.via[i].field->name);
    luaL_addchar(&b, '.');
  }
  if (o->label)
    luaL_addstring(&b, o->label);
  else
    add_place(&b, &o->reach.place);
  luaL_pushresult(&b);
}

static bool ordered_by(const struct query *q, const struct field *f) {
  for (int i = 0; i < q->norders; i++)
    if (q->orders[i].reach.nvia == 0 && q->orders[i].reach.place.field == f) return true;
  return false;
}

void neap__query_complete_order(lua_State *L, int idx) {
  struct query *q = lua_touserdata(L, idx);
  const struct shape *shape = q->class->shape;
  struct neap__error e;
  neap__query_push_class(L, idx);  // where a key is a pointer, what it points to tells its type, if that is declared
  for (int i = 0; i < shape->nkeys; i++) neap__shape_resolve(L, lua_gettop(L), shape->keys[i], &e);
  lua_pop(L, 1);
  struct order *orders = lua_newuserdatauv(L, (size_t)(q->norders + shape->nkeys) * sizeof *orders + 1, 1);
  if (q->norders > 0) memcpy(orders, q->orders, (size_t)q->norders * sizeof *orders);
  int n = q->norders;
  for (int i = 0; i < shape->nkeys; i++)
    if (!ordered_by(q, shape->keys[i]))
      orders[n++] = (struct order){.reach.place = {.field = shape->keys[i], .type = &shape->keys[i]->type}};
  lua_getiuservalue(L, idx, QUERY_ORDERS);
  lua_setiuservalue(L, -2, 1);
  neap__query_keep(L, idx, QUERY_ORDERS);
  q->orders = orders;
  q->norders = n;
}

// Query:limit(n) -> Query
//   n  integer >= 0: the most rows to give; 0 gives none
static int query_limit(lua_State *L) {
  struct query *q = neap__query_begin(L);
  q->limit = neap__arg_integer(L, 3, "n", 0, LUA_MAXINTEGER);
  return finish(L);
}

// Query:skip(n) -> Query
//   n  integer >= 0: rows to leave out first. page() is faster where many would be skipped.
static int query_skip(lua_State *L) {
  struct query *q = neap__query_begin(L);
  q->skip = neap__arg_integer(L, 3, "n", 0, LUA_MAXINTEGER);
  return finish(L);
}

// ---- Select ----

void neap__query_select(lua_State *L, int idx, const uint64_t *bits) {
  idx = lua_absindex(L, idx);
  struct query *q = lua_touserdata(L, idx);
  const struct shape *shape = q->class->shape;
  const struct field **select = lua_newuserdatauv(L, (size_t)(shape->ncells + 1) * sizeof(const struct field *), 0);
  q->nselect = 0;
  for (int i = 0; i < shape->ncells; i++)
    if (neap__has_bit(bits, i)) select[q->nselect++] = shape->columns[i];
  q->select = select;
  neap__query_keep(L, idx, QUERY_SELECT);
}

uint64_t *neap__query_push_bits(lua_State *L, const struct query *q) {
  size_t size = ((size_t)q->class->shape->ncells / 64 + 1) * sizeof(uint64_t);
  return memset(lua_newuserdatauv(L, size, 0), 0, size);
}

void neap__query_mark(uint64_t *bits, int column) {
  neap__set_bit(bits, column);
}

// Marks what a field is read from: its column, and of a field computed by code the fields that it needs. False: it has neither.
static bool mark_field(uint64_t *bits, const struct shape *shape, const struct field *f, int depth) {
  if (f->column >= 0) neap__query_mark(bits, f->column);
  for (int i = 0; i < f->nneeds && depth < shape->nfields; i++) {
    const struct field *need = neap__shape_field(shape, f->needs[i], strlen(f->needs[i]));
    mark_field(bits, shape, need ? need : shape->columns[shape->open], depth + 1);
  }
  return f->column >= 0 || f->nneeds > 0;
}

// Pushes the bits of the columns that the arguments of select from index 3 to `last` name for the class at index 2. Counts,
// "comments.count", go to the query: by name alone, for the objects are asked for them by the relation's name.
static uint64_t *push_columns(lua_State *L, struct query *q, int last) {
  struct place *counts = push_block(L, last, sizeof *counts);
  lua_insert(L, -2);
  neap__query_keep(L, 1, QUERY_COUNTS);
  q->counts = counts;
  q->ncounts = 0;
  uint64_t *bits = neap__query_push_bits(L, q);
  lua_insert(L, -2);
  for (int i = 3; i <= last; i++) {
    struct reach r = neap__reach_parse(L, 2, i, lua_gettop(L), "select");
    if (r.nvia == 0 && r.place.counted && lua_type(L, i) == LUA_TSTRING) {
      counts[q->ncounts++] = r.place;
      continue;
    }
    bool undeclared = r.place.field->column == q->class->shape->open;  // comes with all that an open model keeps
    bool whole = r.nvia == 0 && (r.place.nsteps == 0 || undeclared);
    if (!whole || !mark_field(bits, q->class->shape, r.place.field, 0))
      neap__fail(L, NEAP_USAGE, "select takes whole columns of %s; '%s' is none (related objects come with include)",
                 q->class->shape->model, luaL_tolstring(L, i, NULL));
  }
  lua_pop(L, 1);
  return bits;
}

static int select_all(lua_State *L) {
  struct query *q = neap__query_begin(L);
  const struct shape *shape = q->class->shape;
  int last = lua_gettop(L);
  if (last < 3) return neap__fail(L, NEAP_USAGE, "select takes the names of fields of %s", shape->model);
  uint64_t *bits = push_columns(L, q, last);
  for (int i = 0; i < shape->nkeys; i++) neap__query_mark(bits, shape->keys[i]->column);
  if (shape->version >= 0) neap__query_mark(bits, shape->version);
  neap__query_select(L, 1, bits);
  neap__include_select(L, 1);
  return finish(L);
}

// Query:select(name ...) -> Query
//   loads only these fields, and always the keys and the version. Reading another field of such an object raises.
//   "comments.count" loads how many objects a relation leads to: then p.comments:count() sends nothing.
static int query_select(lua_State *L) {
  return neap__query_faults(L, select_all, false);
}

// Query:pluck(name) -> list of the values of one field, path or place that pointers lead to; neap.null where there is none
static int query_pluck(lua_State *L) {
  struct query *q = neap__query_begin(L);
  lua_settop(L, 3);
  struct reach *reach = push_block(L, 1, sizeof *reach);
  *reach = neap__reach_parse(L, 2, 3, lua_gettop(L), "pluck");
  lua_pop(L, 1);
  if (reach->nvia > 0 || reach->place.nsteps > 0 || reach->place.field->column < 0) {
    neap__query_keep(L, 1, QUERY_GROUPS);
    q->groups = reach;
    q->ngroups = 1;
    q->every = true;
  } else {
    uint64_t *bits = neap__query_push_bits(L, q);
    neap__query_mark(bits, reach->place.field->column);
    neap__query_select(L, 1, bits);
    q->ncounts = 0;
  }
  lua_settop(L, 1);
  return neap__query_read(L, READ_VALUES, RESULT_LIST);
}

// ---- Groups ----

// Query:group(name ...) -> Query
//   its rows are plain tables, one for each combination of the values; aggregate{…} adds what is computed of each group
static int query_group(lua_State *L) {
  struct query *q = neap__query_begin(L);
  int n = lua_gettop(L) - 2;
  if (n == 0) return neap__fail(L, NEAP_USAGE, "group takes the names of fields of %s", q->class->shape->model);
  struct reach *groups = push_block(L, n, sizeof *groups);
  for (int i = 0; i < n; i++) groups[i] = neap__reach_parse(L, 2, i + 3, lua_gettop(L), "group");
  lua_pop(L, 1);
  neap__query_keep(L, 1, QUERY_GROUPS);
  q->groups = groups;
  q->ngroups = n;
  return finish(L);
}

// ---- Other stores' ways ----

// Query:for_update{ skip_locked = true } -> Query
//   locks the rows until the transaction ends, where the store has such locks
static int query_for_update(lua_State *L) {
  struct query *q = neap__query_begin(L);
  q->for_update = true;
  if (lua_istable(L, 3)) {
    lua_getfield(L, 3, "skip_locked");
    q->skip_locked = lua_toboolean(L, -1);
  }
  return finish(L);
}

// Query:consistent() -> Query
//   reads what was written last, on stores that otherwise may give something older
static int query_consistent(lua_State *L) {
  neap__query_begin(L)->consistent = true;
  return finish(L);
}

static int query_tostring(lua_State *L) {
  const struct query *q = neap__query_check(L, 1);
  lua_pushfstring(L, "query over %s", q->class->shape->model);
  if (q->where && !neap__condition_is_true(q->where)) {
    lua_pushliteral(L, " where ");
    neap__condition_print(L, q->where);
    lua_concat(L, 3);
  }
  return 1;
}

// ---- Registration ----

static const luaL_Reg methods[] = {
    {"where", query_where},
    {"exclude", query_exclude},
    {"order", query_order},
    {"limit", query_limit},
    {"skip", query_skip},
    {"select", query_select},
    {"pluck", query_pluck},
    {"group", query_group},
    {"for_update", query_for_update},
    {"consistent", query_consistent},
    {NULL, NULL},
};

// Every method of a query is one of each class too: there it means all objects of the class.
static void add_methods(lua_State *L) {
  static const luaL_Reg *const lists[] = {methods,
                                          neap__query_includes,
                                          neap__query_terminals,
                                          neap__query_aggregates,
                                          neap__query_havings,
                                          neap__query_pages,
                                          neap__query_hints,
                                          NULL};
  for (int i = 0; lists[i]; i++) luaL_setfuncs(L, lists[i], 0);
}

// query.link(query) -> class of the link table, name of its pointer to the owner, name of the other, key of the owner
//   nothing if the query is not one that a many_to_many relation gave
static int query_link(lua_State *L) {
  const struct query *q = neap__query_check(L, 1);
  if (!q->link) return 0;
  neap__query_push_class(L, 1);
  neap__class_of(L, lua_gettop(L), q->link->through->model);
  lua_pushstring(L, q->link->through_here->name);
  lua_pushstring(L, q->link->through_there->name);
  neap__cell_push(L, (q->owners->op == COND_AND ? q->owners->children[0] : q->owners)->cells);
  return 4;
}

// require "neap.query" -> { methods = what queries index, link = }
int luaopen_neap_query(lua_State *L) {
  neap__query_read_open(L);
  neap__memory_open(L);
  luaL_newmetatable(L, QUERY_TYPE);
  lua_pushcfunction(L, query_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "__metatable");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "neap.class.methods");
  add_methods(L);
  lua_createtable(L, 0, 2);
  lua_newtable(L);
  add_methods(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -5, "__index");
  lua_setfield(L, -2, "methods");
  lua_pushcfunction(L, query_link);
  lua_setfield(L, -2, "link");
  return 1;
}
