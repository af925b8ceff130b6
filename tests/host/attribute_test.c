// attribute_test.c: values of every type as DynamoDB's attribute values and back; the items of replies; keys; and 10,000 random
// numbers and documents that come back as they went.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "store/dynamodb_value.h"
#include "value/attribute.h"
#include "value/decimal.h"

// ---- Types ----

#define TYPE(k) ((struct type){.kind = (k), .scale = -1})
#define OF(k, of_) ((struct type){.kind = (k), .of = &(of_), .scale = -1})

static const struct type string = TYPE(TYPE_STRING), integer = TYPE(TYPE_INTEGER), number = TYPE(TYPE_NUMBER),
                         decimal = TYPE(TYPE_DECIMAL), money = {.kind = TYPE_DECIMAL, .scale = 2},
                         boolean = TYPE(TYPE_BOOLEAN), datetime = TYPE(TYPE_DATETIME), timestamp = TYPE(TYPE_TIMESTAMP),
                         date = TYPE(TYPE_DATE), uuid = TYPE(TYPE_UUID), bytes = TYPE(TYPE_BYTES),
                         json = TYPE(TYPE_JSON), any_list = TYPE(TYPE_LIST), any_map = TYPE(TYPE_MAP),
                         geopoint = TYPE(TYPE_GEOPOINT), file = TYPE(TYPE_FILE), pointer = OF(TYPE_POINTER, decimal),
                         numbers = OF(TYPE_LIST, number), decimals = OF(TYPE_LIST, decimal),
                         timestamps = OF(TYPE_LIST, timestamp), blobs = OF(TYPE_LIST, bytes),
                         string_set = OF(TYPE_SET, string), number_set = OF(TYPE_SET, number),
                         decimal_set = OF(TYPE_SET, decimal), bytes_set = OF(TYPE_SET, bytes),
                         time_set = OF(TYPE_SET, timestamp), boolean_set = OF(TYPE_SET, boolean),
                         matrix = OF(TYPE_LIST, numbers), prices = OF(TYPE_MAP, decimal);

static const struct type_member members[] = {{"price", {.kind = TYPE_DECIMAL, .scale = -1}},
                                             {"photo", {.kind = TYPE_BYTES, .scale = -1}},
                                             {"tags", {.kind = TYPE_SET, .of = &string, .scale = -1}}};
static const struct type product = {.kind = TYPE_MAP, .members = members, .nmembers = 3, .scale = -1};

// ---- Cells ----

static struct cell text(enum cell_kind kind, const char *p) {
  return (struct cell){.kind = (uint8_t)kind, .p = p, .n = (uint32_t)strlen(p)};
}

static struct cell whole(enum cell_kind kind, int64_t i) {
  return (struct cell){.kind = (uint8_t)kind, .i = i};
}

static struct cell real(double d) {
  return (struct cell){.kind = CELL_NUMBER, .d = d};
}

// The same kind and the same text; numbers of the same kind.
static bool same(const struct cell *a, const struct cell *b) {
  if (a->kind != b->kind) return false;
  if (neap__cell_has_text(a)) return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
  return a->kind <= CELL_NULL || neap__cell_compare(a, b) == 0;
}

static struct neap__buffer out, scratch;
static struct neap__error e;

static bool writes(const struct type *type, struct cell cell, const char *wire) {
  out.n = 0;
  if (neap__attribute_write(&out, type, &cell, &e) != 0) return printf("%s\n", e.message), false;
  if (out.n == strlen(wire) && memcmp(out.p, wire, out.n) == 0) return true;
  return printf("%.*s\n", (int)out.n, out.p), false;
}

static bool reads(const struct type *type, const char *wire, struct cell expected) {
  struct cell got;
  char shown[80];
  scratch.n = 0;
  if (neap__attribute_read(wire, strlen(wire), type, &got, &scratch, &e) != 0) return printf("%s\n", e.message), false;
  return same(&got, &expected) || (printf("%d %s\n", got.kind, neap__cell_print(&got, shown, sizeof shown)), false);
}

// The cell becomes the wire, and the wire the cell.
static bool both(const struct type *type, struct cell cell, const char *wire) {
  return writes(type, cell, wire) && reads(type, wire, cell);
}

static bool refused(const struct type *type, struct cell cell, const char *message) {
  out.n = 0;
  if (neap__attribute_write(&out, type, &cell, &e) == 0) return false;
  return (e.kind == NEAP_VALIDATION && strstr(e.message, message)) || (printf("%s\n", e.message), false);
}

static bool nonsense(const char *wire, const char *message) {
  struct cell got;
  char *copy = malloc(strlen(wire) + 1);
  memcpy(copy, wire, strlen(wire));
  scratch.n = 0;
  bool failed_ = neap__attribute_read(copy, strlen(wire), NULL, &got, &scratch, &e) != 0;
  free(copy);
  return (failed_ && e.kind == NEAP_PROTOCOL && strstr(e.message, message)) || (printf("%s\n", e.message), false);
}

