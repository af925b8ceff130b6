// query_read.c: what every terminal that reads rows stands on: a select is sent, and its rows become objects, plain tables
// or values, in a list or as a stream. No Lua runs between the rows of a chunk.
#include <string.h>

#include "model/query_build.h"
#include "value/marks.h"

#define MANY_ROWS 1000  // made without a look for garbage in between

#define WEAK_TYPE "neap.query.weak"
#define BATCH 128  // rows that a stream reads ahead

// Rows on their way into a list. What `slots` name lies at the same places wherever rows are made: see fill().
struct reader {
  struct rows *rows;
  enum read_form form;
  enum rows_state state;
  bool siblings;       // objects share a list of those that came with them
  bool owned;          // the last cell is the key of an owner
  int ncells;          // of columns, or of groups and aggregates
  int ncounts;         // of relations' objects, behind those
  int open;            // the column of undeclared fields, -1 = none
  lua_Integer n, max;  // rows in the list; as many as this chunk may hold
  lua_Integer at;      // streams: rows of the chunk that were handed out
  struct object_builder builder;
  const struct field **fields;  // of the cells; NULL: groups and aggregates
  const struct query *query;
  const struct view *view;  // whose transaction notes what it has read; NULL = none does. The rows hold it
  int joined;               // where what joins need lies, 0 = none
  int *columns;
  struct cell cells[];  // then the columns
};

// The stack of whoever makes rows. CLASS and METATABLE: of objects, or in METATABLE the names of plain tables' fields.
enum { SLOT_READER = 1, SLOT_CLASS, SLOT_METATABLE, SLOT_LIST, SLOT_OWNERS, SLOT_JOINED, SLOT_SIBLINGS };

void neap__query_read_open(lua_State *L) {
  luaL_newmetatable(L, WEAK_TYPE);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_pop(L, 1);
}

bool neap__query_has_pointers(const struct query *q) {
  const struct shape *shape = q->class->shape;
  for (int i = 0; i < shape->nfields; i++)
    if (shape->fields[i].type.kind == TYPE_POINTER || shape->fields[i].type.kind == TYPE_HAS_ONE) return true;
  return false;
}

// ---- One row ----

void neap__query_push_siblings(lua_State *L) {
  lua_createtable(L, 16, 0);
  luaL_getmetatable(L, WEAK_TYPE);
  lua_setmetatable(L, -2);
}

void neap__query_keep_counts(lua_State *L, const struct query *q, const struct cell *cells) {
  for (int i = 0; i < q->ncounts; i++) {
    lua_pushinteger(L, (lua_Integer)cells[i].i);
    neap__object_set_count(L, -2, q->counts[i].field);
  }
}

static void make_object(lua_State *L, struct reader *r) {
  neap__object_build(L, &r->builder, r->cells);
  if (r->view) neap__view_note_read(L, r->view, -1);
  neap__query_keep_counts(L, r->query, r->cells + r->ncells);
  if (r->joined) neap__join_row(L, SLOT_JOINED, r->joined, r->cells);
  if (!r->siblings) return;
  if (r->n % QUERY_SIBLINGS == 0) {
    neap__query_push_siblings(L);
    lua_replace(L, SLOT_SIBLINGS);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, SLOT_SIBLINGS, r->n % QUERY_SIBLINGS + 1);
  lua_pushvalue(L, SLOT_SIBLINGS);
  neap__object_set_siblings(L, -2);
}

// The type of cell i; NULL for groups and aggregates. A pointer's cell is a key.
static const struct type *cell_type(const struct reader *r, int i) {
  const struct field *f = r->fields ? r->fields[i] : NULL;
  return f && f->type.kind == TYPE_POINTER ? f->type.of : f ? &f->type : NULL;
}

// Adds the undeclared fields of an open model, which the cell holds, to the table on top of the stack.
static void add_undeclared(lua_State *L, const struct cell *cell) {
  int row = lua_gettop(L);
  neap__cell_push(L, cell);
  if (lua_istable(L, -1))
    for (lua_pushnil(L); lua_next(L, row + 1);) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, row);
    }
  lua_settop(L, row);
}

