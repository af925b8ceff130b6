// datetime_fuzz.c: any bytes as a datetime or a date. What is accepted is in range and reads the same after it was written.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value/datetime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int64_t value, again;
  char text[40];
  if (neap__datetime_parse((const char *)data, size, &value)) {
    check(value >= DATETIME_MIN && value <= DATETIME_MAX, "a datetime out of range");
    check(neap__datetime_format(value, text) == 32, "a datetime of another width");
    check(neap__datetime_parse(text, 32, &again) && again == value, "a datetime that changes when it is written");
  }
  if (neap__date_parse((const char *)data, size, &value)) {
    check(value >= DATE_MIN && value <= DATE_MAX, "a date out of range");
    check(neap__date_format(value, text) == size && memcmp(text, data, size) == 0,
          "a date that changes when it is written");
  }
  return 0;
}
