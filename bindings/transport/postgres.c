// postgres.c: the PostgreSQL driver: a FIFO of cursors in pipeline mode, and what is done when answers come. What is sent is
// the concern of postgres_send.c.
#include "transport/postgres.h"

#include <stdlib.h>
#include <string.h>

static const struct neap__error out_of_memory = {.kind = NEAP_LIMIT, .message = "memory is short"};

// ---- What the server owes ----

bool neap__postgres_reserve(struct postgres *c, unsigned n) {
  if (c->nexpected + n <= c->ring_size) return true;
  unsigned size = c->ring_size ? c->ring_size * 2 : 32;
  struct expected *ring = malloc(size * sizeof *ring);
  if (!ring) return false;
  for (unsigned i = 0; c->ring_size > 0 && i < c->nexpected; i++) ring[i] = c->ring[(c->first + i) % c->ring_size];
  free(c->ring);
  c->ring = ring;
  c->ring_size = size;
  c->first = 0;
  return neap__postgres_reserve(c, n);
}

void neap__postgres_expect(struct postgres *c, struct expected x) {
  c->ring[(c->first + c->nexpected++) % c->ring_size] = x;
}

static struct expected *front(struct postgres *c) {
  return c->nexpected ? &c->ring[c->first] : NULL;
}

static void shift(struct postgres *c) {
  c->first = (c->first + 1) % c->ring_size;
  c->nexpected--;
}

// ---- Cursors ----

static void leave_statement(struct postgres_cursor *cursor) {
  if (cursor->statement) neap__postgres_statement_leave(cursor->statement);
  cursor->statement = NULL;
}

static void cursor_free(struct postgres_cursor *cursor) {
  neap__postgres_unqueue(cursor);
  leave_statement(cursor);
  PQclear(cursor->result);
  PQfreemem(cursor->line);
  free(cursor->own);
  neap__buffer_free(&cursor->scratch);
  free(cursor);
}

void neap__postgres_wake(struct postgres_cursor *cursor) {
  if (cursor->op) neap__op_done(cursor->op);
}

void neap__postgres_fail(struct postgres_cursor *cursor, const struct neap__error *e) {
  if (!cursor->failed) cursor->error = *e;
  cursor->failed = true;
}

void neap__postgres_done(struct postgres *c, struct postgres_cursor *cursor) {
  struct neap__error e;
  bool broken = cursor->posted && cursor->failed;
  if (broken) e = cursor->error;
  cursor->state = CURSOR_DONE;
  cursor->head.in_transaction = c->head.in_transaction;
  c->head.broken |= c->reset && !c->head.in_transaction;
  if (cursor->abandoned)
    cursor_free(cursor);
  else
    neap__postgres_wake(cursor);
  if (broken) neap__postgres_lost(c, &e);
}

// ---- Losing the connection ----

// Nobody knows whether what was sent has been done, unless it changes nothing, or a transaction goes down with the connection.
void neap__postgres_lose(struct postgres *c, struct postgres_cursor *cursor, struct neap__error e) {
  bool commit = cursor->from.control && strncmp(cursor->from.text, "COMMIT", 6) == 0;
  bool sent = cursor->state != CURSOR_UNSENT && !(cursor->from.copy == COPY_IN && !cursor->complete);
  neap__postgres_unqueue(cursor);
  cursor->again = false;
  cursor->head.untouched = !sent;
  e.unknown = sent && !cursor->from.harmless && (commit || !c->head.in_transaction);
  if (e.unknown) e.retryable = false;
  neap__postgres_fail(cursor, &e);
  neap__postgres_done(c, cursor);
}

static void give_up(struct postgres *c, struct expected x, const struct neap__error *e) {
  const struct expected *next = front(c);
  bool comes_again = next && next->cursor == x.cursor;
  if (x.kind == EXPECT_DESCRIBED) neap__postgres_statement_leave(x.statement);
  if (x.cursor && !comes_again) neap__postgres_lose(c, x.cursor, *e);
}

