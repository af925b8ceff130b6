// sql_change_postgres.c: increment, append and their like over PostgreSQL's arrays and jsonb. Several changes of one column
// stand in each other: each is a subselect over the value v that the one inside it makes.
#include <string.h>

#include "store/sql_store.h"
#include "value/match.h"

static bool is_list(const struct change *c) {
  return c->kind == CHANGE_APPEND || c->kind == CHANGE_ADD_UNIQUE || c->kind == CHANGE_PULL;
}

static int short_of_memory(struct neap__error *e) {
  return neap__error_set(e, NEAP_LIMIT, "memory is short");
}

// A parameter that is a JSON value.
static int write_json(struct sql_text *s, const struct cell *cell, struct neap__error *e) {
  s->scratch.n = 0;
  if (neap__match_write(&s->scratch, cell) != 0) return short_of_memory(e);
  neap__sql_bind_copy(s, CELL_JSON, s->scratch.p, s->scratch.n);
  neap__sql_add(s, "::jsonb");
  return 0;
}

static void write_key(struct sql_text *s, const struct step *step) {
  neap__sql_bind_copy(s, CELL_TEXT, step->key, step->nkey);
  neap__sql_add(s, "::text");
}

// v, or what lies `level` steps inside it.
static void write_inside(struct sql_text *s, const struct change *c, int level) {
  neap__sql_add(s, level > 0 ? "(v" : "v");
  for (int i = 0; i < level; i++) {
    const struct step *step = &c->place.steps[i];
    neap__sql_add(s, " -> ");
    if (step->key)
      write_key(s, step);
    else
      neap__sql_addf(s, "%lld", (long long)step->index);
  }
  neap__sql_add(s, level > 0 ? ")" : "");
}

// ---- Numbers ----

// A number in JSON counts as 0 where there is none.
static int write_sum(struct sql_text *s, const struct change *c, struct neap__error *e) {
  int n = c->place.nsteps;
  neap__sql_add(s, "to_jsonb(CASE WHEN jsonb_typeof(");
  write_inside(s, c, n);
  neap__sql_add(s, ") = 'number' THEN (");
  write_inside(s, c, n);
  neap__sql_add(s, " #>> '{}')::numeric ELSE 0 END + (");
  if (write_json(s, &c->cell, e) != 0) return -1;
  neap__sql_add(s, ")::numeric)");
  return 0;
}

// ---- Lists in JSON ----

// The list at the end of the path; what is no list counts as its only element.
static void write_list_at(struct sql_text *s, const struct change *c) {
  int n = c->place.nsteps;
  neap__sql_add(s, "CASE jsonb_typeof(coalesce(");
  write_inside(s, c, n);
  neap__sql_add(s, ", '[]')) WHEN 'array' THEN coalesce(");
  write_inside(s, c, n);
  neap__sql_add(s, ", '[]') ELSE jsonb_build_array(");
  write_inside(s, c, n);
  neap__sql_add(s, ") END");
}

// The list l and the operand o as columns; the list that they become.
static int write_list(struct sql_text *s, const struct change *c, struct neap__error *e) {
  switch (c->kind) {
    case CHANGE_APPEND: neap__sql_add(s, "(SELECT l || o"); break;
    case CHANGE_ADD_UNIQUE:
      neap__sql_add(s,
                    "(SELECT l || coalesce((SELECT jsonb_agg(x ORDER BY k) FROM (SELECT x, min(k) AS k "
                    "FROM jsonb_array_elements(o) WITH ORDINALITY AS e (x, k) "
                    "WHERE x NOT IN (SELECT y FROM jsonb_array_elements(l) AS f (y)) GROUP BY x) AS g), '[]')");
      break;
    default:
      neap__sql_add(s,
                    "(SELECT coalesce((SELECT jsonb_agg(x ORDER BY k) "
                    "FROM jsonb_array_elements(l) WITH ORDINALITY AS e (x, k) "
                    "WHERE x NOT IN (SELECT y FROM jsonb_array_elements(o) AS f (y))), '[]')");
  }
  neap__sql_add(s, " FROM (SELECT ");
  write_list_at(s, c);
  neap__sql_add(s, " AS l, ");
  if (write_json(s, &c->cell, e) != 0) return -1;
  neap__sql_add(s, " AS o) AS lists)");
  return 0;
}

// ---- Places in JSON ----

static int write_value(struct sql_text *s, const struct change *c, struct neap__error *e) {
  if (c->kind == CHANGE_INCREMENT) return write_sum(s, c, e);
  return is_list(c) ? write_list(s, c, e) : write_json(s, &c->cell, e);
}

static void write_container(struct sql_text *s, const struct change *c, int level) {
  neap__sql_add(s, "coalesce(");
  write_inside(s, c, level);
  neap__sql_add(s, c->place.steps[level].key ? ", '{}')" : ", '[]')");
}

