// json_number.c: numbers as JSON writes them. No digit is lost: what a double would round becomes a decimal.
// Doubles print as the shortest digits that read back (Steele and White, "How to print floating-point numbers
// accurately").
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "value/json.h"

#define UNIQUE 1000000000000000u  // 10^15: no two decimals of up to 15 digits round to one normal double
#define DIGITS 17                 // no double needs more
#define FAR 100000                // exponents beyond are all the same: too large

// Powers of ten that are exact in a double.
static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// A value as its significant digits, without zeros at either end: 0.d1d2... times 10 to the power `point`.
struct digits {
  char d[DIGITS + 1];
  int n, point;
};

// A literal taken apart. `exponent` counts from the end of all digits (integer and fraction together).
struct literal {
  const char *whole, *fraction;
  int nwhole, nfraction, exponent;
  bool negative, integer;
};

static bool is_digit(const char *p, const char *end) {
  return p < end && (unsigned char)(*p - '0') < 10;
}

static const char *skip_digits(const char *p, const char *end) {
  while (is_digit(p, end)) p++;
  return p;
}

// The exponent is cut at FAR: from there on nothing fits anyway, and an int must not overflow.
static const char *read_exponent(const char *p, const char *end, int *exponent) {
  bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (!is_digit(p, end)) return NULL;
  int value = 0;
  for (; is_digit(p, end); p++)
    if (value < FAR) value = value * 10 + (*p - '0');
  *exponent = negative ? -value : value;
  return p;
}

// The grammar of RFC 8259: no leading zeros, digits on both sides of a point.
static const char *read_literal(const char *p, const char *end, struct literal *l) {
  l->negative = p < end && *p == '-';
  l->whole = p += l->negative;
  if (!is_digit(p, end)) return NULL;
  p = *p == '0' ? p + 1 : skip_digits(p, end);
  if (p - l->whole > INT32_MAX / 4) return NULL;
  l->nwhole = (int)(p - l->whole);
  l->fraction = p;
  l->nfraction = l->exponent = 0;
  l->integer = true;
  if (p < end && *p == '.') {
    l->fraction = ++p;
    p = skip_digits(p, end);
    if (p == l->fraction || p - l->fraction > INT32_MAX / 4) return NULL;
    l->nfraction = (int)(p - l->fraction);
    l->integer = false;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    l->integer = false;
    p = read_exponent(p + 1, end, &l->exponent);
  }
  return p;
}

// Digits are counted over the point.
static char literal_digit(const struct literal *l, int i) {
  return i < l->nwhole ? l->whole[i] : l->fraction[i - l->nwhole];
}

// The significant digits of a literal lie in first <= i < last.
static void literal_bounds(const struct literal *l, int *first, int *last) {
  *first = 0;
  *last = l->nwhole + l->nfraction;
  while (*first < *last && literal_digit(l, *first) == '0') ++*first;
  while (*last > *first && literal_digit(l, *last - 1) == '0') --*last;
}

// The double nearest to the digits. Their text has no point, so the locale does not matter.
static double digits_double(const struct digits *s) {
  char text[DIGITS + 16];
  snprintf(text, sizeof text, "%.*se%d", s->n, s->d, s->point - s->n);
  return strtod(text, NULL);
}

// Trailing zeros tell nothing: the value is 0.d1d2... times a power of ten.
static void digits_trim(struct digits *s) {
  while (s->n > 1 && s->d[s->n - 1] == '0') s->n--;
}

// Reads what "%.*e" wrote; the character of the locale's point is skipped.
static void digits_scan(struct digits *s, const char *text) {
  s->n = 0;
  for (; *text != 'e'; text++)
    if ((unsigned char)(*text - '0') < 10) s->d[s->n++] = *text;
  s->point = atoi(text + 1) + 1;
}

// The next number of as many digits.
static void digits_increment(struct digits *s) {
  int i = s->n - 1;
  while (i >= 0 && s->d[i] == '9') s->d[i--] = '0';
  if (i >= 0)
    s->d[i]++;
  else
    s->d[0] = '1', s->point++;
}

// d with a fraction, below 10^15: the common case, without snprintf.
static bool shortest_quick(double d, uint64_t *mantissa, int *scale) {
  for (int k = 0; k < 23; k++) {
    double scaled = rint(d * tens[k]);
    if (scaled >= (double)UNIQUE) return false;
    if (scaled / tens[k] == d) {
      *mantissa = (uint64_t)scaled;
      *scale = k;
      return true;
    }
  }
  return false;
}

