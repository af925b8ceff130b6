// sql_text.c: a statement being written. Memory is plain malloc, counted by nobody but freed by __gc: a text lives for one
// statement.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sql_dialect.h"
#include "store/sql_store.h"

static const char type_name[] = "neap.sql_text";

// Text that was made for a parameter; in a chain, so that it stays where it is.
struct sql_copy {
  struct sql_copy *next;
  char text[];
};

static int text_gc(lua_State *L) {
  struct sql_text *s = lua_touserdata(L, 1);
  for (struct sql_copy *c = s->copies, *next; c; c = next) {
    next = c->next;
    free(c);
  }
  neap__buffer_free(&s->scratch);
  free(s->text);
  free(s->params);
  *s = (struct sql_text){.failed = true};
  return 0;
}

// Registered only when it is whole: memory may run short on the way.
static void push_metatable(lua_State *L) {
  if (luaL_getmetatable(L, type_name) != LUA_TNIL) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, text_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, type_name);
}

struct sql_text *neap__sql_text_new(lua_State *L, const struct sql_dialect *dialect, struct view *view) {
  struct sql_text *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (struct sql_text){.dialect = dialect, .view = view};
  neap__buffer_init(&s->scratch, L);
  push_metatable(L);
  lua_setmetatable(L, -2);
  return s;
}

// Makes room for n bytes and the NUL.
static bool reserve(struct sql_text *s, size_t n) {
  if (s->failed) return false;
  if (s->size - s->n > n) return true;
  size_t size = s->size ? s->size : 256;
  while (size - s->n <= n) size *= 2;
  char *text = realloc(s->text, size);
  if (!text) {
    s->failed = true;
    return false;
  }
  s->text = text;
  s->size = size;
  return true;
}

static void add(struct sql_text *s, const char *p, size_t n) {
  if (!reserve(s, n)) return;
  memcpy(s->text + s->n, p, n);
  s->n += n;
  s->text[s->n] = 0;
}

void neap__sql_add(struct sql_text *s, const char *text) {
  add(s, text, strlen(text));
}

void neap__sql_addf(struct sql_text *s, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  if (n >= 0 && reserve(s, (size_t)n)) {
    vsnprintf(s->text + s->n, (size_t)n + 1, format, again);
    s->n += (size_t)n;
  }
  va_end(again);
  va_end(args);
}

void neap__sql_quoted(struct sql_text *s, const char *p, size_t n) {
  neap__sql_add(s, "'");
  for (size_t i = 0; i < n && p[i]; i++) neap__sql_addf(s, p[i] == '\'' ? "''" : "%c", p[i]);
  neap__sql_add(s, "'");
}

void neap__sql_name(struct sql_text *s, const char *name) {
  add(s, "\"", 1);
  for (const char *quote; (quote = strchr(name, '"')); name = quote + 1) {
    add(s, name, (size_t)(quote - name) + 1);
    add(s, "\"", 1);
  }
  neap__sql_add(s, name);
  add(s, "\"", 1);
}

bool neap__sql_table_name(const struct sql_dialect *dialect, const struct view *view, const char *table, char *out,
                          size_t size) {
  static const char mark[] = "{table}";
  const char *template = view ? view->store->table_template : NULL;
  const char *at = template ? strstr(template, mark) : NULL;
  const char *dot = dialect->schemas ? strchr(table, '.') : NULL;
  size_t schema = dot ? (size_t)(dot - table) + 1 : 0;
  int n = at ? snprintf(out, size, "%.*s%.*s%s%s", (int)schema, table, (int)(at - template), template, table + schema,
                        at + sizeof mark - 1)
             : snprintf(out, size, "%s", table);
  return n >= 0 && (size_t)n < size;
}

void neap__sql_qualified(struct sql_text *s, const char *name) {
  char schema[256];
  const char *dot = s->dialect->schemas ? strchr(name, '.') : NULL;
  if (dot && (size_t)(dot - name) < sizeof schema) {
    snprintf(schema, sizeof schema, "%.*s", (int)(dot - name), name);
    neap__sql_name(s, schema);
    neap__sql_add(s, ".");
    name = dot + 1;
  }
  neap__sql_name(s, name);
}

