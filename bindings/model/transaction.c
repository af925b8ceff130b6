// transaction.c: the steps of a transaction, raw statements, channels, COPY and closing; control flow is in lua/neap/store.lua.
#include <stdio.h>

#include "model/save.h"

// True when the rows on top of the stack have ended, and pops them; false when they have to be waited for. Raises what
// went wrong.
static bool ended(lua_State *L) {
  struct rows *rows = lua_touserdata(L, -1);
  enum rows_state state = rows->next(rows, NULL);
  if (state == ROWS_ROW) state = rows->next(rows, NULL);
  if (state == ROWS_WAIT) return false;
  struct neap__error e = rows->error;
  rows->close(rows);
  if (state == ROWS_FAILED) neap__raise(L, &e);
  lua_closeslot(L, -1);  // lua_pop would do, but Lua 5.4.4 goes on with a stack that closing may have moved
  lua_pop(L, 1);
  return true;
}

static int begun(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  if (!ended(L)) return neap__await(L, lua_gettop(L), ctx, begun);
  lua_pushvalue(L, -1);
  lua_setfield(L, 2, "tx");
  return 1;
}

// A transaction inside another one is part of that.
static void read_options(lua_State *L, struct view *tx) {
  bool reads = lua_toboolean(L, 3), given = reads || !lua_isnoneornil(L, 4);
  if (!given) return;
  if (!(tx->store->verbs->capabilities & CAN_CHECKS))
    neap__fail(L, NEAP_UNSUPPORTED,
               "token and mode are for stores that write when a transaction commits; %s has its own",
               tx->store->verbs->name);
  if (tx->level > 1)
    neap__fail(L, NEAP_USAGE,
               "a transaction inside another one is sent with that: token and mode are for the outer one");
  tx->reads = reads;
  if (lua_isnoneornil(L, 4)) return;
  tx->token = lua_tostring(L, 4);
  lua_pushvalue(L, 4);
  neap__view_keep(L, -2);
}

// view.begin(view, ending, reads, token) -> view of the transaction, or of a savepoint inside the one that counts here
//   It is ending.tx already: a task may be stopped between any two instructions.
int neap__view_begin(lua_State *L) {
  struct view *parent = neap__view_effective(L, neap__view_check(L, 1));
  if (!(parent->store->verbs->capabilities & CAN_TRANSACTIONS))
    return neap__fail(L, NEAP_UNSUPPORTED, "%s has no transactions", parent->store->verbs->name);
  lua_settop(L, 4);
  struct view *tx = neap__view_child(L, parent);
  tx->level = parent->level + 1;
  read_options(L, tx);
  tx->store->verbs->begin(L, tx);
  lua_toclose(L, -1);
  return begun(L, LUA_OK, 0);
}

// The row as it is, by the names of its fields.
static void push_old(lua_State *L, const struct refusal *r) {
  lua_createtable(L, 0, r->shape->ncolumns);
  for (int i = 0; i < r->shape->ncolumns; i++) {
    const struct field *f = r->shape->columns[i];
    bool pointer = f->type.kind == TYPE_POINTER;
    if (r->old[i].kind == CELL_NIL || i == r->shape->open) continue;
    neap__type_push(L, pointer ? f->type.of : &f->type, &r->old[i]);
    lua_setfield(L, -2, pointer ? f->wire : f->name);
  }
}

// Pushes { index =, object =, error =, old = } of what is to blame.
static void push_refusal(lua_State *L, const struct view *tx, struct refusal *r) {
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, r->number);
  lua_setfield(L, -2, "index");
  neap__view_push_numbered(L, tx, r->number);
  if (neap__object_test(L, -1)) neap__save_describe(L, lua_gettop(L), r->shape, &r->error);
  lua_setfield(L, -2, "object");
  neap__error_push(L, &r->error);
  lua_setfield(L, -2, "error");
  if (!r->old) return;
  push_old(L, r);
  lua_setfield(L, -2, "old");
}

