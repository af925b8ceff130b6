// log.c: what the host and its scripts tell their owner, by level, with secrets taken out. Where that is standard error,
// NEAP_LOG_FORMAT says how an entry looks: "neap: info: words" without it, with the time for text, an object for json.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>

#include "state.h"
#include "utf8.h"

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

struct entry {
  int level;
  const char *text;
  const char *fields;            // the text of a JSON object, NULL or "" = none
  const char *kind, *traceback;  // of an error that ended a task, else NULL
};

static void put_time(FILE *out) {
  char text[32];
  struct timeval t;
  struct tm utc;
  gettimeofday(&t, NULL);
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t.tv_sec, &utc));
  fprintf(out, "%s.%03dZ", text, (int)(t.tv_usec / 1000));
}

// A further member of an object, if there is a text. What is no UTF-8 becomes the character that stands for that.
static void put_member(FILE *out, const char *name, const char *text) {
  if (!text || !*text) return;
  fprintf(out, ",\"%s\":\"", name);
  for (const char *p = text, *end = p + strlen(p); p < end;) {
    size_t n = neap__utf8_character((const unsigned char *)p, (size_t)(end - p));
    if (*p == '"' || *p == '\\')
      fprintf(out, "\\%c", *p);
    else if ((unsigned char)*p < 0x20)
      fprintf(out, "\\u%04x", *p);
    else
      fwrite(n ? p : "\xEF\xBF\xBD", 1, n ? n : 3, out);
    p += n ? n : 1;
  }
  putc('"', out);
}

static void put_json(FILE *out, const struct entry *e, const char *job) {
  fputs("{\"time\":\"", out);
  put_time(out);
  putc('"', out);
  put_member(out, "level", levels[e->level]);
  put_member(out, "job", job);
  put_member(out, "message", e->text);
  put_member(out, "kind", e->kind);
  put_member(out, "traceback", e->traceback);
  if (e->fields && *e->fields) fprintf(out, ",\"fields\":%s", e->fields);
  fputs("}\n", out);
}

static void put_text(FILE *out, const struct entry *e, const char *job, bool with_time) {
  if (with_time)
    put_time(out);
  else
    fputs("neap:", out);
  if (with_time || !e->traceback) fprintf(out, with_time ? " %s" : " %s:", levels[e->level]);
  if (job && (with_time || !e->traceback)) fprintf(out, " %s:", job);
  fprintf(out, " %s\n", e->text);
  if (e->traceback && *e->traceback) fprintf(out, "%s\n", e->traceback);
}

static bool wants(const char *format) {
  const char *name = getenv("NEAP_LOG_FORMAT");
  return name && strcmp(name, format) == 0;
}

// Writes the entry at once, so that those of other processes come before or behind it.
static void write_entry(const struct entry *e) {
  const char *job = getenv("NEAP_JOB");
  char *text = NULL;
  size_t len;
  FILE *out = open_memstream(&text, &len);
  if (!out) return;
  if (wants("json"))
    put_json(out, e, job);
  else
    put_text(out, e, job, wants("text"));
  if (fclose(out) == 0) {
    neap__redact(text);
    fputs(text, stderr);
  }
  free(text);
}

static void write_line(neap *h, int level, char *text) {
  neap__redact(text);
  if (h->options.log)
    h->options.log(h->options.ud, level, text, strlen(text));
  else if (level >= threshold())
    write_entry(&(struct entry){.level = level, .text = text});
}

void neap__log(neap *h, int level, const char *format, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  write_line(h, level, text);
}

void neap__log_failure(const char *kind, const char *message, const char *traceback) {
  write_entry(&(struct entry){.level = NEAP_LOG_ERROR, .text = message, .kind = kind, .traceback = traceback});
}

// Pushes the text at that index, whole and as valid UTF-8.
static const char *push_clean(lua_State *L, int idx, bool lines) {
  size_t len;
  const char *text = luaL_tolstring(L, idx, &len);
  neap__show_push(L, text, len, lines);
  return lua_tostring(L, -1);
}

// host.log_format() -> "text", "json", or "plain" in a job whose entries have no time; nil elsewhere, and where the owner of
// the host gets them
int neap__log_format(lua_State *L) {
  if (neap__host(L)->options.log) return 0;
  const char *format = wants("json") ? "json" : wants("text") ? "text" : getenv("NEAP_JOB") ? "plain" : NULL;
  lua_pushstring(L, format);
  return 1;
}

// host.log_write(level, text, plain, json): what neap.log.* call
//   plain, json  the fields as they stand behind the text, or (nil unless host.log_format() says so) the text of a JSON object
int neap__log_write(lua_State *L) {
  neap *h = neap__host(L);
  int level = luaL_checkoption(L, 1, NULL, levels);
  lua_settop(L, 4);
  if (lua_isstring(L, 4)) {
    const char *text = push_clean(L, 2, true);
    if (level >= threshold()) write_entry(&(struct entry){.level = level, .text = text, .fields = lua_tostring(L, 4)});
    return 0;
  }
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_concat(L, 2);
  const char *text = push_clean(L, -1, false);
  size_t size = strlen(text) + 1;
  write_line(h, level, memcpy(lua_newuserdatauv(L, size, 0), text, size));
  return 0;
}
