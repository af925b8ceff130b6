// sql_lease.c: who may use which connection of an embedded database when. A transaction has the writer for itself; reads
// outside of it go to readers; everything else waits its turn.
#include "store/sql_store.h"

static enum rows_state take_reader(struct sql_run *run) {
  struct sql_store *s = run->store;
  run->connection = s->nreaders > 0 ? s->readers[--s->nreaders]
                                    : s->transport->open(s->head.host, &s->address, true, &run->rows.error);
  run->reader = true;
  return run->connection ? ROWS_ROW : ROWS_FAILED;
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
    .lease = lease, .release = release, .ended = ended, .needs = needs, .close = close_all};
