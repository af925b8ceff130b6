// json.c: the module neap.json: encode and decode, which let other tasks run while a large text is read or written.
#include "modules.h"
#include "value/json_read.h"
#include "value/json_write.h"
#include "value/marks.h"

#define SHORT_TEXT 65536  // read in one go: less than a fifth of a millisecond
#define MAX_DEPTH 10000

static int option_integer(lua_State *L, int idx, const char *name, int least, int most, int fallback) {
  if (lua_isnoneornil(L, idx)) return fallback;
  neap__arg_table(L, idx, "options");
  lua_getfield(L, idx, name);
  int value = lua_isnil(L, -1) ? fallback : (int)neap__arg_integer(L, -1, name, least, most);
  lua_pop(L, 1);
  return value;
}

// ---- decode ----

// A reader that may pause lies in a userdata, with its keys, its error and its frames behind it.
struct decoder {
  struct neap__json_reader reader;
  struct neap__json_key keys[NEAP_JSON_KEYS];
  struct neap__error error;
  struct neap__json_frame frames[];
};

static int decode_step(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  struct decoder *d = (struct decoder *)ctx;
  int got = neap__json_read(&d->reader, true);
  if (got == NEAP_PENDING) return neap__pause(L, ctx, decode_step);
  return got == NEAP_OK ? 1 : neap__raise(L, &d->error);
}

static int decode_long(lua_State *L, const char *text, size_t n, int depth) {
  struct decoder *d = lua_newuserdatauv(L, sizeof *d + (size_t)depth * sizeof d->frames[0], 0);
  d->reader = (struct neap__json_reader){.frames = d->frames, .depth = depth, .keys = d->keys, .error = &d->error};
  neap__json_reader_init(&d->reader, L, text, n);
  return decode_step(L, LUA_OK, (lua_KContext)d);
}

// neap.json.decode(text, options) -> value
//   options  { depth = 100 }: the deepest nesting that is accepted, 1 to 10000
// null is neap.null, lists are marked as arrays, empty objects as objects; an integer of 64 bits stays one, other
// numbers are floats where those are exact, else decimals. Raises `validation` with line, column and byte.
static int json_decode(lua_State *L) {
  size_t n;
  const char *text = neap__arg_string(L, 1, "text", &n);
  int depth = option_integer(L, 2, "depth", 1, MAX_DEPTH, NEAP_JSON_DEPTH);
  struct neap__error e;
  if (n > SHORT_TEXT || depth > NEAP_JSON_DEPTH) return decode_long(L, text, n, depth);
  return neap__json_push(L, text, n, depth, &e) == 0 ? 1 : neap__raise(L, &e);
}

// ---- encode ----

struct encoder {
  struct neap__json_writer writer;
  struct neap__error error;
  struct neap__json_level levels[];
};

static int encode_step(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  struct encoder *w = (struct encoder *)ctx;
  int got = neap__json_continue(&w->writer, true);
  if (got == NEAP_PENDING) return neap__pause(L, ctx, encode_step);
  if (got == NEAP_ERR) return neap__raise(L, &w->error);
  lua_pushlstring(L, w->writer.out->p, w->writer.out->n);
  neap__buffer_free(w->writer.out);
  return 1;
}

// neap.json.encode(value, options) -> text
//   options  { indent = 0, depth = 100 }: blanks a level, 0 = one line; the deepest nesting that is written, 1 to 10000
// Keys are sorted. A table is a list if its keys are 1 to n or it is neap.array; `{}` is an object. Raises `validation`
// for what JSON cannot hold (functions, NaN, cycles, keys that are no strings), with its place in the value.
static int json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  int depth = option_integer(L, 2, "depth", 1, MAX_DEPTH, NEAP_JSON_DEPTH);
  int indent = option_integer(L, 2, "indent", 0, 16, 0);
  lua_settop(L, 1);
  struct neap__buffer *out = neap__buffer_push(L);
  struct encoder *w = lua_newuserdatauv(L, sizeof *w + (size_t)depth * sizeof w->levels[0], 0);
  w->writer =
      (struct neap__json_writer){.out = out, .levels = w->levels, .depth = depth, .indent = indent, .error = &w->error};
  neap__json_writer_init(&w->writer, L);
  return neap__json_begin(&w->writer, 1) == NEAP_ERR ? neap__raise(L, &w->error)
                                                     : encode_step(L, LUA_OK, (lua_KContext)w);
}

static const luaL_Reg functions[] = {{"decode", json_decode}, {"encode", json_encode}, {NULL, NULL}};

int luaopen_neap_json(lua_State *L) {
  luaL_newlib(L, functions);
  neap__null_push(L);
  lua_setfield(L, -2, "null");
  return 1;
}
