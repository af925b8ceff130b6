// decimal_number.h: the arithmetic under decimals. Only GMP's mpn_* layer, on limbs that live on the C stack: the layers
// above it abort the process when a number is too large or memory is short.
#ifndef NEAP_DECIMAL_NUMBER_H
#define NEAP_DECIMAL_NUMBER_H

#include <gmp.h>

#include "value/decimal.h"

// Room for a coefficient that is brought to the scale of another one: 1,000 and 6,144 digits.
#define NUMBER_LIMBS ((DECIMAL_DIGITS + DECIMAL_EXPONENT + 64) * 10 / 3 / GMP_NUMB_BITS + 2)

// The value is +-limbs / 10^scale. The most significant limb is not 0; zero has no limbs and is never negative.
struct number {
  bool negative;
  int scale;
  mp_size_t n;
  mp_limb_t limbs[NUMBER_LIMBS];
};

// From canonical text.
void neap__number_read(struct number *x, const char *text, size_t n);
void neap__number_integer(struct number *x, int64_t i);
// Canonical text, ended by NUL; its length.
size_t neap__number_write(const struct number *x, char out[DECIMAL_TEXT]);
int neap__number_compare(const struct number *a, const struct number *b);

// Each gives 0, or -1 with `e` filled (validation: too many digits, division by zero). `out` is none of the operands.
int neap__number_add(struct number *out, const struct number *a, const struct number *b, struct neap__error *e);
int neap__number_multiply(struct number *out, const struct number *a, const struct number *b, struct neap__error *e);
// 28 significant digits, half to even; an exact quotient is as short as the operands' scales allow.
int neap__number_divide(struct number *out, const struct number *a, const struct number *b, struct neap__error *e);
// `scale` digits after the point, half to even.
int neap__number_divide_to(struct number *out, const struct number *a, const struct number *b, int scale,
                           struct neap__error *e);
// Rounded down, as Lua's // does, and what is left (of the sign of b).
int neap__number_floor(struct number *quotient, struct number *rest, const struct number *a, const struct number *b,
                       struct neap__error *e);

#endif
