// postgres_wire.h: how PostgreSQL spells values in binary: in network order, times from the year 2000 on.
#ifndef NEAP_POSTGRES_WIRE_H
#define NEAP_POSTGRES_WIRE_H

#include <stdint.h>

#define POSTGRES_EPOCH_DAYS 10957  // 2000-01-01
#define POSTGRES_EPOCH_US (INT64_C(946684800) * 1000000)

// Writes the low bytes of v; gives what lies behind them.
static inline char *neap__postgres_put_bytes(char *p, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) p[i] = (char)(v >> (8 * (bytes - 1 - i)));
  return p + bytes;
}

#endif
