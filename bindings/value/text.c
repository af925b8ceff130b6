// text.c: UTF-8, ASCII folding, regular expressions and nearest names over byte slices.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"
#include "value/text.h"

// ---- UTF-8 ----

bool neap__text_utf8(const char *p, size_t n, size_t *bad) {
  const unsigned char *s = (const unsigned char *)p;
  size_t i = 0;
  while (i < n) {
    uint64_t word;
    if (n - i >= 8 && (memcpy(&word, s + i, 8), (word & UINT64_C(0x8080808080808080)) == 0)) {
      i += 8;  // eight ASCII characters at once
      continue;
    }
    size_t len = neap__utf8_character(s + i, n - i);
    if (len == 0) {
      if (bad) *bad = i;
      return false;
    }
    i += len;
  }
  return true;
}

size_t neap__text_length(const char *p, size_t n) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++) count += ((unsigned char)p[i] & 0xC0) != 0x80;
  return count;
}

// ---- Comparing and searching ----

static unsigned char fold(char c) {
  return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

// memcmp does not take NULL, which an empty slice may be.
static bool same(const char *a, const char *b, size_t n) {
  return n == 0 || memcmp(a, b, n) == 0;
}

static bool same_fold(const char *a, const char *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (fold(a[i]) != fold(b[i])) return false;
  return true;
}

int neap__text_compare(const char *a, size_t na, const char *b, size_t nb) {
  size_t n = na < nb ? na : nb;
  int order = n ? memcmp(a, b, n) : 0;
  if (order == 0) return (na > nb) - (na < nb);
  return order < 0 ? -1 : 1;
}

bool neap__text_equal_fold(const char *a, size_t na, const char *b, size_t nb) {
  return na == nb && same_fold(a, b, na);
}

bool neap__text_prefix(const char *p, size_t n, const char *part, size_t npart) {
  return npart <= n && same(p, part, npart);
}

bool neap__text_prefix_fold(const char *p, size_t n, const char *part, size_t npart) {
  return npart <= n && same_fold(p, part, npart);
}

bool neap__text_suffix(const char *p, size_t n, const char *part, size_t npart) {
  return npart == 0 || (npart <= n && same(p + n - npart, part, npart));
}

bool neap__text_suffix_fold(const char *p, size_t n, const char *part, size_t npart) {
  return npart == 0 || (npart <= n && same_fold(p + n - npart, part, npart));
}

bool neap__text_contains(const char *p, size_t n, const char *part, size_t npart) {
  return npart == 0 || (npart <= n && memmem(p, n, part, npart) != NULL);
}

bool neap__text_contains_fold(const char *p, size_t n, const char *part, size_t npart) {
  if (npart == 0) return true;
  for (size_t i = 0; i + npart <= n; i++)
    if (fold(p[i]) == fold(part[0]) && same_fold(p + i, part, npart)) return true;
  return false;
}

// ---- Regular expressions ----

#define CACHE 32             // compiled patterns that are kept
#define PATTERN_MAX 65536    // bytes of a pattern
#define MATCH_STEPS 1000000  // a pattern that backtracks more than this is given up: some 50 ms
#define MATCH_HEAP 16384     // KiB

struct pattern {
  char *text;
  size_t n;
  pcre2_code *code;
  uint64_t used;  // when it was last asked for
};

struct neap__regexes {
  pcre2_compile_context *compile;
  pcre2_match_context *context;
  pcre2_match_data *data;
  uint64_t clock;
  struct pattern patterns[CACHE];
};

struct neap__regexes *neap__regexes_new(void) {
  struct neap__regexes *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->compile = pcre2_compile_context_create(NULL);
  r->context = pcre2_match_context_create(NULL);
  r->data = pcre2_match_data_create(1, NULL);
  if (!r->compile || !r->context || !r->data) {
    neap__regexes_free(r);
    return NULL;
  }
  pcre2_set_max_pattern_length(r->compile, PATTERN_MAX);
  pcre2_set_match_limit(r->context, MATCH_STEPS);
  pcre2_set_heap_limit(r->context, MATCH_HEAP);
  return r;
}

static void pattern_free(struct pattern *p) {
  pcre2_code_free(p->code);
  free(p->text);
  *p = (struct pattern){0};
}

void neap__regexes_free(struct neap__regexes *r) {
  if (!r) return;
  for (int i = 0; i < CACHE; i++) pattern_free(&r->patterns[i]);
  pcre2_match_data_free(r->data);
  pcre2_match_context_free(r->context);
  pcre2_compile_context_free(r->compile);
  free(r);
}

// Compiles into the slot that was not used for longest.
static struct pattern *pattern_add(struct neap__regexes *r, const char *text, size_t n, struct neap__error *e) {
  struct pattern *p = &r->patterns[0], fresh = {.n = n};
  int code;
  size_t at;
  for (int i = 1; i < CACHE; i++)
    if (r->patterns[i].used < p->used) p = &r->patterns[i];
  fresh.code = pcre2_compile((PCRE2_SPTR)text, n, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, r->compile);
  if (!fresh.code) {
    char why[120] = "";
    pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
    neap__error_set(e, NEAP_QUERY, "the regular expression %s is wrong at offset %zu: %s",
                    neap__show_text(text, n).text, at, why);
    return NULL;
  }
  fresh.text = malloc(n + 1);
  if (!fresh.text) {
    pattern_free(&fresh);
    neap__error_set(e, NEAP_LIMIT, "memory is too short for a regular expression");
    return NULL;
  }
  if (n) memcpy(fresh.text, text, n);
  pattern_free(p);
  *p = fresh;
  return p;
}

static struct pattern *pattern_of(struct neap__regexes *r, const char *text, size_t n, struct neap__error *e) {
  struct pattern *p = NULL;
  for (int i = 0; i < CACHE && !p; i++)
    if (r->patterns[i].code && r->patterns[i].n == n && same(r->patterns[i].text, text, n)) p = &r->patterns[i];
  if (!p) p = pattern_add(r, text, n, e);
  if (p) p->used = ++r->clock;
  return p;
}

int neap__regex_check(struct neap__regexes *r, const char *pattern, size_t npattern, struct neap__error *e) {
  return pattern_of(r, pattern, npattern, e) ? 0 : -1;
}

int neap__regex_match(struct neap__regexes *r, const char *pattern, size_t npattern, const char *text, size_t n,
                      struct neap__error *e) {
  struct pattern *p = pattern_of(r, pattern, npattern, e);
  if (!p) return -1;
  int rc = pcre2_match(p->code, (PCRE2_SPTR)(text ? text : ""), n, 0, 0, r->data, r->context);
  if (rc >= 0) return 1;
  if (rc == PCRE2_ERROR_NOMATCH || (rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21)) return 0;
  char why[120] = "";
  pcre2_get_error_message(rc, (PCRE2_UCHAR *)why, sizeof why);
  return neap__error_set(e, NEAP_LIMIT, "the regular expression %s was given up on a text of %zu bytes: %s",
                         neap__show_text(pattern, npattern).text, n, why);
}

static int regexes_gc(lua_State *L) {
  struct neap__regexes **box = lua_touserdata(L, 1);
  neap__regexes_free(*box);
  *box = NULL;
  return 0;
}

struct neap__regexes *neap__regexes_of(lua_State *L) {
  static const char key = 0;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) {
    lua_pop(L, 1);
    *(struct neap__regexes **)lua_newuserdatauv(L, sizeof(void *), 0) = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, regexes_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  }
  struct neap__regexes **box = lua_touserdata(L, -1);
  if (!*box && !(*box = neap__regexes_new())) neap__fail(L, NEAP_LIMIT, "memory is too short for regular expressions");
  lua_pop(L, 1);
  return *box;
}

