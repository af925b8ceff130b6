// class.c: a class is a shape seen through a view: what makes objects and queries, and holds the methods of both.
#include <string.h>

#include "model/class.h"
#include "model/condition.h"
#include "model/live.h"
#include "model/row.h"
#include "model/template.h"
#include "modules.h"
#include "value/text.h"

#define CLASS_TYPE "neap.class"

// ---- Finding ----

struct class *neap__class_test(lua_State *L, int idx) {
  return luaL_testudata(L, idx, CLASS_TYPE);
}

struct class *neap__class_check(lua_State *L, int idx) {
  struct class *class = neap__class_test(L, idx);
  if (!class)
    neap__fail(L, NEAP_USAGE, "a model was expected, not %s; call its functions with a colon, Post:where{...}",
               neap__show_value(L, idx).text);
  return class;
}

void neap__class_push(lua_State *L, const struct class *class) {
  neap__live_push(L, class);
}

int neap__class_functions(lua_State *L, const struct class *class, const struct field *field) {
  neap__class_push(L, class);
  lua_getiuservalue(L, -1, CLASS_SHAPE);
  lua_getiuservalue(L, -1, SHAPE_FUNCTIONS);
  int type = lua_getfield(L, -1, field->name);
  lua_replace(L, -4);
  lua_pop(L, 2);
  return type;
}

void neap__class_function(lua_State *L, const struct class *class, const struct field *field, const char *name) {
  if (neap__class_functions(L, class, field) != LUA_TTABLE) return;
  lua_getfield(L, -1, name);
  lua_replace(L, -2);
}

// ---- Making ----

static void fill_places(struct class *class) {
  const struct shape *shape = class->shape;
  size_t slots = offsetof(struct object, row), kinds = slots + (size_t)shape->ncells * sizeof(union slot);
  class->places[0].key = class->places;  // not NULL, which is the key of what is no string
  for (unsigned i = 0; i <= shape->mask; i++) {
    const struct shape_name *name = &shape->names[i];
    if (!name->key || name->column || name->field->column < 0 || name->field->type.kind == TYPE_POINTER) continue;
    size_t c = (size_t)name->field->column;
    class->places[neap__class_place(name->key)] =
        (struct class_place){name->key, (uint32_t)(slots + c * sizeof(union slot)), (uint32_t)(kinds + c)};
  }
}

// Pushes a class for the shape on top of the stack, which it replaces; `base` is the stack index of the class whose methods
// it shares, 0 = none.
static struct class *push_class(lua_State *L, struct view *view, int base) {
  struct class *class = lua_newuserdatauv(L, sizeof *class, CLASS_VALUES);
  *class = (struct class){.shape = lua_touserdata(L, -2), .view = view};
  fill_places(class);
  int self = lua_gettop(L);
  lua_pushvalue(L, -2);
  lua_setiuservalue(L, self, CLASS_SHAPE);
  neap__view_push(L, view);
  lua_setiuservalue(L, self, CLASS_VIEW);
  lua_newtable(L);
  lua_setiuservalue(L, self, CLASS_FIELDS);
  lua_newtable(L);
  if (base) {
    lua_createtable(L, 0, 1);
    lua_getiuservalue(L, base, CLASS_OWN);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
  }
  neap__object_metatable(L, self, -1);
  lua_setiuservalue(L, self, CLASS_OBJECTS);
  lua_setiuservalue(L, self, CLASS_OWN);
  luaL_setmetatable(L, CLASS_TYPE);
  neap__live_add(L, class);
  lua_remove(L, -2);
  return class;
}

// Makes the class on top of the stack known to the store: models by name, and order, the names as they were declared.
static void remember(lua_State *L, const struct view *view, const char *model) {
  int class = lua_gettop(L);
  neap__view_shared(L, view);
  luaL_getsubtable(L, class + 1, "models");
  luaL_getsubtable(L, class + 1, "order");
  if (lua_getfield(L, class + 2, model) == LUA_TNIL) {
    lua_pushstring(L, model);
    lua_rawseti(L, class + 3, (lua_Integer)lua_rawlen(L, class + 3) + 1);
  }
  lua_pushvalue(L, class);
  lua_setfield(L, class + 2, model);
  lua_settop(L, class);
}

// What all objects of the class on top of the stack meet, where its constants tell them from others in the table.
static void restrict_to_constants(lua_State *L, struct shape *shape) {
  int class = lua_gettop(L);
  lua_pushnil(L);
  for (int i = 0; i < shape->ncolumns; i++) {
    const struct field *f = shape->columns[i];
    if (!(f->flags & FIELD_CONSTANT)) continue;
    neap__condition_leaf(L, class, f, COND_EQ, &f->initial, 1);
    shape->only = neap__condition_and(L, class + 1, class + 2);
    lua_replace(L, class + 1);
    lua_settop(L, class + 1);
  }
  lua_getiuservalue(L, class, CLASS_SHAPE);
  lua_getiuservalue(L, -1, SHAPE_ANCHORS);
  lua_pushvalue(L, class + 1);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_settop(L, class);
}