void neap__postgres_lost(struct postgres *c, const struct neap__error *e) {
  if (c->state == POSTGRES_LOST) return;
  c->state = POSTGRES_LOST;
  c->fault = *e;
  c->head.broken = true;
  c->dirty = 0;
  c->unflushed = false;
  neap__postgres_connect_end(c);
  neap__postgres_stop_poll(c);
  if (c->tick) uv_prepare_stop(c->tick);
  while (c->nexpected > 0) {
    struct expected x = *front(c);
    shift(c);
    give_up(c, x, e);
  }
  struct postgres_cursor *copy = c->copy;
  c->copy = NULL;
  if (copy) neap__postgres_lose(c, copy, *e);
  while (c->unsent) neap__postgres_lose(c, c->unsent, *e);  // NOLINT: what it frees it has unlinked
  if (c->listener) {
    neap__postgres_fail(c->listener, e);
    neap__postgres_wake(c->listener);
  }
}

void neap__postgres_gone(struct postgres *c) {
  struct neap__error e;
  neap__postgres_fault(c, &e);
  neap__postgres_lost(c, &e);
}

// ---- Answers ----

static bool is_error(ExecStatusType status) {
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR;
}

static void failed_to_prepare(struct postgres *c, struct postgres_statement *s, const PGresult *r) {
  neap__postgres_error(r, &s->error);
  s->state = STATEMENT_FAILED;
  c->head.doomed = c->head.in_transaction;
  neap__postgres_statement_drop(c, s);
}

static void take_description(struct postgres_statement *s, PGresult *r) {
  if (PQresultStatus(r) != PGRES_COMMAND_OK || s->described) {
    PQclear(r);
  } else if (!neap__postgres_described(s, r)) {
    s->error = out_of_memory;
    s->state = STATEMENT_FAILED;
  }
}

static int64_t changed_by(PGresult *r) {
  const char *tag = PQcmdStatus(r);
  bool reads = strncmp(tag, "SELECT", 6) == 0 || strncmp(tag, "FETCH", 5) == 0;
  return reads ? 0 : strtoll(PQcmdTuples(r), NULL, 10);
}

static void drop_statements(struct postgres *c) {
  while (c->cache.oldest) neap__postgres_statement_drop(c, (struct postgres_statement *)c->cache.oldest);
  neap__postgres_forget_fence(c);
}

// What the script has done to the session: statements are forgotten, limits and the like undone.
static void note_command(struct postgres *c, const char *tag) {
  if (strcmp(tag, "DISCARD ALL") == 0 || strcmp(tag, "DEALLOCATE ALL") == 0) drop_statements(c);
  c->reset |= strcmp(tag, "DISCARD ALL") == 0 || strcmp(tag, "RESET") == 0;
}

// A plan that the server has thrown away: prepared and sent once more, unless the failure has cost a transaction.
static bool stale(const struct postgres *c, const struct postgres_cursor *cursor) {
  const char *state = cursor->error.code;
  if (strcmp(state, "26000") != 0 && (strcmp(state, "0A000") != 0 || !strstr(cursor->error.message, "cached plan")))
    return false;
  return cursor->statement && !cursor->repeated && !cursor->given && !c->head.in_transaction;
}

static void take_error(struct postgres *c, struct postgres_cursor *cursor, const PGresult *r) {
  struct neap__error e;
  neap__postgres_error(r, &e);
  neap__postgres_fail(cursor, &e);
  if (c->head.in_transaction) c->head.doomed = true;
  if (cursor->statement && (strcmp(e.code, "26000") == 0 || strstr(e.message, "cached plan")))
    neap__postgres_statement_drop(c, cursor->statement);
  if (stale(c, cursor)) {
    cursor->failed = false;
    cursor->again = cursor->repeated = true;
  }
}

// What is sent behind it in its group is not done if it fails.
static void take_fence(struct postgres *c, struct expected x, const PGresult *r) {
  struct neap__error e;
  if (!is_error(PQresultStatus(r))) return;
  neap__postgres_error(r, &e);
  if (strcmp(e.code, "22012") != 0) neap__postgres_forget_fence(c);  // perhaps it could not even be prepared
  if (c->head.in_transaction) c->head.doomed = true;
  if (!x.cursor || x.cursor->abandoned) return;
  if (strcmp(e.code, "26000") == 0 && !x.cursor->asked_again && !c->head.in_transaction && !x.cursor->from.copy) {
    x.cursor->asked_again =
        true;  // the server has forgotten it; what is behind it comes back undone, and is sent again
    return;
  }
  if (strcmp(e.code, "22012") == 0) {
    neap__fence_lost(x.fence, &e);
    e.store = "postgres";
  }
  neap__postgres_fail(x.cursor, &e);
}

