// sql_raw.c: statements that a script writes itself: their values, and what they must not leave behind.
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "model/class.h"
#include "store/sql_store.h"

// What a script begins or ends by hand must not leak to the next user of the connection.
static int raw_ended(struct sql_run *run) {
  if (run->dry) return 0;
  bool open = run->cursor->in_transaction;
  if (run->transaction) run->transaction->lost = !open;
  if (run->transaction && !open)
    return neap__error_set(&run->rows.error, NEAP_USAGE,
                           "the statement ended the transaction; let store:transaction do that");
  if (run->transaction || !open) return 0;
  run->connection->transport->rollback(run->connection);
  return neap__error_set(
      &run->rows.error, NEAP_USAGE,
      "the statement left a transaction open, it was rolled back; use store:transaction(function(tx) ... end)");
}

static bool starts_name(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
}

static bool in_name(char c) {
  return starts_name(c) || (c >= '0' && c <= '9');
}

// Behind the quoted text that begins at p. A doubled quote begins it anew.
static const char *skip_quoted(const char *p, const char *end, bool escapes) {
  char close = *p == '[' ? ']' : *p;
  for (p++; p < end && *p != close; p++)
    if (escapes && *p == '\\' && p + 1 < end) p++;
  return p < end ? p + 1 : end;
}

static const char *skip_comment(const char *p, const char *end, bool nests) {
  int depth = 0;
  while (p + 1 < end) {
    bool opens = p[0] == '/' && p[1] == '*', closes = p[0] == '*' && p[1] == '/';
    if (opens && (nests || depth == 0)) depth++;
    if (closes) depth--;
    p += opens || closes ? 2 : 1;
    if (depth == 0) return p;
  }
  return end;
}

// Behind $tag$ ... $tag$; p + 1 where the $ begins none.
static const char *skip_dollars(const char *p, const char *end) {
  const char *body = p + 1;
  while (body < end && in_name(*body)) body++;
  if (body == end || *body != '$') return p + 1;
  size_t n = (size_t)(++body - p);
  const char *close = memmem(body, (size_t)(end - body), p, n);
  return close ? close + n : end;
}

// The end of the quoted text, comment, name or single character at p.
static const char *skip_token(const struct sql_dialect *dialect, const char *p, const char *end) {
  if (starts_name(*p)) {
    bool escapes = dialect->escapes && (*p | 0x20) == 'e' && p + 1 < end && p[1] == '\'';
    while (p < end && (in_name(*p) || *p == '$')) p++;
    return escapes ? skip_quoted(p, end, true) : p;
  }
  if (p + 1 < end && p[0] == '-' && p[1] == '-') {
    const char *line = memchr(p, '\n', (size_t)(end - p));
    return line ? line : end;
  }
  if (p + 1 < end && p[0] == '/' && p[1] == '*') return skip_comment(p, end, dialect->escapes);
  if (*p == '$' && dialect->escapes) return skip_dollars(p, end);
  return strchr(dialect->quotes, *p) ? skip_quoted(p, end, false) : p + 1;
}

// Binds the value on top of the stack, which `anchors` keeps. Pops it.
static void bind_value(lua_State *L, struct sql_text *text, int anchors, const char *name) {
  struct neap__error e;
  struct cell cell;
  if (neap__cell_read(L, -1, &cell, &e) != 0) neap__fail(L, NEAP_USAGE, "the value for %s: %s", name, e.message);
  neap__sql_bind(text, &cell);
  lua_pushvalue(L, -2);
  lua_rawseti(L, anchors, (lua_Integer)lua_rawlen(L, anchors) + 1);
  lua_rawseti(L, anchors, (lua_Integer)lua_rawlen(L, anchors) + 1);
  lua_pop(L, 1);
}

// One ? or :name at p; gives where the text goes on.
static const char *write_param(lua_State *L, struct sql_text *text, const char *p, const char *end, int params,
                               int anchors) {
  char name[64];
  const char *stop = p + 1;
  if (*p == '?') {
    snprintf(name, sizeof name, "?%d", text->nparams + 1);
    lua_rawgeti(L, params, text->nparams + 1);
  } else {
    while (stop < end && in_name(*stop)) stop++;
    lua_pushlstring(L, p + 1, (size_t)(stop - p - 1));
    snprintf(name, sizeof name, ":%s", lua_tostring(L, -1));
    lua_rawget(L, params);
  }
  if (lua_isnil(L, -1)) neap__fail(L, NEAP_USAGE, "params have no value for %s; neap.null stands for NULL", name);
  bind_value(L, text, anchors, name);
  return stop;
}

// Copies the statement and binds its values in the order of their places; ?? stands for the operator ?.
static void write_raw(lua_State *L, struct sql_text *text, const char *p, size_t n, int params, int anchors) {
  const char *end = p + n, *from = p;
  while (p < end) {
    bool named = *p == ':' && p + 1 < end && starts_name(p[1]) && (p == from || p[-1] != ':');
    bool doubled = *p == '?' && p + 1 < end && p[1] == '?';
    if (*p != '?' && !named) {
      p = skip_token(text->dialect, p, end);
      continue;
    }
    neap__sql_addf(text, "%.*s", (int)(p + doubled - from), from);
    if (doubled) {
      from = p += 2;
      continue;
    }
    if (!params) neap__fail(L, NEAP_USAGE, "the statement takes values, but there are no params");
    from = p = write_param(L, text, p, end, params, anchors);
  }
  neap__sql_addf(text, "%.*s", (int)(end - from), from);
  if (params && (int)lua_rawlen(L, params) > text->nparams)
    neap__fail(L, NEAP_USAGE, "the statement takes %d values, %d were given", text->nparams,
               (int)lua_rawlen(L, params));
}

static bool is_comment(const char *p, const char *end) {
  return p + 1 < end && ((p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '*'));
}

// SET writes nothing, and some of it has to come before everything else in a transaction: nothing is asked before it.
static bool is_setting(const struct sql_dialect *dialect, const char *p, const char *end) {
  while (p < end && (isspace((unsigned char)*p) || is_comment(p, end))) p = skip_token(dialect, p, end);
  return end - p > 3 && strncasecmp(p, "set", 3) == 0 && !in_name(p[3]);
}

struct rows *neap__sql_raw(lua_State *L, struct view *view, const struct class *class, const char *p, size_t n,
                           int params) {
  struct neap__error none;
  view = neap__view_effective(L, view);
  int ncasts = class ? class->shape->ncolumns + 64 : 0;
  struct sql_run *run = neap__sql_run_new(L, view, USE_RAW, ncasts);
  run->class = class;
  run->ncasts = ncasts;
  run->at_end = raw_ended;
  run->sets = is_setting(neap__sql_dialect(view), p, p + n);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -3, 3);
  struct sql_text *text = neap__sql_text_new(L, neap__sql_dialect(view), view);
  write_raw(L, text, p, n, params, lua_gettop(L) - 1);
  lua_remove(L, -2);
  neap__sql_run_take(L, run, text, 0, &none);
  run->statement.kinds = NULL;
  run->statement.rows = true;
  return &run->rows;
}
