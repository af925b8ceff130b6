// query_terminal.c: the methods that send something: reads, counts, single objects by key, set-based writes, explain.
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "model/condition_build.h"
#include "model/query_build.h"
#include "model/save.h"
#include "model/template.h"
#include "value/datetime.h"

static struct view *view_of(lua_State *L, const struct query *q) {
  return neap__view_effective(L, q->class->view);
}

// The start of a method: self, a query from here on, is at index 1.
static const struct query *begin(lua_State *L, int arguments) {
  lua_settop(L, 1 + arguments);
  return neap__query_self(L, 1);
}

// ---- Lists and streams ----

// Pushes the list that an include has loaded for this very query, or pushes nothing.
static bool push_filled(lua_State *L) {
  if (lua_getiuservalue(L, 1, QUERY_FILLED) == LUA_TTABLE) return true;
  lua_pop(L, 1);
  return false;
}

static int copy_list(lua_State *L) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  lua_createtable(L, n < INT32_MAX ? (int)n : 0, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, -2, i);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

// Query:all() -> list of objects; of plain tables where the query has groups
static int query_all(lua_State *L) {
  const struct query *q = begin(L, 0);
  if (push_filled(L)) return copy_list(L);
  return neap__query_read(L, neap__query_form(q), RESULT_LIST);
}

static int filled_next(lua_State *L) {
  lua_Integer i = lua_tointeger(L, lua_upvalueindex(2)) + 1;
  lua_pushinteger(L, i);
  lua_replace(L, lua_upvalueindex(2));
  lua_rawgeti(L, lua_upvalueindex(1), i);
  return 1;
}

// Query:each{ batch = n } -> iterator
//   streams: for p in q:each() do … end. batch: rows that are read ahead, and asked of stores that give pages.
static int query_each(lua_State *L) {
  static const char *const known[] = {"batch", NULL};
  begin(L, 1);
  neap__arg_options(L, 2, known);
  lua_Integer batch = 0;
  if (lua_istable(L, 2) && lua_getfield(L, 2, "batch") != LUA_TNIL)
    batch = neap__arg_integer(L, -1, "batch", 1, INT32_MAX);
  lua_settop(L, 1);
  if (!push_filled(L)) return neap__query_each(L, batch);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, filled_next, 2);
  return 1;
}

// Replaces the query at index 1 by one that gives at most n rows.
static struct query *cut(lua_State *L, int64_t n) {
  struct query *q = neap__query_clone(L, 1);
  if (q->limit < 0 || q->limit > n) q->limit = n;
  lua_replace(L, 1);
  return q;
}

// Query:first() -> object or nil
static int query_first(lua_State *L) {
  begin(L, 0);
  if (push_filled(L)) return lua_rawgeti(L, -1, 1), 1;
  return neap__query_read(L, neap__query_form(cut(L, 1)), RESULT_FIRST);
}

// Query:one() -> object
//   raises not_found where there is none, multiple where there are several
static int query_one(lua_State *L) {
  begin(L, 0);
  return neap__query_read(L, neap__query_form(cut(L, 2)), RESULT_ONE);
}

// Query:rows() -> list of plain tables { field = value }; pointers give their keys, under the column's name
static int query_rows(lua_State *L) {
  begin(L, 0);
  return neap__query_read(L, READ_TABLES, RESULT_LIST);
}

// ---- Counts ----

static int push_cell(lua_State *L, const struct rows *rows, const struct cell *cells) {
  (void)rows;
  neap__cell_push(L, cells);
  return 1;
}

// Makes the query at index 1, which nobody has seen yet, give no more of each row than a part of its key.
static void select_least(lua_State *L, struct query *q) {
  uint64_t *bits = neap__query_push_bits(L, q);
  neap__query_mark(bits, q->class->shape->nkeys ? q->class->shape->keys[0]->column : 0);
  neap__query_select(L, 1, bits);
  lua_settop(L, 1);
  q->norders = q->ncounts = q->nincludes = 0;
}

