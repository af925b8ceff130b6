// apart.c: what a query asks of related rows, on stores that cannot join, as queries over those, and the query that is left once
// they are answered: conditions across relations become conditions on keys.
#include <string.h>

#include "model/apart.h"
#include "model/store.h"
#include "modules.h"

// ---- What there is to ask ----

// The place of a branch names nothing.
static bool asks(const struct condition *c) {
  if (!c) return false;
  if (c->op == COND_SOME || c->place.counted || (c->other && c->other->counted)) return true;
  for (int i = 0; i < c->nchildren && c->op < COND_SOME; i++)
    if (asks(c->children[i])) return true;
  return false;
}

static bool has_far(const struct query *q) {
  for (int i = 0; i < q->norders; i++)
    if (!q->orders[i].label && neap__reach_is_far(&q->orders[i].reach)) return true;
  for (int i = 0; i < q->ngroups; i++)
    if (neap__reach_is_far(&q->groups[i])) return true;
  for (int i = 0; i < q->naggregates; i++)
    if (neap__reach_is_far(&q->aggregates[i].reach)) return true;
  return q->ncounts > 0;
}

bool neap__apart_needed(const struct view *view, const struct query *q) {
  if (view->store->verbs->capabilities & CAN_JOINS) return false;
  if (q->link || asks(q->where) || asks(q->owners) || has_far(q)) return true;
  for (int i = 0; i < q->naggregates; i++)
    if (asks(q->aggregates[i].filter)) return true;
  return asks(neap__query_scope(view, q));
}

bool neap__apart_scope(const struct view *view, const struct shape *shape) {
  return !(view->store->verbs->capabilities & CAN_JOINS) && asks(neap__view_scope(view, shape));
}

// ---- Sending ----

// It is loaded when a store first needs it.
void neap__apart_push(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "neap.apart") == LUA_TNIL) {
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "neap.apart");
    lua_call(L, 1, 1);
  }
  lua_getfield(L, -1, name);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

int neap__query_send(lua_State *L, bool counts, lua_KContext ctx, lua_KFunction k) {
  const struct query *q = lua_touserdata(L, 1);
  struct view *view = neap__view_effective(L, q->class->view);
  struct neap__error e;
  if (neap__query_check_tied(q, &e) != 0) return neap__raise(L, &e);
  if (!neap__apart_needed(view, q)) {
    (counts ? view->store->verbs->count : view->store->verbs->select)(L, view, q);
    return k(L, LUA_OK, ctx);
  }
  neap__apart_push(L, "send");
  lua_pushvalue(L, 1);
  lua_pushboolean(L, counts);
  lua_callk(L, 2, 2, ctx, k);
  return k(L, LUA_OK, ctx);
}

struct rows *neap__query_sent(lua_State *L) {
  if (lua_gettop(L) > 2) lua_remove(L, 1);
  return lua_touserdata(L, 2);
}

int neap__query_settle(lua_State *L, lua_KContext ctx, lua_KFunction k) {
  const struct query *q = lua_touserdata(L, 1);
  struct view *view = neap__view_effective(L, q->class->view);
  if (neap__apart_needed(view, q)) {
    neap__apart_push(L, "settle");
    lua_pushvalue(L, 1);
    lua_callk(L, 1, 1, ctx, k);
  } else {
    lua_pushvalue(L, 1);
  }
  return k(L, LUA_OK, ctx);
}

const struct query *neap__query_settled(lua_State *L) {
  lua_replace(L, 1);
  return lua_touserdata(L, 1);
}

void neap__query_explain(lua_State *L, int idx) {
  const struct query *q = lua_touserdata(L, idx);
  struct view *view = neap__view_effective(L, q->class->view);
  if (!neap__apart_needed(view, q)) {
    view->store->verbs->explain(L, view, q);
    return;
  }
  idx = lua_absindex(L, idx);
  neap__apart_push(L, "explain");
  lua_pushvalue(L, idx);
  lua_call(L, 1, 2);
  view->store->verbs->explain(L, view, lua_touserdata(L, -2));
  lua_insert(L, -2);
  lua_setfield(L, -2, "related");
  lua_remove(L, -2);
}

