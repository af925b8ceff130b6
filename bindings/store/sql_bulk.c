// sql_bulk.c: writes of many objects: one transaction, a prepared statement for each run of like ones, an answer for each.
//
// A statement that fails undoes itself and nothing else, so those that succeed stand. The machine below goes through
// BEGIN, the statements, COMMIT and the answers; where a driver has to wait it stops and goes on when next() is called again.
#include <stdlib.h>
#include <string.h>

#include "store/sql_store.h"
#include "transport/spool.h"

enum phase { PHASE_BEGIN, PHASE_WRITE, PHASE_SECOND, PHASE_EXISTS, PHASE_COMMIT, PHASE_ROLLBACK, PHASE_ANSWER };

enum outcome { OUTCOME_NONE, OUTCOME_ABSENT, OUTCOME_DONE, OUTCOME_WAS_THERE, OUTCOME_FAILED };

struct failure {
  struct failure *next;
  int at;
  struct neap__error error;
};

struct item {
  const struct sql_text *text;    // like ones share it
  const struct sql_text *second;  // UPSERT: when the row is there. Guarded writes: whether it is there
  bool own;                       // the parameters are those of the text
  uint8_t outcome;
};

// User value 3 of the run.
struct bulk {
  struct sql_run *run;
  const struct shape *shape;
  const struct write *writes;
  int n, at;
  enum phase phase;
  bool own_transaction;
  struct sql_transaction tx;  // it
  bool open;                  // the database is in a transaction, this one or the caller's
  struct spool answers;
  struct failure *failures, **last_failure;
  struct cell *params;  // of the statement that runs
  struct cell *cells;   // of the row that it returns
  uint8_t *kinds;       // of the columns that it returns
  struct item items[];
};

static bool has_bit(const uint64_t *bits, int i) {
  return bits && (bits[i / 64] >> (i % 64) & 1);
}

// ---- Before: the texts ----

static bool same_bits(const uint64_t *a, const uint64_t *b, int n) {
  return a == b || (a && b && memcmp(a, b, (size_t)(n + 63) / 64 * sizeof *a) == 0);
}

// Arrays are text that the statement owns.
static bool has_arrays(const struct sql_dialect *dialect, const struct shape *shape, const struct write *w) {
  for (int i = 0; dialect->arrays && i < shape->ncolumns; i++)
    if ((has_bit(w->columns, i) || has_bit(w->expected, i)) && neap__sql_is_array(dialect, &shape->columns[i]->type))
      return true;
  return false;
}

static bool alone(const struct bulk *b, const struct write *w) {
  return w->condition || w->nchanges > 0 || w->kind == WRITE_UPSERT || has_arrays(b->run->store->dialect, b->shape, w);
}

// Whether the two have the same text and differ in values only.
static bool alike(const struct bulk *bulk, const struct write *a, const struct write *b) {
  const struct shape *shape = bulk->shape;
  return a->kind == b->kind && !alone(bulk, a) && !alone(bulk, b) &&
         same_bits(a->columns, b->columns, shape->ncolumns) && same_bits(a->expected, b->expected, shape->ncolumns) &&
         same_bits(a->returning, b->returning, shape->ncolumns);
}

static int write_text(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                      struct neap__error *e) {
  switch (w->kind) {
    case WRITE_INSERT:
    case WRITE_UPSERT: neap__sql_insert(s, shape, w); return 0;
    case WRITE_UPDATE: return neap__sql_update_one(L, s, shape, w, e);
    case WRITE_DELETE: return neap__sql_delete_one(L, s, shape, w, e);
  }
  return 0;
}

static bool guarded(const struct write *w) {
  return w->kind != WRITE_INSERT && w->kind != WRITE_UPSERT && (w->condition || w->expected);
}

// Pushes a text, kept in the list at `texts`. Pops it again.
static struct sql_text *new_text(lua_State *L, struct view *view, int texts) {
  struct sql_text *s = neap__sql_text_new(L, ((struct sql_store *)view->store)->dialect, view);
  lua_rawseti(L, texts, (lua_Integer)lua_rawlen(L, texts) + 1);
  return s;
}

static void check_text(lua_State *L, const struct sql_text *s, int status, struct neap__error *e) {
  if (status != 0 || neap__sql_failed(s, e) != 0) neap__raise(L, e);
}

