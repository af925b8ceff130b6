// save.c: writes objects and puts what the store answers into them. Lua's part (hooks, lists, errors of lists) is in
// lua/neap/save.lua.
#include "model/save.h"

#include <string.h>

#include "modules.h"

// Stack of a write.
enum { S_TARGET = 1, S_OPTIONS, S_ERRORS, S_JOB, S_CHUNK, S_ROWS };

// Its state. `extra` is room for the cells of an answer.
struct job {
  struct save_options options;
  struct view *view;
  struct save_item *items;  // what may have to be written, user value 3
  int next, n;              // next of them to be planned, and their number
  int at;                   // entry whose answer comes next
  enum rows_state state;    // of the rows, when no answer came
  lua_Integer changed;      // rows written
  bool created;             // the last upsert made a new row
  int ncells;
  struct cell *cells;
};

// ---- Faults of one object ----

// Adds { index =, object =, error = } to the errors of the list, or raises the error of a single object.
static void add_fault(lua_State *L, int object, const struct shape *shape, struct neap__error *e) {
  neap__save_push(L, object);
  neap__save_describe(L, lua_gettop(L), shape, e);
  neap__save_error(L, shape, e);
  if (lua_isnil(L, S_ERRORS)) {
    if (neap__object_test(L, S_TARGET)) lua_error(L);
    lua_newtable(L);
    lua_replace(L, S_ERRORS);
  }
  lua_createtable(L, 0, 3);
  lua_insert(L, -3);
  lua_setfield(L, -3, "error");
  lua_setfield(L, -2, "object");
  lua_pushinteger(L, ((const struct job *)lua_touserdata(L, S_JOB))->items[object - 1].index);
  lua_setfield(L, -2, "index");
  lua_rawseti(L, S_ERRORS, (lua_Integer)lua_rawlen(L, S_ERRORS) + 1);
}

// ---- Answers ----

static void confirm(lua_State *L, struct job *job, const struct save_chunk *chunk, const struct save_entry *entry,
                    const struct rows *rows) {
  const struct shape *shape = chunk->class->shape;
  neap__save_push(L, entry->object);
  int idx = lua_gettop(L), n = entry->ncomputed;
  neap__view_touch(L, job->view, idx);
  if (rows->ncells == shape->ncolumns && rows->ncells > 0 && chunk->writes[entry - chunk->entries].returning) {
    neap__object_confirm(L, idx, entry->sent, job->cells, chunk->columns, rows->ncells);
  } else {
    if (rows->ncells == 1) {
      entry->computed[n] = job->cells[0];
      entry->computed_columns[n++] = shape->keys[0]->column;
    }
    neap__object_confirm(L, idx, entry->sent, entry->computed, entry->computed_columns, n);
  }
  lua_pop(L, 1);
}

static void deleted(lua_State *L, struct job *job, const struct save_entry *entry) {
  neap__save_push(L, entry->object);
  neap__view_touch(L, job->view, lua_gettop(L));
  neap__object_set_state(neap__object_test(L, -1), OBJECT_DELETED);
  lua_pop(L, 1);
}

static void take_answer(lua_State *L, struct job *job, const struct save_chunk *chunk, struct rows *rows,
                        enum rows_state state) {
  const struct save_entry *entry = &chunk->entries[job->at++];
  if (job->at + SAVE_AHEAD < chunk->n) neap__object_prefetch(entry[SAVE_AHEAD].item->object);
  if (state == ROWS_FAILED) {
    struct neap__error e = rows->error;
    if (entry->touched) {
      neap__save_push(L, entry->object);
      neap__view_untouch(L, job->view, -1);
      lua_pop(L, 1);
    }
    add_fault(L, entry->object, chunk->class->shape, &e);
    return;
  }
  job->changed += rows->changed > 0;
  job->created = rows->changed == 1;
  switch (job->options.verb) {
    case SAVE_SAVE:
    case SAVE_UPSERT: confirm(L, job, chunk, entry, rows); break;
    case SAVE_DELETE: deleted(L, job, entry); break;
    case SAVE_CHECK: break;
  }
}

