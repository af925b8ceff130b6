// error.c: the error object, its kinds, and the checks of arguments that raise it.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "state.h"

#define ERROR_TYPE "neap.error"

static const char *const kinds[] = {
    "usage",    "validation", "not_found", "multiple",  "conflict", "condition", "unsupported",
    "auth",     "forbidden",  "limit",     "throttled", "timeout",  "cancelled", "connection",
    "protocol", "server",     "query",     "batch",     "mismatch",
};
#define KINDS ((int)(sizeof kinds / sizeof *kinds))

static int kind_find(const char *name) {
  for (int i = 0; i < KINDS; i++)
    if (strcmp(kinds[i], name) == 0) return i;
  return -1;
}

// Fills the message; what is too long is cut at a character.
static void format_message(struct neap__error *e, const char *format, va_list ap) {
  static const char more[] = "…";
  size_t size = sizeof e->message, n = size - sizeof more;
  if (vsnprintf(e->message, size, format, ap) < (int)size) return;
  while (n > 0 && ((unsigned char)e->message[n] & 0xC0) == 0x80) n--;
  memcpy(e->message + n, more, sizeof more);
}

int neap__error_set(struct neap__error *e, enum neap__kind kind, const char *format, ...) {
  va_list ap;
  memset(e, 0, sizeof *e);
  e->kind = kind;
  va_start(ap, format);
  format_message(e, format, ap);
  va_end(ap);
  return -1;
}

// Sets a field to a text without its secrets, and without what a terminal would obey.
static void set_text(lua_State *L, const char *field, const char *value) {
  char text[512];
  if (!*value) return;
  snprintf(text, sizeof text - 4, "%s", value);
  neap__redact(text);
  neap__show_push(L, text, strlen(text), true);
  lua_setfield(L, -2, field);
}

static void set_string(lua_State *L, const char *field, const char *value) {
  if (!value || !*value) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, field);
}

// Sets `where` to the line of the nearest caller that is not part of neap itself.
static void set_where(lua_State *L) {
  lua_Debug ar;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline <= 0 || strncmp(ar.source, "@neap/", 6) == 0) continue;
    lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
    lua_setfield(L, -2, "where");
    return;
  }
}

void neap__error_push(lua_State *L, const struct neap__error *e) {
  luaL_checkstack(L, 4, NULL);
  lua_createtable(L, 0, 8);
  set_string(L, "kind", kinds[e->kind]);
  set_text(L, "message", e->message);
  set_string(L, "store", e->store);
  set_string(L, "code", e->code);
  set_text(L, "detail", e->detail);
  if (e->status) {
    lua_pushinteger(L, e->status);
    lua_setfield(L, -2, "status");
  }
  if (e->retryable) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "retryable");
  }
  if (e->unknown) set_string(L, "outcome", "unknown");
  set_where(L);
  luaL_setmetatable(L, ERROR_TYPE);
}

int neap__raise(lua_State *L, const struct neap__error *e) {
  neap__error_push(L, e);
  lua_error(L);
  __builtin_unreachable();  // Lua does not say that lua_error never returns
}

int neap__fail(lua_State *L, enum neap__kind kind, const char *format, ...) {
  struct neap__error e = {.kind = kind};
  va_list ap;
  va_start(ap, format);
  format_message(&e, format, ap);
  va_end(ap);
  neap__raise(L, &e);
}

// ---- All faults of one request together ----

struct neap__faults neap__faults_push(lua_State *L) {
  lua_pushnil(L);
  return (struct neap__faults){.table = lua_gettop(L)};
}

void neap__faults_note(lua_State *L, struct neap__faults *f, int key, int rank, const struct neap__error *e) {
  if (f->count++ == 0) {
    lua_newtable(L);
    lua_replace(L, f->table);
    f->first = *e;
    f->rank = rank;
  }
  enum neap__kind kind = e->kind == NEAP_VALIDATION ? e->kind : f->first.kind;
  if (rank < f->rank || (rank == f->rank && strcmp(e->message, f->first.message) < 0)) f->first = *e, f->rank = rank;
  f->first.kind = kind;
  luaL_tolstring(L, key, NULL);
  lua_pushstring(L, e->message);
  lua_rawset(L, f->table);
}

void neap__faults_raise(lua_State *L, struct neap__faults *f) {
  if (f->count == 0) return;
  size_t n = strlen(f->first.message), room = sizeof f->first.message - n;
  if (f->count > 1) snprintf(f->first.message + n, room, "; %d more in e.errors", f->count - 1);
  neap__error_push(L, &f->first);
  lua_pushvalue(L, f->table);
  lua_setfield(L, -2, "errors");
  lua_error(L);
}

static bool is_error(lua_State *L, int idx) {
  if (lua_type(L, idx) != LUA_TTABLE || !lua_getmetatable(L, idx)) return false;
  luaL_getmetatable(L, ERROR_TYPE);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

int neap__error_kind(lua_State *L, int idx) {
  int kind = -1;
  if (!is_error(L, idx)) return -1;
  idx = lua_absindex(L, idx);
  lua_pushliteral(L, "kind");
  if (lua_rawget(L, idx) == LUA_TSTRING) kind = kind_find(lua_tostring(L, -1));
  lua_pop(L, 1);
  return kind;
}

// Without a kind: those are for what neap raises.
void neap__error_wrap(lua_State *L) {
  if (is_error(L, -1)) return;
  luaL_checkstack(L, 4, NULL);
  lua_createtable(L, 0, 4);
  luaL_tolstring(L, -2, NULL);  // Lua has put the position in front already
  lua_setfield(L, -2, "message");
  if (lua_type(L, -2) != LUA_TSTRING) {
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "cause");
  }
  luaL_setmetatable(L, ERROR_TYPE);
  lua_remove(L, -2);
}

