// csv_fuzz.c: any bytes as CSV. What is read as lists and written again reads as the same; reading by a header survives.
#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "neap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char script[] =
    "local csv = require 'neap'.csv\n"
    "local lists = { header = false }\n"
    "return function(text)\n"
    "  pcall(csv.parse, text)\n"
    "  local ok, rows = pcall(csv.parse, text, lists)\n"
    "  if not ok then return end\n"
    "  local again = csv.parse(csv.encode(rows), lists)\n"
    "  assert(#again == #rows, 'another number of rows')\n"
    "  for i, row in ipairs(rows) do\n"
    "    assert(#again[i] == #row, 'another number of fields')\n"
    "    for k, field in ipairs(row) do assert(again[i][k] == field, 'another field') end\n"
    "  end\n"
    "end\n";

static void check(lua_State *L, int status) {
  if (status == LUA_OK) return;
  fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static neap *host;
  static int function;
  if (!host) {
    if (neap_open(&host, NULL) != NEAP_OK) abort();
    check(neap_lua(host), luaL_dostring(neap_lua(host), script));
    function = luaL_ref(neap_lua(host), LUA_REGISTRYINDEX);
  }
  lua_State *L = neap_lua(host);
  lua_rawgeti(L, LUA_REGISTRYINDEX, function);
  lua_pushlstring(L, (const char *)data, size);
  check(L, lua_pcall(L, 1, 0, 0));
  lua_settop(L, 0);
  return 0;
}
