// aws_client.h: what the files of the AWS client share.
#ifndef NEAP_AWS_CLIENT_H
#define NEAP_AWS_CLIENT_H

#include "transport/aws.h"
#include "transport/aws_sign.h"
#include "transport/backoff.h"

#define AWS_KEY_MAX 128      // bytes of an access key and of a secret key
#define AWS_TOKEN_MAX 16384  // of a session token

// Where the keys come from, and the keys.
struct aws_credentials {
  enum aws_source { AWS_NOWHERE, AWS_GIVEN, AWS_CONTAINER, AWS_INSTANCE } source;
  char access_key[AWS_KEY_MAX + 1], secret_key[AWS_KEY_MAX + 1];
  char *session_token;  // NULL = none
  int64_t expires;      // microseconds since 1970, INT64_MAX = never, 0 = there are none yet
};

// One a store.
struct aws_client {
  neap *host;
  struct http_client *http;
  char region[64], origin[256];
  bool public;  // the origin is Amazon's own
  bool closed;  // the host is
  const char *service;
  double timeout, connect;
  int attempts;
  int64_t skew;  // seconds that the server's clock is ahead of ours
  struct aws_credentials credentials;
  struct aws_signer signer;
  struct backoff_budget budget;
  struct aws_call *calls;
  struct neap__closer closer;
};

// ---- Calls (aws.c) ----

// The server's time, in microseconds since 1970.
int64_t neap__aws_now(const struct aws_client *c);

// ---- Credentials (aws_credentials.c) ----

// Sets the region and where the keys come from. Returns 0, or -1 with `e` filled.
int neap__aws_credentials_find(struct aws_client *c, const struct aws_options *o, struct neap__error *e);
void neap__aws_credentials_free(struct aws_client *c);

// ---- Failures (aws_error.c) ----

// What is to be done about one.
enum aws_remedy {
  AWS_END,     // it would fail again
  AWS_AGAIN,   // nothing was done: later
  AWS_SLOWER,  // the same, and too much is asked of the server
  AWS_UNSURE,  // it may have been done
  AWS_RENEW,   // with new credentials
  AWS_CLOCK    // with the server's time
};

// What a reply that is not 2xx means.
enum aws_remedy neap__aws_refusal(const struct aws_call *call, const struct http_reply *reply, struct neap__error *e);
// What it means that none came: `e` is what neap__http_result has filled.
enum aws_remedy neap__aws_loss(const struct aws_call *call, struct neap__error *e);
// Whether the body is what the server has sent, by its checksum.
bool neap__aws_intact(const struct http_reply *reply);
// The server's time when it replied, in microseconds since 1970. False: it does not say.
bool neap__aws_date(const struct http_reply *reply, int64_t *us);
// "PutItem"
const char *neap__aws_operation(const struct aws_call *call);

#endif
