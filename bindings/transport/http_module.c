// http_module.c: requests for neap.http, which is written in Lua.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "modules.h"
#include "transport/backoff.h"
#include "transport/http.h"
#include "transport/http_curl.h"
#include "value/text.h"

#define MAX_HEADERS 200
#define REQUEST_TYPE "neap.http.request"

// A call that tasks wait for. User value 1: what its body belongs to.
struct request {
  struct neap__op op;
  struct http_call call;
  bool ended;
};

static struct request *request_of(struct http_call *call) {
  return (struct request *)(void *)((char *)call - offsetof(struct request, call));
}

static void on_news(struct http_call *call) {
  neap__op_done(&request_of(call)->op);
}

static void on_done(struct http_call *call) {
  request_of(call)->ended = true;
  on_news(call);
}

static void on_cancel(struct neap__op *op) {
  neap__http_cancel(&((struct request *)op)->call);
  neap__op_done(op);
}

// kernel.close(request)
//   Ends it wherever it is; harmless when it has ended.
static int request_close(lua_State *L) {
  struct request *r = luaL_checkudata(L, 1, REQUEST_TYPE);
  neap__http_cancel(&r->call);
  neap__op_done(&r->op);
  return 0;
}

static struct request *request_new(lua_State *L) {
  if (luaL_newmetatable(L, REQUEST_TYPE)) {
    lua_pushcfunction(L, request_close);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  struct request *r = neap__op_new(L, sizeof *r, REQUEST_TYPE, 1);
  r->call.done = on_done;
  r->call.news = on_news;
  r->op.cancel = on_cancel;
  return r;
}

// The request at index 1, which is not closed.
static struct request *request_check(lua_State *L) {
  struct request *r = luaL_checkudata(L, 1, REQUEST_TYPE);
  if (!r->call.transfer) neap__fail(L, NEAP_USAGE, "the answer has been closed");
  return r;
}

static const char *text_of(lua_State *L, int idx, const char *name) {
  size_t n;
  const char *s = neap__arg_string(L, idx, name, &n);
  if (strlen(s) != n) neap__fail(L, NEAP_USAGE, "%s has a zero byte in it", name);
  return s;
}

static double seconds_of(lua_State *L, int options, const char *name, double otherwise) {
  if (lua_getfield(L, options, name) != LUA_TNIL) otherwise = neap__arg_seconds(L, -1, name);
  lua_pop(L, 1);
  return otherwise;
}

static long whole_of(lua_State *L, int options, const char *name, long otherwise, long least) {
  if (lua_getfield(L, options, name) != LUA_TNIL) otherwise = (long)neap__arg_integer(L, -1, name, least, INT32_MAX);
  lua_pop(L, 1);
  return otherwise;
}

// Pushes the lines of a head as a table: small letters, equal names joined by ", ", cookies by line breaks.
static void push_headers(lua_State *L, const char *p, size_t n) {
  const char *end = p + n;
  lua_newtable(L);
  for (const char *line = p, *next; line < end; line = next) {
    next = memchr(line, '\n', (size_t)(end - line));
    next = next ? next + 1 : end;
    const char *colon = memchr(line, ':', (size_t)(next - line)), *stop = next;
    if (!colon) continue;
    const char *value = colon + 1;
    while (value < stop && (*value == ' ' || *value == '\t')) value++;
    while (stop > value && strchr(" \t\r\n", stop[-1])) stop--;
    luaL_Buffer b;
    char *name = luaL_buffinitsize(L, &b, (size_t)(colon - line));
    for (const char *c = line; c < colon; c++) name[c - line] = *c >= 'A' && *c <= 'Z' ? (char)(*c | 32) : *c;
    luaL_pushresultsize(&b, (size_t)(colon - line));
    bool cookie = strcmp(lua_tostring(L, -1), "set-cookie") == 0;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TSTRING) {
      lua_pushstring(L, cookie ? "\n" : ", ");
      lua_pushlstring(L, value, (size_t)(stop - value));
      lua_concat(L, 3);
    } else {
      lua_pop(L, 1);
      lua_pushlstring(L, value, (size_t)(stop - value));
    }
    lua_rawset(L, -3);
  }
}

// Waits for news, and looks again.
static int look_again(lua_State *L, struct request *r, lua_KFunction look) {
  r->op.done = false;
  return neap__await(L, 1, 0, look);
}

static int push_reply(lua_State *L, const struct http_reply *reply, bool whole) {
  lua_pushinteger(L, reply->status);
  push_headers(L, reply->head, reply->nhead);
  if (whole)
    lua_pushlstring(L, reply->body ? reply->body : "", reply->nbody);
  else
    lua_pushnil(L);
  lua_pushstring(L, reply->place);
  lua_pushstring(L, reply->redirect);
  return 5;
}

