// dynamodb_parts.c: the conditions of a query that all have to be met, one by one. What one of them says of a column decides what the
// others ask of it: so a page behind a cursor becomes a range of the range key where the hash key is known.
#include <string.h>

#include "model/condition_build.h"
#include "model/template.h"
#include "store/dynamodb_plan.h"

static const struct condition always = {.op = COND_AND}, never = {.op = COND_OR};

void *neap__plan_keep(struct planner *p, size_t count, size_t size) {
  void *memory = memset(lua_newuserdatauv(p->L, count * size + 1, 0), 0, count * size + 1);
  lua_rawseti(p->L, p->anchors, (lua_Integer)lua_rawlen(p->L, p->anchors) + 1);
  return memory;
}

const struct condition *neap__plan_branch(struct planner *p, enum condition_op op, const struct condition **children,
                                          int n) {
  struct condition *c = neap__plan_keep(p, 1, sizeof *c);
  *c = (struct condition){.op = op, .shape = p->shape, .nchildren = n, .children = children};
  return c;
}

static void add_part(struct planner *p, const struct condition *c, enum role role) {
  if (!c) return;
  if (c->op == COND_AND) {
    for (int i = 0; i < c->nchildren; i++) add_part(p, c->children[i], role);
    return;
  }
  if (c->op == COND_OR && c->nchildren == 0) p->never = true;
  if (p->nparts == p->room) {
    struct part *more = neap__plan_keep(p, (size_t)p->room * 2 + 8, sizeof *more);
    if (p->nparts > 0) memcpy(more, p->parts, (size_t)p->nparts * sizeof *more);
    p->parts = more;
    p->room = p->room * 2 + 8;
  }
  p->parts[p->nparts++] = (struct part){.condition = c, .role = role};
}

bool neap__plan_is_of(const struct condition *c, const struct field *f) {
  return c->place.field == f && c->place.nsteps == 0 && !c->place.counted && !c->other;
}

// Whether what is asked of a column is decided by what the column is known to be.
static bool is_known(const struct planner *p, const struct condition *c) {
  const struct field *f = c->place.field;
  bool leaf = c->op > COND_ELEMENT && c->op != COND_REGEX && c->op < COND_SIZE;
  return leaf && neap__plan_is_of(c, f) && neap__field_kept(f) && p->known[f->column] && p->known[f->column] != c;
}

struct known_row {
  struct row_source source;
  const struct planner *planner;
};

static void known_cell(struct row_source *source, const struct field *field, struct cell *out) {
  *out = *((struct known_row *)source)->planner->known[field->column]->cells;
}

// The condition where the columns are what they are known to be: a page behind a cursor becomes a range so.
static const struct condition *settle(struct planner *p, const struct condition *c);

static const struct condition *settle_branch(struct planner *p, const struct condition *c) {
  const struct condition **children = neap__plan_keep(p, (size_t)c->nchildren, sizeof *children);
  const enum condition_op opposite = c->op == COND_AND ? COND_OR : COND_AND;
  bool changed = false;
  int n = 0;
  for (int i = 0; i < c->nchildren; i++) {
    const struct condition *child = settle(p, c->children[i]);
    bool constant = child->nchildren == 0 && child->op <= COND_OR;
    changed |= child != c->children[i];
    if (constant && child->op == opposite) return child;
    if (!constant) children[n++] = child;
  }
  if (!changed) return c;
  return n == 1 ? children[0] : neap__plan_branch(p, c->op, children, n);
}

static const struct condition *settle_not(struct planner *p, const struct condition *c) {
  const struct condition *child = settle(p, c->children[0]);
  if (child == c->children[0]) return c;
  if (child->nchildren == 0 && child->op <= COND_OR) return child->op == COND_AND ? &never : &always;
  const struct condition **children = neap__plan_keep(p, 1, sizeof *children);
  *children = child;
  return neap__plan_branch(p, COND_NOT, children, 1);
}

static const struct condition *settle(struct planner *p, const struct condition *c) {
  struct known_row row = {.source = {.cell = known_cell}, .planner = p};
  if (c->op == COND_AND || c->op == COND_OR) return settle_branch(p, c);
  if (c->op == COND_NOT) return settle_not(p, c);
  if (!is_known(p, c)) return c;
  return neap__condition_evaluate(c, &row.source) ? &always : &never;
}

bool neap__plan_is_scalar(const struct cell *cell) {
  return cell->kind > CELL_BOOLEAN && cell->kind != CELL_JSON;
}

static void known_value(void *ud, const struct field *field, struct cell *out) {
  const struct planner *p = ud;
  if (p->known[field->column]) *out = *p->known[field->column]->cells;
}

// What columns are by their templates as far as others are known: the whole text, or how it begins.
static void add_made(struct planner *p) {
  for (int i = 0; i < p->shape->ncolumns; i++) {
    const struct field *f = p->shape->columns[i], *lacks;
    char text[TEMPLATE_MAX];
    if (!f->template || p->known[i]) continue;
    int n = neap__template_write(f->template, known_value, p, text, &lacks);
    if (n < 0 && !lacks) p->never = true;
    if (n <= 0) continue;
    struct condition *c = neap__plan_keep(p, 1, sizeof *c);
    struct cell *cell = neap__plan_keep(p, 1, sizeof *cell);
    *cell = (struct cell){.n = (uint32_t)n, .kind = CELL_TEXT};
    cell->p = memcpy(neap__plan_keep(p, (size_t)n, 1), text, (size_t)n);
    *c = (struct condition){.op = lacks ? COND_PREFIX : COND_EQ,
                            .shape = p->shape,
                            .place = {.field = f, .type = &f->type},
                            .ncells = 1,
                            .cells = cell};
    add_part(p, c, ROLE_MADE);
  }
}

void neap__plan_parts(struct planner *p, struct view *view) {
  add_part(p, p->where, ROLE_ANY);
  add_part(p, neap__query_scope(view, p->q), ROLE_ANY);
  if (!p->q->link) add_part(p, p->q->owners, ROLE_ANY);
  add_part(p, p->q->key, ROLE_KEY);
  add_part(p, p->q->filter, ROLE_FILTER);
  bool any = false;
  for (int i = 0; i < p->nparts; i++) {
    const struct condition *c = p->parts[i].condition;
    bool equal = c->op == COND_EQ && neap__plan_is_of(c, c->place.field) && neap__field_kept(c->place.field);
    equal = equal && p->parts[i].role != ROLE_FILTER;
    if (!equal || !neap__plan_is_scalar(c->cells) || p->known[c->place.field->column]) continue;
    p->known[c->place.field->column] = c;
    any = true;
  }
  if (p->shape->templates) add_made(p);
  if (!any) return;
  int n = p->nparts;
  struct part *parts = p->parts;
  p->nparts = p->room = 0;
  for (int i = 0; i < n; i++) add_part(p, settle(p, parts[i].condition), parts[i].role);
}
