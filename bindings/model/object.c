// object.c: what a script sees of a row: fields that are read and written, pairs, == and tostring.
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "model/class.h"
#include "model/relation.h"
#include "model/row.h"
#include "value/decimal.h"
#include "value/json.h"
#include "value/text.h"

static const char object_key = 0;  // first in the metatables of objects: its address

// ---- Finding ----

struct object *neap__object_test(lua_State *L, int idx) {
  struct object *o = lua_touserdata(L, idx);
  if (!o || !lua_getmetatable(L, idx)) return NULL;
  lua_rawgeti(L, -1, 1);
  if (lua_touserdata(L, -1) != &object_key) o = NULL;
  lua_pop(L, 2);
  return o;
}

struct object *neap__object_test_next(lua_State *L, int idx, const void **metatable) {
  if (!lua_getmetatable(L, idx)) return NULL;
  const void *its = lua_topointer(L, -1);
  lua_pop(L, 1);
  if (its == *metatable) return lua_touserdata(L, idx);
  struct object *o = neap__object_test(L, idx);
  if (o) *metatable = its;
  return o;
}

struct object *neap__object_check(lua_State *L, int idx) {
  struct object *o = neap__object_test(L, idx);
  if (!o)
    neap__fail(L, NEAP_USAGE, "an object of a model was expected, not %s; call methods with a colon, p:save()",
               neap__show_value(L, idx).text);
  return o;
}

const struct class *neap__object_class(const struct object *o) {
  return o->class;
}

enum object_state neap__object_state(const struct object *o) {
  return (enum object_state)o->state;
}

void neap__object_set_state(struct object *o, enum object_state state) {
  o->state = (uint8_t)state;
}

// ---- Building ----

void neap__object_builder(lua_State *L, struct object_builder *b, int class_idx, int ncells, const int *columns) {
  b->class_idx = lua_absindex(L, class_idx);
  b->class = neap__class_check(L, b->class_idx);
  b->ncells = ncells;
  b->columns = columns;
  lua_getiuservalue(L, b->class_idx, CLASS_OBJECTS);
  b->metatable_idx = lua_gettop(L);
}

static bool is_text(unsigned kind) {
  return kind == CELL_TEXT || kind == CELL_BYTES || kind == CELL_DECIMAL || kind == CELL_JSON;
}

static size_t head_size(const struct shape *shape) {
  return sizeof(struct object) + (size_t)shape->ncells * (sizeof(union slot) + 1);
}

// Pushes an object with room for `text` bytes, all columns unloaded.
static struct object *push_object(lua_State *L, const struct class *class, size_t text) {
  size_t head = head_size(class->shape);
  if (text > UINT32_MAX - head)
    neap__fail(L, NEAP_LIMIT, "a row of %s has more than 4 GB of text", class->shape->model);
  struct object *o = lua_newuserdatauv(L, head + text, ROW_SIBLINGS + class->shape->ncontainers);
  *o = (struct object){.class = class, .state = OBJECT_LOADED};
  return o;
}

struct object *neap__object_build(lua_State *L, const struct object_builder *b, const struct cell *cells) {
  size_t text = 0;
  for (int i = 0; i < b->ncells; i++)
    if (is_text(cells[i].kind)) text += cells[i].n;
  struct object *o = push_object(L, b->class, text);
  uint8_t *kinds = neap__row_kinds(o);
  uint32_t at = (uint32_t)head_size(b->class->shape);
  if (b->columns || b->ncells < b->class->shape->ncells) memset(kinds, CELL_UNLOADED, (size_t)b->class->shape->ncells);
  for (int i = 0; i < b->ncells; i++) {
    const struct cell *cell = &cells[i];
    int c = b->columns ? b->columns[i] : i;
    kinds[c] = cell->kind;
    if (is_text(cell->kind)) {
      o->row[c].text.at = at;
      o->row[c].text.n = cell->n;
      if (cell->n > 0) memcpy((char *)o + at, cell->p, cell->n);
      at += cell->n;
    } else {
      o->row[c].i = cell->i;
    }
  }
  lua_pushvalue(L, b->metatable_idx);
  lua_setmetatable(L, -2);
  return o;
}

