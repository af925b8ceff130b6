// json_read.c: JSON text to Lua values in one pass, without a tree between, and able to stop and go on.
//
// The elements of a container wait on the Lua stack until there are CHUNK of them or it ends, so that a table is made
// in its right size. Keys come from a small cache that guesses the next key from the last: rows of a list repeat
// theirs.
#include "value/json_read.h"

#include <stdio.h>

#include "value/bytes.h"
#include "value/decimal.h"
#include "value/marks.h"
#include "value/text.h"

#define CHUNK 32      // elements or members that wait on the stack
#define SLICE 2000    // values between two questions whether to pause
#define SHORT_KEY 40  // Lua interns strings up to here: equal text is equal address

enum { FAILED = -1, SCALAR, OPENED };

#define CURRENT(r) (&(r)->frames[(r)->nframes - 1])

// ---- Errors ----

// The position is found only now: counting lines while reading would cost every text what few need.
static int fail_at(struct neap__json_reader *r, const char *at, const char *what) {
  size_t line = 1, column = 1;
  for (const char *p = r->text; p < at; p++) {
    column++;
    if (*p == '\n') line++, column = 1;
  }
  return neap__error_set(r->error, NEAP_VALIDATION, "invalid JSON at line %zu, column %zu (byte %zu): %s", line, column,
                         (size_t)(at - r->text), what);
}

// Says what was expected and what is there.
static int fail_expected(struct neap__json_reader *r, const char *expected) {
  char what[160];
  unsigned char c = r->p < r->end ? (unsigned char)*r->p : 0;
  if (r->p >= r->end)
    snprintf(what, sizeof what, "expected %s, found the end", expected);
  else if (c < 0x20 || c >= 0x7f)
    snprintf(what, sizeof what, "expected %s, found byte 0x%02x", expected, c);
  else
    snprintf(what, sizeof what, "expected %s, found '%c'", expected, c);
  return fail_at(r, r->p, what);
}

// The four blanks of RFC 8259; nothing else may stand between tokens.
static inline void skip_blank(struct neap__json_reader *r) {
  while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')) r->p++;
}

// ---- Strings ----

// Only strings that hold bytes above 127 come here.
static int check_utf8(struct neap__json_reader *r, const char *p, size_t n) {
  size_t bad;
  return neap__text_utf8(p, n, &bad) ? 0 : fail_at(r, p + bad, "a string is not valid UTF-8");
}

// Decodes the escapes of the string from `start` on into out, up to the closing quote. The result is never longer than
// what it came from.
static int decode_escapes(struct neap__json_reader *r, const char *start, const char *stop, char *out, size_t *len) {
  char *to = out;
  for (const char *p = start; p < stop;) {
    if (*p != '\\') {
      *to++ = *p++;
      continue;
    }
    int n;
    const char *after = neap__json_escape(p, stop, to, &n);
    if (after == NULL) return fail_at(r, p, "unknown or cut escape sequence, or a lone surrogate");
    p = after;
    to += n;
  }
  *len = (size_t)(to - out);
  return 0;
}

// Pushes the string from start to stop (its closing quote), which holds escapes.
static int push_escaped(struct neap__json_reader *r, const char *start, const char *stop) {
  luaL_Buffer b;
  size_t len = 0, room = (size_t)(stop - start) + 4;
  int top = lua_gettop(r->L);
  char *out = luaL_buffinitsize(r->L, &b, room);
  if (decode_escapes(r, start, stop, out, &len) != 0) {
    lua_settop(r->L, top);
    return FAILED;
  }
  luaL_pushresultsize(&b, len);
  return 0;
}

// Finds the closing quote of the string that starts at p (behind its quote).
static const char *string_end(struct neap__json_reader *r, const char *p, bool *escaped) {
  const char *start = p;
  bool high = false;
  for (;;) {
    p = neap__json_plain(p, r->end, &high);
    if (p >= r->end) return fail_at(r, start - 1, "this string does not end"), NULL;
    if (*p == '"') break;
    if (*p != '\\') return fail_at(r, p, "a control character in a string; write it as \\n or \\u00XX"), NULL;
    *escaped = true;
    p += 2;  // whatever is escaped, a quote too; what it means is decided later
    if (p > r->end) p = r->end;
  }
  return high && check_utf8(r, start, (size_t)(p - start)) != 0 ? NULL : p;
}