static void take_answer(struct postgres *c, struct postgres_cursor *cursor, PGresult *r) {
  switch (PQresultStatus(r)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
      if (cursor->from.rows) note_command(c, PQcmdStatus(r));
      if (PQresultStatus(r) != PGRES_SINGLE_TUPLE) cursor->head.changed += changed_by(r);
      if (cursor->head.ncells < 0 && PQnfields(r) > 0) cursor->head.ncells = PQnfields(r);
      PQclear(cursor->result);
      cursor->result = r;
      cursor->row = 0;
      return;
    case PGRES_PIPELINE_ABORTED: cursor->again = !cursor->failed; break;
    case PGRES_EMPTY_QUERY:
      neap__error_set(&cursor->error, NEAP_USAGE, "the SQL text is empty");
      cursor->failed = true;
      break;
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH: {
      struct neap__error e;
      neap__error_set(&e, NEAP_UNSUPPORTED, "store:sql sends no COPY; store:copy_in and store:copy_out do");
      e.store = "postgres";
      neap__postgres_fail(cursor, &e);
      neap__postgres_lost(c, &e);
      break;
    }
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_PIPELINE_SYNC: take_error(c, cursor, r); break;
  }
  PQclear(r);
}

// Its answer has ended, and its sync too if it has one.
static void settle(struct postgres *c, struct postgres_cursor *cursor) {
  if (!cursor->again || cursor->abandoned) {
    neap__postgres_done(c, cursor);
    return;
  }
  cursor->again = cursor->begun = false;
  cursor->alone = true;
  if (cursor->statement && !cursor->statement->cached.listed) leave_statement(cursor);
  neap__postgres_queue(c, cursor);
}

void neap__postgres_note_transaction(struct postgres *c) {
  switch (PQtransactionStatus(c->pq)) {
    case PQTRANS_IDLE: c->head.in_transaction = c->head.doomed = false; break;
    case PQTRANS_INTRANS:
      c->head.in_transaction = true;
      c->head.doomed = false;
      break;
    case PQTRANS_INERROR: c->head.in_transaction = c->head.doomed = true; break;
    case PQTRANS_ACTIVE:
    case PQTRANS_UNKNOWN: break;  // more is under way; its sync will tell
  }
}

// The end of an answer.
static void ended(struct postgres *c, struct expected x) {
  shift(c);
  switch (x.kind) {
    case EXPECT_DESCRIBED: neap__postgres_statement_leave(x.statement); return;
    case EXPECT_ANSWER:
      if (x.cursor->alone)
        x.cursor->state = CURSOR_ANSWERED;
      else
        settle(c, x.cursor);
      return;
    case EXPECT_SYNC:
      neap__postgres_note_transaction(c);
      if (x.cursor) settle(c, x.cursor);
      neap__postgres_send_all(c);
      return;
    case EXPECT_FENCE:
    case EXPECT_PREPARED: return;
  }
}

// Takes one result, or with NULL the end of the results of what is in front.
static void take(struct postgres *c, PGresult *r) {
  struct expected x = *front(c);
  ExecStatusType status = PQresultStatus(r);
  bool bad = PQstatus(c->pq) == CONNECTION_BAD;
  if (!r) {
    if (x.kind == EXPECT_SYNC || bad)
      neap__postgres_gone(c);
    else
      ended(c, x);
    return;
  }
  if (status == PGRES_PIPELINE_SYNC) {
    PQclear(r);
    if (x.kind == EXPECT_SYNC)
      ended(c, x);
    else
      neap__postgres_gone(c);
    return;
  }
  if (bad && !PQresultErrorField(r, PG_DIAG_SQLSTATE)) {
    PQclear(r);
    neap__postgres_gone(c);
    return;
  }
  switch (x.kind) {
    case EXPECT_PREPARED:
      if (is_error(status)) failed_to_prepare(c, x.statement, r);
      PQclear(r);
      break;
    case EXPECT_DESCRIBED: take_description(x.statement, r); break;
    case EXPECT_FENCE:
      take_fence(c, x, r);
      PQclear(r);
      break;
    case EXPECT_ANSWER: take_answer(c, x.cursor, r); break;
    case EXPECT_SYNC:  // what is checked at the end of a statement's transaction fails there
      if (x.cursor && is_error(status)) take_error(c, x.cursor, r);
      PQclear(r);
      break;
  }
  if (bad) neap__postgres_gone(c);
}

