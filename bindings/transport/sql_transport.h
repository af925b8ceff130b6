// sql_transport.h: what the SQL stores ask of a driver. SQLite is the first; PostgreSQL drops in behind the same functions.
//
// A connection runs one cursor for writing at a time and is used by whoever has leased it. Nothing here knows of models,
// and nothing here raises: failures fill an error.
#ifndef NEAP_SQL_TRANSPORT_H
#define NEAP_SQL_TRANSPORT_H

#include "value/rows.h"

// A statement to run. All of it is borrowed until the cursor is finished.
struct sql_statement {
  const char *text;
  size_t n;
  const struct cell *params;
  int nparams;
  const uint8_t *kinds;  // enum cell_kind wanted of each result column; NULL = as the database types them
  int nkinds;
};

// How to reach a database, read from a URL.
struct sql_address {
  const char *path;  // file, or ":memory:"
  bool read_only;
  double timeout;  // seconds to wait for a lock
};

struct sql_transport;

// The head of a connection.
struct sql_connection {
  const struct sql_transport *transport;
  neap *host;
  bool broken;          // must be closed, not given back
  bool in_transaction;  // what the database says, as of the last statement that has come back
};

// The head of a running statement.
struct sql_cursor {
  struct sql_connection *connection;
  int ncells;           // -1 until it is known: next(cursor, NULL) then tells when it is
  int64_t changed;      // rows written, once at the end
  bool in_transaction;  // what the database says of the connection once this statement has ended
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
  // The integer key that the last insert on this connection got by itself.
  int64_t (*last_id)(struct sql_connection *);
  // The name of result column i.
  const char *(*column_name)(struct sql_cursor *, int i);
};

extern const struct sql_transport neap__sqlite;           // in place
extern const struct sql_transport neap__sqlite_threaded;  // on a thread, for hosts that are stepped

#endif