// ---- The object in Lua ----

static const char *field(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, 1);
  return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
}

// tostring(e) -> "where: kind: message (store code: detail)", always one line. What a script raised has a message alone.
static int error_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *where = field(L, "where"), *kind = field(L, "kind"), *message = field(L, "message");
  const char *store = field(L, "store"), *code = field(L, "code"), *detail = field(L, "detail");
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  lua_pushfstring(L, "%s%s%s%s%s", where ? where : "", where ? ": " : "", kind ? kind : "", kind ? ": " : "",
                  message ? message : "no message");
  luaL_addvalue(&b);
  if (store || code || detail) {
    lua_pushfstring(L, " (%s%s%s%s%s)", store ? store : "", store && code ? " " : "", code ? code : "",
                    (store || code) && detail ? ": " : "", detail ? detail : "");
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  lua_pushstring(L, luaL_gsub(L, lua_tostring(L, -1), "\n", " "));
  return 1;
}

// neap.is(e, kind) -> boolean
//   True if e is an error object of that kind. An unknown kind raises `usage`.
int neap__error_is(lua_State *L) {
  int kind = kind_find(neap__arg_string(L, 2, "kind", NULL));
  if (kind < 0) return neap__fail(L, NEAP_USAGE, "%s is not a kind of error", neap__show_value(L, 2).text);
  lua_pushboolean(L, neap__error_kind(L, 1) == kind);
  return 1;
}

// neap.error(fields) -> error object
//   fields  kind and message, and any other field of errors. For the parts of neap that are written in Lua.
int neap__error_new(lua_State *L) {
  size_t n;
  neap__arg_table(L, 1, "fields");
  const char *kind = field(L, "kind");
  if (!kind || kind_find(kind) < 0)
    return neap__fail(L, NEAP_USAGE, "%s is not a kind of error", neap__show_value(L, -1).text);
  if (field(L, "message")) {
    const char *message = lua_tolstring(L, -1, &n);
    neap__show_push(L, message, n, true);
    lua_setfield(L, 1, "message");
  }
  lua_settop(L, 1);
  if (!field(L, "where")) {
    lua_settop(L, 1);
    set_where(L);
  }
  lua_settop(L, 1);
  luaL_setmetatable(L, ERROR_TYPE);
  return 1;
}

void neap__error_open(lua_State *L) {
  luaL_newmetatable(L, ERROR_TYPE);
  lua_pushcfunction(L, error_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

// ---- Arguments ----

// Raises "NAME must be EXPECTED, not VALUE".
static int bad_argument(lua_State *L, int idx, const char *name, const char *expected) {
  return neap__fail(L, NEAP_USAGE, "%s must be %s, not %s", name, expected,
                    lua_isnone(L, idx) ? "nothing" : neap__show_value(L, idx).text);
}

lua_Integer neap__arg_integer(lua_State *L, int idx, const char *name, lua_Integer min, lua_Integer max) {
  int ok = 0;
  lua_Integer n = lua_type(L, idx) == LUA_TNUMBER ? lua_tointegerx(L, idx, &ok) : 0;
  if (ok && n >= min && n <= max) return n;
  char expected[96] = "an integer";
  if (max < LUA_MAXINTEGER)
    snprintf(expected, sizeof expected, "an integer from " LUA_INTEGER_FMT " to " LUA_INTEGER_FMT, min, max);
  else if (min > LUA_MININTEGER)
    snprintf(expected, sizeof expected, "an integer >= " LUA_INTEGER_FMT, min);
  return bad_argument(L, idx, name, expected);
}

lua_Number neap__arg_seconds(lua_State *L, int idx, const char *name) {
  lua_Number n = lua_type(L, idx) == LUA_TNUMBER ? lua_tonumber(L, idx) : -1;
  if (!(n >= 0)) bad_argument(L, idx, name, "a number of seconds >= 0");
  return n;
}

const char *neap__arg_string(lua_State *L, int idx, const char *name, size_t *len) {
  if (lua_type(L, idx) != LUA_TSTRING) bad_argument(L, idx, name, "a string");
  return lua_tolstring(L, idx, len);
}

void neap__arg_function(lua_State *L, int idx, const char *name) {
  if (lua_type(L, idx) == LUA_TFUNCTION) return;
  if (luaL_getmetafield(L, idx, "__call") == LUA_TNIL) bad_argument(L, idx, name, "a function");
  lua_pop(L, 1);
}

void neap__arg_table(lua_State *L, int idx, const char *name) {
  if (lua_type(L, idx) != LUA_TTABLE) bad_argument(L, idx, name, "a table");
}

void neap__arg_options(lua_State *L, int idx, const char *const *known) {
  if (lua_isnoneornil(L, idx)) return;
  neap__arg_table(L, idx, "options");
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
    const char *const *k = known;
    while (*k && !(name && strcmp(*k, name) == 0)) k++;
    if (*k) continue;
    lua_pushfstring(L, "there is no option %s; known: %s", neap__show_key(L, -2).text, *known);
    while (*++known) lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), *known);
    neap__fail(L, NEAP_USAGE, "%s", lua_tostring(L, -1));
  }
}
