// log.c: what the host tells its owner.
#include <stdarg.h>
#include <stdio.h>

#include "state.h"

void neap__log(neap *h, int level, const char *format, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  if (h->options.log)
    h->options.log(h->options.ud, level, text, len);
  else if (level >= NEAP_LOG_WARN)
    fprintf(stderr, "neap: %s\n", text);
}
