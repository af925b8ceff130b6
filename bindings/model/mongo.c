// mongo.c: what Query Objects (lua/neap/mongo/) need of the kernel: which fields a model has, conditions, and the rows of an
// answer as plain tables or as JSON text, by a plan that is made once a query. No Lua runs between the rows.
#include <string.h>

#include "model/class.h"
#include "model/condition_build.h"
#include "model/mongo.h"
#include "modules.h"
#include "value/json.h"
#include "value/marks.h"

// ---- What a model has ----

static void resolve(lua_State *L, int class_idx, const struct field *f) {
  struct neap__error e;
  if (f->target_name && neap__shape_resolve(L, class_idx, f, &e) != 0) neap__raise(L, &e);
}

static void set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

static void set_true(lua_State *L, const char *name, bool value) {
  if (!value) return;
  lua_pushboolean(L, true);
  lua_setfield(L, -2, name);
}

// Sets `kind` and `of`: the kind of the elements.
static void set_kinds(lua_State *L, const struct type *type) {
  set_string(L, "kind", type ? neap__type_name(type->kind) : "json");
  bool elements = type && (type->kind == TYPE_LIST || type->kind == TYPE_SET);
  if (elements) set_string(L, "of", type->of ? neap__type_name(type->of->kind) : "json");
}

