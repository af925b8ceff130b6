// value_sweep_test.c: the n-th allocation fails, for each n until the script succeeds. Nothing may crash or leak, whatever
// stage marks, bytes and JSON were in.
#include "script_sweep.h"

static const char script[] =
    "local neap = require 'neap'\n"
    "local value = { list = neap.array {}, set = neap.set { 1, 2, 1 }, at = neap.geopoint(1, 2), b = neap.bytes 'x' }\n"
    "value.text = ('tide \"'):rep(20)\n"
    "for i = 1, 33 do value['key' .. i] = i end\n"
    "value.nested = { 1, { x = neap.null } }\n"
    "local text = neap.json.encode(value)\n"
    "assert(neap.json.encode(neap.json.decode(text)) == text)\n"
    "local long = '[' .. (text .. ','):rep(2) .. text .. ']'\n"
    "assert(#neap.json.decode(long, { depth = 200 }) == 3)\n"
    "local at, price = neap.datetime '2015-07-20T09:05Z', neap.decimal '1.10'\n"
    "assert(at + 60 > at and at:date() + 1 > neap.date '2015-07-20' and at:format '%F' == tostring(at:date()))\n"
    "assert(price * 3 / 2 < 2 and #neap.uuid() == 36 and neap.now() > at)\n"
    "local rows = { { at = at, price = price }, { at = neap.null, price = 5 } }\n"
    "assert(#neap.csv.parse(neap.csv.encode(rows)) == 2)\n"
    "assert(not pcall(neap.csv.parse, 'a\\n\"1'))\n"
    "assert(not pcall(neap.json.decode, '{\"a\":1,\"a\":2}'))\n";

int main(void) {
  return sweep_script(script, 0);
}
