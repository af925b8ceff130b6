// dynamodb_plan.c: how a query is read. Out of the conditions that all have to be met it takes the hash key, what the range key must
// meet, what the server can filter and what is left, and picks the table or the index that serves them best.
#include "store/dynamodb_plan.h"
#include "model/template.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/memory.h"
#include "store/dynamodb_value.h"
#include "value/attribute.h"

#define KEYS_MOST 10000  // items that are asked for by their keys
#define ITEMS_FEW 100    // of one request

// ---- Columns ----

static size_t words(const struct planner *p) {
  return (size_t)p->shape->ncells / 64 + 1;
}

// Whether a condition looks at other objects, which are found by the keys.
static bool follows(const struct condition *c) {
  bool some = c->op == COND_SOME || c->place.counted || (c->other && c->other->counted);
  for (int i = 0; i < c->nchildren && !some; i++) some = follows(c->children[i]);
  return some;
}

// What has to come with the rows: what the query gives and sorts by, and what is left to do asks for.
static void mark(struct planner *p, uint64_t *bits, const struct condition *residual) {
  struct query bare = *p->q;
  bool keys = bare.ncounts > 0 || (residual && follows(residual));
  bare.where = bare.owners = NULL;
  neap__memory_columns(&bare, bits);
  neap__memory_condition_columns(residual, bits);
  for (int i = 0; i < bare.norders; i++) keys |= bare.orders[i].reach.nvia > 0;
  for (int i = 0; i < bare.ngroups; i++) keys |= bare.groups[i].nvia > 0;
  for (int i = 0; i < p->shape->nkeys && keys; i++) neap__set_bit(bits, p->shape->keys[i]->column);
}

// ---- Keys ----

// The operand as an item's key may be it; false: no key is.
static bool fit_key(const struct field *f, struct cell *cell) {
  const struct type *type = f->type.kind == TYPE_POINTER && f->type.of ? f->type.of : &f->type;
  char text[ATTRIBUTE_NUMBER];
  const char *fault;
  if (!neap__plan_is_scalar(cell) || (neap__cell_has_text(cell) && cell->n == 0)) return false;
  if (cell->kind == CELL_NUMBER && type->kind == TYPE_INTEGER) {
    if (cell->d != floor(cell->d) || fabs(cell->d) >= 0x1p63) return false;
    *cell = (struct cell){.i = (int64_t)cell->d, .kind = CELL_INTEGER};
  }
  if (cell->kind != CELL_INTEGER && cell->kind != CELL_NUMBER && cell->kind != CELL_DECIMAL) return true;
  return neap__attribute_number_of(cell, text, &fault) > 0;
}

// The part that says what a key equals: an EQ, or an IN.
static struct part *find_equal(struct planner *p, const struct field *f) {
  struct part *found = NULL;
  for (int i = 0; i < p->nparts; i++) {
    struct part *part = &p->parts[i];
    const struct condition *c = part->condition;
    if (part->role == ROLE_FILTER || !neap__plan_is_of(c, f)) continue;
    if (c->op == COND_EQ) return part;
    if (c->op == COND_IN && !found) found = part;
  }
  return found;
}

static bool is_lower(const struct condition *c) {
  return c->op == COND_GT || c->op == COND_GTE;
}

static bool is_upper(const struct condition *c) {
  return c->op == COND_LT || c->op == COND_LTE;
}

// Whether the server takes it of a range key. Text of no length is no key.
static bool is_range(const struct condition *c) {
  struct neap__error e;
  bool known = is_lower(c) || is_upper(c) || c->op == COND_EQ || c->op == COND_BETWEEN || c->op == COND_PREFIX;
  return known && neap__plan_is_scalar(&c->cells[0]) && neap__dynamodb_tells(c, &e) &&
         (c->op != COND_BETWEEN || neap__cell_compare(&c->cells[0], &c->cells[1]) <= 0);
}

// The tighter one of two bounds on the same side.
static struct part *tighter(struct part *a, struct part *b) {
  if (!a) return b;
  int order = neap__cell_compare(a->condition->cells, b->condition->cells);
  if (is_upper(a->condition)) order = -order;
  if (order == 0) return a->condition->op == COND_GT || a->condition->op == COND_LT ? a : b;
  return order == -1 ? b : a;
}