// select(query, count) -> rows: what is left for the store
static int apart_select(lua_State *L) {
  const struct query *q = neap__query_check(L, 1);
  struct view *view = neap__view_effective(L, q->class->view);
  (lua_toboolean(L, 2) ? view->store->verbs->count : view->store->verbs->select)(L, view, q);
  return 1;
}

// ---- Queries over related rows ----

// Pushes a query over everything of a model, as the class at class_idx sees it, read in the way in which the query is that asks.
// bare: what its scope says is not asked.
static struct query *push_over(lua_State *L, int class_idx, const char *model, const struct query *asking, bool bare) {
  neap__class_of(L, class_idx, model);
  struct query *q = neap__query_new(L, -1);
  lua_remove(L, -2);
  q->scoped = bare;
  q->scan = asking->scan;
  q->consistent = asking->consistent;
  return q;
}

// The query on top of the stack gives these columns alone.
static void select_columns(lua_State *L, const struct field *a, const struct field *b) {
  int query = lua_gettop(L);
  uint64_t *bits = neap__query_push_bits(L, lua_touserdata(L, query));
  neap__query_mark(bits, a->column);
  if (b) neap__query_mark(bits, b->column);
  neap__query_select(L, query, bits);
  lua_settop(L, query);
}

// The query on top of the stack gives how many rows there are for each value of the field.
static void count_by(lua_State *L, const struct field *f) {
  int query = lua_gettop(L);
  struct query *q = lua_touserdata(L, query);
  struct reach *group = lua_newuserdatauv(L, sizeof *group, 0);
  *group = (struct reach){.place = {.field = f, .type = &f->type}};
  neap__query_keep(L, query, QUERY_GROUPS);
  struct aggregate *count = lua_newuserdatauv(L, sizeof *count, 0);
  *count = (struct aggregate){.label = "n", .op = AGG_COUNT};
  neap__query_keep(L, query, QUERY_AGGREGATES);
  q->groups = group;
  q->aggregates = count;
  q->ngroups = q->naggregates = 1;
}

static void give_one_column(lua_State *L, const struct field *f, bool counts) {
  counts ? count_by(L, f) : select_columns(L, f, NULL);
}

// ANDs the part of the condition at `root` into the query on top of the stack.
static void and_part(lua_State *L, int root, const struct condition *part) {
  int query = lua_gettop(L);
  if (neap__condition_is_true(part)) return;
  neap__condition_push_part(L, root, part);
  neap__query_and(L, query);
}

static void set_pointer(lua_State *L, const char *name, const void *p) {
  lua_pushlightuserdata(L, (void *)(uintptr_t)p);
  lua_setfield(L, -2, name);
}

// Pushes a question: { target =, links =, there =, tie = }: the query over the objects of the SOME, which is the condition at `root`
// or a part of it; where there is a link table, the one over links, to be narrowed to those whose `there` is the key of a target;
// and by which field they lead to the row at hand. They give that field, or how many there are by it. Targets of links that may
// be any are not asked for.
static void push_question(lua_State *L, int class_idx, int root, const struct condition *some, bool counts,
                          const struct query *asking, bool bare) {
  const struct field *f = some->place.field;
  bool links = f->type.kind == TYPE_MANY_TO_MANY;
  const struct field *tie = links ? f->through_here : f->type.kind == TYPE_POINTER ? f->target->keys[0] : f->inverse;
  lua_createtable(L, 0, 6);
  int table = lua_gettop(L);
  set_pointer(L, "tie", tie);
  const struct query *target = push_over(L, class_idx, f->target_name, asking, bare);
  and_part(L, root, some->children[0]);
  bool all = !target->where && (bare || !neap__view_scope(neap__view_effective(L, target->class->view), f->target));
  give_one_column(L, links ? f->target->keys[0] : tie, counts && !links);
  if (!links || !all)
    lua_setfield(L, table, "target");
  else
    lua_pop(L, 1);
  if (!links) return;
  push_over(L, class_idx, f->through->model, asking, bare);
  if (some->nchildren > 1) and_part(L, root, some->children[1]);
  give_one_column(L, tie, counts);
  lua_setfield(L, table, "links");
  set_pointer(L, "there", f->through_there);
}

