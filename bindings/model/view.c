// view.c: a store as one sees it: options, scope and transaction, and the context that carries them through tasks.
#include <stdlib.h>
#include <string.h>

#include "model/condition.h"
#include "model/live.h"
#include "model/store.h"
#include "modules.h"

#define VIEW_TYPE "neap.view"

enum { UV_STORE = 1, UV_PARENT, UV_KEPT, UV_COUNT = UV_KEPT };

static const char undo_key =
    0;  // in what a view keeps: weak table, object -> how it was before the transaction changed it

static const char collected_key = 0;  // the same: objects by number, and their numbers
static const char read_key = 0;       // the same: weak table, object -> true

static const char fenced_key = 0;  // the same: weak table, fence -> the view that is like it and stands behind that

// ---- Finding ----

struct view *neap__view_test(lua_State *L, int idx) {
  return luaL_testudata(L, idx, VIEW_TYPE);
}

struct view *neap__view_check(lua_State *L, int idx) {
  struct view *v = neap__view_test(L, idx);
  if (!v)
    neap__fail(L, NEAP_USAGE, "a store was expected, not %s; call it with a colon, store:save(...)",
               neap__show_value(L, idx).text);
  if (v->store->closed) neap__fail(L, NEAP_USAGE, "the store is closed");
  return v;
}

void neap__view_shared(lua_State *L, const struct view *view) {
  neap__live_push(L, view->store);
  lua_getiuservalue(L, -1, 1);
  lua_remove(L, -2);
}

void neap__view_keep(lua_State *L, int idx) {
  lua_getiuservalue(L, idx, UV_KEPT);
  lua_insert(L, -2);
  lua_rawsetp(L, -2, lua_topointer(L, -1));
  lua_pop(L, 1);
}

void neap__view_push(lua_State *L, const struct view *view) {
  neap__live_push(L, view);
}

// ---- Making ----

// Pushes an empty view of the store on top of the stack, which it replaces.
static struct view *view_create(lua_State *L) {
  struct view *v = memset(lua_newuserdatauv(L, sizeof *v, UV_COUNT), 0, sizeof *v);
  v->store = lua_touserdata(L, -2);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, UV_STORE);
  lua_newtable(L);
  lua_setiuservalue(L, -2, UV_KEPT);
  luaL_setmetatable(L, VIEW_TYPE);
  neap__live_add(L, v);
  return v;
}

struct view *neap__view_new(lua_State *L, int store_idx) {
  lua_pushvalue(L, store_idx);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  neap__live_add(L, lua_touserdata(L, -1));
  struct view *v = view_create(L);
  const char *dry = getenv("NEAP_DRY_RUN");
  v->dry_run = dry && strcmp(dry, "1") == 0;
  return v;
}

struct view *neap__view_child(lua_State *L, const struct view *parent) {
  neap__live_push(L, parent->store);
  struct view *v = view_create(L), made = *parent;
  made.parent = parent;
  made.dead = false;
  *v = made;
  neap__live_push(L, parent);
  lua_setiuservalue(L, -2, UV_PARENT);
  return v;
}

// ---- Context: a table, address of a store -> the view of it that counts ----

static bool descends(const struct view *v, const struct view *from) {
  while (v && v != from) v = v->parent;
  return v != NULL;
}

// Pushes a view with the options of `view` and the transaction of `tx`; kept in tx, so that it is made once.
static struct view *merge(lua_State *L, const struct view *view, const struct view *tx) {
  neap__live_push(L, tx);
  lua_getiuservalue(L, -1, UV_KEPT);
  lua_remove(L, -2);
  lua_rawgetp(L, -1, view);
  struct view *merged = lua_touserdata(L, -1);
  if (!merged) {
    lua_pop(L, 1);
    merged = neap__view_child(L, view);
    merged->transaction = tx->transaction;
    merged->level = tx->level;
    merged->reads = tx->reads;
    merged->base = tx;
    lua_pushvalue(L, -1);
    lua_rawsetp(L, -3, view);
  }
  lua_remove(L, -2);
  return merged;
}

static bool is_dead(const struct view *v) {
  for (; v; v = v->parent)
    if (v->dead || (v->base && v->base->dead)) return true;
  return false;
}

