// datetime.h: points in time (microseconds since 1970-01-01 UTC) and dates (days since then), years 0001 to 9999 of the
// proleptic Gregorian calendar. There are no time zones beyond offsets in text, and no leap seconds.
#ifndef NEAP_DATETIME_H
#define NEAP_DATETIME_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATETIME_MIN INT64_C(-62135596800000000)  // 0001-01-01T00:00:00.000000
#define DATETIME_MAX INT64_C(253402300799999999)  // 9999-12-31T23:59:59.999999
#define DATE_MIN INT64_C(-719162)
#define DATE_MAX INT64_C(2932896)

// The values must be in range: who computes them checks.
void neap__datetime_push(lua_State *L, int64_t us);
bool neap__datetime_test(lua_State *L, int idx, int64_t *us);
void neap__date_push(lua_State *L, int64_t days);
bool neap__date_test(lua_State *L, int idx, int64_t *days);

// "2015-07-20T09:05:57.463255+00:00": always UTC, always six digits, so that the order of texts is the order of times.
// They end the text by NUL and return its length.
size_t neap__datetime_format(int64_t us, char out[40]);
size_t neap__date_format(int64_t days, char out[16]);

// ISO 8601: date, then T or a space and the time with or without seconds and fraction, then nothing (UTC), Z or an offset.
// A date alone is midnight. Digits after the sixth of a fraction are cut. False for anything else and out of range.
bool neap__datetime_parse(const char *p, size_t n, int64_t *us);
bool neap__date_parse(const char *p, size_t n, int64_t *days);

// Now, by the clock of the machine.
int64_t neap__datetime_now(void);

#endif
