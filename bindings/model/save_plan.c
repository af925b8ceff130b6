// save_plan.c: what has to be written for a list of objects, before anything is sent.
#include <string.h>

#include "model/live.h"
#include "model/save.h"
#include "model/template.h"
#include "value/datetime.h"
#include "value/uuid.h"

typedef void fault_function(lua_State *L, int object, const struct shape *shape, struct neap__error *e);

// Memory of a chunk, dealt out from the front.
struct arena {
  char *at;
};

static void *deal(struct arena *a, size_t n, size_t size) {
  void *p = a->at;
  a->at += (n * size + 7) & ~(size_t)7;
  return p;
}

static size_t words(const struct shape *shape) {
  return (size_t)(shape->ncolumns + 63) / 64;
}

// ---- Columns that the pipeline fills ----

// Fields whose value is made here: versions, times of saving, uuid keys.
static bool is_computed(const struct field *f) {
  return (f->flags & (FIELD_VERSION | FIELD_AUTO_NOW | FIELD_AUTO_NOW_ADD)) ||
         ((f->flags & FIELD_AUTO) && f->type.kind == TYPE_UUID);
}

static int count_computed(const struct shape *shape) {
  int n = 0;
  for (int i = 0; i < shape->ncolumns; i++) n += is_computed(shape->columns[i]);
  return n;
}

struct cell neap__save_time(const struct field *f, int64_t us) {
  if (f->type.kind == TYPE_DATE) return (struct cell){.i = us / INT64_C(86400000000), .kind = CELL_DATE};
  if (f->type.kind == TYPE_TIMESTAMP) us -= us % 1000000;
  return (struct cell){.i = us, .kind = CELL_DATETIME};
}

// The value of a computed column for this write; false if it stays as it is. `text` has room for a uuid.
static bool compute(lua_State *L, int idx, const struct field *f, int64_t now, bool insert, bool set, struct cell *out,
                    char **text) {
  if (f->flags & FIELD_VERSION) {
    if (!insert) neap__object_confirmed(L, idx, f->column, out);
    *out = (struct cell){.i = insert || out->kind != CELL_INTEGER ? 1 : out->i + 1, .kind = CELL_INTEGER};
    return true;
  }
  if (f->flags & FIELD_AUTO_NOW) {
    if (set && insert) return false;  // given by the script
    *out = neap__save_time(f, now);
    return true;
  }
  if (!insert || set) return false;
  if (f->flags & FIELD_AUTO_NOW_ADD) {
    *out = neap__save_time(f, now);
    return true;
  }
  neap__uuid_v7(*text);
  *out = (struct cell){.p = *text, .n = 36, .kind = CELL_TEXT};
  *text += 40;
  return true;
}

// ---- One object ----

struct planning {
  lua_State *L;
  struct view *view;
  const struct save_options *options;
  const struct shape *shape;
  const struct condition *condition;
  struct arena arena;
  const uint64_t *all;
  const int *columns;              // the same as numbers
  int ncomputed;                   // columns that the pipeline fills
  int64_t now;                     // the same for all objects and fields of one write
  bool required;                   // some column is required
  const uint64_t *columns_before;  // of the object before: like ones share them
  fault_function *fault;
  int texts;  // stack index of a list of what keeps the texts of cells, 0 = they are borrowed from the objects
  int ntexts;
  char *block;  // what is left of the last block of copies there
  size_t room, size;
};

#define LONG_TEXT 512  // is held; shorter ones are copied

static void keep(struct planning *p, int idx, int column, struct cell *c) {
  if (!p->texts || !neap__cell_has_text(c) || c->n == 0) return;
  if (c->n >= LONG_TEXT || c->n > p->room) neap__object_keep(p->L, idx, column, c, p->texts, &p->ntexts);
  if (c->n >= LONG_TEXT) return;
  if (c->n > p->room) {  // what makes the room may run a finalizer
    p->block = lua_newuserdatauv(p->L, p->size, 0);
    p->room = p->size;
    lua_rawseti(p->L, p->texts, ++p->ntexts);
  }
  c->p = memcpy(p->block, c->p, c->n);
  p->block += c->n;
  p->room -= c->n;
}

// A new object lacks values that its model requires: all of them are named.
// A key that nobody makes is required by itself.
static bool is_required(const struct field *f) {
  return (f->flags & FIELD_REQUIRED) || (f->flags & (FIELD_PRIMARY | FIELD_AUTO)) == FIELD_PRIMARY;
}