// ---- Questions of conditions ----

struct walk {
  int class_idx, list;
  const struct query *asking;
  bool bare;
};

static void add_question(lua_State *L, const struct walk *w, int root, const struct condition *node) {
  int top = lua_gettop(L);
  if (node->other)
    neap__fail(L, NEAP_UNSUPPORTED, "%s: %s compares no counts of related objects with columns", node->shape->model,
               neap__class_check(L, w->class_idx)->view->store->verbs->name);
  if (node->place.counted) {
    neap__place_push_counted(L, &node->place);
    root = lua_gettop(L);
  }
  push_question(L, w->class_idx, root, node->place.counted ? node->place.counted : node, node->place.counted, w->asking,
                w->bare);
  set_pointer(L, "node", node);
  lua_rawseti(L, w->list, (lua_Integer)lua_rawlen(L, w->list) + 1);
  lua_settop(L, top);
}

static void walk_condition(lua_State *L, const struct walk *w, int root, const struct condition *c) {
  if (!asks(c)) return;
  luaL_checkstack(L, LUA_MINSTACK, "conditions");
  if (c->op >= COND_SOME) {
    add_question(L, w, root, c);
    return;
  }
  for (int i = 0; i < c->nchildren; i++) walk_condition(L, w, root, c->children[i]);
}

// Pushes the condition `c` of an aggregate of the query at idx.
static void push_filter(lua_State *L, int idx, const struct condition *c) {
  lua_getiuservalue(L, idx, QUERY_AGGREGATES);
  lua_getiuservalue(L, -1, 1);
  lua_remove(L, -2);
  for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
    if (lua_touserdata(L, -1) == c) break;
    lua_pop(L, 1);
  }
  lua_remove(L, -2);
}

static void walk_value(lua_State *L, const struct walk *w, const struct condition *c) {
  if (c) walk_condition(L, w, lua_gettop(L), c);
  lua_pop(L, 1);
}

// questions(query) -> list of questions, each with the `node` of the condition that asks it
static int apart_questions(lua_State *L) {
  const struct query *q = neap__query_check(L, 1);
  struct view *view = neap__view_effective(L, q->class->view);
  lua_settop(L, 1);
  neap__query_push_class(L, 1);
  lua_newtable(L);
  struct walk w = {.class_idx = 2, .list = 3, .asking = q, .bare = q->scoped};
  lua_getiuservalue(L, 1, QUERY_WHERE);
  walk_value(L, &w, q->where);
  lua_getiuservalue(L, 1, QUERY_OWNERS);
  walk_value(L, &w, q->owners);
  for (int i = 0; i < q->naggregates; i++) {
    if (!q->aggregates[i].filter) continue;
    push_filter(L, 1, q->aggregates[i].filter);
    walk_value(L, &w, q->aggregates[i].filter);
  }
  w.bare = true;
  neap__view_push_scope(L, view, q->class->shape);
  walk_value(L, &w, neap__query_scope(view, q));
  return 1;
}

// The rows held at idx; NULL where it is nil, for explain: they are not read, and their keys are not known.
static struct held *held_at(lua_State *L, int idx) {
  return lua_isnoneornil(L, idx) ? NULL : neap__held_check(L, idx);
}

