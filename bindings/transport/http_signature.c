// http_signature.c: signs requests as AWS wants it. libcurl does too, but up to 8.3 it sends a date that it was given twice, so
// that a clock that goes wrong cannot be put right, and it can only sign what it may also send a second time by itself.
#include "transport/http_signature.h"

#include <sodium.h>
#include <stdlib.h>
#include <strings.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define DAY 8  // characters of a date
#define DIGEST crypto_hash_sha256_BYTES

static int put(struct neap__buffer *b, const char *text) {
  return neap__buffer_append(b, text, strlen(text));
}

static int put_hex(struct neap__buffer *b, const unsigned char digest[DIGEST]) {
  char hex[2 * DIGEST + 1];
  return put(b, sodium_bin2hex(hex, sizeof hex, digest, DIGEST));
}

static int put_hash(struct neap__buffer *b, const char *p, size_t n) {
  unsigned char digest[DIGEST];
  crypto_hash_sha256(digest, (const unsigned char *)p, n);
  return put_hex(b, digest);
}

// ---- What is signed ----

// Once more escaped: all but S3 want it so.
static int put_path(struct neap__buffer *b, const struct http_signature *s, const char *path) {
  static const char hex[] = "0123456789ABCDEF", plain[] = "-._~/";
  if (strcmp(s->service, "s3") == 0) return put(b, path);
  for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
    bool stays = (*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') || strchr(plain, *p);
    char escaped[] = {'%', hex[*p >> 4], hex[*p & 15]};
    if (neap__buffer_append(b, stays ? (const char *)p : escaped, stays ? 1 : 3) != 0) return -1;
  }
  return 0;
}

struct part {
  const char *name, *value;
  size_t nname, nvalue;
};

static int compare_bytes(const char *a, size_t na, const char *b, size_t nb) {
  int order = memcmp(a, b, na < nb ? na : nb);
  return order ? order : (na > nb) - (na < nb);
}

static int compare_fields(const void *left, const void *right) {
  const struct part *a = left, *b = right;
  int order = compare_bytes(a->name, a->nname, b->name, b->nname);
  return order ? order : compare_bytes(a->value, a->nvalue, b->value, b->nvalue);
}

// name=value&name=value, in order.
static int put_query(struct neap__buffer *b, const char *query) {
  size_t n = 1;
  for (const char *p = query; (p = strchr(p, '&')) != NULL; p++) n++;
  struct part *fields = calloc(n, sizeof *fields);
  if (!fields) return -1;
  n = 0;
  for (const char *p = query; *p; p += *p == '&') {
    size_t whole = strcspn(p, "&"), name = strcspn(p, "&=");
    if (whole > 0) fields[n++] = (struct part){p, p + name + (name < whole), name, whole - name - (name < whole)};
    p += whole;
  }
  qsort(fields, n, sizeof *fields, compare_fields);
  int status = 0;
  for (size_t i = 0; i < n && status == 0; i++) {
    if (i > 0) status = neap__buffer_byte(b, '&');
    if (status == 0) status = neap__buffer_append(b, fields[i].name, fields[i].nname);
    if (status == 0) status = neap__buffer_byte(b, '=');
    if (status == 0) status = neap__buffer_append(b, fields[i].value, fields[i].nvalue);
  }
  free(fields);
  return status;
}

// Those of a name stay in the order in which they were given: they are pointed at by position.
static int compare_headers(const void *left, const void *right) {
  const struct http_header *const *a = left, *const *b = right;
  int order = strcasecmp((*a)->name, (*b)->name);
  return order ? order : (*a > *b) - (*a < *b);
}

// Without spaces around it, and single ones within.
static int put_value(struct neap__buffer *b, const char *value) {
  for (value += strspn(value, " \t"); *value;) {
    size_t word = strcspn(value, " \t"), space = strspn(value + word, " \t");
    if (neap__buffer_append(b, value, word) != 0) return -1;
    value += word + space;
    if (*value && neap__buffer_byte(b, ' ') != 0) return -1;
  }
  return 0;
}

static int put_name(struct neap__buffer *b, const char *name) {
  for (; *name; name++)
    if (neap__buffer_byte(b, *name >= 'A' && *name <= 'Z' ? (char)(*name | 32) : *name) != 0) return -1;
  return 0;
}

// The lines of the headers, each name once, and the names.
static int put_headers(struct neap__buffer *b, struct neap__buffer *names, const struct http_header **sorted,
                       size_t n) {
  for (size_t i = 0; i < n; i++) {
    bool same = i > 0 && strcasecmp(sorted[i]->name, sorted[i - 1]->name) == 0;
    if (i > 0 && neap__buffer_byte(b, same ? ',' : '\n') != 0) return -1;
    if (!same && i > 0 && neap__buffer_byte(names, ';') != 0) return -1;
    if (!same && (put_name(names, sorted[i]->name) != 0 || put_name(b, sorted[i]->name) != 0)) return -1;
    if (!same && neap__buffer_byte(b, ':') != 0) return -1;
    if (put_value(b, sorted[i]->value) != 0) return -1;
  }
  return neap__buffer_byte(b, '\n');
}

