// fence.h: what stands between a task and what it writes: the lock that it must still have. It is asked for in the transaction
// of each write by the database that keeps it; other databases cannot, and are sent nothing once the lock may be over.
#ifndef NEAP_FENCE_H
#define NEAP_FENCE_H

#include "host.h"

struct fence {
  const struct fence *outer;  // of a lock that was had before, and still must be; NULL = none
  uint64_t id;                // no other of the host has it; copies have the same
  const char *name;           // of the lock
  int64_t token;
  const char *place;  // the database that keeps it
  // A statement with the name and the token as parameters. In SQLite it changes a row if they belong together, in PostgreSQL
  // it fails with a division by zero if they do not; either keeps others from changing that until the transaction ends.
  const char *text;
  size_t n;
  double deadline;  // seconds of the machine's uptime until which the lock is had for certain
  bool given_back;
};

// The first of them that is kept by the database at the place; NULL = none.
const struct fence *neap__fence_at(const struct fence *fence, const char *place);
// Looks at what can be known without the database at the place, just before something is sent to it. 0, or -1 with `e` filled.
int neap__fence_check(const struct fence *fence, const char *place, struct neap__error *e);
// The database says that the lock has another token. Returns -1.
int neap__fence_lost(const struct fence *fence, struct neap__error *e);
// Whether that is what went wrong.
bool neap__fence_is_lost(const struct neap__error *e);
// Seconds since the machine started; goes on while it sleeps, and while the process is stopped.
double neap__uptime(void);
// Those kept by the database at the place, in one block that free() takes. NULL: there are none, or memory is short.
struct fence *neap__fence_copy(const struct fence *fence, const char *place);

#endif
