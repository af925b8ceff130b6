// memory_keep.c: what in-memory queries hold: rows in a heap until all have come, and tables of groups. All of it counts as memory of
// the scripts.
#include <stdlib.h>
#include <string.h>

#include "model/memory_build.h"
#include "value/decimal.h"
#include "value/match.h"
#include "value/text.h"

// ---- Memory ----

bool neap__memory_take(struct memory *m, size_t bytes, const char *what) {
  if (bytes > neap__memory_left(m->rows.op.host))
    return neap__memory_fail(
        m, NEAP_LIMIT, "%s of %s are more than memory holds: narrow them with where, or ask for the first with limit",
        what, m->q->class->shape->model);
  m->bytes += bytes;
  neap__hold(m->rows.op.host, &m->held, m->bytes, false);
  return true;
}

static void give_back(struct memory *m, size_t bytes) {
  m->bytes -= bytes;
  neap__hold(m->rows.op.host, &m->held, m->bytes, false);
}

// Cells that come one behind the other may borrow the same text.
static bool shares(const struct cell *cells, int i) {
  for (int k = 0; k < i; k++)
    if (neap__cell_has_text(&cells[k]) && cells[k].p == cells[i].p && cells[k].n >= cells[i].n) return true;
  return false;
}

static size_t text_bytes(const struct cell *cells, int n) {
  size_t bytes = 0;
  for (int i = 0; i < n; i++)
    if (neap__cell_has_text(&cells[i]) && !shares(cells, i)) bytes += cells[i].n;
  return bytes;
}

static void copy_text(struct kept *kept, const struct cell *cells, int n) {
  char *text = (char *)&kept->cells[n];
  for (int i = 0; i < n; i++) {
    kept->cells[i] = cells[i];
    if (!neap__cell_has_text(&cells[i])) continue;
    if (shares(cells, i)) {
      int k = 0;
      while (!neap__cell_has_text(&cells[k]) || cells[k].p != cells[i].p || cells[k].n < cells[i].n) k++;
      kept->cells[i].p = kept->cells[k].p;
      continue;
    }
    if (cells[i].n > 0) memcpy(text, cells[i].p, cells[i].n);
    kept->cells[i].p = text;
    text += cells[i].n;
  }
}

struct kept *neap__memory_keep(struct memory *m, const struct cell *cells, int n, const char *what) {
  size_t bytes = sizeof(struct kept) + (size_t)n * sizeof *cells + text_bytes(cells, n);
  if (!neap__memory_take(m, bytes, what)) return NULL;
  struct kept *kept = malloc(bytes);
  if (!kept) {
    give_back(m, bytes);
    neap__memory_fail(m, NEAP_LIMIT, "memory is short");
    return NULL;
  }
  *kept = (struct kept){.bytes = bytes};
  copy_text(kept, cells, n);
  return kept;
}

void neap__memory_drop(struct memory *m, struct kept *kept) {
  if (!kept) return;
  give_back(m, kept->bytes);
  free(kept);
}

static bool grow(struct memory *m, struct kept ***list, size_t *size, const char *what) {
  size_t more = *size ? *size : 64;
  if (!neap__memory_take(m, more * sizeof **list, what)) return false;
  struct kept **grown = realloc(*list, (*size + more) * sizeof **list);
  if (!grown) return give_back(m, more * sizeof **list), neap__memory_fail(m, NEAP_LIMIT, "memory is short");
  *list = grown;
  *size += more;
  return true;
}

static void free_table(struct memory *m, struct memory_table *table) {
  for (size_t i = 0; i < table->n; i++) neap__memory_group_free(m, table->entries[i]);
  free(table->entries);
  free(table->chains);
  *table = (struct memory_table){0};
}

void neap__memory_free(struct memory *m) {
  for (size_t i = 0; i < m->heap.n; i++) free(m->heap.rows[i]);
  free(m->heap.rows);
  m->heap = (struct memory_heap){0};
  free_table(m, &m->groups);
  free_table(m, &m->owners);
  m->bytes = 0;
  neap__hold(m->rows.op.host, &m->held, 0, false);
}

