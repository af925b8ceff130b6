// load.c: reads the rows of a list of objects again: those of one model that follow each other with one
// statement.
#include "model/condition_build.h"
#include "model/query_build.h"
#include "model/relation.h"
#include "model/save.h"
#include "value/attribute.h"

#define LOAD_CHUNK 1000  // objects that are looked for in one go,
#define PAIRS_CHUNK 100  // where their keys have several columns and the store speaks SQL

enum { L_LIST = 1, L_ERRORS, L_STATE, L_FOUND, L_MAP };

// The chunk at hand: its objects are the `count` that start at `first`.
struct loading {
  int first, count, n;
  lua_Integer done;  // rows of the chunk: first all that were found go into the map, then to the objects of the list
  struct view *view;
  const struct class *class;
};

// Column k of the key of object i of the list, whose object is pushed.
static struct cell item_key(lua_State *L, const struct loading *l, int i, int k) {
  struct cell key;
  neap__save_push(L, i);
  neap__object_get(L, lua_gettop(L), l->class->shape->keys[k]->column, &key);
  if (key.kind == CELL_NIL) neap__fail(L, NEAP_USAGE, "%s has no key yet: save it first", l->class->shape->model);
  return key;
}

// ---- Dealing out what was found ----

// Pushes what tells a value of a key from others: of a decimal its number, for 1.50 may come back as 1.5.
static void push_lookup(lua_State *L, const struct cell *cell) {
  char text[ATTRIBUTE_NUMBER];
  const char *fault;
  size_t n = cell->kind == CELL_DECIMAL ? neap__attribute_number(cell->p, cell->n, text, &fault) : 0;
  if (n > 0)
    lua_pushlstring(L, text, n);
  else
    neap__relation_push_lookup(L, cell);
}

// Pushes the table in the map that the object at L_MAP + 1 belongs in by all of its key but the last column, which is pushed
// behind it; nil and nothing else if there is none and it is not to be made.
static bool push_place(lua_State *L, const struct loading *l, bool make) {
  const struct shape *shape = l->class->shape;
  struct cell key;
  lua_pushvalue(L, L_MAP);
  for (int k = 0;; k++) {
    neap__object_get(L, L_MAP + 1, shape->keys[k]->column, &key);
    push_lookup(L, &key);
    if (k == shape->nkeys - 1) return true;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
      if (!make) return false;
      lua_newtable(L);
      lua_pushvalue(L, -3);
      lua_pushvalue(L, -2);
      lua_rawset(L, -6);
      lua_replace(L, -2);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
  }
}

static void map_found(lua_State *L, const struct loading *l, lua_Integer i) {
  lua_rawgeti(L, L_FOUND, i);
  push_place(L, l, true);
  lua_pushvalue(L, L_MAP + 1);
  lua_rawset(L, -3);
}

// The object at idx is number i of the list, and not there.
static void add_missing(lua_State *L, int idx, const struct shape *shape, int i) {
  struct neap__error e;
  neap__error_set(&e, NEAP_NOT_FOUND, "gone");
  neap__save_describe(L, idx, shape, &e);
  if (lua_isnil(L, L_ERRORS)) {
    lua_newtable(L);
    lua_replace(L, L_ERRORS);
  }
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, i);
  lua_setfield(L, -2, "index");
  lua_pushvalue(L, idx);
  lua_setfield(L, -2, "object");
  neap__error_push(L, &e);
  lua_setfield(L, -2, "error");
  lua_rawseti(L, L_ERRORS, (lua_Integer)lua_rawlen(L, L_ERRORS) + 1);
}

// Object i of the list becomes what was found for its key.
static void fill(lua_State *L, const struct loading *l, int i) {
  int n = l->class->shape->ncolumns;
  neap__save_push(L, i);
  if (!push_place(L, l, false) || lua_rawget(L, -2) == LUA_TNIL) {
    lua_settop(L, L_MAP + 1);
    add_missing(L, L_MAP + 1, l->class->shape, i);
    return;
  }
  lua_replace(L, L_MAP + 2);
  lua_settop(L, L_MAP + 2);
  struct cell *cells = lua_newuserdatauv(L, (size_t)n * sizeof *cells, 0);
  for (int c = 0; c < n; c++) neap__object_get(L, L_MAP + 2, c, &cells[c]);
  neap__view_touch(L, l->view, L_MAP + 1);
  neap__object_reset(L, L_MAP + 1, cells, n, NULL);
  neap__view_note_read(L, l->view, L_MAP + 1);
}

