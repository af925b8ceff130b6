// dynamodb_text.c: requests of DynamoDB as they are written: members, names and keys.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/dynamodb.h"
#include "store/dynamodb_value.h"
#include "value/json.h"

#define MAX_HASH_KEY 2048  // bytes
#define MAX_RANGE_KEY 1024

void neap__dynamodb_begin(struct dynamodb_text *t) {
  *t = (struct dynamodb_text){0};
  neap__buffer_plain(&t->body);
  neap__buffer_plain(&t->names);
  neap__buffer_plain(&t->values);
  neap__dynamodb_add(t, "{");
}

void neap__dynamodb_free(struct dynamodb_text *t) {
  neap__buffer_free(&t->body);
  neap__buffer_free(&t->names);
  neap__buffer_free(&t->values);
}

void neap__dynamodb_copy(struct dynamodb_text *t, const char *p, size_t n) {
  t->failed |= neap__buffer_append(&t->body, p, n) != 0;
}

void neap__dynamodb_add(struct dynamodb_text *t, const char *text) {
  neap__dynamodb_copy(t, text, strlen(text));
}

void neap__dynamodb_string(struct dynamodb_text *t, const char *p, size_t n) {
  t->failed |= neap__json_quote(&t->body, p, n, NULL) != 0;
}

static void separate(struct dynamodb_text *t) {
  if (t->body.n > 0 && t->body.p[t->body.n - 1] != '{') neap__dynamodb_add(t, ",");
}

void neap__dynamodb_member(struct dynamodb_text *t, const char *name) {
  separate(t);
  neap__dynamodb_string(t, name, strlen(name));
  neap__dynamodb_add(t, ":");
}

void neap__dynamodb_integer(struct dynamodb_text *t, const char *name, int64_t value) {
  char text[24];
  neap__dynamodb_member(t, name);
  snprintf(text, sizeof text, "%" PRId64, value);
  neap__dynamodb_add(t, text);
}

bool neap__dynamodb_table_name(const struct view *view, const struct shape *shape, char *out, size_t size) {
  const char *template = view->store->table_template, *at = template ? strstr(template, "{table}") : NULL;
  int before = at ? (int)(at - template) : 0;
  int n = snprintf(out, size, "%.*s%s%s", before, at ? template : "", shape->table, at ? at + 7 : "");
  return n >= 0 && (size_t)n < size;
}

void neap__dynamodb_quote_table(struct dynamodb_text *t, const struct view *view, const struct shape *shape) {
  char name[DYNAMODB_TABLE_NAME];
  t->failed |= !neap__dynamodb_table_name(view, shape, name, sizeof name);
  neap__dynamodb_string(t, name, strlen(name));
}

void neap__dynamodb_table(struct dynamodb_text *t, const struct view *view, const struct shape *shape) {
  neap__dynamodb_member(t, "TableName");
  neap__dynamodb_quote_table(t, view, shape);
}

int neap__dynamodb_attribute(struct dynamodb_text *t, const struct field *field, const struct cell *cell,
                             struct neap__error *e) {
  neap__dynamodb_member(t, field->wire);
  return neap__attribute_write_field(&t->body, field, cell, e);
}

static int check_key(const struct field *field, const struct cell *cell, size_t most, struct neap__error *e) {
  if (cell->kind <= CELL_NULL)
    return neap__error_set(e, NEAP_USAGE, "%s.%s is of the key and has no value", field->shape->model, field->name);
  if (cell->kind != CELL_TEXT && cell->kind != CELL_BYTES) return 0;
  if (cell->n == 0)
    return neap__error_set(e, NEAP_VALIDATION, "%s.%s is of the key and empty", field->shape->model, field->name);
  if (cell->n > most)
    return neap__error_set(e, NEAP_LIMIT, "%s.%s has %u bytes; DynamoDB takes %zu in that part of a key",
                           field->shape->model, field->name, cell->n, most);
  return 0;
}

int neap__dynamodb_key(struct dynamodb_text *t, const struct shape *shape, const struct cell *key,
                       struct neap__error *e) {
  neap__dynamodb_add(t, "{");
  for (int i = 0; i < shape->nkeys; i++) {
    if (check_key(shape->keys[i], &key[i], i == 0 ? MAX_HASH_KEY : MAX_RANGE_KEY, e) != 0) return -1;
    if (neap__dynamodb_attribute(t, shape->keys[i], &key[i], e) != 0) return -1;
  }
  neap__dynamodb_add(t, "}");
  return 0;
}

static void add_map(struct dynamodb_text *t, const char *name, const struct neap__buffer *members) {
  if (members->n == 0) return;
  neap__dynamodb_member(t, name);
  neap__dynamodb_add(t, "{");
  neap__dynamodb_copy(t, members->p, members->n);
  neap__dynamodb_add(t, "}");
}

int neap__dynamodb_end(struct dynamodb_text *t, struct neap__error *e) {
  add_map(t, "ExpressionAttributeNames", &t->names);
  add_map(t, "ExpressionAttributeValues", &t->values);
  neap__dynamodb_add(t, "}");
  if (t->failed) return neap__error_set(e, NEAP_LIMIT, "memory is short for a request to DynamoDB");
  return 0;
}
