// aws_error.c: what the failures of AWS mean, and what is to be done about them.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "transport/aws_client.h"
#include "value/calendar.h"
#include "value/crc32.h"
#include "value/json.h"

static const struct refusal {
  const char *code;  // without "Exception", which some have and some have not
  enum neap__kind kind;
  enum aws_remedy remedy;
} refusals[] = {
    {"ConditionalCheckFailed", NEAP_CONDITION, AWS_END},
    {"TransactionCanceled", NEAP_CONFLICT, AWS_END},  // the reasons may say otherwise
    {"TransactionConflict", NEAP_CONFLICT, AWS_AGAIN},
    {"TransactionInProgress", NEAP_CONFLICT, AWS_AGAIN},
    {"ReplicatedWriteConflict", NEAP_CONFLICT, AWS_AGAIN},
    {"DuplicateItem", NEAP_CONFLICT, AWS_END},
    {"ProvisionedThroughputExceeded", NEAP_THROTTLED, AWS_SLOWER},
    {"Throttling", NEAP_THROTTLED, AWS_SLOWER},
    {"RequestLimitExceeded", NEAP_THROTTLED, AWS_SLOWER},
    {"TooManyRequests", NEAP_THROTTLED, AWS_SLOWER},
    {"Validation", NEAP_USAGE, AWS_END},
    {"Serialization", NEAP_USAGE, AWS_END},
    {"IdempotentParameterMismatch", NEAP_USAGE, AWS_END},
    {"ResourceNotFound", NEAP_NOT_FOUND, AWS_END},
    {"ResourceInUse", NEAP_LIMIT, AWS_END},
    {"LimitExceeded", NEAP_LIMIT, AWS_END},
    {"ItemCollectionSizeLimitExceeded", NEAP_LIMIT, AWS_END},
    {"UnrecognizedClient", NEAP_AUTH, AWS_RENEW},
    {"InvalidClientTokenId", NEAP_AUTH, AWS_RENEW},
    {"ExpiredToken", NEAP_AUTH, AWS_RENEW},
    {"MissingAuthenticationToken", NEAP_AUTH, AWS_END},
    {"IncompleteSignature", NEAP_AUTH, AWS_END},
    {"InvalidSignature", NEAP_AUTH, AWS_CLOCK},
    {"SignatureDoesNotMatch", NEAP_AUTH, AWS_CLOCK},
    {"RequestTimeTooSkewed", NEAP_AUTH, AWS_CLOCK},
    {"RequestExpired", NEAP_AUTH, AWS_CLOCK},
    {"AccessDenied", NEAP_FORBIDDEN, AWS_END},
    {"UnknownOperation", NEAP_UNSUPPORTED, AWS_END},
    {"InternalServerError", NEAP_SERVER, AWS_UNSURE},
    {"InternalFailure", NEAP_SERVER, AWS_UNSURE},
    {"ServiceUnavailable", NEAP_SERVER, AWS_AGAIN},
};

// By the status, where the code says nothing. Gateways in between may have passed the request on before they gave up.
static const struct refusal *by_status(int status) {
  static const struct refusal down = {"", NEAP_SERVER, AWS_AGAIN}, failed = {"", NEAP_SERVER, AWS_UNSURE},
                              slower = {"", NEAP_THROTTLED, AWS_SLOWER}, unknown = {"", NEAP_AUTH, AWS_END},
                              forbidden = {"", NEAP_FORBIDDEN, AWS_END}, large = {"", NEAP_LIMIT, AWS_END},
                              wrong = {"", NEAP_USAGE, AWS_END}, senseless = {"", NEAP_PROTOCOL, AWS_END};
  switch (status) {
    case 401: return &unknown;
    case 403: return &forbidden;
    case 413: return &large;
    case 429: return &slower;
    case 503: return &down;
    default: return status >= 500 ? &failed : status >= 400 ? &wrong : &senseless;
  }
}

static const struct refusal *refusal_of(const char *code, int status) {
  size_t n = strlen(code);
  if (n > 9 && strcmp(code + n - 9, "Exception") == 0) n -= 9;
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    if (strlen(refusals[i].code) == n && memcmp(refusals[i].code, code, n) == 0) return &refusals[i];
  return by_status(status);
}

// ---- What was said ----

const char *neap__aws_operation(const struct aws_call *call) {
  const char *dot = strrchr(call->target, '.');
  return dot ? dot + 1 : call->target;
}

// The value of a header, *n bytes long, or NULL.
static const char *header(const struct http_reply *reply, const char *name, size_t *n) {
  size_t length = strlen(name);
  const char *end = reply->head + reply->nhead;
  for (const char *p = reply->head, *line; p && p < end; p = line + 1) {
    line = memchr(p, '\n', (size_t)(end - p));
    if (!line) return NULL;
    if ((size_t)(line - p) <= length || p[length] != ':' || strncasecmp(p, name, length) != 0) continue;
    p += length + 1;
    while (p < line && (*p == ' ' || *p == '\t')) p++;
    const char *last = line;
    while (last > p && (last[-1] == '\r' || last[-1] == ' ' || last[-1] == '\t')) last--;
    *n = (size_t)(last - p);
    return p;
  }
  return NULL;
}