static void write_texts(lua_State *L, struct bulk *b, struct view *view, int texts) {
  struct neap__error e;
  for (int i = 0; i < b->n; i++) {
    const struct write *w = &b->writes[i];
    struct item *item = &b->items[i];
    item->own = alone(b, w);
    if (i > 0 && alike(b, w, w - 1)) {
      item->text = item[-1].text;
    } else {
      struct sql_text *s = new_text(L, view, texts);
      check_text(L, s, write_text(L, s, b->shape, w, &e), &e);
      item->text = s;
    }
    if (w->kind != WRITE_UPSERT && !guarded(w)) continue;
    struct sql_text *second = new_text(L, view, texts);
    item->second = second;
    if (w->kind == WRITE_UPSERT)
      check_text(L, second, neap__sql_update_conflict(L, second, b->shape, w, &e), &e);
    else
      neap__sql_exists(second, b->shape, w->key), check_text(L, second, 0, &e);
  }
}

// ---- One statement ----

static int add_cells(struct bulk *b, int n, const uint64_t *bits, const struct cell *cells) {
  for (int i = 0; i < b->shape->ncolumns; i++)
    if (has_bit(bits, i)) b->params[n++] = neap__sql_value(b->shape->columns[i], *cells++);
  return n;
}

// Values in the order in which sql_write.c binds them.
static int gather(struct bulk *b, const struct write *w) {
  int n = w->kind == WRITE_DELETE ? 0 : add_cells(b, 0, w->columns, w->cells);
  if (w->kind == WRITE_INSERT) return n;
  for (int i = 0; i < b->shape->nkeys; i++) b->params[n++] = neap__sql_value(b->shape->keys[i], w->key[i]);
  return add_cells(b, n, w->expected, w->expected_cells);
}

static int returned(const struct bulk *b, const struct write *w) {
  int n = 0;
  if (neap__sql_serial(b->shape, w) && b->run->store->dialect->returns_key) b->kinds[n++] = CELL_INTEGER;
  for (int i = 0; i < b->shape->ncolumns; i++)
    if (has_bit(w->returning, i)) b->kinds[n++] = (uint8_t)neap__sql_kind(&b->shape->columns[i]->type);
  return n;
}

static bool start_text(struct bulk *b, const struct sql_text *s, const struct cell *params, int nparams) {
  struct sql_run *run = b->run;
  const struct write *w = &b->writes[b->at];
  run->statement = (struct sql_statement){
      .text = s->text, .n = s->n, .params = params, .nparams = nparams, .kinds = b->kinds, .nkinds = returned(b, w)};
  run->cursor = run->connection->transport->start(run->connection, &run->statement, &run->rows.op, &run->rows.error);
  return run->cursor != NULL;
}

static bool start_control(struct bulk *b, const char *text) {
  struct sql_run *run = b->run;
  run->statement = (struct sql_statement){.text = text, .n = strlen(text), .control = true};
  run->cursor = run->connection->transport->start(run->connection, &run->statement, &run->rows.op, &run->rows.error);
  return run->cursor != NULL;
}

static bool start(struct bulk *b) {
  const struct item *item = &b->items[b->at];
  switch (b->phase) {
    case PHASE_BEGIN: return start_control(b, b->run->store->dialect->begin);
    case PHASE_COMMIT: return start_control(b, "COMMIT");
    case PHASE_ROLLBACK: return start_control(b, "ROLLBACK");
    case PHASE_WRITE:
      if (item->own) return start_text(b, item->text, item->text->params, item->text->nparams);
      return start_text(b, item->text, b->params, gather(b, &b->writes[b->at]));
    case PHASE_SECOND:
    case PHASE_EXISTS: return start_text(b, item->second, item->second->params, item->second->nparams);
    case PHASE_ANSWER: return false;
  }
  return false;
}

// ---- Outcomes ----

static void next_item(struct bulk *b) {
  b->phase = ++b->at < b->n ? PHASE_WRITE : b->own_transaction ? PHASE_COMMIT : PHASE_ANSWER;
  if (b->phase != PHASE_WRITE) b->at = 0;
}

static void fail_whole(struct bulk *b) {
  bool open = b->own_transaction && b->phase != PHASE_BEGIN && b->open;
  b->run->rows.whole = true;
  b->phase = open ? PHASE_ROLLBACK : PHASE_ANSWER;
}

