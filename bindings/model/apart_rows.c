// apart_rows.c: rows that are held while related ones are asked for, and the rows that come of both.
#include <string.h>

#include "model/apart.h"
#include "model/store.h"

#define HELD_TYPE "neap.apart.held"
#define ROWS_TYPE "neap.apart.rows"

// ---- Rows that are held ----

struct held *neap__held_check(lua_State *L, int idx) {
  return luaL_checkudata(L, idx, HELD_TYPE);
}

const struct kept *neap__held_find(const struct held *held, const struct cell *key) {
  return key->kind > CELL_NULL ? neap__memory_look(&held->table, key, 1, held->width) : NULL;
}

static int held_gc(lua_State *L) {
  struct held *held = lua_touserdata(L, 1);
  neap__memory_table_free(&held->table);
  if (held->room.host) neap__memory_leave(&held->room);
  return 0;
}

// What read() keeps while it waits. Its stack: query, rows, what it gives, this.
enum { READ_QUERY = 1, READ_ROWS, READ_HELD, READ_CELLS };

// The key, once more, stands last.
static bool hold(struct held *held, struct cell *cells) {
  bool fresh;
  if (held->key < 0) return neap__memory_append(&held->room, &held->table, cells, held->width);
  cells[held->width] = cells[held->key];
  if (cells[held->key].kind <= CELL_NULL) return true;
  return neap__memory_entry(&held->room, &held->table, cells, held->width + 1, 1, &fresh) != NULL;
}

static int read_on(lua_State *L, int status, lua_KContext ctx) {
  struct rows *rows = lua_touserdata(L, READ_ROWS);
  struct held *held = lua_touserdata(L, READ_HELD);
  struct cell *cells = lua_touserdata(L, READ_CELLS);
  enum rows_state state;
  unsigned n = 0;
  (void)status;
  while ((state = rows->next(rows, cells)) == ROWS_ROW && hold(held, cells))
    if (++n % 16 == 0 && neap__should_pause(L, 16)) return neap__pause(L, ctx, read_on);
  if (state == ROWS_WAIT) return neap__await(L, READ_ROWS, ctx, read_on);
  struct neap__error e = state == ROWS_FAILED ? rows->error : held->error;
  rows->close(rows);
  if (state != ROWS_END) return neap__raise(L, &e);
  lua_settop(L, READ_HELD);
  return 1;
}

static struct held *push_held(lua_State *L, const struct query *q, int key) {
  struct held *held = memset(lua_newuserdatauv(L, sizeof *held, 0), 0, sizeof *held);
  luaL_setmetatable(L, HELD_TYPE);
  held->room = (struct memory_room){.host = neap__host(L), .model = q->class->shape->model, .error = &held->error};
  held->width = neap__query_width(q);
  held->key = key;
  return held;
}

static int read_sent(lua_State *L, int status, lua_KContext key) {
  neap__query_sent(L);
  const struct query *q = lua_touserdata(L, READ_QUERY);
  struct held *held = push_held(L, q, (int)key);
  lua_newuserdatauv(L, (size_t)(held->width + 1) * sizeof(struct cell), 0);
  return read_on(L, status, 0);
}

int neap__held_read(lua_State *L) {
  const struct query *q = neap__query_check(L, 1);
  int key = (int)luaL_optinteger(L, 2, -1);
  lua_settop(L, 1);
  if (q->limit != 0) return neap__query_send(L, false, key, read_sent);
  push_held(L, q, key);
  return 1;
}

const struct cell *neap__held_distinct(lua_State *L, struct held *held, int cell, int *n) {
  struct cell *keys = lua_newuserdatauv(L, (held->table.n + 1) * sizeof *keys, 0);
  struct memory_table seen = {0};
  bool fresh;
  *n = 0;
  for (size_t i = 0; i < held->table.n && !held->room.failed; i++) {
    const struct cell *key = &held->table.entries[i]->cells[cell];
    if (key->kind <= CELL_NULL) continue;
    if (held->key != cell) neap__memory_entry(&held->room, &seen, key, 1, 1, &fresh);
    if (held->key == cell || fresh) keys[(*n)++] = *key;
  }
  neap__memory_table_free(&seen);
  if (held->room.failed) neap__raise(L, &held->error);
  return keys;
}

// ---- Rows of both ----

struct hop {
  int cell;                 // of the row at hand: the key
  const struct held *held;  // NULL: what is looked for
};

// A source for memory: each row of the base, or of what links lead to, and what it reaches for.
struct both {
  struct rows rows;
  const struct held *base;   // NULL once it is closed
  const struct held *links;  // NULL: none
  int here, there, width, nreaches;
  bool *counts;
  size_t at;
  struct hop **paths;  // of each reach, ended by a hop without rows
};

static struct cell reached(const struct both *b, const struct cell *row, int reach) {
  struct cell none = {.kind = CELL_NIL};
  const struct hop *s = b->paths[reach];
  for (; s->held; s++) {
    const struct kept *found = neap__held_find(s->held, &row[s->cell]);
    if (!found) return b->counts[reach] && !s[1].held ? (struct cell){.i = 0, .kind = CELL_INTEGER} : none;
    row = found->cells;
  }
  return row[s->cell];
}