// What is counted has no order; and stores that choose an index have more of a choice the less it has to hold. The query at index 1
// is replaced where that matters.
static void select_counted(lua_State *L) {
  const struct query *q = lua_touserdata(L, 1);
  bool groups = q->ngroups > 0;
  if (!groups && !q->class->view->store->verbs->hints) return;
  struct query *plain = neap__query_clone(L, 1);
  lua_replace(L, 1);
  plain->norders = 0;
  if (groups)
    neap__query_check_groups(L, plain);
  else
    select_least(L, plain);
}

static int count_sent(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  neap__query_sent(L);
  return neap__query_one_row(L, 1, push_cell);
}

// Query:count() -> integer
//   the rows that the query would give: limit and skip count too
int neap__query_count(lua_State *L) {
  begin(L, 0);
  if (push_filled(L)) return lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1)), 1;
  if (lua_getiuservalue(L, 1, QUERY_FILLED) == LUA_TNUMBER) return 1;
  lua_settop(L, 1);
  select_counted(L);
  return neap__query_send(L, true, 0, count_sent);
}

static int push_found(lua_State *L, const struct rows *rows, const struct cell *cells) {
  (void)rows;
  lua_pushboolean(L, cells != NULL);
  return 1;
}

static int exists_sent(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  neap__query_sent(L);
  return neap__query_one_row(L, neap__query_width(lua_touserdata(L, 1)), push_found);
}

// Query:exists() -> boolean
int neap__query_exists(lua_State *L) {
  begin(L, 0);
  struct query *q = cut(L, 1);
  select_least(L, q);
  neap__query_check_groups(L, q);
  return neap__query_send(L, false, 0, exists_sent);
}

// ---- One object by its key ----

// Reads the key at idx into cells (room for 4), and pushes what anchors each of them.
static void read_key(lua_State *L, const struct shape *shape, int idx, struct cell *cells) {
  struct neap__error e;
  if (shape->nkeys == 0) neap__fail(L, NEAP_USAGE, "%s has no primary key", shape->model);
  bool by_name = shape->nkeys > 1 || (shape->templates && lua_istable(L, idx));
  if (by_name && !lua_istable(L, idx))
    neap__fail(L, NEAP_USAGE, "a key of %s is a table { %s =, %s = }, not %s", shape->model, shape->keys[0]->name,
               shape->keys[1]->name, neap__show_value(L, idx).text);
  for (int i = 0; i < shape->nkeys; i++) {
    if (by_name)
      lua_getfield(L, idx, shape->keys[i]->name);
    else
      lua_pushvalue(L, idx);
    if (lua_isnil(L, -1) && by_name && shape->keys[i]->template) {
      lua_pop(L, 1);
      neap__template_push_key(L, shape->keys[i], idx);
    }
    if (lua_isnil(L, -1))
      neap__fail(L, NEAP_USAGE, "%s: a key is needed, %s is nil", shape->model, shape->keys[i]->name);
    if (neap__check_value(L, shape->keys[i], lua_gettop(L), &cells[i], &e) != 0) neap__raise(L, &e);
  }
}

// What get and find keep while they wait. Their stack: class, key, what anchors the key's cells, rows, this.
struct getting {
  bool must;
  const struct view *view;
  struct cell cells[];
};

static int get_go_on(lua_State *L, int status, lua_KContext ctx) {
  const struct shape *shape = ((const struct class *)lua_touserdata(L, 1))->shape;
  struct rows *rows = lua_touserdata(L, (int)ctx);
  struct getting *g = lua_touserdata(L, (int)ctx + 1);
  struct object_builder b;
  (void)status;
  enum rows_state state = rows->next(rows, g->cells);
  if (state == ROWS_WAIT) return neap__await(L, (int)ctx, ctx, get_go_on);
  if (state == ROWS_FAILED) {
    struct neap__error e = rows->error;
    rows->close(rows);
    return neap__raise(L, &e);
  }
  if (state == ROWS_ROW) {
    neap__object_builder(L, &b, 1, shape->ncells, NULL);
    neap__object_build(L, &b, g->cells);
    neap__view_note_read(L, g->view, -1);
  } else {
    lua_pushnil(L);
  }
  rows->close(rows);
  if (state == ROWS_ROW || !g->must) return 1;
  if (shape->nkeys > 1) return neap__fail(L, NEAP_NOT_FOUND, "there is no %s with this key", shape->model);
  return neap__fail(L, NEAP_NOT_FOUND, "there is no %s with %s %s", shape->model, shape->keys[0]->name,
                    shape->keys[0]->flags & FIELD_SECRET ? "***" : neap__show_value(L, 2).text);
}

