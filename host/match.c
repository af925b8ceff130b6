// match.c: find, match, gmatch and gsub with a limit on steps, for hosts that limit their scripts. A backtracking pattern
// can otherwise run for years inside one instruction. The matcher follows lstrlib.c of Lua 5.4 (MIT licence).
#include <ctype.h>
#include <string.h>

#include "state.h"

#define MAX_STEPS 10000000
#define MAX_DEPTH 200
#define MAX_CAPTURES 32
#define UNFINISHED (-1)
#define POSITION (-2)

struct match {
  const char *src, *src_end, *pattern_end;
  lua_State *L;
  unsigned steps;
  int depth, level;
  struct {
    const char *init;
    ptrdiff_t len;
  } capture[MAX_CAPTURES];
};

static const char *match(struct match *m, const char *s, const char *p);

static void count(struct match *m, unsigned n) {
  m->steps += n;
  if (m->steps % 1024 < n) neap__limits_work(m->L, 256);
  if (m->steps > MAX_STEPS) neap__fail(m->L, NEAP_LIMIT, "the pattern needs more than %d steps to match", MAX_STEPS);
}

static int bad(struct match *m, const char *what) {
  return luaL_error(m->L, "malformed pattern (%s)", what);
}

// The end of the single-character class at p.
static const char *class_end(struct match *m, const char *p) {
  if (p == m->pattern_end) bad(m, "it ends too early");
  if (*p == '%') {
    if (p + 1 >= m->pattern_end) bad(m, "ends with '%'");
    return p + 2;
  }
  if (*p++ != '[') return p;
  if (p < m->pattern_end && *p == '^') p++;
  do {
    if (p >= m->pattern_end) bad(m, "missing ']'");
    if (*p++ == '%' && p < m->pattern_end) p++;
  } while (p >= m->pattern_end || *p != ']');
  return p + 1;
}

static bool in_class(int c, int class) {
  bool in;
  switch (tolower(class)) {
    case 'a': in = isalpha(c); break;
    case 'c': in = iscntrl(c); break;
    case 'd': in = isdigit(c); break;
    case 'g': in = isgraph(c); break;
    case 'l': in = islower(c); break;
    case 'p': in = ispunct(c); break;
    case 's': in = isspace(c); break;
    case 'u': in = isupper(c); break;
    case 'w': in = isalnum(c); break;
    case 'x': in = isxdigit(c); break;
    case 'z': in = c == 0; break;  // deprecated, as in lstrlib.c
    default: return class == c;
  }
  return isupper(class) ? !in : in;
}

// Whether c is in the set that begins at p with '[' and ends at end with ']'.
static bool in_set(struct match *m, int c, const char *p, const char *end) {
  bool found = true;
  if (p[1] == '^') {
    found = false;
    p++;
  }
  while (++p < end) {
    count(m, 1);
    if (*p == '%') {
      p++;
      if (in_class(c, (unsigned char)*p)) return found;
    } else if (p[1] == '-' && p + 2 < end) {
      p += 2;
      if ((unsigned char)p[-2] <= c && c <= (unsigned char)*p) return found;
    } else if ((unsigned char)*p == c) {
      return found;
    }
  }
  return !found;
}

static bool single(struct match *m, const char *s, const char *p, const char *ep) {
  count(m, 1);
  if (s >= m->src_end) return false;
  int c = (unsigned char)*s;
  switch (*p) {
    case '.': return true;
    case '%': return in_class(c, (unsigned char)p[1]);
    case '[': return in_set(m, c, p, ep - 1);
    default: return (unsigned char)*p == c;
  }
}

static const char *match_balance(struct match *m, const char *s, const char *p) {
  int depth = 1;
  if (p + 1 >= m->pattern_end) bad(m, "missing arguments to '%b'");
  if (s >= m->src_end || *s != *p) return NULL;
  while (++s < m->src_end) {
    count(m, 1);
    if (*s == p[1]) {
      if (--depth == 0) return s + 1;
    } else if (*s == *p) {
      depth++;
    }
  }
  return NULL;
}

