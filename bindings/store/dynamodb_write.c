// dynamodb_write.c: writes of objects, each for itself: some are under way side by side, and their answers come in the order of
// the list. Deletes and overwrites of which nothing is asked go together, up to 25 to a request.
//
// Replies send what is next, from the loop. A key is never written by two requests at a time: what the list says last counts.
#include <stdlib.h>
#include <string.h>

#include "store/dynamodb_store.h"

#define BATCH_MOST 25
#define LIST_ATTEMPTS 20        // of a change that is made here, while others change the same list
#define BATCH_BYTES (15 << 20)  // of the 16 MB that a request may have

enum outcome { OUTCOME_NONE, OUTCOME_DONE, OUTCOME_FAILED };

// What became of one write.
struct answer {
  uint64_t hash;  // of its key
  char *reply;    // of a write that returns something
  size_t nreply;
  struct neap__error *error;
  uint8_t outcome;
  uint8_t changed;
};

enum doing {
  STEP_READ,  // the row, for a change that is made here
  STEP_ONE,
  STEP_LOOK,  // whether the row is there whose condition was not met
  STEP_BATCH,
  STEP_APART  // a batch that was refused: its writes one after the other
};

// A request under way, for the writes that begin at `first`.
struct slot {
  struct dynamodb_call call;
  int first, n;  // n = 0: free
  int at;        // the one that is written alone
  int left;      // of a batch, the last time
  int attempts;  // that got nothing done
  char *seen;    // the row that a change was made of
  size_t nseen;
  enum doing step;
};

struct write_run {
  struct dynamodb_run run;
  const struct shape *shape;
  const struct write *writes;
  int n;
  int sent;     // the first that was not sent
  int at;       // whose answer comes next
  char *given;  // the reply that the row given last lies in
  struct neap__items items;
  const uint64_t *columns;  // that items reads
  struct slot slots[DYNAMODB_WRITES];
  struct answer answers[];
};

// ---- Outcomes ----

static void fail_one(struct write_run *r, int i, const struct neap__error *e) {
  struct answer *a = &r->answers[i];
  a->outcome = OUTCOME_FAILED;
  if (!a->error) a->error = malloc(sizeof *a->error);
  if (a->error) *a->error = *e;
}

static void done_one(struct write_run *r, int i, int changed) {
  r->answers[i].outcome = OUTCOME_DONE;
  r->answers[i].changed = (uint8_t)changed;
}

static void keep_reply(struct write_run *r, int i, const struct dynamodb_call *call) {
  struct answer *a = &r->answers[i];
  struct neap__error e;
  a->reply = malloc(call->aws.nreply + 1);
  a->nreply = call->aws.nreply;
  if (a->reply) {
    memcpy(a->reply, call->aws.reply, call->aws.nreply);
    return;
  }
  neap__error_set(&e, NEAP_LIMIT, "memory is short: it is written, and what it returns is not known");
  fail_one(r, i, &e);
}

static bool has_member(const struct dynamodb_call *call, const char *name) {
  struct neap__json_step step = {name, strlen(name), -1};
  struct neap__json_slice slice;
  return neap__json_find(call->aws.reply, call->aws.nreply, &step, 1, &slice);
}

static void succeed(struct write_run *r, int i, const struct dynamodb_call *call) {
  const struct write *w = &r->writes[i];
  int changed = 1;
  if (w->kind == WRITE_DELETE) changed = has_member(call, "Attributes");
  if (w->kind == WRITE_UPSERT && !w->replace) changed = has_member(call, "Attributes") ? 2 : 1;
  done_one(r, i, changed);
  if (w->returning && !w->replace && w->kind != WRITE_DELETE) keep_reply(r, i, call);
}

// A condition was not met: the row is not there, or does not meet it. Where an earlier attempt was lost that may be its doing.
// A row that is as this write would leave it tells nothing: another writer may have made it so.
static void fail_unmet(struct write_run *r, int i, struct neap__error *e, bool there) {
  const struct write *w = &r->writes[i];
  bool unknown = e->unknown;
  if (w->absent && !w->condition)
    neap__error_set(e, NEAP_CONFLICT, "there is one with this key already");
  else if (there || w->kind == WRITE_INSERT || w->kind == WRITE_UPSERT)
    neap__error_set(e, NEAP_CONDITION, "the condition is not met");
  else
    neap__error_set(e, NEAP_NOT_FOUND, "it is not there");
  e->unknown = unknown;
  fail_one(r, i, e);
}