// False when others should run first.
static bool deal(lua_State *L, struct loading *l) {
  lua_Integer found = (lua_Integer)lua_rawlen(L, L_FOUND), all = found + l->count;
  while (l->done < all) {
    if (l->done < found)
      map_found(L, l, l->done + 1);
    else
      fill(L, l, l->first + (int)(l->done - found));
    lua_settop(L, L_MAP);
    if (++l->done % 64 == 0 && neap__should_pause(L, 64)) return false;
  }
  l->first += l->count;
  return true;
}

// ---- Asking ----

static int read_objects(lua_State *L) {
  return neap__query_read(L, READ_OBJECTS, RESULT_LIST);
}

// The objects of one model that follow each other.
static void find_chunk(lua_State *L, struct loading *l) {
  const void *metatable = NULL;
  l->class = neap__object_class(neap__save_item(L, l->first, &metatable));
  l->view = neap__view_effective(L, l->class->view);
  bool pairs = l->class->shape->nkeys > 1 && (l->view->store->verbs->capabilities & CAN_SQL);
  int most = pairs ? PAIRS_CHUNK : LOAD_CHUNK;
  for (l->count = 1; l->first + l->count <= l->n && l->count < most; l->count++) {
    lua_settop(L, L_STATE);
    if (neap__object_class(neap__save_item(L, l->first + l->count, &metatable)) != l->class) break;
  }
  lua_settop(L, L_STATE);
}

// Pushes that a row has the key of object i of the list.
static void push_key_condition(lua_State *L, const struct loading *l, int class_idx, int i) {
  const struct shape *shape = l->class->shape;
  for (int k = 0; k < shape->nkeys; k++) {
    struct cell key = item_key(L, l, i, k);
    neap__condition_leaf(L, class_idx, shape->keys[k], COND_EQ, &key, 1);
    lua_remove(L, -2);
  }
  neap__condition_branch(L, class_idx, COND_AND, shape->nkeys);
}

// Narrows the query on top of the stack, whose class lies below it, to the keys of the chunk.
static void add_keys(lua_State *L, const struct loading *l) {
  const struct shape *shape = l->class->shape;
  int query = lua_gettop(L);
  if (shape->nkeys == 1) {
    struct cell *keys = lua_newuserdatauv(L, (size_t)l->count * sizeof *keys, 0);
    for (int i = 0; i < l->count; i++, lua_settop(L, query + 1)) keys[i] = item_key(L, l, l->first + i, 0);
    neap__condition_leaf(L, query - 1, shape->keys[0], COND_IN, keys, l->count);
  } else {
    luaL_checkstack(L, l->count + LUA_MINSTACK, "load");
    for (int i = 0; i < l->count; i++) push_key_condition(L, l, query - 1, l->first + i);
    neap__condition_branch(L, query - 1, COND_OR, l->count);
  }
  neap__query_and(L, query);
  lua_settop(L, query);
}

// Pushes what asks for the next chunk. False: there is none.
static bool push_next(lua_State *L, struct loading *l) {
  lua_settop(L, L_STATE);
  if (l->first > l->n) return false;
  find_chunk(L, l);
  l->done = 0;
  lua_pushcfunction(L, read_objects);
  neap__class_push(L, l->class);
  neap__query_new(L, -1);
  add_keys(L, l);
  lua_remove(L, -2);
  return true;
}

enum { NEXT, FOUND, DEAL };

static int go_on(lua_State *L, int status, lua_KContext step) {
  struct loading *l = lua_touserdata(L, L_STATE);
  (void)status;
  for (;; step = NEXT) {
    if (step == NEXT) {
      if (!push_next(L, l)) break;
      lua_callk(L, 1, 1, FOUND, go_on);
    }
    if (step != DEAL) lua_newtable(L);  // L_MAP
    if (!deal(L, l)) return neap__pause(L, DEAL, go_on);
  }
  lua_pushvalue(L, L_ERRORS);
  return 1;
}

// ---- All at one moment: in a transaction that only reads ----

struct together {
  struct view *view;
  int n, at;
  const struct class **classes;
  const struct cell **keys;
  struct cell *row;
  struct cell cells[];
};