static const char *expand_most(struct match *m, const char *s, const char *p, const char *ep) {
  ptrdiff_t i = 0;
  while (single(m, s + i, p, ep)) i++;
  for (; i >= 0; i--) {
    const char *end = match(m, s + i, ep + 1);
    if (end) return end;
  }
  return NULL;
}

static const char *expand_least(struct match *m, const char *s, const char *p, const char *ep) {
  for (;; s++) {
    const char *end = match(m, s, ep + 1);
    if (end) return end;
    if (!single(m, s, p, ep)) return NULL;
  }
}

static const char *open_capture(struct match *m, const char *s, const char *p, ptrdiff_t what) {
  if (m->level >= MAX_CAPTURES) luaL_error(m->L, "too many captures");
  m->capture[m->level].init = s;
  m->capture[m->level].len = what;
  m->level++;
  const char *end = match(m, s, p);
  if (!end) m->level--;
  return end;
}

static const char *close_capture(struct match *m, const char *s, const char *p) {
  int l = m->level - 1;
  while (l >= 0 && m->capture[l].len != UNFINISHED) l--;
  if (l < 0) luaL_error(m->L, "invalid pattern capture");
  m->capture[l].len = s - m->capture[l].init;
  const char *end = match(m, s, p);
  if (!end) m->capture[l].len = UNFINISHED;
  return end;
}

static const char *match_capture(struct match *m, const char *s, int digit) {
  int l = digit - '1';
  if (l < 0 || l >= m->level || m->capture[l].len == UNFINISHED) luaL_error(m->L, "invalid capture index %%%d", l + 1);
  size_t len = (size_t)m->capture[l].len;
  if ((size_t)(m->src_end - s) < len) return NULL;  // also where the capture is a position
  count(m, (unsigned)(len / 8));
  return memcmp(m->capture[l].init, s, len) == 0 ? s + len : NULL;
}

