// backoff.h: when something is tried again: after a delay with full jitter, out of a budget that all who share a client share,
// so that a server which fails altogether does not get several times its requests.
#ifndef NEAP_BACKOFF_H
#define NEAP_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum {
  BACKOFF_TOKENS = 500,  // that there are at first, and at most
  BACKOFF_RETRY = 5,     // what another attempt costs
  BACKOFF_TIMEOUT = 10,  // the same after one that took too long
  BACKOFF_SUCCESS = 1    // what is given for something that went well at once
};

// The number that have been spent, so that zeroed memory is a full budget.
struct backoff_budget {
  int spent;
};

// Takes `cost` tokens for another attempt and keeps in *taken, 0 at first, what it was. False: the budget has not got them.
bool neap__backoff_take(struct backoff_budget *b, int cost, int *taken);
// Something went well: gives back what its last attempt took, or a little where it went well at once. *taken is 0 again.
void neap__backoff_give(struct backoff_budget *b, int *taken);

// Milliseconds to wait before another attempt after `failed` of them, 1 or more: anything from 0 to base * 2^(failed - 1) and
// at most `most`, both in milliseconds. Random, so that those who failed together do not come back together.
int64_t neap__backoff_delay(int failed, int64_t base, int64_t most);

#endif