// A cursor whose rows wait until they are asked for.
static struct postgres_cursor *reading(struct postgres *c) {
  struct expected *x = front(c);
  if (!x || x->kind != EXPECT_ANSWER || !x->cursor->rows || x->cursor->abandoned) return NULL;
  if (!x->cursor->begun) {
    x->cursor->begun = true;
    PQsetSingleRowMode(c->pq);
  }
  return x->cursor;
}

// ---- Notifications ----

static void hear(struct postgres *c) {
  if (!c->listener || c->heard) return;
  c->heard = PQnotifies(c->pq);
  if (c->heard) neap__postgres_wake(c->listener);
}

static enum rows_state give_heard(struct postgres *c, struct cell *cells) {
  if (!c->heard) c->heard = PQnotifies(c->pq);
  if (!c->heard) return ROWS_WAIT;
  PQfreemem(c->given);
  const PGnotify *n = c->given = c->heard;
  c->heard = NULL;
  cells[0] = (struct cell){.p = n->relname, .n = (uint32_t)strlen(n->relname), .kind = CELL_TEXT};
  cells[1] = (struct cell){.p = n->extra, .n = (uint32_t)strlen(n->extra), .kind = CELL_TEXT};
  cells[2] = (struct cell){.i = n->be_pid, .kind = CELL_INTEGER};
  return ROWS_ROW;
}

static void stop_listening(struct postgres *c) {
  PQfreemem(c->heard);
  PQfreemem(c->given);
  c->heard = c->given = NULL;
  c->listener = NULL;
}

// ---- What the socket says ----

void neap__postgres_pump(struct postgres *c) {
  if (c->state == POSTGRES_READY) neap__postgres_send_all(c);
  while (c->state == POSTGRES_READY && c->nexpected > 0) {
    struct postgres_cursor *cursor = reading(c);
    if (PQisBusy(c->pq)) break;
    if (cursor) {
      neap__postgres_wake(cursor);
      break;
    }
    take(c, PQgetResult(c->pq));
  }
  neap__postgres_copy_pump(c);
  if (c->nexpected == 0 && !c->copy) neap__postgres_cancel_over(c);
  if (c->state != POSTGRES_READY) return;
  hear(c);
  neap__postgres_watch(c);
}

static void watch(struct postgres *c, int events) {
  if (events == c->watched) return;
  if (events)
    uv_poll_start(c->poll, events, c->poll->poll_cb);
  else
    uv_poll_stop(c->poll);
  c->watched = events;
}

bool neap__postgres_paused(struct postgres *c) {
  const struct expected *x = front(c);
  if (c->copy) return c->copy->here && !c->copy->abandoned;
  return x && x->kind == EXPECT_ANSWER && x->cursor->begun && !x->cursor->abandoned && !c->unflushed &&
         !PQisBusy(c->pq);
}

void neap__postgres_ready(struct postgres *c, int events) {
  c->heard_at = uv_now(neap__loop(c->head.host));
  c->warned = false;
  if (events & UV_WRITABLE) neap__postgres_flush(c);
  if (c->state != POSTGRES_READY) return;
  if (neap__postgres_paused(c)) {
    watch(c, 0);  // until they have been taken
    return;
  }
  bool here = PQconsumeInput(c->pq);
  neap__postgres_pump(c);  // what came before the end still counts
  if (!here && c->state == POSTGRES_READY) neap__postgres_gone(c);
}

void neap__postgres_watch(struct postgres *c) {
  watch(c, UV_READABLE | (c->unflushed ? UV_WRITABLE : 0));
  if (c->nexpected > 0 || c->unsent || c->listener || c->copy)
    uv_ref((uv_handle_t *)c->poll);
  else
    uv_unref((uv_handle_t *)c->poll);
}

// ---- The driver ----

