// match_test.c: the patterns of hosts with limits match as Lua's own do.
#include <lauxlib.h>
#include <lualib.h>

#include "check.h"

static const char script[] =
    "local lua, seed = require 'stock', 4711\n"
    "local function random(n) seed = (seed * 1103515245 + 12345) % 2147483648 return seed // 65536 % n + 1 end\n"
    "local pieces = { 'a', 'b', '.', '%a', '%d', '%w', '[ab]', '[^a]', '[a-c]', 'a*', 'b-', 'a+', '.?', '()', '(a*)', "
    "'(.-)',\n"
    "  '%b()', '%f[%w]', '%1', '$', '^', '%s', '[%w_]', '(', ')', '%' , '-', '[', ' ', '%S+', '[]]', '%.', '%z' }\n"
    "local letters = { 'a', 'b', 'c', ' ', '(', ')', '1', '.', 'A', '\\0' }\n"
    "local function some(list, n) local t = {} for i = 1, random(n) do t[i] = list[random(#list)] end return "
    "table.concat(t) end\n"
    "local function show(...) local t = table.pack(...) for i = 1, t.n do t[i] = tostring(t[i]) end return "
    "table.concat(t, '|') end\n"
    "local function all(f, ...) local t = {} for a, b in f(...) do t[#t + 1] = show(a, b) if #t > 50 then break end "
    "end return show(table.unpack(t)) end\n"
    "local matched, failed = 0, 0\n"
    "for i = 1, 20000 do\n"
    "  local s, p, init, plain = some(letters, 12), some(pieces, 4), random(6) - 3, random(8) == 1\n"
    "  for _, call in ipairs { { 'find', s, p, init, plain }, { 'match', s, p, init }, { 'gsub', s, p, '<%0>' },\n"
    "      { 'gsub', s, p, string.upper, 2 }, { 'gsub', s, p, { a = 'x' } } } do\n"
    "    local name = call[1]\n"
    "    local a = table.pack(pcall(lua[name], table.unpack(call, 2, 5)))\n"
    "    local b = table.pack(pcall(string[name], table.unpack(call, 2, 5)))\n"
    "    if a[1] ~= b[1] or a[1] and show(table.unpack(a, 1, a.n)) ~= show(table.unpack(b, 1, b.n)) then\n"
    "      error(('%s(%q, %q, %s): %s, not %s'):format(name, s, p, init, show(table.unpack(b)), "
    "show(table.unpack(a))))\n"
    "    end\n"
    "    if not a[1] then failed = failed + 1 elseif a[2] then matched = matched + 1 end\n"
    "  end\n"
    "  local ok, list = pcall(all, lua.gmatch, s, p) if ok then assert(list == all(string.gmatch, s, p), p) end\n"
    "end\n"
    "assert(matched > 10000 and failed > 1000)\n";

int main(void) {
  struct seen seen = {0};
  neap_options options = {.size = sizeof options, .max_memory = 1 << 28, .error = on_error, .ud = &seen};
  neap *h;
  CHECK(neap_open(&h, &options) == NEAP_OK);
  CHECK(neap_register(h, "stock", luaopen_string) == NEAP_OK);
  CHECK(neap_spawn(h, script, sizeof script - 1, "=script", NULL) == NEAP_OK);
  CHECK(neap_run(h) == NEAP_OK);
  if (seen.errors) printf("%s\n", seen.message);
  neap_close(&h);
  return report();
}