// ---- Sending ----

static bool in_flight(const struct write_run *r, int i) {
  for (const struct slot *s = r->slots; s < r->slots + DYNAMODB_WRITES; s++)
    for (int k = s->first; k < s->first + s->n; k++)
      if (r->answers[k].hash == r->answers[i].hash) return true;
  return false;
}

// Sends what the call of the slot says, or does as if it had been sent.
static int send_slot(struct write_run *r, struct slot *slot, const char *target, struct neap__error *e) {
  if (!r->run.view->dry_run) return neap__dynamodb_call_send(&slot->call, target, e);
  if (neap__dynamodb_log_dry(&r->run, r->shape, target, &slot->call.text, e) != 0) return -1;
  for (int i = 0; i < slot->n; i++) done_one(r, slot->first + i, 1);
  slot->n = 0;
  return 0;
}

static struct dynamodb_text *begin(struct write_run *r, struct slot *slot) {
  neap__dynamodb_call_drop(&slot->call);
  return neap__dynamodb_call_begin(&r->run, &slot->call);
}

static void forget_seen(struct slot *slot) {
  free(slot->seen);
  slot->seen = NULL;
}

// Reads the row of a change that is made here. False: it has failed, and that is the answer.
static bool send_read(struct write_run *r, struct slot *slot) {
  struct neap__error e;
  struct dynamodb_text *t = begin(r, slot);
  slot->step = STEP_READ;
  if (neap__dynamodb_list_read(t, r->run.view, r->shape, &r->writes[slot->at], &e) == 0 &&
      neap__dynamodb_call_send(&slot->call, "DynamoDB_20120810.GetItem", &e) == 0)
    return true;
  fail_one(r, slot->at, &e);
  return false;
}

// Sends one write alone. False: it has failed, and that is its answer.
static bool send_one(struct write_run *r, struct slot *slot, int i) {
  const struct write *w = &r->writes[i];
  struct neap__error e;
  slot->at = i;
  if (!slot->seen && neap__dynamodb_reads_first(w)) return send_read(r, slot);
  struct dynamodb_text *t = begin(r, slot);
  slot->call.aws.repeatable = neap__dynamodb_repeatable(w);
  int status = slot->seen ? neap__dynamodb_list_write(t, r->run.view, r->shape, w, slot->seen, slot->nseen, &e)
                          : neap__dynamodb_write_one(t, r->run.view, r->shape, w, NULL, 0, &e);
  if (status == 0) neap__dynamodb_write_returned(t, w);
  if (status == 0 && send_slot(r, slot, neap__dynamodb_write_target(w), &e) == 0) return true;
  fail_one(r, i, &e);
  return false;
}

// Deletes and overwrites of which nothing is asked. A delete that stands alone tells whether there was something.
static bool batches(const struct write_run *r, int i) {
  const struct write *w = &r->writes[i];
  if (neap__dynamodb_guarded(w) || r->answers[i].outcome != OUTCOME_NONE) return false;
  return w->kind == WRITE_DELETE ? r->n > 1 : w->kind == WRITE_UPSERT && w->replace;
}

static bool joins_batch(const struct write_run *r, const struct slot *slot, int n) {
  int i = slot->first + n;
  if (n == BATCH_MOST || i == r->n || !batches(r, i)) return false;
  for (int k = slot->first; k < i; k++)
    if (r->answers[k].hash == r->answers[i].hash) return false;
  return n == 0 || !in_flight(r, i);
}

// Writes as many from slot->first on as go together; one that breaks a rule by itself ends them. Returns their number.
static int write_batch(struct write_run *r, const struct slot *slot, struct dynamodb_text *t) {
  struct neap__error e;
  int n = 0;
  neap__dynamodb_add(t, "\"RequestItems\":{");
  neap__dynamodb_quote_table(t, r->run.view, r->shape);
  neap__dynamodb_add(t, ":[");
  for (; joins_batch(r, slot, n); n++) {
    size_t before = t->body.n;
    if (n > 0) neap__dynamodb_add(t, ",");
    if (neap__dynamodb_write_entry(t, r->shape, &r->writes[slot->first + n], &e) == 0 && t->body.n < BATCH_BYTES)
      continue;
    t->body.n = before;
    break;
  }
  neap__dynamodb_add(t, "]}");
  return n;
}