// Pushes: the field is one of the values in the cell of the rows held. None: false.
static void push_among(lua_State *L, int class_idx, const struct field *f, struct held *held, int cell) {
  int n, top = lua_gettop(L);
  if (!held) {
    neap__condition_leaf(L, class_idx, f, COND_IN, &(struct cell){.kind = CELL_NULL}, 1);
    return;
  }
  const struct cell *keys = neap__held_distinct(L, held, cell, &n);
  if (n > CONDITION_MAX_OPERANDS)
    neap__fail(L, NEAP_LIMIT, "%s.%s: more than %d related keys would have to be asked for: narrow what is asked",
               f->shape->model, f->name, CONDITION_MAX_OPERANDS);
  if (n == 0)
    neap__condition_branch(L, class_idx, COND_OR, 0);
  else
    neap__condition_leaf(L, class_idx, f, COND_IN, keys, n);
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
}

// narrow(query, field, held or nil, cell) -> the query, whose field is one of the values in the cell
static int apart_narrow(lua_State *L) {
  const struct field *f = lua_touserdata(L, 2);
  lua_settop(L, 4);
  struct query *q = neap__query_clone(L, 1);
  neap__query_push_class(L, 5);
  push_among(L, 6, f, held_at(L, 3), (int)lua_tointeger(L, 4));
  if (((const struct condition *)lua_touserdata(L, -1))->op == COND_OR) q->limit = 0;
  neap__query_and(L, 5);
  lua_settop(L, 5);
  return 1;
}

// What a counted place is compared with.
struct counted_row {
  struct row_source source;
  int64_t n;
};

static int64_t number_of(struct row_source *source, const struct condition *some, int64_t most) {
  int64_t n = ((struct counted_row *)source)->n;
  (void)some;
  return n < most ? n : most;
}

static bool meets(const struct condition *leaf, int64_t n) {
  struct counted_row row = {.source = {.related = number_of}, .n = n};
  return neap__condition_evaluate(leaf, &row.source);
}

// Where no object at all meets the comparison, keys without one do: then those that do not are named.
static void push_counted(lua_State *L, int class_idx, const struct field *key, const struct condition *leaf,
                         struct held *held) {
  bool none = meets(leaf, 0);
  struct cell *keys = lua_newuserdatauv(L, (held->table.n + 1) * sizeof *keys, 0);
  int n = 0;
  for (size_t i = 0; i < held->table.n; i++) {
    const struct cell *row = held->table.entries[i]->cells;
    if (row->kind > CELL_NULL && meets(leaf, row[1].i) != none) keys[n++] = *row;
  }
  if (n > CONDITION_MAX_OPERANDS)
    neap__fail(L, NEAP_LIMIT, "%s: more than %d related keys would have to be asked for: narrow what is asked",
               key->shape->model, CONDITION_MAX_OPERANDS);
  if (n == 0)
    neap__condition_branch(L, class_idx, COND_OR, 0);
  else
    neap__condition_leaf(L, class_idx, key, COND_IN, keys, n);
  if (none) neap__condition_not(L, -1);
}

// answer(query, node, held or nil) -> the condition that the node is, now that the rows are known that it asks for
static int apart_answer(lua_State *L) {
  const struct condition *node = lua_touserdata(L, 2);
  const struct condition *some = node->place.counted ? node->place.counted : node;
  const struct field *f = some->place.field;
  struct held *held = held_at(L, 3);
  neap__query_check(L, 1);
  neap__query_push_class(L, 1);
  int class_idx = lua_gettop(L);
  if (node->place.counted && held)
    push_counted(L, class_idx, node->shape->keys[0], node, held);
  else
    push_among(L, class_idx, f->type.kind == TYPE_POINTER ? f : node->shape->keys[0], held, 0);
  return 1;
}

// ---- What is left ----

