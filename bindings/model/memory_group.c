// memory_group.c: groups in memory, and what is computed of each. It means what the SQL stores mean: of what is absent or of another
// type nothing is computed, integers and decimals are exact, and the sum of nothing is nothing.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/memory_build.h"
#include "value/decimal_number.h"

// What is known of an aggregate while the rows of its group come.
struct total {
  int64_t n;
  __int128 i;  // so that the order of the rows does not decide whether there is room for the sum
  double d;
  bool real;          // some number was no integer
  struct kept *kept;  // one cell: the smallest or largest, or the sum of decimals
};

static bool is_number(const struct cell *c) {
  return c->kind == CELL_INTEGER || c->kind == CELL_NUMBER || c->kind == CELL_DECIMAL;
}

static bool in_json(const struct aggregate *a) {
  return a->reach.place.field && neap__place_in_json(&a->reach.place);
}

// ---- Adding ----

static bool replace(struct memory *m, struct total *t, const struct cell *cell) {
  struct kept *kept = neap__memory_keep(&m->room, cell, 1, "the groups");
  if (!kept) return false;
  neap__memory_drop(&m->room, t->kept);
  t->kept = kept;
  return true;
}

static bool add_decimal(struct memory *m, struct total *t, const struct cell *cell) {
  struct number x, sum, total;
  struct neap__error e;
  char text[DECIMAL_TEXT];
  if (!t->kept) return replace(m, t, cell);
  neap__number_read(&x, cell->p, cell->n);
  neap__number_read(&total, t->kept->cells->p, t->kept->cells->n);
  if (neap__number_add(&sum, &total, &x, &e) != 0) return neap__memory_fail(&m->room, e.kind, "%s", e.message);
  struct cell next = {.p = text, .n = (uint32_t)neap__number_write(&sum, text), .kind = CELL_DECIMAL};
  return replace(m, t, &next);
}

static double number_of(const struct cell *cell) {
  char text[DECIMAL_TEXT];
  if (cell->kind == CELL_INTEGER) return (double)cell->i;
  if (cell->kind == CELL_NUMBER) return cell->d;
  size_t n = cell->n < sizeof text ? cell->n : sizeof text - 1;
  memcpy(text, cell->p, n);
  text[n] = 0;
  return strtod(text, NULL);
}

static bool add_number(struct memory *m, const struct aggregate *a, struct total *t, const struct cell *cell) {
  if (cell->kind == CELL_DECIMAL && !in_json(a)) return add_decimal(m, t, cell);
  t->d += number_of(cell);
  if (cell->kind == CELL_INTEGER)
    t->i += cell->i;
  else
    t->real = true;
  return true;
}

static int order_of(const struct cell *a, const struct cell *b) {
  int order = neap__cell_compare(a, b);
  return order == 2 ? is_number(b) - is_number(a) : order;
}

static bool add_extreme(struct memory *m, const struct aggregate *a, struct total *t, const struct cell *cell) {
  if (in_json(a) && !is_number(cell) && cell->kind != CELL_TEXT) return true;
  if (t->kept) {
    int order = order_of(cell, t->kept->cells);
    if (a->op == AGG_MIN ? order >= 0 : order <= 0) return true;
  }
  return replace(m, t, cell);
}

static bool add_to(struct memory *m, const struct aggregate *a, struct total *t) {
  if (!a->reach.place.field) {
    t->n += !a->filter || neap__condition_evaluate(a->filter, &m->row);
    return true;
  }
  struct found f = neap__memory_find(m, &a->reach, &m->scratch[m->q->ngroups + m->q->norders]);
  if (!f.there) return true;
  bool sums = a->op == AGG_SUM || a->op == AGG_AVG;
  if (sums && !is_number(&f.cell)) return true;
  t->n++;
  if (a->op == AGG_COUNT) return true;
  return sums ? add_number(m, a, t, &f.cell) : add_extreme(m, a, t, &f.cell);
}

// The keys as they are given, then as they compare.
static void find_keys(struct memory *m) {
  int n = m->q->ngroups;
  for (int i = 0; i < n; i++) {
    const struct reach *r = &m->q->groups[i];
    struct found f = neap__memory_find(m, r, &m->scratch[i]);
    struct cell *given = &m->group[i], *compared = &m->group[n + i];
    *given = *compared = f.there ? f.cell : (struct cell){.kind = CELL_NIL};
    if (!f.there || !f.json.p || !neap__place_in_json(&r->place)) continue;
    *given = (struct cell){.p = f.json.p, .n = (uint32_t)f.json.n, .kind = CELL_JSON};
    if (compared->kind == CELL_JSON) *compared = *given;
  }
}

