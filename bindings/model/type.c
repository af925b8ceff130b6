// type.c: reads what t.integer{ min = 0 } and its like declare: a type, its bounds, and the options of a field.
#include <stdlib.h>
#include <string.h>

#include "model/declare.h"
#include "value/text.h"

// ---- Which options there are ----

#define K(kind) (1u << TYPE_##kind)
#define KEPT (K(RELATION) - 1)
#define LINKS (K(HAS_ONE) | K(HAS_MANY) | K(MANY_TO_MANY))
#define SIZED (K(STRING) | K(BYTES) | K(LIST) | K(SET) | K(MAP))
#define ORDERED (K(INTEGER) | K(NUMBER) | K(DECIMAL) | K(DATETIME) | K(TIMESTAMP) | K(DATE))
#define TIMES (K(DATETIME) | K(TIMESTAMP) | K(DATE))

static const struct option {
  const char *name;
  unsigned kinds;
  unsigned flag;  // set by true
  bool nested;    // makes sense for elements of lists and maps too
} options[] = {
    {"primary", KEPT, FIELD_PRIMARY, false},
    {"auto", K(INTEGER) | K(UUID), FIELD_AUTO, false},
    {"required", KEPT, FIELD_REQUIRED, false},
    {"unique", KEPT, FIELD_UNIQUE, false},
    {"index", KEPT, FIELD_INDEX, false},
    {"secret", KEPT, FIELD_SECRET, false},
    {"version", K(INTEGER), FIELD_VERSION, false},
    {"auto_now", TIMES, FIELD_AUTO_NOW, false},
    {"auto_now_add", TIMES, FIELD_AUTO_NOW_ADD, false},
    {"constant", K(STRING) | K(INTEGER), 0, false},
    {"hash_key", KEPT, FIELD_HASH_KEY | FIELD_PRIMARY, false},
    {"range_key", KEPT, FIELD_RANGE_KEY | FIELD_PRIMARY, false},
    {"default", KEPT, 0, false},
    {"validate", KEPT, 0, false},
    {"column", KEPT, 0, false},
    {"type", KEPT & ~K(POINTER), 0, false},
    {"on_delete", K(POINTER), 0, false},
    {"lazy", K(POINTER) | LINKS, 0, false},
    {"through", K(MANY_TO_MANY), 0, false},
    {"where", LINKS, 0, false},
    {"order", LINKS, 0, false},
    {"min", SIZED | ORDERED, 0, true},
    {"max", SIZED | ORDERED, 0, true},
    {"match", K(STRING), 0, true},
    {"one_of", K(STRING) | K(UUID) | ORDERED, 0, true},
    {"scale", K(DECIMAL), 0, true},
    {"template", K(STRING), 0, false},
};
#define OPTIONS (sizeof options / sizeof *options)

static const struct option *find_option(const char *name) {
  for (size_t i = 0; i < OPTIONS; i++)
    if (strcmp(options[i].name, name) == 0) return &options[i];
  return NULL;
}

static bool fits(const struct option *o, enum type_kind kind, bool nested) {
  return (o->kinds >> kind & 1) && (o->nested || !nested);
}

// The options table of the spec, pushed: every key is known for the kind.
static void push_options(struct declare *d, int spec, enum type_kind kind, bool nested) {
  lua_State *L = d->L;
  if (lua_getfield(L, spec, "options") == LUA_TNIL) {
    lua_newtable(L);
    lua_replace(L, -2);
  }
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    size_t n;
    if (lua_type(L, -2) != LUA_TSTRING)
      neap__declare_fail(d, "options are named, { required = true }; %s is no name of one",
                         neap__show_value(L, -2).text);
    const char *name = lua_tolstring(L, -2, &n);
    const struct option *o = find_option(name);
    if (o && fits(o, kind, nested)) continue;
    struct neap__nearest near = neap__nearest_to(name, n);
    for (size_t i = 0; i < OPTIONS; i++)
      if (fits(&options[i], kind, nested)) neap__nearest_offer(&near, options[i].name);
    neap__declare_fail(d, "%s has no option %s%s", neap__type_name(kind), neap__show_name(name, n).text,
                       neap__show_hint("", near.best).text);
  }
}

// ---- Bounds ----

static const char *read_text(struct declare *d, int table, const char *name) {
  const char *text = NULL;
  int type = lua_getfield(d->L, table, name);
  if (type == LUA_TSTRING)
    text = neap__declare_text(d, -1);
  else if (type != LUA_TNIL)
    neap__declare_fail(d, "%s is text, not %s", name, neap__show_value(d->L, -1).text);
  lua_pop(d->L, 1);
  return text;
}

