// dynamodb_set.c: writes over the rows that a query gives: their keys are read, and what lies around places that are to be changed; each
// is written by itself, some side by side. A row that does not meet the query any more when its turn comes is left alone and not counted.
#include <stdlib.h>
#include <string.h>

#include "store/dynamodb_store.h"

#define PARTS 16  // of what rows have to meet, that are asked once more

struct set_slot {
  struct dynamodb_call call;
  bool busy;
  bool makes;  // parents of places, if they are still missing
};

// User value 2: the rows that give the keys; 3: the query that they answer.
struct set_run {
  struct dynamodb_run run;
  struct rows *source;  // NULL once it has ended
  const struct shape *shape;
  struct write write;
  const struct condition *parts[PARTS];
  struct condition both;
  int busy;
  struct cell key[4];  // of the row at hand
  struct set_slot slots[DYNAMODB_WRITES];
  bool nested;  // places inside of columns are changed
  int nin;
  const struct field **in;  // the columns that are read
  struct cell cells[];      // the row as it comes, then by column
};

// ---- One row ----

static void take_reply(struct set_run *r, struct set_slot *slot) {
  struct aws_call *aws = &slot->call.aws;
  bool unmet = aws->failed && strcmp(aws->error.code, "ConditionalCheckFailedException") == 0;
  if (unmet && slot->makes) {
    neap__error_set(&aws->error, NEAP_CONFLICT, "a row was changed by others meanwhile: update once more");
    aws->error.retryable = true;
  }
  if (!aws->failed)
    r->run.rows.changed++;
  else if ((slot->makes || !unmet) && !r->run.failed) {
    r->run.rows.error = aws->error;
    neap__dynamodb_fail(&r->run);
  }
  neap__dynamodb_call_drop(&slot->call);
  slot->busy = false;
  r->busy--;
}

static void set_answered(struct dynamodb_run *run, struct dynamodb_call *call) {
  take_reply((struct set_run *)run, (struct set_slot *)((char *)call - offsetof(struct set_slot, call)));
  neap__op_done(&run->rows.op);
}

// Gives the row by column.
static const struct cell *read_row(struct set_run *r) {
  struct cell *wide = r->cells + r->nin;
  for (int i = 0; i < r->nin; i++) wide[r->in[i]->column] = r->cells[i];
  for (int k = 0; k < r->shape->nkeys; k++) r->key[k] = wide[r->shape->keys[k]->column];
  return wide;
}

// The write, with the parents that the row lacks.
static int write_nested(struct set_run *r, struct dynamodb_text *t, const struct cell *wide, bool *makes,
                        struct neap__error *e) {
  size_t n = (size_t)r->write.nchanges;
  struct write w = r->write;
  struct dynamodb_listing l = {
      .changes = calloc(2 * n, sizeof *l.changes), .n = (int)n, .texts = calloc(n, sizeof *l.texts)};
  int status = -1;
  if (l.changes && l.texts) {
    memcpy(l.changes, w.changes, n * sizeof *l.changes);
    l.held = l.changes + n;
    status = neap__dynamodb_make_parents(&l, wide);
  }
  w.changes = l.changes;
  w.nchanges = l.n;
  *makes = l.nheld > 0;
  if (status != 0)
    neap__error_set(e, NEAP_LIMIT, "memory is short");
  else
    status = neap__dynamodb_write_one(t, r->run.view, r->shape, &w, l.held, l.nheld, e);
  for (int i = 0; i < l.nheld; i++) neap__buffer_free(&l.texts[i]);
  free(l.changes);
  free(l.texts);
  return status;
}

static int send_row(struct set_run *r, struct set_slot *slot) {
  struct neap__error *e = &r->run.rows.error;
  struct dynamodb_text *t = neap__dynamodb_call_begin(&r->run, &slot->call);
  const char *target = neap__dynamodb_write_target(&r->write);
  const struct cell *wide = read_row(r);
  slot->makes = false;
  int status = r->nested ? write_nested(r, t, wide, &slot->makes, e)
                         : neap__dynamodb_write_one(t, r->run.view, r->shape, &r->write, NULL, 0, e);
  if (status != 0) return -1;
  slot->call.aws.repeatable = neap__dynamodb_repeatable(&r->write) && !neap__dynamodb_guarded(&r->write);
  if (r->run.view->dry_run) {
    if (neap__dynamodb_log_dry(&r->run, r->shape, target, t, e) != 0) return -1;
    neap__dynamodb_call_drop(&slot->call);
    r->run.rows.changed++;
    return 0;
  }
  if (neap__dynamodb_call_send(&slot->call, target, e) != 0) return -1;
  slot->busy = true;
  r->busy++;
  return 0;
}

// ---- All rows ----

static struct set_slot *free_slot(struct set_run *r) {
  for (struct set_slot *s = r->slots; s < r->slots + DYNAMODB_WRITES; s++)
    if (!s->busy) return s;
  return NULL;
}

static void end_source(struct set_run *r) {
  if (r->source) r->source->close(r->source);
  r->source = NULL;
  r->run.rows.op.inner = NULL;
}

