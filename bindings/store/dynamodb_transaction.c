// dynamodb_transaction.c: transactions: what was written inside is sent as one TransactWriteItems when the outermost one commits,
// under a token by which the service knows a request that comes again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/live.h"
#include "store/dynamodb_transaction.h"
#include "value/uuid.h"

#define TARGET "DynamoDB_20120810.TransactWriteItems"
#define TOKEN_SECONDS 570  // the service knows a token for ten minutes
#define ATTEMPTS 6         // under one token, while others write the same items

// ---- Begin, commit, rollback ----

struct commit_run {
  struct dynamodb_run run;
  struct dynamodb_call call;
  struct transaction *tx;
  size_t nbody;  // of the request, without what its end brings
  int attempts;
  int64_t until;  // the service knows the token, as loop time in ms
  struct neap__items items;
  struct cell *cells;  // of the row that was read last
};

static enum rows_state nothing_next(struct rows *rows, struct cell *cells) {
  const struct dynamodb_run *run = (const struct dynamodb_run *)rows;
  (void)cells;
  return run->failed ? ROWS_FAILED : ROWS_END;
}

static struct rows *push_nothing(lua_State *L, struct view *view) {
  struct dynamodb_run *run = neap__dynamodb_run_new(L, view, sizeof *run);
  run->rows.next = nothing_next;
  return &run->rows;
}

struct rows *neap__dynamodb_begin_transaction(lua_State *L, struct view *view) {
  if (view->level == 1) {
    struct transaction *tx = memset(lua_newuserdatauv(L, sizeof *tx, 1), 0, sizeof *tx);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    neap__live_add(L, tx);
    tx->reads = view->reads;
    if (view->token)
      snprintf(tx->token, sizeof tx->token, "%s", view->token);
    else
      neap__uuid_v4(tx->token);
    neap__view_push(L, view);
    lua_insert(L, -2);
    neap__view_keep(L, -2);
    lua_pop(L, 1);
    view->transaction = tx;
  }
  return push_nothing(L, view);
}

// What was collected in a transaction inside another one goes with that, or is forgotten.
struct rows *neap__dynamodb_rollback(lua_State *L, struct view *view) {
  struct transaction *tx = view->transaction;
  for (struct pending *p = tx->first, *next; p; p = next) {
    next = p->next;
    if (view->level == 1 || p->owner == view) neap__dynamodb_forget(L, tx, p);
  }
  return NULL;
}

static void give_to_outer(struct view *view) {
  const struct transaction *tx = view->transaction;
  for (struct pending *p = tx->first; p; p = p->next)
    if (p->owner == view) p->owner = neap__view_owner(view->parent);
}

bool neap__dynamodb_refused(struct rows *commit, int i, struct refusal *out) {
  struct commit_run *r = (struct commit_run *)commit;
  if (commit->next == nothing_next) return false;
  return neap__dynamodb_blame(&r->call, r->tx, i, &r->items, &r->cells, out);
}

// What counts is what does not pass by itself.
static void sum_up(struct commit_run *r) {
  struct neap__error *e = &r->run.rows.error;
  struct refusal refusal;
  *e = r->call.aws.error;
  if (strcmp(e->code, "IdempotentParameterMismatchException") == 0) {
    neap__error_set(e, NEAP_USAGE,
                    "the token was given to another transaction in the last ten minutes: give each its own");
    e->store = "dynamodb";
  }
  for (int i = 0; neap__dynamodb_refused(&r->run.rows, i, &refusal); i++) {
    if (i > 0 && (refusal.error.retryable || !e->retryable)) continue;
    e->kind = refusal.error.kind;
    e->retryable = refusal.error.retryable;
    e->unknown = false;  // by the token the service knows that it has not done it
  }
}

// ---- Commit ----

// Under its token the service does it once, as long as it knows that.
static void prepare(struct commit_run *r) {
  double left = (double)(r->until - neap__now_ms(r->run.store->head.host)) / 1000;
  double most = neap__aws_timeout(r->run.store->aws);
  r->call.aws.repeatable = true;
  r->call.aws.timeout = left < most ? left : most;
}

// Under the same token, after a while. False: it has had its chances, or cannot be sent.
static bool send_again(struct commit_run *r) {
  struct dynamodb_text t = r->call.text;
  if (++r->attempts == ATTEMPTS || r->until - neap__now_ms(r->run.store->head.host) < 1000) return false;
  neap__dynamodb_begin(&r->call.text);
  neap__dynamodb_call_drop(&r->call);
  neap__dynamodb_free(neap__dynamodb_call_begin(&r->run, &r->call));
  t.body.n = r->nbody;
  r->call.text = t;
  prepare(r);
  int status = neap__dynamodb_call_again(&r->call, TARGET, r->attempts, &r->run.rows.error);
  if (status != 0) neap__dynamodb_fail(&r->run);
  return status == 0;
}

static void commit_answered(struct dynamodb_run *run, struct dynamodb_call *call) {
  struct commit_run *r = (struct commit_run *)run;
  if (neap__dynamodb_passes(call) && send_again(r)) return;
  neap__op_done(&run->rows.op);
}

static enum rows_state commit_next(struct rows *rows, struct cell *cells) {
  struct commit_run *r = (struct commit_run *)rows;
  (void)cells;
  if (r->run.failed) return ROWS_FAILED;
  if (r->run.ended) return ROWS_END;
  if (r->call.state != CALL_DONE) return neap__dynamodb_wait(&r->run);
  if (r->call.aws.failed) {
    sum_up(r);
    return neap__dynamodb_fail(&r->run);
  }
  r->run.ended = true;
  neap__counts(rows->op.host)->written += neap__dynamodb_count_items(r->tx);
  return ROWS_END;
}

static void commit_end(struct dynamodb_run *run) {
  struct commit_run *r = (struct commit_run *)run;
  neap__dynamodb_call_drop(&r->call);
  neap__items_free(&r->items);
  free(r->cells);
}

struct rows *neap__dynamodb_commit(lua_State *L, struct view *view) {
  struct transaction *tx = view->transaction;
  if (view->level > 1) give_to_outer(view);
  if (view->level > 1 || !tx->first) return push_nothing(L, view);
  struct commit_run *r = neap__dynamodb_run_new(L, view, sizeof *r);
  struct neap__error *e = &r->run.rows.error;
  r->run.rows.next = commit_next;
  r->run.end = commit_end;
  r->run.answered = commit_answered;
  r->run.writes = true;
  r->tx = tx;
  for (const struct pending *p = tx->first; p; p = p->next) {
    struct dynamodb_table *table = neap__dynamodb_metered(r->run.store, view, p->shape);
    if (!r->run.table) r->run.table = table;
  }
  r->until = neap__deadline_in(view->store->host, TOKEN_SECONDS);
  struct dynamodb_text *t = neap__dynamodb_call_begin(&r->run, &r->call);
  prepare(r);
  int status = neap__dynamodb_write_items(L, t, view, e);
  lua_pop(L, 1);
  r->nbody = t->body.n;
  if (status != 0 || neap__dynamodb_call_send(&r->call, TARGET, e) != 0) neap__dynamodb_fail(&r->run);
  return &r->run.rows;
}