// The shortest digits that read back as d, finite and above 0.
static void shortest(double d, struct digits *s) {
  uint64_t mantissa;
  int scale;
  if (shortest_quick(d, &mantissa, &scale)) {
    s->n = snprintf(s->d, sizeof s->d, "%llu", (unsigned long long)mantissa);
    s->point = s->n - scale;
    digits_trim(s);
    return;
  }
  // Below the normal doubles fewer than 15 digits can tell them apart.
  for (int precision = d < 2.3e-308 ? 1 : 15; precision <= DIGITS; precision++) {
    char text[64];
    snprintf(text, sizeof text, "%.*e", precision - 1, d);
    digits_scan(s, text);
    if (digits_double(s) == d) break;
    // Above a power of two the doubles lie wider than below it: the digits above may read back where the nearest do
    // not.
    struct digits above = *s;
    digits_increment(&above);
    if (precision < DIGITS && digits_double(&above) == d) {
      *s = above;
      break;
    }
  }
  digits_trim(s);
}

// NUMBER if the double nearest to the literal prints as the same value, else DECIMAL.
static void classify(const struct literal *l, struct cell *out) {
  int first, last;
  literal_bounds(l, &first, &last);
  out->kind = CELL_DECIMAL;
  if (first == last) {
    out->kind = CELL_NUMBER;
    out->d = l->negative ? -0.0 : 0.0;
    return;
  }
  if (last - first > DIGITS) return;
  struct digits given = {.n = last - first, .point = l->nwhole + l->exponent - first}, printed;
  for (int i = first; i < last; i++) given.d[i - first] = literal_digit(l, i);
  double d = digits_double(&given);
  if (d == 0 || isinf(d)) return;
  shortest(d, &printed);
  if (printed.n != given.n || printed.point != given.point || memcmp(printed.d, given.d, (size_t)given.n) != 0) return;
  out->kind = CELL_NUMBER;
  out->d = l->negative ? -d : d;
}

// An integer of up to 19 digits, if it fits.
static bool fits_integer(const struct literal *l, int64_t *out) {
  if (l->nwhole > 19) return false;
  uint64_t value = 0;
  for (int i = 0; i < l->nwhole; i++) value = value * 10 + (uint64_t)(l->whole[i] - '0');
  if (value > (uint64_t)INT64_MAX + l->negative) return false;
  *out = l->negative ? (int64_t)(0 - value) : (int64_t)value;
  return true;
}

// A literal of up to 15 digits and a moderate exponent: one exact division or product.
static bool quick_number(const struct literal *l, double *out) {
  int exponent = l->exponent - l->nfraction;
  if (l->nwhole + l->nfraction > 15 || exponent < -22 || exponent > 22) return false;
  uint64_t value = 0;
  for (int i = 0; i < l->nwhole; i++) value = value * 10 + (uint64_t)(l->whole[i] - '0');
  for (int i = 0; i < l->nfraction; i++) value = value * 10 + (uint64_t)(l->fraction[i] - '0');
  double d = exponent < 0 ? (double)value / tens[-exponent] : (double)value * tens[exponent];
  *out = l->negative ? -d : d;
  return true;
}

const char *neap__json_number(const char *p, const char *end, struct cell *out) {
  struct literal l;
  const char *after = read_literal(p, end, &l);
  if (after == NULL || after - p > UINT32_MAX) return NULL;
  if (l.integer && fits_integer(&l, &out->i)) {
    out->kind = CELL_INTEGER;
  } else if (quick_number(&l, &out->d)) {
    out->kind = CELL_NUMBER;
  } else {
    classify(&l, out);
    if (out->kind == CELL_DECIMAL) out->p = p;
  }
  out->n = (uint32_t)(after - p);
  return after;
}

// Both give where to go on.
static char *put(char *to, const char *p, int n) {
  memcpy(to, p, (size_t)n);
  return to + n;
}

static char *put_zeros(char *to, int n) {
  memset(to, '0', (size_t)n);
  return to + n;
}

// Digits with their point, zeros filled in where it lies outside: "0.001", "1200.0".
static size_t write_plain(const struct digits *s, char *out) {
  char *to = out;
  if (s->point <= 0) {
    to = put_zeros(put(to, "0.", 2), -s->point);
    to = put(to, s->d, s->n);
  } else if (s->point >= s->n) {
    to = put_zeros(put(to, s->d, s->n), s->point - s->n);
    to = put(to, ".0", 2);
  } else {
    to = put(put(to, s->d, s->point), ".", 1);
    to = put(to, s->d + s->point, s->n - s->point);
  }
  return (size_t)(to - out);
}

// "1.5e-07", as other languages write it too.
static size_t write_exponent(const struct digits *s, char *out) {
  char *to = out;
  *to++ = s->d[0];
  if (s->n > 1) to = put(put(to, ".", 1), s->d + 1, s->n - 1);
  return (size_t)(to - out) + (size_t)sprintf(to, "e%+03d", s->point - 1);
}

// Plain up to 16 digits before the point and 3 zeros behind it, as people would write it.
size_t neap__json_double(double d, char out[32]) {
  size_t sign = signbit(d) ? 1 : 0;
  out[0] = '-';
  struct digits s = {.d = "0", .n = 1, .point = 1};
  if (d != 0) shortest(fabs(d), &s);
  if (s.point < -3 || s.point > 16) return sign + write_exponent(&s, out + sign);
  return sign + write_plain(&s, out + sign);
}
