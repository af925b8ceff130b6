// csv.c: neap.csv: reads CSV as a stream of rows, with libcsv. Its callbacks only append to a buffer of items; rows are made
// of them afterwards, when Lua may raise. csv_write.c writes.
#include "value/csv.h"

#include <csv.h>
#include <errno.h>
#include <string.h>

#include "modules.h"
#include "value/buffer.h"
#include "value/text.h"

#define TYPE "neap.csv.reader"
#define CHUNK 16384
#define FIELD_MAX (64 << 20)  // a quote that is never closed must not eat all memory

// The buffer of a reader is a sequence of these; the bytes of a field follow it.
struct item {
  enum { ITEM_FIELD, ITEM_EMPTY, ITEM_ROW } kind;
  size_t n;  // FIELD: bytes; ROW: the line that it began on
};

struct reader {
  struct csv_parser parser;
  struct csv_options options;
  struct neap__buffer items;
  size_t at;    // of the next item to take
  size_t rows;  // whole rows in the buffer
  size_t line, row_line;
  size_t nfields;        // of the row that is being read
  lua_Integer ncolumns;  // of the header
  FILE *file;            // NULL: reads `text`
  const char *text;
  size_t ntext;
  bool open, owned, started, ended, short_of_memory, after_cr;
  bool failed;
  struct neap__error error;  // raised when the rows before it have been taken
};

enum { VALUE_HEADER = 1, VALUE_SOURCE };  // user values of a reader

// ---- Options and files ----

static char option_byte(lua_State *L, int idx, const char *name, char otherwise) {
  size_t n;
  if (lua_getfield(L, idx, name) == LUA_TNIL) {
    lua_pop(L, 1);
    return otherwise;
  }
  const char *text = neap__arg_string(L, -1, name, &n);
  if (n != 1 || *text == '\n' || *text == '\r')
    neap__fail(L, NEAP_USAGE, "%s must be one byte, not %s", name, neap__show_value(L, -1).text);
  lua_pop(L, 1);
  return *text;
}

static void check_names(lua_State *L, int idx) {
  static const char *const names[] = {"header", "delimiter", "quote"};
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strcmp(name, names[0]) == 0 || strcmp(name, names[1]) == 0 || strcmp(name, names[2]) == 0) continue;
    const char *nearest = neap__text_nearest(name, strlen(name), names, 3);
    neap__fail(L, NEAP_USAGE, "csv has no option %s%s", neap__show_key(L, -2).text,
               nearest ? neap__show_hint("", nearest).text : "; it has header, delimiter and quote");
  }
}

void neap__csv_options(lua_State *L, int idx, struct csv_options *options) {
  *options = (struct csv_options){.delimiter = ',', .quote = '"'};
  if (lua_isnoneornil(L, idx)) {
    lua_pushnil(L);
    return;
  }
  neap__arg_table(L, idx, "options");
  check_names(L, idx);
  options->delimiter = option_byte(L, idx, "delimiter", ',');
  options->quote = option_byte(L, idx, "quote", '"');
  int type = lua_getfield(L, idx, "header");
  if (type == LUA_TTABLE) {
    options->header = CSV_HEADER_GIVEN;
    return;
  }
  if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1))
    options->header = CSV_HEADER_NONE;
  else if (type != LUA_TNIL && type != LUA_TBOOLEAN)
    neap__fail(L, NEAP_USAGE, "header must be true, false or a list of names, not %s", neap__show_value(L, -1).text);
  lua_pop(L, 1);
  lua_pushnil(L);
}

static enum neap__kind kind_of(int why) {
  if (why == ENOENT) return NEAP_NOT_FOUND;
  return why == EACCES ? NEAP_FORBIDDEN : NEAP_USAGE;
}

