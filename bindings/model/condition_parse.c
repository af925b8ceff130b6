// condition_parse.c: conditions from tables, with operators in keys or as Mongo writes them, and from the arguments of where.
//
// The keys of a table come in no order, so they are sorted: by declared field, then by name. That makes the tree, and the
// text of a statement, depend on what is asked alone; and it brings the keys of one relation together, which speak of one
// related row.
#include <stdlib.h>
#include <string.h>

#include "model/class.h"
#include "model/condition_build.h"
#include "value/marks.h"

struct entry {
  struct key key;
  int value;  // stack index
  bool link;  // asks for a row of the link table
};

struct parser {
  lua_State *L;
  int class_idx;
  int depth;
};

#define SMALL 8

static const struct condition *parse_one(struct parser *p, const struct shape *shape, int idx);

static void deeper(struct parser *p) {
  if (++p->depth > CONDITION_MAX_DEPTH)
    neap__fail(p->L, NEAP_LIMIT, "conditions are nested deeper than %d", CONDITION_MAX_DEPTH);
  luaL_checkstack(p->L, LUA_MINSTACK, "conditions");
}

// Leaves the value at the top where `base` was.
static const struct condition *keep_top(lua_State *L, int base) {
  if (lua_gettop(L) > base) lua_replace(L, base);
  lua_settop(L, base);
  return lua_touserdata(L, base);
}

// ---- The entries of a table ----

static int by_key(const void *a, const void *b) {
  const struct key *x = &((const struct entry *)a)->key, *y = &((const struct entry *)b)->key;
  int i = x->field ? x->field->index : INT32_MAX, j = y->field ? y->field->index : INT32_MAX;
  if (i != j) return i < j ? -1 : 1;
  int order = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);
  return order ? order : (x->n > y->n) - (x->n < y->n);
}

static int count_entries(lua_State *L, int idx) {
  int n = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) n++;
  if (n > CONDITION_MAX_NODES)
    neap__fail(L, NEAP_LIMIT, "more than %d keys in one table of conditions", CONDITION_MAX_NODES);
  return n;
}

// Reads keys and leaves the values on the stack, in the order of pairs. A shape says which fields there are; without one
// all keys are operators.
static int read_entries(lua_State *L, const struct shape *shape, int idx, struct entry *entries) {
  int n = 0;
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    struct entry *e = &entries[n++];
    size_t len;
    if (lua_type(L, -2) != LUA_TSTRING)
      neap__fail(L, NEAP_USAGE,
                 "a table of conditions has names as keys, not %s: lists of conditions go to neap.any_of",
                 neap__show_value(L, -2).text);
    const char *text = lua_tolstring(L, -2, &len);
    e->value = lua_gettop(L) - 1;
    if (*text == '$' || !shape)
      e->key = (struct key){.text = text, .n = len};
    else
      neap__key_head(L, shape, text, len, &e->key);
    lua_insert(L, -2);  // the value goes below the key
  }
  return n;
}

// ---- Operators: { ["$gte"] = 1, ["$lt"] = 5 } ----

// A table whose keys all begin with $ is operators; any other, the empty one too, is a value.
static bool is_operators(lua_State *L, int idx) {
  if (!lua_istable(L, idx) || lua_rawlen(L, idx) > 0) return false;
  int n = 0;
  for (lua_pushnil(L); lua_next(L, idx); n++) {
    bool dollar = lua_type(L, -2) == LUA_TSTRING && *lua_tostring(L, -2) == '$';
    lua_pop(L, 1);
    if (dollar) continue;
    lua_pop(L, 1);
    return false;
  }
  return n > 0;
}

// What can be asked of a relation, behind a $: how many of its objects are to meet a condition.
static int quantifier_of(const struct place *place, const struct key *key) {
  static const char *const names[] = {[SOME] = "$some", [EVERY] = "$every", [NONE] = "$none"};
  if (!neap__place_is_relation(place)) return -1;
  for (int i = 0; i < 3; i++)
    if (strcmp(names[i], key->text) == 0) return i;
  return -1;
}

static const struct operator* find_operator(lua_State *L, const struct key *key, const char *where) {
  const struct operator* o = neap__operator_find(key->text + 1, key->n - 1);
  if (o) return o;
  const char *near = neap__operator_nearest(key->text + 1, key->n - 1);
  neap__fail(L, NEAP_USAGE, "%s: there is no operator %s%s", where, neap__show_name(key->text, key->n).text,
             neap__show_hint("$", near).text);
  return NULL;
}

