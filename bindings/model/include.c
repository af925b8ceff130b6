// include.c: related objects that come with the rows: what include() asks for, and its loading, relation by relation. Each
// include has a query over the related model, the includes of which go on from there, so that a tree is loaded level by level.
#include <stdlib.h>
#include <string.h>

#include "model/query_build.h"
#include "value/text.h"

#define DEPTH_MAX 64  // of includes in each other

// ---- The includes of a query ----

static int find(const struct query *q, const struct field *field) {
  int i = 0;
  while (i < q->nincludes && q->includes[i].field != field) i++;
  return i;
}

// Pushes the list of the queries of all includes, or nil.
static void push_queries(lua_State *L, int idx) {
  if (lua_getiuservalue(L, idx, QUERY_INCLUDES) == LUA_TUSERDATA) {
    lua_getiuservalue(L, -1, 1);
    lua_remove(L, -2);
  }
}

static void push_include(lua_State *L, int idx, int i) {
  push_queries(L, idx);
  lua_rawgeti(L, -1, i + 1);
  lua_remove(L, -2);
}

void neap__include_select(lua_State *L, int idx) {
  struct query *q = lua_touserdata(L, idx);
  if (q->nselect == 0) return;
  uint64_t *bits = neap__query_push_bits(L, q);
  for (int i = 0; i < q->nselect; i++) neap__query_mark(bits, q->select[i]->column);
  for (int i = 0; i < q->nincludes; i++)
    if (q->includes[i].field->column >= 0) neap__query_mark(bits, q->includes[i].field->column);
  neap__query_select(L, idx, bits);
  lua_pop(L, 1);
}

// Pops a query and makes it that of the relation in the query at idx, which nobody has seen yet.
static void put(lua_State *L, int idx, const struct field *field) {
  struct query *q = lua_touserdata(L, idx);
  int child = lua_gettop(L), at = find(q, field), n = q->nincludes + (at == q->nincludes);
  struct include *list = lua_newuserdatauv(L, (size_t)n * sizeof *list, 1);
  if (q->nincludes > 0) memcpy(list, q->includes, (size_t)q->nincludes * sizeof *list);
  list[at] = (struct include){field, lua_touserdata(L, child)};
  lua_createtable(L, n, 0);
  push_queries(L, idx);
  for (int i = 0; i < q->nincludes; i++) {
    lua_rawgeti(L, -1, i + 1);
    lua_rawseti(L, child + 2, i + 1);
  }
  lua_pop(L, 1);
  lua_pushvalue(L, child);
  lua_rawseti(L, child + 2, at + 1);
  lua_setiuservalue(L, child + 1, 1);
  neap__query_keep(L, idx, QUERY_INCLUDES);
  q->includes = list;
  q->nincludes = n;
  lua_settop(L, child - 1);
  neap__include_select(L, idx);
}

// ---- What a script asks for ----

static const struct field *relation_field(lua_State *L, const struct shape *shape, const char *name, size_t n) {
  const struct field *f = neap__shape_field(shape, name, n);
  if (f && f->target_name) return f;
  struct neap__nearest near = neap__nearest_to(name, n);
  for (int i = 0; i < shape->nfields; i++)
    if (shape->fields[i].target_name) neap__nearest_offer(&near, shape->fields[i].name);
  neap__fail(L, NEAP_USAGE, "include: %s is no pointer or relation of %s%s", neap__show_name(name, n).text,
             shape->model, neap__show_hint("", near.best).text);
  return NULL;
}

static void check_query(lua_State *L, const struct field *f, int idx) {
  const struct query *q = neap__query_test(L, idx);
  if (!q || q->class->shape != f->target)
    neap__fail(L, NEAP_USAGE, "include: %s.%s takes true or a query over %s, not %s", f->shape->model, f->name,
               f->target_name,
               q ? lua_pushfstring(L, "one over %s", q->class->shape->model) : neap__show_value(L, idx).text);
  if (q->ngroups + q->naggregates > 0 || q->link || q->for_update)
    neap__fail(L, NEAP_USAGE,
               "include: the query for %s.%s says which objects come: no groups, locks or relations of an object",
               f->shape->model, f->name);
  if (q->owners && q->owners->shape != f->through)
    neap__fail(L, NEAP_USAGE, "include: %s.%s is not tied through %s", f->shape->model, f->name,
               q->owners->shape->model);
  if (!neap__field_is_to_many(f) && (q->limit >= 0 || q->skip > 0))
    neap__fail(L, NEAP_USAGE, "include: %s.%s is one object: limit and skip are for relations to many", f->shape->model,
               f->name);
}

// Pushes a copy of the query at `given`, with what the one at `before` (nil: none) includes and it does not.
static void push_given(lua_State *L, const struct field *f, int given, int before) {
  check_query(L, f, given);
  struct query *q = neap__query_clone(L, given);
  int copy = lua_gettop(L);
  const struct query *old = neap__query_test(L, before);
  for (int i = 0; old && i < old->nincludes; i++) {
    if (find(q, old->includes[i].field) < q->nincludes) continue;
    push_include(L, before, i);
    put(L, copy, old->includes[i].field);
  }
}