static enum rows_state both_next(struct rows *rows, struct cell *cells) {
  struct both *b = (struct both *)rows;
  const struct held *list = b->links ? b->links : b->base;
  while (b->base && b->at < list->table.n) {
    const struct kept *row = list->table.entries[b->at++], *link = row;
    if (b->links) row = neap__held_find(b->base, &link->cells[b->there]);
    if (!row) continue;
    memcpy(cells, row->cells, (size_t)b->width * sizeof *cells);
    for (int i = 0; i < b->nreaches; i++) cells[b->width + i] = reached(b, row->cells, i);
    if (b->links) cells[b->width + b->nreaches] = link->cells[b->here];
    return ROWS_ROW;
  }
  return ROWS_END;
}

static void both_close(struct rows *rows) {
  ((struct both *)rows)->base = NULL;
}

// Reads { cell, held, ..., cell } at the top of the stack.
static struct hop *read_path(lua_State *L, struct hop *steps) {
  for (lua_Integer i = 1;; i += 2) {
    struct hop *s = steps++;
    lua_rawgeti(L, -1, i);
    s->cell = (int)lua_tointeger(L, -1);
    s->held = lua_rawgeti(L, -2, i + 1) == LUA_TUSERDATA ? neap__held_check(L, -1) : NULL;
    lua_pop(L, 2);
    if (!s->held) return steps;
  }
}

static size_t count_steps(lua_State *L, int paths) {
  size_t n = 0;
  for (lua_Integer i = 1; lua_rawgeti(L, paths, i) != LUA_TNIL; i++) {
    n += lua_rawlen(L, -1) / 2 + 1;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return n;
}

enum { ROWS_QUERY = 1, ROWS_COUNT, ROWS_BASE, ROWS_HELD, ROWS_LINKS, ROWS_HERE, ROWS_THERE, ROWS_REACHES, ROWS_PATHS };

static struct both *push_both(lua_State *L, const struct reaches *r) {
  size_t nsteps = count_steps(L, ROWS_PATHS), n = (size_t)r->n;
  struct both *b = neap__op_new(L, sizeof *b + n * (sizeof(struct hop *) + sizeof(bool)) + nsteps * sizeof(struct hop),
                                ROWS_TYPE, 1);
  b->paths = (struct hop **)(b + 1);
  struct hop *steps = (struct hop *)(b->paths + n);
  b->counts = (bool *)(steps + nsteps);
  for (int i = 0; i < r->n; i++) {
    b->paths[i] = steps;
    b->counts[i] = r->list[i].place.counted != NULL;
    lua_rawgeti(L, ROWS_PATHS, i + 1);
    steps = read_path(L, steps);
    lua_pop(L, 1);
  }
  return b;
}

// Anchors the arguments in the rows on top of the stack.
static void keep_arguments(lua_State *L) {
  int rows = lua_gettop(L);
  lua_createtable(L, ROWS_PATHS, 0);
  for (int i = 1; i <= ROWS_PATHS; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, -2, i);
  }
  lua_setiuservalue(L, rows, 1);
}

// rows(query, count, base, held, links or nil, here, there, reaches, paths, done) -> rows
//   done: the rows of the base are those of the query, ordered and cut, which is replaced by one that asks for neither
int neap__held_rows(lua_State *L) {
  struct query *q = lua_touserdata(L, ROWS_QUERY);
  const struct query *base = neap__query_check(L, ROWS_BASE);
  const struct reaches *r = lua_touserdata(L, ROWS_REACHES);
  bool done = lua_toboolean(L, ROWS_PATHS + 1);
  lua_settop(L, ROWS_PATHS);
  if (done) {
    q = neap__query_clone(L, ROWS_QUERY);
    q->limit = -1;
    q->skip = 0;
    lua_replace(L, ROWS_QUERY);
  }
  struct both *b = push_both(L, r);
  b->rows.op.done = true;
  b->rows.next = both_next;
  b->rows.close = both_close;
  b->base = neap__held_check(L, ROWS_HELD);
  b->links = lua_isnil(L, ROWS_LINKS) ? NULL : neap__held_check(L, ROWS_LINKS);
  b->here = (int)lua_tointeger(L, ROWS_HERE);
  b->there = (int)lua_tointeger(L, ROWS_THERE);
  b->width = base->nselect;
  b->nreaches = r->n;
  keep_arguments(L);
  uint64_t *bits = neap__query_push_bits(L, base);
  lua_insert(L, -2);
  for (int i = 0; i < base->nselect; i++) neap__query_mark(bits, base->select[i]->column);
  const struct memory_plan plan = {
      .columns = bits, .ordered = done, .count = lua_toboolean(L, ROWS_COUNT), .nreaches = r->n, .reaches = r->list};
  neap__memory_rows(L, q, &plan);
  return 1;
}

void neap__held_open(lua_State *L) {
  luaL_newmetatable(L, HELD_TYPE);
  lua_pushcfunction(L, held_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newmetatable(L, ROWS_TYPE);
  lua_pop(L, 1);
}
