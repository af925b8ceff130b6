// sql_pool.c: who may use which connection to a server when. Single statements of the compiler's share connections, the one
// with the fewest of them first; transactions, streams and statements of scripts have one for themselves.
#include <stdlib.h>
#include <string.h>

#include "store/sql_store.h"

static bool held(const struct sql_slot *slot) {
  return slot->run || slot->tx;
}

static struct sql_slot *slot_of(struct sql_store *s, const struct sql_connection *c) {
  for (int i = 0; i < s->nslots; i++)
    if (c && s->slots[i].connection == c) return &s->slots[i];
  return NULL;
}

// Closes what is broken and used by nobody.
static void sweep(struct sql_store *s) {
  for (int i = 0; i < s->nslots; i++) {
    struct sql_slot *slot = &s->slots[i];
    if (!slot->connection || !slot->connection->broken || slot->shared > 0 || held(slot)) continue;
    s->transport->close(slot->connection);
    *slot = (struct sql_slot){.wanted = slot->wanted};
  }
}

static bool usable(const struct sql_slot *slot) {
  return slot->connection && !slot->connection->broken && !held(slot);
}

static bool connect(struct sql_run *run, struct sql_slot *slot) {
  struct sql_store *s = run->store;
  slot->connection = s->transport->open(s->head.host, &s->address, false, &run->rows.error);
  slot->unlimited = true;
  return slot->connection != NULL;
}

// ---- Choosing ----

// The one with the fewest that share it; a new one rather than one that is busy.
static struct sql_slot *choose_shared(struct sql_store *s) {
  struct sql_slot *best = NULL, *empty = NULL;
  for (int i = 0; i < s->nslots; i++) {
    struct sql_slot *slot = &s->slots[i];
    if (slot->wanted) continue;
    if (!slot->connection && !empty) empty = slot;
    if (usable(slot) && (!best || slot->shared < best->shared)) best = slot;
  }
  return best && (best->shared == 0 || !empty) ? best : empty;
}

// One that nobody uses, else a new one. Where there is none, the one with the fewest users takes no more of them.
static struct sql_slot *choose_alone(struct sql_store *s, const struct sql_run *run) {
  struct sql_slot *best = NULL, *empty = NULL, *busy = NULL;
  for (int i = 0; i < s->nslots; i++) {
    struct sql_slot *slot = &s->slots[i];
    if (slot->wanted == run) slot->wanted = NULL;
    if (slot->wanted) continue;
    if (!slot->connection && !empty) empty = slot;
    if (usable(slot) && slot->shared == 0 && !best) best = slot;
    if (usable(slot) && (!busy || slot->shared < busy->shared)) busy = slot;
  }
  if (!best && !empty && busy) busy->wanted = run;
  return best ? best : empty;
}

// ---- Waiting ----

static void name_holders(struct sql_run *run) {
  struct sql_store *s = run->store;
  size_t n =
      (size_t)snprintf(run->holders, sizeof run->holders, "all %d connections of the store are taken: ", s->nslots);
  for (int i = 0; i < s->nslots && n < sizeof run->holders; i++) {
    const struct sql_slot *slot = &s->slots[i];
    if (held(slot))
      n += (size_t)snprintf(run->holders + n, sizeof run->holders - n, "%s%s of task %llu for %.1f s", i ? ", " : "",
                            slot->what, (unsigned long long)slot->task,
                            (double)(neap__now_ms(s->head.host) - slot->since) / 1000);
    else
      n += (size_t)snprintf(run->holders + n, sizeof run->holders - n, "%s%d statements", i ? ", " : "", slot->shared);
  }
}

static enum rows_state wait(struct sql_run *run) {
  struct neap__op *op = &run->rows.op;
  name_holders(run);
  op->late = run->holders;
  if (!run->limit.seconds) {
    run->limit.deadline = op->deadline;
    run->limit.seconds = op->deadline ? op->seconds : -1;
    int64_t own = op->deadline;
    neap__op_limit(op, run->store->wait);
    if (own && own < op->deadline) op->deadline = own, op->seconds = run->limit.seconds;
  }
  return neap__sql_run_wait(run);
}

static void waited(struct sql_run *run) {
  struct neap__op *op = &run->rows.op;
  op->late = NULL;
  if (!run->limit.seconds) return;
  op->deadline = run->limit.deadline;
  op->seconds = run->limit.seconds;
  run->limit.seconds = 0;
}

// ---- The lease ----

