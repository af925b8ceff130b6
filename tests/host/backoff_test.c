// backoff_test.c: delays stay below what doubles, and the budget of retries runs out and comes back.
#include "transport/backoff.h"

#include "check.h"

static int64_t longest(int failures, int64_t base, int64_t most) {
  int64_t longest_one = -1;
  for (int i = 0; i < 2000; i++) {
    int64_t delay = neap__backoff_delay(failures, base, most);
    CHECK(delay >= 0);
    if (delay > longest_one) longest_one = delay;
  }
  return longest_one;
}

static void test_delays(void) {
  for (int n = 1; n <= 6; n++) {
    int64_t limit = 50LL << (n - 1), found = longest(n, 50, 20000);
    CHECK(found <= limit && found > limit / 2);
  }
  CHECK(longest(12, 50, 20000) <= 20000 && longest(100, 50, 20000) > 10000);
  CHECK(longest(1, 0, 20000) == 0 && longest(3, 500, 100) <= 100);
}

static void test_budget(void) {
  struct backoff_budget b = {0};
  int taken = 0, retries = 0, none = 0;
  while (neap__backoff_take(&b, BACKOFF_RETRY, &taken)) retries++;
  CHECK(retries == BACKOFF_TOKENS / BACKOFF_RETRY && taken == BACKOFF_RETRY);
  neap__backoff_give(&b, &taken);
  CHECK(taken == 0 && !neap__backoff_take(&b, BACKOFF_TIMEOUT, &taken) &&
        neap__backoff_take(&b, BACKOFF_RETRY, &taken));
  for (int i = 0; i < BACKOFF_RETRY - 1; i++) neap__backoff_give(&b, &none);
  CHECK(!neap__backoff_take(&b, BACKOFF_RETRY, &taken));
  neap__backoff_give(&b, &none);
  CHECK(neap__backoff_take(&b, BACKOFF_RETRY, &taken));
  for (int i = 0; i < 2 * BACKOFF_TOKENS; i++) neap__backoff_give(&b, &none);
  CHECK(b.spent == 0);
}

int main(void) {
  test_delays();
  test_budget();
  return report();
}
