// sql_compile.c: reads and set-based writes as SQL. The text depends on the shape of a query only; values are parameters.
#include "model/condition_build.h"
#include "model/object.h"
#include "store/sql_query.h"
#include "store/sql_store.h"

// ---- Pieces ----

static int add_condition(lua_State *L, struct sql_text *s, int alias, const struct condition *c, const char **word,
                         struct neap__error *e) {
  if (!c || neap__condition_is_true(c)) return 0;
  neap__sql_add(s, *word);
  *word = " AND ";
  return neap__sql_condition(L, s, alias, c, e);
}

typedef int place_writer(struct sql_text *s, int alias, const struct place *place, struct neap__error *e);

static int write_reach(lua_State *L, struct sql_text *s, int alias, const struct reach *r, place_writer *write,
                       struct neap__error *e) {
  if (r->nvia == 0) return write(s, alias, &r->place, e);
  const struct field *f = r->via[0].field;
  const struct query *asked = r->via[0].query;
  int there = s->naliases++;
  neap__sql_add(s, "(SELECT ");
  struct reach rest = {r->nvia - 1, r->via + 1, r->place};
  if (write_reach(L, s, there, &rest, write, e) != 0) return -1;
  neap__sql_add(s, " FROM ");
  neap__sql_table(s, f->target);
  neap__sql_addf(s, " t%d WHERE ", there);
  if (neap__sql_tie(L, s, f, asked, there, alias, e) != 0) return -1;
  if (!neap__sql_only_one(f)) {
    if (neap__sql_order_of(L, s, there, asked, e) != 0) return -1;
    neap__sql_add(s, " LIMIT 1");
  }
  neap__sql_add(s, ")");
  neap__sql_collate(s, &r->place);  // which a subquery does not hand on
  return 0;
}

static int write_first_key(struct sql_text *s, int alias, const struct place *place, struct neap__error *e) {
  return neap__sql_place_sort(s, alias, place, 0, e);
}

static int write_second_key(struct sql_text *s, int alias, const struct place *place, struct neap__error *e) {
  return neap__sql_place_sort(s, alias, place, 1, e);
}

int neap__sql_reach_sort(lua_State *L, struct sql_text *s, int alias, const struct reach *r, int key,
                         struct neap__error *e) {
  return write_reach(L, s, alias, r, key == 0 ? write_first_key : write_second_key, e);
}

int neap__sql_reach_text(lua_State *L, struct sql_text *s, int alias, const struct reach *r, struct neap__error *e) {
  return write_reach(L, s, alias, r, neap__sql_place_text, e);
}

int neap__sql_reach_whole(lua_State *L, struct sql_text *s, int alias, const struct reach *r, struct neap__error *e) {
  return write_reach(L, s, alias, r, neap__sql_place_whole, e);
}

int neap__sql_reach_number(lua_State *L, struct sql_text *s, int alias, const struct reach *r, struct neap__error *e) {
  return write_reach(L, s, alias, r, neap__sql_place_number, e);
}

int neap__sql_where(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e) {
  return neap__sql_where_behind(L, s, view, q, " WHERE ", e);
}

int neap__sql_where_behind(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, const char *word,
                           struct neap__error *e) {
  if (neap__query_check_tied(q, e) != 0) return -1;
  if (add_condition(L, s, q->link ? 1 : 0, q->owners, &word, e) != 0) return -1;
  if (q->link && add_condition(L, s, 1, neap__view_scope(view, q->link->through), &word, e) != 0) return -1;
  if (add_condition(L, s, 0, q->where, &word, e) != 0) return -1;
  return add_condition(L, s, 0, neap__query_scope(view, q), &word, e);
}

void neap__sql_from(struct sql_text *s, const struct query *q) {
  const struct shape *shape = q->class->shape;
  neap__sql_add(s, " FROM ");
  neap__sql_table(s, shape);
  neap__sql_add(s, " t0");
  s->naliases = 1;
  if (!q->link) return;
  neap__sql_add(s, " JOIN ");
  neap__sql_table(s, q->link->through);
  neap__sql_add(s, " t1 ON ");
  neap__sql_column(s, 1, q->link->through_there);
  neap__sql_add(s, " = ");
  neap__sql_column(s, 0, shape->keys[0]);
  s->naliases = 2;
}

