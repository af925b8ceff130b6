// loop.c: the libuv loop of a host, its timers, and the call that wakes it from elsewhere.
#include <stdlib.h>
#include <uv.h>

#include "state.h"

struct neap__loop {
  uv_loop_t own;
  uv_timer_t timer;  // armed for the earliest of `timers`
  uv_async_t async;
  struct neap__timer *timers;
  bool own_loop, fired;  // fired: a timer was due in this pass
  bool polling;          // the loop is run, by us
};

// ---- The heap of timers ----

static struct neap__timer *meld(struct neap__timer *a, struct neap__timer *b) {
  if (!a) return b;
  if (!b) return a;
  if (b->at < a->at) {
    struct neap__timer *t = a;
    a = b;
    b = t;
  }
  b->prev = a;
  b->next = a->child;
  if (b->next) b->next->prev = b;
  a->child = b;
  return a;
}

// Melds a list of siblings in pairs, then the pairs from right to left.
static struct neap__timer *meld_all(struct neap__timer *list) {
  struct neap__timer *pairs = NULL, *root = NULL;
  while (list) {
    struct neap__timer *a = list, *b = a->next;
    list = b ? b->next : NULL;
    a->next = a->prev = NULL;
    if (b) b->next = b->prev = NULL;
    a = meld(a, b);
    a->next = pairs;
    pairs = a;
  }
  while (pairs) {
    struct neap__timer *next = pairs->next;
    pairs->next = NULL;
    root = meld(root, pairs);
    pairs = next;
  }
  return root;
}

static void on_timer(uv_timer_t *handle);

static void arm(struct neap__loop *e) {
  if (!e->timers) {
    uv_timer_stop(&e->timer);
    return;
  }
  int64_t wait = e->timers->at - (int64_t)uv_now(e->timer.loop);
  uv_timer_start(&e->timer, on_timer, wait > 0 ? (uint64_t)wait : 0, 0);
}

void neap__timer_start(neap *h, struct neap__timer *t, int64_t at, void (*fire)(struct neap__timer *)) {
  struct neap__loop *e = h->events;
  neap__timer_stop(h, t);
  *t = (struct neap__timer){.at = at, .fire = fire, .active = true};
  e->timers = meld(e->timers, t);
  if (e->timers == t) arm(e);
}

void neap__timer_stop(neap *h, struct neap__timer *t) {
  struct neap__loop *e = h->events;
  if (!t->active) return;
  t->active = false;
  if (t == e->timers) {
    e->timers = meld_all(t->child);
    arm(e);
    return;
  }
  if (t->prev->child == t)
    t->prev->child = t->next;
  else
    t->prev->next = t->next;
  if (t->next) t->next->prev = t->prev;
  e->timers = meld(e->timers, meld_all(t->child));
}

static void on_timer(uv_timer_t *handle) {
  neap *h = handle->data;
  struct neap__timer *t;
  while ((t = h->events->timers) != NULL && t->at <= neap__now_ms(h)) {
    neap__timer_stop(h, t);
    t->fire(t);
    h->events->fired = true;
  }
  arm(h->events);
}

// ---- The loop ----

static void on_wake(uv_async_t *handle) {
  (void)handle;  // it has made the loop return; that is all it is for
}

int neap__loop_open(neap *h) {
  struct neap__loop *e = calloc(1, sizeof *e);
  if (!e) return NEAP_ENOMEM;
  e->own_loop = h->options.loop == NULL;
  if (e->own_loop && uv_loop_init(&e->own) != 0) {
    free(e);
    return NEAP_ENOMEM;
  }
  h->loop = e->own_loop ? &e->own : h->options.loop;
  h->events = e;
  uv_timer_init(h->loop, &e->timer);
  e->timer.data = h;
  if (uv_async_init(h->loop, &e->async, on_wake) != 0) {
    uv_close((uv_handle_t *)&e->timer, NULL);
    uv_run(h->loop, UV_RUN_NOWAIT);
    if (e->own_loop) uv_loop_close(&e->own);
    free(e);
    h->events = NULL;
    return NEAP_ENOMEM;
  }
  uv_unref((uv_handle_t *)&e->async);
  return NEAP_OK;
}

void neap__loop_close(neap *h) {
  struct neap__loop *e = h->events;
  if (!e) return;
  uv_close((uv_handle_t *)&e->timer, NULL);
  uv_close((uv_handle_t *)&e->async, NULL);
  if (e->own_loop) {
    uv_run(&e->own, UV_RUN_DEFAULT);
    uv_loop_close(&e->own);
  } else {
    uv_run(h->loop, UV_RUN_NOWAIT);  // our two handles are closed in this pass
  }
  free(e);
  h->events = NULL;
}

bool neap__loop_poll(neap *h, bool block) {
  struct neap__loop *e = h->events;
  uv_update_time(h->loop);
  e->fired = false;
  e->polling = true;
  uv_run(h->loop, block ? UV_RUN_ONCE : UV_RUN_NOWAIT);
  e->polling = false;
  return e->fired || h->ready || h->later || uv_loop_alive(h->loop);
}

void neap__loop_ready(neap *h) {
  if (h->events && h->events->polling) uv_stop(h->loop);
}

void neap__loop_clear(neap *h) {
  while (h->events && h->events->timers) neap__timer_stop(h, h->events->timers);
}

static _Thread_local bool waking;

bool neap__waking(void) {
  return waking;
}

void neap__wake(neap *h) {
  if (h->options.wake) {
    waking = true;
    h->options.wake(h->options.ud);
    waking = false;
  }
  neap__loop_wake(h);
}

void neap__loop_wake(neap *h) {
  uv_async_send(&h->events->async);
}

struct uv_loop_s *neap__loop(neap *h) {
  return h->loop;
}

static void on_closed(uv_handle_t *handle) {
  free(handle);
}

void neap__handle_free(void *handle) {
  uv_close(handle, on_closed);
}

int64_t neap__deadline_in(neap *h, double seconds) {
  return neap__now_ms(h) + (seconds < 1e12 ? (int64_t)(seconds * 1000 + 0.999) : INT64_MAX / 2);
}

int64_t neap__now_ms(neap *h) {
  uv_update_time(h->loop);
  return (int64_t)uv_now(h->loop);
}

int neap_fd(neap *h) {
  if (!neap__enter(h)) return NEAP_EARG;
  return neap__left(h, uv_backend_fd(h->loop));
}

int neap_timeout(neap *h) {
  if (!neap__enter(h)) return NEAP_EARG;
  uv_update_time(h->loop);
  int ms = h->ready || h->later ? 0 : uv_loop_alive(h->loop) ? uv_backend_timeout(h->loop) : -1;
  int sweep = neap__failure_due_ms(h);
  return neap__left(h, sweep >= 0 && (ms < 0 || sweep < ms) ? sweep : ms);
}
