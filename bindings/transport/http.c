// http.c: one request: what is checked before it is sent, what libcurl is told of it, and what comes back.
#include "transport/http.h"

#include <stdlib.h>

#include "transport/http_client.h"

#define HASH 14695981039346656037u
#define AGENT "neap/" NEAP_VERSION

// ---- URLs ----

struct parts {
  char *scheme, *host, *port, *path;
};

static char *part_of(CURLU *u, CURLUPart part, unsigned flags) {
  char *text = NULL;
  return curl_url_get(u, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static void parts_free(struct parts *p) {
  curl_free(p->scheme);
  curl_free(p->host);
  curl_free(p->port);
  curl_free(p->path);
}

// What is said of a URL that cannot be read has nothing of it in which a password or a key might be.
static int bad_url(const char *url, const char *why, struct neap__error *e) {
  size_t n = strcspn(url, "?#");
  bool shown = !memchr(url, '@', n);
  return neap__error_set(e, NEAP_USAGE, "the URL %s%scannot be read: %s; it is http://HOST:PORT/PATH?QUERY",
                         shown ? neap__show_text(url, n).text : "", shown ? " " : "", why);
}

static int read_url(const char *url, struct parts *p, struct neap__error *e) {
  CURLU *u = curl_url();
  memset(p, 0, sizeof *p);
  if (!u) return neap__error_set(e, NEAP_LIMIT, "memory is short");
  CURLUcode status = curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
  if (status == CURLUE_OK) {
    p->scheme = part_of(u, CURLUPART_SCHEME, 0);
    p->host = part_of(u, CURLUPART_HOST, 0);
    p->port = part_of(u, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
    p->path = part_of(u, CURLUPART_PATH, 0);
  }
  curl_url_cleanup(u);
  if (status != CURLUE_OK) return bad_url(url, curl_url_strerror(status), e);
  if (p->scheme && strcmp(p->scheme, "http") != 0 && strcmp(p->scheme, "https") != 0)
    return neap__error_set(e, NEAP_USAGE, "%s is spoken by nobody here; http and https are",
                           neap__show_name(p->scheme, strlen(p->scheme)).text);
  if (!p->scheme || !p->host || !p->path) return neap__error_set(e, NEAP_LIMIT, "memory is short");
  return 0;
}

bool neap__http_origin(const char *url, char *origin, size_t size, struct neap__error *e) {
  struct parts p;
  bool ok = read_url(url, &p, e) == 0;
  if (ok) snprintf(origin, size, "%s://%s%s%s", p.scheme, p.host, p.port ? ":" : "", p.port ? p.port : "");
  parts_free(&p);
  return ok;
}

static void name_place(struct http_transfer *t, const struct http_request *r, const struct parts *p) {
  snprintf(t->place, sizeof t->place, "%s %s://%s%s%s%s", r->method, p->scheme, p->host, p->port ? ":" : "",
           p->port ? p->port : "", p->path);
}

static uint64_t hash(uint64_t h, const char *text) {
  for (; text && *text; text++) h = (h ^ (unsigned char)*text) * 1099511628211u;
  return h;
}

// ---- What is sent ----

static bool is_token(const char *s) {
  static const char more[] = "!#$%&'*+-.^_`|~";
  const char *p = s;
  for (; *p; p++)
    if (!((*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') || strchr(more, *p))) return false;
  return p > s;
}

static int check_header(const struct http_header *h, struct neap__error *e) {
  struct neap__shown name = neap__show_name(h->name, strlen(h->name));
  if (!is_token(h->name)) return neap__error_set(e, NEAP_USAGE, "%s is no name of a header", name.text);
  for (const char *p = h->value; *p; p++)
    if ((unsigned char)*p < ' ' && *p != '\t')
      return neap__error_set(e, NEAP_USAGE, "the value of the header %s has a line break or another control in it",
                             name.text);
  if (strcasecmp(h->name, "content-length") == 0 || strcasecmp(h->name, "transfer-encoding") == 0)
    return neap__error_set(e, NEAP_USAGE, "the header %s follows from the body and cannot be given", name.text);
  return 0;
}

static bool append_line(struct http_transfer *t, const char *line) {
  struct curl_slist *longer = curl_slist_append(t->headers, line);
  if (longer) t->headers = longer;
  return longer != NULL;
}

// libcurl takes "Name;" for an empty value, and "Name:" for none of its own.
static bool append_header(struct http_transfer *t, const struct http_header *h) {
  size_t size = strlen(h->name) + strlen(h->value) + 3;
  char *line = malloc(size);
  if (!line) return false;
  if (h->value[strspn(h->value, " \t")])
    snprintf(line, size, "%s: %s", h->name, h->value);
  else
    snprintf(line, size, "%s;", h->name);
  bool ok = append_line(t, line);
  free(line);
  return ok;
}

static int set_headers(struct http_transfer *t, const struct http_request *r, struct neap__error *e) {
  bool typed = false, ok = append_line(t, "Expect:");  // nobody waits for "100 Continue"
  for (size_t i = 0; i < r->nheaders; i++) {
    if (check_header(&r->headers[i], e) != 0) return -1;
    typed |= strcasecmp(r->headers[i].name, "content-type") == 0;
    ok = ok && append_header(t, &r->headers[i]);
  }
  if (!typed) ok = ok && append_line(t, "Content-Type:");
  return ok ? 0 : neap__error_set(e, NEAP_LIMIT, "memory is short");
}

static CURLcode set_method(struct http_transfer *t, const struct http_request *r) {
  CURLcode status = CURLE_OK;
  bool wants_body = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 || strcmp(r->method, "PATCH") == 0;
  t->safe = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0 || strcmp(r->method, "OPTIONS") == 0;
  if (r->body || r->feeds || wants_body) status = neap__http_set_body(t, r);
  if (strcmp(r->method, "HEAD") == 0) curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
  if (status != CURLE_OK) return status;
  return curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, r->method);
}

// ---- The call ----

static long milliseconds(double seconds) {
  return seconds <= 0 ? INT32_MAX : seconds < 0.001 ? 1 : seconds > 2000000 ? INT32_MAX : (long)(seconds * 1000);
}

// libcurl reads the variables of proxies itself, and none of certificates. Where scripts have no environment, nobody reads it
// for them.
static CURLcode set_surroundings(struct http_transfer *t, const struct http_request *r) {
  bool closed = neap__options(t->client->host)->flags & NEAP_NO_OS;
  const char *file = closed ? NULL : getenv("CURL_CA_BUNDLE");
  const char *folder = closed || file ? NULL : getenv("SSL_CERT_DIR");
  if (!closed && !file) file = getenv("SSL_CERT_FILE");
  CURLcode status = closed || r->direct ? curl_easy_setopt(t->easy, CURLOPT_PROXY, "") : CURLE_OK;
  if (r->ca) return status == CURLE_OK ? curl_easy_setopt(t->easy, CURLOPT_CAINFO, r->ca) : status;
  if (status == CURLE_OK && folder && *folder) status = curl_easy_setopt(t->easy, CURLOPT_CAPATH, folder);
  if (status == CURLE_OK && file && *file) status = curl_easy_setopt(t->easy, CURLOPT_CAINFO, file);
  return status;
}

// What stops one would stop others on the same connection.
static bool may_share(const struct http_client *c, const struct http_request *r, uint64_t where) {
  return r->http2 && !r->streams && !r->feeds && strncasecmp(r->url, "https:", 6) == 0 &&
         neap__http_may_share(c, where);
}

static CURLcode set_up(struct http_transfer *t, const struct http_request *r) {
  CURL *easy = t->easy;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // else it would wait for names that nobody wants any more
  bool http2 = t->client == t->client->sharing;
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)(http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)http2);  // for what a connection that is being made will speak
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(r->connect));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, r->min_speed);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, r->min_speed_time);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->said);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
  neap__http_set_reply(t, r);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
  CURLcode status = curl_easy_setopt(easy, CURLOPT_URL, r->url);
  if (status == CURLE_OK) status = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  if (status == CURLE_OK) status = curl_easy_setopt(easy, CURLOPT_USERAGENT, AGENT);
  if (status == CURLE_OK) status = curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  if (status == CURLE_OK) status = set_surroundings(t, r);
  return status == CURLE_OK ? set_method(t, r) : status;
}

