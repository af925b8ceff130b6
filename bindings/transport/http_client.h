// http_client.h: what the files of the HTTP client share: a host's client with its connections, and a request on its way.
#ifndef NEAP_HTTP_CLIENT_H
#define NEAP_HTTP_CLIENT_H

#include <uv.h>

#include "transport/http.h"
#include "transport/http_curl.h"
#include "value/buffer.h"

struct http_transfers {
  struct http_transfer *first, **last;
};

// Two a host, anchored in the registry of its Lua state: requests of the second may share connections, over HTTP/2. They live
// until the state does, but are empty once the host has closed.
//
// Where a server speaks HTTP/2 over one connection and HTTP/1.1 over another, libcurl 7.88 lets requests share the latter too, and
// gives each the reply to another. So what must be HTTP/1.1 has a client of its own, and what shares a connection is looked after.
struct http_client {
  neap *host;
  CURLM *multi;
  uv_timer_t *timer;  // the one that libcurl asks for
  uv_timer_t *late;   // at late_at: for what takes too long, and for what has ended where it could not be told
  int64_t late_at;
  bool news;                            // of some transfer
  struct http_transfers going, ended;   // ended: nobody has been told
  bool closing;                         // the second closes first
  struct http_client *plain, *sharing;  // the two
  uint64_t without[256];                // hashes of the places that have answered in HTTP/1.1
  struct neap__closer closer;
};

// A request on its way, and what came.
struct http_transfer {
  struct http_call *call;
  struct http_client *client;
  CURL *easy;
  struct curl_slist *headers;
  struct neap__buffer head, body;
  size_t held;  // as the host knows it
  size_t max_size, received;
  const char *whole, *unsent;  // of the body, and what is left of it
  size_t nwhole, nunsent;
  double connect, timeout, first_byte;
  long min_speed, min_speed_time;
  int64_t deadline;  // loop time in ms, INT64_MAX = none
  int64_t sent_at;   // when something was last sent, 0 = nothing yet
  int64_t left;      // of the length of a body in pieces, < 0 = it has none
  uint64_t where;    // hash of host and port
  struct {
    char there[46];
    int port, our_port;
  } connection;
  bool plain;              // the reply is HTTP/1.1
  bool shares, misplaced;  // its connection with others; with one whose reply is: it waits to go elsewhere
  bool crossed;            // with one, and nobody knows whose reply it has
  bool answered, head_done;
  bool streams, feeds;  // the reply, and what is left of the request, come in pieces
  bool paced;           // either did
  bool full, hungry;    // and stand still: until some is taken, and until there is more
  bool news;            // who sent it has not heard of
  bool safe, once;      // the method changes nothing; must not be sent again
  bool too_large, short_of_memory, closed;
  enum { NOT_LATE, ALL_LATE, ANSWER_LATE } late;
  CURLcode result;
  char place[320];
  char said[CURL_ERROR_SIZE];
  struct http_transfers *list;  // where it is, NULL = in none
  struct http_transfer *next, **prev;
};

// ---- http_client.c ----

// Puts the transfer, the handle of which is ready, on its way. False: memory is short.
bool neap__http_begin(struct http_transfer *t);
// Looks at its deadlines again: one is new.
void neap__http_watch(struct http_transfer *t);
// Whether requests to where it goes may share connections, as far as anybody knows.
bool neap__http_may_share(const struct http_client *c, uint64_t where);
// Ends it; who sent it is told by the loop.
void neap__http_end(struct http_transfer *t, CURLcode result);
// Takes it off where it is under way; nobody is told.
void neap__http_stop(struct http_transfer *t);

// ---- http_body.c ----

CURLcode neap__http_set_body(struct http_transfer *t, const struct http_request *r);
void neap__http_set_reply(struct http_transfer *t, const struct http_request *r);

// ---- http_error.c ----

// What became of a transfer that has ended badly.
void neap__http_fault(const struct http_transfer *t, struct neap__error *e);

#endif