// Reads the option `name` of the table on top of the stack as a value of the type. False if it is not there.
static bool read_value(struct declare *d, const struct type *type, const char *name, struct cell *out) {
  lua_State *L = d->L;
  struct neap__error e;
  if (lua_getfield(L, -1, name) == LUA_TNIL) {
    lua_pop(L, 1);
    return false;
  }
  if (neap__check_type(L, type, name, -1, out, &e) != 0) neap__declare_fail(d, "%s", e.message);
  lua_rawseti(L, d->anchors, (lua_Integer)lua_rawlen(L, d->anchors) + 1);
  lua_pop(L, 1);
  return true;
}

static void read_bounds(struct declare *d, struct type *type) {
  static const struct type length = {.kind = TYPE_INTEGER, .scale = -1};
  struct type bare = {.kind = type->kind, .scale = -1};
  const struct type *bound = SIZED >> type->kind & 1 ? &length : &bare;
  type->min = type->max = (struct cell){.kind = CELL_NIL};
  read_value(d, bound, "min", &type->min);
  read_value(d, bound, "max", &type->max);
  if (type->min.kind != CELL_NIL && type->max.kind != CELL_NIL && neap__cell_compare(&type->min, &type->max) == 1)
    neap__declare_fail(d, "min is greater than max");
}

static void read_match(struct declare *d, struct type *type) {
  lua_State *L = d->L;
  struct neap__error e;
  size_t n;
  if (lua_getfield(L, -1, "match") != LUA_TNIL) {
    if (lua_type(L, -1) != LUA_TSTRING)
      neap__declare_fail(d, "match is a regular expression in text, not %s", neap__show_value(L, -1).text);
    const char *pattern = lua_tolstring(L, -1, &n);
    if (neap__regex_check(neap__regexes_of(L), pattern, n, &e) != 0) neap__declare_fail(d, "match: %s", e.message);
    type->match = neap__declare_text(d, -1);
  }
  lua_pop(L, 1);
}

static void read_one_of(struct declare *d, struct type *type) {
  lua_State *L = d->L;
  struct neap__error e;
  if (lua_getfield(L, -1, "one_of") != LUA_TNIL) {
    if (!lua_istable(L, -1) || lua_rawlen(L, -1) == 0) neap__declare_fail(d, "one_of is a list of values");
    int n = (int)lua_rawlen(L, -1);
    struct cell *cells = neap__declare_alloc(d, (size_t)n, sizeof *cells);
    for (int i = 0; i < n; i++) {
      lua_rawgeti(L, -1, i + 1);
      if (neap__check_type(L, type, "one_of", -1, &cells[i], &e) != 0) neap__declare_fail(d, "%s", e.message);
      lua_rawseti(L, d->anchors, (lua_Integer)lua_rawlen(L, d->anchors) + 1);
      lua_pop(L, 1);
    }
    type->one_of = cells;
    type->n_one_of = n;
  }
  lua_pop(L, 1);
}

static void read_scale(struct declare *d, struct type *type) {
  type->scale = -1;
  if (lua_getfield(d->L, -1, "scale") != LUA_TNIL) {
    if (!lua_isinteger(d->L, -1) || lua_tointeger(d->L, -1) < 0 || lua_tointeger(d->L, -1) > 1000)
      neap__declare_fail(d, "scale is the number of digits behind the point, 0 to 1000");
    type->scale = (int)lua_tointeger(d->L, -1);
  }
  lua_pop(d->L, 1);
}

// ---- Types in types ----

static void read_of(struct declare *d, int spec, struct type *out) {
  if (lua_getfield(d->L, spec, "of") != LUA_TNIL) {
    struct type *of = neap__declare_alloc(d, 1, sizeof *of);
    neap__declare_type(d, lua_gettop(d->L), of, true);
    if (of->kind >= TYPE_RELATION || of->kind == TYPE_POINTER || of->kind == TYPE_BYTESTREAM)
      neap__declare_fail(d, "%s holds no %s", neap__type_name(out->kind), neap__type_name(of->kind));
    out->of = of;
  }
  lua_pop(d->L, 1);
}

static void read_members(struct declare *d, int spec, struct type *out) {
  lua_State *L = d->L;
  if (lua_getfield(L, spec, "members") != LUA_TNIL) {
    int n = (int)lua_rawlen(L, -1);
    struct type_member *members = neap__declare_alloc(d, (size_t)n, sizeof *members);
    for (int i = 0; i < n; i++) {
      lua_rawgeti(L, -1, i + 1);
      lua_rawgeti(L, -1, 1);
      members[i].name = neap__declare_text(d, -1);
      lua_rawgeti(L, -2, 2);
      neap__declare_type(d, lua_gettop(L), &members[i].type, true);
      lua_pop(L, 3);
    }
    out->members = members;
    out->nmembers = n;
  }
  lua_pop(L, 1);
}

