// sql_array_binary.c: arrays as PostgreSQL's wire has them: the dimension, then length and bytes of each element.
#include <string.h>

#include "store/sql.h"
#include "transport/postgres_wire.h"

enum {
  BOOL = 16,
  BYTEA = 17,
  INT8 = 20,
  TEXT = 25,
  FLOAT8 = 701,
  DATE = 1082,
  TIMESTAMPTZ = 1184,
  UUID = 2950,
  JSONB = 3802
};

uint32_t neap__sql_array_element(const struct type *type) {
  switch (type->kind) {
    case TYPE_STRING: return TEXT;
    case TYPE_INTEGER:
    case TYPE_TIMESTAMP: return INT8;
    case TYPE_NUMBER: return FLOAT8;
    case TYPE_BOOLEAN: return BOOL;
    case TYPE_DATETIME: return TIMESTAMPTZ;
    case TYPE_DATE: return DATE;
    case TYPE_UUID: return UUID;
    case TYPE_BYTES:
    case TYPE_BYTESTREAM: return BYTEA;
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_JSON:
    case TYPE_MAP:
    case TYPE_GEOPOINT:
    case TYPE_FILE: return JSONB;
    case TYPE_POINTER:
    case TYPE_COMPUTED: return type->of ? neap__sql_array_element(type->of) : 0;
    case TYPE_DECIMAL:  // groups of four digits: text is as short
    case TYPE_RELATION:
    case TYPE_HAS_ONE:
    case TYPE_HAS_MANY:
    case TYPE_MANY_TO_MANY: break;
  }
  return 0;
}

uint32_t neap__sql_array_type(uint32_t element) {
  static const uint16_t types[][2] = {{BOOL, 1000}, {BYTEA, 1001}, {INT8, 1016},        {TEXT, 1009}, {FLOAT8, 1022},
                                      {DATE, 1182}, {UUID, 2951},  {TIMESTAMPTZ, 1185}, {JSONB, 3807}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i][0] == element) return types[i][1];
  return 0;
}

static int add_number(struct neap__buffer *out, uint64_t v, int bytes) {
  if (neap__buffer_reserve(out, 12) != 0) return -1;
  neap__postgres_put_bytes(neap__postgres_put_bytes(out->p + out->n, (uint64_t)bytes, 4), v, bytes);
  out->n += 4 + (size_t)bytes;
  return 0;
}

static int add_double(struct neap__buffer *out, double d) {
  uint64_t bits;
  memcpy(&bits, &d, sizeof bits);
  return add_number(out, bits, 8);
}

static int add_text(struct neap__buffer *out, const struct cell *cell, const char *head) {
  size_t nhead = strlen(head);
  if (neap__buffer_reserve(out, 4 + nhead + cell->n) != 0) return -1;
  memcpy(neap__postgres_put_bytes(out->p + out->n, nhead + cell->n, 4), head, nhead);
  if (cell->n) memcpy(out->p + out->n + 4 + nhead, cell->p, cell->n);
  out->n += 4 + nhead + cell->n;
  return 0;
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 'a' - 'A';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int add_uuid(struct neap__buffer *out, const struct cell *cell) {
  char bytes[16];
  int n = 0;
  for (uint32_t i = 0; i + 1 < cell->n && n < 16; i += 2) {
    if (cell->p[i] == '-') i++;
    if (i + 1 == cell->n || digit(cell->p[i]) < 0 || digit(cell->p[i + 1]) < 0) return 1;
    bytes[n++] = (char)(digit(cell->p[i]) << 4 | digit(cell->p[i + 1]));
  }
  return cell->n == 36 && n == 16 ? add_text(out, &(struct cell){.p = bytes, .n = 16}, "") : 1;
}

int neap__sql_array_begin(struct neap__buffer *out, uint32_t element, int n) {
  char head[20], *p = head;
  const uint32_t words[] = {1, 0, element, (uint32_t)n, 1};  // dimensions, flags, type; length and first index
  for (int i = 0; i < 5; i++) p = neap__postgres_put_bytes(p, words[i], 4);
  return neap__buffer_append(out, head, sizeof head);
}

int neap__sql_array_put(struct neap__buffer *out, uint32_t element, const struct cell *cell) {
  enum cell_kind kind = (enum cell_kind)cell->kind;
  if (kind <= CELL_NULL) return neap__buffer_append(out, "\xff\xff\xff\xff", 4);
  switch (element) {
    case BOOL: return kind == CELL_BOOLEAN ? add_number(out, (uint64_t)cell->i, 1) : 1;
    case INT8: return kind == CELL_INTEGER ? add_number(out, (uint64_t)cell->i, 8) : 1;
    case FLOAT8:
      if (kind == CELL_INTEGER) return add_double(out, (double)cell->i);
      return kind == CELL_NUMBER ? add_double(out, cell->d) : 1;
    case DATE: return kind == CELL_DATE ? add_number(out, (uint64_t)(cell->i - POSTGRES_EPOCH_DAYS), 4) : 1;
    case TIMESTAMPTZ: return kind == CELL_DATETIME ? add_number(out, (uint64_t)(cell->i - POSTGRES_EPOCH_US), 8) : 1;
    case UUID: return kind == CELL_TEXT ? add_uuid(out, cell) : 1;
    case BYTEA: return kind == CELL_BYTES ? add_text(out, cell, "") : 1;
    case TEXT: return kind == CELL_TEXT && !memchr(cell->p, 0, cell->n) ? add_text(out, cell, "") : 1;
    case JSONB: return kind == CELL_JSON ? add_text(out, cell, "\1") : 1;
  }
  return 1;
}
