// rows.h: the answer to something that was sent: rows of cells that come out one by one, without Lua running in between.
// Transports give it, stores pass it on, the model makes objects of it.
#ifndef NEAP_ROWS_H
#define NEAP_ROWS_H

#include "value/cell.h"

enum rows_state { ROWS_ROW, ROWS_END, ROWS_WAIT, ROWS_FAILED };

// The head of an operation userdata. It has been started, but its errors come out of next().
struct rows {
  struct neap__op op;
  int ncells;       // cells in a row; known once next() has given something other than ROWS_WAIT
  int64_t changed;  // rows written: at ROWS_END by the whole statement; in answers to write() by this object
  bool stream;      // set before the first next(): the script runs between the rows, and may use the store
  int64_t batch;    // set before the first next(): rows of a page that a service is asked for, 0 = as it likes
  bool whole;       // with ROWS_FAILED: nothing of the operation stands, next() must not be called again
  // Gives the next row: cells (room for ncells, or for as many columns as were asked for) are borrowed until the next call.
  // cells NULL: only starts it, ROWS_ROW when ncells is known. ROWS_WAIT: nothing is here now, await op and ask again. ROWS_FAILED: `error` is filled.
  enum rows_state (*next)(struct rows *, struct cell *cells);
  // Ends early; harmless when it has ended. Also what __gc and __close call.
  void (*close)(struct rows *);
  struct neap__error error;
};

// Makes the metatable of a kind of rows (neap__op_new): close() is called when they are collected, or a script is done with them.
void neap__rows_type(lua_State *L, const char *name);

#endif