// Adds the relation that a path ("comments.user") names to the query at idx, which nobody has seen yet. given: the index of the
// query that is asked of it, 0 = none.
static void add_path(lua_State *L, int idx, const char *path, size_t len, int given, int depth) {
  struct query *q = lua_touserdata(L, idx);
  struct neap__error e;
  int top = lua_gettop(L);
  size_t separator, part = neap__path_part(path, len, &separator);
  if (depth > DEPTH_MAX) neap__fail(L, NEAP_LIMIT, "include: more than %d relations behind each other", DEPTH_MAX);
  luaL_checkstack(L, LUA_MINSTACK, "include");
  const struct field *f = relation_field(L, q->class->shape, path, part);
  neap__query_push_class(L, idx);
  if (neap__shape_resolve(L, top + 1, f, &e) != 0) neap__raise(L, &e);
  int at = find(q, f);
  bool known = at < q->nincludes;
  if (known)
    push_include(L, idx, at);
  else
    lua_pushnil(L);
  neap__class_of(L, top + 1, f->target_name);
  if (part == len && given)
    push_given(L, f, given, top + 2);
  else if (known)
    neap__query_clone(L, top + 2);
  else
    neap__query_new(L, top + 3);
  if (f->type.kind == TYPE_HAS_ONE && (!known || (part == len && given))) {
    neap__relation_declared(L, top + 1, f);
    neap__query_complete_order(L, lua_gettop(L));
  }
  if (part < len) add_path(L, lua_gettop(L), path + part + separator, len - part - separator, given, depth + 1);
  put(L, idx, f);
  lua_settop(L, top);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Pushes a list of the names in the table at idx, sorted, for tables have no order of their own. Returns their number.
static const char **push_names(lua_State *L, int idx, size_t *n) {
  *n = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) ++*n;
  const char **names = lua_newuserdatauv(L, (*n + 1) * sizeof *names, 0);
  *n = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
    if (lua_type(L, -2) == LUA_TSTRING)
      names[(*n)++] = lua_tostring(L, -2);
    else if (!lua_isinteger(L, -2) || lua_type(L, -1) != LUA_TSTRING)
      neap__fail(L, NEAP_USAGE, "include takes names, and tables { relation = query or true }, not %s",
                 neap__show_value(L, -1).text);
  qsort(names, *n, sizeof *names, by_name);
  return names;
}

// include{ "author", comments = Comment:order "-at" }
static void add_table(lua_State *L, int idx) {
  size_t n, len;
  int top = lua_gettop(L);
  const char **names = push_names(L, idx, &n);
  for (lua_Integer i = 1; lua_rawgeti(L, idx, i) != LUA_TNIL; i++) {
    const char *path = lua_tolstring(L, -1, &len);
    add_path(L, 1, path, len, 0, 1);
    lua_settop(L, top + 1);
  }
  for (size_t i = 0; i < n; i++) {
    lua_settop(L, top + 1);
    lua_getfield(L, idx, names[i]);
    bool plain = lua_isboolean(L, -1) && lua_toboolean(L, -1);
    if (neap__class_test(L, -1)) neap__query_self(L, -1);
    add_path(L, 1, names[i], strlen(names[i]), plain ? 0 : top + 2, 1);
  }
  lua_settop(L, top);
}

// Query:include(path or { relation = query or true } ...) -> Query
//   path  a pointer or relation, "author", or one behind another, "comments.user". What is one object comes by the statement of
//         the rows, each relation to many by one more a level. A query says which related objects come, in what order and, for
//         each row, how many. Several calls add up.
static int query_include(lua_State *L) {
  neap__query_self(L, 1);
  int last = lua_gettop(L);
  neap__query_clone(L, 1);
  lua_replace(L, 1);
  for (int i = 2; i <= last; i++) {
    size_t len;
    if (lua_istable(L, i)) {
      add_table(L, i);
      continue;
    }
    const char *path = neap__arg_string(L, i, "include", &len);
    add_path(L, 1, path, len, 0, 1);
  }
  lua_settop(L, 1);
  return 1;
}

// Query:through(condition) -> Query
//   what is asked of the row of the link table that ties an object: of a many_to_many relation, p.tags:through{ weight__gte = 2 },
//   or of what is included, { tags = Tag:through(PostTag.weight:gte(2)) }
static int query_through(lua_State *L) {
  const struct query *q = neap__query_self(L, 1);
  const struct condition *c = neap__condition_test(L, 2);
  lua_settop(L, 2);
  neap__query_clone(L, 1);
  lua_replace(L, 1);
  neap__query_push_class(L, 1);
  if (q->link) {
    neap__class_of(L, 3, q->link->through->model);
    lua_pushvalue(L, 2);
    neap__condition_parse(L, 4, 5);
  } else {
    if (!c || !c->shape)
      return neap__fail(L, NEAP_USAGE,
                        "through of a query that is not yet tied to a link table takes a condition made of its "
                        "columns: Tag:through(PostTag.weight:gte(2))");
    lua_pushvalue(L, 2);
  }
  neap__query_and_owners(L, 1);
  lua_settop(L, 1);
  return 1;
}

