// postgres_connect.c: how a connection to PostgreSQL is made on the loop. libpq would resolve names in place, so that is done
// first, and each address that a name has becomes a host of its own; libpq then tries one after the other.
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "transport/postgres.h"

#define MAX_HOSTS 16
#define MAX_OPTIONS 64
#define ALWAYS "-c DateStyle=ISO -c TimeZone=UTC"  // so that text reads the same everywhere

// The names that are being resolved. Lives until the last answer is in, even if the connection goes away meanwhile.
struct postgres_lookup {
  struct postgres *c;  // NULL: nobody waits any more
  int n, pending;
  struct lookup_host {
    char *host, *port;
    uv_getaddrinfo_t request;
    int status;
    bool asked;
    struct addrinfo *addresses;
  } hosts[MAX_HOSTS];
};

static void lookup_free(struct postgres_lookup *l) {
  for (int i = 0; i < l->n; i++) {
    free(l->hosts[i].host);
    free(l->hosts[i].port);
    if (l->hosts[i].addresses) uv_freeaddrinfo(l->hosts[i].addresses);
  }
  free(l);
}

// ---- What to connect to ----

// The options of the URL, and in their absence those of the environment. NULL with c->fault filled. What libpq says of a URL may
// show the password in it, but not what it says of a parameter.
static PQconninfoOption *read_options(struct postgres *c) {
  char *said = NULL;
  PQconninfoOption *given = PQconninfoParse(c->url, &said), *defaults = given ? PQconndefaults() : NULL;
  if (!given) {
    bool parameter = said && strstr(said, "URI query parameter");
    neap__error_set(&c->fault, NEAP_USAGE,
                    "the URL of the store cannot be read%s%.*s; it is postgres://USER:PASSWORD@HOST:PORT/DATABASE",
                    parameter ? ": " : "", parameter ? (int)strcspn(said, "\n") : 0, said ? said : "");
    c->fault.store = "postgres";
  }
  PQfreemem(said);
  for (PQconninfoOption *o = given, *d = defaults; o && d && o->keyword && d->keyword; o++, d++)
    if (!o->val && d->val) o->val = strdup(d->val);
  PQconninfoFree(defaults);
  return given;
}

static const char *option(const PQconninfoOption *options, const char *keyword) {
  for (; options->keyword; options++)
    if (strcmp(options->keyword, keyword) == 0) return options->val && *options->val ? options->val : NULL;
  return NULL;
}

// Element i of a list with commas, the only one of a list of one. NULL: memory is short.
static char *element(const char *list, int i) {
  if (!list) return strdup("");
  if (!strchr(list, ',')) i = 0;
  for (; i > 0 && strchr(list, ','); i--) list = strchr(list, ',') + 1;
  return strndup(list, strcspn(list, ","));
}

static bool is_name(const char *host) {
  struct in6_addr six;
  struct in_addr four;
  return *host && *host != '/' && *host != '@' && inet_pton(AF_INET, host, &four) != 1 &&
         inet_pton(AF_INET6, host, &six) != 1;
}

// ---- Connecting ----

static void on_socket(uv_poll_t *poll, int status, int events) {
  struct postgres *c = poll->data;
  if (c && status != 0) c->watched = 0;  // libuv has stopped it: what has come before the failure is read nevertheless
  if (c && c->state == POSTGRES_READY)
    neap__postgres_ready(c, status == 0 ? events : UV_READABLE);
  else if (c)
    neap__postgres_connecting(c);
}

void neap__postgres_stop_poll(struct postgres *c) {
  if (!c->poll) return;
  c->poll->data = NULL;
  uv_poll_stop(c->poll);
  neap__handle_free(c->poll);
  c->poll = NULL;
}

static bool start_poll(struct postgres *c, int events) {
  uv_poll_t *poll = calloc(1, sizeof *poll);
  if (!poll) return false;
  if (uv_poll_init(neap__loop(c->head.host), poll, PQsocket(c->pq)) != 0) {
    free(poll);
    return false;
  }
  c->poll = poll;
  c->watched = events;
  poll->data = c;
  return uv_poll_start(poll, events, on_socket) == 0;
}

static void fail(struct postgres *c) {
  struct neap__error e;
  neap__postgres_fault(c, &e);
  neap__postgres_lost(c, &e);
}

