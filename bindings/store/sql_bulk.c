// sql_bulk.c: writes of many objects in one transaction, an answer for each: a prepared statement for each run of like ones,
// one by one or, where the database takes arrays, all at once.
//
// Those that succeed stand. A statement that fails undoes itself and nothing else, or, where it takes the transaction with it,
// is undone to a savepoint; one of many objects is then tried again with half of them, until the faulty one stands alone.
// The machine below goes through BEGIN, the statements, COMMIT and the answers; where a driver has to wait it stops and goes
// on when next() is called again.
#include <stdlib.h>
#include <string.h>

#include "store/sql_store.h"
#include "transport/spool.h"

#define AHEAD 4  // writes whose texts are asked for before they are bound

enum phase {
  PHASE_BEGIN,
  PHASE_SAVE,
  PHASE_WRITE,
  PHASE_SECOND,
  PHASE_EXISTS,
  PHASE_RELEASE,
  PHASE_BACK,   // to the savepoint
  PHASE_AGAIN,  // rolls back what was just begun, to begin again
  PHASE_COMMIT,
  PHASE_ANSWER
};

enum outcome { OUTCOME_NONE, OUTCOME_ABSENT, OUTCOME_DONE, OUTCOME_WAS_THERE, OUTCOME_FAILED };

struct failure {
  struct failure *next;
  int at;
  struct neap__error error;
};

struct item {
  const struct sql_text *text;    // like ones share it
  const struct sql_text *second;  // UPSERT: when the row is there
  bool own;                       // the parameters are those of the text
  bool grouped;                   // the text is one for any number
  uint8_t outcome;
};

// User value 3 of the run.
struct bulk {
  struct sql_run *run;
  const struct shape *shape;
  const struct write *writes;
  int n, at, length;              // the statement that runs is for `length` of them, from `at` on
  int found;                      // of which it has found so many
  int64_t last_id;                // the key that an insert got by itself
  const struct sql_text *exists;  // whether the row of a guarded write is there
  struct sql_arrays arrays;
  enum phase phase;
  bool own_transaction;
  bool careful;               // statements run behind a savepoint
  bool saved;                 // which is there, with nothing done since
  struct sql_transaction tx;  // it
  bool open;                  // the database is in a transaction, this one or the caller's
  struct spool answers;
  struct failure *failures, **last_failure;
  struct cell *params;  // of the statement that runs
  struct cell *cells;   // of the row that it returns
  uint8_t *kinds;       // of the columns that it returns
  struct item items[];
};

// ---- Before: the texts ----

static bool same_bits(const uint64_t *a, const uint64_t *b, int n) {
  return a == b || (a && b && memcmp(a, b, (size_t)(n + 63) / 64 * sizeof *a) == 0);
}

// Arrays are text that the statement owns.
static bool has_arrays(const struct sql_dialect *dialect, const struct shape *shape, const struct write *w) {
  for (int i = 0; dialect->arrays && i < shape->ncolumns; i++)
    if ((neap__has_bit(w->columns, i) || neap__has_bit(w->expected, i)) &&
        neap__sql_is_array(dialect, &shape->columns[i]->type))
      return true;
  return false;
}

static const struct sql_dialect *dialect_of(const struct bulk *b) {
  return b->run->store->dialect;
}

static bool alone(const struct write *w) {
  return w->condition || w->nchanges > 0 || w->kind == WRITE_UPSERT;
}

// Whether the two have the same text and differ in values only.
static bool alike(const struct bulk *bulk, const struct write *a, const struct write *b) {
  const struct shape *shape = bulk->shape;
  return a->kind == b->kind && !alone(a) && !alone(b) && same_bits(a->columns, b->columns, shape->ncolumns) &&
         same_bits(a->expected, b->expected, shape->ncolumns) && same_bits(a->returning, b->returning, shape->ncolumns);
}

// Whether the two may stand in one statement.
static bool grouped(const struct bulk *b, int i) {
  return i > 0 && i < b->n && !b->run->dry && alike(b, &b->writes[i - 1], &b->writes[i]) &&
         neap__sql_groups(dialect_of(b), b->shape, &b->writes[i]);
}

