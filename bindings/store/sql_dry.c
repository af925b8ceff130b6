// sql_dry.c: dry runs: what would be written is logged and not sent. Whoever waits for an answer gets one that a database
// might have given: that it was done. Keys that the database would have made are -1, -2, ...; what else only it knows is nil.
#include <stdlib.h>
#include <string.h>

#include "store/sql_store.h"

struct dry_cursor {
  struct sql_cursor head;
  struct sql_connection connection;
  enum copy_direction copy;
  int rows;         // still to be given
  struct cell key;  // the first cell of a row
};

static enum rows_state dry_next(struct sql_cursor *head, struct cell *cells, struct neap__error *e) {
  struct dry_cursor *cursor = (struct dry_cursor *)head;
  (void)e;
  if (cursor->copy == COPY_IN || (cursor->rows > 0 && !cells)) return ROWS_ROW;
  if (cursor->rows == 0) return ROWS_END;
  for (int i = 0; i < head->ncells; i++) cells[i] = i == 0 ? cursor->key : (struct cell){.kind = CELL_NIL};
  cursor->rows--;
  return ROWS_ROW;
}

static void dry_finish(struct sql_cursor *head) {
  free(head);
}

static void dry_put(struct sql_cursor *head, const char *p, size_t n) {
  (void)n;
  if (!p) ((struct dry_cursor *)head)->copy = COPY_NONE;
}

static const char *dry_column_name(struct sql_cursor *head, int i) {
  (void)head;
  (void)i;
  return NULL;
}

static const struct sql_transport dry = {
    .name = "dry run", .next = dry_next, .finish = dry_finish, .put = dry_put, .column_name = dry_column_name};

// ---- What would be sent ----

static int add(struct neap__buffer *out, const char *text) {
  return neap__buffer_append(out, text, strlen(text));
}

// Values of statements that a script writes itself may be secrets: only their kind is known.
static int add_param(struct neap__buffer *out, const struct cell *cell, bool raw) {
  char text[64];
  bool hidden = cell->secret || (raw && neap__cell_has_text(cell));
  return add(out, hidden ? "***" : neap__cell_print(cell, text, sizeof text));
}

void neap__sql_dry_log(const struct sql_run *run) {
  const struct sql_statement *s = &run->statement;
  struct neap__buffer out;
  neap__buffer_plain(&out);
  int status = neap__buffer_append(&out, s->text, s->n);
  for (int i = 0; i < s->nparams && status == 0; i++) {
    status = add(&out, i == 0 ? " -- " : ", ");
    if (status == 0) status = add_param(&out, &s->params[i], run->use == USE_RAW);
  }
  for (size_t i = 0; i < out.n; i++)
    if (out.p[i] == '\n') out.p[i] = ' ';
  if (status == 0) neap__log(run->store->head.host, NEAP_LOG_INFO, "not sent: %.*s", (int)out.n, out.p);
  neap__buffer_free(&out);
}

// ---- The answer ----

struct sql_cursor *neap__sql_dry_start(struct sql_run *run) {
  const struct sql_statement *s = &run->statement;
  struct dry_cursor *cursor = calloc(1, sizeof *cursor);
  if (!cursor) {
    neap__error_set(&run->rows.error, NEAP_LIMIT, "memory is short");
    return NULL;
  }
  if (!s->control || s->copy) neap__sql_dry_log(run);
  cursor->connection.transport = &dry;
  cursor->connection.host = run->store->head.host;
  cursor->head.connection = &cursor->connection;
  cursor->head.changed = s->control ? 0 : 1;
  cursor->head.ncells = s->kinds ? s->nkinds : 0;
  cursor->rows = cursor->head.ncells > 0;
  cursor->copy = s->copy;
  cursor->key = run->dry_key ? (struct cell){.i = run->dry_key, .kind = CELL_INTEGER} : (struct cell){.kind = CELL_NIL};
  return &cursor->head;
}
