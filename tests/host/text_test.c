// text_test.c: UTF-8, folding, regular expressions that do not hang, nearest names; texts of uuids and decimals.
#include "value/text.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "value/decimal.h"
#include "value/uuid.h"

#define TEXT(s) (s), sizeof(s) - 1

static void test_utf8(void) {
  static const struct {
    const char *text;
    size_t n, bad;
  } wrong[] = {
      {TEXT("\x80"), 0},              // a continuation alone
      {TEXT("ab\xC0\xAF"), 2},        // longer than it need be
      {TEXT("\xE0\x9F\xBF"), 0},      // the same in three bytes
      {TEXT("x\xED\xA0\x80"), 1},     // a surrogate
      {TEXT("\xF4\x90\x80\x80"), 0},  // above U+10FFFF
      {TEXT("12345678\xE2\x82"), 8},  // cut off, behind a word of ASCII
      {TEXT("\xFF"), 0},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    size_t bad = 99;
    CHECK(!neap__text_utf8(wrong[i].text, wrong[i].n, &bad));
    CHECK(bad == wrong[i].bad);
  }
  CHECK(neap__text_utf8(TEXT("a\0b \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8C\x8A \xED\x9F\xBF \xEF\xBF\xBF"), NULL));
  CHECK(neap__text_utf8(NULL, 0, NULL));
  CHECK(neap__text_length(TEXT("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8C\x8Ax")) == 4);
}

static void test_slices(void) {
  CHECK(neap__text_compare(TEXT("a"), TEXT("ab")) == -1);
  CHECK(neap__text_compare(TEXT("\xC3"), TEXT("z")) == 1);
  CHECK(neap__text_compare(NULL, 0, NULL, 0) == 0);
  CHECK(neap__text_prefix(TEXT("tide"), TEXT("ti")) && !neap__text_prefix(TEXT("ti"), TEXT("tide")));
  CHECK(neap__text_suffix(TEXT("tide"), TEXT("de")) && neap__text_suffix(NULL, 0, NULL, 0));
  CHECK(neap__text_contains(TEXT("tide"), TEXT("id")) && !neap__text_contains(TEXT("tide"), TEXT("ie")));
  CHECK(neap__text_contains_fold(TEXT("xxTIDE"), TEXT("tide")) && neap__text_contains_fold(NULL, 0, NULL, 0));
  CHECK(neap__text_equal_fold(TEXT("Tide"), TEXT("tIDE")) && neap__text_prefix_fold(TEXT("Tide"), TEXT("tI")));
  CHECK(neap__text_suffix_fold(TEXT("Tide"), TEXT("DE")));
  CHECK(!neap__text_equal_fold(TEXT("\xC3\x89"), TEXT("\xC3\xA9")));  // only ASCII is folded
  CHECK(!neap__text_equal_fold(TEXT("@["), TEXT("`{")));
}

static int match(struct neap__regexes *r, const char *pattern, const char *text, struct neap__error *e) {
  return neap__regex_match(r, pattern, strlen(pattern), text, strlen(text), e);
}

static void test_regex(void) {
  struct neap__regexes *r = neap__regexes_new();
  struct neap__error e;
  char pattern[16];
  CHECK(r != NULL);
  CHECK(match(r, "^t.d(e|a)$", "tide", &e) == 1 && match(r, "^t.d(e|a)$", "tido", &e) == 0);
  CHECK(match(r, "^.$", "\xC3\xA9", &e) == 1);  // a character, not a byte
  CHECK(match(r, "(?i)TIDE", "a tide", &e) == 1);
  CHECK(match(r, ".", "\xFF", &e) == 0);  // text that is not UTF-8
  CHECK(match(r, "", "", &e) == 1);
  CHECK(match(r, "a(", "a", &e) == -1 && e.kind == NEAP_QUERY && strstr(e.message, "offset 2"));
  CHECK(match(r, "(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", &e) == -1);
  CHECK(e.kind == NEAP_LIMIT);
  for (int i = 0; i < 100; i++) {  // more patterns than the cache holds
    snprintf(pattern, sizeof pattern, "^x%d$", i % 50);
    CHECK(match(r, pattern, pattern, &e) == 0);
    CHECK(neap__regex_check(r, pattern, strlen(pattern), &e) == 0);
  }
  neap__regexes_free(r);
  neap__regexes_free(NULL);
}

static void test_nearest(void) {
  static const char *const names[] = {"title", "author", "views", "id"};
#define NEAREST(s) neap__text_nearest(TEXT(s), names, 4)
  CHECK(NEAREST("tilte") == names[0]);  // two letters changed places
  CHECK(NEAREST("Author") == names[1]);
  CHECK(NEAREST("view") == names[2]);
  CHECK(NEAREST("publisher") == NULL);
  CHECK(NEAREST("x") == NULL && NEAREST("") == NULL);
  CHECK(NEAREST("0123456789012345678901234567890123456789title") == NULL);
}

static void test_uuid(void) {
  char out[37], *text = out;
  CHECK(neap__uuid_parse(TEXT("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"), out));
  CHECK(strcmp(text, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6") == 0);
  CHECK(neap__uuid_parse(TEXT("f81d4fae7dec11d0a76500a0c91e6bf6"), out));
  CHECK(strcmp(text, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6") == 0);
  CHECK(!neap__uuid_parse(TEXT("{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}"), out));
  CHECK(!neap__uuid_parse(TEXT("f81d4fae-7dec-11d0-a765-00a0c91e6bfg"), out));
  CHECK(!neap__uuid_parse(TEXT("f81d4fae07dec-11d0-a765-00a0c91e6bf6"), out));
  CHECK(!neap__uuid_parse(TEXT(""), out));
}

static void test_decimal_texts(void) {
  static const char *const ordered[] = {"-10", "-9.5", "-0.01",     "0.00", "0.01", "1.1",
                                        "2",   "10",   "10.000001", "abc",  "abd"};
  size_t count = sizeof ordered / sizeof *ordered;
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < count; k++)
      CHECK(neap__decimal_compare(ordered[i], strlen(ordered[i]), ordered[k], strlen(ordered[k])) == (i > k) - (i < k));
  CHECK(neap__decimal_compare(TEXT("1.10"), TEXT("001.1")) == 0);
  CHECK(neap__decimal_compare(TEXT("-0"), TEXT("0.00")) == 0);
  struct neap__error e;
  char small[4];
  size_t n;
  CHECK(neap__decimal_parse(TEXT("12345"), small, sizeof small, &n, &e) == -1);
}

int main(void) {
  test_utf8();
  test_slices();
  test_regex();
  test_nearest();
  test_uuid();
  test_decimal_texts();
  return report();
}
