// sqlite_thread.c: the same driver on a thread of its own, for hosts that are stepped and must not block. Statements go to the
// thread in order; rows come back in blocks, so that the two meet once in many rows.
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "transport/sqlite.h"

#define FIRST_ROWS 256      // in a block; each has twice as many as the one before, up to
#define BLOCK_ROWS 4096     // these
#define BLOCK_BYTES 256000  // and until they take so much memory

enum job { JOB_START, JOB_FILL, JOB_FINISH };

// Whether what is open when a statement has been served is rolled back. OVER: it has been served, too late to wish.
enum wish { KEEP, UNDO, OVER };

// A statement on its way. Whoever has it may touch it: the thread while `busy`, the script's side otherwise.
struct remote {
  struct sql_cursor cursor;
  enum job job;
  struct remote *next;  // in the queue of the thread, or among those that it has served
  struct neap__op *op;  // NULL once nobody waits any more
  struct sql_statement statement;
  char *copy;  // text, parameters and kinds of the statement
  struct fence *fences;
  struct sqlite_statement *local;
  struct spool block;     // rows that have come over
  int rows;               // that a block may have
  enum rows_state state;  // after the block: ROWS_ROW when there may be more
  char **names;
  int ncells;  // these the script's side reads in `cursor`, once it has the statement back
  int64_t changed, last_id;
  bool in_transaction, broken;
  bool busy, abandoned;
  atomic_bool cancelled;
  _Atomic(enum wish) wish;
  struct sqlite_budget budget;
  struct neap__error error;
};

struct threaded {
  struct sql_connection head;
  struct sqlite local;
  const struct sql_address *address;  // of the store, which outlives its connections
  bool reader, opened;
  struct neap__error error;  // why not
  uv_thread_t thread;
  uv_sem_t wanted;
  uv_async_t *async;                        // its memory is freed when libuv has let go of it
  _Atomic(struct remote *) posted, served;  // on their way there and back, the last one first: neither side waits
  struct remote *queue;                     // the thread's: in order
  struct remote *last;                      // the script's side's: posted last, NULL = it is back
  int in_flight;
  atomic_bool closing, undo;  // undo: before the next is served
};

static void push(_Atomic(struct remote *) *list, struct remote *r) {
  r->next = atomic_load(list);
  while (!atomic_compare_exchange_weak(list, &r->next, r)) continue;
}

// Takes them all, the first one first.
static struct remote *take(_Atomic(struct remote *) *list) {
  struct remote *r = atomic_exchange(list, NULL), *first = NULL, *next;
  for (; r; r = next) {
    next = r->next;
    r->next = first;
    first = r;
  }
  return first;
}

static void remote_free(struct remote *r) {
  for (int i = 0; r->names && i < r->ncells; i++) free(r->names[i]);
  free(r->names);
  free(r->copy);
  free(r->fences);
  neap__spool_free(&r->block);
  free(r);
}

// ---- On the thread ----

static bool copy_names(struct remote *r) {
  r->ncells = r->local->cursor.ncells;
  r->names = calloc((size_t)r->ncells + 1, sizeof *r->names);
  for (int i = 0; r->names && i < r->ncells; i++)
    if (!(r->names[i] = strdup(sqlite3_column_name(r->local->stmt, i)))) return false;
  return r->names != NULL;
}

static void fill(struct remote *r) {
  struct cell *cells = malloc((size_t)r->ncells * sizeof *cells + 1);
  int rows = 0;
  r->state = cells ? ROWS_ROW : ROWS_FAILED;
  r->rows = r->rows == 0 ? FIRST_ROWS : r->rows < BLOCK_ROWS ? 2 * r->rows : BLOCK_ROWS;
  while (r->state == ROWS_ROW && rows++ < r->rows && r->block.n < BLOCK_BYTES) {
    r->state = neap__sqlite_step(r->local, cells, &r->error);
    if (r->state == ROWS_ROW && !neap__spool_add(&r->block, cells, r->ncells)) {
      neap__error_set(&r->error, NEAP_LIMIT, "memory is short");
      r->state = ROWS_FAILED;
    }
  }
  if (!cells) neap__error_set(&r->error, NEAP_LIMIT, "memory is short");
  free(cells);
  r->changed = r->local->cursor.changed;
  r->last_id = r->local->cursor.last_id;
}

static void work_on(struct threaded *c, struct remote *r) {
  if (r->job == JOB_FINISH) {
    if (r->local) neap__sqlite_finish(r->local);
    r->local = NULL;
    return;
  }
  if (r->job == JOB_START && !c->opened) {
    r->error = c->error;
    r->state = ROWS_FAILED;
    return;
  }
  if (r->job == JOB_START) {
    r->local = neap__sqlite_start(&c->local, &r->statement, &r->error);
    if (!r->local || !copy_names(r)) {
      r->state = ROWS_FAILED;
      return;
    }
  }
  fill(r);
}

