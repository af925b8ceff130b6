// sql_relation.c: related rows as SQL: whether there are some, and how many. What a view's scope hides is not there.
#include "store/sql.h"
#include "store/sql_dialect.h"

static int unsupported(const struct sql_text *s, const struct field *f, struct neap__error *e) {
  return neap__error_set(e, NEAP_UNSUPPORTED, "%s cannot follow %s.%s", s->dialect->name, f->shape->model, f->name);
}

static void write_equal(struct sql_text *s, int a, const struct field *f, int b, const struct field *g) {
  neap__sql_column(s, a, f);
  neap__sql_add(s, " = ");
  neap__sql_column(s, b, g);
}

// The tables of the related row, known as t<there>, and of the link between, known as t<link>.
static int write_from(struct sql_text *s, const struct field *f, int there, int link, struct neap__error *e) {
  neap__sql_add(s, " FROM ");
  neap__sql_table(s, f->target);
  neap__sql_addf(s, " AS t%d", there);
  if (f->type.kind != TYPE_MANY_TO_MANY) return 0;
  if (!f->through_here || !f->through_there) return unsupported(s, f, e);
  neap__sql_add(s, " JOIN ");
  neap__sql_table(s, f->through);
  neap__sql_addf(s, " AS t%d ON ", link);
  write_equal(s, there, f->target->keys[0], link, f->through_there);
  return 0;
}

// What ties them to the row at hand.
static int write_tie(struct sql_text *s, int alias, const struct shape *shape, const struct field *f, int there,
                     int link, struct neap__error *e) {
  const struct field *key = shape->keys[0];
  if (f->type.kind == TYPE_POINTER)
    write_equal(s, there, f->target->keys[0], alias, f);
  else if (f->type.kind == TYPE_MANY_TO_MANY)
    write_equal(s, link, f->through_here, alias, key);
  else if (f->inverse)
    write_equal(s, there, f->inverse, alias, key);
  else
    return unsupported(s, f, e);
  return 0;
}

static int write_each(struct sql_text *s, int alias, const struct condition *c, bool scope, struct neap__error *e) {
  bool before = s->in_scope;
  if (!c || neap__condition_is_true(c)) return 0;
  s->in_scope = before || scope;
  int status = neap__sql_condition(NULL, s, alias, c, e);
  s->in_scope = before;
  neap__sql_add(s, " AND ");
  return status;
}

static const struct condition *scope_of(const struct sql_text *s, const struct shape *shape) {
  return s->view && !s->in_scope ? neap__view_scope(s->view, shape) : NULL;
}

// The conditions stand before the tie: a parser holds `((((` more easily than `a AND (b OR (c AND (`.
static int write_related(struct sql_text *s, int alias, const struct shape *shape, const struct condition *some,
                         struct neap__error *e) {
  const struct field *f = some->place.field;
  bool links = f->type.kind == TYPE_MANY_TO_MANY;
  if (s->naliases <= alias) s->naliases = alias + 1;
  int there = s->naliases++, link = links ? s->naliases++ : 0;
  if (write_from(s, f, there, link, e) != 0) return -1;
  neap__sql_add(s, " WHERE ");
  if (write_each(s, there, some->children[0], false, e) != 0) return -1;
  if (some->nchildren > 1 && write_each(s, link, some->children[1], false, e) != 0) return -1;
  if (write_each(s, there, scope_of(s, f->target), true, e) != 0) return -1;
  if (links && write_each(s, link, scope_of(s, f->through), true, e) != 0) return -1;
  return write_tie(s, alias, shape, f, there, link, e);
}

int neap__sql_some(struct sql_text *s, int alias, const struct shape *shape, const struct condition *some, bool negated,
                   struct neap__error *e) {
  neap__sql_add(s, negated ? "NOT EXISTS (SELECT 1" : "EXISTS (SELECT 1");
  if (write_related(s, alias, shape, some, e) != 0) return -1;
  neap__sql_add(s, ")");
  return 0;
}

int neap__sql_related_count(struct sql_text *s, int alias, const struct shape *shape, const struct condition *some,
                            struct neap__error *e) {
  neap__sql_add(s, "(SELECT count(*)");
  if (write_related(s, alias, shape, some, e) != 0) return -1;
  neap__sql_add(s, ")");
  return 0;
}
