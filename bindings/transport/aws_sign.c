// aws_sign.c: AWS Signature Version 4, hashed as it goes: no text of it is ever put together.
#include "transport/aws_sign.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define DAY 8  // of "20150830T123600Z"

static void add(crypto_hash_sha256_state *h, const char *text) {
  crypto_hash_sha256_update(h, (const unsigned char *)text, strlen(text));
}

static void end_in_hex(crypto_hash_sha256_state *h, char hex[65]) {
  unsigned char hash[32];
  crypto_hash_sha256_final(h, hash);
  sodium_bin2hex(hex, 65, hash, sizeof hash);
}

// The key may be the output.
static void hmac(unsigned char out[32], const unsigned char *key, size_t nkey, const char *text, size_t n) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key, nkey);
  crypto_auth_hmacsha256_update(&state, (const unsigned char *)text, n);
  crypto_auth_hmacsha256_final(&state, out);
  sodium_memzero(&state, sizeof state);
}

// HMAC of the day with "AWS4" and the secret key, and with what that gives of the region, the service, and so on.
static void derive_key(struct aws_signer *s, const char *day) {
  const char *const rest[] = {s->region, s->service, "aws4_request"};
  char secret[512];
  size_t n = (size_t)snprintf(secret, sizeof secret, "AWS4%s", s->secret_key);
  hmac(s->key, (const unsigned char *)secret, n < sizeof secret ? n : sizeof secret - 1, day, DAY);
  sodium_memzero(secret, sizeof secret);
  for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) hmac(s->key, s->key, 32, rest[i], strlen(rest[i]));
  snprintf(s->day, sizeof s->day, "%.*s", DAY, day);
}

static void hash_headers(crypto_hash_sha256_state *h, const struct aws_request *r) {
  for (size_t i = 0; i < r->nheaders; i++) {
    add(h, r->headers[i].name);
    add(h, ":");
    add(h, r->headers[i].value);
    add(h, "\n");
  }
  add(h, "\n");
  for (size_t i = 0; i < r->nheaders; i++) {
    if (i > 0) add(h, ";");
    add(h, r->headers[i].name);
  }
  add(h, "\n");
}

static void hash_request(const struct aws_request *r, char hex[65]) {
  crypto_hash_sha256_state h;
  char body[65];
  crypto_hash_sha256_init(&h);
  crypto_hash_sha256_update(&h, (const unsigned char *)r->body, r->nbody);
  end_in_hex(&h, body);
  crypto_hash_sha256_init(&h);
  add(&h, r->method);
  add(&h, "\n");
  add(&h, r->path);
  add(&h, "\n");
  add(&h, r->query);
  add(&h, "\n");
  hash_headers(&h, r);
  add(&h, body);
  end_in_hex(&h, hex);
}

static size_t put_names(const struct aws_request *r, char *out, size_t size) {
  size_t n = 0;
  for (size_t i = 0; i < r->nheaders && n < size; i++)
    n += (size_t)snprintf(out + n, size - n, "%s%s", i > 0 ? ";" : "", r->headers[i].name);
  return n;
}

bool neap__aws_sign(struct aws_signer *s, const struct aws_request *r, char *out, size_t size) {
  char scope[256], to_sign[512], hash[65];
  unsigned char signature[32];
  if (strncmp(s->day, r->time, DAY) != 0) derive_key(s, r->time);
  hash_request(r, hash);
  int nscope = snprintf(scope, sizeof scope, "%s/%s/%s/aws4_request", s->day, s->region, s->service);
  int nsign = snprintf(to_sign, sizeof to_sign, ALGORITHM "\n%s\n%s\n%s", r->time, scope, hash);
  if (nscope >= (int)sizeof scope || nsign >= (int)sizeof to_sign) return false;
  hmac(signature, s->key, sizeof s->key, to_sign, (size_t)nsign);
  size_t n = (size_t)snprintf(out, size, ALGORITHM " Credential=%s/%s, SignedHeaders=", s->access_key, scope);
  if (n < size) n += put_names(r, out + n, size - n);
  if (n < size) n += (size_t)snprintf(out + n, size - n, ", Signature=");
  if (n + 65 > size) return false;
  sodium_bin2hex(out + n, 65, signature, sizeof signature);
  return true;
}