// Pushes the condition, a part of the one at root, with its questions answered.
static void push_answered(lua_State *L, int class_idx, int root, const struct condition *c, int answers) {
  luaL_checkstack(L, LUA_MINSTACK + c->nchildren, "conditions");
  if (!asks(c)) {
    neap__condition_push_part(L, root, c);
  } else if (c->op >= COND_SOME) {
    lua_rawgetp(L, answers, c);
  } else if (c->op == COND_NOT) {
    push_answered(L, class_idx, root, c->children[0], answers);
    neap__condition_not(L, -1);
    lua_remove(L, -2);
  } else {
    for (int i = 0; i < c->nchildren; i++) push_answered(L, class_idx, root, c->children[i], answers);
    neap__condition_branch(L, class_idx, c->op, c->nchildren);
  }
}

// Replaces the condition on top of the stack, if it is one.
static const struct condition *answered(lua_State *L, int class_idx, int answers) {
  const struct condition *c = lua_isnil(L, -1) ? NULL : lua_touserdata(L, -1);
  int root = lua_gettop(L);
  if (!c) return NULL;
  push_answered(L, class_idx, root, c, answers);
  lua_replace(L, root);
  return lua_touserdata(L, root);
}

static void answer_filters(lua_State *L, struct query *q, int class_idx, int answers) {
  struct aggregate *list = lua_newuserdatauv(L, (size_t)q->naggregates * sizeof *list + 1, 1);
  int block = lua_gettop(L);
  if (q->naggregates > 0) memcpy(list, q->aggregates, (size_t)q->naggregates * sizeof *list);
  lua_newtable(L);
  lua_getiuservalue(L, 1, QUERY_AGGREGATES);
  lua_rawseti(L, -2, 1);
  for (int i = 0; i < q->naggregates; i++) {
    if (!asks(list[i].filter)) continue;
    push_filter(L, 1, list[i].filter);
    list[i].filter = answered(L, class_idx, answers);
    lua_rawseti(L, block + 1, i + 2);
  }
  lua_setiuservalue(L, block, 1);
  neap__query_keep(L, 3, QUERY_AGGREGATES);
  q->aggregates = list;
}

// settle(query, answers, count) -> the query with the conditions that its nodes became; without what does not change how many rows
//   there are, where that is asked
static int apart_settle(lua_State *L) {
  neap__query_check(L, 1);
  bool count = lua_toboolean(L, 3);
  lua_settop(L, 2);
  struct query *q = neap__query_clone(L, 1);
  if (count && q->ngroups == 0) q->norders = q->ncounts = 0;
  struct view *view = neap__view_effective(L, q->class->view);
  neap__query_push_class(L, 3);
  lua_getiuservalue(L, 3, QUERY_WHERE);
  q->where = answered(L, 4, 2);
  neap__query_keep(L, 3, QUERY_WHERE);
  lua_getiuservalue(L, 3, QUERY_OWNERS);
  q->owners = answered(L, 4, 2);
  neap__query_keep(L, 3, QUERY_OWNERS);
  if (asks(neap__query_scope(view, q))) {
    neap__view_push_scope(L, view, q->class->shape);
    answered(L, 4, 2);
    neap__query_and(L, 3);
    q->scoped = true;
  }
  if (q->naggregates > 0) answer_filters(L, q, 4, 2);
  lua_settop(L, 3);
  return 1;
}

// ---- What rows are ordered and grouped by elsewhere ----

static void add_reach(struct reaches *r, const struct reach *reach) {
  if (!neap__reach_is_far(reach)) return;
  for (int i = 0; i < r->n; i++)
    if (neap__reach_same(&r->list[i], reach)) return;
  r->list[r->n++] = *reach;
}

