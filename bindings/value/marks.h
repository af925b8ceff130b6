// marks.h: values that tell what Lua alone cannot: an explicit null, an empty list, a set, a point on the earth.
#ifndef NEAP_MARKS_H
#define NEAP_MARKS_H

#include <lua.h>
#include <stdbool.h>

enum neap__mark { NEAP_MARK_NONE, NEAP_MARK_ARRAY, NEAP_MARK_OBJECT, NEAP_MARK_SET, NEAP_MARK_GEOPOINT };

// neap.null: one light userdata, the same in every state.
void neap__null_push(lua_State *L);
bool neap__null_test(lua_State *L, int idx);

// The mark of the table at idx; NONE for other tables and other values.
enum neap__mark neap__mark_kind(lua_State *L, int idx);
// Marks the table at idx (not with NONE). It replaces the table's metatable.
void neap__mark_set(lua_State *L, int idx, enum neap__mark mark);
// Pushes the metatable that marks tables so.
void neap__mark_push(lua_State *L, enum neap__mark mark);
// Pushes a geopoint: a marked table { latitude =, longitude = }. The ranges are the caller's business.
void neap__geopoint_push(lua_State *L, double latitude, double longitude);

#endif
