// memory_keep.c: what in-memory queries hold: copies of rows, alone and in tables by their keys. All of it counts as memory of the
// scripts.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/memory_build.h"
#include "value/decimal.h"
#include "value/match.h"
#include "value/text.h"

// ---- Memory ----

bool neap__memory_fail(struct memory_room *r, enum neap__kind kind, const char *format, ...) {
  char text[sizeof r->error->message];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  neap__error_set(r->error, kind, "%s", text);
  r->failed = true;
  return false;
}

bool neap__memory_take(struct memory_room *r, size_t bytes, const char *what) {
  if (bytes > neap__memory_left(r->host))
    return neap__memory_fail(
        r, NEAP_LIMIT, "%s of %s are more than memory holds: narrow them with where, or ask for the first with limit",
        what, r->model);
  r->bytes += bytes;
  neap__hold(r->host, &r->held, r->bytes, false);
  return true;
}

static void give_back(struct memory_room *r, size_t bytes) {
  r->bytes -= bytes;
  neap__hold(r->host, &r->held, r->bytes, false);
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

struct kept *neap__memory_keep(struct memory_room *r, const struct cell *cells, int n, const char *what) {
  size_t bytes = sizeof(struct kept) + (size_t)n * sizeof *cells + text_bytes(cells, n);
  if (!neap__memory_take(r, bytes, what)) return NULL;
  struct kept *kept = malloc(bytes);
  if (!kept) {
    give_back(r, bytes);
    neap__memory_fail(r, NEAP_LIMIT, "memory is short");
    return NULL;
  }
  *kept = (struct kept){.bytes = bytes};
  copy_text(kept, cells, n);
  return kept;
}

void neap__memory_drop(struct memory_room *r, struct kept *kept) {
  if (!kept) return;
  give_back(r, kept->bytes);
  free(kept);
}

bool neap__memory_grow(struct memory_room *r, struct kept ***list, size_t *size, const char *what) {
  size_t more = *size ? *size : 64;
  if (!neap__memory_take(r, more * sizeof **list, what)) return false;
  struct kept **grown = realloc(*list, (*size + more) * sizeof **list);
  if (!grown) return give_back(r, more * sizeof **list), neap__memory_fail(r, NEAP_LIMIT, "memory is short");
  *list = grown;
  *size += more;
  return true;
}

void neap__memory_leave(struct memory_room *r) {
  r->bytes = 0;
  neap__hold(r->host, &r->held, 0, false);
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
static bool chain_again(struct memory_room *r, struct memory_table *t) {
  size_t before = t->size;
  if (!neap__memory_grow(r, &t->entries, &t->size, "the groups")) return false;
  size_t chains = t->size - before;
  if (!neap__memory_take(r, chains * sizeof *t->chains, "the groups")) return false;
  free(t->chains);
  t->chains = calloc(t->size, sizeof *t->chains);
  if (!t->chains) return neap__memory_fail(r, NEAP_LIMIT, "memory is short");
  for (size_t i = 0; i < t->n; i++) {
    struct kept **chain = &t->chains[t->entries[i]->mark % t->size];
    t->entries[i]->next = *chain;
    *chain = t->entries[i];
  }
  return true;
}

static uint64_t hash_keys(const struct cell *keys, int n) {
  uint64_t hash = 0;
  for (int i = 0; i < n; i++) hash = hash * 31 + hash_cell(&keys[i]);
  return hash;
}

struct kept *neap__memory_look(const struct memory_table *t, const struct cell *keys, int nkeys, int at) {
  uint64_t hash = hash_keys(keys, nkeys);
  for (struct kept *e = t->size ? t->chains[hash % t->size] : NULL; e; e = e->next)
    if (e->mark == hash && same_keys(e->cells + at, keys, nkeys)) return e;
  return NULL;
}

static struct kept *add(struct memory_room *r, struct memory_table *t, const struct cell *cells, int n, uint64_t hash) {
  if (t->n == t->size && !chain_again(r, t)) return NULL;
  struct kept *entry = neap__memory_keep(r, cells, n, "the groups");
  if (!entry) return NULL;
  struct kept **chain = &t->chains[hash % t->size];
  entry->mark = hash;
  entry->next = *chain;
  *chain = t->entries[t->n++] = entry;
  return entry;
}

struct kept *neap__memory_entry(struct memory_room *r, struct memory_table *t, const struct cell *cells, int n,
                                int nkeys, bool *fresh) {
  const struct cell *keys = cells + n - nkeys;
  struct kept *entry = neap__memory_look(t, keys, nkeys, n - nkeys);
  *fresh = !entry;
  return entry ? entry : add(r, t, cells, n, hash_keys(keys, nkeys));
}

// Chained by its number: nobody looks for it.
bool neap__memory_append(struct memory_room *r, struct memory_table *t, const struct cell *cells, int n) {
  return add(r, t, cells, n, t->n) != NULL;
}

void neap__memory_table_free(struct memory_table *t) {
  for (size_t i = 0; i < t->n; i++) free(t->entries[i]);
  free(t->entries);
  free(t->chains);
  *t = (struct memory_table){0};
}
