// aws_test.c: calls of AWS against an imitation (tests/services/aws), which checks their signatures by its own means.
#include <signal.h>

#include "sweep.h"
#include "transport/aws.h"
#include "transport/backoff.h"
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

// ---- A host, a client, calls ----

static neap *h;
static struct aws_client *c;

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
  CHECK(neap_open(&h, &options) == NEAP_OK);
}

static void open_client(struct aws_options o) {
  struct neap__error e;
  if (!o.service) o.service = "dynamodb";
  if (!o.region) o.region = "eu-central-1";
  if (!o.endpoint) o.endpoint = url;
  if (!o.access_key) o.access_key = KEY;
  if (!o.secret_key) o.secret_key = SECRET;
  c = neap__aws_open(neap_lua(h), &o, &e);
  if (!c) printf("not open: %s\n", e.message);
}

static void open_both(struct aws_options o) {
  open_host();
  open_client(o);
}

static void close_both(void) {
  neap__aws_close(c);
  neap_close(&h);
}

static void start(struct sent *s, const char *target, const char *body) {
  snprintf(s->body, sizeof s->body, "%s", body);
  s->call.target = target;
  s->call.body = s->body;
  s->call.nbody = strlen(s->body);
  s->call.done = on_done;
  s->done = 0;
  s->within = true;
  neap__aws_send(c, &s->call);
  s->within = false;
}

static void steps(int n) {
  for (int i = 0; i < n; i++) neap_step(h, 1000);
}

static bool await(const struct sent *s) {
  for (int i = 0; i < 300000 && !s->done; i++) neap_step(h, 1000), usleep(50);
  return s->done == 1;
}

static bool run(struct sent *s, const char *target, const char *body) {
  start(s, target, body);
  return await(s);
}

static bool replied(const struct sent *s, const char *body) {
  return !s->call.failed && s->call.nreply == strlen(body) && memcmp(s->call.reply, body, s->call.nreply) == 0;
}