// ---- Types on the wire ----

static void test_scalars(void) {
  CHECK(both(&string, text(CELL_TEXT, "tide"), "{\"S\":\"tide\"}"));
  CHECK(both(&string, text(CELL_TEXT, ""), "{\"S\":\"\"}"));
  CHECK(both(&string, text(CELL_TEXT, "a\"\\\n\x01\xc3\xa9"), "{\"S\":\"a\\\"\\\\\\n\\u0001\xc3\xa9\"}"));
  CHECK(both(&uuid, text(CELL_TEXT, "0189d0f2-7b3c-7e21-9b3a-3f0c7a1d2e4f"),
             "{\"S\":\"0189d0f2-7b3c-7e21-9b3a-3f0c7a1d2e4f\"}"));
  CHECK(both(&integer, whole(CELL_INTEGER, INT64_MIN), "{\"N\":\"-9223372036854775808\"}"));
  CHECK(both(&integer, whole(CELL_INTEGER, INT64_MAX), "{\"N\":\"9223372036854775807\"}"));
  CHECK(both(&number, real(5), "{\"N\":\"5\"}"));
  CHECK(both(&number, real(0.1), "{\"N\":\"0.1\"}"));
  CHECK(both(&number, real(1e125), "{\"N\":\"1E+125\"}"));
  CHECK(writes(&number, real(-0.0), "{\"N\":\"0\"}"));
  CHECK(both(&decimal, text(CELL_DECIMAL, "12345678901234567890123456789012345678"),
             "{\"N\":\"12345678901234567890123456789012345678\"}"));
  CHECK(writes(&decimal, text(CELL_DECIMAL, "1.50"), "{\"N\":\"1.5\"}"));
  CHECK(reads(&decimal, "{\"N\":\"5\"}", text(CELL_DECIMAL, "5")));
  CHECK(both(&money, text(CELL_DECIMAL, "1.50"), "{\"N\":\"1.5\"}"));
  CHECK(both(&money, text(CELL_DECIMAL, "-3.00"), "{\"N\":\"-3\"}"));
  CHECK(both(&boolean, whole(CELL_BOOLEAN, 0), "{\"BOOL\":false}"));
  CHECK(both(&datetime, whole(CELL_DATETIME, 1437383157463255), "{\"S\":\"2015-07-20T09:05:57.463255+00:00\"}"));
  CHECK(both(&timestamp, whole(CELL_DATETIME, 1437383157000000), "{\"N\":\"1437383157\"}"));
  CHECK(both(&timestamp, whole(CELL_DATETIME, -2000000), "{\"N\":\"-2\"}"));
  CHECK(both(&date, whole(CELL_DATE, 16636), "{\"S\":\"2015-07-20\"}"));
  CHECK(both(&bytes, text(CELL_BYTES, "123"), "{\"B\":\"MTIz\"}"));
  CHECK(both(&bytes, text(CELL_BYTES, ""), "{\"B\":\"\"}"));
  CHECK(both(&pointer, text(CELL_DECIMAL, "7.5"), "{\"N\":\"7.5\"}"));
  CHECK(both(&string, whole(CELL_NULL, 0), "{\"NULL\":true}"));
}

static void test_containers(void) {
  CHECK(both(
      &any_list, text(CELL_JSON, "[1,\"a\",2.5,true,null,[],{}]"),
      "{\"L\":[{\"N\":\"1\"},{\"S\":\"a\"},{\"N\":\"2.5\"},{\"BOOL\":true},{\"NULL\":true},{\"L\":[]},{\"M\":{}}]}"));
  CHECK(both(&any_list, text(CELL_JSON, "[]"), "{\"L\":[]}"));
  CHECK(both(&any_map, text(CELL_JSON, "{}"), "{\"M\":{}}"));
  CHECK(both(&any_map, text(CELL_JSON, "{\"a\\\"b\":{\"c\":\"\\n\"}}"),
             "{\"M\":{\"a\\\"b\":{\"M\":{\"c\":{\"S\":\"\\n\"}}}}}"));
  CHECK(both(&numbers, text(CELL_JSON, "[1.0,2.5,1e+22]"),
             "{\"L\":[{\"N\":\"1\"},{\"N\":\"2.5\"},{\"N\":\"10000000000000000000000\"}]}"));
  CHECK(both(&matrix, text(CELL_JSON, "[[1.0],[]]"), "{\"L\":[{\"L\":[{\"N\":\"1\"}]},{\"L\":[]}]}"));
  CHECK(both(&decimals, text(CELL_JSON, "[0.00000000000000000000000000000000000001]"),
             "{\"L\":[{\"N\":\"0.00000000000000000000000000000000000001\"}]}"));
  CHECK(
      both(&timestamps, text(CELL_JSON, "[\"2015-07-20T09:05:57.000000+00:00\"]"), "{\"L\":[{\"N\":\"1437383157\"}]}"));
  CHECK(both(&blobs, text(CELL_JSON, "[\"MTIz\",\"\"]"), "{\"L\":[{\"B\":\"MTIz\"},{\"B\":\"\"}]}"));
  CHECK(both(&prices, text(CELL_JSON, "{\"a\":1.5}"), "{\"M\":{\"a\":{\"N\":\"1.5\"}}}"));
  CHECK(both(&product, text(CELL_JSON, "{\"photo\":\"MTIz\",\"price\":1.5,\"tags\":[\"a\"]}"),
             "{\"M\":{\"photo\":{\"B\":\"MTIz\"},\"price\":{\"N\":\"1.5\"},\"tags\":{\"SS\":[\"a\"]}}}"));
  CHECK(both(&geopoint, text(CELL_JSON, "{\"latitude\":52.5,\"longitude\":13.0}"),
             "{\"M\":{\"latitude\":{\"N\":\"52.5\"},\"longitude\":{\"N\":\"13\"}}}"));
  CHECK(both(&file, text(CELL_JSON, "{\"name\":\"a.txt\",\"size\":3}"),
             "{\"M\":{\"name\":{\"S\":\"a.txt\"},\"size\":{\"N\":\"3\"}}}"));
}

