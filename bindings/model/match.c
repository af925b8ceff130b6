// match.c: c:matches(object). What the object has is compared here. A pointer's object is asked in its turn, and loaded
// where it is not there yet; what other relations lead to is counted by the store.
//
// While a condition is evaluated nothing may raise or wait. So it is evaluated over what is known; the first thing that it
// misses is found out, and it is evaluated again.
#include "model/condition_build.h"
#include "model/object.h"
#include "model/query_build.h"
#include "model/relation.h"
#include "value/text.h"

struct object_row {
  struct row_source source;
  const struct cell *cells;
  lua_State *L;
  int answers;  // index of nil or of a table, address of a SOME -> how many meet it; 0: relations are not followed
  const struct condition *question;  // the first SOME that is not in it
  bool counts;                       // how many do, not just whether one does
  bool computed, unloaded;           // what was asked for and is not here
};

static void cell_of(struct row_source *source, const struct field *field, struct cell *out) {
  struct object_row *row = (struct object_row *)source;
  *out = (struct cell){.kind = CELL_NIL};
  if (!neap__field_kept(field)) {
    row->computed = true;
    return;
  }
  *out = row->cells[field->column];
  if (out->kind == CELL_UNLOADED) row->unloaded = true;
}

static int64_t related_of(struct row_source *source, const struct condition *some, int64_t most) {
  struct object_row *row = (struct object_row *)source;
  int64_t n = 0;
  bool known = false;
  if (row->answers && lua_istable(row->L, row->answers)) {
    known = lua_rawgetp(row->L, row->answers, some) == LUA_TNUMBER;
    n = lua_tointeger(row->L, -1);
    lua_pop(row->L, 1);
  }
  if (!known && !row->question) row->question = some, row->counts = most > 1;
  return n < most ? n : most;
}

static int evaluate(struct object_row *row, const struct condition *c, struct neap__error *e) {
  row->source = (struct row_source){cell_of, related_of, neap__regexes_of(row->L), false};
  bool met = neap__condition_evaluate(c, &row->source);
  if (row->question && !row->answers)
    return neap__error_set(e, NEAP_UNSUPPORTED, "relations are not followed here: ask the store with where");
  if (row->computed)
    return neap__error_set(e, NEAP_UNSUPPORTED, "matches does not compute fields: ask the store with where");
  if (row->unloaded) return neap__error_set(e, NEAP_UNSUPPORTED, "matches was asked for a field that was not loaded");
  if (row->source.failed) return neap__error_set(e, NEAP_LIMIT, "a regular expression takes too many steps");
  return met;
}

int neap__condition_matches(lua_State *L, const struct condition *c, const struct cell *cells, struct neap__error *e) {
  return evaluate(&(struct object_row){.L = L, .cells = cells}, c, e);
}

// ---- An object and what it is related to ----

enum { MATCH_ROOT = 1, MATCH_NODE, MATCH_OBJECT, MATCH_CELLS, MATCH_ANSWERS };

// Reads the columns that the condition asks for.
static void read_cells(lua_State *L, const struct condition *c, struct cell *cells) {
  for (int i = 0; i < c->nchildren && c->op != COND_SOME && c->op != COND_ELEMENT; i++)
    read_cells(L, c->children[i], cells);
  const struct field *asked[2] = {c->place.field, c->other ? c->other->field : NULL};
  for (int i = 0; i < 2; i++)
    if (asked[i] && neap__field_kept(asked[i]))
      neap__object_get(L, MATCH_OBJECT, asked[i]->column, &cells[asked[i]->column]);
}

