// cell_test.c: cells to Lua and back, compared and printed; and looking into JSON text.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "value/bytes.h"
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/json.h"
#include "value/marks.h"

static struct cell integer(int64_t i) {
  return (struct cell){.kind = CELL_INTEGER, .i = i};
}

static struct cell number(double d) {
  return (struct cell){.kind = CELL_NUMBER, .d = d};
}

static struct cell text(enum cell_kind kind, const char *p) {
  return (struct cell){.kind = (uint8_t)kind, .p = p, .n = (uint32_t)strlen(p)};
}

static int compare(struct cell a, struct cell b) {
  int forth = neap__cell_compare(&a, &b), back = neap__cell_compare(&b, &a);
  CHECK(forth == 2 ? back == 2 : forth == -back);
  CHECK(neap__cell_equal(&a, &b) == (forth == 0));
  return forth;
}

static void test_compare(void) {
  CHECK(compare(integer(5), number(5.0)) == 0);
  CHECK(compare(integer(9007199254740993), number(9007199254740992.0)) == 1);
  CHECK(compare(integer(INT64_MAX), number(0x1p63)) == -1);
  CHECK(compare(integer(INT64_MIN), number(-0x1p63)) == 0);
  CHECK(compare(integer(-3), number(-3.5)) == 1);
  CHECK(compare(integer(3), number(HUGE_VAL)) == -1);
  CHECK(compare(number(-0.0), number(0.0)) == 0);
  CHECK(compare(text(CELL_DECIMAL, "5.00"), integer(5)) == 0);
  CHECK(compare(text(CELL_DECIMAL, "0.5"), number(0.5)) == 0);
  CHECK(compare(text(CELL_DECIMAL, "0.1"), number(0.1)) == -1);
  CHECK(compare(text(CELL_DECIMAL, "-0.1"), number(-0.1)) == 1);
  CHECK(compare(text(CELL_DECIMAL, "123.25"), number(-HUGE_VAL)) == 1);
  CHECK(compare(text(CELL_DECIMAL, "9223372036854775808"), integer(INT64_MAX)) == 1);
  CHECK(compare(text(CELL_TEXT, "ab"), text(CELL_TEXT, "abc")) == -1);
  CHECK(compare(text(CELL_TEXT, "\xc3\xa9"), text(CELL_TEXT, "z")) == 1);
  CHECK(compare(text(CELL_TEXT, "a"), text(CELL_BYTES, "a")) == 2);
  CHECK(compare(text(CELL_TEXT, "5"), integer(5)) == 2);
  struct cell nothing = {.kind = CELL_NIL}, null = {.kind = CELL_NULL};
  CHECK(neap__cell_equal(&nothing, &nothing) && neap__cell_equal(&null, &null) && !neap__cell_equal(&nothing, &null));
}

static bool equal(const char *a, const char *b) {
  return neap__json_equal(a, strlen(a), b, strlen(b)) && neap__json_equal(b, strlen(b), a, strlen(a));
}

static void test_equal(void) {
  CHECK(equal("{\"a\":1,\"b\":[1,2]}", " { \"b\" : [ 1.0, 2 ] , \"a\" : 1 } "));
  CHECK(!equal("[1,2]", "[2,1]"));
  CHECK(!equal("[1,2]", "[1,2,3]"));
  CHECK(!equal("{\"a\":1}", "{\"a\":1,\"b\":2}"));
  CHECK(!equal("{\"a\":1}", "{\"b\":1}"));
  CHECK(equal("\"\\u00e9\\n\"", "\"\xc3\xa9\\u000a\""));
  CHECK(!equal("\"a\"", "\"a\\u0000\""));
  CHECK(!equal("true", "1"));
  CHECK(!equal("[]", "{}"));
  CHECK(!equal("9007199254740993", "9007199254740992.0"));
  CHECK(equal("12345678901234567890.10", "12345678901234567890.1"));
  CHECK(equal("1e2", "100"));
}

static bool finds(const char *p, const struct neap__json_step *steps, int count, const char *expected) {
  struct neap__json_slice s;
  if (!neap__json_find(p, strlen(p), steps, count, &s)) return expected == NULL;
  return expected != NULL && s.n == strlen(expected) && memcmp(s.p, expected, s.n) == 0;
}