static const char *match_frontier(struct match *m, const char *s, const char *p) {
  if (p >= m->pattern_end || *p != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
  const char *ep = class_end(m, p);
  int previous = s == m->src ? 0 : (unsigned char)s[-1], next = s < m->src_end ? (unsigned char)*s : 0;
  if (in_set(m, previous, p, ep - 1) || !in_set(m, next, p, ep - 1)) return NULL;
  return match(m, s, ep);
}

// A single character at p, with what may follow it: ? * + -
static const char *match_repeated(struct match *m, const char *s, const char *p) {
  const char *ep = class_end(m, p), *end;
  switch (ep < m->pattern_end ? *ep : '\0') {
    case '?':
      if (single(m, s, p, ep) && (end = match(m, s + 1, ep + 1)) != NULL) return end;
      return match(m, s, ep + 1);
    case '+': return single(m, s, p, ep) ? expand_most(m, s + 1, p, ep) : NULL;
    case '*': return expand_most(m, s, p, ep);
    case '-': return expand_least(m, s, p, ep);
    default: return single(m, s, p, ep) ? match(m, s + 1, ep) : NULL;
  }
}

static const char *match_item(struct match *m, const char *s, const char *p) {
  if (p == m->pattern_end) return s;
  if (*p == '(')
    return p + 1 < m->pattern_end && p[1] == ')' ? open_capture(m, s, p + 2, POSITION)
                                                 : open_capture(m, s, p + 1, UNFINISHED);
  if (*p == ')') return close_capture(m, s, p + 1);
  if (*p == '$' && p + 1 == m->pattern_end) return s == m->src_end ? s : NULL;
  if (*p == '%' && p + 1 < m->pattern_end) {
    if (p[1] == 'b') return (s = match_balance(m, s, p + 2)) ? match(m, s, p + 4) : NULL;
    if (p[1] == 'f') return match_frontier(m, s, p + 2);
    if (isdigit((unsigned char)p[1])) return (s = match_capture(m, s, p[1])) ? match(m, s, p + 2) : NULL;
  }
  return match_repeated(m, s, p);
}

// Plain characters are walked here, so that the depth counts only what backtracks.
static const char *match(struct match *m, const char *s, const char *p) {
  while (p < m->pattern_end && !strchr("()%[.$", *p) && (p + 1 == m->pattern_end || !strchr("?*+-", p[1]))) {
    if (!single(m, s, p, p + 1)) return NULL;
    s++;
    p++;
  }
  if (++m->depth > MAX_DEPTH) luaL_error(m->L, "pattern too complex");
  s = match_item(m, s, p);
  m->depth--;
  return s;
}

// ---- Captures ----

static void push_capture(struct match *m, int i, const char *s, const char *e) {
  if (i >= m->level) {
    if (i != 0) luaL_error(m->L, "invalid capture index %%%d", i + 1);
    lua_pushlstring(m->L, s, (size_t)(e - s));
  } else if (m->capture[i].len == POSITION) {
    lua_pushinteger(m->L, m->capture[i].init - m->src + 1);
  } else {
    if (m->capture[i].len == UNFINISHED) luaL_error(m->L, "unfinished capture");
    lua_pushlstring(m->L, m->capture[i].init, (size_t)m->capture[i].len);
  }
}

// Pushes the captures, or with `whole` the whole match where there are none.
static int push_captures(struct match *m, const char *s, const char *e, bool whole) {
  int n = m->level == 0 && whole ? 1 : m->level;
  luaL_checkstack(m->L, n, "too many captures");
  for (int i = 0; i < n; i++) push_capture(m, i, s, e);
  return n;
}

static void prepare(struct match *m, lua_State *L, const char *s, size_t ls, const char *p, size_t lp) {
  m->L = L;
  m->src = s;
  m->src_end = s + ls;
  m->pattern_end = p + lp;
  m->steps = 0;
}

static const char *attempt(struct match *m, const char *s, const char *p) {
  m->level = m->depth = 0;
  return match(m, s, p);
}

// ---- The functions ----

static size_t start_at(lua_Integer pos, size_t len) {
  if (pos > 0) return (size_t)pos;
  if (pos == 0) return 1;
  return pos < -(lua_Integer)len ? 1 : len + (size_t)pos + 1;
}

static const char *find_plain(struct match *m, const char *s, const char *p, size_t lp) {
  for (; (size_t)(m->src_end - s) >= lp; s++) {
    size_t same = 0;
    while (same < lp && s[same] == p[same]) same++;
    count(m, (unsigned)(same / 8) + 1);
    if (same == lp) return s;
  }
  return NULL;
}

static int find_or_match(lua_State *L, bool find) {
  size_t ls, lp;
  const char *s = luaL_checklstring(L, 1, &ls), *p = luaL_checklstring(L, 2, &lp), *e;
  size_t init = start_at(luaL_optinteger(L, 3, 1), ls) - 1;
  struct match m;
  prepare(&m, L, s, ls, p, lp);
  if (init > ls) return luaL_pushfail(L), 1;
  if (find && (lua_toboolean(L, 4) || !strpbrk(p, "^$*+?.([%-"))) {
    const char *at = find_plain(&m, s + init, p, lp);
    if (!at) return luaL_pushfail(L), 1;
    lua_pushinteger(L, at - s + 1);
    lua_pushinteger(L, at - s + (lua_Integer)lp);
    return 2;
  }
  bool anchor = *p == '^';
  for (const char *at = s + init; at <= m.src_end; at++) {
    if ((e = attempt(&m, at, p + anchor)) != NULL) {
      if (!find) return push_captures(&m, at, e, true);
      lua_pushinteger(L, at - s + 1);
      lua_pushinteger(L, e - s);
      return push_captures(&m, at, e, false) + 2;
    }
    if (anchor) break;
  }
  return luaL_pushfail(L), 1;
}

static int str_find(lua_State *L) {
  return find_or_match(L, true);
}

static int str_match(lua_State *L) {
  return find_or_match(L, false);
}

// Upvalues: subject, pattern, where to go on, where the last match ended.
static int gmatch_next(lua_State *L) {
  size_t ls, lp;
  const char *s = lua_tolstring(L, lua_upvalueindex(1), &ls), *p = lua_tolstring(L, lua_upvalueindex(2), &lp), *e;
  lua_Integer from = lua_tointeger(L, lua_upvalueindex(3)), last = lua_tointeger(L, lua_upvalueindex(4));
  struct match m;
  prepare(&m, L, s, ls, p, lp);
  for (const char *at = s + from; at <= m.src_end; at++) {
    if ((e = attempt(&m, at, p)) == NULL || e - s == last) continue;
    lua_pushinteger(L, e - s);
    lua_pushvalue(L, -1);
    lua_replace(L, lua_upvalueindex(3));
    lua_replace(L, lua_upvalueindex(4));
    return push_captures(&m, at, e, true);
  }
  return 0;
}

static int str_gmatch(lua_State *L) {
  size_t ls;
  luaL_checklstring(L, 1, &ls);
  luaL_checkstring(L, 2);
  size_t init = start_at(luaL_optinteger(L, 3, 1), ls) - 1;
  lua_settop(L, 2);
  lua_pushinteger(L, (lua_Integer)(init > ls ? ls + 1 : init));
  lua_pushinteger(L, -1);
  lua_pushcclosure(L, gmatch_next, 4);
  return 1;
}

static void add_template(struct match *m, luaL_Buffer *b, const char *s, const char *e) {
  size_t len;
  const char *r = lua_tolstring(m->L, 3, &len), *end = r + len;
  for (; r < end; r++) {
    if (*r != '%') {
      luaL_addchar(b, *r);
    } else if (++r < end && *r == '%') {
      luaL_addchar(b, '%');
    } else if (r < end && *r == '0') {
      luaL_addlstring(b, s, (size_t)(e - s));
    } else if (r < end && isdigit((unsigned char)*r)) {
      push_capture(m, *r - '1', s, e);
      luaL_tolstring(m->L, -1, NULL);
      lua_remove(m->L, -2);
      luaL_addvalue(b);
    } else {
      luaL_error(m->L, "invalid use of '%%' in replacement string");
    }
  }
}

// Adds what stands for the match; a table or function may keep it as it is by giving nil or false.
static void add_replacement(struct match *m, luaL_Buffer *b, const char *s, const char *e) {
  lua_State *L = m->L;
  int type = lua_type(L, 3);
  if (type == LUA_TSTRING || type == LUA_TNUMBER) {
    add_template(m, b, s, e);
    return;
  }
  if (type == LUA_TTABLE) {
    push_capture(m, 0, s, e);
    lua_gettable(L, 3);
  } else {
    lua_pushvalue(L, 3);
    lua_call(L, push_captures(m, s, e, true), 1);
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    luaL_addlstring(b, s, (size_t)(e - s));
    return;
  }
  if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  luaL_addvalue(b);
}

static int str_gsub(lua_State *L) {
  size_t ls, lp;
  const char *s = luaL_checklstring(L, 1, &ls), *p = luaL_checklstring(L, 2, &lp), *last = NULL, *e;
  int type = lua_type(L, 3);
  luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                   "string/function/table");
  lua_Integer max = luaL_optinteger(L, 4, (lua_Integer)ls + 1), n = 0;
  bool anchor = *p == '^';
  struct match m;
  luaL_Buffer b;
  prepare(&m, L, s, ls, p, lp);
  luaL_buffinit(L, &b);
  while (n < max) {
    if ((e = attempt(&m, s, p + anchor)) != NULL && e != last) {
      n++;
      add_replacement(&m, &b, s, e);
      s = last = e;
    } else if (s < m.src_end) {
      luaL_addchar(&b, *s++);  // NOLINT(clang-analyzer-core.NullDereference): s is a Lua string
    } else {
      break;
    }
    if (anchor) break;
  }
  luaL_addlstring(&b, s, (size_t)(m.src_end - s));
  luaL_pushresult(&b);
  lua_pushinteger(L, n);
  return 2;
}

const luaL_Reg neap__match_functions[] = {
    {"find", str_find}, {"match", str_match}, {"gmatch", str_gmatch}, {"gsub", str_gsub}, {NULL, NULL},
};