static void serve(struct threaded *c, struct remote *r) {
  if (c->local.limited) neap__sqlite_begin(&c->local, &r->budget);
  work_on(c, r);
  neap__sqlite_work(&c->local, 0);
  if (c->local.limited) r->budget = c->local.budget;
}

// What remains open after that goes before the next statement does (neap__sqlite_start).
static void undo(struct threaded *c) {
  c->local.cancelled = NULL;
  if (c->opened) neap__sqlite_undo(&c->local);
}

static struct remote *next_posted(struct threaded *c) {
  if (!c->queue) c->queue = take(&c->posted);
  struct remote *r = c->queue;
  if (r) c->queue = r->next;
  return r;
}

static void give_back(struct threaded *c, struct remote *r) {
  r->in_transaction = c->opened && sqlite3_get_autocommit(c->local.db) == 0;
  r->broken = !c->opened;
  push(&c->served, r);
  uv_async_send(c->async);
  neap__wake(c->head.host);
}

static void run(void *ud) {
  struct threaded *c = ud;
  c->opened = neap__sqlite_open(&c->local, c->address, c->reader, &c->error) == 0;
  for (;;) {
    if (atomic_exchange(&c->undo, false)) undo(c);
    struct remote *r = next_posted(c);
    if (!r && c->closing) return;
    if (!r) {
      uv_sem_wait(&c->wanted);
      continue;
    }
    c->local.cancelled = &r->cancelled;
    serve(c, r);
    if (atomic_exchange(&r->wish, OVER) == UNDO) undo(c);
    c->local.cancelled = NULL;
    give_back(c, r);
  }
}

// ---- On the script's side ----

static void post(struct threaded *c, struct remote *r, enum job job) {
  r->job = job;
  r->busy = true;
  if (r->op) r->op->done = false;
  if (c->in_flight++ == 0) uv_ref((uv_handle_t *)c->async);
  r->wish = KEEP;
  c->last = r;
  push(&c->posted, r);
  uv_sem_post(&c->wanted);
}

// Charges the task that runs for what the thread has done for it.
static void settle(struct threaded *c, struct remote *r) {
  if (neap__sandboxed(c->head.host)) neap__sqlite_settle(c->head.host, &r->budget, &c->local.reported);
}

static void take_back(struct threaded *c, struct remote *r) {
  r->busy = false;
  if (c->last == r) c->last = NULL;
  if (r->names) r->cursor.ncells = r->ncells;
  r->cursor.changed = r->changed;
  r->cursor.in_transaction = c->head.in_transaction = r->in_transaction;
  r->cursor.last_id = r->last_id;
  c->head.broken |= r->broken;
  if (--c->in_flight == 0) uv_unref((uv_handle_t *)c->async);
  if (r->job == JOB_FINISH) {
    remote_free(r);
    return;
  }
  if (r->abandoned) {
    post(c, r, JOB_FINISH);
    return;
  }
  neap__spool_rewind(&r->block);
  if (r->op) neap__op_done(r->op);
}

static void collect(struct threaded *c) {
  struct remote *r = take(&c->served), *next;
  for (; r; r = next) {
    next = r->next;
    take_back(c, r);
  }
}

static void on_served(uv_async_t *async) {
  if (async->data) collect(async->data);
}

// Copies what the statement borrows: its values may change while the thread works.
static bool copy_statement(struct remote *r, const struct sql_statement *s) {
  size_t params = (size_t)s->nparams * sizeof *s->params, texts = s->n + 1, kinds = s->kinds ? (size_t)s->nkinds : 0;
  for (int i = 0; i < s->nparams; i++) texts += neap__cell_has_text(&s->params[i]) ? s->params[i].n : 0;
  char *p = r->copy = malloc(params + texts + kinds);
  if (!p) return false;
  struct cell *cells = (struct cell *)(void *)p;
  if (params) memcpy(cells, s->params, params);
  p += params;
  r->statement = (struct sql_statement){
      .text = memcpy(p, s->text, s->n), .n = s->n, .params = cells, .nparams = s->nparams, .nkinds = s->nkinds};
  p[s->n] = 0;
  p += s->n + 1;
  for (int i = 0; i < s->nparams; i++) {
    if (!neap__cell_has_text(&cells[i])) continue;
    if (cells[i].n) memcpy(p, cells[i].p, cells[i].n);
    cells[i].p = p;
    p += cells[i].n;
  }
  if (kinds) r->statement.kinds = memcpy(p, s->kinds, kinds);
  r->statement.only_reads = s->only_reads;
  if (!s->fence) return true;
  r->statement.fence = r->fences = neap__fence_copy(s->fence, s->place);
  r->statement.place = r->fences ? r->fences->place : NULL;
  return r->fences != NULL;
}

