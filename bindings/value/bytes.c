// bytes.c: neap.bytes(s), a string that is bytes and not text, where no type of a model tells.
#include "value/bytes.h"

#include <stdint.h>
#include <string.h>

#include "host.h"
#include "modules.h"

static const char type_name[] = "neap.bytes";
static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// What a digit stands for, and 1; 0 for all that is none.
static const unsigned char values64[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64};

struct bytes {
  size_t n;
  char p[];
};

static void push_metatable(lua_State *L);

void neap__bytes_push(lua_State *L, const char *p, size_t n) {
  struct bytes *b = lua_newuserdatauv(L, sizeof *b + n, 0);
  b->n = n;
  if (n > 0) memcpy(b->p, p, n);
  push_metatable(L);
  lua_setmetatable(L, -2);
}

const char *neap__bytes_test(lua_State *L, int idx, size_t *n) {
  struct bytes *b = luaL_testudata(L, idx, type_name);
  if (b == NULL) return NULL;
  *n = b->n;
  return b->p;
}

// *n is 0 if it raises, only to please the compiler.
static const char *check(lua_State *L, int idx, size_t *n) {
  *n = 0;
  const char *p = neap__bytes_test(L, idx, n);
  if (p == NULL) neap__fail(L, NEAP_USAGE, "expected neap.bytes, got %s", neap__show_value(L, idx).text);
  return p;
}

// ---- Base64 ----

void neap__bytes_base64(const char *p, size_t n, char *out) {
  const unsigned char *in = (const unsigned char *)p;
  for (; n > 0; in += 3, out += 4) {
    uint32_t group = (uint32_t)in[0] << 16 | (n > 1 ? (uint32_t)in[1] << 8 : 0) | (n > 2 ? in[2] : 0);
    out[0] = digits64[group >> 18];
    out[1] = digits64[group >> 12 & 63];
    out[2] = n > 1 ? digits64[group >> 6 & 63] : '=';
    out[3] = n > 2 ? digits64[group & 63] : '=';
    n -= n < 3 ? n : 3;
  }
}

// Four characters to one to three bytes; 0 if they are none. Bits that no byte holds must be 0.
static int decode_group(const char *p, bool last, char *out) {
  int pad = last ? (p[3] == '=') + (p[3] == '=' && p[2] == '=') : 0;
  uint32_t group = 0;
  for (int i = 0; i < 4; i++) {
    unsigned value = i < 4 - pad ? values64[(unsigned char)p[i]] : 1;
    if (value == 0) return 0;
    group = group << 6 | (value - 1);
  }
  if (group & ((1u << (8 * pad)) - 1)) return 0;
  for (int i = 0; i < 3 - pad; i++) out[i] = (char)(group >> (16 - 8 * i));
  return 3 - pad;
}

// Strict: one text for each value, so that encoded bytes may be compared.
ptrdiff_t neap__bytes_unbase64(const char *p, size_t n, char *out) {
  char *to = out;
  if (n % 4 != 0) return -1;
  for (size_t i = 0; i < n; i += 4) {
    int got = decode_group(p + i, i + 4 == n, to);
    if (got == 0) return -1;
    to += got;
  }
  return to - out;
}

// ---- Methods ----

// bytes:base64() -> string
static int bytes_base64(lua_State *L) {
  size_t n;
  const char *p = check(L, 1, &n);
  luaL_Buffer b;
  neap__bytes_base64(p, n, luaL_buffinitsize(L, &b, NEAP_BASE64_SIZE(n)));
  luaL_pushresultsize(&b, NEAP_BASE64_SIZE(n));
  return 1;
}

// bytes:hex() -> string, lower case
static int bytes_hex(lua_State *L) {
  size_t n;
  const char *p = check(L, 1, &n);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, n * 2);
  for (size_t i = 0; i < n; i++) {
    out[2 * i] = "0123456789abcdef"[(unsigned char)p[i] >> 4];
    out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
  }
  luaL_pushresultsize(&b, n * 2);
  return 1;
}

static int bytes_tostring(lua_State *L) {
  size_t n;
  const char *p = check(L, 1, &n);
  lua_pushlstring(L, p, n);
  return 1;
}

static int bytes_len(lua_State *L) {
  size_t n;
  check(L, 1, &n);
  lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

// Lua asks only for two userdata; the other may be anything.
static int bytes_eq(lua_State *L) {
  size_t na, nb;
  const char *a = neap__bytes_test(L, 1, &na), *b = neap__bytes_test(L, 2, &nb);
  lua_pushboolean(L, a != NULL && b != NULL && na == nb && memcmp(a, b, na) == 0);
  return 1;
}

// neap.bytes(s) -> bytes: a string as bytes; tostring gives it back, # its length, == compares
static int bytes_call(lua_State *L) {
  size_t n;
  const char *p = neap__arg_string(L, 2, "s", &n);
  neap__bytes_push(L, p, n);
  return 1;
}

// neap.bytes.from_base64(text) -> bytes. Raises `validation` if the text is not base64 (RFC 4648, padded).
static int bytes_from_base64(lua_State *L) {
  size_t n;
  const char *p = neap__arg_string(L, 1, "text", &n);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, n / 4 * 3);
  ptrdiff_t got = neap__bytes_unbase64(p, n, out);
  if (got < 0)
    return neap__fail(L, NEAP_VALIDATION, "neap.bytes.from_base64: %s is not base64 (RFC 4648, with padding)",
                      neap__show_value(L, 1).text);
  luaL_pushresultsize(&b, (size_t)got);
  p = lua_tolstring(L, -1, &n);
  neap__bytes_push(L, p, n);
  return 1;
}

static const luaL_Reg methods[] = {{"base64", bytes_base64}, {"hex", bytes_hex}, {NULL, NULL}};
static const luaL_Reg meta[] = {{"__tostring", bytes_tostring}, {"__len", bytes_len}, {"__eq", bytes_eq}, {NULL, NULL}};

// Pushes the metatable. It is registered only when it is whole: each step may run out of memory.
static void push_metatable(lua_State *L) {
  if (luaL_getmetatable(L, type_name) == LUA_TTABLE) return;
  lua_pop(L, 1);
  luaL_newlib(L, meta);
  lua_pushstring(L, type_name);
  lua_setfield(L, -2, "__metatable");
  lua_pushstring(L, type_name);
  lua_setfield(L, -2, "__name");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, type_name);
}

int luaopen_neap_bytes(lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, bytes_from_base64);
  lua_setfield(L, -2, "from_base64");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, bytes_call);
  lua_setfield(L, -2, "__call");
  lua_setmetatable(L, -2);
  return 1;
}
