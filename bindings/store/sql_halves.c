// sql_halves.c: a limited select in two halves: rows that have a value in the column that leads the order, and, where those
// are too few, rows that have none. Absent comes last in both directions, which no index of PostgreSQL's does unless it was
// made so; and a page that goes on behind a value is a range of an index only where absent rows are not looked for.
#include "model/condition_build.h"
#include "store/sql_dialect.h"
#include "store/sql_query.h"

static bool is_absent(const struct condition *c, const struct field *f) {
  return c->op == COND_EXISTS && !c->cells->i && c->place.field == f && c->place.nsteps == 0;
}

// "It compares, or is absent" is the comparison where the field is not absent.
static const struct condition *where_there(const struct condition *c, const struct field *f) {
  if (c->op != COND_OR || c->nchildren != 2) return c;
  return is_absent(c->children[1], f) ? c->children[0] : is_absent(c->children[0], f) ? c->children[1] : c;
}

// The conditions that all have to be met.
static int parts_of(const struct condition *const *where, const struct condition *const **parts) {
  if (!*where) return 0;
  bool several = (*where)->op == COND_AND;
  *parts = several ? (const struct condition *const *)(*where)->children : where;
  return several ? (*where)->nchildren : 1;
}

static bool is_range(const struct query *q, const struct field *f) {
  const struct condition *const *parts;
  for (int i = 0, n = parts_of(&q->where, &parts); i < n; i++)
    if (where_there(parts[i], f) != parts[i]) return true;
  return false;
}

static bool is_equal(const struct query *q, const struct field *f) {
  const struct condition *const *parts;
  for (int i = 0, n = parts_of(&q->where, &parts); i < n; i++)
    if (parts[i]->op == COND_EQ && parts[i]->place.field == f && parts[i]->place.nsteps == 0) return true;
  return false;
}

// Whether the model declares an index by which rows come in the order of the field.
static bool has_index(const struct query *q, const struct field *f) {
  const struct shape *shape = q->class->shape;
  if (f->flags & (FIELD_INDEX | FIELD_UNIQUE)) return true;
  for (int i = 0; i < shape->nindexes; i++) {
    const struct index *index = &shape->indexes[i];
    int k = 0;
    while (k < index->nparts && index->parts[k].field && index->parts[k].field != f &&
           is_equal(q, index->parts[k].field))
      k++;
    if (!index->partial && k < index->nparts && index->parts[k].field == f) return true;
  }
  return false;
}

static bool is_plain(const struct sql_dialect *dialect, const struct reach *r) {
  if (r->nvia > 0 || r->place.counted || neap__place_in_json(&r->place) || !neap__field_kept(r->place.field))
    return false;
  return r->place.type->kind != TYPE_DECIMAL || !dialect->column[SQL_DECIMAL];
}

bool neap__sql_is_halved(const struct sql_dialect *dialect, const struct query *q) {
  if (q->limit < 0 || q->skip > INT64_MAX - q->limit || q->norders == 0) return false;
  if (q->link || q->owner || q->for_update) return false;
  const struct order *o = &q->orders[0];
  if (o->label || !is_plain(dialect, &o->reach) || !neap__sql_may_be_absent(q, &o->reach)) return false;
  bool in_order = !dialect->nulls_first || o->descending == o->first || neap__sql_descends(&o->reach);
  return (!in_order || is_range(q, o->reach.place.field)) && has_index(q, o->reach.place.field);
}

// Pushes what keeps the query's condition and `leaf` together while it is written.
static const struct condition *push_both(lua_State *L, const struct query *q, const struct condition *leaf) {
  const struct condition *const *parts;
  int n = parts_of(&q->where, &parts);
  struct condition *both = lua_newuserdatauv(L, sizeof *both + ((size_t)n + 1) * sizeof leaf, 0);
  const struct condition **list = (const struct condition **)(both + 1);
  *both = (struct condition){.op = COND_AND, .shape = leaf->shape, .nchildren = n + 1, .children = list};
  *list = leaf;
  for (int i = 0; i < n; i++) list[i + 1] = leaf->cells->i ? where_there(parts[i], leaf->place.field) : parts[i];
  return both;
}

// The rows of one half, up to its limit, which is not written for the second one.
static int write_half(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, bool there,
                      bool limited, struct neap__error *e) {
  const struct cell is_there = {.i = there, .kind = CELL_BOOLEAN};
  const struct condition leaf = {
      .op = COND_EXISTS, .shape = q->class->shape, .place = q->orders[0].reach.place, .ncells = 1, .cells = &is_there};
  struct query half = *q;
  half.where = push_both(L, q, &leaf);
  half.limit = limited ? q->limit + q->skip : -1;
  half.skip = 0;
  if (!there) half.orders++, half.norders--;
  neap__sql_add(s, "SELECT t0.*");
  int status = neap__sql_rest(L, s, view, &half, e);
  lua_pop(L, 1);
  return status;
}

int neap__sql_halves(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                     struct neap__error *e) {
  bool there = !q->orders[0].first;
  neap__sql_add(s, "WITH neap_first AS (");
  if (write_half(L, s, view, q, there, true, e) != 0) return -1;
  neap__sql_add(s, "), neap_rest AS (");
  if (write_half(L, s, view, q, !there, false, e) != 0) return -1;
  neap__sql_add(s, " LIMIT ");
  neap__sql_bind(s, &(struct cell){.i = q->limit + q->skip, .kind = CELL_INTEGER});
  neap__sql_add(s, " - (SELECT count(*) FROM neap_first)) ");
  return 0;
}

void neap__sql_from_halves(struct sql_text *s) {
  neap__sql_add(s, " FROM (SELECT * FROM neap_first UNION ALL SELECT * FROM neap_rest) t0");
  s->naliases = 1;
}