// r->p is behind the opening quote. Pushes the string.
static int read_string(struct neap__json_reader *r) {
  const char *start = r->p;
  bool escaped = false;
  const char *stop = string_end(r, start, &escaped);
  if (stop == NULL) return FAILED;
  r->p = stop + 1;
  if (escaped) return push_escaped(r, start, stop);
  lua_pushlstring(r->L, start, (size_t)(stop - start));
  return SCALAR;
}

// A marked string, whose quote r->p is behind. What is no base64 was not marked by us.
static int read_bytes(struct neap__json_reader *r) {
  luaL_Buffer b;
  const char *start = r->p, *stop = memchr(start, '"', (size_t)(r->end - start));
  size_t n = stop == NULL ? 1 : (size_t)(stop - start);
  int top = lua_gettop(r->L);
  char *out = luaL_buffinitsize(r->L, &b, n / 4 * 3);
  ptrdiff_t got = neap__bytes_unbase64(start, n, out);
  if (got < 0) return lua_settop(r->L, top), read_string(r);
  luaL_pushresultsize(&b, (size_t)got);
  neap__bytes_push(r->L, lua_tostring(r->L, -1), (size_t)got);
  lua_remove(r->L, -2);
  r->p = stop + 1;
  return SCALAR;
}

// ---- Keys ----

// Where a key lies in the cache, if it does. Two keys of one place take it from each other in turn, which is slow, not
// wrong.
static struct neap__json_key *key_slot(struct neap__json_reader *r, const char *p, size_t n) {
  size_t hash = n * 7 + (unsigned char)p[0] * 31u + (unsigned char)p[n / 2] * 5u + (unsigned char)p[n - 1] * 3u;
  return &r->keys[hash % NEAP_JSON_KEYS];
}

// A copy from the stack costs less than hashing and interning the text again.
static void push_key(struct neap__json_reader *r, const struct neap__json_key *key) {
  lua_pushvalue(r->L, r->base + (int)(key - r->keys));
}

// Remembers that this key followed the last one.
static void learn(struct neap__json_reader *r, struct neap__json_key *key) {
  r->last->next = key;
  r->last = key;
}

// Pushes the key with the text start..stop from the cache, putting it there first.
static void cached_key(struct neap__json_reader *r, const char *start, size_t n) {
  struct neap__json_key *key = key_slot(r, start, n);
  if (key->n != n || memcmp(key->p, start, n) != 0) {
    key->p = lua_pushlstring(r->L, start, n);
    key->n = n;
    lua_replace(r->L, r->base + (int)(key - r->keys));
  }
  push_key(r, key);
  learn(r, key);
}

// True if the text goes on with the key that followed the last one before; then it is pushed. Cached keys hold neither
// quotes nor escapes, so comparing is all that reading takes.
static inline bool guess_key(struct neap__json_reader *r) {
  struct neap__json_key *key = r->last->next;
  if (key == NULL || (size_t)(r->end - r->p) <= key->n || r->p[key->n] != '"' || memcmp(r->p, key->p, key->n) != 0)
    return false;
  r->p += key->n + 1;
  push_key(r, key);
  r->last = key;
  return true;
}

// Long keys and escaped ones are rare: they pass by the cache.
static int read_key_text(struct neap__json_reader *r) {
  const char *start = r->p;
  bool escaped = false;
  const char *stop = string_end(r, start, &escaped);
  if (stop == NULL) return FAILED;
  size_t n = (size_t)(stop - start);
  r->p = stop + 1;
  if (escaped) return push_escaped(r, start, stop);
  if (r->keys != NULL && n > 0 && n <= SHORT_KEY)
    cached_key(r, start, n);
  else
    lua_pushlstring(r->L, start, n);
  return 0;
}