static bool prepare(struct http_transfer *t, const struct http_request *r, struct neap__error *e) {
  struct parts p;
  if (!is_token(r->method) || strcmp(r->method, "CONNECT") == 0)
    return neap__error_set(e, NEAP_USAGE, "%s is no method", neap__show_text(r->method, strlen(r->method)).text) == 0;
  int status = read_url(r->url, &p, e);
  if (status == 0) name_place(t, r, &p);
  if (status == 0) t->where = hash(hash(HASH, p.host), p.port);
  if (status == 0 && may_share(t->client, r, t->where)) t->client = t->client->sharing;
  if (status == 0) status = set_headers(t, r, e);
  parts_free(&p);
  if (status != 0) return false;
  t->connect = r->connect;
  t->timeout = r->timeout;
  t->first_byte = r->first_byte;
  t->min_speed = r->min_speed;
  t->min_speed_time = r->min_speed_time;
  t->deadline = r->timeout > 0 ? neap__deadline_in(t->client->host, r->timeout) : INT64_MAX;
  t->easy = curl_easy_init();
  if (t->easy && set_up(t, r) == CURLE_OK) return true;
  return neap__error_set(e, NEAP_LIMIT, "%s: memory is short", t->place) == 0;
}

static bool begin(struct http_transfer *t, const struct http_request *r, struct neap__error *e) {
  if (t->client->sharing->closing) return neap__error_set(e, NEAP_CANCELLED, "the host closes") == 0;
  if (!prepare(t, r, e)) return false;
  return neap__http_begin(t) || neap__error_set(e, NEAP_LIMIT, "%s: memory is short", t->place) == 0;
}

