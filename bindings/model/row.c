// row.c: the layers of an object: reading, writing and confirming single columns.
#include <string.h>

#include "model/row.h"
#include "value/match.h"

// ---- Reading ----

static struct cell inline_cell(const struct object *o, int c) {
  const union slot *slot = &o->row[c];
  struct cell cell = {.i = slot->i, .kind = neap__row_kinds(o)[c] & COLUMN_KIND};
  switch ((enum cell_kind)cell.kind) {
    case CELL_TEXT:
    case CELL_BYTES:
    case CELL_DECIMAL:
    case CELL_JSON:
      cell.p = (const char *)o + slot->text.at;
      cell.n = slot->text.n;
      return cell;
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_BOOLEAN:
    case CELL_INTEGER:
    case CELL_NUMBER:
    case CELL_DATETIME:
    case CELL_DATE: return cell;
  }
  return cell;
}

struct cell neap__row_base(const struct object *o, int c) {
  return neap__row_kinds(o)[c] & COLUMN_BASE ? o->overlay->cells[c] : inline_cell(o, c);
}

struct cell neap__row_present(const struct object *o, int c) {
  return neap__row_kinds(o)[c] & COLUMN_CHANGED ? o->overlay->cells[o->overlay->ncells + c] : neap__row_base(o, c);
}

void neap__row_push(lua_State *L, int idx, struct object *o, const struct field *field) {
  int c = field->column;
  if (neap__row_kinds(o)[c] & COLUMN_DECODED) {
    lua_getiuservalue(L, idx, ROW_DECODED(field));
    return;
  }
  struct cell cell = neap__row_present(o, c);
  if (field->container) neap__object_push_anchor(L, idx, c, &cell);
  neap__type_push(L, field->type.kind == TYPE_COMPUTED ? field->type.of : &field->type, &cell);
  if (!field->container) return;
  lua_remove(L, -2);
  if (!lua_istable(L, -1) || neap__row_present(o, c).p != cell.p) return;
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, idx, ROW_DECODED(field));
  neap__row_kinds(o)[c] |= COLUMN_DECODED;
  o->decoded = true;
}

// ---- Writing ----

void neap__row_values(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  if (lua_getiuservalue(L, idx, 1) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 2);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, idx, 1);
}

struct overlay *neap__row_overlay(lua_State *L, int idx, struct object *o) {
  if (o->overlay) return o->overlay;
  int n = o->class->shape->ncells;
  idx = lua_absindex(L, idx);
  neap__row_values(L, idx);
  struct overlay *overlay = lua_newuserdatauv(L, sizeof *overlay + neap__overlay_bytes(n), 0);
  overlay->ncells = n;
  memset(neap__overlay_side(overlay, 0), 0, (size_t)n);
  lua_rawseti(L, -2, 0);
  lua_pop(L, 1);
  return o->overlay = overlay;
}

// Pops an anchor and keeps it; nothing to keep costs nothing if nothing was kept.
static void keep_anchor(lua_State *L, int idx, int key, bool had) {
  if (lua_isnil(L, -1) && !had) {
    lua_pop(L, 1);
    return;
  }
  lua_getiuservalue(L, idx, 1);
  lua_insert(L, -2);
  lua_rawseti(L, -2, key);
  lua_pop(L, 1);
}

static bool has_text(const struct cell *cell) {
  return cell->kind == CELL_TEXT || cell->kind == CELL_BYTES || cell->kind == CELL_DECIMAL || cell->kind == CELL_JSON;
}

static int side_of(struct overlay *overlay, int c) {
  return *neap__overlay_side(overlay, c) & OVERLAY_SIDE;
}

