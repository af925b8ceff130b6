// mongo_groups.c: groups and what is computed of them as JSON text, straight from the rows of the answer.
#include <stdlib.h>
#include <string.h>

#include "model/mongo.h"
#include "model/query_build.h"
#include "value/json.h"
#include "value/marks.h"

struct label {
  const char *json;  // "name":
  size_t njson;
  int cell;       // of the row; -1: always null
  int64_t times;  // what an integer stands for
};

struct groups {
  struct neap__buffer *out;
  const struct query *query;
  int64_t n;
  int nlabels;
  struct label *labels;
  struct cell *cells;
};

// The stack. NAMES: what the labels are called, as JSON.
enum { GROUPS_QUERY = 1, GROUPS_LABELS, GROUPS_ROWS, GROUPS_STATE, GROUPS_BUFFER, GROUPS_NAMES };

static int aggregated(lua_State *L) {
  neap__query_aggregate(L);
  return 1;
}

// Which cell of a row bears the name that the kernel knows a group or an aggregate by.
static int cell_of(lua_State *L, const struct query *q, const char *name) {
  for (int i = 0; i < q->ngroups; i++) {
    neap__order_name(L, &(struct order){.reach = q->groups[i]});
    bool found = strcmp(lua_tostring(L, -1), name) == 0;
    lua_pop(L, 1);
    if (found) return i;
  }
  for (int i = 0; i < q->naggregates; i++)
    if (strcmp(q->aggregates[i].label, name) == 0) return q->ngroups + i;
  return -1;
}

// Reads label number i, { label, name, times }.
static void read_label(lua_State *L, struct groups *g, int i) {
  struct label *label = &g->labels[i];
  struct neap__error e;
  lua_rawgeti(L, GROUPS_LABELS, i + 1);
  int entry = lua_gettop(L);
  lua_rawgeti(L, entry, 2);
  label->cell = cell_of(L, g->query, luaL_checkstring(L, -1));
  lua_rawgeti(L, entry, 3);
  label->times = lua_isnil(L, -1) ? 1 : lua_tointeger(L, -1);
  lua_rawgeti(L, entry, 1);
  if (neap__json_encode(L, lua_gettop(L), &e) != 0) neap__raise(L, &e);
  lua_pushliteral(L, ":");
  lua_concat(L, 2);
  label->json = lua_tolstring(L, -1, &label->njson);
  lua_rawseti(L, GROUPS_NAMES, i + 1);
  lua_settop(L, GROUPS_NAMES);
}

static void write_cell(lua_State *L, struct groups *g, const struct label *label) {
  struct cell cell = {.kind = CELL_NIL};
  if (label->cell >= 0) cell = g->cells[label->cell];
  if (cell.kind == CELL_INTEGER) cell.i = (int64_t)((uint64_t)cell.i * (uint64_t)label->times);
  if (neap__mongo_put_cell(L, g->out, &cell)) return;
  neap__type_push(L, NULL, &cell);
  neap__mongo_put_value(L, g->out);
}

static void write_row(lua_State *L, struct groups *g) {
  neap__mongo_put(L, g->out, ",{", 2);
  for (int i = 0; i < g->nlabels; i++) {
    if (i > 0) neap__mongo_put(L, g->out, ",", 1);
    neap__mongo_put(L, g->out, g->labels[i].json, g->labels[i].njson);
    write_cell(L, g, &g->labels[i]);
  }
  neap__mongo_put(L, g->out, "}", 1);
}

static int go_on(lua_State *L, int status, lua_KContext ctx) {
  struct groups *g = lua_touserdata(L, GROUPS_STATE);
  struct rows *rows = lua_touserdata(L, GROUPS_ROWS);
  enum rows_state state;
  (void)status;
  while ((state = rows->next(rows, g->cells)) == ROWS_ROW) {
    write_row(L, g);
    if (++g->n % 16 == 0 && neap__should_pause(L, 16)) return neap__pause(L, ctx, go_on);
  }
  if (state == ROWS_WAIT) return neap__await(L, GROUPS_ROWS, ctx, go_on);
  struct neap__error e = rows->error;
  rows->close(rows);
  if (state == ROWS_FAILED) return neap__raise(L, &e);
  neap__mongo_put(L, g->out, "]", 1);
  if (g->n == 0)
    lua_pushliteral(L, "[]");
  else
    g->out->p[0] = '[', lua_pushlstring(L, g->out->p, g->out->n);
  neap__buffer_free(g->out);
  return 1;
}

static int sent(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  neap__query_sent(L);
  return 2;
}

// (query) -> the query that was sent, its rows
static int send_query(lua_State *L) {
  return neap__query_send(L, false, 0, sent);
}

static int groups_sent(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  lua_insert(L, GROUPS_ROWS);
  lua_replace(L, GROUPS_QUERY);
  const struct query *q = lua_touserdata(L, GROUPS_QUERY);
  int width = neap__query_width(q), n = (int)lua_rawlen(L, GROUPS_LABELS);
  struct groups *g =
      lua_newuserdatauv(L, sizeof *g + (size_t)width * sizeof(struct cell) + (size_t)n * sizeof(struct label), 0);
  *g = (struct groups){.query = q, .nlabels = n, .cells = (struct cell *)(g + 1)};
  g->labels = (struct label *)(g->cells + width);
  g->out = neap__buffer_push(L);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) read_label(L, g, i);
  return go_on(L, status, 0);
}

int neap__mongo_groups_json(lua_State *L) {
  lua_settop(L, 3);
  neap__arg_table(L, 3, "labels");
  if (!lua_isnil(L, 2)) {
    lua_pushcfunction(L, aggregated);
    lua_pushvalue(L, GROUPS_QUERY);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    lua_replace(L, GROUPS_QUERY);
  }
  lua_remove(L, 2);
  const struct query *q = neap__query_check(L, GROUPS_QUERY);
  if (q->ngroups > 0) neap__query_check_groups(L, q);
  lua_pushcfunction(L, send_query);
  lua_pushvalue(L, GROUPS_QUERY);
  lua_callk(L, 1, 2, 0, groups_sent);
  return groups_sent(L, LUA_OK, 0);
}
