// dynamodb_collect.c: what is written in a transaction, until that commits: it is copied and answered as if it were done. Writes of
// one object become one, as the service takes one for each item. Conditions speak of the row as it is before the transaction.
#include <stdlib.h>
#include <string.h>

#include "model/live.h"
#include "store/dynamodb_transaction.h"

#define ITEMS_MOST 100

// ---- Collecting ----

static int count_bits(const uint64_t *bits, int n) {
  int count = 0;
  for (int i = 0; bits && i < n; i++) count += neap__has_bit(bits, i);
  return count;
}

static size_t text_of(const struct cell *cells, int n) {
  size_t size = 0;
  for (int i = 0; i < n; i++)
    if (neap__cell_has_text(&cells[i])) size += cells[i].n;
  return size;
}

// Where copies of cells, then of bits, then of texts go.
struct room {
  struct cell *cells;
  uint64_t *bits;
  char *text;
};

static const struct cell *copy_cells(struct room *room, const struct cell *from, int n) {
  struct cell *to = room->cells;
  for (int i = 0; i < n; i++) {
    to[i] = from[i];
    if (!neap__cell_has_text(&from[i]) || from[i].n == 0) continue;
    to[i].p = memcpy(room->text, from[i].p, from[i].n);
    room->text += from[i].n;
  }
  room->cells += n;
  return to;
}

static const uint64_t *copy_bits(struct room *room, const uint64_t *from, size_t words) {
  if (!from) return NULL;
  uint64_t *to = memcpy(room->bits, from, words * sizeof *from);
  room->bits += words;
  return to;
}

// Pushes a copy of the write, whose key is given.
static struct pending *push_pending(lua_State *L, const struct view *view, const struct shape *shape,
                                    const struct write *w, const struct cell *key) {
  int nsent = count_bits(w->columns, shape->ncolumns), nexpected = count_bits(w->expected, shape->ncolumns);
  int nopen = w->open != NULL, ncells = nsent + nexpected + nopen + shape->nkeys;
  size_t words = (size_t)(shape->ncolumns + 63) / 64;
  size_t text = text_of(w->cells, nsent) + text_of(w->expected_cells, nexpected) + text_of(w->open, nopen) +
                text_of(key, shape->nkeys);
  struct pending *p =
      lua_newuserdatauv(L, sizeof *p + (size_t)ncells * sizeof(struct cell) + 2 * words * sizeof(uint64_t) + text, 1);
  struct room room = {.cells = (struct cell *)(p + 1)};
  room.bits = (uint64_t *)(room.cells + ncells);
  room.text = (char *)(room.bits + 2 * words);
  *p = (struct pending){.owner = neap__view_owner(view), .shape = shape, .write = *w};
  p->write.columns = copy_bits(&room, w->columns, words);
  p->write.cells = copy_cells(&room, w->cells, nsent);
  p->write.expected = copy_bits(&room, w->expected, words);
  p->write.expected_cells = copy_cells(&room, w->expected_cells, nexpected);
  p->write.open = w->open ? copy_cells(&room, w->open, 1) : NULL;
  p->write.key = copy_cells(&room, key, shape->nkeys);
  if (w->condition) {
    neap__live_push(L, w->condition);
    lua_setiuservalue(L, -2, 1);
  }
  return p;
}

// Takes it from the top of the stack into the transaction.
static void keep(lua_State *L, struct transaction *tx, struct pending *p) {
  struct pending **at = &tx->first;
  neap__live_push(L, tx);
  lua_getiuservalue(L, -1, 1);
  lua_pushvalue(L, -3);
  lua_rawsetp(L, -2, p);
  lua_pop(L, 3);
  while (*at) at = &(*at)->next;
  *at = p;
}

void neap__dynamodb_forget(lua_State *L, struct transaction *tx, struct pending *p) {
  struct pending **at = &tx->first;
  while (*at != p) at = &(*at)->next;
  *at = p->next;
  neap__live_push(L, tx);
  lua_getiuservalue(L, -1, 1);
  lua_pushnil(L);
  lua_rawsetp(L, -2, p);
  lua_pop(L, 2);
}

// ---- Items ----

static bool is_item(const struct pending *p, const struct shape *shape, const struct cell *key) {
  return strcmp(p->shape->table, shape->table) == 0 && p->shape->nkeys == shape->nkeys &&
         neap__item_key_equal(shape, p->write.key, key);
}

struct pending *neap__dynamodb_same_item(struct pending *from, const struct shape *shape, const struct cell *key) {
  while (from && !is_item(from, shape, key)) from = from->next;
  return from;
}

