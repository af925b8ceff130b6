// calendar.h: the arithmetic of dates and times of day that datetime.c and date.c share.
#ifndef NEAP_CALENDAR_H
#define NEAP_CALENDAR_H

#include "host.h"
#include "value/datetime.h"

#define US_SECOND INT64_C(1000000)
#define US_DAY (INT64_C(86400) * US_SECOND)

struct civil {
  int year, month, day, hour, minute, second, microsecond;
};

struct civil neap__civil_of(int64_t us);
// NULL and *us, or what is wrong: "month 13 is not from 1 to 12".
const char *neap__civil_time(const struct civil *c, int64_t *us, char fault[80]);
// The day that a point in time lies in.
int64_t neap__civil_day(int64_t us);
// neap__datetime_parse that says what is wrong: NULL, or the fault.
const char *neap__datetime_read(const char *p, size_t n, int64_t *us, char fault[80]);
const char *neap__date_read(const char *p, size_t n, int64_t *days, char fault[80]);
// Pushes the time as `format` asks, with the conversions of strftime in English; raises `usage` for an unknown one.
void neap__civil_format(lua_State *L, int64_t us, const char *format, size_t n);
// Reads the fields of the table at idx ({ year =, month =, ... }), the first `n` of year to microsecond; raises `usage` or
// `validation`.
int64_t neap__civil_from_table(lua_State *L, int idx, int n);
// Pushes the field of that name, among the first `n`; false and nothing pushed if there is none.
bool neap__civil_field(lua_State *L, int64_t us, const char *name, int n);
// Pushes the metatable of a type, made when first asked for and registered only when it is whole: each step may run out of
// memory.
void neap__civil_metatable(lua_State *L, const char *type, const luaL_Reg *metamethods, const luaL_Reg *methods,
                           lua_CFunction index);
// The __index of both types: fields, then methods (upvalue 1), then `usage` naming the nearest name.
int neap__civil_index(lua_State *L, int64_t us, int n, const char *what);

#endif
