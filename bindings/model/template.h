// template.h: columns that are made of others: t.string{ template = "ORDER#{customer}#{number:8}" }. Keys of tables that several
// models share are such columns.
#ifndef NEAP_TEMPLATE_H
#define NEAP_TEMPLATE_H

#include "model/declare.h"

#define TEMPLATE_MAX 2048  // bytes; a hash key of DynamoDB has no more

struct template_part {
  const char *text;  // before the value
  uint32_t n;
  const struct field *field;  // NULL: nothing follows the text
  int digits;                 // that an integer has at least
};

struct template {
  int nparts;
  struct template_part *parts;
};

// Gives the value of a column; CELL_NIL or CELL_UNLOADED where it is not known.
typedef void template_value(void *ud, const struct field *field, struct cell *out);

// Reads the texts of all fields of the shape that have one. Raises usage.
void neap__template_compile(struct declare *d);
// Writes what the template makes, up to the first value that is not known: then *lacks is that field, and NULL otherwise. Returns the
// number of bytes, or -1 if there is no room for them.
int neap__template_write(const struct template *t, template_value *value, void *ud, char out[TEMPLATE_MAX],
                         const struct field **lacks);
// Makes the columns of the object at idx that are made of others, as far as those are there. When it is being saved, at `now`, keys
// and times that saving makes are made first; otherwise now is 0. Returns 0, or -1 with `e` filled (usage: it would change the key
// of a loaded object, or needs what was not loaded; validation: it is too long).
int neap__template_fill(lua_State *L, int idx, int64_t now, struct neap__error *e);
// Pushes the text that a key has by the fields of the table at idx. Raises usage, naming what lacks.
void neap__template_push_key(lua_State *L, const struct field *key, int idx);

#endif