static int write_text(lua_State *L, struct sql_text *s, const struct shape *shape, const struct write *w,
                      struct neap__error *e) {
  switch (w->kind) {
    case WRITE_UPSERT:
      if (s->dialect->inserted) return neap__sql_upsert(L, s, shape, w, e);
      neap__sql_insert(s, shape, w);
      return 0;
    case WRITE_INSERT: neap__sql_insert(s, shape, w); return 0;
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
  struct sql_text *s = neap__sql_text_new(L, neap__sql_dialect(view), view);
  lua_rawseti(L, texts, (lua_Integer)lua_rawlen(L, texts) + 1);
  return s;
}

static void check_text(lua_State *L, const struct sql_text *s, int status, struct neap__error *e) {
  if (status != 0 || neap__sql_failed(s, e) != 0) neap__raise(L, e);
}

static void write_second(lua_State *L, struct bulk *b, struct view *view, int texts, const struct write *w,
                         struct item *item) {
  struct neap__error e;
  if (w->kind == WRITE_UPSERT && !dialect_of(b)->inserted) {
    struct sql_text *s = new_text(L, view, texts);
    check_text(L, s, neap__sql_update_conflict(L, s, b->shape, w, &e), &e);
    item->second = s;
  } else if (guarded(w) && !b->exists) {
    struct sql_text *s = new_text(L, view, texts);
    neap__sql_exists(s, b->shape, w->key);
    check_text(L, s, 0, &e);
    b->exists = s;
  }
}

static void write_texts(lua_State *L, struct bulk *b, struct view *view, int texts) {
  struct neap__error e;
  for (int i = 0; i < b->n; i++) {
    const struct write *w = &b->writes[i];
    struct item *item = &b->items[i];
    bool like_last = grouped(b, i);
    item->grouped = like_last || grouped(b, i + 1);
    item->own = !item->grouped && (alone(w) || has_arrays(dialect_of(b), b->shape, w));
    if (like_last || (i > 0 && !item->own && !item[-1].own && alike(b, w, w - 1))) {
      item->text = item[-1].text;
    } else {
      struct sql_text *s = new_text(L, view, texts);
      int status = 0;
      if (item->grouped)
        neap__sql_unnest(s, b->shape, w);
      else
        status = write_text(L, s, b->shape, w, &e);
      check_text(L, s, status, &e);
      item->text = s;
    }
    write_second(L, b, view, texts, w, item);
  }
}

// ---- One statement ----

static void set_param(struct bulk *b, int i, const struct field *f, const struct cell *cell) {
  b->params[i] = neap__sql_value(f, *cell);
  b->params[i].secret = f->flags & FIELD_SECRET;
}

static int add_cells(struct bulk *b, int n, const uint64_t *bits, const struct cell *cells) {
  for (int i = 0; i < b->shape->ncolumns; i++)
    if (neap__has_bit(bits, i)) set_param(b, n++, b->shape->columns[i], cells++);
  return n;
}

static int keys_of(struct bulk *b, int n, const struct write *w) {
  for (int i = 0; i < b->shape->nkeys; i++) set_param(b, n++, b->shape->keys[i], &w->key[i]);
  return n;
}

// Asks for the texts of a write that comes soon.
static void prefetch(const struct write *w, int ncolumns) {
  const struct cell *cell = w->cells;
  for (int i = 0; i < ncolumns; i++) {
    if (!neap__has_bit(w->columns, i)) continue;
    if (neap__cell_has_text(cell)) __builtin_prefetch(cell->p), __builtin_prefetch(cell->p + cell->n / 2);
    cell++;
  }
}

// Values in the order in which sql_write.c binds them.
static int gather(struct bulk *b, const struct write *w) {
  int n = w->kind == WRITE_DELETE ? 0 : add_cells(b, 0, w->columns, w->cells);
  if (w->kind == WRITE_INSERT) return n;
  return add_cells(b, keys_of(b, n, w), w->expected, w->expected_cells);
}

// Whether a row begins with a column of ours: the number of the object, or whether it is new.
static bool marked(const struct bulk *b, const struct write *w) {
  if (b->phase == PHASE_EXISTS) return false;
  if (w->kind == WRITE_UPSERT) return dialect_of(b)->inserted != NULL;
  return w->kind != WRITE_INSERT && b->items[b->at].grouped;
}

static int returned(const struct bulk *b, const struct write *w) {
  int n = 0;
  if (neap__sql_serial(b->shape, w) && dialect_of(b)->returns_key) b->kinds[n++] = CELL_INTEGER;
  if (b->phase != PHASE_ANSWER && marked(b, w)) b->kinds[n++] = CELL_INTEGER;
  for (int i = 0; w->returning && i < b->shape->ncolumns; i++)
    if (neap__has_bit(w->returning, i)) b->kinds[n++] = (uint8_t)neap__sql_kind(&b->shape->columns[i]->type);
  return n;
}

static bool start_text(struct bulk *b, const struct sql_text *s, const struct cell *params, int nparams,
                       const uint32_t *arrays) {
  struct sql_run *run = b->run;
  const struct write *w = &b->writes[b->at];
  run->statement = (struct sql_statement){.text = s->text,
                                          .n = s->n,
                                          .params = params,
                                          .nparams = nparams,
                                          .arrays = arrays,
                                          .kinds = b->kinds,
                                          .nkinds = returned(b, w)};
  if (run->dry && neap__sql_serial(b->shape, w))
    run->dry_key = --run->store->dry_keys;
  else
    run->dry_key = w->kind == WRITE_UPSERT;  // it was not there
  return neap__sql_run_send(run);
}

static bool start_control(struct bulk *b, const char *text) {
  struct sql_run *run = b->run;
  run->statement =
      (struct sql_statement){.text = text, .n = strlen(text), .control = true, .harmless = b->phase == PHASE_BEGIN};
  return neap__sql_run_send(run);
}

static bool start_group(struct bulk *b) {
  int n = neap__sql_arrays_fill(&b->arrays, dialect_of(b), b->shape, &b->writes[b->at], b->length, b->params);
  if (n >= 0) return start_text(b, b->items[b->at].text, b->params, n, b->arrays.types);
  neap__error_set(&b->run->rows.error, NEAP_LIMIT, "memory is short");
  return false;
}

static bool start(struct bulk *b) {
  const struct item *item = &b->items[b->at];
  b->found = 0;
  switch (b->phase) {
    case PHASE_BEGIN: return start_control(b, dialect_of(b)->begin);
    case PHASE_SAVE: return start_control(b, "SAVEPOINT items");
    case PHASE_RELEASE: return start_control(b, "RELEASE SAVEPOINT items");
    case PHASE_BACK: return start_control(b, "ROLLBACK TO SAVEPOINT items");
    case PHASE_COMMIT: return start_control(b, "COMMIT");
    case PHASE_AGAIN: return start_control(b, "ROLLBACK");
    case PHASE_WRITE:
      if (item->grouped) return start_group(b);
      if (b->at + AHEAD < b->n) prefetch(&b->writes[b->at + AHEAD], b->shape->ncolumns);
      if (item->own) return start_text(b, item->text, item->text->params, item->text->nparams, NULL);
      return start_text(b, item->text, b->params, gather(b, &b->writes[b->at]), NULL);
    case PHASE_SECOND: return start_text(b, item->second, item->second->params, item->second->nparams, NULL);
    case PHASE_EXISTS: return start_text(b, b->exists, b->params, keys_of(b, 0, &b->writes[b->at]), NULL);
    case PHASE_ANSWER: return false;
  }
  return false;
}

// ---- Outcomes ----

// How many of those from `at` on the next statement is for.
static int length_of(const struct bulk *b) {
  const struct item *item = &b->items[b->at];
  int n = 1;
  if (!item->grouped) return 1;
  while (b->at + n < b->n && b->items[b->at + n].text == item->text) n++;
  return neap__sql_group(b->shape, &b->writes[b->at], n);
}

// Goes on with `length` of those from `at` on, 0 = as many as one statement takes.
static void go_on(struct bulk *b, int at, int length) {
  b->at = at;
  b->length = length;
  if (at >= b->n && b->saved) {
    b->phase = PHASE_RELEASE;
  } else if (at >= b->n) {
    b->phase = b->own_transaction ? PHASE_COMMIT : PHASE_ANSWER;
    b->at = 0;
  } else {
    if (length == 0) b->length = length_of(b);
    b->phase = b->careful && !b->saved ? PHASE_SAVE : PHASE_WRITE;
  }
}

static void succeed(struct bulk *b) {
  if (b->saved) {
    b->phase = PHASE_RELEASE;
    return;
  }
  b->careful |= b->own_transaction && dialect_of(b)->dooms;  // from now on there is something to lose
  go_on(b, b->at + b->length, 0);
}

// Undoes what the statement did and goes on. Nothing has been done yet where there is no savepoint.
static void undo(struct bulk *b, int at, int length) {
  b->at = at;
  b->length = length;
  b->phase = b->saved ? PHASE_BACK : PHASE_AGAIN;
  b->careful = true;
}

static void fail_whole(struct bulk *b) {
  b->run->rows.whole = true;
  b->phase = PHASE_ANSWER;
}

static bool of_items(enum phase phase) {
  return phase == PHASE_WRITE || phase == PHASE_SECOND || phase == PHASE_EXISTS;
}

// Faults that are not of one object: what the database has given up altogether, what was stopped, what has no room.
static bool fatal(const struct bulk *b) {
  const struct neap__error *e = &b->run->rows.error;
  if (!of_items(b->phase)) return true;
  if (b->run->transaction && !b->open) {
    b->run->transaction->lost = true;
    return true;
  }
  return e->kind == NEAP_CANCELLED || e->kind == NEAP_TIMEOUT || e->kind == NEAP_SERVER || e->kind == NEAP_LIMIT ||
         e->retryable || neap__fence_is_lost(e);
}

// Keeps the error as the answer of the one object. False if memory is short.
static bool keep_failure(struct bulk *b) {
  struct failure *f = malloc(sizeof *f);
  if (!f) return false;
  *f = (struct failure){.at = b->at, .error = b->run->rows.error};
  *b->last_failure = f;
  b->last_failure = &f->next;
  b->items[b->at].outcome = OUTCOME_FAILED;
  return true;
}

static void fail(struct bulk *b) {
  bool doomed = dialect_of(b)->dooms && b->n > 1;
  if (fatal(b)) {
    fail_whole(b);
  } else if (b->length > 1) {
    undo(b, b->at, b->length / 2);
  } else if (!keep_failure(b)) {
    fail_whole(b);
  } else if (doomed) {
    undo(b, b->at + 1, 0);
  } else {
    go_on(b, b->at + 1, 0);
  }
}

static void forget_answers(struct bulk *b) {
  neap__spool_free(&b->answers);
  for (struct failure *f; (f = b->failures) != NULL; free(f)) b->failures = f->next;
  b->last_failure = &b->failures;
}

// Begins anew on another connection, if this one is lost and has taken everything with it.
static bool again(struct bulk *b) {
  const struct neap__error *e = &b->run->rows.error;
  bool undone = e->kind == NEAP_CONNECTION && !e->unknown;
  if (!neap__sql_run_again(b->run, undone)) return false;
  forget_answers(b);
  for (int i = 0; i < b->n; i++) b->items[i].outcome = OUTCOME_NONE;
  b->saved = b->careful = false;
  go_on(b, 0, 0);
  if (b->own_transaction) b->phase = PHASE_BEGIN;
  return true;
}

static void keep_answer(struct bulk *b, const struct cell *cells, int ncells) {
  if (ncells > 0 && !neap__spool_add(&b->answers, cells, ncells)) {
    neap__error_set(&b->run->rows.error, NEAP_LIMIT, "memory is short");
    b->run->rows.error.unknown = !neap__sql_in_transaction(b->run);  // by itself it may have been committed
    fail_whole(b);
  }
}

// In a dry run: what was sent comes back as it was, and a key that the database would have chosen is made up.
static void echo(struct bulk *b, const struct write *w, struct cell *out) {
  const struct cell *sent = w->cells;
  for (int i = 0; w->returning && i < b->shape->ncolumns; i++) {
    const struct field *f = b->shape->columns[i];
    const struct cell *cell = neap__has_bit(w->columns, i) ? sent++ : NULL;
    if (!neap__has_bit(w->returning, i)) continue;
    bool made = f->flags & FIELD_PRIMARY && f->type.kind == TYPE_INTEGER;
    if (cell)
      *out = *cell;
    else if (made)
      *out = (struct cell){.i = --b->run->store->dry_keys, .kind = CELL_INTEGER};
    out++;
  }
}

// A row that a statement has given: its columns are the answer of an object, behind what tells of which.
static void take_row(struct bulk *b, int ncells) {
  const struct write *w = &b->writes[b->at];
  bool mark = marked(b, w);
  int64_t n = mark ? b->cells[0].i : 0;
  b->found++;
  if (b->phase == PHASE_EXISTS) return;
  if (b->run->dry) echo(b, w, b->cells + (neap__sql_serial(b->shape, w) && dialect_of(b)->returns_key) + mark);
  if (mark && w->kind == WRITE_UPSERT) b->items[b->at].outcome = n ? OUTCOME_DONE : OUTCOME_WAS_THERE;
  if (mark && w->kind != WRITE_UPSERT && n > 0 && n <= b->length) b->items[b->at + n - 1].outcome = OUTCOME_DONE;
  keep_answer(b, b->cells + mark, ncells - mark);
}

static bool deletes(const struct write *w) {
  return w->kind == WRITE_DELETE && !w->condition && !w->expected;
}

// A write that changed nothing: gone, or its conditions are not met.
static void unmet(struct bulk *b, enum neap__kind kind) {
  if (deletes(&b->writes[b->at])) {
    b->items[b->at].outcome = OUTCOME_ABSENT;
    succeed(b);
    return;
  }
  neap__error_set(&b->run->rows.error, kind, kind == NEAP_CONDITION ? "the condition is not met" : "it is not there");
  fail(b);
}

static void unchanged(struct bulk *b) {
  const struct write *w = &b->writes[b->at];
  if (w->kind == WRITE_UPSERT && b->phase == PHASE_WRITE && b->items[b->at].second)
    b->phase = PHASE_SECOND;
  else if (w->kind == WRITE_UPSERT)
    unmet(b, NEAP_CONDITION);
  else if (guarded(w))
    b->phase = PHASE_EXISTS;
  else
    unmet(b, NEAP_NOT_FOUND);
}

static void set_outcomes(struct bulk *b, enum outcome outcome) {
  for (int i = 0; i < b->length; i++) {
    struct item *item = &b->items[b->at + i];
    if (item->outcome != OUTCOME_DONE || outcome == OUTCOME_NONE) item->outcome = (uint8_t)outcome;
  }
}

// A statement for several: if some of them were not there, who is told by halves.
static void written_group(struct bulk *b, int64_t changed) {
  const struct write *w = &b->writes[b->at];
  if (w->kind == WRITE_INSERT && changed != b->length) {
    neap__error_set(&b->run->rows.error, NEAP_PROTOCOL, "%d rows were inserted, %lld are there", b->length,
                    (long long)changed);
    fail_whole(b);
  } else if (w->kind == WRITE_INSERT || b->found == b->length) {
    set_outcomes(b, OUTCOME_DONE);
    succeed(b);
  } else if (deletes(w)) {
    set_outcomes(b, OUTCOME_ABSENT);
    succeed(b);
  } else {
    set_outcomes(b, OUTCOME_NONE);
    undo(b, b->at, b->length / 2);
  }
}

static void written(struct bulk *b, int64_t changed) {
  const struct write *w = &b->writes[b->at];
  struct item *item = &b->items[b->at];
  if (b->length > 1) {
    written_group(b, changed);
    return;
  }
  if (b->found == 0 && changed == 0) {
    unchanged(b);
    return;
  }
  if (item->outcome == OUTCOME_NONE) item->outcome = b->phase == PHASE_SECOND ? OUTCOME_WAS_THERE : OUTCOME_DONE;
  if (neap__sql_serial(b->shape, w) && !dialect_of(b)->returns_key) {
    b->cells[0] = (struct cell){.i = b->run->dry ? b->run->dry_key : b->last_id, .kind = CELL_INTEGER};
    keep_answer(b, b->cells, 1);
  }
  if (b->phase != PHASE_ANSWER) succeed(b);
}

static void step_done(struct bulk *b, int64_t changed) {
  switch (b->phase) {
    case PHASE_BEGIN:
    case PHASE_BACK: go_on(b, b->at, b->length); break;
    case PHASE_AGAIN: b->phase = PHASE_BEGIN; break;
    case PHASE_SAVE:
      b->saved = true;
      b->phase = PHASE_WRITE;
      break;
    case PHASE_RELEASE:
      b->saved = false;
      go_on(b, b->at < b->n ? b->at + b->length : b->at, 0);
      break;
    case PHASE_WRITE:
    case PHASE_SECOND:
      neap__counts(b->run->rows.op.host)->written += changed;
      written(b, changed);
      break;
    case PHASE_EXISTS: unmet(b, b->found > 0 ? NEAP_CONDITION : NEAP_NOT_FOUND); break;
    case PHASE_COMMIT: b->phase = PHASE_ANSWER; break;
    case PHASE_ANSWER: break;
  }
}

// Runs the statement of the present phase to its end and decides what comes next. ROWS_ROW: go on.
static enum rows_state step(struct bulk *b) {
  struct sql_run *run = b->run;
  enum rows_state state = ROWS_FAILED;
  if (!run->cursor) start(b);
  if (run->cursor) {
    const struct sql_transport *t = run->cursor->connection->transport;
    while ((state = t->next(run->cursor, b->cells, &run->rows.error)) == ROWS_ROW) {
      take_row(b, run->cursor->ncells);
      if (run->rows.whole) break;
    }
    if (state == ROWS_WAIT) return state;
  }
  if (state == ROWS_FAILED && again(b)) return ROWS_ROW;
  int64_t changed = run->cursor ? run->cursor->changed : 0;
  b->last_id = run->cursor ? run->cursor->last_id : 0;
  b->open = neap__sql_in_transaction(run);
  if (run->cursor) run->cursor->connection->transport->finish(run->cursor);
  run->cursor = NULL;
  if (state == ROWS_FAILED)
    fail(b);
  else if (state == ROWS_END)
    step_done(b, changed);
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
  while (b->phase != PHASE_ANSWER) {
    if (!run->connection && (state = neap__sql_run_lease(run)) != ROWS_ROW) {
      rows->whole = state == ROWS_FAILED;
      return state;
    }
    if ((state = step(b)) != ROWS_ROW) return state;
    if (b->phase != PHASE_ANSWER) continue;
    if (b->own_transaction && b->open) run->connection->transport->rollback(run->connection);
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
  forget_answers(b);
  neap__sql_arrays_free(&b->arrays);
  if (run->cursor) run->cursor->connection->transport->finish(run->cursor);
  run->cursor = NULL;
  if (open) c->transport->rollback(c);
  neap__sql_run_close(rows);
}

static struct bulk *bulk_new(lua_State *L, struct sql_run *run, const struct shape *shape, int n) {
  size_t cells = (size_t)shape->ncolumns * 3 + 8, items = sizeof(struct bulk) + (size_t)n * sizeof(struct item);
  struct bulk *b = lua_newuserdatauv(L, items + cells * sizeof(struct cell) + (size_t)shape->ncolumns + 2, 0);
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
  for (int i = 0; i < n; i++) b->own_transaction |= writes[i].kind == WRITE_UPSERT && !dialect_of(b)->inserted;
  b->own_transaction = !view->transaction && (n > 1 || b->own_transaction);
  b->careful = view->transaction && n > 1 && dialect_of(b)->dooms;
  go_on(b, 0, 0);
  if (n > 0 && b->own_transaction) b->phase = PHASE_BEGIN;
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
