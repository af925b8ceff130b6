// aws_test.c: calls of AWS against an imitation (tests/services/aws), which checks their signatures by its own means.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "transport/aws.h"
#include "value/crc32.h"

#define KEY "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static char url[64];
static pid_t server;

static bool start_server(void) {
  int port = 0, pid = 0;
  FILE *pipe = popen("tests/services/aws", "r");
  bool ok = pipe && fscanf(pipe, "%d %d", &port, &pid) == 2;
  if (pipe) pclose(pipe);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
  server = pid;
  return ok;
}

// ---- A call, and what became of it ----

struct sent {
  struct aws_call call;
  int done;
  bool within;  // neap__aws_send is at work
  char body[256];
};

static void on_done(struct aws_call *call) {
  struct sent *s = (struct sent *)call;
  CHECK(!s->within);
  s->done++;
}

static struct sent *start(struct aws_client *c, struct sent *s, const char *target, const char *body) {
  s->call.target = target;
  s->call.body = body;
  s->call.nbody = strlen(body);
  s->call.done = on_done;
  s->within = true;
  neap__aws_send(c, &s->call);
  s->within = false;
  return s;
}

static bool await(neap *h, const struct sent *s) {
  for (int i = 0; i < 100000 && !s->done; i++) neap_step(h, 1000), usleep(100);
  return s->done == 1;
}

static bool replied(const struct sent *s, const char *body) {
  return !s->call.failed && s->call.nreply == strlen(body) && memcmp(s->call.reply, body, s->call.nreply) == 0;
}

static struct aws_client *open_client(neap *h, struct aws_options o) {
  struct neap__error e;
  if (!o.service) o.service = "dynamodb";
  if (!o.region) o.region = "eu-central-1";
  if (!o.endpoint) o.endpoint = url;
  struct aws_client *c = neap__aws_open(neap_lua(h), &o, &e);
  if (!c) printf("not open: %s\n", e.message);
  return c;
}

static neap *open_host(void) {
  neap *h;
  neap_options options = {.size = sizeof options};
  CHECK(neap_open(&h, &options) == NEAP_OK);
  return h;
}

// ---- Signatures on the wire ----

static void test_signed(const char *token) {
  neap *h = open_host();
  struct aws_client *c =
      open_client(h, (struct aws_options){.access_key = KEY, .secret_key = SECRET, .session_token = token});
  struct sent s = {.done = 0};
  CHECK(await(h, start(c, &s, "Test.Do", "{\"id\":\"signed\"}")));
  CHECK(s.call.status == 200 && replied(&s, "{\"id\":\"signed\"}"));
  if (s.call.failed) printf("%s\n", s.call.error.message);
  neap__aws_drop(&s.call);
  neap__aws_drop(&s.call);
  neap__aws_close(c);
  neap_close(&h);
}

static void test_crc(void) {
  CHECK(neap__crc32("", 0) == 0);
  CHECK(neap__crc32("123456789", 9) == 0xcbf43926u);
  CHECK(neap__crc32("The quick brown fox jumps over the lazy dog", 43) == 0x414fa339u);
}

int main(void) {
  setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
  CHECK(start_server());
  test_crc();
  test_signed(NULL);
  test_signed("a/session+token==");
  kill(server, SIGKILL);
  return report();
}
