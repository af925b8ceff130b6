// crc32.c: CRC-32, eight bytes at a time by eight tables: replies of a megabyte are checked.
#include "value/crc32.h"

#include <pthread.h>

#define POLYNOMIAL 0xedb88320u  // reflected

static uint32_t tables[8][256];  // [k][b]: what the byte b comes to when k more have followed it

static void make_tables(void) {
  for (uint32_t b = 0; b < 256; b++) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
    tables[0][b] = crc;
  }
  for (int k = 1; k < 8; k++)
    for (int b = 0; b < 256; b++) tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 255];
}

uint32_t neap__crc32(const char *text, size_t n) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  const unsigned char *p = (const unsigned char *)text;
  uint32_t crc = ~0u;
  pthread_once(&once, make_tables);
  for (; n >= 8; p += 8, n -= 8) {
    crc ^= p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    crc = tables[7][crc & 255] ^ tables[6][crc >> 8 & 255] ^ tables[5][crc >> 16 & 255] ^ tables[4][crc >> 24] ^
          tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^ tables[0][p[7]];
  }
  for (; n > 0; p++, n--) crc = crc >> 8 ^ tables[0][(crc ^ *p) & 255];
  return ~crc;
}
