// sql.c: the verbs of the SQL stores: reads, set-based writes, transactions, raw statements.
#include <stdlib.h>
#include <string.h>

#include "model/shape.h"
#include "modules.h"
#include "store/sql_dialect.h"
#include "store/sql_store.h"
#include "value/datetime.h"

// ---- Values ----

enum cell_kind neap__sql_kind(const struct type *type) {
  switch (type->kind) {
    case TYPE_STRING:
    case TYPE_UUID: return CELL_TEXT;
    case TYPE_INTEGER: return CELL_INTEGER;
    case TYPE_NUMBER: return CELL_NUMBER;
    case TYPE_DECIMAL: return CELL_DECIMAL;
    case TYPE_BOOLEAN: return CELL_BOOLEAN;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP: return CELL_DATETIME;
    case TYPE_DATE: return CELL_DATE;
    case TYPE_BYTES:
    case TYPE_BYTESTREAM: return CELL_BYTES;
    case TYPE_JSON:
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_GEOPOINT:
    case TYPE_FILE: return CELL_JSON;
    case TYPE_POINTER:
    case TYPE_COMPUTED: return type->of ? neap__sql_kind(type->of) : CELL_UNLOADED;
    case TYPE_RELATION:
    case TYPE_HAS_ONE:
    case TYPE_HAS_MANY:
    case TYPE_MANY_TO_MANY: return CELL_UNLOADED;
  }
  return CELL_UNLOADED;
}

void neap__sql_cast(struct cell *cell, enum cell_kind kind) {
  int64_t v;
  if (cell->kind == CELL_INTEGER && kind == CELL_BOOLEAN)
    *cell = (struct cell){.i = cell->i != 0, .kind = CELL_BOOLEAN};
  else if (cell->kind == CELL_INTEGER && kind == CELL_NUMBER)
    *cell = (struct cell){.d = (double)cell->i, .kind = CELL_NUMBER};
  else if (cell->kind == CELL_INTEGER && kind == CELL_DATETIME)
    *cell = (struct cell){.i = cell->i * 1000000, .kind = CELL_DATETIME};
  else if (cell->kind == CELL_TEXT && kind == CELL_DATETIME && neap__datetime_parse(cell->p, cell->n, &v))
    *cell = (struct cell){.i = v, .kind = CELL_DATETIME};
  else if (cell->kind == CELL_TEXT && kind == CELL_DATE && neap__date_parse(cell->p, cell->n, &v))
    *cell = (struct cell){.i = v, .kind = CELL_DATE};
  else if (cell->kind == CELL_TEXT && (kind == CELL_JSON || kind == CELL_DECIMAL || kind == CELL_BYTES))
    cell->kind = (uint8_t)kind;
}

bool neap__sql_is_seconds(const struct type *type) {
  return type->kind == TYPE_TIMESTAMP || (type->kind == TYPE_POINTER && type->of && neap__sql_is_seconds(type->of));
}

struct cell neap__sql_value(const struct field *field, struct cell cell) {
  if (cell.kind == CELL_DATETIME && neap__sql_is_seconds(&field->type))
    return (struct cell){.i = cell.i / 1000000, .kind = CELL_INTEGER};
  if (cell.kind == CELL_NULL && neap__sql_kind(&field->type) == CELL_JSON)
    return (struct cell){.p = "null", .n = 4, .kind = CELL_JSON};
  return cell;
}

// ---- Statements from queries ----

void neap__sql_run_take(lua_State *L, struct sql_run *run, struct sql_text *text, int status, struct neap__error *e) {
  if (status != 0) neap__raise(L, e);
  if (neap__sql_failed(text, e) != 0) neap__raise(L, e);
  run->statement.text = text->text;
  run->statement.n = text->n;
  run->statement.params = text->params;
  run->statement.nparams = text->nparams;
  lua_setiuservalue(L, -2, 2);
}