// ---- The loop over chunks ----

static int finish(lua_State *L, const struct job *job) {
  lua_pushvalue(L, S_ERRORS);
  lua_pushinteger(L, job->changed);
  lua_pushboolean(L, job->created);
  return 3;
}

static void reserve_cells(lua_State *L, struct job *job, int n) {
  if (n <= job->ncells) return;
  job->cells = lua_newuserdatauv(L, (size_t)n * sizeof(struct cell), 0);
  lua_setiuservalue(L, S_JOB, 1);
  job->ncells = n;
}

static struct save_chunk *next_chunk(lua_State *L, struct job *job) {
  struct save_chunk *chunk = NULL;
  if (lua_gettop(L) >= S_ROWS) lua_closeslot(L, S_ROWS);
  while (job->next < job->n) {
    lua_settop(L, S_JOB);
    chunk = neap__save_plan(L, job->view, &job->options, job->items, &job->next, job->n, add_fault);
    if (chunk->n > 0) break;
    chunk = NULL;
  }
  if (!chunk) return NULL;
  reserve_cells(L, job, chunk->class->shape->ncolumns + 1);
  job->at = 0;
  job->view->store->verbs->write(L, job->view, chunk->class, chunk->writes, chunk->n);
  lua_toclose(L, S_ROWS);  // a task that is stopped while it waits must not keep the connection
  return chunk;
}

// Takes the answers that are here, the values of a write being its arguments. ROWS_ROW: others should run first. Gives the
// errors of the list.
static int take_answers(lua_State *L) {
  struct job *job = lua_touserdata(L, S_JOB);
  const struct save_chunk *chunk = lua_touserdata(L, S_CHUNK);
  struct rows *rows = lua_touserdata(L, S_ROWS);
  while ((job->state = rows->next(rows, job->cells)) == ROWS_ROW || (job->state == ROWS_FAILED && !rows->whole)) {
    take_answer(L, job, chunk, rows, job->state);
    job->state = ROWS_ROW;
    if (neap__should_pause(L, 1)) break;
  }
  if (job->state == ROWS_FAILED && rows->error.unknown) neap__raise(L, &rows->error);
  lua_pushvalue(L, S_ERRORS);
  return 1;
}

static int write_go_on(lua_State *L, int status, lua_KContext ctx) {
  struct job *job = lua_touserdata(L, S_JOB);
  (void)status;
  for (;;) {
    struct rows *rows = lua_touserdata(L, S_ROWS);
    neap__save_call(L, take_answers);
    lua_replace(L, S_ERRORS);
    if (job->state == ROWS_ROW) return neap__pause(L, ctx, write_go_on);
    if (job->state == ROWS_WAIT) {
      neap__save_keep(L, S_CHUNK);
      return neap__await(L, S_ROWS, ctx, write_go_on);
    }
    struct neap__error e = rows->error;
    rows->close(rows);
    if (job->state == ROWS_FAILED) return neap__raise(L, &e);
    if (!next_chunk(L, job)) return finish(L, job);
  }
}

static bool option(lua_State *L, const char *name, bool otherwise) {
  if (!lua_istable(L, S_OPTIONS)) return otherwise;
  if (lua_getfield(L, S_OPTIONS, name) != LUA_TNIL) otherwise = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return otherwise;
}

// The object or list at index 1: true if it is a single object.
static bool check_target(lua_State *L) {
  if (neap__object_test(L, S_TARGET)) return true;
  struct neap__shown what =
      neap__class_test(L, S_TARGET) ? (struct neap__shown){"a model"} : neap__show_value(L, S_TARGET);
  bool named = lua_istable(L, S_TARGET) && lua_rawlen(L, S_TARGET) == 0 && (lua_pushnil(L), lua_next(L, S_TARGET));
  if (lua_istable(L, S_TARGET) && !named) return false;
  neap__fail(L, NEAP_USAGE,
             "an object or a list of objects was expected, not %s; methods are called on an object, p:save()",
             named ? "a table with names" : what.text);
  return false;
}

