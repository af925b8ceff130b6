// dynamodb_fetch.c: objects by their keys as they are at one moment: a TransactGetItems, in transactions that only read.
#include <stdlib.h>
#include <string.h>

#include "model/condition.h"
#include "store/dynamodb_store.h"
#include "value/json.h"
#include "value/text.h"

#define TARGET "DynamoDB_20120810.TransactGetItems"
#define ITEMS_MOST 100
#define ATTEMPTS 6  // while others write the same items

struct fetched {
  const struct shape *shape;
  const struct condition *scope;
  const struct cell *key;
  int place;  // in the request: two with one key share it
};

// User value 2: what the keys are kept in.
struct fetch_run {
  struct dynamodb_run run;
  struct dynamodb_call call;
  bool one;  // what is not there is no row
  int attempts, at, n, nplaces;
  struct neap__items items;
  const struct shape *shape;  // that items reads
  struct row_source source;   // of the row at hand
  const struct cell *cells;
  struct neap__json_slice replies[ITEMS_MOST];
  struct fetched list[];
};

// ---- The request ----

static int add_get(struct dynamodb_text *t, const struct fetch_run *r, const struct fetched *f, struct neap__error *e) {
  neap__dynamodb_add(t, f->place > 0 ? ",{\"Get\":{" : "{\"Get\":{");
  neap__dynamodb_table(t, r->run.view, f->shape);
  neap__dynamodb_member(t, "Key");
  if (neap__dynamodb_key(t, f->shape, f->key, e) != 0) return -1;
  neap__dynamodb_add(t, "}}");
  return 0;
}

static int write_request(struct fetch_run *r, struct neap__error *e) {
  struct dynamodb_text *t = neap__dynamodb_call_begin(&r->run, &r->call);
  neap__dynamodb_member(t, "TransactItems");
  neap__dynamodb_add(t, "[");
  for (int i = 0, place = 0; i < r->n; i++) {
    if (r->list[i].place < place) continue;
    if (add_get(t, r, &r->list[i], e) != 0) return -1;
    place++;
  }
  neap__dynamodb_add(t, "]");
  return 0;
}

static bool same(const struct fetched *a, const struct fetched *b) {
  return strcmp(a->shape->table, b->shape->table) == 0 && a->shape->nkeys == b->shape->nkeys &&
         neap__item_key_equal(a->shape, a->key, b->key);
}

static void find_places(struct fetch_run *r) {
  for (int i = 0; i < r->n; i++) {
    int k = 0;
    while (!same(&r->list[k], &r->list[i])) k++;
    r->list[i].place = k < i ? r->list[k].place : r->nplaces++;
  }
}

// ---- The reply ----

// Once more after a while, where others are writing what is read. ROWS_WAIT, or the failure.
static enum rows_state fail_or_again(struct fetch_run *r) {
  struct neap__error *e = &r->run.rows.error;
  *e = r->call.aws.error;
  if (neap__dynamodb_passes(&r->call)) {
    e->retryable = true;
    if (++r->attempts < ATTEMPTS) {
      neap__dynamodb_call_drop(&r->call);
      if (write_request(r, e) == 0 && neap__dynamodb_call_again(&r->call, TARGET, r->attempts, e) == 0)
        return neap__dynamodb_wait(&r->run);
    }
  }
  return neap__dynamodb_fail(&r->run);
}

static bool take_reply(struct fetch_run *r) {
  static const struct neap__json_step step = {"Responses", 9, -1};
  struct neap__json_slice list;
  int n = 0;
  if (!neap__json_find(r->call.aws.reply, r->call.aws.nreply, &step, 1, &list)) return false;
  struct neap__json_each it = neap__json_each(list.p, list.n);
  while (n < r->nplaces && neap__json_next(&it)) r->replies[n++] = it.value;
  return n == r->nplaces;
}

static void scope_cell(struct row_source *source, const struct field *f, struct cell *out) {
  const struct fetch_run *r = (const struct fetch_run *)((char *)source - offsetof(struct fetch_run, source));
  *out = r->cells[f->column];
}