const struct sql_dialect *neap__sql_dialect(const struct view *view) {
  return ((struct sql_store *)view->store)->dialect;
}

static struct rows *sql_select(lua_State *L, struct view *view, const struct query *q) {
  struct neap__error e;
  view = neap__view_effective(L, view);
  bool locks = q->for_update && !view->dry_run;
  struct sql_run *run = neap__sql_run_new(L, view, locks ? USE_WRITE : USE_READ, neap__query_width(q));
  run->statement.nkinds = neap__sql_kinds(q, run->kinds);
  run->statement.rows = q->limit < 0 || q->limit > 1;
  struct sql_text *text = neap__sql_text_new(L, neap__sql_dialect(view), view);
  neap__sql_run_take(L, run, text, neap__sql_select(L, text, view, q, &e), &e);
  return &run->rows;
}

static struct rows *sql_count(lua_State *L, struct view *view, const struct query *q) {
  struct neap__error e;
  view = neap__view_effective(L, view);
  struct sql_run *run = neap__sql_run_new(L, view, USE_READ, 0);
  struct sql_text *text = neap__sql_text_new(L, neap__sql_dialect(view), view);
  neap__sql_run_take(L, run, text, neap__sql_count(L, text, view, q, &e), &e);
  return &run->rows;
}

// In a dry run: logs the set-based write on top of the stack, and gives in its place how many rows it is for.
static struct rows *sql_counted(lua_State *L, struct view *view, const struct query *q) {
  neap__sql_dry_log(lua_touserdata(L, -1));
  lua_pop(L, 1);
  struct sql_run *run = (struct sql_run *)sql_count(L, view, q);
  run->counts = true;
  return &run->rows;
}

static struct rows *sql_update(lua_State *L, struct view *view, const struct query *q, const struct change *sets,
                               int nsets) {
  struct neap__error e;
  view = neap__view_effective(L, view);
  struct sql_run *run = neap__sql_run_new(L, view, USE_WRITE, 0);
  struct sql_text *text = neap__sql_text_new(L, neap__sql_dialect(view), view);
  neap__sql_run_take(L, run, text, neap__sql_update(L, text, view, q, sets, nsets, &e), &e);
  return run->dry ? sql_counted(L, view, q) : &run->rows;
}

static struct rows *sql_remove(lua_State *L, struct view *view, const struct query *q) {
  struct neap__error e;
  view = neap__view_effective(L, view);
  struct sql_run *run = neap__sql_run_new(L, view, USE_WRITE, 0);
  struct sql_text *text = neap__sql_text_new(L, neap__sql_dialect(view), view);
  neap__sql_run_take(L, run, text, neap__sql_remove(L, text, view, q, &e), &e);
  return run->dry ? sql_counted(L, view, q) : &run->rows;
}

