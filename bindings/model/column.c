// column.c: column expressions, Post.title and Post.data:at("key", 1), and paths in text, "data.key.0__gte".
#include <stdlib.h>
#include <string.h>

#include "model/class.h"
#include "model/condition_build.h"
#include "value/text.h"

static const char type_name[] = "neap.column";

// A userdata; the steps and their text lie behind it. User value 1 is the class.
struct column {
  struct place place;
  const struct shape *shape;
};

bool neap__field_is_relation(const struct field *field) {
  switch (field->type.kind) {
    case TYPE_POINTER:
    case TYPE_RELATION:
    case TYPE_HAS_ONE:
    case TYPE_HAS_MANY:
    case TYPE_MANY_TO_MANY: return true;
    default: return false;
  }
}

// ---- Keys in text ----

// The first separator at or behind p: a point or two underscores. `end` if there is none.
static const char *separator(const char *p, const char *end) {
  for (; p < end; p++)
    if (*p == '.' || (*p == '_' && p + 1 < end && p[1] == '_' && !(p + 2 < end && p[2] == '_'))) return p;
  return end;
}

// A field by its name; a pointer by the name of its column too.
static const struct field *find_field(const struct shape *shape, const char *name, size_t n) {
  const struct shape_name *found = neap__shape_name_text(shape, name, n);
  return found ? found->field : NULL;
}

void neap__key_head(lua_State *L, const struct shape *shape, const char *text, size_t n, struct key *out) {
  const char *end = text + n, *sep = separator(text, end);
  *out = (struct key){.text = text, .n = n, .field = find_field(shape, text, (size_t)(sep - text))};
  if (out->field && sep < end) {
    out->dot = *sep == '.';
    out->rest = sep + (out->dot ? 1 : 2);
    out->nrest = (size_t)(end - out->rest);
    if (out->nrest == 0) neap__fail(L, NEAP_USAGE, "the key %s ends in a separator", neap__show_text(text, n).text);
  }
  if (out->field) return;
  struct neap__error e;
  if (shape->open < 0 && neap__shape_unknown(shape, text, (size_t)(sep - text), &e) != 0) neap__raise(L, &e);
  out->field = shape->columns[shape->open];
  out->rest = text;
  out->nrest = n;
  out->dot = true;
}

static const struct type *member_type(const struct type *type, const char *key, size_t n) {
  for (int i = 0; i < type->nmembers; i++)
    if (strlen(type->members[i].name) == n && memcmp(type->members[i].name, key, n) == 0) return &type->members[i].type;
  return type->nmembers ? NULL : type->of;
}

static void no_member(lua_State *L, const struct type *type, const char *where, const char *key, size_t n) {
  struct neap__nearest near = neap__nearest_to(key, n);
  for (int i = 0; i < type->nmembers; i++) neap__nearest_offer(&near, type->members[i].name);
  neap__fail(L, NEAP_USAGE, "%s has no declared name %s%s", where, neap__show_name(key, n).text,
             neap__show_hint("", near.best).text);
}

void neap__path_step(lua_State *L, const struct shape *shape, struct path *path, const char *key, size_t n,
                     int64_t index) {
  char where[200];
  struct place *place = &path->place;
  const struct type *type = neap__operand_type(place);
  neap__place_print(shape, place, where, sizeof where);
  if (place->nsteps == PLACE_MAX_STEPS)
    neap__fail(L, NEAP_LIMIT, "%s: a path has at most %d steps", where, PLACE_MAX_STEPS);
  if (type && type->kind != TYPE_LIST && type->kind != TYPE_MAP && type->kind != TYPE_SET) {
    const char *near = key ? neap__operator_nearest(key, n) : NULL;
    neap__fail(L, NEAP_USAGE, "%s is of type %s: it has neither an operator nor a part %s%s", where,
               neap__type_name(type->kind), key ? neap__show_name(key, n).text : "by index",
               neap__show_hint("", near).text);
  }
  if (type && type->kind != TYPE_MAP && key)
    neap__fail(L, NEAP_USAGE, "%s is of type %s: its elements have numbers, not the name %s", where,
               neap__type_name(type->kind), neap__show_name(key, n).text);
  if (type && type->nmembers && key && !member_type(type, key, n)) no_member(L, type, where, key, n);
  path->steps[place->nsteps++] = (struct step){.key = key, .nkey = (uint32_t)n, .index = index};
  place->steps = path->steps;
  if (type) place->type = type->kind == TYPE_MAP ? (key ? member_type(type, key, n) : NULL) : type->of;
  if (place->type && place->type->kind == TYPE_JSON) place->type = NULL;
}

