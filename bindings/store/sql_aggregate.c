// sql_aggregate.c: groups and aggregates as SQL. Sums and averages of decimals are exact, by functions of ours.
#include <math.h>
#include <stdio.h>

#include "model/condition_build.h"
#include "store/sql_query.h"
#include "store/sql_store.h"
#include "value/json.h"

static const struct type *type_of(const struct reach *r) {
  const struct type *t = r->place.type;
  return t && (t->kind == TYPE_POINTER || t->kind == TYPE_COMPUTED) ? t->of : t;
}

// The kind of the values there, UNLOADED in JSON.
static enum cell_kind kind_of(const struct reach *r) {
  const struct type *t = type_of(r);
  return t && !neap__place_in_json(&r->place) ? neap__sql_kind(t) : CELL_UNLOADED;
}

static enum cell_kind result_kind(const struct aggregate *a) {
  enum cell_kind kind = a->reach.place.field ? kind_of(&a->reach) : CELL_INTEGER;
  if (a->op == AGG_COUNT) return CELL_INTEGER;
  return a->op == AGG_AVG && kind != CELL_DECIMAL ? CELL_NUMBER : kind;
}

int neap__sql_aggregate_kinds(const struct query *q, uint8_t *kinds) {
  for (int i = 0; i < q->ngroups; i++)
    kinds[i] = (uint8_t)(neap__place_in_json(&q->groups[i].place) ? CELL_JSON : kind_of(&q->groups[i]));
  for (int i = 0; i < q->naggregates; i++) kinds[q->ngroups + i] = (uint8_t)result_kind(&q->aggregates[i]);
  return q->ngroups + q->naggregates;
}

// What stands for $0 and $1: in JSON the number and the text; of what is counted whatever is there.
static int write_operand(lua_State *L, struct sql_text *s, const struct aggregate *a, int i, struct neap__error *e) {
  const struct reach *r = &a->reach;
  if (i == 1) return neap__sql_reach_text(L, s, 0, r, e);
  return (a->op == AGG_COUNT ? neap__sql_reach_whole : neap__sql_reach_number)(L, s, 0, r, e);
}

static int write_count(lua_State *L, struct sql_text *s, const struct aggregate *a, struct neap__error *e) {
  neap__sql_add(s, a->filter ? "count(CASE WHEN " : "count(*)");
  if (!a->filter) return 0;
  int status = neap__sql_condition(L, s, 0, a->filter, e);
  neap__sql_add(s, " THEN 1 END)");
  return status;
}

static int write_aggregate(lua_State *L, struct sql_text *s, const struct aggregate *a, struct neap__error *e) {
  if (!a->reach.place.field) return write_count(L, s, a, e);
  const char *p = s->dialect->aggregate(a->op, kind_of(&a->reach)), *mark;
  for (; (mark = strchr(p, '$')); p = mark + 2) {
    neap__sql_addf(s, "%.*s", (int)(mark - p), p);
    if (write_operand(L, s, a, mark[1] - '0', e) != 0) return -1;
  }
  neap__sql_add(s, p);
  return 0;
}

// A template in which $0 is what the aggregate gives.
static int write_as(lua_State *L, struct sql_text *s, const struct aggregate *a, const char *text,
                    struct neap__error *e) {
  for (const char *mark; (mark = strchr(text, '$')); text = mark + 2) {
    neap__sql_addf(s, "%.*s", (int)(mark - text), text);
    if (write_aggregate(L, s, a, e) != 0) return -1;
  }
  neap__sql_add(s, text);
  return 0;
}

// What JSON sorts by is made of what groups are, so that it forms no groups of its own.
static int write_groups(lua_State *L, struct sql_text *s, const struct query *q, struct neap__error *e) {
  for (int i = 0; i < q->ngroups; i++) neap__sql_addf(s, i == 0 ? " GROUP BY %d" : ", %d", i + 1);
  for (int i = 0; i < q->norders; i++) {
    const struct reach *r = &q->orders[i].reach;
    if (q->orders[i].label || !neap__place_in_json(&r->place) || !s->dialect->sort[0]) continue;
    for (int key = 0; key < 2; key++) {
      neap__sql_add(s, ", ");
      if (neap__sql_reach_sort(L, s, 0, r, key, e) != 0) return -1;
    }
  }
  return 0;
}

static const struct aggregate *labelled(const struct query *q, const char *label) {
  const struct aggregate *a = q->aggregates;
  while (strcmp(a->label, label) != 0) a++;
  return a;
}

// ---- Having ----

static bool is_number(enum cell_kind kind) {
  return kind == CELL_INTEGER || kind == CELL_NUMBER || kind == CELL_DECIMAL;
}

