// store.h: what the model kernel asks of a store: a table of verbs and a set of capabilities. Nothing above a store knows
// how it does its work, and nothing here knows which store it is.
//
// A verb checks everything first, then pushes an operation (a userdata that starts with struct rows) that has been started.
// Rows come out of it through next() without Lua running in between.
#ifndef NEAP_STORE_H
#define NEAP_STORE_H

#include "model/object.h"
#include "model/query.h"
#include "value/fence.h"
#include "value/rows.h"

enum capability {
  CAN_TRANSACTIONS = 1,
  CAN_SAVEPOINTS = 2,
  CAN_JOINS = 4,
  CAN_AGGREGATES = 8,
  CAN_CONDITIONS = 16,
  CAN_SQL = 32,
  CAN_UNIQUE = 64,
  CAN_STREAM_CHANGES = 128,
  CAN_FOR_UPDATE = 256,
  CAN_NULL = 512,
  CAN_RETURNING = 1024,
  CAN_CHECKS = 2048,      // tx:check
  CAN_COMMANDS = 4096,    // store:command
  CAN_REQUESTS = 8192,    // store:request
  CAN_FUNCTIONS = 16384,  // store:call, store:job
  CAN_PUSH = 32768,       // store:push, store:installations
  CAN_CHANNELS = 65536,   // store:listen
  CAN_COPY = 131072       // store:copy_in, store:copy_out
};

// ---- Writes of objects ----

enum write_kind { WRITE_INSERT, WRITE_UPDATE, WRITE_DELETE, WRITE_UPSERT };

// A change that the store itself makes to the value that it has, in one statement.
enum change_kind { CHANGE_SET, CHANGE_UNSET, CHANGE_INCREMENT, CHANGE_APPEND, CHANGE_ADD_UNIQUE, CHANGE_PULL };

struct change {
  enum change_kind kind;
  struct place place;
  struct cell cell;  // SET, INCREMENT: the value; APPEND, ADD_UNIQUE, PULL: a JSON list of the elements
};

// One object's write.
struct write {
  enum write_kind kind;
  const uint64_t *columns;   // bit set of the columns sent
  const struct cell *cells;  // one a set bit, in column order
  const struct cell *open;   // UPDATE: what the open column held before, if it is among them and that is known
  int nchanges;              // UPDATE: beside the columns
  const struct change *changes;
  const struct cell *key;    // shape->nkeys cells; UPDATE, DELETE
  const uint64_t *expected;  // bit set of columns that must still hold these (version, atomic), NULL = none
  const struct cell *expected_cells;
  const struct condition *condition;  // must hold, the scope of the view included; NULL = none
  bool asked;                         // `condition` is not the scope alone: of that a row that is not there need not be
  const uint64_t *conflict;           // UPSERT: bit set of the unique columns that decide whether the row is there
  const uint64_t *keep;               // UPSERT: columns that are set only if it is not (keys, creation time)
  bool absent;                        // INSERT: no row may have its key (atomic)
  bool check;    // tx:check: what must hold, and nothing is written; an INSERT is of one that may not be there
  bool fresh;    // `expected` was read in the transaction: where it holds no more, that is a conflict
  int number;    // neap__view_number of the object, 0 = none
  bool replace;  // UPSERT: the row becomes what is sent and has nothing else
  const uint64_t *returning;  // bit set of the columns wanted back, NULL = none
};

// Why a transaction was not written.
struct refusal {
  int number;  // of the object
  struct neap__error error;
  const struct shape *shape;  // of the cells
  const struct cell *old;     // the row as it is, all columns; NULL = not known
};

struct store;

