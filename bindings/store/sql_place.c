// sql_place.c: what a condition looks at, as SQL: columns, computed fields, counts and places inside JSON. Where the dialects
// differ, sql_dialect.h has the text.
#include <stdio.h>
#include <string.h>

#include "store/sql_writer.h"
#include "value/match.h"

// ---- Places ----

// A computed field: { and } surround the names of fields.
static int write_computed(struct writer *w, const struct field *f) {
  if (!f->sql)
    return neap__error_set(w->e, NEAP_UNSUPPORTED,
                           "%s.%s is computed by code: only computed fields with sql= can be asked for",
                           w->shape->model, f->name);
  neap__sql_add(w->s, "(");
  for (const char *p = f->sql, *open; *p; p = strchr(open, '}') + 1) {
    open = strchr(p, '{');
    if (!open || !strchr(open, '}')) {
      neap__sql_add(w->s, p);
      break;
    }
    neap__sql_addf(w->s, "%.*s", (int)(open - p), p);
    neap__sql_column(w->s, w->alias, neap__shape_field(w->shape, open + 1, strcspn(open + 1, "}")));
  }
  neap__sql_add(w->s, ")");
  return 0;
}

int neap__sql_write_column(struct writer *w, const struct field *f) {
  if (f->type.kind == TYPE_COMPUTED) return write_computed(w, f);
  neap__sql_compared(w->s, w->alias, f);
  return 0;
}

static bool is_word(const char *p, size_t n) {
  static const char letters[] = "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  return n > 0 && strspn(p, letters) == n && !(*p >= '0' && *p <= '9');
}

// A path of indexes and words stands in the text, so that an index on the same expression is found; others are bound.
static bool is_plain(const struct place *place) {
  for (int i = 0; i < place->nsteps; i++)
    if (place->steps[i].key && !is_word(place->steps[i].key, place->steps[i].nkey)) return false;
  return true;
}

static void write_plain_path(struct sql_text *s, const char *path) {
  neap__sql_add(s, "'");
  for (char one[2] = {0}; (one[0] = *path); path++)
    if (one[0] != '"') neap__sql_add(s, one);
  neap__sql_add(s, "'");
}

static bool has_path(struct writer *w, const struct place *place) {
  char path[512];
  return !w->s->dialect->path || w->s->dialect->path(path, sizeof path, place);
}

static bool has_index(const struct place *place) {
  for (int i = 0; i < place->nsteps; i++)
    if (!place->steps[i].key) return true;
  return false;
}

// Whether a step is a key that no JSON of the database has.
static bool is_nowhere(const struct sql_dialect *dialect, const struct place *place) {
  for (int i = 0; i < place->nsteps; i++) {
    const struct cell key = {.p = place->steps[i].key, .n = place->steps[i].nkey, .kind = CELL_TEXT};
    if (key.p && neap__sql_has_nul(dialect, &key)) return true;
  }
  return false;
}

// The column; an array as JSON.
static int write_base(struct writer *w, const struct field *f) {
  bool array = neap__sql_is_array(w->s->dialect, &f->type);
  neap__sql_add(w->s, array ? "to_jsonb(" : "");
  int status = neap__sql_write_column(w, f);
  neap__sql_add(w->s, array ? ")" : "");
  return status;
}

// An index finds nothing but in lists: -> 0 would take a scalar for a list of one.
static int write_jsonpath(struct writer *w, const struct place *place) {
  struct neap__buffer *b = &w->s->scratch;
  char text[32];
  int status = 0;
  neap__sql_add(w->s, "jsonb_path_query_first(");
  if (write_base(w, place->field) != 0) return -1;
  b->n = 0;
  status = neap__buffer_append(b, "strict $", 8);
  for (int i = 0; i < place->nsteps && status == 0; i++) {
    const struct step *step = &place->steps[i];
    const struct cell key = {.p = step->key, .n = step->nkey, .kind = CELL_TEXT};
    int64_t index = step->index > INT32_MAX ? INT32_MAX : step->index;
    if (step->key)
      status = neap__buffer_byte(b, '.') | neap__match_write(b, &key);
    else
      status = neap__buffer_append(b, text, (size_t)snprintf(text, sizeof text, "[%lld]", (long long)index));
  }
  if (status != 0) return neap__error_set(w->e, NEAP_LIMIT, "memory is short");
  neap__sql_add(w->s, ", ");
  neap__sql_quoted(w->s, b->p, b->n);
  neap__sql_add(w->s, ", '{}', true)");
  return 0;
}

