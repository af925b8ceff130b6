// csv_write.c: neap.csv.encode and neap.csv.writer: rows to CSV text.
#include <errno.h>
#include <string.h>

#include "value/buffer.h"
#include "value/cell.h"
#include "value/csv.h"
#include "value/datetime.h"
#include "value/json.h"

#define TYPE "neap.csv.writer"

// How rows become text. The columns are a list at a stack index that the functions below take.
struct encoder {
  struct csv_options options;
  struct neap__buffer *out;
  bool begun;
};

static void need(lua_State *L, int status) {
  if (status != 0) neap__fail(L, NEAP_LIMIT, "memory is too short for the CSV text");
}

// Quotes what would be read as something else: also what looks like a byte order mark. Empty text is quoted, so that it differs
// from nothing.
static void add_text(lua_State *L, const struct encoder *w, const char *p, size_t n) {
  char quote = w->options.quote;
  const char special[] = {w->options.delimiter, quote, '\r', '\n'};
  bool quoted = n == 0 || (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0);
  for (size_t i = 0; i < n && !quoted; i++) quoted = memchr(special, p[i], sizeof special) != NULL;
  if (!quoted) {
    need(L, neap__buffer_append(w->out, p, n));
    return;
  }
  need(L, neap__buffer_byte(w->out, quote));
  for (size_t i = 0; i < n; i++) {
    if (p[i] == quote) need(L, neap__buffer_byte(w->out, quote));
    need(L, neap__buffer_byte(w->out, p[i]));
  }
  need(L, neap__buffer_byte(w->out, quote));
}

// Appends the value on top of the stack and pops it.
static void add_value(lua_State *L, const struct encoder *w) {
  struct neap__error e;
  struct cell cell;
  char text[40];
  if (neap__cell_read(L, -1, &cell, &e) != 0) neap__raise(L, &e);
  switch ((enum cell_kind)cell.kind) {
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL: break;
    case CELL_BOOLEAN: add_text(L, w, cell.i ? "true" : "false", cell.i ? 4 : 5); break;
    case CELL_INTEGER: add_text(L, w, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)cell.i)); break;
    case CELL_NUMBER: add_text(L, w, text, neap__json_double(cell.d, text)); break;
    case CELL_DATETIME: add_text(L, w, text, neap__datetime_format(cell.i, text)); break;
    case CELL_DATE: add_text(L, w, text, neap__date_format(cell.i, text)); break;
    case CELL_BYTES: neap__fail(L, NEAP_VALIDATION, "bytes are no text for CSV; write b:base64() or b:hex()"); break;
    case CELL_TEXT:
    case CELL_DECIMAL:
    case CELL_JSON: add_text(L, w, cell.p, cell.n); break;
  }
  lua_pop(L, 2);
}

static void add_delimiter(lua_State *L, const struct encoder *w, lua_Integer i) {
  if (i > 1) need(L, neap__buffer_byte(w->out, w->options.delimiter));
}

// Ends a line. A row of one empty field would be a blank line, which is no row: it is quoted.
static void end_line(lua_State *L, const struct encoder *w, size_t from) {
  if (w->out->n == from) add_text(L, w, "", 0);
  need(L, neap__buffer_byte(w->out, '\n'));
}

static void add_list(lua_State *L, const struct encoder *w, int list, lua_Integer n) {
  size_t from = w->out->n;
  for (lua_Integer i = 1; i <= n; i++) {
    add_delimiter(L, w, i);
    lua_geti(L, list, i);
    add_value(L, w);
  }
  end_line(L, w, from);
}

// A key that no column bears would be lost without a word.
static void check_keys(lua_State *L, int row, int columns) {
  lua_Integer n = luaL_len(L, columns);
  for (lua_pushnil(L); lua_next(L, row); lua_pop(L, 1)) {
    bool known = false;
    for (lua_Integer i = 1; i <= n && !known; i++) {
      lua_rawgeti(L, columns, i);
      known = lua_rawequal(L, -1, -3);
      lua_pop(L, 1);
    }
    if (!known)
      neap__fail(L, NEAP_VALIDATION, "the row has %s, which is no column of the header", neap__show_value(L, -2).text);
  }
}

static void add_record(lua_State *L, const struct encoder *w, int row, int columns) {
  size_t from = w->out->n;
  lua_Integer n = luaL_len(L, columns);
  if (lua_istable(L, row)) check_keys(L, row, columns);
  for (lua_Integer i = 1; i <= n; i++) {
    add_delimiter(L, w, i);
    lua_rawgeti(L, columns, i);
    lua_gettable(L, row);
    add_value(L, w);
  }
  end_line(L, w, from);
}

static bool is_list(lua_State *L, int row) {
  return lua_istable(L, row) && lua_rawlen(L, row) > 0;
}

// Pushes the names of a keyed row in the order of their bytes: Lua's own order changes from run to run.
static void push_sorted_keys(lua_State *L, int row) {
  lua_Integer n = 0;
  if (!lua_istable(L, row))
    neap__fail(L, NEAP_USAGE, "rows must be tables, or objects with header = { names }, not %s",
               neap__show_value(L, row).text);
  lua_newtable(L);
  int list = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, row); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      neap__fail(L, NEAP_USAGE, "a row is a list, or a table keyed by the names of columns");
    lua_Integer i = ++n;
    for (; i > 1; i--) {  // insertion: headers are short
      lua_rawgeti(L, list, i - 1);
      if (lua_compare(L, -1, -3, LUA_OPLT)) break;
      lua_rawseti(L, list, i);
    }
    if (i > 1) lua_pop(L, 1);
    lua_pushvalue(L, -2);
    lua_rawseti(L, list, i);
  }
}

