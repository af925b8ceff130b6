// aggregate.c: sums and their like: over all rows of a query (sum, min, max, avg), or of each of its groups (aggregate).
#include <string.h>

#include "model/query_build.h"

static const struct type *value_type(const struct place *place) {
  const struct type *t = place->type;
  return t && t->kind == TYPE_COMPUTED ? t->of : t;
}

static bool is_number(enum type_kind kind) {
  return kind == TYPE_INTEGER || kind == TYPE_NUMBER || kind == TYPE_DECIMAL || kind == TYPE_JSON;
}

static bool is_container(enum type_kind kind) {
  return kind == TYPE_LIST || kind == TYPE_SET || kind == TYPE_MAP || kind == TYPE_GEOPOINT || kind == TYPE_FILE;
}

// Sums and averages need numbers, the smallest and largest an order. What lies in JSON is not known before.
static void check_operand(lua_State *L, const struct aggregate *a, const char *what) {
  const struct type *t = a->reach.place.field && a->reach.place.nsteps == 0 ? value_type(&a->reach.place) : NULL;
  bool sums = a->op == AGG_SUM || a->op == AGG_AVG, counts = a->op == AGG_COUNT;
  if (!t || counts || (sums ? is_number(t->kind) : !is_container(t->kind))) return;
  neap__fail(L, NEAP_USAGE, "%s needs %s; %s is a %s", what, sums ? "a number" : "values that have an order",
             a->reach.place.field->name, neap__type_name(t->kind));
}

// Replaces self by a copy with room for n aggregates, whose class is at index 2. Pushes the list of their anchors.
static struct aggregate *begin(lua_State *L, int n) {
  neap__query_self(L, 1);
  struct query *q = neap__query_clone(L, 1);
  lua_replace(L, 1);
  neap__query_push_class(L, 1);
  lua_insert(L, 2);
  struct aggregate *list = memset(lua_newuserdatauv(L, (size_t)n * sizeof *list, 1), 0, (size_t)n * sizeof *list);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -3, 1);
  lua_insert(L, -2);
  neap__query_keep(L, 1, QUERY_AGGREGATES);
  q->aggregates = list;
  q->naggregates = n;
  q->nincludes = 0;
  return list;
}

// ---- One number ----

static int push_value(lua_State *L, const struct rows *rows, const struct cell *cells) {
  const struct query *q = lua_touserdata(L, 1);
  (void)rows;
  if (cells->kind == CELL_NIL && q->aggregates->op == AGG_SUM)
    lua_pushinteger(L, 0);
  else
    neap__cell_push(L, cells);
  return 1;
}

static int scalar_sent(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  neap__query_sent(L);
  return neap__query_one_row(L, 1, push_value);
}

static int scalar(lua_State *L, enum aggregate_op op, const char *what) {
  lua_settop(L, 2);
  struct aggregate *a = begin(L, 1);
  struct query *q = lua_touserdata(L, 1);
  if (q->ngroups > 0)
    return neap__fail(L, NEAP_USAGE, "%s of groups: use aggregate{ label = { [\"$%s\"] = … } }", what, what);
  if (q->limit >= 0 || q->skip > 0)
    return neap__fail(L, NEAP_USAGE, "%s is of all rows that meet the condition: it does not go with limit and skip",
                      what);
  *a = (struct aggregate){.label = what, .op = op, .reach = neap__reach_parse(L, 2, 3, lua_gettop(L), what)};
  check_operand(L, a, what);
  q->norders = 0;
  lua_settop(L, 1);
  return neap__query_send(L, false, 0, scalar_sent);
}

// Query:sum(name) -> number; 0 where there is nothing. Exact for integers and decimals.
static int query_sum(lua_State *L) {
  return scalar(L, AGG_SUM, "sum");
}

// Query:min(name) -> value or nil
static int query_min(lua_State *L) {
  return scalar(L, AGG_MIN, "min");
}

// Query:max(name) -> value or nil
static int query_max(lua_State *L) {
  return scalar(L, AGG_MAX, "max");
}

