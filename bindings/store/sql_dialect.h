// sql_dialect.h: every difference between SQLite and PostgreSQL, as a table that the compilers read.
//
// Entries that make an expression are templates: $1, $2 ... stand for the expressions that go in, anything else is copied.
// A template may name an expression more than once only where that expression is a column or a parameter.
#ifndef NEAP_SQL_DIALECT_H
#define NEAP_SQL_DIALECT_H

#include <stdbool.h>

#include "model/condition.h"

// What a value found in JSON is compared as.
enum sql_class { SQL_TEXT, SQL_NUMBER, SQL_DECIMAL, SQL_BOOLEAN, SQL_JSON, SQL_CLASSES };

struct sql_dialect {
  const char *name;                       // "sqlite", for errors
  char placeholder;                       // ?1 or $1
  int max_params;                         // of one statement
  const char *literals[2];                // false, true
  // Columns. NULL in compare: the column as it is.
  const char *compare[TYPE_COMPUTED + 1]; // $1 column: what compares and sorts as the type does
  const char *in_list;                    // $1 column, $2 one parameter that holds all the values
  // Text. $1 text, $2 operand (folded already where the name begins with i).
  const char *text_op[COND_TYPE + 1];     // SUFFIX CONTAINS REGEX I...; prefix is a range
  // Inside JSON. $1 column, $2 path.
  void (*path)(char *out, int size, const struct place *place);
  const char *json_guard[SQL_CLASSES];    // true where a value of this class is
  const char *json_value[SQL_CLASSES];    // that value
  const char *json_exists;                // there, and not null
  const char *json_text;                  // the JSON text of the place, NULL where nothing is
  // JSON as a whole. $1 JSON text, $2 operand.
  const char *json_equal, *json_any, *json_all, *json_size, *json_type;
  const char *near, *within;              // $1 point as JSON, then latitude, longitude, metres or south, west, north, east
};

extern const struct sql_dialect neap__sql_sqlite;

#endif