// Reads what came for it, if anything did that lies in its scope.
static enum rows_state read_row(struct fetch_run *r, const struct fetched *f, struct cell *cells) {
  static const struct neap__json_step step = {"Item", 4, -1};
  struct neap__error *e = &r->run.rows.error;
  struct neap__json_slice item, reply = r->replies[f->place];
  if (!neap__json_find(reply.p, reply.n, &step, 1, &item)) return ROWS_END;
  if (r->shape != f->shape) {
    neap__items_free(&r->items);
    r->shape = f->shape;
    if (neap__items_init(&r->items, f->shape, NULL) != 0) {
      neap__error_set(e, NEAP_LIMIT, "memory is short");
      return ROWS_FAILED;
    }
  }
  neap__items_begin_one(&r->items, item.p, item.n);
  enum rows_state state = neap__items_next(&r->items, cells, e);
  r->cells = cells;
  if (state == ROWS_ROW && f->scope && !neap__condition_evaluate(f->scope, &r->source)) return ROWS_END;
  for (int i = r->items.ncells; state == ROWS_ROW && i < f->shape->ncells; i++)
    cells[i] = (struct cell){.kind = CELL_NIL};
  return state;
}

static enum rows_state fetch_next(struct rows *rows, struct cell *cells) {
  struct fetch_run *r = (struct fetch_run *)rows;
  if (r->run.failed) return ROWS_FAILED;
  if (r->run.ended || r->at == r->n) return ROWS_END;
  if (r->call.state != CALL_DONE) return neap__dynamodb_wait(&r->run);
  if (r->call.aws.failed) return fail_or_again(r);
  if (r->at == 0 && !take_reply(r)) {
    neap__error_set(&rows->error, NEAP_PROTOCOL, "DynamoDB's reply does not say what was asked for");
    return neap__dynamodb_fail(&r->run);
  }
  const struct fetched *f = &r->list[r->at++];
  enum rows_state state = read_row(r, f, cells);
  if (state == ROWS_FAILED) return neap__dynamodb_fail(&r->run);
  rows->ncells = state == ROWS_ROW ? f->shape->ncells : 0;
  neap__counts(rows->op.host)->read += state == ROWS_ROW;
  return r->one ? state : ROWS_ROW;
}

static void fetch_end(struct dynamodb_run *run) {
  struct fetch_run *r = (struct fetch_run *)run;
  neap__dynamodb_call_drop(&r->call);
  neap__items_free(&r->items);
}

// ---- The verbs ----

static struct fetch_run *fetch_new(lua_State *L, struct view *view, const struct class *const *classes,
                                   const struct cell *const *keys, int n) {
  struct fetch_run *r = neap__dynamodb_run_new(L, view, sizeof *r + (size_t)n * sizeof r->list[0]);
  r->run.rows.next = fetch_next;
  r->run.end = fetch_end;
  r->source.cell = scope_cell;
  r->n = n;
  for (int i = 0; i < n; i++) {
    const struct shape *shape = classes[i]->shape;
    r->list[i] =
        (struct fetched){shape, neap__view_scope(neap__view_effective(L, classes[i]->view), shape), keys[i], 0};
    struct dynamodb_table *table = neap__dynamodb_metered(r->run.store, view, shape);
    if (i == 0) r->run.table = table;
    if (r->list[i].scope) r->source.regexes = neap__regexes_of(L);
  }
  find_places(r);
  return r;
}

static struct rows *fetch_send(struct fetch_run *r) {
  struct neap__error *e = &r->run.rows.error;
  if (r->nplaces > ITEMS_MOST)
    neap__error_set(e, NEAP_LIMIT, "a transaction of dynamodb reads %d items at most at one time", ITEMS_MOST);
  if (r->nplaces > ITEMS_MOST || write_request(r, e) != 0 || neap__dynamodb_call_send(&r->call, TARGET, e) != 0)
    neap__dynamodb_fail(&r->run);
  return &r->run.rows;
}

struct rows *neap__dynamodb_load(lua_State *L, struct view *view, const struct class *const *classes,
                                 const struct cell *const *keys, int n) {
  return fetch_send(fetch_new(L, view, classes, keys, n));
}

struct rows *neap__dynamodb_get_alone(lua_State *L, struct view *view, const struct class *class,
                                      const struct cell *key) {
  struct cell *kept = lua_newuserdatauv(L, (size_t) class->shape->nkeys * sizeof *kept, 0);
  memcpy(kept, key, (size_t) class->shape->nkeys * sizeof *kept);
  const struct cell *keys[] = {kept};
  struct fetch_run *r = fetch_new(L, view, &class, keys, 1);
  lua_rotate(L, -2, 1);
  lua_setiuservalue(L, -2, 2);
  r->one = true;
  return fetch_send(r);
}