// ---- Order ----

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

int neap__memory_compare(const struct memory *m, const struct cell *a, const struct cell *b) {
  for (int i = 0; i < m->nkeys; i++) {
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
  struct kept *row = neap__memory_keep(m, m->out, m->width + m->nkeys, "the rows to be sorted");
  if (!row) return false;
  row->mark = h->seen;
  if (full) {
    neap__memory_drop(m, h->rows[0]);
    h->rows[0] = row;
    sink(m, h->rows, h->n, 0);
    return true;
  }
  if (h->n == h->size && !grow(m, &h->rows, &h->size, "the rows to be sorted")) return neap__memory_drop(m, row), false;
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

// ---- Tables ----

static uint64_t hash_bytes(const char *p, size_t n) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
  return h;
}

// Numbers of all kinds that are equal have the same.
static uint64_t hash_number(double d) {
  d += 0.0;  // -0.0
  return hash_bytes((const char *)&d, sizeof d);
}

static uint64_t hash_decimal(const struct cell *c) {
  char text[DECIMAL_TEXT];
  size_t n = c->n < sizeof text ? c->n : sizeof text - 1;
  memcpy(text, c->p, n);
  text[n] = 0;
  return hash_number(strtod(text, NULL));
}

static uint64_t hash_cell(const struct cell *c) {
  switch ((enum cell_kind)c->kind) {
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL: return 0;
    case CELL_INTEGER: return hash_number((double)c->i);
    case CELL_NUMBER: return hash_number(c->d);
    case CELL_DECIMAL: return hash_decimal(c);
    case CELL_BOOLEAN:
    case CELL_DATETIME:
    case CELL_DATE: return hash_bytes((const char *)&c->i, sizeof c->i);
    case CELL_TEXT:
    case CELL_BYTES: return hash_bytes(c->p, c->n);
    case CELL_JSON: return (uint64_t)neap__match_size(c->p, c->n);
  }
  return 0;
}

static bool same_keys(const struct cell *a, const struct cell *b, int n) {
  for (int i = 0; i < n; i++) {
    bool none = a[i].kind <= CELL_NULL, nothing = b[i].kind <= CELL_NULL;
    if (none || nothing ? none != nothing : !neap__cell_equal(&a[i], &b[i])) return false;
  }
  return true;
}

// The entries are chained anew in twice as many chains.
static bool chain_again(struct memory *m, struct memory_table *t) {
  size_t before = t->size;
  if (!grow(m, &t->entries, &t->size, "the groups")) return false;
  size_t chains = t->size - before;
  if (!neap__memory_take(m, chains * sizeof *t->chains, "the groups")) return false;
  free(t->chains);
  t->chains = calloc(t->size, sizeof *t->chains);
  if (!t->chains) return neap__memory_fail(m, NEAP_LIMIT, "memory is short");
  for (size_t i = 0; i < t->n; i++) {
    struct kept **chain = &t->chains[t->entries[i]->mark % t->size];
    t->entries[i]->next = *chain;
    *chain = t->entries[i];
  }
  return true;
}

struct kept *neap__memory_entry(struct memory *m, struct memory_table *t, const struct cell *cells, int n, int nkeys,
                                bool *fresh) {
  const struct cell *keys = cells + n - nkeys;
  uint64_t hash = 0;
  for (int i = 0; i < nkeys; i++) hash = hash * 31 + hash_cell(&keys[i]);
  *fresh = false;
  for (struct kept *e = t->size ? t->chains[hash % t->size] : NULL; e; e = e->next)
    if (e->mark == hash && same_keys(e->cells + n - nkeys, keys, nkeys)) return e;
  if (t->n == t->size && !chain_again(m, t)) return NULL;
  struct kept *entry = neap__memory_keep(m, cells, n, "the groups");
  if (!entry) return NULL;
  struct kept **chain = &t->chains[hash % t->size];
  entry->mark = hash;
  entry->next = *chain;
  *chain = t->entries[t->n++] = entry;
  *fresh = true;
  return entry;
}