bool neap__aws_member(const char *body, size_t n, const char *name, char *out, size_t size) {
  struct neap__json_step step = {name, strlen(name), -1};
  struct neap__json_slice found;
  struct neap__buffer scratch;
  struct cell cell;
  if (!neap__json_find(body, n, &step, 1, &found)) return false;
  neap__buffer_plain(&scratch);
  bool ok = neap__json_scalar(found.p, found.n, &cell, &scratch) == 0 && cell.kind == CELL_TEXT;
  if (ok) ok = snprintf(out, size, "%.*s", (int)cell.n, cell.p) < (int)size;
  neap__buffer_free(&scratch);
  return ok;
}

// "com.amazonaws.dynamodb.v20120810#ValidationException", and in a header "ValidationException:http://..."
static void read_code(const struct http_reply *reply, char *code, size_t size) {
  static const char plain[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  char whole[160] = "";
  size_t n;
  const char *type = header(reply, "x-amzn-errortype", &n);
  if (!neap__aws_member(reply->body, reply->nbody, "__type", whole, sizeof whole) && type)
    snprintf(whole, sizeof whole, "%.*s", (int)n, type);
  const char *hash = strchr(whole, '#'), *name = hash ? hash + 1 : whole;
  snprintf(code, size, "%.*s", (int)strspn(name, plain), name);
}

// Its first line: what follows it, where a signature is refused, has the session token in it.
static void read_words(const struct http_reply *reply, char *said, size_t size) {
  said[0] = 0;
  if (!neap__aws_member(reply->body, reply->nbody, "message", said, size))
    neap__aws_member(reply->body, reply->nbody, "Message", said, size);
  said[strcspn(said, "\r\n")] = 0;
}

enum aws_remedy neap__aws_refusal(const struct aws_call *call, const struct http_reply *reply, struct neap__error *e) {
  char code[64], said[400];
  const char *operation = neap__aws_operation(call);
  read_code(reply, code, sizeof code);
  read_words(reply, said, sizeof said);
  const struct refusal *r = refusal_of(code, reply->status);
  if (!*said) snprintf(said, sizeof said, "%s", *code ? code : "no reason is given");
  if (r->kind == NEAP_USAGE)
    neap__error_set(e, r->kind, "the server refuses %s: %s", operation, said);
  else if (!*code)
    neap__error_set(e, r->kind, "%s: status %d: %s", operation, reply->status, said);
  else
    neap__error_set(e, r->kind, "%s: %s", operation, said);
  snprintf(e->code, sizeof e->code, "%s", code);
  size_t n = 0;
  const char *id = header(reply, "x-amzn-requestid", &n);
  if (id) snprintf(e->detail, sizeof e->detail, "request %.*s", (int)n, id);
  e->status = reply->status;
  e->retryable = r->remedy != AWS_END && r->kind != NEAP_AUTH;
  return r->remedy;
}

enum aws_remedy neap__aws_loss(const struct aws_call *call, struct neap__error *e) {
  bool arrived = e->unknown;
  char said[440];
  snprintf(said, sizeof said, "%.*s", (int)sizeof said - 1, e->message);
  snprintf(e->message, sizeof e->message, "%.32s: %s", neap__aws_operation(call), said);
  if (arrived) return AWS_UNSURE;
  return e->retryable ? AWS_AGAIN : AWS_END;
}

// ---- Headers of any reply ----

// One JSON value, to its end, and nothing behind it.
static bool is_whole(const char *p, size_t n) {
  struct neap__json_slice value;
  if (!neap__json_find(p, n, NULL, 0, &value)) return false;
  for (const char *rest = value.p + value.n; rest < p + n; rest++)
    if (!strchr(" \t\r\n", *rest)) return false;
  return true;
}

// The checksum is of the body as it was sent; none that is packed is asked for, but what is in between may do as it likes.
bool neap__aws_intact(const struct http_reply *reply) {
  size_t n;
  const char *crc = header(reply, "x-amz-crc32", &n);
  uint64_t expected = 0;
  if (!crc || header(reply, "content-encoding", &n))
    return reply->status / 100 != 2 || is_whole(reply->body, reply->nbody);
  for (; *crc >= '0' && *crc <= '9' && expected <= UINT32_MAX; crc++) expected = expected * 10 + (uint64_t)(*crc - '0');
  return expected == neap__crc32(reply->body, reply->nbody);
}

// "Sun, 30 Aug 2015 12:36:00 GMT"
bool neap__aws_date(const struct http_reply *reply, int64_t *us) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  struct civil c = {0};
  char text[30] = "", month[4] = "", fault[80];
  size_t n;
  const char *date = header(reply, "date", &n);
  if (!date || n >= sizeof text) return false;
  memcpy(text, date, n);
  if (sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d", &c.day, month, &c.year, &c.hour, &c.minute, &c.second) != 6)
    return false;
  const char *found = strlen(month) == 3 ? strstr(months, month) : NULL;
  if (!found || (found - months) % 3 != 0) return false;
  c.month = (int)(found - months) / 3 + 1;
  return !neap__civil_time(&c, us, fault);
}