// Faults that are not of one object: what the database has given up altogether, what was stopped, what has no room.
static bool fatal(const struct bulk *b) {
  const struct neap__error *e = &b->run->rows.error;
  if (b->phase == PHASE_BEGIN || b->phase == PHASE_COMMIT) return true;
  if (b->run->transaction && !b->open) {
    b->run->transaction->lost = true;
    return true;
  }
  return e->kind == NEAP_CANCELLED || e->kind == NEAP_TIMEOUT || e->kind == NEAP_SERVER || e->kind == NEAP_LIMIT ||
         e->retryable;
}

static void fail_item(struct bulk *b) {
  struct failure *f = b->phase == PHASE_ROLLBACK || fatal(b) ? NULL : malloc(sizeof *f);
  if (b->phase == PHASE_ROLLBACK) {
    b->run->connection->transport->rollback(b->run->connection);
    b->phase = PHASE_ANSWER;
    return;
  }
  if (!f) {
    fail_whole(b);
    return;
  }
  *f = (struct failure){.at = b->at, .error = b->run->rows.error};
  *b->last_failure = f;
  b->last_failure = &f->next;
  b->items[b->at].outcome = OUTCOME_FAILED;
  next_item(b);
}

static void keep_answer(struct bulk *b, int ncells) {
  if (ncells > 0 && !neap__spool_add(&b->answers, b->cells, ncells)) {
    neap__error_set(&b->run->rows.error, NEAP_LIMIT, "memory is short");
    b->run->rows.error.unknown = !neap__sql_in_transaction(b->run);  // by itself it may have been committed
    fail_whole(b);
  }
}

// A write that changed nothing: gone, or its conditions are not met.
static void unmet(struct bulk *b, enum neap__kind kind) {
  const struct write *w = &b->writes[b->at];
  if (w->kind == WRITE_DELETE && !w->condition && !w->expected) {
    b->items[b->at].outcome = OUTCOME_ABSENT;
    next_item(b);
    return;
  }
  neap__error_set(&b->run->rows.error, kind, kind == NEAP_CONDITION ? "the condition is not met" : "it is not there");
  fail_item(b);
}

static void written(struct bulk *b, bool row, int64_t changed) {
  const struct write *w = &b->writes[b->at];
  struct item *item = &b->items[b->at];
  if (!row && changed == 0) {
    if (w->kind == WRITE_UPSERT && b->phase == PHASE_WRITE)
      b->phase = PHASE_SECOND;
    else if (w->kind == WRITE_UPSERT)
      unmet(b, NEAP_CONDITION);
    else if (item->second)
      b->phase = PHASE_EXISTS;
    else
      unmet(b, NEAP_NOT_FOUND);
    return;
  }
  item->outcome = b->phase == PHASE_SECOND ? OUTCOME_WAS_THERE : OUTCOME_DONE;
  if (neap__sql_serial(b->shape, w) && !b->run->store->dialect->returns_key) {
    struct sql_connection *c = b->run->connection;
    b->cells[0] = (struct cell){.i = c->transport->last_id(c), .kind = CELL_INTEGER};
    keep_answer(b, 1);
  }
  if (b->phase != PHASE_ROLLBACK && b->phase != PHASE_ANSWER) next_item(b);
}

static void step_done(struct bulk *b, bool row, int64_t changed) {
  switch (b->phase) {
    case PHASE_BEGIN: b->phase = PHASE_WRITE; break;
    case PHASE_WRITE:
    case PHASE_SECOND: written(b, row, changed); break;
    case PHASE_EXISTS: unmet(b, row ? NEAP_CONDITION : NEAP_NOT_FOUND); break;
    case PHASE_COMMIT:
    case PHASE_ROLLBACK: b->phase = PHASE_ANSWER; break;
    case PHASE_ANSWER: break;
  }
}

// Runs the statement of the present phase to its end and decides what comes next. ROWS_ROW: go on.
static enum rows_state step(struct bulk *b, bool *row) {
  struct sql_run *run = b->run;
  const struct sql_transport *t = run->connection->transport;
  enum rows_state state = ROWS_FAILED;
  if (run->cursor || start(b)) {
    while ((state = t->next(run->cursor, b->cells, &run->rows.error)) == ROWS_ROW) {
      *row = true;
      if (b->phase != PHASE_EXISTS) keep_answer(b, run->cursor->ncells);
      if (run->rows.whole) break;
    }
    if (state == ROWS_WAIT) return state;
  }
  int64_t changed = run->cursor ? run->cursor->changed : 0;
  b->open = neap__sql_in_transaction(run);
  if (run->cursor) t->finish(run->cursor);
  run->cursor = NULL;
  bool had = *row;
  *row = false;
  if (state == ROWS_FAILED)
    fail_item(b);
  else if (state == ROWS_END)
    step_done(b, had, changed);
  return ROWS_ROW;
}