static void make_table(lua_State *L, struct reader *r) {
  lua_createtable(L, 0, r->ncells);
  for (int i = 0; i < r->ncells; i++) {
    if (r->cells[i].kind == CELL_NIL) continue;
    if (r->fields && r->fields[i]->column == r->open) {
      add_undeclared(L, &r->cells[i]);
      continue;
    }
    lua_rawgeti(L, SLOT_METATABLE, i + 1);
    neap__type_push(L, cell_type(r, i), &r->cells[i]);
    lua_rawset(L, -3);
  }
  for (int i = r->ncells; i < r->ncells + r->ncounts; i++) {
    lua_rawgeti(L, SLOT_METATABLE, i + 1);
    neap__cell_push(L, &r->cells[i]);
    lua_rawset(L, -3);
  }
}

// A list has no holes: what is absent is neap.null in it.
static void make_value(lua_State *L, const struct reader *r) {
  if (r->cells[0].kind == CELL_NIL)
    neap__null_push(L);
  else
    neap__type_push(L, cell_type(r, 0), &r->cells[0]);
}

static void make(lua_State *L, struct reader *r) {
  switch (r->form) {
    case READ_OBJECTS: make_object(L, r); return;
    case READ_TABLES: make_table(L, r); return;
    case READ_VALUES: make_value(L, r); return;
  }
}

// Makes rows until the chunk is full, the step is over, or next() says something else. Arguments as the slots say.
static int fill(lua_State *L) {
  struct reader *r = lua_touserdata(L, SLOT_READER);
  lua_settop(L, SLOT_SIBLINGS);
  r->joined = lua_isnil(L, SLOT_JOINED) ? 0 : neap__join_begin(L, SLOT_JOINED);
  lua_Integer many = r->n + MANY_ROWS;
  while ((r->state = r->rows->next(r->rows, r->cells)) == ROWS_ROW) {
    make(L, r);
    lua_rawseti(L, SLOT_LIST, ++r->n);
    if (r->owned) {
      neap__relation_push_lookup(L, &r->cells[r->ncells + r->ncounts]);
      lua_rawseti(L, SLOT_OWNERS, r->n);
    }
    if (r->n == many) lua_gc(L, LUA_GCSTOP);
    if (r->n == r->max || (r->n % 16 == 0 && neap__should_pause(L, 16))) break;
  }
  lua_pushvalue(L, SLOT_SIBLINGS);
  return 1;
}

// ---- Setting up ----

