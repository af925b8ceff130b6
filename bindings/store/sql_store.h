// sql_store.h: what the files of the SQL stores share beside statements: the store, its connections, runs and transactions.
#ifndef NEAP_SQL_STORE_H
#define NEAP_SQL_STORE_H

#include "store/sql.h"
#include "store/sql_dialect.h"
#include "transport/sql_transport.h"

#define SQL_READERS \
  8  // connections for reading: idle ones that a store keeps, and those at work for reads that end by themselves
#define SQL_POOL_MAX 256  // connections to a server

// The transaction that holds a connection. A userdata, anchored by the view that began it.
struct sql_transaction {
  struct sql_store *store;  // NULL once it has ended
  struct sql_connection *connection;
  neap_task task;           // the one that began it, and alone can end it; 0 = it ends by itself
  int level;                // of the innermost open savepoint
  bool lost;                // cannot be committed: undone by the database, or a savepoint could not be
  struct sql_run *copying;  // the COPY that has the connection for itself
};

// What a run may have to wait for.
enum sql_use {
  USE_READ,   // any connection sees what is committed
  USE_WRITE,  // a connection that writes, or that of the transaction
  USE_RAW,    // the same, for a statement of the script's own: what it does to the connection is its own too
  USE_BEGIN   // a connection that writes, for longer than this run
};

// Something that is sent over a connection: the userdata behind struct rows. User values: 1 the view, 2 the statement's text,
// 3 what its parameters belong to.
struct sql_run {
  struct rows rows;
  struct sql_store *store;  // NULL once it is closed
  struct sql_transaction *transaction;
  int level;  // the level of the transaction at which it may run
  enum sql_use use;
  const struct fence *fence;  // what it writes stands behind this, NULL = nothing
  bool dry;                   // nothing that writes is sent
  int64_t dry_key;            // then: the key that a row of it is given, 0 = none
  bool sets;                  // a SET: it changes the connection and nothing else
  bool counts;                // its row is how many rows there are, as `changed` tells them
  struct sql_connection *connection;
  bool reader;        // the connection goes back to the idle readers
  bool queues;        // waits for a reader, or has been told that one is free
  bool leased;        // the connection is to be given back at the end
  bool sharing;       // with others' runs
  bool given;         // has given a row
  int64_t seen;       // rows of the present statement
  int tries;          // connections that it has lost
  char holders[200];  // while it waits for a connection: who has them
  struct {
    int64_t deadline;
    double seconds;
  } limit;     // its own, while it waits for a connection
  bool opens;  // the next level of its transaction: a savepoint
  bool ended;
  bool failed;
  bool lenient;  // a failure counts as the end: there is nothing to roll back
  bool wrapped;  // in a transaction of its own, which `second` ends
  struct sql_statement statement;
  const char *second;  // runs after the first, NULL = nothing
  struct sql_cursor *cursor;
  const struct class *class;        // raw: names columns that are read by type, the kinds of which are then in `kinds`
  int ncasts;                       // room in `kinds` for them
  bool known;                       // the columns of the cursor are known
  void *more;                       // sql_bulk.c: the writes
  int (*at_end)(struct sql_run *);  // 0, or -1 with rows.error filled
  struct sql_run *next, **prev;     // among those that wait or run
  char control[2][32];              // text of BEGIN and its like
  _Alignas(8) uint8_t kinds[];
};

// How the runs of a store that are in no transaction come to a connection.
struct sql_leasing {
  // ROWS_ROW: run->connection is set, and is the run's until release(). ROWS_WAIT, ROWS_FAILED.
  enum rows_state (*lease)(struct sql_run *run);
  void (*release)(struct sql_run *run);
  void (*leave)(struct sql_run *run);  // it waits no more, and was given nothing; NULL = nobody remembers who waits
  // The transaction has ended, and no run of it is left on its connection.
  void (*ended)(struct sql_store *store, struct sql_transaction *tx);
  // The task without which a run that waits cannot go on, 0 = none.
  neap_task (*needs)(const struct sql_run *run, const char **why);
  void (*close)(struct sql_store *store);
};