struct pending *neap__dynamodb_next_item(const struct transaction *tx, const struct pending *p) {
  struct pending *next = p ? p->next : tx->first;
  while (next && neap__dynamodb_same_item(tx->first, next->shape, next->write.key) != next) next = next->next;
  return next;
}

// All that was collected for one item as one write.
struct merged {
  const struct shape *shape;
  struct write write;
  bool writes;  // else it is only checked
  const struct condition *parts[2];
  struct condition both;
  uint64_t *bits;
  struct cell *cells;  // by column at first
};

static void add_columns(struct merged *m, const struct write *w) {
  const struct cell *cell = w->cells;
  for (int i = 0; i < m->shape->ncolumns; i++) {
    if (!neap__has_bit(w->columns, i)) continue;
    neap__set_bit(m->bits, i);
    m->cells[i] = *cell++;
  }
}

static void clear_columns(struct merged *m) {
  memset(m->bits, 0, (size_t)(m->shape->ncolumns + 63) / 64 * sizeof *m->bits);
}

static void merge_write(struct merged *m, const struct pending *p) {
  bool first = !m->writes;
  if (first) {
    const struct write checked = m->write;
    m->write = p->write;
    m->write.absent |= checked.absent;
    m->write.check = checked.check;
    m->write.asked |= checked.asked;
    if (!m->write.expected) {
      m->write.expected = checked.expected;
      m->write.expected_cells = checked.expected_cells;
      m->write.fresh = checked.fresh;
    }
    m->writes = true;
  }
  if (p->write.columns) add_columns(m, &p->write);
  if (first || p->write.kind != WRITE_DELETE) return;
  clear_columns(m);
  if (m->write.kind == WRITE_INSERT && m->write.absent)
    m->writes = false;  // it comes and goes: what is left is that there was none
  else
    m->write.kind = WRITE_DELETE;
}

static void merge(struct pending *first, struct merged *m) {
  const struct condition *check = NULL, *write = NULL;
  struct cell *to = m->cells;
  m->shape = first->shape;
  m->writes = false;
  m->write = first->write.check ? first->write : (struct write){0};
  clear_columns(m);
  for (struct pending *p = first; p; p = neap__dynamodb_same_item(p->next, first->shape, first->write.key)) {
    if (p->write.check) {
      check = p->write.condition;
    } else {
      if (!m->writes) write = p->write.condition;
      merge_write(m, p);
    }
  }
  for (int i = 0; i < m->shape->ncolumns; i++)
    if (neap__has_bit(m->bits, i)) *to++ = m->cells[i];
  m->write.columns = m->bits;
  m->write.cells = m->cells;
  m->parts[0] = check;
  m->parts[1] = write;
  m->both = (struct condition){.op = COND_AND, .shape = m->shape, .nchildren = 2, .children = m->parts};
  m->write.condition = check && write ? &m->both : check ? check : write;
}

// Pushes room for what is merged.
static void push_room(lua_State *L, const struct transaction *tx, struct merged *m) {
  int most = 1;
  for (const struct pending *p = tx->first; p; p = p->next)
    if (p->shape->ncolumns > most) most = p->shape->ncolumns;
  *m = (struct merged){.cells = lua_newuserdatauv(L, (size_t)most * (sizeof *m->cells + sizeof *m->bits), 0)};
  m->bits = (uint64_t *)(m->cells + most);
}

// ---- Requests ----

static bool updates(const struct merged *m) {
  struct dynamodb_text t;
  struct neap__error e;
  neap__dynamodb_begin(&t);
  bool some = neap__dynamodb_update(&t, m->shape, &m->write, &e) != 0 || t.body.n > 1;
  neap__dynamodb_free(&t);
  return some;
}

// An Update has to say something: it makes the item, and leaves what there is.
static void add_nothing(struct dynamodb_text *t) {
  static const char nobody[] = "neap.nothing";
  neap__dynamodb_member(t, "UpdateExpression");
  neap__dynamodb_add(t, "\"REMOVE ");
  neap__dynamodb_name(t, nobody, sizeof nobody - 1);
  neap__dynamodb_add(t, "\"");
}

