// decimal_fuzz.c: two texts, separated by a newline, as decimals. Canonical text stays what it is, comparing texts agrees with
// comparing numbers, and the operations agree with each other: (a + b) - b = a, a = b * (a // b) + a % b.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value/decimal_number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

struct operand {
  char text[DECIMAL_TEXT];
  size_t n;
  struct number number;
};

static bool read(struct operand *x, const char *text, size_t n) {
  struct neap__error e;
  char again[DECIMAL_TEXT];
  size_t nagain;
  if (neap__decimal_parse(text, n, x->text, sizeof x->text, &x->n, &e) != 0) return false;
  check(neap__decimal_parse(x->text, x->n, again, sizeof again, &nagain, &e) == 0, "canonical text is refused");
  check(nagain == x->n && memcmp(again, x->text, x->n) == 0, "canonical text changes");
  neap__number_read(&x->number, x->text, x->n);
  check(neap__number_write(&x->number, again) == x->n && strcmp(again, x->text) == 0, "the number is another one");
  return true;
}

static void check_sums(const struct number *a, const struct number *b) {
  struct number sum, minus = *b, back;
  struct neap__error e;
  minus.negative = b->n && !b->negative;
  if (neap__number_add(&sum, a, b, &e) == 0 && neap__number_add(&back, &sum, &minus, &e) == 0)
    check(neap__number_compare(&back, a) == 0, "(a + b) - b is not a");
}

static void check_quotients(const struct number *a, const struct number *b) {
  struct number quotient, rest, product, back;
  struct neap__error e;
  if (neap__number_floor(&quotient, &rest, a, b, &e) == 0 && neap__number_multiply(&product, &quotient, b, &e) == 0 &&
      neap__number_add(&back, &product, &rest, &e) == 0)
    check(neap__number_compare(&back, a) == 0, "b * (a // b) + a % b is not a");
  neap__number_divide(&quotient, a, b, &e);
  neap__number_divide_to(&quotient, a, b, 2, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct operand a, b;
  const char *text = (const char *)data, *cut = size ? memchr(text, '\n', size) : NULL;
  size_t first = cut ? (size_t)(cut - text) : size, second = cut ? size - first - 1 : 0;
  bool both = read(&a, text, first) && cut && read(&b, cut + 1, second);
  if (!both) return 0;
  check(neap__decimal_compare(a.text, a.n, b.text, b.n) == neap__number_compare(&a.number, &b.number),
        "texts and numbers compare differently");
  check_sums(&a.number, &b.number);
  check_quotients(&a.number, &b.number);
  return 0;
}
