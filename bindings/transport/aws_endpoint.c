// aws_endpoint.c: keys that the endpoint of a container or the metadata service of an instance gives, and that end. They are
// asked for again before that, once for all calls; meanwhile, and while nobody answers, those that hold are used.
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "transport/aws_client.h"
#include "value/datetime.h"

#define EARLY INT64_C(300000000)  // microseconds before the end of keys at which others are asked for
#define REST 30000                // milliseconds to leave an endpoint alone while the keys hold
#define TIMEOUT 5.0
#define CONNECT 1.0
#define REPLY_MAX 65536
#define INSTANCE_PATH "/latest/meta-data/iam/security-credentials/"

enum { STEP_NONE, STEP_TOKEN, STEP_ROLE, STEP_KEYS };

static struct aws_client *client_of(struct aws_credentials *k) {
  return (struct aws_client *)(void *)((char *)k - offsetof(struct aws_client, credentials));
}

static void finish(struct aws_client *c, const struct neap__error *e) {
  struct aws_credentials *k = &c->credentials;
  neap__http_cancel(&k->http);
  k->step = STEP_NONE;
  k->not_before = neap__now_ms(c->host) + REST;
  neap__aws_resume(c, e);
}

static const char *whose(const struct aws_credentials *k) {
  return k->source == AWS_CONTAINER ? "the endpoint of the container" : "the metadata service of the instance";
}

static int set_fault(struct aws_client *c, const char *why, bool retryable) {
  struct aws_credentials *k = &c->credentials;
  neap__error_set(&k->error, NEAP_AUTH, "no keys from %s: %s", whose(k), why);
  k->error.retryable = retryable;
  return -1;
}

// ---- What comes ----

// One line, without what blanks there may be around it. False: there is none, or it is too long.
static bool take_line(const struct http_reply *reply, char *out, size_t size) {
  const char *p = reply->body;
  size_t n = reply->nbody;
  while (n > 0 && strchr(" \r\n", p[n - 1])) n--;
  if (n == 0 || n >= size) return false;
  memcpy(out, p, n);
  out[n] = 0;
  out[strcspn(out, "\r\n")] = 0;
  return true;
}

static int take_keys(struct aws_client *c, const struct http_reply *reply) {
  struct aws_credentials *k = &c->credentials;
  int64_t expires = INT64_MAX;
  char access[sizeof k->access_key], secret[sizeof k->secret_key], token[sizeof k->session_token] = "", until[40];
  const char *p = reply->body;
  size_t n = reply->nbody;
  if (!neap__aws_member(p, n, "AccessKeyId", access, sizeof access) ||
      !neap__aws_member(p, n, "SecretAccessKey", secret, sizeof secret))
    return set_fault(c, "there are none in its reply", false);
  if (!neap__aws_member(p, n, "Token", token, sizeof token) && *token)
    return set_fault(c, "the session token is too long", false);
  bool ends = neap__aws_member(p, n, "Expiration", until, sizeof until);
  if (ends && !neap__datetime_parse(until, strlen(until), &expires))
    return set_fault(c, "it does not say when they end", false);
  if (expires <= neap__aws_now(c)) return set_fault(c, "those that it gives have ended", true);
  memcpy(k->access_key, access, sizeof access);
  memcpy(k->secret_key, secret, sizeof secret);
  memcpy(k->session_token, token, sizeof token);
  sodium_memzero(secret, sizeof secret);
  k->expires = expires;
  c->signer.day[0] = 0;
  k->number++;
  return 0;
}

static int take(struct aws_client *c, const struct http_reply *reply) {
  struct aws_credentials *k = &c->credentials;
  char why[64];
  snprintf(why, sizeof why, "status %d", reply->status);
  if (reply->status != 200) return set_fault(c, why, reply->status >= 500 || reply->status == 429);
  if (k->step == STEP_KEYS) return take_keys(c, reply);
  if (k->step == STEP_TOKEN && take_line(reply, k->secret, sizeof k->secret)) return 0;
  if (k->step == STEP_ROLE && take_line(reply, k->role, sizeof k->role)) return 0;
  return set_fault(c, "its reply makes no sense", false);
}

