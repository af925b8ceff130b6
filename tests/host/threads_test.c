// threads_test.c: eight hosts on eight threads, side by side: nothing is shared between them but what may be. `make tsan` runs
// it under ThreadSanitizer.
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

#define HOSTS 8

// What each host does, with its number as `N` and a server, if there is one, as `URL`.
static const char work[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local function use(store, table)\n"
    "  local Item = store:model('Item', { id = t.uuid { primary = true, auto = true }, at = t.datetime { auto_now = "
    "true },\n"
    "    n = t.integer(), price = t.decimal { scale = 2 }, data = t.json(), name = t.string() }, { table = table })\n"
    "  if store:supports 'transactions' then store:bind() end\n"
    "  local list = {}\n"
    "  for i = 1, 200 do list[i] = Item { n = i, price = '1.10', data = { i }, name = 'item ' .. i } end\n"
    "  store:save(list)\n"
    "  neap.all { function()\n"
    "    store:transaction(function() Item:create { n = 0 } neap.sleep(0) end)\n"
    "  end, function()\n"
    "    for item in Item:where { name__regex = '^item' }:order 'n':each() do assert(item.data[1] == item.n) end\n"
    "  end, function()\n"
    "    assert(Item:where { name__icontains = 'ITEM', price__gt = neap.decimal '1.05' }:count() == 200)\n"
    "  end }\n"
    "  neap.try(neap.timeout, 0.001, function() for _ = 1, 1000 do Item:all() end end)\n"
    "  assert(Item:count() == 201)\n"
    "  store:drop(Item)\n"
    "  store:close()\n"
    "end\n"
    "for _ = 1, 2 do\n"
    "  use(neap.open 'sqlite::memory:', 'items')\n"
    "  use(neap.open('sqlite:' .. DIR .. '/own' .. N .. '.db'), 'items')\n"
    "  use(neap.open('sqlite:' .. DIR .. '/common.db'), 'items_' .. N)\n"
    "  if URL then use(neap.open(URL), 'threads_' .. N) end\n"
    "  assert(#neap.json.decode(neap.json.encode { 1, 2.5, 'x' }) == 3)\n"
    "  assert(#tostring(neap.uuid()) == 36 and tostring(neap.now()) > '2020' and neap.log.debug 'done' == nil)\n"
    "  assert(not neap.try(neap.decimal, 'x') and #('word '):rep(9):gsub('%a+', string.upper) == 45)\n"
    "end\n";

struct job {
  pthread_t thread;
  int n;
  bool done;
  neap *host;
  int woken;
};

static char dir[64];

static void on_wake(void *ud) {
  __atomic_add_fetch(&((struct job *)ud)->woken, 1, __ATOMIC_RELAXED);
}

static neap_task start(struct job *job) {
  neap_options options = {.size = sizeof options, .wake = on_wake, .ud = job, .slice_us = job->n % 2 ? 500 : 0};
  static _Thread_local char text[4096];
  const char *url = getenv("NEAP_TEST_POSTGRES");
  neap_task task;
  if (neap_open(&job->host, &options) != NEAP_OK) return 0;
  int n = snprintf(text, sizeof text, "local N, DIR, URL = %d, '%s', %s%s%s %s", job->n, dir, url ? "'" : "",
                   url ? url : "nil", url ? "'" : "", work);
  return neap_spawn(job->host, text, (size_t)n, "=work", &task) == NEAP_OK ? task : 0;
}

static void *live(void *ud) {
  struct job *job = ud;
  neap_task task = start(job);
  if (job->n % 2)
    while (neap_step(job->host, 2000) > 0) usleep(100);
  else
    neap_run(job->host);
  job->done = neap_status(job->host, task) == NEAP_OK;
  if (!job->done) printf("host %d: %s\n", job->n, neap_result(job->host, task, NULL));
  if (job->n < 4) neap_close(&job->host);  // the others are closed by the thread that started this one
  return NULL;
}

static void test_side_by_side(void) {
  struct job jobs[HOSTS] = {0};
  for (int i = 0; i < HOSTS; i++) {
    jobs[i].n = i;
    CHECK(pthread_create(&jobs[i].thread, NULL, live, &jobs[i]) == 0);
  }
  for (int i = 0; i < HOSTS; i++) pthread_join(jobs[i].thread, NULL);
  for (int i = 0; i < HOSTS; i++) {
    CHECK(jobs[i].done && (i % 2 == 0 || jobs[i].woken > 0));
    neap_close(&jobs[i].host);
  }
}

// Threads that fight over one host: who comes second is refused.
static void *fight(void *ud) {
  neap *h = ud;
  for (int i = 0; i < 300; i++) {
    neap_task task;
    if (neap_spawn(h, "return 1", 8, "=fight", &task) == NEAP_OK) neap_status(h, task), neap_release(h, task);
    neap_step(h, 10);
    neap_timeout(h);
    neap_cancel(h, 1);
  }
  neap_stop(h);
  return NULL;
}

static void test_one_for_all(void) {
  pthread_t threads[HOSTS];
  neap_options options = {.size = sizeof options, .slice_us = 1000};
  neap *h;
  CHECK(neap_open(&h, &options) == NEAP_OK);
  for (int i = 0; i < HOSTS; i++) CHECK(pthread_create(&threads[i], NULL, fight, h) == 0);
  for (int i = 0; i < HOSTS; i++) pthread_join(threads[i], NULL);
  while (neap_step(h, 1000) > 0) continue;
  neap_close(&h);
  CHECK(h == NULL);
}

int main(void) {
  char command[128];
  snprintf(dir, sizeof dir, "/tmp/neap_threads_%d", (int)getpid());
  snprintf(command, sizeof command, "mkdir -p %s", dir);
  CHECK(system(command) == 0);
  test_side_by_side();
  test_one_for_all();
  snprintf(command, sizeof command, "rm -r %s", dir);
  CHECK(system(command) == 0);
  return report();
}
