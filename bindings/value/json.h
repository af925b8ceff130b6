// json.h: JSON text to Lua values and back, exactly, and a way to look into JSON text without building tables.
// Syntax: RFC 8259, stricter: UTF-8 only, no lone surrogates, no duplicate keys.
#ifndef NEAP_JSON_H
#define NEAP_JSON_H

#include "host.h"
#include "value/buffer.h"
#include "value/cell.h"

#define NEAP_JSON_DEPTH 100  // how deep containers nest unless the caller says otherwise

// ---- Text to Lua values (json_read.c) ----

// Pushes the value of a whole JSON text, in one go. A list is marked as an array, an empty object as an object, null is
// neap.null. depth: the deepest nesting allowed, 1 to NEAP_JSON_DEPTH. -1: `e` (validation) says what is wrong and
// where, and nothing is pushed. Raises only when memory is short.
int neap__json_push(lua_State *L, const char *p, size_t n, int depth, struct neap__error *e);

// The same of a cell's text, of any store: marked text and lists are bytes and sets.
int neap__json_push_marked(lua_State *L, const char *p, size_t n, struct neap__error *e);

// ---- Lua values to text (json_write.c) ----

// Appends the JSON text of the value at idx. -1: `e` (validation) names what cannot be written and where it is. Lua may
// raise (memory, a __json hook), so the buffer belongs in a userdata (neap__buffer_push).
//
// A userdata or table whose metatable holds a C function __json writes itself: hook(value) returns either a plain value
// that is written in its place, or JSON text and true.
int neap__json_write(lua_State *L, int idx, struct neap__buffer *out, struct neap__error *e);
// The same, into a string that is pushed. On -1 nothing is pushed.
int neap__json_encode(lua_State *L, int idx, struct neap__error *e);
// The same with bytes and sets marked (NEAP_JSON_MARK).
int neap__json_encode_marked(lua_State *L, int idx, struct neap__error *e);

// Appends the text in quotes, escaped; it is not looked at whether it is UTF-8. *high (may be NULL) becomes true if it holds
// bytes above 127. 0, or -1 when memory is short.
int neap__json_quote(struct neap__buffer *out, const char *p, size_t n, bool *high);

// ---- Numbers (json_number.c) ----

// Reads the JSON number that starts at p: INTEGER if it is written as one and fits 64 bits, else NUMBER if that double
// prints as the same value, else DECIMAL, whose p and n are the literal (neap__decimal_parse makes it canonical).
// Returns what follows it, or NULL if it is none.
const char *neap__json_number(const char *p, const char *end, struct cell *out);

// Writes the shortest text that reads back as the finite double d, with a point or an exponent. Returns its length.
size_t neap__json_double(double d, char out[32]);

// ---- Looking into text (json_scan.c). The text may be hostile: what makes no sense is not found, never a fault. ----

// One step of a path: a key where an object is found, an index from 0 where a list is. NULL, or -1, matches none.
struct neap__json_step {
  const char *key;
  size_t len;
  int64_t index;
};

// A piece of JSON text: one value without the blanks around it.
struct neap__json_slice {
  const char *p;
  size_t n;
};

// Finds the value at the end of a path. false if there is none.
bool neap__json_find(const char *p, size_t n, const struct neap__json_step *steps, int count,
                     struct neap__json_slice *out);

// Goes through the elements of a list, or the members of an object (then key holds the literal with its quotes):
//   struct neap__json_each it = neap__json_each(p, n);
//   while (neap__json_next(&it)) use(it.value);
// A text that is no container has no elements.
struct neap__json_each {
  const char *p, *end;
  char close;  // ']' or '}', 0 once at the end
  struct neap__json_slice key, value;
};
struct neap__json_each neap__json_each(const char *p, size_t n);
bool neap__json_next(struct neap__json_each *it);

// The cell of a value: NULL, BOOLEAN, INTEGER, NUMBER, DECIMAL, TEXT, or JSON for a container. What is not borrowed
// from the text (escaped strings, decimals with exponents) is appended to scratch, which must then live as long as the
// cell. -1 if the text is no JSON value or memory is short.
int neap__json_scalar(const char *p, size_t n, struct cell *out, struct neap__buffer *scratch);

// Equal by structure: the order of keys does not count, that of elements does; numbers compare by value.
bool neap__json_equal(const char *a, size_t na, const char *b, size_t nb);

// ---- Shared by the files of JSON ----

// What JSON has no type for in an untyped place: a string behind this blank is bytes in base64, a list behind it a set. To others it
// is a blank.
#define NEAP_JSON_MARK "\t\r"

// Whether the value at p, in a text that starts at `start`, is marked so.
static inline bool neap__json_marked(const char *start, const char *p) {
  return p - start >= 2 && p[-1] == '\r' && p[-2] == '\t';
}

// A value of that text with its mark.
static inline struct neap__json_slice neap__json_with_mark(const char *start, struct neap__json_slice value) {
  size_t n = neap__json_marked(start, value.p) ? strlen(NEAP_JSON_MARK) : 0;
  return (struct neap__json_slice){value.p - n, value.n + n};
}

// Eight bytes of a string at once: does one of them end its plain part (a quote, a backslash, a control character)?
// After Mycroft's test for a zero byte. Anded with NEAP_JSON_HIGH they tell whether one is above 127.
#define NEAP_JSON_ALL(c) (UINT64_C(0x0101010101010101) * (c))
#define NEAP_JSON_HIGH NEAP_JSON_ALL(0x80)

static inline bool neap__json_special(uint64_t x) {
  uint64_t quote = x ^ NEAP_JSON_ALL('"'), backslash = x ^ NEAP_JSON_ALL('\\');
  uint64_t found = ((quote - NEAP_JSON_ALL(1)) & ~quote) | ((backslash - NEAP_JSON_ALL(1)) & ~backslash) |
                   ((x - NEAP_JSON_ALL(0x20)) & ~x);
  return (found & NEAP_JSON_HIGH) != 0;
}

// The end of the plain part of a string: the first quote, backslash or control character at or behind p, or end.
// *high is set if it holds bytes above 127.
const char *neap__json_plain(const char *p, const char *end, bool *high);
// Decodes the escape sequence at p (a backslash) into out, 1 to 4 bytes. Returns what follows, or NULL if it is wrong
// (unknown, cut, a lone surrogate).
const char *neap__json_escape(const char *p, const char *end, char out[4], int *len);

#endif
