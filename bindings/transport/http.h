// http.h: requests over HTTP as operations. Bytes in and out; who starts one says what they mean.
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
  const char *body;  // NULL = none; lives as long as the operation
  size_t nbody;
  const char *ca;           // a file with certificates that are trusted instead of the system's, NULL = those
  double timeout, connect;  // seconds for all of it, and to connect; 0 = any
  size_t max_size;          // bytes of a body, unpacked
};

// What lives as long as the operation, or until neap__http_drop.
struct http_reply {
  int status;
  const char *head, *body;  // head: the lines "Name: value", each ended by CR LF
  size_t nhead, nbody;
  const char *redirect;  // where it leads, NULL = nowhere; nothing is followed here
  const char *place;     // "GET http://host/path", for messages: without passwords and without the query
};

// Starts a request and pushes its operation, which has one user value for what the body belongs to. Raises `usage` for what
// could not be sent as it is meant, before anything is; `forbidden` where the host has no network.
struct neap__op *neap__http_start(lua_State *L, const struct http_request *request);
// What came, once the operation is done. Returns 0, or -1 with `e` filled.
int neap__http_reply(struct neap__op *op, struct http_reply *reply, struct neap__error *e);
// Frees all that it holds, sooner than the collector does.
void neap__http_drop(struct neap__op *op);
// Writes "scheme://host:port" of a URL. False with `e` filled if it is none of HTTP.
bool neap__http_origin(const char *url, char *origin, size_t size, struct neap__error *e);

#endif
