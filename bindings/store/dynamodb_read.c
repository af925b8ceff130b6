// dynamodb_read.c: reading by plans: the pages of queries and scans, and items by their keys.
//
// What a plan reads is cut into jobs that know nothing of each other: a query a hash key, or a hundred keys. Some of them are
// under way side by side, each a page after the other; the next page is asked for while the present one is read. Rows come from
// whichever has them, without Lua running in between.
#include <stdlib.h>
#include <string.h>

#include "model/memory.h"
#include "store/dynamodb_store.h"
#include "value/json.h"
#include "value/text.h"

// A job under way: the call whose reply is read, and the one behind it.
struct lane {
  struct dynamodb_call calls[2];
  struct neap__items items;
  int at;        // of the calls
  int job;       // -1 = none
  int attempts;  // that left everything unprocessed
  bool open;     // items of calls[at] are being read
  bool found;    // there was one
};

// User value 2: what the plan is kept in; 3: an empty set of columns.
struct read_run {
  struct dynamodb_run run;
  struct dynamodb_plan plan;
  int64_t limit;  // rows that are wanted of the service, -1 = all
  bool whole;     // all rows will be read
  bool counts;    // gives how many rows there are
  int64_t counted;
  int job, njobs, lane, nlanes;
  bool begun;
  struct {  // what a row must meet, for a single item
    const struct condition *condition;
    struct row_source source;
    const struct cell *cells;
  } scope;
  int ncells;          // of a row, those behind its columns being NIL
  struct cell key[4];  // of a single item
  struct lane lanes[];
};

// ---- Requests ----

// Items that a page may have at most, 0 = as many as the service likes.
static int64_t page_of(const struct read_run *r) {
  if (r->plan.reading == READING_KEYS || r->counts) return 0;
  int64_t batch = r->run.rows.batch;
  return r->limit >= 0 && (batch == 0 || r->limit < batch) ? r->limit : batch;
}

// A page of the job: the first, or what follows `after`.
static int send_page(struct read_run *r, struct lane *lane, struct dynamodb_call *call, struct neap__json_slice after) {
  struct neap__error *e = &r->run.rows.error;
  struct dynamodb_text *t = neap__dynamodb_call_begin(&r->run, call);
  struct dynamodb_plan plan = r->plan;
  if (after.n > 0) plan.start = NULL;
  if (neap__dynamodb_plan_text(t, &plan, lane->job, r->counts, e) != 0) return -1;
  if (page_of(r) > 0) neap__dynamodb_integer(t, "Limit", page_of(r));
  if (after.n > 0) {
    neap__dynamodb_member(t, "ExclusiveStartKey");
    neap__dynamodb_copy(t, after.p, after.n);
  }
  return neap__dynamodb_call_send(call, neap__dynamodb_plan_target(&r->plan), e);
}

// What the service left out of a batch, after a while.
static int send_rest(struct read_run *r, struct lane *lane, struct dynamodb_call *call, struct neap__json_slice rest) {
  struct neap__error *e = &r->run.rows.error;
  lane->attempts = lane->found ? 0 : lane->attempts + 1;
  if (lane->attempts >= r->run.store->attempts) {
    neap__error_set(e, NEAP_THROTTLED, "DynamoDB left items unread %d times", lane->attempts);
    e->retryable = true;
    return -1;
  }
  struct dynamodb_text *t = neap__dynamodb_call_begin(&r->run, call);
  neap__dynamodb_add(t, "\"RequestItems\":");
  neap__dynamodb_copy(t, rest.p, rest.n);
  return neap__dynamodb_call_again(call, neap__dynamodb_plan_target(&r->plan), lane->attempts, e);
}

// ---- Lanes ----

static bool reads_ahead(const struct read_run *r) {
  return r->whole && r->plan.reading != READING_KEYS;
}

// The reply of the lane is here: reads it from its start, and asks for what follows.
static int open_page(struct read_run *r, struct lane *lane) {
  static const struct neap__json_step step = {.key = "LastEvaluatedKey", .len = 16, .index = -1};
  struct dynamodb_call *call = &lane->calls[lane->at];
  struct neap__json_slice after;
  neap__items_begin(&lane->items, call->aws.reply, call->aws.nreply);
  lane->open = true;
  lane->found = false;
  if (!reads_ahead(r) || !neap__json_find(call->aws.reply, call->aws.nreply, &step, 1, &after)) return 0;
  return send_page(r, lane, &lane->calls[!lane->at], after);
}

