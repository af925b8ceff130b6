// aws_credentials.c: where the keys come from: options, the environment.
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "transport/aws_client.h"

static const char *variable(const struct aws_client *c, const char *name) {
  const char *value = neap__options(c->host)->flags & NEAP_NO_OS ? NULL : getenv(name);
  return value && *value ? value : NULL;
}

static int copy(char *to, size_t size, const char *from, const char *what, struct neap__error *e) {
  size_t n = strlen(from);
  if (n >= size) return neap__error_set(e, NEAP_USAGE, "the %s is too long to be one", what);
  memcpy(to, from, n + 1);
  return 0;
}

static int take(struct aws_client *c, const char *access, const char *secret, const char *token,
                struct neap__error *e) {
  struct aws_credentials *k = &c->credentials;
  if (copy(k->access_key, sizeof k->access_key, access, "access key", e) != 0) return -1;
  if (copy(k->secret_key, sizeof k->secret_key, secret, "secret key", e) != 0) return -1;
  k->session_token = token ? strdup(token) : NULL;
  if (token && !k->session_token) return neap__error_set(e, NEAP_LIMIT, "memory is short");
  k->source = AWS_GIVEN;
  k->expires = INT64_MAX;
  return 0;
}

static int find_region(struct aws_client *c, const char *given, struct neap__error *e) {
  const char *region = given;
  if (!region) region = variable(c, "AWS_REGION");
  if (!region) region = variable(c, "AWS_DEFAULT_REGION");
  if (!region)
    return neap__error_set(e, NEAP_USAGE, "no region is given: %s://REGION, or AWS_REGION in the environment",
                           c->service);
  return copy(c->region, sizeof c->region, region, "region", e);
}

int neap__aws_credentials_find(struct aws_client *c, const struct aws_options *o, struct neap__error *e) {
  if (find_region(c, o->region, e) != 0) return -1;
  if (!o->access_key != !o->secret_key)
    return neap__error_set(e, NEAP_USAGE, "access_key and secret_key are given together");
  if (o->access_key) return take(c, o->access_key, o->secret_key, o->session_token, e);
  const char *access = variable(c, "AWS_ACCESS_KEY_ID"), *secret = variable(c, "AWS_SECRET_ACCESS_KEY");
  if (access && secret) return take(c, access, secret, variable(c, "AWS_SESSION_TOKEN"), e);
  return neap__error_set(e, NEAP_AUTH,
                         "no credentials: access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
}

void neap__aws_credentials_free(struct aws_client *c) {
  struct aws_credentials *k = &c->credentials;
  if (k->session_token) sodium_memzero(k->session_token, strlen(k->session_token));
  free(k->session_token);
  sodium_memzero(k, sizeof *k);
}
