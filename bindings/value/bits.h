// bits.h: sets of small numbers, of columns above all: 64 to a word.
#ifndef NEAP_BITS_H
#define NEAP_BITS_H

#include <stdbool.h>
#include <stdint.h>

// NULL is the empty set.
static inline bool neap__has_bit(const uint64_t *bits, int i) {
  return bits && (bits[i / 64] >> (i % 64) & 1);
}

static inline void neap__set_bit(uint64_t *bits, int i) {
  bits[i / 64] |= UINT64_C(1) << (i % 64);
}

#endif