// Reads `"key" :` and pushes the key.
static int read_key(struct neap__json_reader *r) {
  skip_blank(r);
  if (r->p >= r->end || *r->p != '"') return fail_expected(r, "a key in double quotes");
  r->p++;
  if (!(r->keys != NULL && guess_key(r)) && read_key_text(r) != 0) return FAILED;
  skip_blank(r);
  if (r->p >= r->end || *r->p != ':') return fail_expected(r, "':'");
  r->p++;
  return 0;
}

// ---- Containers ----

// Says where in the object that starts at `start` a key comes a second time.
static int fail_duplicate(struct neap__json_reader *r, const char *start, const char *key, size_t n) {
  char what[120];
  snprintf(what, sizeof what, "duplicate key %s", neap__show_text(key, n).text);
  struct neap__json_each it = neap__json_each(start, (size_t)(r->end - start));
  const char *at = start;
  for (int seen = 0; seen < 2 && neap__json_next(&it);) {
    bool escaped = memchr(it.key.p, '\\', it.key.n) != NULL;
    const char *from = it.key.p + 1, *stop = it.key.p + it.key.n - 1;
    if (escaped && push_escaped(r, from, stop) != 0) break;
    if (!escaped) lua_pushlstring(r->L, from, (size_t)(stop - from));
    size_t len;
    const char *text = lua_tolstring(r->L, -1, &len);
    if (len == n && memcmp(text, key, n) == 0) seen++, at = it.key.p;
    lua_pop(r->L, 1);
  }
  return fail_at(r, at, what);
}

// The keys that wait, if all of them are interned: then two are equal if their addresses are. Else 0 is returned.
static int interned_keys(lua_State *L, int first, int last, const char *keys[CHUNK]) {
  int n = 0;
  for (int i = first; i < last; i += 2) {
    size_t len;
    keys[n++] = lua_tolstring(L, i, &len);
    if (len > SHORT_KEY) return 0;
  }
  return n;
}

// Are the keys that wait distinct, as far as addresses tell? The table is new, so there are no others.
static bool distinct(lua_State *L, int first, int last) {
  const char *keys[CHUNK];
  int n = interned_keys(L, first, last, keys);
  for (int i = 1; i < n; i++)
    for (int j = 0; j < i; j++)
      if (keys[i] == keys[j]) return false;
  return n > 0;
}

// Stores members one by one, asking before each whether the key is there: for long keys and large objects.
static int store_checked(struct neap__json_reader *r, struct neap__json_frame *f) {
  lua_State *L = r->L;
  while (lua_gettop(L) > f->slot) {
    lua_pushvalue(L, -2);
    if (lua_rawget(L, f->slot) != LUA_TNIL) {
      size_t n;
      const char *key = lua_tolstring(L, -3, &n);
      return fail_duplicate(r, r->text + f->start, key, n);
    }
    lua_pop(L, 1);
    lua_rawset(L, f->slot);
  }
  return 0;
}

// The table takes the place that its container reserved below what waits for it.
static void make_table(lua_State *L, struct neap__json_frame *f, int nlist, int nmap) {
  lua_createtable(L, nlist, nmap);
  lua_replace(L, f->slot);
  f->made = true;
}

// Moves what waits on the stack into the container's table.
static int flush_object(struct neap__json_reader *r, struct neap__json_frame *f) {
  lua_State *L = r->L;
  int top = lua_gettop(L), pending = (top - f->slot) / 2;
  bool fresh = !f->made;
  if (fresh) make_table(L, f, 0, pending < CHUNK ? pending : 2 * CHUNK);
  f->pending = 0;
  if (!fresh || !distinct(L, f->slot + 1, top)) return store_checked(r, f);
  while (top > f->slot) {
    lua_rawset(L, f->slot);
    top -= 2;
  }
  return 0;
}

