// modules.h: the luaopen functions of the C modules, one a file.
#ifndef NEAP_MODULES_H
#define NEAP_MODULES_H

#include <lua.h>

#endif
