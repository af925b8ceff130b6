// backoff.c: delays and budgets of what is tried again.
#include "transport/backoff.h"

#include <sodium.h>

bool neap__backoff_take(struct backoff_budget *b, int cost, int *taken) {
  if (b->spent + cost > BACKOFF_TOKENS) return false;
  b->spent += cost;
  *taken = cost;
  return true;
}

void neap__backoff_give(struct backoff_budget *b, int *taken) {
  int back = *taken > 0 ? *taken : BACKOFF_SUCCESS;
  b->spent = b->spent > back ? b->spent - back : 0;
  *taken = 0;
}

int64_t neap__backoff_delay(int failed, int64_t base, int64_t most) {
  int64_t limit = base;
  if (most > INT32_MAX) most = INT32_MAX;
  for (int i = 1; i < failed && limit < most; i++) limit *= 2;
  if (limit > most) limit = most;
  return sodium_init() < 0 ? limit : (int64_t)randombytes_uniform((uint32_t)limit + 1);
}
