// atomic.c: increment, append and their like: one statement in the store, whose result the object then holds.
#include <stdio.h>
#include <string.h>

#include "model/condition_build.h"
#include "model/row.h"
#include "model/save.h"
#include "value/datetime.h"
#include "value/match.h"

enum { A_OBJECT = 1, A_VERB, A_PATH, A_VALUE, A_JOB, A_CLASS, A_COLUMN };  // then anchors, and on top the rows

struct atomic {
  struct view *view;
  const struct shape *shape;
  struct write write;
  struct change changes[2];
  struct cell key[4];
  bool touched;  // the transaction knows the object for the sake of this write alone
  bool bounded;  // the write has no other condition than that the value keeps its bounds
  enum rows_state state;
  uint64_t *bits;          // sent, returning, changed by the pipeline
  int ncolumns, *columns;  // of the cells that come back
  struct cell *cells;      // they
  struct cell computed[];  // by the pipeline: room for all columns; then the others
};

static const char *const verbs[] = {"set", "unset", "increment", "append", "add_unique", "pull", NULL};

static bool takes_list(enum change_kind kind) {
  return kind == CHANGE_APPEND || kind == CHANGE_ADD_UNIQUE || kind == CHANGE_PULL;
}

static bool is_number(const struct type *t) {
  return !t || t->kind == TYPE_INTEGER || t->kind == TYPE_NUMBER || t->kind == TYPE_DECIMAL || t->kind == TYPE_JSON;
}

static bool is_list(const struct type *t) {
  return !t || t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_JSON;
}

// What this script has deleted is gone, whatever row may bear its key now.
static void check_there(lua_State *L, const struct shape *shape) {
  struct neap__error e;
  if (neap__object_state(lua_touserdata(L, A_OBJECT)) != OBJECT_DELETED) return;
  neap__error_set(&e, NEAP_NOT_FOUND, "deleted");
  neap__save_describe(L, A_OBJECT, shape, &e);
  neap__raise(L, &e);
}

static void check_place(lua_State *L, const struct shape *shape, const struct place *place, enum change_kind kind) {
  const char *path = lua_tostring(L, A_PATH), *verb = verbs[kind];
  bool new = neap__object_state(lua_touserdata(L, A_OBJECT)) == OBJECT_NEW;
  if (!neap__field_kept(place->field))
    neap__fail(L, NEAP_USAGE, "%s.%s is %s and has no value that %s could change", shape->model, path,
               place->field->type.kind == TYPE_COMPUTED ? "computed" : "a relation", verb);
  if ((place->field->flags & FIELD_PRIMARY) && !new)
    neap__fail(L, NEAP_USAGE, "%s.%s is a key and does not change", shape->model, path);
  if (kind == CHANGE_INCREMENT && !is_number(place->type))
    neap__fail(L, NEAP_USAGE, "%s.%s is of type %s; only numbers can be incremented", shape->model, path,
               neap__type_name(place->type->kind));
  if (takes_list(kind) && !is_list(place->type))
    neap__fail(L, NEAP_USAGE, "%s.%s is of type %s; %s needs a list or a set", shape->model, path,
               neap__type_name(place->type->kind), verb);
}

// A loaded object keeps what its model requires.
static void check_required(lua_State *L, const struct change *change) {
  const struct field *f = change->place.field;
  bool removes = change->kind == CHANGE_UNSET || (change->kind == CHANGE_SET && change->cell.kind <= CELL_NULL);
  if (!removes || change->place.nsteps > 0 || !(f->flags & FIELD_REQUIRED)) return;
  if (neap__object_state(lua_touserdata(L, A_OBJECT)) != OBJECT_NEW)
    neap__fail(L, NEAP_VALIDATION, "%s.%s must have a value", f->shape->model, f->name);
}

// Reads the elements at A_VALUE for a list, whose bounds say nothing about them.
static int read_elements(lua_State *L, const struct place *place, const char *where, struct cell *out,
                         struct neap__error *e) {
  struct type type = *place->type;
  type.min.kind = type.max.kind = CELL_NIL;
  return neap__check_place(L, place->field, &type, where, A_VALUE, out, e);
}