static struct postgres_cursor *cursor_new(struct postgres *c, const struct sql_statement *s) {
  struct postgres_cursor *cursor = calloc(1, sizeof *cursor);
  if (!cursor) return NULL;
  cursor->head.connection = &c->head;
  cursor->head.ncells = -1;
  cursor->from = *s;
  cursor->alone = !s->shared;
  cursor->rows = s->rows && !s->paged;
  neap__buffer_plain(&cursor->scratch);
  return cursor;
}

// Whether the server is still there: what is sent to one that is not has a fate that nobody knows.
static void look(struct postgres *c) {
  if (c->state == POSTGRES_READY && c->nexpected == 0) neap__postgres_ready(c, UV_READABLE);
}

static struct sql_cursor *postgres_start(struct sql_connection *connection, const struct sql_statement *s,
                                         struct neap__op *op, struct neap__error *e) {
  struct postgres *c = (struct postgres *)connection;
  struct postgres_cursor *cursor = cursor_new(c, s);
  if (!cursor) {
    *e = out_of_memory;
    return NULL;
  }
  if (!s->harmless) look(c);
  if (s->listens) c->listener = cursor;
  neap__postgres_submit(c, cursor);
  cursor->op = op;  // NOLINT: only what is abandoned has been freed
  if (op) op->done = cursor->state == CURSOR_DONE;
  return &cursor->head;
}

void neap__postgres_post(struct postgres *c, const char *text, bool must) {
  const struct sql_statement s = {.text = text, .n = strlen(text), .control = true, .harmless = true};
  struct postgres_cursor *cursor = cursor_new(c, &s);
  char *copy = cursor ? malloc(s.n + 1) : NULL;
  if (!copy) {
    free(cursor);
    if (must) neap__postgres_lost(c, &out_of_memory);
    return;
  }
  cursor->from.text = cursor->own = memcpy(copy, text, s.n + 1);
  cursor->abandoned = true;
  cursor->posted = must;
  neap__postgres_submit(c, cursor);
}

static enum rows_state read_row(struct postgres_cursor *cursor, struct cell *cells, struct neap__error *e) {
  cursor->scratch.n = 0;
  cursor->given = true;
  if (neap__postgres_row(cursor, cells, e) != 0) return ROWS_FAILED;
  cursor->row++;
  cursor->fetched++;
  return ROWS_ROW;
}

// The SQL cursor of one that has been finished. It went away by itself if its transaction did.
static void close_portal(struct postgres *c, const struct postgres_cursor *cursor) {
  char text[32];
  if (!cursor->portal || !c->head.in_transaction || c->head.doomed || c->state != POSTGRES_READY) return;
  snprintf(text, sizeof text, "CLOSE neap%u", cursor->portal);
  neap__postgres_post(c, text, false);
}

enum rows_state neap__postgres_wait(struct postgres *c, struct postgres_cursor *cursor) {
  if (cursor->op) cursor->op->done = false;
  if (c->state == POSTGRES_READY) neap__postgres_watch(c);
  return ROWS_WAIT;
}

static enum rows_state postgres_next(struct sql_cursor *head, struct cell *cells, struct neap__error *e) {
  struct postgres_cursor *cursor = (struct postgres_cursor *)head;
  struct postgres *c = (struct postgres *)head->connection;
  if (cursor->from.copy) return neap__postgres_copy_next(c, cursor, cells, e);
  for (;;) {
    bool asked = !cells && !cursor->told;  // only for the columns
    if (asked && cursor->head.ncells > 0 && !cursor->failed) {
      cursor->told = true;
      return ROWS_ROW;
    }
    bool rest = cursor->result && cursor->row < PQntuples(cursor->result);
    if (rest && (cursor->rows || cursor->state == CURSOR_DONE) && !(cursor->failed && !cursor->rows))
      return read_row(cursor, cells, e);
    if (cursor->state == CURSOR_DONE && !cursor->failed && cells && cursor->from.listens)
      return give_heard(c, cells) == ROWS_ROW ? ROWS_ROW : neap__postgres_wait(c, cursor);
    if (cursor->state == CURSOR_DONE && !cursor->failed && cells && cursor->fetched == POSTGRES_PORTION &&
        cursor->from.paged) {
      neap__postgres_transmit(c, cursor);
      continue;
    }
    if (cursor->state == CURSOR_DONE) {
      if (cursor->failed) *e = cursor->error;
      if (cursor->head.ncells < 0) cursor->head.ncells = 0;
      cursor->told = true;
      return cursor->failed ? ROWS_FAILED : asked ? ROWS_ROW : ROWS_END;
    }
    if (c->state != POSTGRES_READY || reading(c) != cursor || PQisBusy(c->pq)) return neap__postgres_wait(c, cursor);
    take(c, PQgetResult(c->pq));
    if (c->state == POSTGRES_READY && reading(c) != cursor) neap__postgres_pump(c);
  }
}