// Digits count elements from 0, except in maps, where all keys are names.
static bool is_index(const struct place *place, const char *p, size_t n, int64_t *index) {
  const struct type *type = neap__operand_type(place);
  if ((type && type->kind == TYPE_MAP) || n == 0 || n > 9) return false;
  *index = 0;
  for (size_t i = 0; i < n; i++) {
    if (p[i] < '0' || p[i] > '9') return false;
    *index = *index * 10 + (p[i] - '0');
  }
  return true;
}

void neap__key_path(lua_State *L, const struct shape *shape, const struct key *key, struct path *out) {
  const char *p = key->rest ? key->rest : "", *end = p + key->nrest;
  bool dot = key->dot;
  const struct type *type = &key->field->type;
  out->place = (struct place){.field = key->field, .type = type->kind == TYPE_JSON ? NULL : type};
  out->operator= NULL;
  while (p && p < end) {
    const char *sep = separator(p, end);
    size_t n = (size_t)(sep - p);
    int64_t index;
    if (sep == end && !dot && (out->operator= neap__operator_find(p, n))) return;
    if (n == 0) neap__fail(L, NEAP_USAGE, "the key %s has an empty part", neap__show_text(key->text, key->n).text);
    if (is_index(&out->place, p, n, &index))
      neap__path_step(L, shape, out, NULL, 0, index);
    else
      neap__path_step(L, shape, out, p, n, -1);
    dot = sep < end && *sep == '.';
    p = sep + (dot ? 1 : 2);
  }
}

// ---- Counts ----

static const struct type integer = {.kind = TYPE_INTEGER};
static char counts_key;  // registry: what is counted, by its address, as long as somebody has it

bool neap__place_is_relation(const struct place *place) {
  return neap__field_is_relation(place->field) && place->nsteps == 0 && !place->counted;
}

bool neap__field_is_to_many(const struct field *f) {
  return f->type.kind == TYPE_HAS_MANY || f->type.kind == TYPE_MANY_TO_MANY;
}

// Pushes the table of what is counted, which holds nothing itself.
static void push_counts(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &counts_key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &counts_key);
}

void neap__place_push_counted(lua_State *L, const struct place *place) {
  push_counts(L);
  lua_rawgetp(L, -1, place->counted);
  lua_remove(L, -2);
}

bool neap__key_counts(lua_State *L, int class_idx, const struct key *key) {
  static const char name[] = "count";
  const size_t n = sizeof name - 1;
  struct neap__error e;
  const char *p = key->rest;
  if (!key->field || !neap__field_is_to_many(key->field) || key->nrest < n || memcmp(p, name, n) != 0) return false;
  if (key->nrest > n && p[n] != '.' && !(key->nrest > n + 2 && p[n] == '_' && p[n + 1] == '_')) return false;
  if (neap__shape_resolve(L, class_idx, key->field, &e) != 0) neap__raise(L, &e);
  return !neap__shape_field(key->field->target, name, n);
}

// ---- Column expressions ----

static void push_metatable(lua_State *L);

static struct column *push_column(lua_State *L, int class_idx, const struct shape *shape, const struct place *place) {
  size_t size = sizeof(struct column) + (size_t)place->nsteps * sizeof(struct step);
  for (int i = 0; i < place->nsteps; i++) size += place->steps[i].nkey + 1;
  class_idx = lua_absindex(L, class_idx);
  struct column *c = lua_newuserdatauv(L, size, 2);
  struct step *steps = (struct step *)(c + 1);
  char *text = (char *)(steps + place->nsteps);
  *c = (struct column){*place, shape};
  for (int i = 0; i < place->nsteps; i++) {
    steps[i] = place->steps[i];
    if (!steps[i].key) continue;
    memcpy(text, steps[i].key, steps[i].nkey);
    text[steps[i].nkey] = 0;
    steps[i].key = text;
    text += steps[i].nkey + 1;
  }
  c->place.steps = steps;
  push_metatable(L);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, class_idx);
  lua_setiuservalue(L, -2, 1);
  if (!place->counted) return c;
  neap__place_push_counted(L, place);
  lua_setiuservalue(L, -2, 2);
  return c;
}

// Replaces a condition on the objects that the relation leads to and, above it, one on the links (or nil) by the column
// expression of how many meet them.
static void push_count(lua_State *L, int class_idx, const struct shape *shape, const struct field *field) {
  struct place place = {.field = field, .type = &integer};
  place.counted = neap__condition_related(L, class_idx, shape, field, SOME);
  push_counts(L);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, place.counted);
  lua_pop(L, 1);
  push_column(L, class_idx, shape, &place);
  lua_remove(L, -2);
}

