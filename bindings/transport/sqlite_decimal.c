// sqlite_decimal.c: exact sums and averages of decimals, which SQLite itself would add up as doubles.
#include "transport/sqlite.h"
#include "value/decimal_number.h"

// What SQLite keeps for each group; zeroed at first.
struct total {
  int64_t count;
  bool failed;
  struct number sum;
};

static bool read_number(struct number *x, sqlite3_value *value, struct neap__error *e) {
  char text[DECIMAL_TEXT];
  size_t n;
  const char *p = (const char *)sqlite3_value_text(value);
  if (!p || neap__decimal_parse(p, (size_t)sqlite3_value_bytes(value), text, sizeof text, &n, e) != 0) return false;
  neap__number_read(x, text, n);
  return true;
}

// What is no number is left out, as absent values are.
static void step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  struct total *t = sqlite3_aggregate_context(ctx, sizeof *t);
  struct number x, sum;
  struct neap__error e;
  (void)argc;
  if (!t) sqlite3_result_error_nomem(ctx);
  if (!t || t->failed || sqlite3_value_type(argv[0]) == SQLITE_NULL || !read_number(&x, argv[0], &e)) return;
  t->failed = neap__number_add(&sum, &t->sum, &x, &e) != 0;
  if (t->failed) sqlite3_result_error(ctx, e.message, -1);
  t->sum = sum;
  t->count++;
}

static void give(sqlite3_context *ctx, const struct number *x) {
  char text[DECIMAL_TEXT];
  size_t n = neap__number_write(x, text);
  sqlite3_result_text(ctx, text, (int)n, SQLITE_TRANSIENT);
}

// neap_sum(decimal)
static void sum_final(sqlite3_context *ctx) {
  struct total *t = sqlite3_aggregate_context(ctx, 0);
  if (t && t->count > 0 && !t->failed) give(ctx, &t->sum);
}

// neap_avg(decimal): 28 digits
static void avg_final(sqlite3_context *ctx) {
  struct total *t = sqlite3_aggregate_context(ctx, 0);
  struct number count, average;
  struct neap__error e;
  if (!t || t->count == 0 || t->failed) return;
  neap__number_integer(&count, t->count);
  if (neap__number_divide(&average, &t->sum, &count, &e) == 0)
    give(ctx, &average);
  else
    sqlite3_result_error(ctx, e.message, -1);
}

// neap_decimal_add(decimal, decimal): NULL where one of them is none
static void add(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  struct number a, b, sum;
  struct neap__error e;
  (void)argc;
  if (!read_number(&a, argv[0], &e) || !read_number(&b, argv[1], &e)) return;
  if (neap__number_add(&sum, &a, &b, &e) == 0)
    give(ctx, &sum);
  else
    sqlite3_result_error(ctx, e.message, -1);
}

int neap__sqlite_decimal_functions(sqlite3 *db) {
  const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  int code = sqlite3_create_function_v2(db, "neap_sum", 1, flags, NULL, NULL, step, sum_final, NULL);
  if (code == SQLITE_OK)
    code = sqlite3_create_function_v2(db, "neap_decimal_add", 2, flags, NULL, add, NULL, NULL, NULL);
  if (code != SQLITE_OK) return code;
  return sqlite3_create_function_v2(db, "neap_avg", 1, flags, NULL, NULL, step, avg_final, NULL);
}
