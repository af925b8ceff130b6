// aws.h: signed calls of a service of AWS that speaks JSON, tried again where that is right. No Lua after opening: a source of
// rows sends its next page without it.
#ifndef NEAP_AWS_H
#define NEAP_AWS_H

#include "transport/http.h"

struct aws_client;

// Texts are copied but the service's name; NULL is what the environment and the shared files say, in the end the public endpoint.
struct aws_options {
  const char *service;  // "dynamodb": in signatures, in the public endpoint and as the store of errors; lives for ever
  const char *region;
  const char *endpoint;  // "http://127.0.0.1:8000"
  const char *access_key, *secret_key, *session_token, *profile;
  double timeout, connect;  // seconds: for a call with all its attempts, and to connect; 0 = 30 and 5
  int attempts;             // of a call at most, 0 = 10
  bool granted;             // by the host: its environment and files count, also where its scripts have none
};

// Reads the environment and the shared files as far as the host has them; nothing is sent yet. NULL with `e` filled: usage, auth,
// unsupported, limit. Raises what neap__http_client does.
struct aws_client *neap__aws_open(lua_State *L, const struct aws_options *options, struct neap__error *e);
// Ends the calls under way, as cancelled: their `done` comes meanwhile. Before the host has closed, and not from within a
// `done`. NULL is harmless.
void neap__aws_close(struct aws_client *c);
const char *neap__aws_region(const struct aws_client *c);
double neap__aws_timeout(const struct aws_client *c);        // seconds for a call with all its attempts
const char *neap__aws_endpoint(const struct aws_client *c);  // "https://dynamodb.us-east-1.amazonaws.com"

// A call, which lives in what its owner holds. Zeroed, then filled.
struct aws_call {
  const char *target;  // "DynamoDB_20120810.PutItem"; lives for ever
  const char *prefix;  // of the public endpoint's host, "streams."; NULL = none. Lives for ever
  const char *body;    // JSON; lives until `done` or the drop
  size_t nbody;
  double timeout;   // seconds with all attempts; 0 = the client's
  bool reads;       // changes nothing: tried again whatever happened, and its fate is never unknown
  bool repeatable;  // harmless if it happens twice: tried again also where nobody knows whether it arrived
  // Once, from the loop and never from within neap__aws_send. It may drop this call, and send others.
  void (*done)(struct aws_call *call);

  // Once done: the reply, of a failure too where one came, until the drop.
  int status;
  const char *reply;
  size_t nreply;
  bool failed;
  // code: "ConditionalCheckFailedException". unknown: an attempt may have arrived of which nothing was heard, whatever was
  // heard of a later one.
  struct neap__error error;

  // Private.
  struct aws_client *client;  // NULL: it is not under way
  struct http_call http;
  struct neap__timer timer;
  int64_t deadline;
  int state, attempts, taken;  // taken: of the budget
  int keys;                    // the number of those that it was signed with
  int64_t skew;                // of the clock that it was signed by
  bool unsure;                 // of an attempt nothing was heard
  bool renewed, synchronized;  // once a call
  struct aws_call *next, **prev;
};

// All failure comes through `done`.
void neap__aws_send(struct aws_client *c, struct aws_call *call);
// Ends the call without `done`, and frees all that it holds, the reply too. Harmless when it has ended, and twice.
void neap__aws_drop(struct aws_call *call);

#endif