// From the last to the first, since that is how they come off the stack; the table is large enough for all of them.
static int flush_list(struct neap__json_reader *r, struct neap__json_frame *f) {
  lua_State *L = r->L;
  int pending = lua_gettop(L) - f->slot;
  if (!f->made) make_table(L, f, pending < CHUNK ? pending : 2 * CHUNK, 0);
  for (int i = pending; i > 0; i--) lua_rawseti(L, f->slot, f->stored + i);
  f->stored += pending;
  f->pending = 0;
  return 0;
}

static int flush(struct neap__json_reader *r, struct neap__json_frame *f) {
  return f->close == ']' ? flush_list(r, f) : flush_object(r, f);
}

// Pushes the metatable of arrays or objects, from its place on the stack once that was needed.
static void push_mark(struct neap__json_reader *r, enum neap__mark mark) {
  int slot = r->marks + (mark == NEAP_MARK_OBJECT);
  if (lua_isnil(r->L, slot)) {
    neap__mark_push(r->L, mark);
    lua_replace(r->L, slot);
  }
  lua_pushvalue(r->L, slot);
}

// r->p is at the closing bracket. Leaves the finished table on top.
static int close_container(struct neap__json_reader *r) {
  struct neap__json_frame *f = CURRENT(r);
  if (flush(r, f) != 0) return FAILED;
  if (f->set) {
    neap__mark_set(r->L, -1, NEAP_MARK_SET);
  } else if (f->close == ']' ||
             f->empty) {  // lists keep their mark even if they are not empty: a script may empty them
    push_mark(r, f->close == ']' ? NEAP_MARK_ARRAY : NEAP_MARK_OBJECT);
    lua_setmetatable(r->L, -2);
  }
  r->p++;
  r->nframes--;
  return 0;
}

// The stack that a container needs: what waits there, which a short text has not much of.
static int room(const struct neap__json_reader *r) {
  return (r->end - r->p < 2 * CHUNK ? (int)(r->end - r->p) : 2 * CHUNK) + LUA_MINSTACK;
}

// Reads an opening bracket, and a first key. An empty container is closed at once.
static int open_container(struct neap__json_reader *r) {
  if (r->nframes == r->depth) return fail_at(r, r->p, "containers are nested too deeply (option depth)");
  if (!lua_checkstack(r->L, room(r))) return fail_at(r, r->p, "containers are nested too deeply (Lua's stack)");
  lua_pushnil(r->L);  // the place of the table, which is made when its size is known
  struct neap__json_frame *f = &r->frames[r->nframes++];
  *f = (struct neap__json_frame){.slot = lua_gettop(r->L), .close = (char)(*r->p + 2), .start = r->p - r->text};
  f->set = r->marked && f->close == ']' && neap__json_marked(r->text, r->p);
  r->p++;
  skip_blank(r);
  f->empty = r->p < r->end && *r->p == f->close;
  if (f->empty) return close_container(r);
  return f->close == '}' && read_key(r) != 0 ? FAILED : OPENED;
}

// ---- Values ----

static int read_number(struct neap__json_reader *r) {
  struct cell cell;
  const char *after = neap__json_number(r->p, r->end, &cell);
  if (after == NULL) {
    bool digits = r->p < r->end && (*r->p == '-' || (*r->p >= '0' && *r->p <= '9'));
    return digits ? fail_at(r, r->p, "this number is malformed") : fail_expected(r, "a value");
  }
  if (cell.kind == CELL_INTEGER)
    lua_pushinteger(r->L, cell.i);
  else if (cell.kind == CELL_NUMBER)
    lua_pushnumber(r->L, cell.d);
  else if (neap__decimal_push(r->L, cell.p, cell.n) != 0)
    return fail_at(r, r->p, "this number is out of range; decimals have at most 1,000 digits");
  r->p = after;
  return SCALAR;
}

// The value was pushed before the word was compared: if it is another word, the error drops it with everything else.
static int read_word(struct neap__json_reader *r, const char *word, size_t n) {
  if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0) return fail_expected(r, "a value");
  r->p += n;
  return SCALAR;
}

