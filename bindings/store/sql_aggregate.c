// sql_aggregate.c: groups and aggregates as SQL. Sums and averages of decimals are exact, by functions of ours.
#include "model/condition_build.h"
#include "store/sql_query.h"
#include "store/sql_store.h"

static const struct type *type_of(const struct reach *r) {
  const struct type *t = r->place.type;
  return t && (t->kind == TYPE_POINTER || t->kind == TYPE_COMPUTED) ? t->of : t;
}

static enum cell_kind kind_of(const struct reach *r) {
  const struct type *t = type_of(r);
  return t && r->place.nsteps == 0 ? neap__sql_kind(t) : CELL_UNLOADED;
}

int neap__sql_aggregate_kinds(const struct query *q, uint8_t *kinds) {
  for (int i = 0; i < q->ngroups; i++)
    kinds[i] = (uint8_t)(neap__place_in_json(&q->groups[i].place) ? CELL_JSON : kind_of(&q->groups[i]));
  for (int i = 0; i < q->naggregates; i++) {
    const struct aggregate *a = &q->aggregates[i];
    enum cell_kind kind = a->reach.place.field ? kind_of(&a->reach) : CELL_INTEGER;
    if (a->op == AGG_COUNT) kind = CELL_INTEGER;
    if (a->op == AGG_AVG && kind != CELL_DECIMAL) kind = CELL_NUMBER;
    kinds[q->ngroups + i] = (uint8_t)kind;
  }
  return q->ngroups + q->naggregates;
}

static const char *function_of(const struct aggregate *a) {
  bool decimal = a->op != AGG_COUNT && kind_of(&a->reach) == CELL_DECIMAL;
  switch (a->op) {
    case AGG_COUNT: return "count(";
    case AGG_SUM: return decimal ? "neap_sum(" : "sum(";
    case AGG_MIN: return "min(";
    case AGG_MAX: return "max(";
    case AGG_AVG: return decimal ? "neap_avg(" : "avg(";
  }
  return NULL;
}

static int write_aggregate(lua_State *L, struct sql_text *s, const struct aggregate *a, struct neap__error *e) {
  neap__sql_add(s, function_of(a));
  if (a->filter) {
    neap__sql_add(s, "CASE WHEN ");
    if (neap__sql_condition(L, s, 0, a->filter, e) != 0) return -1;
    neap__sql_add(s, " THEN 1 END");
  } else if (!a->reach.place.field) {
    neap__sql_add(s, "*");
  } else {
    bool number = a->op == AGG_SUM || a->op == AGG_AVG;
    int status = (number ? neap__sql_reach_number : neap__sql_reach)(L, s, 0, &a->reach, e);
    if (status != 0) return -1;
  }
  neap__sql_add(s, ")");
  return 0;
}

// The rows are cut by the limit after they were grouped.
int neap__sql_aggregate(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                        struct neap__error *e) {
  s->naliases = q->link ? 2 : 1;
  neap__sql_add(s, "SELECT ");
  for (int i = 0; i < q->ngroups; i++) {
    if (i > 0) neap__sql_add(s, ", ");
    if (neap__sql_reach_whole(L, s, 0, &q->groups[i], e) != 0) return -1;
  }
  for (int i = 0; i < q->naggregates; i++) {
    if (q->ngroups + i > 0) neap__sql_add(s, ", ");
    if (write_aggregate(L, s, &q->aggregates[i], e) != 0) return -1;
  }
  neap__sql_from(s, q);
  if (neap__sql_where(L, s, view, q, e) != 0) return -1;
  for (int i = 0; i < q->ngroups && !q->every; i++) neap__sql_addf(s, i == 0 ? " GROUP BY %d" : ", %d", i + 1);
  if (neap__sql_order(L, s, q, e) != 0) return -1;
  neap__sql_limit(s, q);
  return 0;
}