// A number that the server tells of an id.
static int told(const char *name, const char *id) {
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

static void set(const char *body) {
  struct sent s = {.done = 0};
  CHECK(run(&s, "Test.Set", body) && !s.call.failed);
  neap__aws_drop(&s.call);
}

// ---- Signatures ----

static void test_signed(const char *token) {
  struct sent s = {.done = 0};
  open_both((struct aws_options){.session_token = token});
  CHECK(run(&s, "Test.Do", "{\"id\":\"signed\"}"));
  CHECK(s.call.status == 200 && replied(&s, "{\"id\":\"signed\"}"));
  neap__aws_drop(&s.call);
  neap__aws_drop(&s.call);
  close_both();
}

static void test_refused(void) {
  struct sent s = {.done = 0};
  open_both((struct aws_options){.secret_key = "wrong", .session_token = "hidden"});
  CHECK(run(&s, "Test.Do", "{}") && s.call.failed);
  CHECK(s.call.error.kind == NEAP_AUTH && strcmp(s.call.error.code, "InvalidSignatureException") == 0);
  CHECK(!strstr(s.call.error.message, "hidden") && !strstr(s.call.error.detail, "hidden"));
  neap__aws_drop(&s.call);
  close_both();
  open_both((struct aws_options){.access_key = "nobody"});
  CHECK(run(&s, "Test.Do", "{}") && s.call.error.kind == NEAP_AUTH && !s.call.error.retryable);
  neap__aws_drop(&s.call);
  close_both();
}

// The clock of the machine goes wrong: it costs one attempt.
static void test_clock(void) {
  struct sent s = {.done = 0};
  open_both((struct aws_options){0});
  for (int way = 0; way < 3; way++) {
    static const char *const sets[] = {"{\"ahead\":4000}", "{\"ahead\":-90000}", "{\"ahead\":0}"};
    set(sets[way]);
    CHECK(run(&s, "Test.Do", "{\"id\":\"clock\"}") && !s.call.failed && s.call.attempts == 2);
    neap__aws_drop(&s.call);
    CHECK(run(&s, "Test.Do", "{\"id\":\"clock\"}") && !s.call.failed && s.call.attempts == 1);
    neap__aws_drop(&s.call);
  }
  close_both();
}

// ---- Failures ----

enum { ONCE, REPEATABLE, READS };

static const struct trial {
  const char *script;
  int nature;
  int kind;  // -1: it succeeds
  bool unknown;
  int count;  // how many requests there were
  const char *code, *words;
} trials[] = {
    {"ok", ONCE, -1, false, 1, "", ""},
    {"throttle,ok", ONCE, -1, false, 2, "", ""},
    {"provision,throttle,ok", ONCE, -1, false, 3, "", ""},
    {"progress,ok", ONCE, -1, false, 2, "", ""},
    {"503,ok", ONCE, -1, false, 2, "", ""},
    {"throttle", ONCE, NEAP_THROTTLED, false, 4, "ThrottlingException", "Do: Rate exceeded, at attempt 4"},
    {"500,ok", ONCE, NEAP_SERVER, true, 1, "InternalServerError", "Do: Internal server error"},
    {"500,ok", REPEATABLE, -1, false, 2, "", ""},
    {"500,ok", READS, -1, false, 2, "", ""},
    {"502,ok", ONCE, NEAP_SERVER, true, 1, "", "Do: status 502: no reason is given"},
    {"502,ok", REPEATABLE, -1, false, 2, "", ""},
    {"drop,ok", ONCE, NEAP_CONNECTION, true, 1, NULL, "Do: POST http://127.0.0.1:"},
    {"drop,ok", REPEATABLE, -1, false, 2, "", ""},
    {"reset,ok", ONCE, NEAP_CONNECTION, true, 1, NULL, "Do: POST"},
    {"reset,reset,ok", READS, -1, false, 3, "", ""},
    {"half,ok", ONCE, NEAP_CONNECTION, true, 1, NULL, "Do: POST"},
    {"half,ok", REPEATABLE, -1, false, 2, "", ""},
    {"crc,ok", ONCE, NEAP_PROTOCOL, true, 1, "", "checksum"},
    {"crc,ok", REPEATABLE, -1, false, 2, "", ""},
    {"crc", READS, NEAP_PROTOCOL, false, 4, "", "checksum"},
    {"drop", READS, NEAP_CONNECTION, false, 4, NULL, "at attempt 4"},
    {"condition", ONCE, NEAP_CONDITION, false, 1, "ConditionalCheckFailedException",
     "Do: The conditional request failed"},
    {"drop,condition", REPEATABLE, NEAP_CONDITION, true, 2, "ConditionalCheckFailedException", "failed, at attempt 2"},
    {"drop,condition", READS, NEAP_CONDITION, false, 2, "ConditionalCheckFailedException", ""},
    {"throttle,drop", ONCE, NEAP_CONNECTION, true, 2, NULL, "at attempt 2"},
    {"validation", REPEATABLE, NEAP_USAGE, false, 1, "ValidationException", "the server refuses Do: One or more"},
    {"missing", READS, NEAP_NOT_FOUND, false, 1, "ResourceNotFoundException", "Do: Requested resource not found"},
    {"denied", READS, NEAP_FORBIDDEN, false, 1, "AccessDeniedException", "Do: You may not"},
    {"old", ONCE, NEAP_AUTH, false, 1, "ExpiredTokenException", "expired"},
};

static void write_script(const struct trial *t, const char *id, char *body, size_t size) {
  size_t n = (size_t)snprintf(body, size, "{\"id\":\"%s\",\"do\":[\"", id);
  for (const char *p = t->script; *p; p++) n += (size_t)snprintf(body + n, size - n, *p == ',' ? "\",\"" : "%c", *p);
  snprintf(body + n, size - n, "\"]}");
}

static bool as_expected(const struct trial *t, const struct aws_call *call) {
  const struct neap__error *e = &call->error;
  if (t->kind < 0) return !call->failed && call->status == 200 && call->nreply > 0;
  return call->failed && (int)e->kind == t->kind && e->unknown == t->unknown && strstr(e->message, t->words) &&
         (t->code ? strcmp(e->code, t->code) == 0 : *e->code) && strcmp(e->store, "dynamodb") == 0 &&
         !(e->unknown && e->retryable);
}

static void test_trial(const struct trial *t, int number) {
  struct sent s = {.call = {.reads = t->nature == READS, .repeatable = t->nature == REPEATABLE}};
  char id[20], body[300];
  int before = failed;
  snprintf(id, sizeof id, "trial%d", number);
  write_script(t, id, body, sizeof body);
  CHECK(run(&s, "Test.Do", body));
  CHECK(as_expected(t, &s.call));
  CHECK(told("count", id) == t->count);
  if (failed > before) printf("  %s, %d: %s %s\n", t->script, t->nature, s.call.error.code, s.call.error.message);
  neap__aws_drop(&s.call);
}

static void test_trials(void) {
  open_both((struct aws_options){.attempts = 4});
  for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) test_trial(&trials[i], (int)i);
  close_both();
}

