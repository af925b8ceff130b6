// json_fuzz.c: any bytes as JSON. What the reader accepts cJSON accepts too, with the same values; writing it and reading it
// again changes nothing; and the scanner, which promises to survive any text, finds in it what the reader found.
#include <cjson/cJSON.h>
#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value/decimal.h"
#include "value/json.h"
#include "value/marks.h"

#define CJSON_DIGITS 60  // cJSON reads no longer numbers

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
  const char *p;
  size_t n;
};

static void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

static bool same_value(lua_State *L, int idx, const cJSON *item);

static bool same_number(lua_State *L, int idx, const cJSON *item) {
  if (lua_type(L, idx) == LUA_TNUMBER) return lua_tonumber(L, idx) == item->valuedouble;
  size_t n;
  if (!neap__decimal_test(L, idx)) return false;
  double d = strtod(neap__decimal_text(L, idx, &n), NULL);
  lua_pop(L, 1);
  return d == item->valuedouble;
}

static bool same_list(lua_State *L, int idx, const cJSON *list) {
  lua_Integer i = 0;
  bool same = true;
  for (const cJSON *item = list->child; same && item != NULL; item = item->next) {
    lua_rawgeti(L, idx, ++i);
    same = same_value(L, lua_gettop(L), item);
    lua_pop(L, 1);
  }
  return same && (lua_Integer)lua_rawlen(L, idx) == i;
}

static bool same_object(lua_State *L, int idx, const cJSON *object) {
  int members = 0;
  bool same = true;
  for (const cJSON *item = object->child; same && item != NULL; item = item->next) {
    lua_pushstring(L, item->string);
    lua_rawget(L, idx);
    same = same_value(L, lua_gettop(L), item);
    lua_pop(L, 1);
    members++;
  }
  lua_pushnil(L);
  for (; lua_next(L, idx); lua_pop(L, 1)) members--;
  return same && members == 0;
}

static bool same_value(lua_State *L, int idx, const cJSON *item) {
  luaL_checkstack(L, 8, NULL);
  if (cJSON_IsNull(item)) return neap__null_test(L, idx);
  if (cJSON_IsBool(item)) return lua_isboolean(L, idx) && lua_toboolean(L, idx) == cJSON_IsTrue(item);
  if (cJSON_IsNumber(item)) return same_number(L, idx, item);
  if (cJSON_IsString(item))
    return lua_type(L, idx) == LUA_TSTRING && strcmp(lua_tostring(L, idx), item->valuestring) == 0;
  if (!lua_istable(L, idx)) return false;
  return cJSON_IsArray(item) ? same_list(L, idx, item) : same_object(L, idx, item);
}

// cJSON ends strings at \u0000 and cuts long numbers: such texts tell nothing.
static bool is_comparable(const struct input *in) {
  size_t digits = 0;
  for (size_t i = 0; i < in->n; i++) {
    digits = in->p[i] && strchr("0123456789+-.eE", in->p[i]) ? digits + 1 : 0;
    if (digits > CJSON_DIGITS || (in->n - i >= 6 && memcmp(in->p + i, "\\u0000", 6) == 0)) return false;
  }
  return true;
}

static void compare_with_cjson(lua_State *L, const struct input *in) {
  if (!is_comparable(in)) return;
  cJSON *tree = cJSON_ParseWithLength(in->p, in->n);
  check(tree != NULL, "the reader accepts what cJSON refuses");
  check(same_value(L, lua_gettop(L), tree), "the reader and cJSON read different values");
  cJSON_Delete(tree);
}

// The value on top, written, is equal to its text and stays the same when it is read and written again.
static void write_and_read(lua_State *L, const struct input *in) {
  struct neap__error e;
  size_t n, again;
  check(neap__json_encode(L, -1, &e) == 0, "what was read cannot be written");
  const char *text = lua_tolstring(L, -1, &n);
  check(neap__json_equal(in->p, in->n, text, n), "the text that was written is not equal to the one that was read");
  check(neap__json_push(L, text, n, NEAP_JSON_DEPTH, &e) == 0, "what was written cannot be read");
  check(neap__json_encode(L, -1, &e) == 0, "what was read twice cannot be written");
  const char *second = lua_tolstring(L, -1, &again);
  check(n == again && memcmp(text, second, n) == 0, "the text changes from one writing to the next");
  lua_pop(L, 3);
}

// The same of the text of a cell: bytes and sets stay what their marks say.
static void write_and_read_marked(lua_State *L, const struct input *in) {
  struct neap__error e;
  size_t n, again;
  if (neap__json_push_marked(L, in->p, in->n, &e) != 0) return;
  check(neap__json_encode_marked(L, -1, &e) == 0, "what was read with marks cannot be written");
  const char *text = lua_tolstring(L, -1, &n);
  check(neap__json_push_marked(L, text, n, &e) == 0, "what was written with marks cannot be read");
  check(neap__json_encode_marked(L, -1, &e) == 0, "what was read twice with marks cannot be written");
  const char *second = lua_tolstring(L, -1, &again);
  check(n == again && memcmp(text, second, n) == 0, "marks change from one writing to the next");
  lua_pop(L, 4);
}

static size_t count_elements(const struct input *in) {
  size_t count = 0;
  struct neap__json_each it = neap__json_each(in->p, in->n);
  while (neap__json_next(&it)) count++;
  return count;
}

static void scan(lua_State *L, const struct input *in) {
  const struct neap__json_step steps[] = {{"a", 1, 0}, {"b", 1, 1}, {NULL, 0, 0}};
  struct neap__json_slice found;
  struct neap__buffer *scratch = neap__buffer_push(L);
  struct cell cell;
  for (int count = 0; count <= 3; count++) {
    if (!neap__json_find(in->p, in->n, steps, count, &found)) continue;
    check(found.p >= in->p && found.n <= in->n && (size_t)(found.p - in->p) <= in->n - found.n, "a slice lies outside");
    neap__json_scalar(found.p, found.n, &cell, scratch);
  }
  neap__json_equal(in->p, in->n / 2, in->p + in->n / 2, in->n - in->n / 2);
  lua_pop(L, 1);
}

static int run(lua_State *L) {
  const struct input *in = lua_touserdata(L, 1);
  struct neap__error e;
  size_t elements = count_elements(in);
  scan(L, in);
  if (neap__json_push(L, in->p, in->n, NEAP_JSON_DEPTH, &e) != 0) return 0;
  if (lua_istable(L, -1) && lua_rawlen(L, -1) > 0) check(lua_rawlen(L, -1) == elements, "the scanner counts otherwise");
  compare_with_cjson(L, in);
  write_and_read(L, in);
  write_and_read_marked(L, in);
  return 0;
}

// The text is copied, so that a sanitizer sees a read behind its end.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (L == NULL) L = luaL_newstate();
  char *copy = malloc(size ? size : 1);
  if (L == NULL || copy == NULL) abort();
  memcpy(copy, data, size);
  struct input in = {copy, size};
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, &in);
  check(lua_pcall(L, 1, 0, 0) == LUA_OK, "memory is short, or something was raised");
  free(copy);
  return 0;
}
