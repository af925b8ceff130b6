// decimal_number.c: add, multiply, divide and compare exact decimals of at most 1,000 digits.
#include "value/decimal_number.h"

#include <string.h>

#define QUOTIENT_DIGITS 28

#if GMP_NUMB_BITS == 64
#define CHUNK 19  // digits of a power of ten that fits a limb
#else
#define CHUNK 9
#endif

static mp_limb_t power_of_ten(int digits) {
  mp_limb_t power = 1;
  while (digits-- > 0) power *= 10;
  return power;
}

static mp_size_t trim(const mp_limb_t *limbs, mp_size_t n) {
  while (n > 0 && limbs[n - 1] == 0) n--;
  return n;
}

static void copy(struct number *out, const struct number *x) {
  out->negative = x->negative;
  out->scale = x->scale;
  out->n = x->n;
  if (x->n) mpn_copyi(out->limbs, x->limbs, x->n);
}

// Multiplies the coefficient by 10^digits and leaves the scale alone. The result must fit.
static void shift_up(struct number *x, int digits) {
  for (int step; digits > 0 && x->n > 0; digits -= step) {
    step = digits < CHUNK ? digits : CHUNK;
    mp_limb_t carry = mpn_mul_1(x->limbs, x->limbs, x->n, power_of_ten(step));
    if (carry) x->limbs[x->n++] = carry;
  }
}

// The digits of the coefficient as characters of value 0 to 9, without leading zeros; their number, 0 for zero.
static size_t digits_of(const struct number *x, unsigned char *digits) {
  mp_limb_t scratch[NUMBER_LIMBS + 1];  // mpn_get_str destroys what it reads
  if (x->n == 0) return 0;
  mpn_copyi(scratch, x->limbs, x->n);
  size_t n = mpn_get_str(digits, 10, scratch, x->n), zeros = 0;
  while (digits[zeros] == 0) zeros++;
  memmove(digits, digits + zeros, n - zeros);
  return n - zeros;
}

static int count_digits(const struct number *x) {
  unsigned char digits[DECIMAL_DIGITS + DECIMAL_EXPONENT + 128];
  return (int)digits_of(x, digits);
}

static int too_long(struct neap__error *e) {
  return neap__error_set(e, NEAP_VALIDATION,
                         "the result has more digits than a decimal keeps (%d, of them %d after the point)",
                         DECIMAL_DIGITS, DECIMAL_EXPONENT);
}

// The last step of each operation: no negative zero, no result beyond the limits.
static int finish(struct number *x, struct neap__error *e) {
  x->n = trim(x->limbs, x->n);
  if (x->n == 0) x->negative = false;
  if (x->scale > DECIMAL_EXPONENT) return too_long(e);
  if (x->n && mpn_sizeinbase(x->limbs, x->n, 10) > DECIMAL_DIGITS && count_digits(x) > DECIMAL_DIGITS)
    return too_long(e);
  return 0;
}

// ---- Text ----

void neap__number_read(struct number *x, const char *text, size_t n) {
  unsigned char digits[DECIMAL_TEXT];
  size_t count = 0;
  x->scale = 0;
  x->negative = n > 0 && text[0] == '-';
  for (size_t i = x->negative; i < n; i++) {
    if (text[i] == '.')
      x->scale = (int)(n - i - 1);
    else if (count > 0 || text[i] != '0')
      digits[count++] = (unsigned char)(text[i] - '0');
  }
  x->n = count ? trim(x->limbs, mpn_set_str(x->limbs, digits, count, 10)) : 0;
}

void neap__number_integer(struct number *x, int64_t i) {
  uint64_t size = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
  *x = (struct number){.negative = i < 0};
  for (; size; size = GMP_NUMB_BITS < 64 ? size >> (GMP_NUMB_BITS % 64) : 0) x->limbs[x->n++] = (mp_limb_t)size;
}

size_t neap__number_write(const struct number *x, char out[DECIMAL_TEXT]) {
  unsigned char digits[DECIMAL_DIGITS + 8];
  int n = (int)digits_of(x, digits), scale = x->scale;
  char *p = out;
  if (x->negative) *p++ = '-';
  if (n <= scale) *p++ = '0';
  for (int i = 0; i < n - scale; i++) *p++ = (char)('0' + digits[i]);
  if (scale > 0) *p++ = '.';
  for (int i = n - scale; i < n; i++) *p++ = (char)(i < 0 ? '0' : '0' + digits[i]);
  *p = '\0';
  return (size_t)(p - out);
}

// ---- Sums ----

static int compare_size(const struct number *a, const struct number *b) {
  if (a->n != b->n) return a->n < b->n ? -1 : 1;
  int order = a->n ? mpn_cmp(a->limbs, b->limbs, a->n) : 0;
  return (order > 0) - (order < 0);
}

// The operands with one scale, the larger of theirs.
static void align(struct number *x, struct number *y, const struct number *a, const struct number *b) {
  copy(x, a);
  copy(y, b);
  shift_up(x, b->scale - a->scale);
  shift_up(y, a->scale - b->scale);
  x->scale = y->scale = a->scale > b->scale ? a->scale : b->scale;
}

int neap__number_compare(const struct number *a, const struct number *b) {
  struct number x, y;
  if (a->negative != b->negative) return a->negative ? -1 : 1;
  align(&x, &y, a, b);
  return a->negative ? compare_size(&y, &x) : compare_size(&x, &y);
}

