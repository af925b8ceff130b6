// object_sweep_test.c: the n-th allocation fails, for each n until the script succeeds. Nothing may crash or leak, whatever
// was being declared, made, written, saved, undone or copied.
#include "script_sweep.h"

static const char script[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open 'sqlite::memory:'\n"
    "local A = store:model('A', { id = t.integer { primary = true, auto = true }, name = t.string { one_of = { 'x', "
    "'y' } },\n"
    "  a = t.pointer 'A', tags = t.set(t.string { max = 3 }), data = t.map { at = t.date() }, price = t.decimal { "
    "scale = 2 },\n"
    "  twice = t.computed(t.string(), { needs = { 'name' }, get = function(o) return o.name .. o.name end }),\n"
    "  slug = t.string { default = function(o) return o.name end, validate = function(s) return #s < 9 end },\n"
    "  i = t.index { 'name', '-price' } })\n"
    "local N = store:model('N', {})\n"
    "store:sql 'CREATE TABLE A (id INTEGER PRIMARY KEY, name TEXT, a_id INTEGER, tags TEXT, data TEXT, price TEXT, "
    "slug TEXT)'\n"
    "store:sql 'CREATE TABLE N (id TEXT PRIMARY KEY, extra TEXT)'\n"
    "function A:before_save() self.price = 2 end\n"
    "local a = A { name = 'x', tags = { 'a', 'b', 'a' }, data = { at = '2024-05-01' }, price = '1.5' }:save()\n"
    "local b = A { name = 'y', a = a }:save()\n"
    "assert(A:get(2).a.twice == 'xx' and b.a == a and b:key_of 'a' == 1)\n"
    "table.insert(a.tags, 'c')\n"
    "assert(#a:changes().tags[2] == 3)\n"
    "assert(not pcall(store.transaction, store, function() a:save() error 'no' end) and #a:changes().tags[2] == 3)\n"
    "assert(tostring(a):find 'price=2.00' and #neap.json.encode(a) > 10)\n"
    "assert(a:copy { name = 'y' }:to_table { only = { 'twice' }, follow = { a = {} } }.twice == 'yy')\n"
    "for name in pairs(a) do assert(name) end\n"
    "assert(not pcall(A, { name = 'z', tags = 5 }) and not pcall(function() a.nam = 1 end))\n"
    "local n = N { any = { 1 } }:save()\n"
    "n.more = 'x'\n"
    "n:save():reload()\n"
    "assert(n.more == 'x' and store:with { atomic = true }:model 'N':get(n.id) == n)\n";

int main(void) {
  return sweep_script(script, 6);
}