void neap__sql_table(struct sql_text *s, const struct shape *shape) {
  char name[256];
  if (neap__sql_table_name(s->dialect, s->view, shape->table, name, sizeof name))
    neap__sql_qualified(s, name);
  else
    s->failed = true;
}

void neap__sql_column(struct sql_text *s, int alias, const struct field *f) {
  neap__sql_addf(s, "t%d.", alias);
  neap__sql_name(s, f->wire);
}

void neap__sql_compared(struct sql_text *s, int alias, const struct field *f) {
  neap__sql_column(s, alias, f);
  if (s->dialect->arrays && f->type.own && strcmp(f->type.own, "json") == 0) neap__sql_add(s, "::jsonb");
}

// The type that only the database knows, of values that are texts here; NULL = it is one of neap's.
static const char *unknown_type(const struct sql_text *s, const struct field *f) {
  const struct type *type = f->type.kind == TYPE_POINTER ? f->type.of : &f->type;
  bool unknown = s->dialect->arrays && type && type->kind == TYPE_STRING && type->own;
  return unknown ? s->dialect->column_type(type) : NULL;
}

void neap__sql_as_text(struct sql_text *s, const struct field *f) {
  if (unknown_type(s, f)) neap__sql_add(s, "::text");
}

void neap__sql_param(struct sql_text *s, int number) {
  neap__sql_addf(s, "%c%d", s->dialect->placeholder, number);
}

void neap__sql_bind(struct sql_text *s, const struct cell *cell) {
  if (s->nparams == s->params_size) {
    int size = s->params_size ? s->params_size * 2 : 8;
    struct cell *params = realloc(s->params, (size_t)size * sizeof *params);
    if (!params) {
      s->failed = true;
      return;
    }
    s->params = params;
    s->params_size = size;
  }
  s->params[s->nparams] = *cell;
  s->params[s->nparams++].secret = s->secret;
  neap__sql_param(s, s->nparams);
}

void neap__sql_copy(struct sql_text *s, const char *p, size_t n, struct cell *cell) {
  struct sql_copy *copy = n < UINT32_MAX ? malloc(sizeof *copy + n + 1) : NULL;
  if (!copy) {
    s->failed = true;
    return;
  }
  if (n > 0) memcpy(copy->text, p, n);
  copy->text[n] = 0;
  copy->next = s->copies;
  s->copies = copy;
  cell->p = copy->text;
  cell->n = (uint32_t)n;
}

void neap__sql_bind_copy(struct sql_text *s, enum cell_kind kind, const char *p, size_t n) {
  struct cell cell = {.kind = (uint8_t)kind};
  neap__sql_copy(s, p, n, &cell);
  if (!s->failed) neap__sql_bind(s, &cell);
}

// A list that is kept in an array: the elements have been checked, so that only memory may be short.
static void bind_array(struct sql_text *s, const struct field *f, const struct cell *list) {
  s->scratch.n = 0;
  if (neap__sql_array(&s->scratch, f->type.of, list) != 0)
    s->failed = true;
  else
    neap__sql_bind_copy(s, CELL_TEXT, s->scratch.p, s->scratch.n);
}

void neap__sql_bind_field(struct sql_text *s, const struct field *f, const struct cell *cell) {
  struct cell value = neap__sql_value(f, *cell);
  bool outer = s->secret;
  s->secret |= (f->flags & FIELD_SECRET) != 0;
  if (value.kind != CELL_JSON || !neap__sql_is_array(s->dialect, &f->type))
    neap__sql_bind(s, &value);
  else if (cell->kind == CELL_JSON)
    bind_array(s, f, cell);
  else
    neap__sql_bind(s, &(struct cell){.kind = CELL_NIL});
  if (unknown_type(s, f)) neap__sql_addf(s, "::%s", unknown_type(s, f));
  s->secret = outer;
}

int neap__sql_failed(const struct sql_text *s, struct neap__error *e) {
  return s->failed ? neap__error_set(e, NEAP_LIMIT, "memory is short, or a name is too long, for the statement") : 0;
}
