// load.c: objects by their keys: get, find, reload, load.
#include <string.h>

#include "model/save.h"

enum { L_TARGET = 1, L_KEY, L_JOB };  // then the anchors of the key, and on top the rows

struct load {
  struct view *view;
  const struct class *class;
  struct cell key[4];
  bool required;
  struct object_builder builder;
  int *columns;              // 0, 1, 2, ...
  struct cell cells[];
};

// Reads the key at idx, a scalar or a table by name, into cells. Pushes their anchors.
static void read_key(lua_State *L, const struct shape *shape, int idx, struct cell *key) {
  struct neap__error e;
  if (shape->nkeys == 0) neap__fail(L, NEAP_USAGE, "%s has no key", shape->model);
  for (int i = 0; i < shape->nkeys; i++) {
    const struct field *f = shape->keys[i];
    lua_pushvalue(L, idx);
    if (shape->nkeys > 1 || (lua_istable(L, idx) && lua_getfield(L, idx, f->name) != LUA_TNIL)) {
      if (!lua_istable(L, idx)) neap__fail(L, NEAP_USAGE, "the key of %s has %d parts: give a table by name", shape->model, shape->nkeys);
      if (shape->nkeys > 1) lua_getfield(L, idx, f->name);
    }
    if (lua_isnil(L, -1)) neap__fail(L, NEAP_USAGE, "the key of %s lacks %s", shape->model, f->name);
    int status = neap__check_operand(L, &f->type, lua_gettop(L), &key[i], &e);
    if (status < 0) neap__raise(L, &e);
    if (status > 0) neap__fail(L, NEAP_USAGE, "%s.%s is a key of type %s, not %s", shape->model, f->name, neap__type_name(f->type.kind), luaL_typename(L, -1));
  }
}

static struct load *load_new(lua_State *L, const struct class *class) {
  int n = class->shape->ncolumns;
  size_t cells = sizeof(struct load) + (size_t)n * sizeof(struct cell);
  struct load *load = lua_newuserdatauv(L, cells + (size_t)n * sizeof(int), 0);
  load->class = class;
  load->view = class->view;
  load->columns = (int *)((char *)load + cells);
  for (int i = 0; i < n; i++) load->columns[i] = i;
  return load;
}

// ---- Class:get and find ----

// `ctx` is the stack index of the rows.
static int found(lua_State *L, int status, lua_KContext ctx) {
  struct load *load = lua_touserdata(L, L_JOB);
  struct rows *rows = lua_touserdata(L, (int)ctx);
  (void)status;
  enum rows_state state = rows->next(rows, load->cells);
  if (state == ROWS_WAIT) return neap__await(L, (int)ctx, ctx, found);
  if (state == ROWS_ROW) {
    neap__object_builder(L, &load->builder, L_TARGET, load->class->shape->ncolumns, NULL);
    neap__object_build(L, &load->builder, load->cells);
  }
  struct neap__error e = rows->error;
  rows->close(rows);
  if (state == ROWS_FAILED) return neap__raise(L, &e);
  if (state == ROWS_ROW) return 1;
  char text[80];
  neap__cell_print(&load->key[0], text, sizeof text);
  if (load->required) return neap__fail(L, NEAP_NOT_FOUND, "there is no %s with the key %s", load->class->shape->model, text);
  lua_pushnil(L);
  return 1;
}

static int start_get(lua_State *L, bool required) {
  const struct class *class = neap__class_check(L, L_TARGET);
  lua_settop(L, L_KEY);
  struct load *load = load_new(L, class);
  read_key(L, class->shape, L_KEY, load->key);
  load->view->store->verbs->get(L, load->view, class, load->key);
  load->required = required;
  return found(L, LUA_OK, lua_gettop(L));
}

// Class:get(key) -> object; raises not_found
static int class_get(lua_State *L) {
  return start_get(L, true);
}

// Class:find(key) -> object or nil
static int class_find(lua_State *L) {
  return start_get(L, false);
}

// ---- reload: ctx is the stack index of the rows ----

static int reloaded(lua_State *L, int status, lua_KContext ctx) {
  struct load *load = lua_touserdata(L, L_JOB);
  struct rows *rows = lua_touserdata(L, (int)ctx);
  (void)status;
  enum rows_state state = rows->next(rows, load->cells);
  if (state == ROWS_WAIT) return neap__await(L, (int)ctx, ctx, reloaded);
  if (state == ROWS_ROW) {
    neap__view_touch(L, neap__view_effective(L, load->view), L_TARGET);
    neap__object_reset(L, L_TARGET, load->cells, load->class->shape->ncolumns, load->columns);
  }
  struct neap__error e = rows->error;
  rows->close(rows);
  if (state == ROWS_END) {
    neap__error_set(&e, NEAP_NOT_FOUND, "gone");
    neap__save_describe(L, L_TARGET, load->class->shape, &e);
  }
  if (state != ROWS_ROW) return neap__raise(L, &e);
  lua_settop(L, L_TARGET);
  return 1;
}

// object:reload() -> object
//   Reads its row again; what the script has changed and not saved is lost. Raises not_found.
static int object_reload(lua_State *L) {
  const struct class *class = neap__object_class(neap__object_check(L, L_TARGET));
  lua_settop(L, L_TARGET);
  lua_pushnil(L);
  struct load *load = load_new(L, class);
  for (int i = 0; i < class->shape->nkeys; i++) {
    neap__object_get(L, L_TARGET, class->shape->keys[i]->column, &load->key[i]);
    if (load->key[i].kind == CELL_NIL) return neap__fail(L, NEAP_USAGE, "%s has no key yet: save it first", class->shape->model);
  }
  load->view->store->verbs->get(L, load->view, class, load->key);
  return reloaded(L, LUA_OK, lua_gettop(L));
}

void neap__load_register(lua_State *L) {
  static const luaL_Reg functions[] = {{"get", class_get}, {"find", class_find}, {"reload", object_reload}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