const struct place *neap__column_count(lua_State *L, int class_idx, const struct field *field) {
  int top = lua_gettop(L);
  neap__class_of(L, class_idx, field->shape->model);
  lua_getiuservalue(L, top + 1, CLASS_FIELDS);
  if (lua_rawgetp(L, top + 2, field) == LUA_TNIL) {
    neap__condition_branch(L, top + 1, COND_AND, 0);
    lua_pushnil(L);
    push_count(L, top + 1, field->shape, field);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, top + 2, field);
  }
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  return lua_touserdata(L, -1);
}

void neap__column_push_place(lua_State *L, int class_idx, const struct shape *shape, const struct place *place) {
  push_column(L, class_idx, shape, place);
}

void neap__column_push(lua_State *L, int class_idx, const struct field *field) {
  struct place place = {.field = field, .type = field->type.kind == TYPE_JSON ? NULL : &field->type};
  push_column(L, class_idx, neap__class_check(L, class_idx)->shape, &place);
}

const struct place *neap__column_test(lua_State *L, int idx) {
  return luaL_testudata(L, idx, type_name);
}

const struct shape *neap__column_shape(const struct place *column) {
  return ((const struct column *)column)->shape;
}

const struct place *neap__column_parse(lua_State *L, int class_idx, const char *text, size_t n) {
  const struct shape *shape = neap__class_check(L, class_idx)->shape;
  struct key key;
  struct path path;
  neap__key_head(L, shape, text, n, &key);
  if (key.nrest == sizeof "count" - 1 && neap__key_counts(L, class_idx, &key))
    return neap__column_count(L, class_idx, key.field);
  neap__key_path(L, shape, &key, &path);
  if (path.operator)
    neap__fail(L, NEAP_USAGE, "%s: a column is asked for, not the operator %s", neap__show_text(text, n).text,
               path.operator->name);
  return &push_column(L, class_idx, shape, &path.place)->place;
}

// ---- Methods ----

static struct column *check_column(lua_State *L) {
  struct column *c = luaL_testudata(L, 1, type_name);
  if (!c) neap__fail(L, NEAP_USAGE, "methods of columns are called with a colon: Post.title:eq(\"x\")");
  return c;
}

// col:at(key or index, ...) -> column
//   a place inside a list (indexes count from 1), a map or JSON
static int column_at(lua_State *L) {
  struct column *c = check_column(L);
  struct path path = {.place = c->place};
  int top = lua_gettop(L);
  memcpy(path.steps, c->place.steps, (size_t)c->place.nsteps * sizeof *path.steps);
  for (int i = 2; i <= top; i++) {
    size_t n;
    int exact;
    if (lua_type(L, i) == LUA_TSTRING) {
      const char *key = lua_tolstring(L, i, &n);
      neap__path_step(L, c->shape, &path, key, n, -1);
      continue;
    }
    lua_Integer index = lua_tointegerx(L, i, &exact);
    if (!exact || index < 1)
      neap__fail(L, NEAP_USAGE, "at takes keys and indexes that count from 1, not %s", neap__show_value(L, i).text);
    neap__path_step(L, c->shape, &path, NULL, 0, index - 1);
  }
  lua_getiuservalue(L, 1, 1);
  push_column(L, -1, c->shape, &path.place);
  return 1;
}

// Pushes what the condition or table at idx asks of a model; nil stays nil.
static void parse_for(lua_State *L, int class_idx, const struct shape *model, int idx) {
  if (lua_isnil(L, idx)) {
    lua_pushnil(L);
    return;
  }
  neap__class_of(L, class_idx, model->model);
  lua_pushvalue(L, idx);
  neap__condition_parse(L, -2, lua_gettop(L));
  lua_replace(L, -3);
  lua_pop(L, 1);
}

// Reads the arguments of some and its like: a condition on related objects and one on their links, which are left on top of
// the stack; below them is the class, at index 4.
static const struct column *read_asked(lua_State *L, const char *name) {
  const struct column *c = check_column(L);
  const struct field *field = c->place.field;
  struct neap__error e;
  if (!neap__place_is_relation(&c->place))
    neap__fail(L, NEAP_USAGE, "%s.%s is no relation: %s does not apply", c->shape->model, field->name, name);
  lua_settop(L, 3);
  if (lua_isnil(L, 2))
    neap__fail(L, NEAP_USAGE, "%s.%s:%s takes a condition on %s", c->shape->model, field->name, name,
               field->target_name);
  if (!lua_isnil(L, 3) && field->type.kind != TYPE_MANY_TO_MANY)
    neap__fail(L, NEAP_USAGE, "%s.%s has no link table: %s takes one condition", c->shape->model, field->name, name);
  lua_getiuservalue(L, 1, 1);
  if (neap__shape_resolve(L, 4, field, &e) != 0) neap__raise(L, &e);
  parse_for(L, 4, field->target, 2);
  parse_for(L, 4, field->through, 3);
  return c;
}

