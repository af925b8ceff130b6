// template.c: columns that are made of others: what a declaration says of them, and the text that comes of it.
#include "model/template.h"

#include <stdio.h>
#include <string.h>

#include "model/row.h"
#include "model/save.h"
#include "value/datetime.h"
#include "value/uuid.h"

// ---- Declaring ----

static bool has_text(const struct field *f) {
  switch (f->type.kind) {
    case TYPE_STRING:
    case TYPE_INTEGER:
    case TYPE_DECIMAL:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_DATE:
    case TYPE_UUID:
    case TYPE_POINTER: return true;
    default: return false;
  }
}

// What stands between braces: name, or name:digits.
static void read_value(struct declare *d, const char *p, size_t n, struct template_part *part) {
  const char *colon = memchr(p, ':', n);
  size_t name = colon ? (size_t)(colon - p) : n;
  const struct field *f = neap__shape_field(d->shape, p, name);
  if (!f || !neap__field_kept(f))
    neap__declare_fail(d, "its template names {%s}, which is no column%s", neap__show_name(p, name).text,
                       neap__show_hint("", neap__shape_nearest(d->shape, p, name)).text);
  if (!has_text(f) || f->made_of)
    neap__declare_fail(d, "its template names {%s}, which has no text that a key could have", f->name);
  part->field = f;
  for (const char *c = p + name + 1; colon && c < p + n; c++) {
    bool digit = *c >= '0' && *c <= '9' && f->type.kind == TYPE_INTEGER && part->digits < 10;
    if (!digit)
      neap__declare_fail(d, "%s in its template: behind an integer's name is how many digits it has at least, {%s:8}",
                         neap__show_text(p, n).text, f->name);
    part->digits = part->digits * 10 + *c - '0';
  }
}

static const struct template *compile(struct declare *d, const char *text) {
  struct template *t = neap__declare_alloc(d, 1, sizeof *t);
  int most = 1;
  for (const char *p = text; *p; p++) most += *p == '{';
  t->parts = neap__declare_alloc(d, (size_t)most, sizeof *t->parts);
  for (const char *p = text; *p;) {
    struct template_part *part = &t->parts[t->nparts++];
    part->text = p;
    part->n = (uint32_t)strcspn(p, "{");
    p += part->n;
    if (!*p) break;
    size_t n = strcspn(++p, "}");
    if (!p[n]) neap__declare_fail(d, "a { of its template is not closed");
    read_value(d, p, n, part);
    p += n + 1;
  }
  return t;
}

void neap__template_compile(struct declare *d) {
  struct shape *shape = d->shape;
  for (int i = 0; i < shape->ncolumns; i++) {
    struct field *f = &shape->fields[shape->columns[i]->index];
    d->field = f->name;
    if (!f->made_of) continue;
    f->template = compile(d, f->made_of);
    shape->templates = true;
  }
  d->field = NULL;
}

// ---- The text ----

static size_t write_value(const struct template_part *part, const struct cell *c, char *out, size_t size) {
  char text[48];
  if (neap__cell_has_text(c)) {
    if (c->n < size) memcpy(out, c->p, c->n);
    return c->n;
  }
  if (c->kind == CELL_DATETIME && part->field->type.kind != TYPE_TIMESTAMP) {
    neap__datetime_format(c->i, text);
    return (size_t)snprintf(out, size, "%s", text);
  }
  if (c->kind == CELL_DATE) {
    neap__date_format(c->i, text);
    return (size_t)snprintf(out, size, "%s", text);
  }
  int64_t i = c->kind == CELL_DATETIME ? c->i / 1000000 : c->i;
  return (size_t)snprintf(out, size, "%0*lld", part->digits, (long long)i);
}

int neap__template_write(const struct template *t, template_value *value, void *ud, char out[TEMPLATE_MAX],
                         const struct field **lacks) {
  size_t n = 0;
  *lacks = NULL;
  for (int i = 0; i < t->nparts && !*lacks; i++) {
    const struct template_part *part = &t->parts[i];
    struct cell cell = {.kind = CELL_NIL};
    if (n + part->n >= TEMPLATE_MAX) return -1;
    memcpy(out + n, part->text, part->n);
    n += part->n;
    if (!part->field) break;
    value(ud, part->field, &cell);
    if (cell.kind <= CELL_NULL)
      *lacks = part->field;
    else
      n += write_value(part, &cell, out + n, TEMPLATE_MAX - n);
    if (n >= TEMPLATE_MAX) return -1;
  }
  return (int)n;
}

// ---- Objects ----

struct object_values {
  lua_State *L;
  int idx;
};

static void value_of(void *ud, const struct field *field, struct cell *out) {
  const struct object_values *v = ud;
  neap__object_get(v->L, v->idx, field->column, out);
}

// The text on top of the stack, which is popped, becomes the value of the column.
static void set_text(lua_State *L, int idx, const struct field *f) {
  size_t n;
  const char *p = lua_tolstring(L, -1, &n);
  struct cell cell = {.p = p, .n = (uint32_t)n, .kind = CELL_TEXT};
  neap__row_change(L, idx, lua_touserdata(L, idx), f->column, &cell);
}

