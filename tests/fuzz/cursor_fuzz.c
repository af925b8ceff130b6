// cursor_fuzz.c: any text as the cursor of a page. It gives rows or raises `query`, never anything else.
#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "neap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char setup[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open 'sqlite::memory:'\n"
    "local Item = store:model('Item', { id = t.integer { primary = true }, name = t.string(), at = t.datetime(),\n"
    "  price = t.decimal(), score = t.number(), done = t.boolean(), uuid = t.uuid() })\n"
    "store:bind()\n"
    "for i = 1, 3 do Item { id = i, name = 'n' .. i, score = i }:save() end\n"
    "local orders = { Item, Item:order '-name', Item:order('at', '-price', 'score', 'done', 'uuid') }\n"
    "local json = require 'neap.json'\n"
    "local names = { 'Item id', 'Item -name id', 'Item at -price score done uuid id' }\n"
    "local function check(q, cursor)\n"
    "  local ok, e = pcall(q.page, q, { size = 2, after = cursor })\n"
    "  if not ok and (type(e) ~= 'table' or e.kind ~= 'query') then error(e, 0) end\n"
    "end\n"
    "function try()\n"
    "  for i, q in ipairs(orders) do\n"
    "    check(q, input)\n"
    "    check(q, neap.bytes(input):base64())\n"
    "    check(q, neap.bytes('[' .. json.encode(names[i]) .. ',' .. input .. ']'):base64())\n"
    "  end\n"
    "end\n";

static void run(neap *h, const char *source) {
  neap_spawn(h, source, strlen(source), "=fuzz", NULL);
  if (neap_run(h) == NEAP_OK) return;
  fprintf(stderr, "%s\n", neap_message(h));
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static neap *h;
  if (!h) {
    if (neap_open(&h, NULL) != NEAP_OK) return 0;
    run(h, setup);
  }
  lua_pushlstring(neap_lua(h), (const char *)data, size);
  lua_setglobal(neap_lua(h), "input");
  run(h, "try()");
  return 0;
}