static struct sql_cursor *threaded_start(struct sql_connection *connection, const struct sql_statement *s,
                                         struct neap__op *op, struct neap__error *e) {
  struct threaded *c = (struct threaded *)connection;
  struct remote *r = calloc(1, sizeof *r);
  if (!r || !copy_statement(r, s)) {
    if (r) remote_free(r);
    neap__error_set(e, NEAP_LIMIT, "memory is short");
    return NULL;
  }
  r->cursor.connection = connection;
  r->cursor.ncells = -1;
  r->op = op;
  r->budget.held = c->local.reported;
  settle(c, r);
  post(c, r, JOB_START);
  return &r->cursor;
}

static enum rows_state threaded_next(struct sql_cursor *cursor, struct cell *cells, struct neap__error *e) {
  struct remote *r = (struct remote *)cursor;
  if (r->busy) {
    if (r->op) r->op->done = false;
    return ROWS_WAIT;
  }
  if (r->budget.worked || r->budget.over) settle((struct threaded *)cursor->connection, r);
  if (!cells && r->cursor.ncells > 0) return ROWS_ROW;
  if (cells && neap__spool_next(&r->block, cells, r->cursor.ncells) > 0) return ROWS_ROW;
  if (r->state == ROWS_FAILED) *e = r->error;
  if (r->state != ROWS_ROW) return r->state;
  neap__spool_free(&r->block);
  post((struct threaded *)cursor->connection, r, JOB_FILL);
  return ROWS_WAIT;
}

static void threaded_finish(struct sql_cursor *cursor) {
  struct remote *r = (struct remote *)cursor;
  struct threaded *c = (struct threaded *)cursor->connection;
  r->op = NULL;
  r->abandoned = true;
  if (!r->busy) post(c, r, JOB_FINISH);
}

static void threaded_interrupt(struct sql_cursor *cursor) {
  ((struct remote *)cursor)->cancelled = true;
}

// The wish is left with the last job, so that it takes no job and no memory of its own.
static void threaded_rollback(struct sql_connection *connection) {
  struct threaded *c = (struct threaded *)connection;
  enum wish wish = KEEP;
  if (c->last && atomic_compare_exchange_strong(&c->last->wish, &wish, UNDO)) return;
  if (wish == UNDO) return;
  c->undo = true;  // all have been served
  uv_sem_post(&c->wanted);
}

static const char *threaded_column_name(struct sql_cursor *cursor, int i) {
  struct remote *r = (struct remote *)cursor;
  return i < r->cursor.ncells ? r->names[i] : NULL;
}

// ---- Opening and closing ----

// What remains is let go without asking the thread, which has ended.
static void drop_all(struct remote *r) {
  for (struct remote *next; r; r = next) {
    next = r->next;
    if (r->local) neap__sqlite_finish(r->local);
    remote_free(r);
  }
}

static void threaded_close(struct sql_connection *connection) {
  struct threaded *c = (struct threaded *)connection;
  c->closing = c->local.interrupted = true;
  uv_sem_post(&c->wanted);
  uv_thread_join(&c->thread);
  drop_all(take(&c->served));
  c->async->data = NULL;
  neap__handle_free(c->async);
  uv_sem_destroy(&c->wanted);
  neap__sqlite_close(&c->local);
  free(c);
}

static bool start_thread(struct threaded *c, neap *host) {
  if (!(c->async = calloc(1, sizeof *c->async))) return false;
  if (uv_async_init(neap__loop(host), c->async, on_served) != 0) {
    free(c->async);
    return false;
  }
  c->async->data = c;
  uv_unref((uv_handle_t *)c->async);
  bool made = uv_sem_init(&c->wanted, 0) == 0;
  if (made && uv_thread_create(&c->thread, run, c) == 0) return true;
  neap__handle_free(c->async);
  if (made) uv_sem_destroy(&c->wanted);
  return false;
}

// The thread opens the file, which may wait for a disk or a lock; the first statement tells if it could not.
static struct sql_connection *threaded_open(neap *host, const struct sql_address *address, bool reader,
                                            struct neap__error *e) {
  struct threaded *c = calloc(1, sizeof *c);
  if (!c) {
    neap__error_set(e, NEAP_LIMIT, "memory is short");
    return NULL;
  }
  c->head.transport = &neap__sqlite_threaded;
  c->head.host = c->local.head.host = host;
  c->address = address;
  c->reader = reader;
  if (start_thread(c, host)) return &c->head;
  neap__error_set(e, NEAP_LIMIT, "a thread for %s cannot be started", address->name);
  free(c);
  return NULL;
}

const struct sql_transport neap__sqlite_threaded = {
    .name = "sqlite",
    .open = threaded_open,
    .close = threaded_close,
    .start = threaded_start,
    .next = threaded_next,
    .finish = threaded_finish,
    .interrupt = threaded_interrupt,
    .rollback = threaded_rollback,
    .column_name = threaded_column_name,
};