const struct fence *neap__view_fence(lua_State *L) {
  neap__context_push(L);
  if (lua_isnil(L, -1)) return NULL;
  lua_rawgetp(L, -1, &neap__context_job);
  lua_remove(L, -2);
  return lua_touserdata(L, -1);
}

// Pushes the table with weak keys that the view keeps under a key; nil if there is none and `make` is false.
static void push_weak(lua_State *L, const struct view *view, const void *key, bool make) {
  neap__live_push(L, view);
  lua_getiuservalue(L, -1, UV_KEPT);
  lua_remove(L, -2);
  if (lua_rawgetp(L, -1, key) == LUA_TNIL && make) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, -3, key);
  }
  lua_remove(L, -2);
}

// The view behind the fence on top of the stack; kept by it, so that it is made once.
static struct view *behind(lua_State *L, struct view *view) {
  int fence = lua_gettop(L);
  push_weak(L, view, &fenced_key, true);
  lua_pushvalue(L, fence);
  lua_rawget(L, -2);
  struct view *fenced = lua_touserdata(L, -1);
  if (!fenced) {
    fenced = neap__view_child(L, view);
    fenced->fence = lua_touserdata(L, fence);
    lua_pushvalue(L, fence);
    neap__view_keep(L, -2);
    lua_pushvalue(L, fence);
    lua_insert(L, -2);
    lua_rawset(L, fence + 1);
  }
  lua_settop(L, fence);
  return fenced;
}

// What counts in the context on top of the stack.
static struct view *in_context(lua_State *L, struct view *view) {
  lua_rawgetp(L, -1, view->store);
  struct view *context = lua_touserdata(L, -1);
  if (context && !is_dead(context) && context != view) {
    if (descends(context, view))
      view = context;
    else if (context->transaction && !view->transaction) {
      view = merge(L, view, context);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  lua_rawgetp(L, -1, &neap__context_job);
  if (!lua_isnil(L, -1) && lua_touserdata(L, -1) != view->fence) view = behind(L, view);
  lua_pop(L, 1);
  return view;
}

struct view *neap__view_effective(lua_State *L, struct view *view) {
  if (view->store->closed) neap__fail(L, NEAP_USAGE, "the store is closed");
  neap__context_push(L);
  if (!lua_isnil(L, -1)) view = in_context(L, view);
  lua_pop(L, 1);
  if (is_dead(view)) neap__fail(L, NEAP_USAGE, "the transaction has ended; use the store, or begin another one");
  return view;
}

// view.enter(view, leaving)
//   Makes the view count for its store in this coroutine and what it starts. leaving.before is what leave() takes, before
//   anything has changed.
static int view_enter(lua_State *L) {
  struct view *v = neap__view_check(L, 1);
  lua_settop(L, 2);
  neap__context_push(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, 2, "before");
  lua_pushvalue(L, 1);
  neap__context_put(L, v->store);
  return 0;
}

// view.leave(before)
static int view_leave(lua_State *L) {
  lua_settop(L, 1);
  neap__context_set(L);
  return 0;
}

// ---- Undo ----

const struct view *neap__view_owner(const struct view *view) {
  for (;;) {
    if (view->base)
      view = view->base;
    else if (view->parent && view->parent->level == view->level)
      view = view->parent;
    else
      return view;
  }
}

// The view that began the transaction around that of the owner `v`; NULL = there is none.
static const struct view *outer(const struct view *v) {
  const struct view *around = v->parent ? neap__view_owner(v->parent) : NULL;
  return around && around->level > 0 ? around : NULL;
}

bool neap__view_touch(lua_State *L, struct view *view, int idx) {
  int top = lua_gettop(L), snapshot = top + 1;
  if (!view->transaction) return false;
  idx = lua_absindex(L, idx);
  lua_pushnil(L);
  for (const struct view *v = neap__view_owner(view); v; v = outer(v), lua_settop(L, snapshot)) {
    push_weak(L, v, &undo_key, true);
    lua_pushvalue(L, idx);
    if (lua_rawget(L, -2) != LUA_TNIL) break;  // those around it know the same or an earlier state
    lua_pushvalue(L, idx);
    if (lua_isnil(L, snapshot)) neap__object_snapshot(L, idx), lua_replace(L, snapshot);
    lua_pushvalue(L, snapshot);
    lua_rawset(L, -4);
  }
  bool made = !lua_isnil(L, snapshot);
  lua_settop(L, top);
  return made;
}

// Takes the snapshot out of what `v` and those around it remember of the object. Allocates nothing.
static void forget(lua_State *L, const struct view *v, int object, int snapshot) {
  for (; v; v = outer(v), lua_settop(L, snapshot)) {
    push_weak(L, v, &undo_key, false);
    if (!lua_istable(L, -1)) continue;
    lua_pushvalue(L, object);
    lua_rawget(L, -2);
    if (!lua_rawequal(L, -1, snapshot)) continue;
    lua_pushvalue(L, object);
    lua_pushnil(L);
    lua_rawset(L, -4);
  }
}

void neap__view_untouch(lua_State *L, const struct view *view, int idx) {
  idx = lua_absindex(L, idx);
  push_weak(L, neap__view_owner(view), &undo_key, false);
  lua_pushvalue(L, idx);
  lua_rawget(L, -2);
  forget(L, neap__view_owner(view), idx, lua_gettop(L));
  lua_pop(L, 2);
}

void neap__view_undo(lua_State *L, struct view *view) {
  push_weak(L, view, &undo_key, false);
  if (lua_istable(L, -1))
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
      int snapshot = lua_gettop(L);
      neap__object_restore(L, snapshot - 1, snapshot);
      forget(L, view, snapshot - 1, snapshot);
    }
  lua_pop(L, 1);
}

// ---- Transactions that are written when they commit ----

bool neap__view_collects(const struct view *view) {
  return view->transaction && (view->store->verbs->capabilities & CAN_CHECKS);
}

// The view that began the outermost transaction.
static const struct view *root(const struct view *view) {
  const struct view *v = neap__view_owner(view);
  for (const struct view *around = outer(v); around; around = outer(v)) v = around;
  return v;
}

static void push_collected(lua_State *L, const struct view *view) {
  neap__live_push(L, root(view));
  lua_getiuservalue(L, -1, UV_KEPT);
  lua_remove(L, -2);
  if (lua_rawgetp(L, -1, &collected_key) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, -3, &collected_key);
  }
  lua_remove(L, -2);
}

