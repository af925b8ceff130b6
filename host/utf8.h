// utf8.h: one character of UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF).
#ifndef NEAP_UTF8_H
#define NEAP_UTF8_H

#include <stddef.h>

// Bytes of the character at p (1 to 4), 0 if it is none. Table 3-7 of the Unicode standard: only the second byte has ranges
// that depend on the first. n is at least 1.
static inline size_t neap__utf8_character(const unsigned char *p, size_t n) {
  unsigned c = p[0];
  size_t len = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
  if (len < 2 || len > n) return len > n ? 0 : len;
  unsigned low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80, high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
  if (p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < len; i++)
    if ((p[i] & 0xC0) != 0x80) return 0;
  return len;
}

#endif
