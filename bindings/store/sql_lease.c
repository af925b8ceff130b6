// sql_lease.c: who may use which connection of an embedded database when. A transaction has the writer for itself; reads
// outside of it go to readers; everything else waits its turn.
#include "store/sql_store.h"

// Reads that end by themselves wait for each other; streams end when their loop does, which may itself need to read.
static enum rows_state take_reader(struct sql_run *run) {
  struct sql_store *s = run->store;
  run->queues = !run->rows.stream && s->nreaders == 0 && s->reading >= SQL_READERS;
  if (run->queues) return neap__sql_run_wait(run);
  run->connection = s->nreaders > 0 ? s->readers[--s->nreaders]
                                    : s->transport->open(s->head.host, &s->address, true, &run->rows.error);
  if (!run->connection) return ROWS_FAILED;
  run->reader = true;
  s->reading += !run->rows.stream;
  return ROWS_ROW;
}

// A reader has become free for the first that waits for one.
static void wake_one(struct sql_store *s) {
  struct sql_run *run = s->waiting;
  while (run && !run->queues) run = run->next;
  if (run) neap__sql_run_wake(run);
}

static void leave(struct sql_run *run) {
  if (run->queues) wake_one(run->store);
}

static enum rows_state lease(struct sql_run *run) {
  struct sql_store *s = run->store;
  if (run->use == USE_READ && !s->one_connection) return take_reader(run);
  if (s->transaction) return neap__sql_run_wait(run);
  run->connection = s->writer;
  if (run->use == USE_BEGIN) s->transaction = run->transaction;
  return ROWS_ROW;
}

static void release(struct sql_run *run) {
  struct sql_store *s = run->store;
  if (!run->reader) return;
  run->reader = false;
  if (run->connection->broken || s->nreaders == SQL_READERS)
    s->transport->close(run->connection);
  else
    s->readers[s->nreaders++] = run->connection;
  s->reading -= !run->rows.stream;
  wake_one(s);
}

static void ended(struct sql_store *s, struct sql_transaction *tx) {
  if (s->transaction == tx) s->transaction = NULL;
}

// The task whose transaction has the writer.
static neap_task needs(const struct sql_run *run, const char **why) {
  const struct sql_transaction *tx = run->store->transaction;
  if (!tx || tx == run->transaction) return 0;
  *why =
      "tasks would wait for each other: one is awaited inside a transaction, and needs the connection that the "
      "transaction "
      "holds; await it afterwards, or start it with neap.all, which takes it into the transaction";
  return tx->task;
}

static void close_all(struct sql_store *s) {
  if (s->transaction) s->transaction->store = NULL;
  s->transaction = NULL;
  while (s->nreaders > 0) s->transport->close(s->readers[--s->nreaders]);
  if (s->writer) s->transport->close(s->writer);
  s->writer = NULL;
}

const struct sql_leasing neap__sql_lease = {
    .lease = lease, .release = release, .leave = leave, .ended = ended, .needs = needs, .close = close_all};
