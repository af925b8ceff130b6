// save_error.c: what went wrong with one object, in the words of its model.
#include <string.h>

#include "model/save.h"

// "Post 5", "Post" of an object without key.
static void write_name(lua_State *L, int idx, const struct shape *shape, char *out, size_t size) {
  char key[80];
  size_t n = (size_t)snprintf(out, size, "%s", shape->model);
  for (int i = 0; i < shape->nkeys && n < size; i++) {
    struct cell cell;
    neap__object_get(L, idx, shape->keys[i]->column, &cell);
    if (cell.kind == CELL_NIL || cell.kind == CELL_UNLOADED) return;
    bool secret = shape->keys[i]->flags & FIELD_SECRET;
    n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : " ",
                          secret ? "***" : neap__cell_print(&cell, key, sizeof key));
  }
}

void neap__save_describe(lua_State *L, int idx, const struct shape *shape, struct neap__error *e) {
  char name[160], said[sizeof e->message];
  write_name(L, idx, shape, name, sizeof name);
  memcpy(said, e->message, sizeof said);
  if (e->kind == NEAP_NOT_FOUND && !*e->code)
    snprintf(said, sizeof said,
             neap__object_state(lua_touserdata(L, idx)) == OBJECT_DELETED
                 ? "it was deleted; copy() makes a new object with the same values"
                 : "it is not there any more; somebody has deleted it since it was loaded");
  if (e->kind == NEAP_CONDITION && !*e->code)
    snprintf(said, sizeof said,
             "the condition is not met, or it has changed since it was loaded; reload it and try again");
  snprintf(e->message, sizeof e->message, "%s: %.*s", name, (int)(sizeof said - sizeof name - 3), said);
}

static const struct field *field_of_wire(const struct shape *shape, const char *wire, size_t n) {
  for (int i = 0; i < shape->ncolumns; i++)
    if (strlen(shape->columns[i]->wire) == n && memcmp(shape->columns[i]->wire, wire, n) == 0) return shape->columns[i];
  return NULL;
}

static void add_field(lua_State *L, const struct field *f, const char *message) {
  lua_pushstring(L, message);
  lua_setfield(L, -2, f->name);
}

// "... failed: users.email, users.org": columns by table.
static void add_constraint(lua_State *L, const struct shape *shape, const char *detail, const char *message) {
  const char *p = strstr(detail, "failed: ");
  for (p = p ? p + 8 : ""; *p; p += strspn(p, ", ")) {
    size_t n = strcspn(p, ",");
    const char *dot = memchr(p, '.', n);
    const struct field *f = dot ? field_of_wire(shape, dot + 1, (size_t)(p + n - dot) - 1) : NULL;
    if (f) add_field(L, f, message);
    p += n;
  }
}

// "Post: title, body must have a value"
static void add_required(lua_State *L, const struct shape *shape, const char *message) {
  const char *p = strrchr(message, ':');
  for (p = p ? p + 2 : message; *p && *p != ' '; p += strspn(p, ", ")) {
    size_t n = strcspn(p, ", ");
    const struct field *f = neap__shape_field(shape, p, n);
    if (f) add_field(L, f, "must have a value");
    p += n;
    if (*p == ' ') break;
  }
}

void neap__save_error(lua_State *L, const struct shape *shape, const struct neap__error *e) {
  neap__error_push(L, e);
  lua_createtable(L, 0, 1);
  if (strcmp(e->code, "required") == 0)
    add_required(L, shape, e->message);
  else if (e->kind == NEAP_CONFLICT)
    add_constraint(L, shape, e->detail, "is taken by another row");
  else if (e->kind == NEAP_VALIDATION)
    add_constraint(L, shape, e->detail, "must have a value");
  lua_pushnil(L);
  if (lua_next(L, -2)) {
    lua_pop(L, 2);
    lua_setfield(L, -2, "errors");
  } else {
    lua_pop(L, 1);
  }
}

// ---- Memory that runs out after something was sent ----

static const char unknown_key = 0;  // in the registry: the error, made beforehand

void neap__save_call(lua_State *L, lua_CFunction f) {
  int n = lua_gettop(L);
  lua_pushcfunction(L, f);
  for (int i = 1; i <= n; i++) lua_pushvalue(L, i);
  int status = lua_pcall(L, n, 1, 0);
  if (status == LUA_ERRMEM) lua_rawgetp(L, LUA_REGISTRYINDEX, &unknown_key);
  if (status != LUA_OK) lua_error(L);
}

void neap__save_error_register(lua_State *L) {
  struct neap__error e;
  neap__error_set(&e, NEAP_LIMIT,
                  "memory is short: nobody knows whether what was sent has been written; load it to see");
  e.unknown = true;
  neap__error_push(L, &e);
  lua_pushnil(L);
  lua_setfield(L, -2, "where");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &unknown_key);
}
