// spool.h: rows kept aside: what a cursor has still to give when somebody wants to write, and what a thread hands over.
#ifndef NEAP_SPOOL_H
#define NEAP_SPOOL_H

#include <stdio.h>

#include "value/rows.h"

// Zero is an empty one. Rows come out in the order in which they went in.
struct spool {
  char *data;  // rows one behind the other: cells, then their text
  size_t n, size, at;
  FILE *file;  // what went over SPOOL_MEMORY before, NULL = nothing
  char *row;   // the row last read from the file
  size_t row_size;
};

#define SPOOL_MEMORY (8u << 20)  // bytes of rows that stay in memory; more goes to a temporary file

// False if memory or disk is short; the row is not there then. All rows of a spool have the same number of cells.
bool neap__spool_add(struct spool *s, const struct cell *cells, int ncells);
// Turns from adding to reading. False if the disk is short.
bool neap__spool_rewind(struct spool *s);
// The next row, borrowed until the next call. 1, 0 at the end, -1 if reading failed.
int neap__spool_next(struct spool *s, struct cell *cells, int ncells);
void neap__spool_free(struct spool *s);

#endif
