// http_client.c: libcurl's transfers on the loop: a handle for each socket that libcurl looks at, its timer, one for what is
// late, and what has ended.
//
// Its callbacks run inside its own functions, which they must not call: they note what is wanted. A socket's handle goes before
// libcurl closes the socket, for the next one may have the same number at once. Who sent a call is told of its end when no
// function of libcurl's and none of his own is at work any more.
#include <stdlib.h>

#include "transport/http_client.h"

#define CONNECTIONS 64  // at a time; further requests wait for one
#define PER_HOST 16

static const char client_key = 0;

struct watch {
  uv_poll_t poll;
  struct http_client *client;
  curl_socket_t socket;
  int events;
};

// ---- What has ended ----

static void enlist(struct http_transfers *list, struct http_transfer *t) {
  t->next = NULL;
  t->prev = list->last ? list->last : &list->first;
  *t->prev = t;
  list->last = &t->next;
  t->list = list;
}

static void leave(struct http_transfer *t) {
  *t->prev = t->next;
  if (t->next) t->next->prev = t->prev;
  if (t->list->last == &t->next) t->list->last = t->prev;
  t->list = NULL;
}

// The loop goes on while there is anything.
static void mind(struct http_client *c) {
  bool any = c->going.first || c->ended.first;
  (any ? uv_ref : uv_unref)((uv_handle_t *)c->timer);
  (any ? uv_ref : uv_unref)((uv_handle_t *)c->late);
}

static bool is_going(const struct http_transfer *t) {
  return t->list && t->list == &t->client->going;
}

static void stop(struct http_transfer *t, CURLcode result) {
  curl_multi_remove_handle(t->client->multi, t->easy);
  t->result = result;
  leave(t);
}

static void end(struct http_transfer *t, CURLcode result) {
  if (!is_going(t)) return;
  stop(t, result);
  enlist(&t->client->ended, t);
}

void neap__http_stop(struct http_transfer *t) {
  struct http_client *c = t->client;
  if (is_going(t))
    stop(t, CURLE_ABORTED_BY_CALLBACK);
  else if (t->list)
    leave(t);
  if (c && c->multi) mind(c);
}

static struct http_transfer *next_with_news(struct http_client *c) {
  for (struct http_transfer *t = c->going.first; t && c->news; t = t->next)
    if (t->news) return t;
  c->news = false;
  return NULL;
}

static void tell_news(struct http_client *c) {
  for (struct http_transfer *t; (t = next_with_news(c)) != NULL;) {
    t->news = false;
    t->call->news(t->call);
  }
}

// Those that ended before this: what is sent and ends meanwhile waits for the loop, else it might never have its turn.
static void tell(struct http_client *c) {
  struct http_transfers told = {0};
  tell_news(c);
  while (c->ended.first) {
    struct http_transfer *t = c->ended.first;
    leave(t);
    enlist(&told, t);
  }
  while (told.first) {
    struct http_call *call = told.first->call;
    leave(told.first);
    call->done(call);
  }
  if (c->multi) mind(c);
}

static struct http_transfer *transfer_of(CURL *easy) {
  char *t = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
  return (struct http_transfer *)(void *)t;
}

// Nothing of it has been sent, or it may be sent twice: it goes over a connection of its own.
static void place_again(struct http_transfer *t) {
  struct http_client *c = t->client->plain;
  curl_multi_remove_handle(t->client->multi, t->easy);
  leave(t);
  t->client = c;
  t->misplaced = t->shares = t->crossed = t->plain = t->answered = false;
  t->head.n = t->body.n = t->received = 0;
  t->unsent = t->whole;
  t->nunsent = t->nwhole;
  enlist(&c->going, t);
  curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(t->easy, CURLOPT_PIPEWAIT, 0L);
  mind(c);
  neap__http_watch(t);
  if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) neap__http_end(t, CURLE_OUT_OF_MEMORY);
}

static void end_or_place_again(struct http_transfer *t, CURLcode result) {
  if (t->misplaced || (t->crossed && !t->once))
    place_again(t);
  else
    end(t, result);
}

