// cursor.c: pages by keyset. A page goes on behind the last row of the one before it, or ends before the first of the one behind
// it, found by the values that the order compares, so that it costs the same wherever it is, and rows that come or go meanwhile
// do no harm.
//
// A cursor is the JSON list [order, value ...] in base64: opaque to scripts, safe in URLs once escaped. It may come from
// anywhere, so nothing in it is trusted: it has to fit the order of the query, and its values the types of the fields.
#include <string.h>

#include "model/query_build.h"
#include "value/buffer.h"
#include "value/bytes.h"
#include "value/datetime.h"
#include "value/json.h"
#include "value/marks.h"

#define CURSOR_MAX 65536

// ---- The order of pages: total, by whole columns ----

static void check_orders(lua_State *L, const struct query *q) {
  if (q->ngroups > 0) neap__fail(L, NEAP_USAGE, "page: groups come as a whole; use all()");
  if (q->limit >= 0 || q->skip > 0)
    neap__fail(L, NEAP_USAGE, "page has its own size: it does not go with limit and skip");
  if (q->class->shape->nkeys == 0) neap__fail(L, NEAP_USAGE, "page: %s has no primary key", q->class->shape->model);
  for (int i = 0; i < q->norders; i++) {
    const struct reach *r = &q->orders[i].reach;
    neap__order_name(L, &(struct order){.reach = *r});
    if (r->nvia > 0 || r->place.nsteps > 0 || r->place.field->column < 0)
      neap__fail(L, NEAP_USAGE, "page can order by columns of %s only, not by what '%s' names", q->class->shape->model,
                 lua_tostring(L, -1));
    lua_pop(L, 1);
    if (r->place.type && r->place.type->kind == TYPE_JSON)
      neap__fail(L, NEAP_USAGE, "page cannot order by '%s', a %s", r->place.field->name,
                 neap__type_name(r->place.type->kind));
  }
}

// What the order compares has to be loaded.
static void complete_select(lua_State *L, struct query *q) {
  if (q->nselect == 0) return;
  uint64_t *bits = neap__query_push_bits(L, q);
  for (int i = 0; i < q->nselect; i++) neap__query_mark(bits, q->select[i]->column);
  for (int i = 0; i < q->norders; i++) neap__query_mark(bits, q->orders[i].reach.place.field->column);
  neap__query_select(L, 1, bits);
  lua_pop(L, 1);
}

// The order backwards: what is absent, which comes last, comes first then.
static void turn_around(lua_State *L, struct query *q) {
  struct order *orders = lua_newuserdatauv(L, (size_t)q->norders * sizeof *orders, 1);
  for (int i = 0; i < q->norders; i++) {
    orders[i] = q->orders[i];
    orders[i].descending = !orders[i].descending;
    orders[i].first = true;
  }
  lua_getiuservalue(L, 1, QUERY_ORDERS);
  lua_setiuservalue(L, -2, 1);
  neap__query_keep(L, 1, QUERY_ORDERS);
  q->orders = orders;
}

// Pushes "Post -views id": what a cursor was made for, whichever way it is read.
static const char *push_fingerprint(lua_State *L, const struct query *q) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, q->class->shape->model);
  for (int i = 0; i < q->norders; i++) {
    struct order o = q->orders[i];
    o.descending = o.descending != o.first;
    luaL_addchar(&b, ' ');
    neap__order_name(L, &o);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  return lua_tostring(L, -1);
}

// ---- Writing ----

static void push_base64(lua_State *L, const char *p, size_t n) {
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, NEAP_BASE64_SIZE(n));
  neap__bytes_base64(p, n, out);
  luaL_pushresultsize(&b, NEAP_BASE64_SIZE(n));
}

