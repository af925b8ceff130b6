// condition.c: the nodes of conditions: immutable userdata, each one piece of memory with all that it names.
// User value 1 of a node is a class (it keeps the shapes alive), those that follow are its children.
#include "model/condition.h"

#include <string.h>

#include "model/condition_build.h"
#include "value/text.h"

static const char type_name[] = "neap.condition";

struct node {
  struct condition condition;
  struct place other;
  int depth;
};

// ---- Memory of a leaf: the node, its steps, its operands, then all text ----

static size_t place_text(const struct place *place) {
  size_t n = 0;
  for (int i = 0; i < place->nsteps; i++) n += place->steps[i].key ? place->steps[i].nkey + 1 : 0;
  return n;
}

static size_t leaf_size(const struct condition *c) {
  size_t n =
      sizeof(struct node) + (size_t)c->place.nsteps * sizeof(struct step) + (size_t)c->ncells * sizeof(struct cell);
  n += place_text(&c->place);
  if (c->other) n += (size_t)c->other->nsteps * sizeof(struct step) + place_text(c->other);
  for (int i = 0; i < c->ncells; i++) n += neap__cell_has_text(&c->cells[i]) ? c->cells[i].n + 1 : 0;
  return n;
}

static const char *take_text(char **text, const char *p, size_t n) {
  char *copy = *text;
  if (n > 0) memcpy(copy, p, n);
  copy[n] = 0;
  *text += n + 1;
  return copy;
}

static struct step *take_steps(struct place *place, struct step *to, char **text) {
  for (int i = 0; i < place->nsteps; i++) {
    to[i] = place->steps[i];
    if (to[i].key) to[i].key = take_text(text, to[i].key, to[i].nkey);
  }
  place->steps = to;
  return to + place->nsteps;
}

static struct cell *take_cells(struct condition *c, struct cell *to, char **text) {
  for (int i = 0; i < c->ncells; i++) {
    to[i] = c->cells[i];
    if (neap__cell_has_text(&to[i])) to[i].p = take_text(text, to[i].p, to[i].n);
  }
  c->cells = to;
  return to + c->ncells;
}

static struct node *push_node(lua_State *L, int class_idx, size_t size, int nchildren) {
  struct node *node = lua_newuserdatauv(L, size, nchildren + 1);
  memset(node, 0, sizeof *node);
  neap__condition_metatable(L, type_name);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, class_idx);
  lua_setiuservalue(L, -2, 1);
  node->depth = 1;
  return node;
}

static int depth_of(const struct condition *c) {
  return ((const struct node *)c)->depth;
}

// Anchors what the places of the leaf on top of the stack count.
static void keep_counted(lua_State *L, struct node *node) {
  const struct condition *c = &node->condition;
  const struct condition *counted[] = {c->place.counted, c->other ? c->other->counted : NULL};
  for (int i = 0; i < 2; i++) {
    if (!counted[i]) continue;
    neap__place_push_counted(L, i ? c->other : &c->place);
    lua_setiuservalue(L, -2, i + 2);
    if (depth_of(counted[i]) > node->depth) node->depth = depth_of(counted[i]);
  }
}

const struct condition *neap__condition_copy(lua_State *L, int class_idx, const struct condition *draft) {
  bool counts = draft->place.counted || (draft->other && draft->other->counted);
  struct node *node = push_node(L, class_idx, leaf_size(draft), counts ? 2 : 0);
  struct condition *c = &node->condition;
  int nsteps = draft->place.nsteps + (draft->other ? draft->other->nsteps : 0);
  struct step *steps = (struct step *)(node + 1);
  struct cell *cells = (struct cell *)(steps + nsteps);
  char *text = (char *)(cells + draft->ncells);
  *c = *draft;
  steps = take_steps(&c->place, steps, &text);
  if (c->other) {
    node->other = *c->other;
    c->other = &node->other;
    take_steps(&node->other, steps, &text);
  }
  take_cells(c, cells, &text);
  if (counts) keep_counted(L, node);
  return c;
}

const struct condition *neap__condition_leaf(lua_State *L, int class_idx, const struct field *field,
                                             enum condition_op op, const struct cell *cells, int ncells) {
  struct condition draft = {.op = op, .ncells = ncells, .cells = cells};
  draft.shape = neap__class_check(L, class_idx)->shape;
  draft.place = (struct place){.field = field, .type = &field->type};
  return neap__condition_copy(L, class_idx, &draft);
}

// ---- Branches ----