static bool has_header(const struct http_request *r, const char *name) {
  for (size_t i = 0; i < r->nheaders; i++)
    if (strcasecmp(r->headers[i].name, name) == 0) return true;
  return false;
}

static int put_all_headers(struct neap__buffer *b, struct neap__buffer *names, const struct http_request *r,
                           const char *host, const char *date) {
  const struct http_header ours[] = {{"host", host}, {"x-amz-date", date}};
  const struct http_header **sorted = calloc(r->nheaders + 2, sizeof *sorted);
  size_t n = 0;
  if (!sorted) return -1;
  for (; n < r->nheaders; n++) sorted[n] = &r->headers[n];
  for (size_t i = 0; i < 2; i++)
    if (!has_header(r, ours[i].name)) sorted[n++] = &ours[i];
  qsort(sorted, n, sizeof *sorted, compare_headers);
  int status = put_headers(b, names, sorted, n);
  free(sorted);
  return status;
}

static int put_request(struct neap__buffer *b, struct neap__buffer *names, const struct http_request *r,
                       const struct http_target *to, const char *date) {
  if (put(b, r->method) != 0 || neap__buffer_byte(b, '\n') != 0) return -1;
  if (put_path(b, r->signature, to->path) != 0 || neap__buffer_byte(b, '\n') != 0) return -1;
  if (put_query(b, to->query ? to->query : "") != 0 || neap__buffer_byte(b, '\n') != 0) return -1;
  if (put_all_headers(b, names, r, to->host, date) != 0 || neap__buffer_byte(b, '\n') != 0) return -1;
  if (neap__buffer_append(b, names->p, names->n) != 0 || neap__buffer_byte(b, '\n') != 0) return -1;
  return put_hash(b, r->body ? r->body : "", r->nbody);
}

// ---- The signature ----

static void digest(unsigned char out[DIGEST], const void *key, size_t nkey, const char *text, size_t n) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key, nkey);
  crypto_auth_hmacsha256_update(&state, (const unsigned char *)text, n);
  crypto_auth_hmacsha256_final(&state, out);
}

// The key of a day, a region and a service.
static int derive(unsigned char key[DIGEST], const struct http_signature *s, const char *date) {
  struct neap__buffer secret;
  neap__buffer_plain(&secret);
  int status = put(&secret, "AWS4") != 0 || put(&secret, s->secret_key) != 0 ? -1 : 0;
  if (status == 0) {
    digest(key, secret.p, secret.n, date, strnlen(date, DAY));
    digest(key, key, DIGEST, s->region, strlen(s->region));
    digest(key, key, DIGEST, s->service, strlen(s->service));
    digest(key, key, DIGEST, "aws4_request", 12);
  }
  if (secret.p) sodium_memzero(secret.p, secret.n);
  neap__buffer_free(&secret);
  return status;
}

static int put_scope(struct neap__buffer *b, const struct http_signature *s, const char *date) {
  if (neap__buffer_append(b, date, strnlen(date, DAY)) != 0 || neap__buffer_byte(b, '/') != 0) return -1;
  if (put(b, s->region) != 0 || neap__buffer_byte(b, '/') != 0) return -1;
  return put(b, s->service) != 0 || put(b, "/aws4_request") != 0 ? -1 : 0;
}

static int put_signature(struct neap__buffer *out, struct neap__buffer *text, const struct http_signature *s,
                         const struct neap__buffer *request, const char *date) {
  unsigned char key[DIGEST];
  if (put(text, ALGORITHM "\n") != 0 || put(text, date) != 0 || neap__buffer_byte(text, '\n') != 0) return -1;
  if (put_scope(text, s, date) != 0 || neap__buffer_byte(text, '\n') != 0) return -1;
  if (put_hash(text, request->p, request->n) != 0 || derive(key, s, date) != 0) return -1;
  digest(key, key, DIGEST, text->p, text->n);
  return put_hex(out, key);
}

static int put_authorization(struct neap__buffer *out, struct neap__buffer parts[3], const struct http_request *r,
                             const struct http_target *target, const char *date) {
  const struct http_signature *s = r->signature;
  if (put_request(&parts[0], &parts[1], r, target, date) != 0) return -1;
  if (put(out, ALGORITHM " Credential=") != 0 || put(out, s->access_key) != 0) return -1;
  if (neap__buffer_byte(out, '/') != 0 || put_scope(out, s, date) != 0) return -1;
  if (put(out, ", SignedHeaders=") != 0 || neap__buffer_append(out, parts[1].p, parts[1].n) != 0) return -1;
  return put(out, ", Signature=") != 0 ? -1 : put_signature(out, &parts[2], s, &parts[0], date);
}

int neap__http_sign(struct neap__buffer *out, const struct http_request *r, const struct http_target *target,
                    const char *date) {
  struct neap__buffer parts[3];
  for (int i = 0; i < 3; i++) neap__buffer_plain(&parts[i]);
  int status = put_authorization(out, parts, r, target, date);
  for (int i = 0; i < 3; i++) neap__buffer_free(&parts[i]);
  return status;
}