// {"Update":{...}}
static int add_item(struct dynamodb_text *t, const struct view *view, const struct merged *m, struct neap__error *e) {
  const struct write *w = &m->write;
  bool puts = w->kind == WRITE_UPSERT, deletes = w->kind == WRITE_DELETE, plain = !puts && !deletes;
  bool changes = m->writes && plain && updates(m), checks = !m->writes || (w->kind == WRITE_UPDATE && !changes);
  bool asks = w->kind == WRITE_UPSERT || w->kind == WRITE_INSERT;
  neap__dynamodb_add(t, checks    ? "{\"ConditionCheck\":{"
                        : puts    ? "{\"Put\":{"
                        : deletes ? "{\"Delete\":{"
                                  : "{\"Update\":{");
  if (neap__dynamodb_write_one(t, view, m->shape, w, NULL, 0, e) != 0) return -1;
  if (plain && !changes && !checks) add_nothing(t);
  if (asks && (w->absent || w->condition)) {
    neap__dynamodb_member(t, "ReturnValuesOnConditionCheckFailure");
    neap__dynamodb_add(t, "\"ALL_OLD\"");
  }
  if (neap__dynamodb_end(t, e) != 0) return -1;
  t->names.n = t->values.n = 0;
  t->counter = 0;
  neap__dynamodb_add(t, "}");
  return 0;
}

int neap__dynamodb_write_items(lua_State *L, struct dynamodb_text *t, const struct view *view, struct neap__error *e) {
  const struct transaction *tx = view->transaction;
  struct merged m;
  push_room(L, tx, &m);
  neap__dynamodb_member(t, "ClientRequestToken");
  neap__dynamodb_string(t, tx->token, strlen(tx->token));
  neap__dynamodb_member(t, "TransactItems");
  neap__dynamodb_add(t, "[");
  for (struct pending *p = neap__dynamodb_next_item(tx, NULL); p; p = neap__dynamodb_next_item(tx, p)) {
    if (p != tx->first) neap__dynamodb_add(t, ",");
    merge(p, &m);
    if (add_item(t, view, &m, e) != 0) return -1;
  }
  neap__dynamodb_add(t, "]");
  return 0;
}

// ---- Writes inside ----

struct collect_run {
  struct dynamodb_run run;
  const struct shape *shape;
  const struct write *writes;
  int at, n;
  struct neap__error *errors[];  // NULL: it was collected
};

// What has to know the row cannot be answered before it is sent.
static int check_answerable(const struct write *w, struct neap__error *e) {
  if (w->nchanges > 0)
    return neap__error_set(
        e, NEAP_UNSUPPORTED,
        "in a transaction of dynamodb nothing is known of the row yet: read the object inside, change it "
        "and save it, and no other change is lost");
  if (w->kind == WRITE_UPSERT && !w->replace)
    return neap__error_set(e, NEAP_UNSUPPORTED,
                           "upsert tells whether it was there, which a transaction of dynamodb does not know before it "
                           "ends: find it, or save it with overwrite = true");
  if (w->returning && w->kind != WRITE_UPSERT)
    return neap__error_set(
        e, NEAP_UNSUPPORTED,
        "a save in a transaction of dynamodb returns nothing of the row: reload it when it has ended");
  return 0;
}

// Whether it goes together with what was collected for the item.
static int check_together(const struct pending *before, const struct pending *last, const struct write *w,
                          struct neap__error *e) {
  const char *what = NULL;
  bool guarded =
      before->write.expected || before->write.absent || before->write.kind == WRITE_INSERT || before->write.replace;
  if (before->write.number != w->number)
    what = "another object stands for the same item in this transaction: use one";
  else if (last->write.kind == WRITE_DELETE && !last->write.check)
    what = "it is deleted in this transaction";
  else if (w->check)
    what = before->write.check ? "it is checked already: join the conditions by &"
                               : "it is written in this transaction: check it before that";
  else if (w->kind == WRITE_UPSERT)
    what = "it is written or checked in this transaction, and can be overwritten only before that";
  else if (!last->write.check && w->condition && w->condition != before->write.condition)
    what =
        "it is written in this transaction: the condition is for its first save, as it speaks of the row before all of "
        "them";
  else if (!last->write.check && w->expected && !guarded)
    what = "it is written in this transaction: atomic is for its first save";
  return what ? neap__error_set(e, NEAP_USAGE, "%s", what) : 0;
}

int neap__dynamodb_count_items(const struct transaction *tx) {
  int n = 0;
  for (const struct pending *p = neap__dynamodb_next_item(tx, NULL); p; p = neap__dynamodb_next_item(tx, p)) n++;
  return n;
}

static int check_place(struct transaction *tx, const struct shape *shape, const struct write *w, const struct cell *key,
                       struct neap__error *e) {
  struct pending *before = neap__dynamodb_same_item(tx->first, shape, key), *last = before;
  if (!before && neap__dynamodb_count_items(tx) == ITEMS_MOST)
    return neap__error_set(e, NEAP_LIMIT, "a transaction of dynamodb has %d items at most", ITEMS_MOST);
  if (!before) return 0;
  for (struct pending *p = before; p; p = neap__dynamodb_same_item(p->next, shape, key)) last = p;
  return check_together(before, last, w, e);
}