enum type_kind neap__declare_kind(struct declare *d, int spec) {
  lua_State *L = d->L;
  if (!lua_istable(L, spec) || lua_getfield(L, spec, "kind") != LUA_TSTRING)
    neap__declare_fail(d, "a type such as t.string() was expected, not %s", neap__show_value(L, spec).text);
  const char *name = lua_tostring(L, -1);
  for (int kind = TYPE_STRING; kind <= TYPE_COMPUTED; kind++)
    if (strcmp(neap__type_name((enum type_kind)kind), name) == 0) return lua_pop(L, 1), (enum type_kind)kind;
  neap__declare_fail(d, "there is no type %s", neap__show_value(L, -1).text);
}

// It stands in statements as it is: no quoted text, no comment, no end of the statement.
static void read_own(struct declare *d, struct type *out) {
  const char *own = read_text(d, lua_gettop(d->L), "type");
  bool plain = !own || (*own && !strpbrk(own, ";'\\\n\r") && !strstr(own, "--") && !strstr(own, "/*"));
  if (!plain) neap__declare_fail(d, "%s is no name of a type", neap__show_text(own, strlen(own)).text);
  out->own = out->cast = own;
  const char *open = own && !strchr(own, '"') ? strchr(own, '(') : NULL, *close = open ? strchr(open, ')') : NULL;
  if (!close) return;
  lua_pushlstring(d->L, own, (size_t)(open - own));
  lua_pushstring(d->L, close + 1);
  lua_concat(d->L, 2);
  out->cast = neap__declare_text(d, -1);
  lua_pop(d->L, 1);
}

void neap__declare_type(struct declare *d, int spec, struct type *out, bool nested) {
  luaL_checkstack(d->L, 20, "types nested too deeply");
  *out = (struct type){.kind = neap__declare_kind(d, spec)};
  read_of(d, spec, out);
  read_members(d, spec, out);
  push_options(d, spec, out->kind, nested);
  read_scale(d, out);
  read_own(d, out);
  read_bounds(d, out);
  read_match(d, out);
  read_one_of(d, out);
  lua_pop(d->L, 1);
}

// ---- Fields ----

static void read_flags(struct declare *d, struct field *f) {
  for (size_t i = 0; i < OPTIONS; i++) {
    if (!options[i].flag) continue;
    int type = lua_getfield(d->L, -1, options[i].name);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
      neap__declare_fail(d, "%s is true or false, not %s", options[i].name, neap__show_value(d->L, -1).text);
    if (lua_toboolean(d->L, -1)) f->flags |= options[i].flag;
    lua_pop(d->L, 1);
  }
}