struct store_verbs {
  const char *name;       // "sqlite"
  unsigned capabilities;  // enum capability
  unsigned in_memory;     // those that it has only because the kernel does the work, over the rows that the store gives
  bool waits;             // other tasks run while it works, in the command too
  bool marks;             // tells bytes from text and sets from lists in untyped places (NEAP_JSON_MARK)
  bool hints;             // queries say how to look: index, key, filter, scan
  // Reads. The cells of a row are the query's selected columns in column order; aggregates and groups: groups, then labels.
  struct rows *(*select)(lua_State *L, struct view *view, const struct query *q);
  // The rows that the query would give, as one integer cell.
  struct rows *(*count)(lua_State *L, struct view *view, const struct query *q);
  // Set-based writes over the rows that the query would give. Sets and their cells live until the rows are closed; those of
  // one column (one of the column, or several of places in it) follow each other.
  struct rows *(*update)(lua_State *L, struct view *view, const struct query *q, const struct change *sets, int nsets);
  struct rows *(*remove)(lua_State *L, struct view *view, const struct query *q);
  // The row of one object by its key (shape->nkeys cells): all columns, then what the
  // store computes, in that order. No row: it is not there.
  struct rows *(*get)(lua_State *L, struct view *view, const struct class *class, const struct cell *key);
  // The same for n objects of any classes as they are at one moment, in a transaction that only reads (view->reads); keys live
  // until the rows are closed. A row for each in order; one without cells: it is not there. NULL = no such transactions.
  struct rows *(*load)(lua_State *L, struct view *view, const struct class *const *classes,
                       const struct cell *const *keys, int n);
  // Writes of objects of one class, each for itself: those that succeed stand (unless the view has a transaction and the
  // caller rolls it back). `writes` and all that they name stay alive until the rows are closed. Answers come when all is
  // done and committed, in the order of the list: ROWS_ROW with the cells of `returning` in column order (an auto key that
  // was not sent is always the only cell where returning is NULL); ROWS_FAILED for one that failed, and next() goes on.
  // An UPDATE or DELETE that found no row fails with kind not_found, or condition when the row is there but does not meet
  // it; a DELETE without condition is a row with changed = 0. UPSERT: changed = 1 if the row is new, 2 if it was there.
  struct rows *(*write)(lua_State *L, struct view *view, const struct class *class, const struct write *writes, int n);
  // Transactions: view->level 1 begins, commits or rolls back the transaction, deeper ones a savepoint of it.
  // begin sets view->transaction; `view` is the one that the transaction will be known by.
  // A store with CAN_CHECKS writes when the transaction commits: until then it answers writes as if they were done.
  struct rows *(*begin)(lua_State *L, struct view *view);
  struct rows *(*commit)(lua_State *L, struct view *view);
  // rollback of a transaction pushes nothing, returns NULL and cannot fail: whoever comes next finds it undone.
  struct rows *(*rollback)(lua_State *L, struct view *view);
  // After commit has failed, while its rows are open: what became of the i-th of the writes that are to blame. False: there
  // are no more. NULL = nobody knows.
  bool (*refused)(struct rows *commit, int i, struct refusal *out);
  // Pushes a table that says exactly what a query would send.
  void (*explain)(lua_State *L, struct view *view, const struct query *q);
  // Raw text with `params` (table index: a list, or by name; 0 = none). With a class, columns that bear the wire name of one
  // of its fields are read as that field's type. next(rows, NULL) starts it: then ncells and the names are known.
  struct rows *(*raw)(lua_State *L, struct view *view, const struct class *class, const char *text, size_t n,
                      int params);
  const char *(*column_name)(struct rows *rows, int i);
  // Rows of what is sent to a channel from now on, without end: channel, payload, process. NULL = none (CAN_CHANNELS).
  struct rows *(*listen)(lua_State *L, struct view *view, const char *channel);
  // COPY (CAN_COPY, NULL = none); `text` lives until the rows are closed. Rows of one cell, as the server spells them; or with
  // `in` a row without cells whenever put() may be called, and `changed` at the end.
  struct rows *(*copy)(lua_State *L, struct view *view, const char *text, size_t n, bool in);
  // The next piece of its data, 64 KB at most; p NULL: that was all.
  void (*put)(struct rows *rows, const char *p, size_t n);
  // Closes all connections; open transactions are rolled back. Does not wait.
  void (*close)(struct store *store);
};

// The head of a store's userdata.
struct store {
  const struct store_verbs *verbs;
  neap *host;
  const char *table_template;  // "test_{table}", NULL = none; anchored by the store's user value
  const char *place;           // of the database: the same for two stores on one, as far as can be told
  bool closed;
};

// ---- Views (view.c) ----

// A store as one sees it: options, scope, transaction. What scripts call a store is a view too, the first one. Immutable
// but for `dead`. The userdata's user values: 1 the store, 2 the parent view, 3 what else it needs.
struct view {
  struct store *store;
  const struct view *parent;
  void *transaction;  // the store's own handle of the open transaction, NULL = none
  int level;          // depth of transactions: 0 none, 1 the outer one, 2 ... savepoints
  bool atomic, overwrite, consistent;
  bool dry_run;                // nothing is written through it
  bool dead;                   // its transaction has ended: using it raises
  bool reads;                  // nothing is written in its transaction
  const char *token;           // that the script gave its transaction, NULL = none; anchored by the view
  double timeout;              // seconds, 0 = the default
  const struct fence *fence;   // what is written through it stands behind this, NULL = nothing
  const struct scope *scopes;  // of this view alone
  const struct view *base;     // the view whose transaction this one borrows, NULL = its own or none
};