// What the request would say of the item, to find out whether it can be said.
static int try_item(lua_State *L, const struct view *view, const struct transaction *tx, struct pending *p,
                    struct neap__error *e) {
  struct merged m;
  struct dynamodb_text t;
  push_room(L, tx, &m);
  merge(neap__dynamodb_same_item(tx->first, p->shape, p->write.key), &m);
  neap__dynamodb_begin(&t);
  int status = add_item(&t, view, &m, e);
  neap__dynamodb_free(&t);
  lua_pop(L, 1);
  return status;
}

static int log_dry(struct collect_run *r, const struct write *w, struct neap__error *e) {
  struct dynamodb_text t;
  neap__dynamodb_begin(&t);
  int status = neap__dynamodb_write_one(&t, r->run.view, r->shape, w, NULL, 0, e);
  if (status == 0) status = neap__dynamodb_log_dry(&r->run, r->shape, neap__dynamodb_write_target(w), &t, e);
  neap__dynamodb_free(&t);
  return status;
}

static int collect_one(lua_State *L, struct collect_run *r, const struct write *w, struct neap__error *e) {
  const struct view *view = r->run.view;
  struct transaction *tx = view->transaction;
  struct cell key[4];
  if (check_answerable(w, e) != 0 || neap__dynamodb_write_key(r->shape, w, key, e) != 0) return -1;
  if (view->dry_run) return w->check ? 0 : log_dry(r, w, e);
  if (check_place(tx, r->shape, w, key, e) != 0) return -1;
  struct pending *p = push_pending(L, view, r->shape, w, key);
  keep(L, tx, p);
  if (try_item(L, view, tx, p, e) == 0) return 0;
  neap__dynamodb_forget(L, tx, p);
  return -1;
}

static enum rows_state collect_next(struct rows *rows, struct cell *cells) {
  struct collect_run *r = (struct collect_run *)rows;
  if (r->run.failed) return ROWS_FAILED;
  if (r->run.ended || r->at == r->n) return ROWS_END;
  const struct write *w = &r->writes[r->at];
  const struct neap__error *error = r->errors[r->at++];
  rows->changed = error ? 0 : 1;
  rows->ncells = 0;
  if (error) {
    rows->error = *error;
    rows->error.store = r->run.store->head.verbs->name;
    return ROWS_FAILED;
  }
  if (w->returning) rows->ncells = neap__dynamodb_echo(r->shape, w, cells);
  return ROWS_ROW;
}

static void collect_end(struct dynamodb_run *run) {
  struct collect_run *r = (struct collect_run *)run;
  for (int i = 0; i < r->n; i++) free(r->errors[i]);
}

struct rows *neap__dynamodb_collect(lua_State *L, struct view *view, const struct class *class,
                                    const struct write *writes, int n) {
  const struct transaction *tx = view->transaction;
  if (tx->reads) neap__fail(L, NEAP_USAGE, "the transaction only reads: leave out mode = \"read\" to write in it");
  struct collect_run *r = neap__dynamodb_run_new(L, view, sizeof *r + (size_t)n * sizeof r->errors[0]);
  r->run.rows.next = collect_next;
  r->run.end = collect_end;
  r->shape = class->shape;
  r->writes = writes;
  r->n = n;
  for (int i = 0; i < n; i++) {
    struct neap__error e;
    if (collect_one(L, r, &writes[i], &e) == 0) continue;
    r->errors[i] = malloc(sizeof e);
    if (!r->errors[i]) neap__fail(L, NEAP_LIMIT, "memory is short");
    *r->errors[i] = e;
  }
  return &r->run.rows;
}

bool neap__dynamodb_only_reads(const struct view *view) {
  return view->transaction && ((const struct transaction *)view->transaction)->reads;
}

void neap__dynamodb_check_unwritten(lua_State *L, const struct view *view, const struct shape *shape,
                                    const struct cell *key) {
  struct transaction *tx = view->transaction;
  struct pending *p = tx ? neap__dynamodb_same_item(tx->first, shape, key) : NULL;
  while (p && p->write.check) p = neap__dynamodb_same_item(p->next, shape, key);
  if (p)
    neap__fail(
        L, NEAP_USAGE,
        "this %s is written in the transaction, and nothing is sent before that ends: use the object that was saved",
        shape->model);
}