static void set_metatable(lua_State *L, int class_idx) {
  lua_getiuservalue(L, class_idx, CLASS_OBJECTS);
  lua_setmetatable(L, -2);
}

struct object *neap__object_new(lua_State *L, int class_idx) {
  class_idx = lua_absindex(L, class_idx);
  const struct class *class = neap__class_check(L, class_idx);
  size_t head = (head_size(class->shape) + 7) & ~(size_t)7,
         bytes = sizeof(struct overlay) + neap__overlay_bytes(class->shape->ncells);
  // A new object is all changes: its overlay lies behind it, and there is room for what anchors them.
  struct object *o = push_object(L, class, bytes + 7);
  o->overlay = memset((char *)o + head, 0, bytes);
  o->overlay->ncells = class->shape->ncells;
  o->state = OBJECT_NEW;
  lua_createtable(L, 0, class->shape->ncolumns);
  lua_setiuservalue(L, -2, 1);
  memset(neap__row_kinds(o), CELL_NIL, (size_t) class->shape->ncells);
  set_metatable(L, class_idx);
  for (int c = 0; c < class->shape->ncolumns; c++) {
    const struct field *f = class->shape->columns[c];
    if (!(f->flags & FIELD_DEFAULT) || f->initial.kind == CELL_NIL) continue;
    lua_pushnil(L);  // the shape anchors the text of defaults
    neap__row_change(L, lua_gettop(L) - 1, o, c, &f->initial);
  }
  return o;
}

void neap__object_set_stub(lua_State *L, int idx) {
  ((struct object *)lua_touserdata(L, idx))->stub = true;
}

void neap__object_set_eager(struct object *o) {
  o->eager = true;
}

bool neap__object_eager(const struct object *o) {
  return o->eager;
}

// ---- Relations ----

void neap__object_set_related(lua_State *L, int idx, const struct field *field) {
  idx = lua_absindex(L, idx);
  struct object *o = lua_touserdata(L, idx);
  neap__row_values(L, idx);
  lua_insert(L, -2);
  if (field->column >= 0) {
    uint8_t *kind = &neap__row_kinds(o)[field->column];
    *kind = (uint8_t)(lua_isnil(L, -1) ? *kind & ~COLUMN_RELATED : *kind | COLUMN_RELATED);
  }
  lua_rawsetp(L, -2, field);
  lua_pop(L, 1);
}

void neap__object_get_related(lua_State *L, int idx, const struct field *field) {
  if (lua_getiuservalue(L, idx, 1) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_pushnil(L);
    return;
  }
  lua_rawgetp(L, -1, field);
  lua_remove(L, -2);
}

// Kept beside the related value, under the address of a member of the field.
void neap__object_set_included(lua_State *L, int idx, const struct field *field) {
  if (lua_getiuservalue(L, idx, 1) == LUA_TTABLE) {
    lua_rawgetp(L, -1, field);
    lua_rawsetp(L, -2, &field->wire);
  }
  lua_pop(L, 1);
}

bool neap__object_get_included(lua_State *L, int idx, const struct field *field) {
  int top = lua_gettop(L);
  bool included = lua_getiuservalue(L, idx, 1) == LUA_TTABLE && lua_rawgetp(L, top + 1, &field->wire) != LUA_TNIL &&
                  lua_rawgetp(L, top + 1, field) != LUA_TNIL && lua_rawequal(L, -1, -2) && lua_toboolean(L, -1);
  if (included) lua_replace(L, top + 1);
  lua_settop(L, top + included);
  return included;
}

void neap__object_set_count(lua_State *L, int idx, const struct field *field) {
  neap__row_values(L, lua_absindex(L, idx));
  lua_insert(L, -2);
  lua_rawsetp(L, -2, &field->target_name);
  lua_pop(L, 1);
}

void neap__object_get_count(lua_State *L, int idx, const struct field *field) {
  if (lua_getiuservalue(L, idx, 1) == LUA_TTABLE)
    lua_rawgetp(L, -1, &field->target_name);
  else
    lua_pushnil(L);
  lua_remove(L, -2);
}

void neap__object_set_siblings(lua_State *L, int idx) {
  lua_setiuservalue(L, lua_absindex(L, idx), ROW_SIBLINGS);
}