// The short way, for all objects of a class: the store has the statement ready.
static int get_by_key(lua_State *L, const struct class *class, bool must) {
  const struct shape *shape = class->shape;
  struct cell key[4];
  struct view *view = neap__view_effective(L, class->view);
  read_key(L, shape, 2, key);
  view->store->verbs->get(L, view, class, key);
  int rows = lua_gettop(L);
  struct getting *g = lua_newuserdatauv(L, sizeof *g + (size_t)shape->ncells * sizeof(struct cell), 0);
  g->must = must;
  g->view = view;
  return get_go_on(L, LUA_OK, rows);
}

// The long way: the key is one more condition of the query.
static int get_by_query(lua_State *L, bool must) {
  struct query *q = neap__query_clone(L, 1);
  const struct shape *shape = q->class->shape;
  struct cell key[4];
  lua_replace(L, 1);
  neap__query_push_class(L, 1);
  read_key(L, shape, 2, key);
  for (int i = 0; i < shape->nkeys; i++) {
    neap__condition_leaf(L, 3, shape->keys[i], COND_EQ, &key[i], 1);
    neap__query_and(L, 1);
  }
  return neap__query_read(L, READ_OBJECTS, must ? RESULT_ONE : RESULT_FIRST);
}

static int get(lua_State *L, bool must) {
  const struct class *class = neap__class_test(L, 1);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) return neap__fail(L, NEAP_USAGE, "a key is needed, not nil");
  if (class && !neap__apart_scope(neap__view_effective(L, class->view), class->shape))
    return get_by_key(L, class, must);
  neap__query_self(L, 1);
  return get_by_query(L, must);
}

// Query:get(key) -> object
//   key  a scalar, or { name = value, … } where the model has several; raises not_found
static int query_get(lua_State *L) {
  return get(L, true);
}

// Query:find(key) -> object or nil
static int query_find(lua_State *L) {
  return get(L, false);
}

// ---- Set-based writes ----

static int push_changed(lua_State *L, const struct rows *rows, const struct cell *cells) {
  (void)cells;
  lua_pushinteger(L, rows->changed);
  return 1;
}

// A write without any condition needs { all = true } at idx.
static void guard(lua_State *L, const struct query *q, int idx, const char *verb) {
  static const char *const known[] = {"all", NULL};
  neap__arg_options(L, idx, known);
  if (q->link || (q->where && !neap__condition_is_true(q->where))) return;
  if (lua_istable(L, idx) && lua_getfield(L, idx, "all") != LUA_TNIL && lua_toboolean(L, -1)) return;
  neap__fail(L, NEAP_USAGE, "%s without a condition would reach every %s; if that is meant pass { all = true }", verb,
             q->class->shape->model);
}

static int delete_settled(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  const struct query *q = neap__query_settled(L);
  struct view *view = view_of(L, q);
  view->store->verbs->remove(L, view, q);
  return neap__query_one_row(L, 1, push_changed);
}

// Query:delete{ all = true } -> number of rows deleted
//   set-based: objects are not loaded, hooks do not run
static int query_delete(lua_State *L) {
  guard(L, begin(L, 1), 2, "delete");
  lua_settop(L, 1);
  return neap__query_settle(L, 0, delete_settled);
}