// Reads the value at A_VALUE for the place, leaving what anchors it.
static void read_value(lua_State *L, struct change *change) {
  const struct place *place = &change->place;
  struct neap__error e;
  char where[200];
  bool sum = change->kind == CHANGE_INCREMENT;
  int status;
  if (change->kind == CHANGE_UNSET) return;
  snprintf(where, sizeof where, "%s.%s", place->field->shape->model, lua_tostring(L, A_PATH));
  if (sum)
    status = place->type ? neap__check_operand(L, place->type, A_VALUE, &change->cell, &e)
                         : neap__cell_read(L, A_VALUE, &change->cell, &e);
  else if (place->type && takes_list(change->kind))
    status = read_elements(L, place, where, &change->cell, &e);
  else
    status = neap__check_place(L, place->field, place->type, where, A_VALUE, &change->cell, &e);
  if (sum && (status != 0 || (change->cell.kind != CELL_INTEGER && !place->type && change->cell.kind != CELL_NUMBER)))
    neap__fail(L, NEAP_VALIDATION, "%s cannot be changed by %s; expected %s", where,
               place->field->flags & FIELD_SECRET ? "***" : luaL_tolstring(L, A_VALUE, NULL),
               place->type ? "what its type can add" : "a number");
  if (status != 0) neap__raise(L, &e);
  if (change->cell.kind == CELL_NIL && neap__object_test(L, A_VALUE))
    neap__fail(L, NEAP_USAGE, "%s takes an object that has a key; save it first", where);
}

// Reads what is to be changed, and by what, from the arguments; the class is at A_CLASS.
static void read_change(lua_State *L, const struct shape *shape, struct change *change) {
  size_t n;
  const char *path = neap__arg_string(L, A_PATH, "the field", &n);
  change->kind = (enum change_kind)luaL_checkoption(L, A_VERB, NULL, verbs);
  change->place = *neap__column_parse(L, A_CLASS, path, n);
  check_there(L, shape);
  check_place(L, shape, &change->place, change->kind);
  read_value(L, change);
  check_required(L, change);
}

// What changes along with it: the version and the times of saving.
static void add_companions(struct atomic *a, size_t words) {
  uint64_t *returning = a->bits + words, *stamped = returning + words;
  int64_t now = neap__datetime_now();
  int n = 0;
  for (int i = 0; i < a->shape->ncolumns; i++) {
    const struct field *f = a->shape->columns[i];
    if (!(f->flags & FIELD_AUTO_NOW)) continue;
    a->computed[n++] = neap__save_time(f, now);
    neap__set_bit(stamped, i);
    neap__set_bit(returning, i);
  }
  a->write.columns = stamped;
  a->write.cells = a->computed;
  if (a->shape->version < 0) return;
  const struct field *f = a->shape->columns[a->shape->version];
  a->changes[a->write.nchanges++] = (struct change){
      .kind = CHANGE_INCREMENT, .place = {.field = f, .type = &f->type}, .cell = {.i = 1, .kind = CELL_INTEGER}};
  neap__set_bit(returning, a->shape->version);
}

// Takes the answer, the values up to the rows being its arguments.
static int take_answer(lua_State *L) {
  struct atomic *a = lua_touserdata(L, A_JOB);
  struct rows *rows = lua_touserdata(L, -1);
  a->state = rows->next(rows, a->cells);
  if (a->state == ROWS_ROW) neap__object_confirm(L, A_OBJECT, a->bits, a->cells, a->columns, rows->ncells);
  if (a->state == ROWS_FAILED && rows->error.unknown) neap__raise(L, &rows->error);
  return 0;
}