// The page has been read: goes on with the next one, or the lane has none.
static int close_page(struct read_run *r, struct lane *lane) {
  struct dynamodb_call *call = &lane->calls[lane->at], *other = &lane->calls[!lane->at];
  const struct neap__items *items = &lane->items;
  int status = 0;
  lane->open = false;
  if (r->counts) r->counted += items->count > 0 ? items->count : 0;
  if (items->unprocessed.n > 0)
    status = send_rest(r, lane, other, items->unprocessed);
  else if (items->last_key.n > 0 && other->state == CALL_IDLE)
    status = send_page(r, lane, other, items->last_key);
  else if (other->state == CALL_IDLE)
    lane->job = -1;
  if (status != 0) return -1;
  neap__dynamodb_call_drop(call);
  lane->at = !lane->at;
  return 0;
}

static bool meets_scope(struct read_run *r, const struct cell *cells) {
  if (!r->scope.condition) return true;
  r->scope.cells = cells;
  return neap__condition_evaluate(r->scope.condition, &r->scope.source);
}

static enum rows_state lane_next(struct read_run *r, struct lane *lane, struct cell *cells) {
  struct dynamodb_call *call = &lane->calls[lane->at];
  struct neap__error *e = &r->run.rows.error;
  if (call->state != CALL_DONE) return ROWS_WAIT;
  if (call->aws.failed) {
    *e = call->aws.error;
    return ROWS_FAILED;
  }
  if (!lane->open && open_page(r, lane) != 0) return ROWS_FAILED;
  enum rows_state state;
  do {
    state = neap__items_next(&lane->items, cells, e);
    lane->found |= state == ROWS_ROW;
  } while (state == ROWS_ROW && !meets_scope(r, cells));
  if (state == ROWS_END && close_page(r, lane) != 0) return ROWS_FAILED;
  return state;
}

static int fill_lanes(struct read_run *r) {
  for (int i = 0; i < r->nlanes && r->job < r->njobs; i++) {
    struct lane *lane = &r->lanes[i];
    if (lane->job >= 0) continue;
    lane->job = r->job++;
    lane->attempts = 0;
    if (send_page(r, lane, &lane->calls[lane->at], (struct neap__json_slice){NULL, 0}) != 0) return -1;
  }
  return 0;
}

// ---- Rows ----

static enum rows_state give(struct read_run *r, struct cell *cells) {
  for (int i = r->lanes[0].items.ncells; i < r->ncells; i++) cells[i] = (struct cell){.kind = CELL_NIL};
  neap__counts(r->run.rows.op.host)->read++;
  return ROWS_ROW;
}

// One row of those that are here. ROWS_WAIT: none is.
static enum rows_state next_row(struct read_run *r, struct cell *cells) {
  bool busy = true;
  while (busy) {
    if (fill_lanes(r) != 0) return ROWS_FAILED;
    busy = false;
    for (int i = 0; i < r->nlanes; i++) {
      struct lane *lane = &r->lanes[(r->lane + i) % r->nlanes];
      if (lane->job < 0) continue;
      enum rows_state state = lane_next(r, lane, cells);
      if (state == ROWS_ROW) r->lane = (r->lane + i) % r->nlanes;
      if (state == ROWS_ROW || state == ROWS_FAILED) return state;
      busy |= state == ROWS_END;
    }
  }
  for (int i = 0; i < r->nlanes; i++)
    if (r->lanes[i].job >= 0) return ROWS_WAIT;
  return ROWS_END;
}

static enum rows_state read_next(struct rows *rows, struct cell *cells) {
  struct read_run *r = (struct read_run *)rows;
  if (r->run.failed) return ROWS_FAILED;
  rows->ncells = r->counts ? 1 : r->ncells;
  if (r->run.ended) return ROWS_END;
  if (!cells) return fill_lanes(r) == 0 ? ROWS_ROW : neap__dynamodb_fail(&r->run);
  enum rows_state state = next_row(r, cells);
  if (state == ROWS_ROW) return give(r, cells);
  if (state == ROWS_FAILED) return neap__dynamodb_fail(&r->run);
  if (state == ROWS_WAIT) return neap__dynamodb_wait(&r->run);
  r->run.ended = true;
  if (!r->counts) return ROWS_END;
  cells[0] = (struct cell){.i = r->counted, .kind = CELL_INTEGER};
  return ROWS_ROW;
}

static void read_end(struct dynamodb_run *run) {
  struct read_run *r = (struct read_run *)run;
  for (int i = 0; i < r->nlanes; i++) {
    neap__dynamodb_call_drop(&r->lanes[i].calls[0]);
    neap__dynamodb_call_drop(&r->lanes[i].calls[1]);
    neap__items_free(&r->lanes[i].items);
  }
}

static void scope_cell(struct row_source *source, const struct field *f, struct cell *out) {
  const struct read_run *r = (const struct read_run *)((char *)source - offsetof(struct read_run, scope.source));
  *out = r->scope.cells[f->column];
}

