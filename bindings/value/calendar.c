// calendar.c: days of the proleptic Gregorian calendar, ISO 8601 text, strftime. Pure but for the last part.
// Algorithms: Howard Hinnant, "chrono-compatible low-level date algorithms".
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "value/calendar.h"
#include "value/text.h"

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

static bool is_leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && is_leap(year));
}

// Years begin in March here, so that the leap day is the last of its year; an era is 400 years.
static int64_t days_of(int year, int month, int day) {
  int64_t y = year - (month <= 2), era = floor_div(y, 400), in_era = y - era * 400;
  int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static void date_of(int64_t days, struct civil *c) {
  int64_t z = days + 719468, era = floor_div(z, 146097), in_era = z - era * 146097;
  int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
  int64_t in_year = in_era - (365 * year + year / 4 - year / 100), month = (5 * in_year + 2) / 153;
  c->day = (int)(in_year - (153 * month + 2) / 5 + 1);
  c->month = (int)(month < 10 ? month + 3 : month - 9);
  c->year = (int)(year + era * 400 + (c->month <= 2));
}

int64_t neap__civil_day(int64_t us) {
  return floor_div(us, US_DAY);
}

struct civil neap__civil_of(int64_t us) {
  struct civil c;
  int64_t days = neap__civil_day(us), rest = us - days * US_DAY, seconds = rest / US_SECOND;
  date_of(days, &c);
  c.hour = (int)(seconds / 3600);
  c.minute = (int)(seconds / 60 % 60);
  c.second = (int)(seconds % 60);
  c.microsecond = (int)(rest % US_SECOND);
  return c;
}

static const char *const names[] = {"year", "month", "day", "hour", "minute", "second", "microsecond"};
#define NAMES 7

static int *field_at(struct civil *c, int i) {
  int *const fields[] = {&c->year, &c->month, &c->day, &c->hour, &c->minute, &c->second, &c->microsecond};
  return fields[i];
}

const char *neap__civil_time(const struct civil *c, int64_t *us, char fault[80]) {
  static const int low[] = {1, 1, 1, 0, 0, 0, 0}, high[] = {9999, 12, 31, 23, 59, 59, 999999};
  struct civil copy = *c;
  for (int i = 0; i < NAMES; i++) {
    int value = *field_at(&copy, i);
    if (value >= low[i] && value <= high[i]) continue;
    snprintf(fault, 80, "%s %d is not from %d to %d%s", names[i], value, low[i], high[i],
             i == 5 && value == 60 ? "; leap seconds are not kept" : "");
    return fault;
  }
  if (c->day > month_days(c->year, c->month)) {
    snprintf(fault, 80, "%04d-%02d has no day %d", c->year, c->month, c->day);
    return fault;
  }
  int64_t seconds = days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second;
  *us = seconds * US_SECOND + c->microsecond;
  return NULL;
}

// ---- ISO 8601 ----

struct scan {
  const char *p, *end;
};

// Reads exactly `digits` digits.
static bool scan_digits(struct scan *s, int digits, int *value) {
  *value = 0;
  for (int i = 0; i < digits; i++, s->p++) {
    if (s->p == s->end || *s->p < '0' || *s->p > '9') return false;
    *value = *value * 10 + (*s->p - '0');
  }
  return true;
}

static bool scan_one(struct scan *s, const char *set) {
  if (s->p == s->end || *s->p == '\0' || !strchr(set, *s->p)) return false;
  s->p++;
  return true;
}

static bool scan_date(struct scan *s, struct civil *c) {
  return scan_digits(s, 4, &c->year) && scan_one(s, "-") && scan_digits(s, 2, &c->month) && scan_one(s, "-") &&
         scan_digits(s, 2, &c->day);
}

static bool scan_fraction(struct scan *s, struct civil *c) {
  int weight = 100000;
  const char *from = s->p;
  for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, weight /= 10) c->microsecond += (*s->p - '0') * weight;
  return s->p > from;
}

static bool scan_time(struct scan *s, struct civil *c) {
  if (!scan_digits(s, 2, &c->hour) || !scan_one(s, ":") || !scan_digits(s, 2, &c->minute)) return false;
  if (!scan_one(s, ":")) return true;
  if (!scan_digits(s, 2, &c->second)) return false;
  return !scan_one(s, ".,") || scan_fraction(s, c);
}

// "Z", "+02", "+0200", "+02:00" or nothing; *minutes is how far the local time is ahead of UTC.
static bool scan_offset(struct scan *s, int *minutes) {
  int hour, minute = 0;
  *minutes = 0;
  if (s->p == s->end || scan_one(s, "Zz")) return true;
  bool behind = *s->p == '-';
  if (!scan_one(s, "+-") || !scan_digits(s, 2, &hour)) return false;
  if (s->p < s->end) {
    scan_one(s, ":");
    if (!scan_digits(s, 2, &minute)) return false;
  }
  *minutes = (hour * 60 + minute) * (behind ? -1 : 1);
  return hour < 24 && minute < 60;
}

