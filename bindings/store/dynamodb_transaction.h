// dynamodb_transaction.h: what the files of transactions share: what is collected in one, and what becomes of its items.
#ifndef NEAP_DYNAMODB_TRANSACTION_H
#define NEAP_DYNAMODB_TRANSACTION_H

#include "store/dynamodb_store.h"

// A write as it was collected, with copies of all that it names. User value: its condition.
struct pending {
  struct pending *next;
  const struct view *owner;  // the innermost transaction that it belongs to
  const struct shape *shape;
  struct write write;
};

// What view->transaction is. User value: a table that keeps what was collected.
struct transaction {
  char token[64];
  bool reads;
  struct pending *first;
};

// ---- dynamodb_collect.c ----

// Takes it out of the transaction.
void neap__dynamodb_forget(lua_State *L, struct transaction *tx, struct pending *p);
// The first of those from `from` on that write or check the same item, or NULL.
struct pending *neap__dynamodb_same_item(struct pending *from, const struct shape *shape, const struct cell *key);
// The first that was collected for the next item, `p` being that of the last one or NULL.
struct pending *neap__dynamodb_next_item(const struct transaction *tx, const struct pending *p);
int neap__dynamodb_count_items(const struct transaction *tx);
// The members of the request that writes them all. Pushes what it needs for that.
int neap__dynamodb_write_items(lua_State *L, struct dynamodb_text *t, const struct view *view, struct neap__error *e);

// ---- dynamodb_refused.c ----

// Which of the items that a cancelled call was for is to blame, the i-th of these. The row is read into `items` and *cells, which
// are the caller's to free.
bool neap__dynamodb_blame(const struct dynamodb_call *call, const struct transaction *tx, int i,
                          struct neap__items *items, struct cell **cells, struct refusal *out);

#endif
