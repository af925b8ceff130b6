// attribute_fuzz.c: any bytes as an attribute value, as JSON to be written as one, and as a reply. What was read and written once
// does not change when it is read and written again; a reply has no more rows than bytes, and nothing is read behind their end.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/dynamodb_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

#define TYPE(k) \
  { .kind = (k), .scale = -1 }
#define OF(k, of_) \
  { .kind = (k), .of = &(of_), .scale = -1 }

static const struct type string = TYPE(TYPE_STRING), integer = TYPE(TYPE_INTEGER), number = TYPE(TYPE_NUMBER),
                         decimal = {.kind = TYPE_DECIMAL, .scale = 2}, timestamp = TYPE(TYPE_TIMESTAMP),
                         datetime = TYPE(TYPE_DATETIME), bytes = TYPE(TYPE_BYTES), json = TYPE(TYPE_JSON),
                         list = OF(TYPE_LIST, number), set = OF(TYPE_SET, decimal), map = OF(TYPE_MAP, timestamp),
                         blobs = OF(TYPE_SET, bytes), geopoint = TYPE(TYPE_GEOPOINT);

static const struct type *const types[] = {NULL,   &string, &integer, &number, &decimal, &timestamp, &datetime,
                                           &bytes, &json,   &list,    &set,    &map,     &blobs,     &geopoint};

struct text {
  struct neap__buffer b, scratch;
  struct cell cell;
};

static bool read(struct text *t, const struct type *type, const char *p, size_t n) {
  struct neap__error e;
  t->scratch.n = 0;
  if (neap__attribute_read(p, n, type, &t->cell, &t->scratch, &e) == 0) return true;
  check(e.kind == NEAP_PROTOCOL && strstr(e.message, "at byte"), "a fault does not say where");
  return false;
}

static bool write(struct text *t, const struct type *type, const struct cell *cell) {
  struct neap__error e;
  t->b.n = 0;
  if (neap__attribute_is_nil(type, cell)) return false;
  if (neap__attribute_write(&t->b, type, cell, &e) == 0) return true;
  check(e.kind == NEAP_VALIDATION, "a value is refused for no fault of its own");
  return false;
}

static void check_value(const struct type *type, const char *p, size_t n) {
  static struct text given, once, twice;
  if (!given.b.alloc) {
    struct neap__buffer *all[] = {&given.b, &given.scratch, &once.b, &once.scratch, &twice.b, &twice.scratch};
    for (int i = 0; i < 6; i++) neap__buffer_plain(all[i]);
  }
  if (!read(&given, type, p, n) || !write(&once, type, &given.cell)) return;
  check(read(&once, type, once.b.p, once.b.n), "what was written cannot be read");
  check(write(&twice, type, &once.cell), "what was read back cannot be written");
  check(once.b.n == twice.b.n && memcmp(once.b.p, twice.b.p, once.b.n) == 0,
        "a value changes from one writing to the next");
}

static void check_json(const char *p, size_t n) {
  struct neap__error e;
  struct neap__buffer out;
  const struct cell cell = {.kind = CELL_JSON, .p = p, .n = (uint32_t)n};
  neap__buffer_plain(&out);
  if (neap__attribute_write(&out, NULL, &cell, &e) == 0) check_value(&json, out.p, out.n);
  neap__buffer_free(&out);
}

static struct field fields[] = {{.name = "id", .wire = "id", .type = TYPE(TYPE_STRING)},
                                {.name = "n", .wire = "n", .type = TYPE(TYPE_NUMBER)},
                                {.name = "d", .wire = "d\n", .type = {.kind = TYPE_DECIMAL, .scale = 2}},
                                {.name = "tags", .wire = "tags", .type = OF(TYPE_SET, string)},
                                {.name = "rest", .wire = "rest", .type = TYPE(TYPE_JSON)}};

static void check_reply(const char *p, size_t n, bool open) {
  const struct field *columns[5];
  struct shape shape = {.model = "Post", .fields = fields, .columns = columns, .ncolumns = open ? 5 : 4};
  struct neap__items items;
  struct neap__error e;
  struct cell cells[5];
  enum rows_state state;
  size_t rows = 0;
  shape.open = open ? 4 : -1;
  for (int i = 0; i < 5; i++) {
    fields[i].shape = &shape;
    fields[i].column = i;
    columns[i] = &fields[i];
  }
  check(neap__items_init(&items, &shape, NULL) == 0, "memory is short");
  neap__items_begin(&items, p, n);
  while ((state = neap__items_next(&items, cells, &e)) == ROWS_ROW) {
    check(++rows <= n, "a reply gives more rows than it has bytes");
    check(items.item.n <= n, "an item lies outside");
    for (int i = 0; i < items.ncells; i++) check(neap__cell_equal(&cells[i], &cells[i]), "a cell differs from itself");
  }
  check(state == ROWS_END || (e.kind == NEAP_PROTOCOL && strstr(e.message, "at byte")), "a fault does not say where");
  neap__items_free(&items);
}

// The text is copied, so that a sanitizer sees a read behind its end.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size ? size : 1);
  if (copy == NULL) abort();
  memcpy(copy, data, size);
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) check_value(types[i], copy, size);
  check_json(copy, size);
  check_reply(copy, size, false);
  check_reply(copy, size, true);
  free(copy);
  return 0;
}