// Query:avg(name) -> number or nil; a decimal with 28 digits for decimals
static int query_avg(lua_State *L) {
  return scalar(L, AGG_AVG, "avg");
}

// ---- Labels ----

static const struct {
  const char *name;
  enum aggregate_op op;
} operators[] = {{"$sum", AGG_SUM}, {"$min", AGG_MIN}, {"$max", AGG_MAX}, {"$avg", AGG_AVG}, {"$count", AGG_COUNT}};

static enum aggregate_op operator_named(lua_State *L, const char *label, const char *name) {
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
    if (strcmp(name, operators[i].name) == 0) return operators[i].op;
  neap__fail(L, NEAP_USAGE, "aggregate: '%s' of '%s' is none of $sum $min $max $avg $count", name, label);
  return AGG_COUNT;
}

// The operator and its operand are on top of the stack, below them the expression. Counts: of rows ({}, true or 1), of values
// (a name), or of the rows that meet a condition (a table).
static void parse_expression(lua_State *L, struct aggregate *a, int anchors) {
  a->op = operator_named(L, a->label, lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?");
  int operand = lua_gettop(L), type = lua_type(L, operand);
  bool all = type == LUA_TBOOLEAN || (type == LUA_TNUMBER && lua_tonumber(L, operand) == 1);
  bool counts = a->op == AGG_COUNT || a->op == AGG_SUM;
  if (counts && (all || type == LUA_TTABLE)) {
    a->op = AGG_COUNT;
    if (all) return;
    a->filter = neap__condition_parse(L, 2, operand);
    if (neap__condition_is_true(a->filter)) a->filter = NULL;
    lua_rawseti(L, anchors, (lua_Integer)lua_rawlen(L, anchors) + 1);
    return;
  }
  a->reach = neap__reach_parse(L, 2, operand, anchors, a->label);
  check_operand(L, a, a->label);
}

// Label and expression { ["$sum"] = "views" } are on top of the stack.
static void parse_label(lua_State *L, struct aggregate *a, int anchors) {
  int top = lua_gettop(L);
  if (lua_type(L, -2) != LUA_TSTRING) neap__fail(L, NEAP_USAGE, "aggregate takes { label = { [\"$sum\"] = name }, … }");
  a->label = lua_tostring(L, -2);
  lua_pushvalue(L, -2);
  lua_rawseti(L, anchors, (lua_Integer)lua_rawlen(L, anchors) + 1);
  if (!lua_istable(L, top) || (lua_pushnil(L), !lua_next(L, top)))
    neap__fail(L, NEAP_USAGE, "aggregate: '%s' is to be { [\"$sum\"] = name } or alike, not %s", a->label,
               neap__show_value(L, top).text);
  parse_expression(L, a, anchors);
  lua_settop(L, top + 2);
  lua_pop(L, 1);
  if (lua_next(L, top)) neap__fail(L, NEAP_USAGE, "aggregate: '%s' has more than one operator", a->label);
  lua_settop(L, top);
}

// The order of a table is not the script's: labels come sorted.
static void sort_labels(struct aggregate *list, int n) {
  for (int i = 1; i < n; i++)
    for (int k = i; k > 0 && strcmp(list[k - 1].label, list[k].label) > 0; k--) {
      struct aggregate swap = list[k];
      list[k] = list[k - 1];
      list[k - 1] = swap;
    }
}

static bool same_steps(const struct place *a, const struct place *b) {
  if (a->field != b->field || a->nsteps != b->nsteps || a->counted != b->counted) return false;
  for (int i = 0; i < a->nsteps; i++) {
    const struct step *x = &a->steps[i], *y = &b->steps[i];
    if (!x->key != !y->key ||
        (x->key ? x->nkey != y->nkey || memcmp(x->key, y->key, x->nkey) != 0 : x->index != y->index))
      return false;
  }
  return true;
}

int neap__query_group_of(const struct query *q, const struct reach *r) {
  for (int i = 0; i < q->ngroups; i++) {
    const struct reach *g = &q->groups[i];
    bool same = g->nvia == r->nvia && same_steps(&g->place, &r->place);
    for (int k = 0; same && k < r->nvia; k++) same = g->via[k].field == r->via[k].field;
    if (same) return i;
  }
  return -1;
}

static bool is_label(const struct query *q, const char *label) {
  for (int i = 0; i < q->naggregates; i++)
    if (strcmp(q->aggregates[i].label, label) == 0) return true;
  return false;
}

// order came before aggregate: a name that is no group may turn out to be a label that a field bears too.
static void find_labels(lua_State *L, struct query *q) {
  struct order *orders = lua_newuserdatauv(L, (size_t)(q->norders + 1) * sizeof *orders, 1);
  for (int i = 0; i < q->norders; i++) {
    struct order o = q->orders[i];
    bool plain = !o.label && o.reach.nvia == 0 && o.reach.place.nsteps == 0;
    if (plain && neap__query_group_of(q, &o.reach) < 0 && is_label(q, o.reach.place.field->name))
      o.label = o.reach.place.field->name;
    orders[i] = o;
  }
  q->orders = orders;
  lua_getiuservalue(L, 1, QUERY_ORDERS);
  lua_setiuservalue(L, -2, 1);
  neap__query_keep(L, 1, QUERY_ORDERS);
}

static void check_havings(lua_State *L, const struct query *q) {
  for (int i = 0; i < q->nhavings; i++)
    if (!is_label(q, q->havings[i].label))
      neap__fail(L, NEAP_USAGE, "having: '%s' is no label of aggregate", q->havings[i].label);
}

void neap__query_check_groups(lua_State *L, const struct query *q) {
  check_havings(L, q);
  for (int i = 0; i < q->norders; i++) {
    const struct order *o = &q->orders[i];
    if (o->label ? is_label(q, o->label) : neap__query_group_of(q, &o->reach) >= 0) continue;
    neap__order_name(L, o);
    neap__fail(L, NEAP_USAGE, "order: groups of %s sort by what they are grouped by and by labels; '%s' is neither",
               q->class->shape->model, lua_tostring(L, -1));
  }
}

static int count_keys(lua_State *L, int idx) {
  int n = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) n++;
  return n;
}