// Picks what the range key must meet: one condition, or a lower and an upper bound.
static void find_range(struct planner *p, struct target *t) {
  struct part *only = NULL;
  for (int i = 0; i < p->nparts; i++) {
    struct part *part = &p->parts[i];
    if (part->role == ROLE_FILTER || !neap__plan_is_of(part->condition, t->range) || !is_range(part->condition))
      continue;
    if (is_lower(part->condition))
      t->low = tighter(t->low, part);
    else if (is_upper(part->condition))
      t->high = tighter(t->high, part);
    else if (!only || part->condition->op == COND_EQ)
      only = part;
  }
  if (only) t->low = t->high = only;
}

// Items without the range key are not in an index.
static bool is_there(const struct planner *p, const struct field *f) {
  if (f->flags & (FIELD_PRIMARY | FIELD_REQUIRED | FIELD_VERSION | FIELD_AUTO_NOW | FIELD_AUTO_NOW_ADD)) return true;
  for (int i = 0; i < p->nparts; i++) {
    const struct condition *c = p->parts[i].condition;
    bool implies = c->op > COND_ELEMENT && c->op != COND_NE && c->op != COND_NIN && c->op != COND_TYPE &&
                   (c->op != COND_EXISTS || c->cells->i);
    implies = implies && (p->parts[i].role != ROLE_MADE || c->op == COND_EQ);
    if (implies && c->place.field == f) return true;
  }
  bool made = f->template != NULL;
  for (int i = 0; made && i < f->template->nparts; i++)
    made = !f->template->parts[i].field || is_there(p, f->template->parts[i].field);
  return made;
}

const struct field *neap__plan_lacks(const struct planner *p, const struct index *index, const uint64_t *columns) {
  for (int i = 0; index->holds && i < p->shape->ncolumns; i++)
    if (neap__has_bit(columns, i) && !neap__has_bit(index->holds, i)) return p->shape->columns[i];
  return NULL;
}

// How far the order of rows that come by the range key is that of the query.
static void look_at_order(struct planner *p, struct target *t) {
  const struct query *q = p->q;
  bool ranged = false;
  for (int i = 0; i < q->norders; i++) {
    const struct order *o = &q->orders[i];
    const struct place *place = &o->reach.place;
    bool plain =
        !o->label && o->reach.nvia == 0 && place->nsteps == 0 && !place->counted && neap__field_kept(place->field);
    bool range = plain && !ranged && place->field == t->range;
    if (range) t->descending = o->descending;
    if (!range && !(plain && p->known[place->field->column])) return;
    ranged |= range;
    t->nordered = ranged && !t->index ? q->norders : i + 1;  // in the table there is one row for each range key
    if (t->nordered == q->norders) return;
  }
}

// Whether the parts name so few items of the table by their whole keys that nothing else needs to be looked at.
static bool names_items(struct planner *p, const struct target *t) {
  const struct part *range = t->range ? find_equal(p, t->range) : NULL;
  if (t->index || (t->range && !range)) return false;
  return (int64_t)t->at->condition->ncells * (range ? range->condition->ncells : 1) <= ITEMS_FEW;
}

struct target neap__plan_look(struct planner *p, const struct index *index) {
  const struct shape *shape = p->shape;
  struct target t = {.index = index};
  if (index) {
    t.hash = index->parts[0].field;
    t.range = index->nparts > 1 ? index->parts[1].field : NULL;
  } else if (shape->nkeys > 0) {
    t.hash = shape->keys[0];
    t.range = shape->nkeys > 1 ? shape->keys[1] : NULL;
  }
  if (t.hash) t.at = find_equal(p, t.hash);
  if (t.at && t.range) find_range(p, &t);
  if (!t.at) return t;
  bool one = t.at->condition->op == COND_EQ;
  if (one) look_at_order(p, &t);
  t.score = (names_items(p, &t) ? 1000
             : one              ? 100
                                : 50) +
            (t.low || t.high ? 20 : 0) + (t.low && t.low == t.high ? 20 : 0) + (t.nordered > 0 ? 10 : 0) +
            (!index                       ? 5
             : index->kind == INDEX_LOCAL ? 2
                                          : 0);
  return t;
}