// ---- Answers ----

static enum rows_state answer(struct bulk *b, struct cell *cells) {
  struct rows *rows = &b->run->rows;
  if (b->at == b->n) return ROWS_END;
  const struct item *item = &b->items[b->at];
  const struct write *w = &b->writes[b->at++];
  rows->changed = item->outcome == OUTCOME_WAS_THERE ? 2 : item->outcome == OUTCOME_DONE;
  if (item->outcome == OUTCOME_FAILED) {
    struct failure *f = b->failures;
    rows->error = f->error;
    b->failures = f->next;
    free(f);
    return ROWS_FAILED;
  }
  rows->ncells = item->outcome == OUTCOME_ABSENT ? 0 : neap__sql_serial(b->shape, w) ? 1 : returned(b, w);
  if (rows->ncells > 0) neap__spool_next(&b->answers, cells, rows->ncells);
  return ROWS_ROW;
}

static enum rows_state bulk_next(struct rows *rows, struct cell *cells) {
  struct sql_run *run = (struct sql_run *)rows;
  struct bulk *b = run->more;
  enum rows_state state;
  if (!run->store) return ROWS_END;
  if (!run->connection && b->phase != PHASE_ANSWER) {
    if ((state = neap__sql_run_lease(run)) == ROWS_WAIT) return state;
    if (state == ROWS_FAILED) {
      rows->whole = true;
      return state;
    }
  }
  while (b->phase != PHASE_ANSWER) {
    if ((state = step(b, &run->row)) != ROWS_ROW) return state;
    if (b->phase != PHASE_ANSWER) continue;
    neap__spool_rewind(&b->answers);
    neap__sql_transaction_end(&b->tx);
  }
  return rows->whole ? ROWS_FAILED : answer(b, cells);
}

static void bulk_close(struct rows *rows) {
  struct sql_run *run = (struct sql_run *)rows;
  struct bulk *b = run->more;
  if (!run->store) return;
  bool open = b->own_transaction && b->phase != PHASE_ANSWER && run->connection;
  struct sql_connection *c = run->connection;
  neap__spool_free(&b->answers);
  for (struct failure *f; (f = b->failures) != NULL; free(f)) b->failures = f->next;
  if (run->cursor) c->transport->finish(run->cursor);
  run->cursor = NULL;
  if (open) c->transport->rollback(c);
  neap__sql_run_close(rows);
}

static struct bulk *bulk_new(lua_State *L, struct sql_run *run, const struct shape *shape, int n) {
  size_t cells = (size_t)shape->ncolumns * 3 + 8, items = sizeof(struct bulk) + (size_t)n * sizeof(struct item);
  struct bulk *b = lua_newuserdatauv(L, items + cells * sizeof(struct cell) + (size_t)shape->ncolumns + 1, 0);
  memset(b, 0, items);
  b->run = run;
  b->shape = shape;
  b->n = n;
  b->params = (struct cell *)((char *)b + items);
  b->cells = b->params + shape->ncolumns * 2 + 4;
  b->kinds = (uint8_t *)(b->params + cells);
  b->last_failure = &b->failures;
  lua_setiuservalue(L, -2, 3);
  return b;
}

struct rows *neap__sql_write(lua_State *L, struct view *view, const struct class *class, const struct write *writes,
                             int n) {
  view = neap__view_effective(L, view);
  struct sql_run *run = neap__sql_run_new(L, view, USE_WRITE, 0);
  struct bulk *b = bulk_new(L, run, class->shape, n);
  b->writes = writes;
  lua_newtable(L);
  write_texts(L, b, view, lua_gettop(L));
  lua_setiuservalue(L, -2, 2);
  for (int i = 0; i < n; i++) b->own_transaction |= writes[i].kind == WRITE_UPSERT;
  b->own_transaction = !view->transaction && (n > 1 || b->own_transaction);
  b->phase = n == 0 ? PHASE_ANSWER : b->own_transaction ? PHASE_BEGIN : PHASE_WRITE;
  if (b->own_transaction) {
    b->tx.store = run->store;
    run->transaction = &b->tx;
    run->use = USE_BEGIN;
  }
  run->more = b;
  run->rows.next = bulk_next;
  run->rows.close = bulk_close;
  return &run->rows;
}
