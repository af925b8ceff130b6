// relation.c: loading related objects. One statement a relation, for all the objects that came in one answer; the rows are
// dealt out here. What reading a pointer or a relation gives stands at the end.
#include "model/class.h"
#include "model/condition_build.h"
#include "model/query_build.h"

static void resolve(lua_State *L, int class_idx, const struct field *field) {
  struct neap__error e;
  if (neap__shape_resolve(L, class_idx, field, &e) != 0) neap__raise(L, &e);
}

// The column of the owner whose value the relation looks for: the pointer itself, or the key.
static int here_column(const struct field *f) {
  return f->type.kind == TYPE_POINTER ? f->column : f->shape->keys[0]->column;
}

void neap__relation_push_lookup(lua_State *L, const struct cell *cell) {
  char text[64];
  if (cell->kind == CELL_TEXT || cell->kind == CELL_BYTES || cell->kind == CELL_DECIMAL)
    lua_pushlstring(L, cell->p, cell->n);
  else if (cell->kind == CELL_NUMBER)
    lua_pushstring(L, neap__cell_print(cell, text, sizeof text));
  else
    lua_pushinteger(L, cell->i);
}

static bool is_nothing(const struct cell *cell) {
  return cell->kind == CELL_NIL || cell->kind == CELL_NULL || cell->kind == CELL_UNLOADED;
}

// ---- Stubs: objects that know their key, and whose pointer they are ----

static char
    stub_key;  // its address marks what a stub keeps in the place of its siblings: [&stub_key] = field, [1] = owner

// The field by which the object at idx became a stub, and its owner pushed. NULL and nothing pushed if it is none.
static const struct field *push_stub_owner(lua_State *L, int idx) {
  int top = lua_gettop(L);
  neap__object_get_siblings(L, idx);
  const struct field *field = NULL;
  if (lua_istable(L, -1) && lua_rawgetp(L, -1, &stub_key) != LUA_TNIL) {
    field = lua_touserdata(L, -1);
    lua_rawgeti(L, -2, 1);
    lua_replace(L, top + 1);
  }
  lua_settop(L, field ? top + 1 : top);
  return field;
}

static bool is_stub(lua_State *L, int idx) {
  if (!push_stub_owner(L, idx)) return false;
  lua_pop(L, 1);
  return true;
}

// Pushes the stub that the pointer `field` of the object at idx is, given the key, and makes the object remember it.
static void push_stub(lua_State *L, int idx, const struct field *field, const struct cell *key) {
  struct object_builder b;
  neap__class_push(L, neap__object_class(lua_touserdata(L, idx)));
  resolve(L, lua_gettop(L), field);
  neap__class_of(L, lua_gettop(L), field->target_name);
  lua_remove(L, -2);
  neap__object_builder(L, &b, lua_gettop(L), 1, &field->target->keys[0]->column);
  neap__object_build(L, &b, key);
  neap__object_set_stub(L, -1);
  lua_replace(L, -3);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushlightuserdata(L, (void *)(uintptr_t)field);
  lua_rawsetp(L, -2, &stub_key);
  lua_pushvalue(L, idx);
  lua_rawseti(L, -2, 1);
  neap__object_set_siblings(L, lua_gettop(L) - 1);
  lua_pushvalue(L, -1);
  neap__object_set_related(L, idx, field);
}