static const struct condition *parse_quantified(struct parser *p, const struct shape *shape, const struct field *field,
                                                enum quantifier q, int idx);

static const struct condition *parse_operators(struct parser *p, const struct shape *shape, const struct place *place,
                                               int idx) {
  lua_State *L = p->L;
  int n = count_entries(L, idx), base = lua_gettop(L) + 1;
  char where[200];
  struct entry small[SMALL];
  struct entry *entries = n <= SMALL ? small : lua_newuserdatauv(L, (size_t)n * sizeof *entries, 0);
  luaL_checkstack(L, 2 * n + LUA_MINSTACK, "operators");
  n = read_entries(L, NULL, idx, entries);
  if (n > 1) qsort(entries, (size_t)n, sizeof *entries, by_key);
  for (int i = 0; i < n; i++) {
    bool negated = entries[i].key.n == 4 && memcmp(entries[i].key.text, "$not", 4) == 0;
    int quantifier = quantifier_of(place, &entries[i].key);
    if (neap__field_is_to_many(place->field) && strcmp(entries[i].key.text, "$count") == 0) {
      const struct place *count = neap__column_count(L, p->class_idx, place->field);
      neap__condition_value(L, p->class_idx, shape, count, COND_EQ, entries[i].value, p->depth);
      lua_remove(L, -2);
      continue;
    }
    if (quantifier >= 0) {
      parse_quantified(p, shape, place->field, (enum quantifier)quantifier, entries[i].value);
      continue;
    }
    neap__place_print(shape, place, where, sizeof where);
    const struct operator* o = negated ? NULL : find_operator(L, &entries[i].key, where);
    neap__condition_value(L, p->class_idx, shape, place, o ? (enum condition_op)o->op : COND_EQ, entries[i].value,
                          p->depth);
    if (!negated) continue;
    neap__condition_not(L, -1);
    lua_remove(L, -2);
  }
  neap__condition_branch(L, p->class_idx, COND_AND, n);
  return keep_top(L, base);
}

// ---- Relations ----

static void resolve(struct parser *p, const struct field *field) {
  struct neap__error e;
  if (neap__shape_resolve(p->L, p->class_idx, field, &e) != 0) neap__raise(p->L, &e);
}

#define THROUGH "$through"

// Whether the table at idx asks for the rows of the link table, too.
static bool asks_links(lua_State *L, const struct field *field, int idx) {
  if (field->type.kind != TYPE_MANY_TO_MANY || !lua_istable(L, idx)) return false;
  bool asks = lua_getfield(L, idx, THROUGH) != LUA_TNIL;
  lua_pop(L, 1);
  return asks;
}

static void push_without_links(lua_State *L, int idx) {
  lua_newtable(L);
  int copy = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, idx);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, copy);
  }
  lua_pushnil(L);
  lua_setfield(L, copy, THROUGH);
}

// Pushes two conditions: what the value at idx asks of the objects that the relation leads to, and of the links, or nil.
static void parse_target(struct parser *p, const struct field *field, int idx) {
  lua_State *L = p->L;
  idx = lua_absindex(L, idx);
  if (!asks_links(L, field, idx)) {
    parse_one(p, field->target, idx);
    lua_pushnil(L);
    return;
  }
  push_without_links(L, idx);
  int top = lua_gettop(L);
  parse_one(p, field->target, top);
  lua_getfield(L, idx, THROUGH);
  parse_one(p, field->through, -1);
  lua_remove(L, -2);
  lua_remove(L, top);
}

// Pops what is asked of related objects and, above it, of the links (or nil), and pushes the condition that one, each or none
// of them meets it. Which objects there are the declaration may say, { where = ... }, and that may ask for relations itself.
static const struct condition *quantify(struct parser *p, const struct shape *shape, const struct field *field,
                                        enum quantifier q) {
  lua_State *L = p->L;
  int child = lua_gettop(L) - 1;
  if (q == EVERY) {
    neap__condition_not(L, child);
    lua_replace(L, child);
  }
  deeper(p);
  neap__class_of(L, p->class_idx, shape->model);
  neap__class_function(L, neap__class_test(L, -1), field, "where");
  if (!lua_isnil(L, -1)) {
    parse_target(p, field, -1);
    int asked = lua_gettop(L) - 1;
    for (int i = 0; i < 2; i++) {
      neap__condition_and(L, child + i, asked + i);
      lua_replace(L, child + i);
    }
  }
  lua_settop(L, child + 1);
  p->depth--;
  const struct condition *c = neap__condition_some(L, p->class_idx, shape, field);
  if (q == SOME) return c;
  c = neap__condition_not(L, -1);
  lua_remove(L, -2);
  return c;
}

