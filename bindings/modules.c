// modules.c: the C modules that `require` knows. The one list that a new module is added to.
#include "host.h"
#include "modules.h"

const luaL_Reg neap__modules[] = {
    {"neap.bytes", luaopen_neap_bytes},
    {"neap.json", luaopen_neap_json},
    {"neap.marks", luaopen_neap_marks},
    {NULL, NULL},
};