int neap__http_send(struct http_client *c, struct http_call *call, const struct http_request *r,
                    struct neap__error *e) {
  struct http_transfer *t = call->transfer = calloc(1, sizeof *t);
  if (!t) return neap__error_set(e, NEAP_LIMIT, "memory is short");
  neap__buffer_plain(&t->head);
  neap__buffer_plain(&t->body);
  t->call = call;
  t->client = c;
  if (begin(t, r, e)) return 0;
  e->store = "http";
  neap__http_cancel(call);
  return -1;
}

void neap__http_cancel(struct http_call *call) {
  struct http_transfer *t = call->transfer;
  if (!t) return;
  call->transfer = NULL;
  neap__http_stop(t);
  if (t->easy) curl_easy_cleanup(t->easy);
  if (t->headers) curl_slist_free_all(t->headers);
  neap__buffer_free(&t->head);
  neap__buffer_free(&t->body);
  if (t->held) neap__hold(t->client->host, &t->held, 0, false);
  free(t);
}

static void fill_reply(const struct http_transfer *t, struct http_reply *reply) {
  long status = 0;
  char *redirect = NULL;
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &redirect);
  *reply = (struct http_reply){.status = (int)status,
                               .head = t->head.p,
                               .nhead = t->head.n,
                               .body = t->body.p,
                               .nbody = t->body.n,
                               .redirect = redirect,
                               .place = t->place};
}

int neap__http_result(const struct http_call *call, struct http_reply *reply, struct neap__error *e) {
  if (call->transfer->result == CURLE_OK) {
    fill_reply(call->transfer, reply);
    return 0;
  }
  neap__http_fault(call->transfer, e);
  return -1;
}

bool neap__http_head(const struct http_call *call, struct http_reply *reply) {
  if (!call->transfer->head_done) return false;
  fill_reply(call->transfer, reply);
  return true;
}