// Of json each value has the tag of its content.
static void test_json(void) {
  CHECK(both(&json, text(CELL_JSON, "\"a\""), "{\"S\":\"a\"}"));
  CHECK(both(&json, text(CELL_JSON, "5"), "{\"N\":\"5\"}"));
  CHECK(both(&json, text(CELL_JSON, "false"), "{\"BOOL\":false}"));
  CHECK(both(&json, text(CELL_JSON, "{\"a\":[1,{\"b\":null}]}"),
             "{\"M\":{\"a\":{\"L\":[{\"N\":\"1\"},{\"M\":{\"b\":{\"NULL\":true}}}]}}}"));
  CHECK(writes(&json, text(CELL_JSON, "null"), "{\"NULL\":true}"));
  CHECK(reads(&json, "{\"NULL\":true}", whole(CELL_NULL, 0)));
  CHECK(writes(&json, text(CELL_JSON, " { \"a\" : [ 1 , 2 ] } "),
               "{\"M\":{\"a\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}}}"));
}

// Bytes and sets in untyped places are told by a mark, which is a blank to all others.
static void test_marks(void) {
  CHECK(both(&json, text(CELL_JSON, NEAP_JSON_MARK "\"MTIz\""), "{\"B\":\"MTIz\"}"));
  CHECK(both(&any_map, text(CELL_JSON, "{\"a\":" NEAP_JSON_MARK "\"MTIz\",\"b\":\"MTIz\"}"),
             "{\"M\":{\"a\":{\"B\":\"MTIz\"},\"b\":{\"S\":\"MTIz\"}}}"));
  CHECK(both(&any_list, text(CELL_JSON, "[" NEAP_JSON_MARK "[1,2.5]," NEAP_JSON_MARK "[\"a\"],[1]]"),
             "{\"L\":[{\"NS\":[\"1\",\"2.5\"]},{\"SS\":[\"a\"]},{\"L\":[{\"N\":\"1\"}]}]}"));
  CHECK(both(&json, text(CELL_JSON, NEAP_JSON_MARK "[" NEAP_JSON_MARK "\"MTIz\"]"), "{\"BS\":[\"MTIz\"]}"));
  CHECK(writes(&any_map, text(CELL_JSON, "{\"a\":" NEAP_JSON_MARK "[],\"b\":1}"), "{\"M\":{\"b\":{\"N\":\"1\"}}}"));
  CHECK(neap__json_equal("\t\r[1]", 5, "[1]", 3));
}

static void test_sets(void) {
  struct cell empty = text(CELL_JSON, "[ ]"), full = text(CELL_JSON, "[1]"), nothing = whole(CELL_NIL, 0);
  CHECK(both(&string_set, text(CELL_JSON, "[\"b\",\"a\"]"), "{\"SS\":[\"b\",\"a\"]}"));
  CHECK(both(&number_set, text(CELL_JSON, "[1.0,2.5]"), "{\"NS\":[\"1\",\"2.5\"]}"));
  CHECK(both(&bytes_set, text(CELL_JSON, "[\"MTIz\"]"), "{\"BS\":[\"MTIz\"]}"));
  CHECK(both(&time_set, text(CELL_JSON, "[\"2015-07-20T09:05:57.000000+00:00\"]"), "{\"NS\":[\"1437383157\"]}"));
  CHECK(writes(&decimal_set, text(CELL_JSON, "[1.50,1.5,15e-1,0.0,-0,1E2,100]"), "{\"NS\":[\"1.5\",\"0\",\"100\"]}"));
  CHECK(neap__attribute_is_nil(&string_set, &empty) && !neap__attribute_is_nil(&any_list, &empty));
  CHECK(!neap__attribute_is_nil(&number_set, &full) && neap__attribute_is_nil(&string, &nothing));
  CHECK(refused(&string_set, empty, "no empty set"));
  CHECK(refused(&boolean_set, text(CELL_JSON, "[true]"), "[1]: a set of DynamoDB holds text, numbers or bytes"));
  CHECK(refused(&json, text(CELL_JSON, NEAP_JSON_MARK "[1,\"a\"]"), "[2]: a set of DynamoDB holds values of one kind"));
  CHECK(refused(&any_list, text(CELL_JSON, "[1," NEAP_JSON_MARK "[]]"), "[2]: DynamoDB keeps no empty set"));
}

