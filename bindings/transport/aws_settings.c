// aws_settings.c: what options, the environment and shared files say: the region, the endpoint, and the keys or who gives some: the
// endpoint of a container, that of an instance. All of it is read when a client opens, and small.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transport/aws_client.h"

#define CONTAINER "http://169.254.170.2"
#define INSTANCE "http://169.254.169.254"

// What the search is about.
struct search {
  struct aws_client *client;
  const struct aws_options *options;
  bool files;
  struct aws_profile profile;
};

static const char *variable(const struct search *s, const char *name) {
  const char *value =
      s->options->granted || !(neap__options(s->client->host)->flags & NEAP_NO_OS) ? getenv(name) : NULL;
  return value && *value ? value : NULL;
}

// NULL is an empty text.
static int copy(char *to, size_t size, const char *from, const char *what, struct neap__error *e) {
  size_t n = from ? strlen(from) : 0;
  if (n >= size) return neap__error_set(e, NEAP_USAGE, "the %s is too long to be one", what);
  memcpy(to, n > 0 ? from : "", n + 1);
  return 0;
}

static int take(struct aws_client *c, const char *access, const char *secret, const char *token,
                struct neap__error *e) {
  struct aws_credentials *k = &c->credentials;
  if (copy(k->access_key, sizeof k->access_key, access, "access key", e) != 0) return -1;
  if (copy(k->secret_key, sizeof k->secret_key, secret, "secret key", e) != 0) return -1;
  if (copy(k->session_token, sizeof k->session_token, token, "session token", e) != 0) return -1;
  k->source = AWS_GIVEN;
  k->expires = INT64_MAX;
  return 0;
}

// ---- Shared files ----

static const char *file_of(const struct search *s, const char *named, const char *usual, char *path, size_t size) {
  const char *file = variable(s, named), *home = variable(s, "HOME");
  if (file) return file;
  if (!home) return NULL;
  snprintf(path, size, "%s/.aws/%s", home, usual);
  return path;
}

// Not where all is known without them.
static bool needs_profile(const struct search *s) {
  const struct aws_options *o = s->options;
  bool keys = o->access_key || (variable(s, "AWS_ACCESS_KEY_ID") && variable(s, "AWS_SECRET_ACCESS_KEY"));
  return o->profile || !keys || !(o->region || variable(s, "AWS_REGION") || variable(s, "AWS_DEFAULT_REGION"));
}

static int read_profile(struct search *s, struct neap__error *e) {
  char path[4096];
  const char *given = s->options->profile;
  if (!given) given = variable(s, "AWS_PROFILE");
  s->profile.name = given ? given : "default";
  if (!needs_profile(s)) return 0;
  const char *keys = s->files ? file_of(s, "AWS_SHARED_CREDENTIALS_FILE", "credentials", path, sizeof path) : NULL;
  if (keys && neap__aws_profile_read(&s->profile, keys, false, e) != 0) return -1;
  const char *settings = s->files ? file_of(s, "AWS_CONFIG_FILE", "config", path, sizeof path) : NULL;
  if (settings && neap__aws_profile_read(&s->profile, settings, true, e) != 0) return -1;
  if (!given || s->profile.found) return 0;
  return neap__error_set(e, NEAP_USAGE, "there is no profile %s in ~/.aws/credentials and ~/.aws/config%s",
                         neap__show_text(given, strlen(given)).text, s->files ? "" : ", which cannot be read here");
}

// Roles are assumed, and others asked, by Amazon's own command, which can write the keys down.
static int refuse(const char *does, const char *profile, struct neap__error *e) {
  return neap__error_set(e, NEAP_UNSUPPORTED,
                         "%s, which neap does not do; eval \"$(aws configure export-credentials --profile %s --format "
                         "env)\" puts keys into the environment",
                         does, neap__show_name(profile, strlen(profile)).text);
}

static int from_profile(struct search *s, struct neap__error *e) {
  const struct aws_profile *p = &s->profile;
  const char *const *set = p->settings;
  if (set[AWS_ROLE] || set[AWS_WEB_IDENTITY]) return refuse("the profile assumes a role", p->name, e);
  if (set[AWS_ACCESS_KEY] && set[AWS_SECRET_KEY])
    return take(s->client, set[AWS_ACCESS_KEY], set[AWS_SECRET_KEY], set[AWS_TOKEN], e);
  if (set[AWS_SSO_SESSION] || set[AWS_SSO_URL]) return refuse("the profile signs in by a page", p->name, e);
  if (set[AWS_PROCESS]) return refuse("the profile has keys from a program", p->name, e);
  return 0;
}

// ---- Endpoints ----

// Keys are asked over TLS, or of this machine and of the addresses that containers have for it.
static int check_container(const char *url, struct neap__error *e) {
  static const char *const hosts[] = {"127.0.0.1",     "localhost",      "[::1]",
                                      "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
  char origin[256];
  if (!neap__http_origin(url, origin, sizeof origin, e)) return -1;
  if (strncmp(origin, "https:", 6) == 0) return 0;
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    size_t n = strlen(hosts[i]);
    if (strncmp(origin + 7, hosts[i], n) == 0 && (!origin[7 + n] || origin[7 + n] == ':')) return 0;
  }
  return neap__error_set(e, NEAP_USAGE, "AWS_CONTAINER_CREDENTIALS_FULL_URI is of another machine, without TLS: %s",
                         origin);
}