// Where paths are steps: (t0."data" -> 'a' -> 'b')
static int write_steps(struct writer *w, const struct place *place) {
  if (is_nowhere(w->s->dialect, place)) return neap__sql_add(w->s, "NULL::jsonb"), 0;
  if (has_index(place)) return write_jsonpath(w, place);
  neap__sql_add(w->s, "(");
  if (write_base(w, place->field) != 0) return -1;
  for (int i = 0; i < place->nsteps; i++) {
    neap__sql_add(w->s, " -> ");
    neap__sql_quoted(w->s, place->steps[i].key, place->steps[i].nkey);
  }
  neap__sql_add(w->s, ")");
  return 0;
}

static void write_path(struct writer *w, const struct place *place) {
  char path[512];
  if (place->nsteps == 0 || !w->s->dialect->path(path, sizeof path, place))
    neap__sql_add(w->s, w->s->dialect->root);
  else if (is_plain(place))
    write_plain_path(w->s, path);
  else
    neap__sql_bind_copy(w->s, CELL_TEXT, path, strlen(path));
}

// ---- Templates ----

int neap__sql_expand(struct writer *w, const char *text, neap__sql_slot *fill, const void *arg) {
  char plain[64];
  while (*text) {
    size_t n = strcspn(text, "$");
    if (n >= sizeof plain) n = sizeof plain - 1;
    memcpy(plain, text, n);
    plain[n] = 0;
    neap__sql_add(w->s, plain);
    text += n;
    if (*text != '$') continue;
    if (fill(w, text[1] - '0', arg) != 0) return -1;
    text += 2;
  }
  return 0;
}

int neap__sql_bind_scratch(struct writer *w, int status) {
  struct neap__buffer *b = &w->s->scratch;
  if (status != 0) return neap__error_set(w->e, NEAP_LIMIT, "memory is short");
  neap__sql_bind_copy(w->s, CELL_JSON, b->p, b->n);
  return 0;
}

// The steps as a JSON list.
static int bind_steps(struct writer *w, const struct place *place) {
  struct neap__buffer *b = &w->s->scratch;
  int status = 0;
  b->n = 0;
  for (int i = 0; i < place->nsteps && status == 0; i++) {
    const struct step *step = &place->steps[i];
    struct cell cell = {.i = step->index, .kind = CELL_INTEGER};
    if (step->key) cell = (struct cell){.p = step->key, .n = step->nkey, .kind = CELL_TEXT};
    status = neap__buffer_byte(b, i ? ',' : '[') | neap__match_write(b, &cell);
  }
  return neap__sql_bind_scratch(w, status | neap__buffer_byte(b, ']'));
}

static int fill_unnamed(struct writer *w, int i, const void *place) {
  return i == 0 ? neap__sql_write_column(w, ((const struct place *)place)->field) : bind_steps(w, place);
}

// $0: the column, or the JSON text of a place that the dialect's paths cannot name; $1: the path.
static int fill_place(struct writer *w, int i, const void *arg) {
  const struct place *place = arg;
  if (!w->s->dialect->path) return write_steps(w, place);
  if (i == 1) {
    write_path(w, place);
    return 0;
  }
  return has_path(w, place) ? neap__sql_write_column(w, place->field)
                            : neap__sql_expand(w, w->s->dialect->unnamed, fill_unnamed, place);
}

