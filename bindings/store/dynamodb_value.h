// dynamodb_value.h: values of a type to DynamoDB's attribute values and back, and the items of a reply one by one. No Lua.
//
// On the wire: string, uuid, date and datetime S (datetimes of fixed width, so that they sort as text); integer, number, decimal
// and timestamp (whole seconds) N; boolean BOOL; bytes B; list L; map, geopoint and file M; set SS, NS or BS by its element type;
// json by its content; a pointer as its key. In untyped places: text S, numbers N, booleans BOOL, null NULL, lists L, objects M.
#ifndef NEAP_DYNAMODB_VALUE_H
#define NEAP_DYNAMODB_VALUE_H

#include "model/shape.h"
#include "value/buffer.h"
#include "value/json.h"
#include "value/rows.h"

// ---- Writing ----

// Whether there is nothing to keep: NIL, UNLOADED or an empty set. Such a column is left out of a new item, and REMOVEd from one
// that is there.
bool neap__attribute_is_nil(const struct type *type, const struct cell *cell);
// Appends the attribute value of a cell as its type keeps it, {"S":"x"}. type NULL: untyped, by the cell's kind. Returns 0, or -1
// with `e` filled: limit (memory), validation (a number of more than 38 digits or out of range, an empty set; the message names
// the place within the value, "[3].price: ..."). What is in `out` then is no JSON. The cell is none that is nil.
int neap__attribute_write(struct neap__buffer *out, const struct type *type, const struct cell *cell,
                          struct neap__error *e);
// The same of a field's column, or of a place in it that is of the type: the message begins with "Post.price", and secrets are not
// shown in it.
int neap__attribute_write_field(struct neap__buffer *out, const struct field *field, const struct cell *cell,
                                struct neap__error *e);
int neap__attribute_write_place(struct neap__buffer *out, const struct field *field, const struct type *type,
                                const struct cell *cell, struct neap__error *e);

// What an open model does not declare is an attribute each. The value of the member that a walk through the open column's cell
// is at (neap__json_each), with its mark, to be written untyped; the member's key is good as it stands in a request.
struct cell neap__attribute_member(const struct cell *open, const struct neap__json_each *it);

// ---- Reading ----

// Reads one attribute value, the whole text, as a cell of the type (NULL: untyped). A value that the type does not call for comes
// as its tag tells: nothing is lost, and nothing is made up. NULL is CELL_NULL. What is not borrowed from the text is appended to
// scratch; it moves when scratch grows. Returns 0, or -1 with `e` filled: protocol (says at which byte), limit (memory).
int neap__attribute_read(const char *p, size_t n, const struct type *type, struct cell *out,
                         struct neap__buffer *scratch, struct neap__error *e);

// ---- The items of a reply (dynamodb_item.c) ----

// Reads a reply from its first byte to its last, once. What lies behind the items is known when next() has given ROWS_END.
struct neap__items {
  int ncells;                           // cells of a row
  bool found;                           // false: the place of an item that is not there (TransactGetItems)
  struct neap__json_slice item;         // the item that was read last, as it lies in the reply
  int64_t count, scanned;               // Count, ScannedCount; -1 = not said
  struct neap__json_slice last_key;     // LastEvaluatedKey; n = 0: there is none, this was the last page
  struct neap__json_slice unprocessed;  // UnprocessedKeys or UnprocessedItems, an object; n = 0: none or empty
  struct neap__json_slice capacity;     // ConsumedCapacity, an object or a list; n = 0: none
  struct item_map *map;                 // private
};

// Prepares it for items of the shape. columns: the set of columns wanted, NULL = all that are kept; cells come in column order.
// Returns 0, or -1 when memory is short. neap__items_free is harmless on what is zeroed or freed.
int neap__items_init(struct neap__items *items, const struct shape *shape, const uint64_t *columns);
void neap__items_free(struct neap__items *items);
// Begins with a reply ("Items", "Item", "Attributes", "Responses"), or with a JSON list of items; again for the next page. The text
// stays alive until the last cell has been used.
void neap__items_begin(struct neap__items *items, const char *p, size_t n);
// Begins with one item alone, {"id":{"S":"x"},...}.
void neap__items_begin_one(struct neap__items *items, const char *p, size_t n);
// Gives the next item: ROWS_ROW with cells (borrowed until the next call), ROWS_END, or ROWS_FAILED with `e` filled (protocol: names
// the item, the attribute and the byte; limit). Attributes that the item lacks are NIL, those that are not wanted are skipped; an
// open model's undeclared ones are JSON in its open column.
enum rows_state neap__items_next(struct neap__items *items, struct cell *cells, struct neap__error *e);

// ---- Keys ----

// Whether two keys (shape->nkeys cells each, in that order) are the same item's: numbers by value, whatever their kind.
bool neap__item_key_equal(const struct shape *shape, const struct cell *a, const struct cell *b);
// Equal keys have equal hashes.
uint64_t neap__item_key_hash(const struct shape *shape, const struct cell *key);

#endif
