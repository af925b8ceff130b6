// dynamodb.h: what the files of the DynamoDB store share: requests as they are written, and plans of queries.
#ifndef NEAP_DYNAMODB_H
#define NEAP_DYNAMODB_H

#include "model/store.h"
#include "value/buffer.h"

// ---- dynamodb_text.c: a request being written ----

// The JSON of a request. Nothing here needs a Lua state. Where memory is short writers do not fail one by one: `failed` is
// set, and neap__dynamodb_end tells. Functions that return an int give 0, or -1 with `e` filled for what the values are.
struct dynamodb_text {
  struct neap__buffer body;           // "{" and the members
  struct neap__buffer names, values;  // the members of ExpressionAttributeNames and ExpressionAttributeValues
  int counter;                        // of both: "#n0", ":v1", ...
  bool failed;
};

void neap__dynamodb_begin(struct dynamodb_text *t);
// Writes the names and the values, if there are any, and "}".
int neap__dynamodb_end(struct dynamodb_text *t, struct neap__error *e);
void neap__dynamodb_free(struct dynamodb_text *t);
void neap__dynamodb_add(struct dynamodb_text *t, const char *text);               // as it is
void neap__dynamodb_copy(struct dynamodb_text *t, const char *p, size_t n);       // the same
void neap__dynamodb_string(struct dynamodb_text *t, const char *p, size_t n);     // "text", escaped
void neap__dynamodb_member(struct dynamodb_text *t, const char *name);            // ,"name":
void neap__dynamodb_integer(struct dynamodb_text *t, const char *name, int64_t);  // ,"name":5
#define DYNAMODB_TABLE_NAME 512                                                   // more than the server allows
// The name of a table as the store's template makes it; false if it is too long.
bool neap__dynamodb_table_name(const struct view *view, const struct shape *shape, char *out, size_t size);
// "posts"; ,"TableName":"posts"
void neap__dynamodb_quote_table(struct dynamodb_text *t, const struct view *view, const struct shape *shape);
void neap__dynamodb_table(struct dynamodb_text *t, const struct view *view, const struct shape *shape);
// "wire":{"S":"x"}
int neap__dynamodb_attribute(struct dynamodb_text *t, const struct field *field, const struct cell *cell,
                             struct neap__error *e);
// {"hash":{"S":"x"},"range":{"N":"5"}}: shape->nkeys cells. Refuses what the server would: empty keys, and too long ones.
int neap__dynamodb_key(struct dynamodb_text *t, const struct shape *shape, const struct cell *key,
                       struct neap__error *e);

// ---- dynamodb_expression.c: pieces of expressions, appended to the body (whoever calls has opened the quotes) ----

void neap__dynamodb_name(struct dynamodb_text *t, const char *name, size_t n);  // #n0; one name has one of them
void neap__dynamodb_name_literal(struct dynamodb_text *t, const char *literal, size_t n);  // of a JSON string, quoted
void neap__dynamodb_path(struct dynamodb_text *t, const struct place *place);              // #n0.#n1[2]
int neap__dynamodb_value(struct dynamodb_text *t, const struct type *type, const struct cell *cell,
                         struct neap__error *e);  // :v1; type NULL: by the cell's own kind
// The same of a place of the field: what is wrong with it names it, and shows no secret.
int neap__dynamodb_value_of(struct dynamodb_text *t, const struct field *field, const struct type *type,
                            const struct cell *cell, struct neap__error *e);
// Whether the server can tell it, exactly as neap__condition_evaluate does; or fills `e` with why it cannot (unsupported).
bool neap__dynamodb_tells(const struct condition *c, struct neap__error *e);
// The condition in parentheses: "(#n0 = :v1)". -1: unsupported, naming the operator and what would work.
int neap__dynamodb_condition(struct dynamodb_text *t, const struct condition *c, struct neap__error *e);
// ,"UpdateExpression":"SET #n0=:v1 REMOVE #n2" for the columns of the write but the keys (a cell NIL is removed) and its
// changes; nothing if there are none of either. What an open model does not declare is attributes of their own: those that are
// as they were before are left out. PULL and ADD_UNIQUE are of sets here: lists are the caller's.
int neap__dynamodb_update(struct dynamodb_text *t, const struct shape *shape, const struct write *w,
                          struct neap__error *e);

// The cell that the write sends for a column, NULL = none.
const struct cell *neap__dynamodb_sent(const struct write *w, int column);

// ---- dynamodb_plan.c: how a query is read ----

enum dynamodb_reading {
  READING_NOTHING,  // no row can meet it
  READING_KEYS,     // BatchGetItem
  READING_QUERY,
  READING_SCAN
};

struct dynamodb_plan {
  enum dynamodb_reading reading;
  struct view *view;
  const struct shape *shape;
  const struct index *index;  // NULL = the table
  int nkeys;                  // KEYS: items; QUERY: hash keys, each of which takes a query of its own; SCAN: segments
  const struct cell *keys;    // KEYS: shape->nkeys cells an item, in that order, none twice; QUERY: one cell each
  const struct cell *start;   // SCAN: the key behind which it begins, NULL = at the beginning
  const struct condition *range;     // QUERY: what the range key must meet, NULL = nothing
  const struct condition *filter;    // what the server applies to what it has read, NULL = nothing
  const struct condition *residual;  // what is left to do, NULL = nothing
  const uint64_t *columns;  // bits of the columns that come, NULL = all: what was selected and what the rest needs
  bool descending;          // the range key
  bool ordered;             // rows come in the order of the query
  int nordered;             // QUERY: or in that of so many of its first places
  bool consistent;
};

// Plans a query through the effective view, its scope included, and pushes what the plan is kept in. Raises usage for a scan
// that nothing allows, and for what the server does not do (consistent reads of a global index, ...).
void neap__dynamodb_plan(lua_State *L, struct view *view, const struct query *q, struct dynamodb_plan *plan);
// How many requests a plan begins with: a query for each hash key, a scan for each segment, a batch for each hundred keys.
int neap__dynamodb_plan_requests(const struct dynamodb_plan *plan);
// "DynamoDB_20120810.Query"; NULL where there is nothing to ask.
const char *neap__dynamodb_plan_target(const struct dynamodb_plan *plan);
// The rows that one page should have, -1 = as many as the service gives.
int64_t neap__dynamodb_plan_limit(const struct query *q, const struct dynamodb_plan *plan);
// The members of request i, but Limit and ExclusiveStartKey. With `count` it asks for no attributes: Select COUNT. The text has been
// begun, and is not ended.
int neap__dynamodb_plan_text(struct dynamodb_text *t, const struct dynamodb_plan *plan, int i, bool count,
                             struct neap__error *e);
// ,"ProjectionExpression":"#n0, #n1" for what a plan of KEYS reads, nothing if that is all.
void neap__dynamodb_projection(struct dynamodb_text *t, const struct dynamodb_plan *plan);
// The verb: pushes { operation =, request =, ... }.
void neap__dynamodb_explain(lua_State *L, struct view *view, const struct query *q);

#endif
