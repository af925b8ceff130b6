// http_body.c: the bodies of a request and of its reply: whole, or in pieces, where whoever gives or takes them sets the pace.
#include "transport/http_client.h"

#define HEAD_MAX 262144
#define AT_ONCE 16384  // bytes of a body that libcurl may send along with the head
#define ELSEWHERE_MAX 1048576
#define WINDOW 65536  // of a reply in pieces, before nothing more is read until some is taken

// ---- Pace ----

static void tell_news(struct http_transfer *t) {
  t->news = true;
  t->client->news = true;
}

// In pieces only the network is timed, from one of them to the next.
static void rest(struct http_transfer *t) {
  bool waits_for_us = t->hungry || (t->streams && t->body.n > 0);
  if (!t->paced) return;
  if (t->timeout > 0) t->deadline = waits_for_us ? INT64_MAX : neap__deadline_in(t->client->host, t->timeout);
  neap__http_watch(t);
}

// Goes on with what does not wait for us. libcurl may call our callbacks meanwhile.
static void go_on(struct http_transfer *t) {
  int paused = (t->hungry ? CURLPAUSE_SEND : 0) | (t->full ? CURLPAUSE_RECV : 0);
  CURLcode status = t->list == &t->client->going ? curl_easy_pause(t->easy, paused) : CURLE_OK;
  if (status != CURLE_OK) neap__http_end(t, status);
}

// ---- What is sent ----

static size_t on_send(char *to, size_t size, size_t n, void *ud) {
  struct http_transfer *t = ud;
  size_t room = size * n, some = t->nunsent < room ? t->nunsent : room;
  if (some > 0) memcpy(to, t->unsent, some);
  t->unsent += some;
  t->nunsent -= some;
  t->sent_at = neap__now_ms(t->client->host);
  t->hungry = some == 0 && t->feeds;
  rest(t);
  if (!t->hungry) return some;
  tell_news(t);
  return CURL_READFUNC_PAUSE;
}

static int on_rewind(void *ud, curl_off_t offset, int origin) {
  struct http_transfer *t = ud;
  size_t at = (size_t)offset;
  if (t->once || origin != SEEK_SET || offset < 0 || at > t->nwhole) return CURL_SEEKFUNC_FAIL;
  t->unsent = t->whole + at;
  t->nunsent = t->nwhole - at;
  return CURL_SEEKFUNC_OK;
}

static bool is_beside(const struct http_transfer *t, const struct http_transfer *other) {
  return other != t && other->sent_at && other->connection.our_port == t->connection.our_port &&
         other->connection.port == t->connection.port && strcmp(other->connection.there, t->connection.there) == 0;
}

// False: it must not go over this connection. A reply in HTTP/1.1 that has been read to its end may still be there too.
static bool may_share(struct http_transfer *t) {
  for (struct http_transfer *other = t->client->going.first; other; other = other->next) {
    if (!is_beside(t, other)) continue;
    t->misplaced |= other->plain;
    t->shares = other->shares = true;
  }
  return !t->misplaced;
}

// There is a connection. Where one that was used before proves to be closed, libcurl sends again on another: not what must be
// done no more than once.
static int on_ready(void *ud, char *there, char *here, int port, int our_port) {
  struct http_transfer *t = ud;
  (void)here;
  if (t->once && t->sent_at) return CURL_PREREQFUNC_ABORT;
  snprintf(t->connection.there, sizeof t->connection.there, "%s", there);
  t->connection.port = port;
  t->connection.our_port = our_port;
  if (t->client == t->client->sharing && !may_share(t)) return CURL_PREREQFUNC_ABORT;
  t->sent_at = neap__now_ms(t->client->host);
  neap__http_watch(t);
  return CURL_PREREQFUNC_OK;
}

// Pieces go over a connection of their own: they could not be given again if one that was used before proved to be closed.
CURLcode neap__http_set_body(struct http_transfer *t, const struct http_request *r) {
  curl_off_t size = r->feeds ? (curl_off_t)r->length : (curl_off_t)r->nbody;
  CURLcode status = curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
  curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
  t->once = r->feeds || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PATCH") == 0;
  if (!r->feeds && r->nbody <= AT_ONCE) {
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, r->nbody > 0 ? r->body : "");
    return status;
  }
  t->feeds = r->feeds;
  t->left = r->length;
  t->unsent = t->whole = r->body;
  t->nunsent = t->nwhole = r->nbody;
  curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, (long)r->feeds);
  curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_send);
  curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
  curl_easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, on_rewind);
  curl_easy_setopt(t->easy, CURLOPT_SEEKDATA, t);
  return status;
}