// Reads a scalar and pushes it, or opens a container.
static inline int read_value(struct neap__json_reader *r) {
  skip_blank(r);
  switch (r->p < r->end ? *r->p : 0) {
    case '"': r->p++; return r->marked && neap__json_marked(r->text, r->p - 1) ? read_bytes(r) : read_string(r);
    case '[':
    case '{': return open_container(r);
    case 't': lua_pushboolean(r->L, 1); return read_word(r, "true", 4);
    case 'f': lua_pushboolean(r->L, 0); return read_word(r, "false", 5);
    case 'n': neap__null_push(r->L); return read_word(r, "null", 4);
    default: return read_number(r);
  }
}

// Behind a value in a container: reads the comma (and the next key) or the closing bracket.
// Returns OPENED if another value is to come, SCALAR if the container is complete and itself a value.
static inline int read_next(struct neap__json_reader *r) {
  struct neap__json_frame *f = CURRENT(r);
  if (++f->pending == CHUNK && flush(r, f) != 0) return FAILED;
  skip_blank(r);
  char c = r->p < r->end ? *r->p : 0;
  if (c == f->close) return close_container(r) != 0 ? FAILED : SCALAR;
  if (c != ',') return fail_expected(r, f->close == ']' ? "',' or ']'" : "',' or '}'");
  r->p++;
  return f->close == '}' && read_key(r) != 0 ? FAILED : OPENED;
}

// One text is one value.
static int read_end(struct neap__json_reader *r) {
  skip_blank(r);
  return r->p < r->end ? fail_expected(r, "the end") : NEAP_OK;
}

int neap__json_read(struct neap__json_reader *r, bool pausing) {
  for (unsigned values = 0;; values++) {
    if (pausing && values >= SLICE) {
      if (neap__should_pause(r->L, values)) return NEAP_PENDING;
      values = 0;
    }
    int got = read_value(r);
    while (got == SCALAR && r->nframes > 0) got = read_next(r);
    if (got == OPENED) continue;
    neap__charge(r->L, values);
    return got == FAILED ? NEAP_ERR : read_end(r);
  }
}

void neap__json_reader_init(struct neap__json_reader *r, lua_State *L, const char *p, size_t n) {
  r->L = L;
  r->text = r->p = p;
  r->end = p + n;
  r->nframes = 0;
  luaL_checkstack(L, (r->keys != NULL ? NEAP_JSON_KEYS : 0) + room(r), "not enough memory to read JSON");
  r->marks = lua_gettop(L) + 1;
  r->base = r->marks + 2;
  lua_settop(L, r->base - 1);
  if (r->keys != NULL) {
    lua_settop(L, r->base + NEAP_JSON_KEYS - 1);
    memset(r->keys, 0, NEAP_JSON_KEYS * sizeof *r->keys);
    r->first = (struct neap__json_key){0};
    r->last = &r->first;
  }
}

static int push(lua_State *L, const char *p, size_t n, int depth, bool marked, struct neap__error *e) {
  struct neap__json_frame frames[NEAP_JSON_DEPTH];
  struct neap__json_key keys[NEAP_JSON_KEYS];
  struct neap__json_reader r = {.frames = frames, .error = e, .marked = marked};
  r.depth = depth < NEAP_JSON_DEPTH ? depth : NEAP_JSON_DEPTH;
  if (n >= NEAP_JSON_KEYS * 16) r.keys = keys;
  int top = lua_gettop(L);
  neap__json_reader_init(&r, L, p, n);
  if (neap__json_read(&r, false) != NEAP_OK) {
    lua_settop(L, top);
    return -1;
  }
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  return 0;
}

int neap__json_push(lua_State *L, const char *p, size_t n, int depth, struct neap__error *e) {
  return push(L, p, n, depth, false, e);
}

int neap__json_push_marked(lua_State *L, const char *p, size_t n, struct neap__error *e) {
  return push(L, p, n, NEAP_JSON_DEPTH, true, e);
}