const struct condition *neap__condition_related(lua_State *L, int class_idx, const struct shape *shape,
                                                const struct field *field, enum quantifier q) {
  return quantify(&(struct parser){L, class_idx, 0}, shape, field, q);
}

void neap__condition_target(lua_State *L, int class_idx, const struct field *field, int idx) {
  parse_target(&(struct parser){L, class_idx, 0}, field, idx);
}

static const struct condition *parse_quantified(struct parser *p, const struct shape *shape, const struct field *field,
                                                enum quantifier q, int idx) {
  resolve(p, field);
  parse_target(p, field, idx);
  return quantify(p, shape, field, q);
}

// A relation: { text__contains = "x" }, a condition, or { ["$exists"] = true }.
static const struct condition *parse_relation(struct parser *p, const struct shape *shape, const struct field *field,
                                              enum condition_op op, int idx) {
  lua_State *L = p->L;
  resolve(p, field);
  if (op == COND_EXISTS && lua_isboolean(L, idx)) {
    bool there = lua_toboolean(L, idx);
    neap__condition_branch(L, p->class_idx, COND_AND, 0);
    lua_pushnil(L);
    return quantify(p, shape, field, there ? SOME : NONE);
  }
  if (op != COND_EQ || !(lua_istable(L, idx) || neap__condition_test(L, idx)))
    neap__fail(L, NEAP_USAGE,
               "%s.%s is a relation to %s: ask for a field of it (%s__...), for %s__exists, or give a table "
               "of conditions",
               shape->model, field->name, field->target->model, field->name, field->name);
  return parse_quantified(p, shape, field, SOME, idx);
}

// Whether the value at idx asks for what a relation leads to: for a pointer a table of conditions or a condition does, too.
static bool is_related(lua_State *L, const struct place *place, enum condition_op op, int idx) {
  if (!neap__place_is_relation(place)) return false;
  if (place->field->column < 0) return true;
  return op == COND_EQ && (neap__condition_test(L, idx) || lua_istable(L, idx));
}

// A table whose keys all begin with $ may be conditions on the target, { ["$or"] = { ... } }, and no operators.
static bool is_logic(lua_State *L, const struct place *place, int idx) {
  static const char *const names[] = {"$and", "$or", "$nor", THROUGH};
  bool logic = false;
  if (!neap__place_is_relation(place)) return false;
  for (int i = 0; i < 4 && !logic; i++) {
    logic = lua_getfield(L, idx, names[i]) != LUA_TNIL;
    lua_pop(L, 1);
  }
  return logic;
}

const struct condition *neap__condition_value(lua_State *L, int class_idx, const struct shape *shape,
                                              const struct place *place, enum condition_op op, int idx, int depth) {
  struct parser p = {L, class_idx, depth};
  deeper(&p);
  if (op == COND_EQ && is_operators(L, idx) && !is_logic(L, place, idx)) return parse_operators(&p, shape, place, idx);
  if (is_related(L, place, op, idx)) return parse_relation(&p, shape, place->field, op, idx);
  if (neap__condition_test(L, idx))
    neap__fail(L, NEAP_USAGE, "%s.%s takes a value, not a condition", shape->model, place->field->name);
  return neap__condition_compare(L, class_idx, shape, place, op, idx);
}

// ---- Keys ----

static const struct condition *parse_leaf(struct parser *p, const struct shape *shape, const struct entry *entry) {
  struct path path;
  neap__key_path(p->L, shape, &entry->key, &path);
  enum condition_op op = path.operator? (enum condition_op)path.operator->op : COND_EQ;
  return neap__condition_value(p->L, p->class_idx, shape, &path.place, op, entry->value, p->depth);
}

// comments__count, comments__count__gte
static const struct condition *parse_count(struct parser *p, const struct shape *shape, const struct entry *entry) {
  lua_State *L = p->L;
  struct key rest = entry->key;
  int base = lua_gettop(L) + 1;
  struct path path = {.place = *neap__column_count(L, p->class_idx, entry->key.field)};
  size_t n = sizeof "count" - 1;
  enum condition_op op = COND_EQ;
  if (rest.nrest > n) {
    n += rest.rest[n] == '.' ? 1 : 2;
    const struct operator* o = neap__operator_find(rest.rest + n, rest.nrest - n);
    if (!o)
      return neap__path_step(L, shape, &path, rest.rest + n, rest.nrest - n, -1), NULL;  // raises: it has no parts
    op = (enum condition_op)o->op;
  }
  neap__condition_value(L, p->class_idx, shape, &path.place, op, entry->value, p->depth);
  return keep_top(L, base);
}

