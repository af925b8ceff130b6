// postgres_statement.c: prepared statements of a PostgreSQL connection, by text and types of parameters, and how one is sent
// with its values.
#include <stdlib.h>
#include <string.h>

#include "transport/postgres.h"

// ---- The cache ----

static void statement_free(struct postgres_statement *s) {
  PQclear(s->described);
  free(s->declared);
  free(s->decoders);
  free(s->cached.text);
  free(s);
}

void neap__postgres_statement_leave(struct postgres_statement *s) {
  if (--s->users == 0 && !s->cached.listed) statement_free(s);
}

void neap__postgres_statement_drop(struct postgres *c, struct postgres_statement *s) {
  if (!s->cached.listed) return;
  neap__cache_remove(&c->cache, &s->cached);
  if (s->users == 0) statement_free(s);
}

static void evict(struct postgres *c) {
  char text[48];
  struct cached *old = c->cache.oldest;
  while (old && ((struct postgres_statement *)old)->users > 0) old = old->newer;
  if (!old) return;
  snprintf(text, sizeof text, "DEALLOCATE %s", ((struct postgres_statement *)old)->name);
  neap__postgres_statement_drop(c, (struct postgres_statement *)old);
  neap__postgres_post(c, text, false);
}

// The type that parameter i is sent as, 0 = the server decides.
static Oid type_of(const struct sql_statement *from, int i) {
  return from->arrays && from->arrays[i] ? from->arrays[i] : neap__postgres_type(&from->params[i]);
}

// Whether a value may go to parameter i of the statement.
static bool takes(const struct postgres_statement *s, int i, const struct sql_statement *from) {
  const struct cell *cell = &from->params[i];
  Oid type = type_of(from, i);
  if (cell->kind <= CELL_NULL || type == s->declared[i]) return true;
  return s->declared[i] == 0 && s->state == STATEMENT_READY && neap__postgres_fits(cell, PQparamtype(s->described, i));
}

static bool matches(const struct postgres_statement *s, const struct sql_statement *from, uint32_t hash) {
  if (s->cached.hash != hash || s->nparams != from->nparams || !neap__cached_is(&s->cached, from->text, from->n))
    return false;
  for (int i = 0; i < s->nparams; i++)
    if (!takes(s, i, from)) return false;
  return s->state != STATEMENT_FAILED;
}

static struct postgres_statement *statement_new(const struct sql_statement *from, uint32_t hash) {
  struct postgres_statement *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->declared = malloc(((size_t)from->nparams + 1) * sizeof *s->declared);
  if (!neap__cached_init(&s->cached, from->text, from->n, hash) || !s->declared) {
    statement_free(s);
    return NULL;
  }
  s->nparams = from->nparams;
  for (int i = 0; i < s->nparams; i++) s->declared[i] = type_of(from, i);
  return s;
}

struct postgres_statement *neap__postgres_statement(struct postgres *c, const struct sql_statement *from) {
  uint32_t hash = neap__statement_hash(from->text, from->n);
  struct cached *at = neap__cache_first(&c->cache, hash);
  while (at && !matches((struct postgres_statement *)at, from, hash)) at = at->chain;
  struct postgres_statement *s = (struct postgres_statement *)at;
  if (s) {
    neap__cache_use(&c->cache, &s->cached);
  } else {
    if (c->cache.n >= POSTGRES_CACHED) evict(c);
    if (!(s = statement_new(from, hash))) return NULL;
    snprintf(s->name, sizeof s->name, "neap%llu", ++c->last_name);
    neap__cache_add(&c->cache, &s->cached);
  }
  s->users++;
  return s;
}

// ---- Preparing ----

bool neap__postgres_prepare(struct postgres *c, struct postgres_statement *s) {
  if (!neap__postgres_reserve(c, 3)) return false;
  if (!PQsendPrepare(c->pq, s->name, s->cached.text, s->nparams, s->declared)) return false;
  s->users++;  // until it is described
  neap__postgres_expect(c, (struct expected){.kind = EXPECT_PREPARED, .statement = s});
  if (!PQsendDescribePrepared(c->pq, s->name)) return false;
  neap__postgres_expect(c, (struct expected){.kind = EXPECT_DESCRIBED, .statement = s});
  s->state = STATEMENT_ASKED;
  return neap__postgres_sync(c, NULL);
}

bool neap__postgres_described(struct postgres_statement *s, PGresult *r) {
  int n = PQnfields(r);
  s->described = r;
  s->binary = true;
  if (!(s->decoders = malloc((size_t)n + 1))) return false;
  for (int i = 0; i < n; i++) {
    s->decoders[i] = neap__postgres_decoder(PQftype(r, i));
    if (!s->decoders[i]) s->binary = false;
  }
  s->state = STATEMENT_READY;
  return true;
}

// ---- Sending ----

// The values as libpq wants them, in one block: pointers, lengths, formats, then what is made of them.
struct values {
  const char **values;
  int *lengths, *formats;
  char *room;
};

static size_t text_of(const struct cell *cell) {
  return neap__cell_has_text(cell) ? cell->n + 1 : POSTGRES_ROOM;
}

static bool values_new(struct values *v, const struct sql_statement *from) {
  size_t n = (size_t)from->nparams, room = 0;
  for (size_t i = 0; i < n; i++) room += text_of(&from->params[i]);
  char *p = malloc(n * (sizeof *v->values + 2 * sizeof(int)) + room + 1);
  if (!p) return false;
  v->values = (const char **)(void *)p;
  v->lengths = (int *)(void *)(v->values + n);
  v->formats = v->lengths + n;
  v->room = (char *)(v->formats + n);
  return true;
}

// Text that the server reads by the parameter's type ends in NUL.
static bool fill(struct values *v, const struct postgres_statement *s, const struct sql_statement *from) {
  char *room = v->room;
  for (int i = 0; i < from->nparams; i++) {
    const struct cell *cell = &from->params[i];
    bool typed = s->declared[i] != 0 && type_of(from, i) == s->declared[i];
    v->values[i] = neap__postgres_value(cell, typed, room, &v->lengths[i], &v->formats[i]);
    if (v->values[i] && neap__cell_has_text(cell) && v->formats[i] == 0) {
      if (memchr(cell->p, 0, cell->n)) return false;
      if (cell->n) memcpy(room, cell->p, cell->n);
      room[cell->n] = 0;
      v->values[i] = room;
    }
    room += text_of(cell);
  }
  return true;
}

bool neap__postgres_send(struct postgres *c, struct postgres_cursor *cursor, const char *text) {
  const struct postgres_statement *s = cursor->statement;
  struct values v;
  if (!s) return PQsendQueryParams(c->pq, cursor->from.text, 0, NULL, NULL, NULL, NULL, 0);
  if (!values_new(&v, &cursor->from)) {
    neap__error_set(&cursor->error, NEAP_LIMIT, "memory is short");
    return false;
  }
  bool sent = fill(&v, s, &cursor->from);
  if (!sent)
    neap__error_set(&cursor->error, NEAP_USAGE, "a text has a NUL in it, which PostgreSQL does not keep");
  else if (text)
    sent = PQsendQueryParams(c->pq, text, s->nparams, s->declared, v.values, v.lengths, v.formats, 0);
  else
    sent = PQsendQueryPrepared(c->pq, s->name, s->nparams, v.values, v.lengths, v.formats, s->binary);
  free(v.values);
  return sent;
}