// Whether an index may be taken where nobody asked for it.
static bool may_serve(struct planner *p, const struct index *index, const struct target *t) {
  if (index->kind == INDEX_GLOBAL && p->plan->consistent) return false;
  return (!t->range || is_there(p, t->range)) && !neap__plan_lacks(p, index, p->columns);
}

// ---- The plan ----

static const struct condition *combine(struct planner *p, const struct condition **list, int n) {
  return n == 0 ? NULL : n == 1 ? list[0] : neap__plan_branch(p, COND_AND, list, n);
}

bool neap__plan_mentions(const struct condition *c, const struct field *f) {
  bool here = f && ((c->place.field == f && c->op > COND_OR) || (c->other && c->other->field == f));
  for (int i = 0; i < c->nchildren && !here; i++) here = neap__plan_mentions(c->children[i], f);
  return here;
}

bool neap__plan_is_filter(struct planner *p, const struct target *t, const struct condition *c) {
  struct neap__error e;
  bool scan = p->plan->reading == READING_SCAN;
  if (p->plan->reading == READING_KEYS) return false;
  if (!scan && (neap__plan_mentions(c, t->hash) || neap__plan_mentions(c, t->range))) return false;
  if (t->index && t->index->holds) {
    uint64_t *asked = neap__plan_keep(p, words(p), sizeof *asked);
    neap__memory_condition_columns(c, asked);
    if (neap__plan_lacks(p, t->index, asked)) return false;
  }
  return neap__dynamodb_tells(c, &e);
}

// What the keys do not say goes to the server as far as it can tell it, and is left to us otherwise.
static void split(struct planner *p, const struct target *t) {
  const struct condition **filter = neap__plan_keep(p, (size_t)p->nparts, sizeof *filter);
  const struct condition **rest = neap__plan_keep(p, (size_t)p->nparts, sizeof *rest);
  struct neap__error e;
  int nfilter = 0, nrest = 0;
  for (int i = 0; i < p->nparts; i++) {
    const struct condition *c = p->parts[i].condition;
    if (p->parts[i].taken || p->parts[i].role == ROLE_MADE) continue;
    if (neap__plan_is_filter(p, t, c))
      filter[nfilter++] = c;
    else
      rest[nrest++] = c;
  }
  p->plan->filter = combine(p, filter, nfilter);
  while (nfilter > 1 && !neap__dynamodb_tells(p->plan->filter, &e)) {
    rest[nrest++] = filter[--nfilter];
    p->plan->filter = combine(p, filter, nfilter);
  }
  p->plan->residual = combine(p, rest, nrest);
}

// The two bounds as the one condition that the server takes. What BETWEEN includes and the bounds do not is left to us.
static void set_range(struct planner *p, const struct target *t) {
  struct part *low = t->low, *high = t->high;
  if (!low && !high) return;
  if (!low || !high || low == high) {
    struct part *only = low ? low : high;
    p->plan->range = only->condition;
    only->taken = true;
    return;
  }
  struct condition *between = neap__plan_keep(p, 1, sizeof *between);
  struct cell *cells = neap__plan_keep(p, 2, sizeof *cells);
  *between = *low->condition;
  between->op = COND_BETWEEN;
  between->cells = cells;
  between->ncells = 2;
  cells[0] = *low->condition->cells;
  cells[1] = *high->condition->cells;
  if (neap__cell_compare(&cells[0], &cells[1]) > 0) p->never = true;
  low->taken = low->condition->op == COND_GTE;
  high->taken = high->condition->op == COND_LTE;
  p->plan->range = between;
}

static int by_value(const void *a, const void *b) {
  return neap__cell_compare(a, b);
}

