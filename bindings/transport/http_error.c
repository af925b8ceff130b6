// http_error.c: what libcurl's failures mean.
#include <stdio.h>
#include <string.h>

#include "transport/http_client.h"

// All others are failures of the connection.
static const struct meaning {
  CURLcode code;
  const char *name;
  enum neap__kind kind;
  bool lasts;  // it would fail again
} meanings[] = {
    {CURLE_COULDNT_RESOLVE_PROXY, "COULDNT_RESOLVE_PROXY", NEAP_CONNECTION, false},
    {CURLE_COULDNT_RESOLVE_HOST, "COULDNT_RESOLVE_HOST", NEAP_CONNECTION, false},
    {CURLE_COULDNT_CONNECT, "COULDNT_CONNECT", NEAP_CONNECTION, false},
    {CURLE_PARTIAL_FILE, "PARTIAL_FILE", NEAP_CONNECTION, false},
    {CURLE_GOT_NOTHING, "GOT_NOTHING", NEAP_CONNECTION, false},
    {CURLE_SEND_ERROR, "SEND_ERROR", NEAP_CONNECTION, false},
    {CURLE_RECV_ERROR, "RECV_ERROR", NEAP_CONNECTION, false},
    {CURLE_SEND_FAIL_REWIND, "GOT_NOTHING", NEAP_CONNECTION, false},
    {CURLE_ABORTED_BY_CALLBACK, "GOT_NOTHING", NEAP_CONNECTION, false},  // it would have been sent again
    {CURLE_SSL_CONNECT_ERROR, "SSL_CONNECT_ERROR", NEAP_CONNECTION, true},
    {CURLE_PEER_FAILED_VERIFICATION, "PEER_FAILED_VERIFICATION", NEAP_CONNECTION, true},
    {CURLE_OPERATION_TIMEDOUT, "OPERATION_TIMEDOUT", NEAP_TIMEOUT, false},
    {CURLE_UNSUPPORTED_PROTOCOL, "UNSUPPORTED_PROTOCOL", NEAP_PROTOCOL, true},
    {CURLE_WEIRD_SERVER_REPLY, "WEIRD_SERVER_REPLY", NEAP_PROTOCOL, true},
    {CURLE_WRITE_ERROR, "WRITE_ERROR", NEAP_PROTOCOL, true},  // more headers than anybody needs
    {CURLE_BAD_CONTENT_ENCODING, "BAD_CONTENT_ENCODING", NEAP_PROTOCOL, true},
    {CURLE_SSL_CACERT_BADFILE, "SSL_CACERT_BADFILE", NEAP_USAGE, true},
    {CURLE_URL_MALFORMAT, "URL_MALFORMAT", NEAP_USAGE, true},
    {CURLE_OUT_OF_MEMORY, "OUT_OF_MEMORY", NEAP_LIMIT, false},
};

// libcurl shows it whole, with its password.
static bool is_bad_proxy(const struct http_transfer *t) {
  return strncmp(t->said, "Unsupported proxy", 17) == 0;
}

static const char *words(const struct http_transfer *t) {
  if (is_bad_proxy(t)) return "the proxy that the environment names cannot be used";
  switch (t->result) {
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_ABORTED_BY_CALLBACK: return "the connection was closed without an answer";
    case CURLE_OUT_OF_MEMORY: return "memory is short";
    default: return t->said[0] ? t->said : curl_easy_strerror(t->result);
  }
}

static void ours(const struct http_transfer *t, struct neap__error *e) {
  if (t->closed)
    neap__error_set(e, NEAP_CANCELLED, "%s: the host closes", t->place);
  else if (t->too_large)
    neap__error_set(e, NEAP_LIMIT, "%s: the reply is larger than %zu bytes; see max_size", t->place, t->max_size);
  else
    neap__error_set(e, NEAP_LIMIT, "%s: memory is short", t->place);
}

static void too_late(const struct http_transfer *t, struct neap__error *e) {
  if (t->late == ALL_LATE && t->paced && t->sent_at)
    neap__error_set(e, NEAP_TIMEOUT, "%s: nothing for %.14g s; see timeout", t->place, t->timeout);
  else if (t->late == ALL_LATE)
    neap__error_set(e, NEAP_TIMEOUT, "timed out after %.14g s: %s", t->timeout, t->place);
  else if (t->late == ANSWER_LATE)
    neap__error_set(e, NEAP_TIMEOUT, "%s: no answer within %.14g s; see first_byte_timeout", t->place, t->first_byte);
  else if (t->sent_at)
    neap__error_set(e, NEAP_TIMEOUT, "%s: less than %ld bytes a second over %ld s; see min_speed", t->place,
                    t->min_speed, t->min_speed_time);
  else
    neap__error_set(e, NEAP_TIMEOUT, "%s: no connection within %.14g s; see connect_timeout", t->place, t->connect);
}

// Nobody knows whose the reply is.
static void crossed(const struct http_transfer *t, struct neap__error *e) {
  neap__error_set(e, NEAP_CONNECTION, "%s: the server answers one connection in HTTP/1.1 and another in HTTP/2",
                  t->place);
  snprintf(e->code, sizeof e->code, "WEIRD_SERVER_REPLY");
  e->retryable = true;
}

static void libcurls(const struct http_transfer *t, struct neap__error *e) {
  static const struct meaning otherwise = {.name = "", .kind = NEAP_CONNECTION};
  const struct meaning *m = &otherwise;
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
    if (meanings[i].code == t->result) m = &meanings[i];
  if (m->kind == NEAP_TIMEOUT)
    too_late(t, e);
  else
    neap__error_set(e, m->kind, "%s: %s", t->place, words(t));
  if (*m->name)
    snprintf(e->code, sizeof e->code, "%s", m->name);
  else
    snprintf(e->code, sizeof e->code, "CURLE_%d", (int)t->result);
  e->retryable = !m->lasts && !is_bad_proxy(t);
}

void neap__http_fault(const struct http_transfer *t, struct neap__error *e) {
  long sent = 0;
  if (t->closed || t->too_large || t->short_of_memory)
    ours(t, e);
  else if (t->crossed)
    crossed(t, e);
  else
    libcurls(t, e);
  curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
  e->unknown = sent > 0 && t->sent_at && !t->safe;  // sent: to a proxy too, to ask for a way through
  if (e->unknown) e->retryable = false;
  e->store = "http";
}