// (class, name) -> the column expression of what update may set
static int set_place(lua_State *L) {
  size_t n;
  const char *name = lua_tolstring(L, 2, &n);
  const struct field *f = neap__column_parse(L, 1, name, n)->field;
  const char *model = f->shape->model;
  if (!neap__field_kept(f))
    neap__fail(L, NEAP_USAGE, "update sets columns and places in them; '%s' is none of %s", name, model);
  if (f->flags & FIELD_PRIMARY) neap__fail(L, NEAP_USAGE, "%s.%s: keys do not change", model, f->name);
  return 1;
}

// Reads one entry of the table, the name below the value on top of the stack. What the change borrows goes into `anchors`.
static struct change read_set(lua_State *L, const struct shape *shape, int class_idx, int anchors,
                              struct neap__faults *faults) {
  struct neap__error e;
  char where[200];
  int value = lua_gettop(L), status;
  if (lua_type(L, value - 1) != LUA_TSTRING)
    neap__fail(L, NEAP_USAGE, "update takes { field = value, … } of %s", shape->model);
  struct change c = {.kind = CHANGE_SET, .cell = {.kind = CELL_NIL}};
  lua_pushcfunction(L, set_place);
  lua_pushvalue(L, class_idx);
  lua_pushvalue(L, value - 1);
  if ((status = lua_pcall(L, 2, 1, 0)) != LUA_OK) {
    neap__query_fault(L, status, &e);
    neap__faults_note(L, faults, value - 1, INT_MAX, &e);
    return c;
  }
  c.place = *neap__column_test(L, -1);
  const struct field *f = c.place.field;
  lua_rawseti(L, anchors, (lua_Integer)lua_rawlen(L, anchors) + 1);
  neap__place_print(shape, &c.place, where, sizeof where);
  if (c.place.nsteps == 0)
    status = neap__check_value(L, f, value, &c.cell, &e);
  else
    status = neap__check_place(L, f, c.place.type, where, value, &c.cell, &e);
  bool nothing = c.cell.kind == CELL_NIL || c.cell.kind == CELL_NULL;
  if (status == 0) lua_rawseti(L, anchors, (lua_Integer)lua_rawlen(L, anchors) + 1);
  if (status == 0 && c.cell.kind == CELL_NIL && neap__object_test(L, value))
    status = neap__error_set(&e, NEAP_USAGE, "%s takes an object that has a key; save it first", where);
  else if (status == 0 && nothing && c.place.nsteps == 0 && (f->flags & FIELD_REQUIRED))
    status = neap__error_set(&e, NEAP_VALIDATION, "%s must have a value (required)", where);
  if (status != 0) neap__faults_note(L, faults, value - 1, f->index, &e), lua_settop(L, value);
  if (nothing && c.place.nsteps > 0) c.kind = CHANGE_UNSET;
  return c;
}

// Adds what goes with every change: auto_now and the version, where the script has not set them.
static int complete_sets(const struct shape *shape, struct change *sets, int n) {
  int64_t now = neap__datetime_now();
  for (int i = 0; i < shape->ncolumns; i++) {
    const struct field *f = shape->columns[i];
    bool given = false;
    for (int k = 0; k < n && !given; k++) given = sets[k].place.field == f;
    struct place place = {.field = f, .type = &f->type};
    if (given) continue;
    if (f->flags & FIELD_AUTO_NOW) sets[n++] = (struct change){CHANGE_SET, place, neap__save_time(f, now)};
    if (i == shape->version) sets[n++] = (struct change){CHANGE_INCREMENT, place, {.i = 1, .kind = CELL_INTEGER}};
  }
  return n;
}

static int compare_steps(const struct step *a, const struct step *b) {
  if (!a->key || !b->key) return a->key ? 1 : b->key ? -1 : (a->index > b->index) - (a->index < b->index);
  int order = memcmp(a->key, b->key, a->nkey < b->nkey ? a->nkey : b->nkey);
  return order ? order : (a->nkey > b->nkey) - (a->nkey < b->nkey);
}

