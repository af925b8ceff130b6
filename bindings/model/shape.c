// shape.c: finds fields in a compiled model, and lets its relations know each other once all models are declared.
#include <string.h>

#include "model/shape.h"
#include "model/store.h"
#include "value/text.h"

static const char *const type_names[] = {
    "string",  "integer",    "number",   "decimal", "boolean",  "datetime",     "timestamp", "date",
    "uuid",    "bytes",      "json",     "list",    "set",      "map",          "geopoint",  "file",
    "pointer", "bytestream", "relation", "has_one", "has_many", "many_to_many", "computed",
};

const char *neap__type_name(enum type_kind kind) {
  return type_names[kind];
}

// ---- Names ----

const struct shape_name *neap__shape_name_text(const struct shape *shape, const char *name, size_t n) {
  for (unsigned i = 0; i <= shape->mask; i++) {
    const char *text = shape->names[i].text;
    if (text && strlen(text) == n && memcmp(text, name, n) == 0) return &shape->names[i];
  }
  return NULL;
}

const struct field *neap__shape_field(const struct shape *shape, const char *name, size_t n) {
  const struct shape_name *found = neap__shape_name_text(shape, name, n);
  return found && !found->column ? found->field : NULL;
}

const char *neap__shape_nearest(const struct shape *shape, const char *name, size_t n) {
  struct neap__nearest near = neap__nearest_to(name, n);
  for (int i = 0; i < shape->nfields; i++)
    if (i != shape->nfields - 1 || shape->open < 0) neap__nearest_offer(&near, shape->fields[i].name);
  return near.best;
}

int neap__shape_unknown(const struct shape *shape, const char *name, size_t n, struct neap__error *e) {
  return neap__error_set(e, NEAP_USAGE, "%s has no field %s%s", shape->model, neap__show_name(name, n).text,
                         neap__show_hint("", neap__shape_nearest(shape, name, n)).text);
}

// ---- Relations ----

// The shape of a model that is declared in the store of the class, NULL if there is none.
static const struct shape *find_shape(lua_State *L, int class_idx, const char *model) {
  const struct class *class = neap__class_test(L, class_idx), *found = NULL;
  neap__view_shared(L, class->view);
  if (lua_getfield(L, -1, "models") == LUA_TTABLE) {
    lua_getfield(L, -1, model);
    found = neap__class_test(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return found ? found->shape : NULL;
}

static int undeclared(const struct shape *shape, const struct field *f, const char *model, struct neap__error *e) {
  return neap__error_set(e, NEAP_USAGE,
                         "%s.%s names the model %s, which is not declared in this store; declare it first",
                         shape->model, f->name, model);
}

// The pointer from `from` to `to`, by its name if one is given.
static const struct field *find_pointer(const struct shape *from, const struct shape *to, const char *name) {
  for (int i = 0; i < from->nfields; i++) {
    const struct field *f = &from->fields[i];
    if (f->type.kind != TYPE_POINTER || strcmp(f->target_name, to->model) != 0) continue;
    if (!name || strcmp(f->name, name) == 0) return f;
  }
  return NULL;
}

static int resolve_inverse(lua_State *L, int class_idx, const struct shape *shape, struct field *f,
                           struct neap__error *e) {
  f->inverse = find_pointer(f->target, shape, f->inverse_name);
  if (f->inverse) return neap__shape_resolve(L, class_idx, f->inverse, e);
  return neap__error_set(e, NEAP_USAGE, "%s.%s needs a pointer to %s in %s%s%s", shape->model, f->name, shape->model,
                         f->target->model, f->inverse_name ? " named " : "", f->inverse_name ? f->inverse_name : "");
}

// Declares the model of a link table that nobody declared: a pointer to each side (lua/neap/schema.lua).
static const struct shape *declare_link(lua_State *L, int class_idx, const struct field *f) {
  const struct class *class = neap__class_test(L, class_idx);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "neap.model");
  lua_getfield(L, -1, "link");
  neap__view_push(L, class->view);
  lua_pushstring(L, f->through_name);
  lua_call(L, 2, 1);
  const struct shape *link = neap__class_check(L, -1)->shape;
  lua_pop(L, 3);
  return link;
}

static int resolve_through(lua_State *L, int class_idx, const struct shape *shape, struct field *f,
                           struct neap__error *e) {
  const struct shape *link = find_shape(L, class_idx, f->through_name);
  if (!link) link = declare_link(L, class_idx, f);
  f->through_here = find_pointer(link, shape, NULL);
  f->through_there = NULL;
  for (int i = 0; i < link->nfields; i++) {
    const struct field *p = &link->fields[i];
    if (p->type.kind == TYPE_POINTER && p != f->through_here && strcmp(p->target_name, f->target->model) == 0)
      f->through_there = p;
  }
  if (!f->through_here || !f->through_there)
    return neap__error_set(e, NEAP_USAGE, "%s.%s: %s needs pointers to %s and to %s", shape->model, f->name,
                           link->model, shape->model, f->target->model);
  f->through = link;
  if (neap__shape_resolve(L, class_idx, f->through_here, e) != 0) return -1;
  return neap__shape_resolve(L, class_idx, f->through_there, e);
}

// A pointer's column holds the key of what it points to.
static int resolve_key(const struct shape *shape, struct field *f, struct neap__error *e) {
  if (f->target->nkeys != 1)
    return neap__error_set(e, NEAP_UNSUPPORTED, "%s.%s: a pointer needs a target with one key, and %s has %d",
                           shape->model, f->name, f->target->model, f->target->nkeys);
  f->type.of = &f->target->keys[0]->type;
  return 0;
}

int neap__shape_resolve(lua_State *L, int class_idx, const struct field *field, struct neap__error *e) {
  const struct shape *shape = field->shape;
  struct field *f = &shape->fields[field->index];
  if (f->target || !f->target_name) return 0;
  if (f->type.kind == TYPE_RELATION)
    return neap__error_set(e, NEAP_UNSUPPORTED, "%s.%s: this store keeps no relations of its own; use t.many_to_many",
                           shape->model, f->name);
  const struct shape *target = find_shape(L, class_idx, f->target_name);
  if (!target) return undeclared(shape, f, f->target_name, e);
  f->target = target;
  int status = 0;
  if (f->type.kind == TYPE_POINTER) status = resolve_key(shape, f, e);
  if (f->type.kind == TYPE_HAS_ONE || f->type.kind == TYPE_HAS_MANY)
    status = resolve_inverse(L, class_idx, shape, f, e);
  if (f->type.kind == TYPE_MANY_TO_MANY) status = resolve_through(L, class_idx, shape, f, e);
  if (status != 0) f->target = NULL;
  return status;
}