const char *neap__datetime_read(const char *p, size_t n, int64_t *us, char fault[80]) {
  struct scan s = {p, p + n};
  struct civil c = {0};
  int minutes = 0;
  bool ok = scan_date(&s, &c);
  if (ok && s.p < s.end) ok = scan_one(&s, "Tt ") && scan_time(&s, &c) && scan_offset(&s, &minutes);
  if (!ok || s.p < s.end) return "expected ISO 8601, like 2015-07-20T09:05:57.463255+00:00";
  int64_t time;
  if (neap__civil_time(&c, &time, fault)) return fault;
  time -= minutes * 60 * US_SECOND;
  if (time < DATETIME_MIN || time > DATETIME_MAX) return "outside the years 0001 to 9999";
  *us = time;
  return NULL;
}

const char *neap__date_read(const char *p, size_t n, int64_t *days, char fault[80]) {
  struct scan s = {p, p + n};
  struct civil c = {0};
  int64_t us;
  if (!scan_date(&s, &c) || s.p < s.end) return "expected ISO 8601, like 2015-07-20";
  if (neap__civil_time(&c, &us, fault)) return fault;
  *days = neap__civil_day(us);
  return NULL;
}

bool neap__datetime_parse(const char *p, size_t n, int64_t *us) {
  char fault[80];
  return !neap__datetime_read(p, n, us, fault);
}

bool neap__date_parse(const char *p, size_t n, int64_t *days) {
  char fault[80];
  return !neap__date_read(p, n, days, fault);
}

static char *put_digits(char *out, int value, int digits) {
  for (int i = digits - 1; i >= 0; i--, value /= 10) out[i] = (char)('0' + value % 10);
  return out + digits;
}

static char *put_date(char *out, const struct civil *c) {
  out = put_digits(out, c->year, 4);
  *out++ = '-';
  out = put_digits(out, c->month, 2);
  *out++ = '-';
  return put_digits(out, c->day, 2);
}

static char *put_time(char *out, const struct civil *c) {
  out = put_digits(out, c->hour, 2);
  *out++ = ':';
  out = put_digits(out, c->minute, 2);
  *out++ = ':';
  return put_digits(out, c->second, 2);
}

size_t neap__datetime_format(int64_t us, char out[40]) {
  struct civil c = neap__civil_of(us);
  char *p = put_date(out, &c);
  *p++ = 'T';
  p = put_time(p, &c);
  *p++ = '.';
  p = put_digits(p, c.microsecond, 6);
  memcpy(p, "+00:00", 7);
  return (size_t)(p + 6 - out);
}

size_t neap__date_format(int64_t days, char out[16]) {
  struct civil c;
  date_of(days, &c);
  char *p = put_date(out, &c);
  *p = '\0';
  return (size_t)(p - out);
}

int64_t neap__datetime_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * US_SECOND + now.tv_nsec / 1000;
}

// ---- strftime ----

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

// The week of ISO 8601: the one that holds its year's first Thursday is 1.
static int iso_week(int64_t day, int weekday, int *year) {
  struct civil thursday;
  int64_t middle = day - (weekday + 6) % 7 + 3;
  date_of(middle, &thursday);
  *year = thursday.year;
  return (int)(middle - days_of(thursday.year, 1, 1)) / 7 + 1;
}

// Writes one conversion; NULL if there is none of that letter. `out` has room for 32 bytes.
static char *put_conversion(char *out, char letter, int64_t us) {
  struct civil c = neap__civil_of(us);
  int64_t day = neap__civil_day(us), weekday = ((day + 4) % 7 + 7) % 7;
  int week_year, week = iso_week(day, (int)weekday, &week_year);
  switch (letter) {
    case '%': *out = '%'; return out + 1;
    case 'Y': return put_digits(out, c.year, 4);
    case 'y': return put_digits(out, c.year % 100, 2);
    case 'm': return put_digits(out, c.month, 2);
    case 'd': return put_digits(out, c.day, 2);
    case 'H': return put_digits(out, c.hour, 2);
    case 'I': return put_digits(out, (c.hour + 11) % 12 + 1, 2);
    case 'M': return put_digits(out, c.minute, 2);
    case 'S': return put_digits(out, c.second, 2);
    case 'f': return put_digits(out, c.microsecond, 6);
    case 'j': return put_digits(out, (int)(day - days_of(c.year, 1, 1)) + 1, 3);
    case 'u': return put_digits(out, (int)(weekday + 6) % 7 + 1, 1);
    case 'w': return put_digits(out, (int)weekday, 1);
    case 'V': return put_digits(out, week, 2);
    case 'G': return put_digits(out, week_year, 4);
    case 'F': return put_date(out, &c);
    case 'T': return put_time(out, &c);
    case 'e': return out + sprintf(out, "%2d", c.day);
    case 's': return out + sprintf(out, "%lld", (long long)floor_div(us, US_SECOND));
    case 'p': return stpcpy(out, c.hour < 12 ? "AM" : "PM");
    case 'z': return stpcpy(out, "+0000");
    case 'Z': return stpcpy(out, "UTC");
    case 'A': return stpcpy(out, weekdays[weekday]);
    case 'B': return stpcpy(out, months[c.month - 1]);
    case 'a': return stpncpy(out, weekdays[weekday], 3);
    case 'b': return stpncpy(out, months[c.month - 1], 3);
    default: return NULL;
  }
}