// Raises what commit has failed with. e.errors says whose fault it is.
static int raise_refusals(lua_State *L, const struct view *tx, struct rows *rows) {
  struct neap__error e = rows->error;
  struct refusal r;
  bool named = false;
  int n = 0;
  lua_newtable(L);
  while (tx->store->verbs->refused && tx->store->verbs->refused(rows, n, &r)) {
    push_refusal(L, tx, &r);
    lua_rawseti(L, -2, ++n);
    if (r.error.kind == e.kind && !named)
      snprintf(e.message, sizeof e.message, "nothing was written: %.440s", r.error.message);
    named |= r.error.kind == e.kind;
  }
  rows->close(rows);
  neap__error_push(L, &e);
  lua_insert(L, -2);
  if (n > 0)
    lua_setfield(L, -2, "errors");
  else
    lua_pop(L, 1);
  return lua_error(L);
}

static int committed(lua_State *L, int status, lua_KContext ctx) {
  struct view *tx = lua_touserdata(L, 1);
  struct rows *rows = lua_touserdata(L, 2);
  (void)status;
  enum rows_state state = rows->next(rows, NULL);
  if (state == ROWS_ROW) state = rows->next(rows, NULL);
  if (state == ROWS_WAIT) return neap__await(L, 2, ctx, committed);
  if (state == ROWS_FAILED) return raise_refusals(L, tx, rows);
  rows->close(rows);
  lua_closeslot(L, 2);
  tx->dead = true;
  return 0;
}

// view.commit(tx)
int neap__view_commit(lua_State *L) {
  struct view *tx = neap__view_check(L, 1);
  lua_settop(L, 1);
  if (tx->dead) return neap__fail(L, NEAP_USAGE, "the transaction has ended already");
  tx->store->verbs->commit(L, tx);
  lua_toclose(L, 2);
  return committed(L, LUA_OK, 0);
}

static int rolled_back(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  return ended(L) ? 0 : neap__await(L, lua_gettop(L), ctx, rolled_back);
}

// view.rollback(tx)
//   Harmless when it has ended. Objects are as they were before it, whatever the database says.
int neap__view_rollback(lua_State *L) {
  struct view *tx = neap__view_test(L, 1);
  lua_settop(L, 1);
  if (!tx || tx->dead) return 0;
  tx->dead = true;
  neap__view_undo(L, tx);
  if (tx->store->closed || !tx->transaction) return 0;
  if (!tx->store->verbs->rollback(L, tx)) return 0;
  lua_toclose(L, -1);
  return rolled_back(L, LUA_OK, 0);
}

// store:close()
//   Harmless when it is closed. What is open is rolled back.
int neap__view_close(lua_State *L) {
  struct view *v = neap__view_test(L, 1);
  if (!v) return neap__fail(L, NEAP_USAGE, "a store was expected, not %s", neap__show_value(L, 1).text);
  if (!v->store->closed) v->store->verbs->close(v->store);
  v->store->closed = true;
  return 0;
}

// ---- Raw statements ----

enum { RAW_ROWS = 4, RAW_CELLS, RAW_NAMES, RAW_LIST };  // stack of store:sql

// Starts the statement in the arguments: a view, a text, and values or nil. Its rows are at RAW_ROWS.
static struct rows *raw_begin(lua_State *L) {
  struct view *v = neap__view_effective(L, neap__view_check(L, 1));
  size_t n;
  const char *text = neap__arg_string(L, 2, "text", &n);
  if (!(v->store->verbs->capabilities & CAN_SQL))
    neap__fail(L, NEAP_UNSUPPORTED, "%s has no SQL; use queries", v->store->verbs->name);
  if (!lua_isnoneornil(L, 3)) neap__arg_table(L, 3, "params");
  lua_settop(L, 3);
  return v->store->verbs->raw(L, v, NULL, text, n, lua_istable(L, 3) ? 3 : 0);
}

static void push_names(lua_State *L, const struct view *v, struct rows *rows) {
  lua_createtable(L, rows->ncells, 0);
  for (int i = 0; i < rows->ncells; i++) {
    lua_pushstring(L, v->store->verbs->column_name(rows, i));
    lua_rawseti(L, -2, i + 1);
  }
}

// Once the columns are known: room for a row, and the names of its columns.
static void raw_started(lua_State *L, struct view *v, struct rows *rows) {
  lua_newuserdatauv(L, (size_t)(rows->ncells ? rows->ncells : 1) * sizeof(struct cell), 0);
  push_names(L, v, rows);
  lua_newtable(L);
}

