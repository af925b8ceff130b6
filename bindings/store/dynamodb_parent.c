// dynamodb_parent.c: changes of places whose parents are not there, which the service refuses. The row that was read says which they
// are; they are made along with what goes into them, under the condition that they are still not there.
#include <string.h>

#include "store/dynamodb_store.h"
#include "value/match.h"

// The cell of an explicit null, which parents may be made instead of.
static const struct cell null = {.kind = CELL_NULL};

// How many steps of the place lead to the first parent that is missing, -1 = none is. *is_null: null is there.
static int find_missing(const struct cell *column, const struct place *place, bool *is_null) {
  struct neap__json_slice found;
  int first = place->field->column == place->field->shape->open;  // what is not declared is an attribute of its own
  for (int n = first; n < place->nsteps; n++) {
    bool there = neap__dynamodb_find_place(column, place, n, &found);
    *is_null = n == 0 ? column->kind == CELL_NULL : there && found.n == 4 && memcmp(found.p, "null", 4) == 0;
    if (!there || *is_null) return n;
  }
  return -1;
}

static bool same_step(const struct step *a, const struct step *b) {
  if (!a->key || !b->key) return !a->key && !b->key && a->index == b->index;
  return a->nkey == b->nkey && memcmp(a->key, b->key, a->nkey) == 0;
}

static bool shares(const struct place *a, const struct place *b, int nsteps) {
  if (a->field != b->field || a->nsteps <= nsteps || b->nsteps <= nsteps) return false;
  for (int i = 0; i < nsteps; i++)
    if (!same_step(&a->steps[i], &b->steps[i])) return false;
  return true;
}

// Changes that share their first steps come one after the other. How many of them do.
static int count_shared(const struct change *changes, int n, int nsteps) {
  int shared = 1;
  while (shared < n && shares(&changes[0].place, &changes[shared].place, nsteps)) shared++;
  return shared;
}

// Appends what the changes make where there was nothing behind their first steps.
static int write_made(struct neap__buffer *out, const struct change *changes, int n, int depth) {
  const struct place *place = &changes->place;
  int status = 0, written = 0;
  bool marked = !place->type && changes->cell.kind == CELL_BYTES;
  if (place->nsteps == depth)
    return (marked ? neap__buffer_append(out, NEAP_JSON_MARK, strlen(NEAP_JSON_MARK)) : 0) |
           neap__match_write(out, &changes->cell);
  bool map = place->steps[depth].key != NULL;
  status |= neap__buffer_byte(out, map ? '{' : '[');
  for (int i = 0, group; i < n; i += group) {
    const struct step *step = &changes[i].place.steps[depth];
    group = changes[i].place.nsteps == depth + 1 ? 1 : count_shared(changes + i, n - i, depth + 1);
    if (written++ > 0) status |= neap__buffer_byte(out, ',');
    if (map) status |= neap__json_quote(out, step->key, step->nkey, NULL) | neap__buffer_byte(out, ':');
    status |= write_made(out, changes + i, group, depth + 1);
  }
  return status | neap__buffer_byte(out, map ? '}' : ']');
}

static int make_parent(struct dynamodb_listing *l, const struct change *changes, int n, int nsteps, bool is_null) {
  struct neap__buffer *text = &l->texts[l->nheld];
  struct change *held = &l->held[l->nheld++], made = {.kind = CHANGE_SET, .place = changes->place};
  neap__buffer_plain(text);
  made.place.nsteps = nsteps;
  made.place.type = nsteps == 0 ? &made.place.field->type : NULL;
  *held = made;
  held->kind = is_null ? CHANGE_SET : CHANGE_UNSET;
  held->cell = null;
  if (write_made(text, changes, n, nsteps) != 0) return -1;
  made.cell = (struct cell){.p = text->p, .n = (uint32_t)text->n, .kind = CELL_JSON};
  l->changes[l->n++] = made;
  return 0;
}

// Whether a place is to be removed whose parent is not there, or is something that has no places.
static bool removes_nothing(const struct change *c, const struct cell *cells) {
  struct neap__json_slice parent;
  const struct cell *column = &cells[c->place.field->column];
  bool removes = c->kind == CHANGE_UNSET || (c->kind == CHANGE_SET && c->cell.kind == CELL_NIL);
  if (!removes || c->place.nsteps == 0) return false;
  return !neap__dynamodb_find_place(column, &c->place, c->place.nsteps - 1, &parent) || !strchr("{[", *parent.p);
}

bool neap__dynamodb_lacks_parent(const struct write *w, const struct neap__error *e) {
  if (strcmp(e->code, "ValidationException") != 0 || !strstr(e->message, "document path")) return false;
  for (int i = 0; i < w->nchanges; i++)
    if (w->changes[i].place.nsteps > 0) return true;
  return false;
}

int neap__dynamodb_make_parents(struct dynamodb_listing *l, const struct cell *cells) {
  int n = l->n, kept = 0;
  for (int i = 0; i < n; i++)
    if (!removes_nothing(&l->changes[i], cells)) l->changes[kept++] = l->changes[i];
  n = kept;
  l->n = 0;
  for (int i = 0, group; i < n; i += group) {
    const struct place *place = &l->changes[i].place;
    bool is_null;
    int nsteps = find_missing(&cells[place->field->column], place, &is_null);
    group = nsteps < 0 ? 1 : count_shared(l->changes + i, n - i, nsteps);
    if (nsteps < 0)
      l->changes[l->n++] = l->changes[i];
    else if (make_parent(l, l->changes + i, group, nsteps, is_null) != 0)
      return -1;
  }
  return 0;
}