// Conditions are kept in user value 2 of the job while the stack is cut to size; S_ERRORS is free until then.
static void read_options(lua_State *L, struct job *job, enum save_verb verb) {
  struct save_options *o = &job->options;
  static const char *const known[] = {"condition", "atomic", "overwrite", "force", "returning", NULL};
  neap__arg_options(L, S_OPTIONS, known);
  o->verb = verb;
  o->atomic = option(L, "atomic", job->view->atomic);
  o->overwrite = verb == SAVE_SAVE && option(L, "overwrite", job->view->overwrite);
  o->force = option(L, "force", false);
  o->returning = option(L, "returning", false);
  if (lua_istable(L, S_OPTIONS) && lua_getfield(L, S_OPTIONS, "condition") != LUA_TNIL)
    lua_replace(L, S_OPTIONS), o->condition = S_OPTIONS;
  if (o->atomic && !(job->view->store->verbs->capabilities & CAN_CONDITIONS))
    neap__fail(L, NEAP_UNSUPPORTED, "%s cannot save atomically", job->view->store->verbs->name);
}

static size_t bits_size(const struct shape *shape) {
  return (size_t)(shape->ncolumns + 63) / 64 * sizeof(uint64_t);
}

// The bits of the columns that the list of names at idx gives, in a userdata that is pushed.
static const uint64_t *read_columns(lua_State *L, const struct shape *shape, int idx) {
  uint64_t *bits = memset(lua_newuserdatauv(L, bits_size(shape), 0), 0, bits_size(shape));
  for (lua_Integer i = 1; lua_rawgeti(L, idx, i) != LUA_TNIL; i++) {
    size_t n;
    const char *name = neap__arg_string(L, -1, "each name of the unique fields", &n);
    const struct field *f = neap__shape_field(shape, name, n);
    struct neap__error e;
    if (!f && shape->open >= 0)
      neap__fail(L, NEAP_USAGE, "upsert finds rows by declared fields: %s declares no %s", shape->model, name);
    if (!f || !neap__field_kept(f)) {
      neap__shape_unknown(shape, name, n, &e);
      neap__raise(L, &e);
    }
    neap__set_bit(bits, f->column);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return bits;
}

// What may tell rows apart, by number: 0 the key, then each column, then each index. Sets the bits of its columns; false if
// it does not.
static bool unique_set(const struct shape *shape, int k, uint64_t *bits) {
  memset(bits, 0, bits_size(shape));
  for (int i = 0; k == 0 && i < shape->nkeys; i++) neap__set_bit(bits, shape->keys[i]->column);
  if (k > 0 && k <= shape->ncolumns) {
    neap__set_bit(bits, k - 1);
    return shape->columns[k - 1]->flags & FIELD_UNIQUE;
  }
  const struct index *index = k > 0 ? &shape->indexes[k - 1 - shape->ncolumns] : NULL;
  for (int i = 0; index && i < index->nparts; i++) {
    if (!index->parts[i].field) return false;
    neap__set_bit(bits, index->parts[i].field->column);
  }
  return !index || (index->unique && !index->partial);
}

static void add_names(luaL_Buffer *b, const struct shape *shape, const uint64_t *bits) {
  const char *between = "{ \"";
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!neap__has_bit(bits, i)) continue;
    luaL_addstring(b, between);
    luaL_addstring(b, shape->columns[i]->name);
    between = "\", \"";
  }
  luaL_addstring(b, "\" }");
}

// Raises usage, naming the sets that are unique, unless the columns are one of them.
static void check_unique(lua_State *L, const struct shape *shape, const uint64_t *bits) {
  uint64_t *set = lua_newuserdatauv(L, bits_size(shape), 0);
  int n = 1 + shape->ncolumns + shape->nindexes;
  bool found = false;
  for (int k = 0; k < n && !found; k++) found = unique_set(shape, k, set) && memcmp(set, bits, bits_size(shape)) == 0;
  if (found) {
    lua_pop(L, 1);  // the bits of the caller are on top again
    return;
  }
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  add_names(&b, shape, bits);
  luaL_addstring(&b, ": unique are ");
  for (int k = 0; k < n; k++) {
    if (!unique_set(shape, k, set)) continue;
    if (k > 0) luaL_addstring(&b, ", ");
    add_names(&b, shape, set);
  }
  luaL_pushresult(&b);
  neap__fail(L, NEAP_USAGE, "upsert cannot find a row of %s by %s", shape->model, lua_tostring(L, -1));
}