static bool nullable(const struct reach *r) {
  if (r->nvia == 0 && r->place.counted) return false;
  return r->nvia > 0 || r->place.nsteps > 0 || !(r->place.field->flags & (FIELD_PRIMARY | FIELD_REQUIRED));
}

// 0: it sorts by something else than its column.
static int label_column(const struct sql_dialect *dialect, const struct query *q, const char *label) {
  if (neap__sql_label_sorts(dialect, q, label)) return 0;
  for (int i = 0; i < q->naggregates; i++)
    if (strcmp(q->aggregates[i].label, label) == 0) return q->ngroups + i + 1;
  return 0;
}

static void write_direction(struct sql_text *s, const struct order *o, bool nulls) {
  if (o->descending) neap__sql_add(s, " DESC");
  if (nulls) neap__sql_add(s, o->first ? " NULLS FIRST" : " NULLS LAST");
}

// Whether the condition lets only rows pass in which the column has a value. Saying NULLS LAST of it would cost the index.
static bool bounds(const struct condition *c, const struct field *f) {
  if (c->op == COND_AND) {
    for (int i = 0; i < c->nchildren; i++)
      if (bounds(c->children[i], f)) return true;
    return false;
  }
  if (c->place.field != f || c->op < COND_EQ || c->op == COND_NE || c->op == COND_NIN) return false;
  return c->op != COND_EXISTS || c->cells->i;
}

bool neap__sql_may_be_absent(const struct query *q, const struct reach *r) {
  return nullable(r) && !(r->nvia == 0 && r->place.nsteps == 0 && q->where && bounds(q->where, r->place.field));
}

bool neap__sql_descends(const struct reach *r) {
  const struct shape *shape = r->place.field->shape;
  for (int i = 0; i < shape->nindexes; i++)
    for (int k = 0; k < shape->indexes[i].nparts; k++)
      if (shape->indexes[i].parts[k].field == r->place.field && shape->indexes[i].parts[k].descending) return true;
  return false;
}

// Where nothing is absent, what is said of it is what the index says that has the order.
static void write_place_of_nulls(struct sql_text *s, const struct order *o) {
  if (s->dialect->nulls_first && nullable(&o->reach) && neap__sql_descends(&o->reach))
    neap__sql_add(s, o->descending ? " NULLS LAST" : " NULLS FIRST");
}

// Values in JSON by their number, then by their text; the other way round where they descend.
static int write_order(lua_State *L, struct sql_text *s, int alias, const struct query *q, const struct order *o,
                       struct neap__error *e) {
  bool two = o->label || (neap__place_in_json(&o->reach.place) && s->dialect->sort[0]);
  for (int i = 0; i < (two ? 2 : 1); i++) {
    int key = two && o->descending ? 1 - i : i;
    neap__sql_add(s, i > 0 ? ", " : "");
    int status = o->label ? neap__sql_label_sort(L, s, q, o->label, key, e)
                          : neap__sql_reach_sort(L, s, alias, &o->reach, key, e);
    if (status != 0) return -1;
    bool nulls = two || neap__sql_may_be_absent(q, &o->reach);
    write_direction(s, o, nulls);
    if (!nulls) write_place_of_nulls(s, o);
  }
  return 0;
}

// The result column of a group that sorts as it is; what lies in JSON is selected in another form than it sorts in.
static int group_column(const struct query *q, const struct reach *r) {
  int i = q->every ? -1 : neap__query_group_of(q, r);
  return i >= 0 && r->place.nsteps == 0 && r->place.type ? i + 1 : 0;
}

// Absent sorts last either way. A label stands for the number of its result column.
int neap__sql_order(lua_State *L, struct sql_text *s, const struct query *q, struct neap__error *e) {
  return neap__sql_order_of(L, s, 0, q, e);
}