static void raw_row(lua_State *L, const struct rows *rows, const struct cell *cells, lua_Integer at) {
  lua_createtable(L, 0, rows->ncells);
  for (int i = 0; i < rows->ncells; i++) {
    lua_rawgeti(L, RAW_NAMES, i + 1);
    neap__cell_push(L, &cells[i]);
    lua_rawset(L, -3);
  }
  lua_rawseti(L, RAW_LIST, at);
}

static int raw_go_on(lua_State *L, int status, lua_KContext ctx) {
  struct view *v = lua_touserdata(L, 1);
  struct rows *rows = lua_touserdata(L, RAW_ROWS);
  enum rows_state state = ROWS_ROW;
  (void)status;
  if (lua_gettop(L) == RAW_ROWS && (state = rows->next(rows, NULL)) == ROWS_ROW) raw_started(L, v, rows);
  struct cell *cells = lua_touserdata(L, RAW_CELLS);
  while (state == ROWS_ROW && (state = rows->next(rows, cells)) == ROWS_ROW) {
    raw_row(L, rows, cells, ++ctx);
    if (neap__should_pause(L, 1)) return neap__pause(L, ctx, raw_go_on);
  }
  if (state == ROWS_WAIT) return neap__await(L, RAW_ROWS, ctx, raw_go_on);
  struct neap__error e = rows->error;
  rows->close(rows);
  if (state == ROWS_FAILED) return neap__raise(L, &e);
  if (rows->ncells == 0) lua_pushinteger(L, rows->changed);
  return 1;
}

// store:sql(text, params) -> rows (plain tables), or the number of rows changed where the statement gives no rows
//   text    one statement, with ? or :name for values
//   params  a list, or a table by name
int neap__view_sql(lua_State *L) {
  raw_begin(L);
  lua_toclose(L, RAW_ROWS);
  return raw_go_on(L, LUA_OK, 0);
}

static int streamed(lua_State *L, int status, lua_KContext ctx) {
  struct view *v = lua_touserdata(L, 1);
  struct rows *rows = lua_touserdata(L, RAW_ROWS);
  enum rows_state state;
  (void)status;
  do state = rows->next(rows, NULL);  // to its end, if it gives no rows
  while (state == ROWS_ROW && rows->ncells == 0);
  if (state == ROWS_WAIT) return neap__await(L, RAW_ROWS, ctx, streamed);
  struct neap__error e = rows->error;
  if (state == ROWS_FAILED) return rows->close(rows), neap__raise(L, &e);
  if (rows->ncells == 0) return lua_pushinteger(L, rows->changed), 2;
  push_names(L, v, rows);
  return 2;
}

// view.stream(view, text, params) -> rows, the names of their columns in order
//   Where the statement gives no rows: the number of rows changed instead of names.
int neap__view_stream(lua_State *L) {
  raw_begin(L)->stream = true;
  return streamed(L, LUA_OK, 0);
}