static void connected(struct postgres *c) {
  neap__postgres_stop_poll(c);
  neap__postgres_connect_end(c);
  PQsetErrorVerbosity(c->pq, PQERRORS_DEFAULT);
  if (PQsetnonblocking(c->pq, 1) != 0 || !PQenterPipelineMode(c->pq) || !start_poll(c, UV_READABLE)) {
    fail(c);
    return;
  }
  c->state = POSTGRES_READY;
  c->head.made = true;
  neap__postgres_pump(c);
}

// The socket may be another one after each step, so each has a handle of its own.
void neap__postgres_connecting(struct postgres *c) {
  neap__postgres_stop_poll(c);
  switch (PQconnectPoll(c->pq)) {
    case PGRES_POLLING_OK: connected(c); return;
    case PGRES_POLLING_READING:
      if (start_poll(c, UV_READABLE)) return;
      break;
    case PGRES_POLLING_WRITING:
      if (start_poll(c, UV_WRITABLE)) return;
      break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE: break;
  }
  fail(c);
}

static void ignore_notice(void *ud, const PGresult *r) {
  (void)ud;
  (void)r;
}

static bool append(char *list, size_t size, const char *text, bool first) {
  size_t n = strlen(list);
  return (size_t)snprintf(list + n, size - n, "%s%s", first ? "" : ",", text) < size - n;
}

// The hosts with each address as one of its own. False: there is none, or too much of it.
static bool expand(const struct postgres_lookup *l, char *hosts, char *addresses, char *ports, size_t size) {
  char address[INET6_ADDRSTRLEN];
  bool first = true, ok = true;
  *hosts = *addresses = *ports = 0;
  for (int i = 0; i < l->n; i++) {
    const struct lookup_host *h = &l->hosts[i];
    const struct addrinfo *a = h->addresses;
    do {
      *address = 0;
      if (a && a->ai_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)a->ai_addr)->sin_addr, address, sizeof address);
      if (a && a->ai_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_addr, address, sizeof address);
      if (!h->asked || *address) {
        ok = ok && append(hosts, size, h->host, first) && append(addresses, size, address, first) &&
             append(ports, size, h->port, first);
        first = false;
      }
      a = a ? a->ai_next : NULL;
    } while (a);
  }
  return ok && !first;
}

static void begin(struct postgres *c, const PQconninfoOption *options, const struct postgres_lookup *l) {
  enum { SIZE = 2048 };
  const char *keywords[MAX_OPTIONS + 2], *values[MAX_OPTIONS + 2];
  char hosts[SIZE], addresses[SIZE], ports[SIZE], settings[SIZE];
  int n = 0;
  bool expanded = l->n > 0 && expand(l, hosts, addresses, ports, SIZE);
  snprintf(settings, SIZE, "%s %s", option(options, "options") ? option(options, "options") : "", ALWAYS);
  for (; options->keyword && n < MAX_OPTIONS; options++) {
    const char *value = options->val, *k = options->keyword;
    if (expanded && strcmp(k, "host") == 0) value = hosts;
    if (expanded && strcmp(k, "hostaddr") == 0) value = addresses;
    if (expanded && strcmp(k, "port") == 0) value = ports;
    if (strcmp(k, "options") == 0) value = settings;
    if (!value && strcmp(k, "keepalives_idle") == 0) value = "60";  // by themselves most systems take hours to notice
    if (!value && strcmp(k, "keepalives_interval") == 0) value = "10";
    if (!value && strcmp(k, "keepalives_count") == 0) value = "3";
    if (!value && strcmp(k, "tcp_user_timeout") == 0) value = "90000";
    if (strcmp(k, "client_encoding") == 0) value = "UTF8";
    if (strcmp(k, "fallback_application_name") == 0) value = "neap";
    if (!value) continue;
    keywords[n] = k;
    values[n++] = value;
  }
  keywords[n] = values[n] = NULL;
  c->pq = PQconnectStartParams(keywords, values, 0);
  if (!c->pq || PQstatus(c->pq) == CONNECTION_BAD) {
    fail(c);
    return;
  }
  PQsetErrorVerbosity(c->pq, PQERRORS_VERBOSE);  // messages tell the SQLSTATE
  PQsetNoticeReceiver(c->pq, ignore_notice, NULL);
  c->state = POSTGRES_CONNECTING;
  if (!start_poll(c, UV_WRITABLE)) fail(c);
}

// ---- Names ----

