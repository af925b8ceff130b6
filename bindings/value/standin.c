// standin.c: stands in for the decimals, datetimes and text that are about to land; goes when they do.
#include <stdlib.h>
#include <string.h>
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/text.h"
__attribute__((weak)) int neap__decimal_push(lua_State *L, const char *text, size_t n) {
  (void)L;
  (void)text;
  (void)n;
  return -1;
}
__attribute__((weak)) bool neap__decimal_test(lua_State *L, int idx) {
  (void)L;
  (void)idx;
  return false;
}
__attribute__((weak)) const char *neap__decimal_text(lua_State *L, int idx, size_t *n) {
  (void)L;
  (void)idx;
  *n = 0;
  return "";
}
__attribute__((weak)) int neap__decimal_compare(const char *a, size_t na, const char *b, size_t nb) {
  double x = strtod(a, 0), y = strtod(b, 0);
  (void)na;
  (void)nb;
  return (x > y) - (x < y);
}
__attribute__((weak)) int neap__decimal_parse(const char *text, size_t n, char *out, size_t outsize, size_t *outn,
                                              struct neap__error *e) {
  (void)e;
  if (n >= outsize) return -1;
  memcpy(out, text, n);
  out[n] = 0;
  *outn = n;
  return 0;
}
__attribute__((weak)) void neap__datetime_push(lua_State *L, int64_t us) {
  lua_pushinteger(L, us);
}
__attribute__((weak)) bool neap__datetime_test(lua_State *L, int idx, int64_t *us) {
  (void)L;
  (void)idx;
  (void)us;
  return false;
}
__attribute__((weak)) void neap__date_push(lua_State *L, int64_t us) {
  lua_pushinteger(L, us);
}
__attribute__((weak)) bool neap__date_test(lua_State *L, int idx, int64_t *us) {
  (void)L;
  (void)idx;
  (void)us;
  return false;
}
__attribute__((weak)) size_t neap__datetime_format(int64_t us, char out[40]) {
  (void)us;
  out[0] = 0;
  return 0;
}
__attribute__((weak)) size_t neap__date_format(int64_t us, char out[16]) {
  (void)us;
  out[0] = 0;
  return 0;
}
__attribute__((weak)) bool neap__text_utf8(const char *p, size_t n, size_t *bad) {
  for (size_t i = 0; i < n;) {
    unsigned char c = (unsigned char)p[i];
    int k = c < 0x80 ? 0 : c < 0xc2 ? -1 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : -1;
    if (k < 0 || i + (size_t)k >= n + (k == 0)) {
      *bad = i;
      return false;
    }
    for (int j = 1; j <= k; j++)
      if (((unsigned char)p[i + (size_t)j] & 0xc0) != 0x80) {
        *bad = i;
        return false;
      }
    unsigned char d = k > 0 ? (unsigned char)p[i + 1] : 0;
    if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) || (c == 0xf0 && d < 0x90) || (c == 0xf4 && d > 0x8f)) {
      *bad = i;
      return false;
    }
    i += (size_t)k + 1;
  }
  return true;
}
