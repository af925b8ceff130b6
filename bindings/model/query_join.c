// query_join.c: one object that a row leads to comes with the row: a pointer or has_one that is included is a LEFT JOIN of the
// statement, at any depth, and its cells lie behind the row's. One object is made for each key, however many rows share it.
#include "model/query_build.h"

// ---- Which includes are joins ----

// has_one has to be found by one key, for several rows may point back.
bool neap__include_joins(const struct include *in) {
  if (in->field->type.kind == TYPE_HAS_ONE) return in->field->target->nkeys == 1;
  return in->field->type.kind == TYPE_POINTER;
}

static int own_width(const struct query *q) {
  return (q->nselect ? q->nselect : q->class->shape->ncells) + q->ncounts;
}

// Adds the joins that hang on `parent`, whose query is q. Returns their new number, or one too many.
static int add_joins(const struct query *q, struct join *joins, int n, int parent, int *at) {
  for (int i = 0; i < q->nincludes; i++) {
    const struct include *in = &q->includes[i];
    if (!neap__include_joins(in)) continue;
    if (n >= QUERY_JOINS) return QUERY_JOINS + 1;
    joins[n] = (struct join){in->field, in->query, parent, *at};
    *at += own_width(in->query);
    n = add_joins(in->query, joins, n + 1, n, at);
    if (n > QUERY_JOINS) return n;
  }
  return n;
}

int neap__query_joins(const struct query *q, struct join *joins, int *width) {
  *width = own_width(q) + (q->owner != NULL);
  int own = *width;
  if (q->nincludes == 0 || q->apart || !(q->class->view->store->verbs->capabilities & CAN_JOINS)) return 0;
  int n = add_joins(q, joins, 0, -1, width);
  if (n <= QUERY_JOINS) return n;
  *width = own;
  return 0;
}

// ---- Their objects ----

struct part {
  struct join join;
  struct object_builder builder;
  const int *columns;
  int ncells, key;        // of the object; which of them is its key
  lua_Integer nsiblings;  // -1: it has no use for siblings
  bool fresh;             // the object of the present row was made for it
};

// User value 1: a table with VALUES values for each part.
struct joiner {
  int n;
  struct part parts[];
};

enum { PART_CLASS = 1, PART_METATABLE, PART_MAP, PART_LIST, PART_SIBLINGS, PART_COLUMNS, VALUES = PART_COLUMNS };

static int value_at(int part, int value) {
  return VALUES * part + value;
}

// Where select leaves columns out: which there are.
static const int *push_columns(lua_State *L, const struct query *q) {
  if (q->nselect == 0) {
    lua_pushnil(L);
    return NULL;
  }
  int *columns = lua_newuserdatauv(L, (size_t)q->nselect * sizeof *columns, 0);
  for (int i = 0; i < q->nselect; i++) columns[i] = q->select[i]->column;
  return columns;
}

static void open_part(lua_State *L, struct part *p, int part, int table, int query) {
  const struct query *q = p->join.query;
  int top = lua_gettop(L);
  if (p->join.parent < 0)
    neap__query_push_class(L, query);
  else
    lua_rawgeti(L, table, value_at(p->join.parent, PART_CLASS));
  neap__class_of(L, top + 1, p->join.field->target_name);
  p->columns = push_columns(L, q);
  lua_rawseti(L, table, value_at(part, PART_COLUMNS));
  p->ncells = q->nselect ? q->nselect : q->class->shape->ncells;
  while ((q->nselect ? q->select : q->class->shape->columns)[p->key] != p->join.field->target->keys[0]) p->key++;
  p->nsiblings = neap__query_has_pointers(q) ? 0 : -1;
  neap__object_builder(L, &p->builder, top + 2, p->ncells, p->columns);
  lua_rawseti(L, table, value_at(part, PART_METATABLE));
  lua_rawseti(L, table, value_at(part, PART_CLASS));
  lua_settop(L, top);
}

void neap__join_clear(lua_State *L, int idx) {
  struct joiner *j = lua_touserdata(L, idx);
  if (!j) return;
  lua_getiuservalue(L, idx, 1);
  for (int i = 0; i < j->n; i++) {
    for (int value = PART_MAP; value <= PART_LIST; value++) {
      lua_newtable(L);
      lua_rawseti(L, -2, value_at(i, value));
    }
    if (j->parts[i].nsiblings > 0) j->parts[i].nsiblings = 0;
  }
  lua_pop(L, 1);
}