int neap__sql_order_of(lua_State *L, struct sql_text *s, int alias, const struct query *q, struct neap__error *e) {
  for (int i = 0; i < q->norders; i++) {
    const struct order *o = &q->orders[i];
    neap__sql_add(s, i == 0 ? " ORDER BY " : ", ");
    int column = o->label ? label_column(s->dialect, q, o->label) : group_column(q, &o->reach);
    if (column == 0 && write_order(L, s, alias, q, o, e) != 0) return -1;
    if (column == 0) continue;
    neap__sql_addf(s, "%d", column);
    write_direction(s, o, o->label || nullable(&o->reach));
  }
  return 0;
}

// An offset without a limit does not exist everywhere: then the limit is the largest number.
void neap__sql_limit(struct sql_text *s, const struct query *q) {
  if (q->limit < 0 && q->skip == 0) return;
  neap__sql_add(s, " LIMIT ");
  neap__sql_bind(s, &(struct cell){.i = q->limit < 0 ? INT64_MAX : q->limit, .kind = CELL_INTEGER});
  if (q->skip == 0) return;
  neap__sql_add(s, " OFFSET ");
  neap__sql_bind(s, &(struct cell){.i = q->skip, .kind = CELL_INTEGER});
}

int neap__sql_rest(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e) {
  neap__sql_from(s, q);
  if (neap__sql_where(L, s, view, q, e) != 0 || neap__sql_order(L, s, q, e) != 0) return -1;
  neap__sql_limit(s, q);
  return 0;
}

// ---- Reads ----

static const struct field *selected(const struct query *q, int i) {
  return q->nselect ? q->select[i] : q->class->shape->columns[i];
}

static int nselected(const struct query *q) {
  return q->nselect ? q->nselect : q->class->shape->ncells;
}

static int own_kinds(const struct query *q, uint8_t *kinds) {
  int n = nselected(q);
  for (int i = 0; i < n; i++) kinds[i] = (uint8_t)neap__sql_kind(&selected(q, i)->type);
  for (int i = 0; i < q->ncounts; i++) kinds[n++] = CELL_INTEGER;
  return n;
}

int neap__sql_kinds(const struct query *q, uint8_t *kinds) {
  if (q->ngroups + q->naggregates > 0) return neap__sql_aggregate_kinds(q, kinds);
  int n = own_kinds(q, kinds);
  if (q->owner) kinds[n++] = (uint8_t)neap__sql_kind(&q->owner->type);
  struct join joins[QUERY_JOINS];
  int width, njoins = neap__query_joins(q, joins, &width);
  for (int i = 0; i < njoins; i++) n += own_kinds(joins[i].query, kinds + n);
  return n;
}

static int write_selected(struct sql_text *s, int alias, const struct field *f, struct neap__error *e) {
  if (f->type.kind == TYPE_COMPUTED)
    return neap__sql_place(s, alias, &(struct place){.field = f, .type = f->type.of}, e);
  neap__sql_column(s, alias, f);
  neap__sql_as_text(s, f);
  return 0;
}

int neap__sql_columns(struct sql_text *s, int alias, const struct query *q, struct neap__error *e) {
  for (int i = 0, n = nselected(q); i < n; i++) {
    if (i > 0) neap__sql_add(s, ", ");
    if (write_selected(s, alias, selected(q, i), e) != 0) return -1;
  }
  for (int i = 0; i < q->ncounts; i++) {
    neap__sql_add(s, ", ");
    if (neap__sql_place(s, alias, &q->counts[i], e) != 0) return -1;
  }
  return 0;
}

int neap__sql_select(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                     struct neap__error *e) {
  if (q->ngroups + q->naggregates > 0) return neap__sql_aggregate(L, s, view, q, e);
  if (q->each) return neap__sql_each(L, s, view, q, e);
  if (q->for_update && !(view->store->verbs->capabilities & CAN_FOR_UPDATE))
    return neap__error_set(e, NEAP_UNSUPPORTED, "%s cannot lock rows; a transaction there already has all for itself",
                           view->store->verbs->name);
  struct join joins[QUERY_JOINS];
  int width, n = neap__query_joins(q, joins, &width);
  bool halved = neap__sql_is_halved(s->dialect, q);
  if (halved && neap__sql_halves(L, s, view, q, e) != 0) return -1;
  neap__sql_add(s, "SELECT ");
  if (neap__sql_columns(s, 0, q, e) != 0) return -1;
  if (q->owner) {
    neap__sql_add(s, ", ");
    neap__sql_column(s, q->link ? 1 : 0, q->owner);
  }
  if (neap__sql_joined(s, joins, n, e) != 0) return -1;
  halved ? neap__sql_from_halves(s) : neap__sql_from(s, q);
  if (neap__sql_joins(L, s, joins, n, e) != 0) return -1;
  if (!halved && neap__sql_where(L, s, view, q, e) != 0) return -1;
  if (neap__sql_order(L, s, q, e) != 0) return -1;
  neap__sql_limit(s, q);
  if (q->for_update) neap__sql_add(s, n > 0 ? " FOR UPDATE OF t0" : " FOR UPDATE");
  if (q->for_update && q->skip_locked) neap__sql_add(s, " SKIP LOCKED");
  return 0;
}