const luaL_Reg neap__query_includes[] = {{"include", query_include}, {"through", query_through}, {NULL, NULL}};

// ---- Loading ----

// What comes by statements of its own, in a table with four values each: the list of parents, their class, field, query.
enum { WORK_LIST = 1, WORK_CLASS, WORK_FIELD, WORK_QUERY, WORK = WORK_QUERY };

// Adds the includes of the query at idx to the work. Its objects are the list above it, their class above that. joined: 0, or
// the index of what made the objects of joins, of which *join is the next.
static void gather(lua_State *L, int work, int idx, int joined, int *join) {
  const struct query *q = lua_touserdata(L, idx);
  luaL_checkstack(L, LUA_MINSTACK, "include");
  for (int i = 0; i < q->nincludes; i++) {
    const struct field *f = q->includes[i].field;
    push_include(L, idx, i);
    if (joined && neap__include_joins(&q->includes[i])) {
      int part = (*join)++;
      neap__join_push_value(L, joined, part, false);
      neap__join_push_value(L, joined, part, true);
      gather(L, work, lua_gettop(L) - 2, joined, join);
      lua_pop(L, 3);
      continue;
    }
    lua_Integer n = (lua_Integer)lua_rawlen(L, work);
    lua_rawseti(L, work, n + WORK_QUERY);
    lua_pushlightuserdata(L, (void *)(uintptr_t)f);
    lua_rawseti(L, work, n + WORK_FIELD);
    lua_pushvalue(L, idx + 2);
    lua_rawseti(L, work, n + WORK_CLASS);
    lua_pushvalue(L, idx + 1);
    lua_rawseti(L, work, n + WORK_LIST);
  }
}

// What a load keeps while it waits; its index is the context. The work lies behind it.
struct including {
  lua_Integer at;
  lua_KContext ctx;
  lua_KFunction k;
};

static int go_on(lua_State *L, int status, lua_KContext index) {
  struct including *in = lua_touserdata(L, (int)index);
  int work = (int)index + 1;
  (void)status;
  lua_settop(L, work);
  if (in->at == (lua_Integer)lua_rawlen(L, work)) {
    lua_KFunction k = in->k;
    lua_KContext ctx = in->ctx;
    lua_settop(L, (int)index - 1);
    return k(L, LUA_OK, ctx);
  }
  lua_pushcfunction(L, neap__relation_load);
  for (int i = WORK_LIST; i <= WORK; i++) lua_rawgeti(L, work, in->at + i);
  in->at += WORK;
  lua_callk(L, WORK, 0, index, go_on);
  return go_on(L, LUA_OK, index);
}

int neap__include_load(lua_State *L, int q, int list, int joined, lua_KContext ctx, lua_KFunction k) {
  int join = 0, index = lua_gettop(L) + 1;
  struct including *in = lua_newuserdatauv(L, sizeof *in, 0);
  *in = (struct including){0, ctx, k};
  lua_newtable(L);
  lua_pushvalue(L, q);
  lua_pushvalue(L, list);
  neap__query_push_class(L, q);
  gather(L, index + 1, index + 2, lua_isnil(L, joined) ? 0 : joined, &join);
  return go_on(L, LUA_OK, index);
}

// ---- explain ----

// Adds what the query at idx, seen by the class at class_idx, includes by statements of its own to the table at `out`.
static void explain(lua_State *L, int idx, int class_idx, int out, bool joined) {
  const struct query *q = lua_touserdata(L, idx);
  const struct cell unknown = {.kind = CELL_NULL};
  int top = lua_gettop(L);
  bool some = false;
  luaL_checkstack(L, LUA_MINSTACK, "include");
  lua_newtable(L);
  for (int i = 0; i < q->nincludes; i++, lua_settop(L, top + 1)) {
    const struct field *f = q->includes[i].field;
    push_include(L, idx, i);
    if (joined && neap__include_joins(&q->includes[i])) {
      neap__class_of(L, class_idx, f->target_name);
      lua_newtable(L);
      explain(L, top + 2, top + 3, top + 4, true);
      if (lua_getfield(L, top + 4, "include") == LUA_TNIL) continue;
      lua_pop(L, 1);
    } else {
      neap__relation_push_query(L, class_idx, f, top + 2, &unknown, 1);
      neap__query_explain(L, top + 3);
      neap__include_explain(L, top + 3);
    }
    some = true;
    lua_setfield(L, top + 1, f->name);
  }
  if (some) lua_setfield(L, out, "include");
  lua_settop(L, top);
}

void neap__include_explain(lua_State *L, int idx) {
  const struct query *q = lua_touserdata(L, idx);
  struct join joins[QUERY_JOINS];
  int width, out = lua_gettop(L);
  if (q->ngroups + q->naggregates > 0) return;
  neap__query_push_class(L, idx);
  explain(L, idx, out + 1, out, neap__query_joins(q, joins, &width) > 0);
  lua_settop(L, out);
}