static int check_required(struct planning *p, int idx, const uint64_t *sent, struct neap__error *e) {
  size_t n = 0;
  char names[200] = "";
  for (int i = 0; i < p->shape->ncolumns; i++) {
    const struct field *f = p->shape->columns[i];
    struct cell cell;
    if (!is_required(f) || (is_computed(f) && !neap__has_bit(sent, i))) continue;
    neap__object_get(p->L, idx, i, &cell);
    if (cell.kind != CELL_NIL && cell.kind != CELL_NULL) continue;
    if (n < sizeof names) n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", f->name);
  }
  if (n == 0) return 0;
  neap__error_set(e, NEAP_VALIDATION, "%s must have a value", names);
  snprintf(e->code, sizeof e->code, "required");
  return -1;
}

// Cells of the sent columns in column order, computed ones among them.
static void fill_cells(struct planning *p, int idx, struct write *w, struct save_entry *entry, bool insert) {
  uint64_t *columns = deal(&p->arena, words(p->shape), sizeof *columns);
  size_t size = words(p->shape) * sizeof *columns;
  int computed = p->ncomputed, n = 0;
  entry->computed = deal(&p->arena, (size_t)computed + 1, sizeof(struct cell));
  entry->computed_columns = deal(&p->arena, (size_t)computed + 1, sizeof(int));
  char *text = deal(&p->arena, (size_t)computed, 40);
  struct cell *cells = deal(&p->arena, (size_t)p->shape->ncolumns, sizeof *cells);
  memcpy(columns, entry->sent, size);
  for (int i = 0; i < p->shape->ncolumns; i++) {
    const struct field *f = p->shape->columns[i];
    bool set = neap__has_bit(entry->sent, i);
    if (computed && is_computed(f) && compute(p->L, idx, f, p->now, insert, set, &cells[n], &text)) {
      entry->computed[entry->ncomputed] = cells[n++];
      entry->computed_columns[entry->ncomputed++] = i;
      neap__set_bit(columns, i);
    } else if (set) {
      neap__object_get(p->L, idx, i, &cells[n]);
      keep(p, idx, i, &cells[n++]);
    }
  }
  p->arena.at = (char *)(cells + n);  // the rest of them is free again
  if (!p->columns_before || memcmp(p->columns_before, columns, size) != 0) p->columns_before = columns;
  w->columns = p->columns_before;
  w->cells = cells;
}

static void fill_key(struct planning *p, int idx, struct write *w) {
  struct cell *key = deal(&p->arena, (size_t)p->shape->nkeys, sizeof *key);
  for (int i = 0; i < p->shape->nkeys; i++) {
    neap__object_confirmed(p->L, idx, p->shape->keys[i]->column, &key[i]);
    keep(p, idx, p->shape->keys[i]->column, &key[i]);
  }
  w->key = key;
}

// The same of an object that is new.
static void fill_new_key(struct planning *p, int idx, struct write *w) {
  struct cell *key = deal(&p->arena, (size_t)p->shape->nkeys, sizeof *key);
  for (int i = 0; i < p->shape->nkeys; i++) {
    neap__object_get(p->L, idx, p->shape->keys[i]->column, &key[i]);
    keep(p, idx, p->shape->keys[i]->column, &key[i]);
  }
  w->key = key;
}

// Of an open model, what it does not declare as it was read.
static void fill_open(struct planning *p, int idx, struct write *w) {
  int open = p->shape->open;
  if (!neap__has_bit(w->columns, open)) return;
  struct cell *before = deal(&p->arena, 1, sizeof *before);
  neap__object_confirmed(p->L, idx, open, before);
  keep(p, idx, open, before);
  if (before->kind == CELL_JSON) w->open = before;
}

// What must still be as it was read: the version, and with `atomic` every column. Of what was read in a transaction that writes
// when it commits, every column too.
static void fill_expected(struct planning *p, int idx, struct write *w) {
  const struct shape *shape = p->shape;
  bool read = neap__view_has_read(p->L, p->view, idx), whole = p->options->atomic || read;
  if (!whole && shape->version < 0) return;
  w->fresh = read && !p->options->atomic;
  struct cell *cells = deal(&p->arena, (size_t)shape->ncolumns, sizeof *cells), cell;
  uint64_t *bits = deal(&p->arena, words(shape), sizeof *bits);
  int n = 0;
  memset(bits, 0, words(shape) * sizeof *bits);
  for (int i = 0; i < shape->ncolumns; i++) {
    if ((shape->columns[i]->flags & FIELD_PRIMARY) || (!whole && i != shape->version)) continue;
    neap__object_confirmed(p->L, idx, i, &cell);
    if (cell.kind == CELL_UNLOADED) continue;
    neap__set_bit(bits, i);
    keep(p, idx, i, &cell);
    cells[n++] = cell;
  }
  if (n == 0) return;
  w->expected = bits;
  w->expected_cells = cells;
}

