// dynamodb_explain.c: plans as requests, and as tables that say what would be sent.
#include <string.h>

#include "store/dynamodb.h"
#include "value/json.h"

#define KEYS_A_REQUEST 100  // of one BatchGetItem

// ---- Texts ----

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
  if (!plan->columns) return true;
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

static void add_consistent(struct dynamodb_text *t, const struct dynamodb_plan *plan) {
  if (plan->consistent) add_member(t, "ConsistentRead", "true");
}

static int write_get(struct dynamodb_text *t, const struct dynamodb_plan *plan, struct neap__error *e) {
  neap__dynamodb_table(t, plan->view, plan->shape);
  neap__dynamodb_member(t, "Key");
  if (neap__dynamodb_key(t, plan->shape, plan->keys, e) != 0) return -1;
  neap__dynamodb_projection(t, plan);
  add_consistent(t, plan);
  return 0;
}

// The names of a batch's projection stand beside its keys.
static void add_names(struct dynamodb_text *t) {
  if (t->names.n == 0) return;
  add_member(t, "ExpressionAttributeNames", "{");
  neap__dynamodb_copy(t, t->names.p, t->names.n);
  neap__dynamodb_add(t, "}");
  t->names.n = 0;
}

static int write_batch(struct dynamodb_text *t, const struct dynamodb_plan *plan, int i, struct neap__error *e) {
  int first = i * KEYS_A_REQUEST, last = plan->nkeys - first > KEYS_A_REQUEST ? first + KEYS_A_REQUEST : plan->nkeys;
  add_member(t, "RequestItems", "{");
  neap__dynamodb_quote_table(t, plan->view, plan->shape);
  neap__dynamodb_add(t, ":{\"Keys\":[");
  for (int k = first; k < last; k++) {
    neap__dynamodb_add(t, k > first ? "," : "");
    if (neap__dynamodb_key(t, plan->shape, plan->keys + (ptrdiff_t)k * plan->shape->nkeys, e) != 0) return -1;
  }
  neap__dynamodb_add(t, "]");
  neap__dynamodb_projection(t, plan);
  add_names(t);
  add_consistent(t, plan);
  neap__dynamodb_add(t, "}}");
  return 0;
}

static int write_pages(struct dynamodb_text *t, const struct dynamodb_plan *plan, int i, bool count,
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
  if (plan->start) {
    neap__dynamodb_member(t, "ExclusiveStartKey");
    if (neap__dynamodb_key(t, plan->shape, plan->start, e) != 0) return -1;
  }
  if (query) add_member(t, "ScanIndexForward", plan->descending ? "false" : "true");
  add_consistent(t, plan);
  return 0;
}

int neap__dynamodb_plan_text(struct dynamodb_text *t, const struct dynamodb_plan *plan, int i, bool count,
                             struct neap__error *e) {
  if (plan->reading != READING_KEYS) return write_pages(t, plan, i, count, e);
  return plan->nkeys == 1 ? write_get(t, plan, e) : write_batch(t, plan, i, e);
}

const char *neap__dynamodb_plan_target(const struct dynamodb_plan *plan) {
  switch (plan->reading) {
    case READING_NOTHING: break;
    case READING_KEYS: return plan->nkeys == 1 ? "DynamoDB_20120810.GetItem" : "DynamoDB_20120810.BatchGetItem";
    case READING_QUERY: return "DynamoDB_20120810.Query";
    case READING_SCAN: return "DynamoDB_20120810.Scan";
  }
  return NULL;
}

int neap__dynamodb_plan_requests(const struct dynamodb_plan *plan) {
  switch (plan->reading) {
    case READING_NOTHING: break;
    case READING_KEYS: return (plan->nkeys + KEYS_A_REQUEST - 1) / KEYS_A_REQUEST;
    case READING_QUERY:
    case READING_SCAN: return plan->nkeys;
  }
  return 0;
}

// ---- Tables ----

// Pushes "query index by_user".
static void push_name(lua_State *L, const struct dynamodb_plan *plan) {
  static const char *const names[] = {
      [READING_NOTHING] = "nothing", [READING_KEYS] = "get", [READING_QUERY] = "query", [READING_SCAN] = "scan"};
  const char *name = names[plan->reading];
  if (plan->reading == READING_NOTHING)
    lua_pushstring(L, name);
  else if (plan->index)
    lua_pushfstring(L, "%s index %s", name, plan->index->name);
  else
    lua_pushfstring(L, "%s table", name);
}

// Pushes request i as a table.
static void push_request(lua_State *L, const struct dynamodb_plan *plan, int i, int64_t limit) {
  struct dynamodb_text t;
  struct neap__error e;
  struct neap__buffer *json = neap__buffer_push(L);
  neap__dynamodb_begin(&t);
  int status = neap__dynamodb_plan_text(&t, plan, i, false, &e);
  if (limit >= 0 && plan->reading != READING_KEYS) neap__dynamodb_integer(&t, "Limit", limit);
  if (status == 0) status = neap__dynamodb_end(&t, &e);
  if (status == 0 && neap__buffer_append(json, t.body.p, t.body.n) != 0)
    status = neap__error_set(&e, NEAP_LIMIT, "memory is short");
  neap__dynamodb_free(&t);
  if (status == 0) status = neap__json_push(L, json->p, json->n, NEAP_JSON_DEPTH, &e);
  if (status != 0) neap__raise(L, &e);
  lua_remove(L, -2);
}

static void set_requests(lua_State *L, int table, const struct query *q, const struct dynamodb_plan *plan) {
  int n = neap__dynamodb_plan_requests(plan);
  int64_t limit = neap__dynamodb_plan_limit(q, plan);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    push_request(L, plan, i, limit);
    lua_rawseti(L, table + 1, i + 1);
  }
  if (n > 0 && lua_rawgeti(L, table + 1, 1)) lua_setfield(L, table, "request");
  n > 1 ? lua_setfield(L, table, "requests") : lua_pop(L, 1);
}

void neap__dynamodb_explain(lua_State *L, struct view *view, const struct query *q) {
  struct dynamodb_plan plan;
  neap__dynamodb_plan(L, view, q, &plan);
  const char *target = neap__dynamodb_plan_target(&plan);
  lua_createtable(L, 0, 4);
  int table = lua_gettop(L);
  push_name(L, &plan);
  lua_setfield(L, table, "plan");
  lua_pushstring(L, target ? strchr(target, '.') + 1 : NULL);
  lua_setfield(L, table, "operation");
  set_requests(L, table, q, &plan);
  if (plan.residual) {
    neap__condition_print(L, plan.residual);
    lua_setfield(L, table, "residual");
  }
  lua_remove(L, table - 1);
}

// Where rows come in the order of its first places only, the one behind the last that is wanted tells that it is the last.
int64_t neap__dynamodb_plan_limit(const struct query *q, const struct dynamodb_plan *plan) {
  bool some = plan->ordered || plan->nordered > 0;
  bool all = q->limit < 0 || plan->filter || plan->residual || !some || q->ngroups > 0 || q->naggregates > 0 ||
             q->each || q->link;
  if (all || q->limit > INT32_MAX - q->skip - 1) return -1;
  int64_t wanted = q->limit + q->skip + !plan->ordered;
  return wanted > 0 ? wanted : 1;
}