static int fail_request(lua_State *L, struct request *r, const struct neap__error *e) {
  neap__http_cancel(&r->call);
  return neap__raise(L, e);
}

static int look_for_reply(lua_State *L, int status, lua_KContext ctx) {
  struct request *r = request_check(L);
  bool streams = lua_toboolean(L, 2);
  struct http_reply reply;
  struct neap__error e;
  (void)status, (void)ctx;
  if (streams && neap__http_head(&r->call, &reply)) return push_reply(L, &reply, false);
  if (!r->ended) return neap__http_hungry(&r->call) ? 0 : look_again(L, r, look_for_reply);
  if (neap__http_result(&r->call, &reply, &e) != 0) return fail_request(L, r, &e);
  int n = push_reply(L, &reply, !streams);
  if (!streams) neap__http_cancel(&r->call);
  return n;
}

// kernel.reply(request, streams) -> status, headers, body, place, redirect; or nothing: another piece of the body is wanted
//   streams  the body is left to kernel.read
static int request_reply(lua_State *L) {
  lua_settop(L, 2);
  return look_for_reply(L, LUA_OK, 0);
}

static int look_for_piece(lua_State *L, int status, lua_KContext ctx) {
  struct request *r = request_check(L);
  struct http_reply reply;
  struct neap__error e;
  size_t n;
  (void)status, (void)ctx;
  const char *piece = neap__http_piece(&r->call, &n);
  if (piece) {
    lua_pushlstring(L, piece, n);
    neap__http_taken(&r->call);
    return 1;
  }
  if (!r->ended) return look_again(L, r, look_for_piece);
  if (neap__http_result(&r->call, &reply, &e) != 0) return fail_request(L, r, &e);
  return 0;
}

// kernel.read(request) -> a piece of the body, or nothing: it is over
static int request_read(lua_State *L) {
  lua_settop(L, 1);
  return look_for_piece(L, LUA_OK, 0);
}

// kernel.feed(request, piece or nil)
//   Gives the piece that kernel.reply asked for; nil: there are no more.
static int request_feed(lua_State *L) {
  struct request *r = request_check(L);
  struct neap__error e;
  size_t n = 0;
  const char *piece = lua_isnoneornil(L, 2) ? NULL : neap__arg_string(L, 2, "a piece of the body", &n);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, 1);
  return neap__http_feed(&r->call, piece, n, &e) == 0 ? 0 : fail_request(L, r, &e);
}

// Fills the limits of a request from the table at the index.
static void take_options(lua_State *L, int options, struct http_request *r) {
  r->timeout = seconds_of(L, options, "timeout", 30);
  r->connect = seconds_of(L, options, "connect_timeout", 10);
  r->first_byte = seconds_of(L, options, "first_byte_timeout", 0);
  r->min_speed = whole_of(L, options, "min_speed", 0, 0);
  r->min_speed_time = whole_of(L, options, "min_speed_time", 30, 1);
  lua_getfield(L, options, "max_size");
  r->max_size = (size_t)neap__arg_integer(L, -1, "max_size", 0, LUA_MAXINTEGER);
  lua_getfield(L, options, "stream");
  r->streams = lua_toboolean(L, -1);
  if (lua_getfield(L, options, "length") != LUA_TNIL) r->length = neap__arg_integer(L, -1, "length", 0, LUA_MAXINTEGER);
  if (lua_getfield(L, options, "ca") == LUA_TNIL) return;
  r->ca = text_of(L, -1, "ca");
  neap__need(L, NEAP_NO_FS, "reading a file of certificates");
}

// kernel.send(method, url, headers, body, options) -> request
//   headers  a list: name, value, name, value, ...
//   body     a string or nil; true: it comes in pieces
//   options  timeout, connect_timeout, first_byte_timeout, min_speed, min_speed_time, max_size, stream, length, ca; no others
//            are looked at
static int http_send(lua_State *L) {
  struct http_header headers[MAX_HEADERS];
  struct http_request r = {.headers = headers, .http2 = true, .length = -1};
  struct neap__error e;
  neap__need(L, NEAP_NO_NET, "a request over HTTP");
  lua_settop(L, 5);
  r.method = text_of(L, 1, "the method");
  r.url = text_of(L, 2, "the URL");
  r.feeds = lua_isboolean(L, 4);
  if (!r.feeds && !lua_isnil(L, 4)) r.body = neap__arg_string(L, 4, "body", &r.nbody);
  take_options(L, 5, &r);
  r.nheaders = (size_t)luaL_len(L, 3) / 2;
  if (r.nheaders > MAX_HEADERS) return neap__fail(L, NEAP_USAGE, "more than %d headers", MAX_HEADERS);
  luaL_checkstack(L, 2 * MAX_HEADERS + LUA_MINSTACK, NULL);
  for (lua_Integer i = 0; i < (lua_Integer)r.nheaders; i++) {
    lua_rawgeti(L, 3, 2 * i + 1);
    lua_rawgeti(L, 3, 2 * i + 2);
    headers[i].name = text_of(L, -2, "the name of a header");
    headers[i].value = text_of(L, -1, "the value of a header");
  }
  struct http_client *c = neap__http_client(L);
  struct request *sent = request_new(L);
  lua_pushvalue(L, 4);
  lua_setiuservalue(L, -2, 1);
  return neap__http_send(c, &sent->call, &r, &e) == 0 ? 1 : neap__raise(L, &e);
}

