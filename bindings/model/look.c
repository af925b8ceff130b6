// look.c: what a value is, for those who show it or complete what is typed: it is looked at, and nothing of it is called or read.
#include "model/class.h"
#include "model/object.h"
#include "model/query_build.h"
#include "modules.h"

// Pushes the class of a model or an object. False if it is neither.
static bool push_class(lua_State *L, int idx) {
  if (neap__object_test(L, idx))
    neap__class_push(L, neap__object_class(lua_touserdata(L, idx)));
  else if (neap__class_test(L, idx))
    lua_pushvalue(L, idx);
  else
    return false;
  return true;
}

// look.kind(value) -> "object", "model", "query", "store", or nil where it is none of ours
static int look_kind(lua_State *L) {
  lua_settop(L, 1);
  lua_pushstring(L, neap__object_test(L, 1)  ? "object"
                    : neap__class_test(L, 1) ? "model"
                    : neap__query_test(L, 1) ? "query"
                    : neap__view_test(L, 1)  ? "store"
                                             : NULL);
  return 1;
}

// Pushes { name = true } of the columns that are printed as ***.
static void push_secrets(lua_State *L, const struct shape *shape) {
  lua_newtable(L);
  for (int i = 0; i < shape->ncolumns; i++) {
    const struct field *f = shape->columns[i];
    if (!(f->flags & FIELD_SECRET)) continue;
    lua_pushboolean(L, true);
    lua_setfield(L, -2, f->type.kind == TYPE_POINTER ? f->wire : f->name);
  }
}

// look.columns(query) -> the names of the columns of its rows in order, { name = true } of those that are secret
static int look_columns(lua_State *L) {
  lua_settop(L, 1);
  const struct query *q = neap__query_self(L, 1);
  neap__query_push_names(L, q);
  push_secrets(L, q->class->shape);
  return 2;
}

// look.model(object) -> the name of its model
static int look_model(lua_State *L) {
  const struct object *object = neap__object_check(L, 1);
  lua_pushstring(L, neap__object_class(object)->shape->model);
  return 1;
}

// look.loaded(object) -> the same of the columns whose values it knows, be they absent
static int look_loaded(lua_State *L) {
  const struct shape *shape = neap__object_class(neap__object_check(L, 1))->shape;
  struct cell cell;
  lua_settop(L, 1);
  lua_newtable(L);
  for (int i = 0; i < shape->ncells; i++) {
    const struct field *f = shape->columns[i];
    neap__object_get(L, 1, i, &cell);
    lua_settop(L, 2);
    if (cell.kind == CELL_UNLOADED) continue;
    lua_pushstring(L, f->type.kind == TYPE_POINTER ? f->wire : f->name);
    lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
  }
  push_secrets(L, shape);
  return 2;
}

// look.fields(model or object) -> { { name, the model that it leads to or nil, whether to many }, ... }, the methods that
// scripts gave it
//   nil if it is neither
static int look_fields(lua_State *L) {
  lua_settop(L, 1);
  if (!push_class(L, 1)) return luaL_pushfail(L), 1;
  const struct shape *shape = neap__class_check(L, 2)->shape;
  lua_createtable(L, shape->nfields, 0);
  for (int i = 0; i < shape->nfields; i++) {
    const struct field *f = &shape->fields[i];
    if (shape->open >= 0 && f->column == shape->open) continue;
    lua_createtable(L, 3, 0);
    lua_pushstring(L, f->name);
    lua_rawseti(L, -2, 1);
    if (f->target_name && neap__class_seen(L, 2, f->target_name)) {
      lua_rawseti(L, 4, 2);
      lua_pushboolean(L, neap__field_is_to_many(f));
      lua_rawseti(L, 4, 3);
    }
    lua_settop(L, 4);
    lua_rawseti(L, 3, (lua_Integer)lua_rawlen(L, 3) + 1);
  }
  lua_getiuservalue(L, 2, CLASS_OWN);
  return 2;
}

int luaopen_neap_look(lua_State *L) {
  static const luaL_Reg functions[] = {{"kind", look_kind},   {"columns", look_columns}, {"fields", look_fields},
                                       {"model", look_model}, {"loaded", look_loaded},   {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
