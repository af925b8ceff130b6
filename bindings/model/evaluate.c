// evaluate.c: conditions over rows in memory: the residual filter of stores that cannot compare, and the oracle of the
// tests. It means what SQL means: two-valued, by type, text by bytes, numbers by value.
#include <stdlib.h>
#include <string.h>

#include "model/condition_build.h"
#include "value/buffer.h"
#include "value/decimal.h"
#include "value/json.h"
#include "value/match.h"
#include "value/text.h"

struct evaluation {
  struct row_source *row;
  struct neap__buffer scratch, scratch_other;  // text that had to be decoded
};

// ---- What is there ----

static bool is_absent(const struct cell *c) {
  return c->kind == CELL_NIL || c->kind == CELL_NULL || c->kind == CELL_UNLOADED;
}

static void look_into(struct found *f, const struct place *place, struct neap__buffer *scratch) {
  struct neap__json_step steps[PLACE_MAX_STEPS];
  const struct cell whole = f->cell;
  for (int i = 0; i < place->nsteps; i++) {
    const struct step *s = &place->steps[i];
    steps[i] = (struct neap__json_step){s->key, s->nkey, s->key ? -1 : s->index};
  }
  scratch->n = 0;
  f->there = neap__json_find(whole.p, whole.n, steps, place->nsteps, &f->json);
  if (!f->there) f->json = (struct neap__json_slice){NULL, 0};
  f->there = f->there && neap__json_scalar(f->json.p, f->json.n, &f->cell, scratch) == 0 && !is_absent(&f->cell);
}

struct found neap__place_find(struct row_source *row, const struct place *place, struct neap__buffer *scratch) {
  struct found f = {.there = true};
  if (place->counted) {
    int64_t n = row->related ? row->related(row, place->counted, INT64_MAX) : 0;
    f.cell = (struct cell){.i = n, .kind = CELL_INTEGER};
    return f;
  }
  row->cell(row, place->field, &f.cell);
  if (is_absent(&f.cell)) {
    f.there = false;
  } else if (f.cell.kind == CELL_JSON) {
    f.json = (struct neap__json_slice){f.cell.p, f.cell.n};
    if (neap__place_in_json(place))
      look_into(&f, place, scratch);
    else
      f.there = !(f.cell.n == 4 && memcmp(f.cell.p, "null", 4) == 0);
  } else if (place->nsteps > 0) {
    f.there = false;
  }
  return f;
}

// ---- Comparing ----

#define NO_ORDER 2

static bool is_number(const struct cell *c) {
  return c->kind == CELL_INTEGER || c->kind == CELL_NUMBER;
}

// A number in JSON that is neither an integer of 64 bits nor a double counts as the nearest double, except beside a decimal.
static int order_in_json(const struct found *f, const struct cell *operand) {
  struct cell cell = f->cell;
  bool number = is_number(&cell) || cell.kind == CELL_DECIMAL;
  if (operand->kind == CELL_DECIMAL)
    return number ? neap__decimal_compare(f->json.p, f->json.n, operand->p, operand->n) : NO_ORDER;
  if (cell.kind == CELL_DECIMAL) cell = (struct cell){.d = strtod(cell.p, NULL), .kind = CELL_NUMBER};
  return neap__cell_compare(&cell, operand);
}

static int order(const struct place *place, const struct found *f, const struct cell *operand) {
  return neap__place_in_json(place) ? order_in_json(f, operand) : neap__cell_compare(&f->cell, operand);
}

static bool equals(const struct place *place, const struct found *f, const struct cell *operand) {
  if (operand->kind == CELL_JSON)
    return f->cell.kind == CELL_JSON && neap__json_equal(f->json.p, f->json.n, operand->p, operand->n);
  return order(place, f, operand) == 0;
}

bool neap__condition_meets(enum condition_op op, int order) {
  if (order == NO_ORDER) return false;
  switch (op) {
    case COND_LT: return order < 0;
    case COND_LTE: return order <= 0;
    case COND_GT: return order > 0;
    case COND_GTE: return order >= 0;
    default: return order == 0;
  }
}

static bool compare(struct evaluation *ev, const struct condition *c, const struct found *f) {
  enum condition_op op = c->op == COND_NE ? COND_EQ : c->op;
  if (c->other) {
    struct found other = neap__place_find(ev->row, c->other, &ev->scratch_other);
    return other.there && neap__condition_meets(op, neap__cell_compare(&f->cell, &other.cell));
  }
  return op == COND_EQ ? equals(&c->place, f, c->cells) : neap__condition_meets(op, order(&c->place, f, c->cells));
}

static bool is_in(const struct condition *c, const struct found *f) {
  for (int i = 0; i < c->ncells; i++)
    if (equals(&c->place, f, &c->cells[i])) return true;
  return false;
}

static bool is_between(const struct condition *c, const struct found *f) {
  return neap__condition_meets(COND_GTE, order(&c->place, f, &c->cells[0])) &&
         neap__condition_meets(COND_LTE, order(&c->place, f, &c->cells[1]));
}

// ---- Text, types, containers, places on the earth ----

static bool matches(struct evaluation *ev, const struct cell *text, const struct cell *pattern) {
  struct neap__error e;
  if (!ev->row->regexes) return false;
  int status = neap__regex_match(ev->row->regexes, pattern->p, pattern->n, text->p, text->n, &e);
  if (status < 0) ev->row->failed = true;
  return status > 0;
}