// class.declare(view, name, fields, options) -> class
//   fields   a list of { name, type } in declared order, lua/neap/model.lua makes it
//   options  table, open, and what stores know
static int class_declare(lua_State *L) {
  struct view *view = neap__view_check(L, 1);
  const char *name = neap__arg_string(L, 2, "name", NULL);
  neap__arg_table(L, 3, "fields");
  neap__arg_table(L, 4, "options");
  struct shape *shape = neap__declare_shape(L, name, 3, 4);
  shape->marks = view->store->verbs->marks;
  push_class(L, view, 0);
  restrict_to_constants(L, shape);
  remember(L, view, name);
  return 1;
}

// Pushes the class of the model as the view sees it, or nil. Other views than the first keep theirs by the shape.
static bool push_seen(lua_State *L, struct view *view, const char *model) {
  neap__view_shared(L, view);
  luaL_getsubtable(L, -1, "models");
  if (lua_getfield(L, -1, model) == LUA_TNIL) return false;
  lua_replace(L, -3);
  lua_pop(L, 1);
  struct class *base = lua_touserdata(L, -1);
  if (base->view == view) return true;
  int at = lua_gettop(L);
  neap__view_push(L, view);
  lua_pushliteral(L, "classes");
  lua_getiuservalue(L, -2, 3);
  luaL_getsubtable(L, -1, "classes");
  if (lua_getfield(L, -1, model) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_getiuservalue(L, at, CLASS_SHAPE);
    push_class(L, view, at);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, model);
  }
  lua_replace(L, at);
  lua_settop(L, at);
  return true;
}

static int unknown_model(lua_State *L, const struct view *view, const char *model) {
  neap__view_shared(L, view);
  luaL_getsubtable(L, -1, "models");
  size_t n = strlen(model);
  struct neap__nearest near = neap__nearest_to(model, n);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) neap__nearest_offer(&near, lua_tostring(L, -2));
  return neap__fail(L, NEAP_USAGE, "no model %s is declared in this store, by store:model(%s, { ... })%s",
                    neap__show_name(model, n).text, neap__show_text(model, n).text,
                    neap__show_hint("", near.best).text);
}

void neap__class_of(lua_State *L, int class_idx, const char *model) {
  struct class *class = neap__class_check(L, class_idx);
  if (!push_seen(L, class->view, model)) unknown_model(L, class->view, model);
}

bool neap__class_seen(lua_State *L, int class_idx, const char *model) {
  return push_seen(L, neap__class_check(L, class_idx)->view, model);
}

// class.find(view, name) -> class; raises usage for a model that is not declared
static int class_find(lua_State *L) {
  struct view *view = neap__view_check(L, 1);
  const char *name = neap__arg_string(L, 2, "name", NULL);
  return push_seen(L, view, name) ? 1 : unknown_model(L, view, name);
}

// ---- What scripts see ----

// Pushes the column expression of a field, made once.
static void push_column(lua_State *L, int class_idx, const struct field *field) {
  lua_getiuservalue(L, class_idx, CLASS_FIELDS);
  if (lua_getfield(L, -1, field->name) == LUA_TNIL) {
    lua_pop(L, 1);
    neap__column_push(L, class_idx, field);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, field->name);
  }
  lua_remove(L, -2);
}

// Post.fields.title; unknown names raise, where the model is not open
static int fields_index(lua_State *L) {
  const struct class *class = lua_touserdata(L, lua_upvalueindex(1));
  size_t n;
  const char *name = neap__arg_string(L, 2, "field", &n);
  const struct shape_name *found = neap__shape_name_text(class->shape, name, n);
  struct neap__error e;
  if (!found && class->shape->open >= 0) return neap__column_parse(L, lua_upvalueindex(1), name, n), 1;
  if (!found) {
    neap__shape_unknown(class->shape, name, n, &e);
    neap__raise(L, &e);
  }
  push_column(L, lua_upvalueindex(1), found->field);
  return 1;
}

static int push_fields(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, fields_index, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  return 1;
}

// upvalues: 1 methods of classes, 2 methods of objects
static int class_index(lua_State *L) {
  struct class *class = lua_touserdata(L, 1);
  size_t n;
  lua_settop(L, 2);
  if (lua_type(L, 2) != LUA_TSTRING) return lua_pushnil(L), 1;
  const char *name = lua_tolstring(L, 2, &n);
  lua_getiuservalue(L, 1, CLASS_OWN);
  lua_pushvalue(L, 2);
  if (lua_gettable(L, 3) != LUA_TNIL) return 1;
  for (int i = 1; i <= 2; i++) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(i)) != LUA_TNIL) return 1;
  }
  if (strcmp(name, "fields") == 0) return push_fields(L);
  const struct shape_name *found = neap__shape_name_text(class->shape, name, n);
  if (found)
    push_column(L, 1, found->field);
  else if (!neap__index_push(L, 1, name))
    lua_pushnil(L);
  return 1;
}

