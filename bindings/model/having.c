// having.c: which groups are given: comparisons of what is computed of each, { total = { ["$gte"] = 100 } }.
#include <stdlib.h>
#include <string.h>

#include "model/condition_build.h"
#include "model/query_build.h"
#include "value/datetime.h"

static bool is_number(enum cell_kind kind) {
  return kind == CELL_INTEGER || kind == CELL_NUMBER || kind == CELL_DECIMAL;
}

bool neap__having_fit(enum cell_kind kind, struct cell *cell, char text[40]) {
  bool written = cell->kind == CELL_TEXT;
  int64_t at;
  if (kind == CELL_UNLOADED && (cell->kind == CELL_DATETIME || cell->kind == CELL_DATE)) {
    size_t n = cell->kind == CELL_DATE ? neap__date_format(cell->i, text) : neap__datetime_format(cell->i, text);
    *cell = (struct cell){.p = text, .n = (uint32_t)n, .kind = CELL_TEXT};
  } else if (written && kind == CELL_DATETIME && neap__datetime_parse(cell->p, cell->n, &at)) {
    *cell = (struct cell){.i = at, .kind = CELL_DATETIME};
  } else if (written && kind == CELL_DATE && neap__date_parse(cell->p, cell->n, &at)) {
    *cell = (struct cell){.i = at, .kind = CELL_DATE};
  }
  if (is_number(cell->kind)) return kind == CELL_UNLOADED || is_number(kind);
  return cell->kind == (kind == CELL_UNLOADED ? CELL_TEXT : kind);
}

static bool compares(enum condition_op op) {
  return op == COND_EQ || op == COND_NE || op == COND_LT || op == COND_LTE || op == COND_GT || op == COND_GTE;
}

// Reads the value on top of the stack, which is replaced by what anchors it.
static struct cell read_operand(lua_State *L, const char *label) {
  struct cell cell;
  struct neap__error e;
  int value = lua_gettop(L);
  if (neap__cell_read(L, value, &cell, &e) != 0) neap__raise(L, &e);
  if (cell.kind <= CELL_NULL || cell.kind == CELL_JSON)
    neap__fail(L, NEAP_USAGE, "having: '%s' compares with a number, text or time, not with %s", label,
               neap__show_value(L, value).text);
  lua_createtable(L, 2, 0);
  for (int i = 1; i <= 2; i++) {
    lua_pushvalue(L, value + i - 1);
    lua_rawseti(L, -2, i);
  }
  lua_replace(L, value);
  lua_settop(L, value);
  return cell;
}

static void anchor(lua_State *L, int anchors) {
  lua_rawseti(L, anchors, (lua_Integer)lua_rawlen(L, anchors) + 1);
}

// Operator and operand are on top of the stack.
static struct having read_comparison(lua_State *L, const char *label) {
  size_t n;
  const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &n) : "";
  const struct operator* o = * name == '$' ? neap__operator_find(name + 1, n - 1) : NULL;
  if (!o || !compares(o->op))
    neap__fail(L, NEAP_USAGE, "having: %s of '%s' is none of $eq $ne $lt $lte $gt $gte", neap__show_value(L, -2).text,
               label);
  return (struct having){.label = label, .op = o->op, .cell = read_operand(L, label)};
}

static int by_label(const void *a, const void *b) {
  const struct having *x = a, *y = b;
  int order = strcmp(x->label, y->label);
  return order ? order : (int)x->op - (int)y->op;
}

// How many comparisons the table at idx holds.
static int count_all(lua_State *L, int idx) {
  int n = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || !lua_istable(L, -1))
      neap__fail(L, NEAP_USAGE, "having takes { label = { [\"$gte\"] = number }, … }");
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) n++;
  }
  return n;
}

// Query:having{ label = { ["$gte"] = 100 }, … } -> Query
//   only groups whose aggregates compare so: $eq $ne $lt $lte $gt $gte
static int query_having(lua_State *L) {
  lua_settop(L, 2);
  neap__arg_table(L, 2, "labels");
  neap__query_self(L, 1);
  struct query *q = neap__query_clone(L, 1);
  int n = count_all(L, 2), k = 0;
  struct having *list = lua_newuserdatauv(L, (size_t)n * sizeof *list + 1, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -3, 1);
  int anchors = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
    const char *label = lua_tostring(L, -2);
    lua_pushvalue(L, -2);
    anchor(L, anchors);
    for (lua_pushnil(L); lua_next(L, -2);) {
      list[k++] = read_comparison(L, label);
      anchor(L, anchors);
    }
  }
  qsort(list, (size_t)n, sizeof *list, by_label);
  lua_settop(L, anchors - 1);
  neap__query_keep(L, 3, QUERY_HAVING);
  q->havings = list;
  q->nhavings = n;
  lua_settop(L, 3);
  return 1;
}

const luaL_Reg neap__query_havings[] = {{"having", query_having}, {NULL, NULL}};