static void add_loaded(struct planning *p, int idx, uint64_t *sent) {
  struct cell cell;
  for (int i = 0; i < p->shape->ncolumns; i++) {
    neap__object_confirmed(p->L, idx, i, &cell);
    if (cell.kind != CELL_UNLOADED && cell.kind != CELL_NIL) neap__set_bit(sent, i);
  }
}

// A row that is replaced loses what the new object does not have.
static void add_absent(struct planning *p, uint64_t *sent) {
  for (int i = 0; i < p->shape->ncolumns; i++)
    if (!is_computed(p->shape->columns[i])) neap__set_bit(sent, i);
}

static const uint64_t *key_bits(struct planning *p) {
  uint64_t *bits = memset(deal(&p->arena, words(p->shape), sizeof *bits), 0, words(p->shape) * sizeof *bits);
  for (int i = 0; i < p->shape->nkeys; i++) neap__set_bit(bits, p->shape->keys[i]->column);
  return bits;
}

// Columns that an upsert leaves alone where the row is there.
static const uint64_t *kept_bits(struct planning *p, const uint64_t *conflict) {
  uint64_t *bits = deal(&p->arena, words(p->shape), sizeof *bits);
  memcpy(bits, conflict, words(p->shape) * sizeof *bits);
  for (int i = 0; i < p->shape->ncolumns; i++)
    if (p->shape->columns[i]->flags & (FIELD_PRIMARY | FIELD_AUTO_NOW_ADD)) neap__set_bit(bits, i);
  return bits;
}

static bool has_key(struct planning *p, const uint64_t *sent) {
  for (int i = 0; i < p->shape->nkeys; i++)
    if (!neap__has_bit(sent, p->shape->keys[i]->column)) return false;
  return true;
}

static void remove_key(struct planning *p, uint64_t *sent) {
  for (int i = 0; i < p->shape->nkeys; i++) {
    int c = p->shape->keys[i]->column;
    sent[c / 64] &= ~(UINT64_C(1) << (c % 64));
  }
}

// An object that was deleted is not made again by accident.
static bool refuse_deleted(struct planning *p, const struct save_entry *entry) {
  struct neap__error e;
  neap__error_set(&e, NEAP_NOT_FOUND, "deleted");
  p->fault(p->L, entry->object, p->shape, &e);
  return false;
}

bool neap__save_is_forced(const struct save_options *o) {
  return o->verb != SAVE_SAVE || o->force || o->returning || o->atomic || o->overwrite || o->condition;
}

// Whether what is to be written lies outside of the view's scope, as far as that can be told without the store.
static bool leaves_scope(struct planning *p, int idx, const struct save_entry *entry, bool insert) {
  if (!neap__view_scope(p->view, p->shape)) return false;
  struct cell *cells = lua_newuserdatauv(p->L, (size_t)p->shape->ncolumns * sizeof *cells, 0);
  for (int i = 0; i < p->shape->ncolumns; i++) {
    neap__object_get(p->L, idx, i, &cells[i]);
    keep(p, idx, i, &cells[i]);
    bool made = insert && cells[i].kind == CELL_NIL && (p->shape->columns[i]->flags & FIELD_AUTO);
    if (made) cells[i].kind = CELL_UNLOADED;  // by the store
  }
  for (int i = 0; i < entry->ncomputed; i++) cells[entry->computed_columns[i]] = entry->computed[i];
  bool leaves = neap__view_leaves(p->L, p->view, p->shape, cells);
  lua_pop(p->L, 1);
  return leaves;
}

static void number(struct planning *p, int idx, struct write *w) {
  if (neap__view_collects(p->view)) w->number = neap__view_number(p->L, p->view, idx);
}

