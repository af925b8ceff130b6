// dynamodb_item.c: the items of a reply, one by one, as rows of cells. The hot path: a reply is gone through once, and an attribute
// is mostly where it was in the item before.
#include "store/dynamodb_item.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/dynamodb_value.h"

enum state { STATE_REPLY, STATE_LIST, STATE_TABLES, STATE_PLACES, STATE_ONE, STATE_END };

// A declared attribute.
struct entry {
  const char *wire;
  const struct type *type;
  uint32_t n;
  int cell;    // -1: not wanted
  int after;   // which one came behind it the last time
  bool plain;  // spelled in JSON as it is
};

struct item_map {
  struct neap__scan scan;
  const char *start;
  enum state state, outer;  // outer: what a list lies in
  bool fresh;               // nothing has been read of the container at hand
  int64_t number;           // of the item, for messages
  struct neap__literal name;
  struct neap__buffer scratch, open;  // decoded text of the row; the undeclared attributes
  int open_cell, last, first;         // last: the entry that was found last; first: the one that items begin with
  int n;
  struct entry entries[];
};

// ---- Preparing ----

static bool is_plain(const char *name) {
  for (; *name; name++)
    if (*name == '"' || *name == '\\' || (unsigned char)*name < 0x20) return false;
  return true;
}

static void add_entry(struct neap__items *items, const struct field *f, bool wanted) {
  struct item_map *map = items->map;
  int cell = wanted ? items->ncells++ : -1;
  if (f->column == f->shape->open) {
    map->open_cell = cell;
    return;
  }
  map->entries[map->n] = (struct entry){.wire = f->wire,
                                        .type = &f->type,
                                        .n = (uint32_t)strlen(f->wire),
                                        .cell = cell,
                                        .after = map->n + 1,
                                        .plain = is_plain(f->wire)};
  map->n++;
}

int neap__items_init(struct neap__items *items, const struct shape *shape, const uint64_t *columns) {
  memset(items, 0, sizeof *items);
  struct item_map *map = calloc(1, sizeof *map + (size_t)shape->ncolumns * sizeof *map->entries);
  if (!map) return -1;
  items->map = map;
  map->open_cell = -1;
  map->state = STATE_END;
  neap__buffer_plain(&map->scratch);
  neap__buffer_plain(&map->open);
  for (int i = 0; i < shape->ncolumns; i++) add_entry(items, shape->columns[i], !columns || neap__has_bit(columns, i));
  return 0;
}

void neap__items_free(struct neap__items *items) {
  if (!items->map) return;
  neap__buffer_free(&items->map->scratch);
  neap__buffer_free(&items->map->open);
  free(items->map);
  items->map = NULL;
}

static void begin(struct neap__items *items, const char *p, size_t n, enum state state) {
  struct item_map *map = items->map;
  map->scan = (struct neap__scan){p, p + n, NULL};
  map->start = p;
  map->state = state;
  map->outer = STATE_END;
  map->fresh = true;
  map->number = 0;
  items->count = items->scanned = -1;
  items->found = false;
  items->item = items->last_key = items->unprocessed = items->capacity = (struct neap__json_slice){NULL, 0};
}

void neap__items_begin(struct neap__items *items, const char *p, size_t n) {
  begin(items, p, n, STATE_REPLY);
  struct item_map *map = items->map;
  if (neap__scan_accept(&map->scan, '['))
    map->state = STATE_LIST;
  else
    neap__scan_expect(&map->scan, '{');
}

void neap__items_begin_one(struct neap__items *items, const char *p, size_t n) {
  begin(items, p, n, STATE_ONE);
}

// ---- One item ----

// Texts that lie in a buffer that has moved.
static void follow(struct cell *cells, int n, uintptr_t from, size_t size, char *to) {
  for (int i = 0; i < n; i++) {
    uintptr_t at = neap__cell_has_text(&cells[i]) ? (uintptr_t)cells[i].p : 0;
    if (at >= from && at < from + size) cells[i].p = to + (at - from);
  }
}

static struct entry *find_entry(struct item_map *map, const char *name, size_t n, int guess) {
  for (int i = 0; i < map->n; i++, guess++) {
    if (guess >= map->n) guess = 0;
    struct entry *entry = &map->entries[guess];
    if (entry->n == n && memcmp(entry->wire, name, n) == 0) return entry;
  }
  return NULL;
}

