// http_test.c: in a stepped host requests go on between the steps: no step waits for a server, a host that closes in the middle
// takes its connections along, its limits hold for replies too. Calls need no Lua. And allocations fail, one after the other.
#include <signal.h>
#include <time.h>

#include "sweep.h"
#include "transport/http.h"

static char url[64];
static pid_t server;

static const char requests[] =
    "local neap = require 'neap' local http = neap.http "
    "local tasks = {} "
    "for i = 1, 50 do tasks[i] = function() return http.post(URL .. '/echo', { json = { i } }):json().body end end "
    "for i, body in ipairs(neap.all(tasks)) do assert(body == '[' .. i .. ']') end "
    "assert(#http.get(URL .. '/large/5000000').body == 5000000) "
    "assert(http.get(URL .. '/redirect/302/%2Fgzip').body:find 'unpacked') "
    "local from, n, k = http.get(URL .. '/pieces/2000', { stream = true }), 0, 0 "
    "local back = http.post(URL .. '/echo', { body = function() return from:read() end }):json().body "
    "assert(#back == 2000000) "
    "for piece in http.get(URL .. '/pieces/2000', { stream = true }):pieces() do n = n + #piece end "
    "assert(n == 2000000) "
    "for steps = 1, 20 do "
    "  local task = neap.spawn(http.get, URL .. '/delay/20') "
    "  for _ = 1, steps do neap.sleep(0) end "
    "  task:cancel() pcall(task.await, task) "
    "end "
    "assert(http.get(URL .. '/echo').status == 200)";

static const char under_way[] =
    "local neap = require 'neap' for i = 1, 28 do neap.spawn(neap.http.get, URL .. '/delay/20') end "
    "neap.spawn(function() "
    "  local r = neap.http.get(URL .. '/pieces/20000', { stream = true }) r:read() neap.sleep(20) "
    "end) "
    "neap.spawn(function() neap.http.put(URL .. '/echo', { body = function() neap.sleep(20) end }) end) "
    "neap.http.get(URL .. '/delay/20')";

static const char small[] =
    "local neap = require 'neap' local http = neap.http "
    "local r = http.post(URL .. '/echo', { json = { 1 }, bearer = 'x', query = { a = 1 } }) "
    "assert(r:json().body == '[1]') "
    "assert(#http.get(URL .. '/redirect/302/%2Fgzip').body == 9000) "
    "local n, i = 0, 0 "
    "for piece in http.get(URL .. '/pieces/100', { stream = true }):pieces() do n = n + #piece end "
    "assert(n == 100000) "
    "local body = function() i = i + 1 if i <= 3 then return 'x' end end "
    "assert(http.put(URL .. '/echo', { body = body, length = 3 }):json().body == 'xxx') "
    "neap.try(neap.timeout, 0, http.get, URL .. '/delay/20') "
    "assert(not neap.try(http.get, URL .. '/half'))";

static bool start_server(void) {
  int port = 0, pid = 0;
  FILE *pipe = popen("tests/services/http", "r");
  bool ok = pipe && fscanf(pipe, "%d %d", &port, &pid) == 2;
  if (pipe) pclose(pipe);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
  server = pid;
  return ok;
}

static const char *with_url(const char *script) {
  static char text[4096];
  snprintf(text, sizeof text, "local URL = '%s' %s", url, script);
  return text;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static neap *open_with(neap_options options, const char *script, neap_task *task) {
  neap *h;
  options.size = sizeof options;
  options.error = on_error;
  options.ud = &last;
  if (neap_open(&h, &options) != NEAP_OK) return NULL;
  const char *text = with_url(script);
  if (neap_spawn(h, text, strlen(text), "=script", task) != NEAP_OK) printf("%s\n", neap_message(h));
  return h;
}

// The result of a script that is run in steps, as JSON.
static const char *stepped(neap_options options, const char *script) {
  static char result[1024];
  neap_task task;
  neap *h = open_with(options, script, &task);
  for (int i = 0; i < 60000 && neap_step(h, 1000) > 0; i++) usleep(200);
  const char *said = neap_result(h, task, NULL);
  snprintf(result, sizeof result, "%s", said ? said : neap_message(h));
  neap_close(&h);
  return result;
}

static bool is_kind(const char *result, const char *kind) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "\"kind\":\"%s\"", kind);
  if (strstr(result, wanted)) return true;
  printf("%s\n", result);
  return false;
}

static void test_steps(void) {
  const char *said = stepped((neap_options){.slice_us = 1000}, requests);
  CHECK(strcmp(said, "null") == 0);
  if (failed) printf("%s\n", said);
}

// Steps return at once, however long the server takes; so does closing.
static void test_close(void) {
  double began = now();
  neap_task task;
  neap *h = open_with((neap_options){.slice_us = 1000}, under_way, &task);
  for (int i = 0; i < 5000 && neap_step(h, 1000) < 31; i++) usleep(100);
  for (int i = 0; i < 50; i++) CHECK(neap_step(h, 1000) == 31);
  neap_close(&h);
  CHECK(h == NULL && now() - began < 10);
}

