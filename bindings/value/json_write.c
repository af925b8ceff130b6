// json_write.c: Lua values to JSON text, streaming into a buffer, and able to stop and go on.
//
// Keys are sorted by bytes: what is written never depends on the order of `pairs`. The members of a small object lie on
// the Lua stack while it is written, those of a large one are listed in a table; rows of a list mostly have the keys of
// the row before in the order of the row before, so that their order is known without sorting.
#include "value/json_write.h"

#include <math.h>
#include <stdio.h>

#include "value/bytes.h"
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/marks.h"
#include "value/text.h"

#define SLICE 2000   // values between two questions whether to pause
#define SORT_WORK 8  // comparisons that count as one value

enum { FAILED = -1, SCALAR, OPENED };

#define CURRENT(w) (&(w)->levels[(w)->nlevels - 1])

// ---- Errors, with the place in the value ----

// Paths are printed as Lua would write them: a.b[1]["no name"].
static bool is_name(const char *p, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char c = p[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  return n > 0;
}

// The stack index of the key that is being written.
static int current_key(const struct neap__json_level *f) {
  return f->layout == NEAP_JSON_MEMBERS ? f->slot + 1 + 2 * f->order[f->i - 1] : f->slot + 3;
}

static int print_step(struct neap__json_writer *w, const struct neap__json_level *f, char *to, size_t room,
                      bool first) {
  if (f->layout == NEAP_JSON_LIST) return snprintf(to, room, "[%lld]", (long long)f->i);
  size_t n;
  const char *key = lua_tolstring(w->L, current_key(f), &n);
  if (!is_name(key, n)) return snprintf(to, room, "[%s]", neap__show_text(key, n).text);
  return snprintf(to, room, "%s%s", first ? "" : ".", neap__show_name(key, n).text);
}

// Fills the error: what cannot be written, and the path from the value that was given to it ("at items[3].f").
static int fail(struct neap__json_writer *w, const char *what) {
  char path[256] = "";
  size_t n = 0;
  for (int i = 0; i < w->nlevels && w->levels[i].i > 0 && n < sizeof path; i++)
    n += (size_t)print_step(w, &w->levels[i], path + n, sizeof path - n, i == 0);
  return neap__error_set(w->error, NEAP_VALIDATION, "cannot write JSON: %s%s%s%s", what, *path ? " (at " : "", path,
                         *path ? ")" : "");
}

// Buffers grow outside of Lua, so nothing has been raised yet.
static int fail_memory(struct neap__json_writer *w) {
  return neap__error_set(w->error, NEAP_LIMIT, "cannot write JSON: not enough memory");
}

static inline int put(struct neap__json_writer *w, const char *p, size_t n) {
  return neap__buffer_append(w->out, p, n) == 0 ? SCALAR : fail_memory(w);
}

// ---- Strings ----

// RFC 8259 asks for no more than quotes, backslashes and control characters; other text stays readable.
static size_t write_escape(unsigned char c, char *to) {
  static const char named[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
  const char *at = c ? strchr(named, c) : NULL;
  to[0] = '\\';
  if (at != NULL) return to[1] = names[at - named], 2;
  return (size_t)sprintf(to, "\\u%04x", c);
}

// Copies the plain start of a string, eight bytes at a time; the room behind `to` is 8 bytes longer than the string.
static inline const char *copy_plain(const char *p, const char *end, char **to, bool *high) {
  while (end - p >= 8) {
    uint64_t x;
    memcpy(&x, p, 8);
    if (neap__json_special(x)) break;
    *high |= (x & NEAP_JSON_HIGH) != 0;
    memcpy(*to, &x, 8);
    *to += 8;
    p += 8;
  }
  for (; p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20; p++) {
    *high |= (unsigned char)*p >= 0x80;
    *(*to)++ = *p;
  }
  return p;
}

int neap__json_quote(struct neap__buffer *out, const char *p, size_t n, bool *high) {
  const char *end = p + n;
  bool unused = false;
  if (neap__buffer_reserve(out, n + 16) != 0) return -1;
  out->p[out->n++] = '"';
  for (;;) {
    char *to = out->p + out->n;
    p = copy_plain(p, end, &to, high ? high : &unused);
    out->n = (size_t)(to - out->p);
    if (p == end) break;
    if (neap__buffer_reserve(out, (size_t)(end - p) + 16) != 0) return -1;
    out->n += write_escape((unsigned char)*p++, out->p + out->n);
  }
  out->p[out->n++] = '"';
  return 0;
}

static int put_string(struct neap__json_writer *w, const char *p, size_t n) {
  bool high = false;
  size_t bad;
  if (neap__json_quote(w->out, p, n, &high) != 0) return fail_memory(w);
  if (high && !neap__text_utf8(p, n, &bad)) return fail(w, "a string is not valid UTF-8; expected text, or neap.bytes");
  return SCALAR;
}

// Encoded in place: bytes may be large.
static int put_base64(struct neap__json_writer *w, const char *p, size_t n) {
  size_t size = NEAP_BASE64_SIZE(n);
  if (w->marked && put(w, NEAP_JSON_MARK, strlen(NEAP_JSON_MARK)) == FAILED) return FAILED;
  if (neap__buffer_reserve(w->out, size + 2) != 0) return fail_memory(w);
  char *to = w->out->p + w->out->n;
  neap__bytes_base64(p, n, to + 1);
  to[0] = to[size + 1] = '"';
  w->out->n += size + 2;
  return SCALAR;
}

static int put_quoted(struct neap__json_writer *w, const char *p, size_t n) {
  return put(w, "\"", 1) == SCALAR && put(w, p, n) == SCALAR ? put(w, "\"", 1) : FAILED;
}

// ---- Numbers ----

// By hand: printf costs more than the rest of the value.
static int put_integer(struct neap__json_writer *w, lua_Integer value) {
  char text[24], *p = text + sizeof text;
  lua_Unsigned rest = value < 0 ? 0 - (lua_Unsigned)value : (lua_Unsigned)value;
  do *--p = (char)('0' + rest % 10);
  while (rest /= 10);
  if (value < 0) *--p = '-';
  return put(w, p, (size_t)(text + sizeof text - p));
}

// A float always has a point or an exponent, so that it reads back as a float.
static int put_number(struct neap__json_writer *w, int idx) {
  if (lua_isinteger(w->L, idx)) return put_integer(w, lua_tointeger(w->L, idx));
  double d = lua_tonumber(w->L, idx);
  if (!isfinite(d)) return fail(w, isnan(d) ? "NaN is no number of JSON" : "infinity is no number of JSON");
  char text[32];
  return put(w, text, neap__json_double(d, text));
}

// ---- Containers ----

// Begins a container: its table goes on the stack, and its address among those that must not come again below it.
static int open_level(struct neap__json_writer *w, int idx, enum neap__json_layout layout, lua_Integer n) {
  const void *table = lua_topointer(w->L, idx);
  for (int i = 0; i < w->nlevels; i++)
    if (w->levels[i].table == table) return fail(w, "a table that contains itself");
  if (w->nlevels == w->depth) return fail(w, "tables are nested too deeply (option depth)");
  if (!lua_checkstack(w->L, 2 * NEAP_JSON_SMALL + 12)) return fail(w, "tables are nested too deeply (Lua's stack)");
  lua_pushvalue(w->L, idx);
  struct neap__json_level *f = &w->levels[w->nlevels++];
  f->table = table;
  f->i = 0;
  f->n = n;
  f->slot = lua_gettop(w->L);
  f->layout = (uint8_t)layout;
  f->begun = f->extra = false;
  return put(w, layout == NEAP_JSON_LIST ? "[" : "{", 1) == SCALAR ? OPENED : FAILED;
}

// Pushes key and value of up to NEAP_JSON_SMALL members; returns their number, or -1 if there are more.
static int push_members(lua_State *L, int table) {
  int n = 0;
  lua_pushnil(L);
  while (lua_next(L, table)) {
    if (n++ == NEAP_JSON_SMALL) return -1;
    lua_pushvalue(L, -2);
  }
  return n;
}

// The level was opened for the table whose key is wrong; the path ends above it.
static int fail_key(struct neap__json_writer *w, int idx) {
  char what[160];
  const char *type = luaL_typename(w->L, idx);
  w->nlevels--;
  if (!lua_isinteger(w->L, idx))
    snprintf(what, sizeof what, "a key is a %s; expected strings", type);
  else
    snprintf(what, sizeof what, "key %lld is an integer; expected strings, or the keys 1 to n of a list without holes",
             (long long)lua_tointeger(w->L, idx));
  return fail(w, what);
}

// Is the key on the stack the one of the object before? Addresses tell: strings stay alive as long as the writer runs.
static bool same_keys(struct neap__json_writer *w, const struct neap__json_level *f, int n) {
  if (n != w->nkeys) return false;
  for (int i = 0; i < n; i++)
    if (lua_topointer(w->L, f->slot + 1 + 2 * i) != w->keys[i].object) return false;
  return true;
}

// By insertion: there are few, and mostly nearly in order.
static int sort_members(struct neap__json_writer *w, const struct neap__json_level *f, int n) {
  struct neap__json_member *keys = w->keys;
  w->shape++;
  w->nkeys = -1;
  for (int i = 0; i < n; i++) {
    int slot = f->slot + 1 + 2 * i, at = i;
    if (lua_type(w->L, slot) != LUA_TSTRING) return fail_key(w, slot);
    keys[i].object = lua_topointer(w->L, slot);
    keys[i].p = lua_tolstring(w->L, slot, &keys[i].n);
    for (; at > 0 && neap__json_member_compare(&keys[i], &keys[w->order[at - 1]]) < 0; at--)
      w->order[at] = w->order[at - 1];
    w->order[at] = (uint8_t)i;
  }
  w->nkeys = n;
  return OPENED;
}

// Finds the order of the members that lie on the stack; mostly it is that of the object before.
static int order_members(struct neap__json_writer *w, struct neap__json_level *f, int n) {
  if (!same_keys(w, f, n) && sort_members(w, f, n) == FAILED) return FAILED;
  f->shape = w->shape;
  memcpy(f->order, w->order, sizeof f->order);
  return OPENED;
}

// Lists the keys of a large object, in one go: while a table is gone through nobody else may change it, so no other task
// runs in between.
static int gather_keys(struct neap__json_writer *w, struct neap__json_level *f) {
  lua_State *L = w->L;
  lua_newtable(L);
  struct neap__json_keys *keys = neap__json_keys_push(L);
  for (lua_pushnil(L); lua_next(L, f->slot); lua_pop(L, 1)) {
    struct neap__json_member key = {.index = ++f->n};
    if (lua_type(L, -2) != LUA_TSTRING) return fail_key(w, -2);
    key.p = lua_tolstring(L, -2, &key.n);
    lua_pushvalue(L, -2);
    lua_rawseti(L, f->slot + 1, key.index);
    if (neap__json_keys_add(keys, &key) != 0) return fail_memory(w);
  }
  f->layout = NEAP_JSON_SORT;
  return OPENED;
}

static int sort_keys(struct neap__json_writer *w, struct neap__json_level *f) {
  int sorted = neap__json_keys_sort(lua_touserdata(w->L, f->slot + 2), SORT_WORK);
  if (sorted > 0) f->layout = NEAP_JSON_KEYLIST;
  return sorted < 0 ? fail_memory(w) : OPENED;
}

// Small objects lie on the stack. One that turns out to be larger is taken off again and listed.
static int open_object(struct neap__json_writer *w, int idx) {
  if (open_level(w, idx, NEAP_JSON_MEMBERS, 0) == FAILED) return FAILED;
  struct neap__json_level *f = CURRENT(w);
  int n = push_members(w->L, f->slot);
  if (n >= 0) {
    f->n = n;
    return order_members(w, f, n);
  }
  lua_settop(w->L, f->slot);
  return gather_keys(w, f);
}

// Are the keys of the table at idx exactly 1 to n? Mostly nothing follows n; else they are counted.
static bool is_list(lua_State *L, int idx, lua_Integer n) {
  lua_pushinteger(L, n);
  if (!lua_next(L, idx)) return true;
  lua_pop(L, 2);
  lua_Integer count = 0;
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    lua_pop(L, 1);
    lua_Integer key = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    if (key < 1 || key > n) return lua_pop(L, 1), false;
    count++;
  }
  return count == n;
}

// A mark decides, else the keys do.
static int open_table(struct neap__json_writer *w, int idx) {
  lua_Integer n = (lua_Integer)lua_rawlen(w->L, idx);
  const void *mark = NULL;
  if (lua_getmetatable(w->L, idx)) {
    mark = lua_topointer(w->L, -1);
    lua_pop(w->L, 1);
  }
  bool list = mark == w->array || mark == w->set || (n > 0 && mark != w->object);
  if (list && n > 0 && !is_list(w->L, idx, n)) list = false;
  if (!list) return open_object(w, idx);
  if (w->marked && mark == w->set && put(w, NEAP_JSON_MARK, strlen(NEAP_JSON_MARK)) == FAILED) return FAILED;
  return open_level(w, idx, NEAP_JSON_LIST, n);
}

// ---- Userdata and values that write themselves ----

static int put_value(struct neap__json_writer *w, int idx, bool hooks);

// Strings may come and go: addresses no longer tell keys.
static void forget_keys(struct neap__json_writer *w) {
  w->nkeys = -1;
  w->shape++;
}

// Calls the C function __json on top with the value at idx, and writes what it gives.
static int put_hooked(struct neap__json_writer *w, int idx) {
  lua_State *L = w->L;
  if (w->nlevels > 0) CURRENT(w)->extra = true;
  lua_pushvalue(L, idx);
  lua_call(L, 1, 2);
  forget_keys(w);
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    return put_value(w, lua_gettop(L), false);
  }
  size_t n;
  const char *p = lua_tolstring(L, -2, &n);
  return put(w, p, n);
}