// Appends one row, and before the first one the header. *columns is the stack index of the names, or of nil until a keyed
// row tells them.
static void add_row(lua_State *L, struct encoder *w, int row, int columns) {
  bool list = is_list(L, row);
  if (!w->begun && !list && lua_isnil(L, columns)) {
    push_sorted_keys(L, row);
    lua_replace(L, columns);
  }
  if (!w->begun && !lua_isnil(L, columns) && w->options.header != CSV_HEADER_NONE) {
    add_list(L, w, columns, luaL_len(L, columns));
  }
  w->begun = true;
  if (list)
    add_list(L, w, row, (lua_Integer)lua_rawlen(L, row));
  else if (lua_isnil(L, columns))
    neap__fail(L, NEAP_USAGE, "a keyed row follows rows that are lists");
  else
    add_record(L, w, row, columns);
}

// neap.csv.encode(rows, options) -> string
//   rows             list of rows: lists of values, or tables or objects keyed by column
//   options.header   a list of names: the columns in that order; true (default): the keys of the first row, sorted, unless it
//                    is a list; false: no header line
//   options.delimiter, options.quote as for neap.csv.read
//   nil and null are empty, text that is empty is "", containers are JSON text. Lines end with \n.
int neap__csv_encode(lua_State *L) {
  struct encoder w = {.begun = false};
  neap__arg_table(L, 1, "rows");
  lua_settop(L, 2);
  neap__csv_options(L, 2, &w.options);
  w.out = neap__buffer_push(L);
  lua_Integer n = luaL_len(L, 1);
  if (n == 0 && !lua_isnil(L, 3)) add_list(L, &w, 3, luaL_len(L, 3));
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, 1, i);
    add_row(L, &w, 5, 3);
    lua_settop(L, 4);
  }
  lua_pushlstring(L, w.out->p ? w.out->p : "", w.out->n);
  return 1;
}

// ---- Writers ----

struct writer {
  struct encoder encoder;
  FILE *file;  // NULL: closed
  bool owned;
};

enum { VALUE_COLUMNS = 1, VALUE_BUFFER, VALUE_FILE };  // user values of a writer

static int fail_write(lua_State *L) {
  return neap__fail(L, NEAP_USAGE, "the CSV file cannot be written: %s", strerror(errno));
}

static struct writer *check_writer(lua_State *L) {
  struct writer *w = luaL_testudata(L, 1, TYPE);
  if (!w) neap__fail(L, NEAP_USAGE, "expected a CSV writer; call its methods with a colon");
  luaL_Stream *stream = lua_getiuservalue(L, 1, VALUE_FILE) == LUA_TUSERDATA ? lua_touserdata(L, -1) : NULL;
  if (!w->file || (stream && !stream->closef)) neap__fail(L, NEAP_USAGE, "the CSV file is closed");
  lua_pop(L, 1);
  return w;
}

// writer:write(row, ...) -> writer
static int writer_write(lua_State *L) {
  struct writer *w = check_writer(L);
  int last = lua_gettop(L), columns = last + 1;
  lua_getiuservalue(L, 1, VALUE_COLUMNS);
  for (int i = 2; i <= last; i++) {
    w->encoder.out->n = 0;
    add_row(L, &w->encoder, i, columns);
    if (fwrite(w->encoder.out->p, 1, w->encoder.out->n, w->file) != w->encoder.out->n) return fail_write(L);
    lua_settop(L, columns);
  }
  lua_setiuservalue(L, 1, VALUE_COLUMNS);
  lua_settop(L, 1);
  return 1;
}

// writer:close()   also by <close>; raises `usage` if the rest cannot be written
static int writer_close(lua_State *L) {
  struct writer *w = luaL_testudata(L, 1, TYPE);
  FILE *file = w ? w->file : NULL;
  if (!file) return 0;
  w->file = NULL;
  int (*end)(FILE *) = w->owned ? fclose : fflush;
  return end(file) == 0 ? 0 : fail_write(L);
}

// The file of a script may be gone when the state closes: only one of our own is touched.
static int writer_gc(lua_State *L) {
  struct writer *w = lua_touserdata(L, 1);
  if (w->file && w->owned) fclose(w->file);
  w->file = NULL;
  return 0;
}

static void push_metatable(lua_State *L) {
  static const luaL_Reg methods[] = {{"write", writer_write}, {"close", writer_close}, {NULL, NULL}};
  if (luaL_getmetatable(L, TYPE) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 8);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, writer_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, writer_close);
  lua_setfield(L, -2, "__close");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, TYPE);
}

// neap.csv.writer(path or file, options) -> writer     options as for neap.csv.encode
int neap__csv_writer(lua_State *L) {
  lua_settop(L, 2);
  struct writer *w = lua_newuserdatauv(L, sizeof *w, 3);
  *w = (struct writer){.file = NULL};
  push_metatable(L);
  lua_setmetatable(L, 3);
  neap__csv_options(L, 2, &w->encoder.options);
  lua_setiuservalue(L, 3, VALUE_COLUMNS);
  w->encoder.out = neap__buffer_push(L);
  lua_setiuservalue(L, 3, VALUE_BUFFER);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 3, VALUE_FILE);
  w->file = neap__csv_open(L, 1, "wb", &w->owned);
  return 1;
}
