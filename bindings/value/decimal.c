// decimal.c: exact decimals: their text, and neap.decimal for Lua.
#include "value/decimal.h"

#include <stdio.h>
#include <string.h>

#include "modules.h"
#include "value/decimal_number.h"
#include "value/text.h"

#define TYPE "neap.decimal"

// ---- Text ----

// A number in text, cut into its parts; nothing is copied.
struct spelled {
  bool negative;
  const char *whole, *fraction;  // digits
  size_t nwhole, nfraction;
  int exponent;  // INT_MAX-like values are cut to +-99999
};

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static size_t count_digits(const char *p, const char *end) {
  const char *from = p;
  while (p < end && is_digit(*p)) p++;
  return (size_t)(p - from);
}

static const char *spell_exponent(const char *p, const char *end, int *exponent) {
  bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  const char *from = p;
  for (*exponent = 0; p < end && is_digit(*p); p++)
    if (*exponent < 99999) *exponent = *exponent * 10 + (*p - '0');
  if (negative) *exponent = -*exponent;
  return p == from ? NULL : p;
}

static bool spell(const char *p, size_t n, struct spelled *s) {
  const char *end = p + n;
  memset(s, 0, sizeof *s);
  s->negative = n > 0 && *p == '-';
  if (n > 0 && (*p == '-' || *p == '+')) p++;
  s->whole = p;
  s->nwhole = count_digits(p, end);
  s->fraction = p += s->nwhole;
  if (p < end && *p == '.') {
    s->fraction = ++p;
    s->nfraction = count_digits(p, end);
    if (s->nfraction == 0) return false;
    p += s->nfraction;
  }
  if (s->nwhole + s->nfraction == 0) return false;
  if (p < end && (*p == 'e' || *p == 'E')) p = spell_exponent(p + 1, end, &s->exponent);
  return p == end;
}

static int too_long(const char *text, size_t n, struct neap__error *e) {
  return neap__error_set(e, NEAP_VALIDATION,
                         "the number %s is too long for a decimal: at most %d digits, exponents within %d",
                         neap__show_name(text, n).text, DECIMAL_DIGITS, DECIMAL_EXPONENT);
}

// What canonical text is made of: `count` digits of the spelled ones from `first` on, then `zeros` zeros.
struct coefficient {
  size_t first;
  int count, zeros, scale;
};

// The i-th digit of whole and fraction together.
static char digit_at(const struct spelled *s, size_t i) {
  return i < s->nwhole ? s->whole[i] : s->fraction[i - s->nwhole];
}

// False if it would be too long.
static bool measure(const struct spelled *s, struct coefficient *c) {
  size_t total = s->nwhole + s->nfraction;
  *c = (struct coefficient){.first = 0};
  if (s->exponent > DECIMAL_EXPONENT || s->exponent < -DECIMAL_EXPONENT || s->nfraction > 2 * DECIMAL_EXPONENT)
    return false;
  while (c->first < total && digit_at(s, c->first) == '0') c->first++;
  if (total - c->first > DECIMAL_DIGITS) return false;
  c->count = (int)(total - c->first);
  c->scale = (int)s->nfraction - s->exponent;
  if (c->scale < 0) {
    c->zeros = c->count ? -c->scale : 0;
    c->scale = 0;
  }
  return c->count + c->zeros <= DECIMAL_DIGITS && c->scale <= DECIMAL_EXPONENT;
}

int neap__decimal_parse(const char *text, size_t n, char *out, size_t outsize, size_t *outn, struct neap__error *e) {
  struct spelled s;
  struct coefficient c;
  if (!spell(text, n, &s))
    return neap__error_set(e, NEAP_VALIDATION, "%s is no decimal; expected digits like \"-12.50\"",
                           neap__show_text(text, n).text);
  if (!measure(&s, &c)) return too_long(text, n, e);
  int digits = c.count + c.zeros, whole = digits - c.scale;  // whole: digits before the point, below 0: zeros behind it
  if ((size_t)(digits > c.scale ? digits : c.scale) + 4 > outsize) return too_long(text, n, e);
  char *p = out;
  if (s.negative && c.count) *p++ = '-';
  if (whole <= 0) *p++ = '0';
  for (int i = whole < 0 ? whole : 0; i < digits; i++) {
    if (i == whole) *p++ = '.';
    *p++ = (char)(i < 0 || i >= c.count ? '0' : digit_at(&s, c.first + (size_t)i));
  }
  *p = '\0';
  *outn = (size_t)(p - out);
  return 0;
}

