// query_sweep_test.c: the n-th allocation fails, for each n until the script succeeds. Nothing may crash or leak, whatever a
// query was doing: being built, read, paged, aggregated, or loading relations.
#include "script_sweep.h"

static const char script[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open 'sqlite::memory:'\n"
    "local A = store:model('A', { id = t.integer { primary = true }, name = t.string { index = true }, bs = "
    "t.has_many('B', 'a') })\n"
    "local B = store:model('B', { id = t.integer { primary = true }, a = t.pointer 'A', price = t.decimal() })\n"
    "store:sql 'CREATE TABLE A (id INTEGER PRIMARY KEY, name TEXT)'\n"
    "store:sql 'CREATE TABLE B (id INTEGER PRIMARY KEY, a_id INTEGER, price TEXT)'\n"
    "store:sql \"INSERT INTO A VALUES (1, 'x'), (2, 'y')\"\n"
    "store:sql \"INSERT INTO B VALUES (1, 1, '1.5'), (2, 1, '2.5'), (3, 2, NULL)\"\n"
    "assert(#A:include 'bs.a':order '-name':all() == 2)\n"
    "assert(B:get(3).a.name == 'y')\n"
    "local last = B:where(B.a:every { name__exists = true }):order '-id':limit(1):include { a = A:select('name', "
    "'bs.count') }\n"
    "local a = A:include { bs = last }:order('-bs.count', 'id'):first()\n"
    "assert(a.bs:count() == 1 and a.bs:first().id == 2 and a.bs:first().a.bs:count() == 2)\n"
    "assert(A:where { bs__count__gte = 2 }:count() == 1 and A:include { bs = last }:explain().include.bs.sql)\n"
    "assert(A:get(1).bs:where { price__gt = 2 }:count() == 1)\n"
    "local c = neap.any_of { { name__prefix = 'x' }, { name__in = { 'y', neap.null } } } & ~A.name:regex '^z'\n"
    "assert(A:where(c, { bs__price__gt = 1, bs__id = { ['$exists'] = true } }):count() == 1)\n"
    "assert((A.name:icontains 'X' | A.name:iexact 'q'):matches(A:get(1)))\n"
    "local reached = B.a:some(A.bs:count():gte(1)) & B.a:some { name = 'x' }\n"
    "assert(reached:matches(B:get(1)) and not reached:matches(B:get(3)))\n"
    "assert(A:where(A.name:lte 'y' | A.name:exists(false)):order('-name', 'id'):limit(1):first().id == 2)\n"
    "local rows, cursor = B:order '-price':page { size = 2 }\n"
    "assert(#B:order '-price':page { size = 2, after = cursor } == 1)\n"
    "assert(B:group 'a.name':order '-n':aggregate { n = { ['$sum'] = 'price' } }[1].n == neap.decimal '4.0')\n"
    "for b in B:where { a__name = 'x' }:select 'price':each { batch = 1 } do assert(b.price) end\n"
    "assert(#B:rows() == 3 and #B:pluck 'a' == 3)\n"
    "assert(B:where { id = 1 }:update { price = '9' } == 1 and B:where { id__gt = 1 }:delete() == 2)\n"
    "assert(#B:sql('SELECT id FROM B WHERE id = ?', { 1 }) == 1)\n";

int main(void) {
  return sweep_script(script, 6);
}