static void fail_slot(struct write_run *r, const struct slot *slot, const struct neap__error *e) {
  for (int i = slot->first; i < slot->first + slot->n; i++)
    if (r->answers[i].outcome == OUTCOME_NONE) fail_one(r, i, e);
}

static bool send_batch(struct write_run *r, struct slot *slot, int n) {
  struct neap__error e;
  slot->n = slot->left = n;
  slot->step = STEP_BATCH;
  slot->call.aws.repeatable = true;
  if (send_slot(r, slot, "DynamoDB_20120810.BatchWriteItem", &e) == 0) return true;
  fail_slot(r, slot, &e);
  return false;
}

// Sends what is next in the slot, which is free. Returns how many writes that were, 0: there is nothing, or it has to wait.
static int send_next(struct write_run *r, struct slot *slot) {
  int i = r->sent, n = 1;
  if (i == r->n || in_flight(r, i)) return 0;
  if (r->answers[i].outcome != OUTCOME_NONE) return 1;
  slot->first = i;
  slot->attempts = 0;
  if (batches(r, i)) n = write_batch(r, slot, begin(r, slot));
  bool sent;
  if (n > 1) {
    sent = send_batch(r, slot, n);
  } else {
    slot->n = n = 1;
    slot->step = STEP_ONE;
    sent = send_one(r, slot, i);
  }
  if (!sent) slot->n = 0;
  return n;
}

static void fill_slots(struct write_run *r) {
  for (struct slot *s = r->slots; s < r->slots + DYNAMODB_WRITES; s++)
    while (s->n == 0) {
      int n = send_next(r, s);
      if (n == 0) return;
      r->sent += n;
    }
}

// ---- Replies to one ----

// The row is here that a change is to be made of. False: the write has its answer.
static bool take_row(struct write_run *r, struct slot *slot) {
  const struct aws_call *aws = &slot->call.aws;
  struct neap__error e = aws->error;
  bool same = slot->seen && slot->nseen == aws->nreply && memcmp(slot->seen, aws->reply, aws->nreply) == 0;
  char *copy = aws->failed || same ? NULL : malloc(aws->nreply + 1);
  if (same) {  // then it is not the list that somebody else has changed
    fail_unmet(r, slot->at, &e, has_member(&slot->call, "Item"));
    return false;
  }
  if (!copy) {
    if (!aws->failed) neap__error_set(&e, NEAP_LIMIT, "memory is short");
    fail_one(r, slot->at, &e);
    return false;
  }
  forget_seen(slot);
  slot->seen = memcpy(copy, aws->reply, aws->nreply);
  slot->nseen = aws->nreply;
  slot->step = STEP_ONE;
  return send_one(r, slot, slot->at);
}

// Asks whether the row is there whose condition was not met. False: it cannot be asked.
static bool look(struct write_run *r, struct slot *slot) {
  struct neap__error e = slot->call.aws.error;
  struct cell key[4];
  r->answers[slot->at].error = malloc(sizeof e);
  if (!r->answers[slot->at].error) return false;
  *r->answers[slot->at].error = e;
  struct dynamodb_text *t = begin(r, slot);
  slot->step = STEP_LOOK;
  neap__dynamodb_table(t, r->run.view, r->shape);
  neap__dynamodb_member(t, "Key");
  if (neap__dynamodb_write_key(r->shape, &r->writes[slot->at], key, &e) != 0) return false;
  if (neap__dynamodb_key(t, r->shape, key, &e) != 0) return false;
  neap__dynamodb_member(t, "ConsistentRead");
  neap__dynamodb_add(t, "true");
  return neap__dynamodb_call_send(&slot->call, "DynamoDB_20120810.GetItem", &e) == 0;
}

