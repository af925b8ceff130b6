// postgres_copy.c: COPY, which libpq does outside of pipeline mode alone: it begins when nothing else is under way on the
// connection, and until it has ended nothing is sent there.
#include <stdlib.h>

#include "transport/postgres.h"

#define FLUSHED_AT (1 << 16)  // bytes given to libpq, after which it is looked whether the socket takes them

// Nobody wants what comes, or takes what is asked for.
static bool unwanted(const struct postgres_cursor *cursor) {
  return cursor->abandoned || cursor->failed;
}

// Its fences are asked before it, in the transaction that it is in.
static bool ask(struct postgres *c, struct postgres_cursor *cursor) {
  return neap__postgres_ask_fences(c, cursor) && neap__postgres_sync(c, NULL);
}

void neap__postgres_copy_start(struct postgres *c, struct postgres_cursor *cursor) {
  if ((cursor->from.fence || cursor->from.only_reads) && !cursor->asked && !ask(c, cursor)) {
    neap__postgres_gone(c);
    return;
  }
  if (c->nexpected > 0) return;
  if (cursor->failed) {
    neap__postgres_unqueue(cursor);
    neap__postgres_done(c, cursor);
    return;
  }
  if (!PQexitPipelineMode(c->pq) || !PQsendQueryParams(c->pq, cursor->from.text, 0, NULL, NULL, NULL, NULL, 0)) {
    neap__postgres_gone(c);
    return;
  }
  neap__postgres_unqueue(cursor);
  cursor->state = CURSOR_SENT;
  c->copy = cursor;
  neap__postgres_flush(c);
}

static void ended(struct postgres *c, struct postgres_cursor *cursor) {
  if (PQstatus(c->pq) == CONNECTION_BAD || !PQenterPipelineMode(c->pq)) {
    neap__postgres_gone(c);
    return;
  }
  c->copy = NULL;
  neap__postgres_note_transaction(c);
  neap__postgres_done(c, cursor);
  neap__postgres_send_all(c);
}

// The statement does something else than it was sent for.
static void other(struct postgres_cursor *cursor) {
  struct neap__error e;
  neap__error_set(&e, NEAP_USAGE, "the statement is no COPY %s",
                  cursor->from.copy == COPY_IN ? "FROM STDIN" : "TO STDOUT");
  e.store = "postgres";
  neap__postgres_fail(cursor, &e);
}

static void begun(struct postgres_cursor *cursor, enum copy_direction copying, int ncells) {
  cursor->copying = copying;
  cursor->head.ncells = ncells;
  if (cursor->from.copy != copying) other(cursor);
}

static void take(struct postgres_cursor *cursor, PGresult *r) {
  struct neap__error e;
  switch (PQresultStatus(r)) {
    case PGRES_COPY_OUT: begun(cursor, COPY_OUT, 1); break;
    case PGRES_COPY_IN: begun(cursor, COPY_IN, 0); break;
    case PGRES_COMMAND_OK: cursor->head.changed = strtoll(PQcmdTuples(r), NULL, 10); break;
    case PGRES_EMPTY_QUERY:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_COPY_BOTH: other(cursor); break;
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
      neap__postgres_error(r, &e);
      neap__postgres_fail(cursor, &e);
      break;
  }
  PQclear(r);
}

// False: what comes next is not here yet.
static bool drop_row(struct postgres *c, struct postgres_cursor *cursor) {
  char *row = NULL;
  int n = PQgetCopyData(c->pq, &row, 1);
  PQfreemem(row);
  if (n < 0) cursor->copying = COPY_NONE;
  return n != 0;
}

static void refuse_data(struct postgres *c, struct postgres_cursor *cursor) {
  cursor->copying = COPY_NONE;
  PQputCopyEnd(c->pq, "its source was given up");
  neap__postgres_flush(c);
}