void neap__civil_format(lua_State *L, int64_t us, const char *format, size_t n) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (size_t i = 0; i < n; i++) {
    if (format[i] != '%') {
      luaL_addchar(&b, format[i]);
      continue;
    }
    char letter = ++i < n ? format[i] : '\0', *out = luaL_prepbuffsize(&b, 32), *end = put_conversion(out, letter, us);
    if (!end)
      neap__fail(L, NEAP_USAGE, "format has no %%%c; it knows %%Y %%m %%d %%H %%M %%S %%f %%F %%T and more", letter);
    luaL_addsize(&b, (size_t)(end - out));
  }
  luaL_pushresult(&b);
}

// ---- Fields, for Lua ----

// The name is at idx.
static int unknown_name(lua_State *L, const char *what, int idx, const char *nearest) {
  return neap__fail(L, NEAP_USAGE, "%s has no %s%s", what, neap__show_key(L, idx).text,
                    neap__show_hint("", nearest).text);
}

int64_t neap__civil_from_table(lua_State *L, int idx, int n) {
  struct civil c = {.year = 0, .month = 1, .day = 1};
  int64_t us;
  char fault[80];
  luaL_checkstack(L, 4, NULL);
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    int i = 0;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
    while (i < n && strcmp(names[i], name) != 0) i++;
    if (i == n)
      unknown_name(L, n < NAMES ? "a date" : "a datetime", -2,
                   neap__text_nearest(name, strlen(name), names, (size_t)n));
    *field_at(&c, i) = (int)neap__arg_integer(L, -1, names[i], -999999999, 999999999);
  }
  lua_pushstring(L, names[0]);
  if (lua_rawget(L, idx) == LUA_TNIL)
    neap__fail(L, NEAP_VALIDATION, "%s needs a year: { year = 2026, month = 7, day = 20 }",
               n < NAMES ? "a date" : "a datetime");
  lua_pop(L, 1);
  if (neap__civil_time(&c, &us, fault)) neap__fail(L, NEAP_VALIDATION, "%s", fault);
  return us;
}

bool neap__civil_field(lua_State *L, int64_t us, const char *name, int n) {
  struct civil c = neap__civil_of(us);
  for (int i = 0; i < n; i++) {
    if (strcmp(names[i], name) != 0) continue;
    lua_pushinteger(L, *field_at(&c, i));
    return true;
  }
  return false;
}

int neap__civil_index(lua_State *L, int64_t us, int n, const char *what) {
  if (lua_type(L, 2) == LUA_TSTRING && neap__civil_field(L, us, lua_tostring(L, 2), n)) return 1;
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  const char *name = luaL_tolstring(L, 2, NULL);
  struct neap__nearest near = neap__nearest_to(name, strlen(name));
  for (int i = 0; i < n; i++) neap__nearest_offer(&near, names[i]);
  for (lua_pushnil(L); lua_next(L, lua_upvalueindex(1)); lua_pop(L, 1)) neap__nearest_offer(&near, lua_tostring(L, -2));
  return unknown_name(L, what, 2, near.best);
}

void neap__civil_metatable(lua_State *L, const char *type, const luaL_Reg *metamethods, const luaL_Reg *methods,
                           lua_CFunction index) {
  if (luaL_getmetatable(L, type) == LUA_TTABLE) return;
  lua_pop(L, 1);
  luaL_checkstack(L, 6, NULL);
  lua_createtable(L, 0, 12);
  luaL_setfuncs(L, metamethods, 0);
  lua_createtable(L, 0, 4);
  luaL_setfuncs(L, methods, 0);
  lua_pushcclosure(L, index, 1);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushstring(L, type);
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, type);
}
