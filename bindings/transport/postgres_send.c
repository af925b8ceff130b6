// postgres_send.c: what is sent to PostgreSQL and when: cursors wait until their statements are prepared, and go in groups that a
// sync ends: what finds the connection idle goes at once, reads that share it sixteen by sixteen or by the turn of the loop,
// everything else alone.
#include <stdlib.h>
#include <string.h>

#include "transport/postgres.h"

static const struct neap__error out_of_memory = {.kind = NEAP_LIMIT, .message = "memory is short"};

// ---- Those that wait ----

void neap__postgres_unqueue(struct postgres_cursor *cursor) {
  if (!cursor->prev) return;
  *cursor->prev = cursor->next;
  if (cursor->next) cursor->next->prev = cursor->prev;
  cursor->prev = NULL;
}

void neap__postgres_queue(struct postgres *c, struct postgres_cursor *cursor) {
  struct postgres_cursor **link = &c->unsent;
  while (*link) link = &(*link)->next;
  cursor->state = CURSOR_UNSENT;
  cursor->next = NULL;
  cursor->prev = link;
  *link = cursor;
}

// ---- Groups ----

static void on_tick(uv_prepare_t *tick);

static void start_tick(struct postgres *c) {
  uv_prepare_start(c->tick, on_tick);
}

void neap__postgres_flush(struct postgres *c) {
  int status = PQflush(c->pq);
  c->unflushed = status > 0;
  if (status < 0) neap__postgres_gone(c);
}

static void on_tick(uv_prepare_t *tick) {
  struct postgres *c = tick->data;
  uv_prepare_stop(tick);
  if (!c || c->state != POSTGRES_READY) return;
  if (c->dirty && !neap__postgres_sync(c, NULL)) return;
  neap__postgres_flush(c);
  if (c->state == POSTGRES_READY) neap__postgres_watch(c);
}

bool neap__postgres_sync(struct postgres *c, struct postgres_cursor *cursor) {
  c->dirty = 0;
  if (!neap__postgres_reserve(c, 1) || !PQpipelineSync(c->pq)) {
    neap__postgres_gone(c);
    return false;
  }
  neap__postgres_expect(c, (struct expected){.kind = EXPECT_SYNC, .cursor = cursor});
  start_tick(c);
  return true;
}

static void refuse(struct postgres *c, struct postgres_cursor *cursor, const struct neap__error *e) {
  neap__postgres_fail(cursor, e);
  neap__postgres_unqueue(cursor);
  neap__postgres_done(c, cursor);
}

static bool send_fetch(struct postgres *c, struct postgres_cursor *cursor) {
  char text[64];
  snprintf(text, sizeof text, "FETCH %d FROM neap%u", POSTGRES_PORTION, cursor->portal);
  cursor->fetched = 0;
  return PQsendQueryParams(c->pq, text, 0, NULL, NULL, NULL, NULL, cursor->statement && cursor->statement->binary);
}

// Declares an SQL cursor, and fetches the first portion.
static bool send_declare(struct postgres *c, struct postgres_cursor *cursor) {
  char *text = malloc(cursor->from.n + 64);
  if (!text) return false;
  cursor->portal = ++c->last_portal;
  int n = snprintf(text, 64, "DECLARE neap%u NO SCROLL CURSOR FOR ", cursor->portal);
  memcpy(text + n, cursor->from.text, cursor->from.n);
  text[(size_t)n + cursor->from.n] = 0;
  bool sent = neap__postgres_send(c, cursor, text);
  free(text);
  if (!sent) return false;
  neap__postgres_expect(c, (struct expected){.kind = EXPECT_ANSWER, .cursor = cursor});
  return send_fetch(c, cursor);
}

static bool send_texts(struct postgres *c, struct postgres_cursor *cursor) {
  if (!cursor->from.paged) return neap__postgres_send(c, cursor, NULL);
  return cursor->portal ? send_fetch(c, cursor) : send_declare(c, cursor);
}

void neap__postgres_forget_fence(struct postgres *c) {
  free(c->fence);
  c->fence = NULL;
}

// In the group of what it is first asked for: no answer has to be waited for.
static bool prepare_fence(struct postgres *c, struct postgres_cursor *cursor, const struct fence *f) {
  if (c->fence && strcmp(c->fence, f->text) == 0) return true;
  neap__postgres_forget_fence(c);
  snprintf(c->fence_name, sizeof c->fence_name, "neap%llu", ++c->last_name);
  if (!(c->fence = strdup(f->text)) || !PQsendPrepare(c->pq, c->fence_name, f->text, 2, NULL)) return false;
  neap__postgres_expect(c, (struct expected){.kind = EXPECT_FENCE, .cursor = cursor, .fence = f});
  return true;
}

