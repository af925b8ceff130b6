// sql_run.c: what is sent over a connection: a run gets one (sql_lease.c, sql_pool.c say which), starts its statements, gives
// their rows, and lets it go. Inside a transaction it has that one's, at its innermost level.
#include <string.h>

#include "store/sql_store.h"

#define RUN_TYPE "neap.sql.run"

// ---- Lists of runs ----

static void unlink_run(struct sql_run *run) {
  if (!run->prev) return;
  *run->prev = run->next;
  if (run->next) run->next->prev = run->prev;
  run->prev = NULL;
}

// At the end: who came first looks first.
static void link_run(struct sql_run **list, struct sql_run *run) {
  unlink_run(run);
  while (*list) list = &(*list)->next;
  run->next = NULL;
  run->prev = list;
  *list = run;
}

void neap__sql_run_wake(struct sql_run *run) {
  unlink_run(run);
  neap__op_done(&run->rows.op);
}

void neap__sql_wake(struct sql_store *store) {
  struct sql_run *run = store->waiting, *next;
  for (; run; run = next) {
    next = run->next;
    neap__sql_run_wake(run);
  }
}

// ---- Connections ----

enum rows_state neap__sql_run_wait(struct sql_run *run) {
  run->rows.op.done = false;
  link_run(&run->store->waiting, run);
  return ROWS_WAIT;
}

void neap__sql_run_stop(struct sql_run *run, const char *why) {
  if (run->transaction && run->transaction->copying == run) run->transaction->copying = NULL;
  if (!run->cursor) return;
  run->cursor->connection->transport->finish(run->cursor);
  run->cursor = NULL;
  run->failed = true;
  neap__error_set(&run->rows.error, NEAP_USAGE, "%s", why);
}

// Nothing else can be done on the connection until a COPY has ended; what is rolled back takes it along.
static bool waits_for_copy(struct sql_run *run) {
  struct sql_transaction *tx = run->transaction;
  if (tx->copying && run->lenient) neap__sql_run_stop(tx->copying, "it was rolled back");
  if (!tx->copying) return false;
  neap__error_set(&run->rows.error, NEAP_USAGE,
                  "a COPY has the connection of the transaction; end it first, or use the store outside of it");
  return true;
}

static enum rows_state lease_in_transaction(struct sql_run *run) {
  struct sql_transaction *tx = run->transaction;
  if (!tx->store) {
    neap__error_set(&run->rows.error, NEAP_USAGE, "the transaction has ended");
    return ROWS_FAILED;
  }
  if ((tx->lost || tx->connection->doomed || tx->connection->broken) && !run->lenient) {
    neap__error_set(
        &run->rows.error, NEAP_SERVER,
        "the transaction was undone when a statement in it failed; nothing more can be done in it: run it again");
    return ROWS_FAILED;
  }
  if (tx->level != run->level) return neap__sql_run_wait(run);
  if (waits_for_copy(run)) return ROWS_FAILED;
  if (run->statement.copy) tx->copying = run;
  if (run->opens) tx->level = run->level + 1;  // at once: what is sent behind a savepoint runs inside it
  run->connection = tx->connection;
  return ROWS_ROW;
}

// A savepoint that was not made leaves its place to others.
static void settle_savepoint(struct sql_run *run) {
  struct sql_transaction *tx = run->transaction;
  if (!tx || !run->opens || !run->connection || (run->ended && !run->failed)) return;
  run->opens = false;
  if (tx->store && tx->level == run->level + 1) tx->level = run->level;
  if (tx->store) neap__sql_wake(run->store);
}

enum rows_state neap__sql_run_lease(struct sql_run *run) {
  struct sql_store *s = run->store;
  enum rows_state state;
  if (s->head.closed) {
    neap__error_set(&run->rows.error, NEAP_USAGE, "the store is closed");
    return ROWS_FAILED;
  }
  if (run->transaction && run->use != USE_BEGIN) {
    state = lease_in_transaction(run);
  } else {
    state = s->leasing->lease(run);
    run->leased = state == ROWS_ROW;
  }
  if (state == ROWS_ROW) link_run(&s->running, run);
  return state;
}

void neap__sql_transaction_end(struct sql_transaction *tx) {
  struct sql_store *s = tx->store;
  if (!s) return;
  tx->store = NULL;
  s->leasing->ended(s, tx);
  neap__sql_wake(s);
}

// ---- Runs ----

// The statement has ended: others may have what it used.
static void release(struct sql_run *run) {
  unlink_run(run);
  settle_savepoint(run);
  if (run->transaction && run->transaction->copying == run) run->transaction->copying = NULL;
  if (run->cursor) run->cursor->connection->transport->finish(run->cursor);
  run->cursor = NULL;
  if (run->leased)
    run->store->leasing->release(run);
  else if (!run->connection && run->store->leasing && run->store->leasing->leave)
    run->store->leasing->leave(run);
  run->leased = false;
}