// Pushes whether the object meets the condition and gives NULL, or gives the SOME that has to be answered before.
static const struct condition *decide(lua_State *L, bool *counts) {
  const struct condition *c = lua_touserdata(L, MATCH_NODE);
  struct object_row row = {.L = L, .cells = lua_touserdata(L, MATCH_CELLS), .answers = MATCH_ANSWERS};
  struct neap__error e;
  read_cells(L, c, lua_touserdata(L, MATCH_CELLS));
  lua_settop(L, MATCH_ANSWERS);
  int met = evaluate(&row, c, &e);
  *counts = row.counts;
  if (row.question) return row.question;
  if (met < 0) neap__raise(L, &e);
  lua_pushboolean(L, met);
  return NULL;
}

static int match(lua_State *L);

// Pushes a call that answers the SOME: with the object that a pointer leads to or nil, with a number, or with whether there
// is one. False: the answer itself is pushed.
static bool push_question(lua_State *L, const struct condition *some, bool counts) {
  if (some->place.field->type.kind == TYPE_POINTER) {
    lua_pushcfunction(L, neap__relation_object);
    lua_pushvalue(L, MATCH_OBJECT);
    lua_pushlightuserdata(L, (void *)(uintptr_t)some->place.field);
    return true;
  }
  lua_pushcfunction(L, counts ? neap__query_count : neap__query_exists);
  neap__relation_push_some(L, MATCH_OBJECT, MATCH_ROOT, some);
  return !lua_isnil(L, -1);
}

// Replaces the object on top of the stack by a call that tells whether it meets what is asked of it.
static void push_inner(lua_State *L, const struct condition *some) {
  lua_pushcfunction(L, match);
  lua_pushvalue(L, MATCH_ROOT);
  lua_pushlightuserdata(L, (void *)(uintptr_t)some->children[0]);
  lua_rotate(L, -4, 3);
}

// Remembers the answer on top of the stack, which is popped.
static void keep_answer(lua_State *L, const struct condition *some) {
  if (lua_isnil(L, MATCH_ANSWERS)) {
    lua_newtable(L);
    lua_replace(L, MATCH_ANSWERS);
  }
  lua_pushinteger(L, lua_isinteger(L, -1) ? lua_tointeger(L, -1) : lua_toboolean(L, -1));
  lua_rawsetp(L, MATCH_ANSWERS, some);
}

// What answers `some` is on top of the stack, if it is one.
static int go_on(lua_State *L, int status, lua_KContext context) {
  const struct condition *some = (const struct condition *)context;
  bool counts;
  (void)status;
  for (;;) {
    if (some && neap__object_test(L, -1)) {
      push_inner(L, some);
    } else {
      if (some) keep_answer(L, some);
      some = decide(L, &counts);
      if (!some) return 1;
      if (!push_question(L, some, counts)) continue;
    }
    lua_callk(L, lua_gettop(L) - MATCH_ANSWERS - 1, 1, (lua_KContext)some, go_on);
  }
}

// match(the whole condition, the part of it that is asked, an object) -> boolean
static int match(lua_State *L) {
  const struct shape *shape = neap__object_class(lua_touserdata(L, MATCH_OBJECT))->shape;
  lua_newuserdatauv(L, (size_t)shape->ncolumns * sizeof(struct cell) + 1, 0);
  lua_pushnil(L);
  luaL_checkstack(L, 10, "matches");
  return go_on(L, LUA_OK, 0);
}

// c:matches(object) -> boolean: whether the object, as it is now in memory, meets the condition
//   raises `unsupported` for what only the store can answer: computed fields, fields that were not loaded
int neap__condition_match(lua_State *L) {
  const struct condition *c = neap__condition_test(L, 1);
  struct object *object = neap__object_check(L, 2);
  const struct shape *shape = neap__object_class(object)->shape;
  if (!c) return neap__fail(L, NEAP_USAGE, "matches is called on a condition with a colon");
  if (c->shape && c->shape != shape)
    return neap__fail(L, NEAP_USAGE, "a condition on %s was asked of a %s", c->shape->model, shape->model);
  lua_settop(L, 2);
  lua_pushlightuserdata(L, (void *)(uintptr_t)c);
  lua_insert(L, MATCH_NODE);
  return match(L);
}