// The values of a part that keys may have, none twice. Their order is that of the values.
static int read_values(struct planner *p, const struct field *f, struct part *part, struct cell **out) {
  const struct condition *c = part->condition;
  struct cell *cells = neap__plan_keep(p, (size_t)c->ncells, sizeof *cells);
  int n = 0, distinct = 0;
  for (int i = 0; i < c->ncells; i++) {
    cells[n] = c->cells[i];
    if (fit_key(f, &cells[n])) n++;
  }
  if (n > 1) qsort(cells, (size_t)n, sizeof *cells, by_value);
  for (int i = 0; i < n; i++)
    if (i == 0 || neap__cell_compare(&cells[i], &cells[distinct - 1]) != 0) cells[distinct++] = cells[i];
  part->taken = true;
  *out = cells;
  return distinct;
}

// All pairs of a hash and a range key.
static void set_keys(struct planner *p, const struct target *t, struct part *range) {
  struct dynamodb_plan *plan = p->plan;
  struct cell *hashes, *ranges;
  int n = read_values(p, t->hash, t->at, &hashes), m = read_values(p, t->range, range, &ranges);
  struct cell *keys = neap__plan_keep(p, (size_t)n * (size_t)m * 2, sizeof *keys);
  for (int i = 0; i < n * m; i++) {
    keys[2 * i] = hashes[i / m];
    keys[2 * i + 1] = ranges[i % m];
  }
  plan->keys = keys;
  plan->nkeys = n * m;
}

// Whether the parts name items by their whole keys. Who says key or filter wants a query.
static bool find_keys(struct planner *p, const struct target *t) {
  struct cell *cells;
  if (t->index || p->shape->nkeys > 2 || p->q->key || p->q->filter) return false;
  p->plan->reading = READING_KEYS;
  if (t->range) {
    struct part *range = find_equal(p, t->range);
    if (!range || (int64_t)t->at->condition->ncells * range->condition->ncells > KEYS_MOST) return false;
    set_keys(p, t, range);
  } else {
    p->plan->nkeys = read_values(p, t->hash, t->at, &cells);
    p->plan->keys = cells;
  }
  p->plan->ordered = p->q->norders == 0 || p->plan->nkeys <= 1;
  return true;
}

// Reads one pair of keys out of an AND of two EQ. 1: no item has it. -1: it is something else.
static int read_pair(const struct planner *p, const struct condition *c, struct cell *key) {
  int found = 0, status = 0;
  if (c->op != COND_AND || c->nchildren != 2) return -1;
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < 2; k++) {
      const struct condition *equal = c->children[i];
      if (equal->op != COND_EQ || !neap__plan_is_of(equal, p->shape->keys[k])) continue;
      found |= 1 << k;
      key[k] = equal->cells[0];
      if (!fit_key(p->shape->keys[k], &key[k])) status = 1;
    }
  return found == 3 ? status : -1;
}

static int by_pair(const void *a, const void *b) {
  const struct cell *x = a, *y = b;
  int order = neap__cell_compare(&x[0], &y[0]);
  return order ? order : neap__cell_compare(&x[1], &y[1]);
}

// Whether a part names items one by one: (hash = a AND range = 1) OR (hash = b AND range = 2).
static bool find_pairs(struct planner *p) {
  struct dynamodb_plan *plan = p->plan;
  for (int i = 0; i < p->nparts && p->shape->nkeys == 2; i++) {
    const struct condition *c = p->parts[i].condition;
    if (c->op != COND_OR || c->nchildren == 0 || c->nchildren > KEYS_MOST || p->parts[i].role == ROLE_FILTER) continue;
    struct cell *keys = neap__plan_keep(p, 2 * (size_t)c->nchildren, sizeof *keys);
    int n = 0, status = 0, distinct = 0;
    for (int k = 0; k < c->nchildren && status >= 0; k++) {
      status = read_pair(p, c->children[k], &keys[2 * n]);
      n += status == 0;
    }
    if (status < 0) continue;
    if (n > 1) qsort(keys, (size_t)n, 2 * sizeof *keys, by_pair);
    for (int k = 0; k < n; k++)
      if (k == 0 || by_pair(&keys[2 * k], &keys[2 * distinct - 2]) != 0)
        memmove(&keys[2 * distinct++], &keys[2 * k], 2 * sizeof *keys);
    p->parts[i].taken = true;
    plan->reading = distinct > 0 ? READING_KEYS : READING_NOTHING;
    plan->keys = keys;
    plan->nkeys = distinct;
    plan->ordered = p->q->norders == 0 || distinct <= 1;
    return true;
  }
  return false;
}

