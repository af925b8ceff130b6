// shape.h: a model, compiled: its types, fields, keys and indexes as C structs that the whole engine reads.
//
// A shape is memory that Lua owns (a userdata without __gc, anchored by every class of the model), immutable once its
// relations are resolved. Names in it are interned Lua strings, anchored with it, so that a field is found by the pointer
// of the key.
#ifndef NEAP_SHAPE_H
#define NEAP_SHAPE_H

#include "value/bits.h"
#include "value/cell.h"

enum type_kind {
  // Kept in a column.
  TYPE_STRING,
  TYPE_INTEGER,
  TYPE_NUMBER,
  TYPE_DECIMAL,
  TYPE_BOOLEAN,
  TYPE_DATETIME,
  TYPE_TIMESTAMP,
  TYPE_DATE,
  TYPE_UUID,
  TYPE_BYTES,
  TYPE_JSON,
  TYPE_LIST,
  TYPE_SET,
  TYPE_MAP,
  TYPE_GEOPOINT,
  TYPE_FILE,
  TYPE_POINTER,
  TYPE_BYTESTREAM,
  // Not kept in a column.
  TYPE_RELATION,
  TYPE_HAS_ONE,
  TYPE_HAS_MANY,
  TYPE_MANY_TO_MANY,
  TYPE_COMPUTED
};

struct shape;

struct type {
  enum type_kind kind;
  const struct type *of;  // LIST, SET, MAP: of the elements, NULL = anything; COMPUTED: of the value; POINTER: of
                          // the target's key, once resolved
  const struct type_member *members;  // MAP with named members
  int nmembers;
  struct cell min, max;  // CELL_NIL = no bound. Strings and bytes: length in `max`
  const char *match;     // a PCRE2 pattern, NULL = none
  const struct cell *one_of;
  int n_one_of;
  int scale;         // DECIMAL: digits after the point, -1 = free
  const char *cast;  // `own` without length and precision: a cast to those would cut values silently
  const char *own;   // what the database calls the column's type where others chose it, NULL = neap chooses
};

struct type_member {
  const char *name;
  struct type type;
};

enum field_flag {
  FIELD_PRIMARY = 1,
  FIELD_AUTO = 2,
  FIELD_REQUIRED = 4,
  FIELD_UNIQUE = 8,
  FIELD_INDEX = 16,
  FIELD_SECRET = 32,
  FIELD_VERSION = 64,
  FIELD_AUTO_NOW = 128,
  FIELD_AUTO_NOW_ADD = 256,
  FIELD_DEFAULT = 512,  // has a default, value or function
  FIELD_HASH_KEY = 1024,
  FIELD_RANGE_KEY = 2048,
  FIELD_VALIDATE = 4096,  // has a validate function
  FIELD_EAGER = 8192,     // lazy = "error"
  FIELD_CONSTANT = 16384  // the same in all objects of the model
};

struct template;

enum on_delete { ON_DELETE_NOTHING, ON_DELETE_RESTRICT, ON_DELETE_CASCADE, ON_DELETE_SET_NULL };

struct field {
  const char *name;  // interned
  const char *wire;  // name of the column in the store
  struct type type;
  unsigned flags;             // enum field_flag
  int index;                  // place in shape->fields
  const struct shape *shape;  // the model that declares it
  int column;     // place in shape->columns and in every row of cells; -1 = not kept in a column; computed SQL
                  // has a place behind the kept ones, ncolumns <= column < ncells
  int container;  // of a list, map or its like in a column: its place among those of the model, from 1; 0 = none
  enum on_delete on_delete;
  // Relations and pointers; resolved late, when the other model is first needed.
  const char *target_name;  // POINTER, HAS_*, MANY_TO_MANY, RELATION
  const struct shape *target;
  const struct field *inverse;  // HAS_ONE, HAS_MANY: the pointer field in target
  const char *inverse_name;
  const char *through_name;  // MANY_TO_MANY: the link model or table
  const struct shape *through;
  const struct field *through_here, *through_there;  // its pointers to this model and to the target
  // COMPUTED
  const char *sql;  // "{age} + 10", NULL = none
  int nneeds;
  const char **needs;   // names of what `get` reads
  struct cell initial;  // the default where it is a value and not a function; CELL_NIL = none
  // STRING, made of other fields when it is saved: "ORDER#{number:8}"; NULL = it is not
  const char *made_of;
  const struct template *template;
};

enum index_kind { INDEX_PLAIN, INDEX_GLOBAL, INDEX_LOCAL };

struct index {
  enum index_kind kind;  // GLOBAL and LOCAL (DynamoDB): parts are the hash key, then the range key
  const char *name;      // as declared; wire name made of table and name unless column= gave one
  const char *wire;
  bool unique;
  bool partial;  // it has a `where`, which bind reads
  int nparts;
  struct index_part {
    const struct field *field;  // NULL for an expression
    const char *sql;            // expression, NULL = none
    bool descending;
  } * parts;
  const struct condition *where;  // partial index, NULL = none
  const uint64_t *holds;          // GLOBAL and LOCAL: bit set of the columns in it, all keys among them; NULL = all
  int read_units, write_units;    // GLOBAL; 0 = not said
};