// Fills the stub at idx from the loaded object at `from`, beside whose siblings it takes its place.
static void fill_stub(lua_State *L, int idx, int from) {
  const struct shape *shape = neap__object_class(lua_touserdata(L, from))->shape;
  size_t cells_size = (size_t)shape->ncells * sizeof(struct cell);
  struct cell *cells = lua_newuserdatauv(L, cells_size + (size_t)shape->ncells * sizeof(int), 0);
  int *columns = (int *)((char *)cells + cells_size);
  for (int i = 0; i < shape->ncells; i++) {
    neap__object_get(L, from, i, &cells[i]);
    columns[i] = i;
  }
  neap__object_confirm(L, idx, NULL, cells, columns, shape->ncells);  // what the script has written to the stub stays
  neap__view_note_read(L, neap__view_effective(L, neap__object_class(lua_touserdata(L, idx))->view), idx);
  neap__object_get_siblings(L, from);
  if (lua_istable(L, -1)) {
    lua_pushvalue(L, idx);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  } else {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  neap__object_set_siblings(L, idx);
  lua_pop(L, 1);
}

// ---- Loading one relation for a list of objects ----

enum { LOAD_PARENTS = 1, LOAD_CLASS, LOAD_FIELD, LOAD_QUERY, LOAD_FOUND, LOAD_OWNERS, LOAD_MAP };

// While the keys that the relation looks for are gathered.
enum { GATHER_SEEN = LOAD_FOUND, GATHER_KEYS };

struct keys {
  int n;
  struct cell cells[];
};

// Adds the key of parent i, once. The table of those that were seen holds its text: the object may change meanwhile.
static void gather_key(lua_State *L, const struct field *field, struct keys *keys, lua_Integer i) {
  struct cell *key = &keys->cells[keys->n];
  lua_rawgeti(L, LOAD_PARENTS, i);
  neap__object_get(L, GATHER_KEYS + 1, here_column(field), key);
  if (is_nothing(key)) return;
  neap__relation_push_lookup(L, key);
  lua_pushvalue(L, -1);
  if (lua_rawget(L, GATHER_SEEN) != LUA_TNIL) return;
  lua_pop(L, 1);
  if (neap__cell_has_text(key)) key->p = lua_tostring(L, -1);
  lua_pushboolean(L, true);
  lua_rawset(L, GATHER_SEEN);
  keys->n++;
}

void neap__query_and_owners(lua_State *L, int idx) {
  struct query *q = lua_touserdata(L, idx);
  lua_getiuservalue(L, idx, QUERY_OWNERS);
  q->owners = neap__condition_and(L, -1, -2);
  neap__query_keep(L, idx, QUERY_OWNERS);
  lua_pop(L, 2);
}

// Narrows the query on top of the stack by the condition of the relation's declaration.
static void narrow(lua_State *L, const struct class *class, const struct field *field) {
  int query = lua_gettop(L);
  neap__class_function(L, class, field, "where");
  if (!lua_isnil(L, -1)) {
    neap__query_push_class(L, query);
    neap__condition_target(L, lua_gettop(L), field, query + 1);
    if (!lua_isnil(L, -1)) {
      lua_pushvalue(L, -1);
      neap__query_and_owners(L, query);
    }
    lua_pop(L, 1);
    neap__query_and(L, query);
  }
  lua_settop(L, query);
}

// Orders the query on top of the stack as the declaration says.
static void order(lua_State *L, const struct class *class, const struct field *field) {
  int query = lua_gettop(L);
  neap__class_function(L, class, field, "order");
  if (!lua_isnil(L, -1)) {
    bool list = lua_istable(L, -1);
    int n = list ? (int)lua_rawlen(L, query + 1) : 1;
    lua_getfield(L, query, "order");
    lua_pushvalue(L, query);
    luaL_checkstack(L, n, "order");
    if (!list) lua_pushvalue(L, query + 1);
    for (int i = 1; list && i <= n; i++) lua_rawgeti(L, query + 1, i);
    lua_call(L, n + 1, 1);
    lua_replace(L, query);
  }
  lua_settop(L, query);
}

// Pushes the query that the relation starts with: what is asked of it (a query; 0: nothing), seen as the class sees the model.
static void push_asked(lua_State *L, int class_idx, const struct field *field, int asked) {
  neap__class_of(L, class_idx, field->target_name);
  if (!asked) {
    neap__query_new(L, -1);
    lua_replace(L, -2);
    return;
  }
  struct query *q = neap__query_clone(L, asked);
  q->class = neap__class_test(L, -2);
  lua_insert(L, -2);
  neap__query_keep(L, -2, QUERY_CLASS);
}

// Makes the query on top of the stack give the rows that belong to owners with these keys.
static void tie(lua_State *L, int class_idx, const struct field *field, enum condition_op op, const struct cell *keys,
                int n) {
  int query = lua_gettop(L);
  struct query *q = lua_touserdata(L, query);
  bool links = field->type.kind == TYPE_MANY_TO_MANY;
  if (links) {
    neap__class_of(L, class_idx, field->through->model);
    q->link = field;
    q->owner = field->through_here;
  } else {
    neap__query_push_class(L, query);
    q->owner = field->inverse;
  }
  q->owners = neap__condition_leaf(L, query + 1, q->owner, op, keys, n);
  lua_getiuservalue(L, query, QUERY_OWNERS);  // what `through` asks of links
  q->owners = neap__condition_and(L, -2, -1);
  neap__query_keep(L, query, QUERY_OWNERS);
  lua_settop(L, query);
}

// Makes the query on top of the stack give the rows whose field is one of the keys.
static void narrow_to(lua_State *L, const struct field *field, enum condition_op op, const struct cell *keys, int n) {
  int query = lua_gettop(L);
  neap__query_push_class(L, query);
  neap__condition_leaf(L, query + 1, field, op, keys, n);
  neap__query_and(L, query);
  lua_settop(L, query);
}

// Whether the declaration narrows or orders the relation.
static bool is_shaped(lua_State *L, const struct class *class, const struct field *field) {
  int top = lua_gettop(L);
  bool shaped = neap__class_functions(L, class, field) == LUA_TTABLE &&
                (lua_getfield(L, -1, "where") != LUA_TNIL || lua_getfield(L, top + 1, "order") != LUA_TNIL);
  lua_settop(L, top);
  return shaped;
}

// An order that was asked for stays.
void neap__relation_declared(lua_State *L, int class_idx, const struct field *field) {
  const struct class *class = neap__class_test(L, class_idx);
  if (!is_shaped(L, class, field)) return;
  narrow(L, class, field);
  if (((const struct query *)lua_touserdata(L, -1))->norders == 0) order(L, class, field);
}

void neap__relation_push_query(lua_State *L, int class_idx, const struct field *field, int query,
                               const struct cell *keys, int n) {
  push_asked(L, class_idx, field, query);
  if (field->type.kind == TYPE_POINTER) {
    narrow_to(L, field->target->keys[0], COND_IN, keys, n);
    return;
  }
  tie(L, class_idx, field, COND_IN, keys, n);
  if (!query || field->type.kind != TYPE_HAS_ONE) neap__relation_declared(L, class_idx, field);
  struct query *q = lua_touserdata(L, -1);
  q->each = q->limit >= 0 || q->skip > 0;
  if (q->each || field->type.kind == TYPE_HAS_ONE) neap__query_complete_order(L, lua_gettop(L));
}

// Pushes what finds found row i (the object is on top of the stack) in the map.
static void push_found_key(lua_State *L, const struct field *field, lua_Integer i) {
  struct cell cell;
  if (field->type.kind != TYPE_POINTER) {
    lua_rawgeti(L, LOAD_OWNERS, i);
    return;
  }
  neap__object_get(L, lua_gettop(L), field->target->keys[0]->column, &cell);
  neap__relation_push_lookup(L, &cell);
}

// Replaces the key on top of the stack by its list in the map, which is made when it is not there.
static void push_list(lua_State *L) {
  lua_pushvalue(L, -1);
  if (lua_rawget(L, LOAD_MAP) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_createtable(L, 4, 0);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, LOAD_MAP);
  }
  lua_remove(L, -2);
}