// reaches(query) -> what it reaches for, and of each how many steps away that is
static int apart_reaches(lua_State *L) {
  const struct query *q = neap__query_check(L, 1);
  int most = q->norders + q->ngroups + q->naggregates + q->ncounts;
  struct reaches *r = lua_newuserdatauv(L, sizeof *r + (size_t)most * sizeof *r->list, 0);
  r->n = 0;
  for (int i = 0; i < q->norders; i++)
    if (!q->orders[i].label) add_reach(r, &q->orders[i].reach);
  for (int i = 0; i < q->ngroups; i++) add_reach(r, &q->groups[i]);
  for (int i = 0; i < q->naggregates; i++) add_reach(r, &q->aggregates[i].reach);
  for (int i = 0; i < q->ncounts; i++) add_reach(r, &(struct reach){.place = q->counts[i]});
  lua_createtable(L, r->n, 0);
  for (int i = 0; i < r->n; i++) {
    lua_pushinteger(L, r->list[i].nvia + (r->list[i].place.counted != NULL));
    lua_rawseti(L, -2, i + 1);
  }
  return 2;
}

// The column in which the row that has taken `step` steps says where the next one leads, or what is looked for.
static const struct field *column_at(const struct query *q, const struct reach *r, int step) {
  const struct shape *shape = step == 0 ? q->class->shape : r->via[step - 1].field->target;
  if (step < r->nvia) return r->via[step].field->type.kind == TYPE_POINTER ? r->via[step].field : shape->keys[0];
  return r->place.counted ? shape->keys[0] : r->place.field;
}

static int cell_of(const struct query *q, const struct field *f) {
  if (q->nselect == 0) return f->column;
  for (int i = 0; i < q->nselect; i++)
    if (q->select[i] == f) return i;
  return -1;
}

// cell(query, base, reaches, i) -> which cell of the base's rows leads to reach i
static int apart_cell(lua_State *L) {
  const struct query *q = neap__query_check(L, 1), *base = neap__query_check(L, 2);
  const struct reaches *r = lua_touserdata(L, 3);
  lua_pushinteger(L, cell_of(base, column_at(q, &r->list[lua_tointeger(L, 4) - 1], 0)));
  return 1;
}

// Pushes the query over what one step leads to.
static void push_step(lua_State *L, int class_idx, const struct field *f, const struct query *asking) {
  push_over(L, class_idx, f->target_name, asking, asking->scoped);
  if (f->type.kind != TYPE_HAS_ONE) return;
  neap__relation_declared(L, class_idx, f);
  neap__query_complete_order(L, lua_gettop(L));
}

// step(query, reaches, i, n) -> question, key, value: what step n of reach i leads to, and which cells of its rows are the key that
//   leads there and what is read
static int apart_step(lua_State *L) {
  const struct query *q = neap__query_check(L, 1);
  const struct reaches *r = lua_touserdata(L, 2);
  const struct reach *reach = &r->list[lua_tointeger(L, 3) - 1];
  int n = (int)lua_tointeger(L, 4);
  neap__query_push_class(L, 1);
  for (int i = 0; i < reach->nvia && i < n - 1; i++) neap__class_of(L, lua_gettop(L), reach->via[i].field->target_name);
  int class_idx = lua_gettop(L);
  if (n > reach->nvia) {
    neap__place_push_counted(L, &reach->place);
    push_question(L, class_idx, class_idx + 1, reach->place.counted, true, q, q->scoped);
    lua_pushinteger(L, 0);
    lua_pushinteger(L, 1);
    return 3;
  }
  const struct field *f = reach->via[n - 1].field, *value = column_at(q, reach, n);
  const struct field *tie = f->type.kind == TYPE_POINTER ? f->target->keys[0] : f->inverse;
  lua_createtable(L, 0, 2);
  set_pointer(L, "tie", tie);
  push_step(L, class_idx, f, q);
  select_columns(L, tie, value);
  const struct query *target = lua_touserdata(L, -1);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "target");
  lua_pushinteger(L, cell_of(target, tie));
  lua_pushinteger(L, cell_of(target, value));
  lua_remove(L, -3);
  return 3;
}

// ---- The rows themselves ----