int neap__view_number(lua_State *L, const struct view *view, int idx) {
  int top = lua_gettop(L);
  lua_pushvalue(L, idx);
  push_collected(L, view);
  lua_pushvalue(L, top + 1);
  if (lua_rawget(L, top + 2) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, top + 2) + 1);
    lua_pushvalue(L, top + 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, top + 2);
    lua_pushvalue(L, top + 1);
    lua_rawseti(L, top + 2, lua_tointeger(L, top + 3));
  }
  int number = (int)lua_tointeger(L, top + 3);
  lua_settop(L, top);
  return number;
}

void neap__view_push_numbered(lua_State *L, const struct view *view, int number) {
  push_collected(L, view);
  lua_rawgeti(L, -1, number);
  lua_remove(L, -2);
}

void neap__view_note_read(lua_State *L, const struct view *view, int idx) {
  if (!neap__view_collects(view)) return;
  lua_pushvalue(L, idx);
  push_weak(L, root(view), &read_key, true);
  lua_insert(L, -2);
  lua_pushboolean(L, true);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

bool neap__view_has_read(lua_State *L, const struct view *view, int idx) {
  if (!neap__view_collects(view)) return false;
  lua_pushvalue(L, idx);
  push_weak(L, root(view), &read_key, true);
  lua_insert(L, -2);
  bool read = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return read;
}

// ---- Options and scope ----

const struct condition *neap__view_scope(const struct view *view, const struct shape *shape) {
  for (; view; view = view->parent)
    for (const struct scope *s = view->scopes; s; s = s->next)
      if (s->shape == shape) return s->condition;
  return shape->only;
}

static bool option_boolean(lua_State *L, const char *name, bool otherwise) {
  int type = lua_getfield(L, 2, name);
  bool value = type == LUA_TNIL ? otherwise : lua_toboolean(L, -1);
  if (type != LUA_TNIL && type != LUA_TBOOLEAN)
    neap__fail(L, NEAP_USAGE, "%s must be true or false, not %s", name, neap__show_value(L, -1).text);
  lua_pop(L, 1);
  return value;
}

static void read_persist(lua_State *L, struct view *v) {
  if (lua_getfield(L, 2, "persist") != LUA_TNIL) {
    const char *persist = neap__arg_string(L, -1, "persist", NULL);
    if (strcmp(persist, "overwrite") != 0 && strcmp(persist, "update") != 0)
      neap__fail(L, NEAP_USAGE, "persist must be \"overwrite\" or \"update\", not %s", neap__show_value(L, -1).text);
    v->overwrite = *persist == 'o';
  }
  lua_pop(L, 1);
}

void neap__view_push_scope(lua_State *L, const struct view *view, const struct shape *shape) {
  const struct condition *c = neap__view_scope(view, shape);
  if (c)
    neap__live_push(L, c);
  else
    lua_pushnil(L);
}

bool neap__view_leaves(lua_State *L, const struct view *view, const struct shape *shape, const struct cell *cells) {
  const struct condition *scope = neap__view_scope(view, shape);
  struct neap__error e;
  bool met = true, several = scope && scope->op == COND_AND;
  for (int i = 0; scope && met && i < (several ? scope->nchildren : 1); i++)
    met = neap__condition_matches(L, several ? scope->children[i] : scope, cells, &e) != 0;
  return !met;
}

static bool asks_for(const struct condition *c, const struct field *field) {
  bool found = c->place.field == field || (c->other && c->other->field == field);
  for (int i = 0; !found && i < c->nchildren; i++) found = asks_for(c->children[i], field);
  return found;
}

void neap__view_check_changes(lua_State *L, const struct view *view, const struct shape *shape,
                              const struct change *changes, int n) {
  const struct condition *scope = neap__view_scope(view, shape);
  if (!scope) return;
  struct cell *cells = lua_newuserdatauv(L, (size_t)shape->ncolumns * sizeof *cells, 0);
  for (int i = 0; i < shape->ncolumns; i++) cells[i] = (struct cell){.kind = CELL_UNLOADED};
  for (int i = 0; i < n; i++) {
    const struct field *f = changes[i].place.field;
    bool known = changes[i].place.nsteps == 0 && (changes[i].kind == CHANGE_SET || changes[i].kind == CHANGE_UNSET);
    if (!known && asks_for(scope, f))
      neap__fail(L, NEAP_UNSUPPORTED,
                 "the scope of the view asks for %s.%s: it can be assigned and saved, or set as a whole, and not be "
                 "changed in the store",
                 shape->model, f->name);
    if (known) cells[f->column] = changes[i].kind == CHANGE_SET ? changes[i].cell : (struct cell){.kind = CELL_NIL};
  }
  if (neap__view_leaves(L, view, shape, cells))
    neap__fail(L, NEAP_CONDITION, "%s would lie outside of the scope of the view that changes it", shape->model);
  lua_pop(L, 1);
}

// { class, condition }, on top of the stack, is ANDed to what the view has for the model. Pops it.
static void add_scope(lua_State *L, struct view *v) {
  int pair = lua_gettop(L);
  lua_rawgeti(L, pair, 1);
  const struct class *class = neap__class_check(L, -1);
  neap__view_push_scope(L, v, class->shape);
  lua_rawgeti(L, pair, 2);
  neap__condition_parse(L, pair + 1, pair + 3);
  const struct condition *c = neap__condition_and(L, pair + 2, lua_gettop(L));
  neap__live_add(L, c);
  neap__view_keep(L, 3);
  struct scope *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (struct scope){class->shape, c, v->scopes};
  neap__view_keep(L, 3);
  v->scopes = s;
  lua_settop(L, pair - 1);
}

// view.derive(view, options, scopes) -> view
//   options  atomic, consistent, dry_run: booleans; persist: "overwrite" or "update"; timeout: seconds
//   scopes   a list of { class, condition }: go with all that is done on the class through the view
static int view_derive(lua_State *L) {
  lua_settop(L, 3);
  struct view *v = neap__view_child(L, neap__view_effective(L, neap__view_check(L, 1)));
  neap__arg_table(L, 2, "options");
  lua_insert(L, 3);
  v->atomic = option_boolean(L, "atomic", v->atomic);
  v->consistent = option_boolean(L, "consistent", v->consistent);
  v->dry_run = option_boolean(L, "dry_run", v->dry_run);
  read_persist(L, v);
  if (lua_getfield(L, 2, "timeout") != LUA_TNIL) v->timeout = neap__arg_seconds(L, -1, "timeout");
  lua_pop(L, 1);
  for (lua_Integer i = 1; lua_istable(L, 4) && lua_rawgeti(L, 4, i) != LUA_TNIL; i++) add_scope(L, v);
  lua_settop(L, 3);
  return 1;
}

// view.kept(view) -> table
//   What belongs to this view alone.
static int view_kept(lua_State *L) {
  neap__view_check(L, 1);
  lua_getiuservalue(L, 1, UV_KEPT);
  return 1;
}

// view.dry_run(view) -> boolean
//   Whether nothing is written through it.
static int view_dry_run(lua_State *L) {
  lua_pushboolean(L, neap__view_effective(L, neap__view_check(L, 1))->dry_run);
  return 1;
}

// view.shared(view) -> table
//   What all views of the store share.
static int view_shared(lua_State *L) {
  neap__view_shared(L, neap__view_check(L, 1));
  return 1;
}

// ---- What a store can do ----

static const struct {
  const char *name;
  enum capability bit;
} capabilities[] = {
    {"transactions", CAN_TRANSACTIONS},
    {"savepoints", CAN_SAVEPOINTS},
    {"joins", CAN_JOINS},
    {"aggregates", CAN_AGGREGATES},
    {"conditions", CAN_CONDITIONS},
    {"sql", CAN_SQL},
    {"unique", CAN_UNIQUE},
    {"streams", CAN_STREAM_CHANGES},
    {"for_update", CAN_FOR_UPDATE},
    {"null", CAN_NULL},
    {"returning", CAN_RETURNING},
    {"checks", CAN_CHECKS},
    {"commands", CAN_COMMANDS},
    {"requests", CAN_REQUESTS},
    {"functions", CAN_FUNCTIONS},
    {"push", CAN_PUSH},
    {"channels", CAN_CHANNELS},
    {"copy", CAN_COPY},
};
#define CAPABILITIES (sizeof capabilities / sizeof *capabilities)

// store:supports(capability) -> boolean
static int view_supports(lua_State *L) {
  struct view *v = neap__view_check(L, 1);
  const char *name = neap__arg_string(L, 2, "capability", NULL);
  for (size_t i = 0; i < CAPABILITIES; i++)
    if (strcmp(capabilities[i].name, name) == 0) {
      lua_pushboolean(L, ((v->store->verbs->capabilities | v->store->verbs->in_memory) & capabilities[i].bit) != 0);
      return 1;
    }
  lua_pushstring(L, capabilities[0].name);
  for (size_t i = 1; i < CAPABILITIES; i++) lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), capabilities[i].name);
  return neap__fail(L, NEAP_USAGE, "%s is no capability; known: %s", neap__show_value(L, 2).text, lua_tostring(L, -1));
}

