// declare.h: how a declaration in Lua becomes a shape: what the files that compile it share.
#ifndef NEAP_DECLARE_H
#define NEAP_DECLARE_H

#include "model/shape.h"

// User values of a shape's userdata.
enum shape_value { SHAPE_ANCHORS = 1, SHAPE_FUNCTIONS, SHAPE_OPTIONS };

// A declaration that is being compiled. Everything raises at once: all memory is Lua's.
struct declare {
  lua_State *L;
  struct shape *shape;
  int anchors;        // stack index of the table of all that the shape's pointers lead to
  int functions;      // stack index of { [field] = { default =, validate =, get =, set = } }, and a list of the fields
  const char *field;  // that is being read
};

// Zeroed memory for `count` things, anchored.
void *neap__declare_alloc(struct declare *d, size_t count, size_t size);
// The text of the string at idx, interned and anchored.
const char *neap__declare_text(struct declare *d, int idx);
// Raises usage: "Post.title: ...".
void neap__declare_fail(struct declare *d, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

// type.c: reads the spec (what t.integer{ ... } gave) at idx.
enum type_kind neap__declare_kind(struct declare *d, int spec);
void neap__declare_type(struct declare *d, int spec, struct type *out, bool nested);
// Reads what a spec says about the field itself: flags, default, column, relations.
void neap__declare_field(struct declare *d, int spec, struct field *f);

// declare.c: pushes the shape of the model `name` with the list of { name, spec } at fields and the table at options.
struct shape *neap__declare_shape(lua_State *L, const char *name, int fields, int options);

#endif