int neap__sql_write_template(struct writer *w, const char *text, const struct place *place) {
  return neap__sql_expand(w, text, fill_place, place);
}

static enum sql_class class_of_type(const struct type *type) {
  while (type && (type->kind == TYPE_POINTER || type->kind == TYPE_COMPUTED) && type->of) type = type->of;
  return type && type->kind == TYPE_DECIMAL ? SQL_DECIMAL : SQL_TEXT;
}

void neap__sql_collate(struct sql_text *s, const struct place *place) {
  const char *text = neap__place_in_json(place) ? NULL : s->dialect->column[class_of_type(place->type)];
  if (text) neap__sql_add(s, text + 2);  // behind its $0
}

int neap__sql_write_value(struct writer *w, const struct place *place, enum sql_class class) {
  if (neap__place_in_json(place)) return neap__sql_write_template(w, w->s->dialect->value[class], place);
  if (place->counted) return neap__sql_related_count(w->s, w->alias, w->shape, place->counted, w->e);
  const char *text = w->s->dialect->column[class_of_type(place->type)];
  return text ? neap__sql_write_template(w, text, place) : neap__sql_write_column(w, place->field);
}

int neap__sql_write_guard(struct writer *w, const struct place *place, enum sql_class class) {
  if (!neap__place_in_json(place) || !w->s->dialect->guard[class]) return 0;
  int status = neap__sql_write_template(w, w->s->dialect->guard[class], place);
  neap__sql_add(w->s, " AND ");
  return status;
}

int neap__sql_write_json(struct writer *w, const struct place *place) {
  bool array = place->nsteps == 0 && neap__sql_is_array(w->s->dialect, &place->field->type);
  return place->nsteps || array ? neap__sql_write_template(w, w->s->dialect->json, place)
                                : neap__sql_write_column(w, place->field);
}

int neap__sql_place(struct sql_text *s, int alias, const struct place *place, struct neap__error *e) {
  struct writer w = {s, e, alias, place->field->shape};
  return neap__sql_write_value(&w, place, SQL_NUMBER);
}

int neap__sql_place_sort(struct sql_text *s, int alias, const struct place *place, int key, struct neap__error *e) {
  struct writer w = {s, e, alias, place->field->shape};
  const char *sort = neap__place_in_json(place) ? s->dialect->sort[key] : NULL;
  return sort ? neap__sql_write_template(&w, sort, place) : neap__sql_write_value(&w, place, SQL_NUMBER);
}

int neap__sql_place_whole(struct sql_text *s, int alias, const struct place *place, struct neap__error *e) {
  struct writer w = {s, e, alias, place->field->shape};
  if (!neap__place_in_json(place)) return neap__sql_place(s, alias, place, e);
  neap__sql_add(s, "nullif(");
  int status = neap__sql_write_json(&w, place);
  neap__sql_add(s, ", 'null')");
  return status;
}

static int write_class(struct sql_text *s, int alias, const struct place *place, enum sql_class class,
                       struct neap__error *e) {
  struct writer w = {s, e, alias, place->field->shape};
  if (!neap__place_in_json(place)) return neap__sql_place(s, alias, place, e);
  if (!s->dialect->guard[class]) return neap__sql_write_value(&w, place, class);
  neap__sql_add(s, "CASE WHEN ");
  if (neap__sql_write_template(&w, s->dialect->guard[class], place) != 0) return -1;
  neap__sql_add(s, " THEN ");
  int status = neap__sql_write_value(&w, place, class);
  neap__sql_add(s, " END");
  return status;
}

int neap__sql_place_text(struct sql_text *s, int alias, const struct place *place, struct neap__error *e) {
  return write_class(s, alias, place, SQL_TEXT, e);
}

int neap__sql_place_number(struct sql_text *s, int alias, const struct place *place, struct neap__error *e) {
  return write_class(s, alias, place, SQL_NUMBER, e);
}