void neap__row_change(lua_State *L, int idx, struct object *o, int c, const struct cell *cell) {
  struct overlay *overlay = neap__row_overlay(L, idx, o);
  struct cell *change = &overlay->cells[overlay->ncells + c];
  uint8_t *kind = &neap__row_kinds(o)[c];
  keep_anchor(L, idx, ANCHOR(c, side_of(overlay, c)), (*kind & COLUMN_CHANGED) && has_text(change));
  *change = *cell;
  *kind |= COLUMN_CHANGED;
  o->dirty = true;
}

void neap__row_confirm(lua_State *L, int idx, struct object *o, int c, const struct cell *cell) {
  struct overlay *overlay = neap__row_overlay(L, idx, o);
  uint8_t *kind = &neap__row_kinds(o)[c];
  keep_anchor(L, idx, ANCHOR(c, !side_of(overlay, c)), (*kind & COLUMN_BASE) && has_text(&overlay->cells[c]));
  overlay->cells[c] = *cell;
  *kind |= COLUMN_BASE;
}

static void forget_decoded(lua_State *L, int idx, struct object *o, int c) {
  uint8_t *kind = &neap__row_kinds(o)[c];
  if (!(*kind & COLUMN_DECODED)) return;
  lua_pushnil(L);
  lua_setiuservalue(L, idx, ROW_DECODED(o->class->shape->columns[c]));
  *kind &= (uint8_t)~COLUMN_DECODED;
}

void neap__row_forget(lua_State *L, int idx, struct object *o, int c) {
  uint8_t *kind = &neap__row_kinds(o)[c];
  forget_decoded(L, idx, o, c);
  if (!(*kind & COLUMN_RELATED)) return;
  lua_getiuservalue(L, idx, 1);
  lua_pushnil(L);
  lua_rawsetp(L, -2, o->class->shape->columns[c]);
  *kind &= (uint8_t)~COLUMN_RELATED;
  lua_pop(L, 1);
}

void neap__row_revert(lua_State *L, int idx, struct object *o, int c) {
  neap__row_forget(L, idx, o, c);
  neap__row_kinds(o)[c] &= (uint8_t)~COLUMN_CHANGED;
}

// ---- In-place changes ----

// Sets hold the same without order: each element of one is in the other.
static bool same_set(const struct cell *a, const struct cell *b) {
  return neap__match_elements(a->p, a->n, b->p, b->n, true) && neap__match_elements(b->p, b->n, a->p, a->n, true);
}

static bool equal(const struct field *field, const struct cell *a, const struct cell *b) {
  if (field->type.kind == TYPE_SET && a->kind == CELL_JSON && b->kind == CELL_JSON) return same_set(a, b);
  return neap__cell_equal(a, b);
}

static void sync_column(lua_State *L, int idx, struct object *o, const struct field *field) {
  struct neap__error e;
  struct cell cell, present;
  lua_getiuservalue(L, idx, ROW_DECODED(field));
  if (neap__check_value(L, field, -1, &cell, &e) != 0) neap__raise(L, &e);
  present = neap__row_present(o, field->column);
  if (equal(field, &cell, &present))
    lua_pop(L, 1);
  else
    neap__row_change(L, idx, o, field->column, &cell);
  lua_pop(L, 1);
}

void neap__row_sync(lua_State *L, int idx, struct object *o) {
  if (!o->decoded) return;
  const struct shape *shape = o->class->shape;
  idx = lua_absindex(L, idx);
  for (int c = 0; c < shape->ncolumns; c++)
    if (neap__row_kinds(o)[c] & COLUMN_DECODED) sync_column(L, idx, o, shape->columns[c]);
}

// ---- Changes ----

// A pointer to an object that had no key when it was assigned has that object's key now.
static void follow_related(lua_State *L, int idx, struct object *o, const struct field *field) {
  struct neap__error e;
  struct cell cell;
  lua_getiuservalue(L, idx, 1);
  lua_rawgetp(L, -1, field);
  if (neap__object_test(L, -1) && neap__check_value(L, field, -1, &cell, &e) == 0)
    neap__row_change(L, idx, o, field->column, &cell);
  lua_pop(L, 2);
}

