// log.c: what the host and its scripts tell their owner, by level, with secrets taken out.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "state.h"

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

// ---- Secrets ----

// Puts "***" in place of what stands from `from` to `to`; never makes the text longer.
static void mask(char *from, const char *to) {
  if (to - from < 3) {
    memset(from, '*', (size_t)(to - from));
    return;
  }
  memcpy(from, "***", 3);
  memmove(from + 3, to, strlen(to) + 1);
}

// Names of URL parameters whose value is secret: those that contain one of these words.
static bool secret_name(const char *name, size_t len) {
  static const char *const words[] = {"password", "secret", "token", "key", "pw", NULL};
  for (int i = 0; words[i]; i++)
    for (size_t at = 0, n = strlen(words[i]); at + n <= len; at++)
      if (strncasecmp(name + at, words[i], n) == 0) return true;
  return false;
}

static void mask_parameters(char *url) {
  for (char *p = strpbrk(url, "?& \t"); p && (*p == '?' || *p == '&'); p = strpbrk(p + 1, "?& \t")) {
    char *equals = p + 1 + strcspn(p + 1, "=& \t");
    if (*equals != '=' || !secret_name(p + 1, (size_t)(equals - p - 1))) continue;
    mask(equals + 1, equals + 1 + strcspn(equals + 1, "& \t\"'"));
  }
}

void neap__redact(char *text) {
  for (char *url = text; (url = strstr(url, "://")) != NULL;) {
    url += 3;
    size_t host = strcspn(url, "/?# \t\"'");
    char *colon = memchr(url, ':', host), *at = memchr(url, '@', host);
    for (char *next; at && (next = memchr(at + 1, '@', (size_t)(url + host - at - 1))) != NULL;) at = next;
    if (colon && at && colon < at) mask(colon + 1, at);
    mask_parameters(url);
  }
}

// ---- Writing ----

static int threshold(void) {
  const char *name = getenv("NEAP_LOG");
  for (int i = 0; name && levels[i]; i++)
    if (strcmp(name, levels[i]) == 0) return i;
  return NEAP_LOG_INFO;
}

static void write_line(neap *h, int level, char *text) {
  neap__redact(text);
  if (h->options.log)
    h->options.log(h->options.ud, level, text, strlen(text));
  else if (level >= threshold())
    fprintf(stderr, "neap: %s: %s\n", levels[level], text);
}

void neap__log(neap *h, int level, const char *format, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  write_line(h, level, text);
}

// log(level, text): what neap.log.* call, fields already behind the text
int neap__log_write(lua_State *L) {
  int level = luaL_checkoption(L, 1, NULL, levels);
  size_t len;
  const char *text = luaL_tolstring(L, 2, &len);
  neap__show_push(L, text, len, false);
  text = lua_tolstring(L, -1, &len);
  char *copy = lua_newuserdatauv(L, len + 8, 0);
  memcpy(copy, text, len + 1);
  write_line(neap__host(L), level, copy);
  return 0;
}
