// uuid.c: UUIDs of versions 1, 4 and 7 (RFC 9562).
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "host.h"
#include "modules.h"
#include "value/uuid.h"

static uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void random_bytes(unsigned char *bytes) {
  if (sodium_init() < 0) sodium_misuse();  // ends the process: a system without randomness
  randombytes_buf(bytes, 16);
}

// Writes `n` low bytes of x in network order.
static void put(unsigned char *bytes, uint64_t x, int n) {
  while (n-- > 0) {
    bytes[n] = (unsigned char)x;
    x >>= 8;
  }
}

static void format(unsigned char bytes[16], int version, char out[37]) {
  static const char hex[] = "0123456789abcdef";
  bytes[6] = (unsigned char)((bytes[6] & 0x0F) | version << 4);
  bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = hex[bytes[i] >> 4];
    *out++ = hex[bytes[i] & 15];
  }
  *out = '\0';
}

void neap__uuid_v1(char out[37]) {
  unsigned char bytes[16];
  uint64_t ticks = clock_ns() / 100 + UINT64_C(0x01B21DD213814000);  // 100 ns since 1582-10-15
  random_bytes(bytes);
  put(bytes, ticks & 0xFFFFFFFF, 4);
  put(bytes + 4, ticks >> 32 & 0xFFFF, 2);
  put(bytes + 6, ticks >> 48, 2);
  bytes[10] |= 1;  // the multicast bit says that the node is no network card
  format(bytes, 1, out);
}

void neap__uuid_v4(char out[37]) {
  unsigned char bytes[16];
  random_bytes(bytes);
  format(bytes, 4, out);
}

// The next stamp of version 7: 48 bits of milliseconds and 12 bits of their fraction (method 3 of section 6.2), and always
// above the one before, whoever in the process asks.
static uint64_t next_stamp(void) {
  static _Atomic uint64_t last;
  uint64_t ns = clock_ns(), stamp = (ns / 1000000 << 12) | (ns % 1000000 * 4096 / 1000000);
  uint64_t before = atomic_load(&last), next;
  do next = stamp > before ? stamp : before + 1;
  while (!atomic_compare_exchange_weak(&last, &before, next));
  return next;
}

void neap__uuid_v7(char out[37]) {
  unsigned char bytes[16];
  uint64_t stamp = next_stamp();
  random_bytes(bytes);
  put(bytes, stamp >> 12, 6);
  put(bytes + 6, stamp & 0xFFF, 2);
  format(bytes, 7, out);
}

static char hex_lower(char c) {
  if (c >= 'A' && c <= 'F') return (char)(c + ('a' - 'A'));
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? c : '\0';
}

bool neap__uuid_parse(const char *p, size_t n, char out[37]) {
  if (n != 36 && n != 32) return false;
  for (int i = 0; i < 36; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    out[i] = dash ? '-' : hex_lower(*p);
    if (out[i] == '\0' || (dash && n == 36 && *p != '-')) return false;
    if (!dash || n == 36) p++;
  }
  out[36] = '\0';
  return true;
}

// neap.uuid() -> string
// neap.uuid{ version = 7 } -> string
//   version  1 (time and random node), 4 (random, the default) or 7 (sorts by the time it was made)
static int uuid_new(lua_State *L) {
  lua_Integer version = 4;
  char text[37];
  if (!lua_isnoneornil(L, 1)) {
    neap__arg_table(L, 1, "options");
    if (lua_getfield(L, 1, "version") != LUA_TNIL) version = neap__arg_integer(L, -1, "version", 1, 7);
  }
  if (version == 1)
    neap__uuid_v1(text);
  else if (version == 4)
    neap__uuid_v4(text);
  else if (version == 7)
    neap__uuid_v7(text);
  else
    return neap__fail(L, NEAP_USAGE, "version must be 1, 4 or 7, not " LUA_INTEGER_FMT, version);
  lua_pushlstring(L, text, 36);
  return 1;
}

int luaopen_neap_uuid(lua_State *L) {
  lua_pushcfunction(L, uuid_new);
  return 1;
}