static void refresh(lua_State *L, int idx, struct object *o, int c) {
  unsigned kind = neap__row_kinds(o)[c];
  const struct field *field = o->class->shape->columns[c];
  if (kind & COLUMN_DECODED) sync_column(L, idx, o, field);
  if ((kind & COLUMN_RELATED) && (kind & COLUMN_CHANGED)) follow_related(L, idx, o, field);
}

void neap__object_get(lua_State *L, int idx, int column, struct cell *out) {
  idx = lua_absindex(L, idx);
  struct object *o = lua_touserdata(L, idx);
  refresh(L, idx, o, column);
  *out = neap__row_present(o, column);
}

void neap__object_confirmed(lua_State *L, int idx, int column, struct cell *out) {
  *out = neap__row_base(lua_touserdata(L, idx), column);
}

// The key of what the text of a cell of the column lies in, 0 where that is the object itself.
static int anchor_of(const struct object *o, int c, const struct cell *cell) {
  unsigned kind = neap__row_kinds(o)[c];
  if (!has_text(cell) || !(kind & (COLUMN_BASE | COLUMN_CHANGED))) return 0;
  bool changed = (kind & COLUMN_CHANGED) && o->overlay->cells[o->overlay->ncells + c].p == cell->p;
  int side = side_of(o->overlay, c);
  return ANCHOR(c, changed ? side : !side);
}

void neap__object_push_anchor(lua_State *L, int idx, int column, const struct cell *cell) {
  int key = anchor_of(lua_touserdata(L, idx), column, cell);
  lua_pushnil(L);
  if (!key) return;
  lua_getiuservalue(L, idx, 1);
  lua_rawgeti(L, -1, key);
  lua_copy(L, -1, -3);
  lua_pop(L, 2);
}

void neap__object_keep(lua_State *L, int idx, int column, const struct cell *cell, int list, int *n) {
  int key = anchor_of(lua_touserdata(L, idx), column, cell);
  if (!key) return;
  lua_getiuservalue(L, idx, 1);
  lua_rawgeti(L, -1, key);
  lua_rawseti(L, list, ++*n);
  lua_pop(L, 1);
}

// Whether a save must send the column. A deleted object would be inserted whole.
static bool is_sent(const struct object *o, int c) {
  const struct cell present = neap__row_present(o, c);
  if (o->state == OBJECT_DELETED) return present.kind > CELL_NIL;
  if (!(neap__row_kinds(o)[c] & COLUMN_CHANGED)) return false;
  if (o->state == OBJECT_NEW) return present.kind != CELL_NIL;
  struct cell base = neap__row_base(o, c);
  return !equal(o->class->shape->columns[c], &base, &present);
}

bool neap__object_idle(const struct object *o) {
  return o->state == OBJECT_LOADED && !o->dirty && !o->decoded;
}

int neap__row_changes(lua_State *L, int idx, uint64_t *bits) {
  struct object *o = lua_touserdata(L, idx);
  const struct shape *shape = o->class->shape;
  if (neap__object_idle(o)) return 0;
  idx = lua_absindex(L, idx);
  int n = 0;
  for (int c = 0; c < shape->ncolumns; c++) {
    if (neap__row_kinds(o)[c] & (COLUMN_CHANGED | COLUMN_DECODED)) refresh(L, idx, o, c);
    if (!is_sent(o, c)) continue;
    neap__set_bit(bits, c);
    n++;
  }
  return n;
}

int neap__object_changes(lua_State *L, int idx, uint64_t *bits) {
  struct object *o = lua_touserdata(L, idx);
  int n = neap__row_changes(L, idx, bits);
  for (int c = 0; o->overlay && c < o->overlay->ncells; c++)
    *neap__overlay_side(o->overlay, c) &= (uint8_t)~OVERLAY_WRITTEN;
  return n;
}

// ---- Confirming ----