void neap__object_get_siblings(lua_State *L, int idx) {
  lua_getiuservalue(L, idx, ROW_SIBLINGS);
}

// ---- Keys ----

void neap__object_push_key(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  struct object *o = lua_touserdata(L, idx);
  const struct shape *shape = o->class->shape;
  if (shape->nkeys == 1) {
    neap__row_push(L, idx, o, shape->keys[0]);
    return;
  }
  lua_createtable(L, 0, shape->nkeys);
  for (int i = 0; i < shape->nkeys; i++) {
    struct cell cell = neap__row_present(o, shape->keys[i]->column);
    if (cell.kind <= CELL_NULL) {
      lua_pop(L, 1);
      lua_pushnil(L);
      return;
    }
    neap__row_push(L, idx, o, shape->keys[i]);
    lua_setfield(L, -2, shape->keys[i]->name);
  }
}

// ---- Reading ----

static int not_selected(lua_State *L, const struct object *o, const struct field *f) {
  if (f->sql && o->state == OBJECT_LOADED)
    return neap__fail(L, NEAP_USAGE, "%s.%s is computed by the store: p:reload() reads it, or select() loads it",
                      o->class->shape->model, f->name);
  return neap__fail(L, NEAP_USAGE, "%s.%s was not selected: add it to select(), or load the object with p:reload()",
                    o->class->shape->model, f->name);
}

// p.author_id: the bare key.
static int read_column(lua_State *L, struct object *o, const struct field *f) {
  struct cell cell;
  neap__object_get(L, 1, f->column, &cell);
  if (cell.kind == CELL_UNLOADED) return o->stub ? neap__relation_touch(L, 1, f) : not_selected(L, o, f);
  neap__type_push(L, f->type.of, &cell);
  return 1;
}

static int finish_read(lua_State *L, int status, lua_KContext ctx) {
  (void)L;
  (void)status;
  (void)ctx;
  return 1;
}

static int read_computed(lua_State *L, const struct object *o, const struct field *f) {
  neap__class_function(L, o->class, f, "get");
  lua_pushvalue(L, 1);
  lua_callk(L, 1, 1, 0, finish_read);
  return 1;
}

static int read_field(lua_State *L, struct object *o, const struct field *f) {
  if (f->column < 0) return f->type.kind == TYPE_COMPUTED ? read_computed(L, o, f) : neap__relation_read(L, 1, f);
  if (f->type.kind == TYPE_POINTER) return neap__relation_read(L, 1, f);
  unsigned kind = neap__row_kinds(o)[f->column];
  if (kind == CELL_UNLOADED) return o->stub ? neap__relation_touch(L, 1, f) : not_selected(L, o, f);
  neap__row_push(L, 1, o, f);
  return 1;
}

static const struct shape_name *find_name(lua_State *L, const struct shape *shape, int idx) {
  const struct shape_name *name = neap__shape_name(shape, lua_topointer(L, idx));
  if (name || lua_type(L, idx) != LUA_TSTRING) return name;
  size_t n;
  const char *text = lua_tolstring(L, idx, &n);
  return n <= 40 ? NULL : neap__shape_name_text(shape, text, n);  // longer ones are not interned
}

// An undeclared field of an open model, pushed; nil if there is none.
static void read_open(lua_State *L, struct object *o, int key) {
  const struct field *f = o->class->shape->columns[o->class->shape->open];
  neap__row_push(L, 1, o, f);
  if (lua_istable(L, -1)) {
    lua_pushvalue(L, key);
    lua_rawget(L, -2);
    lua_remove(L, -2);
  } else {
    lua_settop(L, key);
    lua_pushnil(L);
  }
}