static int from_container(struct search *s, struct neap__error *e) {
  struct aws_credentials *k = &s->client->credentials;
  const char *relative = variable(s, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const char *full = variable(s, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (!relative && !full) return 0;
  int n = snprintf(k->url, sizeof k->url, "%s%s", relative ? CONTAINER : "", relative ? relative : full);
  if (n >= (int)sizeof k->url) return neap__error_set(e, NEAP_USAGE, "the URL of the container's keys is too long");
  if (!relative && check_container(k->url, e) != 0) return -1;
  if (copy(k->file, sizeof k->file, variable(s, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), "file's name", e)) return -1;
  if (copy(k->secret, sizeof k->secret, variable(s, "AWS_CONTAINER_AUTHORIZATION_TOKEN"), "token", e) != 0) return -1;
  k->source = AWS_CONTAINER;
  return 0;
}

static int from_instance(struct search *s, struct neap__error *e) {
  struct aws_credentials *k = &s->client->credentials;
  const char *disabled = variable(s, "AWS_EC2_METADATA_DISABLED");
  const char *url = variable(s, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (disabled && strcasecmp(disabled, "true") == 0) return 0;
  if (!neap__http_origin(url ? url : INSTANCE, k->url, sizeof k->url, e)) return -1;
  k->source = AWS_INSTANCE;
  return 0;
}

// ---- All of them ----

// It becomes part of the name of a host.
static bool is_region(const char *name) {
  for (const char *p = name; *p; p++)
    if (!((*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') || *p == '-' || *p == '_')) return false;
  return *name;
}

static int find_region(struct search *s, struct neap__error *e) {
  const char *region = s->options->region;
  if (!region) region = variable(s, "AWS_REGION");
  if (!region) region = variable(s, "AWS_DEFAULT_REGION");
  if (!region) region = s->profile.settings[AWS_REGION];
  if (!region)
    return neap__error_set(e, NEAP_USAGE,
                           "no region is given: %s://REGION, AWS_REGION or the profile in ~/.aws/config names one",
                           s->client->service);
  if (!is_region(region))
    return neap__error_set(e, NEAP_USAGE, "%s is no region", neap__show_text(region, strlen(region)).text);
  return copy(s->client->region, sizeof s->client->region, region, "region", e);
}

// AWS_ENDPOINT_URL_DYNAMODB, or that of all services.
static const char *endpoint_variable(const struct search *s) {
  char name[64];
  snprintf(name, sizeof name, "AWS_ENDPOINT_URL_%s", s->client->service);
  for (char *p = name; *p; p++) *p = (char)toupper((unsigned char)*p);
  const char *url = variable(s, name);
  return url ? url : variable(s, "AWS_ENDPOINT_URL");
}

static int find_endpoint(struct search *s, struct neap__error *e) {
  struct aws_client *c = s->client;
  const char *endpoint = s->options->endpoint ? s->options->endpoint : endpoint_variable(s);
  bool china = strncmp(c->region, "cn-", 3) == 0;
  c->public = !endpoint;
  if (c->public) {
    snprintf(c->origin, sizeof c->origin, "https://%s.%s.amazonaws.com%s", c->service, c->region, china ? ".cn" : "");
    return 0;
  }
  if (!neap__http_origin(endpoint, c->origin, sizeof c->origin, e)) return -1;
  const char *host = strstr(endpoint, "://"), *path = host ? host + 3 + strcspn(host + 3, "/?#") : "";
  if (path[0] && path[1])
    return neap__error_set(e, NEAP_USAGE, "the endpoint is http://HOST:PORT or https://HOST:PORT, without a path");
  return 0;
}

static int from_environment(struct search *s, struct neap__error *e) {
  const char *access = variable(s, "AWS_ACCESS_KEY_ID"), *secret = variable(s, "AWS_SECRET_ACCESS_KEY");
  if (!access || !secret || s->options->profile) return 0;
  return take(s->client, access, secret, variable(s, "AWS_SESSION_TOKEN"), e);
}

static int find_keys(struct search *s, struct neap__error *e) {
  static int (*const sources[])(struct search *, struct neap__error *) = {from_environment, from_profile,
                                                                          from_container, from_instance};
  const struct aws_options *o = s->options;
  struct aws_credentials *k = &s->client->credentials;
  if (!o->access_key != !o->secret_key)
    return neap__error_set(e, NEAP_USAGE, "access_key and secret_key are given together");
  if (o->access_key) return take(s->client, o->access_key, o->secret_key, o->session_token, e);
  bool alone = !o->granted && (neap__options(s->client->host)->flags & NEAP_NO_OS);
  for (size_t i = 0; !alone && i < sizeof sources / sizeof *sources && k->source == AWS_NOWHERE; i++)
    if (sources[i](s, e) != 0) return -1;
  if (k->source != AWS_NOWHERE) return 0;
  if (!alone && variable(s, "AWS_WEB_IDENTITY_TOKEN_FILE"))
    return refuse("the environment assumes a role", "default", e);
  return neap__error_set(e, NEAP_AUTH, "no keys are given: the options access_key and secret_key are them%s",
                         alone ? "" : ", AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile");
}

int neap__aws_settings_find(struct aws_client *c, const struct aws_options *o, struct neap__error *e) {
  struct search s = {.client = c, .options = o};
  s.files = o->granted || !(neap__options(c->host)->flags & (NEAP_NO_FS | NEAP_NO_OS));
  int status = read_profile(&s, e);
  if (status == 0) status = find_region(&s, e);
  if (status == 0) status = find_endpoint(&s, e);
  if (status == 0) status = find_keys(&s, e);
  if (status == 0) status = copy(c->ca, sizeof c->ca, variable(&s, "AWS_CA_BUNDLE"), "file's name", e);
  neap__aws_profile_free(&s.profile);
  return status;
}