// Copies the cell's text into a string, which is pushed (or nil).
static struct cell copy_cell(lua_State *L, const struct cell *from) {
  struct cell cell = *from;
  if (!has_text(from)) {
    lua_pushnil(L);
    return cell;
  }
  lua_pushlstring(L, from->p ? from->p : "", from->n);
  cell.p = lua_tostring(L, -1);
  return cell;
}

static bool is_text(const struct field *f) {
  switch (f->type.kind) {
    case TYPE_INTEGER:
    case TYPE_NUMBER:
    case TYPE_BOOLEAN:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_DATE: return false;
    default: return true;
  }
}

// Pops a value and puts it where an anchor will be, unless something is there.
static void reserve_anchor(lua_State *L, int idx, int key) {
  neap__row_values(L, idx);
  if (lua_rawgeti(L, -1, key) == LUA_TNIL) {
    lua_pushvalue(L, -3);
    lua_rawseti(L, -3, key);
  }
  lua_pop(L, 3);
}

void neap__object_reserve(lua_State *L, int idx, const struct cell *cells, const int *columns, int n) {
  idx = lua_absindex(L, idx);
  struct object *o = lua_touserdata(L, idx);
  struct overlay *overlay = neap__row_overlay(L, idx, o);
  for (int i = 0; i < n; i++) {
    int c = columns[i];
    if (cells ? !has_text(&cells[i]) : !is_text(o->class->shape->columns[c])) continue;
    if (cells) {
      copy_cell(L, &cells[i]);
      reserve_anchor(L, idx, ANCHOR(c, !side_of(overlay, c)));
      continue;
    }
    for (int side = 0; side < 2; side++) {
      lua_pushboolean(L, false);
      reserve_anchor(L, idx, ANCHOR(c, side));
    }
  }
}

static void confirm_returned(lua_State *L, int idx, struct object *o, const struct cell *cells, const int *columns,
                             int n) {
  for (int i = 0; i < n; i++) {
    int c = columns ? columns[i] : i;
    struct cell before = neap__row_present(o, c), cell = copy_cell(L, &cells[i]);
    if (!equal(o->class->shape->columns[c], &before, &cell)) neap__row_forget(L, idx, o, c);
    neap__row_confirm(L, idx, o, c, &cell);
  }
}

// From what Lua keeps before it to an overlay behind it.
void neap__object_prefetch(const struct object *o) {
  for (int at = -64; at <= 320; at += 64) __builtin_prefetch((const char *)o + at);
}

// What was sent is now what the store has; its anchor stays where it is and changes sides.
static void settle(struct object *o, int c) {
  uint8_t *kind = &neap__row_kinds(o)[c];
  o->overlay->cells[c] = o->overlay->cells[o->overlay->ncells + c];
  *neap__overlay_side(o->overlay, c) ^= OVERLAY_SIDE;
  *kind = (uint8_t)((*kind | COLUMN_BASE) & ~COLUMN_CHANGED);
}

// The script wrote it again while the save was under way: what the store has is not known, so that it is sent again.
static void overtake(struct object *o, int c) {
  o->overlay->cells[c] = (struct cell){.kind = CELL_UNLOADED};
  neap__row_kinds(o)[c] |= COLUMN_BASE;
  o->dirty = true;
}

// What the store computed before the row changed is not known any more.
static void forget_computed(lua_State *L, int idx, struct object *o) {
  for (int c = o->class->shape->ncolumns; c < o->class->shape->ncells; c++) {
    neap__row_forget(L, idx, o, c);
    neap__row_kinds(o)[c] = CELL_UNLOADED;
  }
}

