// datetime.c: points in time for Lua: neap.datetime and neap.now.
#include <math.h>
#include <string.h>

#include "modules.h"
#include "value/calendar.h"

#define TYPE "neap.datetime"
#define FIELDS 7  // year to microsecond

static void push_metatable(lua_State *L);

void neap__datetime_push(lua_State *L, int64_t us) {
  *(int64_t *)lua_newuserdatauv(L, sizeof us, 0) = us;
  push_metatable(L);
  lua_setmetatable(L, -2);
}

bool neap__datetime_test(lua_State *L, int idx, int64_t *us) {
  const int64_t *p = luaL_testudata(L, idx, TYPE);
  if (p) *us = *p;
  return p != NULL;
}

static int64_t check(lua_State *L, int idx) {
  int64_t us = 0;
  if (!neap__datetime_test(L, idx, &us))
    neap__fail(L, NEAP_USAGE, "expected a datetime, not %s", neap__show_value(L, idx).text);
  return us;
}

static int push_checked(lua_State *L, int64_t us) {
  if (us < DATETIME_MIN || us > DATETIME_MAX)
    return neap__fail(L, NEAP_VALIDATION, "the datetime would lie outside the years 0001 to 9999");
  neap__datetime_push(L, us);
  return 1;
}

// The number of seconds at idx in microseconds, far out of range for what does not fit: NaN and the infinities too.
static int64_t seconds(lua_State *L, int idx) {
  int64_t limit = 2 * DATETIME_MAX, whole;
  if (lua_isinteger(L, idx)) {
    whole = lua_tointeger(L, idx);
    return whole > limit / US_SECOND || whole < -limit / US_SECOND ? limit : whole * US_SECOND;
  }
  long double us = (long double)lua_tonumber(L, idx) * US_SECOND;
  return us > -limit && us < limit ? (int64_t)llroundl(us) : limit;
}

// neap.datetime(text) -> datetime          ISO 8601; without an offset it is UTC, a date alone is midnight
// neap.datetime(seconds) -> datetime       since 1970-01-01 UTC
// neap.datetime{ year =, month =, day =, hour =, minute =, second =, microsecond = } -> datetime     UTC
// neap.datetime(date) -> datetime          its midnight in UTC
//   Years 0001 to 9999. Raises `validation` for what is no time, `usage` for other types.
static int datetime_new(lua_State *L) {
  int64_t us = 0, days;
  size_t n;
  char fault[80];
  const char *text, *wrong;
  if (neap__datetime_test(L, 1, &us)) return push_checked(L, us);
  if (neap__date_test(L, 1, &days)) return push_checked(L, days * US_DAY);
  switch (lua_type(L, 1)) {
    case LUA_TNUMBER: return push_checked(L, seconds(L, 1));
    case LUA_TTABLE: return push_checked(L, neap__civil_from_table(L, 1, FIELDS));
    case LUA_TSTRING:
      text = lua_tolstring(L, 1, &n);
      wrong = neap__datetime_read(text, n, &us, fault);
      if (wrong) return neap__fail(L, NEAP_VALIDATION, "%s is no datetime: %s", neap__show_value(L, 1).text, wrong);
      return push_checked(L, us);
    default:
      return neap__fail(L, NEAP_USAGE, "a datetime is made from text, seconds or a table, not %s",
                        neap__show_value(L, 1).text);
  }
}

// neap.now() -> datetime
static int datetime_now(lua_State *L) {
  return push_checked(L, neap__datetime_now());
}

// datetime + seconds, seconds + datetime -> datetime
static int datetime_add(lua_State *L) {
  int number = lua_type(L, 1) == LUA_TNUMBER ? 1 : 2;
  int64_t us = check(L, 3 - number);
  if (lua_type(L, number) != LUA_TNUMBER)
    return neap__fail(L, NEAP_USAGE, "to a datetime one can add seconds, not %s", neap__show_value(L, number).text);
  return push_checked(L, us + seconds(L, number));
}

// datetime - datetime -> seconds as a float, exact to the microsecond; datetime - seconds -> datetime
static int datetime_sub(lua_State *L) {
  int64_t us = check(L, 1), other;
  if (neap__datetime_test(L, 2, &other)) {
    lua_pushnumber(L, (lua_Number)((long double)(us - other) / US_SECOND));
    return 1;
  }
  if (lua_type(L, 2) != LUA_TNUMBER)
    return neap__fail(L, NEAP_USAGE, "from a datetime one can subtract seconds or a datetime, not %s",
                      neap__show_value(L, 2).text);
  return push_checked(L, us - seconds(L, 2));
}

static int datetime_eq(lua_State *L) {
  int64_t a = 0, b = 0;
  lua_pushboolean(L, neap__datetime_test(L, 1, &a) && neap__datetime_test(L, 2, &b) && a == b);
  return 1;
}

static int datetime_lt(lua_State *L) {
  lua_pushboolean(L, check(L, 1) < check(L, 2));
  return 1;
}

static int datetime_le(lua_State *L) {
  lua_pushboolean(L, check(L, 1) <= check(L, 2));
  return 1;
}

static int datetime_tostring(lua_State *L) {
  char text[40];
  lua_pushlstring(L, text, neap__datetime_format(check(L, 1), text));
  return 1;
}

// dt.year month day hour minute second microsecond, all in UTC
static int datetime_index(lua_State *L) {
  return neap__civil_index(L, check(L, 1), FIELDS, "a datetime");
}

// dt:format(format) -> string
//   format  as of strftime: %Y %m %d %H %M %S %f %y %j %I %p %a %A %b %B %e %u %w %V %G %F %T %s %z %Z %%; names in English
static int datetime_strftime(lua_State *L) {
  size_t n;
  int64_t us = check(L, 1);
  const char *format = neap__arg_string(L, 2, "format", &n);
  neap__civil_format(L, us, format, n);
  return 1;
}

// dt:date() -> date   the day in UTC
static int datetime_date(lua_State *L) {
  neap__date_push(L, neap__civil_day(check(L, 1)));
  return 1;
}

// dt:timestamp() -> seconds since 1970-01-01 UTC; an integer when there is no fraction, else a float
static int datetime_timestamp(lua_State *L) {
  int64_t us = check(L, 1);
  if (us % US_SECOND == 0)
    lua_pushinteger(L, us / US_SECOND);
  else
    lua_pushnumber(L, (lua_Number)((long double)us / US_SECOND));
  return 1;
}

static void push_metatable(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"format", datetime_strftime}, {"date", datetime_date}, {"timestamp", datetime_timestamp}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__add", datetime_add}, {"__sub", datetime_sub},           {"__eq", datetime_eq}, {"__lt", datetime_lt},
      {"__le", datetime_le},   {"__tostring", datetime_tostring}, {NULL, NULL},
  };
  neap__civil_metatable(L, TYPE, metamethods, methods, datetime_index);
}

// Gives a function; neap.now comes from luaopen_neap_now, so that both load when first touched.
int luaopen_neap_datetime(lua_State *L) {
  lua_pushcfunction(L, datetime_new);
  return 1;
}

int luaopen_neap_now(lua_State *L) {
  lua_pushcfunction(L, datetime_now);
  return 1;
}