// What a type does not call for comes as its tag tells.
static void test_others(void) {
  CHECK(reads(&integer, "{\"N\":\"4.5\"}", real(4.5)));
  CHECK(reads(&integer, "{\"S\":\"x\"}", text(CELL_TEXT, "x")));
  CHECK(reads(&string, "{\"N\":\"5\"}", whole(CELL_INTEGER, 5)));
  CHECK(reads(&boolean, "{\"NULL\":true}", whole(CELL_NULL, 0)));
  CHECK(reads(&datetime, "{\"S\":\"2015-07-20T09:05:57Z\"}", whole(CELL_DATETIME, 1437383157000000)));
  CHECK(reads(&datetime, "{\"S\":\"soon\"}", text(CELL_TEXT, "soon")));
  CHECK(reads(&timestamp, "{\"N\":\"1e30\"}", real(1e30)));
  CHECK(reads(&number, "{\"N\":\"0.12345678901234567890123456789012345678\"}", real(0.12345678901234567890)));
  CHECK(reads(&number, "{\"N\":\"0.0000000000000000000000000000000000000000000000000000000000012345678901234567890\"}",
              real(1.234567890123456789e-60)));
  CHECK(reads(&numbers, "{\"L\":[{\"N\":\"1E+400\"}]}", text(CELL_JSON, "[1E+400]")));
  CHECK(reads(&string_set, "{\"L\":[{\"N\":\"1\"},{\"S\":\"a\"}]}", text(CELL_JSON, "[1,\"a\"]")));
  CHECK(reads(NULL, "{\"N\":\"9223372036854775808\"}", text(CELL_DECIMAL, "9223372036854775808")));
  CHECK(reads(&blobs, "{\"L\":[{\"S\":\"123\"},{\"S\":\"\\u00311\"}]}", text(CELL_JSON, "[\"MTIz\",\"MTE=\"]")));
  CHECK(reads(NULL, "{\"N\":\"5.0\"}", whole(CELL_INTEGER, 5)));
  CHECK(reads(NULL, "{\"N\":\"1E+2\"}", whole(CELL_INTEGER, 100)));
  CHECK(reads(NULL, " { \"S\" : \"a\" } ", text(CELL_TEXT, "a")));
}

static void test_refused(void) {
  static const char *const digits39 = "123456789012345678901234567890123456789";
  char nines[200];
  CHECK(refused(&decimal, text(CELL_DECIMAL, digits39), "at most 38 significant digits"));
  CHECK(refused(&number, real(1e126), "from 1E-130 to 9.99"));
  CHECK(refused(&number, real(9e-131), "from 1E-130"));
  CHECK(refused(&number, real(HUGE_VAL), "a finite number"));
  CHECK(refused(&any_map, text(CELL_JSON, "{\"a\":[1,{\"b c\":1e200}]}"), "a[2].b c: 1e200 is wrong"));
  CHECK(both(&decimal, text(CELL_DECIMAL, "1000000000000000000000000000000000000000"), "{\"N\":\"1E+39\"}"));
  snprintf(nines, sizeof nines, "%.38s%088d", "99999999999999999999999999999999999999", 0);
  CHECK(both(&decimal, text(CELL_DECIMAL, nines), "{\"N\":\"9.9999999999999999999999999999999999999E+125\"}"));
  snprintf(nines, sizeof nines, "%.38s%089d", "99999999999999999999999999999999999999", 0);
  CHECK(refused(&decimal, text(CELL_DECIMAL, nines), "9.9999999999999999999999999999999999999E+125"));

  struct shape shape = {.model = "Post"};
  struct field price = {.name = "prices", .type = decimals, .shape = &shape}, secret = price;
  struct cell list = text(CELL_JSON, "[1,123456789012345678901234567890123456789]");
  secret.flags = FIELD_SECRET;
  CHECK(neap__attribute_write_field(&out, &price, &list, &e) != 0);
  CHECK(strncmp(e.message, "Post.prices[2]: 123456789", 25) == 0 && e.kind == NEAP_VALIDATION);
  CHECK(neap__attribute_write_field(&out, &secret, &list, &e) != 0);
  CHECK(strcmp(e.message, "Post.prices: *** cannot be kept by DynamoDB") == 0);
}

