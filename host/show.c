// show.c: values and names as messages show them: short, valid UTF-8, and nothing in them that a terminal obeys.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "utf8.h"

#define CHARACTER 9  // bytes of one shown character, with the NUL

static const char more[] = "…";

// Writes the character at p as it is shown and returns how many bytes it has there. C1 controls count as controls.
static size_t show_character(const char *p, size_t n, bool quoted, char out[CHARACTER]) {
  static const char letters[] = "\n\r\t", escapes[] = "nrt";
  unsigned char c = (unsigned char)*p;
  size_t len = neap__utf8_character((const unsigned char *)p, n);
  const char *letter = c ? strchr(letters, c) : NULL;
  if (letter)
    snprintf(out, CHARACTER, "\\%c", escapes[letter - letters]);
  else if (c == 0)
    snprintf(out, CHARACTER, "\\0");
  else if (len == 0 || c < 0x20 || c == 0x7f)
    snprintf(out, CHARACTER, "\\x%02x", c);
  else if (len == 2 && c == 0xC2 && (unsigned char)p[1] < 0xA0)
    snprintf(out, CHARACTER, "\\u{%02x}", (unsigned char)p[1]);
  else
    snprintf(out, CHARACTER, "%s%.*s", quoted && (c == '"' || c == '\\') ? "\\" : "", (int)len, p);
  return len ? len : 1;
}

// Appends the text, between `quote`s if that is not empty.
static struct neap__shown show(const char *p, size_t n, const char *quote) {
  struct neap__shown shown = {""};
  size_t used = (size_t)snprintf(shown.text, sizeof shown.text, "%s", quote);
  size_t room = sizeof shown.text - sizeof more - strlen(quote) - 1;
  while (n > 0) {
    char one[CHARACTER];
    size_t taken = show_character(p, n, *quote, one), len = strlen(one);
    if (used + len > room) break;
    memcpy(shown.text + used, one, len);
    used += len, p += taken, n -= taken;
  }
  snprintf(shown.text + used, sizeof shown.text - used, "%s%s", quote, n > 0 ? more : "");
  return shown;
}

struct neap__shown neap__show_text(const char *p, size_t n) {
  return show(p, n, "\"");
}

struct neap__shown neap__show_name(const char *p, size_t n) {
  return show(p, n, n > 0 ? "" : "\"");
}

// The shortest digits that read back as the same number, with a point or an exponent.
static struct neap__shown show_float(lua_Number d) {
  struct neap__shown shown = {""};
  char *text = shown.text;
  for (int precision = 14; precision <= 17; precision++) {
    snprintf(text, sizeof shown.text, "%.*g", precision, d);
    if (strtod(text, NULL) == d) break;
  }
  if (isnan(d)) return snprintf(text, sizeof shown.text, "nan"), shown;
  size_t digits = strspn(text, "-0123456789");
  if (text[digits] == '\0') memcpy(text + digits, ".0", sizeof ".0");
  return shown;
}

// What scripts have written is not run for a message.
static bool prints_itself(lua_State *L, int idx) {
  if (luaL_getmetafield(L, idx, "__tostring") == LUA_TNIL) return false;
  bool ours = lua_iscfunction(L, -1);
  lua_pop(L, 1);
  return ours;
}

// "decimal" of a userdata of type neap.decimal, pushed perhaps; else "".
static const char *kind_of(lua_State *L, int idx) {
  static const char ours[] = "neap.";
  if (lua_type(L, idx) != LUA_TUSERDATA || luaL_getmetafield(L, idx, "__name") != LUA_TSTRING) return "";
  const char *name = lua_tostring(L, -1);
  return strncmp(name, ours, sizeof ours - 1) == 0 ? name + sizeof ours - 1 : "";
}

struct neap__shown neap__show_value(lua_State *L, int idx) {
  struct neap__shown shown = {""};
  size_t n;
  int type = lua_type(L, idx);
  if (type == LUA_TSTRING) {
    const char *p = lua_tolstring(L, idx, &n);
    return neap__show_text(p, n);
  }
  if (type == LUA_TNUMBER && !lua_isinteger(L, idx)) return show_float(lua_tonumber(L, idx));
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (type <= LUA_TBOOLEAN || type == LUA_TNUMBER || prints_itself(L, idx)) {
    int top = lua_gettop(L);
    const char *p = luaL_tolstring(L, idx, &n), *kind = kind_of(L, idx);
    bool named = strncmp(p, kind, strlen(kind)) == 0;
    lua_pushfstring(L, "%s%s", named ? "" : kind, named ? "" : " ");
    lua_pushvalue(L, top + 1);
    lua_concat(L, 2);
    p = lua_tolstring(L, -1, &n);
    shown = neap__show_name(p, n);
    lua_settop(L, top);
  } else {
    snprintf(shown.text, sizeof shown.text, "a %s", lua_typename(L, type));
  }
  return shown;
}

struct neap__shown neap__show_key(lua_State *L, int idx) {
  size_t n;
  if (lua_type(L, idx) != LUA_TSTRING) return neap__show_value(L, idx);
  const char *p = lua_tolstring(L, idx, &n);
  return neap__show_name(p, n);
}

struct neap__shown neap__show_hint(const char *prefix, const char *near) {
  struct neap__shown shown = {""};
  if (near) snprintf(shown.text, sizeof shown.text, "; did you mean %s%.48s?", prefix, near);
  return shown;
}

void neap__show_push(lua_State *L, const char *p, size_t n, bool lines) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  while (n > 0) {
    char one[CHARACTER];
    size_t taken = show_character(p, n, false, one);
    luaL_addstring(&b, lines && *p == '\n' ? "\n" : one);
    p += taken, n -= taken;
  }
  luaL_pushresult(&b);
}

// host.show(value) -> the value as messages show it
int neap__show(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushstring(L, neap__show_value(L, 1).text);
  return 1;
}

// host.show_key(key) -> the same of a name without quotes
int neap__show_bare(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushstring(L, neap__show_key(L, 1).text);
  return 1;
}