// The values of neap that JSON has no type for.
static int put_userdata(struct neap__json_writer *w, int idx) {
  lua_State *L = w->L;
  size_t n;
  int64_t when;
  char text[40];
  const char *p = neap__bytes_test(L, idx, &n);
  if (p != NULL) return put_base64(w, p, n);
  if (w->nlevels > 0) CURRENT(w)->extra = true;
  if (neap__decimal_test(L, idx)) return p = neap__decimal_text(L, idx, &n), put(w, p, n);
  if (neap__datetime_test(L, idx, &when)) return put_quoted(w, text, neap__datetime_format(when, text));
  if (neap__date_test(L, idx, &when)) return put_quoted(w, text, neap__date_format(when, text));
  return fail(w, "a userdata; expected a value of JSON");
}

// True if the value at idx has a __json hook, which is then on top.
static bool push_hook(lua_State *L, int idx) {
  if (luaL_getmetafield(L, idx, "__json") == LUA_TNIL) return false;
  if (lua_iscfunction(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

// Writes the scalar at idx, or opens the container there. If it leaves more than that on the stack it says so in
// `extra`.
static int put_value(struct neap__json_writer *w, int idx, bool hooks) {
  lua_State *L = w->L;
  size_t n;
  const char *p;
  switch (lua_type(L, idx)) {
    case LUA_TSTRING: return p = lua_tolstring(L, idx, &n), put_string(w, p, n);
    case LUA_TNUMBER: return put_number(w, idx);
    case LUA_TBOOLEAN: return lua_toboolean(L, idx) ? put(w, "true", 4) : put(w, "false", 5);
    case LUA_TLIGHTUSERDATA:
      return neap__null_test(L, idx) ? put(w, "null", 4) : fail(w, "a light userdata; expected a value of JSON");
    case LUA_TTABLE: return hooks && push_hook(L, idx) ? put_hooked(w, idx) : open_table(w, idx);
    case LUA_TUSERDATA: return hooks && push_hook(L, idx) ? put_hooked(w, idx) : put_userdata(w, idx);
    case LUA_TNIL: return fail(w, "nil; expected a value of JSON (neap.null, or a list without holes)");
    default: return fail(w, lua_isfunction(L, idx) ? "a function" : "a coroutine");
  }
}

// ---- Going through ----

// The line break and the blanks before an element, in the indented form.
static int put_line(struct neap__json_writer *w) {
  size_t n = (size_t)w->indent * (size_t)w->nlevels;
  if (neap__buffer_reserve(w->out, n + 1) != 0) return fail_memory(w);
  w->out->p[w->out->n] = '\n';
  memset(w->out->p + w->out->n + 1, ' ', n);
  w->out->n += n + 1;
  return SCALAR;
}

static inline int put_break(struct neap__json_writer *w) {
  return w->indent == 0 ? SCALAR : put_line(w);
}

static int put_key(struct neap__json_writer *w, const char *p, size_t n) {
  if (put_string(w, p, n) == FAILED) return FAILED;
  return w->indent > 0 ? put(w, ": ", 2) : put(w, ":", 1);
}

static inline int put_separator(struct neap__json_writer *w, struct neap__json_level *f) {
  if (f->begun && put(w, ",", 1) == FAILED) return FAILED;
  f->begun = true;
  return put_break(w);
}

static int put_element(struct neap__json_writer *w, struct neap__json_level *f) {
  lua_settop(w->L, f->slot);
  lua_rawgeti(w->L, f->slot, f->i);
  return put_separator(w, f) == FAILED ? FAILED : put_value(w, f->slot + 1, true);
}

static int put_member(struct neap__json_writer *w, struct neap__json_level *f) {
  if (f->extra) lua_settop(w->L, f->slot + 2 * (int)f->n);
  f->extra = false;
  int at = f->order[f->i - 1], slot = f->slot + 1 + 2 * at;
  struct neap__json_member key = w->keys[at];
  if (f->shape != w->shape) key.p = lua_tolstring(w->L, slot, &key.n);
  if (put_separator(w, f) == FAILED || put_key(w, key.p, key.n) == FAILED) return FAILED;
  return put_value(w, slot + 1, true);
}

static int put_listed(struct neap__json_writer *w, struct neap__json_level *f) {
  lua_State *L = w->L;
  const struct neap__json_member *key = &neap__json_keys_all(lua_touserdata(L, f->slot + 2))[f->i - 1];
  lua_settop(L, f->slot + 2);
  lua_rawgeti(L, f->slot + 1, key->index);
  lua_pushvalue(L, -1);
  if (lua_rawget(L, f->slot) == LUA_TNIL) return SCALAR;  // removed since its key was listed
  if (put_separator(w, f) == FAILED || put_key(w, key->p, key->n) == FAILED) return FAILED;
  return put_value(w, f->slot + 4, true);
}

// Nothing of the container stays on the stack.
static int close_level(struct neap__json_writer *w, struct neap__json_level *f) {
  w->nlevels--;
  if (f->begun && put_break(w) == FAILED) return FAILED;
  lua_settop(w->L, f->slot - 1);
  return put(w, f->layout == NEAP_JSON_LIST ? "]" : "}", 1);
}

static int put_next(struct neap__json_writer *w, struct neap__json_level *f) {
  if (f->i == f->n) return close_level(w, f);
  f->i++;
  if (f->layout == NEAP_JSON_LIST) return put_element(w, f);
  return f->layout == NEAP_JSON_MEMBERS ? put_member(w, f) : put_listed(w, f);
}

// Goes on with the innermost container.
static int step(struct neap__json_writer *w) {
  struct neap__json_level *f = CURRENT(w);
  switch ((enum neap__json_layout)f->layout) {
    case NEAP_JSON_LIST:
    case NEAP_JSON_MEMBERS:
    case NEAP_JSON_KEYLIST: return put_next(w, f);
    case NEAP_JSON_SORT: return sort_keys(w, f);
  }
  return FAILED;
}

// Tables are told by the address of their metatable: cheaper than asking it, for every table.
static const void *mark_address(lua_State *L, enum neap__mark mark) {
  neap__mark_push(L, mark);
  const void *address = lua_topointer(L, -1);
  lua_pop(L, 1);
  return address;
}

void neap__json_writer_init(struct neap__json_writer *w, lua_State *L) {
  w->L = L;
  w->nlevels = 0;
  w->shape = 0;
  w->nkeys = -1;
  w->array = mark_address(L, NEAP_MARK_ARRAY);
  w->object = mark_address(L, NEAP_MARK_OBJECT);
  w->set = mark_address(L, NEAP_MARK_SET);
}

int neap__json_begin(struct neap__json_writer *w, int idx) {
  luaL_checkstack(w->L, 8, "not enough memory to write JSON");
  int got = put_value(w, idx, true);
  return got == FAILED ? NEAP_ERR : got == SCALAR ? NEAP_OK : NEAP_PENDING;
}

int neap__json_continue(struct neap__json_writer *w, bool pausing) {
  unsigned values = 0;
  for (; w->nlevels > 0; values++) {
    if (pausing && values >= SLICE) {
      if (neap__should_pause(w->L, values)) return forget_keys(w), NEAP_PENDING;
      values = 0;
    }
    if (step(w) == FAILED) return NEAP_ERR;
  }
  neap__charge(w->L, values);
  return NEAP_OK;
}

static int write(lua_State *L, int idx, struct neap__buffer *out, bool marked, struct neap__error *e) {
  struct neap__json_level levels[NEAP_JSON_DEPTH];
  struct neap__json_writer w = {.out = out, .levels = levels, .depth = NEAP_JSON_DEPTH, .marked = marked, .error = e};
  int top = lua_gettop(L);
  idx = lua_absindex(L, idx);
  luaL_checkstack(L, 8, "not enough memory to write JSON");
  neap__json_writer_init(&w, L);
  int status = neap__json_begin(&w, idx);
  if (status == NEAP_PENDING) status = neap__json_continue(&w, false);
  lua_settop(L, top);
  return status == NEAP_OK ? 0 : -1;
}

int neap__json_write(lua_State *L, int idx, struct neap__buffer *out, struct neap__error *e) {
  return write(L, idx, out, false, e);
}

static int encode(lua_State *L, int idx, bool marked, struct neap__error *e) {
  idx = lua_absindex(L, idx);
  luaL_checkstack(L, 8, "not enough memory to write JSON");
  struct neap__buffer *out = neap__buffer_push(L);
  if (write(L, idx, out, marked, e) != 0) {
    lua_pop(L, 1);
    return -1;
  }
  lua_pushlstring(L, out->p, out->n);
  neap__buffer_free(out);
  lua_replace(L, -2);
  return 0;
}

int neap__json_encode(lua_State *L, int idx, struct neap__error *e) {
  return encode(L, idx, false, e);
}

int neap__json_encode_marked(lua_State *L, int idx, struct neap__error *e) {
  return encode(L, idx, true, e);
}