static void test_nonsense(void) {
  CHECK(nonsense("", "byte 1: expected an object"));
  CHECK(nonsense("{\"S\":5}", "byte 6: expected a string"));
  CHECK(nonsense("{\"X\":\"a\"}", "byte 3: expected the tag of an attribute value"));
  CHECK(nonsense("{\"S\":\"a\"", "byte 9: expected the end of an object"));
  CHECK(nonsense("{\"S\":\"a\"} x", "byte 11: expected nothing more"));
  CHECK(nonsense("{\"N\":\"x\"}", "byte 7: expected a number"));
  CHECK(nonsense("{\"N\":\"\"}", "expected a number"));
  CHECK(nonsense("{\"N\":\"007\"}", "expected a number"));
  CHECK(nonsense("{\"B\":\"a\"}", "expected base64"));
  CHECK(nonsense("{\"S\":\"\xff\"}", "expected UTF-8"));
  CHECK(nonsense("{\"S\":\"\\ud800\"}", "expected an escape sequence that exists"));
  CHECK(nonsense("{\"L\":[{\"N\":\"1\"},]}", "expected an object"));
  CHECK(nonsense("{\"M\":{\"a\":{\"N\":\"1\"},}}", "expected a string"));
  CHECK(nonsense("{\"BOOL\":1}", "expected true or false"));
  char deep[2000] = "";
  for (int i = 0; i < 200; i++) memcpy(deep + 6 * i, "{\"L\":[", 7);
  CHECK(nonsense(deep, "not nested so deeply"));
}

// ---- Items ----

static struct shape shape_of(struct field *fields, const struct field **columns, int n, int open) {
  struct shape shape = {.model = "Post", .nfields = n, .fields = fields, .ncolumns = n, .columns = columns};
  shape.ncells = n;
  shape.open = open;
  shape.version = -1;
  shape.nkeys = 2;
  for (int i = 0; i < n; i++) {
    fields[i].column = fields[i].index = i;
    if (i < 2) shape.keys[i] = &fields[i];
    columns[i] = &fields[i];
  }
  return shape;
}

static struct field fields[] = {{.name = "id", .wire = "id", .type = TYPE(TYPE_STRING)},
                                {.name = "rank", .wire = "rank", .type = TYPE(TYPE_INTEGER)},
                                {.name = "price", .wire = "p", .type = TYPE(TYPE_DECIMAL)},
                                {.name = "bio", .wire = "b\"io", .type = TYPE(TYPE_STRING)},
                                {.name = "rest", .wire = "rest", .type = TYPE(TYPE_JSON)}};
static const struct field *columns[5];
static struct neap__items items;
static struct cell row[5];
static struct neap__error fault;

static bool row_is(const char *id, int64_t rank) {
  bool same_id = id ? row[0].kind == CELL_TEXT && row[0].n == strlen(id) && memcmp(row[0].p, id, row[0].n) == 0
                    : row[0].kind == CELL_NIL;
  return same_id && (row[1].kind == CELL_INTEGER ? row[1].i == rank : rank < 0);
}

static enum rows_state next(void) {
  enum rows_state state = neap__items_next(&items, row, &fault);
  if (state == ROWS_FAILED) printf("%s\n", fault.message);
  return state;
}

static void begin(const char *reply) {
  neap__items_begin(&items, reply, strlen(reply));
}

static bool slice_is(struct neap__json_slice s, const char *expected) {
  return s.n == strlen(expected) && memcmp(s.p, expected, s.n) == 0;
}

static void test_query(void) {
  begin(
      "{\"Count\":3,\"Items\":[{\"id\":{\"S\":\"a\"},\"rank\":{\"N\":\"1\"},\"other\":{\"L\":[{\"S\":\"]}\"}]}},"
      "{\"rank\":{\"N\":\"2\"},\"b\\\"io\":{\"S\":\"x\\ty\"},\"id\":{\"S\":\"b\"}},{}],\"ScannedCount\":7,"
      "\"LastEvaluatedKey\":{\"id\":{\"S\":\"b\"}},\"ConsumedCapacity\":{\"CapacityUnits\":0.5}}");
  CHECK(next() == ROWS_ROW && row_is("a", 1) && row[2].kind == CELL_NIL && row[3].kind == CELL_NIL);
  CHECK(next() == ROWS_ROW && row_is("b", 2) && row[3].n == 3 && memcmp(row[3].p, "x\ty", 3) == 0);
  CHECK(slice_is(items.item, "{\"rank\":{\"N\":\"2\"},\"b\\\"io\":{\"S\":\"x\\ty\"},\"id\":{\"S\":\"b\"}}"));
  CHECK(next() == ROWS_ROW && row_is(NULL, -1) && items.found);
  CHECK(next() == ROWS_END && next() == ROWS_END && items.count == 3 && items.scanned == 7);
  CHECK(slice_is(items.last_key, "{\"id\":{\"S\":\"b\"}}") && slice_is(items.capacity, "{\"CapacityUnits\":0.5}"));
  begin("{\"Items\":[],\"Count\":0}");
  CHECK(next() == ROWS_END && items.last_key.n == 0 && items.count == 0 && items.scanned == -1);
}