// kernel.origin(url) -> "scheme://host:port"
//   Where what is sent there goes; two are the same place or not. Raises `usage` for what is no URL of HTTP.
static int http_origin(lua_State *L) {
  char origin[512];
  struct neap__error e;
  if (!neap__http_origin(text_of(L, 1, "the URL"), origin, sizeof origin, &e)) return neap__raise(L, &e);
  lua_pushstring(L, origin);
  return 1;
}

// kernel.nearest(name, names) -> string or nil
static int http_nearest(lua_State *L) {
  size_t n;
  const char *name = neap__arg_string(L, 1, "name", &n);
  struct neap__nearest near = neap__nearest_to(name, n);
  for (lua_Integer i = 1; lua_rawgeti(L, 2, i) == LUA_TSTRING; i++) {
    neap__nearest_offer(&near, lua_tostring(L, -1));
    lua_pop(L, 1);  // the list keeps it
  }
  lua_pushstring(L, near.best);
  return 1;
}

// ---- Trying again ----

static struct backoff_budget *budget_of(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

// kernel.take(slow) -> tokens, or nil: too much has failed
//   Of the budget of all requests of the host, for another attempt. slow: after one that took too long.
static int budget_take(lua_State *L) {
  int taken = 0;
  if (!neap__backoff_take(budget_of(L), lua_toboolean(L, 1) ? BACKOFF_TIMEOUT : BACKOFF_RETRY, &taken)) return 0;
  lua_pushinteger(L, taken);
  return 1;
}

// kernel.give(tokens or nil)
//   A request went well, after an attempt that took so much.
static int budget_give(lua_State *L) {
  int taken = (int)luaL_optinteger(L, 1, 0);
  neap__backoff_give(budget_of(L), &taken);
  return 0;
}

// kernel.delay(failed, base, most) -> seconds
static int http_delay(lua_State *L) {
  int64_t base = (int64_t)(luaL_checknumber(L, 2) * 1000), most = (int64_t)(luaL_checknumber(L, 3) * 1000);
  lua_pushnumber(L, (double)neap__backoff_delay((int)luaL_checkinteger(L, 1), base, most) / 1000);
  return 1;
}

// kernel.seconds_until(text) -> seconds, or nil
//   What a header says of when: a number of seconds, or a date.
static int http_seconds_until(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  size_t digits = strspn(text, "0123456789");
  time_t at = text[digits] ? curl_getdate(text, NULL) : -1, now = time(NULL);
  if (digits > 0 && !text[digits])
    lua_pushnumber(L, strtod(text, NULL));
  else if (at != -1)
    lua_pushnumber(L, at > now ? (double)(at - now) : 0);
  else
    lua_pushnil(L);
  return 1;
}

// Loads libcurl, so that the first request does not pay for it.
int luaopen_neap_http_kernel(lua_State *L) {
  static const luaL_Reg library[] = {{"send", http_send},
                                     {"reply", request_reply},
                                     {"feed", request_feed},
                                     {"read", request_read},
                                     {"close", request_close},
                                     {"origin", http_origin},
                                     {"nearest", http_nearest},
                                     {"take", budget_take},
                                     {"give", budget_give},
                                     {"delay", http_delay},
                                     {"seconds_until", http_seconds_until},
                                     {NULL, NULL}};
  struct neap__error e;
  if (!(neap__options(neap__host(L))->flags & NEAP_NO_NET) && neap__curl_load(&e) != 0) return neap__raise(L, &e);
  luaL_newlibtable(L, library);
  memset(lua_newuserdatauv(L, sizeof(struct backoff_budget), 0), 0, sizeof(struct backoff_budget));
  luaL_setfuncs(L, library, 1);
  return 1;
}
