// text.h: UTF-8, ASCII folding, regular expressions and nearest names over byte slices. Nothing here needs a NUL at the end.
#ifndef NEAP_TEXT_H
#define NEAP_TEXT_H

#include "host.h"

// Valid UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF)? *bad, if given, is the offset of the first fault.
bool neap__text_utf8(const char *p, size_t n, size_t *bad);
// Characters in valid UTF-8.
size_t neap__text_length(const char *p, size_t n);

// ---- Comparing and searching. The *_fold ones take A-Z and a-z as the same and leave all other bytes as they are. ----

int neap__text_compare(const char *a, size_t na, const char *b, size_t nb);  // by bytes: -1, 0, 1
bool neap__text_equal_fold(const char *a, size_t na, const char *b, size_t nb);
bool neap__text_prefix(const char *p, size_t n, const char *part, size_t npart);
bool neap__text_prefix_fold(const char *p, size_t n, const char *part, size_t npart);
bool neap__text_suffix(const char *p, size_t n, const char *part, size_t npart);
bool neap__text_suffix_fold(const char *p, size_t n, const char *part, size_t npart);
bool neap__text_contains(const char *p, size_t n, const char *part, size_t npart);
bool neap__text_contains_fold(const char *p, size_t n, const char *part, size_t npart);

// ---- Regular expressions: PCRE2 in UTF mode, compiled patterns kept in a small cache ----

// Owned by one thread at a time. A SQLite connection has one of its own; code with a Lua state at hand uses regexes_of.
struct neap__regexes;
struct neap__regexes *neap__regexes_new(void);  // NULL: memory is short
void neap__regexes_free(struct neap__regexes *);
// The cache of this Lua state, made when first asked for. Raises only when memory is short.
struct neap__regexes *neap__regexes_of(lua_State *L);
// 1: the pattern matches somewhere in the text; 0: it does not. -1 with `e` filled: `query` for a bad pattern (says where),
// `limit` when matching takes too many steps (it never hangs). Text that is not UTF-8 does not match.
int neap__regex_match(struct neap__regexes *, const char *pattern, size_t npattern, const char *text, size_t n,
                      struct neap__error *e);
// Compiles only: 0, or -1 with `e` filled.
int neap__regex_check(struct neap__regexes *, const char *pattern, size_t npattern, struct neap__error *e);

// ---- "Did you mean" ----

// The nearest of the names offered so far, by Damerau-Levenshtein distance without case.
//   struct neap__nearest near = neap__nearest_to(name, n); for (...) neap__nearest_offer(&near, candidate); near.best
struct neap__nearest {
  const char *name, *best;  // best: NULL while none is near enough (a third of the letters, at least one)
  size_t n;
  int distance;
};
struct neap__nearest neap__nearest_to(const char *name, size_t n);
void neap__nearest_offer(struct neap__nearest *, const char *candidate);
// The same over an array of `count` names.
const char *neap__text_nearest(const char *name, size_t n, const char *const *names, size_t count);

#endif
