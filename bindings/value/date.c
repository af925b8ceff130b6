// date.c: days of the calendar for Lua: neap.date.
#include "modules.h"
#include "value/calendar.h"

#define TYPE "neap.date"
#define FIELDS 3  // year, month, day

static void push_metatable(lua_State *L);

void neap__date_push(lua_State *L, int64_t days) {
  *(int64_t *)lua_newuserdatauv(L, sizeof days, 0) = days;
  push_metatable(L);
  lua_setmetatable(L, -2);
}

bool neap__date_test(lua_State *L, int idx, int64_t *days) {
  const int64_t *p = luaL_testudata(L, idx, TYPE);
  if (p) *days = *p;
  return p != NULL;
}

static int64_t check(lua_State *L, int idx) {
  int64_t days = 0;
  if (!neap__date_test(L, idx, &days))
    neap__fail(L, NEAP_USAGE, "expected a date, not %s", neap__show_value(L, idx).text);
  return days;
}

static int push_checked(lua_State *L, int64_t days) {
  if (days < DATE_MIN || days > DATE_MAX)
    return neap__fail(L, NEAP_VALIDATION, "the date would lie outside the years 0001 to 9999");
  neap__date_push(L, days);
  return 1;
}

// A number of days that any date can be moved by and be out of range at most once.
static int64_t check_days(lua_State *L, int idx) {
  return neap__arg_integer(L, idx, "days", -2 * DATE_MAX, 2 * DATE_MAX);
}

// neap.date(text) -> date                              "2015-07-20"
// neap.date{ year =, month =, day = } -> date
// neap.date(datetime) -> date                          its day in UTC
//   Years 0001 to 9999. Raises `validation` for what is no date, `usage` for other types.
static int date_new(lua_State *L) {
  int64_t days = 0, us;
  size_t n;
  char fault[80];
  if (neap__date_test(L, 1, &days)) return push_checked(L, days);
  if (neap__datetime_test(L, 1, &us)) return push_checked(L, neap__civil_day(us));
  if (lua_type(L, 1) == LUA_TTABLE) return push_checked(L, neap__civil_day(neap__civil_from_table(L, 1, FIELDS)));
  if (lua_type(L, 1) != LUA_TSTRING)
    return neap__fail(L, NEAP_USAGE, "a date is made from text, a datetime or a table, not %s",
                      neap__show_value(L, 1).text);
  const char *text = lua_tolstring(L, 1, &n), *wrong = neap__date_read(text, n, &days, fault);
  if (wrong) return neap__fail(L, NEAP_VALIDATION, "%s is no date: %s", neap__show_value(L, 1).text, wrong);
  return push_checked(L, days);
}

// date + days, days + date -> date
static int date_add(lua_State *L) {
  int number = lua_type(L, 1) == LUA_TNUMBER ? 1 : 2;
  return push_checked(L, check(L, 3 - number) + check_days(L, number));
}

// date - date -> days as an integer; date - days -> date
static int date_sub(lua_State *L) {
  int64_t days = check(L, 1), other;
  if (!neap__date_test(L, 2, &other)) return push_checked(L, days - check_days(L, 2));
  lua_pushinteger(L, days - other);
  return 1;
}

static int date_eq(lua_State *L) {
  int64_t a = 0, b = 0;
  lua_pushboolean(L, neap__date_test(L, 1, &a) && neap__date_test(L, 2, &b) && a == b);
  return 1;
}

static int date_lt(lua_State *L) {
  lua_pushboolean(L, check(L, 1) < check(L, 2));
  return 1;
}

static int date_le(lua_State *L) {
  lua_pushboolean(L, check(L, 1) <= check(L, 2));
  return 1;
}

static int date_tostring(lua_State *L) {
  char text[16];
  lua_pushlstring(L, text, neap__date_format(check(L, 1), text));
  return 1;
}

// date.year month day
static int date_index(lua_State *L) {
  return neap__civil_index(L, check(L, 1) * US_DAY, FIELDS, "a date");
}

// date:format(format) -> string   as datetime:format
static int date_strftime(lua_State *L) {
  size_t n;
  int64_t days = check(L, 1);
  const char *format = neap__arg_string(L, 2, "format", &n);
  neap__civil_format(L, days * US_DAY, format, n);
  return 1;
}

// date:datetime() -> datetime   its midnight in UTC
static int date_datetime(lua_State *L) {
  neap__datetime_push(L, check(L, 1) * US_DAY);
  return 1;
}

static void push_metatable(lua_State *L) {
  static const luaL_Reg methods[] = {{"format", date_strftime}, {"datetime", date_datetime}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__add", date_add}, {"__sub", date_sub},           {"__eq", date_eq}, {"__lt", date_lt},
      {"__le", date_le},   {"__tostring", date_tostring}, {NULL, NULL},
  };
  neap__civil_metatable(L, TYPE, metamethods, methods, date_index);
}

int luaopen_neap_date(lua_State *L) {
  lua_pushcfunction(L, date_new);
  return 1;
}
