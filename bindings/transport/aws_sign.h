// aws_sign.h: AWS Signature Version 4. By ourselves, because libcurl's depends on its version: that of Debian 12 sends a date of
// ours twice, signs the names of headers that are not sent, and takes a body that may not be sent twice for an empty one.
#ifndef NEAP_AWS_SIGN_H
#define NEAP_AWS_SIGN_H

#include "transport/http.h"

// Who signs, and for what. The texts are the caller's; who changes one empties `day`.
struct aws_signer {
  const char *access_key, *secret_key, *region, *service;
  char day[9];            // "20150830": the key was derived for it, "" = for none yet
  unsigned char key[32];  // wiped by who is done with it
};

// A request as it is sent: the path and the query encoded as AWS wants them, the headers that are signed with names in lower
// case, in their order, and values without blanks around them.
struct aws_request {
  const char *method, *path, *query;
  const struct http_header *headers;
  size_t nheaders;
  const char *body;
  size_t nbody;
  const char *time;  // "20150830T123600Z", as the header x-amz-date has it
};

// Writes the value of the header Authorization. False: it has no room.
bool neap__aws_sign(struct aws_signer *s, const struct aws_request *r, char *out, size_t size);

#endif
