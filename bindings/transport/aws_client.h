// aws_client.h: what the files of the AWS client share.
#ifndef NEAP_AWS_CLIENT_H
#define NEAP_AWS_CLIENT_H

#include "transport/aws.h"
#include "transport/aws_sign.h"
#include "transport/backoff.h"

// Where the keys come from, and the keys. They stay where they are: the signer refers to them.
struct aws_credentials {
  enum aws_source { AWS_NOWHERE, AWS_GIVEN, AWS_CONTAINER, AWS_INSTANCE } source;
  char access_key[129], secret_key[129], session_token[8193];  // token: "" = none
  int64_t expires;  // microseconds since 1970, INT64_MAX = never, 0 = there are none yet
  // Of endpoints.
  char url[1024];
  char file[1024], secret[2049];  // what a container tells them, out of a file or as it is; that of an instance
  char role[257];
  struct http_call http;
  int step;
  int number;          // how often there were other keys
  int64_t not_before;  // loop time in ms at which they may be asked again; they have failed, and the keys hold
  struct neap__timer timer;
  struct neap__error error;
};

// One a store.
struct aws_client {
  neap *host;
  struct http_client *http;
  char region[64], origin[256];
  char ca[1024];  // a file of certificates, "" = the usual ones
  bool public;    // the origin is Amazon's own
  const char *service;
  double timeout, connect;
  int attempts;
  int64_t skew;  // seconds that the server's clock is ahead of ours
  struct aws_credentials credentials;
  struct aws_signer signer;
  struct backoff_budget budget;
  struct aws_call *calls;
};

// ---- Calls (aws.c) ----

// The server's time, in microseconds since 1970.
int64_t neap__aws_now(const struct aws_client *c);
// Goes on with the calls that wait for keys: they are there, or `e` says why not.
void neap__aws_resume(struct aws_client *c, const struct neap__error *e);

// ---- Shared files (aws_profile.c) ----

enum aws_setting {
  AWS_ACCESS_KEY,
  AWS_SECRET_KEY,
  AWS_TOKEN,
  AWS_REGION,
  AWS_ROLE,
  AWS_PROCESS,
  AWS_SSO_SESSION,
  AWS_SSO_URL,
  AWS_WEB_IDENTITY,
  AWS_SETTINGS
};

struct aws_profile {
  const char *name;
  bool found;
  const char *settings[AWS_SETTINGS];  // NULL = not there; they live until it is freed
  char *texts[2];
};

// Reads what the file says of the profile; what was read before counts more. `settings`: it is that of settings, with "profile"
// in front of names, else that of keys. A file that is not there says nothing. Returns 0, or -1 with `e` filled.
int neap__aws_profile_read(struct aws_profile *p, const char *path, bool settings, struct neap__error *e);
void neap__aws_profile_free(struct aws_profile *p);

// ---- What options, environment and files say (aws_settings.c) ----

// Finds the region, the endpoint and where the keys come from. Returns 0, or -1 with `e` filled.
int neap__aws_settings_find(struct aws_client *c, const struct aws_options *o, struct neap__error *e);

// ---- Keys of endpoints (aws_endpoint.c) ----

// True if there are keys that hold. If not, or not for long, they are asked for, and neap__aws_resume comes later.
bool neap__aws_have_keys(struct aws_client *c);
// The keys of that number are refused. True if there may be others.
bool neap__aws_renew_keys(struct aws_client *c, int number);
void neap__aws_stop_keys(struct aws_client *c);

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
// Whether the body is what the server has sent: by its checksum, or where there is none by being a whole one.
bool neap__aws_intact(const struct http_reply *reply);
// The server's time when it replied, in microseconds since 1970. False: it does not say.
bool neap__aws_date(const struct http_reply *reply, int64_t *us);
// Copies the text of a member of a JSON object, decoded. False: it is not there, or too long.
bool neap__aws_member(const char *body, size_t n, const char *name, char *out, size_t size);
// "PutItem"
const char *neap__aws_operation(const struct aws_call *call);

#endif