int neap__number_add(struct number *out, const struct number *a, const struct number *b, struct neap__error *e) {
  struct number x, y;
  align(&x, &y, a, b);
  const struct number *large = compare_size(&x, &y) >= 0 ? &x : &y, *small = large == &x ? &y : &x;
  copy(out, large);
  if (small->n == 0) return finish(out, e);
  if (large->negative != small->negative) {
    mpn_sub(out->limbs, large->limbs, large->n, small->limbs, small->n);
  } else {
    mp_limb_t carry = mpn_add(out->limbs, large->limbs, large->n, small->limbs, small->n);
    if (carry) out->limbs[out->n++] = carry;
  }
  return finish(out, e);
}

// ---- Products and quotients ----

int neap__number_multiply(struct number *out, const struct number *a, const struct number *b, struct neap__error *e) {
  const struct number *large = a->n >= b->n ? a : b, *small = large == a ? b : a;
  out->negative = a->negative != b->negative;
  out->scale = a->scale + b->scale;
  out->n = small->n ? large->n + small->n : 0;
  if (small->n) mpn_mul(out->limbs, large->limbs, large->n, small->limbs, small->n);
  return finish(out, e);
}

// The whole part of |x| / |y|, and the rest in x. y is not zero.
static void divide_sizes(struct number *quotient, struct number *x, const struct number *y) {
  mp_limb_t rest[NUMBER_LIMBS];
  quotient->n = 0;
  if (x->n < y->n) return;
  mpn_tdiv_qr(quotient->limbs, rest, 0, x->limbs, x->n, y->limbs, y->n);
  quotient->n = trim(quotient->limbs, x->n - y->n + 1);
  x->n = trim(rest, y->n);
  if (x->n) mpn_copyi(x->limbs, rest, x->n);
}

static void add_one(struct number *x) {
  x->limbs[x->n] = 0;
  x->n++;
  mpn_add_1(x->limbs, x->limbs, x->n, 1);
  x->n = trim(x->limbs, x->n);
}

// a * 10^up / b, half to even, as a whole number in out; the scale is the caller's. True if nothing was lost.
static bool divide_half_even(struct number *out, const struct number *a, const struct number *b, int up) {
  struct number x, y;
  copy(&x, a);
  copy(&y, b);
  shift_up(&x, up);
  shift_up(&y, -up);
  divide_sizes(out, &x, &y);
  out->negative = a->negative != b->negative;
  if (x.n == 0) return true;
  mp_limb_t carry = mpn_lshift(x.limbs, x.limbs, x.n, 1);
  if (carry) x.limbs[x.n++] = carry;
  int half = compare_size(&x, &y);
  if (half > 0 || (half == 0 && out->n && (out->limbs[0] & 1))) add_one(out);
  return false;
}

static int check_divisor(const struct number *b, struct neap__error *e) {
  return b->n ? 0 : neap__error_set(e, NEAP_VALIDATION, "a decimal is divided by zero");
}

// Takes zeros from the end while more than `scale` digits stand after the point.
static void strip_zeros(struct number *x, int scale) {
  struct number shorter;
  while (x->scale > scale) {
    if (x->n == 0) {
      x->scale = scale;
      return;
    }
    mp_limb_t rest = mpn_divrem_1(shorter.limbs, 0, x->limbs, x->n, 10);
    if (rest) return;
    x->n = trim(shorter.limbs, x->n);
    mpn_copyi(x->limbs, shorter.limbs, x->n);
    x->scale--;
  }
}

int neap__number_divide(struct number *out, const struct number *a, const struct number *b, struct neap__error *e) {
  if (check_divisor(b, e) != 0) return -1;
  int up = QUOTIENT_DIGITS - count_digits(a) + count_digits(b);
  bool exact = divide_half_even(out, a, b, up);
  if (count_digits(out) > QUOTIENT_DIGITS) exact = divide_half_even(out, a, b, --up);
  out->scale = a->scale - b->scale + up;
  if (exact) strip_zeros(out, a->scale > b->scale ? a->scale - b->scale : 0);
  if (out->scale < 0) {
    shift_up(out, -out->scale);
    out->scale = 0;
  }
  return finish(out, e);
}

int neap__number_divide_to(struct number *out, const struct number *a, const struct number *b, int scale,
                           struct neap__error *e) {
  if (check_divisor(b, e) != 0) return -1;
  int up = scale - a->scale + b->scale, digits = count_digits(a) + up - count_digits(b);
  if (a->n == 0 || digits < -1)
    out->n = 0;  // surely below a half of the last digit
  else if (digits > DECIMAL_DIGITS + 1)
    return too_long(e);
  else
    divide_half_even(out, a, b, up);
  out->negative = a->negative != b->negative;
  out->scale = scale;
  return finish(out, e);
}

int neap__number_floor(struct number *quotient, struct number *rest, const struct number *a, const struct number *b,
                       struct neap__error *e) {
  struct number y, sum;
  if (check_divisor(b, e) != 0) return -1;
  align(rest, &y, a, b);
  divide_sizes(quotient, rest, &y);
  quotient->negative = a->negative != b->negative;
  quotient->scale = 0;
  if (rest->n && quotient->negative) {  // the whole part was cut towards zero: one further down
    add_one(quotient);
    rest->negative = a->negative;
    if (neap__number_add(&sum, rest, &y, e) != 0) return -1;
    copy(rest, &sum);
  }
  return finish(quotient, e) != 0 ? -1 : finish(rest, e);
}