void neap__object_confirm(lua_State *L, int idx, const uint64_t *sent, const struct cell *returned, const int *columns,
                          int nreturned) {
  idx = lua_absindex(L, idx);
  struct object *o = lua_touserdata(L, idx);
  int n = o->class->shape->ncolumns;
  o->dirty = false;
  for (int c = 0; c < n; c++) {
    if (!(neap__row_kinds(o)[c] & COLUMN_CHANGED)) continue;
    struct cell base = neap__row_base(o, c), change = neap__row_present(o, c);
    bool was_sent = neap__has_bit(sent, c);
    if (was_sent && (*neap__overlay_side(o->overlay, c) & OVERLAY_WRITTEN))
      overtake(o, c);
    else if (was_sent || equal(o->class->shape->columns[c], &base, &change))
      settle(o, c);
    else
      o->dirty = true;
  }
  forget_computed(L, idx, o);
  confirm_returned(L, idx, o, returned, columns, nreturned);
  o->state = OBJECT_LOADED;
}

void neap__object_reset(lua_State *L, int idx, const struct cell *cells, int ncells, const int *columns) {
  idx = lua_absindex(L, idx);
  struct object *o = lua_touserdata(L, idx);
  for (int c = 0; c < o->class->shape->ncells; c++) neap__row_revert(L, idx, o, c);
  o->dirty = o->decoded = o->stub = false;
  confirm_returned(L, idx, o, cells, columns, ncells);
  o->state = OBJECT_LOADED;
}

// ---- Undo ----

struct snapshot {
  uint8_t state;
  bool dirty, stub, overlaid, restored;
  uint8_t kinds[];  // then, if overlaid, the cells
};

static void *snapshot_cells(struct snapshot *s, int ncells) {
  return (char *)s + ((sizeof *s + (size_t)ncells + 7) & ~(size_t)7);
}

static void copy_values(lua_State *L, int from) {
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, -5);
  }
}

void neap__object_push_anchors(lua_State *L, int idx) {
  if (lua_getiuservalue(L, idx, 1) != LUA_TTABLE) return;
  copy_values(L, lua_gettop(L));
  lua_remove(L, -2);
}

void neap__object_snapshot(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  struct object *o = lua_touserdata(L, idx);
  neap__row_sync(L, idx, o);
  int n = o->class->shape->ncells;
  size_t cells = neap__overlay_bytes(n);
  struct snapshot *s = lua_newuserdatauv(L, sizeof *s + (size_t)n + 8 + (o->overlay ? cells : 0), 1);
  s->state = o->state;
  s->dirty = o->dirty;
  s->stub = o->stub;
  s->overlaid = o->overlay != NULL;
  s->restored = false;
  memcpy(s->kinds, neap__row_kinds(o), (size_t)n);
  if (o->overlay) memcpy(snapshot_cells(s, n), o->overlay->cells, cells);
  if (lua_getiuservalue(L, idx, 1) == LUA_TTABLE) {
    copy_values(L, lua_gettop(L));
    lua_remove(L, -2);
  }
  lua_setiuservalue(L, -2, 1);
}

// Allocates nothing: what it needs was made with the snapshot, whose values the object gets.
void neap__object_restore(lua_State *L, int idx, int snapshot_idx) {
  idx = lua_absindex(L, idx);
  struct object *o = lua_touserdata(L, idx);
  struct snapshot *s = lua_touserdata(L, snapshot_idx);
  int n = o->class->shape->ncells;
  if (s->restored) return;
  s->restored = true;
  lua_getiuservalue(L, snapshot_idx, 1);
  lua_setiuservalue(L, idx, 1);
  if (s->overlaid)
    memcpy(o->overlay->cells, snapshot_cells(s, n), neap__overlay_bytes(n));
  else
    o->overlay = NULL;  // made since, and anchored by the values that go
  // Lists and maps that were decoded then may have been changed since: they are read anew.
  for (int c = 0; c < n; c++) {
    forget_decoded(L, idx, o, c);
    neap__row_kinds(o)[c] = s->kinds[c] & (uint8_t)~COLUMN_DECODED;
  }
  o->state = s->state;
  o->dirty = s->dirty;
  o->decoded = false;
  o->stub = s->stub;
}
