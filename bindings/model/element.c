// element.c: conditions on the elements of a list: some element meets all that is asked. An element is a column of its own, which
// holds JSON, whatever the list was declared to hold.
#include "model/condition_build.h"

static struct field element = {
    .name = "element", .wire = "value", .type = {.kind = TYPE_JSON, .scale = -1}, .shape = &neap__element};

static const struct field *columns[] = {&element};
static const struct shape_name no_names[1];

const struct shape neap__element = {.model = "list",
                                    .nfields = 1,
                                    .fields = &element,
                                    .ncolumns = 1,
                                    .columns = columns,
                                    .ncells = 1,
                                    .version = -1,
                                    .open = -1,
                                    .names = (struct shape_name *)(uintptr_t)no_names};

// What elements are compared with differs from one store to the other where JSON has no such values.
static void check_list(lua_State *L, const struct shape *of, const struct place *place) {
  const struct type *type = neap__operand_type(place);
  char where[200];
  bool list = !type || type->kind == TYPE_LIST || type->kind == TYPE_SET;
  enum type_kind kind = list && type && type->of ? type->of->kind : TYPE_JSON;
  bool json = kind != TYPE_DATETIME && kind != TYPE_DATE && kind != TYPE_BYTES && kind != TYPE_DECIMAL &&
              kind != TYPE_TIMESTAMP;
  if (list && json) return;
  neap__place_print(of, place, where, sizeof where);
  if (list)
    neap__fail(L, NEAP_USAGE, "%s: elements of type %s are asked for by has, any and all", where,
               neap__type_name(kind));
  neap__fail(L, NEAP_USAGE, "%s is of type %s, which has no elements", where, neap__type_name(type->kind));
}

void neap__element_push(lua_State *L, int class_idx, const struct shape *of, const struct place *list) {
  check_list(L, of, list);
  neap__column_push_place(L, class_idx, &neap__element, &(struct place){.field = &element});
}
