// postgres_libpq.c: loads libpq.
#include "transport/postgres_libpq.h"

#include <dlfcn.h>
#include <string.h>

#include "transport/library.h"

#define LIBRARY "libpq.so.5"

struct postgres_libpq neap__libpq;

static const char *const names[] = {
#define NAME(name) #name,
    POSTGRES_LIBPQ(NAME)
#undef NAME
};

static int load(struct neap__error *e) {
  void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);
  if (!library) {
    neap__error_set(e, NEAP_UNSUPPORTED,
                    "PostgreSQL is spoken to by " LIBRARY
                    ", which cannot be loaded; on Debian the package libpq5 has it");
    snprintf(e->detail, sizeof e->detail, "%s", dlerror());
    return -1;
  }
  const char *missing = neap__library_fill(library, names, sizeof names / sizeof *names, &neap__libpq);
  if (!missing) return 0;
  dlclose(library);
  memset(&neap__libpq, 0, sizeof neap__libpq);
  return neap__error_set(e, NEAP_UNSUPPORTED, LIBRARY " has no %s; at least that of PostgreSQL 14 is needed", missing);
}

int neap__libpq_load(struct neap__error *e) {
  static struct library library = {.store = "postgres", .load = load, .mutex = PTHREAD_MUTEX_INITIALIZER};
  return neap__library_load(&library, e);
}
