// sql_transport.h: what the SQL stores ask of a driver: SQLite's and PostgreSQL's.
//
// A connection is used by whoever has leased it; what is started on it runs in that order. Nothing here knows of models, and
// nothing here raises: failures fill an error.
#ifndef NEAP_SQL_TRANSPORT_H
#define NEAP_SQL_TRANSPORT_H

#include "value/fence.h"
#include "value/rows.h"

// COPY: next() gives the rows of one that gives data as single cells, in the server's spelling; with one that takes data it
// gives an empty row whenever put() is due.
enum copy_direction { COPY_NONE, COPY_OUT, COPY_IN };

#define SQL_ONLY_READS "25006"  // what PostgreSQL calls it

// A statement to run. All of it is borrowed until the cursor is finished.
struct sql_statement {
  const char *text;
  size_t n;
  const struct cell *params;
  int nparams;
  const uint32_t *arrays;  // of each parameter that is an array in binary its type, 0 = it is a value; NULL = all are
  const uint8_t *kinds;    // enum cell_kind wanted of each result column; NULL = as the database types them
  int nkinds;
  bool control;   // BEGIN and its like: neither values nor rows
  bool harmless;  // changes nothing that lasts: may be sent again when its answer was lost
  bool
      shared;  // harmless, over a connection that carries others' statements too: may share their fate and be sent again
  bool rows;   // may give many rows: they are read one by one
  enum copy_direction copy;
  bool listens;  // LISTEN: never ends, and gives a row for each notification: channel, payload, process
  bool paged;    // the script uses the connection between the rows: they are fetched in portions, inside a transaction
  bool only_reads;            // fails, with the code SQL_ONLY_READS, if it would write
  const struct fence *fence;  // asked before it, in the same transaction, if it writes; NULL = nothing is
  const char *place;          // of the database, as fences call it
};

// How to reach a database, read from a URL.
struct sql_address {
  const char *path;  // file, or ":memory:"; of a server: its URL
  const char *name;  // of a file, in messages
  bool read_only;
  double timeout;  // seconds to wait for a lock, or for a connection to be made
};

struct sql_transport;

// The head of a connection.
struct sql_connection {
  const struct sql_transport *transport;
  neap *host;
  bool broken;          // must be closed, not given back
  bool in_transaction;  // what the database says, as of the last statement that has come back
  bool doomed;   // in a transaction in which a statement has failed: it can only be rolled back, or to a savepoint
  bool made;     // has been connected: when it is broken now, another may be tried
  double limit;  // seconds after which each statement on it ends by itself, 0 = never
};

// The head of a running statement.
struct sql_cursor {
  struct sql_connection *connection;
  int ncells;           // -1 until it is known: next(cursor, NULL) then tells when it is
  int64_t changed;      // rows written, once at the end
  int64_t last_id;      // the integer key that an insert got by itself, once at the end, where it does not return it
  bool in_transaction;  // what the database says of the connection once this statement has ended
  bool untouched;       // failed before anything of it was sent
};

struct sql_transport {
  const char *name;  // "sqlite", for error objects
  struct sql_connection *(*open)(neap *host, const struct sql_address *address, bool reader, struct neap__error *e);
  void (*close)(struct sql_connection *);
  // Prepares and binds. `op` is marked done whenever next() has something new to say.
  struct sql_cursor *(*start)(struct sql_connection *, const struct sql_statement *, struct neap__op *op,
                              struct neap__error *e);
  enum rows_state (*next)(struct sql_cursor *, struct cell *cells, struct neap__error *e);
  void (*finish)(struct sql_cursor *);
  // Asks what runs to end soon: it fails with `cancelled`. NULL where nothing runs beside the script.
  void (*interrupt)(struct sql_cursor *);
  // Undoes the transaction that is open, if any, after what was started before and ahead of all that is started later. Waits
  // for nothing and needs no memory; where the database cannot, nothing runs on the connection until it could.
  void (*rollback)(struct sql_connection *);
  // Gives a COPY the next piece of its data, 64 KB at most; NULL: that was all. What goes wrong comes out of next(). NULL where
  // there is no COPY.
  void (*put)(struct sql_cursor *, const char *p, size_t n);
  // Sends a statement and forgets it; if it fails, the connection is broken. NULL where nothing needs it.
  void (*post)(struct sql_connection *, const char *text);
  // Nobody uses the connection from now on: it is closed, and `broken`, when that has lasted for so many seconds. 0: it is used
  // again. NULL where connections are kept.
  void (*rest)(struct sql_connection *, double seconds);
  // The name of result column i.
  const char *(*column_name)(struct sql_cursor *, int i);
};

extern const struct sql_transport neap__sqlite;           // in place
extern const struct sql_transport neap__sqlite_threaded;  // on a thread, for hosts that are stepped
extern const struct sql_transport neap__postgres;         // on the loop

#endif