static int quantify(lua_State *L, enum quantifier q, const char *name) {
  const struct column *c = read_asked(L, name);
  neap__condition_related(L, 4, c->shape, c->place.field, q);
  return 1;
}

// col:count(condition or table, condition on the link) -> column: how many related objects there are, or meet it
static int column_count(lua_State *L) {
  const struct column *c = check_column(L);
  struct neap__error e;
  if (!neap__field_is_to_many(c->place.field) || !neap__place_is_relation(&c->place))
    return neap__fail(L, NEAP_USAGE, "%s.%s is no relation to many: count does not apply", c->shape->model,
                      c->place.field->name);
  if (lua_gettop(L) > 1) {
    c = read_asked(L, "count");
    push_count(L, 4, c->shape, c->place.field);
    return 1;
  }
  lua_getiuservalue(L, 1, 1);
  if (neap__shape_resolve(L, 2, c->place.field, &e) != 0) return neap__raise(L, &e);
  neap__column_count(L, 2, c->place.field);
  return 1;
}

// col:some(condition or table, condition on the link) -> condition: some related object meets it
static int column_some(lua_State *L) {
  return quantify(L, SOME, "some");
}

// col:every(condition or table, condition on the link) -> condition: all related objects meet it, also where there is none
static int column_every(lua_State *L) {
  return quantify(L, EVERY, "every");
}

// col:none(condition or table, condition on the link) -> condition: no related object meets it
static int column_none(lua_State *L) {
  return quantify(L, NONE, "none");
}

// col:element(function(e) ... end) -> condition: some element of the list meets what the function makes of the column e
static int column_element(lua_State *L) {
  struct column *c = check_column(L);
  neap__arg_function(L, 2, "what is asked of an element");
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, 2);
  neap__element_push(L, 3, c->shape, &c->place);
  lua_call(L, 1, 1);
  neap__condition_elements(L, 3, 1);
  return 1;
}

// col:eq(value), col:between(low, high), ... -> condition
static int column_compare(lua_State *L) {
  const struct operator* o = & neap__operators[lua_tointeger(L, lua_upvalueindex(1))];
  struct column *c = check_column(L);
  lua_settop(L, 1 + o->arguments);
  if (o->arguments == 2) {
    lua_createtable(L, 2, 0);
    lua_insert(L, 2);
    lua_rawseti(L, 2, 2);
    lua_rawseti(L, 2, 1);
  }
  if (lua_isnil(L, 2))
    return neap__fail(L, NEAP_USAGE, "%s.%s:%s(nil): use neap.null or exists(false) for what is absent",
                      c->shape->model, c->place.field->name, o->method);
  lua_getiuservalue(L, 1, 1);
  neap__condition_value(L, 3, c->shape, &c->place, o->op, 2, 0);
  return 1;
}

// The name of a method that there is not.
static int column_unknown(lua_State *L) {
  size_t n;
  const char *name = luaL_tolstring(L, 2, &n);
  struct neap__nearest near = neap__nearest_to(name, n);
  for (const struct operator* o = neap__operators; o->name; o++) neap__nearest_offer(&near, o->method);
  return neap__fail(L, NEAP_USAGE, "a column has no method %s%s", neap__show_key(L, 2).text,
                    neap__show_hint("", near.best).text);
}

static int column_tostring(lua_State *L) {
  struct column *c = check_column(L);
  char where[200];
  lua_pushstring(L, neap__place_print(c->shape, &c->place, where, sizeof where));
  return 1;
}

static const luaL_Reg methods[] = {
    {"at", column_at},     {"some", column_some},   {"every", column_every},
    {"none", column_none}, {"count", column_count}, {"element", column_element},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__tostring", column_tostring},
    {NULL, NULL},
};

static void push_methods(lua_State *L) {
  luaL_newlib(L, methods);
  for (int i = 0; neap__operators[i].name; i++) {
    lua_pushinteger(L, i);
    lua_pushcclosure(L, column_compare, 1);
    lua_setfield(L, -2, neap__operators[i].method);
  }
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, column_unknown);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

static void push_metatable(lua_State *L) {
  if (luaL_getmetatable(L, type_name) != LUA_TNIL) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 4);
  luaL_setfuncs(L, metamethods, 0);
  push_methods(L);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushstring(L, type_name);
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, type_name);
}