static void set_query(struct planner *p, const struct target *t) {
  struct dynamodb_plan *plan = p->plan;
  struct cell *cells;
  plan->reading = READING_QUERY;
  plan->index = t->index;
  plan->nkeys = read_values(p, t->hash, t->at, &cells);
  plan->keys = cells;
  plan->nordered = t->nordered;
  plan->ordered = t->nordered == p->q->norders;
  plan->descending = t->descending;
  set_range(p, t);
}

static void set_scan(struct planner *p, const struct target *t) {
  p->plan->reading = READING_SCAN;
  p->plan->index = t->index;
  p->plan->nkeys = p->q->segments > 1 ? p->q->segments : 1;
  p->plan->ordered = p->q->norders == 0;
}

// A page of a scan is one of the rows in their order on the disks: sorted, each would have to be looked for in all that is left.
static void page_scan(struct planner *p, const struct target *t) {
  const struct paging *paging = p->q->paging;
  if (!paging || !p->q->scan || p->q->segments > 1 || t->index || p->never) return;
  if (paging->back)
    neap__fail(p->L, NEAP_USAGE, "%s: the pages of a scan go forward: keep the cursors of those before",
               p->shape->model);
  memset(p->known, 0, (size_t)p->shape->ncolumns * sizeof *p->known);
  p->parts = NULL;
  p->nparts = p->room = 0;
  p->where = paging->where;
  neap__plan_parts(p, p->plan->view);
  p->plan->start = paging->after;
  p->plan->ordered = true;
}

// ---- All of it ----

static struct target choose(struct planner *p) {
  if (p->q->index) return neap__plan_look(p, p->q->index);
  struct target best = neap__plan_look(p, NULL);
  for (int i = 0; i < p->shape->nindexes; i++) {
    const struct index *index = &p->shape->indexes[i];
    if (index->kind == INDEX_PLAIN) continue;
    struct target t = neap__plan_look(p, index);
    if (t.score > best.score && may_serve(p, index, &t)) best = t;
  }
  return best;
}

// The columns that come: what was selected, and what is left to do asks for.
static void set_columns(struct planner *p) {
  uint64_t *columns = neap__plan_keep(p, words(p), sizeof *columns);
  mark(p, columns, p->plan->residual);
  p->plan->columns = columns;
}

static void make(struct planner *p) {
  mark(p, p->columns, NULL);
  for (int i = 0; i < p->nparts; i++)
    if (p->parts[i].role != ROLE_MADE) neap__memory_condition_columns(p->parts[i].condition, p->columns);
  struct target t = choose(p);
  if (p->q->index) neap__plan_check_index(p);
  bool pairs = !p->q->index && t.score == 0 && find_pairs(p);
  if (t.score > 0 && !find_keys(p, &t)) set_query(p, &t);
  if (t.score == 0 && !pairs) {
    set_scan(p, &t);
    page_scan(p, &t);
  }
  if (t.score == 0 && !pairs && !p->never && !p->q->scan && !p->shape->scan) neap__plan_refuse_scan(p, &t);
  if (p->never || (t.score > 0 && p->plan->nkeys == 0)) p->plan->reading = READING_NOTHING;
  split(p, &t);
  set_columns(p);
  if (!p->never) neap__plan_check_roles(p, &t);
}

void neap__dynamodb_plan(lua_State *L, struct view *view, const struct query *q, struct dynamodb_plan *plan) {
  const struct shape *shape = q->class->shape;
  *plan = (struct dynamodb_plan){.view = view, .shape = shape, .consistent = q->consistent || view->consistent};
  lua_newtable(L);
  struct planner p = {.L = L, .anchors = lua_gettop(L), .q = q, .where = q->where, .shape = shape, .plan = plan};
  luaL_checkstack(L, 20, "plan");
  p.known = neap__plan_keep(&p, (size_t)shape->ncolumns, sizeof *p.known);
  p.columns = neap__plan_keep(&p, words(&p), sizeof *p.columns);
  neap__plan_parts(&p, view);
  make(&p);
  lua_settop(L, p.anchors);
}