// Times and decimals go as text, as the checks read them back; bytes in base64.
static void push_plain(lua_State *L, const struct cell *cell) {
  char text[40];
  if (cell->kind == CELL_NIL || cell->kind == CELL_NULL)
    neap__null_push(L);
  else if (cell->kind == CELL_DATETIME)
    lua_pushlstring(L, text, neap__datetime_format(cell->i, text));
  else if (cell->kind == CELL_DATE)
    lua_pushlstring(L, text, neap__date_format(cell->i, text));
  else if (cell->kind == CELL_DECIMAL)
    lua_pushlstring(L, cell->p, cell->n);
  else if (cell->kind == CELL_BYTES)
    push_base64(L, cell->p, cell->n);
  else
    neap__cell_push(L, cell);
}

// Pushes the cursor behind the object at idx.
static void push_cursor(lua_State *L, const struct query *q, int idx) {
  struct neap__error e;
  size_t n;
  lua_createtable(L, q->norders + 1, 0);
  int list = lua_gettop(L);
  push_fingerprint(L, q);
  lua_rawseti(L, list, 1);
  for (int i = 0; i < q->norders; i++) {
    struct cell cell;
    neap__object_get(L, idx, q->orders[i].reach.place.field->column, &cell);
    push_plain(L, &cell);
    lua_rawseti(L, list, i + 2);
  }
  if (neap__json_encode(L, list, &e) != 0) neap__raise(L, &e);
  const char *json = lua_tolstring(L, -1, &n);
  push_base64(L, json, n);
}

// ---- Reading ----

static bool nullable(const struct field *f) {
  return !(f->flags & (FIELD_PRIMARY | FIELD_REQUIRED));
}

static int bad(lua_State *L, const char *what) {
  return neap__fail(L, NEAP_QUERY, "the cursor cannot be used: %s", what);
}

// Pushes the list that the cursor at idx holds.
static void push_decoded(lua_State *L, int idx) {
  struct neap__error e;
  size_t n;
  const char *text = lua_tolstring(L, idx, &n);
  if (n > CURSOR_MAX) bad(L, "it is too long");
  char *json = lua_newuserdatauv(L, n + 1, 0);
  ptrdiff_t len = neap__bytes_unbase64(text, n, json);
  if (len < 0) bad(L, "it is no base64");
  if (neap__json_push(L, json, (size_t)len, 2, &e) != 0) bad(L, e.message);
  if (!lua_istable(L, -1)) bad(L, "it holds no list");
  lua_remove(L, -2);
}

static bool is_bytes(const struct type *type) {
  return type->kind == TYPE_BYTES || (type->kind == TYPE_POINTER && type->of && is_bytes(type->of));
}

// Replaces the text on top of the stack by the bytes that it stands for, or by nil if it is none.
static void read_bytes(lua_State *L) {
  size_t n;
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
  ptrdiff_t len = -1;
  char *bytes = text ? lua_newuserdatauv(L, n + 1, 0) : NULL;
  if (text) len = neap__bytes_unbase64(text, n, bytes);
  len < 0 ? lua_pushnil(L) : (void)lua_pushlstring(L, bytes, (size_t)len);
  if (text) lua_remove(L, -2);
  lua_replace(L, -2);
}

// Reads value i of the list on top of the stack; pushes what anchors it.
static struct cell read_value(lua_State *L, int list, const struct order *o, int i) {
  struct neap__error e;
  struct cell cell = {.kind = CELL_NIL};
  const struct field *f = o->reach.place.field;
  lua_rawgeti(L, list, i + 2);
  if (neap__null_test(L, -1) && nullable(f)) return cell;
  if (is_bytes(&f->type)) read_bytes(L);
  if (lua_isnil(L, -1) || neap__null_test(L, -1) || neap__check_operand(L, &f->type, lua_gettop(L), &cell, &e) != 0)
    neap__fail(L, NEAP_QUERY, "the cursor cannot be used: its value for %s is no %s", f->name,
               neap__type_name(f->type.kind));
  return cell;
}

// ---- The condition: behind the values in the order ----

static void leaf(lua_State *L, const struct field *f, enum condition_op op, const struct cell *cell) {
  neap__condition_leaf(L, 2, f, op, cell, 1);
}