// A condition that goes with everything done on a model through a view.
struct scope {
  const struct shape *shape;
  const struct condition *condition;
  const struct scope *next;
};

// Pushes the first view of the store at idx.
struct view *neap__view_new(lua_State *L, int store_idx);
struct view *neap__view_test(lua_State *L, int idx);
struct view *neap__view_check(lua_State *L, int idx);  // raises usage; also when the store is closed
// Pushes the table in which all views of the store keep what they share: `models` (name -> class), and what others add.
void neap__view_shared(lua_State *L, const struct view *view);
// The view that statements made through `view` really use: the running coroutine's context may carry a transaction or
// options for the same store, and a fence for all. Raises usage if its transaction has ended or the store is closed.
struct view *neap__view_effective(lua_State *L, struct view *view);
// Pushes the fence that the running coroutine stands behind, or nil.
const struct fence *neap__view_fence(lua_State *L);
// The condition that the view's scope adds for a model, and what all its objects meet; NULL = none.
const struct condition *neap__view_scope(const struct view *view, const struct shape *shape);
// What the scope adds to a query: nothing where the query has it already.
static inline const struct condition *neap__query_scope(const struct view *view, const struct query *q) {
  return q->scoped ? NULL : neap__view_scope(view, q->class->shape);
}
// Pushes it, or nil.
void neap__view_push_scope(lua_State *L, const struct view *view, const struct shape *shape);
// Whether a row with these cells (UNLOADED: not known) lies outside of the scope, as far as they tell.
bool neap__view_leaves(lua_State *L, const struct view *view, const struct shape *shape, const struct cell *cells);
// Raises `condition` where changes would move rows out of the scope, `unsupported` where they change what it asks for into
// what only the store knows.
void neap__view_check_changes(lua_State *L, const struct view *view, const struct shape *shape,
                              const struct change *changes, int n);
// Remembers the object at idx as it is now, once, if the view has a transaction, for that and for those around it: called
// before a save is sent. True if it was not known before.
bool neap__view_touch(lua_State *L, struct view *view, int idx);
// Forgets that again: nothing came of it.
void neap__view_untouch(lua_State *L, const struct view *view, int idx);
// Puts all objects that were touched back to how they were.
void neap__view_undo(lua_State *L, struct view *view);
// The view that began the innermost transaction or savepoint which `view` is in.
const struct view *neap__view_owner(const struct view *view);
// Whether what is written through it waits for the end of its transaction.
bool neap__view_collects(const struct view *view);
// Numbers the object at idx, which is about to be written in such a transaction, from 1 on: an object keeps its number, and
// lives as long as the transaction.
int neap__view_number(lua_State *L, const struct view *view, int idx);
// Pushes the object with that number.
void neap__view_push_numbered(lua_State *L, const struct view *view, int number);
// Notes that the object at idx was read in such a transaction; nothing in others. Whether it was.
void neap__view_note_read(lua_State *L, const struct view *view, int idx);
bool neap__view_has_read(lua_State *L, const struct view *view, int idx);
// Anchors the value on top of the stack, which it pops, with the view at idx.
void neap__view_keep(lua_State *L, int idx);
// Pushes a view that is like `parent`, to be changed before anybody sees it.
struct view *neap__view_child(lua_State *L, const struct view *parent);
void neap__view_push(lua_State *L, const struct view *view);

// transaction.c: begin, commit, rollback and raw statements, as view.c gives them to lua/neap/store.lua.
int neap__view_begin(lua_State *L);
int neap__view_commit(lua_State *L);
int neap__view_rollback(lua_State *L);
int neap__view_sql(lua_State *L);
int neap__view_close(lua_State *L);
int neap__view_listen(lua_State *L);
int neap__view_hear(lua_State *L);
int neap__view_copy(lua_State *L);
int neap__view_copied(lua_State *L);
int neap__view_put(lua_State *L);
int neap__view_stream(lua_State *L);
int neap__view_fetch(lua_State *L);

#endif