// view.kind(store) -> "sqlite"
static int view_kind(lua_State *L) {
  lua_pushstring(L, neap__view_check(L, 1)->store->verbs->name);
  return 1;
}

static int view_tostring(lua_State *L) {
  struct view *v = luaL_checkudata(L, 1, VIEW_TYPE);
  lua_pushfstring(L, "store: %s%s%s", v->store->verbs->name, v->level ? " in a transaction" : "",
                  v->store->closed ? ", closed" : "");
  return 1;
}

static const luaL_Reg functions[] = {
    {"enter", view_enter},         {"leave", view_leave},         {"derive", view_derive},
    {"kept", view_kept},           {"shared", view_shared},       {"supports", view_supports},
    {"begin", neap__view_begin},   {"commit", neap__view_commit}, {"rollback", neap__view_rollback},
    {"sql", neap__view_sql},       {"close", neap__view_close},   {"listen", neap__view_listen},
    {"hear", neap__view_hear},     {"copy", neap__view_copy},     {"copied", neap__view_copied},
    {"put", neap__view_put},       {"kind", view_kind},           {"dry_run", view_dry_run},
    {"stream", neap__view_stream}, {"fetch", neap__view_fetch},   {NULL, NULL},
};

// Pushes the functions. `methods` is the table that views index: lua/neap/store.lua fills it.
int luaopen_neap_view(lua_State *L) {
  luaL_newlib(L, functions);
  lua_newtable(L);
  luaL_newmetatable(L, VIEW_TYPE);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, view_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "store");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
  lua_setfield(L, -2, "methods");
  return 1;
}
