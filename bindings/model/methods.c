// methods.c: what every object can do by itself: assign, changes, copy, is_new, key_of, table.
#include <string.h>

#include "model/class.h"
#include "model/relation.h"
#include "model/row.h"
#include "modules.h"
#include "value/json.h"

// object:is_new() -> boolean: it has never been saved
static int object_is_new(lua_State *L) {
  lua_pushboolean(L, neap__object_check(L, 1)->state == OBJECT_NEW);
  return 1;
}

// object:assign{ field = value } -> object
static int object_assign(lua_State *L) {
  neap__object_check(L, 1);
  neap__arg_table(L, 2, "fields");
  lua_settop(L, 2);
  neap__object_assign(L, 1, 2);
  lua_settop(L, 1);
  return 1;
}

// Adds { old, new } under the name to the table on top of the stack.
static void put_change(lua_State *L, const char *name, const struct type *type, const struct cell *old,
                       const struct cell *new) {
  lua_createtable(L, 2, 0);
  neap__type_push(L, type, old);
  lua_rawseti(L, -2, 1);
  neap__type_push(L, type, new);
  lua_rawseti(L, -2, 2);
  lua_setfield(L, -2, name);
}

static struct cell json_cell(struct neap__json_slice slice) {
  return (struct cell){.p = slice.p, .n = (uint32_t)slice.n, .kind = CELL_JSON};
}

static struct neap__json_each members(const struct cell *map) {
  return neap__json_each(map->kind == CELL_JSON ? map->p : "", map->kind == CELL_JSON ? map->n : 0);
}

// The member of the map with the same key; CELL_NIL if there is none.
static struct cell find_member(const struct cell *map, struct neap__json_slice key) {
  struct neap__json_each it = members(map);
  while (neap__json_next(&it))
    if (it.key.n == key.n && memcmp(it.key.p, key.p, key.n) == 0)
      return json_cell(neap__json_with_mark(map->p, it.value));
  return (struct cell){.kind = CELL_NIL};
}

// Adds the changes of undeclared fields to the table on top of the stack: of those in the one map that the other has not in
// the same way. `back`: `one` is how it is now.
static void put_undeclared(lua_State *L, const struct cell *one, const struct cell *other, bool back) {
  struct neap__json_each it = members(one);
  while (neap__json_next(&it)) {
    struct cell name = json_cell(it.key), here = json_cell(neap__json_with_mark(one->p, it.value)),
                there = find_member(other, it.key);
    if (neap__cell_equal(&here, &there)) continue;
    neap__cell_push(L, &name);
    lua_insert(L, -2);
    put_change(L, lua_tostring(L, -2), NULL, back ? &there : &here, back ? &here : &there);
    lua_remove(L, -2);
  }
}

// object:changes() -> { field = { old, new } }: what a save would send
static int object_changes(lua_State *L) {
  struct object *o = neap__object_check(L, 1);
  const struct shape *shape = o->class->shape;
  lua_settop(L, 1);
  uint64_t *bits = lua_newuserdatauv(L, ((size_t)shape->ncolumns / 64 + 1) * sizeof *bits, 0);
  memset(bits, 0, ((size_t)shape->ncolumns / 64 + 1) * sizeof *bits);
  int n = neap__row_changes(L, 1, bits);
  lua_createtable(L, 0, n);
  for (int c = 0; n > 0 && c < shape->ncolumns; c++) {
    if (!neap__has_bit(bits, c)) continue;
    const struct field *f = shape->columns[c];
    struct cell old = neap__row_base(o, c), new = neap__row_present(o, c);
    lua_settop(L, 3);
    neap__object_push_anchor(L, 1, c, &old);
    neap__object_push_anchor(L, 1, c, &new);
    lua_pushvalue(L, 3);
    if (o->state == OBJECT_DELETED && neap__cell_equal(&old, &new)) continue;
    if (c != shape->open) {
      put_change(L, f->name, f->type.kind == TYPE_POINTER ? f->type.of : &f->type, &old, &new);
      continue;
    }
    put_undeclared(L, &old, &new, false);
    put_undeclared(L, &new, &old, true);
  }
  lua_settop(L, 3);
  return 1;
}

static const struct field *find_field(lua_State *L, const struct shape *shape, int idx) {
  size_t n;
  const char *name = neap__arg_string(L, idx, "field", &n);
  const struct shape_name *found = neap__shape_name_text(shape, name, n);
  if (found) return found->field;
  struct neap__error e;
  neap__shape_unknown(shape, name, n, &e);
  neap__raise(L, &e);
}

// object:key_of(pointer) -> the key that the pointer holds; nothing is loaded
//   without a name: the object's own key
static int object_key_of(lua_State *L) {
  struct object *o = neap__object_check(L, 1);
  if (lua_isnoneornil(L, 2)) {
    neap__object_push_key(L, 1);
    return 1;
  }
  const struct field *f = find_field(L, o->class->shape, 2);
  if (f->type.kind != TYPE_POINTER)
    return neap__fail(L, NEAP_USAGE, "%s.%s is no pointer", o->class->shape->model, f->name);
  struct cell cell;
  neap__object_get(L, 1, f->column, &cell);
  neap__type_push(L, f->type.of, &cell);
  return 1;
}

