// dynamodb_refused.c: why a transaction was cancelled, told of the objects that are to blame.
#include <stdlib.h>
#include <string.h>

#include "store/dynamodb_transaction.h"
#include "value/json.h"

static bool is_code(struct neap__json_slice reason, const char *code) {
  static const struct neap__json_step step = {"Code", 4, -1};
  struct neap__json_slice found;
  size_t n = strlen(code);
  return neap__json_find(reason.p, reason.n, &step, 1, &found) && found.n == n + 2 && memcmp(found.p + 1, code, n) == 0;
}

static bool may_pass(struct neap__json_slice reason) {
  return is_code(reason, "TransactionConflict") || is_code(reason, "ThrottlingError") ||
         is_code(reason, "ProvisionedThroughputExceeded");
}

static struct neap__json_each reasons_of(const struct dynamodb_call *call) {
  static const struct neap__json_step step = {"CancellationReasons", 19, -1};
  struct neap__json_slice found = {"", 0};
  bool cancelled = call->aws.failed && strcmp(call->aws.error.code, "TransactionCanceledException") == 0;
  if (cancelled) neap__json_find(call->aws.reply, call->aws.nreply, &step, 1, &found);
  return neap__json_each(found.p, found.n);
}

bool neap__dynamodb_passes(const struct dynamodb_call *call) {
  bool some = false;
  for (struct neap__json_each it = reasons_of(call); neap__json_next(&it);) {
    if (is_code(it.value, "None")) continue;
    if (!may_pass(it.value)) return false;
    some = true;
  }
  return some;
}

// The row that is there, all columns; NULL: there is none, or it is not told.
static const struct cell *read_old(struct neap__items *items, struct cell **cells, const struct shape *shape,
                                   struct neap__json_slice reason) {
  static const struct neap__json_step step = {"Item", 4, -1};
  struct neap__json_slice item;
  struct neap__error e;
  if (!neap__json_find(reason.p, reason.n, &step, 1, &item) || item.n <= 2) return NULL;
  neap__items_free(items);
  free(*cells);
  *cells = malloc((size_t)shape->ncolumns * sizeof **cells);
  if (!*cells || neap__items_init(items, shape, NULL) != 0) return NULL;
  neap__items_begin_one(items, item.p, item.n);
  return neap__items_next(items, *cells, &e) == ROWS_ROW ? *cells : NULL;
}

static bool is_as_expected(const struct shape *shape, const struct write *w, const struct cell *old) {
  const struct cell *cell = w->expected_cells;
  for (int i = 0; w->expected && i < shape->ncolumns; i++) {
    if (!neap__has_bit(w->expected, i)) continue;
    bool nil = neap__attribute_is_nil(&shape->columns[i]->type, cell);
    if (nil ? old[i].kind != CELL_NIL : !neap__cell_equal(cell, &old[i])) return false;
    cell++;
  }
  return true;
}

static void say_unmet(const struct shape *shape, const struct write *w, const struct cell *old, struct neap__error *e) {
  bool new = w->kind == WRITE_INSERT || w->kind == WRITE_UPSERT;
  if (w->fresh && (!old || !is_as_expected(shape, w, old)))
    neap__error_set(e, NEAP_CONFLICT, "somebody has %s it since the transaction read it", old ? "changed" : "deleted");
  else if (w->absent && !w->condition)
    neap__error_set(e, NEAP_CONFLICT, "there is one with this key already");
  else if (!old && !new)
    neap__error_set(e, NEAP_NOT_FOUND, "it is not there");
  else
    neap__error_set(e, NEAP_CONDITION, "the condition is not met");
  e->retryable = e->kind == NEAP_CONFLICT && w->fresh;
}

static void say(const struct shape *shape, const struct write *w, struct neap__json_slice reason,
                const struct cell *old, struct neap__error *e) {
  if (is_code(reason, "ConditionalCheckFailed")) {
    say_unmet(shape, w, old, e);
  } else if (is_code(reason, "TransactionConflict")) {
    neap__error_set(e, NEAP_CONFLICT, "another transaction is writing it");
    e->retryable = true;
  } else if (may_pass(reason)) {
    neap__error_set(e, NEAP_THROTTLED, "the server asks to slow down");
    e->retryable = true;
  } else if (is_code(reason, "ItemCollectionSizeLimitExceeded")) {
    neap__error_set(e, NEAP_LIMIT, "the items with its hash key would be too large together");
  } else {
    neap__error_set(e, NEAP_USAGE, "the server refuses it: %s", neap__show_text(reason.p, reason.n).text);
  }
  e->store = "dynamodb";
}

// What is told of an item: its first write, or else its check.
static struct pending *told(struct pending *first) {
  for (struct pending *p = first; p; p = neap__dynamodb_same_item(p->next, first->shape, first->write.key))
    if (!p->write.check) return p;
  return first;
}

bool neap__dynamodb_blame(const struct dynamodb_call *call, const struct transaction *tx, int i,
                          struct neap__items *items, struct cell **cells, struct refusal *out) {
  struct neap__json_each it = reasons_of(call);
  struct pending *item = neap__dynamodb_next_item(tx, NULL);
  for (; item && neap__json_next(&it); item = neap__dynamodb_next_item(tx, item)) {
    if (is_code(it.value, "None") || i-- > 0) continue;
    const struct pending *p = told(item);
    *out = (struct refusal){.number = p->write.number, .shape = p->shape};
    out->old = read_old(items, cells, p->shape, it.value);
    say(p->shape, &p->write, it.value, out->old, &out->error);
    return true;
  }
  return false;
}
