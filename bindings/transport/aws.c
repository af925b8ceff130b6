// aws.c: calls on their way: signed, sent, judged when the reply is there or does not come, and tried again where that is right.
#include "transport/aws.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "transport/aws_client.h"
#include "value/datetime.h"

#define TIMEOUT 30.0
#define CONNECT 5.0
#define ATTEMPTS 10
#define REPLY_MAX (64 << 20)  // what DynamoDB gives is at most 16 MB

#define CLOCK_TOLERANCE 5  // seconds; AWS grants five minutes
#define SLOWER 100         // milliseconds that a first pause may have where the server asks to slow down
#define AGAIN 50           // and where it does not
#define PAUSE 20000        // that any pause may have
#define PART 3             // of its time that one attempt may take if there may be another

enum {
  CALL_KEYLESS,  // waits for keys
  CALL_SENT,
  // These go on when the timer fires:
  CALL_PAUSED,
  CALL_REFUSED,  // there are no keys, and the error says why
  CALL_ENDED
};

static void attempt(struct aws_call *call);

// ---- The end of a call ----

static void take_off(struct aws_call *call) {
  neap__timer_stop(call->client->host, &call->timer);
  *call->prev = call->next;
  if (call->next) call->next->prev = call->prev;
  call->client = NULL;
}

static void finish(struct aws_call *call) {
  take_off(call);
  call->done(call);
}

static void set_failure(struct aws_call *call, const struct neap__error *e) {
  char more[40];
  if (e != &call->error) call->error = *e;
  call->failed = true;
  call->error.store = call->client->service;
  call->error.unknown = call->unsure && !call->reads;
  if (call->error.unknown) call->error.retryable = false;
  if (call->attempts < 2) return;
  snprintf(more, sizeof more, ", at attempt %d", call->attempts);
  strncat(call->error.message, more, sizeof call->error.message - strlen(call->error.message) - 1);
}

static void fail(struct aws_call *call, const struct neap__error *e) {
  set_failure(call, e);
  finish(call);
}

// ---- Attempts ----

static bool may_repeat(const struct aws_call *call) {
  return call->reads || call->repeatable;
}

static void on_timer(struct neap__timer *timer);

static void wait_until(struct aws_call *call, int64_t at) {
  neap__timer_start(call->client->host, &call->timer, at < call->deadline ? at : call->deadline, on_timer);
}

// For what goes wrong while the caller has not let go of the call yet.
static void fail_soon(struct aws_call *call, const struct neap__error *e) {
  set_failure(call, e);
  call->state = CALL_ENDED;
  wait_until(call, 0);
}

// Another attempt after a pause, or the end where there may be none: then this was the failure.
static void again(struct aws_call *call, const struct neap__error *e, int base, int cost) {
  struct aws_client *c = call->client;
  int64_t at = neap__now_ms(c->host) + neap__backoff_delay(call->attempts, base, PAUSE);
  if (call->attempts >= c->attempts || at >= call->deadline || !neap__backoff_take(&c->budget, cost, &call->taken)) {
    fail(call, e);
    return;
  }
  call->error = *e;
  call->state = CALL_PAUSED;
  wait_until(call, at);
}

// Goes by the server's clock. True if the call went by another one.
static bool set_clock(struct aws_call *call, const struct http_reply *reply) {
  struct aws_client *c = call->client;
  int64_t us;
  if (!neap__aws_date(reply, &us)) return false;
  int64_t ahead = (us - neap__aws_now(c)) / 1000000;
  if (ahead < -CLOCK_TOLERANCE || ahead > CLOCK_TOLERANCE) c->skew += ahead;
  return call->skew != c->skew;
}

static void remedy(struct aws_call *call, enum aws_remedy what, const struct http_reply *reply,
                   const struct neap__error *e) {
  call->unsure |= what == AWS_UNSURE;
  if (what == AWS_AGAIN || (what == AWS_UNSURE && may_repeat(call))) {
    again(call, e, AGAIN, e->kind == NEAP_TIMEOUT ? BACKOFF_TIMEOUT : BACKOFF_RETRY);
  } else if (what == AWS_SLOWER) {
    again(call, e, SLOWER, BACKOFF_RETRY);
  } else if (what == AWS_RENEW && !call->renewed && neap__aws_renew_keys(call->client, call->keys)) {
    call->renewed = true;
    attempt(call);
  } else if (what == AWS_CLOCK && !call->synchronized && set_clock(call, reply)) {
    call->synchronized = true;
    attempt(call);
  } else {
    fail(call, e);
  }
}