// Goes over the name of an attribute. *out is NULL if it is not declared.
static bool read_name(struct item_map *map, struct entry **out) {
  struct neap__scan *s = &map->scan;
  int guess = map->last < 0 ? map->first : map->entries[map->last].after;
  struct entry *entry = guess < map->n ? &map->entries[guess] : NULL;
  if (entry && entry->plain && (size_t)(s->end - s->p) > entry->n + 1 && *s->p == '"' &&
      memcmp(s->p + 1, entry->wire, entry->n) == 0 && s->p[entry->n + 1] == '"') {
    s->p += entry->n + 2;
    map->name = (struct neap__literal){.p = entry->wire, .n = entry->n};
  } else {
    struct cell text;
    size_t before = map->scratch.n;
    if (!neap__scan_string(s, &map->name) || !neap__scan_text(s, &map->name, &text, &map->scratch)) return false;
    map->scratch.n = before;
    entry = find_entry(map, text.p, text.n, guess);
    if (entry && map->last < 0)
      map->first = (int)(entry - map->entries);
    else if (entry)
      map->entries[map->last].after = (int)(entry - map->entries);
  }
  if (entry) map->last = (int)(entry - map->entries);
  *out = entry;
  return true;
}

// Adds an undeclared attribute to those of the open column.
static bool read_undeclared(struct item_map *map) {
  struct neap__buffer *out = &map->open;
  struct neap__literal name = map->name;
  int status = neap__buffer_byte(out, out->n == 0 ? '{' : ',');
  if (status == 0) status = neap__buffer_append(out, name.p - 1, (size_t)name.n + 2);
  if (status == 0) status = neap__buffer_byte(out, ':');
  return status == 0 ? neap__attribute_scan_json(&map->scan, out) : neap__scan_starve(&map->scan);
}

static bool read_attribute(struct neap__items *items, struct cell *cells) {
  struct item_map *map = items->map;
  struct entry *entry;
  if (!read_name(map, &entry) || !neap__scan_expect(&map->scan, ':')) return false;
  if (!entry && map->open_cell >= 0) return read_undeclared(map);
  if (!entry || entry->cell < 0) return neap__scan_skip(&map->scan);
  uintptr_t from = (uintptr_t)map->scratch.p;
  size_t size = map->scratch.n;
  struct cell cell;
  if (!neap__attribute_scan(&map->scan, entry->type, &cell, &map->scratch)) return false;
  if ((uintptr_t)map->scratch.p != from) follow(cells, items->ncells, from, size, map->scratch.p);
  cells[entry->cell] = cell;
  return true;
}

static bool read_item(struct neap__items *items, struct cell *cells) {
  struct item_map *map = items->map;
  struct neap__scan *s = &map->scan;
  neap__scan_peek(s);
  items->item.p = s->p;
  items->found = true;
  map->number++;
  map->last = -1;
  if (!neap__scan_expect(s, '{')) return false;
  bool more = !neap__scan_accept(s, '}');
  while (more) {
    if (!read_attribute(items, cells)) return false;
    map->name.p = NULL;
    more = neap__scan_accept(s, ',');
    if (!more && !neap__scan_expect(s, '}')) return false;
  }
  items->item.n = (size_t)(s->p - items->item.p);
  if (map->open.n == 0) return true;
  if (neap__buffer_byte(&map->open, '}') != 0) return neap__scan_starve(s);
  if (map->open.n > UINT32_MAX) return neap__scan_fail(s, "less than 4 GB");
  cells[map->open_cell] = (struct cell){.kind = CELL_JSON, .p = map->open.p, .n = (uint32_t)map->open.n};
  return true;
}

// ---- The reply around them ----

static bool is(const struct neap__literal *name, const char *text) {
  return name->n == strlen(text) && memcmp(name->p, text, name->n) == 0;
}

static bool note_count(struct neap__scan *s, int64_t *out) {
  struct cell cell = {.kind = CELL_NIL};
  neap__scan_peek(s);
  const char *after = neap__json_number(s->p, s->end, &cell);
  if (!after || cell.kind != CELL_INTEGER) return neap__scan_fail(s, "a number of items");
  s->p = after;
  *out = cell.i;
  return true;
}

// What is empty says nothing.
static bool note_slice(struct neap__scan *s, struct neap__json_slice *out) {
  neap__scan_peek(s);
  const char *p = s->p;
  if (!neap__scan_skip(s)) return false;
  struct neap__scan inside = {p + 1, s->p, NULL};
  bool empty = *p != '{' && *p != '[';
  if (empty || neap__scan_peek(&inside) == (*p == '{' ? '}' : ']')) return true;
  *out = (struct neap__json_slice){p, (size_t)(s->p - p)};
  return true;
}

static bool enter(struct item_map *map, enum state state, char open) {
  if (!neap__scan_expect(&map->scan, open)) return false;
  if (state == STATE_LIST) map->outer = map->state;
  map->state = state;
  map->fresh = true;
  return true;
}