// explain -> { sql =, params = }
static void sql_explain(lua_State *L, struct view *view, const struct query *q) {
  struct neap__error e;
  struct sql_text *text = neap__sql_text_new(L, neap__sql_dialect(view), view);
  if (neap__sql_select(L, text, view, q, &e) != 0 || neap__sql_failed(text, &e) != 0) neap__raise(L, &e);
  lua_createtable(L, 0, 2);
  lua_pushlstring(L, text->text, text->n);
  lua_setfield(L, -2, "sql");
  lua_createtable(L, text->nparams, 0);
  for (int i = 0; i < text->nparams; i++) {
    neap__cell_push(L, &text->params[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "params");
  lua_remove(L, -2);
}

// ---- One row by its key: the text is written once a model ----

struct get_text {
  uint64_t names;  // of the wire names' addresses: tells a new shape at the address of an old one
  size_t n;
  int nkinds;
  uint8_t kinds[];  // then the text
};

static uint64_t names_of(const struct shape *shape) {
  uint64_t h = (uint64_t)(uintptr_t)shape->table;
  for (int i = 0; i < shape->ncells; i++)
    h = (h ^ (uint64_t)(uintptr_t)(shape->columns[i]->sql ? shape->columns[i]->sql : shape->columns[i]->wire) ^
         (uint64_t)(uintptr_t)shape->columns[i]->type.own) *
        UINT64_C(0x100000001b3);
  return h;
}

static int write_get(struct sql_text *text, const struct shape *shape, const struct cell *key, struct neap__error *e) {
  neap__sql_add(text, "SELECT ");
  for (int i = 0; i < shape->ncells; i++) {
    const struct field *f = shape->columns[i];
    if (i > 0) neap__sql_add(text, ", ");
    if (i < shape->ncolumns)
      neap__sql_name(text, f->wire), neap__sql_as_text(text, f);
    else if (neap__sql_place_whole(text, 0, &(struct place){.field = f, .type = f->type.of}, e) != 0)
      return -1;
  }
  neap__sql_add(text, " FROM ");
  neap__sql_table(text, shape);
  neap__sql_add(text, " AS t0");
  text->naliases = 1;
  for (int i = 0; i < shape->nkeys; i++) {
    neap__sql_add(text, i == 0 ? " WHERE " : " AND ");
    neap__sql_name(text, shape->keys[i]->wire);
    neap__sql_add(text, " = ");
    neap__sql_bind_field(text, shape->keys[i], &key[i]);
  }
  return 0;
}

// Pushes the text for the shape, from what the views of the store share or made now.
static const struct get_text *get_text(lua_State *L, struct view *view, const struct shape *shape) {
  struct neap__error e;
  uint64_t names = names_of(shape);
  neap__view_shared(L, view);
  lua_rawgetp(L, -1, shape);
  struct get_text *g = lua_touserdata(L, -1);
  if (!g || g->names != names) {
    lua_pop(L, 1);
    struct sql_text *text = neap__sql_text_new(L, neap__sql_dialect(view), view);
    if (write_get(text, shape, (const struct cell[4]){{.kind = CELL_NIL}}, &e) != 0) neap__raise(L, &e);
    if (neap__sql_failed(text, &e) != 0) neap__raise(L, &e);
    g = lua_newuserdatauv(L, sizeof *g + (size_t)shape->ncells + text->n, 0);
    *g = (struct get_text){names, text->n, shape->ncells};
    for (int i = 0; i < shape->ncells; i++) g->kinds[i] = (uint8_t)neap__sql_kind(&shape->columns[i]->type);
    memcpy(g->kinds + g->nkinds, text->text, text->n);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, -4, shape);
    lua_remove(L, -2);
  }
  lua_remove(L, -2);
  return g;
}

// Where a scope counts, the text is written for this time only. The run is on top of the stack.
static void get_scoped(lua_State *L, struct sql_run *run, struct view *view, const struct shape *shape,
                       const struct cell *key) {
  struct neap__error e = {0};
  struct sql_text *text = neap__sql_text_new(L, neap__sql_dialect(view), view);
  int status = write_get(text, shape, key, &e);
  neap__sql_add(text, " AND ");
  if (status == 0) status = neap__sql_condition(L, text, 0, neap__view_scope(view, shape), &e);
  neap__sql_run_take(L, run, text, status, &e);
  for (int i = 0; i < shape->ncells; i++) run->kinds[i] = (uint8_t)neap__sql_kind(&shape->columns[i]->type);
}

static struct rows *sql_get(lua_State *L, struct view *view, const struct class *class, const struct cell *key) {
  const struct shape *shape = class->shape;
  view = neap__view_effective(L, view);
  if (neap__view_scope(view, shape)) {
    struct sql_run *scoped = neap__sql_run_new(L, view, USE_READ, shape->ncells);
    get_scoped(L, scoped, view, shape, key);
    return &scoped->rows;
  }
  struct sql_run *run = neap__sql_run_new(L, view, USE_READ, shape->nkeys * (int)sizeof *key);
  const struct get_text *g = get_text(L, view, shape);
  struct cell *params = (struct cell *)run->kinds;
  for (int i = 0; i < shape->nkeys; i++) params[i] = neap__sql_value(shape->keys[i], key[i]);
  run->statement = (struct sql_statement){.text = (const char *)g->kinds + g->nkinds,
                                          .n = g->n,
                                          .params = params,
                                          .nparams = shape->nkeys,
                                          .kinds = g->kinds,
                                          .nkinds = g->nkinds};
  lua_setiuservalue(L, -2, 2);
  return &run->rows;
}

// ---- Transactions ----

static int begin_ended(struct sql_run *run) {
  run->transaction->connection = run->connection;
  run->transaction->level = 1;
  return 0;
}

static int level_ended(struct sql_run *run) {
  run->transaction->level = run->level - 1;
  if (run->level == 1)
    neap__sql_transaction_end(run->transaction);
  else
    neap__sql_wake(run->store);
  return 0;
}

// A verb of transactions; at a level deeper than 1 of the savepoint that is open there.
static void set_control(struct sql_run *run, const char *verb, int level) {
  if (level > 1)
    snprintf(run->control[0], sizeof run->control[0], "%s s%d", verb, level);
  else
    snprintf(run->control[0], sizeof run->control[0], "%s", verb);
  run->statement.text = run->control[0];
  run->statement.n = strlen(run->control[0]);
  run->statement.control = true;
}

static int transaction_gc(lua_State *L) {
  struct sql_transaction *tx = lua_touserdata(L, 1);
  if (!tx->store || !tx->connection) return 0;
  tx->connection->transport->rollback(tx->connection);
  neap__log(tx->store->head.host, NEAP_LOG_WARN, "a transaction was left without commit or rollback: rolled back");
  neap__sql_transaction_end(tx);
  return 0;
}

#define TRANSACTION_TYPE "neap.sql.transaction"

void neap__sql_transaction_open(lua_State *L) {
  luaL_newmetatable(L, TRANSACTION_TYPE);
  lua_pushcfunction(L, transaction_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

static struct rows *sql_begin(lua_State *L, struct view *view) {
  struct sql_store *s = (struct sql_store *)view->store;
  struct sql_run *run;
  if (view->level > 1) {
    run = neap__sql_run_new(L, view, USE_WRITE, 0);
    run->level--;
    run->opens = true;
    set_control(run, "SAVEPOINT", view->level);
    return &run->rows;
  }
  neap__view_push(L, view);
  struct sql_transaction *tx = lua_newuserdatauv(L, sizeof *tx, 0);
  *tx = (struct sql_transaction){0};
  luaL_setmetatable(L, TRANSACTION_TYPE);
  neap__view_keep(L, -2);
  lua_pop(L, 1);
  tx->store = s;
  tx->task = neap__task_current(s->head.host);
  view->transaction = tx;
  run = neap__sql_run_new(L, view, USE_BEGIN, 0);
  run->at_end = begin_ended;
  set_control(run, s->address.read_only ? "BEGIN" : s->dialect->begin, 0);
  return &run->rows;
}

static struct rows *sql_commit(lua_State *L, struct view *view) {
  struct sql_run *run = neap__sql_run_new(L, view, USE_WRITE, 0);
  run->at_end = level_ended;
  set_control(run, view->level == 1 ? "COMMIT" : "RELEASE", view->level);
  return &run->rows;
}

// A savepoint that there is no memory to roll back takes its transaction with it. In one that is lost nothing is left to do.
static struct rows *roll_back_savepoint(lua_State *L, struct view *view) {
  struct sql_transaction *tx = view->transaction;
  bool lost = tx->lost;
  tx->lost = true;
  struct sql_run *run = neap__sql_run_new(L, view, USE_WRITE, 0);
  tx->lost = lost;
  if (tx->store && tx->level > view->level) tx->level = view->level;  // what was open inside goes with it
  run->at_end = level_ended;
  run->lenient = true;
  set_control(run, lost ? "SELECT 1 WHERE 0" : "ROLLBACK TO", lost ? 0 : view->level);
  if (!lost) {
    snprintf(run->control[1], sizeof run->control[1], "RELEASE s%d", view->level);
    run->second = run->control[1];
  }
  return &run->rows;
}

static struct rows *sql_rollback(lua_State *L, struct view *view) {
  struct sql_transaction *tx = view->transaction;
  if (view->level > 1) return roll_back_savepoint(L, view);
  if (tx->store && tx->connection && !view->dry_run) tx->connection->transport->rollback(tx->connection);
  neap__sql_transaction_end(tx);
  return NULL;
}

// ---- Statements of the script's own ----

static const char *sql_column_name(struct rows *rows, int i) {
  struct sql_run *run = (struct sql_run *)rows;
  return run->cursor ? run->cursor->connection->transport->column_name(run->cursor, i) : NULL;
}

// ---- Channels ----

static struct rows *sql_listen(lua_State *L, struct view *view, const char *channel) {
  struct neap__error e;
  struct sql_run *run = neap__sql_run_new(L, view, USE_RAW, 0);
  struct sql_text *text = neap__sql_text_new(L, neap__sql_dialect(view), view);
  neap__sql_add(text, "LISTEN ");
  neap__sql_name(text, channel);
  neap__sql_run_take(L, run, text, 0, &e);
  run->statement.control = run->statement.listens = true;
  return &run->rows;
}

// ---- COPY ----

// libpq does it outside of pipelines, where nothing else can be in the transaction of a single statement: behind a fence it is
// given one of its own.
static struct rows *sql_copy(lua_State *L, struct view *view, const char *text, size_t n, bool in) {
  struct sql_run *run = neap__sql_run_new(L, view, USE_RAW, 0);
  run->rows.stream = true;
  run->statement = (struct sql_statement){.text = text, .n = n, .control = true, .copy = in ? COPY_IN : COPY_OUT};
  run->wrapped = view->dry_run ? !in : !view->transaction && neap__fence_at(view->fence, view->store->place) != NULL;
  if (run->wrapped) run->second = "COMMIT";
  return &run->rows;
}

static void sql_put(struct rows *rows, const char *p, size_t n) {
  struct sql_run *run = (struct sql_run *)rows;
  if (run->cursor) run->cursor->connection->transport->put(run->cursor, p, n);
}

// ---- What the two databases can do ----

// What both databases can do. PostgreSQL's verbs are the same functions: the store's dialect and driver differ.
#define SQL_CAPABILITIES                                                                                    \
  (CAN_TRANSACTIONS | CAN_SAVEPOINTS | CAN_JOINS | CAN_AGGREGATES | CAN_CONDITIONS | CAN_SQL | CAN_UNIQUE | \
   CAN_RETURNING)
#define SQL_VERBS                                                                                       \
  .select = sql_select, .count = sql_count, .update = sql_update, .remove = sql_remove, .get = sql_get, \
  .write = neap__sql_write, .begin = sql_begin, .commit = sql_commit, .rollback = sql_rollback,         \
  .explain = sql_explain, .raw = neap__sql_raw, .column_name = sql_column_name, .close = neap__sql_store_close

const struct store_verbs neap__sql_verbs_postgres = {
    .name = "postgres",
    .capabilities = SQL_CAPABILITIES | CAN_FOR_UPDATE | CAN_CHANNELS | CAN_COPY,
    .waits = true,
    SQL_VERBS,
    .listen = sql_listen,
    .copy = sql_copy,
    .put = sql_put};

const struct store_verbs neap__sql_verbs_sqlite = {.name = "sqlite", .capabilities = SQL_CAPABILITIES, SQL_VERBS};
