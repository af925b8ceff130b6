// mongo_write.c: objects as plain tables or as JSON text, related ones nested, by a plan. The walk keeps its own stack, so
// that it may pause at any row.
#include <stdio.h>

#include "model/mongo.h"
#include "value/datetime.h"
#include "value/json.h"
#include "value/marks.h"
#include "value/text.h"

// A list that is being walked, or the one object that a relation leads to.
struct level {
  const struct plan *plan;
  bool many;
  lua_Integer i;  // elements begun
  int part;       // of the object at hand, the next to be written; -1: the next object is to begin
};

#define MAX_LEVELS 32

struct walk {
  const struct plan *plan;
  struct neap__buffer *out;  // NULL: tables are made
  int nlevels;
  struct level levels[MAX_LEVELS];
};

// The stack of the walk, and of each level from its base on.
enum { WALK_LIST = 1, WALK_PLAN, WALK_COMPUTED, WALK_STATE, WALK_BUFFER, WALK_BASE };
enum { LEVEL_LIST, LEVEL_OBJECT, LEVEL_RESULT, LEVEL_TABLE, LEVEL_SLOTS };

static int slot(const struct walk *w, int which) {
  return WALK_BASE + (w->nlevels - 1) * LEVEL_SLOTS + which;
}

// ---- JSON ----

void neap__mongo_put(lua_State *L, struct neap__buffer *out, const char *p, size_t n) {
  if (neap__buffer_append(out, p, n) != 0) neap__fail(L, NEAP_LIMIT, "cannot write JSON: not enough memory");
}

static void put_char(lua_State *L, struct walk *w, char c) {
  neap__mongo_put(L, w->out, &c, 1);
}

void neap__mongo_put_value(lua_State *L, struct neap__buffer *out) {
  struct neap__error e;
  if (neap__json_write(L, lua_gettop(L), out, &e) != 0) neap__raise(L, &e);
  lua_pop(L, 1);
}

static void put_name(lua_State *L, struct walk *w, const struct level *level) {
  const struct plan_part *part = &level->plan->parts[level->part];
  if (level->part > 0) put_char(L, w, ',');
  neap__mongo_put(L, w->out, part->json, part->njson);
}

// Text without anything to escape goes over as it is; false for other text.
static bool put_plain(lua_State *L, struct neap__buffer *out, const char *p, size_t n) {
  bool high = false;
  size_t bad;
  if (neap__json_plain(p, p + n, &high) != p + n || (high && !neap__text_utf8(p, n, &bad))) return false;
  neap__mongo_put(L, out, "\"", 1);
  neap__mongo_put(L, out, p, n);
  neap__mongo_put(L, out, "\"", 1);
  return true;
}

bool neap__mongo_put_cell(lua_State *L, struct neap__buffer *out, const struct cell *cell) {
  char text[48];
  switch ((enum cell_kind)cell->kind) {
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL: neap__mongo_put(L, out, "null", 4); return true;
    case CELL_BOOLEAN: neap__mongo_put(L, out, cell->i ? "true" : "false", cell->i ? 4 : 5); return true;
    case CELL_INTEGER:
      neap__mongo_put(L, out, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)cell->i));
      return true;
    case CELL_NUMBER: neap__mongo_put(L, out, text, neap__json_double(cell->d, text)); return true;
    case CELL_TEXT: return put_plain(L, out, cell->p, cell->n);
    case CELL_DATETIME: return put_plain(L, out, text, neap__datetime_format(cell->i, text));
    case CELL_DATE: return put_plain(L, out, text, neap__date_format(cell->i, text));
    case CELL_BYTES:
    case CELL_DECIMAL:
    case CELL_JSON: return false;
  }
  return false;
}

// ---- Fields ----