// It goes before its fences have answered.
static void forget(struct postgres *c, const struct postgres_cursor *cursor) {
  for (unsigned i = 0; i < c->nexpected; i++) {
    struct expected *x = &c->ring[(c->first + i) % c->ring_size];
    if (x->cursor == cursor) x->cursor = NULL;
  }
}

// On a shared connection its answer is dropped when it comes. On one that is leased the query is ended first.
static void postgres_finish(struct sql_cursor *head) {
  struct postgres_cursor *cursor = (struct postgres_cursor *)head;
  struct postgres *c = (struct postgres *)head->connection;
  cursor->op = NULL;
  close_portal(c, cursor);
  if (c->listener == cursor) {
    stop_listening(c);
    neap__postgres_post(c, "UNLISTEN *", true);
  }
  if (cursor->state == CURSOR_DONE || cursor->state == CURSOR_UNSENT) {
    if (cursor->asked) forget(c, cursor);
    cursor_free(cursor);
    return;
  }
  if (neap__postgres_copy_finish(c, cursor)) return;
  bool runs = cursor->state == CURSOR_SENT && !cursor->from.shared;
  cursor->abandoned = true;
  neap__postgres_pump(c);
  for (unsigned i = 0; runs && i < c->nexpected; i++)
    if (c->ring[(c->first + i) % c->ring_size].cursor == cursor) {
      neap__postgres_cancel(c);
      return;
    }
}

static void postgres_post(struct sql_connection *connection, const char *text) {
  neap__postgres_post((struct postgres *)connection, text, true);
}

static void postgres_rollback(struct sql_connection *connection) {
  postgres_post(connection, "ROLLBACK");
  connection->in_transaction = connection->doomed = false;
}

static const char *postgres_column_name(struct sql_cursor *head, int i) {
  const struct postgres_statement *s = ((struct postgres_cursor *)head)->statement;
  return s && s->described ? PQfname(s->described, i) : NULL;
}

// ---- Opening and closing ----

static void postgres_close(struct sql_connection *connection) {
  struct postgres *c = (struct postgres *)connection;
  struct neap__error e;
  neap__error_set(&e, NEAP_CONNECTION, "the store was closed");
  neap__postgres_cancel_forget(c);
  stop_listening(c);
  neap__postgres_lost(c, &e);
  drop_statements(c);
  if (c->tick) {
    c->tick->data = NULL;
    neap__handle_free(c->tick);
  }
  neap__postgres_stop_timers(c);
  PQfinish(c->pq);
  free(c->ring);
  free(c->url);
  free(c);
}

static struct sql_connection *postgres_open(neap *host, const struct sql_address *address, bool reader,
                                            struct neap__error *e) {
  (void)reader;
  if (neap__libpq_load(e) != 0) return NULL;
  struct postgres *c = calloc(1, sizeof *c);
  neap__error_set(e, NEAP_LIMIT, "memory is short");
  if (!c) return NULL;
  c->head.transport = &neap__postgres;
  c->head.host = host;
  c->connect_timeout = address->timeout;
  c->url = strdup(address->path);
  c->tick = calloc(1, sizeof *c->tick);
  if (c->tick) uv_prepare_init(neap__loop(host), c->tick);
  if (c->tick) c->tick->data = c;
  if (c->url && c->tick && neap__postgres_connect(c)) return &c->head;
  if (c->fault.message[0]) *e = c->fault;
  postgres_close(&c->head);
  return NULL;
}

const struct sql_transport neap__postgres = {
    .name = "postgres",
    .open = postgres_open,
    .close = postgres_close,
    .start = postgres_start,
    .next = postgres_next,
    .finish = postgres_finish,
    .rollback = postgres_rollback,
    .put = neap__postgres_put,
    .post = postgres_post,
    .rest = neap__postgres_rest,
    .column_name = postgres_column_name,
};