static bool has_far_order(const struct query *q) {
  for (int i = 0; i < q->norders; i++)
    if (!q->orders[i].label && neap__reach_is_far(&q->orders[i].reach)) return true;
  return false;
}

// base(query) -> the query over its model that gives all that its rows are made of, over the targets where it has links; which of
//   the cells is the key; and whether its rows are those of the query, ordered and cut
static int apart_base(lua_State *L) {
  const struct query *q = neap__query_check(L, 1);
  const struct shape *shape = q->class->shape;
  bool done = !q->link && !q->each && q->ngroups + q->naggregates == 0 && !has_far_order(q);
  lua_settop(L, 1);
  struct query *base = neap__query_clone(L, 1);
  uint64_t *bits = neap__query_push_bits(L, q);
  neap__memory_columns(q, bits);
  for (int i = shape->ncolumns; i < shape->ncells; i++) bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
  if (shape->nkeys > 0) neap__query_mark(bits, shape->keys[0]->column);
  neap__query_select(L, 2, bits);
  if (!q->link && q->owners) {
    lua_getiuservalue(L, 1, QUERY_OWNERS);
    neap__query_and(L, 2);
  }
  base->ngroups = base->naggregates = base->nhavings = base->ncounts = base->nincludes = 0;
  base->every = base->each = false;
  base->link = base->owner = NULL;
  base->owners = NULL;
  if (!done) base->norders = 0, base->limit = -1, base->skip = 0;
  lua_settop(L, 2);
  lua_pushinteger(L, shape->nkeys > 0 ? cell_of(base, shape->keys[0]) : -1);
  lua_pushboolean(L, done);
  return 3;
}

// target(query) -> the query whose rows are written: what only reads have is left out, the order too unless it says which rows there are.
static int apart_target(lua_State *L) {
  const struct query *q = neap__query_check(L, 1);
  if (has_far_order(q) && (q->limit >= 0 || q->skip > 0))
    neap__fail(L, NEAP_UNSUPPORTED,
               "%s cannot write the first of %s in an order of related objects: read their keys, and write where they "
               "are in these",
               q->class->view->store->verbs->name, q->class->shape->model);
  struct query *target = neap__query_clone(L, 1);
  target->ncounts = target->nincludes = 0;
  if (has_far_order(q)) target->norders = 0;
  if (!target->link) return 1;
  target->link = target->owner = NULL;
  target->owners = NULL;
  return 1;
}

// links(query) -> the query over the links that its owners have, the field of the base that these lead to, and which of their cells
//   are the owner and that; nothing where it has no link
static int apart_links(lua_State *L) {
  const struct query *q = neap__query_check(L, 1);
  if (!q->link) return 0;
  const struct field *here = q->link->through_here, *there = q->link->through_there;
  lua_settop(L, 1);
  neap__query_push_class(L, 1);
  push_over(L, 2, q->link->through->model, q, false);
  lua_getiuservalue(L, 1, QUERY_OWNERS);
  neap__query_and(L, 3);
  select_columns(L, here, there);
  const struct query *links = lua_touserdata(L, 3);
  lua_pushlightuserdata(L, (void *)(uintptr_t)q->class->shape->keys[0]);
  lua_pushinteger(L, cell_of(links, here));
  lua_pushinteger(L, cell_of(links, there));
  return 4;
}

int luaopen_neap_apart_kernel(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"select", apart_select},  {"questions", apart_questions},
      {"narrow", apart_narrow},  {"answer", apart_answer},
      {"settle", apart_settle},  {"reaches", apart_reaches},
      {"cell", apart_cell},      {"step", apart_step},
      {"base", apart_base},      {"target", apart_target},
      {"links", apart_links},    {"read", neap__held_read},
      {"rows", neap__held_rows}, {NULL, NULL},
  };
  neap__held_open(L);
  luaL_newlib(L, functions);
  return 1;
}