// What lies `level` steps inside with the change made in it: containers that are missing on the way are made, what is no
// container stays as it is.
static int write_changed(struct sql_text *s, const struct change *c, int level, struct neap__error *e) {
  const struct step *step = &c->place.steps[level];
  if (level == c->place.nsteps) return write_value(s, c, e);
  neap__sql_add(s, "CASE WHEN jsonb_typeof(");
  write_container(s, c, level);
  neap__sql_add(s, step->key ? ") = 'object' THEN " : ") = 'array' THEN CASE WHEN jsonb_array_length(");
  if (!step->key) {
    write_container(s, c, level);
    neap__sql_addf(s, ") >= %lld THEN jsonb_set(", (long long)step->index);
  }
  write_container(s, c, level);
  if (step->key) {
    neap__sql_add(s, " || jsonb_build_object(");
    write_key(s, step);
    neap__sql_add(s, ", ");
  } else {
    neap__sql_addf(s, ", '{%lld}', ", (long long)step->index);
  }
  if (write_changed(s, c, level + 1, e) != 0) return -1;
  neap__sql_add(s, step->key ? ") ELSE " : ") ELSE ");
  write_inside(s, c, level);
  if (!step->key) {
    neap__sql_add(s, " END ELSE ");
    write_inside(s, c, level);
  }
  neap__sql_add(s, " END");
  return 0;
}

static void write_removed(struct sql_text *s, const struct change *c) {
  neap__sql_add(s, "CASE WHEN jsonb_typeof(v) IN ('array', 'object') THEN v #- ARRAY[");
  for (int i = 0; i < c->place.nsteps; i++) {
    const struct step *step = &c->place.steps[i];
    neap__sql_add(s, i > 0 ? ", " : "");
    if (step->key)
      write_key(s, step);
    else
      neap__sql_addf(s, "'%lld'", (long long)step->index);
  }
  neap__sql_add(s, "]::text[] ELSE v END");
}

// A column of jsonb, or an array that is looked at as one.
static int write_nested(struct sql_text *s, const struct change *c, int n, struct neap__error *e) {
  if (n == 0) {
    bool array = neap__sql_is_array(s->dialect, &c->place.field->type);
    neap__sql_add(s, array ? "to_jsonb(" : "");
    neap__sql_compared(s, 0, c->place.field);
    neap__sql_add(s, array ? ")" : "");
    return 0;
  }
  const struct change *last = &c[n - 1];
  neap__sql_add(s, "(SELECT ");
  if (last->kind == CHANGE_UNSET)
    write_removed(s, last);
  else if (write_changed(s, last, 0, e) != 0)
    return -1;
  neap__sql_add(s, " FROM (SELECT ");
  if (last->place.nsteps > 0) neap__sql_add(s, "coalesce(");
  if (write_nested(s, c, n - 1, e) != 0) return -1;
  if (last->place.nsteps > 0) neap__sql_add(s, last->place.steps[0].key ? ", '{}')" : ", '[]')");
  neap__sql_add(s, " AS v) AS value)");
  return 0;
}

// ---- Whole columns ----

static void write_column(struct sql_text *s, const struct change *c) {
  neap__sql_add(s, "coalesce(");
  neap__sql_compared(s, 0, c->place.field);
  neap__sql_add(s, c->kind == CHANGE_INCREMENT ? ", 0)" : ", '{}')");
}

static int write_operand(struct sql_text *s, const struct change *c, struct neap__error *e) {
  const struct type *type = &c->place.field->type;
  s->scratch.n = 0;
  if (neap__sql_array(&s->scratch, type->of, &c->cell) != 0) return short_of_memory(e);
  neap__sql_bind_copy(s, CELL_TEXT, s->scratch.p, s->scratch.n);
  neap__sql_addf(s, "::%s", s->dialect->column_type(type));
  return 0;
}

static int write_array(struct sql_text *s, const struct change *c, struct neap__error *e) {
  if (c->kind == CHANGE_PULL) {
    neap__sql_add(s, "ARRAY(SELECT x FROM unnest(");
    write_column(s, c);
    neap__sql_add(s, ") WITH ORDINALITY AS e (x, k) WHERE x <> ALL (");
    if (write_operand(s, c, e) != 0) return -1;
    neap__sql_add(s, ") ORDER BY k)");
    return 0;
  }
  write_column(s, c);
  neap__sql_add(s, c->kind == CHANGE_APPEND ? " || " : " || ARRAY(SELECT x FROM unnest(");
  if (write_operand(s, c, e) != 0) return -1;
  if (c->kind == CHANGE_APPEND) return 0;
  neap__sql_add(s, ") WITH ORDINALITY AS e (x, k) WHERE x <> ALL (");
  write_column(s, c);
  neap__sql_add(s, ") GROUP BY x ORDER BY min(k))");
  return 0;
}

int neap__sql_change_postgres(struct sql_text *s, const struct change *c, int n, struct neap__error *e) {
  const struct type *type = &c->place.field->type;
  bool array = neap__sql_is_array(s->dialect, type);
  if (c->place.nsteps == 0 && c->kind == CHANGE_INCREMENT) {
    write_column(s, c);
    neap__sql_add(s, " + ");
    neap__sql_bind(s, &c->cell);
    neap__sql_add(s, c->cell.kind == CELL_DECIMAL ? s->dialect->decimal : "");
    return 0;
  }
  if (c->place.nsteps == 0 && array) return write_array(s, c, e);
  neap__sql_add(s, array ? "ARRAY(SELECT jsonb_array_elements_text(" : "");
  if (write_nested(s, c, n, e) != 0) return -1;
  if (array) neap__sql_addf(s, "))::%s", s->dialect->column_type(type));
  return 0;
}