// True for author__name, false for author, author__in and comments__count.
static bool follows_relation(struct parser *p, const struct key *key) {
  if (!key->field || key->nrest == 0 || !neap__field_is_relation(key->field)) return false;
  if (neap__key_counts(p->L, p->class_idx, key)) return false;
  return key->dot || !neap__operator_find(key->rest, key->nrest);
}

static void parse_logic(struct parser *p, const struct shape *shape, const struct entry *entry) {
  static const char *const names[] = {"$and", "$or", "$nor", "$not"};
  lua_State *L = p->L;
  int which = 0;
  while (which < 4 && strcmp(names[which], entry->key.text) != 0) which++;
  if (which == 4)
    neap__fail(L, NEAP_USAGE,
               "there is no %s here: $and $or $nor take lists of conditions, $not one; operators stand "
               "behind a field, { views = { [\"$gte\"] = 1 } }",
               neap__show_name(entry->key.text, entry->key.n).text);
  int n = 1;
  if (which < 3) {
    if (!lua_istable(L, entry->value)) neap__fail(L, NEAP_USAGE, "%s takes a list of conditions", names[which]);
    n = (int)lua_rawlen(L, entry->value);
    if (n == 0 && count_entries(L, entry->value) > 0)
      neap__fail(L, NEAP_USAGE, "%s takes a list of conditions, not one table", names[which]);
    if (n > CONDITION_MAX_NODES) neap__fail(L, NEAP_LIMIT, "more than %d conditions in one", CONDITION_MAX_NODES);
    luaL_checkstack(L, n + LUA_MINSTACK, "conditions");
    for (int i = 1; i <= n; i++) {
      int base = lua_gettop(L) + 1;
      lua_geti(L, entry->value, i);
      parse_one(p, shape, base);
      keep_top(L, base);
    }
    neap__condition_branch(L, p->class_idx, which == 0 ? COND_AND : COND_OR, n);
  } else {
    parse_one(p, shape, entry->value);
  }
  if (which < 2) return;
  neap__condition_not(L, -1);
  lua_remove(L, -2);
}

static const struct condition *parse_entries(struct parser *p, const struct shape *shape, struct entry *entries, int n);

// tags__through__at: "through" is the link table where the related model has no field of that name.
static bool names_link(const struct field *field, const struct key *key) {
  static const char name[] = "through";
  size_t n = sizeof name - 1;
  return field->through && key->nrest > n + 1 && memcmp(key->rest, name, n) == 0 &&
         (key->rest[n] == '.' || (key->rest[n] == '_' && key->rest[n + 1] == '_')) &&
         !neap__shape_field(field->target, name, n);
}

// The part of a key behind the relation, as a key of the related model or of the link table.
static struct entry inner_entry(struct parser *p, const struct field *field, const struct entry *entry) {
  struct entry inner = *entry;
  const char *rest = entry->key.rest;
  inner.link = names_link(field, &entry->key);
  if (inner.link) rest += sizeof "through" - 1 + (rest[sizeof "through" - 1] == '.' ? 1 : 2);
  size_t n = entry->key.nrest - (size_t)(rest - entry->key.rest);
  neap__key_head(p->L, inner.link ? field->through : field->target, rest, n, &inner.key);
  return inner;
}

static void swap(struct entry *a, struct entry *b) {
  struct entry c = *a;
  *a = *b;
  *b = c;
}

// Keys on one relation in one table mean one related row, and one row of the link table.
static int parse_related(struct parser *p, const struct shape *shape, struct entry *entries, int n) {
  const struct field *field = entries->key.field;
  int count = 0, links = 0;
  resolve(p, field);
  for (int i = 0; i < n && entries[i].key.field == field; i++) {
    if (!follows_relation(p, &entries[i].key)) continue;
    entries[i] = inner_entry(p, field, &entries[i]);
    swap(&entries[i], &entries[count]);  // those that ask for the column itself come behind
    if (entries[count++].link) swap(&entries[links++], &entries[count - 1]);
  }
  deeper(p);
  parse_entries(p, field->target, entries + links, count - links);
  if (links > 0)
    parse_entries(p, field->through, entries, links);
  else
    lua_pushnil(p->L);
  p->depth--;
  quantify(p, shape, field, SOME);
  return count;
}

