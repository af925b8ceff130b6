// attribute.h: attribute values as DynamoDB spells them in JSON, {"S":"text"}: their tags, their scalars, their numbers.
// What they mean to the type of a column, and lists and maps, is the store's business (store/dynamodb_value.h).
#ifndef NEAP_ATTRIBUTE_H
#define NEAP_ATTRIBUTE_H

#include "host.h"
#include "value/buffer.h"
#include "value/cell.h"

enum attribute_tag {
  ATTRIBUTE_S,
  ATTRIBUTE_N,
  ATTRIBUTE_B,
  ATTRIBUTE_BOOL,
  ATTRIBUTE_NULL,
  ATTRIBUTE_SS,
  ATTRIBUTE_NS,
  ATTRIBUTE_BS,
  ATTRIBUTE_L,
  ATTRIBUTE_M
};

// ---- Numbers ----

#define ATTRIBUTE_DIGITS 38   // significant digits that the server keeps
#define ATTRIBUTE_NUMBER 200  // room for any normal number and its NUL

// Writes the number that a text of JSON or a decimal spells as the server would keep it, ended by NUL: "1.50" as "1.5", "1E+2"
// as "100", "-0.0" as "0"; equal numbers have one text. Returns its length, or 0 with *fault what the server would refuse it
// for: more than 38 digits, a magnitude beyond 1E-130 to 9.99...E+125, no number at all.
size_t neap__attribute_number(const char *p, size_t n, char out[ATTRIBUTE_NUMBER], const char **fault);
// The same of a cell that is an INTEGER, NUMBER or DECIMAL.
size_t neap__attribute_number_of(const struct cell *cell, char out[ATTRIBUTE_NUMBER], const char **fault);

// The double nearest to a number that a text of JSON spells; false for what the server would not keep.
bool neap__attribute_double(const char *p, size_t n, double *out);

// ---- Writing ----

// Appends the attribute value of a cell as its kind tells: TEXT, DATE and DATETIME S, INTEGER, NUMBER and DECIMAL N, BYTES B,
// BOOLEAN BOOL, NULL NULL. 0, or -1 with `e` filled: limit (memory), validation (a number that the server cannot keep). JSON, NIL
// and UNLOADED may not be given.
int neap__attribute_put(struct neap__buffer *out, const struct cell *cell, struct neap__error *e);

// ---- Reading. The text may be hostile: what makes no sense is a fault, and nothing is read behind its end. ----

// A JSON text that is being read. fault: what was expected where p stands, once something is wrong; NULL at first.
struct neap__scan {
  const char *p, *end, *fault;
};

// A string where it lies, without its quotes.
struct neap__literal {
  const char *p;
  uint32_t n;
  bool escaped, high;  // holds escapes; holds bytes above 127
};

// Notes the fault (the first one counts) and gives false.
bool neap__scan_fail(struct neap__scan *s, const char *expected);
// The same when memory is short.
bool neap__scan_starve(struct neap__scan *s);
// Fills `e` with the fault, "Items[3].price makes no sense at byte 812: expected a number" (protocol), or with limit. Returns -1.
int neap__scan_error(const struct neap__scan *s, const char *start, const char *where, struct neap__error *e);
// Goes over blanks and the character c, which is one of {}[]:", or fails.
bool neap__scan_seek(struct neap__scan *s, char c);
// The same where it may be there or not.
bool neap__scan_find(struct neap__scan *s, char c);
// The same, mostly without blanks.
static inline bool neap__scan_expect(struct neap__scan *s, char c) {
  return s->p < s->end && *s->p == c ? s->p++, true : neap__scan_seek(s, c);
}
static inline bool neap__scan_accept(struct neap__scan *s, char c) {
  return s->p < s->end && *s->p == c ? s->p++, true : neap__scan_find(s, c);
}
// Goes over blanks; the character behind them, '\0' at the end.
char neap__scan_peek(struct neap__scan *s);
// Goes over blanks and a string.
bool neap__scan_string(struct neap__scan *s, struct neap__literal *out);
// Goes over blanks and any value.
bool neap__scan_skip(struct neap__scan *s);
// Goes over an attribute value up to what its tag stands for; neap__scan_expect(s, '}') is to follow that.
bool neap__scan_tag(struct neap__scan *s, enum attribute_tag *tag);
// Goes over `true`, for NULL, or `true` and `false`.
bool neap__scan_boolean(struct neap__scan *s, bool *out);
// The text of a string, checked to be UTF-8: borrowed from where it lies, or decoded behind what is in scratch. The cell's text
// moves when scratch grows.
bool neap__scan_text(struct neap__scan *s, const struct neap__literal *literal, struct cell *out,
                     struct neap__buffer *scratch);
// The number that the string of an N spells: INTEGER if it fits, NUMBER if that double prints as the same value, else DECIMAL.
bool neap__scan_number(struct neap__scan *s, const struct neap__literal *literal, struct cell *out,
                       struct neap__buffer *scratch);
// The bytes of a B, decoded behind what is in scratch.
bool neap__scan_bytes(struct neap__scan *s, const struct neap__literal *literal, struct cell *out,
                      struct neap__buffer *scratch);

#endif