static void test_find(void) {
  static const char *const doc = "{\"a\": [10, {\"b\\u0062\": \"x\"}, 30], \"0\": true}";
  const struct neap__json_step path[] = {{"a", 1, -1}, {"1", 1, 1}, {"bb", 2, -1}};
  const struct neap__json_step zero = {"0", 1, 0}, index = {NULL, 0, 0};
  CHECK(finds(doc, path, 0, doc));
  CHECK(finds(doc, path, 1, "[10, {\"b\\u0062\": \"x\"}, 30]"));
  CHECK(finds(doc, path, 2, "{\"b\\u0062\": \"x\"}"));
  CHECK(finds(doc, path, 3, "\"x\""));
  CHECK(finds(doc, &zero, 1, "true"));
  CHECK(finds(doc, &index, 1, NULL));
  CHECK(finds("[7, 8]", &zero, 1, "7"));
  CHECK(finds("[]", &zero, 1, NULL));
  CHECK(finds("[", &zero, 1, NULL));
  CHECK(finds("7", &zero, 1, NULL));
}

static struct cell scalar(const char *p, struct neap__buffer *scratch) {
  struct cell cell;
  if (neap__json_scalar(p, strlen(p), &cell, scratch) != 0) cell.kind = CELL_UNLOADED;
  return cell;
}

static void test_scalar(lua_State *L) {
  struct neap__buffer *scratch = neap__buffer_push(L);
  struct cell cell = scalar(" \"a\\tb\" ", scratch);
  CHECK(cell.kind == CELL_TEXT && cell.n == 3 && memcmp(cell.p, "a\tb", 3) == 0);
  cell = scalar("-12", scratch);
  CHECK(cell.kind == CELL_INTEGER && cell.i == -12);
  cell = scalar("1.5", scratch);
  CHECK(cell.kind == CELL_NUMBER && cell.d == 1.5);
  cell = scalar("12345678901234567890.5", scratch);
  CHECK(cell.kind == CELL_DECIMAL && cell.n == 22 && memcmp(cell.p, "12345678901234567890.5", 22) == 0);
  CHECK(scalar("true", scratch).i == 1 && scalar("false", scratch).kind == CELL_BOOLEAN);
  CHECK(scalar("null", scratch).kind == CELL_NULL && scalar("[1]", scratch).kind == CELL_JSON);
  CHECK(scalar("nul", scratch).kind == CELL_UNLOADED && scalar("", scratch).kind == CELL_UNLOADED);
  CHECK(scalar("\"\\ud800\"", scratch).kind == CELL_UNLOADED);
  lua_pop(L, 1);
}

// Pushes the cell, reads it back and compares.
static bool survives(lua_State *L, struct cell cell) {
  struct cell back;
  struct neap__error e;
  int top = lua_gettop(L);
  neap__cell_push(L, &cell);
  bool same = neap__cell_read(L, -1, &back, &e) == 0 && lua_gettop(L) == top + 2;
  same = same && back.kind == cell.kind && neap__cell_equal(&cell, &back);
  lua_settop(L, top);
  return same;
}

static void test_lua(lua_State *L) {
  CHECK(survives(L, (struct cell){.kind = CELL_NIL}));
  CHECK(survives(L, (struct cell){.kind = CELL_NULL}));
  CHECK(survives(L, (struct cell){.kind = CELL_BOOLEAN, .i = 1}));
  CHECK(survives(L, integer(INT64_MIN)));
  CHECK(survives(L, number(0.1)));
  CHECK(survives(L, text(CELL_TEXT, "tide")));
  CHECK(survives(L, text(CELL_DECIMAL, "-12.50")));
  CHECK(survives(L, (struct cell){.kind = CELL_DATETIME, .i = 1437383157463255}));
  CHECK(survives(L, (struct cell){.kind = CELL_DATE, .i = 16636}));
  CHECK(survives(L, text(CELL_JSON, "{\"a\":[],\"b\":{},\"c\":[null,1.0]}")));
}

static void test_refused(lua_State *L) {
  struct cell cell;
  struct neap__error e;
  lua_pushnumber(L, (lua_Number)NAN);
  CHECK(neap__cell_read(L, -1, &cell, &e) == -1 && e.kind == NEAP_VALIDATION);
  lua_settop(L, 0);
  lua_newtable(L);
  lua_pushcfunction(L, lua_error);
  lua_setfield(L, -2, "f");
  CHECK(neap__cell_read(L, 1, &cell, &e) == -1 && strstr(e.message, "(at f)") != NULL && lua_gettop(L) == 2);
  lua_settop(L, 0);
  neap__bytes_push(L, "\0x", 2);
  CHECK(neap__cell_read(L, -1, &cell, &e) == 0 && cell.kind == CELL_BYTES && cell.n == 2);
  lua_settop(L, 0);
}

static int raw_hook(lua_State *L) {
  lua_pushliteral(L, "{\"raw\":1}");
  lua_pushboolean(L, 1);
  return 2;
}

static int table_hook(lua_State *L) {
  lua_createtable(L, 1, 0);
  lua_pushinteger(L, 7);
  lua_rawseti(L, -2, 1);
  return 1;
}

