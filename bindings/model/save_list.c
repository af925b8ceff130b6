// save_list.c: the objects that a save is given: a walk over the list, once, that leaves out what needs no writing.
#include "model/save.h"

void neap__save_push(lua_State *L, int index) {
  if (lua_istable(L, 1))
    lua_rawgeti(L, 1, index);
  else
    lua_pushvalue(L, 1);
}

void neap__save_keep_list(lua_State *L, int n) {
  lua_createtable(L, n, 0);
  for (int i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, i);
    lua_rawseti(L, -2, i);
  }
  lua_replace(L, 1);
}

struct object *neap__save_item(lua_State *L, int index, const void **metatable) {
  neap__save_push(L, index);
  struct object *o = neap__object_test_next(L, -1, metatable);
  if (!o)
    neap__fail(L, NEAP_USAGE, "item %d of the list: an object of a model was expected, not %s", index,
               neap__show_value(L, -1).text);
  return o;
}

// Whether a pointer of the object at idx holds a new object.
static bool has_new_pointer(lua_State *L, int idx, const struct shape *shape) {
  bool found = false;
  for (int i = 0; i < shape->ncolumns && !found; i++) {
    if (shape->columns[i]->type.kind != TYPE_POINTER) continue;
    neap__object_get_related(L, idx, shape->columns[i]);
    const struct object *o = neap__object_test(L, -1);
    found = o && neap__object_state(o) == OBJECT_NEW;
    lua_pop(L, 1);
  }
  return found;
}

bool neap__save_is_plain(lua_State *L, int idx, const struct object *o) {
  const struct shape *shape = neap__object_class(o)->shape;
  return !shape->hooks && (neap__object_idle(o) || !has_new_pointer(L, idx, shape));
}

// Makes room for n items: a list of the objects at `to`, and what is known of them behind it.
static struct save_item *make_room(lua_State *L, int to, int n) {
  if (lua_istable(L, 1)) {
    lua_createtable(L, n, 0);
    lua_replace(L, to);
  }
  struct save_item *items = lua_newuserdatauv(L, (size_t)n * sizeof *items, 0);
  lua_replace(L, to + 1);
  return items;
}

int neap__save_items(lua_State *L, int n, bool all, bool *plain, struct save_item **items) {
  const void *metatable = NULL;
  bool list = lua_istable(L, 1);
  int count = 0, to = lua_gettop(L) + 1;
  lua_settop(L, to + 1);
  *plain = true;
  for (int i = 1; i <= n; i++, lua_settop(L, to + 1)) {
    const struct object *o = neap__save_item(L, i, &metatable);
    *plain = *plain && neap__save_is_plain(L, to + 2, o);
    if (!all && neap__object_idle(o)) continue;
    if (count == 0) *items = make_room(L, to, n - i + 1);
    (*items)[count++] = (struct save_item){.object = o, .class = neap__object_class(o), .index = i};
    if (list) lua_rawseti(L, to, count);
  }
  if (list) lua_copy(L, to, 1);
  lua_remove(L, to);
  return count;
}