// False: the rest has to be waited for.
static bool go_on(struct postgres *c, struct postgres_cursor *cursor) {
  switch (cursor->copying) {
    case COPY_OUT:
      if (unwanted(cursor)) return drop_row(c, cursor);
      cursor->here = true;
      neap__postgres_wake(cursor);
      return false;
    case COPY_IN:
      if (unwanted(cursor)) {
        refuse_data(c, cursor);
        return true;
      }
      if (!c->unflushed) neap__postgres_wake(cursor);
      return false;
    case COPY_NONE: break;
  }
  if (PQisBusy(c->pq)) return false;
  PGresult *r = PQgetResult(c->pq);
  if (r && PQstatus(c->pq) == CONNECTION_BAD && !PQresultErrorField(r, PG_DIAG_SQLSTATE)) {
    PQclear(r);
    neap__postgres_gone(c);
  } else if (r) {
    take(cursor, r);
  } else {
    ended(c, cursor);
  }
  return true;
}

void neap__postgres_copy_pump(struct postgres *c) {
  while (c->state == POSTGRES_READY && c->copy && go_on(c, c->copy)) continue;
}

static enum rows_state give_row(struct postgres *c, struct postgres_cursor *cursor, struct cell *cells) {
  PQfreemem(cursor->line);
  cursor->line = NULL;
  int n = PQgetCopyData(c->pq, &cursor->line, 1);
  if (n > 0) {
    cells[0] = (struct cell){.p = cursor->line, .n = (uint32_t)n, .kind = CELL_TEXT};
    return ROWS_ROW;
  }
  cursor->here = false;
  if (n < 0) cursor->copying = COPY_NONE;
  return n < 0 ? ROWS_END : ROWS_WAIT;
}

enum rows_state neap__postgres_copy_next(struct postgres *c, struct postgres_cursor *cursor, struct cell *cells,
                                         struct neap__error *e) {
  while (cursor->state != CURSOR_DONE && c->state == POSTGRES_READY) {
    bool wanted = cursor->copying != COPY_NONE && !unwanted(cursor);
    if (wanted && !cells) return ROWS_ROW;
    if (wanted && cursor->copying == COPY_IN) return c->unflushed ? neap__postgres_wait(c, cursor) : ROWS_ROW;
    enum rows_state state = wanted ? give_row(c, cursor, cells) : ROWS_WAIT;
    if (state == ROWS_ROW) return state;
    if (state == ROWS_WAIT) return neap__postgres_wait(c, cursor);
    neap__postgres_copy_pump(c);
  }
  if (cursor->state != CURSOR_DONE) return neap__postgres_wait(c, cursor);
  if (cursor->failed) *e = cursor->error;
  if (cursor->head.ncells < 0) cursor->head.ncells = 0;
  return cursor->failed ? ROWS_FAILED : ROWS_END;
}

void neap__postgres_put(struct sql_cursor *head, const char *p, size_t n) {
  struct postgres_cursor *cursor = (struct postgres_cursor *)head;
  struct postgres *c = (struct postgres *)head->connection;
  if (cursor->copying != COPY_IN) return;
  if (!p) {
    cursor->copying = COPY_NONE;
    cursor->complete = true;
  }
  if ((p ? PQputCopyData(c->pq, p, (int)n) : PQputCopyEnd(c->pq, NULL)) != 1) {
    neap__postgres_gone(c);
    return;
  }
  cursor->unflushed += n;
  if (p && cursor->unflushed < FLUSHED_AT) return;
  cursor->unflushed = 0;
  neap__postgres_flush(c);
  if (c->state == POSTGRES_READY) neap__postgres_watch(c);
}

bool neap__postgres_copy_finish(struct postgres *c, struct postgres_cursor *cursor) {
  if (c->copy != cursor) return false;
  bool runs = cursor->copying != COPY_IN && !cursor->failed;
  cursor->abandoned = true;
  if (runs) neap__postgres_cancel(c);
  neap__postgres_pump(c);
  return true;
}
