// dynamodb_run.c: what the store asks the service: runs, their calls, and requests that scripts write themselves.
#include <string.h>

#include "store/dynamodb_store.h"
#include "transport/backoff.h"

#define RUN_TYPE "neap.dynamodb.run"

// ---- Calls ----

static bool is_write(const struct dynamodb_call *call) {
  const char *target = call->aws.target;
  return strstr(target, "Put") || strstr(target, "Update") || strstr(target, "Delete") || strstr(target, "Write");
}

static void finish(struct dynamodb_call *call) {
  struct dynamodb_run *run = call->run;
  call->state = CALL_DONE;
  if (run->answered)
    run->answered(run, call);
  else
    neap__op_done(&run->rows.op);
}

struct dynamodb_text *neap__dynamodb_call_begin(struct dynamodb_run *run, struct dynamodb_call *call) {
  call->run = run;
  neap__dynamodb_begin(&call->text);
  return &call->text;
}

static void on_done(struct aws_call *aws) {
  struct dynamodb_call *call = (struct dynamodb_call *)((char *)aws - offsetof(struct dynamodb_call, aws));
  if (call->run->table)
    neap__dynamodb_meter_settle(call->run->store, call->run->table, is_write(call), call->taken, aws);
  finish(call);
}

// Whether what is written may be sent now.
static int check_fence(const struct dynamodb_run *run, struct neap__error *e) {
  if (!run->writes || !run->view->fence) return 0;
  return neap__fence_check(run->view->fence, run->store->head.place, e);
}

static void start(struct dynamodb_call *call);

static void on_timer(struct neap__timer *timer) {
  struct dynamodb_call *call = (struct dynamodb_call *)((char *)timer - offsetof(struct dynamodb_call, timer));
  if (check_fence(call->run, &call->aws.error) == 0) {
    start(call);
    return;
  }
  call->aws.failed = true;
  finish(call);
}

static void wait(struct dynamodb_call *call, int64_t ms) {
  neap *host = call->run->store->head.host;
  call->state = CALL_WAITS;
  neap__timer_start(host, &call->timer, neap__now_ms(host) + ms, on_timer);
}

// Seconds that a write may take: none of its attempts is sent when a lock may be over.
static double seconds_of(const struct dynamodb_call *call) {
  const struct fence *f = call->run->writes ? call->run->view->fence : NULL;
  double seconds = call->aws.timeout, now = neap__uptime();
  if (f && seconds == 0) seconds = neap__aws_timeout(call->run->store->aws);
  for (; f; f = f->outer)
    if (f->deadline - now < seconds) seconds = f->deadline - now;
  return seconds;
}

// Sends it as soon as its table has units for it.
static void start(struct dynamodb_call *call) {
  struct dynamodb_store *s = call->run->store;
  struct dynamodb_table *t = call->run->table;
  int64_t ms = t ? neap__dynamodb_meter_take(s, t, is_write(call), &call->taken) : 0;
  if (ms > 0) {
    wait(call, ms);
    return;
  }
  call->state = CALL_SENT;
  call->aws.timeout = seconds_of(call);
  neap__aws_send(s->aws, &call->aws);
}

static int prepare(struct dynamodb_call *call, const char *target, struct neap__error *e) {
  struct dynamodb_run *run = call->run;
  if (run->table) {
    neap__dynamodb_member(&call->text, "ReturnConsumedCapacity");
    neap__dynamodb_add(&call->text, "\"TOTAL\"");
  }
  if (neap__dynamodb_end(&call->text, e) != 0) return -1;
  if (check_fence(run, e) != 0) return -1;
  call->aws = (struct aws_call){.target = target,
                                .body = call->text.body.p,
                                .nbody = call->text.body.n,
                                .reads = !run->writes,
                                .repeatable = call->aws.repeatable,
                                .prefix = call->aws.prefix,
                                .timeout = call->aws.timeout,
                                .done = on_done};
  return 0;
}

int neap__dynamodb_call_send(struct dynamodb_call *call, const char *target, struct neap__error *e) {
  if (prepare(call, target, e) != 0) return -1;
  start(call);
  return 0;
}

int neap__dynamodb_call_again(struct dynamodb_call *call, const char *target, int attempts, struct neap__error *e) {
  if (prepare(call, target, e) != 0) return -1;
  wait(call, neap__backoff_delay(attempts + 1, 50, 20000));
  return 0;
}

void neap__dynamodb_call_drop(struct dynamodb_call *call) {
  if (!call->run) return;
  if (call->state == CALL_WAITS) neap__timer_stop(call->run->store->head.host, &call->timer);
  neap__aws_drop(&call->aws);
  neap__dynamodb_free(&call->text);
  *call = (struct dynamodb_call){0};
}

int neap__dynamodb_log_dry(const struct dynamodb_run *run, const struct shape *shape, const char *target,
                           struct dynamodb_text *t, struct neap__error *e) {
  bool secret = false;
  if (neap__dynamodb_end(t, e) != 0) return -1;
  for (int i = 0; i < shape->ncolumns; i++) secret |= (shape->columns[i]->flags & FIELD_SECRET) != 0;
  neap__log(run->store->head.host, NEAP_LOG_INFO, "not sent: %s %s%.*s", strchr(target, '.') + 1,
            secret ? shape->table : "", secret ? 0 : (int)t->body.n, t->body.p);
  return 0;
}

// ---- Runs ----

enum rows_state neap__dynamodb_fail(struct dynamodb_run *run) {
  run->failed = true;
  if (!run->rows.error.store) run->rows.error.store = run->store->head.verbs->name;
  return ROWS_FAILED;
}