// Plans one save. True if something is to be sent.
static bool plan_save(struct planning *p, int idx, struct write *w, struct save_entry *entry) {
  const struct save_options *o = p->options;
  struct neap__error e;
  enum object_state state = neap__object_state(lua_touserdata(p->L, idx));
  bool insert = state != OBJECT_LOADED;
  if (state == OBJECT_DELETED && !o->overwrite) return refuse_deleted(p, entry);
  if (p->shape->templates && neap__template_fill(p->L, idx, p->now, &e) != 0) {
    p->fault(p->L, entry->object, p->shape, &e);
    return false;
  }
  entry->sent = memset(deal(&p->arena, words(p->shape), sizeof(uint64_t)), 0, words(p->shape) * sizeof(uint64_t));
  int changed = neap__object_changes(p->L, idx, entry->sent);
  if (!insert && changed == 0 && !neap__save_is_forced(o)) return false;
  if (p->required && check_required(p, idx, entry->sent, &e) != 0) {
    p->fault(p->L, entry->object, p->shape, &e);
    return false;
  }
  if (!insert && (o->force || o->overwrite)) add_loaded(p, idx, entry->sent);
  if (!insert && !o->overwrite) remove_key(p, entry->sent);
  bool replace = o->overwrite && has_key(p, entry->sent);
  if (insert && replace) add_absent(p, entry->sent);
  w->kind = o->verb == SAVE_UPSERT || replace ? WRITE_UPSERT : insert ? WRITE_INSERT : WRITE_UPDATE;
  fill_cells(p, idx, w, entry, insert);
  if (leaves_scope(p, idx, entry, insert)) {
    neap__error_set(&e, NEAP_CONDITION, "it would lie outside of the scope of the view that saves it");
    snprintf(e.code, sizeof e.code, "scope");
    p->fault(p->L, entry->object, p->shape, &e);
    return false;
  }
  w->condition = p->condition;
  w->asked = p->options->condition;
  w->replace = replace;
  w->absent = insert && (o->atomic || p->shape->version >= 0);
  if (w->kind == WRITE_UPSERT) {
    w->conflict = o->conflict ? o->conflict : key_bits(p);
    w->keep = o->conflict ? kept_bits(p, w->conflict) : w->conflict;
  }
  if (w->kind == WRITE_UPDATE) {
    fill_key(p, idx, w);
    fill_expected(p, idx, w);
    if (p->shape->open >= 0) fill_open(p, idx, w);
  }
  if (o->returning || w->kind == WRITE_UPSERT) w->returning = p->all;
  number(p, idx, w);
  entry->touched = neap__view_touch(p->L, p->view, idx);
  if (w->returning)
    neap__object_reserve(p->L, idx, NULL, p->columns, p->shape->ncolumns);
  else
    neap__object_reserve(p->L, idx, entry->computed, entry->computed_columns, entry->ncomputed);
  return true;
}

static bool plan_delete(struct planning *p, int idx, struct write *w, struct save_entry *entry) {
  enum object_state state = neap__object_state(lua_touserdata(p->L, idx));
  if (state == OBJECT_DELETED && (p->options->condition || p->options->atomic)) return refuse_deleted(p, entry);
  if (state != OBJECT_LOADED) return false;
  entry->sent = memset(deal(&p->arena, words(p->shape), sizeof(uint64_t)), 0, words(p->shape) * sizeof(uint64_t));
  w->kind = WRITE_DELETE;
  w->condition = p->condition;
  w->asked = p->options->condition;
  fill_key(p, idx, w);
  if (p->options->atomic || neap__view_has_read(p->L, p->view, idx)) fill_expected(p, idx, w);
  number(p, idx, w);
  entry->touched = neap__view_touch(p->L, p->view, idx);
  return true;
}

// What was loaded must be there, as it was read unless a condition says what matters; one that is new must not, unless it does.
static bool plan_check(struct planning *p, int idx, struct write *w, struct save_entry *entry) {
  enum object_state state = neap__object_state(lua_touserdata(p->L, idx));
  if (state == OBJECT_DELETED) return refuse_deleted(p, entry);
  uint64_t *columns = deal(&p->arena, words(p->shape), sizeof *columns);
  w->columns = memset(columns, 0, words(p->shape) * sizeof *columns);
  w->check = true;
  w->kind = state == OBJECT_LOADED ? WRITE_UPDATE : WRITE_INSERT;
  w->condition = p->condition;
  w->asked = p->options->condition;
  w->absent = state == OBJECT_NEW && !p->options->condition;
  if (state == OBJECT_NEW) fill_new_key(p, idx, w);
  if (state == OBJECT_LOADED) fill_key(p, idx, w);
  if (state == OBJECT_LOADED && !p->options->condition) fill_expected(p, idx, w);
  number(p, idx, w);
  return true;
}

// ---- The chunk ----

static size_t round_up(size_t n) {
  return (n + 7) & ~(size_t)7;
}

// Bytes that the cells, bits and texts of one object may take.
static size_t bytes_each(const struct view *view, const struct shape *shape, const struct save_options *o) {
  size_t w = words(shape) * sizeof(uint64_t), computed = (size_t)count_computed(shape);
  size_t cells = ((size_t)shape->ncolumns + (size_t)shape->nkeys + computed + 2) * sizeof(struct cell);
  if (o->atomic || shape->version >= 0 || neap__view_collects(view))
    cells += (size_t)shape->ncolumns * sizeof(struct cell);
  return round_up(cells) + 5 * w + round_up((computed + 1) * sizeof(int)) + computed * 40;
}