// Declared order, then that of the paths; a path comes before those that go on behind it.
static int by_place(const void *a, const void *b) {
  const struct place *x = &((const struct change *)a)->place, *y = &((const struct change *)b)->place;
  int order = x->field->column - y->field->column;
  for (int i = 0; order == 0 && i < x->nsteps && i < y->nsteps; i++) order = compare_steps(&x->steps[i], &y->steps[i]);
  return order ? order : x->nsteps - y->nsteps;
}

// Two changes of one place, or of one that lies in the other, have no order.
static void check_apart(lua_State *L, const struct shape *shape, const struct change *sets, int n) {
  char inner[200], outer[200];
  for (int i = 1; i < n; i++) {
    struct change cut = sets[i];
    if (cut.place.nsteps > sets[i - 1].place.nsteps) cut.place.nsteps = sets[i - 1].place.nsteps;
    if (by_place(&cut, &sets[i - 1]) == 0)
      neap__fail(L, NEAP_USAGE, "update cannot set both %s and %s",
                 neap__place_print(shape, &sets[i - 1].place, outer, sizeof outer),
                 neap__place_print(shape, &sets[i].place, inner, sizeof inner));
  }
}

// Reads the table at index 2 into a list of changes, which is pushed, with what they borrow; their number to *n.
static struct change *push_sets(lua_State *L, const struct shape *shape, int class_idx, int *n) {
  size_t count = (size_t)shape->ncolumns;
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) count++;
  struct change *sets = lua_newuserdatauv(L, count * sizeof *sets, 0);
  lua_newtable(L);
  int anchors = lua_gettop(L);
  struct neap__faults faults = neap__faults_push(L);
  *n = 0;
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) sets[(*n)++] = read_set(L, shape, class_idx, anchors, &faults);
  neap__faults_raise(L, &faults);
  *n = complete_sets(shape, sets, *n);
  qsort(sets, (size_t)*n, sizeof *sets, by_place);
  check_apart(L, shape, sets, *n);
  return sets;
}

// The fields stand behind the query.
static int update_settled(lua_State *L, int status, lua_KContext ctx) {
  int n;
  (void)status;
  (void)ctx;
  const struct query *q = neap__query_settled(L);
  const struct shape *shape = q->class->shape;
  neap__query_push_class(L, 1);
  struct change *sets = push_sets(L, shape, 3, &n);
  struct view *view = view_of(L, q);
  neap__view_check_changes(L, view, shape, sets, n);
  view->store->verbs->update(L, view, q, sets, n);
  lua_insert(L, 2);
  return neap__query_one_row(L, 1, push_changed);
}

// Query:update({ field = value, … }, { all = true }) -> number of rows changed
//   field  a name or a path; set-based: objects are not loaded, hooks do not run; neap.null removes a value
static int query_update(lua_State *L) {
  const struct query *q = begin(L, 2);
  const struct shape *shape = q->class->shape;
  neap__arg_table(L, 2, "fields");
  guard(L, q, 3, "update");
  if (lua_pushnil(L), !lua_next(L, 2))
    return neap__fail(L, NEAP_USAGE, "update of %s: no field is given", shape->model);
  lua_settop(L, 2);
  return neap__query_settle(L, 0, update_settled);
}

// ---- Texts ----

// Query:explain() -> what would be sent: { sql =, params = } where the store speaks SQL
//   include: the same for what is included by statements of its own, by name; their keys are not known before
//   related: on stores that cannot join, what is asked of related rows before, in order
static int query_explain(lua_State *L) {
  const struct query *q = begin(L, 0);
  if (q->ngroups > 0) neap__query_check_groups(L, q);
  neap__query_explain(L, 1);
  neap__include_explain(L, 1);
  return 1;
}

const luaL_Reg neap__query_terminals[] = {
    {"all", query_all},
    {"each", query_each},
    {"first", query_first},
    {"one", query_one},
    {"rows", query_rows},
    {"count", neap__query_count},
    {"exists", neap__query_exists},
    {"get", query_get},
    {"find", query_find},
    {"update", query_update},
    {"delete", query_delete},
    {"explain", query_explain},
    {"sql", neap__query_sql},
    {NULL, NULL},
};
