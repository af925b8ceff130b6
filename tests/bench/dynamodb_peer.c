// dynamodb_peer.c: dynamodb_peer WORK ENDPOINT [cpu]: the seconds of the plain loop over libcurl, signed requests over at most
// eight connections, the limit of any client; with cpu those of the processor that the client took.
//   prepare  makes the table
//   write    1,000 items by BatchWriteItem, 25 each
//   query    the same items, which are one page, 20 times
//   load     the same items by BatchGetItem, 100 keys each, 10 times
#include <curl/curl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ITEMS 1000
#define ROUNDS 3
#define CONNECTIONS 8

static const char *endpoint;
static volatile size_t sink;

struct text {
  char *p;
  size_t n, room;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(struct text *t, const char *p, size_t n) {
  if (t->n + n + 1 > t->room) t->p = realloc(t->p, t->room = 2 * (t->n + n + 1));
  memcpy(t->p + t->n, p, n);
  t->p[t->n += n] = 0;
}

static void add(struct text *t, const char *format, ...) {
  char line[1024];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  append(t, line, (size_t)n);
}

// ---- Requests ----

struct call {
  CURL *easy;
  struct curl_slist *headers;
  struct text body, reply;
};

static size_t on_reply(char *p, size_t size, size_t n, void *ud) {
  append(ud, p, size * n);
  return size * n;
}

static void set_up(struct call *c, const char *operation) {
  char target[80];
  c->easy = curl_easy_init();
  snprintf(target, sizeof target, "X-Amz-Target: DynamoDB_20120810.%s", operation);
  c->headers = curl_slist_append(NULL, target);
  c->headers = curl_slist_append(c->headers, "Content-Type: application/x-amz-json-1.0");
  curl_easy_setopt(c->easy, CURLOPT_URL, endpoint);
  curl_easy_setopt(c->easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
  curl_easy_setopt(c->easy, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:dynamodb");
  curl_easy_setopt(c->easy, CURLOPT_USERPWD, "key:secret");
  curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_reply);
  curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, &c->reply);
}

static void prepare_call(struct call *c) {
  c->reply.n = 0;
  curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE, (long)c->body.n);
  curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->body.p);
}

static void check(struct call *c) {
  long status = 0;
  curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
  sink += c->reply.n;
  if (status == 200) return;
  fprintf(stderr, "%ld %s\n", status, c->reply.n ? c->reply.p : "");
  exit(1);
}

static void perform(struct call *c) {
  prepare_call(c);
  curl_easy_perform(c->easy);
  check(c);
}

// All of them, side by side.
static void perform_all(CURLM *multi, struct call *calls, int n) {
  int running = 1;
  for (int i = 0; i < n; i++) {
    prepare_call(&calls[i]);
    curl_multi_add_handle(multi, calls[i].easy);
  }
  while (running > 0) {
    curl_multi_perform(multi, &running);
    if (running > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  for (int i = 0; i < n; i++) {
    curl_multi_remove_handle(multi, calls[i].easy);
    check(&calls[i]);
  }
}

// ---- The work ----

static void add_item(struct text *t, int i) {
  add(t,
      "{\"shop\":{\"S\":\"north\"},\"id\":{\"N\":\"%d\"},\"name\":{\"S\":\"User number %d\"},\"email\":{\"S\":"
      "\"user%d@example.org\"},\"age\":{\"N\":\"%d\"},\"score\":{\"N\":\"%.1f\"},\"active\":{\"BOOL\":%s},\"bio\":{"
      "\"S\":"
      "\"Some text about this user, of ordinary length\"}}",
      i, i, i, 18 + i % 70, i * 0.5, i % 2 ? "true" : "false");
}

static struct call calls[ITEMS / 25];

static void write_all(CURLM *multi) {
  for (int b = 0; b < ITEMS / 25; b++) {
    struct text *t = &calls[b].body;
    t->n = 0;
    add(t, "{\"RequestItems\":{\"people\":[");
    for (int i = 1; i <= 25; i++) {
      add(t, i > 1 ? ",{\"PutRequest\":{\"Item\":" : "{\"PutRequest\":{\"Item\":");
      add_item(t, b * 25 + i);
      add(t, "}}");
    }
    add(t, "]}}");
  }
  perform_all(multi, calls, ITEMS / 25);
}

static void query_all(void) {
  struct call *c = &calls[0];
  c->body.n = 0;
  add(&c->body,
      "{\"TableName\":\"people\",\"KeyConditionExpression\":\"shop = :v0\",\"ExpressionAttributeValues\":"
      "{\":v0\":{\"S\":\"north\"}}}");
  for (int round = 0; round < 20; round++) {
    perform(c);
    if (!strstr(c->reply.p, "\"Count\":1000") || strstr(c->reply.p, "\"LastEvaluatedKey\"")) exit(1);
  }
}

static void load_all(CURLM *multi) {
  for (int round = 0; round < 10; round++) {
    for (int b = 0; b < ITEMS / 100; b++) {
      struct text *t = &calls[b].body;
      t->n = 0;
      add(t, "{\"RequestItems\":{\"people\":{\"Keys\":[");
      for (int i = 1; i <= 100; i++)
        add(t, "%s{\"shop\":{\"S\":\"north\"},\"id\":{\"N\":\"%d\"}}", i > 1 ? "," : "", b * 100 + i);
      add(t, "]}}}");
    }
    perform_all(multi, calls, ITEMS / 100);
  }
}

static void make_table(void) {
  struct call *c = &calls[0];
  set_up(c, "DeleteTable");
  add(&c->body, "{\"TableName\":\"people\"}");
  prepare_call(c);
  curl_easy_perform(c->easy);
  set_up(c, "CreateTable");
  c->body.n = 0;
  add(&c->body,
      "{\"TableName\":\"people\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":"
      "\"shop\","
      "\"AttributeType\":\"S\"},{\"AttributeName\":\"id\",\"AttributeType\":\"N\"}],\"KeySchema\":[{\"AttributeName\":"
      "\"shop\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"id\",\"KeyType\":\"RANGE\"}]}");
  perform(c);
}

static double seconds_of(bool cpu) {
  struct timespec t;
  clock_gettime(cpu ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const char *work = argv[1];
  bool cpu = argc > 3;
  double best = 1e9;
  endpoint = argv[2];
  curl_global_init(CURL_GLOBAL_ALL);
  if (strcmp(work, "prepare") == 0) {
    make_table();
    return 0;
  }
  const char *operation = strcmp(work, "write") == 0  ? "BatchWriteItem"
                          : strcmp(work, "load") == 0 ? "BatchGetItem"
                                                      : "Query";
  for (int i = 0; i < ITEMS / 25; i++) set_up(&calls[i], operation);
  CURLM *multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS);
  for (int i = 0; i <= ROUNDS; i++) {
    double start = seconds_of(cpu);
    if (strcmp(work, "write") == 0)
      write_all(multi);
    else if (strcmp(work, "load") == 0)
      load_all(multi);
    else
      query_all();
    double took = seconds_of(cpu) - start;
    if (i > 0 && took < best) best = took;
  }
  printf("%.9f\n", best);
  return 0;
}
