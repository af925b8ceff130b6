// sqlite.c: the SQLite driver: connections, a cache of prepared statements, cells in and out. Runs in place.
#include "transport/sqlite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "value/datetime.h"

#define PROGRESS_OPS 2000  // instructions of SQLite's machine between two looks at the clock, about 50 us
#define LIMITED_OPS 500    // the same where scripts are limited
#define LIMITED_TEXT 4096  // bytes of a statement that is kept prepared there

// ---- Opening ----

static int64_t clock_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool neap__sqlite_interrupted(const struct sqlite *c) {
  return c->interrupted || (c->cancelled && *c->cancelled);
}

static bool must_end(struct sqlite *c) {
  return neap__sqlite_interrupted(c) || neap__stopping(c->head.host) || (c->deadline && clock_ms() >= c->deadline);
}

static int on_progress(void *ud) {
  return neap__sqlite_work(ud, LIMITED_OPS) || must_end(ud);
}

// Waits a little for a lock that somebody else holds, so that a signal is heard in between.
static int on_busy(void *ud, int tries) {
  struct sqlite *c = ud;
  int ms = tries < 6 ? 1 << tries : 50;
  double waited = tries < 6 ? (1 << tries) - 1 : 63 + (tries - 6) * 50.0;
  if (waited >= c->timeout * 1000 || must_end(c)) return 0;
  usleep((useconds_t)ms * 1000);
  return 1;
}

// Reads the header: tells what is no database. SQLite itself does not always wait for others here: of two that open a new file,
// one is told that it is busy at once.
static int set_mode(struct sqlite *c, const char *mode) {
  int64_t until = clock_ms() + (int64_t)(c->timeout * 1000);
  int code, tries = 0;
  do {
    code = sqlite3_exec(c->db, mode, NULL, NULL, NULL);
  } while ((code & 0xff) == SQLITE_BUSY && clock_ms() < until && on_busy(c, tries++));
  return code;
}

static int set_up(struct sqlite *c, const struct sql_address *address, bool reader) {
  static const char common[] = "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL";
  const char *mode = address->read_only ? "PRAGMA schema_version" : "PRAGMA journal_mode = WAL";
  sqlite3_extended_result_codes(c->db, 1);
  sqlite3_busy_handler(c->db, on_busy, c);
  sqlite3_progress_handler(c->db, PROGRESS_OPS, on_progress, c);
  int code = set_mode(c, mode);
  if (code == SQLITE_OK) code = sqlite3_exec(c->db, common, NULL, NULL, NULL);
  if (code == SQLITE_OK && reader) code = sqlite3_exec(c->db, "PRAGMA query_only = ON", NULL, NULL, NULL);
  if (code == SQLITE_OK) code = neap__sqlite_functions(c->db);
  if (code == SQLITE_OK) code = neap__sqlite_limits(c, address->path);
  if (code == SQLITE_OK && c->limited) sqlite3_progress_handler(c->db, LIMITED_OPS, on_progress, c);
  return code;
}

