// postgres_quiet.c: connections on which nothing happens. Those that nobody uses are closed after a while; a server that owes an
// answer for longer than a statement may take is given up.
#include <stdlib.h>

#include "transport/postgres.h"

// They change nothing about whether the loop has something to wait for.
static uv_timer_t *timer_of(struct postgres *c, uv_timer_t **timer) {
  if (!*timer && (*timer = calloc(1, sizeof **timer))) {
    uv_timer_init(neap__loop(c->head.host), *timer);
    uv_unref((uv_handle_t *)*timer);
    (*timer)->data = c;
  }
  return *timer;
}

static void stop(uv_timer_t **timer) {
  if (!*timer) return;
  (*timer)->data = NULL;
  neap__handle_free(*timer);
  *timer = NULL;
}

void neap__postgres_stop_timers(struct postgres *c) {
  stop(&c->idle);
  stop(&c->overdue);
}

// ---- Nobody uses it ----

// Use and rest change often, the timer seldom: it looks when it is due.
static void on_idle(uv_timer_t *timer) {
  struct postgres *c = timer->data;
  struct neap__error e;
  if (!c || !c->idle_from) return;
  uint64_t rested = uv_now(timer->loop) - c->idle_from;
  if (c->nexpected > 0 || c->unsent || rested < c->idle_ms) {
    uv_timer_start(timer, on_idle, rested < c->idle_ms ? c->idle_ms - rested : c->idle_ms, 0);
    return;
  }
  neap__error_set(&e, NEAP_CONNECTION, "the connection was closed because nobody used it");
  neap__postgres_lost(c, &e);
  PQfinish(c->pq);
  c->pq = NULL;
}

void neap__postgres_rest(struct sql_connection *connection, double seconds) {
  struct postgres *c = (struct postgres *)connection;
  c->idle_from = seconds > 0 ? uv_now(neap__loop(c->head.host)) : 0;
  if (seconds <= 0 || c->state == POSTGRES_LOST || !timer_of(c, &c->idle)) return;
  c->idle_ms = (uint64_t)(seconds * 1000);
  if (!uv_is_active((uv_handle_t *)c->idle)) uv_timer_start(c->idle, on_idle, c->idle_ms, 0);
}

// ---- The server says nothing ----

#define LAST_LOOK_MS 100  // an answer may be here that a script, which computes, has kept the loop from seeing

// How long the server may be silent: its own limit, and some time for the network.
static double patience(const struct postgres *c) {
  double limit = c->head.limit, grace = limit < 1 ? 1 : limit > 5 ? 5 : limit;
  return limit + grace;
}

static void on_overdue(uv_timer_t *timer) {
  struct postgres *c = timer->data;
  struct neap__error e;
  if (!c || c->state != POSTGRES_READY || c->nexpected == 0 || c->head.limit <= 0) return;
  if (neap__postgres_paused(c)) c->heard_at = uv_now(timer->loop);
  uint64_t quiet = uv_now(timer->loop) - c->heard_at, most = (uint64_t)(patience(c) * 1000);
  if (quiet < most || !c->warned) {
    c->warned = quiet >= most;
    uv_timer_start(timer, on_overdue, c->warned ? LAST_LOOK_MS : most - quiet, 0);
    return;
  }
  neap__error_set(&e, NEAP_TIMEOUT, "the server has not answered within %.14g s; its connection is given up",
                  patience(c));
  e.store = "postgres";
  neap__postgres_lost(c, &e);
}

void neap__postgres_await_answer(struct postgres *c, bool first) {
  if (c->head.limit <= 0 || !timer_of(c, &c->overdue)) return;
  if (first) c->heard_at = uv_now(neap__loop(c->head.host));
  if (!uv_is_active((uv_handle_t *)c->overdue))
    uv_timer_start(c->overdue, on_overdue, (uint64_t)(patience(c) * 1000), 0);
}
