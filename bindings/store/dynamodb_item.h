// dynamodb_item.h: what the reader of items and the reader of values share.
#ifndef NEAP_DYNAMODB_ITEM_H
#define NEAP_DYNAMODB_ITEM_H

#include "model/shape.h"
#include "value/attribute.h"

// Goes over the attribute value that comes next; as neap__attribute_read, but the fault is in the scan.
bool neap__attribute_scan(struct neap__scan *s, const struct type *type, struct cell *out,
                          struct neap__buffer *scratch);
// The same, appending it as JSON.
bool neap__attribute_scan_json(struct neap__scan *s, struct neap__buffer *out);

#endif
