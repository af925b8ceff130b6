// http.h: calls over HTTP. Bytes in and out; who sends them says what they mean. None of it needs a Lua state but to begin with.
#ifndef NEAP_HTTP_H
#define NEAP_HTTP_H

#include "host.h"

struct http_header {
  const char *name, *value;
};

// All of it is copied but the body.
struct http_request {
  const char *method;  // upper case
  const char *url;
  const struct http_header *headers;
  size_t nheaders;
  const char *body;  // NULL = none; lives as long as the call
  size_t nbody;
  const char *ca;  // a file with certificates that are trusted instead of the system's, NULL = those
  // Seconds, 0 = any: for all of it; to connect; from what was sent last to the first of the answer.
  double timeout, connect, first_byte;
  long min_speed, min_speed_time;  // no fewer bytes a second, either way, over so many seconds; 0 = any
  size_t max_size;                 // bytes of a body, unpacked
  bool http2;                      // where the server has it, over TLS
  bool direct;                     // never by way of a proxy
  // In pieces; both want `news`, and the timeout for all of it is one from piece to piece then.
  bool streams;    // the reply
  bool feeds;      // the body
  int64_t length;  // of a body in pieces, < 0 = nobody knows yet
};

// What lives until neap__http_cancel.
struct http_reply {
  int status;
  const char *head, *body;  // head: the lines "Name: value", each ended by CR LF
  size_t nhead, nbody;
  const char *redirect;  // where it leads, NULL = nowhere; nothing is followed here
  const char *place;     // "GET http://host/path", for messages: without passwords and without the query
};

// A call: part of what its owner keeps in place, zeroed but for `done` and `news`.
struct http_call {
  // Called once when it has ended, by the loop, never from within neap__http_send. It may cancel the call, and send others.
  void (*done)(struct http_call *);
  // In pieces: called likewise, before `done`, when the head is whole, a piece has come, or another is wanted.
  void (*news)(struct http_call *);
  struct http_transfer *transfer;  // private
};

// The client of the host, made when it is first asked for; it is there as long as the Lua state. Whether there may be any network
// is the caller's to know. When the host closes, calls end as cancelled.
struct http_client *neap__http_client(lua_State *L);
// Sends a request. Returns 0, or -1 with `e` filled: `usage` for what could not be sent as it is meant. Nothing was sent then,
// and done does not come.
int neap__http_send(struct http_client *c, struct http_call *call, const struct http_request *r, struct neap__error *e);
// What came, once the call is done. Returns 0, or -1 with `e` filled.
int neap__http_result(const struct http_call *call, struct http_reply *reply, struct neap__error *e);
// In pieces: whether the head of the reply is whole, which is filled in then; one that leads elsewhere is once all of it is.
bool neap__http_head(const struct http_call *call, struct http_reply *reply);
// What has come of the body, NULL = nothing now; and that it was taken, so that more may come. No more than some 80 kB wait.
const char *neap__http_piece(const struct http_call *call, size_t *n);
void neap__http_taken(struct http_call *call);
// Whether another piece of the request's body is wanted, and giving it: it lives until yet another is wanted; NULL ends the body.
// Returns 0, or -1 with `e` filled where it is longer or shorter than was said.
bool neap__http_hungry(const struct http_call *call);
int neap__http_feed(struct http_call *call, const char *p, size_t n, struct neap__error *e);
// Ends a call wherever it is, and frees what it holds; done does not come any more. Harmless where there is none.
void neap__http_cancel(struct http_call *call);
// Writes "scheme://host:port" of a URL. False with `e` filled if it is none of HTTP.
bool neap__http_origin(const char *url, char *origin, size_t size, struct neap__error *e);

#endif