bool neap__http_may_share(const struct http_client *c, uint64_t where) {
  return c->without[where % (sizeof c->without / sizeof *c->without)] != where;
}

// After whatever may have moved transfers on.
static void drain(struct http_client *c) {
  const CURLMsg *m;
  int left;
  while ((m = curl_multi_info_read(c->multi, &left)) != NULL)
    if (m->msg == CURLMSG_DONE) end_or_place_again(transfer_of(m->easy_handle), m->data.result);
  for (struct http_transfer *t = c->going.first, *next; t; t = next) {
    next = t->next;
    if (t->short_of_memory) end(t, CURLE_OUT_OF_MEMORY);
  }
}

// ---- Sockets ----

static void act(struct http_client *c, curl_socket_t socket, int events) {
  int running;
  curl_multi_socket_action(c->multi, socket, events, &running);
  drain(c);
}

static void on_socket(uv_poll_t *poll, int status, int events) {
  struct watch *w = (struct watch *)poll;
  if (status >= 0 && neap__step_over(w->client->host)) return;  // it will be told again
  int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
  // What has come before a failure is read nevertheless; libuv has stopped the handle then.
  struct http_client *c = w->client;
  act(c, w->socket, status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT : flags);
  if (status < 0 && !uv_is_closing((uv_handle_t *)poll)) uv_poll_start(poll, w->events, on_socket);
  tell(c);
}

static struct watch *watch_new(struct http_client *c, curl_socket_t socket) {
  struct watch *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  if (uv_poll_init_socket(neap__loop(c->host), &w->poll, socket) != 0) {
    free(w);
    return NULL;
  }
  w->client = c;
  w->socket = socket;
  curl_multi_assign(c->multi, socket, w);
  return w;
}

// To fail here would be the end of every transfer: the one that is concerned ends when libcurl has returned.
static int on_interest(CURL *easy, curl_socket_t socket, int what, void *ud, void *assigned) {
  struct http_client *c = ud;
  struct watch *w = assigned;
  if (what == CURL_POLL_REMOVE) {
    if (!w) return 0;
    curl_multi_assign(c->multi, socket, NULL);
    uv_poll_stop(&w->poll);
    neap__handle_free(&w->poll);
    return 0;
  }
  if (!w) w = watch_new(c, socket);
  if (!w) {
    struct http_transfer *t = transfer_of(easy);
    if (t) t->short_of_memory = true;
    return 0;
  }
  w->events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  uv_poll_start(&w->poll, w->events, on_socket);
  return 0;
}

// ---- Timers ----

static void on_timer(uv_timer_t *timer) {
  struct http_client *c = timer->data;
  if (neap__step_over(c->host)) {
    uv_timer_start(timer, on_timer, 1, 0);
    return;
  }
  act(c, CURL_SOCKET_TIMEOUT, 0);
  tell(c);
}

// Also 0 waits for the loop: libcurl is still at work.
static int on_timeout(CURLM *multi, long ms, void *ud) {
  struct http_client *c = ud;
  (void)multi;
  if (ms < 0) {
    uv_timer_stop(c->timer);
    return 0;
  }
  uv_update_time(neap__loop(c->host));
  uv_timer_start(c->timer, on_timer, (uint64_t)ms, 0);
  return 0;
}

// No answer is due before all of the request is there.
static int64_t answer_due(const struct http_transfer *t) {
  if (t->first_byte <= 0 || !t->sent_at || t->answered || t->feeds) return INT64_MAX;
  return t->sent_at + (int64_t)(t->first_byte * 1000);
}

static int64_t due(const struct http_transfer *t) {
  int64_t answer = answer_due(t);
  return answer < t->deadline ? answer : t->deadline;
}

static void on_late(uv_timer_t *timer);

// Only ever sets the timer to an earlier time: most have ended before theirs, and then it was set once for all of them.
static void watch_over(struct http_client *c, int64_t at) {
  if (at == INT64_MAX || (uv_is_active((uv_handle_t *)c->late) && c->late_at <= at)) return;
  int64_t now = neap__now_ms(c->host);
  c->late_at = at;
  uv_timer_start(c->late, on_late, at > now ? (uint64_t)(at - now) : 0, 0);
}