static const struct condition *node_at(lua_State *L, int idx) {
  return lua_touserdata(L, idx);
}

// AND in AND and OR in OR become one.
static bool melts(enum condition_op op, const struct condition *child) {
  return child->op == op && (op == COND_AND || op == COND_OR);
}

// How much deeper a branch is than its child. Not of not is folded, so NOT alone adds nothing.
static int weight(enum condition_op op, const struct condition *child) {
  if (op == COND_SOME || op == COND_ELEMENT) return CONDITION_SOME_DEPTH;
  return op != COND_NOT && !melts(op, child);
}

// Adds what a branch of `op` gets from a child. Returns where the next one goes.
static const struct condition **add_child(const struct condition **to, enum condition_op op,
                                          const struct condition *child) {
  if (!melts(op, child)) {
    *to = child;
    return to + 1;
  }
  for (int i = 0; i < child->nchildren; i++) *to++ = child->children[i];
  return to;
}

static void check_depth(lua_State *L, const struct node *node) {
  if (node->depth > CONDITION_MAX_DEPTH)
    neap__fail(L, NEAP_LIMIT, "conditions are nested deeper than %d (a relation counts %d)", CONDITION_MAX_DEPTH,
               CONDITION_SOME_DEPTH);
}

static const struct condition *push_branch(lua_State *L, int class_idx, enum condition_op op, int first, int n,
                                           int total) {
  if (total > CONDITION_MAX_NODES) neap__fail(L, NEAP_LIMIT, "more than %d conditions in one", CONDITION_MAX_NODES);
  size_t size = sizeof(struct node) + (size_t)total * sizeof(struct condition *);
  struct node *node = push_node(L, class_idx, size, n);
  const struct condition **children = (const struct condition **)(node + 1);
  node->condition = (struct condition){.op = op, .nchildren = total, .children = children};
  for (int i = 0; i < n; i++) {
    const struct condition *child = node_at(L, first + i);
    children = add_child(children, op, child);
    if (child->shape) node->condition.shape = child->shape;
    int depth = depth_of(child) + weight(op, child);
    if (depth > node->depth) node->depth = depth;
    lua_pushvalue(L, first + i);
    lua_setiuservalue(L, -2, i + 2);
  }
  check_depth(L, node);
  return &node->condition;
}

const struct condition *neap__condition_branch(lua_State *L, int class_idx, enum condition_op op, int n) {
  int first = lua_gettop(L) - n + 1, total = 0;
  if (n == 1) return node_at(L, -1);
  for (int i = 0; i < n; i++) {
    const struct condition *child = node_at(L, first + i);
    total += melts(op, child) ? child->nchildren : 1;
  }
  const struct condition *c = push_branch(L, class_idx, op, first, n, total);
  lua_insert(L, first);
  lua_settop(L, first);
  return c;
}

const struct condition *neap__condition_some(lua_State *L, int class_idx, const struct shape *shape,
                                             const struct field *field) {
  int child = lua_gettop(L) - 1, n = lua_isnil(L, -1) ? 1 : 2;
  push_branch(L, class_idx, COND_SOME, child, n, n);
  struct node *node = lua_touserdata(L, -1);
  node->condition.shape = shape;
  node->condition.place = (struct place){.field = field, .type = &field->type};
  lua_replace(L, child);
  lua_settop(L, child);
  return &node->condition;
}

const struct condition *neap__condition_elements(lua_State *L, int class_idx, int column) {
  const struct place *list = neap__column_test(L, column);
  const struct condition *c = neap__condition_test(L, -1);
  if (!c || (c->shape && c->shape != &neap__element))
    neap__fail(L, NEAP_USAGE, "a condition on the element was expected, not %s", neap__show_value(L, -1).text);
  struct node *node = push_node(L, class_idx, sizeof *node + sizeof c, 2);
  const struct condition **children = (const struct condition **)(node + 1);
  children[0] = c;
  node->condition = (struct condition){
      .op = COND_ELEMENT, .shape = neap__column_shape(list), .place = *list, .nchildren = 1, .children = children};
  node->depth = depth_of(c) + weight(COND_ELEMENT, c);
  check_depth(L, node);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 2);
  lua_pushvalue(L, column);  // has the steps of the place
  lua_setiuservalue(L, -2, 3);
  return &node->condition;
}

const struct condition *neap__condition_test(lua_State *L, int idx) {
  return luaL_testudata(L, idx, type_name);
}

bool neap__condition_is_true(const struct condition *c) {
  return c->op == COND_AND && c->nchildren == 0;
}