bool neap__sql_in_transaction(const struct sql_run *run) {
  if (run->cursor) return run->cursor->in_transaction;
  return run->connection && run->connection->in_transaction;
}

// In a dry run a statement of the script's own is sent where it could only read. If it would have written, it ends here.
static bool would_write(const struct sql_run *run) {
  return run->dry && run->use == USE_RAW && strcmp(run->rows.error.code, SQL_ONLY_READS) == 0;
}

static enum rows_state pretend(struct sql_run *run) {
  neap__sql_dry_log(run);
  run->ended = true;
  if (run->wrapped && run->connection) run->connection->transport->rollback(run->connection);
  release(run);
  return ROWS_END;
}

// A savepoint that cannot be rolled back takes its transaction with it: half of it must not be committed.
static enum rows_state fail(struct sql_run *run) {
  if (would_write(run)) return pretend(run);
  bool undone = run->lenient || (!run->dry && !neap__sql_in_transaction(run));
  if (run->transaction && undone) run->transaction->lost = true;
  run->ended = true;
  run->failed = !run->lenient;
  if (run->wrapped && run->connection) run->connection->transport->rollback(run->connection);
  if (run->lenient && run->at_end) run->at_end(run);
  release(run);
  return run->failed ? ROWS_FAILED : ROWS_END;
}

// What the driver may do with the statement.
static void describe(struct sql_run *run) {
  struct sql_statement *s = &run->statement;
  s->harmless = run->use == USE_READ || run->use == USE_BEGIN;
  s->shared = run->use == USE_READ && run->sharing;
  s->paged = run->rows.stream && run->transaction && run->use == USE_READ && !run->dry;
}

bool neap__sql_run_send(struct sql_run *run) {
  struct sql_statement *s = &run->statement;
  struct neap__error *e = &run->rows.error;
  const char *place = run->store->head.place;
  s->fence = NULL;
  if (run->fence && !s->harmless && !run->sets && (!s->control || s->copy)) {
    if (neap__fence_check(run->fence, place, e) != 0) return false;
    s->fence = neap__fence_at(run->fence, place);
    s->place = place;
  }
  s->only_reads = run->dry && run->use == USE_RAW && !run->sets;
  if (run->dry && run->use != USE_READ && (run->use != USE_RAW || s->copy == COPY_IN))
    run->cursor = neap__sql_dry_start(run);
  else
    run->cursor = run->connection->transport->start(run->connection, s, &run->rows.op, e);
  return run->cursor != NULL;
}

static enum rows_state start(struct sql_run *run) {
  describe(run);
  if (run->wrapped && run->second) run->connection->transport->post(run->connection, "BEGIN");
  run->known = false;
  return neap__sql_run_send(run) ? ROWS_ROW : fail(run);
}

bool neap__sql_run_again(struct sql_run *run, bool undone) {
  const struct sql_connection *c = run->connection;
  if (!c->broken || !c->made || !undone || run->given || !run->leased || run->tries == 2) return false;
  run->tries++;
  release(run);
  run->connection = NULL;
  return true;
}

// A connection that is lost is no fault of the statement.
static bool lost(struct sql_run *run) {
  return run->cursor && neap__sql_run_again(run, run->cursor->untouched || run->statement.harmless);
}

// Once the statement has really begun: its columns, and for raw statements the types that their names stand for.
static enum rows_state learn_columns(struct sql_run *run) {
  const struct sql_transport *t = run->cursor->connection->transport;
  if (run->cursor->ncells < 0) {
    enum rows_state state = t->next(run->cursor, NULL, &run->rows.error);
    if (state == ROWS_WAIT) return state;
    if (state == ROWS_FAILED) return lost(run) ? ROWS_END : fail(run);
  }
  run->known = true;
  run->rows.ncells = run->cursor->ncells;
  for (int i = 0; run->class && i < run->ncasts && i < run->rows.ncells; i++) {
    const char *name = t->column_name(run->cursor, i);
    for (int c = 0; name && c < run->class->shape->ncolumns; c++)
      if (strcmp(run->class->shape->columns[c]->wire, name) == 0)
        run->kinds[i] = (uint8_t)neap__sql_kind(&run->class->shape->columns[c]->type);
  }
  return ROWS_ROW;
}

// What a statement that writes gives back was not read.
static void count(struct sql_run *run) {
  struct neap__counts *counts = neap__counts(run->rows.op.host);
  counts->written += run->cursor->changed;
  if (run->cursor->changed > 0) counts->read -= run->seen;
  run->seen = 0;
}

static enum rows_state at_end(struct sql_run *run) {
  if (!run->statement.control) count(run);
  run->rows.changed += run->cursor->changed;
  if (run->second) {
    run->statement = (struct sql_statement){.text = run->second, .n = strlen(run->second), .control = true};
    run->second = NULL;
    run->cursor->connection->transport->finish(run->cursor);
    return start(run);
  }
  run->ended = true;
  if (run->at_end && run->at_end(run) != 0) return fail(run);
  release(run);
  return ROWS_END;
}

