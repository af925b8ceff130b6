// declare.c: compiles the declaration of a model: its fields, keys, indexes and names become one shape.
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/template.h"
#include "value/text.h"

#define KEYS_MAX ((int)(sizeof((struct shape *)0)->keys / sizeof(struct field *)))

void *neap__declare_alloc(struct declare *d, size_t count, size_t size) {
  size_t bytes = count * size + 1;
  void *p = memset(lua_newuserdatauv(d->L, bytes, 0), 0, bytes);
  lua_rawseti(d->L, d->anchors, (lua_Integer)lua_rawlen(d->L, d->anchors) + 1);
  return p;
}

const char *neap__declare_text(struct declare *d, int idx) {
  lua_pushvalue(d->L, idx);
  const char *text = lua_tostring(d->L, -1);
  lua_rawseti(d->L, d->anchors, (lua_Integer)lua_rawlen(d->L, d->anchors) + 1);
  return text;
}

void neap__declare_fail(struct declare *d, const char *format, ...) {
  char text[400];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  neap__fail(d->L, NEAP_USAGE, "%s%s%s: %s", d->shape->model, d->field ? "." : "", d->field ? d->field : "", text);
}

// ---- Names ----

static void put_name(struct declare *d, const char *text, const struct field *field, bool column) {
  struct shape *shape = d->shape;
  struct shape_name *names = (struct shape_name *)(uintptr_t)shape->names;
  // A string that is too long to be interned is never found by its key: its text is no value's pointer.
  const void *key = lua_pushstring(d->L, text) == text ? lua_topointer(d->L, -1) : text;
  lua_pop(d->L, 1);
  unsigned i = (unsigned)((uintptr_t)key >> 4) & shape->mask;
  while (names[i].key) i = (i + 1) & shape->mask;
  names[i] = (struct shape_name){key, text, field, column};
}

static void build_names(struct declare *d) {
  struct shape *shape = d->shape;
  unsigned size = 8;
  while (size < 4u * (unsigned)shape->nfields) size *= 2;
  shape->mask = size - 1;
  shape->names = neap__declare_alloc(d, size, sizeof *shape->names);
  for (int i = 0; i < shape->nfields; i++) {
    if (shape->open >= 0 && shape->fields[i].column == shape->open) continue;  // scripts name what lies in it
    d->field = shape->fields[i].name;
    if (neap__shape_name_text(shape, d->field, strlen(d->field))) neap__declare_fail(d, "the field is declared twice");
    put_name(d, d->field, &shape->fields[i], false);
  }
  for (int i = 0; i < shape->nfields; i++) {
    const struct field *f = &shape->fields[i];
    if (f->type.kind == TYPE_POINTER && !neap__shape_name_text(shape, f->wire, strlen(f->wire)))
      put_name(d, f->wire, f, true);
  }
}

// ---- Fields ----

static bool is_index_kind(const char *kind) {
  return strcmp(kind, "index") == 0 || strcmp(kind, "unique") == 0 || strcmp(kind, "global_index") == 0 ||
         strcmp(kind, "local_index") == 0;
}

// Pushes the name and the spec of the i-th thing declared; the first word of its kind tells indexes from fields.
static bool push_declared(struct declare *d, int fields, int i) {
  lua_State *L = d->L;
  lua_rawgeti(L, fields, i);
  lua_rawgeti(L, -1, 1);
  lua_rawgeti(L, -2, 2);
  lua_remove(L, -3);
  d->field = lua_tostring(L, -2);
  if (!lua_istable(L, -1) || lua_getfield(L, -1, "kind") != LUA_TSTRING)
    neap__declare_fail(d, "a type such as t.string() was expected, not %s", neap__show_value(L, -1).text);
  bool index = is_index_kind(lua_tostring(L, -1));
  lua_pop(L, 1);
  return index;
}

static void read_fields(struct declare *d, int fields) {
  struct shape *shape = d->shape;
  lua_State *L = d->L;
  int n = (int)lua_rawlen(L, fields), nfields = 0;
  shape->fields = neap__declare_alloc(d, (size_t)n, sizeof *shape->fields);
  for (int i = 1; i <= n; i++) {
    if (!push_declared(d, fields, i)) {
      struct field *f = &shape->fields[nfields];
      f->index = nfields++;
      f->shape = shape;
      f->name = neap__declare_text(d, -2);
      neap__declare_field(d, lua_gettop(L), f);
    }
    lua_pop(L, 2);
  }
  shape->nfields = nfields;
  d->field = NULL;
}

