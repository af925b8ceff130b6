// sql_writer.h: a condition being written, shared by what writes its tree (sql_condition.c) and what it looks at (sql_place.c).
#ifndef NEAP_SQL_WRITER_H
#define NEAP_SQL_WRITER_H

#include "model/condition_build.h"
#include "store/sql.h"
#include "store/sql_dialect.h"

struct writer {
  struct sql_text *s;
  struct neap__error *e;
  int alias;
  const struct shape *shape;
};

// All of these return 0, or -1 with the writer's error filled.

// Writes a template; the slot writes what stands for $0 ... $9.
typedef int neap__sql_slot(struct writer *w, int i, const void *arg);
int neap__sql_expand(struct writer *w, const char *text, neap__sql_slot *fill, const void *arg);
// A template over a place: $0 is the column, or the place where the dialect's paths cannot name it; $1 the path.
int neap__sql_write_template(struct writer *w, const char *text, const struct place *place);
// A column, or the expression of a computed field.
int neap__sql_write_column(struct writer *w, const struct field *f);
// The value of a place as something that compares: a column by its type, a place in JSON as a value of the class.
int neap__sql_write_value(struct writer *w, const struct place *place, enum sql_class class);
// "guard AND " where the value lies in JSON.
int neap__sql_write_guard(struct writer *w, const struct place *place, enum sql_class class);
// The JSON of a place.
int neap__sql_write_json(struct writer *w, const struct place *place);
// Binds what is in scratch. `status` says whether it could be written.
int neap__sql_bind_scratch(struct writer *w, int status);

#endif
