// library.c: loads C libraries when they are first used.
#include "transport/library.h"

#include <dlfcn.h>
#include <string.h>

int neap__library_load(struct library *l, struct neap__error *e) {
  pthread_mutex_lock(&l->mutex);
  int status = l->loaded ? 0 : l->load(e);
  l->loaded = status == 0;
  pthread_mutex_unlock(&l->mutex);
  if (status != 0) e->store = l->store;
  return status;
}

const char *neap__library_fill(void *library, const char *const names[], size_t n, void *table) {
  for (size_t i = 0; i < n; i++) {
    void *found = dlsym(library, names[i]);
    if (!found) return names[i];
    memcpy((char *)table + i * sizeof found, &found, sizeof found);
  }
  return NULL;
}
