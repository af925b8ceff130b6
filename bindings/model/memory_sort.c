// memory_sort.c: the order of rows in memory. They are held in a heap with the last one on top, of which there are never more than the
// query asks for, and which becomes the sorted list step by step.
#include <stdlib.h>

#include "model/memory_build.h"

struct cell neap__memory_sort_cell(const struct found *f) {
  struct cell cell = f->cell;
  if (!f->there) return (struct cell){.kind = CELL_NIL};
  if (cell.kind == CELL_JSON) cell.kind = CELL_TEXT;
  if (cell.kind == CELL_TEXT && f->cell.kind == CELL_JSON && f->json.p)
    cell.p = f->json.p, cell.n = (uint32_t)f->json.n;
  if (cell.kind == CELL_BOOLEAN) cell.kind = CELL_INTEGER;
  return cell;
}

static bool is_text(const struct cell *c) {
  return c->kind == CELL_TEXT || c->kind == CELL_BYTES;
}

// Numbers come before text.
static int compare_cells(const struct cell *a, const struct cell *b) {
  int order = neap__cell_compare(a, b);
  return order == 2 ? is_text(a) - is_text(b) : order;
}

static int compare(const struct memory *m, const struct cell *a, const struct cell *b, int nkeys) {
  for (int i = 0; i < nkeys; i++) {
    const struct order *o = &m->q->orders[i];
    const struct cell *x = &a[m->width + i], *y = &b[m->width + i];
    bool none = x->kind == CELL_NIL, nothing = y->kind == CELL_NIL;
    if (none && nothing) continue;
    if (none || nothing) return none == o->first ? -1 : 1;
    int order = compare_cells(x, y);
    if (order != 0) return o->descending ? -order : order;
  }
  return 0;
}

int neap__memory_compare(const struct memory *m, const struct cell *a, const struct cell *b) {
  return compare(m, a, b, m->nkeys);
}

bool neap__memory_is_past(const struct memory *m) {
  const struct memory_heap *h = &m->heap;
  if (m->nordered == 0 || h->n < h->most) return false;
  return h->n == 0 || compare(m, m->out, h->rows[0]->cells, m->nordered) > 0;
}

static bool is_later(const struct memory *m, const struct kept *a, const struct kept *b) {
  int order = neap__memory_compare(m, a->cells, b->cells);
  return order ? order > 0 : a->mark > b->mark;
}

static void sink(const struct memory *m, struct kept **rows, size_t n, size_t i) {
  struct kept *row = rows[i];
  for (size_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && is_later(m, rows[child + 1], rows[child])) child++;
    if (!is_later(m, rows[child], row)) break;
    rows[i] = rows[child];
  }
  rows[i] = row;
}

static void rise(const struct memory *m, struct kept **rows, size_t i) {
  struct kept *row = rows[i];
  for (size_t parent; i > 0 && is_later(m, row, rows[parent = (i - 1) / 2]); i = parent) rows[i] = rows[parent];
  rows[i] = row;
}

bool neap__memory_offer(struct memory *m) {
  struct memory_heap *h = &m->heap;
  bool full = h->n == h->most;
  h->seen++;
  if (h->most == 0 || (full && neap__memory_compare(m, m->out, h->rows[0]->cells) >= 0)) return true;
  struct kept *row = neap__memory_keep(&m->room, m->out, m->width + m->nkeys, "the rows to be sorted");
  if (!row) return false;
  row->mark = h->seen;
  if (full) {
    neap__memory_drop(&m->room, h->rows[0]);
    h->rows[0] = row;
    sink(m, h->rows, h->n, 0);
    return true;
  }
  if (h->n == h->size && !neap__memory_grow(&m->room, &h->rows, &h->size, "the rows to be sorted"))
    return neap__memory_drop(&m->room, row), false;
  h->rows[h->n++] = row;
  rise(m, h->rows, h->n - 1);
  return true;
}

bool neap__memory_sort(struct memory *m, int rows) {
  struct kept **list = m->heap.rows;
  for (; m->at > 1 && rows > 0; rows--) {
    struct kept *last = list[0];
    list[0] = list[--m->at];
    list[m->at] = last;
    sink(m, list, m->at, 0);
  }
  return m->at <= 1;
}

void neap__memory_heap_free(struct memory_heap *h) {
  for (size_t i = 0; i < h->n; i++) free(h->rows[i]);
  free(h->rows);
  *h = (struct memory_heap){0};
}