// ---- What comes ----

static void judge(struct aws_call *call, const struct http_reply *reply) {
  struct neap__error e;
  call->status = reply->status;
  call->reply = reply->body;
  call->nreply = reply->nbody;
  if (!neap__aws_intact(reply)) {
    call->nreply = 0;
    neap__error_set(&e, NEAP_PROTOCOL, "%s: the reply has been cut or changed on its way", neap__aws_operation(call));
    e.retryable = true;
    remedy(call, AWS_UNSURE, reply, &e);
  } else if (reply->status / 100 == 2) {
    neap__backoff_give(&call->client->budget, &call->taken);
    finish(call);
  } else {
    enum aws_remedy what = neap__aws_refusal(call, reply, &e);
    remedy(call, what, reply, &e);
  }
}

static void on_done(struct http_call *http) {
  struct aws_call *call = (struct aws_call *)(void *)((char *)http - offsetof(struct aws_call, http));
  struct http_reply reply;
  struct neap__error e;
  if (neap__http_result(http, &reply, &e) == 0) {
    judge(call, &reply);
  } else {
    enum aws_remedy what = neap__aws_loss(call, &e);
    remedy(call, what, NULL, &e);
  }
}

// An attempt that takes too long, or the call.
static void time_out(struct aws_call *call) {
  struct neap__error e;
  bool late = neap__now_ms(call->client->host) >= call->deadline;
  neap__error_set(&e, NEAP_TIMEOUT, "timed out after %.14g s: %s", late ? call->timeout : call->timeout / PART,
                  neap__aws_operation(call));
  if (late && call->attempts > 1) snprintf(e.detail, sizeof e.detail, "%s", call->error.message);
  e.retryable = true;
  neap__http_cancel(&call->http);
  call->unsure |= call->state == CALL_SENT;
  if (late)
    fail(call, &e);
  else
    remedy(call, AWS_UNSURE, NULL, &e);
}

static void refused(struct aws_call *call) {
  struct neap__error e = call->error;
  call->attempts++;
  remedy(call, e.retryable ? AWS_AGAIN : AWS_END, NULL, &e);
}

static void on_timer(struct neap__timer *timer) {
  struct aws_call *call = (struct aws_call *)(void *)((char *)timer - offsetof(struct aws_call, timer));
  if (call->state == CALL_ENDED)
    finish(call);
  else if (call->state == CALL_PAUSED)
    attempt(call);
  else if (call->state == CALL_REFUSED)
    refused(call);
  else
    time_out(call);
}

void neap__aws_resume(struct aws_client *c, const struct neap__error *e) {
  for (struct aws_call *call = c->calls; call; call = call->next) {
    if (call->state != CALL_KEYLESS) continue;
    call->state = e ? CALL_REFUSED : CALL_PAUSED;
    if (e) call->error = *e;
    wait_until(call, 0);
  }
}

// ---- What is sent ----

int64_t neap__aws_now(const struct aws_client *c) {
  return neap__datetime_now() + c->skew * 1000000;
}