// True if the slot is still at work for the write.
static bool take_one(struct write_run *r, struct slot *slot) {
  const struct dynamodb_call *call = &slot->call;
  const struct write *w = &r->writes[slot->at];
  struct neap__error e = call->aws.error;
  if (slot->step == STEP_READ) return take_row(r, slot);
  if (slot->step == STEP_LOOK) {
    bool there = call->aws.failed || has_member(call, "Item");
    e = *r->answers[slot->at].error;
    fail_unmet(r, slot->at, &e, there);
  } else if (!call->aws.failed) {
    succeed(r, slot->at, call);
  } else if (neap__dynamodb_lacks_parent(w, &e) && ++slot->attempts < LIST_ATTEMPTS) {
    return send_read(r, slot);
  } else if (strcmp(e.code, "ConditionalCheckFailedException") != 0) {
    fail_one(r, slot->at, &e);
  } else if (slot->seen && !e.unknown && ++slot->attempts < LIST_ATTEMPTS) {
    return send_read(r, slot);
  } else {
    bool there = has_member(call, "Item"), may_lack = w->kind == WRITE_UPDATE || w->kind == WRITE_DELETE;
    if (!there && may_lack && look(r, slot)) return true;
    fail_unmet(r, slot->at, &e, there || may_lack);  // where it cannot be asked nobody can say more
  }
  return false;
}

// ---- Replies to batches ----

// Goes on with the next write of a batch that was refused. True if one is under way.
static bool send_apart(struct write_run *r, struct slot *slot) {
  slot->step = STEP_APART;
  for (int i = slot->at + 1; i < slot->first + slot->n; i++)
    if (send_one(r, slot, i)) return true;
  return false;
}

// Calls `mark` with the hash of the key of each write that was left out, or only counts them. -1: they cannot be read.
static int each_left(struct write_run *r, struct neap__json_slice left, struct neap__items *items,
                     void (*mark)(struct write_run *, struct slot *, uint64_t), struct slot *slot) {
  static const struct neap__json_step put[] = {{"PutRequest", 10, -1}, {"Item", 4, -1}},
                                      del[] = {{"DeleteRequest", 13, -1}, {"Key", 3, -1}};
  int n = 0;
  struct neap__json_each tables = neap__json_each(left.p, left.n);
  while (neap__json_next(&tables)) {
    struct neap__json_each entries = neap__json_each(tables.value.p, tables.value.n);
    for (; neap__json_next(&entries); n++) {
      struct neap__json_slice item;
      struct neap__error e;
      struct cell row[4], key[4];
      if (!mark) continue;
      if (!neap__json_find(entries.value.p, entries.value.n, put, 2, &item) &&
          !neap__json_find(entries.value.p, entries.value.n, del, 2, &item))
        return -1;
      neap__items_begin_one(items, item.p, item.n);
      if (neap__items_next(items, row, &e) != ROWS_ROW) return -1;
      for (int k = 0; k < r->shape->nkeys; k++) {
        int before = 0;
        for (int j = 0; j < r->shape->nkeys; j++) before += r->shape->keys[j]->column < r->shape->keys[k]->column;
        key[k] = row[before];
      }
      mark(r, slot, neap__item_key_hash(r->shape, key));
    }
  }
  return n;
}

static void mark_left(struct write_run *r, struct slot *slot, uint64_t hash) {
  struct neap__error e;
  neap__error_set(&e, NEAP_THROTTLED, "DynamoDB left it unwritten %d times", slot->attempts);
  e.retryable = true;
  for (int i = slot->first; i < slot->first + slot->n; i++)
    if (r->answers[i].hash == hash) fail_one(r, i, &e);
}

// The service has left some out too often: they have failed, and the others are done.
static void give_up(struct write_run *r, struct slot *slot, struct neap__json_slice left) {
  uint64_t *bits = calloc((size_t)(r->shape->ncolumns + 63) / 64, sizeof *bits);
  struct neap__items items = {0};
  struct neap__error e;
  for (int k = 0; bits && k < r->shape->nkeys; k++) neap__set_bit(bits, r->shape->keys[k]->column);
  if (!bits || neap__items_init(&items, r->shape, bits) != 0 || each_left(r, left, &items, mark_left, slot) < 0) {
    neap__error_set(&e, NEAP_THROTTLED, "DynamoDB left parts of a batch unwritten; which they are is not known");
    e.unknown = true;
    fail_slot(r, slot, &e);
  }
  neap__items_free(&items);
  free(bits);
}

