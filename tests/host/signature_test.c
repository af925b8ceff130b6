// signature_test.c: signatures against those of AWS's published test suite (aws-sig-v4-test-suite), as far as our requests can
// look so. Left out: paths and queries that are to be encoded or put in order, headers that come twice, in several lines or with
// blanks around them. Nothing of the kind is sent by us.
#include "check.h"
#include "transport/aws_sign.h"

#define DATE "20150830T123600Z"
#define HOST \
  { "host", "example.amazonaws.com" }
#define DATED \
  { "x-amz-date", DATE }
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define TOKEN                                                                                                    \
  "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8"  \
  "YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6f" \
  "E8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj" \
  "2ICCR/oLxBA=="

static const struct vector {
  const char *name, *method, *path, *query;
  struct http_header headers[5];
  const char *body, *names, *signature;
} vectors[] = {
    {"get-vanilla",
     "GET",
     "/",
     "",
     {HOST, DATED},
     "",
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-unreserved",
     "GET",
     "/" UNRESERVED,
     "",
     {HOST, DATED},
     "",
     "host;x-amz-date",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-utf8",
     "GET",
     "/%E1%88%B4",
     "",
     {HOST, DATED},
     "",
     "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     "Param1=value1&Param2=value2",
     {HOST, DATED},
     "",
     "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-empty-query-key",
     "GET",
     "/",
     "Param1=value1",
     {HOST, DATED},
     "",
     "host;x-amz-date",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-vanilla-query-unreserved",
     "GET",
     "/",
     UNRESERVED "=" UNRESERVED,
     {HOST, DATED},
     "",
     "host;x-amz-date",
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {"get-header-value-order",
     "GET",
     "/",
     "",
     {HOST, {"my-header1", "value4,value1,value3,value2"}, DATED},
     "",
     "host;my-header1;x-amz-date",
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {"post-vanilla",
     "POST",
     "/",
     "",
     {HOST, DATED},
     "",
     "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"post-vanilla-query",
     "POST",
     "/",
     "Param1=value1",
     {HOST, DATED},
     "",
     "host;x-amz-date",
     "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {"post-header-key-sort",
     "POST",
     "/",
     "",
     {HOST, {"my-header1", "value1"}, DATED},
     "",
     "host;my-header1;x-amz-date",
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {"post-header-value-case",
     "POST",
     "/",
     "",
     {HOST, {"my-header1", "VALUE1"}, DATED},
     "",
     "host;my-header1;x-amz-date",
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
    {"post-sts-header-before",
     "POST",
     "/",
     "",
     {HOST, DATED, {"x-amz-security-token", TOKEN}},
     "",
     "host;x-amz-date;x-amz-security-token",
     "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     "",
     {{"content-type", "application/x-www-form-urlencoded"}, HOST, DATED},
     "Param1=value1",
     "content-type;host;x-amz-date",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    {"post-x-www-form-urlencoded-parameters",
     "POST",
     "/",
     "",
     {{"content-type", "application/x-www-form-urlencoded; charset=utf8"}, HOST, DATED},
     "Param1=value1",
     "content-type;host;x-amz-date",
     "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
};

static struct aws_signer signer = {.access_key = "AKIDEXAMPLE",
                                   .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                   .region = "us-east-1",
                                   .service = "service"};

static struct aws_request request_of(const struct vector *v) {
  struct aws_request r = {.method = v->method,
                          .path = v->path,
                          .query = v->query,
                          .headers = v->headers,
                          .body = v->body,
                          .nbody = strlen(v->body),
                          .time = DATE};
  while (r.headers[r.nheaders].name) r.nheaders++;
  return r;
}

static void test_vector(const struct vector *v) {
  char said[512], expected[512];
  struct aws_request r = request_of(v);
  bool ok = neap__aws_sign(&signer, &r, said, sizeof said);
  snprintf(
      expected, sizeof expected,
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=%s, Signature=%s",
      v->names, v->signature);
  CHECK(ok);
  CHECK(strcmp(said, expected) == 0);
  if (strcmp(said, expected) != 0) printf("%s: %s\n", v->name, said);
}

// The key is derived once a day, and anew when another one signs.
static void test_days(void) {
  char first[512], second[512], again[512];
  struct aws_request r = request_of(&vectors[0]);
  CHECK(neap__aws_sign(&signer, &r, first, sizeof first));
  r.time = "20150831T000000Z";
  CHECK(neap__aws_sign(&signer, &r, second, sizeof second));
  CHECK(strstr(second, "AKIDEXAMPLE/20150831/") != NULL);
  r.time = DATE;
  CHECK(neap__aws_sign(&signer, &r, again, sizeof again));
  CHECK(strcmp(first, again) == 0);
}

static void test_room(void) {
  char out[512];
  struct aws_request r = request_of(&vectors[0]);
  CHECK(neap__aws_sign(&signer, &r, out, sizeof out));
  size_t exactly = strlen(out) + 1;
  for (size_t size = 1; size < exactly; size++) CHECK(!neap__aws_sign(&signer, &r, out, size));
  CHECK(neap__aws_sign(&signer, &r, out, exactly));
}

int main(void) {
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) test_vector(&vectors[i]);
  test_days();
  test_room();
  return report();
}