void neap__query_push_names(lua_State *L, const struct query *q) {
  lua_createtable(L, neap__query_width(q), 0);
  if (q->ngroups + q->naggregates > 0) {
    for (int i = 0; i < q->ngroups; i++) {
      neap__order_name(L, &(struct order){.reach = q->groups[i]});
      lua_rawseti(L, -2, i + 1);
    }
    for (int i = 0; i < q->naggregates; i++) {
      lua_pushstring(L, q->aggregates[i].label);
      lua_rawseti(L, -2, q->ngroups + i + 1);
    }
    return;
  }
  for (int i = 0, n = q->nselect ? q->nselect : q->class->shape->ncells; i < n; i++) {
    const struct field *f = q->nselect ? q->select[i] : q->class->shape->columns[i];
    lua_pushstring(L, f->type.kind == TYPE_POINTER ? f->wire : f->name);
    lua_rawseti(L, -2, i + 1);
  }
  for (int i = 0; i < q->ncounts; i++) {
    neap__order_name(L, &(struct order){.reach.place = q->counts[i]});
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
}

// Pushes what the slots up to JOINED hold.
static struct reader *push_reader(lua_State *L, const struct query *q, int query, enum read_form form) {
  int width = neap__query_width(q), base = lua_gettop(L);
  struct reader *r = lua_newuserdatauv(L, sizeof *r + (size_t)width * (sizeof(struct cell) + sizeof(int)), 0);
  memset(r, 0, sizeof *r);
  r->form = form;
  bool tables = q->ngroups + q->naggregates > 0;
  r->owned = !tables && q->owner;
  r->ncounts = tables ? 0 : q->ncounts;
  r->ncells = tables ? width : q->nselect ? q->nselect : q->class->shape->ncells;
  r->query = q;
  const struct view *view = neap__view_effective(L, q->class->view);
  if (neap__view_collects(view)) r->view = view;
  r->open = q->class->shape->open;
  r->columns = (int *)&r->cells[width];
  r->max = LUA_MAXINTEGER;
  if (q->ngroups + q->naggregates == 0) r->fields = q->nselect ? q->select : q->class->shape->columns;
  for (int i = 0; i < q->nselect; i++) r->columns[i] = q->select[i]->column;
  neap__query_push_class(L, query);
  if (form == READ_OBJECTS) {
    r->siblings = neap__query_has_pointers(q);
    neap__object_builder(L, &r->builder, base + 2, r->ncells, q->nselect ? r->columns : NULL);
    r->builder.class_idx = SLOT_CLASS;
    r->builder.metatable_idx = SLOT_METATABLE;
  } else {
    neap__query_push_names(L, q);
  }
  lua_newtable(L);
  if (r->owned)
    lua_newtable(L);
  else
    lua_pushnil(L);
  if (form == READ_OBJECTS)
    neap__join_push(L, query);
  else
    lua_pushnil(L);
  return r;
}

// Rows that do not become objects come without what is included. The query at index 1 is then replaced.
static void drop_includes(lua_State *L, const struct query *q, enum read_form form) {
  if (q->nincludes == 0 || form == READ_OBJECTS) return;
  neap__query_clone(L, 1)->nincludes = 0;
  lua_replace(L, 1);
}

static int send_select(lua_State *L, lua_KContext ctx, lua_KFunction k) {
  const struct query *q = lua_touserdata(L, 1);
  if (q->ngroups > 0 && !q->every) neap__query_check_groups(L, q);
  return neap__query_send(L, false, ctx, k);
}

// Raises what the rows failed with. They have given their connection back by then.
static int raise_failure(lua_State *L, struct rows *rows) {
  struct neap__error e = rows->error;
  rows->close(rows);
  return neap__raise(L, &e);
}

// ---- One row ----

// What neap__query_one_row keeps while it waits; its index is the context.
struct one_row {
  neap__one_row finish;
  struct cell cells[];
};

static int one_go_on(lua_State *L, int status, lua_KContext ctx) {
  struct rows *rows = lua_touserdata(L, 2);
  struct one_row *one = lua_touserdata(L, (int)ctx);
  (void)status;
  enum rows_state state = rows->next(rows, one->cells);
  if (state == ROWS_WAIT) return neap__await(L, 2, ctx, one_go_on);
  if (state == ROWS_FAILED) return raise_failure(L, rows);
  int n = one->finish(L, rows, state == ROWS_ROW ? one->cells : NULL);
  rows->close(rows);
  return n;
}

int neap__query_one_row(lua_State *L, int width, neap__one_row finish) {
  struct one_row *one = lua_newuserdatauv(L, sizeof *one + (size_t)(width + 1) * sizeof(struct cell), 0);
  one->finish = finish;
  return one_go_on(L, LUA_OK, lua_gettop(L));
}

// ---- Lists ----

enum {
  LIST_QUERY = 1,
  LIST_ROWS,
  LIST_READER,
  LIST_CLASS,
  LIST_METATABLE,
  LIST_LIST,
  LIST_OWNERS,
  LIST_JOINED,
  LIST_SIBLINGS
};

// Fills the list, with the collector stopped once it is long: all that is made stays, so that looking for garbage would be in
// vain. Protected, so that the collector always goes on. It then starts a step at once, which short lists are not to pay for.
static void fill_list(lua_State *L) {
  bool running = lua_gc(L, LUA_GCISRUNNING);
  lua_settop(L, LIST_SIBLINGS);
  lua_pushcfunction(L, fill);
  for (int i = LIST_READER; i <= LIST_SIBLINGS; i++) lua_pushvalue(L, i);
  int status = lua_pcall(L, SLOT_SIBLINGS, 1, 0);
  if (running && !lua_gc(L, LUA_GCISRUNNING)) lua_gc(L, LUA_GCRESTART);
  if (status != LUA_OK) lua_error(L);
  lua_replace(L, LIST_SIBLINGS);
}

static int list_done(lua_State *L, int status, lua_KContext ctx) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, LIST_LIST);
  (void)status;
  switch ((enum read_result)ctx) {
    case RESULT_LIST: lua_settop(L, LIST_LIST); return 1;
    case RESULT_OWNED: lua_settop(L, LIST_OWNERS); return 2;
    case RESULT_FIRST: lua_rawgeti(L, LIST_LIST, 1); return 1;
    case RESULT_ONE: break;
  }
  lua_rawgeti(L, LIST_LIST, 1);
  if (n == 1) return 1;
  lua_pushvalue(L, LIST_QUERY);
  return neap__fail(L, n == 0 ? NEAP_NOT_FOUND : NEAP_MULTIPLE,
                    n == 0 ? "%s gives no row" : "%s gives more than one row", luaL_tolstring(L, -1, NULL));
}