// Scripts may change the values of these in place.
static bool is_container(const struct field *field) {
  switch (field->type.kind) {
    case TYPE_JSON:
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_GEOPOINT:
    case TYPE_FILE: return true;
    default: return false;
  }
}

static void place_columns(struct declare *d) {
  struct shape *shape = d->shape;
  shape->columns = neap__declare_alloc(d, (size_t)shape->nfields, sizeof *shape->columns);
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < shape->nfields; i++) {
      struct field *f = &shape->fields[i];
      bool kept = f->type.kind < TYPE_RELATION;
      if (pass == 0) f->column = -1;
      if (pass == 0 ? !kept : kept || !f->sql) continue;
      f->column = shape->ncells;
      shape->columns[shape->ncells++] = f;
      if (is_container(f)) f->container = ++shape->ncontainers;
    }
    if (pass == 0) shape->ncolumns = shape->ncells;
  }
}

// SQL takes A and a for one.
static bool same_in_sql(const char *a, const char *b) {
  return neap__text_equal_fold(a, strlen(a), b, strlen(b));
}

static void check_wires(struct declare *d) {
  const struct shape *shape = d->shape;
  for (int i = 0; i < shape->ncolumns; i++)
    for (int k = 0; k < i; k++) {
      d->field = shape->columns[i]->name;
      if (strcmp(shape->columns[i]->wire, shape->columns[k]->wire) == 0)
        neap__declare_fail(d, "its column %s is that of %s already", shape->columns[i]->wire, shape->columns[k]->name);
      if (same_in_sql(shape->columns[i]->wire, shape->columns[k]->wire))
        neap__declare_fail(d, "its column %s and %s, that of %s, are one in SQL: give it another with column =",
                           shape->columns[i]->wire, shape->columns[k]->wire, shape->columns[k]->name);
    }
  d->field = NULL;
}

static void add_key(struct declare *d, const struct field *f) {
  struct shape *shape = d->shape;
  if (shape->nkeys == KEYS_MAX) neap__declare_fail(d, "a primary key has at most %d columns", KEYS_MAX);
  int at = shape->nkeys++;
  for (; at > 0 && f->flags & FIELD_HASH_KEY; at--) shape->keys[at] = shape->keys[at - 1];
  shape->keys[at] = f;
}

static void find_keys(struct declare *d) {
  struct shape *shape = d->shape;
  for (int i = 0; i < shape->ncolumns; i++) {
    const struct field *f = shape->columns[i];
    d->field = f->name;
    if (f->flags & FIELD_PRIMARY) add_key(d, f);
    if (!(f->flags & FIELD_VERSION)) continue;
    if (shape->version >= 0) neap__declare_fail(d, "a model has at most one version");
    shape->version = i;
  }
  d->field = NULL;
  if (shape->nkeys == 0) neap__declare_fail(d, "a model needs a key: give a field primary = true");
}

// The names in { } of a computed field are columns.
static void check_sql(struct declare *d, const char *sql) {
  for (const char *open = strchr(sql, '{'), *end; open && (end = strchr(open, '}')); open = strchr(end, '{')) {
    size_t n = (size_t)(end - open) - 1;
    const struct field *f = neap__shape_field(d->shape, open + 1, n);
    if (!f || !neap__field_kept(f))
      neap__declare_fail(d, "its sql names {%s}, which is no column%s", neap__show_name(open + 1, n).text,
                         neap__show_hint("", neap__shape_nearest(d->shape, open + 1, n)).text);
  }
}

static void check_needs(struct declare *d) {
  for (int i = 0; i < d->shape->nfields; i++) {
    const struct field *f = &d->shape->fields[i];
    d->field = f->name;
    for (int k = 0; k < f->nneeds; k++)
      if (d->shape->open < 0 && !neap__shape_field(d->shape, f->needs[k], strlen(f->needs[k])))
        neap__declare_fail(d, "it needs %s, which is no field", f->needs[k]);
    if (f->sql) check_sql(d, f->sql);
  }
  d->field = NULL;
}