// What is computed, as a value that the operand compares with.
static int write_result(lua_State *L, struct sql_text *s, const struct aggregate *a, const struct cell *operand,
                        struct neap__error *e) {
  enum cell_kind kind = result_kind(a);
  enum sql_class class = operand->kind == CELL_DECIMAL ? SQL_DECIMAL : is_number(operand->kind) ? SQL_NUMBER : SQL_TEXT;
  if (kind == CELL_UNLOADED) return write_as(L, s, a, s->dialect->result[class], e);
  int status = write_aggregate(L, s, a, e);
  if (kind == CELL_DECIMAL) neap__sql_collate(s, &a->reach.place);
  return status;
}

static void bind_operand(struct sql_text *s, const struct aggregate *a, const struct cell *cell) {
  enum cell_kind kind = result_kind(a);
  bool number = is_number(cell->kind);
  bool decimal = number && (kind == CELL_DECIMAL || (kind == CELL_UNLOADED && s->dialect->arrays));
  bool column = kind != CELL_UNLOADED && (a->op == AGG_MIN || a->op == AGG_MAX);
  char text[32];
  if (decimal && cell->kind == CELL_INTEGER)
    neap__sql_bind_copy(s, CELL_DECIMAL, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)cell->i));
  else if (decimal && cell->kind == CELL_NUMBER && isfinite(cell->d))
    neap__sql_bind_copy(s, CELL_DECIMAL, text, neap__json_double(cell->d, text));
  else if (cell->kind == CELL_TEXT)
    neap__sql_bind_copy(s, CELL_TEXT, cell->p, cell->n);
  else if (column)
    neap__sql_bind_field(s, a->reach.place.field, cell);
  else
    neap__sql_bind(s, cell);
  if (decimal)
    neap__sql_add(s, s->dialect->decimal);
  else if (cell->kind == CELL_DECIMAL && kind != CELL_UNLOADED)
    neap__sql_add(s, s->dialect->number);
}

// Two-valued: NULL differs from any operand, and compares with none.
static int write_having(lua_State *L, struct sql_text *s, const struct query *q, const struct having *h,
                        struct neap__error *e) {
  static const char *const operators[] = {
      [COND_EQ] = " = ",  [COND_NE] = " IS DISTINCT FROM ", [COND_LT] = " < ", [COND_LTE] = " <= ", [COND_GT] = " > ",
      [COND_GTE] = " >= "};
  const struct aggregate *a = labelled(q, h->label);
  struct cell operand = h->cell;
  char text[40];
  if (!neap__having_fit(result_kind(a), &operand, text) || neap__sql_has_nul(s->dialect, &operand)) {
    neap__sql_add(s, h->op == COND_NE ? s->dialect->yes : s->dialect->no);
    return 0;
  }
  if (write_result(L, s, a, &operand, e) != 0) return -1;
  neap__sql_add(s, operators[h->op]);
  bind_operand(s, a, &operand);
  return 0;
}

static int write_havings(lua_State *L, struct sql_text *s, const struct query *q, struct neap__error *e) {
  for (int i = 0; i < q->nhavings; i++) {
    neap__sql_add(s, i == 0 ? " HAVING " : " AND ");
    if (write_having(L, s, q, &q->havings[i], e) != 0) return -1;
  }
  return 0;
}

// ---- The statement ----

// What min and max give in JSON may be a number or text.
bool neap__sql_label_sorts(const struct sql_dialect *dialect, const struct query *q, const char *label) {
  const struct aggregate *a = labelled(q, label);
  return dialect->sort[0] && result_kind(a) == CELL_UNLOADED && a->op != AGG_SUM;
}

int neap__sql_label_sort(lua_State *L, struct sql_text *s, const struct query *q, const char *label, int key,
                         struct neap__error *e) {
  return write_as(L, s, labelled(q, label), s->dialect->sort[key], e);
}

// The rows are cut by the limit after they were grouped.
int neap__sql_aggregate(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                        struct neap__error *e) {
  bool halved = q->every && neap__sql_is_halved(s->dialect, q);
  if (halved && neap__sql_halves(L, s, view, q, e) != 0) return -1;
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
  halved ? neap__sql_from_halves(s) : neap__sql_from(s, q);
  if (!halved && neap__sql_where(L, s, view, q, e) != 0) return -1;
  if (q->ngroups > 0 && !q->every && write_groups(L, s, q, e) != 0) return -1;
  if (q->naggregates > 0 && write_havings(L, s, q, e) != 0) return -1;
  if (neap__sql_order(L, s, q, e) != 0) return -1;
  neap__sql_limit(s, q);
  return 0;
}