FILE *neap__csv_open(lua_State *L, int idx, const char *mode, bool *owned) {
  luaL_Stream *stream = luaL_testudata(L, idx, LUA_FILEHANDLE);
  *owned = stream == NULL;
  if (stream) {
    if (!stream->closef) neap__fail(L, NEAP_USAGE, "the file is closed");
    return stream->f;
  }
  const char *path = neap__arg_string(L, idx, "path", NULL);
  neap__need(L, NEAP_NO_FS, "a CSV file");
  FILE *file = fopen(path, mode);
  if (!file) {
    struct neap__error e;
    int why = errno;
    neap__error_set(&e, kind_of(why), "%s: %s", path, strerror(why));
    neap__raise(L, &e);
  }
  return file;
}

// ---- Parsing ----

static int no_space(unsigned char c) {
  (void)c;
  return 0;  // libcsv would trim fields; in RFC 4180 blanks belong to them
}

static void add_item(struct reader *r, int kind, size_t n, const char *bytes) {
  struct item item = {.n = n};
  item.kind = kind;
  if (neap__buffer_append(&r->items, (const char *)&item, sizeof item) != 0 ||
      (bytes && neap__buffer_append(&r->items, bytes, n) != 0))
    r->short_of_memory = true;
}

static size_t count_lines(const char *p, size_t n) {
  size_t lines = 0;
  for (const char *end = p + n; n > 0 && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) lines++;
  return lines;
}

static void on_field(void *bytes, size_t n, void *ud) {
  struct reader *r = ud;
  if (r->nfields++ == 0) r->row_line = r->line;
  add_item(r, bytes ? ITEM_FIELD : ITEM_EMPTY, n, bytes);
  if (bytes) r->line += count_lines(bytes, n);
  r->after_cr = false;
}

// Called for each end of line, and with -1 for a last row without one. Blank lines are no rows.
static void on_row(int end, void *ud) {
  struct reader *r = ud;
  if (r->nfields > 0) {
    add_item(r, ITEM_ROW, r->row_line, NULL);
    r->rows++;
    r->nfields = 0;
  }
  if (end != '\n' || !r->after_cr) r->line++;
  r->after_cr = end == '\r';
}

static void fail(struct reader *r, enum neap__kind kind, size_t line, const char *what) {
  r->failed = r->ended = true;
  neap__error_set(&r->error, kind, "line %zu of the CSV text: %s", line, what);
}

static void check_parser(struct reader *r, bool at_end) {
  size_t inside = r->parser.entry_buf ? count_lines((char *)r->parser.entry_buf, r->parser.entry_pos) : 0;
  if (r->short_of_memory || csv_error(&r->parser) == CSV_ENOMEM)
    fail(r, NEAP_LIMIT, r->line, "memory is short");
  else if (csv_error(&r->parser) == CSV_EPARSE && at_end)
    fail(r, NEAP_VALIDATION, r->line, "a quoted field begins and never ends");
  else if (csv_error(&r->parser) == CSV_EPARSE)
    fail(r, NEAP_VALIDATION, r->line + inside,
         "a quote stands inside a field; the field must be quoted and the quote doubled");
  else if (csv_get_buffer_size(&r->parser) > FIELD_MAX)
    fail(r, NEAP_LIMIT, r->line, "a field is longer than 64 MB");
}

// The next piece of the source; 0 at its end.
static size_t next_chunk(struct reader *r, char *space, const char **chunk) {
  if (r->file) {
    *chunk = space;
    size_t n = fread(space, 1, CHUNK, r->file);
    if (n == 0 && ferror(r->file)) fail(r, NEAP_VALIDATION, r->line, strerror(errno));
    return n;
  }
  size_t n = r->ntext < CHUNK ? r->ntext : CHUNK;
  *chunk = r->text;
  r->text += n;
  r->ntext -= n;
  return n;
}

// Parses one more chunk: adds rows, or sets `ended`.
static void feed(struct reader *r) {
  char space[CHUNK];
  const char *chunk;
  size_t n = next_chunk(r, space, &chunk);
  if (r->at > 0) {
    memmove(r->items.p, r->items.p + r->at, r->items.n - r->at);
    r->items.n -= r->at;
    r->at = 0;
  }
  if (!r->started && n >= 3 && memcmp(chunk, "\xEF\xBB\xBF", 3) == 0) {
    chunk += 3;  // a byte order mark
    n -= 3;
  } else if (n == 0) {
    if (!r->failed) r->ended = true;
    if (!r->failed && csv_fini(&r->parser, on_field, on_row, r) != 0) check_parser(r, true);
    return;
  }
  r->started = true;
  csv_parse(&r->parser, chunk, n, on_field, on_row, r);
  check_parser(r, false);
}

