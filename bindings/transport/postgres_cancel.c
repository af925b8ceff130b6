// postgres_cancel.c: asking PostgreSQL to end what runs. libpq does that in place, over a connection of its own: on a thread.
#include <pthread.h>
#include <stdlib.h>

#include "transport/postgres.h"

// Shared by the loop and the thread; whoever is last frees it.
struct postgres_cancel {
  pthread_mutex_t mutex;
  struct postgres *c;  // the loop's side; NULL: nobody waits any more
  PGcancel *request;
  uv_async_t *async;  // NULL once the loop's side is gone
  bool ended;         // the thread's side is
};

static void cancel_free(struct postgres_cancel *k) {
  PQfreeCancel(k->request);
  pthread_mutex_destroy(&k->mutex);
  free(k);
}

static void *run(void *ud) {
  struct postgres_cancel *k = ud;
  char said[256];
  PQcancel(k->request, said, sizeof said);  // if it fails, the statement runs to its end
  pthread_mutex_lock(&k->mutex);
  k->ended = true;
  bool last = !k->async;
  if (k->async) uv_async_send(k->async);
  pthread_mutex_unlock(&k->mutex);
  if (last) cancel_free(k);
  return NULL;
}

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

static void leave(struct postgres_cancel *k) {
  pthread_mutex_lock(&k->mutex);
  uv_close((uv_handle_t *)k->async, free_handle);
  k->async = NULL;
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

void neap__postgres_cancel_forget(struct postgres *c) {
  if (c->cancel) leave(c->cancel);
  c->cancel = NULL;
}