bool neap__http_hungry(const struct http_call *call) {
  return call->transfer->hungry;
}

int neap__http_feed(struct http_call *call, const char *p, size_t n, struct neap__error *e) {
  struct http_transfer *t = call->transfer;
  bool wrong = t->left >= 0 && (p ? n > (uint64_t)t->left : t->left > 0);
  if (wrong)
    return neap__error_set(e, NEAP_USAGE, "%s: the body is %s than its length", t->place, p ? "longer" : "shorter");
  if (!t->hungry || (p && n == 0)) return 0;
  if (t->left >= 0) t->left -= (int64_t)n;
  t->feeds = p != NULL;
  t->unsent = p;
  t->nunsent = n;
  t->hungry = false;
  t->sent_at = neap__now_ms(t->client->host);
  rest(t);
  go_on(t);
  return 0;
}

// ---- What comes ----

static void hold(struct http_transfer *t) {
  neap__hold(t->client->host, &t->held, t->body.size, false);
}

static size_t on_body(char *p, size_t size, size_t n, void *ud) {
  struct http_transfer *t = ud;
  n *= size;
  t->full = t->streams && t->body.n >= WINDOW;
  if (t->full) return CURL_WRITEFUNC_PAUSE;
  size_t wanted = t->body.n + n, grown = wanted > t->body.size ? 2 * wanted - t->body.size : 0;
  t->too_large = n > t->max_size - t->received;
  t->short_of_memory = !t->too_large && grown > neap__memory_left(t->client->host);
  if (t->too_large || t->short_of_memory) return 0;
  t->short_of_memory = neap__buffer_append(&t->body, p, n) != 0;
  t->received += n;
  hold(t);
  if (t->streams) tell_news(t);
  rest(t);
  return t->short_of_memory ? 0 : n;
}

// Where another place is named instead, libcurl says at the end which: what comes with it is kept whole, if it is not much.
static void end_head(struct http_transfer *t) {
  long status = 0;
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  t->head_done = t->streams && status >= 200 && (status < 300 || status >= 400);
  if (status < 300 || status >= 400 || !t->streams) return;
  t->streams = false;
  if (t->max_size > ELSEWHERE_MAX) t->max_size = ELSEWHERE_MAX;
}

static void note_plain(struct http_transfer *t) {
  struct http_client *c = t->client->plain;
  t->plain = true;
  t->crossed = t->shares;
  c->without[t->where % (sizeof c->without / sizeof *c->without)] = t->where;
}

// The last head counts: those before it said to go on.
static size_t on_head(char *p, size_t size, size_t n, void *ud) {
  struct http_transfer *t = ud;
  n *= size;
  t->answered = true;
  if (n > 5 && memcmp(p, "HTTP/", 5) == 0) {
    t->head.n = 0;
    if (p[5] == '1') note_plain(t);
    return t->crossed ? 0 : n;
  }
  if (n > HEAD_MAX - t->head.n) return 0;
  t->short_of_memory = neap__buffer_append(&t->head, p, n) != 0;
  if (*p == '\r' || *p == '\n') end_head(t);
  if (t->head_done) tell_news(t);
  rest(t);
  return t->short_of_memory ? 0 : n;
}

void neap__http_set_reply(struct http_transfer *t, const struct http_request *r) {
  t->streams = r->streams;
  t->paced = r->streams || r->feeds;
  t->max_size = r->max_size;
  curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_ready);
  curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
  curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_head);
  curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
}

const char *neap__http_piece(const struct http_call *call, size_t *n) {
  *n = call->transfer->body.n;
  return *n > 0 ? call->transfer->body.p : NULL;
}

void neap__http_taken(struct http_call *call) {
  struct http_transfer *t = call->transfer;
  bool was_full = t->full;
  t->body.n = 0;
  t->full = false;
  rest(t);
  if (was_full) go_on(t);
}