// Sends once more, after a while, what the service has left out. False: it has had its chances.
static bool send_left(struct write_run *r, struct slot *slot, struct neap__json_slice left) {
  struct neap__error e;
  struct dynamodb_text t;
  int n = each_left(r, left, NULL, NULL, slot);
  slot->attempts = n < slot->left ? 0 : slot->attempts + 1;
  slot->left = n;
  if (slot->attempts >= r->run.store->attempts) {
    give_up(r, slot, left);
    return false;
  }
  neap__dynamodb_begin(&t);
  neap__dynamodb_member(&t, "RequestItems");
  neap__dynamodb_copy(&t, left.p, left.n);
  neap__dynamodb_free(begin(r, slot));
  slot->call.text = t;
  slot->call.aws.repeatable = true;
  if (neap__dynamodb_call_again(&slot->call, "DynamoDB_20120810.BatchWriteItem", slot->attempts, &e) == 0) return true;
  fail_slot(r, slot, &e);
  return false;
}

// What the service refuses for what one of them says.
static bool is_refused(const struct neap__error *e) {
  return !e->unknown && (e->kind == NEAP_USAGE || e->kind == NEAP_VALIDATION || e->kind == NEAP_LIMIT);
}

static bool take_batch(struct write_run *r, struct slot *slot) {
  const struct dynamodb_call *call = &slot->call;
  struct neap__json_step step = {"UnprocessedItems", 16, -1};
  struct neap__json_slice left;
  if (call->aws.failed && is_refused(&call->aws.error)) {
    slot->at = slot->first - 1;
    return send_apart(r, slot);
  }
  if (call->aws.failed) {
    fail_slot(r, slot, &call->aws.error);
    return false;
  }
  bool found = neap__json_find(call->aws.reply, call->aws.nreply, &step, 1, &left) && left.n > 2;
  if (found && send_left(r, slot, left)) return true;
  for (int i = slot->first; i < slot->first + slot->n; i++)
    if (r->answers[i].outcome == OUTCOME_NONE) done_one(r, i, 1);
  return false;
}

// From the loop: a reply has come.
static void write_answered(struct dynamodb_run *run, struct dynamodb_call *call) {
  struct write_run *r = (struct write_run *)run;
  struct slot *slot = (struct slot *)((char *)call - offsetof(struct slot, call));
  bool busy = false;
  switch (slot->step) {
    case STEP_BATCH: busy = take_batch(r, slot); break;
    case STEP_READ:
    case STEP_ONE:
    case STEP_LOOK: busy = take_one(r, slot); break;
    case STEP_APART: busy = take_one(r, slot) || send_apart(r, slot); break;
  }
  if (!busy) {
    neap__dynamodb_call_drop(&slot->call);
    forget_seen(slot);
    slot->n = 0;
    fill_slots(r);
  }
  if (r->answers[r->at].outcome != OUTCOME_NONE) neap__op_done(&run->rows.op);
}

// ---- Answers ----

static const struct cell *key_cell(const struct shape *shape, const struct write *w, int column) {
  for (int k = 0; k < shape->nkeys && w->key; k++)
    if (shape->keys[k]->column == column) return &w->key[k];
  return NULL;
}

// What was sent, of the columns that are wanted back.
int neap__dynamodb_echo(const struct shape *shape, const struct write *w, struct cell *out) {
  const struct cell *cell = w->cells;
  int n = 0;
  for (int i = 0; i < shape->ncolumns; i++) {
    const struct cell *sent = neap__has_bit(w->columns, i) ? cell++ : key_cell(shape, w, i);
    if (!neap__has_bit(w->returning, i)) continue;
    bool nil = !sent || neap__attribute_is_nil(&shape->columns[i]->type, sent);
    out[n++] = nil ? (struct cell){.kind = CELL_NIL} : *sent;
  }
  return n;
}

// An upsert returns what was there before: what was sent counts, but for what was to be kept.
static void overlay(const struct shape *shape, const struct write *w, struct cell *out) {
  const struct cell *cell = w->cells;
  int n = 0;
  for (int i = 0; i < shape->ncolumns; i++) {
    const struct cell *sent = neap__has_bit(w->columns, i) ? cell++ : NULL;
    if (!neap__has_bit(w->returning, i)) continue;
    if (sent && (!neap__has_bit(w->keep, i) || out[n].kind == CELL_NIL)) out[n] = *sent;
    n++;
  }
}