// object:copy{ field = value } -> a new object with the same values; keys that the store makes are left out
static int object_copy(lua_State *L) {
  struct object *from = neap__object_check(L, 1);
  const struct shape *shape = from->class->shape;
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) neap__arg_table(L, 2, "fields");
  neap__row_sync(L, 1, from);
  neap__class_push(L, from->class);
  struct object *to = neap__object_new(L, 3);
  for (int c = 0; c < shape->ncolumns; c++) {
    const struct field *f = shape->columns[c];
    struct cell cell = neap__row_present(from, c);
    bool made = f->flags & (FIELD_AUTO | FIELD_VERSION | FIELD_AUTO_NOW | FIELD_AUTO_NOW_ADD);
    if (made || cell.kind == CELL_UNLOADED) continue;
    if (cell.kind == CELL_TEXT || cell.kind == CELL_BYTES || cell.kind == CELL_DECIMAL || cell.kind == CELL_JSON) {
      lua_pushlstring(L, cell.p, cell.n);
      cell.p = lua_tostring(L, -1);
    } else {
      lua_pushnil(L);
    }
    neap__row_change(L, 4, to, c, &cell);
  }
  if (lua_istable(L, 2)) neap__object_assign(L, 4, 2);
  return 1;
}

// ---- Tables ----

// Whether the set of names at idx has the name.
static bool holds(lua_State *L, int idx, const char *name) {
  bool found = lua_getfield(L, idx, name) != LUA_TNIL;
  lua_pop(L, 1);
  return found;
}

static bool wanted(lua_State *L, const char *name, const char *wire) {
  if (!lua_isnil(L, 2) && !holds(L, 2, name) && !holds(L, 2, wire)) return false;
  return lua_isnil(L, 3) || (!holds(L, 3, name) && !holds(L, 3, wire));
}

static void put_open(lua_State *L, struct object *o, const struct field *f) {
  neap__row_push(L, 1, o, f);
  if (lua_istable(L, -1))
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
      if (!wanted(L, lua_tostring(L, -2), lua_tostring(L, -2))) continue;
      lua_pushvalue(L, -2);
      lua_pushvalue(L, -2);
      lua_rawset(L, 4);
    }
  lua_pop(L, 1);
}

// object.names(object, list) -> { name = true }; raises usage for a name that the model does not have
static int object_names(lua_State *L) {
  const struct shape *shape = neap__object_check(L, 1)->class->shape;
  neap__arg_table(L, 2, "names");
  lua_newtable(L);
  for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
    if (shape->open < 0) find_field(L, shape, lua_gettop(L));
    lua_pushboolean(L, 1);
    lua_rawset(L, 3);
  }
  lua_settop(L, 3);
  return 1;
}

// Lists and maps are copied, so that the table can be changed.
static void put_column(lua_State *L, struct object *o, const struct field *f) {
  struct cell cell = neap__row_present(o, f->column);
  if (cell.kind == CELL_UNLOADED) return;
  bool pointer = f->type.kind == TYPE_POINTER;
  neap__object_push_anchor(L, 1, f->column, &cell);
  neap__type_push(L, pointer ? f->type.of : f->type.kind == TYPE_COMPUTED ? f->type.of : &f->type, &cell);
  lua_setfield(L, 4, pointer ? f->wire : f->name);
  lua_pop(L, 1);
}

// Adds what was included, and is wanted by the name of the field, to the table at index 5, which is made when first needed.
static void put_included(lua_State *L, const struct field *f) {
  if (!f->target_name || !wanted(L, f->name, f->wire) || !wanted(L, f->name, f->name)) return;
  if (!neap__object_get_included(L, 1, f)) return;
  if (lua_isnil(L, 5)) {
    lua_newtable(L);
    lua_replace(L, 5);
  }
  lua_setfield(L, 5, f->name);
}

// Whether the object that a pointer leads to stands in for its key.
static bool is_replaced(lua_State *L, const struct field *f) {
  return lua_istable(L, 5) && holds(L, 5, f->name);
}

// object.table(object, only, exclude) -> { field = value }, { field = object or list } or nil
//   loaded columns, pointers as keys; and what was included, pointers among them
//   only, exclude  nil, or sets { name = true }
static int object_table(lua_State *L) {
  struct object *o = neap__object_check(L, 1);
  const struct shape *shape = o->class->shape;
  lua_settop(L, 3);
  neap__row_sync(L, 1, o);
  lua_createtable(L, 0, shape->ncells);
  lua_pushnil(L);
  for (int i = 0; i < shape->nfields; i++) put_included(L, &shape->fields[i]);
  for (int c = 0; c < shape->ncells; c++) {
    const struct field *f = shape->columns[c];
    if (c == shape->open)
      put_open(L, o, f);
    else if (wanted(L, f->name, f->wire) && !is_replaced(L, f))
      put_column(L, o, f);
  }
  return 2;
}

// object.touch(object): loads what a pointer leads to, together with what its siblings lead to, if it is not loaded yet
static int object_touch(lua_State *L) {
  const struct object *o = neap__object_check(L, 1);
  const struct shape *shape = o->class->shape;
  struct cell cell = {0};
  int c = 0;
  lua_settop(L, 1);
  for (; o->stub && c < shape->ncolumns; c++) {
    neap__object_get(L, 1, c, &cell);
    if (cell.kind == CELL_UNLOADED) break;
  }
  if (!o->stub || c == shape->ncolumns) return 0;
  lua_pushstring(L, shape->columns[c]->name);
  return neap__relation_touch(L, 1, shape->columns[c]);
}

// Pushes the functions, and beside them `methods` and `class_methods`, which lua/neap/model.lua completes.
int luaopen_neap_object_kernel(lua_State *L) {
  static const luaL_Reg methods[] = {{"is_new", object_is_new}, {"assign", object_assign}, {"changes", object_changes},
                                     {"key_of", object_key_of}, {"copy", object_copy},     {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"table", object_table}, {"names", object_names}, {"touch", object_touch}, {NULL, NULL}};
  luaL_newlib(L, functions);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, OBJECT_METHODS);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "methods");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, CLASS_METHODS);
  lua_setfield(L, -2, "class_methods");
  return 1;
}
