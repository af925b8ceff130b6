// sql_include.c: what is included, as SQL. Single objects are joins. Related rows of many owners that limit and skip cut for each
// of them come by one statement: the owners' keys are a table k, and what belongs to one of them is a subquery. Where FROM
// cannot be lateral the subquery gives the keys of the rows alone.
#include "store/sql_dialect.h"
#include "store/sql_query.h"

// The condition on owners says IN their keys, and perhaps more of links.
static const struct condition *in_of(const struct condition *owners) {
  return owners->op == COND_AND ? owners->children[0] : owners;
}

static void write_keys(struct sql_text *s, int alias, const struct shape *shape) {
  for (int i = 0; i < shape->nkeys; i++) {
    if (i > 0) neap__sql_add(s, ", ");
    neap__sql_column(s, alias, shape->keys[i]);
  }
}

static int write_one_owner(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                           struct neap__error *e) {
  const struct condition *owners = q->owners;
  struct query one = *q;
  one.owners = NULL;
  neap__sql_from(s, q);
  neap__sql_add(s, " WHERE ");
  neap__sql_column(s, q->link ? 1 : 0, q->owner);
  neap__sql_add(s, " = k.value");
  for (int i = 1; owners->op == COND_AND && i < owners->nchildren; i++) {
    neap__sql_add(s, " AND ");
    if (neap__sql_condition(L, s, 1, owners->children[i], e) != 0) return -1;
  }
  if (neap__sql_where_behind(L, s, view, &one, " AND ", e) != 0 || neap__sql_order(L, s, q, e) != 0) return -1;
  neap__sql_limit(s, q);
  return 0;
}

static int write_lateral(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                         struct neap__error *e) {
  neap__sql_add(s, " CROSS JOIN LATERAL (SELECT t0.*");
  if (write_one_owner(L, s, view, q, e) != 0) return -1;
  neap__sql_add(s, ") t0");
  return 0;
}

static int write_correlated(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                            struct neap__error *e) {
  const struct shape *cut = q->link ? q->link->through : q->class->shape;
  int alias = q->link ? 1 : 0;
  if (cut->nkeys == 0)
    return neap__error_set(e, NEAP_UNSUPPORTED, "%s: limit for each object that includes it asks for a primary key",
                           cut->model);
  neap__sql_add(s, " CROSS JOIN ");
  neap__sql_table(s, cut);
  neap__sql_addf(s, " t%d ON (", alias);
  write_keys(s, alias, cut);
  neap__sql_add(s, ") IN (SELECT ");
  write_keys(s, alias, cut);
  if (write_one_owner(L, s, view, q, e) != 0) return -1;
  neap__sql_add(s, ")");
  if (!q->link) return 0;
  neap__sql_add(s, " CROSS JOIN ");
  neap__sql_table(s, q->class->shape);
  neap__sql_add(s, " t0 ON ");
  neap__sql_column(s, 0, q->class->shape->keys[0]);
  neap__sql_add(s, " = ");
  neap__sql_column(s, 1, q->link->through_there);
  return 0;
}

int neap__sql_each(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e) {
  struct join joins[QUERY_JOINS];
  int width, n = neap__query_joins(q, joins, &width);
  neap__sql_add(s, "SELECT ");
  if (neap__sql_columns(s, 0, q, e) != 0) return -1;
  neap__sql_add(s, ", k.value");
  if (neap__sql_joined(s, joins, n, e) != 0) return -1;
  neap__sql_add(s, " FROM ");
  if (neap__sql_keys(s, in_of(q->owners), e) != 0) return -1;
  int status = s->dialect->lateral ? write_lateral(L, s, view, q, e) : write_correlated(L, s, view, q, e);
  if (status != 0 || neap__sql_joins(L, s, joins, n, e) != 0) return -1;
  return neap__sql_order(L, s, q, e);
}

// ---- Joins ----

#define FIRST_JOIN 2  // t0 are the rows, t1 may be a link table

int neap__sql_joined(struct sql_text *s, const struct join *joins, int n, struct neap__error *e) {
  for (int i = 0; i < n; i++) {
    neap__sql_add(s, ", ");
    if (neap__sql_columns(s, FIRST_JOIN + i, joins[i].query, e) != 0) return -1;
  }
  return 0;
}

static int write_and(lua_State *L, struct sql_text *s, int alias, const struct condition *c, struct neap__error *e) {
  if (!c || neap__condition_is_true(c)) return 0;
  neap__sql_add(s, " AND ");
  return neap__sql_condition(L, s, alias, c, e);
}

int neap__sql_tie(lua_State *L, struct sql_text *s, const struct field *f, const struct query *asked, int alias,
                  int parent, struct neap__error *e) {
  bool pointer = f->type.kind == TYPE_POINTER;
  neap__sql_column(s, alias, pointer ? f->target->keys[0] : f->inverse);
  neap__sql_add(s, " = ");
  neap__sql_column(s, parent, pointer ? f : f->shape->keys[0]);
  if (asked && write_and(L, s, alias, asked->where, e) != 0) return -1;
  return write_and(L, s, alias, s->view ? neap__view_scope(s->view, f->target) : NULL, e);
}

bool neap__sql_only_one(const struct field *f) {
  return f->type.kind == TYPE_POINTER || (f->inverse->flags & (FIELD_UNIQUE | FIELD_PRIMARY));
}

static int write_tie(lua_State *L, struct sql_text *s, const struct join *j, int alias, int parent,
                     struct neap__error *e) {
  return neap__sql_tie(L, s, j->field, j->query, alias, parent, e);
}

// Of several rows that point back the first one: its key is asked for.
static int write_first(lua_State *L, struct sql_text *s, const struct join *j, int alias, int parent,
                       struct neap__error *e) {
  const struct field *key = j->field->target->keys[0];
  int one = s->naliases++;
  neap__sql_column(s, alias, key);
  neap__sql_add(s, " = (SELECT ");
  neap__sql_column(s, one, key);
  neap__sql_add(s, " FROM ");
  neap__sql_table(s, j->field->target);
  neap__sql_addf(s, " t%d WHERE ", one);
  if (write_tie(L, s, j, one, parent, e) != 0 || neap__sql_order_of(L, s, one, j->query, e) != 0) return -1;
  neap__sql_add(s, " LIMIT 1)");
  return 0;
}

int neap__sql_joins(lua_State *L, struct sql_text *s, const struct join *joins, int n, struct neap__error *e) {
  if (n > 0) s->naliases = FIRST_JOIN + n;
  for (int i = 0; i < n; i++) {
    const struct field *f = joins[i].field;
    int alias = FIRST_JOIN + i, parent = joins[i].parent < 0 ? 0 : FIRST_JOIN + joins[i].parent;
    neap__sql_add(s, " LEFT JOIN ");
    neap__sql_table(s, f->target);
    neap__sql_addf(s, " t%d ON ", alias);
    if ((neap__sql_only_one(f) ? write_tie : write_first)(L, s, &joins[i], alias, parent, e) != 0) return -1;
  }
  return 0;
}