// ---- What is asked ----

static void on_done(struct http_call *http);

static int read_token(struct aws_credentials *k) {
  char why[160];
  if (!*k->file) return 0;
  FILE *file = fopen(k->file, "re");
  if (!file) {
    snprintf(why, sizeof why, "the file with its token cannot be read: %s", strerror(errno));
    return set_fault(client_of(k), why, false);
  }
  k->secret[fread(k->secret, 1, sizeof k->secret - 1, file)] = 0;
  k->secret[strcspn(k->secret, "\r\n")] = 0;
  fclose(file);
  return 0;
}

static int send(struct aws_client *c, const char *method, const char *url, const struct http_header *header) {
  struct aws_credentials *k = &c->credentials;
  struct neap__error e;
  struct http_request r = {.method = method,
                           .url = url,
                           .headers = header,
                           .nheaders = *header->value ? 1 : 0,
                           .timeout = TIMEOUT,
                           .connect = CONNECT,
                           .max_size = REPLY_MAX,
                           .direct = true};
  neap__http_cancel(&k->http);
  k->http.done = on_done;
  return neap__http_send(c->http, &k->http, &r, &e) == 0 ? 0 : set_fault(c, e.message, false);
}

static int ask(struct aws_client *c) {
  struct aws_credentials *k = &c->credentials;
  char url[sizeof k->url + sizeof k->role + sizeof INSTANCE_PATH];
  struct http_header lives = {"x-aws-ec2-metadata-token-ttl-seconds", "21600"};
  struct http_header token = {k->source == AWS_CONTAINER ? "authorization" : "x-aws-ec2-metadata-token", k->secret};
  if (k->source == AWS_CONTAINER) return read_token(k) == 0 ? send(c, "GET", k->url, &token) : -1;
  if (k->step == STEP_TOKEN) {
    snprintf(url, sizeof url, "%s/latest/api/token", k->url);
    return send(c, "PUT", url, &lives);
  }
  snprintf(url, sizeof url, "%s" INSTANCE_PATH "%s", k->url, k->step == STEP_KEYS ? k->role : "");
  return send(c, "GET", url, &token);
}

static void on_done(struct http_call *http) {
  struct aws_credentials *k = (struct aws_credentials *)(void *)((char *)http - offsetof(struct aws_credentials, http));
  struct aws_client *c = client_of(k);
  struct http_reply reply;
  struct neap__error e;
  int status = neap__http_result(http, &reply, &e);
  // Where no instance has ever answered, there is none.
  if (status != 0) set_fault(c, e.message, k->source == AWS_CONTAINER || k->number > 0);
  if (status == 0) status = take(c, &reply);
  if (status == 0 && k->step < STEP_KEYS) {
    k->step++;
    status = ask(c);
    if (status == 0) return;
  }
  finish(c, status == 0 ? NULL : &k->error);
}

static void on_timer(struct neap__timer *timer) {
  struct aws_credentials *k =
      (struct aws_credentials *)(void *)((char *)timer - offsetof(struct aws_credentials, timer));
  finish(client_of(k), &k->error);
}

bool neap__aws_have_keys(struct aws_client *c) {
  struct aws_credentials *k = &c->credentials;
  if (k->source == AWS_GIVEN) return true;
  int64_t left = k->expires - neap__aws_now(c), now = neap__now_ms(c->host);
  if (left < EARLY && k->step == STEP_NONE && (left <= 0 || now >= k->not_before)) {
    k->step = k->source == AWS_CONTAINER ? STEP_KEYS : STEP_TOKEN;
    if (ask(c) != 0) neap__timer_start(c->host, &k->timer, now, on_timer);
  }
  return left > 0;
}

bool neap__aws_renew_keys(struct aws_client *c, int number) {
  if (c->credentials.source == AWS_GIVEN) return false;
  if (c->credentials.number == number) c->credentials.expires = 0;
  return true;
}

void neap__aws_stop_keys(struct aws_client *c) {
  neap__http_cancel(&c->credentials.http);
  neap__timer_stop(c->host, &c->credentials.timer);
}