void neap__join_push(lua_State *L, int query) {
  struct join joins[QUERY_JOINS];
  int width, n = neap__query_joins(lua_touserdata(L, query), joins, &width);
  if (n == 0) {
    lua_pushnil(L);
    return;
  }
  struct joiner *j = lua_newuserdatauv(L, sizeof *j + (size_t)n * sizeof *j->parts, 1);
  int top = lua_gettop(L);
  j->n = n;
  lua_createtable(L, VALUES * n, 0);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, top, 1);
  for (int i = 0; i < n; i++) {
    j->parts[i] = (struct part){.join = joins[i]};
    open_part(L, &j->parts[i], i, top + 1, query);
  }
  lua_settop(L, top);
  neap__join_clear(L, top);
}

void neap__join_push_value(lua_State *L, int idx, int part, bool class) {
  lua_getiuservalue(L, idx, 1);
  lua_rawgeti(L, -1, value_at(part, class ? PART_CLASS : PART_LIST));
  lua_remove(L, -2);
}

int neap__join_begin(lua_State *L, int idx) {
  struct joiner *j = lua_touserdata(L, idx);
  lua_getiuservalue(L, idx, 1);
  int base = lua_gettop(L);
  luaL_checkstack(L, (VALUES + 1) * j->n + LUA_MINSTACK, "include");
  for (int i = 0; i < j->n; i++) {
    for (int value = PART_CLASS; value <= VALUES; value++) lua_rawgeti(L, base, value_at(i, value));
    j->parts[i].builder.class_idx = base + value_at(i, PART_CLASS);
    j->parts[i].builder.metatable_idx = base + value_at(i, PART_METATABLE);
  }
  return base;
}

// The object on top of the stack joins those that load their pointers together.
static void add_sibling(lua_State *L, struct part *p, int part, int base) {
  int slot = base + value_at(part, PART_SIBLINGS);
  if (p->nsiblings < 0) return;
  if (p->nsiblings % QUERY_SIBLINGS == 0) {
    neap__query_push_siblings(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, base, value_at(part, PART_SIBLINGS));
    lua_replace(L, slot);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, slot, p->nsiblings++ % QUERY_SIBLINGS + 1);
  lua_pushvalue(L, slot);
  neap__object_set_siblings(L, -2);
}

// Pushes the object of the part, whose key is on top of the stack, and which is made unless an earlier row had it.
static void push_object(lua_State *L, struct part *p, int part, int base, const struct cell *cells) {
  int map = base + value_at(part, PART_MAP), list = base + value_at(part, PART_LIST), key = lua_gettop(L);
  lua_pushvalue(L, key);
  p->fresh = lua_rawget(L, map) == LUA_TNIL;
  if (!p->fresh) return;
  lua_pop(L, 1);
  neap__object_build(L, &p->builder, cells);
  neap__query_keep_counts(L, p->join.query, cells + p->ncells);
  add_sibling(L, p, part, base);
  lua_pushvalue(L, key);
  lua_pushvalue(L, -2);
  lua_rawset(L, map);
  lua_pushvalue(L, -1);
  lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

void neap__join_row(lua_State *L, int idx, int base, const struct cell *cells) {
  struct joiner *j = lua_touserdata(L, idx);
  int root = lua_gettop(L);
  for (int i = 0; i < j->n; i++) {
    struct part *p = &j->parts[i];
    const struct cell *own = cells + p->join.at;
    int parent = p->join.parent < 0 ? root : j->parts[p->join.parent].fresh ? root + 1 + p->join.parent : 0;
    p->fresh = false;
    lua_pushnil(L);
    if (parent == 0) continue;
    bool there = own[p->key].kind > CELL_NULL;
    if (there) {
      neap__relation_push_lookup(L, &own[p->key]);
      push_object(L, p, i, base, own);
      lua_replace(L, root + 1 + i);
      lua_settop(L, root + 1 + i);
      lua_pushvalue(L, -1);
    } else if (neap__relation_hides(p->join.field, p->join.query)) {
      lua_pushboolean(L, false);
    } else {
      continue;
    }
    neap__object_set_related(L, parent, p->join.field);
    if (there) neap__object_set_included(L, parent, p->join.field);
  }
  lua_settop(L, root);
}