// Leading zeros of the whole part and trailing ones of the fraction do not count.
static void spell_short(struct spelled *s) {
  for (; s->nwhole && *s->whole == '0'; s->nwhole--) s->whole++;
  while (s->nfraction && s->fraction[s->nfraction - 1] == '0') s->nfraction--;
  if (s->nwhole + s->nfraction == 0) s->negative = false;
}

int neap__decimal_compare(const char *a, size_t na, const char *b, size_t nb) {
  struct spelled x, y;
  bool number_a = spell(a, na, &x) && x.exponent == 0, number_b = spell(b, nb, &y) && y.exponent == 0;
  if (!number_a || !number_b) return number_a != number_b ? number_b - number_a : neap__text_compare(a, na, b, nb);
  spell_short(&x);
  spell_short(&y);
  if (x.negative != y.negative) return x.negative ? -1 : 1;
  int order =
      x.nwhole != y.nwhole ? (x.nwhole < y.nwhole ? -1 : 1) : neap__text_compare(x.whole, x.nwhole, y.whole, y.nwhole);
  if (order == 0) order = neap__text_compare(x.fraction, x.nfraction, y.fraction, y.nfraction);
  return x.negative ? -order : order;
}

// ---- The userdata ----

struct decimal {
  bool negative;
  int scale;
  mp_size_t n;
  mp_limb_t limbs[];
};

static void push_metatable(lua_State *L);

static int push_number(lua_State *L, const struct number *x) {
  struct decimal *d = lua_newuserdatauv(L, sizeof *d + (size_t)x->n * sizeof *x->limbs, 0);
  d->negative = x->negative;
  d->scale = x->scale;
  d->n = x->n;
  if (x->n) memcpy(d->limbs, x->limbs, (size_t)x->n * sizeof *x->limbs);
  push_metatable(L);
  lua_setmetatable(L, -2);
  return 1;
}

static bool get_number(lua_State *L, int idx, struct number *x) {
  const struct decimal *d = luaL_testudata(L, idx, TYPE);
  if (!d) return false;
  x->negative = d->negative;
  x->scale = d->scale;
  x->n = d->n;
  if (d->n) memcpy(x->limbs, d->limbs, (size_t)d->n * sizeof *d->limbs);
  return true;
}

int neap__decimal_push(lua_State *L, const char *text, size_t n) {
  char canonical[DECIMAL_TEXT];
  size_t length;
  struct neap__error e;
  struct number x;
  if (neap__decimal_parse(text, n, canonical, sizeof canonical, &length, &e) != 0) return -1;
  neap__number_read(&x, canonical, length);
  push_number(L, &x);
  return 0;
}

bool neap__decimal_test(lua_State *L, int idx) {
  return luaL_testudata(L, idx, TYPE) != NULL;
}

const char *neap__decimal_text(lua_State *L, int idx, size_t *n) {
  char text[DECIMAL_TEXT];
  struct number x = {.n = 0};
  get_number(L, idx, &x);
  *n = neap__number_write(&x, text);
  return lua_pushlstring(L, text, *n);
}