bool neap__memory_begin(struct memory *m, struct kept *group) {
  size_t bytes = (size_t)m->q->naggregates * sizeof(struct total);
  if (bytes == 0) return true;
  if (!neap__memory_take(&m->room, bytes, "the groups")) return false;
  group->more = calloc(1, bytes);
  return group->more || neap__memory_fail(&m->room, NEAP_LIMIT, "memory is short");
}

bool neap__memory_add(struct memory *m) {
  const struct query *q = m->q;
  bool fresh;
  find_keys(m);
  struct kept *group = neap__memory_entry(&m->room, &m->groups, m->group, 2 * q->ngroups, q->ngroups, &fresh);
  if (!group || (fresh && !neap__memory_begin(m, group))) return false;
  struct total *totals = group->more;
  for (int i = 0; i < q->naggregates; i++)
    if (!add_to(m, &q->aggregates[i], &totals[i])) return false;
  return true;
}

// ---- Results ----

// The average takes the place of the sum, as that of one.
static bool divide(struct memory *m, struct total *t) {
  struct number sum, n, average;
  struct neap__error e;
  char text[DECIMAL_TEXT];
  neap__number_read(&sum, t->kept->cells->p, t->kept->cells->n);
  neap__number_integer(&n, t->n);
  if (neap__number_divide(&average, &sum, &n, &e) != 0) return neap__memory_fail(&m->room, e.kind, "%s", e.message);
  t->n = 1;
  return replace(m, t,
                 &(struct cell){.p = text, .n = (uint32_t)neap__number_write(&average, text), .kind = CELL_DECIMAL});
}

static struct cell sum_of(struct memory *m, const struct aggregate *a, const struct total *t) {
  if (t->real) return (struct cell){.d = t->d, .kind = CELL_NUMBER};
  if (t->i > INT64_MAX || t->i < INT64_MIN)
    neap__memory_fail(&m->room, NEAP_LIMIT, "%s: the sum is more than an integer of 64 bits holds", a->label);
  return (struct cell){.i = (int64_t)t->i, .kind = CELL_INTEGER};
}

static struct cell result(struct memory *m, const struct aggregate *a, struct total *t) {
  struct cell none = {.kind = CELL_NIL};
  if (a->op == AGG_COUNT) return (struct cell){.i = t->n, .kind = CELL_INTEGER};
  if (t->n == 0) return none;
  if (t->kept) return a->op == AGG_AVG && !divide(m, t) ? none : *t->kept->cells;
  if (a->op == AGG_AVG) return (struct cell){.d = t->d / (double)t->n, .kind = CELL_NUMBER};
  return a->op == AGG_SUM ? sum_of(m, a, t) : none;
}

// Two-valued: nothing differs from any operand, and compares with none.
static bool has(struct memory *m, const struct having *h, struct total *totals) {
  const struct aggregate *a = m->q->aggregates;
  while (strcmp(a->label, h->label) != 0) a++;
  struct cell value = result(m, a, &totals[a - m->q->aggregates]), operand = h->cell;
  char text[40];
  bool untyped = in_json(a) && a->op != AGG_COUNT && a->op != AGG_AVG;
  if (value.kind == CELL_NIL || !neap__having_fit(untyped ? CELL_UNLOADED : value.kind, &operand, text))
    return h->op == COND_NE;
  int order = neap__cell_compare(&value, &operand);
  return h->op == COND_NE ? order != 0 : neap__condition_meets(h->op, order);
}

bool neap__memory_group(struct memory *m, const struct kept *group) {
  const struct query *q = m->q;
  struct total *totals = group->more;
  for (int i = 0; i < q->nhavings; i++)
    if (!has(m, &q->havings[i], totals)) return false;
  for (int i = 0; i < q->ngroups; i++) m->out[i] = group->cells[i];
  for (int i = 0; i < q->naggregates; i++) m->out[q->ngroups + i] = result(m, &q->aggregates[i], &totals[i]);
  return !m->room.failed;
}

void neap__memory_groups_free(struct memory *m) {
  for (size_t i = 0; i < m->groups.n; i++) {
    struct total *totals = m->groups.entries[i]->more;
    for (int k = 0; totals && k < m->naggregates; k++) free(totals[k].kept);
    free(totals);
  }
  neap__memory_table_free(&m->groups);
}
