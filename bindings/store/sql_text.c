// sql_text.c: a statement being written. Memory is plain malloc, counted by nobody but freed by __gc: a text lives for one
// statement.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sql.h"
#include "store/sql_dialect.h"

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

void neap__sql_name(struct sql_text *s, const char *name) {
  add(s, "\"", 1);
  for (const char *quote; (quote = strchr(name, '"')); name = quote + 1) {
    add(s, name, (size_t)(quote - name) + 1);
    add(s, "\"", 1);
  }
  neap__sql_add(s, name);
  add(s, "\"", 1);
}

void neap__sql_table(struct sql_text *s, const struct shape *shape) {
  static const char mark[] = "{table}";
  const char *template = s->view ? s->view->store->table_template : NULL;
  const char *at = template ? strstr(template, mark) : NULL;
  char name[256];
  if (!at) {
    neap__sql_name(s, shape->table);
    return;
  }
  int n = snprintf(name, sizeof name, "%.*s%s%s", (int)(at - template), template, shape->table, at + sizeof mark - 1);
  if (n < 0 || (size_t)n >= sizeof name)
    s->failed = true;
  else
    neap__sql_name(s, name);
}

void neap__sql_column(struct sql_text *s, int alias, const struct field *f) {
  neap__sql_addf(s, "t%d.", alias);
  neap__sql_name(s, f->wire);
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
  s->params[s->nparams++] = *cell;
  neap__sql_param(s, s->nparams);
}

void neap__sql_bind_copy(struct sql_text *s, enum cell_kind kind, const char *p, size_t n) {
  struct sql_copy *copy = n < UINT32_MAX ? malloc(sizeof *copy + n + 1) : NULL;
  if (!copy) {
    s->failed = true;
    return;
  }
  memcpy(copy->text, p, n);
  copy->text[n] = 0;
  copy->next = s->copies;
  s->copies = copy;
  neap__sql_bind(s, &(struct cell){.p = copy->text, .n = (uint32_t)n, .kind = (uint8_t)kind});
}

int neap__sql_failed(const struct sql_text *s, struct neap__error *e) {
  return s->failed ? neap__error_set(e, NEAP_LIMIT, "memory is short, or a name is too long, for the statement") : 0;
}