// Pushes the condition of the write: the caller's and the scope's, or nil.
static const struct condition *push_condition(lua_State *L, struct view *view, const struct class *class, int given) {
  neap__view_push_scope(L, view, class->shape);
  if (given) {
    neap__class_push(L, class);
    lua_pushvalue(L, given);
    neap__condition_parse(L, lua_gettop(L) - 1, lua_gettop(L));
    lua_replace(L, -3);
    lua_settop(L, -2);
    neap__condition_and(L, lua_gettop(L) - 1, lua_gettop(L));
    lua_replace(L, -3);
    lua_pop(L, 1);
  }
  const struct condition *c = neap__condition_test(L, -1);
  if (c && neap__view_collects(view)) neap__live_add(L, c);  // the store keeps it
  return c && neap__condition_is_true(c) ? NULL : c;
}

// How many of one class follow each other, as far as one chunk takes them.
static int run_length(const struct save_item *items, int n) {
  int count = 1;
  while (count < n && count < SAVE_CHUNK && items[count].class == items->class) count++;
  return count;
}

struct save_chunk *neap__save_plan(lua_State *L, struct view *view, const struct save_options *options,
                                   const struct save_item *items, int *next, int n, fault_function *fault) {
  items += *next;
  int count = run_length(items, n - *next);
  const struct class *class = items->class;
  const struct shape *shape = class->shape;
  neap *host = neap__host(L);
  size_t each = bytes_each(view, shape, options) + sizeof(struct write) + sizeof(struct save_entry);
  size_t head =
      round_up(sizeof(struct save_chunk)) + (size_t)shape->ncolumns * (sizeof(int) + 1) + 64 + 4 * words(shape) * 8;
  struct save_chunk *chunk = lua_newuserdatauv(L, head + (size_t)count * each, 2);
  struct planning p = {
      .L = L, .view = view, .options = options, .shape = shape, .arena = {(char *)chunk}, .fault = fault};
  memset(deal(&p.arena, 1, sizeof *chunk), 0, sizeof *chunk);
  chunk->class = class;
  chunk->writes = deal(&p.arena, (size_t)count, sizeof(struct write));
  chunk->entries = deal(&p.arena, (size_t)count, sizeof(struct save_entry));
  chunk->columns = deal(&p.arena, (size_t)shape->ncolumns, sizeof(int));
  p.ncomputed = count_computed(shape);
  p.now = neap__datetime_now();
  uint64_t *all = memset(deal(&p.arena, words(shape), sizeof *all), 0, words(shape) * sizeof *all);
  for (int i = 0; i < shape->ncolumns; i++) {
    neap__set_bit(all, i);
    chunk->columns[i] = i;
    p.required |= is_required(shape->columns[i]);
  }
  p.all = all;
  p.columns = chunk->columns;
  p.condition = push_condition(L, view, class, options->condition);
  lua_setiuservalue(L, -2, 1);
  lua_newtable(L);
  chunk->borrows = !neap__stepped(host) && !view->store->verbs->waits && !neap__has_finalizers(host);
  p.texts = chunk->borrows ? 0 : lua_gettop(L);
  p.size = count < 1000 ? LONG_TEXT + (size_t)count * 64 : 65536;
  for (int i = 0; i < count; i++) {
    struct save_entry *entry = &chunk->entries[chunk->n];
    struct write *w = &chunk->writes[chunk->n];
    *w = (struct write){0};
    *entry = (struct save_entry){.item = &items[i], .object = *next + i + 1};
    if (i + SAVE_AHEAD < count) neap__object_prefetch(items[i + SAVE_AHEAD].object);
    neap__save_push(L, entry->object);
    chunk->n += options->verb == SAVE_DELETE  ? plan_delete(&p, lua_gettop(L), w, entry)
                : options->verb == SAVE_CHECK ? plan_check(&p, lua_gettop(L), w, entry)
                                              : plan_save(&p, lua_gettop(L), w, entry);
    lua_pop(L, 1);
  }
  lua_setiuservalue(L, -2, 2);
  *next += count;
  return chunk;
}

void neap__save_keep(lua_State *L, int chunk_idx) {
  struct save_chunk *chunk = lua_touserdata(L, chunk_idx);
  lua_getiuservalue(L, chunk_idx, 2);
  for (int i = 0; chunk->borrows && i < chunk->n; i++) {
    neap__save_push(L, chunk->entries[i].object);
    neap__object_push_anchors(L, lua_gettop(L));
    lua_rawseti(L, -3, i + 1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  chunk->borrows = false;
}