static enum rows_state cast(struct sql_run *run, struct cell *cells, enum rows_state state) {
  for (int i = 0; state == ROWS_ROW && run->class && i < run->ncasts && i < run->rows.ncells; i++)
    neap__sql_cast(&cells[i], run->kinds[i]);
  return state;
}

static enum rows_state go_on(struct sql_run *run, struct cell *cells) {
  enum rows_state state;
  if (!run->connection && (state = neap__sql_run_lease(run)) != ROWS_ROW)
    return state == ROWS_FAILED ? fail(run) : state;
  if (!run->cursor && (state = start(run)) != ROWS_ROW) return state;
  if (!run->known && ((state = learn_columns(run)) != ROWS_ROW || !cells)) return state;
  do {
    struct cell count = {.i = 0};
    state = run->cursor->connection->transport->next(run->cursor, run->counts ? &count : cells, &run->rows.error);
    if (state == ROWS_ROW && run->counts) {
      run->rows.changed = count.i;
      continue;
    }
    if (state == ROWS_FAILED) return lost(run) ? ROWS_END : fail(run);
    run->given |= state == ROWS_ROW;
    if (state == ROWS_ROW) {
      run->seen++;
      neap__counts(run->rows.op.host)->read++;
    }
    if (state != ROWS_END) return cast(run, cells, state);
    state = at_end(run);
  } while (state == ROWS_ROW);
  return state;
}

static enum rows_state run_next(struct rows *rows, struct cell *cells) {
  struct sql_run *run = (struct sql_run *)rows;
  enum rows_state state = ROWS_END;
  while (!run->failed && !run->ended && run->store) {
    state = go_on(run, cells);
    if (run->connection || state != ROWS_END) break;  // else it has lost its connection
  }
  return run->failed ? ROWS_FAILED : state;
}

// A transaction that was being begun or rolled back when its task was stopped must not stay open, nor its connection taken.
static void settle_transaction(struct sql_run *run) {
  bool begun = run->use == USE_BEGIN && run->ended && !run->failed;
  if (run->lenient && !run->ended && run->cursor) run->at_end(run);
  if (run->use != USE_BEGIN || begun) return;
  if (run->cursor) run->connection->transport->rollback(run->connection);
  release(run);
  neap__sql_transaction_end(run->transaction);
}

void neap__sql_run_close(struct rows *rows) {
  struct sql_run *run = (struct sql_run *)rows;
  if (!run->store) return;
  settle_transaction(run);
  release(run);
  run->connection = NULL;
  run->store = NULL;
}

static void on_cancel(struct neap__op *op) {
  struct sql_run *run = (struct sql_run *)op;
  if (run->cursor && run->cursor->connection->transport->interrupt) {
    run->cursor->connection->transport->interrupt(run->cursor);
    return;
  }
  if (run->use != USE_BEGIN && run->leased) {  // others may have the connection before the run is collected
    release(run);
    run->connection = NULL;
    run->failed = true;
    neap__error_set(&run->rows.error, NEAP_CANCELLED, "the statement was stopped");
  } else if (!run->connection) {
    release(run);  // it was waiting
  }
  neap__op_done(op);
}

static neap_task run_needs(const struct neap__op *op, const char **why) {
  const struct sql_run *run = (const struct sql_run *)op;
  return run->store && !run->connection ? run->store->leasing->needs(run, why) : 0;
}

struct sql_run *neap__sql_run_new(lua_State *L, struct view *view, enum sql_use use, int nkinds) {
  struct sql_run *run = neap__op_new(L, sizeof *run + (size_t)nkinds, RUN_TYPE, 3);
  run->rows.op.done = true;
  run->rows.op.cancel = on_cancel;
  run->rows.op.needs = run_needs;
  if (view->timeout > 0) neap__op_limit(&run->rows.op, view->timeout);
  run->rows.next = run_next;
  run->rows.close = neap__sql_run_close;
  run->store = (struct sql_store *)view->store;
  run->transaction = view->transaction;
  run->level = view->level;
  run->use = use;
  run->fence = view->fence;
  run->dry = view->dry_run;
  run->statement.kinds = nkinds ? run->kinds : NULL;
  run->statement.nkinds = nkinds;
  neap__view_push(L, view);
  lua_setiuservalue(L, -2, 1);
  return run;
}

void neap__sql_store_close(struct store *store) {
  struct sql_store *s = (struct sql_store *)store;
  neap__closer_remove(&s->closer);
  store->closed = true;
  while (s->running) s->running->rows.close(&s->running->rows);
  neap__sql_wake(s);
  if (s->leasing) s->leasing->close(s);
}

void neap__sql_run_open(lua_State *L) {
  neap__rows_type(L, RUN_TYPE);
}
