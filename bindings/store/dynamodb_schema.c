// dynamodb_schema.c: a model as the table, keys and indexes that it needs. The requests that make these, and the comparison
// with what is there, are in lua/neap/dynamodb/table.lua.
#include <string.h>

#include "modules.h"
#include "store/dynamodb.h"
#include "value/text.h"

// The letter of a key's type, NULL for what can be no key.
static const char *key_type(const struct type *type) {
  switch (type->kind) {
    case TYPE_STRING:
    case TYPE_UUID:
    case TYPE_DATETIME:
    case TYPE_DATE: return "S";
    case TYPE_INTEGER:
    case TYPE_NUMBER:
    case TYPE_DECIMAL:
    case TYPE_TIMESTAMP: return "N";
    case TYPE_BYTES: return "B";
    case TYPE_POINTER: return type->of ? key_type(type->of) : NULL;
    case TYPE_BOOLEAN:
    case TYPE_JSON:
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_GEOPOINT:
    case TYPE_FILE:
    case TYPE_BYTESTREAM:
    case TYPE_RELATION:
    case TYPE_HAS_ONE:
    case TYPE_HAS_MANY:
    case TYPE_MANY_TO_MANY:
    case TYPE_COMPUTED: return NULL;
  }
  return NULL;
}

static void set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

// Appends { name, type } to the list on top of the stack.
static void add_key(lua_State *L, const struct shape *shape, const struct field *f) {
  struct neap__error e;
  if (f->type.kind == TYPE_POINTER && neap__shape_resolve(L, 1, f, &e) != 0) neap__raise(L, &e);
  const char *type = key_type(&f->type);
  if (!type)
    neap__fail(L, NEAP_UNSUPPORTED, "%s.%s: keys of DynamoDB are text, numbers or bytes, and this is a %s",
               shape->model, f->name, neap__type_name(f->type.kind));
  lua_createtable(L, 0, 2);
  set_string(L, "name", f->wire);
  set_string(L, "type", type);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static bool is_part(const struct shape *shape, const struct index *index, const struct field *f) {
  for (int i = 0; i < shape->nkeys; i++)
    if (shape->keys[i] == f) return true;
  for (int i = 0; i < index->nparts; i++)
    if (index->parts[i].field == f) return true;
  return false;
}

// Pushes the list of what an index holds beside the keys, nil if that is all.
static void push_holds(lua_State *L, const struct shape *shape, const struct index *index) {
  int n = 0;
  if (!index->holds) {
    lua_pushnil(L);
    return;
  }
  lua_newtable(L);
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(index->holds, i) || is_part(shape, index, shape->columns[i])) continue;
    lua_pushstring(L, shape->columns[i]->wire);
    lua_rawseti(L, -2, ++n);
  }
}

static void set_units(lua_State *L, const char *name, int units) {
  if (units == 0) return;
  lua_pushinteger(L, units);
  lua_setfield(L, -2, name);
}

static void push_indexes(lua_State *L, const struct shape *shape) {
  int n = 0;
  lua_newtable(L);
  for (int i = 0; i < shape->nindexes; i++) {
    const struct index *index = &shape->indexes[i];
    if (index->kind == INDEX_PLAIN) continue;
    lua_createtable(L, 0, 6);
    set_string(L, "name", index->wire);
    set_string(L, "kind", index->kind == INDEX_GLOBAL ? "global" : "local");
    lua_newtable(L);
    for (int k = 0; k < index->nparts; k++) add_key(L, shape, index->parts[k].field);
    lua_setfield(L, -2, "keys");
    push_holds(L, shape, index);
    lua_setfield(L, -2, "holds");
    set_units(L, "read_units", index->read_units);
    set_units(L, "write_units", index->write_units);
    lua_rawseti(L, -2, ++n);
  }
}

// schema.describe(class) -> { model, table, keys, indexes, columns }
//   keys     of the table, the hash key first: { name, type }, as the server knows them
//   indexes  { name, kind = "global" or "local", keys, holds = names of what it has beside keys, nil = all, read_units, write_units }
//   columns  the server's names of the fields
//   Raises usage (a pointer to an unknown model), unsupported (a key of a type that can be none), limit (a name too long).
static int schema_describe(lua_State *L) {
  const struct class *class = neap__class_check(L, 1);
  const struct shape *shape = class->shape;
  char name[DYNAMODB_TABLE_NAME];
  lua_settop(L, 1);
  if (!neap__dynamodb_table_name(class->view, shape, name, sizeof name))
    return neap__fail(L, NEAP_LIMIT, "the name of table %s is too long",
                      neap__show_name(shape->table, strlen(shape->table)).text);
  lua_createtable(L, 0, 5);
  set_string(L, "model", shape->model);
  set_string(L, "table", name);
  lua_newtable(L);
  for (int i = 0; i < shape->nkeys; i++) add_key(L, shape, shape->keys[i]);
  lua_setfield(L, -2, "keys");
  push_indexes(L, shape);
  lua_setfield(L, -2, "indexes");
  lua_newtable(L);
  for (int i = 0; i < shape->ncolumns; i++) set_string(L, shape->columns[i]->name, shape->columns[i]->wire);
  lua_setfield(L, -2, "columns");
  return 1;
}

int luaopen_neap_dynamodb_schema(lua_State *L) {
  static const luaL_Reg functions[] = {{"describe", schema_describe}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