// Pushes a run by the plan of a query (NULL: there is none), whose keeper lies on top of the stack and is taken. With `counts` it
// gives how many rows there are.
static struct read_run *read_new(lua_State *L, const struct query *q, const struct dynamodb_plan *plan, bool counts) {
  size_t words = (size_t)plan->shape->ncolumns / 64 + 1;
  uint64_t *none = memset(lua_newuserdatauv(L, words * sizeof *none, 0), 0, words * sizeof *none);
  int njobs = neap__dynamodb_plan_requests(plan), nlanes = njobs < DYNAMODB_WINDOW ? njobs : DYNAMODB_WINDOW;
  struct read_run *r = neap__dynamodb_run_new(L, plan->view, sizeof *r + (size_t)nlanes * sizeof r->lanes[0]);
  r->run.end = read_end;
  r->run.rows.next = read_next;
  r->plan = *plan;
  r->run.table = neap__dynamodb_metered(r->run.store, plan->view, plan->shape);
  r->counts = counts;
  r->limit = q && !counts ? neap__dynamodb_plan_limit(q, plan) : -1;
  r->whole = q && q->limit < 0;
  r->njobs = njobs;
  r->nlanes = nlanes;
  for (int i = 0; i < nlanes; i++) {
    r->lanes[i].job = -1;
    if (neap__items_init(&r->lanes[i].items, plan->shape, counts ? none : plan->columns) != 0)
      neap__fail(L, NEAP_LIMIT, "memory is short");
  }
  for (int i = 0; i < plan->shape->ncolumns; i++) r->ncells += !plan->columns || neap__has_bit(plan->columns, i);
  lua_rotate(L, -3, 1);
  lua_setiuservalue(L, -3, 3);
  lua_setiuservalue(L, -2, 2);
  return r;
}

// ---- The verbs ----

// What a transaction reads of a table is as it is: what it writes must still find it so.
static void make_plan(lua_State *L, struct view *view, const struct query *q, struct dynamodb_plan *plan) {
  if (neap__dynamodb_only_reads(view))
    neap__fail(
        L, NEAP_UNSUPPORTED,
        "%s: a transaction of dynamodb that only reads asks by keys: get, find and reload, or store:load for several "
        "as they are at one moment",
        q->class->shape->model);
  neap__dynamodb_plan(L, view, q, plan);
  plan->consistent |= view->transaction && !plan->index;
}

struct rows *neap__dynamodb_select(lua_State *L, struct view *view, const struct query *q) {
  struct dynamodb_plan plan;
  view = neap__view_effective(L, view);
  make_plan(L, view, q, &plan);
  struct memory_plan memory = {
      .columns = plan.columns, .residual = {plan.residual}, .ordered = plan.ordered, .nordered = plan.nordered};
  read_new(L, q, &plan, false);
  return neap__memory_rows(L, q, &memory);
}

// The service counts by itself unless something is left to do.
struct rows *neap__dynamodb_count(lua_State *L, struct view *view, const struct query *q) {
  struct dynamodb_plan plan;
  view = neap__view_effective(L, view);
  make_plan(L, view, q, &plan);
  bool whole = q->limit < 0 && q->skip == 0 && !q->link && q->ngroups == 0 && plan.reading != READING_KEYS;
  if (whole && !plan.residual) return &read_new(L, q, &plan, true)->run.rows;
  struct memory_plan memory = {.columns = plan.columns, .residual = {plan.residual}, .ordered = true, .count = true};
  read_new(L, q, &plan, false);
  return neap__memory_rows(L, q, &memory);
}

struct rows *neap__dynamodb_get(lua_State *L, struct view *view, const struct class *class, const struct cell *key) {
  const struct shape *shape = class->shape;
  view = neap__view_effective(L, view);
  if (neap__dynamodb_only_reads(view)) return neap__dynamodb_get_alone(L, view, class, key);
  neap__dynamodb_check_unwritten(L, view, shape, key);
  struct dynamodb_plan plan = {.reading = READING_KEYS,
                               .view = view,
                               .shape = shape,
                               .nkeys = 1,
                               .keys = key,
                               .consistent = view->consistent || view->transaction};
  lua_pushnil(L);
  struct read_run *r = read_new(L, NULL, &plan, false);
  r->ncells = shape->ncells;
  for (int i = 0; i < shape->nkeys; i++) r->key[i] = key[i];
  r->plan.keys = r->key;
  r->scope.condition = neap__view_scope(view, shape);
  r->scope.source.cell = scope_cell;
  if (r->scope.condition) r->scope.source.regexes = neap__regexes_of(L);
  return &r->run.rows;
}
