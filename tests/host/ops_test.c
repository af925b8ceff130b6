// ops_test.c: what host.h promises to the floors above it: operations, deadlines, budgets, context, closers.
#include "check.h"
#include "host.h"

#define OP_TYPE "test.op"

struct test_op {
  struct neap__op op;
  int cancels;
};

static int cancels;
static struct neap__op *last;

static void cancel_soon(struct neap__op *op) {
  cancels++;
  neap__op_done(op);
}

static int waited(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  lua_pushboolean(L, status == LUA_YIELD);
  return 1;
}

// t.wait(done, deadline_ms) -> whether it had to wait
static int t_wait(lua_State *L) {
  lua_settop(L, 2);
  struct test_op *o = neap__op_new(L, sizeof *o, OP_TYPE, 0);
  o->op.done = lua_toboolean(L, 1);
  o->op.cancel = cancel_soon;
  if (lua_isinteger(L, 2)) o->op.deadline = neap__now_ms(o->op.host) + lua_tointeger(L, 2);
  last = &o->op;
  return neap__await(L, lua_gettop(L), 0, waited);
}

// t.done(): the last operation is done
static int t_done(lua_State *L) {
  (void)L;
  neap__op_done(last);
  return 0;
}

static int rows_go_on(lua_State *L, int status, lua_KContext ctx);

// t.rows(n) -> how often it paused on the way
static int rows_from(lua_State *L, lua_KContext row) {
  for (; row < lua_tointeger(L, 1); row++)
    if (neap__should_pause(L, 1)) {
      lua_pushinteger(L, lua_tointeger(L, 2) + 1);
      lua_replace(L, 2);
      return neap__pause(L, row + 1, rows_go_on);
    }
  return 1;
}

static int rows_go_on(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  return rows_from(L, ctx);
}

static int t_rows(lua_State *L) {
  lua_settop(L, 1);
  lua_pushinteger(L, 0);
  return rows_from(L, 0);
}

static int t_context(lua_State *L) {
  neap__context_push(L);
  return 1;
}

static int t_set_context(lua_State *L) {
  lua_settop(L, 1);
  neap__context_set(L);
  return 0;
}

static int open_t(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"wait", t_wait}, {"done", t_done}, {"rows", t_rows}, {"context", t_context}, {"set_context", t_set_context},
      {NULL, NULL}};
  luaL_newmetatable(L, OP_TYPE);
  luaL_newlib(L, functions);
  return 1;
}

// Runs a script that checks with assert; `t` is the module above. `step`: in steps, else neap_run.
static void runs(neap_options options, bool step, const char *script) {
  struct seen seen = {0};
  neap *h;
  char text[2048];
  snprintf(text, sizeof text, "local neap, t = require 'neap', require 't' %s", script);
  options.size = sizeof options;
  options.error = on_error;
  options.ud = &seen;
  cancels = 0;
  CHECK(neap_open(&h, &options) == NEAP_OK);
  CHECK(neap_register(h, "t", open_t) == NEAP_OK);
  CHECK(neap_spawn(h, text, strlen(text), "=script", NULL) == NEAP_OK);
  while (step && neap_step(h, 1000) > 0) continue;
  CHECK(neap_run(h) == NEAP_OK);
  CHECK(seen.errors == 0);
  if (seen.errors) printf("%s\n  in: %s\n", seen.message, script);
  neap_close(&h);
}

static void test_await(void) {
  neap_options none = {0};
  runs(none, false, "assert(t.wait(true) == false)");
  runs(none, false, "neap.spawn(function() neap.sleep(0) t.done() end) assert(t.wait() == true)");
  runs(none, true, "neap.spawn(function() neap.sleep(0) t.done() end) assert(t.wait() == true)");
  runs(none, false, "local _, e = neap.try(t.wait, false, 2) assert(e.kind == 'timeout')");
  CHECK(cancels == 1);
  runs(none, false,
       "table.sort({ 1, 2 }, function() local _, e = neap.try(t.wait, false, 2) "
       "assert(e.kind == 'timeout') return false end)");
  CHECK(cancels > 0);
  runs(none, false,
       "local task = neap.spawn(t.wait) neap.sleep(0.001) task:cancel() "
       "local _, e = neap.try(task.await, task) assert(e.kind == 'cancelled')");
  CHECK(cancels == 1);
}

static void test_budgets(void) {
  runs((neap_options){0}, false, "assert(t.rows(100000) == 0)");
  runs((neap_options){.max_rows_per_step = 100}, true, "assert(t.rows(1000) >= 9)");
  runs((neap_options){.max_rows_per_step = 100}, false, "assert(t.rows(1000) == 0)");
  runs((neap_options){0}, true, "assert(t.rows(5000000) >= 1)");
  runs((neap_options){.slice_us = 100}, false, "assert(t.rows(5000000) >= 1)");
}

static void test_context(void) {
  runs((neap_options){0}, false,
       "assert(t.context() == nil) local c = { 1 } t.set_context(c) assert(t.context() == c) "
       "assert(coroutine.wrap(t.context)() == c) assert(neap.all { t.context }[1] == c) "
       "assert(neap.timeout(9, t.context) == c and neap.race { t.context } == c) "
       "assert(neap.gather({ 1 }, 1, t.context)[1] == c) assert(neap.spawn(t.context):await() == nil) "
       "local inner = coroutine.wrap(function() t.set_context(nil) coroutine.yield(t.context()) end) "
       "assert(inner() == nil and t.context() == c)");
}

static int closed;

static void count_closed(struct neap__closer *c) {
  (void)c;
  closed++;
}

static void test_closers(void) {
  struct neap__closer a = {.close = count_closed}, b = a, c = a;
  neap *h;
  CHECK(neap_open(&h, NULL) == NEAP_OK);
  neap__closer_add(h, &a);
  neap__closer_add(h, &b);
  neap__closer_add(h, &c);
  neap__closer_remove(&b);
  neap__closer_remove(&b);
  neap_close(&h);
  CHECK(closed == 2);
}

static int raise_everything(lua_State *L) {
  struct neap__error e;
  CHECK(neap__error_set(&e, NEAP_SERVER, "row %d of postgres://me:hunter2@host/db", 7) == -1);
  e.retryable = e.unknown = true;
  e.status = 503;
  e.store = "postgres";
  snprintf(e.code, sizeof e.code, "57P01");
  snprintf(e.detail, sizeof e.detail, "going down");
  return neap__raise(L, &e);
}

static void test_errors(void) {
  neap *h;
  CHECK(neap_open(&h, NULL) == NEAP_OK);
  lua_State *L = neap_lua(h);
  lua_pushcfunction(L, raise_everything);
  CHECK(lua_pcall(L, 0, 0, 0) != LUA_OK && neap__error_kind(L, -1) == NEAP_SERVER);
  CHECK(strcmp(luaL_tolstring(L, -1, NULL),
               "server: row 7 of postgres://me:***@host/db (postgres 57P01: going down)") == 0);
  lua_pop(L, 1);
  lua_getfield(L, -1, "outcome");
  CHECK(strcmp(lua_tostring(L, -1), "unknown") == 0);
  neap_close(&h);
}

int main(void) {
  test_await();
  test_budgets();
  test_context();
  test_closers();
  test_errors();
  return report();
}