static void unresolved(struct postgres *c, const struct postgres_lookup *l) {
  const struct lookup_host *h = &l->hosts[0];
  for (int i = 0; i < l->n; i++)
    if (l->hosts[i].status != 0) h = &l->hosts[i];
  struct neap__error e;
  neap__error_set(&e, NEAP_CONNECTION, "no host %s is known: %s", neap__show_text(h->host, strlen(h->host)).text,
                  uv_strerror(h->status));
  snprintf(e.code, sizeof e.code, "%s", uv_err_name(h->status));
  e.store = "postgres";
  neap__postgres_lost(c, &e);
}

static void resolved(struct postgres_lookup *l) {
  struct postgres *c = l->c;
  bool any = l->n == 0;  // no name at all: libpq knows where a server is
  if (c) c->lookup = NULL;
  for (int i = 0; i < l->n; i++) any |= !l->hosts[i].asked || l->hosts[i].addresses;
  PQconninfoOption *options = c && any ? read_options(c) : NULL;
  if (options)
    begin(c, options, l);
  else if (c && any)
    neap__postgres_lost(c, &c->fault);
  else if (c)
    unresolved(c, l);
  PQconninfoFree(options);
  lookup_free(l);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses) {
  struct postgres_lookup *l = request->data;
  struct lookup_host *h = (struct lookup_host *)(void *)((char *)request - offsetof(struct lookup_host, request));
  h->status = status;
  h->addresses = status == 0 ? addresses : NULL;
  if (--l->pending == 0) resolved(l);
}

static void ask(struct postgres_lookup *l, struct lookup_host *h) {
  const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  h->request.data = l;
  h->asked = true;
  h->status = uv_getaddrinfo(neap__loop(l->c->head.host), &h->request, on_resolved, h->host, NULL, &hints);
  if (h->status == 0) l->pending++;
}

static bool list_hosts(struct postgres_lookup *l, const char *hosts, const char *ports) {
  int n = 1;
  for (const char *p = hosts; *p; p++) n += *p == ',';
  for (l->n = 0; l->n < n && l->n < MAX_HOSTS; l->n++) {
    struct lookup_host *h = &l->hosts[l->n];
    h->host = element(hosts, l->n);
    h->port = element(ports, l->n);
    if (!h->host || !h->port) return false;
  }
  return true;
}

static void on_late(uv_timer_t *timer) {
  struct postgres *c = timer->data;
  struct neap__error e;
  if (!c) return;
  neap__error_set(&e, NEAP_TIMEOUT, "no connection to PostgreSQL within %.14g s; see connect_timeout",
                  c->connect_timeout);
  e.store = "postgres";
  neap__postgres_lost(c, &e);
}

static bool start_timer(struct postgres *c) {
  if (!(c->timer = calloc(1, sizeof *c->timer))) return false;
  uv_timer_init(neap__loop(c->head.host), c->timer);
  c->timer->data = c;
  uv_update_time(neap__loop(c->head.host));
  uv_timer_start(c->timer, on_late, (uint64_t)(c->connect_timeout * 1000), 0);
  return true;
}

void neap__postgres_connect_end(struct postgres *c) {
  if (c->lookup) c->lookup->c = NULL;
  c->lookup = NULL;
  if (c->timer) {
    c->timer->data = NULL;
    neap__handle_free(c->timer);
  }
  c->timer = NULL;
}

// Compiling the statements that are generated here takes longer than running them. The first that is sent; servers that know
// nothing of it refuse it, and nothing follows from that.
static void avoid_compiler(struct postgres *c, const PQconninfoOption *options) {
  const char *given = option(options, "options");
  if (!given || !strstr(given, "jit")) neap__postgres_post(c, "SET jit = off", false);
}

bool neap__postgres_connect(struct postgres *c) {
  struct postgres_lookup *l = calloc(1, sizeof *l);
  PQconninfoOption *options = l && start_timer(c) ? read_options(c) : NULL;
  if (!options && !c->fault.message[0]) neap__error_set(&c->fault, NEAP_LIMIT, "memory is short");
  const char *hosts = options && !option(options, "hostaddr") ? option(options, "host") : NULL;
  bool ok = options && (!hosts || list_hosts(l, hosts, option(options, "port")));
  if (ok) {
    l->c = c;
    c->state = POSTGRES_RESOLVING;
    c->lookup = l;
    avoid_compiler(c, options);
    for (int i = 0; i < l->n; i++)
      if (is_name(l->hosts[i].host)) ask(l, &l->hosts[i]);
  }
  PQconninfoFree(options);
  if (ok && l->pending == 0) resolved(l);
  if (!ok && l) lookup_free(l);
  return ok;
}