// ---- Indexes ----

// The column that the text on top of the stack names, from `skip` on.
static const struct field *find_column(struct declare *d, size_t skip) {
  size_t n;
  const char *name = lua_tolstring(d->L, -1, &n) + skip;
  const struct shape_name *found = neap__shape_name_text(d->shape, name, n - skip);
  if (!found || !neap__field_kept(found->field))
    neap__declare_fail(d, "%s has no column %s%s", d->shape->model, neap__show_name(name, n - skip).text,
                       neap__show_hint("", neap__shape_nearest(d->shape, name, n - skip)).text);
  return found->field;
}

static void read_part(struct declare *d, const struct index *index, struct index_part *part) {
  size_t n;
  if (lua_type(d->L, -1) != LUA_TSTRING)
    neap__declare_fail(d, "an index is made of names of fields, not %s", neap__show_value(d->L, -1).text);
  const char *name = lua_tolstring(d->L, -1, &n);
  if (index->kind == INDEX_PLAIN && memchr(name, '{', n)) {
    part->sql = neap__declare_text(d, -1);
    return;
  }
  part->descending = index->kind == INDEX_PLAIN && *name == '-';
  part->field = find_column(d, part->descending);
}

// The parts of an index are the list itself; of those of DynamoDB hash_key and range_key.
static int push_parts(struct declare *d, int spec, struct index *index) {
  lua_State *L = d->L;
  if (index->kind == INDEX_PLAIN) {
    if (lua_getfield(L, spec, "parts") != LUA_TTABLE || lua_rawlen(L, -1) == 0)
      neap__declare_fail(d, "an index takes a list of fields");
    return (int)lua_rawlen(L, -1);
  }
  int n = 0;
  lua_newtable(L);
  lua_getfield(L, spec, "options");
  if (index->kind == INDEX_GLOBAL) {
    lua_getfield(L, -1, "hash_key");
  } else {
    lua_pushstring(L, d->shape->keys[0]->name);
  }
  lua_rawseti(L, -3, ++n);
  if (lua_getfield(L, -1, "range_key") == LUA_TNIL)
    lua_pop(L, 1);
  else
    lua_rawseti(L, -3, ++n);
  lua_pop(L, 1);
  return n;
}

// What an index of DynamoDB holds: "all" (or nothing said), "keys", or a list of fields beside the keys.
static void read_projection(struct declare *d, int spec, struct index *index) {
  lua_State *L = d->L;
  const struct shape *shape = d->shape;
  lua_getfield(L, spec, "options");
  int type = lua_getfield(L, -1, "projection");
  const char *word = type == LUA_TSTRING ? lua_tostring(L, -1) : type == LUA_TNIL ? "all" : "keys";
  if (strcmp(word, "all") != 0) {
    if ((type != LUA_TSTRING && type != LUA_TTABLE) || strcmp(word, "keys") != 0)
      neap__declare_fail(d, "projection is \"all\", \"keys\" or a list of fields, not %s",
                         neap__show_value(L, -1).text);
    uint64_t *holds = neap__declare_alloc(d, (size_t)shape->ncolumns / 64 + 1, sizeof *holds);
    for (int i = 0; i < shape->nkeys; i++) neap__set_bit(holds, shape->keys[i]->column);
    for (int i = 0; i < index->nparts; i++) neap__set_bit(holds, index->parts[i].field->column);
    for (int i = 1, n = type == LUA_TTABLE ? (int)lua_rawlen(L, -1) : 0; i <= n; i++) {
      if (lua_rawgeti(L, -1, i) != LUA_TSTRING)
        neap__declare_fail(d, "projection is made of names of fields, not %s", neap__show_value(L, -1).text);
      neap__set_bit(holds, find_column(d, 0)->column);
      lua_pop(L, 1);
    }
    index->holds = holds;
  }
  lua_pop(L, 2);
}

static int read_units(struct declare *d, const char *name) {
  int isnum, type = lua_getfield(d->L, -1, name);
  lua_Integer units = lua_tointegerx(d->L, -1, &isnum);
  if (type != LUA_TNIL && (type != LUA_TNUMBER || !isnum || units < 1 || units > INT_MAX))
    neap__declare_fail(d, "%s is an integer >= 1, not %s", name, neap__show_value(d->L, -1).text);
  lua_pop(d->L, 1);
  return (int)units;
}

