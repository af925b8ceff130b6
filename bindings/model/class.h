// class.h: what class.c and object.c share: the parts of a class, and the methods that it gives its objects.
#ifndef NEAP_CLASS_H
#define NEAP_CLASS_H

#include "model/declare.h"
#include "model/store.h"

#define CLASS_METHODS \
  "neap.class.methods"  // registry: what all classes can do, filled by the files of queries and saves
#define OBJECT_METHODS "neap.object.methods"  // registry: what all objects can do

// User values of a class.
enum class_value {
  CLASS_OWN = 1,  // methods that scripts defined on it, as a table that falls back to the base class's
  CLASS_VIEW,
  CLASS_FIELDS,   // column expressions by name, made when first asked for
  CLASS_OBJECTS,  // the metatable of its objects
  CLASS_SHAPE,
  CLASS_VALUES = CLASS_SHAPE
};

// Pushes a metatable for the objects of the class at class_idx, whose own methods are the table at `own`.
void neap__object_metatable(lua_State *L, int class_idx, int own);
// Pushes functions[field] of the declaration, and gives its type: a table or nil.
int neap__class_functions(lua_State *L, const struct class *class, const struct field *field);
// Pushes its member, or nil.
void neap__class_function(lua_State *L, const struct class *class, const struct field *field, const char *name);
// Pushes the class of another model as the view of the class at class_idx sees it; false, and nil, if there is none.
bool neap__class_seen(lua_State *L, int class_idx, const char *model);
// Pushes a new object of the class at class_idx; defaults that are values are in it.
struct object *neap__object_new(lua_State *L, int class_idx);
// Assigns the members of the table at `table` to the object at idx. All faults are reported together.
void neap__object_assign(lua_State *L, int idx, int table);

#endif
