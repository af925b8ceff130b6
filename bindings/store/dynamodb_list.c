// dynamodb_list.c: changes of lists that the service has no expression for: elements taken out, and elements added once. The list is
// read, changed here, and written under the condition that it is still what was read.
#include <stdlib.h>
#include <string.h>

#include "model/condition_build.h"
#include "store/dynamodb_store.h"

static bool is_of_list(const struct change *c) {
  bool set = c->place.nsteps == 0 && c->place.field->type.kind == TYPE_SET;
  return (c->kind == CHANGE_PULL || c->kind == CHANGE_ADD_UNIQUE) && !set;
}

bool neap__dynamodb_reads_first(const struct write *w) {
  for (int i = 0; i < w->nchanges; i++)
    if (is_of_list(&w->changes[i])) return true;
  return false;
}

int neap__dynamodb_list_read(struct dynamodb_text *t, const struct view *view, const struct shape *shape,
                             const struct write *w, struct neap__error *e) {
  struct cell key[4];
  if (neap__dynamodb_write_key(shape, w, key, e) != 0) return -1;
  neap__dynamodb_table(t, view, shape);
  neap__dynamodb_member(t, "Key");
  if (neap__dynamodb_key(t, shape, key, e) != 0) return -1;
  neap__dynamodb_member(t, "ConsistentRead");
  neap__dynamodb_add(t, "true");
  return 0;
}

// ---- The list as it will be ----

static bool holds(struct neap__json_each it, struct neap__json_slice value) {
  while (neap__json_next(&it))
    if (neap__json_equal(it.value.p, it.value.n, value.p, value.n)) return true;
  return false;
}

static int add_element(struct neap__buffer *out, size_t start, struct neap__json_slice value) {
  if (out->n > start && neap__buffer_byte(out, ',') != 0) return -1;
  return neap__buffer_append(out, value.p, value.n);
}

// Appends the list with what the change makes of it. 0, or -1 when memory is short.
static int change_list(struct neap__buffer *out, struct neap__json_slice list, const struct change *c) {
  bool pull = c->kind == CHANGE_PULL;
  struct neap__json_each elements = neap__json_each(c->cell.p, c->cell.n), it = neap__json_each(list.p, list.n);
  const char *begin = neap__json_marked(list.p, list.p + strlen(NEAP_JSON_MARK)) ? NEAP_JSON_MARK "[" : "[";
  int status = neap__buffer_append(out, begin, strlen(begin));
  size_t start = out->n;
  while (status == 0 && neap__json_next(&it))
    if (!pull || !holds(elements, it.value)) status = add_element(out, start, neap__json_with_mark(list.p, it.value));
  for (it = elements; status == 0 && !pull && neap__json_next(&it);) {
    struct neap__json_each added = {.p = out->p + start, .end = out->p + out->n, .close = ']'};
    if (!holds(added, it.value)) status = add_element(out, start, neap__json_with_mark(c->cell.p, it.value));
  }
  return status == 0 ? neap__buffer_byte(out, ']') : -1;
}

bool neap__dynamodb_find_place(const struct cell *column, const struct place *place, int nsteps,
                               struct neap__json_slice *out) {
  struct neap__json_step steps[PLACE_MAX_STEPS];
  if (column->kind != CELL_JSON) return false;
  for (int i = 0; i < nsteps; i++) {
    const struct step *s = &place->steps[i];
    steps[i] = (struct neap__json_step){s->key, s->nkey, s->key ? -1 : s->index};
  }
  if (!neap__json_find(column->p, column->n, steps, nsteps, out)) return false;
  *out = neap__json_with_mark(column->p, *out);
  return true;
}

// ---- The request ----

// The change as a SET of the whole list. What is not there is held to be absent.
static int set_list(struct dynamodb_listing *l, const struct change *c, const struct cell *cells) {
  struct neap__buffer *text = &l->texts[l->nheld];
  struct neap__json_slice old;
  struct change *held = &l->held[l->nheld++];
  bool there = neap__dynamodb_find_place(&cells[c->place.field->column], &c->place, c->place.nsteps, &old);
  if (!there) old = (struct neap__json_slice){"[]", 2};
  neap__buffer_plain(text);
  *held = (struct change){.kind = there ? CHANGE_SET : CHANGE_UNSET, .place = c->place};
  held->cell = (struct cell){.p = old.p, .n = (uint32_t)old.n, .kind = CELL_JSON};
  if (!there && c->kind == CHANGE_PULL) return 0;
  if (change_list(text, old, c) != 0) return -1;
  l->changes[l->n] = *held;
  l->changes[l->n].kind = CHANGE_SET;
  l->changes[l->n++].cell = (struct cell){.p = text->p, .n = (uint32_t)text->n, .kind = CELL_JSON};
  return 0;
}

static int write_lists(struct dynamodb_text *t, struct dynamodb_listing *l, const struct view *view,
                       const struct shape *shape, const struct write *w, const struct cell *cells,
                       struct neap__error *e) {
  struct write copy = *w;
  for (int i = 0; i < w->nchanges; i++) {
    if (!is_of_list(&w->changes[i]))
      l->changes[l->n++] = w->changes[i];
    else if (set_list(l, &w->changes[i], cells) != 0)
      return neap__error_set(e, NEAP_LIMIT, "memory is short");
  }
  if (neap__dynamodb_make_parents(l, cells) != 0) return neap__error_set(e, NEAP_LIMIT, "memory is short");
  copy.changes = l->changes;
  copy.nchanges = l->n;
  return neap__dynamodb_write_one(t, view, shape, &copy, l->held, l->nheld, e);
}

int neap__dynamodb_list_write(struct dynamodb_text *t, const struct view *view, const struct shape *shape,
                              const struct write *w, const char *reply, size_t n, struct neap__error *e) {
  size_t count = (size_t)w->nchanges, columns = (size_t)shape->ncolumns;
  struct neap__items items = {0};
  struct cell *cells = calloc(columns, sizeof *cells);
  struct dynamodb_listing l = {.changes = calloc(3 * count, sizeof *l.changes),
                               .texts = calloc(2 * count, sizeof *l.texts)};
  int status = -1;
  l.held = l.changes ? l.changes + count : NULL;
  if (!cells || !l.changes || !l.texts || neap__items_init(&items, shape, NULL) != 0) {
    neap__error_set(e, NEAP_LIMIT, "memory is short");
  } else {
    neap__items_begin(&items, reply, n);
    enum rows_state state = neap__items_next(&items, cells, e);
    if (state != ROWS_FAILED) status = write_lists(t, &l, view, shape, w, cells, e);
  }
  for (int i = 0; i < l.nheld; i++) neap__buffer_free(&l.texts[i]);
  neap__items_free(&items);
  free(cells);
  free(l.changes);
  free(l.texts);
  return status;
}
