// aws_service.h: what the tests of AWS share: its imitation (tests/services/aws), a host, a client, and calls of it.
#ifndef AWS_SERVICE_H
#define AWS_SERVICE_H

#include <signal.h>

#include "sweep.h"
#include "transport/aws.h"

#define KEY "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static char url[64];
static pid_t server;

// Starts what `command` says; its address goes to `address`. 0 = it has not started.
static inline pid_t start_service(const char *command, const char *scheme, char address[64]) {
  int port = 0, pid = 0;
  FILE *pipe = popen(command, "r");
  if (!pipe || fscanf(pipe, "%d %d", &port, &pid) != 2) pid = 0;
  if (pipe) pclose(pipe);
  snprintf(address, 64, "%s://127.0.0.1:%d", scheme, port);
  return pid;
}

static inline bool start_server(void) {
  server = start_service("tests/services/aws", "http", url);
  return server != 0;
}

// ---- A host, a client, calls ----

static neap *host;
static struct aws_client *client;

struct sent {
  struct aws_call call;
  int done;
  bool within;  // neap__aws_send is at work
  char body[400];
};

static void on_done(struct aws_call *call) {
  struct sent *s = (struct sent *)call;
  CHECK(!s->within);
  s->done++;
}

static void open_host(void) {
  neap_options options = {.size = sizeof options};
  CHECK(neap_open(&host, &options) == NEAP_OK);
}

static void open_client(struct aws_options o) {
  struct neap__error e;
  if (!o.service) o.service = "dynamodb";
  if (!o.region) o.region = "eu-central-1";
  if (!o.endpoint) o.endpoint = url;
  if (!o.access_key) o.access_key = KEY;
  if (!o.secret_key) o.secret_key = SECRET;
  client = neap__aws_open(neap_lua(host), &o, &e);
  if (!client) printf("not open: %s\n", e.message);
}

static inline void open_both(struct aws_options o) {
  open_host();
  open_client(o);
}

static inline void close_both(void) {
  neap__aws_close(client);
  neap_close(&host);
}

static void start(struct sent *s, const char *target, const char *body) {
  snprintf(s->body, sizeof s->body, "%s", body);
  s->call.target = target;
  s->call.body = s->body;
  s->call.nbody = strlen(s->body);
  s->call.done = on_done;
  s->done = 0;
  s->within = true;
  neap__aws_send(client, &s->call);
  s->within = false;
}

static void steps(int n) {
  for (int i = 0; i < n; i++) neap_step(host, 1000);
}

static bool await(const struct sent *s) {
  for (int i = 0; i < 300000 && !s->done; i++) neap_step(host, 1000), usleep(50);
  return s->done == 1;
}

static bool run(struct sent *s, const char *target, const char *body) {
  start(s, target, body);
  return await(s);
}

static inline bool replied(const struct sent *s, const char *body) {
  return !s->call.failed && s->call.nreply == strlen(body) && memcmp(s->call.reply, body, s->call.nreply) == 0;
}

// A number that the server tells of an id.
static inline int told(const char *name, const char *id) {
  struct sent s = {.done = 0};
  char body[100], member[40];
  snprintf(body, sizeof body, "{\"id\":\"%s\"}", id);
  snprintf(member, sizeof member, "\"%s\": ", name);
  CHECK(run(&s, "Test.Count", body) && !s.call.failed);
  snprintf(s.body, sizeof s.body, "%.*s", (int)s.call.nreply, s.call.reply);
  neap__aws_drop(&s.call);
  const char *found = strstr(s.body, member);
  return found ? atoi(found + strlen(member)) : -1;
}

static inline void set(const char *body) {
  struct sent s = {.done = 0};
  CHECK(run(&s, "Test.Set", body) && !s.call.failed);
  neap__aws_drop(&s.call);
}

#endif