// The row holds a value that the change would bring out of its bounds.
static void fail_bounds(lua_State *L, struct atomic *a) {
  const struct type *type = a->changes[0].place.type;
  struct neap__error e;
  char min[60] = "", max[60] = "";
  if (type->min.kind != CELL_NIL) neap__cell_print(&type->min, min, sizeof min);
  if (type->max.kind != CELL_NIL) neap__cell_print(&type->max, max, sizeof max);
  neap__error_set(&e, NEAP_VALIDATION, "%s would leave its bounds: %s%s%s%s", lua_tostring(L, A_PATH),
                  *min ? "at least " : "", min,
                  *min && *max ? ", at most "
                  : *max       ? "at most "
                               : "",
                  max);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, e.message);
  lua_setfield(L, -2, a->changes[0].place.field->name);
  neap__save_describe(L, A_OBJECT, a->shape, &e);
  neap__error_push(L, &e);
  lua_insert(L, -2);
  lua_setfield(L, -2, "errors");
  lua_error(L);
}

static int atomic_done(lua_State *L, int status, lua_KContext ctx) {
  struct atomic *a = lua_touserdata(L, A_JOB);
  struct rows *rows = lua_touserdata(L, (int)ctx);
  (void)status;
  lua_settop(L, (int)ctx);
  neap__save_call(L, take_answer);
  if (a->state == ROWS_WAIT) return neap__await(L, (int)ctx, ctx, atomic_done);
  struct neap__error e = rows->error;
  rows->close(rows);
  if (a->state == ROWS_FAILED) {
    if (a->touched) neap__view_untouch(L, a->view, A_OBJECT);
    if (a->bounded && e.kind == NEAP_CONDITION) fail_bounds(L, a);
    neap__save_describe(L, A_OBJECT, a->shape, &e);
    return neap__raise(L, &e);
  }
  lua_settop(L, A_OBJECT);
  return 1;
}

// Fills the write: the change, its companions, the key, whose anchors are pushed, and what comes back.
// A value that the script has assigned and that the store has already is no change: kept as one it would hide what comes back, and
// a save would undo it.
static void drop_same(lua_State *L, int column) {
  struct object *o = lua_touserdata(L, A_OBJECT);
  struct cell base = neap__row_base(o, column), now = neap__row_present(o, column);
  bool changed = neap__row_kinds(o)[column] & COLUMN_CHANGED;
  if (changed && neap__cell_equal(&base, &now)) neap__row_revert(L, A_OBJECT, o, column);
}

static void fill(lua_State *L, struct atomic *a) {
  size_t words = (size_t)(a->shape->ncolumns + 63) / 64;
  const struct place *place = &a->changes[0].place;
  drop_same(L, place->field->column);
  a->write.kind = WRITE_UPDATE;
  a->write.changes = a->changes;
  a->write.nchanges = 1;
  neap__set_bit(a->bits, place->field->column);
  neap__set_bit(a->bits + words, place->field->column);
  add_companions(a, words);
  for (int i = 0; i < a->shape->nkeys; i++) {
    int c = a->shape->keys[i]->column;
    neap__object_confirmed(L, A_OBJECT, c, &a->key[i]);
    neap__object_push_anchor(L, A_OBJECT, c, &a->key[i]);
  }
  a->write.key = a->key;
  a->write.returning = a->bits + words;
  for (int i = 0; i < a->shape->ncolumns; i++)
    if (neap__has_bit(a->write.returning, i)) a->columns[a->ncolumns++] = i;
}