static int list_go_on(lua_State *L, int status, lua_KContext ctx) {
  const struct query *q = lua_touserdata(L, LIST_QUERY);
  struct reader *r = lua_touserdata(L, LIST_READER);
  (void)status;
  fill_list(L);
  switch (r->state) {
    case ROWS_ROW: return neap__pause(L, ctx, list_go_on);
    case ROWS_WAIT: return neap__await(L, LIST_ROWS, ctx, list_go_on);
    case ROWS_FAILED: return raise_failure(L, r->rows);
    case ROWS_END: break;
  }
  r->rows->close(r->rows);
  if (q->nincludes > 0 && r->form == READ_OBJECTS)
    return neap__include_load(L, LIST_QUERY, LIST_LIST, LIST_JOINED, ctx, list_done);
  return list_done(L, LUA_OK, ctx);
}

#define RESULTS 8  // room for them in a context, beside the form

static int list_sent(lua_State *L, int status, lua_KContext ctx) {
  struct rows *rows = neap__query_sent(L);
  push_reader(L, lua_touserdata(L, LIST_QUERY), LIST_QUERY, (enum read_form)(ctx / RESULTS))->rows = rows;
  return list_go_on(L, status, ctx % RESULTS);
}

int neap__query_read(lua_State *L, enum read_form form, enum read_result result) {
  drop_includes(L, neap__query_check(L, 1), form);
  lua_settop(L, 1);
  return send_select(L, (lua_KContext)form * RESULTS + (lua_KContext)result, list_sent);
}

// ---- Objects from statements of the script's own ----

// The columns of the statement become the selection of the query at index 1.
static void select_named(lua_State *L, struct query *q, struct rows *rows) {
  const struct shape *shape = q->class->shape;
  const struct store_verbs *verbs = q->class->view->store->verbs;
  const struct field **select = lua_newuserdatauv(L, (size_t)(rows->ncells + 1) * sizeof(const struct field *), 0);
  for (int i = 0; i < rows->ncells; i++) {
    const char *name = verbs->column_name(rows, i);
    const struct field *f = NULL;
    for (int k = 0; k < shape->ncells && !f; k++)
      if (strcmp(shape->columns[k]->wire, name) == 0) f = shape->columns[k];
    if (!f)
      neap__fail(L, NEAP_USAGE, "the statement's column '%s' is none of %s; store:sql gives plain rows", name,
                 shape->model);
    select[i] = f;
  }
  q->select = select;
  q->nselect = rows->ncells;
  q->ncounts = 0;
  q->apart = true;
  neap__query_keep(L, 1, QUERY_SELECT);
}

static int sql_started(lua_State *L, int status, lua_KContext ctx) {
  struct query *q = lua_touserdata(L, LIST_QUERY);
  struct rows *rows = lua_touserdata(L, LIST_ROWS);
  (void)status;
  enum rows_state state = rows->next(rows, NULL);
  if (state == ROWS_WAIT) return neap__await(L, LIST_ROWS, ctx, sql_started);
  if (state == ROWS_FAILED) return raise_failure(L, rows);
  select_named(L, q, rows);
  lua_settop(L, LIST_ROWS);
  push_reader(L, q, LIST_QUERY, READ_OBJECTS)->rows = rows;
  return list_go_on(L, LUA_OK, RESULT_LIST);
}

// Post:sql(text, params) -> list of objects
//   text    a statement whose columns bear the names of the model's columns, with ? or :name for values
//   params  a list, or a table by name
int neap__query_sql(lua_State *L) {
  const struct query *q = neap__query_self(L, 1);
  size_t n;
  const char *text = neap__arg_string(L, 2, "text", &n);
  if (!lua_isnoneornil(L, 3)) neap__arg_table(L, 3, "params");
  lua_settop(L, 3);
  struct view *view = neap__view_effective(L, q->class->view);
  if (!view->store->verbs->raw)
    return neap__fail(L, NEAP_UNSUPPORTED, "%s does not speak SQL", view->store->verbs->name);
  view->store->verbs->raw(L, view, q->class, text, n, lua_isnil(L, 3) ? 0 : 3);
  neap__query_clone(L, 1);
  lua_replace(L, 1);
  lua_replace(L, LIST_ROWS);
  lua_settop(L, LIST_ROWS);
  return sql_started(L, LUA_OK, 0);
}

