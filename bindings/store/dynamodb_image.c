// dynamodb_image.c: an item that did not come by a query, as an object: what a stream says of a change.
#include <string.h>

#include "modules.h"
#include "store/dynamodb_store.h"
#include "store/dynamodb_value.h"

#define IMAGE_TYPE "neap.dynamodb.image"

enum { I_CLASS = 1, I_TEXT, I_KEYS };

static int image_gc(lua_State *L) {
  neap__items_free(luaL_checkudata(L, 1, IMAGE_TYPE));
  return 0;
}

// Reads the item at I_TEXT as columns of the set, NULL = all. The cells live as long as what it pushes and returns.
static struct neap__items *read_item(lua_State *L, const struct shape *shape, const uint64_t *columns,
                                     struct cell *cells) {
  struct neap__items *items = memset(lua_newuserdatauv(L, sizeof *items, 0), 0, sizeof *items);
  struct neap__error e;
  size_t n;
  if (luaL_newmetatable(L, IMAGE_TYPE)) {
    lua_pushcfunction(L, image_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  const char *text = neap__arg_string(L, I_TEXT, "item", &n);
  if (neap__items_init(items, shape, columns) != 0) neap__fail(L, NEAP_LIMIT, "memory is short");
  neap__items_begin_one(items, text, n);
  if (neap__items_next(items, cells, &e) != ROWS_ROW) neap__raise(L, &e);
  return items;
}

// kernel.image(class, item, keys) -> object or nil
//   item  JSON text: { "id": { "S": "x" }, … }
//   keys  it has nothing else
//   nil for an item that the constants of the class tell from its own
int neap__dynamodb_image(lua_State *L) {
  const struct class *class = neap__class_check(L, I_CLASS);
  const struct shape *shape = class->shape;
  struct object_builder b;
  struct neap__error e;
  lua_settop(L, I_KEYS);
  bool keys = lua_toboolean(L, I_KEYS);
  size_t words = (size_t)shape->ncells / 64 + 1;
  struct cell *cells = lua_newuserdatauv(L, (size_t)shape->ncells * (sizeof *cells + sizeof(int)), 0);
  int *columns = (int *)(cells + shape->ncells), n = 0;
  uint64_t *set = lua_newuserdatauv(L, words * sizeof *set, 0);
  memset(set, 0, words * sizeof *set);
  for (int i = 0; i < shape->nkeys; i++) neap__set_bit(set, shape->keys[i]->column);
  for (int i = 0; i < shape->ncolumns; i++)
    if (!keys || neap__has_bit(set, i)) columns[n++] = i;
  struct neap__items *items = read_item(L, shape, keys ? set : NULL, cells);
  int own = keys || !shape->only ? 1 : neap__condition_matches(L, shape->only, cells, &e);
  if (own < 0) neap__raise(L, &e);
  if (own) {
    neap__object_builder(L, &b, I_CLASS, n, columns);
    neap__object_build(L, &b, cells);
  }
  neap__items_free(items);  // a stream has many, and the collector does not see what they hold
  return own;
}
