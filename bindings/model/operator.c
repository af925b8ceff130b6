// operator.c: which operators there are, and what they can be asked of.
#include <string.h>

#include "model/condition_build.h"
#include "value/text.h"

const struct operator neap__operators[] = {
    {"eq", "eq", COND_EQ, NEEDS_NOTHING, 1},
    {"ne", "ne", COND_NE, NEEDS_NOTHING, 1},
    {"lt", "lt", COND_LT, NEEDS_ORDER, 1},
    {"lte", "lte", COND_LTE, NEEDS_ORDER, 1},
    {"gt", "gt", COND_GT, NEEDS_ORDER, 1},
    {"gte", "gte", COND_GTE, NEEDS_ORDER, 1},
    {"in", "is_in", COND_IN, NEEDS_NOTHING, 1},
    {"nin", "not_in", COND_NIN, NEEDS_NOTHING, 1},
    {"between", "between", COND_BETWEEN, NEEDS_ORDER, 2},
    {"exists", "exists", COND_EXISTS, NEEDS_NOTHING, 1},
    {"prefix", "prefix", COND_PREFIX, NEEDS_TEXT, 1},
    {"suffix", "suffix", COND_SUFFIX, NEEDS_TEXT, 1},
    {"contains", "contains", COND_CONTAINS, NEEDS_TEXT, 1},
    {"icontains", "icontains", COND_ICONTAINS, NEEDS_TEXT, 1},
    {"iprefix", "iprefix", COND_IPREFIX, NEEDS_TEXT, 1},
    {"isuffix", "isuffix", COND_ISUFFIX, NEEDS_TEXT, 1},
    {"iexact", "iexact", COND_IEXACT, NEEDS_TEXT, 1},
    {"regex", "regex", COND_REGEX, NEEDS_TEXT, 1},
    {"size", "size", COND_SIZE, NEEDS_SIZE, 1},
    {"all", "all", COND_ALL, NEEDS_ELEMENTS, 1},
    {"has", "has", COND_HAS, NEEDS_ELEMENTS, 1},
    {"any", "any", COND_ANY, NEEDS_ELEMENTS, 1},
    {"near", "near", COND_NEAR, NEEDS_POINT, 2},
    {"within", "within", COND_WITHIN, NEEDS_POINT, 2},
    {"type", "type", COND_TYPE, NEEDS_NOTHING, 1},
    {NULL, NULL, 0, 0, 0},
};

const struct operator* neap__operator_find(const char *name, size_t n) {
  for (const struct operator* o = neap__operators; o->name; o++)
    if (o->name[0] == *name && strlen(o->name) == n && memcmp(o->name, name, n) == 0) return o;
  return NULL;
}

const struct operator* neap__operator_of(enum condition_op op) {
  const struct operator* o = neap__operators;
  while (o->name && o->op != op) o++;
  return o;
}

const char *neap__operator_nearest(const char *name, size_t n) {
  struct neap__nearest near = neap__nearest_to(name, n);
  for (const struct operator* o = neap__operators; o->name; o++) neap__nearest_offer(&near, o->name);
  return near.best;
}

const char *neap__condition_op_name(enum condition_op op) {
  switch (op) {
    case COND_AND: return "and";
    case COND_OR: return "or";
    case COND_NOT: return "not";
    case COND_SOME: return "some";
    case COND_ELEMENT: return "element";
    default: return neap__operator_of(op)->name;
  }
}

const struct type *neap__operand_type(const struct place *place) {
  const struct type *type = place->type;
  if (type && type->kind == TYPE_COMPUTED) type = type->of;
  return type && type->kind != TYPE_JSON ? type : NULL;
}

bool neap__place_in_json(const struct place *place) {
  return place->nsteps > 0 || !neap__operand_type(place);
}

// The needs that values of a type meet, as a bit set.
static unsigned offers(const struct type *type) {
  const unsigned order = 1u << NEEDS_ORDER, text = 1u << NEEDS_TEXT, elements = 1u << NEEDS_ELEMENTS;
  const unsigned size = 1u << NEEDS_SIZE, point = 1u << NEEDS_POINT;
  if (!type) return ~0u;
  switch (type->kind) {
    case TYPE_STRING: return order | text;
    case TYPE_INTEGER:
    case TYPE_NUMBER:
    case TYPE_DECIMAL:
    case TYPE_BOOLEAN:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_DATE:
    case TYPE_UUID:
    case TYPE_BYTES:
    case TYPE_POINTER: return order;
    case TYPE_JSON: return ~0u;
    case TYPE_LIST:
    case TYPE_SET: return elements | size;
    case TYPE_MAP: return size;
    case TYPE_GEOPOINT: return point;
    case TYPE_FILE:
    case TYPE_BYTESTREAM:
    case TYPE_RELATION:
    case TYPE_HAS_ONE:
    case TYPE_HAS_MANY:
    case TYPE_MANY_TO_MANY:
    case TYPE_COMPUTED: return 0;
  }
  return 0;
}

int neap__operator_fits(const struct operator* o, const struct shape *shape, const struct place *place,
                        struct neap__error *e) {
  static const char *const needs[] = {[NEEDS_NOTHING] = "",
                                      [NEEDS_ORDER] = "values that have an order",
                                      [NEEDS_TEXT] = "text",
                                      [NEEDS_ELEMENTS] = "a list or a set",
                                      [NEEDS_SIZE] = "a list, a set or a map",
                                      [NEEDS_POINT] = "a geopoint"};
  const struct type *type = neap__operand_type(place);
  char where[200];
  if (o->needs == NEEDS_NOTHING || offers(type) & 1u << o->needs) return 0;
  return neap__error_set(e, NEAP_USAGE, "%s is of type %s, but %s asks for %s",
                         neap__place_print(shape, place, where, sizeof where), neap__type_name(type->kind), o->name,
                         needs[o->needs]);
}
