// http_client.h: what the files of the HTTP client share: a host's client with its connections, and a request on its way.
#ifndef NEAP_HTTP_CLIENT_H
#define NEAP_HTTP_CLIENT_H

#include <uv.h>

#include "transport/http.h"
#include "transport/http_curl.h"
#include "value/buffer.h"

// One a host, anchored in the registry of its Lua state. It lives until the state does, but is empty once the host has closed.
struct http_client {
  neap *host;
  CURLM *multi;
  uv_timer_t *timer;  // the one that libcurl asks for
  struct http_transfer *transfers;
  struct neap__closer closer;
};

// A request. User value 1: what the body belongs to.
struct http_transfer {
  struct neap__op op;
  struct http_client *client;  // NULL: it is not under way
  CURL *easy;
  struct curl_slist *headers;
  struct neap__buffer head, body;
  size_t held;  // as the host knows it
  size_t max_size;
  const char *unsent;  // what is left of a body that is sent at most once
  size_t nunsent;
  double connect;
  bool safe;  // the method changes nothing
  bool too_large, short_of_memory, closed;
  CURLcode result;
  char place[320];
  char said[CURL_ERROR_SIZE];
  struct http_transfer *next, **prev;
};

// ---- http_client.c ----

// The client of the host, made when it is first asked for. Raises.
struct http_client *neap__http_client(lua_State *L);
// Puts the transfer, the handle of which is ready, on its way. False: memory is short.
bool neap__http_begin(struct http_client *c, struct http_transfer *t);
// Takes it off, and wakes who waits for it.
void neap__http_end(struct http_transfer *t, CURLcode result);

// ---- http_error.c ----

// What became of a transfer that has ended badly.
void neap__http_fault(const struct http_transfer *t, struct neap__error *e);

#endif