// Query:aggregate{ label = { ["$sum"] = name }, … } -> plain table { label = value }; a list of them where the query has
//   groups, with the groups' values too. $sum $min $max $avg of a field or path; $count of a field (values), of a condition
//   (rows that meet it) or true (rows). order() may name labels of grouped queries.
static int query_aggregate(lua_State *L) {
  const struct query *q = neap__query_aggregate(L);
  return neap__query_read(L, READ_TABLES, q->ngroups > 0 ? RESULT_LIST : RESULT_FIRST);
}

const struct query *neap__query_aggregate(lua_State *L) {
  lua_settop(L, 2);
  neap__arg_table(L, 2, "labels");
  int n = count_keys(L, 2);
  if (n == 0) neap__fail(L, NEAP_USAGE, "aggregate takes { label = { [\"$sum\"] = name }, … }");
  struct aggregate *list = begin(L, n);
  struct query *q = lua_touserdata(L, 1);
  int anchors = lua_gettop(L);
  lua_pushnil(L);
  for (int i = 0; lua_next(L, 3); i++, lua_pop(L, 1)) parse_label(L, &list[i], anchors);
  sort_labels(list, n);
  if (q->ngroups == 0) q->norders = 0;
  find_labels(L, q);
  if (q->ngroups == 0 && q->nhavings > 0) neap__fail(L, NEAP_USAGE, "having chooses among groups: call group first");
  if (q->ngroups == 0 && (q->limit >= 0 || q->skip > 0))
    neap__fail(L, NEAP_USAGE, "aggregate is of all rows that meet the condition: it does not go with limit and skip");
  lua_settop(L, 1);
  return q;
}

const luaL_Reg neap__query_aggregates[] = {
    {"sum", query_sum}, {"min", query_min}, {"max", query_max}, {"avg", query_avg}, {"aggregate", query_aggregate},
    {NULL, NULL},
};