// Kept out of object_index, whose short way should not pay for its room on the stack.
__attribute__((noinline)) static int index_any(lua_State *L, struct object *o) {
  const struct shape_name *name = find_name(L, o->class->shape, 2);
  if (name) return name->column ? read_column(L, o, name->field) : read_field(L, o, name->field);
  if (o->class->shape->open >= 0) {
    read_open(L, o, 2);
    if (!lua_isnil(L, -1)) return 1;
    lua_settop(L, 2);
  }
  lua_pushvalue(L, 2);
  if (lua_gettable(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(2));
  return 1;
}

// The short way is for what was loaded and takes no more than pushing.
// upvalues: 1 the class's own methods, 2 those of all objects
static int object_index(lua_State *L) {
  struct object *o = lua_touserdata(L, 1);
  const void *key = lua_topointer(L, 2);
  const struct class_place *place = &o->class->places[neap__class_place(key)];
  if (place->key != key) return index_any(L, o);
  const union slot *slot = (const union slot *)((const char *)o + place->slot);
  unsigned kind = ((const uint8_t *)o)[place->kind];
  if (kind == CELL_INTEGER)
    lua_pushinteger(L, slot->i);
  else if (kind == CELL_TEXT)
    lua_pushlstring(L, (const char *)o + slot->text.at, slot->text.n);
  else if (kind == CELL_NUMBER)
    lua_pushnumber(L, slot->d);
  else if (kind == CELL_BOOLEAN)
    lua_pushboolean(L, slot->i != 0);
  else if (kind == CELL_NIL)
    lua_pushnil(L);
  else
    return index_any(L, o);
  return 1;
}

// ---- Writing ----

static int write_column(lua_State *L, int idx, struct object *o, const struct field *f, struct neap__error *e) {
  struct cell cell;
  int c = f->column, value = lua_gettop(L);
  if (f->type.kind == TYPE_POINTER && !f->target) {
    neap__class_push(L, o->class);
    if (neap__shape_resolve(L, -1, f, e) != 0) return -1;
    lua_pop(L, 1);
  }
  if (neap__check_value(L, f, value, &cell, e) != 0) return -1;
  if ((f->flags & FIELD_PRIMARY) && o->state == OBJECT_LOADED) {
    struct cell base = neap__row_base(o, c);
    if (!neap__cell_equal(&base, &cell))
      return neap__error_set(e, NEAP_USAGE,
                             "%s.%s is the key of a loaded object and does not change; use p:copy{ %s = ... }",
                             o->class->shape->model, f->name, f->name);
  }
  neap__row_forget(L, idx, o, c);
  neap__row_change(L, idx, o, c, &cell);
  *neap__overlay_side(o->overlay, c) |= OVERLAY_WRITTEN;
  if (f->type.kind == TYPE_POINTER && lua_isuserdata(L, value) && neap__object_test(L, value)) {
    lua_pushvalue(L, value);
    neap__object_set_related(L, idx, f);
  }
  return 0;
}

void neap__object_set(lua_State *L, int idx, const struct field *field) {
  struct neap__error e;
  idx = lua_absindex(L, idx);
  int top = lua_gettop(L);
  if (write_column(L, idx, lua_touserdata(L, idx), field, &e) != 0) neap__raise(L, &e);
  lua_settop(L, top - 1);
}

// Sets an undeclared field of an open model to the value on top of the stack.
static int write_open(lua_State *L, int idx, struct object *o, int key, struct neap__error *e) {
  const struct field *f = o->class->shape->columns[o->class->shape->open];
  struct cell cell;
  int value = lua_gettop(L);
  if (neap__cell_read(L, value, &cell, e) != 0) {
    struct neap__error why = *e;
    return neap__error_set(e, NEAP_VALIDATION, "%s.%s: %s", f->shape->model, neap__show_key(L, key).text, why.message);
  }
  lua_pop(L, 1);
  neap__row_push(L, idx, o, f);
  if (!lua_istable(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    neap__object_set(L, idx, f);
    neap__row_push(L, idx, o, f);
  }
  lua_pushvalue(L, key);
  lua_pushvalue(L, value);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return 0;
}

static int unknown(lua_State *L, const struct shape *shape, int key, struct neap__error *e) {
  size_t n;
  if (lua_type(L, key) != LUA_TSTRING)
    return neap__error_set(e, NEAP_USAGE, "fields of %s have names; %s is none", shape->model,
                           neap__show_value(L, key).text);
  const char *name = lua_tolstring(L, key, &n);
  return neap__shape_unknown(shape, name, n, e);
}

static int no_setter(const struct shape *shape, const struct field *f, struct neap__error *e) {
  const char *why = "is a relation: save the other objects with their pointer set";
  if (f->type.kind == TYPE_COMPUTED) why = "is computed without a setter";
  if (f->type.kind == TYPE_MANY_TO_MANY) why = "is a relation: change it with its add, remove and set";
  return neap__error_set(e, NEAP_USAGE, "%s.%s cannot be assigned; it %s", shape->model, f->name, why);
}

// Assigns the value on top of the stack under the name at `key`. Setters of computed fields are pushed as function, object,
// value (returns 1) for the caller to call.
static int assign(lua_State *L, int idx, struct object *o, int key, struct neap__error *e) {
  const struct shape *shape = o->class->shape;
  const struct shape_name *name = find_name(L, shape, key);
  if (!name)
    return shape->open >= 0 && lua_type(L, key) == LUA_TSTRING ? write_open(L, idx, o, key, e)
                                                               : unknown(L, shape, key, e);
  const struct field *f = name->field;
  if (neap__field_kept(f)) return write_column(L, idx, o, f, e);
  int value = lua_gettop(L);
  if (f->type.kind == TYPE_COMPUTED)
    neap__class_function(L, o->class, f, "set");
  else
    lua_pushnil(L);
  if (!lua_isfunction(L, -1)) return no_setter(shape, f, e);
  lua_pushvalue(L, idx);
  lua_pushvalue(L, value);
  return 1;
}

static int finish_write(lua_State *L, int status, lua_KContext ctx) {
  (void)L;
  (void)status;
  (void)ctx;
  return 0;
}

static bool within(const struct type *type, int64_t i) {
  return (type->min.kind == CELL_NIL || i >= type->min.i) && (type->max.kind == CELL_NIL || i <= type->max.i);
}

// The short way for the value at index 3: a number or boolean of the field's very type. False: the long way decides.
static bool write_scalar(lua_State *L, struct object *o) {
  const struct shape *shape = o->class->shape;
  const struct shape_name *name = neap__shape_name(shape, lua_topointer(L, 2));
  if (!name || !o->overlay || name->field->type.one_of || (name->field->flags & FIELD_PRIMARY)) return false;
  const struct type *type = &name->field->type;
  struct cell cell;
  if (type->kind == TYPE_INTEGER && lua_isinteger(L, 3))
    cell = (struct cell){.i = lua_tointeger(L, 3), .kind = CELL_INTEGER};
  else if (type->kind == TYPE_BOOLEAN && lua_isboolean(L, 3))
    cell = (struct cell){.i = lua_toboolean(L, 3), .kind = CELL_BOOLEAN};
  else
    return false;
  if (!within(type, cell.i)) return false;
  o->overlay->cells[shape->ncells + name->field->column] = cell;
  neap__row_kinds(o)[name->field->column] |= COLUMN_CHANGED;
  *neap__overlay_side(o->overlay, name->field->column) |= OVERLAY_WRITTEN;
  return o->dirty = true;
}

static int object_newindex(lua_State *L) {
  struct neap__error e;
  struct object *o = lua_touserdata(L, 1);
  if (write_scalar(L, o)) return 0;
  lua_settop(L, 3);
  int setter = assign(L, 1, o, 2, &e);
  if (setter < 0) return neap__raise(L, &e);
  if (setter) lua_callk(L, 2, 0, 0, finish_write);
  return 0;
}

// A pointer may be given by its name or by that of its column, not as two things: raises nothing, fills `e`.
static int check_alias(lua_State *L, int table, const struct field *f, struct neap__error *e) {
  struct cell column, pointer;
  int value = lua_gettop(L);
  lua_pushstring(L, f->name);
  if (lua_rawget(L, table) == LUA_TNIL) return 0;
  if (neap__check_value(L, f, value, &column, e) != 0 || neap__check_value(L, f, value + 1, &pointer, e) != 0)
    return -1;
  if (neap__cell_equal(&column, &pointer)) return 1;
  return neap__error_set(e, NEAP_VALIDATION, "%s.%s and %s.%s are the same, and were given two values", f->shape->model,
                         f->name, f->shape->model, f->wire);
}

void neap__object_assign(lua_State *L, int idx, int table) {
  struct neap__error e;
  idx = lua_absindex(L, idx);
  table = lua_absindex(L, table);
  struct object *o = lua_touserdata(L, idx);
  struct neap__faults faults = neap__faults_push(L);
  int later = 0;
  for (lua_pushnil(L); lua_next(L, table);) {
    int key = lua_gettop(L) - 1;
    const struct shape_name *name = find_name(L, o->class->shape, key);
    int status = name && name->column ? check_alias(L, table, name->field, &e) : 0;
    lua_settop(L, key + 1);
    status = status == 0 ? assign(L, idx, o, key, &e) : status < 0 ? status : 0;
    if (status < 0) neap__faults_note(L, &faults, key, name ? name->field->index : INT_MAX, &e);
    later += status > 0;
    lua_settop(L, key);
  }
  neap__faults_raise(L, &faults);
  // Setters see the columns that were given beside them.
  for (lua_pushnil(L); later > 0 && lua_next(L, table);) {
    int key = lua_gettop(L) - 1;
    const struct shape_name *name = find_name(L, o->class->shape, key);
    if (name && name->field->type.kind == TYPE_COMPUTED && assign(L, idx, o, key, &e) > 0) lua_call(L, 2, 0);
    lua_settop(L, key);
  }
  lua_settop(L, faults.table - 1);
}

// ---- pairs, ==, tostring ----

// The fields that pairs shows: loaded ones that have a value; a pointer as its bare key.
static bool push_pair(lua_State *L, int idx, struct object *o, const struct field *f) {
  struct cell cell = f->column >= 0 ? neap__row_present(o, f->column) : (struct cell){.kind = CELL_UNLOADED};
  if (cell.kind <= CELL_NIL) return false;
  lua_pushstring(L, f->type.kind == TYPE_POINTER ? f->wire : f->name);
  if (f->type.kind == TYPE_POINTER)
    neap__type_push(L, f->type.of, &cell);
  else
    neap__row_push(L, idx, o, f);
  return true;
}

// The position of a key in the order of pairs: the index of its field.
static int position(lua_State *L, const struct shape *shape, int key) {
  const struct shape_name *name = find_name(L, shape, key);
  return name ? name->field->index : shape->nfields;
}

// next(object, key): declared order, then what an open model has beside
static int object_next(lua_State *L) {
  struct object *o = neap__object_check(L, 1);
  const struct shape *shape = o->class->shape;
  lua_settop(L, 2);
  bool declared = lua_isnil(L, 2) || position(L, shape, 2) < shape->nfields;
  for (int i = lua_isnil(L, 2) ? 0 : position(L, shape, 2) + 1; i < shape->nfields; i++)
    if (shape->fields[i].column != shape->open || shape->open < 0)
      if (push_pair(L, 1, o, &shape->fields[i])) return 2;
  if (shape->open < 0) return 0;
  neap__row_push(L, 1, o, shape->columns[shape->open]);
  if (!lua_istable(L, -1)) return 0;
  if (declared)
    lua_pushnil(L);
  else
    lua_pushvalue(L, 2);
  return lua_next(L, 3) ? 2 : 0;
}

static int object_pairs(lua_State *L) {
  lua_pushcfunction(L, object_next);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

// Model and key are the same; an object without key is only itself.
static int object_eq(lua_State *L) {
  const struct object *a = neap__object_test(L, 1), *b = neap__object_test(L, 2);
  bool same = a && b && a->class->shape == b->class->shape;
  for (int i = 0; same && a != b && i < a->class->shape->nkeys; i++) {
    struct cell x = neap__row_present(a, a->class->shape->keys[i]->column),
                y = neap__row_present(b, a->class->shape->keys[i]->column);
    same = x.kind > CELL_NULL && neap__cell_equal(&x, &y);
  }
  lua_pushboolean(L, same);
  return 1;
}

// The value of a column as it is now, changes in place included, whether they are valid or not. Pushes what it borrows.
static struct cell present_cell(lua_State *L, struct object *o, const struct field *f) {
  struct cell cell = neap__row_present(o, f->column);
  struct neap__error e;
  lua_pushnil(L);
  if (!(neap__row_kinds(o)[f->column] & COLUMN_DECODED)) return cell;
  neap__row_push(L, 1, o, f);
  lua_replace(L, -2);
  if (neap__cell_read(L, -1, &cell, &e) != 0) return (struct cell){.kind = CELL_NULL};
  lua_replace(L, -2);
  return cell;
}

static const char *print_column(lua_State *L, struct object *o, const struct field *f, char *buf, size_t size) {
  if (f->flags & FIELD_SECRET) return "***";
  struct cell cell = present_cell(L, o, f);
  neap__cell_print(&cell, buf, size);
  lua_pop(L, 1);
  return buf;
}

// Pushes what an open model has beside its declared fields, "a=1, b=[2]"; the empty text for others.
static const char *push_undeclared(lua_State *L, struct object *o) {
  const struct shape *shape = o->class->shape;
  char text[80];
  luaL_Buffer b;
  struct cell cell = {.kind = CELL_NIL};
  if (shape->open >= 0) cell = present_cell(L, o, shape->columns[shape->open]);
  struct neap__json_each it =
      neap__json_each(cell.kind == CELL_JSON ? cell.p : "", cell.kind == CELL_JSON ? cell.n : 0);
  const char *comma = "";
  luaL_buffinit(L, &b);
  while (neap__json_next(&it)) {
    struct cell value = {.p = it.value.p, .n = (uint32_t)it.value.n, .kind = CELL_JSON};
    luaL_addstring(&b, comma);
    luaL_addlstring(&b, it.key.p + 1, it.key.n - 2);
    luaL_addchar(&b, '=');
    luaL_addstring(&b, neap__cell_print(&value, text, sizeof text));
    comma = ", ";
  }
  luaL_pushresult(&b);
  return lua_tostring(L, -1);
}

// Post(7){title="Tides", views=3}: the key, then what is loaded and has a value
static int object_tostring(lua_State *L) {
  struct object *o = neap__object_check(L, 1);
  const struct shape *shape = o->class->shape;
  char text[80];
  const char *undeclared = push_undeclared(L, o);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, shape->model);
  for (int i = 0; i < shape->nkeys; i++) {
    struct cell cell = neap__row_present(o, shape->keys[i]->column);
    luaL_addstring(&b, i ? ", " : "(");
    luaL_addstring(&b, cell.kind <= CELL_NULL ? "new" : print_column(L, o, shape->keys[i], text, sizeof text));
  }
  luaL_addstring(&b, "){");
  const char *comma = "";
  for (int c = 0; c < shape->ncells; c++) {
    const struct field *f = shape->columns[c];
    struct cell cell = neap__row_present(o, c);
    if ((f->flags & FIELD_PRIMARY) || cell.kind <= CELL_NIL || c == shape->open) continue;
    luaL_addstring(&b, comma);
    luaL_addstring(&b, f->type.kind == TYPE_POINTER ? f->wire : f->name);
    luaL_addchar(&b, '=');
    luaL_addstring(&b, print_column(L, o, f, text, sizeof text));
    comma = ", ";
  }
  if (*undeclared) luaL_addstring(&b, comma);
  luaL_addstring(&b, undeclared);
  luaL_addchar(&b, '}');
  luaL_pushresult(&b);
  return 1;
}

// __json: the plain table that is written in place of the object
static int object_json(lua_State *L) {
  neap__object_check(L, 1);
  lua_settop(L, 1);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, OBJECT_METHODS);
  lua_getfield(L, -1, "to_table");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

void neap__object_metatable(lua_State *L, int class_idx, int own) {
  static const luaL_Reg functions[] = {{"__newindex", object_newindex}, {"__pairs", object_pairs}, {"__eq", object_eq},
                                       {"__tostring", object_tostring}, {"__json", object_json},   {NULL, NULL}};
  class_idx = lua_absindex(L, class_idx);
  own = lua_absindex(L, own);
  lua_createtable(L, 2, 16);  // __index is the first in a table with room: Lua finds it at once
  lua_pushvalue(L, own);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, OBJECT_METHODS);
  lua_pushcclosure(L, object_index, 2);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, functions, 0);
  lua_pushliteral(L, "object");
  lua_setfield(L, -2, "__metatable");
  lua_pushlightuserdata(L, (void *)(uintptr_t)&object_key);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, class_idx);  // anchored for its objects
  lua_rawseti(L, -2, 2);
}
