// postgres_cancel.c: asking PostgreSQL to end what runs. libpq does that in place, over a connection of its own: on a thread.
// One that comes before the statement does is lost, so it asks again until the statement has ended.
#include <pthread.h>
#include <stdlib.h>

#include "transport/postgres.h"

// Shared by the loop and the thread; whoever is last frees it.
struct postgres_cancel {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  struct postgres *c;  // the loop's side; NULL: nobody waits any more
  PGcancel *request;
  uv_async_t *async;  // NULL once the loop's side is gone
  bool over;          // what was to be ended has
  bool ended;         // the thread's side is gone
};

static void cancel_free(struct postgres_cancel *k) {
  PQfreeCancel(k->request);
  pthread_cond_destroy(&k->changed);
  pthread_mutex_destroy(&k->mutex);
  free(k);
}

// Until it is over, or a while has passed. The mutex is held.
static void wait(struct postgres_cancel *k, long ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += ms / 1000;
  until.tv_nsec += ms % 1000 * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    until.tv_sec++;
  }
  while (!k->over && pthread_cond_timedwait(&k->changed, &k->mutex, &until) == 0) continue;
}

static void *run(void *ud) {
  struct postgres_cancel *k = ud;
  char said[256];
  pthread_mutex_lock(&k->mutex);
  for (long ms = 10; !k->over; ms = ms < 1000 ? ms * 2 : ms) {
    pthread_mutex_unlock(&k->mutex);
    PQcancel(k->request, said, sizeof said);
    pthread_mutex_lock(&k->mutex);
    wait(k, ms);
  }
  k->ended = true;
  bool last = !k->async;
  if (k->async) uv_async_send(k->async);
  pthread_mutex_unlock(&k->mutex);
  if (last) cancel_free(k);
  return NULL;
}

static void leave(struct postgres_cancel *k) {
  pthread_mutex_lock(&k->mutex);
  neap__handle_free(k->async);
  k->async = NULL;
  k->over = true;
  pthread_cond_signal(&k->changed);
  bool last = k->ended;
  pthread_mutex_unlock(&k->mutex);
  if (last) cancel_free(k);
}

static void on_ended(uv_async_t *async) {
  struct postgres_cancel *k = async->data;
  struct postgres *c = k->c;
  pthread_mutex_lock(&k->mutex);
  bool ended = k->ended;
  pthread_mutex_unlock(&k->mutex);
  if (!ended || uv_is_closing((uv_handle_t *)async)) return;
  c->cancel = NULL;
  leave(k);
  neap__postgres_pump(c);
}

static bool start(struct postgres_cancel *k) {
  pthread_attr_t detached;
  pthread_t thread;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  int status = pthread_create(&thread, &detached, run, k);
  pthread_attr_destroy(&detached);
  return status == 0;
}

void neap__postgres_cancel(struct postgres *c) {
  struct postgres_cancel *k = c->cancel || !c->pq ? NULL : calloc(1, sizeof *k);
  if (!k) return;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&k->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  pthread_mutex_init(&k->mutex, NULL);
  k->c = c;
  k->request = PQgetCancel(c->pq);
  k->async = k->request ? calloc(1, sizeof *k->async) : NULL;
  if (!k->async || uv_async_init(neap__loop(c->head.host), k->async, on_ended) != 0) {
    free(k->async);
    cancel_free(k);
    return;
  }
  k->async->data = k;
  c->cancel = k;
  if (start(k)) return;
  c->cancel = NULL;
  k->ended = true;
  leave(k);
}

void neap__postgres_cancel_over(struct postgres *c) {
  struct postgres_cancel *k = c->cancel;
  if (!k) return;
  pthread_mutex_lock(&k->mutex);
  k->over = true;
  pthread_cond_signal(&k->changed);
  pthread_mutex_unlock(&k->mutex);
}

void neap__postgres_cancel_forget(struct postgres *c) {
  if (c->cancel) leave(c->cancel);
  c->cancel = NULL;
}