// An operand: a decimal or an integer; anything else raises.
static void check_number(lua_State *L, int idx, struct number *x) {
  if (get_number(L, idx, x)) return;
  if (lua_isinteger(L, idx)) {
    neap__number_integer(x, lua_tointeger(L, idx));
    return;
  }
  if (lua_type(L, idx) == LUA_TNUMBER)
    neap__fail(L, NEAP_VALIDATION,
               "the float %s is not exact and does not mix with decimals; write neap.decimal \"%s\"",
               neap__show_value(L, idx).text, neap__show_value(L, idx).text);
  neap__fail(L, NEAP_VALIDATION, "%s does not mix with decimals; expected a decimal or an integer",
             neap__show_value(L, idx).text);
}

static int check_scale(lua_State *L, int idx) {
  return (int)neap__arg_integer(L, idx, "scale", 0, DECIMAL_EXPONENT);
}

// neap.decimal(text) -> decimal       "1.10" keeps its two digits after the point; "12e-3" is 0.012
// neap.decimal(integer) -> decimal
//   At most 1,000 digits. Raises `validation` for a float, which has lost its digits already, and for text that is none.
static int decimal_new(lua_State *L) {
  char canonical[DECIMAL_TEXT];
  struct neap__error e;
  struct number x;
  size_t n;
  if (lua_type(L, 1) == LUA_TSTRING) {
    const char *text = lua_tolstring(L, 1, &n);
    if (neap__decimal_parse(text, n, canonical, sizeof canonical, &n, &e) != 0) return neap__raise(L, &e);
    neap__number_read(&x, canonical, n);
  } else {
    check_number(L, 1, &x);
  }
  return push_number(L, &x);
}

// ---- Methods ----

static int arithmetic(lua_State *L, int (*apply)(struct number *, const struct number *, const struct number *,
                                                 struct neap__error *)) {
  struct number a, b, out;
  struct neap__error e;
  check_number(L, 1, &a);
  check_number(L, 2, &b);
  return apply(&out, &a, &b, &e) == 0 ? push_number(L, &out) : neap__raise(L, &e);
}

static int subtract(struct number *out, const struct number *a, const struct number *b, struct neap__error *e) {
  struct number negated = *b;
  negated.negative = b->n && !b->negative;
  return neap__number_add(out, a, &negated, e);
}

static int floor_quotient(struct number *out, const struct number *a, const struct number *b, struct neap__error *e) {
  struct number rest;
  return neap__number_floor(out, &rest, a, b, e);
}

static int floor_rest(struct number *out, const struct number *a, const struct number *b, struct neap__error *e) {
  struct number quotient;
  return neap__number_floor(&quotient, out, a, b, e);
}

// Exact; the larger scale of the two.
static int decimal_add(lua_State *L) {
  return arithmetic(L, neap__number_add);
}

static int decimal_sub(lua_State *L) {
  return arithmetic(L, subtract);
}

// Exact; the sum of the two scales.
static int decimal_mul(lua_State *L) {
  return arithmetic(L, neap__number_multiply);
}

// 28 significant digits, half to even.
static int decimal_quotient(lua_State *L) {
  return arithmetic(L, neap__number_divide);
}

static int decimal_idiv(lua_State *L) {
  return arithmetic(L, floor_quotient);
}

static int decimal_mod(lua_State *L) {
  return arithmetic(L, floor_rest);
}

static int decimal_unm(lua_State *L) {
  struct number x;
  check_number(L, 1, &x);
  x.negative = x.n && !x.negative;
  return push_number(L, &x);
}

// d:div(x, scale) -> decimal   d / x with `scale` digits after the point, half to even
static int decimal_div(lua_State *L) {
  struct number a, b, out;
  struct neap__error e;
  int scale = check_scale(L, 3);
  check_number(L, 1, &a);
  check_number(L, 2, &b);
  return neap__number_divide_to(&out, &a, &b, scale, &e) == 0 ? push_number(L, &out) : neap__raise(L, &e);
}

// d:round(scale) -> decimal   `scale` digits after the point, half to even; default 0
static int decimal_round(lua_State *L) {
  struct number a, one, out;
  struct neap__error e;
  int scale = lua_isnoneornil(L, 2) ? 0 : check_scale(L, 2);
  check_number(L, 1, &a);
  neap__number_integer(&one, 1);
  return neap__number_divide_to(&out, &a, &one, scale, &e) == 0 ? push_number(L, &out) : neap__raise(L, &e);
}

