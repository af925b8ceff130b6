// postgres_libpq.c: loads libpq.
#include "transport/postgres_libpq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#define LIBRARY "libpq.so.5"

struct postgres_libpq neap__libpq;

// The name of a function that the library does not have, NULL = it has all.
static const char *fill(void *library) {
  void *found;
#define FIND(name)                       \
  found = dlsym(library, #name);         \
  memcpy(&(name), &found, sizeof found); \
  if (!found) return #name;
  POSTGRES_LIBPQ(FIND)
#undef FIND
  return NULL;
}

static int load(struct neap__error *e) {
  void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);
  if (!library) {
    neap__error_set(e, NEAP_UNSUPPORTED,
                    "PostgreSQL is spoken to by " LIBRARY
                    ", which cannot be loaded; on Debian the package libpq5 has it");
    snprintf(e->detail, sizeof e->detail, "%s", dlerror());
    return -1;
  }
  const char *missing = fill(library);
  if (!missing) return 0;
  dlclose(library);
  memset(&neap__libpq, 0, sizeof neap__libpq);
  return neap__error_set(e, NEAP_UNSUPPORTED, LIBRARY " has no %s; at least that of PostgreSQL 14 is needed", missing);
}

int neap__libpq_load(struct neap__error *e) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static bool loaded;
  pthread_mutex_lock(&mutex);
  int status = loaded ? 0 : load(e);
  loaded = status == 0;
  pthread_mutex_unlock(&mutex);
  if (status != 0) e->store = "postgres";
  return status;
}