// Pushes what the getter of a property gave for the object.
static void push_computed(lua_State *L, int object, const char *name) {
  lua_pushvalue(L, object);
  if (lua_istable(L, WALK_COMPUTED) && lua_rawget(L, WALK_COMPUTED) == LUA_TTABLE) {
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
  } else {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

static const struct type *value_type(const struct field *f) {
  return f->type.kind == TYPE_POINTER || f->type.kind == TYPE_COMPUTED ? f->type.of : &f->type;
}

// Pushes the value of a field, neap.null where there is none.
static void push_value(lua_State *L, const struct field *f, const char *name, int object, const struct cell *cell) {
  if (f->column < 0)
    push_computed(L, object, name);
  else
    neap__type_push(L, value_type(f), cell);
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  neap__null_push(L);
}

// How many objects the relation leads to, which the query has counted.
static void write_count(lua_State *L, struct walk *w, struct level *level) {
  const struct plan_part *part = &level->plan->parts[level->part];
  neap__object_get_count(L, slot(w, LEVEL_OBJECT), part->field);
  if (!w->out) {
    lua_setfield(L, slot(w, LEVEL_TABLE), part->name);
    return;
  }
  put_name(L, w, level);
  neap__mongo_put_value(L, w->out);
}

static void write_field(lua_State *L, struct walk *w, struct level *level) {
  const struct plan_part *part = &level->plan->parts[level->part];
  if (part->counts) {
    write_count(L, w, level);
    return;
  }
  struct cell cell = {.kind = CELL_NIL};
  int object = slot(w, LEVEL_OBJECT);
  if (part->field->column >= 0) neap__object_get(L, object, part->field->column, &cell);
  if (cell.kind == CELL_UNLOADED)
    neap__fail(L, NEAP_USAGE, "%s.%s was not loaded", part->field->shape->model, part->name);
  if (!w->out) {
    push_value(L, part->field, part->name, object, &cell);
    lua_setfield(L, slot(w, LEVEL_TABLE), part->name);
    return;
  }
  put_name(L, w, level);
  if (part->field->column >= 0 && neap__mongo_put_cell(L, w->out, &cell)) return;
  push_value(L, part->field, part->name, object, &cell);
  neap__mongo_put_value(L, w->out);
}

// ---- Levels ----

// Begins a level with the list or object on top of the stack, which it takes.
static void open_level(lua_State *L, struct walk *w, const struct plan *plan) {
  if (w->nlevels == MAX_LEVELS) neap__fail(L, NEAP_LIMIT, "related objects are nested deeper than %d", MAX_LEVELS);
  luaL_checkstack(L, LEVEL_SLOTS + LUA_MINSTACK, "related objects");
  bool many = lua_istable(L, -1);
  w->levels[w->nlevels++] = (struct level){plan, many, 0, -1};
  lua_pushnil(L);  // LEVEL_OBJECT
  if (many && !w->out) {
    lua_createtable(L, (int)lua_rawlen(L, -2), 0);
    neap__mark_set(L, -1, NEAP_MARK_ARRAY);
  } else {
    lua_pushnil(L);
  }
  lua_pushnil(L);  // LEVEL_TABLE
  if (many && w->out) put_char(L, w, '[');
}

// Ends the level: what it made goes to the object above, or stays alone on the stack.
static void close_level(lua_State *L, struct walk *w) {
  struct level *level = &w->levels[w->nlevels - 1];
  if (w->out && level->many) put_char(L, w, ']');
  lua_settop(L, slot(w, level->many ? LEVEL_RESULT : LEVEL_TABLE));
  lua_replace(L, slot(w, LEVEL_LIST));
  lua_settop(L, slot(w, LEVEL_LIST));
  if (--w->nlevels == 0) return;
  const struct level *above = &w->levels[w->nlevels - 1];
  if (!w->out)
    lua_setfield(L, slot(w, LEVEL_TABLE), above->plan->parts[above->part - 1].name);
  else
    lua_pop(L, 1);
}

static void begin_object(lua_State *L, struct walk *w, struct level *level) {
  const struct shape *shape = neap__object_class(neap__object_check(L, -1))->shape;
  if (shape != level->plan->shape)
    neap__fail(L, NEAP_USAGE, "an object of %s was expected, not one of %s", level->plan->shape->model, shape->model);
  lua_replace(L, slot(w, LEVEL_OBJECT));
  if (w->out) {
    if (level->i > 1) put_char(L, w, ',');
    put_char(L, w, '{');
  } else {
    lua_createtable(L, 0, level->plan->nparts);
    if (level->plan->nparts == 0) neap__mark_set(L, -1, NEAP_MARK_OBJECT);
    lua_replace(L, slot(w, LEVEL_TABLE));
  }
  for (level->part = 0; level->part < level->plan->nfields; level->part++) write_field(L, w, level);
}

static void end_object(lua_State *L, struct walk *w, struct level *level) {
  level->part = -1;
  if (w->out)
    put_char(L, w, '}');
  else if (level->many) {
    lua_pushvalue(L, slot(w, LEVEL_TABLE));
    lua_rawseti(L, slot(w, LEVEL_RESULT), level->i);
  }
}

static void write_relation(lua_State *L, struct walk *w, struct level *level) {
  const struct plan_part *part = &level->plan->parts[level->part];
  if (w->out) put_name(L, w, level);
  level->part++;
  if (neap__object_get_included(L, slot(w, LEVEL_OBJECT), part->field)) {
    open_level(L, w, part->plan);
    return;
  }
  neap__null_push(L);
  if (w->out)
    neap__mongo_put_value(L, w->out);
  else
    lua_setfield(L, slot(w, LEVEL_TABLE), part->name);
}

// Pushes the next object of the level, or nil.
static void push_next(lua_State *L, struct walk *w, struct level *level) {
  level->i++;
  if (level->many)
    lua_rawgeti(L, slot(w, LEVEL_LIST), level->i);
  else if (level->i == 1)
    lua_pushvalue(L, slot(w, LEVEL_LIST));
  else
    lua_pushnil(L);
}

static void step(lua_State *L, struct walk *w) {
  struct level *level = &w->levels[w->nlevels - 1];
  if (level->part >= 0) {
    if (level->part < level->plan->nparts)
      write_relation(L, w, level);
    else
      end_object(L, w, level);
    return;
  }
  push_next(L, w, level);
  if (!lua_isnil(L, -1)) {
    begin_object(L, w, level);
    return;
  }
  lua_pop(L, 1);
  close_level(L, w);
}

// ---- The walk ----

static int go_on(lua_State *L, int status, lua_KContext ctx) {
  struct walk *w = lua_touserdata(L, WALK_STATE);
  (void)status;
  for (int n = 1; w->nlevels > 0; n++) {
    step(L, w);
    if (w->nlevels > 0 && n % 16 == 0 && neap__should_pause(L, 16)) return neap__pause(L, ctx, go_on);
  }
  if (w->out) {
    lua_pushlstring(L, w->out->p, w->out->n);
    neap__buffer_free(w->out);
  }
  return 1;
}

static int walk(lua_State *L, bool json) {
  lua_settop(L, WALK_COMPUTED);
  const struct plan *plan = lua_touserdata(L, WALK_PLAN);
  struct walk *w = lua_newuserdatauv(L, sizeof *w, 0);
  w->nlevels = 0;
  w->out = json ? neap__buffer_push(L) : (lua_pushnil(L), NULL);
  lua_pushvalue(L, WALK_LIST);
  open_level(L, w, plan);
  return go_on(L, LUA_OK, 0);
}

int neap__mongo_tables(lua_State *L) {
  return walk(L, false);
}

int neap__mongo_json(lua_State *L) {
  return walk(L, true);
}

// ---- Groups ----

enum { GROUPS_ROWS = 1, GROUPS_NAMES, GROUPS_RESULT, GROUPS_ROW, GROUPS_TABLE };

// Sets the label that the entry on top of the stack, which is popped, says.
static void write_label(lua_State *L) {
  int entry = lua_gettop(L);
  lua_rawgeti(L, entry, 1);
  lua_rawgeti(L, entry, 2);
  if (lua_rawget(L, GROUPS_ROW) == LUA_TNIL) {
    lua_pop(L, 1);
    neap__null_push(L);
  }
  if (lua_rawgeti(L, entry, 3) != LUA_TNIL)
    lua_arith(L, LUA_OPMUL);
  else
    lua_pop(L, 1);
  lua_rawset(L, GROUPS_TABLE);
  lua_settop(L, entry - 1);
}

static int labelled_go_on(lua_State *L, int status, lua_KContext done) {
  (void)status;
  while (lua_settop(L, GROUPS_RESULT), lua_rawgeti(L, GROUPS_ROWS, ++done) != LUA_TNIL) {
    lua_newtable(L);
    for (lua_Integer i = 1; lua_rawgeti(L, GROUPS_NAMES, i) != LUA_TNIL; i++) write_label(L);
    lua_settop(L, GROUPS_TABLE);
    lua_rawseti(L, GROUPS_RESULT, done);
    if (done % 16 == 0 && neap__should_pause(L, 16)) return neap__pause(L, done, labelled_go_on);
  }
  lua_settop(L, GROUPS_RESULT);
  return 1;
}

int neap__mongo_labelled(lua_State *L) {
  lua_settop(L, GROUPS_NAMES);
  lua_newtable(L);
  neap__mark_set(L, -1, NEAP_MARK_ARRAY);
  return labelled_go_on(L, LUA_OK, 0);
}
