// http_client.c: libcurl's transfers on the loop: a handle for each socket that libcurl looks at, one timer, and what has ended.
//
// Its callbacks run inside its own functions, which they must not call: they note what is wanted. A socket's handle goes before
// libcurl closes the socket, for the next one may have the same number at once.
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

static void unlink_transfer(struct http_transfer *t) {
  struct http_client *c = t->client;
  *t->prev = t->next;
  if (t->next) t->next->prev = t->prev;
  t->client = NULL;
  if (!c->transfers) uv_unref((uv_handle_t *)c->timer);
}

void neap__http_end(struct http_transfer *t, CURLcode result) {
  if (!t->client) return;
  curl_multi_remove_handle(t->client->multi, t->easy);
  t->result = result;
  unlink_transfer(t);
  neap__op_done(&t->op);
}

static struct http_transfer *transfer_of(CURL *easy) {
  char *t = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
  return (struct http_transfer *)(void *)t;
}

// After whatever may have moved transfers on.
static void drain(struct http_client *c) {
  const CURLMsg *m;
  int left;
  while ((m = curl_multi_info_read(c->multi, &left)) != NULL)
    if (m->msg == CURLMSG_DONE) neap__http_end(transfer_of(m->easy_handle), m->data.result);
  for (struct http_transfer *t = c->transfers, *next; t; t = next) {
    next = t->next;
    if (t->short_of_memory) neap__http_end(t, CURLE_OUT_OF_MEMORY);
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
  act(w->client, w->socket, status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT : flags);
  if (status < 0 && !uv_is_closing((uv_handle_t *)poll)) uv_poll_start(poll, w->events, on_socket);
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

// ---- The timer ----

static void on_timer(uv_timer_t *timer) {
  struct http_client *c = timer->data;
  if (neap__step_over(c->host))
    uv_timer_start(timer, on_timer, 1, 0);
  else
    act(c, CURL_SOCKET_TIMEOUT, 0);
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

// ---- The client ----

static void on_host_close(struct neap__closer *closer) {
  struct http_client *c = (struct http_client *)((char *)closer - offsetof(struct http_client, closer));
  while (c->transfers) {
    c->transfers->closed = true;
    neap__http_end(c->transfers, CURLE_ABORTED_BY_CALLBACK);
  }
  curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, NULL);
  curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, NULL);
  curl_multi_cleanup(c->multi);
  neap__handle_free(c->timer);
  c->multi = NULL;
}

static bool open_client(struct http_client *c) {
  c->timer = calloc(1, sizeof *c->timer);
  c->multi = c->timer ? curl_multi_init() : NULL;
  if (!c->multi) {
    free(c->timer);
    return false;
  }
  uv_timer_init(neap__loop(c->host), c->timer);
  uv_unref((uv_handle_t *)c->timer);
  c->timer->data = c;
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

static void push_new_client(lua_State *L) {
  struct http_client *c = memset(lua_newuserdatauv(L, sizeof *c, 0), 0, sizeof *c);
  c->host = neap__host(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &client_key);
  if (open_client(c)) return;
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &client_key);
  neap__fail(L, NEAP_LIMIT, "memory is short");
}

struct http_client *neap__http_client(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &client_key) == LUA_TNIL) {
    lua_pop(L, 1);
    push_new_client(L);
  }
  struct http_client *c = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (!c->multi) neap__fail(L, NEAP_USAGE, "the host has been closed");
  return c;
}

bool neap__http_begin(struct http_client *c, struct http_transfer *t) {
  if (!c->transfers) uv_ref((uv_handle_t *)c->timer);
  t->client = c;
  t->next = c->transfers;
  t->prev = &c->transfers;
  if (t->next) t->next->prev = &t->next;
  c->transfers = t;
  if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) {
    unlink_transfer(t);
    return false;
  }
  act(c, CURL_SOCKET_TIMEOUT, 0);  // at once: many that begin together would all be one pass of the loop
  return true;
}
