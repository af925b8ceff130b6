// query_hints.c: how a store is to look for the rows, where it does not find its way by itself: by which index, by which keys, with
// which filter, or through everything. Stores that have no such choice refuse all of it.
#include <string.h>

#include "model/query_build.h"

#define INDEX_TYPE "neap.index"
#define SEGMENTS_MOST 1000000

// An index as scripts hold it, Post.by_user; its user value is the class.
struct named_index {
  const struct shape *shape;
  const struct index *index;
};

static const struct index *find(const struct shape *shape, const char *name) {
  for (int i = 0; i < shape->nindexes; i++)
    if (strcmp(shape->indexes[i].name, name) == 0) return &shape->indexes[i];
  return NULL;
}

static int index_tostring(lua_State *L) {
  const struct named_index *named = luaL_checkudata(L, 1, INDEX_TYPE);
  lua_pushfstring(L, "index %s.%s", named->shape->model, named->index->name);
  return 1;
}

bool neap__index_push(lua_State *L, int class_idx, const char *name) {
  const struct shape *shape = neap__class_check(L, class_idx)->shape;
  const struct index *index = find(shape, name);
  if (!index) return false;
  class_idx = lua_absindex(L, class_idx);
  struct named_index *named = lua_newuserdatauv(L, sizeof *named, 1);
  *named = (struct named_index){shape, index};
  lua_pushvalue(L, class_idx);
  lua_setiuservalue(L, -2, 1);
  if (luaL_newmetatable(L, INDEX_TYPE)) {
    lua_pushcfunction(L, index_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
  }
  lua_setmetatable(L, -2);
  return true;
}

// The start of a method: self at index 1 becomes a copy of itself, its class is at index 2, below the arguments.
static struct query *begin(lua_State *L, const char *method) {
  const struct query *q = neap__query_self(L, 1);
  const struct store_verbs *verbs = q->class->view->store->verbs;
  if (!verbs->hints)
    neap__fail(L, NEAP_UNSUPPORTED, "%s finds its way by itself, without %s: where() is enough", verbs->name, method);
  return neap__query_begin(L);
}

static int finish(lua_State *L) {
  lua_settop(L, 1);
  return 1;
}

// The index that the argument is or names.
static const struct index *read_index(lua_State *L, const struct shape *shape) {
  const struct named_index *named = luaL_testudata(L, 3, INDEX_TYPE);
  const struct index *index = named ? named->index : NULL;
  if (named && named->shape != shape)
    neap__fail(L, NEAP_USAGE, "index: %s is no index of %s", luaL_tolstring(L, 3, NULL), shape->model);
  if (!named && lua_type(L, 3) == LUA_TSTRING) index = find(shape, lua_tostring(L, 3));
  if (!index)
    neap__fail(L, NEAP_USAGE, "index takes an index of %s or its name, not %s", shape->model,
               neap__show_value(L, 3).text);
  if (index->kind == INDEX_PLAIN)
    neap__fail(L, NEAP_USAGE, "%s.%s is an index of SQL; index takes a global_index or a local_index", shape->model,
               index->name);
  return index;
}

// Without a selection of its own the query then gives what the index holds.
static void select_held(lua_State *L, struct query *q) {
  uint64_t *bits = neap__query_push_bits(L, q);
  for (int i = 0; i < q->class->shape->ncolumns; i++)
    if (neap__has_bit(q->index->holds, i)) neap__query_mark(bits, i);
  neap__query_select(L, 1, bits);
}

// Query:index(Post.by_user) -> Query
//   looks through this index, and nowhere else. Without select() the objects have the fields that it holds.
static int query_index(lua_State *L) {
  struct query *q = begin(L, "index");
  q->index = read_index(L, q->class->shape);
  if (q->index->holds && q->nselect == 0 && q->index->kind == INDEX_GLOBAL) select_held(L, q);
  return finish(L);
}

// ANDs the condition that the arguments spell to *to, which is kept as `value`.
static const struct condition *add_condition(lua_State *L, const char *method, enum query_value value) {
  const struct query *q = begin(L, method);
  if (lua_gettop(L) < 3)
    neap__fail(L, NEAP_USAGE, "%s takes conditions on %s: tables, column expressions, or a name and a value", method,
               q->class->shape->model);
  neap__condition_parse(L, 2, 3);
  lua_getiuservalue(L, 1, value);
  const struct condition *c = neap__condition_and(L, -1, -2);
  neap__query_keep(L, 1, value);
  return c;
}

static int key_all(lua_State *L) {
  const struct condition *c = add_condition(L, "key", QUERY_KEY);
  ((struct query *)lua_touserdata(L, 1))->key = c;
  return finish(L);
}

// Query:key(condition ...) -> Query
//   the hash key, by eq, and what the range key must meet, of the table or of the index: where() finds them by itself
static int query_key(lua_State *L) {
  return neap__query_faults(L, key_all, true);
}

static int filter_all(lua_State *L) {
  const struct condition *c = add_condition(L, "filter", QUERY_FILTER);
  ((struct query *)lua_touserdata(L, 1))->filter = c;
  return finish(L);
}

// Query:filter(condition ...) -> Query
//   what the server itself applies to what it has read, and raises where it cannot
static int query_filter(lua_State *L) {
  return neap__query_faults(L, filter_all, true);
}

// Query:scan{ segments = n } -> Query
//   all of the table, or of the index, may be read. segments: parts that are read side by side
static int query_scan(lua_State *L) {
  static const char *const known[] = {"segments", NULL};
  struct query *q = begin(L, "scan");
  q->scan = true;
  if (lua_isnoneornil(L, 3)) return finish(L);
  neap__arg_table(L, 3, "options");
  neap__arg_options(L, 3, known);
  if (lua_getfield(L, 3, "segments") != LUA_TNIL)
    q->segments = (int)neap__arg_integer(L, -1, "segments", 1, SEGMENTS_MOST);
  return finish(L);
}

const luaL_Reg neap__query_hints[] = {
    {"index", query_index}, {"key", query_key}, {"filter", query_filter}, {"scan", query_scan}, {NULL, NULL}};
