// dynamodb_explain.c: plans as requests.
#include <string.h>

#include "store/dynamodb.h"

static void add_member(struct dynamodb_text *t, const char *name, const char *json) {
  neap__dynamodb_member(t, name);
  neap__dynamodb_add(t, json);
}

static int add_condition(struct dynamodb_text *t, const char *name, const struct condition *c, struct neap__error *e) {
  if (!c) return 0;
  add_member(t, name, "\"");
  if (neap__dynamodb_condition(t, c, e) != 0) return -1;
  neap__dynamodb_add(t, "\"");
  return 0;
}

static int add_key_condition(struct dynamodb_text *t, const struct dynamodb_plan *plan, int i, struct neap__error *e) {
  const struct field *hash = plan->index ? plan->index->parts[0].field : plan->shape->keys[0];
  const struct condition equal = {.op = COND_EQ,
                                  .shape = plan->shape,
                                  .place = {.field = hash, .type = &hash->type},
                                  .ncells = 1,
                                  .cells = &plan->keys[i]};
  const struct condition *children[] = {&equal, plan->range};
  const struct condition both = {.op = COND_AND, .shape = plan->shape, .nchildren = 2, .children = children};
  return add_condition(t, "KeyConditionExpression", plan->range ? &both : &equal, e);
}

static bool comes_whole(const struct dynamodb_plan *plan) {
  if (plan->shape->open >= 0 && neap__has_bit(plan->columns, plan->shape->open)) return true;
  for (int i = 0; i < plan->shape->ncolumns; i++)
    if (!neap__has_bit(plan->columns, i)) return false;
  return true;
}

void neap__dynamodb_projection(struct dynamodb_text *t, const struct dynamodb_plan *plan) {
  int n = 0;
  if (comes_whole(plan)) return;
  add_member(t, "ProjectionExpression", "\"");
  for (int i = 0; i < plan->shape->ncolumns; i++) {
    const struct field *f = plan->shape->columns[i];
    if (!neap__has_bit(plan->columns, i)) continue;
    neap__dynamodb_add(t, n++ ? ", " : "");
    neap__dynamodb_name(t, f->wire, strlen(f->wire));
  }
  if (n == 0) neap__dynamodb_name(t, plan->shape->keys[0]->wire, strlen(plan->shape->keys[0]->wire));
  neap__dynamodb_add(t, "\"");
}

static void add_select(struct dynamodb_text *t, const struct dynamodb_plan *plan, bool count) {
  bool part = plan->index && plan->index->holds && plan->index->kind == INDEX_GLOBAL;
  if (count)
    add_member(t, "Select", "\"COUNT\"");
  else if (!comes_whole(plan))
    add_member(t, "Select", "\"SPECIFIC_ATTRIBUTES\"");
  else
    add_member(t, "Select", part ? "\"ALL_PROJECTED_ATTRIBUTES\"" : "\"ALL_ATTRIBUTES\"");
}

int neap__dynamodb_plan_text(struct dynamodb_text *t, const struct dynamodb_plan *plan, int i, bool count,
                             struct neap__error *e) {
  bool query = plan->reading == READING_QUERY;
  neap__dynamodb_table(t, plan->view, plan->shape);
  if (plan->index) {
    neap__dynamodb_member(t, "IndexName");
    neap__dynamodb_string(t, plan->index->wire, strlen(plan->index->wire));
  }
  if (add_condition(t, "FilterExpression", plan->filter, e) != 0) return -1;
  if (!count) neap__dynamodb_projection(t, plan);
  if (query && add_key_condition(t, plan, i, e) != 0) return -1;
  add_select(t, plan, count);
  if (!query && plan->nkeys > 1) {
    neap__dynamodb_integer(t, "Segment", i);
    neap__dynamodb_integer(t, "TotalSegments", plan->nkeys);
  }
  if (query) add_member(t, "ScanIndexForward", plan->descending ? "false" : "true");
  if (query || plan->consistent) add_member(t, "ConsistentRead", plan->consistent ? "true" : "false");
  return 0;
}