int neap__condition_class(lua_State *L, int idx) {
  lua_getiuservalue(L, idx, 1);
  return lua_gettop(L);
}

// Children that melted into a branch have an anchor that it keeps; what places count is kept by their leaves.
bool neap__condition_push_part(lua_State *L, int idx, const struct condition *part) {
  idx = lua_absindex(L, idx);
  if (lua_touserdata(L, idx) == part) return lua_pushvalue(L, idx), true;
  luaL_checkstack(L, 3, "conditions");
  for (int i = 2; lua_getiuservalue(L, idx, i) != LUA_TNONE; i++) {
    if (lua_isuserdata(L, -1) && neap__condition_push_part(L, -1, part)) return lua_remove(L, -2), true;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return false;
}

static const struct condition *combine(lua_State *L, enum condition_op op, int a, int b) {
  a = lua_absindex(L, a);
  b = lua_absindex(L, b);
  if (lua_isnil(L, a) || lua_isnil(L, b)) {
    lua_pushvalue(L, lua_isnil(L, a) ? b : a);
    return lua_isnil(L, -1) ? NULL : node_at(L, -1);
  }
  int class_idx = neap__condition_class(L, a);
  lua_pushvalue(L, a);
  lua_pushvalue(L, b);
  const struct condition *c = neap__condition_branch(L, class_idx, op, 2);
  lua_remove(L, class_idx);
  return c;
}

const struct condition *neap__condition_and(lua_State *L, int a, int b) {
  return combine(L, COND_AND, a, b);
}

const struct condition *neap__condition_or(lua_State *L, int a, int b) {
  return combine(L, COND_OR, a, b);
}

// Not of not is the condition itself.
const struct condition *neap__condition_not(lua_State *L, int a) {
  const struct condition *c = node_at(L, a);
  a = lua_absindex(L, a);
  if (c->op == COND_NOT) {
    lua_getiuservalue(L, a, 2);
    return node_at(L, -1);
  }
  int class_idx = neap__condition_class(L, a);
  lua_pushvalue(L, a);
  push_branch(L, class_idx, COND_NOT, class_idx + 1, 1, 1);
  lua_replace(L, class_idx);
  lua_settop(L, class_idx);
  return node_at(L, class_idx);
}

// ---- In print ----

static void print_operands(luaL_Buffer *b, const struct condition *c) {
  char text[100];
  if (c->place.field->flags & FIELD_SECRET) {
    luaL_addstring(b, "***");
    return;
  }
  if (c->other) luaL_addstring(b, neap__place_print(c->shape, c->other, text, sizeof text));
  for (int i = 0; i < c->ncells && i < 20; i++) {
    if (i > 0) luaL_addstring(b, ", ");
    luaL_addstring(b, neap__cell_print(&c->cells[i], text, sizeof text));
  }
  if (c->ncells > 20) luaL_addstring(b, ", ...");
}

static void print(luaL_Buffer *b, const struct condition *c);

static void print_branch(luaL_Buffer *b, const struct condition *c) {
  const char *between = c->op == COND_AND ? " and " : " or ";
  if (c->nchildren == 0) luaL_addstring(b, c->op == COND_AND ? "true" : "false");
  if (c->nchildren > 1) luaL_addchar(b, '(');
  for (int i = 0; i < c->nchildren; i++) {
    if (i > 0) luaL_addstring(b, between);
    print(b, c->children[i]);
  }
  if (c->nchildren > 1) luaL_addchar(b, ')');
}

static void print_some(luaL_Buffer *b, const struct condition *c) {
  print(b, c->children[0]);
  if (c->nchildren == 1) return;
  luaL_addstring(b, " through ");
  print(b, c->children[1]);
}

static void print(luaL_Buffer *b, const struct condition *c) {
  char place[200];
  if (c->op == COND_AND || c->op == COND_OR) {
    print_branch(b, c);
    return;
  }
  if (c->op == COND_NOT) {
    luaL_addstring(b, "not ");
    print(b, c->children[0]);
    return;
  }
  luaL_addstring(b, neap__place_print(c->shape, &c->place, place, sizeof place));
  luaL_addchar(b, ' ');
  luaL_addstring(b, neap__condition_op_name(c->op));
  luaL_addchar(b, ' ');
  if (c->op == COND_SOME || c->op == COND_ELEMENT)
    print_some(b, c);
  else
    print_operands(b, c);
}

void neap__condition_print(lua_State *L, const struct condition *c) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  print(&b, c);
  luaL_pushresult(&b);
}