// The value of a member of the reply; *row: it was an item.
static bool read_part(struct neap__items *items, const struct neap__literal *name, struct cell *cells, bool *row) {
  struct item_map *map = items->map;
  struct neap__scan *s = &map->scan;
  if (is(name, "Items")) return enter(map, STATE_LIST, '[');
  if (is(name, "Item") || is(name, "Attributes")) return *row = true, read_item(items, cells);
  if (is(name, "Responses"))
    return neap__scan_peek(s) == '[' ? enter(map, STATE_PLACES, '[') : enter(map, STATE_TABLES, '{');
  if (is(name, "Count")) return note_count(s, &items->count);
  if (is(name, "ScannedCount")) return note_count(s, &items->scanned);
  if (is(name, "LastEvaluatedKey")) return note_slice(s, &items->last_key);
  if (is(name, "UnprocessedKeys") || is(name, "UnprocessedItems")) return note_slice(s, &items->unprocessed);
  if (is(name, "ConsumedCapacity")) return note_slice(s, &items->capacity);
  return neap__scan_skip(s);
}

// Goes to the next element or member of the container at hand; *more: there is one.
static bool advance(struct item_map *map, char close, bool *more) {
  *more = !neap__scan_accept(&map->scan, close);
  if (*more && !map->fresh && !neap__scan_expect(&map->scan, ',')) return false;
  map->fresh = false;
  return true;
}

static bool read_key(struct item_map *map, struct neap__literal *name) {
  return neap__scan_string(&map->scan, name) && neap__scan_expect(&map->scan, ':');
}

static bool step_reply(struct neap__items *items, struct cell *cells, bool *row) {
  struct item_map *map = items->map;
  struct neap__literal name;
  bool more;
  if (!advance(map, '}', &more)) return false;
  if (more) return read_key(map, &name) && read_part(items, &name, cells, row);
  map->state = STATE_END;
  return true;
}

static bool step_list(struct neap__items *items, struct cell *cells, bool *row) {
  struct item_map *map = items->map;
  if (!advance(map, ']', row)) return false;
  if (*row) return read_item(items, cells);
  map->state = map->outer;
  return true;
}

// {"table":[item, ...], ...}
static bool step_tables(struct item_map *map) {
  struct neap__literal name;
  bool more;
  if (!advance(map, '}', &more)) return false;
  if (more) return read_key(map, &name) && enter(map, STATE_LIST, '[');
  map->state = STATE_REPLY;
  return true;
}

// [{"Item":item}, {}, ...]
static bool step_places(struct neap__items *items, struct cell *cells, bool *row) {
  struct item_map *map = items->map;
  struct neap__literal name;
  if (!advance(map, ']', row)) return false;
  if (!*row) return map->state = STATE_REPLY, true;
  items->found = false;
  items->item = (struct neap__json_slice){NULL, 0};
  if (!neap__scan_expect(&map->scan, '{')) return false;
  for (bool first = true; !neap__scan_accept(&map->scan, '}'); first = false) {
    if ((!first && !neap__scan_expect(&map->scan, ',')) || !read_key(map, &name)) return false;
    if (!(is(&name, "Item") ? read_item(items, cells) : neap__scan_skip(&map->scan))) return false;
  }
  return true;
}

static bool step(struct neap__items *items, struct cell *cells, bool *row) {
  switch (items->map->state) {
    case STATE_REPLY: return step_reply(items, cells, row);
    case STATE_LIST: return step_list(items, cells, row);
    case STATE_TABLES: return step_tables(items->map);
    case STATE_PLACES: return step_places(items, cells, row);
    case STATE_ONE: items->map->state = STATE_END; return *row = true, read_item(items, cells);
    case STATE_END: break;
  }
  return true;
}

// Names what makes no sense: "DynamoDB's reply (item 3, price)".
static enum rows_state failed(struct item_map *map, struct neap__error *e) {
  char where[200] = "DynamoDB's reply", *to = where + strlen(where);
  size_t room = sizeof where - strlen(where);
  if (map->name.p)
    snprintf(to, room, " (item %lld, %s)", (long long)map->number, neap__show_name(map->name.p, map->name.n).text);
  else if (map->state == STATE_LIST || map->state == STATE_PLACES)
    snprintf(to, room, " (item %lld)", (long long)map->number);
  neap__scan_error(&map->scan, map->start, where, e);
  map->state = STATE_END;
  return ROWS_FAILED;
}

enum rows_state neap__items_next(struct neap__items *items, struct cell *cells, struct neap__error *e) {
  struct item_map *map = items->map;
  bool row = false;
  map->scratch.n = map->open.n = 0;
  map->name.p = NULL;
  for (int i = 0; i < items->ncells; i++) cells[i].kind = CELL_NIL;
  while (!row && map->state != STATE_END && !map->scan.fault)
    if (!step(items, cells, &row)) return failed(map, e);
  if (map->scan.fault) return failed(map, e);
  if (row) return ROWS_ROW;
  if (neap__scan_peek(&map->scan) == '\0' && map->scan.p == map->scan.end) return ROWS_END;
  neap__scan_fail(&map->scan, "nothing more");
  return failed(map, e);
}