static void close_reader(struct reader *r) {
  if (!r->open) return;
  r->open = false;
  csv_free(&r->parser);
  neap__buffer_free(&r->items);
  if (r->owned && r->file) fclose(r->file);
  r->file = NULL;
}

// ---- Rows ----

static struct item take_item(struct reader *r) {
  struct item item;
  memcpy(&item, r->items.p + r->at, sizeof item);
  r->at += sizeof item;
  return item;
}

// Pushes the fields of the next row as a list and gives their number. There is a row.
static lua_Integer push_list(lua_State *L, struct reader *r) {
  lua_Integer n = 0;
  lua_createtable(L, (int)r->ncolumns, 0);
  for (;;) {
    struct item item = take_item(r);
    if (item.kind == ITEM_ROW) break;
    lua_pushlstring(L, r->items.p + r->at, item.kind == ITEM_FIELD ? item.n : 0);
    if (item.kind == ITEM_FIELD) r->at += item.n;
    lua_rawseti(L, -2, ++n);
  }
  r->rows--;
  return n;
}

// Pushes the next row keyed by the header; an empty field without quotes is nil.
static void push_record(lua_State *L, struct reader *r, int idx) {
  lua_Integer n = 0;
  lua_getiuservalue(L, idx, VALUE_HEADER);
  lua_createtable(L, 0, (int)r->ncolumns);
  for (;;) {
    struct item item = take_item(r);
    if (item.kind == ITEM_ROW) {
      r->rows--;
      if (n != r->ncolumns)
        neap__fail(L, NEAP_VALIDATION, "line %d of the CSV text has %d fields; the header has %d", (int)item.n, (int)n,
                   (int)r->ncolumns);
      lua_remove(L, -2);
      return;
    }
    if (++n <= r->ncolumns && item.kind == ITEM_FIELD) {
      lua_rawgeti(L, -2, n);
      lua_pushlstring(L, r->items.p + r->at, item.n);
      lua_rawset(L, -3);
    }
    if (item.kind == ITEM_FIELD) r->at += item.n;
  }
}

// Pops a list of names and makes it the header. Names are strings, each once.
static void set_header(lua_State *L, struct reader *r, int idx) {
  int list = lua_gettop(L);
  r->ncolumns = (lua_Integer)lua_rawlen(L, list);
  lua_createtable(L, 0, (int)r->ncolumns);
  for (lua_Integer i = 1; i <= r->ncolumns; i++) {
    if (lua_rawgeti(L, list, i) != LUA_TSTRING) neap__fail(L, NEAP_USAGE, "header must be a list of names");
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) != LUA_TNIL)
      neap__fail(L, NEAP_VALIDATION, "the CSV header has the column %s twice; read it with header = false",
                 neap__show_value(L, -2).text);
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  lua_settop(L, list);
  lua_setiuservalue(L, idx, VALUE_HEADER);
}

// Makes sure that there is a whole row; false at the end. Raises what was found wrong behind the last good row.
static bool await_row(lua_State *L, struct reader *r) {
  while (r->open && r->rows == 0 && !r->ended) feed(r);
  if (r->open && r->rows > 0) return true;
  if (r->failed) neap__raise(L, &r->error);
  return false;
}

// Pushes the next row; false and nothing pushed at the end.
static bool push_row(lua_State *L, struct reader *r, int idx) {
  if (!await_row(L, r)) return false;
  if (r->options.header == CSV_HEADER_NONE) {
    push_list(L, r);
    return true;
  }
  if (r->options.header == CSV_HEADER_ROW && r->ncolumns == 0) {
    push_list(L, r);
    set_header(L, r, idx);
    if (!await_row(L, r)) return false;
  }
  push_record(L, r, idx);
  return true;
}

// ---- Lua ----

static int reader_close(lua_State *L) {
  struct reader *r = luaL_testudata(L, 1, TYPE);
  if (r) close_reader(r);
  return 0;
}