static void test_connecting(void) {
  struct sent s = {.done = 0};
  open_both((struct aws_options){.endpoint = "http://127.0.0.1:1/", .attempts = 2});
  CHECK(run(&s, "Test.Do", "{}") && s.call.failed && s.call.error.kind == NEAP_CONNECTION && s.call.attempts == 2);
  CHECK(!s.call.error.unknown && s.call.error.retryable);
  neap__aws_drop(&s.call);
  close_both();
}

static void test_timeouts(void) {
  struct sent s = {.call = {.timeout = 0.05}}, again = {.call = {.timeout = 3, .repeatable = true}};
  open_both((struct aws_options){0});
  CHECK(run(&s, "Test.Do", "{\"id\":\"t1\",\"do\":[\"hang\"]}") && s.call.error.kind == NEAP_TIMEOUT);
  CHECK(s.call.error.unknown && strcmp(s.call.error.message, "timed out after 0.05 s: Do") == 0);
  neap__aws_drop(&s.call);
  CHECK(run(&again, "Test.Do", "{\"id\":\"t2\",\"do\":[\"hang\",\"ok\"]}") && !again.call.failed);
  neap__aws_drop(&again.call);
  struct sent late = {.call = {.timeout = 0.06, .reads = true}};
  CHECK(run(&late, "Test.Do", "{\"id\":\"t3\",\"do\":[\"hang\"]}") && late.call.error.kind == NEAP_TIMEOUT);
  CHECK(!late.call.error.unknown && late.call.error.retryable);
  neap__aws_drop(&late.call);
  close_both();
}

// A server that fails altogether gets a hundred requests more than there are calls, not ten times as many.
static void test_budget(void) {
  enum { CALLS = 40 };
  static struct sent all[CALLS];
  int attempts = 0;
  open_both((struct aws_options){0});
  for (int i = 0; i < CALLS; i++) start(&all[i], "Test.Do", "{\"id\":\"budget\",\"do\":[\"503\"]}");
  for (int i = 0; i < CALLS; i++) {
    CHECK(await(&all[i]) && all[i].call.failed && all[i].call.error.kind == NEAP_SERVER);
    attempts += all[i].call.attempts;
    neap__aws_drop(&all[i].call);
  }
  CHECK(attempts == CALLS + BACKOFF_TOKENS / BACKOFF_RETRY);
  close_both();
}

// ---- The end of it ----

static const char *const states[] = {"[\"ok\"]", "[\"hang\"]", "[\"throttle\"]", "[\"half\"]", "[\"drop\"]"};
enum { STATES = sizeof states / sizeof *states };

static void start_all(struct sent *all, bool repeatable) {
  char body[100];
  for (int i = 0; i < STATES; i++) {
    all[i] = (struct sent){.call = {.repeatable = repeatable}};
    snprintf(body, sizeof body, "{\"id\":\"end\",\"do\":%s}", states[i]);
    start(&all[i], "Test.Do", body);
  }
}

