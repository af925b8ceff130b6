// aws_test.c: calls of AWS against an imitation (tests/services/aws), which checks their signatures by its own means.
#include <signal.h>

#include "aws_service.h"
#include "transport/backoff.h"
#include "value/crc32.h"

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

// The clock of the machine goes wrong: it costs each call one attempt.
static void test_clock(void) {
  struct sent s = {.done = 0}, other = {.done = 0};
  open_both((struct aws_options){0});
  for (int way = 0; way < 3; way++) {
    static const char *const sets[] = {"{\"ahead\":4000}", "{\"ahead\":-90000}", "{\"ahead\":0}"};
    set(sets[way]);
    start(&other, "Test.Do", "{\"id\":\"clock\"}");
    CHECK(run(&s, "Test.Do", "{\"id\":\"clock\"}") && !s.call.failed && s.call.attempts == 2);
    CHECK(await(&other) && !other.call.failed && other.call.attempts == 2);
    neap__aws_drop(&s.call);
    neap__aws_drop(&other.call);
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
    {"crc,ok", ONCE, NEAP_PROTOCOL, true, 1, "", "cut or changed"},
    {"crc,ok", REPEATABLE, -1, false, 2, "", ""},
    {"cut,ok", ONCE, NEAP_PROTOCOL, true, 1, "", "cut or changed"},
    {"cut,ok", REPEATABLE, -1, false, 2, "", ""},
    {"crc", READS, NEAP_PROTOCOL, false, 4, "", "cut or changed"},
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
  }
}

static void drop_all(struct sent *all) {
  for (int i = 0; i < STATES; i++) neap__aws_drop(&all[i].call);
}

static void test_close(void) {
  struct sent all[STATES];
  for (int n = 0; n < 40; n++) {
    open_both((struct aws_options){0});
    start_all(all, n % 2 == 1);
    steps(n);
    neap__aws_close(client);
    check_ended(all);
    drop_all(all);
    neap_close(&host);
  }
}

static struct sent owned[STATES];

// As a store does it: it closes with the host, and is collected later.
static void on_host_close(struct neap__closer *closer) {
  (void)closer;
  neap__aws_close(client);
}

static int owner_gc(lua_State *L) {
  (void)L;
  drop_all(owned);
  return 0;
}

static void push_owner(lua_State *L) {
  lua_newuserdatauv(L, 1, 0);
  lua_newtable(L);
  lua_pushcfunction(L, owner_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}

static void test_host_closes(void) {
  for (int n = 0; n < 40; n++) {
    struct neap__closer closer = {.close = on_host_close};
    open_both((struct aws_options){0});
    neap__closer_add(host, &closer);
    push_owner(neap_lua(host));
    start_all(owned, n % 2 == 1);
    steps(n);
    neap_close(&host);
    check_ended(owned);
  }
}

// ---- Memory ----

static int do_open(lua_State *L) {
  struct neap__error e;
  struct aws_options o = {
      .service = "dynamodb", .region = "r", .endpoint = url, .access_key = KEY, .secret_key = SECRET};
  client = neap__aws_open(L, &o, &e);
  if (!client) neap__raise(L, &e);
  return 0;
}

// The n-th allocation fails. True if nothing did.
static bool try_with(long n) {
  struct sent s = {.call = {.repeatable = true}};
  neap_options options = {.size = sizeof options, .alloc = counted};
  client = NULL;
  CHECK(neap_open(&host, &options) == NEAP_OK);
  countdown = n;
  armed = OURS;
  lua_pushcfunction(neap_lua(host), do_open);
  bool ok = lua_pcall(neap_lua(host), 0, 0, 0) == LUA_OK;
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