// An upsert finds its row by the values of these columns: nothing equals no other nothing, so a row more would be made.
static void check_found_by(lua_State *L, const struct shape *shape, const uint64_t *bits) {
  int n = 0;
  for (int i = 0; i < shape->ncolumns; i++) n += neap__has_bit(bits, i);
  if (n == 0) neap__fail(L, NEAP_USAGE, "upsert takes the unique fields that tell whether a %s is there", shape->model);
  check_unique(L, shape, bits);
  for (int i = 0; i < shape->ncolumns; i++) {
    struct cell cell;
    if (!neap__has_bit(bits, i)) continue;
    neap__object_get(L, S_TARGET, i, &cell);
    if (cell.kind == CELL_NIL || cell.kind == CELL_NULL)
      neap__fail(L, NEAP_USAGE, "upsert finds the row of %s by %s: give it a value", shape->model,
                 shape->columns[i]->name);
  }
}

static int start_write(lua_State *L, enum save_verb verb, bool only_plain) {
  lua_settop(L, verb == SAVE_UPSERT ? 2 : 3);
  struct view *given = verb != SAVE_UPSERT && !lua_isnil(L, 3) ? neap__view_check(L, 3) : NULL;
  const void *metatable = NULL;
  bool plain = true;
  int n = check_target(L) ? 1 : (int)lua_rawlen(L, S_TARGET);
  lua_settop(L, 2);
  lua_pushnil(L);
  struct job *job = memset(lua_newuserdatauv(L, sizeof *job, 3), 0, sizeof *job);
  if (n == 0) return finish(L, job);
  const struct class *class = neap__object_class(neap__save_item(L, 1, &metatable));
  job->view = neap__view_effective(L, given ? given : class->view);
  if (verb == SAVE_UPSERT) {
    neap__arg_table(L, S_OPTIONS, "the list of unique fields");
    job->options.conflict = read_columns(L, class->shape, S_OPTIONS);
    check_found_by(L, class->shape, job->options.conflict);
    lua_setiuservalue(L, S_JOB, 2);
    lua_pushnil(L);
    lua_replace(L, S_OPTIONS);
  }
  read_options(L, job, verb);
  job->n = neap__save_items(L, n, neap__save_is_forced(&job->options), &plain, &job->items);
  lua_setiuservalue(L, S_JOB, 3);
  if (only_plain && !plain) return 0;
  if (!next_chunk(L, job)) return finish(L, job);
  return write_go_on(L, LUA_OK, 0);
}

// save.save(object or list, options, view, only_plain) -> errors or nil, rows written
//   options     atomic, overwrite, force, returning: booleans; condition
//   only_plain  true: does nothing and gives nothing where save.plain is false
// A single object raises its error; of a list the errors come back as { { index =, object =, error = }, ... }.
static int save_save(lua_State *L) {
  return start_write(L, SAVE_SAVE, lua_toboolean(L, 4));
}

// save.delete(object or list, options, view) -> errors or nil, rows deleted
static int save_delete(lua_State *L) {
  return start_write(L, SAVE_DELETE, false);
}

// save.guard(object, options, view): what tx:check asks for; options: condition
static int save_guard(lua_State *L) {
  struct view *view = neap__view_effective(L, neap__view_check(L, 3));
  if (!view->transaction)
    return neap__fail(L, NEAP_USAGE,
                      "check belongs to a transaction: store:transaction(function(tx) tx:check(...) end)");
  return start_write(L, SAVE_CHECK, false);
}

// save.upsert(object, { "email" }) -> nil, rows written, created
static int save_upsert(lua_State *L) {
  return start_write(L, SAVE_UPSERT, false);
}