// Dropped wherever they are, calls are never heard of again.
static void test_drop(void) {
  struct sent all[STATES];
  for (int n = 0; n < 40; n++) {
    open_both((struct aws_options){0});
    start_all(all, n % 2 == 1);
    steps(n);
    int done[STATES];
    for (int i = 0; i < STATES; i++) done[i] = all[i].done;
    for (int i = 0; i < STATES; i++) neap__aws_drop(&all[i].call);
    steps(5);
    for (int i = 0; i < STATES; i++) CHECK(all[i].done == done[i] && done[i] <= 1);
    close_both();
  }
}

static void check_ended(struct sent *all) {
  for (int i = 0; i < STATES; i++) {
    const struct neap__error *e = &all[i].call.error;
    CHECK(all[i].done == 1);
    CHECK(!all[i].call.failed || e->kind != NEAP_CANCELLED || !e->retryable || !e->unknown);
    neap__aws_drop(&all[i].call);
  }
}

static void test_close(void) {
  struct sent all[STATES];
  for (int n = 0; n < 40; n++) {
    open_both((struct aws_options){0});
    start_all(all, n % 2 == 1);
    steps(n);
    close_both();
    check_ended(all);
  }
}

// The client belongs to something of Lua, which is collected after the host has told that it closes.
static int owner_gc(lua_State *L) {
  (void)L;
  neap__aws_close(c);
  return 0;
}

static void own_client(void) {
  lua_State *L = neap_lua(h);
  lua_newuserdatauv(L, 1, 0);
  lua_newtable(L);
  lua_pushcfunction(L, owner_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  luaL_ref(L, LUA_REGISTRYINDEX);
}

static struct sent too_late;

// Comes after the client has been told, because it was there before.
static void on_closing(struct neap__closer *closer) {
  (void)closer;
  too_late = (struct sent){.done = 0};
  too_late.call.target = "Test.Do";
  too_late.call.done = on_done;
  neap__aws_send(c, &too_late.call);
}

static void test_host_closes(void) {
  struct sent all[STATES];
  for (int n = 0; n < 40; n++) {
    struct neap__closer closer = {.close = on_closing};
    open_host();
    neap__closer_add(h, &closer);
    open_client((struct aws_options){0});
    own_client();
    start_all(all, n % 2 == 1);
    steps(n);
    neap_close(&h);
    check_ended(all);
    CHECK(too_late.done == 1 && too_late.call.failed && too_late.call.error.kind == NEAP_CANCELLED);
  }
}

// ---- Memory ----

static int do_open(lua_State *L) {
  struct neap__error e;
  struct aws_options o = {
      .service = "dynamodb", .region = "r", .endpoint = url, .access_key = KEY, .secret_key = SECRET};
  c = neap__aws_open(L, &o, &e);
  if (!c) neap__raise(L, &e);
  return 0;
}

// The n-th allocation fails. True if nothing did.
static bool try_with(long n) {
  struct sent s = {.call = {.repeatable = true}};
  neap_options options = {.size = sizeof options, .alloc = counted};
  c = NULL;
  CHECK(neap_open(&h, &options) == NEAP_OK);
  countdown = n;
  armed = OURS;
  lua_pushcfunction(neap_lua(h), do_open);
  bool ok = lua_pcall(neap_lua(h), 0, 0, 0) == LUA_OK;
  if (ok) ok = run(&s, "Test.Do", "{\"id\":\"memory\",\"do\":[\"503\",\"ok\"]}") && !s.call.failed;
  armed = NOBODYS;
  CHECK(ok || !s.done || s.call.error.kind == NEAP_LIMIT);
  if (!ok && s.done && s.call.error.kind != NEAP_LIMIT) printf("  %ld: %s\n", n, s.call.error.message);
  neap__aws_drop(&s.call);
  close_both();
  CHECK(blocks == 0);
  return ok && countdown > 0;
}

static void test_memory(void) {
  long n = 1;
  mode = ONE;
  while (!try_with(n) && n < 10000) n++;
  CHECK(n > 5 && n < 10000);
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
  test_refused();
  test_clock();
  test_trials();
  test_connecting();
  test_timeouts();
  test_budget();
  test_drop();
  test_close();
  test_host_closes();
  test_memory();
  kill(server, SIGKILL);
  return report();
}