static void test_other_replies(void) {
  begin("{\"Item\":{\"id\":{\"S\":\"a\"}}}");
  CHECK(next() == ROWS_ROW && row_is("a", -1) && next() == ROWS_END);
  begin("{}");
  CHECK(next() == ROWS_END);
  begin("{\"ItemCollectionMetrics\":{},\"Attributes\":{\"rank\":{\"N\":\"3\"}}}");
  CHECK(next() == ROWS_ROW && row_is(NULL, 3) && next() == ROWS_END);
  begin(
      "{\"Responses\":{\"posts\":[{\"id\":{\"S\":\"a\"}}],\"empty\":[],\"more\":[{\"id\":{\"S\":\"b\"}}]},"
      "\"UnprocessedKeys\":{\"posts\":{\"Keys\":[]}}}");
  CHECK(next() == ROWS_ROW && row_is("a", -1) && next() == ROWS_ROW && row_is("b", -1) && next() == ROWS_END);
  CHECK(slice_is(items.unprocessed, "{\"posts\":{\"Keys\":[]}}"));
  begin(
      "{\"UnprocessedKeys\":{},\"Responses\":[{\"Item\":{\"id\":{\"S\":\"a\"}}},{},{\"Item\":{\"id\":{\"S\":\"c\"}}}]"
      "}");
  CHECK(next() == ROWS_ROW && row_is("a", -1) && items.found);
  CHECK(next() == ROWS_ROW && row_is(NULL, -1) && !items.found);
  CHECK(next() == ROWS_ROW && row_is("c", -1) && items.found && next() == ROWS_END && items.unprocessed.n == 0);
  begin(" [ {\"id\":{\"S\":\"a\"}} , {\"id\":{\"S\":\"b\"}} ] ");
  CHECK(next() == ROWS_ROW && next() == ROWS_ROW && row_is("b", -1) && next() == ROWS_END);
  neap__items_begin_one(&items, "{\"id\":{\"S\":\"a\"}}", 16);
  CHECK(next() == ROWS_ROW && row_is("a", -1) && next() == ROWS_END);
}

// Only the columns that are wanted come, in their order.
static void test_columns(const struct shape *shape) {
  uint64_t wanted = 1 << 3 | 1 << 1;
  struct neap__items some;
  CHECK(neap__items_init(&some, shape, &wanted) == 0 && some.ncells == 2);
  neap__items_begin(&some, "{\"Item\":{\"b\\\"io\":{\"S\":\"x\"},\"id\":{\"S\":\"a\"},\"rank\":{\"N\":\"1\"}}}", 59);
  CHECK(neap__items_next(&some, row, &e) == ROWS_ROW && row[0].i == 1 && *row[1].p == 'x');
  neap__items_free(&some);
  neap__items_free(&some);
}

static void test_open(void) {
  begin(
      "{\"Items\":[{\"z\":{\"NS\":[\"1\"]},\"id\":{\"S\":\"a\"},\"n\\n\":{\"M\":{\"q\":{\"B\":\"MTIz\"}}}},{\"id\":{"
      "\"S\":"
      "\"b\"}}]}");
  CHECK(next() == ROWS_ROW && row_is("a", -1));
  static const char *const rest = "{\"z\":\t\r[1],\"n\\n\":{\"q\":\t\r\"MTIz\"}}";
  CHECK(row[4].kind == CELL_JSON && row[4].n == strlen(rest) && memcmp(row[4].p, rest, row[4].n) == 0);
  out.n = 0;
  struct neap__json_each it = neap__json_each(row[4].p, row[4].n);
  while (neap__json_next(&it)) {
    CHECK(neap__buffer_append(&out, it.key.p, it.key.n) == 0);
    struct cell member = neap__attribute_member(&row[4], &it);
    CHECK(!neap__attribute_is_nil(NULL, &member) && neap__attribute_write(&out, NULL, &member, &e) == 0);
  }
  static const char *const wire = "\"z\"{\"NS\":[\"1\"]}\"n\\n\"{\"M\":{\"q\":{\"B\":\"MTIz\"}}}";
  CHECK(out.n == strlen(wire) && memcmp(out.p, wire, out.n) == 0);
  CHECK(next() == ROWS_ROW && row[4].kind == CELL_NIL && next() == ROWS_END);
}

// Text that had to be decoded stays readable while more of the row is decoded.
static void test_long_row(void) {
  static char reply[400000], *to = reply;
  to += sprintf(to, "{\"Item\":{\"id\":{\"S\":\"\\u0061\"},\"p\":{\"N\":\"1e5\"},\"b\\\"io\":{\"S\":\"");
  for (int i = 0; i < 100000; i++) to += sprintf(to, "\\n");
  sprintf(to, "\"}}}");
  begin(reply);
  CHECK(next() == ROWS_ROW && row_is("a", -1) && row[2].n == 6 && memcmp(row[2].p, "100000", 6) == 0);
  CHECK(row[3].n == 100000 && row[3].p[99999] == '\n' && next() == ROWS_END);
}