static bool ask_only_reads(struct postgres *c, struct postgres_cursor *cursor) {
  static const char text[] = "SELECT set_config('transaction_read_only', 'on', true)";
  if (!neap__postgres_reserve(c, 4) || !PQsendQueryParams(c->pq, text, 0, NULL, NULL, NULL, NULL, 0)) return false;
  neap__postgres_expect(c, (struct expected){.kind = EXPECT_FENCE, .cursor = cursor});
  return true;
}

bool neap__postgres_ask_fences(struct postgres *c, struct postgres_cursor *cursor) {
  cursor->asked |= cursor->from.only_reads || cursor->from.fence;
  if (cursor->from.only_reads && !cursor->from.listens && !ask_only_reads(c, cursor)) return false;
  for (const struct fence *f = cursor->from.fence; f; f = neap__fence_at(f->outer, cursor->from.place)) {
    char token[24];
    const char *const values[] = {f->name, token};
    snprintf(token, sizeof token, "%lld", (long long)f->token);
    if (!neap__postgres_reserve(c, 5) || !prepare_fence(c, cursor, f)) return false;
    if (!PQsendQueryPrepared(c->pq, c->fence_name, 2, values, NULL, NULL, 0)) return false;
    neap__postgres_expect(c, (struct expected){.kind = EXPECT_FENCE, .cursor = cursor, .fence = f});
  }
  return true;
}

#define GROUP 16  // reads behind one sync

// What is alone begins and ends a group of its own.
void neap__postgres_transmit(struct postgres *c, struct postgres_cursor *cursor) {
  bool idle = c->nexpected == 0;
  if (cursor->alone && c->dirty && !neap__postgres_sync(c, NULL)) return;
  if (!neap__postgres_ask_fences(c, cursor) || !neap__postgres_reserve(c, 3) || !send_texts(c, cursor)) {
    if (PQstatus(c->pq) == CONNECTION_BAD) {
      neap__postgres_gone(c);
      return;
    }
    if (cursor->asked) c->dirty++, start_tick(c);  // its fences have been, and their answers wait for a sync
    refuse(c, cursor, *cursor->error.message ? &cursor->error : &out_of_memory);
    return;
  }
  neap__postgres_unqueue(cursor);
  cursor->state = CURSOR_SENT;
  neap__postgres_expect(c, (struct expected){.kind = EXPECT_ANSWER, .cursor = cursor});
  neap__postgres_await_answer(c, idle);
  c->dirty++;
  start_tick(c);
  bool now = idle || c->dirty == GROUP;  // the server begins while scripts go on
  if ((cursor->alone || now) && neap__postgres_sync(c, cursor->alone ? cursor : NULL) && now) neap__postgres_flush(c);
}

// Sends the cursor, or what has to be answered first: its statement is prepared.
static void try_send(struct postgres *c, struct postgres_cursor *cursor) {
  struct postgres_statement *s = cursor->statement;
  if (cursor->from.copy) {
    neap__postgres_copy_start(c, cursor);
  } else if (!s && !cursor->from.control && !(s = cursor->statement = neap__postgres_statement(c, &cursor->from))) {
    refuse(c, cursor, &out_of_memory);
  } else if (!s) {
    neap__postgres_transmit(c, cursor);
  } else {
    switch (s->state) {
      case STATEMENT_NEW:
        if (c->dirty && !neap__postgres_sync(c, NULL)) return;
        if (!neap__postgres_prepare(c, s)) neap__postgres_gone(c);
        return;
      case STATEMENT_ASKED: return;
      case STATEMENT_FAILED: refuse(c, cursor, &s->error); return;
      case STATEMENT_READY:
        if (cursor->from.kinds) cursor->head.ncells = PQnfields(s->described);  // else its table may have changed
        neap__postgres_transmit(c, cursor);
        return;
    }
  }
}

static bool takes(const struct postgres *c) {
  return c->state == POSTGRES_READY && !c->cancel && !c->copy;
}

void neap__postgres_send_all(struct postgres *c) {
  for (struct postgres_cursor *cursor = c->unsent, *next; cursor && takes(c); cursor = next) {
    next = cursor->next;
    try_send(c, cursor);
  }
}

// ---- New ones ----

void neap__postgres_submit(struct postgres *c, struct postgres_cursor *cursor) {
  neap__postgres_queue(c, cursor);
  if (c->state == POSTGRES_LOST)
    neap__postgres_lose(c, cursor, c->fault);
  else if (takes(c))
    try_send(c, cursor);
  if (c->state == POSTGRES_READY) neap__postgres_watch(c);
}
