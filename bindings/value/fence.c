// fence.c: what is known of a lock without asking the database that keeps it.
#include "value/fence.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

double neap__uptime(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

const struct fence *neap__fence_at(const struct fence *fence, const char *place) {
  while (fence && strcmp(fence->place, place) != 0) fence = fence->outer;
  return fence;
}

static int refuse(const struct fence *f, const char *why, struct neap__error *e) {
  neap__error_set(e, NEAP_CONFLICT, "the lock %s (token %lld) %s; nothing was written",
                  neap__show_text(f->name, strlen(f->name)).text, (long long)f->token, why);
  strcpy(e->code, "lost");
  return -1;
}

int neap__fence_lost(const struct fence *f, struct neap__error *e) {
  return refuse(f, "is lost: somebody else has taken it", e);
}

bool neap__fence_is_lost(const struct neap__error *e) {
  return e->kind == NEAP_CONFLICT && strcmp(e->code, "lost") == 0;
}

int neap__fence_check(const struct fence *f, const char *place, struct neap__error *e) {
  for (; f; f = f->outer) {
    if (f->given_back) return refuse(f, "was given back", e);
    if (strcmp(f->place, place) != 0 && neap__uptime() >= f->deadline)
      return refuse(f, "has not been renewed in time: somebody else may have taken it", e);
  }
  return 0;
}

// Copies n bytes and a NUL to *to, which goes on behind them.
static const char *put(char **to, const char *p, size_t n) {
  char *copy = memcpy(*to, p, n);
  copy[n] = 0;
  *to += n + 1;
  return copy;
}

struct fence *neap__fence_copy(const struct fence *fence, const char *place) {
  size_t count = 0, texts = 0;
  for (const struct fence *f = neap__fence_at(fence, place); f; f = neap__fence_at(f->outer, place)) {
    count++;
    texts += strlen(f->name) + strlen(f->place) + f->n + 3;
  }
  struct fence *copies = count ? malloc(count * sizeof *copies + texts) : NULL, *to = copies;
  if (!copies) return NULL;
  char *p = (char *)(copies + count);
  for (const struct fence *f = neap__fence_at(fence, place); f; f = neap__fence_at(f->outer, place), to++) {
    *to = *f;
    to->outer = --count ? to + 1 : NULL;
    to->name = put(&p, f->name, strlen(f->name));
    to->place = put(&p, f->place, strlen(f->place));
    to->text = put(&p, f->text, f->n);
  }
  return copies;
}
