// sql_operand.c: operands made such that the database compares them as neap does: numbers exactly, texts that it cannot hold.
#include <math.h>
#include <string.h>

#include "model/condition_build.h"
#include "store/sql_dialect.h"

#define TWO_TO_63 9223372036854775808.0

// ---- Numbers ----

// The largest integer that is not above d, and the largest double that is not above i.
static int64_t floor_of(double d) {
  return d >= TWO_TO_63 ? INT64_MAX : d < -TWO_TO_63 ? INT64_MIN : (int64_t)floor(d);
}

static double below(int64_t i) {
  double d = (double)i;
  return d == TWO_TO_63 || (int64_t)d > i ? nextafter(d, -INFINITY) : d;
}

// Makes the operand a number of the column's own kind, beside which others would be compared inexactly and without an index.
// Where there is no such number `op` becomes a comparison with the one below, or COND_NOT: none is equal.
static void make_own(const struct sql_dialect *dialect, const struct place *place, enum condition_op *op,
                     struct cell *cell) {
  const struct type *type = neap__operand_type(place);
  bool own = type && dialect->arrays && !neap__place_in_json(place);
  enum cell_kind kind = own ? neap__sql_kind(type) : CELL_NIL;
  if (type && neap__sql_is_seconds(type)) kind = CELL_INTEGER;
  bool exact = true, lowest = false;
  if (kind == CELL_INTEGER && cell->kind == CELL_NUMBER) {
    exact = cell->d >= -TWO_TO_63 && cell->d < TWO_TO_63 && cell->d == floor(cell->d);
    lowest = cell->d < -TWO_TO_63;
    *cell = (struct cell){.i = floor_of(cell->d), .kind = CELL_INTEGER};
  } else if (kind == CELL_NUMBER && cell->kind == CELL_INTEGER) {
    double d = below(cell->i);
    exact = d >= -TWO_TO_63 && (int64_t)d == cell->i;
    *cell = (struct cell){.d = d, .kind = CELL_NUMBER};
  }
  if (exact) return;
  if (*op == COND_LT || *op == COND_LTE)
    *op = lowest ? COND_LT : COND_LTE;
  else if (*op == COND_GT || *op == COND_GTE)
    *op = lowest ? COND_GTE : COND_GT;
  else
    *op = COND_NOT;
}

// ---- Texts with a NUL in them, where the database keeps none: nothing is equal to one ----

bool neap__sql_has_nul(const struct sql_dialect *dialect, const struct cell *cell) {
  if (!dialect->no_nul) return false;
  if (cell->kind == CELL_TEXT) return cell->n > 0 && memchr(cell->p, 0, cell->n) != NULL;
  for (uint32_t i = 0; cell->kind == CELL_JSON && i + 5 < cell->n; i++) {
    if (cell->p[i] != '\\') continue;
    if (memcmp(cell->p + i, "\\u0000", 6) == 0) return true;
    i++;  // what is escaped begins nothing
  }
  return false;
}

// In the order of texts the part before the NUL takes the place of the whole.
static void cut_at_nul(const struct sql_dialect *dialect, enum condition_op *op, struct cell *cell) {
  if (cell->kind != CELL_TEXT || !neap__sql_has_nul(dialect, cell)) return;
  cell->n = (uint32_t)strnlen(cell->p, cell->n);
  if (*op == COND_LT || *op == COND_LTE)
    *op = COND_LTE;
  else
    *op = *op == COND_GT || *op == COND_GTE ? COND_GT : COND_NOT;
}

void neap__sql_fit(const struct sql_dialect *dialect, const struct place *place, enum condition_op *op,
                   struct cell *cell) {
  make_own(dialect, place, op, cell);
  cut_at_nul(dialect, op, cell);
}
