// sql_dialect.h: every difference between SQLite and PostgreSQL, as a table that the compilers read.
//
// Expressions are templates: $0 stands for a column or a value, $1 ... $9 for what the comments say, anything else is copied.
#ifndef NEAP_SQL_DIALECT_H
#define NEAP_SQL_DIALECT_H

#include "model/condition.h"

// What a value is compared as. In JSON each class has a guard.
enum sql_class { SQL_TEXT, SQL_NUMBER, SQL_DECIMAL, SQL_BOOLEAN, SQL_JSON, SQL_BYTES, SQL_CLASSES };

struct sql_dialect {
  const char *name;                 // "sqlite", for errors
  char placeholder;                 // ?1 or $1
  int max_params;                   // of one statement
  const char *yes, *no;             // conditions that are always true and never
  const char *column[SQL_CLASSES];  // $0 column as it compares and sorts; NULL: as it is
  const char *in;                   // $0 value, $1 one parameter: all operands as a JSON list
  const char *text[COND_TYPE + 1];  // $0 value, $1 operand, which is folded where the operator begins with i;
                                    // PREFIX is a range everywhere
  // Inside JSON: $0 column, $1 path.
  const char *guard[SQL_CLASSES];  // whether a value of the class is there
  const char *value[SQL_CLASSES];  // that value
  const char *exists;              // there and not null
  const char *json;                // its JSON text
  const char *types[8][2];         // names that `type` asks for, and how
  // Writes the path to a place as text. False if it does not fit or cannot be named so.
  bool (*path)(char *out, size_t size, const struct place *place);
  const char *root;     // the path to the whole column, as SQL
  const char *unnamed;  // JSON text of a place that has no path: $0 column, $1 a JSON list of steps
  // JSON as a whole: $0 JSON text, $1 operand.
  const char *equal, *any, *all, *size;
  const char *near, *within;  // $0 point, $1 ... latitude, longitude, metres; south, west, north, east
};

extern const struct sql_dialect neap__sql_sqlite;

#endif
