// sqlite.h: what the files of the SQLite driver share among themselves.
#ifndef NEAP_SQLITE_H
#define NEAP_SQLITE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "transport/spool.h"
#include "transport/sql_transport.h"
#include "transport/statement_cache.h"

#define SQLITE_CACHED 128  // prepared statements that a connection keeps

struct sqlite;

// A prepared statement, and the cursor of its present run.
struct sqlite_statement {
  struct sql_cursor cursor;
  struct cached cached;  // listed: kept after its run; not a second one of the same text
  sqlite3_stmt *stmt;
  bool busy;
  bool done;     // has been stepped to its end
  bool spooled;  // the rest of its rows is in `spool`
  bool wrapped;  // in a transaction of its own, together with what a fence has asked
  int first;     // what the first step gave, where it was taken to learn the columns; 0 = not taken
  const uint8_t *kinds;
  int nkinds;
  struct spool spool;
  struct sqlite_statement *next, **prev;  // among those that run
};

// What a statement may still cost, in a host whose scripts are limited, and what it has cost. The script's side fills it in
// and settles it, the side that runs the statement counts.
struct sqlite_budget {
  uint64_t left, worked;  // instructions; left UINT64_MAX = any number
  size_t room;            // bytes that it may have while it runs, SIZE_MAX = any number
  size_t held;            // bytes of a database in memory
  enum { SQLITE_WITHIN, SQLITE_OVER_WORK, SQLITE_OVER_MEMORY } over;
};

struct sqlite {
  struct sql_connection head;
  sqlite3 *db;
  char *name;
  double timeout;
  int64_t deadline;              // of the present operation, ms as neap__now_ms counts; 0 = none
  double allowed;                // seconds that this was, for the message
  bool undo;                     // a transaction has to be rolled back before anything else runs
  uint64_t passed;               // the fences that have been asked in the transaction that is open, 0 = none
  atomic_bool interrupted;       // asked to end by another thread: the connection closes
  const atomic_bool *cancelled;  // the same for what runs now, NULL = nobody can
  struct statement_cache cache;
  struct sqlite_statement *running;
  int64_t total;  // rows that have been changed since it was opened
  bool limited, in_memory;
  int counted;                  // statements that were prepared when
  size_t statements;            // they had so many bytes
  struct sqlite_budget budget;  // of the present statement
  int64_t cpu_at, memory_at;    // us of CPU time, and bytes that SQLite had, when that was last looked at, or given
  size_t reported;              // bytes that the host knows of; the script's side alone reads it
};

// Opens, sets up and closes a connection, on whichever thread.
int neap__sqlite_open(struct sqlite *c, const struct sql_address *address, bool reader, struct neap__error *e);
void neap__sqlite_close(struct sqlite *c);
// A statement from the cache or prepared anew, bound and ready to step. NULL with `e` filled.
struct sqlite_statement *neap__sqlite_start(struct sqlite *c, const struct sql_statement *s, struct neap__error *e);
enum rows_state neap__sqlite_step(struct sqlite_statement *s, struct cell *cells, struct neap__error *e);
void neap__sqlite_finish(struct sqlite_statement *s);
// Rolls back what is open, now or before the next statement.
void neap__sqlite_undo(struct sqlite *c);

// sqlite_limits.c: sets the limits of a connection to that path that has just been opened. SQLITE_OK, or what failed.
int neap__sqlite_limits(struct sqlite *c, const char *path);
// The connection runs on that budget now.
void neap__sqlite_begin(struct sqlite *c, const struct sqlite_budget *given);
// It has done that many operations more. True if the statement has to end.
bool neap__sqlite_work(struct sqlite *c, unsigned ops);
// Notes what the database holds, at the end of a statement.
void neap__sqlite_held(struct sqlite *c);
// On the script's side: charges the running task for what a budget has cost, and fills it in anew.
void neap__sqlite_settle(neap *h, struct sqlite_budget *b, size_t *reported);

// Whether somebody has asked what runs to end.
bool neap__sqlite_interrupted(const struct sqlite *c);

// sqlite_error.c: fills `e` from what the database says of its last failure. Returns -1.
int neap__sqlite_error(struct sqlite *c, int code, struct neap__error *e);

// sqlite_functions.c: functions and collations of ours that statements use (regex, decimals, folding). 0 or an SQLite code.
int neap__sqlite_functions(sqlite3 *db);
// sqlite_decimal.c: neap_sum, neap_avg and neap_decimal_add. The same.
int neap__sqlite_decimal_functions(sqlite3 *db);

#endif