// ---- Before: what needs more than the fast path ----

// save.plain(object or list) -> boolean
//   True if no model of the objects has hooks and no pointer leads to an object that has to be saved first.
static int save_plain(lua_State *L) {
  bool plain = true;
  const void *metatable = NULL;
  int n = check_target(L) ? 1 : (int)lua_rawlen(L, 1);
  for (int i = 1; i <= n; i++) {
    const struct object *o = neap__save_item(L, i, &metatable);
    plain = plain && neap__save_is_plain(L, lua_gettop(L), o);
    lua_pop(L, 1);
  }
  lua_pushboolean(L, plain);
  return 1;
}

// save.hooked(object or list) -> boolean
static int save_hooked(lua_State *L) {
  bool hooked = false;
  const void *metatable = NULL;
  int n = check_target(L) ? 1 : (int)lua_rawlen(L, 1);
  for (int i = 1; i <= n; i++) {
    hooked |= neap__object_class(neap__save_item(L, i, &metatable))->shape->hooks;
    lua_pop(L, 1);
  }
  lua_pushboolean(L, hooked);
  return 1;
}

// save.check(object or list, n): raises usage for anything else, naming the item of the list that is none
//   n  the number of items, where some may be nil
static int save_check(lua_State *L) {
  const void *metatable = NULL;
  int n = check_target(L) ? 1 : (int)luaL_optinteger(L, 2, (lua_Integer)lua_rawlen(L, 1));
  for (int i = 1; i <= n; i++) neap__save_item(L, i, &metatable), lua_pop(L, 1);
  return 0;
}

// save.in_transaction(store) -> boolean
static int save_in_transaction(lua_State *L) {
  lua_pushboolean(L, neap__view_effective(L, neap__view_check(L, 1))->transaction != NULL);
  return 1;
}

// save.pending(object) -> list of { name of the pointer, new object } that have to be saved before it
static int save_pending(lua_State *L) {
  const struct shape *shape = neap__object_class(neap__object_check(L, 1))->shape;
  lua_settop(L, 1);
  lua_newtable(L);
  for (int i = 0; i < shape->ncolumns; i++) {
    if (shape->columns[i]->type.kind != TYPE_POINTER) continue;
    neap__object_get_related(L, 1, shape->columns[i]);
    const struct object *o = neap__object_test(L, -1);
    if (o && neap__object_state(o) == OBJECT_NEW) {
      lua_createtable(L, 2, 0);
      lua_pushstring(L, shape->columns[i]->name);
      lua_rawseti(L, -2, 1);
      lua_pushvalue(L, -2);
      lua_rawseti(L, -2, 2);
      lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
    }
    lua_pop(L, 1);
  }
  return 1;
}

// save.store_of(object, class or query) -> the store that its class belongs to
static int save_store_of(lua_State *L) {
  const struct object *o = neap__object_test(L, 1);
  neap__view_push(L, (o ? neap__object_class(o) : neap__query_self(L, 1)->class)->view);
  return 1;
}

// save.class_of(object) -> class
static int save_class_of(lua_State *L) {
  neap__class_push(L, neap__object_class(neap__object_check(L, 1)));
  return 1;
}

// save.key_of(object) -> key
static int save_key_of(lua_State *L) {
  neap__object_check(L, 1);
  neap__object_push_key(L, 1);
  return 1;
}

int luaopen_neap_save_kernel(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"save", save_save},
      {"delete", save_delete},
      {"upsert", save_upsert},
      {"guard", save_guard},
      {"plain", save_plain},
      {"hooked", save_hooked},
      {"check", save_check},
      {"in_transaction", save_in_transaction},
      {"pending", save_pending},
      {"store_of", save_store_of},
      {"class_of", save_class_of},
      {"key_of", save_key_of},
      {NULL, NULL},
  };
  luaL_newlib(L, functions);
  neap__save_error_register(L);
  neap__reload_register(L);
  neap__load_register(L);
  neap__atomic_register(L);
  return 1;
}