static bool is_hook(const char *name) {
  return strcmp(name, "before_save") == 0 || strcmp(name, "after_save") == 0 || strcmp(name, "before_delete") == 0 ||
         strcmp(name, "after_delete") == 0;
}

// function Post:summary() ... end
static int class_newindex(lua_State *L) {
  struct class *class = neap__class_check(L, 1);
  size_t n;
  const char *name = neap__arg_string(L, 2, "method", &n);
  if (neap__shape_name_text(class->shape, name, n))
    return neap__fail(L, NEAP_USAGE, "%s.%s is a field; a method needs another name", class->shape->model, name);
  if (is_hook(name)) {
    lua_getiuservalue(L, 1, CLASS_SHAPE);
    ((struct shape *)lua_touserdata(L, -1))->hooks = true;
    lua_pop(L, 1);
  }
  lua_getiuservalue(L, 1, CLASS_OWN);
  lua_insert(L, 2);
  lua_rawset(L, 2);
  return 0;
}

static int finish_call(lua_State *L, int status, lua_KContext ctx) {
  const struct shape *shape = ((const struct class *)lua_touserdata(L, 1))->shape;
  struct neap__error e;
  (void)status;
  (void)ctx;
  lua_settop(L, 3);
  if (shape->templates && neap__template_fill(L, 3, 0, &e) != 0) neap__raise(L, &e);
  return 1;
}

// Post { title = "Tides" } -> a new object, not saved
static int class_call(lua_State *L) {
  struct class *class = neap__class_check(L, 1);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) neap__arg_table(L, 2, class->shape->model);
  neap__object_new(L, 1);
  if (lua_istable(L, 2)) neap__object_assign(L, 3, 2);
  if (!class->shape->defaults) return finish_call(L, LUA_OK, 0);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "neap.hooks");
  lua_getfield(L, -1, "defaults");
  lua_pushvalue(L, 3);
  lua_callk(L, 1, 0, 0, finish_call);
  return finish_call(L, LUA_OK, 0);
}

static int class_tostring(lua_State *L) {
  struct class *class = neap__class_check(L, 1);
  lua_pushfstring(L, "model: %s", class->shape->model);
  return 1;
}

// class.functions(object) -> what the declaration's fields have: { "field", field = { default = f, validate = f } }
static int class_functions(lua_State *L) {
  neap__class_push(L, neap__object_check(L, 1)->class);
  lua_getiuservalue(L, -1, CLASS_SHAPE);
  lua_getiuservalue(L, -1, SHAPE_FUNCTIONS);
  return 1;
}

// class.model(object) -> the name of its model
static int class_model(lua_State *L) {
  lua_pushstring(L, neap__object_check(L, 1)->class->shape->model);
  return 1;
}

// class.method(object, name) -> the method that scripts defined on its class, or nil
static int class_method(lua_State *L) {
  neap__class_push(L, neap__object_check(L, 1)->class);
  lua_getiuservalue(L, -1, CLASS_OWN);
  lua_pushvalue(L, 2);
  lua_gettable(L, -2);
  return 1;
}

// class.hint(name, names, prefix) -> "; did you mean PREFIXname?" with the nearest of the names, else "; known: " and all
static int class_hint(lua_State *L) {
  size_t n;
  lua_settop(L, 3);
  const char *name = luaL_tolstring(L, 1, &n), *prefix = luaL_optstring(L, 3, "");
  neap__arg_table(L, 2, "names");
  struct neap__nearest near = neap__nearest_to(name, n);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "; known: ");
  lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, 2, i);
    const char *each = lua_tostring(L, -1);  // the list holds it
    lua_pop(L, 1);
    neap__nearest_offer(&near, each);
    if (i > 1) luaL_addstring(&b, ", ");
    luaL_addstring(&b, prefix);
    luaL_addstring(&b, each);
  }
  luaL_pushresult(&b);
  if (near.best) lua_pushstring(L, neap__show_hint(prefix, near.best).text);
  return 1;
}

int luaopen_neap_class(lua_State *L) {
  static const luaL_Reg functions[] = {{"declare", class_declare},
                                       {"find", class_find},
                                       {"functions", class_functions},
                                       {"model", class_model},
                                       {"method", class_method},
                                       {"hint", class_hint},
                                       {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__newindex", class_newindex}, {"__call", class_call}, {"__tostring", class_tostring}, {NULL, NULL}};
  luaL_newmetatable(L, CLASS_TYPE);
  luaL_setfuncs(L, meta, 0);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, CLASS_METHODS);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, OBJECT_METHODS);
  lua_pushcclosure(L, class_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "model");
  lua_setfield(L, -2, "__metatable");
  luaL_newlib(L, functions);
  return 1;
}