enum rows_state neap__dynamodb_wait(struct dynamodb_run *run) {
  run->rows.op.done = false;
  return ROWS_WAIT;
}

static void run_close(struct rows *rows) {
  struct dynamodb_run *run = (struct dynamodb_run *)rows;
  if (!run->store) return;
  if (run->end) run->end(run);
  if (run->next) run->next->prev = run->prev;
  *run->prev = run->next;
  run->store = NULL;
  run->ended = true;
}

static void on_cancel(struct neap__op *op) {
  struct dynamodb_run *run = (struct dynamodb_run *)op;
  if (run->store) {
    bool writes = run->writes && !run->ended && !run->failed;
    neap__error_set(&run->rows.error, NEAP_CANCELLED, "the request was stopped");
    run->rows.error.unknown = writes;
    neap__dynamodb_fail(run);
    run_close(&run->rows);
  }
  neap__op_done(op);
}

void *neap__dynamodb_run_new(lua_State *L, struct view *view, size_t size) {
  struct dynamodb_run *run = neap__op_new(L, size, RUN_TYPE, 3);
  struct dynamodb_store *s = (struct dynamodb_store *)view->store;
  run->rows.op.done = true;
  run->rows.op.cancel = on_cancel;
  if (view->timeout > 0) neap__op_limit(&run->rows.op, view->timeout);
  run->rows.close = run_close;
  run->store = s;
  run->view = view;
  run->next = s->runs;
  run->prev = &s->runs;
  if (s->runs) s->runs->prev = &run->next;
  s->runs = run;
  neap__view_push(L, view);
  lua_setiuservalue(L, -2, 1);
  return run;
}

void neap__dynamodb_close(struct store *store) {
  struct dynamodb_store *s = (struct dynamodb_store *)store;
  neap__closer_remove(&s->closer);
  store->closed = true;
  while (s->runs) {
    struct dynamodb_run *run = s->runs;
    if (!run->ended && !run->failed) {
      neap__error_set(&run->rows.error, NEAP_USAGE, "the store is closed");
      neap__dynamodb_fail(run);
    }
    run_close(&run->rows);
    neap__op_done(&run->rows.op);
  }
  neap__aws_close(s->aws);
  s->aws = NULL;
  neap__dynamodb_meters_free(s);
}

void neap__dynamodb_run_open(lua_State *L) {
  neap__rows_type(L, RUN_TYPE);
}

// ---- Requests of scripts ----

struct request_run {
  struct dynamodb_run run;
  struct dynamodb_call call;
};

static void request_end(struct dynamodb_run *run) {
  neap__dynamodb_call_drop(&((struct request_run *)run)->call);
}

static int request_done(lua_State *L, int status, lua_KContext ctx) {
  struct request_run *r = lua_touserdata(L, (int)ctx);
  (void)status;
  if (r->run.failed || r->call.state != CALL_DONE) return neap__raise(L, &r->run.rows.error);
  if (r->call.aws.failed) {
    struct neap__error e = r->call.aws.error;
    r->run.rows.close(&r->run.rows);
    return neap__raise(L, &e);
  }
  lua_pushlstring(L, r->call.aws.reply, r->call.aws.nreply);
  r->run.rows.close(&r->run.rows);
  return 1;
}

static bool starts(const char *text, const char *with) {
  return strncmp(text, with, strlen(with)) == 0;
}

static bool only_reads(const char *operation) {
  static const char *const verbs[] = {"Get", "BatchGet", "TransactGet", "Query", "Scan", "Describe", "List", NULL};
  for (int i = 0; verbs[i]; i++)
    if (starts(operation, verbs[i])) return true;
  return false;
}

static bool of_streams(const char *operation) {
  static const char *const names[] = {"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams", NULL};
  for (int i = 0; names[i]; i++)
    if (strcmp(names[i], operation) == 0) return true;
  return false;
}

int neap__dynamodb_request(lua_State *L) {
  struct neap__error e;
  size_t n;
  struct view *view = neap__view_effective(L, neap__view_check(L, 1));
  const char *operation = neap__arg_string(L, 2, "operation", NULL), *body = neap__arg_string(L, 3, "body", &n);
  bool reads = only_reads(operation), streams = of_streams(operation);
  if (!reads && view->transaction)
    return neap__fail(L, NEAP_USAGE, "%s would not be part of the transaction: send it outside", operation);
  if (!reads && view->dry_run) {
    neap__log(view->store->host, NEAP_LOG_INFO, "not sent: %s", operation);  // the rest may be secret
    lua_pushliteral(L, "{}");
    return 1;
  }
  struct request_run *r = neap__dynamodb_run_new(L, view, sizeof *r);
  const char *target =
      lua_pushfstring(L, "%s.%s", streams ? "DynamoDBStreams_20120810" : "DynamoDB_20120810", operation);
  lua_setiuservalue(L, -2, 2);
  r->run.end = request_end;
  r->run.writes = !reads;
  struct dynamodb_text *t = neap__dynamodb_call_begin(&r->run, &r->call);
  t->body.n = 0;
  neap__dynamodb_copy(t, body, n > 0 ? n - 1 : 0);  // the end brings its brace
  if (streams) r->call.aws.prefix = "streams.";
  r->call.aws.repeatable = strstr(body, "\"ClientRequestToken\"") != NULL;  // the service knows it when it comes again
  if (neap__dynamodb_call_send(&r->call, target, &e) != 0) {
    r->run.rows.close(&r->run.rows);
    return neap__raise(L, &e);
  }
  neap__dynamodb_wait(&r->run);
  return neap__await(L, lua_gettop(L), lua_gettop(L), request_done);
}