int neap__sqlite_open(struct sqlite *c, const struct sql_address *address, bool reader, struct neap__error *e) {
  int flags =
      SQLITE_OPEN_NOMUTEX | (address->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  c->timeout = address->timeout;
  c->name = strdup(address->name);
  int code = c->name ? sqlite3_open_v2(address->path, &c->db, flags, NULL) : SQLITE_NOMEM;
  if (code == SQLITE_OK) code = set_up(c, address, reader);
  return code == SQLITE_OK ? 0 : neap__sqlite_error(c, code, e);
}

static struct sqlite_statement *statement_of(struct cached *s) {
  return s ? (struct sqlite_statement *)((char *)s - offsetof(struct sqlite_statement, cached)) : NULL;
}

static void statement_free(struct sqlite_statement *s) {
  sqlite3_finalize(s->stmt);
  neap__spool_free(&s->spool);
  free(s->cached.text);
  free(s);
}

void neap__sqlite_close(struct sqlite *c) {
  for (struct sqlite_statement *s = c->running, *next; s; s = next) {
    next = s->next;
    neap__sqlite_finish(s);
  }
  for (struct cached *s = c->cache.newest, *older; s; s = older) {
    older = s->older;
    statement_free(statement_of(s));
  }
  sqlite3_close(c->db);
  neap__hold(c->head.host, &c->reported, 0, false);
  free(c->name);
  *c = (struct sqlite){.head = c->head};
}

// ---- The cache of statements ----

static struct sqlite_statement *cache_find(struct sqlite *c, const char *text, size_t n, uint32_t hash) {
  struct cached *s = neap__cache_first(&c->cache, hash);
  while (s && (s->hash != hash || !neap__cached_is(s, text, n))) s = s->chain;
  if (s) neap__cache_use(&c->cache, s);
  return statement_of(s);
}

static void cache_add(struct sqlite *c, struct sqlite_statement *s) {
  if (c->cache.n >= SQLITE_CACHED) {
    struct cached *old = c->cache.oldest;
    while (old && statement_of(old)->busy) old = old->newer;
    if (old) {
      neap__cache_remove(&c->cache, old);
      statement_free(statement_of(old));
    }
  }
  neap__cache_add(&c->cache, &s->cached);
}

// Whether anything but space and comments follows the first statement.
static bool has_more(const char *tail) {
  for (; *tail; tail++)
    if (!strchr(" \t\r\n;", *tail)) return strncmp(tail, "--", 2) != 0 || strchr(tail, '\n') != NULL;
  return false;
}

static struct sqlite_statement *prepare(struct sqlite *c, const struct sql_statement *from, uint32_t hash,
                                        struct neap__error *e) {
  struct sqlite_statement *s = calloc(1, sizeof *s);
  const char *tail = "";
  int code = s && neap__cached_init(&s->cached, from->text, from->n, hash) ? SQLITE_OK : SQLITE_NOMEM;
  if (code == SQLITE_OK) {
    s->cursor.connection = &c->head;
    code = sqlite3_prepare_v3(c->db, s->cached.text, (int)from->n + 1, SQLITE_PREPARE_PERSISTENT, &s->stmt, &tail);
  }
  if (code == SQLITE_OK && s->stmt && !has_more(tail)) return s;
  if (code != SQLITE_OK)
    neap__sqlite_error(c, code, e);
  else
    neap__error_set(e, NEAP_USAGE,
                    s->stmt ? "one statement at a time: more text follows the first" : "the SQL text is empty");
  if (s) statement_free(s);
  return NULL;
}

// ---- Cells in ----

static int bind_cell(sqlite3_stmt *stmt, int i, const struct cell *cell) {
  char text[40];
  switch ((enum cell_kind)cell->kind) {
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL: return sqlite3_bind_null(stmt, i);
    case CELL_BOOLEAN:
    case CELL_INTEGER: return sqlite3_bind_int64(stmt, i, cell->i);
    case CELL_NUMBER: return sqlite3_bind_double(stmt, i, cell->d);
    case CELL_TEXT:
    case CELL_DECIMAL:
    case CELL_JSON: return sqlite3_bind_text64(stmt, i, cell->p, cell->n, SQLITE_STATIC, SQLITE_UTF8);
    case CELL_BYTES: return sqlite3_bind_blob64(stmt, i, cell->n ? cell->p : "", cell->n, SQLITE_STATIC);
    case CELL_DATETIME: {
      int n = (int)neap__datetime_format(cell->i, text);
      return sqlite3_bind_text(stmt, i, text, n, SQLITE_TRANSIENT);
    }
    case CELL_DATE: {
      int n = (int)neap__date_format(cell->i, text);
      return sqlite3_bind_text(stmt, i, text, n, SQLITE_TRANSIENT);
    }
  }
  return SQLITE_MISUSE;
}

static int bind_all(struct sqlite *c, sqlite3_stmt *stmt, const struct sql_statement *from, struct neap__error *e) {
  int wanted = sqlite3_bind_parameter_count(stmt);
  if (wanted != from->nparams)
    return neap__error_set(e, NEAP_USAGE, "the statement takes %d values, %d were given", wanted, from->nparams);
  for (int i = 0; i < wanted; i++) {
    int code = bind_cell(stmt, i + 1, &from->params[i]);
    if (code != SQLITE_OK) return neap__sqlite_error(c, code, e);
  }
  return 0;
}

// ---- Cells out ----

static int wrong_value(struct sqlite_statement *s, int i, const char *expected, struct neap__error *e) {
  const char *text = (const char *)sqlite3_column_text(s->stmt, i);
  size_t n = text ? (size_t)sqlite3_column_bytes(s->stmt, i) : 0;
  neap__error_set(e, NEAP_PROTOCOL, "the column %s holds %s where %s was expected", sqlite3_column_name(s->stmt, i),
                  neap__show_text(text, n).text, expected);
  e->store = "sqlite";
  return -1;
}

static void take_text(sqlite3_value *v, enum cell_kind kind, struct cell *out) {
  out->p = (const char *)sqlite3_value_text(v);
  out->n = (uint32_t)sqlite3_value_bytes(v);
  out->kind = (uint8_t)(out->p ? kind : CELL_NIL);
}

static int read_integer(sqlite3_value *value, enum cell_kind want, struct cell *out) {
  int64_t v = sqlite3_value_int64(value);
  switch (want) {
    case CELL_BOOLEAN: *out = (struct cell){.i = v != 0, .kind = CELL_BOOLEAN}; break;
    case CELL_NUMBER: *out = (struct cell){.d = (double)v, .kind = CELL_NUMBER}; break;
    case CELL_DATETIME:
      *out = (struct cell){.i = v * 1000000, .kind = CELL_DATETIME};
      break;  // a timestamp: whole seconds
    case CELL_TEXT:
    case CELL_DECIMAL:
    case CELL_JSON: take_text(value, want, out); break;
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_INTEGER:
    case CELL_BYTES:
    case CELL_DATE: *out = (struct cell){.i = v, .kind = CELL_INTEGER}; break;
  }
  return 0;
}

static int read_float(struct sqlite_statement *s, int i, sqlite3_value *value, enum cell_kind want, struct cell *out,
                      struct neap__error *e) {
  double d = sqlite3_value_double(value);
  if (want == CELL_TEXT || want == CELL_DECIMAL || want == CELL_JSON) {
    take_text(value, want, out);
    return 0;
  }
  if (want == CELL_INTEGER || want == CELL_BOOLEAN) {
    if (d != floor(d) || fabs(d) >= 0x1p63) return wrong_value(s, i, "an integer", e);
    *out = (struct cell){.i = want == CELL_BOOLEAN ? d != 0 : (int64_t)d, .kind = (uint8_t)want};
    return 0;
  }
  *out = (struct cell){.d = d, .kind = CELL_NUMBER};
  return 0;
}

static int read_text(struct sqlite_statement *s, int i, sqlite3_value *value, enum cell_kind want, struct cell *out,
                     struct neap__error *e) {
  int64_t v;
  take_text(value, CELL_TEXT, out);
  switch (want) {
    case CELL_DATETIME:
      if (!neap__datetime_parse(out->p, out->n, &v)) return wrong_value(s, i, "a datetime", e);
      *out = (struct cell){.i = v, .kind = CELL_DATETIME};
      return 0;
    case CELL_DATE:
      if (!neap__date_parse(out->p, out->n, &v)) return wrong_value(s, i, "a date", e);
      *out = (struct cell){.i = v, .kind = CELL_DATE};
      return 0;
    case CELL_DECIMAL:
    case CELL_JSON:
    case CELL_BYTES: out->kind = (uint8_t)want; return 0;
    case CELL_INTEGER:
    case CELL_NUMBER:
    case CELL_BOOLEAN: return wrong_value(s, i, want == CELL_BOOLEAN ? "0 or 1" : "a number", e);
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_TEXT: return 0;
  }
  return 0;
}

// sqlite3_column_value looks a column up once, where each of column_type, column_text and column_bytes does it again. Its
// value is "unprotected", which matters to connections that threads share; ours have no mutex to protect them with.
static int read_cell(struct sqlite_statement *s, int i, struct cell *out, struct neap__error *e) {
  enum cell_kind want = i < s->nkinds ? s->kinds[i] : CELL_UNLOADED;
  sqlite3_value *value = sqlite3_column_value(s->stmt, i);
  switch (sqlite3_value_type(value)) {
    case SQLITE_NULL: *out = (struct cell){.kind = CELL_NIL}; return 0;
    case SQLITE_INTEGER: return read_integer(value, want, out);
    case SQLITE_FLOAT: return read_float(s, i, value, want, out, e);
    case SQLITE_TEXT: return read_text(s, i, value, want, out, e);
    default:
      out->p = sqlite3_value_blob(value);
      out->n = (uint32_t)sqlite3_value_bytes(value);
      out->kind = want == CELL_TEXT || want == CELL_JSON ? (uint8_t)want : CELL_BYTES;
      if (!out->p) out->p = "";
      return 0;
  }
}

// ---- Fences ----

static struct sqlite_statement *begin(struct sqlite *c, const struct sql_statement *from, struct neap__error *e);

// Runs a statement of ours to its end; *changed: how many rows that was.
static int run_through(struct sqlite *c, const struct sql_statement *from, int64_t *changed, struct neap__error *e) {
  struct cell none;
  struct sqlite_statement *s = begin(c, from, e);
  enum rows_state state = s ? neap__sqlite_step(s, &none, e) : ROWS_FAILED;
  if (state == ROWS_END && changed) *changed = s->cursor.changed;
  if (s) neap__sqlite_finish(s);
  return state == ROWS_END ? 0 : -1;
}

static int control(struct sqlite *c, const char *text, struct neap__error *e) {
  return run_through(c, &(struct sql_statement){.text = text, .n = strlen(text)}, NULL, e);
}

// Who writes has the file for himself until his transaction ends, so one answer counts for all of it.
static int ask_fences(struct sqlite *c, const struct sql_statement *from, struct neap__error *e) {
  for (const struct fence *f = from->fence; f; f = neap__fence_at(f->outer, from->place)) {
    struct cell params[] = {{.p = f->name, .n = (uint32_t)strlen(f->name), .kind = CELL_TEXT},
                            {.i = f->token, .kind = CELL_INTEGER}};
    struct sql_statement ask = {.text = f->text, .n = f->n, .params = params, .nparams = 2};
    int64_t changed = 0;
    if (run_through(c, &ask, &changed, e) != 0) return -1;
    if (changed != 1) return neap__fence_lost(f, e);
  }
  c->passed = from->fence->id;
  return 0;
}

// Lets a statement that writes pass, in a transaction of its own where there is none.
static int pass(struct sqlite *c, struct sqlite_statement *s, const struct sql_statement *from, struct neap__error *e) {
  if (sqlite3_stmt_readonly(s->stmt) || c->passed == from->fence->id) return 0;
  s->wrapped = sqlite3_get_autocommit(c->db) != 0;
  if (s->wrapped && control(c, "BEGIN IMMEDIATE", e) != 0) return -1;
  return ask_fences(c, from, e);
}

// Ends the statement's own transaction.
static int unwrap(struct sqlite *c, struct sqlite_statement *s, bool commit, struct neap__error *e) {
  s->wrapped = false;
  if (commit && control(c, "COMMIT", e) == 0) return 0;
  neap__sqlite_undo(c);
  return -1;
}

// ---- Running ----

static void note_transaction(struct sqlite *c) {
  c->head.in_transaction = sqlite3_get_autocommit(c->db) == 0;
  if (!c->head.in_transaction) c->passed = 0;
}

// What a write that has ended has changed. SQLite tells of the last statement that changed rows, which may be an earlier one.
static void note_changes(struct sqlite *c, struct sqlite_statement *s) {
  int64_t total = sqlite3_total_changes64(c->db);
  s->cursor.changed = total == c->total ? 0 : sqlite3_changes64(c->db);
  s->cursor.last_id = sqlite3_last_insert_rowid(c->db);
  c->total = total;
}

// Steps and reads, past spools. The row's cells are borrowed from the statement.
static enum rows_state step(struct sqlite_statement *s, struct cell *cells, struct neap__error *e) {
  struct sqlite *c = (struct sqlite *)s->cursor.connection;
  int code = s->first ? s->first : sqlite3_step(s->stmt);
  s->first = 0;
  if (code == SQLITE_ROW) {
    for (int i = 0; i < s->cursor.ncells; i++)
      if (read_cell(s, i, &cells[i], e) != 0) return ROWS_FAILED;
    return ROWS_ROW;
  }
  s->done = true;
  neap__sqlite_held(c);
  if (!sqlite3_stmt_readonly(s->stmt)) note_changes(c, s);
  if (code != SQLITE_DONE) neap__sqlite_error(c, code, e);
  sqlite3_reset(s->stmt);
  if (s->wrapped && unwrap(c, s, code == SQLITE_DONE, e) != 0) code = SQLITE_ABORT;
  note_transaction(c);
  s->cursor.in_transaction = c->head.in_transaction;
  return code == SQLITE_DONE ? ROWS_END : ROWS_FAILED;
}

enum rows_state neap__sqlite_step(struct sqlite_statement *s, struct cell *cells, struct neap__error *e) {
  if (!s->spooled) return s->done ? ROWS_END : step(s, cells, e);
  int got = neap__spool_next(&s->spool, cells, s->cursor.ncells);
  if (got > 0) return ROWS_ROW;
  if (got == 0) return ROWS_END;
  neap__error_set(e, NEAP_SERVER, "rows that were kept aside in a temporary file cannot be read back");
  return ROWS_FAILED;
}

// Takes the rows that a cursor has still to give aside, so that a write does not change them under its hands.
static int keep_aside(struct sqlite_statement *s, struct neap__error *e) {
  struct cell *cells = malloc((size_t)s->cursor.ncells * sizeof *cells + 1);
  enum rows_state state = cells ? ROWS_ROW : ROWS_FAILED;
  if (!cells) neap__error_set(e, NEAP_LIMIT, "memory is short");
  while (state == ROWS_ROW && (state = step(s, cells, e)) == ROWS_ROW)
    if (!neap__spool_add(&s->spool, cells, s->cursor.ncells)) {
      neap__error_set(e, NEAP_SERVER, "no room to keep aside the rows that a loop has still to give");
      state = ROWS_FAILED;
    }
  free(cells);
  s->spooled = true;
  if (state == ROWS_END && !neap__spool_rewind(&s->spool)) {
    neap__error_set(e, NEAP_SERVER, "a temporary file cannot be written");
    state = ROWS_FAILED;
  }
  return state == ROWS_END ? 0 : -1;
}

static bool disturbs_readers(sqlite3_stmt *stmt, const char *text) {
  return !sqlite3_stmt_readonly(stmt) || sqlite3_strnicmp(text, "ROLLBACK", 8) == 0;
}

static void link_running(struct sqlite *c, struct sqlite_statement *s) {
  s->next = c->running;
  s->prev = &c->running;
  if (s->next) s->next->prev = &s->next;
  c->running = s;
  s->busy = true;
}

static struct sqlite_statement *begin(struct sqlite *c, const struct sql_statement *from, struct neap__error *e) {
  struct sqlite_statement *s = statement_of(c->cache.newest);  // in a loop it is the last one again
  uint32_t hash = 0;
  if (!s || !neap__cached_is(&s->cached, from->text, from->n)) {
    hash = neap__statement_hash(from->text, from->n);
    s = cache_find(c, from->text, from->n, hash);
  }
  if (!s || s->busy) {
    bool second = s != NULL;
    if (!(s = prepare(c, from, hash, e))) return NULL;
    if (!second && (!c->limited || from->n <= LIMITED_TEXT)) cache_add(c, s);
  }
  if (from->only_reads && !sqlite3_stmt_readonly(s->stmt)) {
    neap__error_set(e, NEAP_FORBIDDEN, "the statement writes");
    strcpy(e->code, SQL_ONLY_READS);
    if (!s->cached.listed) statement_free(s);
    return NULL;
  }
  if (from->fence && pass(c, s, from, e) != 0) {
    if (s->wrapped) unwrap(c, s, false, e);
    if (!s->cached.listed) statement_free(s);
    note_transaction(c);
    return NULL;
  }
  link_running(c, s);
  s->done = s->spooled = false;
  s->first = 0;
  s->kinds = from->kinds;
  s->nkinds = from->kinds ? from->nkinds : 0;
  s->cursor.changed = 0;
  s->cursor.in_transaction = sqlite3_get_autocommit(c->db) == 0;
  s->cursor.ncells = sqlite3_column_count(s->stmt);
  int status = bind_all(c, s->stmt, from, e);
  if (status == 0 && c->running->next && disturbs_readers(s->stmt, s->cached.text))
    for (struct sqlite_statement *r = s->next; r && status == 0; r = r->next)
      if (!r->done && !r->spooled) status = keep_aside(r, e);
  if (status != 0) {
    neap__sqlite_finish(s);
    note_transaction(c);
    return NULL;
  }
  if (!from->kinds && s->cursor.ncells > 0) {  // where a table was altered, the first step finds other columns
    s->first = sqlite3_step(s->stmt);
    s->cursor.ncells = sqlite3_column_count(s->stmt);
  }
  return s;
}

void neap__sqlite_finish(struct sqlite_statement *s) {
  if (!s->busy) return;
  *s->prev = s->next;
  if (s->next) s->next->prev = s->prev;
  s->busy = false;
  if (!s->done) sqlite3_reset(s->stmt);
  if (s->wrapped) unwrap((struct sqlite *)s->cursor.connection, s, false, NULL);
  if (s->spooled) neap__spool_free(&s->spool);
  if (!s->cached.listed) statement_free(s);
}

void neap__sqlite_undo(struct sqlite *c) {
  struct neap__error e;
  if (sqlite3_get_autocommit(c->db) == 0) control(c, "ROLLBACK", &e);
  note_transaction(c);
  c->undo = c->head.in_transaction;
}

struct sqlite_statement *neap__sqlite_start(struct sqlite *c, const struct sql_statement *s, struct neap__error *e) {
  if (c->undo) neap__sqlite_undo(c);
  if (!c->undo) return begin(c, s, e);
  neap__error_set(e, NEAP_LIMIT, "memory is short: the transaction before cannot be rolled back yet");
  return NULL;
}

// ---- The driver, in place ----

static struct sql_connection *inline_open(neap *host, const struct sql_address *address, bool reader,
                                          struct neap__error *e) {
  struct sqlite *c = calloc(1, sizeof *c);
  if (!c) {
    neap__error_set(e, NEAP_LIMIT, "memory is short");
    return NULL;
  }
  c->head.transport = &neap__sqlite;
  c->head.host = host;
  if (neap__sqlite_open(c, address, reader, e) == 0) return &c->head;
  neap__sqlite_close(c);
  free(c);
  return NULL;
}

static void inline_close(struct sql_connection *connection) {
  neap__sqlite_close((struct sqlite *)connection);
  free(connection);
}

// What was done so far counts for the running task, and what follows as well.
static void settle(struct sqlite *c) {
  if (!c->limited) return;
  struct sqlite_budget budget = c->budget;
  neap__sqlite_settle(c->head.host, &budget, &c->reported);
  neap__sqlite_begin(c, &budget);
}

static struct sql_cursor *inline_start(struct sql_connection *connection, const struct sql_statement *s,
                                       struct neap__op *op, struct neap__error *e) {
  struct sqlite *c = (struct sqlite *)connection;
  double seconds = 0;
  int64_t of_task = neap__deadline(c->head.host, &seconds);
  c->deadline = op ? op->deadline : 0;
  c->allowed = op ? op->seconds : 0;
  if (of_task && (!c->deadline || of_task < c->deadline)) c->deadline = of_task, c->allowed = seconds;
  settle(c);
  return (struct sql_cursor *)neap__sqlite_start(c, s, e);
}

static enum rows_state inline_next(struct sql_cursor *cursor, struct cell *cells, struct neap__error *e) {
  enum rows_state state = neap__sqlite_step((struct sqlite_statement *)cursor, cells, e);
  settle((struct sqlite *)cursor->connection);
  return state;
}

static void inline_finish(struct sql_cursor *cursor) {
  neap__sqlite_finish((struct sqlite_statement *)cursor);
}

static void inline_rollback(struct sql_connection *connection) {
  struct sqlite *c = (struct sqlite *)connection;
  c->deadline = 0;
  neap__sqlite_undo(c);
}

static const char *inline_column_name(struct sql_cursor *cursor, int i) {
  return sqlite3_column_name(((struct sqlite_statement *)cursor)->stmt, i);
}

const struct sql_transport neap__sqlite = {
    .name = "sqlite",
    .open = inline_open,
    .close = inline_close,
    .start = inline_start,
    .next = inline_next,
    .finish = inline_finish,
    .rollback = inline_rollback,
    .column_name = inline_column_name,
};