// Statements that share a connection end after a while, for nobody else could end them.
static void limit(struct sql_store *s, struct sql_slot *slot, bool unlimited) {
  char text[64];
  if (s->statement_timeout <= 0 || slot->unlimited == unlimited) return;
  slot->unlimited = unlimited;
  slot->connection->limit = unlimited ? 0 : s->statement_timeout;
  snprintf(text, sizeof text, "SET statement_timeout = %.0f", unlimited ? 0 : s->statement_timeout * 1000);
  s->transport->post(slot->connection, text);
}

static void take_alone(struct sql_run *run, struct sql_slot *slot) {
  struct sql_store *s = run->store;
  if (run->use == USE_BEGIN)
    slot->tx = run->transaction;
  else
    slot->run = run;
  slot->what = run->use == USE_BEGIN ? "a transaction"
               : run->statement.copy ? "a COPY"
               : run->use == USE_RAW ? "a statement"
                                     : "a stream";
  slot->task = neap__task_current(s->head.host);
  slot->since = neap__now_ms(s->head.host);
}

static enum rows_state lease(struct sql_run *run) {
  struct sql_store *s = run->store;
  bool alone = s->alone || run->use == USE_BEGIN || run->use == USE_RAW || run->rows.stream;
  sweep(s);
  struct sql_slot *slot = alone ? choose_alone(s, run) : choose_shared(s);
  if (!slot) return wait(run);
  waited(run);
  if (!slot->connection && !connect(run, slot)) return ROWS_FAILED;
  if (alone)
    take_alone(run, slot);
  else
    slot->shared++;
  if (slot->resting) s->transport->rest(slot->connection, 0);
  slot->resting = false;
  run->sharing = !alone;
  run->connection = slot->connection;
  limit(s, slot, alone);
  return ROWS_ROW;
}

// Lets a connection that nobody uses rest, and sooner or later go, if there is another.
static void rest(struct sql_store *s, struct sql_slot *slot) {
  if (s->idle <= 0 || slot->shared > 0 || held(slot) || slot->resting) return;
  for (int i = 0; i < s->nslots && !slot->resting; i++) {
    const struct sql_slot *other = &s->slots[i];
    slot->resting = other != slot && other->connection && !other->connection->broken && !other->resting;
  }
  if (slot->resting) s->transport->rest(slot->connection, s->idle);
}

static void release(struct sql_run *run) {
  struct sql_slot *slot = slot_of(run->store, run->connection);
  if (!slot) return;
  if (run->sharing)
    slot->shared--;
  else if (slot->run == run)
    slot->run = NULL;
  else if (slot->tx && slot->tx == run->transaction && slot->connection->broken)
    slot->tx = NULL;
  else
    return;
  if (!run->sharing && run->use == USE_RAW && !run->ended && !slot->connection->broken)
    slot->connection->transport->rollback(slot->connection);  // what it did is not known
  rest(run->store, slot);
  neap__sql_wake(run->store);
}

static void leave(struct sql_run *run) {
  struct sql_store *s = run->store;
  bool wanted = false;
  if (run->rows.op.late) name_holders(run);  // for how long by now
  for (int i = 0; i < s->nslots; i++) {
    if (s->slots[i].wanted != run) continue;
    s->slots[i].wanted = NULL;
    wanted = true;
  }
  if (wanted) neap__sql_wake(s);
}

// Streams of the transaction that a script still holds give nothing more.
static void ended(struct sql_store *s, struct sql_transaction *tx) {
  for (struct sql_run *run = s->running; run; run = run->next)
    if (run->transaction == tx && run->rows.stream) neap__sql_run_stop(run, "the transaction has ended");
  for (int i = 0; i < s->nslots; i++) {
    if (s->slots[i].tx != tx) continue;
    s->slots[i].tx = NULL;
    rest(s, &s->slots[i]);
  }
}

// The task that has all connections for itself, and waits for one more.
static neap_task needs(const struct sql_run *run, const char **why) {
  const struct sql_store *s = run->store;
  *why =
      "all connections of the store are held by the loops and transactions around this statement; end one of them "
      "before, "
      "or allow more with ?pool=N in the URL";
  for (int i = 0; i < s->nslots; i++)
    if (!held(&s->slots[i]) || s->slots[i].task != s->slots[0].task) return 0;
  return s->slots[0].task;
}

static void close_all(struct sql_store *s) {
  for (int i = 0; i < s->nslots; i++)
    if (s->slots[i].connection) s->transport->close(s->slots[i].connection);
  free(s->slots);
  s->slots = NULL;
  s->nslots = 0;
}

const struct sql_leasing neap__sql_pool = {
    .lease = lease, .release = release, .leave = leave, .ended = ended, .needs = needs, .close = close_all};