extern const struct sql_leasing neap__sql_lease;  // sql_lease.c: a writer and readers
extern const struct sql_leasing neap__sql_pool;   // sql_pool.c: a pool of equals

// A connection of a pool.
struct sql_slot {
  struct sql_connection *connection;  // NULL: none yet
  int shared;                         // runs that share it
  const struct sql_run *run;          // the one that has it alone,
  const struct sql_transaction *tx;   // or the transaction
  const struct sql_run *wanted;       // by one that waits until nobody shares it any more
  neap_task task;                     // of the holder
  const char *what;                   // that is
  int64_t since;                      // loop time
  bool unlimited;                     // its statements may take as long as they will
  bool resting;                       // nobody uses it, and it goes if that lasts
};

struct sql_store {
  struct store head;
  const struct sql_leasing *leasing;
  const struct sql_transport *transport;
  const struct sql_dialect *dialect;
  struct sql_address address;
  bool one_connection;  // in memory: nothing but the writer sees the data
  bool alone;           // of a pool: no statement shares a connection
  struct sql_connection *writer, *readers[SQL_READERS];
  int nreaders, reading;                // reading: those at work for reads that end by themselves
  struct sql_transaction *transaction;  // has the writer
  struct sql_slot *slots;               // of a pool
  int nslots;
  double wait, idle;         // seconds: for a connection of the pool; that one of several is kept unused, 0 = any
  double statement_timeout;  // seconds: of statements that share a connection, 0 = none
  struct sql_run *waiting, *running;
  struct neap__closer closer;
  int64_t dry_keys;  // the last one that was given in a dry run
};

// ---- sql_run.c ----

// Pushes a run with room for nkinds kinds of result columns. `effective` is the view that counts.
struct sql_run *neap__sql_run_new(lua_State *L, struct view *effective, enum sql_use use, int nkinds);
// Starts the statement of a run that has a connection: the one place from which anything is sent, so that nothing is written
// past a fence. False with rows.error filled.
bool neap__sql_run_send(struct sql_run *run);
// Gives a run the connection that it needs: ROWS_ROW when it has one, ROWS_WAIT, ROWS_FAILED.
enum rows_state neap__sql_run_lease(struct sql_run *run);
// After a failure: if the connection is lost, and nothing stands of what was done on it, the run has none any more and is to be
// begun again with another. False: the failure counts.
bool neap__sql_run_again(struct sql_run *run, bool undone);
// Ends a run that a script still holds: it gives nothing more.
void neap__sql_run_stop(struct sql_run *run, const char *why);
// Makes the run wait until somebody wakes it.
enum rows_state neap__sql_run_wait(struct sql_run *run);
// Finishes the run and gives its connection back.
void neap__sql_run_close(struct rows *rows);
// Lets everybody who waits for a connection look again.
void neap__sql_wake(struct sql_store *store);
void neap__sql_run_wake(struct sql_run *run);
// Whether the database is in a transaction, once the run's statement has ended or did not start.
bool neap__sql_in_transaction(const struct sql_run *run);
// Ends the transaction for good: the connection is free for others.
void neap__sql_transaction_end(struct sql_transaction *tx);
void neap__sql_store_close(struct store *store);
void neap__sql_run_open(lua_State *L);

// ---- sql_dry.c ----

// Logs what the run would send.
void neap__sql_dry_log(const struct sql_run *run);
// Does as if the run's statement had been sent. NULL: memory is short.
struct sql_cursor *neap__sql_dry_start(struct sql_run *run);

// ---- sql.c ----

