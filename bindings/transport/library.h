// library.h: C libraries that are loaded when they are first used, and whose functions are called out of a table.
#ifndef NEAP_LIBRARY_H
#define NEAP_LIBRARY_H

#include <pthread.h>

#include "host.h"

struct library {
  const char *store;                  // in errors
  int (*load)(struct neap__error *);  // returns 0, or -1 with `e` filled
  pthread_mutex_t mutex;
  bool loaded;
};

// Loads the library if nobody has yet, on whatever thread. Returns 0, or -1 with `e` filled; the next call tries again then.
int neap__library_load(struct library *l, struct neap__error *e);
// Fills a table of n function pointers by their names. The first name that the library does not have, NULL = it has all.
const char *neap__library_fill(void *library, const char *const names[], size_t n, void *table);

#endif