static void test_limits(void) {
  static const char large[] = "return #require 'neap'.http.get(URL .. '/large/20000000').body";
  CHECK(strcmp(stepped((neap_options){.slice_us = 1000}, large), "20000000") == 0);
  CHECK(is_kind(stepped((neap_options){.max_memory = 8 << 20}, large), "limit"));
  CHECK(is_kind(stepped((neap_options){.flags = NEAP_NO_NET}, large), "forbidden"));
  CHECK(is_kind(stepped((neap_options){.flags = NEAP_NO_FS},
                        "require 'neap'.http.get(URL, { ca = '/etc/ssl/certs/ca-certificates.crt' })"),
                "forbidden"));
  CHECK(strcmp(stepped((neap_options){.flags = NEAP_NO_FS | NEAP_NO_OS, .max_memory = 32 << 20},
                       "return require 'neap'.http.get(URL .. '/echo').status"),
               "200") == 0);
}

// What scripts may not read is not used for them either.
static void test_environment(void) {
  static const char ask[] = "return require 'neap'.http.get(URL .. '/echo').status";
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("no_proxy", "", 1);
  CHECK(is_kind(stepped((neap_options){.slice_us = 1000}, ask), "connection"));
  CHECK(strcmp(stepped((neap_options){.flags = NEAP_NO_OS}, ask), "200") == 0);
  unsetenv("http_proxy");
}

// ---- Calls ----

struct sent {
  struct http_call call;
  struct http_client *client;
  int done, again;  // again: how many more it sends
  bool within;      // neap__http_send is at work
  int status;
  char body[2000];
  struct neap__error error;
};

static int send_to(struct sent *s, const char *path, const char *body) {
  char whole[200];
  snprintf(whole, sizeof whole, "%s%s", strchr(path, ':') ? "" : url, path);
  struct http_request r = {.method = body ? "POST" : "GET", .url = whole, .body = body, .max_size = 1 << 20};
  r.nbody = body ? strlen(body) : 0;
  r.timeout = strstr(path, "delay") ? 0.05 : 0;
  s->within = true;
  int status = neap__http_send(s->client, &s->call, &r, &s->error);
  s->within = false;
  return status;
}

static void on_sent(struct http_call *call) {
  struct sent *s = (struct sent *)call;
  struct http_reply reply;
  CHECK(!s->within);
  s->done++;
  s->status = neap__http_result(call, &reply, &s->error) == 0 ? reply.status : -1;
  if (s->status > 0) snprintf(s->body, sizeof s->body, "%.*s", (int)reply.nbody, reply.body ? reply.body : "");
  neap__http_cancel(call);
  neap__http_cancel(call);
  if (s->again-- > 0) CHECK(send_to(s, "/echo", "x") == 0 || s->error.kind == NEAP_CANCELLED);
}

static void run_for(neap *h, const struct sent *s, int wanted) {
  for (int i = 0; i < 50000 && s->done < wanted; i++) neap_step(h, 1000), usleep(100);
}

static void test_calls(void) {
  neap *h;
  neap_options options = {.size = sizeof options, .slice_us = 1000};
  CHECK(neap_open(&h, &options) == NEAP_OK);
  struct sent s = {.call.done = on_sent, .client = neap__http_client(neap_lua(h))};
  s.again = 3;
  CHECK(send_to(&s, "/echo", "x") == 0);
  run_for(h, &s, 4);
  CHECK(s.done == 4 && s.status == 200 && strstr(s.body, "\"POST\""));
  CHECK(send_to(&s, "http://127.0.0.1:1/", NULL) == 0);
  run_for(h, &s, 5);
  CHECK(s.status == -1 && s.error.kind == NEAP_CONNECTION);
  CHECK(send_to(&s, "/delay/20", "x") == 0);
  run_for(h, &s, 6);
  CHECK(s.error.kind == NEAP_TIMEOUT && s.error.unknown && strstr(s.error.message, "timed out after 0.05 s: POST"));
  CHECK(send_to(&s, "ftp://127.0.0.1/", NULL) == -1 && s.error.kind == NEAP_USAGE && s.done == 6);
  CHECK(send_to(&s, "/echo", NULL) == 0);
  neap__http_cancel(&s.call);
  CHECK(send_to(&s, "/slow", NULL) == 0);
  for (int i = 0; i < 5; i++) neap_step(h, 1000);
  s.again = 1;
  s.call.done = on_sent;
  struct sent last_one = {.call.done = on_sent, .client = s.client};
  CHECK(send_to(&last_one, "/slow", NULL) == 0);
  struct sent shared = {.call.done = on_sent, .client = s.client, .again = 1};
  CHECK(neap__http_send(s.client, &shared.call,
                        &(struct http_request){.method = "GET", .url = "https://127.0.0.1:1/", .http2 = true},
                        &shared.error) == 0);
  neap_close(&h);
  CHECK(shared.done == 1);
  CHECK(s.done == 7 && s.error.kind == NEAP_CANCELLED && last_one.done == 1 && last_one.error.kind == NEAP_CANCELLED);
}

static void test_allocations(void) {
  sweep_seed();
  for (enum mode how = ONE; how <= ALL_FROM; how++) {
    sweep((neap_options){.alloc = counted}, OURS, how, with_url(small), 200, NULL);
    sweep((neap_options){.slice_us = 1000}, OURS, how, with_url(small), 200, NULL);
  }
}

int main(void) {
  if (!start_server()) return printf("no server\n"), 1;
  sqlite_hook();
  test_steps();
  test_close();
  test_limits();
  test_environment();
  test_calls();
  test_allocations();
  kill(server, SIGKILL);
  return report();
}