static bool meets_text(struct evaluation *ev, enum condition_op op, const struct cell *text, const struct cell *part) {
  if (text->kind != CELL_TEXT) return false;
  switch (op) {
    case COND_PREFIX: return neap__text_prefix(text->p, text->n, part->p, part->n);
    case COND_SUFFIX: return neap__text_suffix(text->p, text->n, part->p, part->n);
    case COND_CONTAINS: return neap__text_contains(text->p, text->n, part->p, part->n);
    case COND_ICONTAINS: return neap__text_contains_fold(text->p, text->n, part->p, part->n);
    case COND_IPREFIX: return neap__text_prefix_fold(text->p, text->n, part->p, part->n);
    case COND_ISUFFIX: return neap__text_suffix_fold(text->p, text->n, part->p, part->n);
    case COND_IEXACT: return neap__text_equal_fold(text->p, text->n, part->p, part->n);
    default: return matches(ev, text, part);
  }
}

static bool is_type(const struct found *f, const char *name) {
  const char *type = f->json.p ? neap__match_type(f->json.p, f->json.n) : NULL;
  if (!type) return false;
  return strcmp(type, name) == 0 || (strcmp(name, "number") == 0 && strcmp(type, "integer") == 0);
}

static bool is_near(const struct condition *c, const struct found *f) {
  struct neap__point p;
  const struct cell *o = c->cells;
  if (!f->json.p || !neap__match_point(f->json.p, f->json.n, &p)) return false;
  if (c->op == COND_WITHIN) return neap__match_box(p, o[0].d, o[1].d, o[2].d, o[3].d);
  return neap__match_distance(p, (struct neap__point){o[0].d, o[1].d}) <= o[2].d;
}

static bool has_elements(const struct condition *c, const struct found *f) {
  return f->json.p && neap__match_elements(f->json.p, f->json.n, c->cells->p, c->cells->n, c->op == COND_ALL);
}

// ---- The tree ----

// NE, NIN and exists(false) are their opposites, negated: what is absent meets them.
static bool meets_leaf(struct evaluation *ev, const struct condition *c) {
  struct found f = neap__place_find(ev->row, &c->place, &ev->scratch);
  switch (c->op) {
    case COND_EXISTS: return f.there == (c->cells->i != 0);
    case COND_NE: return !(f.there && compare(ev, c, &f));
    case COND_NIN: return !(f.there && is_in(c, &f));
    case COND_TYPE: return is_type(&f, c->cells->p);
    default: break;
  }
  if (!f.there) return false;
  switch (c->op) {
    case COND_EQ:
    case COND_LT:
    case COND_LTE:
    case COND_GT:
    case COND_GTE: return compare(ev, c, &f);
    case COND_IN: return is_in(c, &f);
    case COND_BETWEEN: return is_between(c, &f);
    case COND_SIZE: return f.json.p && neap__match_size(f.json.p, f.json.n) == c->cells->i;
    case COND_ALL:
    case COND_HAS:
    case COND_ANY: return has_elements(c, &f);
    case COND_NEAR:
    case COND_WITHIN: return is_near(c, &f);
    default: return meets_text(ev, c->op, &f.cell, c->cells);
  }
}

// An element as a row of one field.
struct element_row {
  struct row_source source;
  struct neap__json_slice json;
};

static void element_cell(struct row_source *source, const struct field *field, struct cell *out) {
  const struct neap__json_slice *json = &((struct element_row *)source)->json;
  (void)field;
  *out = (struct cell){.p = json->p, .n = (uint32_t)json->n, .kind = CELL_JSON};
}

static bool meets_element(struct evaluation *ev, const struct condition *c) {
  struct found f = neap__place_find(ev->row, &c->place, &ev->scratch);
  if (!f.json.p || f.json.n == 0 || *f.json.p != '[') return false;
  struct element_row row = {.source = {.cell = element_cell, .regexes = ev->row->regexes}};
  struct neap__json_each it = neap__json_each(f.json.p, f.json.n);
  bool met = false;
  while (!met && neap__json_next(&it)) {
    row.json = it.value;
    met = neap__condition_evaluate(c->children[0], &row.source);
  }
  ev->row->failed |= row.source.failed;
  return met;
}

static bool evaluate(struct evaluation *ev, const struct condition *c) {
  switch (c->op) {
    case COND_AND:
      for (int i = 0; i < c->nchildren; i++)
        if (!evaluate(ev, c->children[i])) return false;
      return true;
    case COND_OR:
      for (int i = 0; i < c->nchildren; i++)
        if (evaluate(ev, c->children[i])) return true;
      return false;
    case COND_NOT: return !evaluate(ev, c->children[0]);
    case COND_SOME: return ev->row->related && ev->row->related(ev->row, c, 1) > 0;
    case COND_ELEMENT: return meets_element(ev, c);
    default: return meets_leaf(ev, c);
  }
}

bool neap__condition_evaluate(const struct condition *c, struct row_source *row) {
  struct evaluation ev = {.row = row};
  neap__buffer_plain(&ev.scratch);
  neap__buffer_plain(&ev.scratch_other);
  bool met = evaluate(&ev, c);
  neap__buffer_free(&ev.scratch);
  neap__buffer_free(&ev.scratch_other);
  return met;
}