// ---- Nearest names ----

#define NAME_MAX_DISTANCE 40  // longer names are not compared

static int least(int a, int b) {
  return a < b ? a : b;
}

// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours, each 1.
static int distance(const char *a, size_t na, const char *b, size_t nb) {
  int rows[3][NAME_MAX_DISTANCE + 1], *before = rows[0], *last = rows[1], *row = rows[2];
  for (size_t j = 0; j <= nb; j++) last[j] = (int)j;
  for (size_t i = 1; i <= na; i++) {
    row[0] = (int)i;
    for (size_t j = 1; j <= nb; j++) {
      bool differ = fold(a[i - 1]) != fold(b[j - 1]);
      row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + differ);
      if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
        row[j] = least(row[j], before[j - 2] + 1);
    }
    int *free_row = before;
    before = last, last = row, row = free_row;
  }
  return last[nb];
}

struct neap__nearest neap__nearest_to(const char *name, size_t n) {
  return (struct neap__nearest){.name = name, .n = n, .distance = (n < 6 ? 1 : (int)n / 3) + 1};
}

void neap__nearest_offer(struct neap__nearest *near, const char *candidate) {
  size_t n = strlen(candidate);
  if (near->n < 2 || near->n > NAME_MAX_DISTANCE || n > NAME_MAX_DISTANCE) return;
  int d = distance(near->name, near->n, candidate, n);
  if (d >= near->distance || d >= (int)n) return;
  near->best = candidate;
  near->distance = d;
}

const char *neap__text_nearest(const char *name, size_t n, const char *const *names, size_t count) {
  struct neap__nearest near = neap__nearest_to(name, n);
  for (size_t i = 0; i < count; i++) neap__nearest_offer(&near, names[i]);
  return near.best;
}
