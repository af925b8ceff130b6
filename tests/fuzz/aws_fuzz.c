// aws_fuzz.c: any bytes as what AWS replies (a status in the first byte, then the head, an empty line, the body) and as a file of
// profiles. Whatever comes, an error has a kind and texts that end, and a profile is read within its text.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transport/aws_client.h"
#include "value/datetime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool so, const char *what) {
  if (so) return;
  fprintf(stderr, "not true: %s\n", what);
  abort();
}

// A copy that ends where it ends, so that the sanitizer sees what is read behind it.
static char *copy(const char *p, size_t n) {
  char *q = malloc(n > 0 ? n : 1);
  demand(q, "memory");
  if (n > 0) memcpy(q, p, n);
  return q;
}

static void reply(const char *p, size_t n) {
  static const int statuses[] = {200, 302, 400, 401, 403, 413, 429, 500, 502, 503};
  struct aws_call call = {.target = "DynamoDB_20120810.PutItem"};
  const char *empty = n > 0 ? memmem(p, n, "\n\n", 2) : NULL;
  size_t nhead = empty ? (size_t)(empty - p) + 1 : n, behind = empty ? nhead + 1 : n;
  char *head = copy(p, nhead), *body = copy(p + behind, n - behind);
  struct http_reply r = {.status = n > 0 ? statuses[(unsigned char)*p % 10] : 200,
                         .head = head,
                         .nhead = nhead,
                         .body = body,
                         .nbody = n - behind};
  struct neap__error e;
  int64_t us;
  neap__aws_refusal(&call, &r, &e);
  demand(memchr(e.message, 0, sizeof e.message) && *e.message, "there is a message");
  demand(!strpbrk(e.message, "\r\n"), "it is one line");
  demand(memchr(e.code, 0, sizeof e.code) && memchr(e.detail, 0, sizeof e.detail), "texts end");
  demand(e.kind <= NEAP_MISMATCH && e.status == r.status, "it is of a kind");
  neap__aws_intact(&r);
  if (neap__aws_date(&r, &us)) demand(us >= DATETIME_MIN && us <= DATETIME_MAX, "it is a date");
  free(head);
  free(body);
}

static void profile(const char *p, size_t n, bool settings) {
  struct aws_profile profile = {.name = "x"};
  struct neap__error e;
  char path[40];
  int fd = memfd_create("profile", 0);
  demand(fd >= 0 && write(fd, p, n) == (ssize_t)n, "there is a file");
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int status = neap__aws_profile_read(&profile, path, settings, &e);
  close(fd);
  for (int i = 0; i < AWS_SETTINGS; i++)
    if (profile.settings[i]) {
      demand(status == 0 && profile.found, "only what is there is read");
      demand(*profile.settings[i] && !strchr(profile.settings[i], '\n'), "a value is a line");
    }
  neap__aws_profile_free(&profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  reply((const char *)data, size);
  profile((const char *)data, size, false);
  profile((const char *)data, size, true);
  return 0;
}