// Every beginning of a reply ends in a fault that says where; nothing is read behind its end.
static void test_truncated(void) {
  static const char *const reply =
      "{\"Responses\":{\"t\":[{\"id\":{\"S\":\"\\u00e9\"},\"rank\":{\"N\":\"1\"},\"p\":{\"N\":\"1.5\"},\"x\":{\"L\":[{"
      "\"BOOL\":true},{\"NULL\":true},{\"M\":{\"k\":{\"BS\":[\"MTIz\"]}}}]}}]},\"UnprocessedKeys\":{\"t\":{\"Keys\":[{}"
      "]}}"
      ",\"ConsumedCapacity\":[{\"CapacityUnits\":1}]}";
  int failures = 0;
  for (size_t n = 0; n < strlen(reply); n++) {
    char *copy = malloc(n ? n : 1);
    memcpy(copy, reply, n);
    neap__items_begin(&items, copy, n);
    enum rows_state state = ROWS_ROW;
    while (state == ROWS_ROW) state = neap__items_next(&items, row, &fault);
    failures += state == ROWS_FAILED && fault.kind == NEAP_PROTOCOL && strstr(fault.message, "makes no sense at byte");
    free(copy);
  }
  CHECK(failures == (int)strlen(reply));
  begin("{\"Items\":[{\"id\":{\"S\":\"a\"}},{\"rank\":{\"N\":\"x\"}}]}");
  CHECK(neap__items_next(&items, row, &fault) == ROWS_ROW && neap__items_next(&items, row, &fault) == ROWS_FAILED);
  CHECK(strcmp(fault.message, "DynamoDB's reply (item 2, rank) makes no sense at byte 42: expected a number") == 0);
}

static void test_items(void) {
  struct shape open = shape_of(fields, columns, 5, 4), closed = shape_of(fields, columns, 4, -1);
  for (int i = 0; i < 5; i++) fields[i].shape = &open;
  CHECK(neap__items_init(&items, &open, NULL) == 0 && items.ncells == 5);
  test_open();
  test_query();
  test_truncated();
  neap__items_free(&items);
  for (int i = 0; i < 5; i++) fields[i].shape = &closed;
  CHECK(neap__items_init(&items, &closed, NULL) == 0 && items.ncells == 4);
  test_query();
  test_other_replies();
  test_long_row();
  test_truncated();
  test_columns(&closed);
  neap__items_free(&items);
}

// ---- Keys ----

static bool equal_keys(struct cell a, struct cell b, struct cell c, struct cell d) {
  const struct shape shape = {.nkeys = 2};
  const struct cell x[] = {a, b}, y[] = {c, d};
  bool equal = neap__item_key_equal(&shape, x, y);
  CHECK(!equal || neap__item_key_hash(&shape, x) == neap__item_key_hash(&shape, y));
  return equal;
}

static void test_keys(void) {
  struct cell a = text(CELL_TEXT, "a"), b = text(CELL_TEXT, "b");
  CHECK(equal_keys(a, b, a, b) && !equal_keys(a, b, b, a));
  CHECK(equal_keys(a, text(CELL_DECIMAL, "1.50"), a, text(CELL_DECIMAL, "1.5")));
  CHECK(equal_keys(a, text(CELL_DECIMAL, "10"), a, whole(CELL_INTEGER, 10)));
  CHECK(equal_keys(a, real(10), a, whole(CELL_INTEGER, 10)) && equal_keys(a, real(-0.0), a, whole(CELL_INTEGER, 0)));
  CHECK(!equal_keys(a, whole(CELL_INTEGER, 1), a, text(CELL_TEXT, "1")));
  CHECK(!equal_keys(a, text(CELL_TEXT, "a"), a, text(CELL_BYTES, "a")));
  struct cell left[2] = {a, b}, right[2] = {b, a};
  const struct shape shape = {.nkeys = 2};
  CHECK(neap__item_key_hash(&shape, left) != neap__item_key_hash(&shape, right));
}

// ---- Random numbers and documents ----

static uint64_t seed = 20261121;

