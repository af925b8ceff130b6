// store.h: what the model kernel asks of a store: a table of verbs and a set of capabilities. Nothing above a store knows
// how it does its work, and nothing here knows which store it is.
//
// A verb checks everything first, then pushes an operation (a userdata that starts with struct rows) that has been started.
// Rows come out of it through next() without Lua running in between.
#ifndef NEAP_STORE_H
#define NEAP_STORE_H

#include "model/object.h"
#include "model/query.h"

enum capability {
  CAN_TRANSACTIONS = 1, CAN_SAVEPOINTS = 2, CAN_JOINS = 4, CAN_AGGREGATES = 8, CAN_CONDITIONS = 16, CAN_SQL = 32,
  CAN_UNIQUE = 64, CAN_STREAM_CHANGES = 128, CAN_FOR_UPDATE = 256, CAN_NULL = 512, CAN_RETURNING = 1024
};

enum rows_state { ROWS_ROW, ROWS_END, ROWS_WAIT, ROWS_FAILED };

struct rows {
  struct neap__op op;
  int ncells;                // cells in a row
  int64_t changed;           // rows written, once ROWS_END
  // Gives the next row: cells are borrowed until the next call. ROWS_WAIT: nothing is here now, await op and ask again.
  // ROWS_FAILED: `error` is filled.
  enum rows_state (*next)(struct rows *, struct cell *cells);
  // Ends early; harmless when it has ended. Also what __gc calls.
  void (*close)(struct rows *);
  struct neap__error error;
};

enum write_kind { WRITE_INSERT, WRITE_UPDATE, WRITE_DELETE, WRITE_UPSERT };

// One object's write. The rows that answer it come in the order of the list: one row of `returning` cells for each.
struct write {
  enum write_kind kind;
  int object;                       // index in the list of objects, from 1
  const uint64_t *columns;          // bit set of the columns sent
  const struct cell *cells;         // one a set bit, in column order
  const struct cell *key;           // shape->nkeys cells; UPDATE, DELETE
  const struct condition *condition;// must hold, NULL = none
  const struct cell *version;       // expected version, NULL = none
};

struct store;

struct store_verbs {
  const char *name;                 // "sqlite"
  unsigned capabilities;            // enum capability
  // Reads. The cells of a row are the query's selected columns in column order; aggregates and groups: groups, then labels.
  struct rows *(*select)(lua_State *L, struct view *view, const struct query *q);
  // The rows that the query would give, as one integer cell.
  struct rows *(*count)(lua_State *L, struct view *view, const struct query *q);
  // Set-based writes over the query's condition; `sets` is a table index { [field] = value } already checked.
  struct rows *(*update)(lua_State *L, struct view *view, const struct query *q, int sets);
  struct rows *(*remove)(lua_State *L, struct view *view, const struct query *q);
  // Writes of objects of one class.
  struct rows *(*write)(lua_State *L, struct view *view, const struct class *class, const struct write *writes, int n);
  // Transactions: level 0 begins, commits or rolls back the transaction, deeper ones a savepoint.
  struct rows *(*begin)(lua_State *L, struct view *view, int level);
  struct rows *(*commit)(lua_State *L, struct view *view, int level);
  struct rows *(*rollback)(lua_State *L, struct view *view, int level);
  // Pushes a table that says exactly what a query would send.
  void (*explain)(lua_State *L, struct view *view, const struct query *q);
  // Creates what is missing for the list of classes at idx and checks the rest; raises mismatch.
  int (*bind)(lua_State *L, struct view *view, int classes, int options);
};

// The head of a store's userdata.
struct store {
  const struct store_verbs *verbs;
  neap *host;
  const char *table_template;       // "test_{table}", NULL = none; anchored by the store's user value
};

// A store as one sees it: options, scope, transaction (view.c). Immutable.
struct view {
  struct store *store;
  const struct view *parent;
  void *transaction;                // the store's own handle of the open transaction, NULL = none
  int level;                        // depth of savepoints
  bool atomic, overwrite, consistent, dead;
  double timeout;                   // seconds, 0 = the default
};

// The view that statements made through `view` really use: the running coroutine's context may carry a transaction or
// options for the same store.
struct view *neap__view_effective(lua_State *L, struct view *view);
// The condition that the view's scope adds for a model, NULL = none.
const struct condition *neap__view_scope(const struct view *view, const struct shape *shape);

#endif