static int reader_next(lua_State *L) {
  struct reader *r = luaL_testudata(L, 1, TYPE);
  if (!r) return neap__fail(L, NEAP_USAGE, "expected a reader of CSV");
  luaL_Stream *stream = lua_getiuservalue(L, 1, VALUE_SOURCE) == LUA_TUSERDATA ? lua_touserdata(L, -1) : NULL;
  if (stream && !stream->closef) return neap__fail(L, NEAP_USAGE, "the file was closed while its rows were read");
  if (push_row(L, r, 1)) return 1;
  close_reader(r);
  return 0;
}

static void push_metatable(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", reader_close}, {"__close", reader_close}, {"__call", reader_next}, {NULL, NULL}};
  if (luaL_getmetatable(L, TYPE) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 8);
  luaL_setfuncs(L, metamethods, 0);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, TYPE);
}

// Pushes a reader over nothing yet, with the options at index 2; index 1 is what it will read.
static struct reader *push_reader(lua_State *L) {
  struct csv_options options;
  lua_settop(L, 2);
  neap__csv_options(L, 2, &options);
  struct reader *r = lua_newuserdatauv(L, sizeof *r, 2);
  memset(r, 0, sizeof *r);
  neap__buffer_init(&r->items, L);
  r->options = options;
  r->line = 1;
  push_metatable(L);
  lua_setmetatable(L, -2);
  csv_init(&r->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL | CSV_EMPTY_IS_NULL);
  r->open = true;
  csv_set_delim(&r->parser, (unsigned char)options.delimiter);
  csv_set_quote(&r->parser, (unsigned char)options.quote);
  csv_set_space_func(&r->parser, no_space);
  csv_set_blk_size(&r->parser, 4096);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, VALUE_SOURCE);
  if (options.header == CSV_HEADER_GIVEN) {
    lua_pushvalue(L, 3);
    set_header(L, r, 4);
  }
  lua_replace(L, 3);
  return r;
}

// neap.csv.read(path or file, options) -> iterator over rows
//   for row in neap.csv.read "scores.csv" do ... end     the file is read as it goes and closed at the end or on break
//   options.header     true: the first row names the columns and rows are keyed by them (default); false: rows are lists;
//                      a list of names: rows are keyed by them and the first row is data
//   options.delimiter  one byte, default ","       options.quote  one byte, default '"'
//   Values are strings. An empty field is nil in a keyed row ("" if it was quoted) and "" in a list. Raises `not_found` for a
//   file that is not there, `validation` with the line for what is no CSV.
static int csv_read(lua_State *L) {
  struct reader *r = push_reader(L);
  r->file = neap__csv_open(L, 1, "rb", &r->owned);
  lua_pushcfunction(L, reader_next);
  lua_pushvalue(L, 3);
  lua_pushnil(L);
  lua_pushvalue(L, 3);
  return 4;
}

// Stack: text, options, reader, rows. ctx: how many rows there are.
static int parse_on(lua_State *L, int status, lua_KContext ctx) {
  struct reader *r = lua_touserdata(L, 3);
  (void)status;
  while (push_row(L, r, 3)) {
    lua_rawseti(L, 4, ++ctx);
    if (neap__should_pause(L, 1)) return neap__pause(L, ctx, parse_on);
  }
  close_reader(r);
  return 1;
}

// neap.csv.parse(text, options) -> list of rows, as neap.csv.read gives them
static int csv_parse_text(lua_State *L) {
  size_t n;
  const char *text = neap__arg_string(L, 1, "text", &n);
  struct reader *r = push_reader(L);
  r->text = text;
  r->ntext = n;
  lua_newtable(L);
  return parse_on(L, LUA_OK, 0);
}

int luaopen_neap_csv(lua_State *L) {
  static const luaL_Reg library[] = {{"read", csv_read},
                                     {"parse", csv_parse_text},
                                     {"encode", neap__csv_encode},
                                     {"writer", neap__csv_writer},
                                     {NULL, NULL}};
  luaL_newlib(L, library);
  return 1;
}