void neap__http_watch(struct http_transfer *t) {
  watch_over(t->client, due(t));
}

static void on_late(uv_timer_t *timer) {
  struct http_client *c = timer->data;
  int64_t now = neap__now_ms(c->host), first = INT64_MAX;
  for (struct http_transfer *t = c->going.first, *next; t; t = next) {
    next = t->next;
    if (due(t) <= now) {
      t->late = t->deadline <= now ? ALL_LATE : ANSWER_LATE;
      end(t, CURLE_OPERATION_TIMEDOUT);
    } else if (due(t) < first) {
      first = due(t);
    }
  }
  tell(c);
  if (c->multi) watch_over(c, first);
}

// ---- The client ----

static void on_host_close(struct neap__closer *closer) {
  struct http_client *c = (struct http_client *)((char *)closer - offsetof(struct http_client, closer));
  c->closing = true;
  while (c->going.first) {
    c->going.first->closed = true;
    end(c->going.first, CURLE_ABORTED_BY_CALLBACK);
  }
  tell(c);
  curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, NULL);
  curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, NULL);
  curl_multi_cleanup(c->multi);
  neap__handle_free(c->timer);
  neap__handle_free(c->late);
  c->multi = NULL;
}

static uv_timer_t *timer_new(struct http_client *c) {
  uv_timer_t *timer = calloc(1, sizeof *timer);
  if (!timer) return NULL;
  uv_timer_init(neap__loop(c->host), timer);
  uv_unref((uv_handle_t *)timer);
  timer->data = c;
  return timer;
}

static bool open_client(struct http_client *c) {
  c->timer = timer_new(c);
  c->late = timer_new(c);
  c->multi = c->timer && c->late ? curl_multi_init() : NULL;
  if (!c->multi) {
    if (c->timer) neap__handle_free(c->timer);
    if (c->late) neap__handle_free(c->late);
    return false;
  }
  curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_interest);
  curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
  curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
  curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
  curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS);
  curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)PER_HOST);
  curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
  c->closer.close = on_host_close;
  neap__closer_add(c->host, &c->closer);
  return true;
}

static bool open_clients(struct http_client c[2]) {
  for (int i = 0; i < 2; i++) {
    c[i].host = c->host;
    c[i].plain = &c[0];
    c[i].sharing = &c[1];
  }
  if (!open_client(&c[0])) return false;
  curl_multi_setopt(c[0].multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  if (open_client(&c[1])) return true;
  neap__closer_remove(&c[0].closer);
  on_host_close(&c[0].closer);
  return false;
}

static void push_new_client(lua_State *L) {
  struct http_client *c = memset(lua_newuserdatauv(L, 2 * sizeof *c, 0), 0, 2 * sizeof *c);
  c->host = neap__host(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &client_key);
  if (open_clients(c)) return;
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &client_key);
  neap__fail(L, NEAP_LIMIT, "memory is short");
}

struct http_client *neap__http_client(lua_State *L) {
  struct neap__error e;
  if (neap__curl_load(&e) != 0) neap__raise(L, &e);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &client_key) == LUA_TNIL) {
    lua_pop(L, 1);
    push_new_client(L);
  }
  struct http_client *c = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (!c->multi) neap__fail(L, NEAP_USAGE, "the host has been closed");
  return c;
}

void neap__http_end(struct http_transfer *t, CURLcode result) {
  end(t, result);
  watch_over(t->client, 0);
}

bool neap__http_begin(struct http_transfer *t) {
  struct http_client *c = t->client;
  if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) return false;
  enlist(&c->going, t);
  mind(c);
  neap__http_watch(t);
  act(c, CURL_SOCKET_TIMEOUT, 0);  // at once: many that begin together would all be one pass of the loop
  if (c->ended.first || c->news) watch_over(c, 0);
  return true;
}