static void absent(lua_State *L, const struct field *f) {
  leaf(L, f, COND_EXISTS, &(struct cell){.i = 0, .kind = CELL_BOOLEAN});
}

// Replaces the two conditions on top of the stack by one of them.
static void join(lua_State *L, const struct condition *(*how)(lua_State *, int, int)) {
  how(L, -2, -1);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static void or_absent(lua_State *L, const struct field *f) {
  if (!nullable(f)) return;
  absent(L, f);
  join(L, neap__condition_or);
}

// Pushes: the field comes behind the value, which is not absent unless that comes first.
static void behind(lua_State *L, const struct order *o, const struct cell *cell) {
  const struct field *f = o->reach.place.field;
  if (cell->kind == CELL_NIL) {
    leaf(L, f, COND_EXISTS, &(struct cell){.i = 1, .kind = CELL_BOOLEAN});
    return;
  }
  leaf(L, f, o->descending ? COND_LT : COND_GT, cell);
  if (!o->first) or_absent(L, f);
}

static void same(lua_State *L, const struct order *o, const struct cell *cell) {
  if (cell->kind == CELL_NIL)
    absent(L, o->reach.place.field);
  else
    leaf(L, o->reach.place.field, COND_EQ, cell);
}

// Pushes behind(1) or same(1) and (behind(2) or same(2) and ( … )). The leading bound says the first again, alone, so that
// an index can start there; with absence beside it, which stores that know the order look for apart.
static void push_behind(lua_State *L, const struct query *q, const struct cell *cells) {
  int last = q->norders - 1;
  behind(L, &q->orders[last], &cells[last]);
  for (int i = last - 1; i >= 0; i--) {
    same(L, &q->orders[i], &cells[i]);
    join(L, neap__condition_and);
    if (cells[i].kind == CELL_NIL && !q->orders[i].first) continue;  // behind absence nothing comes
    behind(L, &q->orders[i], &cells[i]);
    join(L, neap__condition_or);
  }
  const struct order *first = &q->orders[0];
  if (last == 0 || cells[0].kind == CELL_NIL) return;
  leaf(L, first->reach.place.field, first->descending ? COND_LTE : COND_GTE, &cells[0]);
  if (!first->first) or_absent(L, first->reach.place.field);
  join(L, neap__condition_and);
}

// Notes that the order is that of the keys, as no other was asked for.
static void page_by_keys(lua_State *L, struct query *q, bool back) {
  struct paging *paging = lua_newuserdatauv(L, sizeof *paging, 1);
  *paging = (struct paging){.where = q->where, .back = back};
  q->paging = paging;
  neap__query_keep(L, 1, QUERY_PAGING);
}

// Keeps the key that the cursor names, which lies on the stack from `cells` on.
static void keep_key(lua_State *L, int cells) {
  int n = lua_gettop(L) - cells + 1;
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushvalue(L, cells + i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_getiuservalue(L, 1, QUERY_PAGING);
  ((struct paging *)lua_touserdata(L, -1))->after = lua_touserdata(L, cells);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
  lua_pop(L, 1);
}

// Narrows the query at index 1, whose class is at index 2, to what comes behind the cursor at index 3 in its order.
static void apply(lua_State *L, const struct query *q) {
  push_decoded(L, 3);
  int list = lua_gettop(L);
  push_fingerprint(L, q);
  lua_rawgeti(L, list, 1);
  if (!lua_rawequal(L, -1, -2))
    neap__fail(L, NEAP_QUERY, "the cursor cannot be used: it was made for '%s', this query is '%s'",
               luaL_tolstring(L, -1, NULL), lua_tostring(L, -2));
  if ((int)lua_rawlen(L, list) != q->norders + 1) bad(L, "it has not one value for each field of the order");
  struct cell *cells = lua_newuserdatauv(L, (size_t)q->norders * sizeof *cells, 0);
  luaL_checkstack(L, 2 * q->norders + 20, "order");
  int at = lua_gettop(L);
  for (int i = 0; i < q->norders; i++) cells[i] = read_value(L, list, &q->orders[i], i);
  if (q->paging) keep_key(L, at);
  push_behind(L, q, cells);
  neap__query_and(L, 1);
}

// ---- page ----

static void reverse(lua_State *L, int list, lua_Integer n) {
  for (lua_Integer i = 1; i < n; i++, n--) {
    lua_rawgeti(L, list, i);
    lua_rawgeti(L, list, n);
    lua_rawseti(L, list, i);
    lua_rawseti(L, list, n);
  }
}

// Pushes the cursor of row i of the list, or nil.
static void push_cursor_of(lua_State *L, const struct query *q, int list, lua_Integer i, bool wanted) {
  int at = lua_gettop(L) + 1;
  lua_pushnil(L);
  if (!wanted || i == 0) return;
  lua_rawgeti(L, list, i);
  push_cursor(L, q, at + 1);
  lua_replace(L, at);
  lua_settop(L, at);
}

// The query is at index 1, at 2 whether a cursor was given. One row more than asked for tells whether others follow.
static int page_read(lua_State *L, int status, lua_KContext size) {
  const struct query *q = lua_touserdata(L, 1);
  bool given = lua_toboolean(L, 2), back = q->orders[0].first;
  int list = lua_gettop(L);
  lua_Integer n = (lua_Integer)lua_rawlen(L, list);
  bool more = n > size;
  (void)status;
  if (more) {
    lua_pushnil(L);
    lua_rawseti(L, list, n--);
  }
  if (back) reverse(L, list, n);
  push_cursor_of(L, q, list, n, back || more);
  push_cursor_of(L, q, list, n > 0, back ? more : given);
  return 3;
}

static int read_all(lua_State *L) {
  return neap__query_read(L, READ_OBJECTS, RESULT_LIST);
}

// Leaves the cursor at index 3: `after`, or `before`. Returns whether it is the latter.
static bool read_cursor(lua_State *L) {
  lua_getfield(L, 2, "after");
  lua_getfield(L, 2, "before");
  bool back = !lua_isnil(L, -1);
  if (back && !lua_isnil(L, -2)) neap__fail(L, NEAP_USAGE, "a page comes after a cursor or before one, not both");
  if (!back) lua_pop(L, 1);
  if (!lua_isnil(L, -1)) neap__arg_string(L, -1, back ? "before" : "after", NULL);
  lua_replace(L, 3);
  lua_settop(L, 3);
  return back;
}

// Query:page{ size = 50, after = cursor, before = cursor } -> list of objects, next cursor, cursor for the page before
//   A cursor is nil where no page is. The order is the query's, then the keys; absent values come last. kind `query`: a
//   cursor that was not made by such a query, or was changed.
static int query_page(lua_State *L) {
  static const char *const known[] = {"size", "after", "before", NULL};
  lua_settop(L, 2);
  check_orders(L, neap__query_self(L, 1));
  neap__arg_table(L, 2, "options");
  neap__arg_options(L, 2, known);
  lua_getfield(L, 2, "size");
  lua_Integer size = lua_isnil(L, -1) ? 50 : neap__arg_integer(L, -1, "size", 1, INT32_MAX);
  bool back = read_cursor(L);
  struct query *q = neap__query_clone(L, 1);
  lua_replace(L, 1);
  neap__query_push_class(L, 1);
  lua_replace(L, 2);
  if (q->norders == 0) page_by_keys(L, q, back);
  neap__query_complete_order(L, 1);
  complete_select(L, q);
  bool given = !lua_isnil(L, 3);
  if (back) turn_around(L, q);
  if (given) apply(L, q);
  q->limit = size + 1;
  lua_settop(L, 1);
  lua_pushboolean(L, given);
  lua_pushcfunction(L, read_all);
  lua_pushvalue(L, 1);
  lua_callk(L, 1, 1, size, page_read);
  return page_read(L, LUA_OK, size);
}

const luaL_Reg neap__query_pages[] = {{"page", query_page}, {NULL, NULL}};