// ---- Streams ----

enum {
  EACH_QUERY = 1,
  EACH_ROWS,
  EACH_READER,
  EACH_CLASS,
  EACH_METATABLE,
  EACH_LIST,
  EACH_OWNERS,
  EACH_JOINED,
  EACH_SIBLINGS
};

static int each_give(lua_State *L, int status, lua_KContext ctx) {
  struct reader *r = lua_touserdata(L, lua_upvalueindex(EACH_READER));
  (void)status;
  (void)ctx;
  if (r->at < r->n)
    lua_rawgeti(L, lua_upvalueindex(EACH_LIST), ++r->at);
  else
    lua_pushnil(L);
  return 1;
}

// The chunk is whole: related objects come with it.
static int each_filled(lua_State *L) {
  const struct query *q = lua_touserdata(L, lua_upvalueindex(EACH_QUERY));
  struct reader *r = lua_touserdata(L, lua_upvalueindex(EACH_READER));
  for (lua_Integer i = r->n + 1; lua_rawgeti(L, lua_upvalueindex(EACH_LIST), i) != LUA_TNIL; i++) {
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_rawseti(L, lua_upvalueindex(EACH_LIST), i);
  }
  lua_settop(L, 0);
  if (q->nincludes == 0 || r->form != READ_OBJECTS || r->n == 0) return each_give(L, LUA_OK, 0);
  lua_pushvalue(L, lua_upvalueindex(EACH_QUERY));
  lua_pushvalue(L, lua_upvalueindex(EACH_LIST));
  lua_pushvalue(L, lua_upvalueindex(EACH_JOINED));
  return neap__include_load(L, 1, 2, 3, 0, each_give);
}

static int each_go_on(lua_State *L, int status, lua_KContext ctx) {
  struct reader *r = lua_touserdata(L, lua_upvalueindex(EACH_READER));
  (void)status;
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(EACH_ROWS));
  lua_pushcfunction(L, fill);
  for (int i = EACH_READER; i <= EACH_SIBLINGS; i++) lua_pushvalue(L, lua_upvalueindex(i));
  lua_call(L, SLOT_SIBLINGS, 1);
  lua_replace(L, lua_upvalueindex(EACH_SIBLINGS));
  switch (r->state) {
    case ROWS_ROW: return r->n < r->max ? neap__pause(L, ctx, each_go_on) : each_filled(L);
    case ROWS_WAIT: return neap__await(L, 1, ctx, each_go_on);
    case ROWS_FAILED: return raise_failure(L, r->rows);
    case ROWS_END: break;
  }
  return each_filled(L);
}

static int each_next(lua_State *L) {
  struct reader *r = lua_touserdata(L, lua_upvalueindex(EACH_READER));
  if (r->at < r->n || r->state != ROWS_ROW) return each_give(L, LUA_OK, 0);
  r->n = r->at = 0;
  neap__join_clear(L, lua_upvalueindex(EACH_JOINED));
  return each_go_on(L, LUA_OK, 0);
}

static int each_sent(lua_State *L, int status, lua_KContext batch) {
  struct rows *rows = neap__query_sent(L);
  const struct query *q = lua_touserdata(L, EACH_QUERY);
  (void)status;
  rows->stream = true;
  rows->batch = batch;
  struct reader *r = push_reader(L, q, EACH_QUERY, neap__query_form(q));
  r->rows = rows;
  r->state = ROWS_ROW;
  r->max = batch > 0 ? batch : BATCH;
  lua_pushnil(L);
  lua_pushvalue(L, EACH_ROWS);
  lua_insert(L, 1);
  lua_pushcclosure(L, each_next, EACH_SIBLINGS);
  lua_insert(L, 1);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_rotate(L, 2, 2);
  return 4;
}

int neap__query_each(lua_State *L, lua_Integer batch) {
  neap__query_check(L, 1);
  lua_settop(L, 1);
  return send_select(L, (lua_KContext)batch, each_sent);
}