// Puts found row i into the map: the object by its key, or into the list of that key. Of several that could be the one the
// first is.
static void map_found(lua_State *L, const struct field *field, lua_Integer i) {
  lua_rawgeti(L, LOAD_FOUND, i);
  push_found_key(L, field, i);
  if (neap__field_is_to_many(field)) {
    push_list(L);
    lua_insert(L, -2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  } else {
    lua_pushvalue(L, -1);
    if (lua_rawget(L, LOAD_MAP) != LUA_TNIL) return;
    lua_pop(L, 1);
    lua_insert(L, -2);
    lua_rawset(L, LOAD_MAP);
  }
}

bool neap__relation_hides(const struct field *field, const struct query *asked) {
  if (field->type.kind != TYPE_POINTER) return true;
  return asked && asked->where && !neap__condition_is_true(asked->where);
}

// Gives the parent at index `parent` what was found for it, which is on top of the stack (nil: nothing), and pops it.
static void give(lua_State *L, const struct field *field, int parent) {
  int found = lua_gettop(L);
  if (lua_isnil(L, found)) {
    lua_pop(L, 1);
    if (!neap__relation_hides(field, lua_touserdata(L, LOAD_QUERY)))
      return;  // dangling, or hidden: the stub will say so
    if (neap__field_is_to_many(field))
      lua_newtable(L);
    else
      lua_pushboolean(L, false);
  }
  neap__object_get_related(L, parent, field);
  if (field->type.kind == TYPE_POINTER && neap__object_test(L, -1) && is_stub(L, found + 1)) {
    fill_stub(L, found + 1, found);
    lua_pop(L, 2);
    return;
  }
  lua_pop(L, 1);
  neap__object_set_related(L, parent, field);
  if (!lua_isnil(L, LOAD_QUERY)) neap__object_set_included(L, parent, field);
}

static void give_parent(lua_State *L, const struct field *field, lua_Integer i) {
  struct cell cell;
  lua_rawgeti(L, LOAD_PARENTS, i);
  neap__object_get(L, LOAD_MAP + 1, here_column(field), &cell);
  if (is_nothing(&cell)) return;
  neap__relation_push_lookup(L, &cell);
  lua_rawget(L, LOAD_MAP);
  give(L, field, LOAD_MAP + 1);
}

// Deals out what was found, from `done` rows on: first all found rows into the map, then to the parents.
static int deal(lua_State *L, int status, lua_KContext done) {
  const struct field *field = lua_touserdata(L, LOAD_FIELD);
  lua_Integer found = (lua_Integer)lua_rawlen(L, LOAD_FOUND), all = found + (lua_Integer)lua_rawlen(L, LOAD_PARENTS);
  (void)status;
  while (done < all) {
    if (done < found)
      map_found(L, field, done + 1);
    else
      give_parent(L, field, done - found + 1);
    lua_settop(L, LOAD_MAP);
    if (++done % 64 == 0 && neap__should_pause(L, 64)) return neap__pause(L, done, deal);
  }
  lua_settop(L, LOAD_FOUND);
  return 1;
}

static int loaded(lua_State *L, int status, lua_KContext ctx) {
  lua_newtable(L);  // LOAD_MAP
  return deal(L, status, ctx);
}

static int read_list(lua_State *L) {
  return neap__query_read(L, READ_OBJECTS, RESULT_OWNED);
}

static int read_gathered(lua_State *L, const struct field *field) {
  const struct keys *keys = lua_touserdata(L, GATHER_KEYS);
  if (keys->n == 0) return lua_newtable(L), 1;
  lua_pushcfunction(L, read_list);
  neap__relation_push_query(L, LOAD_CLASS, field, lua_isnil(L, LOAD_QUERY) ? 0 : LOAD_QUERY, keys->cells, keys->n);
  lua_replace(L, GATHER_KEYS);
  lua_replace(L, GATHER_SEEN);
  lua_callk(L, 1, 2, 0, loaded);
  return loaded(L, LUA_OK, 0);
}

static int gather(lua_State *L, int status, lua_KContext done) {
  const struct field *field = lua_touserdata(L, LOAD_FIELD);
  lua_Integer all = (lua_Integer)lua_rawlen(L, LOAD_PARENTS);
  (void)status;
  while (done < all) {
    gather_key(L, field, lua_touserdata(L, GATHER_KEYS), ++done);
    lua_settop(L, GATHER_KEYS);
    if (done % 64 == 0 && neap__should_pause(L, 64)) return neap__pause(L, done, gather);
  }
  return read_gathered(L, field);
}

int neap__relation_load(lua_State *L) {
  size_t n = lua_rawlen(L, LOAD_PARENTS);
  resolve(L, LOAD_CLASS, lua_touserdata(L, LOAD_FIELD));
  lua_newtable(L);
  struct keys *keys = lua_newuserdatauv(L, sizeof *keys + (n + 1) * sizeof *keys->cells, 0);
  keys->n = 0;
  return gather(L, LUA_OK, 0);
}

// ---- Reading ----

// Has the object on top of the stack the related object already? Then it keeps it: the script may have changed it.
static bool has_related(lua_State *L, const struct field *field) {
  neap__object_get_related(L, lua_gettop(L), field);
  bool has = !lua_isnil(L, -1) && !(neap__object_test(L, -1) && is_stub(L, lua_gettop(L)));
  lua_pop(L, 1);
  return has;
}

// Pushes the list of the objects that came with the one at idx, still live and lack the relation; that one alone if none did.
static void push_siblings(lua_State *L, int idx, const struct field *field) {
  lua_newtable(L);
  int list = lua_gettop(L);
  lua_Integer n = 0;
  neap__object_get_siblings(L, idx);
  bool some = lua_istable(L, -1) && !is_stub(L, idx);
  if (!some) {
    lua_pushvalue(L, idx);
    lua_rawseti(L, list, 1);
  } else {
    for (lua_pushnil(L); lua_next(L, list + 1);)
      if (has_related(L, field))
        lua_pop(L, 1);
      else
        lua_rawseti(L, list, ++n);
  }
  lua_settop(L, list);
}

// Loads the relation `field` for the object at idx and its siblings; then k goes on, with the stack as it is.
static int load_siblings(lua_State *L, int idx, const struct field *field, lua_KContext ctx, lua_KFunction k) {
  lua_pushcfunction(L, neap__relation_load);
  push_siblings(L, idx, field);
  neap__class_push(L, neap__object_class(lua_touserdata(L, idx)));
  lua_pushlightuserdata(L, (void *)(uintptr_t)field);
  lua_pushnil(L);
  lua_callk(L, 4, 0, ctx, k);
  return k(L, LUA_OK, ctx);
}

// Raises where the object at idx may not load the relation by touch.
static void forbid_lazy(lua_State *L, int idx, const struct field *field) {
  if (neap__object_eager(lua_touserdata(L, idx)))
    neap__fail(L, NEAP_USAGE, "%s.%s was not loaded, and the settings that it came by forbid loading it by touch",
               field->shape->model, field->name);
  if (field->flags & FIELD_EAGER)
    neap__fail(L, NEAP_USAGE, "%s.%s is not loaded, and its model says lazy = \"error\": use :include(\"%s\")",
               field->shape->model, field->name, field->name);
}

// What the script wanted, by the name at index 2, is read again.
static int read_again(lua_State *L, int idx) {
  lua_pushvalue(L, 2);
  lua_gettable(L, idx);
  return 1;
}

// The list of the one object, or none, is on top of the stack; the index of the stub is the context.
static int touched_alone(lua_State *L, int status, lua_KContext ctx) {
  int idx = (int)ctx;
  const struct shape *shape = neap__object_class(lua_touserdata(L, idx))->shape;
  (void)status;
  if (lua_rawgeti(L, -1, 1) == LUA_TNIL) {
    neap__object_push_key(L, idx);
    return neap__fail(L, NEAP_NOT_FOUND, "there is no %s with %s %s, which a pointer leads to", shape->model,
                      shape->keys[0]->name,
                      shape->keys[0]->flags & FIELD_SECRET ? "***" : neap__show_value(L, -1).text);
  }
  fill_stub(L, idx, lua_gettop(L));
  return read_again(L, idx);
}

// A stub that its owner no longer points to, or that leads nowhere, is looked for by itself.
static int touched(lua_State *L, int status, lua_KContext ctx) {
  int idx = (int)ctx;
  struct cell key;
  (void)status;
  if (!is_stub(L, idx)) return read_again(L, idx);
  const struct class *class = neap__object_class(lua_touserdata(L, idx));
  neap__object_get(L, idx, class->shape->keys[0]->column, &key);
  neap__object_push_anchor(L, idx, class->shape->keys[0]->column, &key);
  lua_pushcfunction(L, read_list);
  neap__class_push(L, class);
  neap__query_new(L, -1);
  lua_insert(L, -2);
  neap__condition_leaf(L, lua_gettop(L), class->shape->keys[0], COND_EQ, &key, 1);
  lua_remove(L, -2);
  neap__query_and(L, -2);
  lua_callk(L, 1, 1, ctx, touched_alone);
  return touched_alone(L, LUA_OK, ctx);
}

int neap__relation_touch(lua_State *L, int idx, const struct field *field) {
  idx = lua_absindex(L, idx);
  const struct field *pointer = push_stub_owner(L, idx);
  if (!pointer)
    return neap__fail(L, NEAP_USAGE, "%s.%s was not selected by the query", field->shape->model, field->name);
  forbid_lazy(L, lua_gettop(L), pointer);
  return load_siblings(L, lua_gettop(L), pointer, idx, touched);
}

// Pushes the query that a relation to many is for the object at idx.
static void push_bound(lua_State *L, int idx, const struct field *field) {
  struct cell key;
  neap__object_get(L, idx, here_column(field), &key);
  if (is_nothing(&key))
    neap__fail(L, NEAP_USAGE, "%s has no key yet: save it before reading %s", field->shape->model, field->name);
  neap__object_push_anchor(L, idx, here_column(field), &key);
  neap__class_push(L, neap__object_class(lua_touserdata(L, idx)));
  int class_idx = lua_gettop(L);
  resolve(L, class_idx, field);
  push_asked(L, class_idx, field, 0);
  if (field->type.kind == TYPE_MANY_TO_MANY)
    tie(L, class_idx, field, COND_EQ, &key, 1);
  else
    narrow_to(L, field->inverse, COND_EQ, &key, 1);
  neap__relation_declared(L, class_idx, field);
}

// What the declaration says is a part of the condition.
void neap__relation_push_some(lua_State *L, int idx, int root, const struct condition *some) {
  const struct field *field = some->place.field;
  struct cell key;
  neap__object_get(L, idx, here_column(field), &key);
  if (is_nothing(&key)) {
    lua_pushnil(L);
    return;
  }
  forbid_lazy(L, idx, field);
  neap__class_push(L, neap__object_class(lua_touserdata(L, idx)));
  int class_idx = lua_gettop(L);
  resolve(L, class_idx, field);
  push_asked(L, class_idx, field, 0);
  int query = lua_gettop(L);
  if (some->nchildren > 1) {
    neap__condition_push_part(L, root, some->children[1]);
    neap__query_and_owners(L, query);
  }
  if (field->type.kind == TYPE_MANY_TO_MANY)
    tie(L, class_idx, field, COND_EQ, &key, 1);
  else
    narrow_to(L, field->inverse, COND_EQ, &key, 1);
  neap__condition_push_part(L, root, some->children[0]);
  neap__query_and(L, query);
  lua_settop(L, query);
  lua_remove(L, class_idx);
}

static bool push_loaded(lua_State *L, const struct field *field) {
  neap__object_get_related(L, 1, field);
  if (neap__object_test(L, -1) && !is_stub(L, lua_gettop(L))) return true;
  lua_pop(L, 1);
  return false;
}

static int object_loaded(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  if (!push_loaded(L, lua_touserdata(L, 2))) lua_pushnil(L);
  return 1;
}

static int first_found(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  return lua_rawgeti(L, -1, 1), 1;
}

// What an include has left out stays left out for the script: it is asked for by itself.
int neap__relation_object(lua_State *L) {
  const struct field *field = lua_touserdata(L, 2);
  struct cell key;
  if (push_loaded(L, field)) return 1;
  neap__object_get(L, 1, field->column, &key);
  if (key.kind == CELL_UNLOADED)
    return neap__fail(L, NEAP_UNSUPPORTED, "matches was asked for a field that was not loaded");
  if (is_nothing(&key)) return 0;
  forbid_lazy(L, 1, field);
  neap__object_get_related(L, 1, field);
  if (!lua_isboolean(L, -1)) return load_siblings(L, 1, field, 0, object_loaded);
  lua_pushcfunction(L, read_list);
  neap__class_push(L, neap__object_class(lua_touserdata(L, 1)));
  resolve(L, lua_gettop(L), field);
  neap__relation_push_query(L, lua_gettop(L), field, 0, &key, 1);
  lua_remove(L, -2);
  lua_callk(L, 1, 1, 0, first_found);
  return first_found(L, LUA_OK, 0);
}

static int has_one_read(lua_State *L, int status, lua_KContext ctx) {
  const struct field *field = lua_touserdata(L, -1);
  (void)status;
  neap__object_get_related(L, (int)ctx, field);
  if (!neap__object_test(L, -1)) lua_pushnil(L);
  return 1;
}

int neap__relation_read(lua_State *L, int idx, const struct field *field) {
  struct cell key;
  idx = lua_absindex(L, idx);
  if (field->type.kind == TYPE_RELATION) {
    neap__class_push(L, neap__object_class(lua_touserdata(L, idx)));
    resolve(L, lua_gettop(L), field);
  }
  if (neap__field_is_to_many(field)) {
    push_bound(L, idx, field);
    neap__object_get_related(L, idx, field);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      neap__object_get_count(L, idx, field);
      if (lua_isnil(L, -1) && neap__object_eager(lua_touserdata(L, idx))) forbid_lazy(L, idx, field);
    }
    neap__query_keep(L, -2, QUERY_FILLED);
    return 1;
  }
  neap__object_get_related(L, idx, field);
  if (neap__object_test(L, -1)) return 1;
  bool nothing = lua_isboolean(L, -1);
  lua_pop(L, 1);
  neap__object_get(L, idx, here_column(field), &key);
  if (key.kind == CELL_UNLOADED) return neap__relation_touch(L, idx, field);
  if (nothing || is_nothing(&key)) {
    lua_pushnil(L);
    return 1;
  }
  if (field->type.kind == TYPE_POINTER) {
    neap__object_push_anchor(L, idx, here_column(field), &key);
    push_stub(L, idx, field, &key);
    return 1;
  }
  forbid_lazy(L, idx, field);
  lua_pushlightuserdata(L, (void *)(uintptr_t)field);
  return load_siblings(L, idx, field, idx, has_one_read);
}