const struct sql_dialect *neap__sql_dialect(const struct view *view);
// Pops the text (and leaves the run below it) and makes it what the run sends. Raises what writing it went wrong with.
void neap__sql_run_take(lua_State *L, struct sql_run *run, struct sql_text *text, int status, struct neap__error *e);
// Makes a cell as the database types it one of a kind, where its value allows that.
void neap__sql_cast(struct cell *cell, enum cell_kind kind);
// Writes a value of the field as the database keeps it.
struct cell neap__sql_value(const struct field *field, struct cell cell);

// Makes the metatable of transactions.
void neap__sql_transaction_open(lua_State *L);

extern const struct store_verbs neap__sql_verbs_sqlite, neap__sql_verbs_postgres;

// ---- sql_open.c, sql_open_postgres.c ----

// Pushes a store that can be collected before it is open, and what it keeps. The options are at index 1.
struct sql_store *neap__sql_store_new(lua_State *L, const struct store_verbs *verbs);
// An option of the table at index 1, of which the store keeps the text.
const char *neap__sql_option_string(lua_State *L, const char *name, const char *otherwise);
double neap__sql_option_seconds(lua_State *L, const char *name, double otherwise);
// Pushes the view of the store, which is open now, and returns 1.
int neap__sql_opened(lua_State *L, struct sql_store *s);
int neap__sql_connect(lua_State *L);

// ---- sql_raw.c ----

// A statement with ? or :name for values, which are in the table at index params (0 = none).
struct rows *neap__sql_raw(lua_State *L, struct view *view, const struct class *class, const char *p, size_t n,
                           int params);

// ---- sql_write.c, sql_change.c: statements that write one object ----

// Whether an insert makes an integer key that the database chooses, known without asking for the row.
bool neap__sql_serial(const struct shape *shape, const struct write *w);
void neap__sql_insert(struct sql_text *s, const struct shape *shape, const struct write *w);
int neap__sql_update_one(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                         struct neap__error *e);
int neap__sql_update_conflict(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                              struct neap__error *e);
int neap__sql_upsert(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                     struct neap__error *e);
int neap__sql_delete_one(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                         struct neap__error *e);
void neap__sql_exists(struct sql_text *s, const struct shape *shape, const struct cell *key);
int neap__sql_change_sqlite(struct sql_text *s, const struct change *c, int n, struct neap__error *e);
int neap__sql_change_postgres(struct sql_text *s, const struct change *c, int n, struct neap__error *e);
// "column" = expression: one change of the column, or n of places inside it.
int neap__sql_change(struct sql_text *s, const struct change *c, int n, struct neap__error *e);

// RETURNING: the key that the database chooses, then what is wanted back. Nothing if that is nothing.
void neap__sql_returning(struct sql_text *s, const struct shape *shape, const struct write *w);

// ---- sql_unnest.c: writes of like objects in one statement ----

// The columns of the objects as arrays. Zero is an empty one.
struct sql_arrays {
  struct sql_array_column *columns;
  uint32_t *types;  // of those that are in binary, 0 = text
  struct neap__buffer scratch;
  int ncolumns;
};

// Whether the write may stand in one statement with others that are like it.
bool neap__sql_groups(const struct sql_dialect *dialect, const struct shape *shape, const struct write *w);
// The statement, for any number of objects like w. An INSERT returns what each of them would, in order; others return the
// numbers, from 1, of those that were there.
void neap__sql_unnest(struct sql_text *s, const struct shape *shape, const struct write *w);
// How many of the n writes one statement takes.
int neap__sql_group(const struct shape *shape, const struct write *writes, int n);
// Makes its parameters. Returns their number, -1 when memory is short. They live until the next call.
int neap__sql_arrays_fill(struct sql_arrays *a, const struct sql_dialect *dialect, const struct shape *shape,
                          const struct write *writes, int n, struct cell *params);
void neap__sql_arrays_free(struct sql_arrays *a);

// ---- sql_bulk.c ----

struct rows *neap__sql_write(lua_State *L, struct view *view, const struct class *class, const struct write *writes,
                             int n);

#endif