// Keeps the function (or other value) on top of the stack, which it pops, as functions[field][name].
static void keep_function(struct declare *d, const char *name) {
  lua_State *L = d->L;
  if (lua_getfield(L, d->functions, d->field) == LUA_TNIL) {
    lua_newtable(L);
    lua_replace(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, d->functions, d->field);
    lua_pushstring(L, d->field);
    lua_rawseti(L, d->functions, (lua_Integer)lua_rawlen(L, d->functions) + 1);
  }
  lua_insert(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

static bool read_function(struct declare *d, int table, const char *name) {
  int type = lua_getfield(d->L, table, name);
  if (type == LUA_TFUNCTION) {
    keep_function(d, name);
    return true;
  }
  if (type != LUA_TNIL) neap__declare_fail(d, "%s is a function, not %s", name, neap__show_value(d->L, -1).text);
  lua_pop(d->L, 1);
  return false;
}

static void read_default(struct declare *d, struct field *f) {
  f->initial = (struct cell){.kind = CELL_NIL};
  if (lua_getfield(d->L, -1, "default") == LUA_TFUNCTION) {
    keep_function(d, "default");
    f->flags |= FIELD_DEFAULT;
    d->shape->defaults = true;
    return;
  }
  lua_pop(d->L, 1);
  if (read_value(d, &f->type, "default", &f->initial)) f->flags |= FIELD_DEFAULT;
}

// It is the default, and the only value.
static void read_constant(struct declare *d, struct field *f) {
  struct cell *value = neap__declare_alloc(d, 1, sizeof *value);
  if (!read_value(d, &f->type, "constant", value)) return;
  f->initial = *value;
  f->type.one_of = value;
  f->type.n_one_of = 1;
  f->flags |= FIELD_CONSTANT | FIELD_DEFAULT | FIELD_REQUIRED;
}

// What goes with every reading of a relation: where = condition, order = a name or a list of them. Checked when it is read,
// as the other model may not be declared yet.
static void read_narrowing(struct declare *d) {
  int table = lua_gettop(d->L);
  if (lua_getfield(d->L, table, "where") != LUA_TNIL && !lua_istable(d->L, -1))
    neap__declare_fail(d, "where is a table of conditions, not %s", neap__show_value(d->L, -1).text);
  keep_function(d, "where");
  if (lua_getfield(d->L, table, "order") != LUA_TNIL && !lua_istable(d->L, -1) && lua_type(d->L, -1) != LUA_TSTRING)
    neap__declare_fail(d, "order is a name or a list of names, not %s", neap__show_value(d->L, -1).text);
  keep_function(d, "order");
}

static void read_lazy(struct declare *d, struct field *f) {
  const char *lazy = read_text(d, lua_gettop(d->L), "lazy");
  if (!lazy) return;
  if (strcmp(lazy, "error") != 0)
    neap__declare_fail(d, "lazy is \"error\" (it must be included to be read), not \"%s\"", lazy);
  f->flags |= FIELD_EAGER;
}

static void read_on_delete(struct declare *d, struct field *f) {
  static const char *const names[] = {"nothing", "restrict", "cascade", "set_null", NULL};
  const char *name = read_text(d, lua_gettop(d->L), "on_delete");
  if (!name) return;
  int i = 0;
  while (names[i] && strcmp(names[i], name) != 0) i++;
  if (!names[i]) neap__declare_fail(d, "on_delete is nothing, restrict, cascade or set_null, not %s", name);
  f->on_delete = (enum on_delete)i;
  if (f->on_delete == ON_DELETE_SET_NULL && f->flags & FIELD_REQUIRED)
    neap__declare_fail(d, "on_delete = \"set_null\" would empty a required field");
}

// The names are looked up when all fields are known.
static void read_needs(struct declare *d, int table, struct field *f) {
  lua_State *L = d->L;
  int type = lua_getfield(L, table, "needs");
  if (type != LUA_TNIL && type != LUA_TTABLE) neap__declare_fail(d, "needs is a list of names of fields");
  f->nneeds = type == LUA_TTABLE ? (int)lua_rawlen(L, -1) : 0;
  const char **names = neap__declare_alloc(d, (size_t)f->nneeds, sizeof *names);
  for (int i = 0; i < f->nneeds; i++) {
    if (lua_rawgeti(L, -1, i + 1) != LUA_TSTRING) neap__declare_fail(d, "needs is a list of names of fields");
    names[i] = neap__declare_text(d, -1);
    lua_pop(L, 1);
  }
  f->needs = names;
  lua_pop(L, 1);
}

// needs, get, set and sql of a computed field.
static void read_computed(struct declare *d, int spec, struct field *f) {
  lua_State *L = d->L;
  if (f->type.kind != TYPE_COMPUTED) return;
  if (lua_getfield(L, spec, "compute") != LUA_TTABLE)
    neap__declare_fail(d, "computed takes a type and { sql = }, { get = } or { path = }");
  int table = lua_gettop(L);
  f->sql = read_text(d, table, "sql");
  read_needs(d, table, f);
  bool get = read_function(d, table, "get");
  read_function(d, table, "set");
  if (!f->sql == !get) neap__declare_fail(d, "computed needs either sql or get");
  lua_pop(L, 1);
}

void neap__declare_field(struct declare *d, int spec, struct field *f) {
  lua_State *L = d->L;
  neap__declare_type(d, spec, &f->type, false);
  f->target_name = read_text(d, spec, "target");
  f->inverse_name = read_text(d, spec, "inverse");
  read_computed(d, spec, f);
  push_options(d, spec, f->type.kind, false);
  read_flags(d, f);
  read_default(d, f);
  read_constant(d, f);
  read_on_delete(d, f);
  read_lazy(d, f);
  if (LINKS >> f->type.kind & 1) read_narrowing(d);
  if (read_function(d, lua_gettop(L), "validate")) {
    f->flags |= FIELD_VALIDATE;
    d->shape->hooks = true;
  }
  f->through_name = read_text(d, lua_gettop(L), "through");
  f->wire = read_text(d, lua_gettop(L), "column");
  f->made_of = read_text(d, lua_gettop(L), "template");
  if (f->type.kind == TYPE_MANY_TO_MANY && !f->through_name)
    neap__declare_fail(d, "many_to_many needs through = the model that links the two");
  if (!f->wire && f->type.kind == TYPE_POINTER) {
    lua_pushfstring(L, "%s_id", f->name);
    f->wire = neap__declare_text(d, -1);
    lua_pop(L, 1);
  }
  if (!f->wire) f->wire = f->name;
  lua_pop(L, 1);
}