static int fetched(lua_State *L, int status, lua_KContext ctx) {
  struct rows *rows = lua_touserdata(L, 1);
  struct cell *cells = lua_touserdata(L, 2);
  (void)status;
  switch (rows->next(rows, cells)) {
    case ROWS_WAIT: return neap__await(L, 1, ctx, fetched);
    case ROWS_FAILED: return neap__raise(L, &rows->error);
    case ROWS_END: return 0;
    case ROWS_ROW: break;
  }
  lua_createtable(L, rows->ncells, 0);
  for (int i = 0; i < rows->ncells; i++) {
    neap__cell_push(L, &cells[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

// view.fetch(rows) -> the next row, its values by their columns' places; nil at the end
int neap__view_fetch(lua_State *L) {
  struct rows *rows = lua_touserdata(L, 1);
  lua_settop(L, 1);
  lua_newuserdatauv(L, (size_t)(rows->ncells ? rows->ncells : 1) * sizeof(struct cell), 0);
  return fetched(L, LUA_OK, 0);
}

// ---- Channels ----

static int listens(lua_State *L, int status, lua_KContext ctx) {
  struct rows *rows = lua_touserdata(L, 3);
  (void)status;
  switch (rows->next(rows, NULL)) {
    case ROWS_WAIT: return neap__await(L, 3, ctx, listens);
    case ROWS_FAILED: return neap__raise(L, &rows->error);
    case ROWS_END:
    case ROWS_ROW: break;
  }
  return 1;
}

// view.listen(view, channel) -> rows, when the server listens
int neap__view_listen(lua_State *L) {
  struct view *v = neap__view_effective(L, neap__view_check(L, 1));
  const char *channel = neap__arg_string(L, 2, "channel", NULL);
  if (v->transaction)
    return neap__fail(L, NEAP_USAGE, "notifications come when a transaction has ended; listen outside of it");
  lua_settop(L, 2);
  v->store->verbs->listen(L, v, channel);
  return listens(L, LUA_OK, 0);
}

static int heard(lua_State *L, int status, lua_KContext ctx) {
  struct rows *rows = lua_touserdata(L, 1);
  struct cell cells[3];
  static const char *const names[] = {"channel", "payload", "process"};
  (void)status;
  switch (rows->next(rows, cells)) {
    case ROWS_WAIT: return neap__await(L, 1, ctx, heard);
    case ROWS_FAILED: return neap__raise(L, &rows->error);
    case ROWS_END: return 0;
    case ROWS_ROW: break;
  }
  lua_createtable(L, 0, 3);
  for (int i = 0; i < 3; i++) {
    neap__cell_push(L, &cells[i]);
    lua_setfield(L, -2, names[i]);
  }
  return 1;
}

// view.hear(rows, wait) -> { channel =, payload =, process = }
//   Waits for the next one, `wait` seconds at most (nil: without end), then raises `timeout`.
int neap__view_hear(lua_State *L) {
  struct rows *rows = lua_touserdata(L, 1);
  rows->op.deadline = 0;
  if (!lua_isnoneornil(L, 2)) neap__op_limit(&rows->op, neap__arg_seconds(L, 2, "wait"));
  lua_settop(L, 1);
  return heard(L, LUA_OK, 0);
}

// ---- COPY ----

// view.copy(view, text, in) -> rows, when the server gives or takes data
int neap__view_copy(lua_State *L) {
  struct view *v = neap__view_effective(L, neap__view_check(L, 1));
  size_t n;
  const char *text = neap__arg_string(L, 2, "text", &n);
  bool in = lua_toboolean(L, 3);
  lua_settop(L, 2);
  v->store->verbs->copy(L, v, text, n, in);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 3, 2);
  return listens(L, LUA_OK, 0);
}

static int copied(lua_State *L, int status, lua_KContext ctx) {
  struct rows *rows = lua_touserdata(L, 1);
  struct cell cell;
  (void)status;
  switch (rows->next(rows, &cell)) {
    case ROWS_WAIT: return neap__await(L, 1, ctx, copied);
    case ROWS_FAILED: return neap__raise(L, &rows->error);
    case ROWS_END: return 0;
    case ROWS_ROW: lua_pushlstring(L, cell.p, cell.n); break;
  }
  return 1;
}

// view.copied(rows) -> the next row, nil at the end
int neap__view_copied(lua_State *L) {
  lua_settop(L, 1);
  return copied(L, LUA_OK, 0);
}

#define PIECE 65536  // bytes of a text that are given at once

// The context is how much of the text has been given, -1 once there is nothing more to give.
static int put(lua_State *L, int status, lua_KContext ctx) {
  struct rows *rows = lua_touserdata(L, 1);
  const struct view *v = lua_touserdata(L, 2);
  struct cell none;
  size_t n = 0;
  const char *text = lua_tolstring(L, 3, &n);
  enum rows_state state;
  (void)status;
  while ((state = rows->next(rows, &none)) == ROWS_ROW) {
    size_t left = text && ctx >= 0 ? n - (size_t)ctx : 0, piece = left < PIECE ? left : PIECE;
    if (text && left == 0) return 0;
    v->store->verbs->put(rows, text ? text + ctx : NULL, piece);
    ctx += (lua_KContext)piece;
  }
  if (state == ROWS_WAIT) return neap__await(L, 1, ctx, put);
  if (state == ROWS_FAILED) return neap__raise(L, &rows->error);
  lua_pushinteger(L, rows->changed);
  return 1;
}

// view.put(rows, view, text): gives a COPY the text; nil: that was all, and returns how many rows that were
int neap__view_put(lua_State *L) {
  lua_settop(L, 3);
  return put(L, LUA_OK, 0);
}