// Sets the functions of a computed field, and the names of what its getter reads.
static void set_computed(lua_State *L, const struct class *class, const struct field *f) {
  static const char *const functions[] = {"get", "set"};
  lua_createtable(L, f->nneeds, 0);
  for (int i = 0; i < f->nneeds; i++) {
    lua_pushstring(L, f->needs[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "needs");
  for (int i = 0; i < 2; i++) {
    neap__class_function(L, class, f, functions[i]);
    lua_setfield(L, -2, functions[i]);
  }
}

// Appends the description on top of the stack to the list below it.
static void append(lua_State *L) {
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static void add_column(lua_State *L, const struct class *class, const struct field *f) {
  bool computed = f->type.kind == TYPE_COMPUTED;
  lua_createtable(L, 0, 8);
  set_string(L, "name", f->type.kind == TYPE_POINTER ? f->wire : f->name);
  set_string(L, "field", f->name);
  set_string(L, "group", !computed ? "column" : f->column >= 0 ? "expression" : "property");
  set_kinds(L, computed || f->type.kind == TYPE_POINTER ? f->type.of : &f->type);
  set_true(L, "primary", f->flags & FIELD_PRIMARY);
  set_true(L, "secret", f->flags & FIELD_SECRET);
  if (computed) set_computed(L, class, f);
  append(L);
}

static void add_relation(lua_State *L, const struct field *f) {
  lua_createtable(L, 0, 8);
  set_string(L, "name", f->name);
  set_string(L, "field", f->name);
  set_string(L, "group", "relation");
  set_string(L, "target", f->target_name);
  set_true(L, "many", f->type.kind == TYPE_HAS_MANY || f->type.kind == TYPE_MANY_TO_MANY);
  if (f->type.kind == TYPE_POINTER) set_string(L, "pointer", f->wire);
  append(L);
}

// kernel.fields(class) -> { { name =, field =, group = "column" "expression" "property" "relation", kind =, … }, … }
//   in declared order; a pointer is a column under its column's name, and a relation under its own
static int mongo_fields(lua_State *L) {
  const struct class *class = neap__class_check(L, 1);
  const struct shape *shape = class->shape;
  lua_settop(L, 1);
  lua_createtable(L, shape->nfields, 0);
  for (int i = 0; i < shape->nfields; i++) {
    const struct field *f = &shape->fields[i];
    if (shape->open >= 0 && f->column == shape->open) continue;
    resolve(L, 1, f);
    if (!f->target_name || f->type.kind == TYPE_POINTER) add_column(L, class, f);
    if (f->target_name) add_relation(L, f);
  }
  return 1;
}

// kernel.model(class) -> name
static int mongo_model(lua_State *L) {
  lua_pushstring(L, neap__class_check(L, 1)->shape->model);
  return 1;
}

// kernel.class(class, model) -> the class of another model, as the view of this one sees it
static int mongo_class(lua_State *L) {
  neap__class_check(L, 1);
  neap__class_of(L, 1, neap__arg_string(L, 2, "model", NULL));
  return 1;
}

// kernel.view(class) -> the store as the class sees it
static int mongo_view(lua_State *L) {
  neap__view_push(L, neap__class_check(L, 1)->view);
  return 1;
}

static const struct place *check_column(lua_State *L, int idx) {
  const struct place *place = neap__column_test(L, idx);
  if (!place) neap__fail(L, NEAP_USAGE, "a column was expected, not %s", neap__show_value(L, idx).text);
  return place;
}

// kernel.kind(column) -> kind of the values there, kind of their elements
static int mongo_kind(lua_State *L) {
  const struct type *type = neap__operand_type(check_column(L, 1));
  if (type && type->kind == TYPE_POINTER) type = type->of;
  lua_newtable(L);
  set_kinds(L, type);
  lua_getfield(L, 2, "kind");
  lua_getfield(L, 2, "of");
  return 2;
}

// kernel.element(column) -> the column that an element of the list is
static int mongo_element(lua_State *L) {
  const struct place *list = check_column(L, 1);
  lua_getiuservalue(L, 1, 1);
  neap__element_push(L, -1, neap__column_shape(list), list);
  return 1;
}

// kernel.elements(column, condition on an element) -> condition: some element meets it
static int mongo_elements(lua_State *L) {
  check_column(L, 1);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, 1);
  lua_insert(L, 2);
  neap__condition_elements(L, 2, 1);
  return 1;
}

// kernel.condition(class, table) -> condition
static int mongo_condition(lua_State *L) {
  neap__class_check(L, 1);
  lua_settop(L, 2);
  neap__condition_parse(L, 1, 2);
  return 1;
}

// kernel.is_object(value) -> boolean: an object of some model
static int mongo_is_object(lua_State *L) {
  lua_settop(L, 1);
  lua_pushboolean(L, neap__object_test(L, 1) != NULL);
  return 1;
}

// kernel.form(value) -> "list", "object", or "empty": a table that may be either; nil for what is no table
static int mongo_form(lua_State *L) {
  enum neap__mark mark = neap__mark_kind(L, 1);
  lua_settop(L, 1);
  if (!lua_istable(L, 1)) return 0;
  if (mark == NEAP_MARK_ARRAY || mark == NEAP_MARK_SET || lua_rawlen(L, 1) > 0)
    lua_pushliteral(L, "list");
  else if (mark != NEAP_MARK_NONE || (lua_pushnil(L), lua_next(L, 1)))
    lua_pushliteral(L, "object");
  else
    lua_pushliteral(L, "empty");
  return 1;
}

// ---- Plans ----

static const char plan_type[] = "neap.mongo.plan";

static const struct plan *check_plan(lua_State *L, int idx) {
  return luaL_checkudata(L, idx, plan_type);
}

// The field of a name at idx; of "comments.count" the relation, and *counts is set.
static const struct field *named_field(lua_State *L, const struct shape *shape, int idx, bool *counts) {
  size_t n, tail = sizeof ".count" - 1;
  const char *name = neap__arg_string(L, idx, "name", &n);
  *counts = n > tail && memcmp(name + n - tail, ".count", tail) == 0;
  const struct shape_name *found = neap__shape_name_text(shape, name, *counts ? n - tail : n);
  if (!found) neap__fail(L, NEAP_USAGE, "%s has no field %s", shape->model, name);
  return found->field;
}

// Pushes the name as JSON has it, with its colon.
static void push_json_name(lua_State *L, struct plan_part *part) {
  struct neap__error e;
  if (neap__json_encode(L, lua_gettop(L), &e) != 0) neap__raise(L, &e);
  lua_pushliteral(L, ":");
  lua_concat(L, 2);
  part->json = lua_tolstring(L, -1, &part->njson);
}

// kernel.plan(class, { name, … }, { { name, plan }, … }) -> plan
//   what of an object is written: fields and counts ("comments.count"), then relations, in this order
static int mongo_plan(lua_State *L) {
  const struct shape *shape = neap__class_check(L, 1)->shape;
  lua_settop(L, 3);
  int nfields = (int)lua_rawlen(L, 2), n = nfields + (int)lua_rawlen(L, 3);
  struct plan *plan = lua_newuserdatauv(L, sizeof *plan + (size_t)n * sizeof *plan->parts, 1);
  plan->shape = shape;
  plan->nfields = nfields;
  plan->nparts = n;
  luaL_setmetatable(L, plan_type);
  lua_createtable(L, 3 * n + 1, 0);
  for (int i = 0; i < n; i++) {
    struct plan_part *part = &plan->parts[i];
    if (i < nfields) {
      lua_rawgeti(L, 2, i + 1);
      part->plan = NULL;
    } else {
      lua_rawgeti(L, 3, i - nfields + 1);
      lua_rawgeti(L, -1, 2);
      part->plan = check_plan(L, -1);
      lua_rawseti(L, 5, n + i + 1);
      lua_rawgeti(L, -1, 1);
      lua_remove(L, -2);
    }
    part->field = named_field(L, shape, lua_gettop(L), &part->counts);
    part->name = lua_tostring(L, -1);
    push_json_name(L, part);
    lua_rawseti(L, 5, 2 * n + i + 1);
    lua_rawseti(L, 5, i + 1);  // anchors the name
  }
  lua_pushvalue(L, 1);
  lua_rawseti(L, 5, 3 * n + 1);
  lua_setiuservalue(L, 4, 1);
  return 1;
}

// kernel.included(object, relation) -> the object or list that an include gave, nil where there is nothing
static int mongo_included(lua_State *L) {
  const struct object *o = neap__object_check(L, 1);
  bool counts;
  if (!neap__object_get_included(L, 1, named_field(L, neap__object_class(o)->shape, 2, &counts))) lua_pushnil(L);
  return 1;
}

// kernel.eager(list of objects): their relations that were not loaded raise where they are read
static int mongo_eager(lua_State *L) {
  neap__arg_table(L, 1, "objects");
  for (lua_Integer i = 1; lua_rawgeti(L, 1, i) != LUA_TNIL; i++, lua_pop(L, 1))
    neap__object_set_eager(neap__object_check(L, -1));
  return 0;
}

int luaopen_neap_mongo_kernel(lua_State *L) {
  static const luaL_Reg functions[] = {{"fields", mongo_fields},
                                       {"model", mongo_model},
                                       {"class", mongo_class},
                                       {"view", mongo_view},
                                       {"kind", mongo_kind},
                                       {"condition", mongo_condition},
                                       {"element", mongo_element},
                                       {"elements", mongo_elements},
                                       {"form", mongo_form},
                                       {"is_object", mongo_is_object},
                                       {"plan", mongo_plan},
                                       {"included", mongo_included},
                                       {"eager", mongo_eager},
                                       {"tables", neap__mongo_tables},
                                       {"json", neap__mongo_json},
                                       {"labelled", neap__mongo_labelled},
                                       {"groups_json", neap__mongo_groups_json},
                                       {"shape", neap__mongo_shape},
                                       {NULL, NULL}};
  luaL_newmetatable(L, plan_type);
  luaL_newlib(L, functions);
  return 1;
}