// ANDs to the condition on top of the stack (or nil) that what is at the place is of a type, or not there.
static void add_guard(lua_State *L, const struct shape *shape, const struct place *place, const char *type) {
  lua_pushstring(L, type);
  neap__condition_compare(L, A_CLASS, shape, place, COND_TYPE, -1);
  lua_remove(L, -2);
  lua_pushboolean(L, false);
  neap__condition_compare(L, A_CLASS, shape, place, COND_EXISTS, -1);
  lua_remove(L, -2);
  neap__condition_branch(L, A_CLASS, COND_OR, 2);
  neap__condition_and(L, -2, -1);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

// ANDs the condition on top of the stack to that (or nil) below it.
static void add_condition(lua_State *L) {
  neap__condition_and(L, -2, -1);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static bool in_bounds(const struct type *type, const struct cell *cell) {
  return (type->min.kind == CELL_NIL || neap__cell_compare(cell, &type->min) >= 0) &&
         (type->max.kind == CELL_NIL || neap__cell_compare(cell, &type->max) <= 0);
}

// ANDs that a sum will keep the bound that it moves towards: value <= max - n. What is absent counts as 0.
static bool guard_sum(lua_State *L, const struct shape *shape, const struct change *change) {
  const struct place *place = &change->place;
  struct cell zero = {.kind = CELL_INTEGER}, room;
  struct neap__error e;
  bool up = neap__cell_compare(&change->cell, &zero) >= 0;
  const struct cell *bound = up ? &place->type->max : &place->type->min;
  if (bound->kind == CELL_NIL && in_bounds(place->type, &change->cell)) return false;
  if (bound->kind == CELL_NIL) {
    lua_pushboolean(L, true);
    neap__condition_compare(L, A_CLASS, shape, place, COND_EXISTS, -1);
    lua_remove(L, -2);
    add_condition(L);
    return true;
  }
  neap__cell_push(L, bound);
  neap__cell_push(L, &change->cell);
  lua_arith(L, LUA_OPSUB);
  int at = lua_gettop(L);
  bool wrapped = neap__cell_read(L, at, &room, &e) != 0 || neap__cell_compare(&room, bound) == (up ? 1 : -1);
  lua_settop(L, at);
  if (wrapped)
    neap__condition_branch(L, A_CLASS, COND_OR, 0);
  else
    neap__condition_compare(L, A_CLASS, shape, place, up ? COND_LTE : COND_GTE, at);
  if (in_bounds(place->type, &change->cell)) {
    lua_pushboolean(L, false);
    neap__condition_compare(L, A_CLASS, shape, place, COND_EXISTS, -1);
    lua_remove(L, -2);
    neap__condition_branch(L, A_CLASS, COND_OR, 2);
  }
  lua_remove(L, at);
  add_condition(L);
  return true;
}

// ANDs that a list has room for the elements, or has them already where they are added once.
static bool guard_size(lua_State *L, const struct shape *shape, const struct change *change) {
  const struct cell *max = &change->place.type->max;
  struct step steps[PLACE_MAX_STEPS];
  struct place last = change->place;
  if (max->kind != CELL_INTEGER || last.nsteps == PLACE_MAX_STEPS) return false;
  int64_t room = max->i - neap__match_size(change->cell.p, change->cell.n);
  if (room >= 0) {
    if (last.nsteps > 0) memcpy(steps, last.steps, (size_t)last.nsteps * sizeof *steps);
    steps[last.nsteps++] = (struct step){.index = room};
    last.steps = steps;
    last.type = last.type->of;
    lua_pushboolean(L, false);
    neap__condition_compare(L, A_CLASS, shape, &last, COND_EXISTS, -1);
    lua_remove(L, -2);
  } else {
    neap__condition_branch(L, A_CLASS, COND_OR, 0);
  }
  if (change->kind == CHANGE_ADD_UNIQUE) {
    neap__condition_compare(L, A_CLASS, shape, &change->place, COND_ALL, A_VALUE);
    neap__condition_branch(L, A_CLASS, COND_OR, 2);
  }
  add_condition(L);
  return true;
}

// What the store makes of a value keeps its declared bounds. True if there is something to keep.
static bool add_bounds(lua_State *L, const struct shape *shape, const struct change *change) {
  if (!change->place.type) return false;
  if (change->kind == CHANGE_INCREMENT) return guard_sum(L, shape, change);
  bool adds = change->kind == CHANGE_APPEND || change->kind == CHANGE_ADD_UNIQUE;
  return adds && guard_size(L, shape, change);
}

// The row may hold something else by now than what was loaded: a change that it does not fit is not to be made, in silence or
// wrongly.
static void add_guards(lua_State *L, const struct shape *shape, const struct change *change) {
  const struct place *place = &change->place;
  if (change->kind == CHANGE_UNSET) return;
  for (int i = 0; i < place->nsteps; i++) {
    struct place outer = {.field = place->field, .nsteps = i, .steps = place->steps};
    if (i > 0 || place->field->type.kind == TYPE_JSON)
      add_guard(L, shape, &outer, place->steps[i].key ? "map" : "list");
  }
  if (place->type) return;
  if (change->kind == CHANGE_INCREMENT) add_guard(L, shape, place, "number");
  if (takes_list(change->kind)) add_guard(L, shape, place, "list");
}

// save.change(object, verb, path, value) -> object
//   verb   set unset increment append add_unique pull
//   path   a field, or a place inside one: "data.hits"
//   value  the number, the value, or a list of elements
static int atomic_change(lua_State *L) {
  const struct class *class = neap__object_class(neap__object_check(L, A_OBJECT));
  const struct shape *shape = class->shape;
  size_t words = (size_t)(shape->ncolumns + 63) / 64;
  lua_settop(L, A_VALUE);
  size_t each = 2 * sizeof(struct cell) + sizeof(int);
  size_t size = sizeof(struct atomic) + 3 * words * sizeof(uint64_t) + (size_t)shape->ncolumns * each;
  struct atomic *a = memset(lua_newuserdatauv(L, size, 0), 0, size);
  a->shape = shape;
  a->cells = a->computed + shape->ncolumns;
  a->bits = (uint64_t *)(a->cells + shape->ncolumns);
  a->columns = (int *)(a->bits + 3 * words);
  neap__class_push(L, class);
  read_change(L, shape, &a->changes[0]);
  a->view = neap__view_effective(L, class->view);
  neap__view_check_changes(L, a->view, shape, a->changes, 1);
  fill(L, a);
  neap__view_push_scope(L, a->view, shape);
  add_guards(L, shape, &a->changes[0]);
  bool others = !lua_isnil(L, -1);
  a->bounded = add_bounds(L, shape, &a->changes[0]) && !others;
  a->write.condition = neap__condition_test(L, -1);
  a->touched = neap__view_touch(L, a->view, A_OBJECT);
  neap__object_reserve(L, A_OBJECT, NULL, a->columns, a->ncolumns);
  a->view->store->verbs->write(L, a->view, class, &a->write, 1);
  return atomic_done(L, LUA_OK, lua_gettop(L));
}

// Pushes the names and numbers that lead to the place, as scripts index with them.
static void push_steps(lua_State *L, const struct shape *shape, const struct place *place) {
  int n = 0;
  lua_createtable(L, place->nsteps + 1, 0);
  if (place->field->column != shape->open) {
    lua_pushstring(L, place->field->name);
    lua_rawseti(L, -2, ++n);
  }
  for (int i = 0; i < place->nsteps; i++) {
    const struct step *step = &place->steps[i];
    if (step->key)
      lua_pushlstring(L, step->key, step->nkey);
    else
      lua_pushinteger(L, step->index + 1);
    lua_rawseti(L, -2, ++n);
  }
}

// save.place(object, verb, path, value) -> model, steps, typed, value; nothing where save.change is enough
//   Checks the arguments of save.change. It is not enough for new objects, and where the way is not declared: then the script
//   has to look at what the object holds on it, unless that was not loaded.
//   typed  whether the type of what is at the place was declared
//   value  the number to be added
static int atomic_place(lua_State *L) {
  const struct object *o = neap__object_check(L, A_OBJECT);
  const struct class *class = neap__object_class(o);
  struct change change = {0};
  struct cell cell;
  lua_settop(L, A_JOB);
  neap__class_push(L, class);
  read_change(L, class->shape, &change);
  neap__object_get(L, A_OBJECT, change.place.field->column, &cell);
  bool declared = change.place.nsteps == 0 && change.place.type;
  if (neap__object_state(o) != OBJECT_NEW && (declared || cell.kind == CELL_UNLOADED)) return 0;
  lua_pushstring(L, class->shape->model);
  push_steps(L, class->shape, &change.place);
  lua_pushboolean(L, change.place.type != NULL);
  if (change.kind == CHANGE_INCREMENT)
    neap__cell_push(L, &change.cell);
  else
    lua_pushnil(L);
  return 4;
}

void neap__atomic_register(lua_State *L) {
  lua_pushcfunction(L, atomic_change);
  lua_setfield(L, -2, "change");
  lua_pushcfunction(L, atomic_place);
  lua_setfield(L, -2, "place");
}