struct shape {
  const char *model;  // "Post"
  const char *table;  // "posts"
  int nfields;
  struct field *fields;  // in declared order
  int ncolumns;
  const struct field **columns;  // the fields kept in columns, in declared order: the order of cells in rows
  int ncontainers;
  int ncells;  // ncolumns and the computed fields in SQL, whose fields lie behind the others in `columns`
  int nkeys;
  const struct field *keys[4];  // the primary key, in declared order; a hash key stands first
  int nindexes;
  struct index *indexes;
  int version;     // column of the version field, -1 = none
  int open;        // column of the JSON that holds undeclared fields of an open model, -1 = not open
  bool scan;       // DynamoDB: queries may read the whole table to find a few rows, without being told each time
  bool marks;      // its store tells bytes and sets in untyped places
  bool hooks;      // a class of it has hooks or validate functions: saves run their Lua phase
  bool defaults;   // some default is a function: construction runs its Lua phase
  bool templates;  // some column is made of others
  const struct condition *only;  // what all objects of the model meet, for its table has others too; NULL = all do
  unsigned mask;                 // names is a hash table of mask + 1 places, by the keys of the names
  const struct shape_name {
    const void *key;  // lua_topointer of the name, NULL = free
    const char *text;
    const struct field *field;
    bool column;  // the name of a pointer's column: it reads as the bare key
  } * names;
};

// Whether the field is a column that the store keeps, and not one that it computes.
static inline bool neap__field_kept(const struct field *f) {
  return f->column >= 0 && f->column < f->shape->ncolumns;
}
bool neap__field_is_relation(const struct field *f);
bool neap__field_is_to_many(const struct field *f);  // HAS_MANY, MANY_TO_MANY
// Finds a field by name (any text of n bytes). NULL if there is none.
const struct field *neap__shape_field(const struct shape *shape, const char *name, size_t n);
// What a script's key names, fields and columns of pointers: by lua_topointer of any value, a few ns. NULL if nothing, and
// for strings that are too long to be interned.
static inline const struct shape_name *neap__shape_name(const struct shape *shape, const void *key) {
  for (unsigned i = (unsigned)((uintptr_t)key >> 4);; i++) {
    const struct shape_name *name = &shape->names[i & shape->mask];
    if (!name->key) return NULL;
    if (name->key == key) return name;
  }
}
// The same by content.
const struct shape_name *neap__shape_name_text(const struct shape *shape, const char *name, size_t n);
// The declared name nearest to `name`, for "did you mean"; NULL if none is near.
const char *neap__shape_nearest(const struct shape *shape, const char *name, size_t n);
// Fills `e` with "Post has no field titel; did you mean title?" and returns -1.
int neap__shape_unknown(const struct shape *shape, const char *name, size_t n, struct neap__error *e);
// Makes sure that the relation or pointer `field` knows its target (and inverse, through); models are looked up by name in
// the store of the class at idx. Returns 0, or -1 with `e` filled (usage: names the model that is not declared).
int neap__shape_resolve(lua_State *L, int class_idx, const struct field *field, struct neap__error *e);

// ---- Classes (class.c): a shape seen through a view ----

struct view;

struct class {
  const struct shape *shape;
  struct view *view;  // anchored by the class's user value
  // Where the values of most columns lie in an object, by the key that a script reads them with: neap__class_place.
  struct class_place {
    const void *key;      // as in struct shape_name
    uint32_t slot, kind;  // bytes from the start of the object
  } places[64];
};

// The one place where a key may be; of two keys with the same place one is found by neap__shape_name alone.
static inline unsigned neap__class_place(const void *key) {
  return (unsigned)((uintptr_t)key >> 4) & 63;
}

// The class at idx, or NULL (no error) if the value is none.
struct class *neap__class_test(lua_State *L, int idx);
// Raises usage naming what was expected.
struct class *neap__class_check(lua_State *L, int idx);
// Pushes the index of that name of the class at class_idx, as scripts hold it. False, and nothing pushed: there is none.
bool neap__index_push(lua_State *L, int class_idx, const char *name);
// Pushes the class (its userdata).
void neap__class_push(lua_State *L, const struct class *class);
// Pushes the class of a model by name as the view of the class at idx sees it. Raises usage for an unknown one.
void neap__class_of(lua_State *L, int class_idx, const char *model);

// ---- Checks (check.c): from Lua values and foreign text to cells of a type ----

// Reads the Lua value at idx as a value of `field`, with the conversions of the manual (ISO text to datetime, 5.0 to 5, an
// object or a key to a pointer's key, ...), bounds checked. Pushes one value: the anchor of what the cell borrows.
// Returns 0, or -1 with `e` filled (validation: model, field, value or ***, what is expected), nothing pushed.
int neap__check_value(lua_State *L, const struct field *field, int idx, struct cell *out, struct neap__error *e);
// The same for a bare type; `where` is used in messages ("tags[3]").
int neap__check_type(lua_State *L, const struct type *type, const char *where, int idx, struct cell *out,
                     struct neap__error *e);
// The same for a place of a field (type NULL: untyped): `where` names it, and secrets of the field are not shown.
int neap__check_place(lua_State *L, const struct field *field, const struct type *type, const char *where, int idx,
                      struct cell *out, struct neap__error *e);
// For conditions: the same conversions without bounds or required-ness. Returns 1 if the value is of another type (a
// condition on it matches nothing), 0, or -1 with e filled (NaN, function, text that is no datetime, uuid, ...).
int neap__check_operand(lua_State *L, const struct type *type, int idx, struct cell *out, struct neap__error *e);
const char *neap__type_name(enum type_kind kind);
// Pushes the value of a cell as scripts see it in a place of that type: elements of lists and maps too.
void neap__type_push(lua_State *L, const struct type *type, const struct cell *cell);

#endif
