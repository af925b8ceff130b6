// dynamodb_capacity.c: what requests cost, table by table, and how fast it may be spent: a bucket of units for reads and one for
// writes, which fill at their rate and hold what comes in a second. What a request costs is known when it is answered; until then
// it is taken to cost what those before it did.
#include <stdlib.h>
#include <string.h>

#include "store/dynamodb_store.h"

struct dynamodb_table *neap__dynamodb_metered(struct dynamodb_store *s, const struct view *view,
                                              const struct shape *shape) {
  char name[DYNAMODB_TABLE_NAME];
  if (!s->meters || !neap__dynamodb_table_name(view, shape, name, sizeof name)) return NULL;
  for (struct dynamodb_table *t = s->tables; t; t = t->next)
    if (strcmp(t->name, name) == 0) return t;
  struct dynamodb_table *t = calloc(1, sizeof *t + strlen(name) + 1);
  if (!t) return NULL;
  memcpy(t->name, name, strlen(name));
  t->at = neap__now_ms(s->head.host);
  for (int i = 0; i < 2; i++) t->level[i] = s->rate[i], t->each[i] = 1;
  t->next = s->tables;
  return s->tables = t;
}

void neap__dynamodb_meters_free(struct dynamodb_store *s) {
  for (struct dynamodb_table *t; (t = s->tables) != NULL; free(t)) s->tables = t->next;
}

static void fill(const struct dynamodb_store *s, struct dynamodb_table *t) {
  int64_t now = neap__now_ms(s->head.host);
  for (int i = 0; i < 2; i++) {
    t->level[i] += s->rate[i] * (double)(now - t->at) / 1000;
    if (t->level[i] > s->rate[i]) t->level[i] = s->rate[i];
  }
  t->at = now;
}

int64_t neap__dynamodb_meter_take(struct dynamodb_store *s, struct dynamodb_table *t, bool write, double *taken) {
  double rate = s->rate[write], cost = t->each[write] < rate ? t->each[write] : rate;
  if (rate <= 0) return 0;
  fill(s, t);
  if (t->level[write] < cost) return (int64_t)((cost - t->level[write]) / rate * 1000) + 1;
  t->level[write] -= *taken = cost;
  return 0;
}

static void spend(struct dynamodb_table *t, bool write, struct neap__json_slice capacity) {
  static const struct neap__json_step step = {"CapacityUnits", 13, -1};
  struct neap__json_slice found;
  double units = neap__json_find(capacity.p, capacity.n, &step, 1, &found) ? strtod(found.p, NULL) : 0;
  t->used[write] += units;
  t->level[write] -= units;
  t->each[write] += (units - t->each[write]) / 8;
}

// That of the capacity in a list, if it is counted; else `otherwise`.
static struct dynamodb_table *named(struct dynamodb_store *s, struct dynamodb_table *otherwise,
                                    struct neap__json_slice capacity) {
  static const struct neap__json_step step = {"TableName", 9, -1};
  struct neap__json_slice name;
  if (!neap__json_find(capacity.p, capacity.n, &step, 1, &name)) return otherwise;
  for (struct dynamodb_table *t = s->tables; t; t = t->next)
    if (strlen(t->name) + 2 == name.n && memcmp(t->name, name.p + 1, name.n - 2) == 0) return t;
  return otherwise;
}

void neap__dynamodb_meter_settle(struct dynamodb_store *s, struct dynamodb_table *t, bool write, double taken,
                                 const struct aws_call *call) {
  static const struct neap__json_step step = {"ConsumedCapacity", 16, -1};
  struct neap__json_slice capacity;
  t->level[write] += taken;
  if (call->failed || !neap__json_find(call->reply, call->nreply, &step, 1, &capacity)) return;
  struct neap__json_each it = neap__json_each(capacity.p, capacity.n);
  if (*capacity.p == '{')
    spend(t, write, capacity);
  else
    while (neap__json_next(&it)) spend(named(s, t, it.value), write, it.value);
}

// kernel.capacity(view) -> { [table] = { read = units, write = units } }
int neap__dynamodb_capacity(lua_State *L) {
  const struct dynamodb_store *s = (const struct dynamodb_store *)neap__view_check(L, 1)->store;
  lua_newtable(L);
  for (const struct dynamodb_table *t = s->tables; t; t = t->next) {
    lua_createtable(L, 0, 2);
    lua_pushnumber(L, t->used[0]);
    lua_setfield(L, -2, "read");
    lua_pushnumber(L, t->used[1]);
    lua_setfield(L, -2, "write");
    lua_setfield(L, -2, t->name);
  }
  return 1;
}