// Pushes a userdata that writes itself.
static void push_hooked(lua_State *L, lua_CFunction hook) {
  lua_newuserdatauv(L, 1, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, hook);
  lua_setfield(L, -2, "__json");
  lua_setmetatable(L, -2);
}

static void test_hooks(lua_State *L) {
  struct neap__error e;
  lua_newtable(L);
  for (int i = 1; i <= 4; i++) {
    push_hooked(L, i % 2 ? raw_hook : table_hook);
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, i % 2 ? "raw" : "table");
    lua_setfield(L, 1, i < 3 ? "a" : "b");
  }
  CHECK(neap__json_encode(L, 1, &e) == 0);
  CHECK(strcmp(lua_tostring(L, -1), "{\"a\":[7],\"b\":[7],\"raw\":{\"raw\":1},\"table\":[7]}") == 0);
  lua_settop(L, 0);
  push_hooked(L, raw_hook);
  CHECK(neap__json_encode(L, 1, &e) == 0 && strcmp(lua_tostring(L, -1), "{\"raw\":1}") == 0);
  lua_settop(L, 0);
}

// The cell pushed and written again with its marks, and without.
static bool marks(lua_State *L, const char *json, const char *marked, const char *plain) {
  struct neap__error e;
  const struct cell cell = text(CELL_JSON, json);
  neap__cell_push(L, &cell);
  bool same = neap__json_encode_marked(L, 1, &e) == 0 && neap__json_encode(L, 1, &e) == 0 &&
              strcmp(lua_tostring(L, 2), marked) == 0 && strcmp(lua_tostring(L, 3), plain) == 0;
  lua_settop(L, 0);
  return same;
}

// In cells a mark tells bytes from text and sets from lists; a text of a script's own has none.
static void test_marks(lua_State *L) {
  struct cell list = text(CELL_JSON, "[1]"), set = text(CELL_JSON, NEAP_JSON_MARK "[1]");
  struct neap__error e;
  size_t n;
  static const char *const all = "{\"a\":\t\r\"MTIz\",\"b\":\"MTIz\",\"c\":\t\r[1,\t\r\"\"],\"d\":\t\r[],\"e\":[1]}";
  CHECK(marks(L, all, all, "{\"a\":\"MTIz\",\"b\":\"MTIz\",\"c\":[1,\"\"],\"d\":[],\"e\":[1]}"));
  CHECK(marks(L, NEAP_JSON_MARK "\"MTIz\"", NEAP_JSON_MARK "\"MTIz\"", "\"MTIz\""));
  CHECK(marks(L, "[\t\r\"no base64\",\t\r\"a\\\"b\",\t\r{},\t\r1]", "[\"no base64\",\"a\\\"b\",{},1]",
              "[\"no base64\",\"a\\\"b\",{},1]"));
  CHECK(!neap__cell_equal(&list, &set) && neap__cell_equal(&set, &set));
  CHECK(neap__json_push(L, all, strlen(all), NEAP_JSON_DEPTH, &e) == 0);
  lua_getfield(L, -1, "a");
  CHECK(lua_type(L, -1) == LUA_TSTRING && neap__bytes_test(L, -1, &n) == NULL);
  lua_settop(L, 0);
}

static bool prints(struct cell cell, const char *expected) {
  char buf[80];
  return strcmp(neap__cell_print(&cell, buf, sizeof buf), expected) == 0;
}

static void test_print(void) {
  char tiny[4];
  struct cell ada = text(CELL_TEXT, "Ada");
  CHECK(prints(ada, "\"Ada\""));
  CHECK(prints(text(CELL_TEXT, "a\nb"), "\"a\\nb\""));
  CHECK(prints(text(CELL_TEXT, "0123456789012345678901234567890123456789012345678901234567890123456789"),
               "\"01234567890123456789012345678901234567890123456789012345678901234\"…"));
  CHECK(prints(number(5), "5.0") && prints(integer(-5), "-5") && prints(text(CELL_DECIMAL, "1.10"), "1.10"));
  CHECK(prints((struct cell){.kind = CELL_NIL}, "nil") && prints(text(CELL_BYTES, "abc"), "3 bytes"));
  CHECK(strcmp(neap__cell_print(&ada, tiny, sizeof tiny), "\"Ad") == 0);
}

int main(void) {
  lua_State *L = luaL_newstate();
  if (L == NULL) return 1;
  test_compare();
  test_equal();
  test_find();
  test_scalar(L);
  test_lua(L);
  test_refused(L);
  test_hooks(L);
  test_marks(L);
  test_print();
  lua_close(L);
  return report();
}