static void write_time(const struct aws_client *c, char out[17]) {
  time_t now = (time_t)(neap__aws_now(c) / 1000000);
  struct tm tm;
  strftime(out, 17, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
}

// "https://streams.dynamodb.us-east-1.amazonaws.com"
static const char *write_url(const struct aws_call *call, char *url, size_t size) {
  const struct aws_client *c = call->client;
  int scheme = (int)(strstr(c->origin, "://") + 3 - c->origin);
  snprintf(url, size, "%.*s%s%s", scheme, c->origin, c->public && call->prefix ? call->prefix : "", c->origin + scheme);
  return url + scheme;
}

static int transmit(struct aws_call *call, struct neap__error *e) {
  struct aws_client *c = call->client;
  char url[320], date[17], authorization[1024];
  const char *host = write_url(call, url, sizeof url);
  struct http_header headers[7];
  size_t n = 0, all;
  write_time(c, date);
  headers[n++] = (struct http_header){"content-type", "application/x-amz-json-1.0"};
  headers[n++] = (struct http_header){"host", host};
  headers[n++] = (struct http_header){"x-amz-date", date};
  if (*c->credentials.session_token)
    headers[n++] = (struct http_header){"x-amz-security-token", c->credentials.session_token};
  headers[n++] = (struct http_header){"x-amz-target", call->target};
  struct aws_request request = {"POST", "/", "", headers, n, call->body, call->nbody, date};
  if (!neap__aws_sign(&c->signer, &request, authorization, sizeof authorization))
    return neap__error_set(e, NEAP_USAGE, "the region or the access key is too long to be one");
  all = n;
  headers[all++] = (struct http_header){"authorization", authorization};
  headers[all++] = (struct http_header){"accept-encoding", "identity"};  // so that the checksum is that of the body
  struct http_request r = {.method = "POST",
                           .url = url,
                           .headers = headers,
                           .nheaders = all,
                           .body = call->body,
                           .nbody = call->nbody,
                           .ca = *c->ca ? c->ca : NULL,
                           .connect = c->connect,
                           .max_size = REPLY_MAX};
  neap__http_cancel(&call->http);
  call->http.done = on_done;
  return neap__http_send(c->http, &call->http, &r, e);
}

static void attempt(struct aws_call *call) {
  struct neap__error e;
  neap *host = call->client->host;
  double seconds = may_repeat(call) ? call->timeout / PART : call->timeout;
  call->reply = NULL;
  call->nreply = 0;
  call->state = CALL_KEYLESS;
  if (!neap__aws_have_keys(call->client)) {
    wait_until(call, call->deadline);
    return;
  }
  call->attempts++;
  call->state = CALL_SENT;
  call->keys = call->client->credentials.number;
  call->skew = call->client->skew;
  if (transmit(call, &e) == 0)
    wait_until(call, neap__deadline_in(host, seconds));
  else
    fail_soon(call, &e);
}

void neap__aws_send(struct aws_client *c, struct aws_call *call) {
  call->client = c;
  call->attempts = call->status = call->taken = 0;
  call->failed = call->unsure = call->renewed = call->synchronized = false;
  call->timer.active = false;
  call->next = c->calls;
  call->prev = &c->calls;
  if (call->next) call->next->prev = &call->next;
  c->calls = call;
  if (call->timeout <= 0) call->timeout = c->timeout;
  call->deadline = neap__deadline_in(c->host, call->timeout);
  attempt(call);
}

void neap__aws_drop(struct aws_call *call) {
  if (call->client) take_off(call);
  neap__http_cancel(&call->http);
}

// ---- The client ----

static void end_all(struct aws_client *c) {
  struct neap__error e;
  for (struct aws_call *call; (call = c->calls) != NULL;) {
    call->unsure |= call->state == CALL_SENT;
    neap__error_set(&e, NEAP_CANCELLED, "%s: the store has been closed", neap__aws_operation(call));
    if (call->state != CALL_ENDED) {
      neap__http_cancel(&call->http);
      set_failure(call, &e);
    }
    finish(call);
  }
}

void neap__aws_close(struct aws_client *c) {
  if (!c) return;
  end_all(c);
  neap__aws_stop_keys(c);
  sodium_memzero(c, sizeof *c);
  free(c);
}

static int configure(struct aws_client *c, const struct aws_options *o, struct neap__error *e) {
  c->service = o->service;
  c->timeout = o->timeout > 0 ? o->timeout : TIMEOUT;
  c->connect = o->connect > 0 ? o->connect : CONNECT;
  c->attempts = o->attempts > 0 ? o->attempts : ATTEMPTS;
  if (neap__aws_settings_find(c, o, e) != 0) return -1;
  c->signer = (struct aws_signer){.access_key = c->credentials.access_key,
                                  .secret_key = c->credentials.secret_key,
                                  .region = c->region,
                                  .service = c->service};
  return 0;
}

struct aws_client *neap__aws_open(lua_State *L, const struct aws_options *options, struct neap__error *e) {
  struct http_client *http = neap__http_client(L);
  struct aws_client *c = calloc(1, sizeof *c);
  if (!c) {
    neap__error_set(e, NEAP_LIMIT, "memory is short");
    e->store = options->service;
    return NULL;
  }
  c->host = neap__host(L);
  c->http = http;
  if (configure(c, options, e) == 0) return c;
  e->store = options->service;
  neap__aws_close(c);
  return NULL;
}

const char *neap__aws_region(const struct aws_client *c) {
  return c->region;
}

double neap__aws_timeout(const struct aws_client *c) {
  return c->timeout;
}

const char *neap__aws_endpoint(const struct aws_client *c) {
  return c->origin;
}