// What saving would make of a column that a template names is made now.
static void make_inputs(lua_State *L, int idx, const struct template *t, int64_t now) {
  for (int i = 0; i < t->nparts; i++) {
    const struct field *f = t->parts[i].field;
    struct cell cell;
    if (!f) continue;
    neap__object_get(L, idx, f->column, &cell);
    if (cell.kind != CELL_NIL) continue;
    if ((f->flags & FIELD_AUTO) && f->type.kind == TYPE_UUID) {
      char uuid[40];
      neap__uuid_v7(uuid);
      lua_pushlstring(L, uuid, 36);
      set_text(L, idx, f);
    } else if (f->flags & (FIELD_AUTO_NOW | FIELD_AUTO_NOW_ADD)) {
      cell = neap__save_time(f, now);
      lua_pushnil(L);
      neap__row_change(L, idx, lua_touserdata(L, idx), f->column, &cell);
    }
  }
}

// The first of the fields that the script has changed, NULL = none.
static const struct field *changed_of(const struct object *o, const struct template *t) {
  const uint8_t *kinds = neap__row_kinds(o);
  for (int i = 0; i < t->nparts; i++) {
    const struct field *f = t->parts[i].field;
    if (f && (kinds[f->column] & COLUMN_CHANGED)) return f;
  }
  return NULL;
}

static int fill(lua_State *L, int idx, const struct field *f, struct neap__error *e) {
  char text[TEMPLATE_MAX];
  const char *model = f->shape->model;
  const struct field *lacks;
  struct cell had;
  const struct object *o = lua_touserdata(L, idx);
  const struct field *changed = changed_of(o, f->template);
  bool loaded = neap__object_state(o) == OBJECT_LOADED;
  if (loaded && !changed) return 0;
  int n = neap__template_write(f->template, value_of, &(struct object_values){L, idx}, text, &lacks);
  if (n < 0)
    return neap__error_set(e, NEAP_VALIDATION, "%s.%s: its template makes more than %d bytes", model, f->name,
                           TEMPLATE_MAX - 1);
  neap__object_get(L, idx, f->column, &had);
  if (!lacks && had.kind == CELL_TEXT && had.n == (uint32_t)n && memcmp(had.p, text, had.n) == 0) return 0;
  if (loaded && (f->flags & FIELD_PRIMARY))
    return neap__error_set(e, NEAP_USAGE,
                           "%s.%s is part of the key by the template of %s, and keys do not change: make a copy of the "
                           "object and delete this one",
                           model, changed->name, f->name);
  if (lacks) {
    struct cell cell;
    neap__object_get(L, idx, lacks->column, &cell);
    if (cell.kind == CELL_UNLOADED)
      return neap__error_set(e, NEAP_USAGE, "%s.%s is made of %s too, which was not selected", model, f->name,
                             lacks->name);
    if (loaded) {  // what is not whole is not in the index
      lua_pushnil(L);
      neap__row_change(L, idx, lua_touserdata(L, idx), f->column, &(struct cell){.kind = CELL_NIL});
    }
    return 0;
  }
  lua_pushlstring(L, text, (size_t)n);
  set_text(L, idx, f);
  return 0;
}

int neap__template_fill(lua_State *L, int idx, int64_t now, struct neap__error *e) {
  const struct shape *shape = neap__object_class(lua_touserdata(L, idx))->shape;
  bool make = now && neap__object_state(lua_touserdata(L, idx)) == OBJECT_NEW;
  for (int i = 0; i < shape->ncolumns; i++) {
    const struct field *f = shape->columns[i];
    if (!f->template) continue;
    if (make) make_inputs(L, idx, f->template, now);
    if (fill(L, idx, f, e) != 0) return -1;
  }
  return 0;
}

// ---- Keys ----

// What the fields of a table are; texts are anchored by the stack.
static void value_in(void *ud, const struct field *field, struct cell *out) {
  const struct object_values *v = ud;
  struct neap__error e;
  luaL_checkstack(v->L, 4, "key");
  if (lua_getfield(v->L, v->idx, field->name) == LUA_TNIL) return;
  if (neap__check_value(v->L, field, lua_gettop(v->L), out, &e) != 0) neap__raise(v->L, &e);
}

void neap__template_push_key(lua_State *L, const struct field *key, int idx) {
  char text[TEMPLATE_MAX];
  const struct field *lacks;
  int top = lua_gettop(L);
  int n = neap__template_write(key->template, value_in, &(struct object_values){L, idx}, text, &lacks);
  if (n < 0)
    neap__fail(L, NEAP_USAGE, "%s.%s: the key has more than %d bytes", key->shape->model, key->name, TEMPLATE_MAX - 1);
  if (lacks)
    neap__fail(L, NEAP_USAGE, "%s: a key is needed, and %s is made of %s, which is nil", key->shape->model, key->name,
               lacks->name);
  lua_settop(L, top);
  lua_pushlstring(L, text, (size_t)n);
}
