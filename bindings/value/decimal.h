// decimal.h: exact decimals: a sign, at most 1,000 digits and a scale (digits after the point) that is kept: 1.10 is not
// shortened. Canonical text has no exponent, no plus and no leading zeros: "-12.50", "0.00".
#ifndef NEAP_DECIMAL_H
#define NEAP_DECIMAL_H

#include "host.h"

#define DECIMAL_DIGITS 1000                  // significant digits
#define DECIMAL_EXPONENT 6144                // of the power of ten in text, either way; also the largest scale
#define DECIMAL_TEXT (DECIMAL_EXPONENT + 8)  // room for any canonical text and its NUL

// Pushes a decimal from text; -1, and pushes nothing, if the text is none.
int neap__decimal_push(lua_State *L, const char *text, size_t n);
bool neap__decimal_test(lua_State *L, int idx);
// Canonical text; pushes the string that anchors it.
const char *neap__decimal_text(lua_State *L, int idx, size_t *n);
// Compares the numbers that two texts spell (decimals or integers): -1, 0, 1. Exact, without allocation. A text that is no
// number sorts after all numbers, by bytes, so that this is a total order on any text.
int neap__decimal_compare(const char *a, size_t na, const char *b, size_t nb);
// Checks text ("1.10", "+5", "12e-3") and writes it canonically, ended by NUL. 0, or -1 with `e` filled (validation).
int neap__decimal_parse(const char *text, size_t n, char *out, size_t outsize, size_t *outn, struct neap__error *e);

#endif