static void read_index(struct declare *d, int spec, struct index *index) {
  lua_State *L = d->L;
  lua_getfield(L, spec, "kind");
  const char *kind = lua_tostring(L, -1);
  index->unique = *kind == 'u';
  index->kind = *kind == 'g' ? INDEX_GLOBAL : *kind == 'l' ? INDEX_LOCAL : INDEX_PLAIN;
  lua_getfield(L, spec, "options");
  if (lua_istable(L, -1)) {
    index->read_units = read_units(d, "read_units");
    index->write_units = read_units(d, "write_units");
    index->partial = lua_getfield(L, -1, "where") != LUA_TNIL;
    if (lua_getfield(L, -2, "column") == LUA_TSTRING) index->wire = neap__declare_text(d, -1);
  }
  lua_settop(L, spec);
  if (!index->wire) {
    if (index->kind == INDEX_PLAIN)
      lua_pushfstring(L, "%s_%s", d->shape->table, index->name);
    else
      lua_pushstring(L, index->name);
    index->wire = neap__declare_text(d, -1);
    lua_pop(L, 1);
  }
  index->nparts = push_parts(d, spec, index);
  index->parts = neap__declare_alloc(d, (size_t)index->nparts, sizeof *index->parts);
  for (int i = 0; i < index->nparts; i++) {
    lua_rawgeti(L, -1, i + 1);
    read_part(d, index, &index->parts[i]);
    lua_pop(L, 1);
  }
  lua_settop(L, spec);
  if (index->kind != INDEX_PLAIN) read_projection(d, spec, index);
}

static void read_indexes(struct declare *d, int fields) {
  struct shape *shape = d->shape;
  int n = (int)lua_rawlen(d->L, fields);
  shape->indexes = neap__declare_alloc(d, (size_t)n - (size_t)shape->nfields + 1, sizeof *shape->indexes);
  for (int i = 1; i <= n; i++) {
    if (push_declared(d, fields, i)) {
      struct index *index = &shape->indexes[shape->nindexes++];
      index->name = neap__declare_text(d, -2);
      read_index(d, lua_gettop(d->L), index);
    }
    lua_pop(d->L, 2);
  }
  d->field = NULL;
}

// ---- The shape ----

static bool read_boolean(struct declare *d, int options, const char *name) {
  lua_getfield(d->L, options, name);
  bool value = lua_toboolean(d->L, -1);
  lua_pop(d->L, 1);
  return value;
}

static void read_options(struct declare *d, int options) {
  struct shape *shape = d->shape;
  shape->open = -1;
  shape->scan = read_boolean(d, options, "scan");
  // The place of undeclared fields is the last one that lua/neap/model.lua declares.
  if (read_boolean(d, options, "open")) shape->open = shape->fields[shape->nfields - 1].column;
}

struct shape *neap__declare_shape(lua_State *L, const char *name, int fields, int options) {
  fields = lua_absindex(L, fields);
  options = lua_absindex(L, options);
  struct shape *shape = memset(lua_newuserdatauv(L, sizeof *shape, 3), 0, sizeof *shape);
  int self = lua_gettop(L);
  struct declare d = {.L = L, .shape = shape, .anchors = self + 1, .functions = self + 2};
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, self, SHAPE_ANCHORS);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, self, SHAPE_FUNCTIONS);
  lua_pushvalue(L, options);
  lua_setiuservalue(L, self, SHAPE_OPTIONS);
  shape->model = name;
  lua_pushstring(L, name);
  shape->model = neap__declare_text(&d, -1);
  lua_getfield(L, options, "table");
  shape->table = neap__declare_text(&d, -1);
  lua_pop(L, 2);
  shape->version = -1;
  read_fields(&d, fields);
  place_columns(&d);
  read_options(&d, options);
  build_names(&d);
  check_wires(&d);
  find_keys(&d);
  check_needs(&d);
  neap__template_compile(&d);
  read_indexes(&d, fields);
  lua_settop(L, self);
  return shape;
}
