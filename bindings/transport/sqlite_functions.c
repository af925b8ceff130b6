// sqlite_functions.c: what our statements need that SQLite does not have: regular expressions, exact decimals, and looking
// into JSON lists. All are deterministic and answer NULL for what they cannot read, so that no row makes a statement fail.
#include "transport/sqlite.h"
#include "value/buffer.h"
#include "value/decimal.h"
#include "value/json.h"
#include "value/match.h"
#include "value/text.h"

#define UNLIMITED 1000000000  // bytes of a value, as SQLite has it by itself

struct slice {
  const char *p;
  size_t n;
};

// The text of an argument, p NULL if it is no text.
static struct slice text_of(sqlite3_value *v) {
  if (sqlite3_value_type(v) != SQLITE_TEXT) return (struct slice){NULL, 0};
  const char *p = (const char *)sqlite3_value_text(v);
  return (struct slice){p, (size_t)sqlite3_value_bytes(v)};
}

// neap_regex(pattern, text): a match that takes too many steps ends the statement.
static void regex(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  struct slice pattern = text_of(argv[0]), text = text_of(argv[1]);
  struct neap__error e;
  (void)argc;
  if (!pattern.p || !text.p) return;
  int found = neap__regex_match(sqlite3_user_data(ctx), pattern.p, pattern.n, text.p, text.n, &e);
  if (found < 0)
    sqlite3_result_error(ctx, e.message, -1);
  else
    sqlite3_result_int(ctx, found);
}

// Comparing may take as long as the product of the two lengths says: where scripts are limited, and so the lengths of values,
// that is limited as well.
static bool too_long(sqlite3_context *ctx, struct slice a, struct slice b, double most) {
  int length = sqlite3_limit(sqlite3_context_db_handle(ctx), SQLITE_LIMIT_LENGTH, -1);
  if (length >= UNLIMITED || (double)a.n * (double)b.n < most) return false;
  sqlite3_result_error(ctx, "the JSON texts are too long to be compared", -1);
  return true;
}

// neap_json_equal(json, json): by structure; the order of keys does not count.
static void json_equal(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  struct slice a = text_of(argv[0]), b = text_of(argv[1]);
  (void)argc;
  if (a.p && b.p && !too_long(ctx, a, b, 1e10)) sqlite3_result_int(ctx, neap__json_equal(a.p, a.n, b.p, b.n));
}

static void json_elements(sqlite3_context *ctx, sqlite3_value **argv, bool all) {
  struct slice list = text_of(argv[0]), wanted = text_of(argv[1]);
  if (list.p && wanted.p && !too_long(ctx, list, wanted, 1e9))
    sqlite3_result_int(ctx, neap__match_elements(list.p, list.n, wanted.p, wanted.n, all));
}

// neap_json_any(json, list): does the JSON list share an element with the other?
static void json_any(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  json_elements(ctx, argv, false);
}

// neap_json_all(json, list): does the JSON list hold each element of the other?
static void json_all(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  json_elements(ctx, argv, true);
}

// neap_json_size(json): elements of a list, members of an object.
static void json_size(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  struct slice json = text_of(argv[0]);
  int64_t size = json.p ? neap__match_size(json.p, json.n) : -1;
  (void)argc;
  if (size >= 0) sqlite3_result_int64(ctx, size);
}

// neap_json_at(json, path): the JSON text at the end of a path that is itself a JSON list of keys and indexes. For keys that
// SQLite's own paths cannot name.
static void json_at(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  struct slice json = text_of(argv[0]), path = text_of(argv[1]);
  struct neap__json_slice at = {json.p, json.n};
  struct neap__buffer scratch;
  (void)argc;
  if (!json.p || !path.p) return;
  neap__buffer_plain(&scratch);
  struct neap__json_each it = neap__json_each(path.p, path.n);
  bool found = true;
  while (found && neap__json_next(&it)) {
    struct cell cell;
    scratch.n = 0;
    found = neap__json_scalar(it.value.p, it.value.n, &cell, &scratch) == 0;
    struct neap__json_step step = {NULL, 0, -1};
    if (cell.kind == CELL_TEXT) step.key = cell.p, step.len = cell.n;
    if (cell.kind == CELL_INTEGER) step.index = cell.i;
    found = found && neap__json_find(at.p, at.n, &step, 1, &at);
  }
  neap__buffer_free(&scratch);
  if (found) sqlite3_result_text64(ctx, at.p, at.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

// neap_near(point, latitude, longitude, metres)
static void near(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  struct slice json = text_of(argv[0]);
  struct neap__point p, centre = {sqlite3_value_double(argv[1]), sqlite3_value_double(argv[2])};
  (void)argc;
  if (json.p && neap__match_point(json.p, json.n, &p))
    sqlite3_result_int(ctx, neap__match_distance(p, centre) <= sqlite3_value_double(argv[3]));
}

// neap_within(point, south, west, north, east)
static void within(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  struct slice json = text_of(argv[0]);
  struct neap__point p;
  double box[4];
  (void)argc;
  for (int i = 0; i < 4; i++) box[i] = sqlite3_value_double(argv[i + 1]);
  if (json.p && neap__match_point(json.p, json.n, &p))
    sqlite3_result_int(ctx, neap__match_box(p, box[0], box[1], box[2], box[3]));
}

// COLLATE neap_decimal: texts by the numbers that they spell. No schema may name it: other tools do not know it.
static int by_decimal(void *ud, int na, const void *a, int nb, const void *b) {
  (void)ud;
  return neap__decimal_compare(a, (size_t)na, b, (size_t)nb);
}

static void free_regexes(void *regexes) {
  neap__regexes_free(regexes);
}

int neap__sqlite_functions(sqlite3 *db) {
  static const struct {
    const char *name;
    int nargs;
    void (*call)(sqlite3_context *, int, sqlite3_value **);
  } plain[] = {
      {"neap_json_equal", 2, json_equal}, {"neap_json_any", 2, json_any}, {"neap_json_all", 2, json_all},
      {"neap_json_size", 1, json_size},   {"neap_json_at", 2, json_at},   {"neap_near", 4, near},
      {"neap_within", 5, within},
  };
  const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  int code = sqlite3_create_collation_v2(db, "neap_decimal", SQLITE_UTF8, NULL, by_decimal, NULL);
  for (size_t i = 0; i < sizeof plain / sizeof *plain && code == SQLITE_OK; i++)
    code = sqlite3_create_function_v2(db, plain[i].name, plain[i].nargs, flags, NULL, plain[i].call, NULL, NULL, NULL);
  if (code == SQLITE_OK) code = neap__sqlite_decimal_functions(db);
  struct neap__regexes *regexes = code == SQLITE_OK ? neap__regexes_new() : NULL;
  if (code == SQLITE_OK && !regexes) code = SQLITE_NOMEM;
  if (code != SQLITE_OK) return code;  // else SQLite frees the cache, also when it refuses the function
  return sqlite3_create_function_v2(db, "neap_regex", 2, flags, regexes, regex, NULL, NULL, free_regexes);
}