static uint64_t draw(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

// A decimal of 1 to 38 digits at any place that the server keeps: its canonical text.
static size_t random_decimal(char *text_) {
  int n = 1 + (int)(draw() % 38), exponent = (int)(draw() % 256) - 130;
  char literal[80], *to = literal;
  if (draw() % 2) *to++ = '-';
  for (int i = 0; i < n; i++) {
    *to++ = (char)('0' + (i == 0 ? 1 + draw() % 9 : draw() % 10));
    if (i == 0 && n > 1) *to++ = '.';
  }
  to += sprintf(to, "e%d", exponent);
  size_t len = 0;
  neap__decimal_parse(literal, (size_t)(to - literal), text_, DECIMAL_TEXT, &len, &e);
  return len;
}

static int64_t random_integer(void) {
  static const int64_t edges[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_C(1) << 53, 999999999999999999};
  return draw() % 8 == 0 ? edges[draw() % 8] : (int64_t)draw() >> draw() % 64;
}

static double random_double(void) {
  double d = ldexp((double)(int64_t)draw(), (int)(draw() % 825) - 480);
  return draw() % 4 ? d : (double)(int64_t)(draw() % 2000000) / 100;
}

// Written as the type and read again, the cell compares equal: as it is, and as the elements of what holds it.
static bool survives(const struct type *type, struct cell cell) {
  struct cell got;
  out.n = scratch.n = 0;
  return neap__attribute_write(&out, type, &cell, &e) == 0 &&
         neap__attribute_read(out.p, out.n, type, &got, &scratch, &e) == 0 && got.kind == cell.kind &&
         neap__cell_equal(&got, &cell);
}

static bool survives_within(const struct type *element, const char *literal) {
  char list[2 * DECIMAL_TEXT];
  struct type of_list = {.kind = TYPE_LIST, .of = element}, of_set = {.kind = TYPE_SET, .of = element},
              of_map = {.kind = TYPE_MAP, .of = element};
  snprintf(list, sizeof list, "[%s,7]", literal);
  bool ok = survives(&of_list, text(CELL_JSON, list)) && survives(&any_list, text(CELL_JSON, list)) &&
            (strcmp(literal, "7") == 0 || survives(&of_set, text(CELL_JSON, list)));
  snprintf(list, sizeof list, "{\"a\":%s}", literal);
  return ok && survives(&of_map, text(CELL_JSON, list)) && survives(&json, text(CELL_JSON, list)) &&
         survives(&json, text(CELL_JSON, literal));
}

static void test_random_numbers(void) {
  int lost = 0;
  char literal[DECIMAL_TEXT];
  for (int i = 0; i < 10000; i++) {
    size_t n = random_decimal(literal);
    literal[n] = '\0';
    if (survives(&decimal, text(CELL_DECIMAL, literal)) && survives_within(&decimal, literal)) continue;
    if (lost++ < 5) printf("%s: %.*s %s\n", literal, (int)out.n, out.p, e.message);
  }
  for (int i = 0; i < 10000; i++) {
    int64_t value = random_integer();
    snprintf(literal, sizeof literal, "%" PRId64, value);
    if (survives(&integer, whole(CELL_INTEGER, value)) && survives_within(&integer, literal)) continue;
    if (lost++ < 5) printf("%s: %.*s %s\n", literal, (int)out.n, out.p, e.message);
  }
  for (int i = 0; i < 10000; i++) {
    double value = random_double();
    literal[neap__json_double(value, literal)] = '\0';
    if (survives(&number, real(value)) && survives_within(&number, literal)) continue;
    if (lost++ < 5) printf("%s: %.*s %s\n", literal, (int)out.n, out.p, e.message);
  }
  CHECK(lost == 0);
}

static void random_document(struct neap__buffer *b, int depth) {
  static const char *const words[] = {"null", "true", "false",        "\"\"",     "\"a\\\"\\u0001\xc3\xa9\"",
                                      "[]",   "{}",   "\t\r\"MTIz\"", "\t\r[1,2]"};
  char part[DECIMAL_TEXT];
  int kind = (int)(draw() % (depth > 0 ? 5 : 3)), n = (int)(draw() % 4);
  if (kind == 0) {
    const char *word = words[draw() % (sizeof words / sizeof *words)];
    neap__buffer_append(b, word, strlen(word));
  } else if (kind < 3) {
    neap__buffer_append(b, part,
                        kind == 1 ? random_decimal(part) : (size_t)sprintf(part, "%" PRId64, random_integer()));
  } else {
    neap__buffer_byte(b, kind == 3 ? '[' : '{');
    for (int i = 0; i <= n; i++) {
      if (i > 0) neap__buffer_byte(b, ',');
      if (kind == 4) neap__buffer_append(b, part, (size_t)sprintf(part, "\"k%d\":", i));
      random_document(b, depth - 1);
    }
    neap__buffer_byte(b, kind == 3 ? ']' : '}');
  }
}

static void test_random_documents(void) {
  struct neap__buffer document;
  int lost = 0;
  neap__buffer_plain(&document);
  for (int i = 0; i < 10000; i++) {
    document.n = 0;
    random_document(&document, 5);
    struct cell cell = {.kind = CELL_JSON, .p = document.p, .n = (uint32_t)document.n};
    if (document.n == 4 && memcmp(document.p, "null", 4) == 0) continue;
    if (survives(&json, cell)) continue;
    if (lost++ < 5) printf("%.*s: %.*s %s\n", (int)document.n, document.p, (int)out.n, out.p, e.message);
  }
  neap__buffer_free(&document);
  CHECK(lost == 0);
}

int main(void) {
  neap__buffer_plain(&out);
  neap__buffer_plain(&scratch);
  test_scalars();
  test_containers();
  test_json();
  test_marks();
  test_sets();
  test_others();
  test_refused();
  test_nonsense();
  test_items();
  test_keys();
  test_random_numbers();
  test_random_documents();
  neap__buffer_free(&out);
  neap__buffer_free(&scratch);
  return report();
}