// Sends as many as there is room for. ROWS_ROW: the slots are full. ROWS_WAIT: the source has nothing now.
static enum rows_state send_rows(struct set_run *r) {
  struct set_slot *slot;
  while (r->source && !r->run.failed && (slot = free_slot(r)) != NULL) {
    enum rows_state state = r->source->next(r->source, r->cells);
    if (state == ROWS_WAIT) return ROWS_WAIT;
    if (state == ROWS_FAILED) {
      r->run.rows.error = r->source->error;
      neap__dynamodb_fail(&r->run);
    } else if (state == ROWS_END) {
      end_source(r);
    } else if (send_row(r, slot) != 0) {
      neap__dynamodb_call_drop(&slot->call);
      neap__dynamodb_fail(&r->run);
    }
  }
  return ROWS_ROW;
}

static enum rows_state set_next(struct rows *rows, struct cell *cells) {
  struct set_run *r = (struct set_run *)rows;
  (void)cells;
  if (r->run.ended) return r->run.failed ? ROWS_FAILED : ROWS_END;
  enum rows_state state = send_rows(r);
  if (state == ROWS_WAIT) {
    rows->op.inner = &r->source->op;
    return ROWS_WAIT;
  }
  rows->op.inner = NULL;
  if (r->busy > 0) return neap__dynamodb_wait(&r->run);
  end_source(r);
  r->run.ended = true;
  neap__counts(rows->op.host)->written += rows->changed;
  return r->run.failed ? ROWS_FAILED : ROWS_END;
}

static void set_end(struct dynamodb_run *run) {
  struct set_run *r = (struct set_run *)run;
  end_source(r);
  for (struct set_slot *s = r->slots; s < r->slots + DYNAMODB_WRITES; s++) neap__dynamodb_call_drop(&s->call);
}

// ---- The verbs ----

// Whether a row is read for the column: for its key, or for places in it.
static bool is_read(const struct field *f, const struct write *w) {
  bool read = f->flags & FIELD_PRIMARY;
  for (int i = 0; i < w->nchanges && !read; i++)
    read = w->changes[i].place.field == f && w->changes[i].place.nsteps > 0;
  return read;
}

// Pushes the query for the keys alone.
static struct query *push_keys_query(lua_State *L, const struct query *q, const struct write *w) {
  const struct shape *shape = q->class->shape;
  struct query *keys = lua_newuserdatauv(L, sizeof *keys + (size_t)shape->ncolumns * sizeof *keys->select, 0);
  *keys = *q;
  keys->select = (const struct field **)(keys + 1);
  keys->nselect = 0;
  for (int i = 0; i < shape->ncolumns; i++)
    if (is_read(shape->columns[i], w)) keys->select[keys->nselect++] = shape->columns[i];
  keys->ncounts = keys->nincludes = 0;
  keys->scan |= !q->where || neap__condition_is_true(q->where);  // whoever got here has said that all are meant
  return keys;
}

// Adds what the service can tell of what all rows have to meet.
static void add_told(struct set_run *r, const struct condition *c) {
  struct neap__error e;
  if (!c) return;
  if (c->op == COND_AND)
    for (int i = 0; i < c->nchildren; i++) add_told(r, c->children[i]);
  else if (r->both.nchildren < PARTS && neap__dynamodb_tells(c, &e))
    r->parts[r->both.nchildren++] = c;
}

// What is to be asked once more when a row is written.
static void set_condition(struct set_run *r, const struct query *q) {
  struct neap__error e;
  r->both = (struct condition){.op = COND_AND, .shape = r->shape, .children = r->parts};
  add_told(r, q->where);
  add_told(r, neap__view_scope(r->run.view, r->shape));
  while (r->both.nchildren > 1 && !neap__dynamodb_tells(&r->both, &e)) r->both.nchildren--;
  if (r->both.nchildren > 0) r->write.condition = &r->both;
}

static struct rows *set_new(lua_State *L, struct view *view, const struct query *q, struct write write) {
  view = neap__view_effective(L, view);
  if (view->transaction)
    neap__fail(L, NEAP_UNSUPPORTED, "%s: in a transaction of dynamodb rows are read, changed and saved one by one",
               q->class->shape->model);
  const struct query *keys = push_keys_query(L, q, &write);
  struct rows *source = neap__dynamodb_select(L, view, keys);
  size_t ncells = (size_t)keys->nselect + (size_t)keys->class->shape->ncolumns;
  struct set_run *r = neap__dynamodb_run_new(L, view, sizeof *r + ncells * sizeof *r->cells);
  r->run.rows.next = set_next;
  r->run.end = set_end;
  r->run.answered = set_answered;
  r->run.writes = true;
  r->source = source;
  r->shape = q->class->shape;
  r->run.table = neap__dynamodb_metered(r->run.store, view, r->shape);
  r->write = write;
  r->write.key = r->key;
  r->nin = keys->nselect;
  r->in = keys->select;
  r->nested = keys->nselect > r->shape->nkeys;
  set_condition(r, q);
  lua_rotate(L, -3, 1);
  lua_setiuservalue(L, -3, 2);
  lua_setiuservalue(L, -2, 3);
  return &r->run.rows;
}

struct rows *neap__dynamodb_update_all(lua_State *L, struct view *view, const struct query *q,
                                       const struct change *sets, int nsets) {
  return set_new(L, view, q, (struct write){.kind = WRITE_UPDATE, .nchanges = nsets, .changes = sets});
}

struct rows *neap__dynamodb_remove_all(lua_State *L, struct view *view, const struct query *q) {
  return set_new(L, view, q, (struct write){.kind = WRITE_DELETE});
}
