// sql_dialect.h: every difference between SQLite and PostgreSQL, as a table that the compilers read.
//
// Expressions are templates: $0 stands for a column or a value, $1 ... $9 for what the comments say, anything else is copied.
#ifndef NEAP_SQL_DIALECT_H
#define NEAP_SQL_DIALECT_H

#include "model/condition.h"
#include "store/sql.h"

// What a value is compared as. In JSON each class has a guard.
enum sql_class { SQL_TEXT, SQL_NUMBER, SQL_DECIMAL, SQL_BOOLEAN, SQL_JSON, SQL_BYTES, SQL_CLASSES };

struct sql_dialect {
  const char *name;                 // "sqlite", for errors
  char placeholder;                 // ?1 or $1
  int max_params;                   // of one statement
  const char *yes, *no;             // conditions that are always true and never
  const char *begin;                // a transaction that writes
  const char *quotes;               // what opens quoted text
  bool escapes;                     // there are E'\'', $$'$$ and comments inside comments too
  const char *column[SQL_CLASSES];  // $0 column as it compares and sorts; NULL: as it is
  const char *in;                   // $0 value, $1 one parameter: all operands, $2 their type
  const char *keys;                 // the same operands as a table k with the column value
  bool lateral;                     // a FROM can look at what stands before it in it
  bool
      arrays;  // those are an array, {1,2}, and lists of scalars are kept as one; else a JSON list. Numbers are compared
               // exactly only with those of their own kind
  const char *decimal;  // behind a parameter that is a decimal
  const char *number;   // behind one that is compared with a computed integer or double
  // The type of a column, "" for what has none; decimals without their scale.
  const char *(*column_type)(const struct type *);
  bool dooms;                 // a statement that fails takes its transaction with it, as far back as the last savepoint
  const char *inserted;       // whether an upsert has made the row, as a result column; NULL: it takes two statements
  bool no_nul;                // no text holds a NUL
  bool schemas;               // tables lie in schemas: "shop.orders"
  bool later;                 // references are added when all tables are there
  bool nulls_first;           // descending indexes begin with what is absent unless they say otherwise
  const char *expression[2];  // around an expression in an index
  bool scales;                // decimals have a scale
  const char *text_type;      // behind the type of text
  const char *serial;         // behind the type of an integer key that the database gives out
  bool returns_key;           // an insert returns that key; else the connection knows it
  const char *json_check;     // $0 column: what holds of JSON, NULL = nothing has to be said
  bool (*regex)(struct neap__buffer *out, const char *p,
                size_t n);          // makes the pattern what `text` takes, false: it cannot
  const char *text[COND_TYPE + 1];  // $0 value, $1 operand, which is folded where the operator begins with i;
                                    // PREFIX is a range everywhere
  // Inside JSON: $0 column, $1 path; where paths are steps, $0 is the place.
  const char *guard[SQL_CLASSES];  // whether a value of the class is there; NULL: the value is NULL if not
  const char *value[SQL_CLASSES];  // that value
  const char *sort[2];      // what it sorts by where values of several types lie in one place; NULL: its number's value
  const char *exists;       // there and not null
  const char *json;         // its JSON text
  const char *types[8][2];  // names that `type` asks for, and how
  // Writes the path to a place as text. False if it does not fit or cannot be named so. NULL: paths are steps, c -> 'a' -> 0
  bool (*path)(char *out, size_t size, const struct place *place);
  const char *root;     // the path to the whole column, as SQL
  const char *unnamed;  // JSON text of a place that has no path: $0 column, $1 a JSON list of steps
  // JSON as a whole: $0 JSON text, $1 operand.
  const char *equal, *any, *all, *size;
  const char *elements;  // a select of the elements, as JSON in the column value; none where it is no list
  const char *array_any, *array_all, *array_size;  // the same of arrays: $0 column, $1 operand, $2 its type
  // What a column becomes by one change of it, or n of places inside it.
  int (*change)(struct sql_text *s, const struct change *c, int n, struct neap__error *e);
  // Sum, average, ... of $0, what makes values of a kind (UNLOADED: in JSON, where $0 is the number and $1 the text).
  const char *(*aggregate)(enum aggregate_op op, enum cell_kind kind);
  // What an aggregate of a place in JSON gives, $0, as a value of the class; NULL: it never is one.
  const char *result[SQL_CLASSES];
  const char *near, *within;  // $0 point, $1 ... latitude, longitude, metres; south, west, north, east
};

extern const struct sql_dialect neap__sql_sqlite, neap__sql_postgres;

// Whether values of the type are kept in an array.
bool neap__sql_is_array(const struct sql_dialect *dialect, const struct type *type);

#endif