// Groups, and rows that a limit or an offset cuts, are made first and counted then.
int neap__sql_count(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e) {
  bool inner = q->limit >= 0 || q->skip > 0 || q->ngroups > 0;
  neap__sql_add(s, inner ? "SELECT count(*) FROM (" : "SELECT count(*)");
  if (q->ngroups > 0) {
    if (neap__sql_aggregate(L, s, view, q, e) != 0) return -1;
  } else {
    if (inner) neap__sql_add(s, "SELECT 1");
    neap__sql_from(s, q);
    if (neap__sql_where(L, s, view, q, e) != 0) return -1;
    neap__sql_limit(s, q);
  }
  if (inner) neap__sql_add(s, ") counted");
  return 0;
}

// ---- Set-based writes ----

// The rows that the query would give: its condition, or, where that is not all, the keys that it selects.
static int write_target(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                        struct neap__error *e) {
  const struct shape *shape = q->class->shape;
  if (q->limit < 0 && q->skip == 0 && !q->link) return neap__sql_where(L, s, view, q, e);
  neap__sql_add(s, " WHERE (");
  for (int i = 0; i < shape->nkeys; i++) {
    if (i > 0) neap__sql_add(s, ", ");
    neap__sql_name(s, shape->keys[i]->wire);
  }
  neap__sql_add(s, ") IN (SELECT ");
  for (int i = 0; i < shape->nkeys; i++) {
    if (i > 0) neap__sql_add(s, ", ");
    neap__sql_column(s, 0, shape->keys[i]);
  }
  if (neap__sql_rest(L, s, view, q, e) != 0) return -1;
  neap__sql_add(s, ")");
  return 0;
}

static int write_set(struct sql_text *s, const struct change *c, struct neap__error *e) {
  const struct field *f = c->place.field;
  if (c->kind != CHANGE_SET && c->kind != CHANGE_INCREMENT)
    return neap__error_set(e, NEAP_UNSUPPORTED, "%s: a set-based update sets or increments whole columns", f->name);
  neap__sql_name(s, f->wire);
  neap__sql_add(s, " = ");
  if (c->kind == CHANGE_INCREMENT) {
    neap__sql_add(s, "coalesce(");
    neap__sql_name(s, f->wire);
    neap__sql_add(s, ", 0) + ");
  }
  neap__sql_bind_field(s, f, &c->cell);
  return 0;
}

int neap__sql_update(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                     const struct change *sets, int nsets, struct neap__error *e) {
  neap__sql_add(s, "UPDATE ");
  neap__sql_table(s, q->class->shape);
  neap__sql_add(s, " AS t0 SET ");
  s->naliases = 1;
  for (int i = 0, n; i < nsets; i += n) {
    if (i > 0) neap__sql_add(s, ", ");
    for (n = 1; i + n < nsets && sets[i + n].place.field == sets[i].place.field;) n++;
    int status = sets[i].place.nsteps > 0 ? neap__sql_change(s, &sets[i], n, e) : write_set(s, &sets[i], e);
    if (status != 0) return -1;
  }
  return write_target(L, s, view, q, e);
}

int neap__sql_remove(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                     struct neap__error *e) {
  neap__sql_add(s, "DELETE FROM ");
  neap__sql_table(s, q->class->shape);
  neap__sql_add(s, " AS t0");
  s->naliases = 1;
  return write_target(L, s, view, q, e);
}