// Pushes the AND of the entries, which it sorts.
static const struct condition *parse_entries(struct parser *p, const struct shape *shape, struct entry *entries,
                                             int n) {
  int count = 0;
  if (n > 1) qsort(entries, (size_t)n, sizeof *entries, by_key);
  for (int i = 0; i < n; count++) {
    luaL_checkstack(p->L, LUA_MINSTACK, "conditions");
    if (follows_relation(p, &entries[i].key)) {
      i += parse_related(p, shape, entries + i, n - i);
      continue;
    }
    if (neap__key_counts(p->L, p->class_idx, &entries[i].key))
      parse_count(p, shape, &entries[i]);
    else if (entries[i].key.field)
      parse_leaf(p, shape, &entries[i]);
    else
      parse_logic(p, shape, &entries[i]);
    i++;
  }
  return neap__condition_branch(p->L, p->class_idx, COND_AND, count);
}

static const struct condition *parse_table(struct parser *p, const struct shape *shape, int idx) {
  lua_State *L = p->L;
  int base = lua_gettop(L) + 1, n = count_entries(L, idx);
  struct entry small[SMALL];
  struct entry *entries = n <= SMALL ? small : lua_newuserdatauv(L, (size_t)n * sizeof *entries, 0);
  luaL_checkstack(L, 2 * n + LUA_MINSTACK, "conditions");
  n = read_entries(L, shape, idx, entries);
  parse_entries(p, shape, entries, n);
  return keep_top(L, base);
}

// What the value at idx is, for messages; pushes one value.
static const char *describe(lua_State *L, int idx) {
  const struct object *o = lua_isuserdata(L, idx) ? neap__object_test(L, idx) : NULL;
  const struct class *class = neap__class_test(L, idx);
  if (o) return lua_pushfstring(L, "an object of %s", neap__object_class(o)->shape->model);
  if (class) return lua_pushfstring(L, "the model %s", class->shape->model);
  return lua_pushstring(L, neap__show_value(L, idx).text);
}

// Pushes the condition that the value at idx is or spells.
static const struct condition *parse_one(struct parser *p, const struct shape *shape, int idx) {
  const struct condition *c = neap__condition_test(p->L, idx);
  idx = lua_absindex(p->L, idx);
  if (!c && !lua_istable(p->L, idx))
    neap__fail(p->L, NEAP_USAGE, "a condition on %s is a table or a column expression, not %s", shape->model,
               describe(p->L, idx));
  if (c) {
    if (c->shape && c->shape != shape)
      neap__fail(p->L, NEAP_USAGE, "a condition on %s was given for %s", c->shape->model, shape->model);
    lua_pushvalue(p->L, idx);
    return c;
  }
  deeper(p);
  c = parse_table(p, shape, idx);
  p->depth--;
  return c;
}

// ---- Arguments of where ----

// where("title", value): a key and a value that must be there.
static const struct condition *parse_pair(struct parser *p, const struct shape *shape, int first) {
  lua_State *L = p->L;
  struct entry entry = {.value = first + 1};
  size_t n;
  const char *text = lua_tolstring(L, first, &n);
  if (lua_gettop(L) > first + 1)
    neap__fail(L, NEAP_USAGE, "where(%s, value) takes one value", neap__show_text(text, n).text);
  if (lua_isnoneornil(L, first + 1))
    neap__fail(L, NEAP_USAGE, "where(%s, nil) would be no filter at all: use neap.null for what is absent",
               neap__show_text(text, n).text);
  neap__key_head(L, shape, text, n, &entry.key);
  return parse_entries(p, shape, &entry, 1);
}

const struct condition *neap__condition_parse(lua_State *L, int class_idx, int first) {
  struct parser p = {L, lua_absindex(L, class_idx), 0};
  const struct shape *shape = neap__class_check(L, class_idx)->shape;
  int last = lua_gettop(L);
  luaL_checkstack(L, last + LUA_MINSTACK, "conditions");
  if (first <= last && lua_type(L, first) == LUA_TSTRING) return parse_pair(&p, shape, first);
  for (int i = first; i <= last; i++) {
    if (lua_isnil(L, i)) neap__fail(L, NEAP_USAGE, "argument %d of where is nil", i - first + 1);
    parse_one(&p, shape, i);
  }
  return neap__condition_branch(L, p.class_idx, COND_AND, last >= first ? last - first + 1 : 0);
}
