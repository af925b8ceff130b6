// check.h: what the C tests share: counting checks, and running a script in a host with given options.
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <string.h>

#include "neap.h"

static int passed, failed;

#define CHECK(what)                                               \
  do {                                                            \
    if (what) {                                                   \
      passed++;                                                   \
    } else {                                                      \
      failed++;                                                   \
      printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #what); \
    }                                                             \
  } while (0)

static inline int report(void) {
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}

// What the error callback saw last.
struct seen {
  int errors;
  char kind[32], message[512];
};

static inline void on_error(void *ud, neap_task task, const char *kind, const char *message, const char *traceback) {
  struct seen *seen = ud;
  (void)task;
  (void)traceback;
  seen->errors++;
  snprintf(seen->kind, sizeof seen->kind, "%s", kind);
  snprintf(seen->message, sizeof seen->message, "%s", message);
}

// Runs a script in a new host until no task is left, and closes it. Gives what neap_run said, or why it did not start.
static inline int run_script(neap_options options, struct seen *seen, const char *script) {
  neap *h;
  memset(seen, 0, sizeof *seen);
  options.size = sizeof options;
  options.error = on_error;
  options.ud = seen;
  int status = neap_open(&h, &options);
  if (status == NEAP_OK) status = neap_spawn(h, script, strlen(script), "=script", NULL);
  if (status == NEAP_OK)
    status = neap_run(h);
  else
    printf("%s: %s\n", script, neap_message(h));
  neap_close(&h);
  return status;
}

#endif
