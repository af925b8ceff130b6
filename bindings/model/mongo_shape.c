// mongo_shape.c: the shape of a Query Object: a text that is the same for all that differ in values alone, by which the plans of
// Query Objects are kept. Names, operators and the nesting of criteria are shape; what criteria compare with, skip, limit and
// cursors are values; everything else is taken as it is.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/mongo.h"
#include "value/marks.h"

#define SHAPE_TEXT 4096  // longer ones are not worth keeping
#define SHAPE_KEYS 64    // of one object
#define SHAPE_DEPTH 32

// What a value is part of, which says how its members are read.
enum part {
  PART_QUERY,      // a Query Object
  PART_RELATIONS,  // join, joinf, project: an object may hold Query Objects
  PART_LABELS,     // aggregate
  PART_CALL,       // { $sum = "views" or criteria }
  PART_CRITERIA,   // filter, having
  PART_VALUE,      // skip, limit, after, before
  PART_LITERAL
};

struct shape_text {
  size_t n;
  bool over;
  char text[SHAPE_TEXT];
};

struct shape_key {
  const char *p;
  size_t n;
};

static void add(struct shape_text *s, const char *p, size_t n) {
  if (n > SHAPE_TEXT - s->n) {
    s->over = true;
    return;
  }
  memcpy(s->text + s->n, p, n);
  s->n += n;
}

static void add_char(struct shape_text *s, char c) {
  add(s, &c, 1);
}

// With its length in front, so that no text can pass for the end of one and the beginning of another.
static void add_text(struct shape_text *s, const char *p, size_t n) {
  char head[3] = {'"', (char)(n & 255), (char)(n >> 8 & 255)};
  if (n > SHAPE_TEXT) s->over = true;
  add(s, head, sizeof head);
  add(s, p, n);
}

static void add_number(lua_State *L, struct shape_text *s, int idx) {
  char text[40];
  int n = lua_isinteger(L, idx) ? snprintf(text, sizeof text, "i%lld;", (long long)lua_tointeger(L, idx))
                                : snprintf(text, sizeof text, "f%a;", lua_tonumber(L, idx));
  add(s, text, (size_t)n);
}

// A value that is no table, at the top of the stack.
static void add_scalar(lua_State *L, struct shape_text *s, enum part part) {
  if (neap__null_test(L, -1))
    add_char(s, 'z');
  else if (part == PART_CRITERIA || part == PART_VALUE)
    add_char(s, '.');
  else if (lua_isboolean(L, -1))
    add_char(s, lua_toboolean(L, -1) ? 't' : 'f');
  else if (lua_type(L, -1) == LUA_TNUMBER)
    add_number(L, s, -1);
  else if (lua_type(L, -1) == LUA_TSTRING)
    add_text(s, lua_tostring(L, -1), lua_rawlen(L, -1));
  else
    s->over = true;
}

static enum part member_part(enum part part, const struct shape_key *key, bool table) {
  static const struct {
    const char *name;
    enum part part;
  } operations[] = {{"filter", PART_CRITERIA}, {"having", PART_CRITERIA},   {"join", PART_RELATIONS},
                    {"joinf", PART_RELATIONS}, {"project", PART_RELATIONS}, {"aggregate", PART_LABELS},
                    {"skip", PART_VALUE},      {"limit", PART_VALUE},       {"after", PART_VALUE},
                    {"before", PART_VALUE},    {NULL, PART_LITERAL}};
  switch (part) {
    case PART_QUERY: break;
    case PART_RELATIONS: return table ? PART_QUERY : PART_LITERAL;
    case PART_LABELS: return table ? PART_CALL : PART_LITERAL;
    case PART_CALL: return table ? PART_CRITERIA : PART_LITERAL;
    case PART_CRITERIA: return PART_CRITERIA;
    case PART_VALUE:
    case PART_LITERAL: return PART_LITERAL;
  }
  int i = 0;
  while (operations[i].name &&
         (strlen(operations[i].name) != key->n || memcmp(operations[i].name, key->p, key->n) != 0))
    i++;
  return operations[i].part;
}

static int by_text(const void *a, const void *b) {
  const struct shape_key *x = a, *y = b;
  int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
  return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

static void add_value(lua_State *L, struct shape_text *s, enum part part, int depth);

// Values that follow each other in a list of criteria are operands, however many.
static void add_list(lua_State *L, struct shape_text *s, enum part part, int depth) {
  int list = lua_gettop(L);
  bool operands = false;
  enum part inner = part == PART_CRITERIA ? PART_CRITERIA : PART_LITERAL;
  add_char(s, '[');
  for (lua_Integer i = 1; !s->over && lua_rawgeti(L, list, i) != LUA_TNIL; i++) {
    bool table = lua_istable(L, -1);
    if (table || inner != PART_CRITERIA)
      add_value(L, s, inner, depth + 1);
    else if (!operands)
      add_char(s, '.');
    operands = !table;
    lua_settop(L, list);
  }
  lua_settop(L, list);
  add_char(s, ']');
}

static void add_object(lua_State *L, struct shape_text *s, enum part part, int depth) {
  struct shape_key keys[SHAPE_KEYS] = {{NULL, 0}};
  int object = lua_gettop(L), n = 0;
  for (lua_pushnil(L); lua_next(L, object) && !s->over; lua_pop(L, 1)) {
    s->over = lua_type(L, -2) != LUA_TSTRING || n == SHAPE_KEYS;
    if (!s->over) {
      keys[n].p = lua_tolstring(L, -2, &keys[n].n);
      n++;
    }
  }
  lua_settop(L, object);
  if (n > 1) qsort(keys, (size_t)n, sizeof *keys, by_text);
  add_char(s, '{');
  for (int i = 0; i < n && !s->over; i++) {
    add_text(s, keys[i].p, keys[i].n);
    lua_pushlstring(L, keys[i].p, keys[i].n);
    lua_rawget(L, object);
    add_value(L, s, member_part(part, &keys[i], lua_istable(L, -1)), depth + 1);
    lua_settop(L, object);
  }
  add_char(s, '}');
}

// The value at the top of the stack. Lists and objects are what kernel.form takes them for.
static void add_value(lua_State *L, struct shape_text *s, enum part part, int depth) {
  if (!lua_istable(L, -1)) {
    add_scalar(L, s, part);
    return;
  }
  if (depth == SHAPE_DEPTH) {
    s->over = true;
    return;
  }
  luaL_checkstack(L, LUA_MINSTACK, "the shape of a Query Object");
  enum neap__mark mark = neap__mark_kind(L, -1);
  if (mark == NEAP_MARK_ARRAY || mark == NEAP_MARK_SET || lua_rawlen(L, -1) > 0)
    add_list(L, s, part, depth);
  else
    add_object(L, s, part, depth);
  if (mark == NEAP_MARK_OBJECT) add_char(s, 'o');
}

int neap__mongo_shape(lua_State *L) {
  struct shape_text s;
  s.n = 0;
  s.over = false;
  lua_settop(L, 1);
  add_value(L, &s, PART_QUERY, 0);
  if (s.over) return 0;
  lua_pushlstring(L, s.text, s.n);
  return 1;
}
