// http_signature.h: signs requests as AWS wants it: version 4, with HMAC-SHA256.
#ifndef NEAP_HTTP_SIGNATURE_H
#define NEAP_HTTP_SIGNATURE_H

#include "transport/http.h"
#include "value/buffer.h"

#define HTTP_DATE_SIZE 17  // "20150830T123600Z"

// Where a request goes, as its URL has it.
struct http_target {
  const char *host;   // with the port where it is not the usual one
  const char *path;   // from its slash on
  const char *query;  // without its question mark, NULL = none
};

// Appends the value of the header Authorization. It vouches for the method, the target, all headers of the request, the host,
// the date and the body. Returns 0, or -1 when memory is short.
int neap__http_sign(struct neap__buffer *out, const struct http_request *r, const struct http_target *target,
                    const char *date);

#endif
