// dynamodb_refuse.c: why a query of DynamoDB is not read as it stands, and what to do about it.
#include <lauxlib.h>

#include "store/dynamodb_plan.h"

// Pushes the names of what would serve: "where() with user (index by_user)".
static const char *push_ways(struct planner *p) {
  lua_State *L = p->L;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  if (p->shape->nkeys > 0) luaL_addstring(&b, p->shape->keys[0]->name);
  for (int i = 0; i < p->shape->nindexes; i++) {
    const struct index *index = &p->shape->indexes[i];
    if (index->kind != INDEX_GLOBAL) continue;
    luaL_addstring(&b, ", ");
    luaL_addstring(&b, index->parts[0].field->name);
    luaL_addstring(&b, " (index ");
    luaL_addstring(&b, index->name);
    luaL_addchar(&b, ')');
  }
  luaL_pushresult(&b);
  return lua_tostring(L, -1);
}

// Raises why an index that has the hash key may not be used.
static void refuse_index(struct planner *p, const struct index *index) {
  const char *model = p->shape->model;
  if (index->kind == INDEX_PLAIN) return;
  struct target t = neap__plan_look(p, index);
  if (!t.at) return;
  if (index->kind == INDEX_GLOBAL && p->plan->consistent)
    neap__fail(p->L, NEAP_USAGE,
               "%s: the index %s gives no consistent reads, and without it all of the table would be read: leave "
               "consistent out, or call scan()",
               model, index->name);
  if (neap__plan_lacks(p, index, p->columns))
    neap__fail(p->L, NEAP_USAGE,
               "%s: the index %s does not hold %s, and without it all of the table would be read: leave that out, or "
               "call scan()",
               model, index->name, neap__plan_lacks(p, index, p->columns)->name);
  neap__fail(
      p->L, NEAP_USAGE,
      "%s: objects without %s are not in the index %s, and without it all of the table would be read: ask for %s "
      "too, or call index(%s.%s) if they are not wanted, or scan()",
      model, t.range->name, index->name, t.range->name, model, index->name);
}

void neap__plan_refuse_scan(struct planner *p, const struct target *t) {
  const char *model = p->shape->model;
  if (p->q->key)
    neap__fail(p->L, NEAP_USAGE, "%s: key needs %s by eq", model, t->hash ? t->hash->name : "a primary key");
  if (t->index)
    neap__fail(p->L, NEAP_USAGE,
               "%s: all of the index %s would be read; ask for %s by eq or in, or call scan() if that is meant", model,
               t->index->name, t->hash->name);
  for (int i = 0; i < p->shape->nindexes; i++) refuse_index(p, &p->shape->indexes[i]);
  neap__fail(p->L, NEAP_USAGE,
             "%s: all of the table would be read; ask for %s by eq or in, or call scan() if that is meant", model,
             push_ways(p));
}

void neap__plan_check_index(struct planner *p) {
  const struct index *index = p->q->index;
  if (index->kind != INDEX_GLOBAL) return;
  if (p->plan->consistent)
    neap__fail(p->L, NEAP_USAGE, "%s: the index %s gives no consistent reads", p->shape->model, index->name);
  if (neap__plan_lacks(p, index, p->columns))
    neap__fail(p->L, NEAP_USAGE, "%s: the index %s does not hold %s", p->shape->model, index->name,
               neap__plan_lacks(p, index, p->columns)->name);
}

static void check_key(struct planner *p, const struct target *t, const struct part *part) {
  const struct condition *c = part->condition;
  bool hash = neap__plan_is_of(c, t->hash), range = t->range && neap__plan_is_of(c, t->range);
  if (part->taken && !(hash && c->op != COND_EQ)) return;
  neap__condition_print(p->L, c);
  if (hash) neap__fail(p->L, NEAP_USAGE, "key: the hash key is asked for by eq: %s", lua_tostring(p->L, -1));
  if (range)
    neap__fail(p->L, NEAP_USAGE, "key: the range key is asked for once, by eq, lt, lte, gt, gte, between or prefix: %s",
               lua_tostring(p->L, -1));
  neap__fail(p->L, NEAP_USAGE, "key takes the hash key %s%s%s of %s, and nothing else: %s", t->hash->name,
             t->range ? " and the range key " : "", t->range ? t->range->name : "",
             t->index ? t->index->name : p->shape->model, lua_tostring(p->L, -1));
}

static void check_filter(struct planner *p, const struct target *t, const struct part *part) {
  const struct condition *c = part->condition;
  const struct field *own = neap__plan_mentions(c, t->hash)    ? t->hash
                            : neap__plan_mentions(c, t->range) ? t->range
                                                               : NULL;
  struct neap__error e;
  if (neap__plan_is_filter(p, t, c)) return;
  if (own && p->plan->reading == READING_QUERY)
    neap__fail(p->L, NEAP_USAGE, "filter: %s.%s is a key of what is read: ask for it by where or key", p->shape->model,
               own->name);
  if (neap__dynamodb_tells(c, &e))
    neap__fail(p->L, NEAP_USAGE, "filter: the index %s does not hold all that is asked for", t->index->name);
  neap__raise(p->L, &e);
}

void neap__plan_check_roles(struct planner *p, const struct target *t) {
  for (int i = 0; i < p->nparts; i++) {
    if (p->parts[i].role == ROLE_KEY) check_key(p, t, &p->parts[i]);
    if (p->parts[i].role == ROLE_FILTER) check_filter(p, t, &p->parts[i]);
  }
}