// Pushes what is asked for, and a list of what keeps the keys.
static struct together *push_together(lua_State *L, struct view *view, int n) {
  size_t pointers = (size_t)n * (sizeof(const struct class *) + sizeof(const struct cell *));
  struct together *t = lua_newuserdatauv(L, sizeof *t + 4 * (size_t)n * sizeof(struct cell) + pointers, 1);
  const void *metatable = NULL;
  int most = 1, nkept = 0;
  *t = (struct together){.view = view, .n = n, .keys = (const struct cell **)&t->cells[4 * n]};
  t->classes = (const struct class **)(t->keys + n);
  lua_newtable(L);
  for (int i = 0; i < n; i++, lua_settop(L, L_STATE + 1)) {
    t->classes[i] = neap__object_class(neap__save_item(L, i + 1, &metatable));
    const struct shape *shape = t->classes[i]->shape;
    if (t->classes[i]->view->store != view->store)
      neap__fail(L, NEAP_USAGE, "objects of two stores are not read at one moment");
    if (shape->ncells > most) most = shape->ncells;
    t->keys[i] = &t->cells[4 * i];
    for (int k = 0; k < shape->nkeys; k++) {
      struct cell *key = &t->cells[4 * i + k];
      neap__object_get(L, L_STATE + 2, shape->keys[k]->column, key);
      if (key->kind == CELL_NIL) neap__fail(L, NEAP_USAGE, "%s has no key yet: save it first", shape->model);
      neap__object_keep(L, L_STATE + 2, shape->keys[k]->column, key, L_STATE + 1, &nkept);
    }
  }
  t->row = lua_newuserdatauv(L, (size_t)most * sizeof *t->row, 0);
  lua_rawseti(L, -2, ++nkept);
  return t;
}

static int together_go_on(lua_State *L, int status, lua_KContext ctx) {
  struct together *t = lua_touserdata(L, L_STATE);
  struct rows *rows = lua_touserdata(L, L_MAP + 1);
  enum rows_state state;
  (void)status;
  while ((state = rows->next(rows, t->row)) == ROWS_ROW) {
    const struct shape *shape = t->classes[t->at]->shape;
    lua_settop(L, L_MAP + 1);
    neap__save_push(L, ++t->at);
    if (rows->ncells == 0) {
      add_missing(L, L_MAP + 2, shape, t->at);
      continue;
    }
    neap__view_touch(L, t->view, L_MAP + 2);
    neap__object_reset(L, L_MAP + 2, t->row, shape->ncolumns, NULL);
  }
  lua_settop(L, L_MAP + 1);
  if (state == ROWS_WAIT) return neap__await(L, L_MAP + 1, ctx, together_go_on);
  struct neap__error e = rows->error;
  rows->close(rows);
  if (state == ROWS_FAILED) return neap__raise(L, &e);
  lua_closeslot(L, L_MAP + 1);
  lua_pushvalue(L, L_ERRORS);
  return 1;
}

static int load_together(lua_State *L, struct view *view, int n) {
  const struct together *t = push_together(L, view, n);
  lua_pushnil(L);  // L_MAP
  view->store->verbs->load(L, view, t->classes, t->keys, n);
  lua_toclose(L, L_MAP + 1);
  return together_go_on(L, LUA_OK, 0);
}

// The view of the first object, if it is in a transaction that only reads.
static struct view *reading(lua_State *L, int n) {
  const void *metatable = NULL;
  if (n == 0) return NULL;
  struct view *view = neap__view_effective(L, neap__object_class(neap__save_item(L, 1, &metatable))->view);
  lua_pop(L, 1);
  return view->reads && view->store->verbs->load ? view : NULL;
}

// save.load(list of objects) -> errors or nil
//   Reads their rows again; what the script has changed and not saved is lost. Those that are not there come back as
//   { { index =, object =, error = }, ... }.
static int list_load(lua_State *L) {
  lua_settop(L, L_LIST);
  int n = (int)lua_rawlen(L, L_LIST);
  neap__save_keep_list(L, n);
  lua_pushnil(L);
  struct view *view = reading(L, n);
  if (view) return load_together(L, view, n);
  struct loading *l = lua_newuserdatauv(L, sizeof *l, 0);
  *l = (struct loading){.first = 1, .n = n};
  return go_on(L, LUA_OK, NEXT);
}

void neap__load_register(lua_State *L) {
  lua_pushcfunction(L, list_load);
  lua_setfield(L, -2, "load");
}