static enum rows_state read_reply(struct write_run *r, const struct write *w, const struct answer *a,
                                  struct cell *cells) {
  struct neap__error *e = &r->run.rows.error;
  if (r->columns != w->returning) {
    neap__items_free(&r->items);
    r->columns = NULL;
    if (neap__items_init(&r->items, r->shape, w->returning) != 0) {
      neap__error_set(e, NEAP_LIMIT, "memory is short");
      return ROWS_FAILED;
    }
    r->columns = w->returning;
  }
  neap__items_begin(&r->items, a->reply, a->nreply);
  return neap__items_next(&r->items, cells, e);
}

static enum rows_state give(struct write_run *r, int i, struct cell *cells) {
  const struct write *w = &r->writes[i];
  struct answer *a = &r->answers[i];
  struct rows *rows = &r->run.rows;
  rows->changed = a->changed;
  rows->ncells = 0;
  neap__counts(rows->op.host)->written += a->changed > 0;
  if (!w->returning || w->kind == WRITE_DELETE) return ROWS_ROW;
  rows->ncells = neap__dynamodb_echo(r->shape, w, cells);
  if (!a->reply || (w->kind == WRITE_UPSERT && a->changed == 1)) return ROWS_ROW;
  enum rows_state state = read_reply(r, w, a, cells);
  r->given = a->reply;
  a->reply = NULL;
  if (state == ROWS_END) {
    neap__error_set(&rows->error, NEAP_PROTOCOL, "DynamoDB says nothing of what it was asked to return");
    return ROWS_FAILED;
  }
  if (state == ROWS_ROW && w->kind == WRITE_UPSERT) overlay(r->shape, w, cells);
  return state;
}

static enum rows_state give_failure(struct write_run *r, int i) {
  struct rows *rows = &r->run.rows;
  const struct answer *a = &r->answers[i];
  if (a->error)
    rows->error = *a->error;
  else
    neap__error_set(&rows->error, NEAP_LIMIT, "memory is short");
  rows->error.store = r->run.store->head.verbs->name;
  rows->changed = 0;
  rows->ncells = 0;
  return ROWS_FAILED;
}

static enum rows_state write_next(struct rows *rows, struct cell *cells) {
  struct write_run *r = (struct write_run *)rows;
  if (r->run.failed) {
    rows->whole = true;
    return ROWS_FAILED;
  }
  if (r->run.ended || r->at == r->n) return ROWS_END;
  free(r->given);
  r->given = NULL;
  if (r->sent == 0) fill_slots(r);
  if (r->answers[r->at].outcome == OUTCOME_NONE) return neap__dynamodb_wait(&r->run);
  int i = r->at++;
  return r->answers[i].outcome == OUTCOME_DONE ? give(r, i, cells) : give_failure(r, i);
}

static void write_end(struct dynamodb_run *run) {
  struct write_run *r = (struct write_run *)run;
  for (struct slot *s = r->slots; s < r->slots + DYNAMODB_WRITES; s++) {
    neap__dynamodb_call_drop(&s->call);
    forget_seen(s);
  }
  for (int i = 0; i < r->n; i++) {
    free(r->answers[i].reply);
    free(r->answers[i].error);
  }
  free(r->given);
  neap__items_free(&r->items);
}

struct rows *neap__dynamodb_write(lua_State *L, struct view *view, const struct class *class,
                                  const struct write *writes, int n) {
  view = neap__view_effective(L, view);
  if (view->transaction) return neap__dynamodb_collect(L, view, class, writes, n);
  struct write_run *r = neap__dynamodb_run_new(L, view, sizeof *r + (size_t)n * sizeof(struct answer));
  r->shape = class->shape;
  r->writes = writes;
  r->n = n;
  r->run.rows.next = write_next;
  r->run.end = write_end;
  r->run.answered = write_answered;
  r->run.writes = true;
  r->run.table = neap__dynamodb_metered(r->run.store, view, r->shape);
  for (int i = 0; i < n; i++) {
    struct cell key[4];
    struct neap__error e;
    if (neap__dynamodb_write_key(r->shape, &writes[i], key, &e) == 0)
      r->answers[i].hash = neap__item_key_hash(r->shape, key);
    else
      fail_one(r, i, &e);
  }
  return &r->run.rows;
}
