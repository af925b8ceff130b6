// modules.h: the luaopen functions of the C modules, one a file.
#ifndef NEAP_MODULES_H
#define NEAP_MODULES_H

#include <lua.h>

int luaopen_neap_apart_kernel(lua_State *L);
int luaopen_neap_bytes(lua_State *L);
int luaopen_neap_class(lua_State *L);
int luaopen_neap_condition(lua_State *L);
int luaopen_neap_csv(lua_State *L);
int luaopen_neap_date(lua_State *L);
int luaopen_neap_datetime(lua_State *L);
int luaopen_neap_decimal(lua_State *L);
int luaopen_neap_dynamodb_kernel(lua_State *L);
int luaopen_neap_dynamodb_schema(lua_State *L);
int luaopen_neap_fence(lua_State *L);
int luaopen_neap_folder(lua_State *L);
int luaopen_neap_http_kernel(lua_State *L);
int luaopen_neap_json(lua_State *L);
int luaopen_neap_lock_kernel(lua_State *L);
int luaopen_neap_look(lua_State *L);
int luaopen_neap_marks(lua_State *L);
int luaopen_neap_mongo_kernel(lua_State *L);
int luaopen_neap_now(lua_State *L);
int luaopen_neap_object_kernel(lua_State *L);
int luaopen_neap_process(lua_State *L);
int luaopen_neap_query(lua_State *L);
int luaopen_neap_save_kernel(lua_State *L);
int luaopen_neap_sql(lua_State *L);
int luaopen_neap_sql_schema(lua_State *L);
int luaopen_neap_terminal(lua_State *L);
int luaopen_neap_uuid(lua_State *L);
int luaopen_neap_view(lua_State *L);

#endif