static int compare(lua_State *L) {
  struct number a, b;
  check_number(L, 1, &a);
  check_number(L, 2, &b);
  return neap__number_compare(&a, &b);
}

static int decimal_lt(lua_State *L) {
  lua_pushboolean(L, compare(L) < 0);
  return 1;
}

static int decimal_le(lua_State *L) {
  lua_pushboolean(L, compare(L) <= 0);
  return 1;
}

// d:compare(x) -> -1, 0 or 1   x is a decimal or an integer
static int decimal_compare(lua_State *L) {
  lua_pushinteger(L, compare(L));
  return 1;
}

// d:eq(x) -> boolean   by number: 1.10 and 1.1 are equal. == does the same between two decimals.
static int decimal_eq(lua_State *L) {
  lua_pushboolean(L, compare(L) == 0);
  return 1;
}

// Lua asks for any two userdata, one of them ours.
static int decimal_same(lua_State *L) {
  if (neap__decimal_test(L, 1) && neap__decimal_test(L, 2)) return decimal_eq(L);
  lua_pushboolean(L, 0);
  return 1;
}

static int decimal_tostring(lua_State *L) {
  struct number x;
  size_t n;
  check_number(L, 1, &x);
  neap__decimal_text(L, 1, &n);
  return 1;
}

// d:tonumber() -> float   the nearest one; raises `validation` beyond the range of floats
static int decimal_tonumber(lua_State *L) {
  decimal_tostring(L);
  lua_stringtonumber(L, lua_tostring(L, -1));
  lua_Number number = lua_tonumber(L, -1);
  if (number - number != 0) return neap__fail(L, NEAP_VALIDATION, "the decimal is too large for a float");
  lua_pushnumber(L, number);
  return 1;
}

// d:tointeger() -> integer or nil   nil if it has a fraction or does not fit 64 bits
static int decimal_tointeger(lua_State *L) {
  struct number x, one, quotient, rest;
  struct neap__error e;
  char text[DECIMAL_TEXT];
  check_number(L, 1, &x);
  neap__number_integer(&one, 1);
  if (neap__number_floor(&quotient, &rest, &x, &one, &e) != 0) return neap__raise(L, &e);
  neap__number_write(&quotient, text);
  if (rest.n || lua_stringtonumber(L, text) == 0 || !lua_isinteger(L, -1)) lua_pushnil(L);
  return 1;
}

// d:scale() -> integer   digits after the point
static int decimal_scale(lua_State *L) {
  struct number x;
  check_number(L, 1, &x);
  lua_pushinteger(L, x.scale);
  return 1;
}

static const luaL_Reg methods[] = {
    {"div", decimal_div},
    {"round", decimal_round},
    {"eq", decimal_eq},
    {"compare", decimal_compare},
    {"tonumber", decimal_tonumber},
    {"tointeger", decimal_tointeger},
    {"scale", decimal_scale},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__add", decimal_add},   {"__sub", decimal_sub}, {"__mul", decimal_mul},           {"__div", decimal_quotient},
    {"__idiv", decimal_idiv}, {"__mod", decimal_mod}, {"__unm", decimal_unm},           {"__eq", decimal_same},
    {"__lt", decimal_lt},     {"__le", decimal_le},   {"__tostring", decimal_tostring}, {NULL, NULL},
};

// Pushes the metatable. It is registered only when it is whole: each step may run out of memory.
static void push_metatable(lua_State *L) {
  if (luaL_getmetatable(L, TYPE) == LUA_TTABLE) return;
  lua_pop(L, 1);
  luaL_checkstack(L, 4, NULL);
  lua_createtable(L, 0, 16);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushliteral(L, TYPE);
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, TYPE);
}

int luaopen_neap_decimal(lua_State *L) {
  lua_pushcfunction(L, decimal_new);
  return 1;
}
